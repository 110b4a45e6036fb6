"""Providers as tests speak for them: their side of each protocol, written from its published rules.

Nothing here uses the adapters: what they compute is compared with what stands here. Demo data.
"""

import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote_plus

from chalicelib.contexts.payments.domain.events import Line, Payee, Payer, ProviderTerms
from chalicelib.contexts.payments.providers import Begin, RefundWish

NOON = datetime(2026, 6, 1, 5, tzinfo=UTC)
"""12:00 in Hanoi."""
MERCHANT = "DEMO01"
SECRET = "DEMOSECRETDEMOSECRETDEMOSECRET00"
REFERENCE = "abcdefghijklmnopqrstuvwxyz001"
LINES = (
    Line(code="P01", name="Demo fee", kind="fee", amount=120_000),
    Line(code="L01", name="Demo charge", kind="charge", amount=30_000),
    Line(code="F01", name="Demo fine", kind="fine", amount=50_000),
)


def terms(kind, **changes):
    given = {
        "name": f"Demo {kind}",
        "kind": kind,
        "merchant": MERCHANT,
        "pay_url": "https://pay.example/pay.html",
        "return_url": "https://portal.example/back?from=pay",
    }
    return ProviderTerms(**given | changes)


def begin(**changes):
    given = {
        "transaction": REFERENCE,
        "amount": 200_000,
        "subject": "Demo payment",
        "lines": LINES,
        "agency": "Z01",
        "at": NOON,
        "expires_at": NOON + timedelta(minutes=15),
        "ip": "203.0.113.7",
        "dossier": "Z01-20260601-0000001",
        "payee": Payee(agency="Z01", account="0000000001", bank="DEMOBANK", holder="Demo Office"),
        "payer": Payer(name="Demo Payer", identity_number="DEMO-1", address="Demo street"),
    }
    return Begin(**given | changes)


def wish(**changes):
    given = {
        "refund": "abcdefghijklmnopqrstuvwxyzr001",
        "transaction": REFERENCE,
        "provider_reference": "14000001",
        "amount": 200_000,
        "captured": 200_000,
        "begun_at": NOON,
        "by": "officer:demo",
    }
    return RefundWish(**given | changes)


# VNPay 2.1.0: HMAC-SHA512 over the URL-encoded parameters, sorted by name, joined by "&"; over the
# values joined by "|" in a stated order for the JSON commands.


def sha512(text, secret=SECRET):
    return hmac.new(secret.encode(), text.encode(), "sha512").hexdigest()


def vnpay_ipn(secret=SECRET, **changes):
    """The parameters of an IPN; None leaves one out."""
    given = {
        "vnp_Amount": "20000000",
        "vnp_BankCode": "DEMO",
        "vnp_BankTranNo": "VNP0000001",
        "vnp_CardType": "ATM",
        "vnp_OrderInfo": f"Thanh toan {REFERENCE}",
        "vnp_PayDate": "20260601120359",
        "vnp_ResponseCode": "00",
        "vnp_TmnCode": MERCHANT,
        "vnp_TransactionNo": "14000001",
        "vnp_TransactionStatus": "00",
        "vnp_TxnRef": REFERENCE,
    } | changes
    given = {name: value for name, value in given.items() if value is not None}
    text = "&".join(f"{quote_plus(name)}={quote_plus(given[name])}" for name in sorted(given))
    return given | {"vnp_SecureHash": sha512(text, secret)}


QUERIED = [
    "vnp_ResponseId",
    "vnp_Command",
    "vnp_ResponseCode",
    "vnp_Message",
    "vnp_TmnCode",
    "vnp_TxnRef",
    "vnp_Amount",
    "vnp_BankCode",
    "vnp_PayDate",
    "vnp_TransactionNo",
    "vnp_TransactionType",
    "vnp_TransactionStatus",
    "vnp_OrderInfo",
    "vnp_PromotionCode",
    "vnp_PromotionAmount",
]


def vnpay_answer(asked, secret=SECRET, **changes):
    """The answer to command `querydr` or `refund`."""
    given = {
        "vnp_ResponseId": "demo-response",
        "vnp_Command": asked["vnp_Command"],
        "vnp_ResponseCode": "00",
        "vnp_Message": "demo",
        "vnp_TmnCode": MERCHANT,
        "vnp_TxnRef": asked["vnp_TxnRef"],
        "vnp_Amount": 20_000_000,
        "vnp_BankCode": "DEMO",
        "vnp_PayDate": "20260601120359",
        "vnp_TransactionNo": "14000001",
        "vnp_TransactionType": "01",
        "vnp_TransactionStatus": "00",
        "vnp_OrderInfo": asked["vnp_OrderInfo"],
    } | changes
    order = QUERIED if asked["vnp_Command"] == "querydr" else QUERIED[:-2]
    text = "|".join(str(given.get(name, "")) for name in order)
    return given | {"vnp_SecureHash": sha512(text, secret)}


# The portal's platform as configured by default: SHA-256 over the fields and the secret.

INIT = [
    "LoaiBanTin",
    "PhienBan",
    "MaDoiTac",
    "MaThamChieu",
    "SoTien",
    "LoaiHinhThanhToan",
    "MaKenhThanhToan",
    "MaThietBi",
    "NgonNgu",
    "MaTienTe",
    "MaNganHang",
    "ThongTinGiaoDich",
    "ThoiGianGD",
    "Ip",
]
NOTICE = [
    "LoaiBanTin",
    "PhienBan",
    "MaDoiTac",
    "MaThamChieu",
    "MaGiaoDich",
    "SoTien",
    "MaTienTe",
    "MaLoi",
    "ThoiGianGD",
]
QUERY = ["LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "ThoiGianGD"]
ANSWER = [
    "LoaiBanTin",
    "PhienBan",
    "MaDoiTac",
    "MaThamChieu",
    "MaGiaoDich",
    "SoTien",
    "MaTienTe",
    "TrangThaiGD",
    "ThoiGianGD",
]


def ma_xac_thuc(order, said, secret=SECRET):
    text = "|".join([*(str(said.get(name, "")) for name in order), secret])
    return sha256(text.encode()).hexdigest()


def platform_ipn(secret=SECRET, **changes):
    """The JSON body of a confirmation."""
    given = {
        "LoaiBanTin": "IPN",
        "PhienBan": "1.0.6",
        "MaDoiTac": MERCHANT,
        "MaThamChieu": REFERENCE,
        "MaGiaoDich": "DVCQG0000001",
        "SoTien": "200000",
        "MaTienTe": "VND",
        "MaLoi": "00",
        "ThoiGianGD": "20260601120359",
    } | changes
    return given | {"MaXacThuc": ma_xac_thuc(NOTICE, given, secret)}


def platform_answer(**changes):
    """The answer to a query."""
    given = {
        "LoaiBanTin": "QUERY",
        "PhienBan": "1.0.6",
        "MaDoiTac": MERCHANT,
        "MaThamChieu": REFERENCE,
        "MaGiaoDich": "DVCQG0000001",
        "SoTien": "200000",
        "MaTienTe": "VND",
        "TrangThaiGD": "1",
        "ThoiGianGD": "20260601120359",
    } | changes
    return given | {"MaXacThuc": ma_xac_thuc(ANSWER, given)}


def as_json(said):
    return 200, {"content-type": "application/json"}, json.dumps(said).encode()
