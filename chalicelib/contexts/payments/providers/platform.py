"""The national portal's payment platform, PaymentPlatform 1.0.6: INIT, confirmation (IPN), query.

The messages' fields are the published ones. How MaXacThuc is computed differs by partner: algorithm
and order of the fields are configuration (`Checksum`), as is the version. [R], to be compared with
the partner's own paper: the name of the address in the answer to INIT (`UrlThanhToan`), the codes
of our answers other than 00, and that no command gives money back.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import new
from typing import Any

from pydantic import TypeAdapter, ValidationError

from chalicelib import runtime
from chalicelib.contexts.payments.domain.events import Checksum, Payee, Payer, ProviderTerms
from chalicelib.contexts.payments.domain.provider import WebAddress
from chalicelib.contexts.payments.providers.calling import (
    ask_json,
    dong,
    fields,
    joined,
    moment,
    stamp,
)
from chalicelib.contexts.payments.providers.interface import (
    Begin,
    Notice,
    NoticeUnreadable,
    Outcome,
    ProviderCannot,
    ProviderUnavailable,
    Redirect,
    Refunded,
    RefundWish,
    Reply,
    Request,
    Verdict,
)
from chalicelib.delivery.signatures import SignatureInvalid

VERSION = "1.0.6"
_DONE = "00"
_STATES: dict[str, Outcome] = {"1": "paid", "3": "unknown", "4": "failed"}
"""TrangThaiGD."""
_ADDRESS: TypeAdapter[str] = TypeAdapter(WebAddress)
_WORDS: dict[Verdict, tuple[str, str]] = {
    "confirmed": ("00", "Thành công"),
    "failed": ("00", "Thành công"),
    "already": ("00", "Đã ghi nhận trước đó"),
    "unknown": ("01", "Không tìm thấy mã tham chiếu"),
    "amount": ("04", "Số tiền không đúng"),
    "disputed": ("02", "Giao dịch đã được xác nhận khác"),
    "untrusted": ("97", "Mã xác thực không đúng"),
    "unreadable": ("99", "Bản tin không đúng quy cách"),
    "broken": ("99", "Lỗi tạm thời, đề nghị gửi lại"),
}


def checksum(how: Checksum, names: tuple[str, ...], said: Mapping[str, str], secret: str) -> str:
    """MaXacThuc, in lower-case hexadecimal.

    Raises:
        SignatureInvalid: a value holds a `|`.
    """
    text = joined(said, names)
    if how.algorithm.startswith("hmac-"):
        algorithm = how.algorithm.removeprefix("hmac-")
        return hmac.digest(secret.encode(), text.encode(), algorithm).hex()
    # Rule: PaymentPlatform; the weakest is there because partners still speak it.
    return new(how.algorithm, f"{text}|{secret}".encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Platform:
    """The payment platform as one partner (MaDoiTac) speaks with it."""

    code: str
    terms: ProviderTerms
    secret: str = field(repr=False)

    def begin(self, begun: Begin) -> Redirect:
        """INIT: the platform answers with the address of its page.

        Rule: PaymentPlatform 1.0.6: SoTien is the sum of PhiLePhi and DSKhoanNop.
        """
        if begun.amount != sum(line.amount for line in begun.lines):
            raise ProviderCannot("The platform takes a payment whole or not at all")
        said = self._head("INIT") | {
            "MaThamChieu": begun.transaction,
            "SoTien": str(begun.amount),
            "LoaiHinhThanhToan": "PAY",
            "MaKenhThanhToan": "",
            "MaThietBi": "",
            "NgonNgu": "vi-VN",
            "MaTienTe": "VND",
            "MaNganHang": "",
            "ThongTinGiaoDich": f"Thanh toan {begun.transaction}",
            "ThoiGianGD": stamp(begun.at),
            "Ip": begun.ip,
        }
        said["MaXacThuc"] = self._checksum("init", said)
        answer = ask_json(self.terms.pay_url, {**said, "ThongTinBienLai": self._receipt(begun)})
        if answer is None or answer.get("MaLoi") != _DONE:
            raise ProviderUnavailable
        try:
            url = _ADDRESS.validate_python(answer.get("UrlThanhToan", ""))
        except ValidationError:
            raise ProviderUnavailable from None
        return Redirect(url, url)

    def read_notice(self, request: Request) -> Notice:
        """A confirmation: MaLoi 00 is success, anything else is not."""
        said = fields(request.body)
        if said is None:
            raise SignatureInvalid
        self._prove("notice", said)
        if "MaLoi" not in said:
            raise NoticeUnreadable("it does not say what became of it", field="MaLoi")
        outcome: Outcome = "paid" if said["MaLoi"] == _DONE else "failed"
        return self._notice(said, outcome, said["MaLoi"], request.at)

    def reply(self, verdict: Verdict) -> Reply:
        """`MaLoi` and `MoTaLoi`."""
        code, message = _WORDS[verdict]
        return Reply(200, {"MaLoi": code, "MoTaLoi": message})

    def ask(self, transaction: str, begun_at: datetime) -> Notice | None:  # noqa: ARG002 -- VNPay's question needs it.
        """The state of a transaction: TrangThaiGD 1 success, 3 not known yet, 4 failed."""
        now = runtime.now()
        question = self._head("QUERY") | {"MaThamChieu": transaction, "ThoiGianGD": stamp(now)}
        question["MaXacThuc"] = self._checksum("query", question)
        said = ask_json(self.terms.query_url, question)
        if said is None:
            return None
        try:
            self._prove("answer", said)
            outcome = _STATES[said["TrangThaiGD"]]
            found = self._notice(said, outcome, said["TrangThaiGD"], now)
        except (SignatureInvalid, NoticeUnreadable, KeyError):
            return None
        return found if found.transaction == transaction else None

    def refund(self, wish: RefundWish) -> Refunded:  # noqa: ARG002 -- whatever it is.
        """There is no command for it: it is given back by hand, from the payee's account."""
        return Refunded("failed", "", "not-offered")

    def _head(self, kind: str) -> dict[str, str]:
        return {
            "LoaiBanTin": kind,
            "PhienBan": self.terms.version or VERSION,
            "MaDoiTac": self.terms.merchant,
        }

    def _checksum(self, message: str, said: Mapping[str, str]) -> str:
        how = self.terms.checksum
        return checksum(how, getattr(how, message), said, self.secret)

    def _prove(self, message: str, said: Mapping[str, str]) -> None:
        given = said.get("MaXacThuc", "").lower()
        if not hmac.compare_digest(given.encode(), self._checksum(message, said).encode()):
            raise SignatureInvalid

    def _notice(self, said: Mapping[str, str], outcome: Outcome, code: str, at: datetime) -> Notice:
        try:
            amount = dong(said["SoTien"])
            paid_at = moment(said["ThoiGianGD"]) if said.get("ThoiGianGD") else at
            transaction, reference = said["MaThamChieu"], said["MaGiaoDich"]
        except (KeyError, ValueError):
            raise NoticeUnreadable from None
        if said.get("MaDoiTac") != self.terms.merchant:
            raise NoticeUnreadable("it is for another partner", field="MaDoiTac")
        if said.get("MaTienTe", "VND") != "VND":
            raise NoticeUnreadable("amounts are in VND", field="MaTienTe")
        return Notice(
            transaction, reference, outcome, amount, code, paid_at if outcome == "paid" else None
        )

    def _receipt(self, begun: Begin) -> dict[str, Any]:
        """ThongTinBienLai: what the receipt is to say; what we do not know is empty.

        Phí and lệ phí stand in PhiLePhi, fines and taxes in DSKhoanNop.
        """
        payee = begun.payee or Payee(agency=begun.agency, account="", bank="", holder="")
        payer = begun.payer or Payer(name="")
        codes = {"fee": self.terms.fee_code, "charge": self.terms.charge_code}
        unknown = ("MaDichVu", "MaDVC", "TenDVC", "MaTTHC", "TenTTHC")
        return dict.fromkeys((*unknown, "HuyenNguoiNop", "TinhNguoiNop"), "") | {
            "MaDonVi": begun.agency,
            "TenDonVi": payee.holder,
            "MaHoSo": begun.dossier,
            "TKThuHuong": payee.account,
            "MaNHThuHuong": payee.bank,
            "TenTKThuHuong": payee.holder,
            "NoiDungThanhToan": begun.subject,
            "HoTenNguoiNop": payer.name,
            "SoCMNDNguoiNop": payer.identity_number,
            "DiaChiNguoiNop": payer.address,
            "PhiLePhi": [
                {
                    "LoaiPhiLePhi": codes[line.kind],
                    "MaPhiLePhi": line.code,
                    "TenPhiLePhi": line.name,
                    "SoTien": str(line.amount),
                }
                for line in begun.lines
                if line.kind in codes
            ],
            "DSKhoanNop": [
                {"NoiDung": line.name, "SoTien": str(line.amount)}
                for line in begun.lines
                if line.kind not in codes
            ],
        }
