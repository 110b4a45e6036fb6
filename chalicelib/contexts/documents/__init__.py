"""The document axis: official documents between agencies, and what became of each copy.

The axis (Trục liên thông văn bản quốc gia) carries a *document* (văn bản) from its *sender* (nơi
gửi) to *receivers* (nơi nhận). Each receiver has a *copy*, whose processing status (trạng thái xử
lý) it reports: 01 arrived (đã đến), 02 reception refused (từ chối tiếp nhận), 03 received (đã tiếp
nhận), 04 assigned (phân công xử lý), 05 in processing (đang xử lý), 06 completed (hoàn thành). The
sender may ask for a copy back: 13 recall requested (yêu cầu lấy lại); the receiver agrees with 15
(or 14) or refuses with 16.

About the document itself the sender may give orders: revoke it (thu hồi), amend it or its receivers
(cập nhật), replace it by another (thay thế). A copy's receiver answers the first two with 15 or 16
as well. With 03 the copy gets an arrival number (số đến) of its receiver's year.

A *hub* (trục liên thông của bộ, tỉnh) sends for the units below its agency and passes on to them
what came. Who was merged (sáp nhập) is followed by its successor, in both roles.

Law: Decision 28/2018/QĐ-TTg (sending and receiving e-documents; no state secrets), Decree
30/2020/NĐ-CP (records work), Circular 10/2016/TT-BTTTT with QCVN 102:2016/BTTTT (edXML).
"""
