"""Dossiers: what a citizen or a business asks of the state, from its filing to its result.

A *procedure* (thủ tục hành chính, TTHC) is published (công bố), amended and repealed centrally and
*offered* by many agencies; it asks for *components* (thành phần hồ sơ), may cost a *fee* (phí) or a
*charge* (lệ phí), is served in full (toàn trình) or in part (một phần) online, and has a statutory
time (thời hạn giải quyết) that its *steps* share. A *dossier* (hồ sơ) is filed (nộp) by its
*applicant* (chủ hồ sơ), accepted (tiếp nhận) by the one-stop desk (bộ phận một cửa) with a *receipt
and appointment* (giấy tiếp nhận và hẹn trả kết quả) or not accepted; it is forwarded from step to
step (chuyển bước), may need a *supplement* (bổ sung), another agency's opinion (lấy ý kiến), a
*financial obligation* fulfilled (nghĩa vụ tài chính, NVTC); it may be paused (tạm dừng), extended
with an apology (xin lỗi và gia hạn), withdrawn (rút) or stopped (dừng); once processed (đã xử lý
xong) its *result* (kết quả) is returned (trả kết quả). The portal (Cổng Dịch vụ công quốc gia,
DVCQG) knows ten states of all this (TrangThaiHoSo).

Law: Decree 61/2018/NĐ-CP (with 107/2021/NĐ-CP), replaced by Decree 118/2025/NĐ-CP (one-stop shop);
Decree 45/2020/NĐ-CP (procedures online), Decree 42/2022/NĐ-CP (levels of service), Circular
03/2025/TT-VPCP (forms 01 to 07), Decision 766/QĐ-TTg of 2022 (how service is measured), Decision
29/2026/QĐ-TTg (the portal).
"""
