"""Forms 01 to 06, rendered when asked for from what happened to a dossier; nothing is kept of them.

01 receipt and appointment (giấy tiếp nhận hồ sơ và hẹn trả kết quả), 02 request for a supplement
(phiếu yêu cầu bổ sung, hoàn thiện hồ sơ), 03 refusal (phiếu từ chối tiếp nhận giải quyết hồ sơ), 04
apology and new appointment (văn bản xin lỗi và đề nghị gia hạn), 05 notice that the work stopped
(thông báo dừng giải quyết), 06 control sheet (phiếu kiểm soát quá trình giải quyết). Their wording
is our own, after the forms of Circular 03/2025/TT-VPCP, Annex I.

`wording` says what is on a sheet; `paper` prints it.
"""
