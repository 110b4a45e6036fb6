"""VNPay, the card and bank gateway, protocol 2.1.0: a signed address to pay at, and a signed IPN.

The protocol's fields and checksums are as VNPay publishes them for merchants (sandbox.vnpayment.vn,
"payment", "querydr" and "refund"), read from general knowledge of it and [R]: compare them with the
contract of the deployment before real money moves. Only `version`, the addresses, the merchant's
code and the secret differ between merchants, and those are configuration.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from chalicelib import runtime
from chalicelib.contexts.payments.domain.events import ProviderTerms
from chalicelib.contexts.payments.providers.calling import ask_json, dong, joined, moment, stamp
from chalicelib.contexts.payments.providers.interface import (
    Begin,
    Notice,
    NoticeUnreadable,
    Outcome,
    Redirect,
    Refunded,
    RefundWish,
    Reply,
    Request,
    Verdict,
)
from chalicelib.delivery.signatures import SignatureInvalid

VERSION = "2.1.0"
UNIT = 100
"""Amounts are written in hundredths of a đồng."""
_OURS = "127.0.0.1"
"""What we say of our own address where one must be given; nothing is decided by it."""
_UNSIGNED = {"vnp_SecureHash", "vnp_SecureHashType"}
_DONE = "00"
_OPEN = {"01", "04", "07"}
"""Not finished; taken by the bank only; taken and under suspicion: none of them is certain yet."""
_UNKNOWN, _AGAIN = "91", "94"

_QUERY = (
    *("vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TxnRef"),
    *("vnp_TransactionDate", "vnp_CreateDate", "vnp_IpAddr", "vnp_OrderInfo"),
)
_REFUND = (
    *("vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TransactionType"),
    *("vnp_TxnRef", "vnp_Amount", "vnp_TransactionNo", "vnp_TransactionDate", "vnp_CreateBy"),
    *("vnp_CreateDate", "vnp_IpAddr", "vnp_OrderInfo"),
)
_REFUNDED = (
    *("vnp_ResponseId", "vnp_Command", "vnp_ResponseCode", "vnp_Message", "vnp_TmnCode"),
    *("vnp_TxnRef", "vnp_Amount", "vnp_BankCode", "vnp_PayDate", "vnp_TransactionNo"),
    *("vnp_TransactionType", "vnp_TransactionStatus", "vnp_OrderInfo"),
)
_QUERIED = (*_REFUNDED, "vnp_PromotionCode", "vnp_PromotionAmount")

_WORDS: dict[Verdict, tuple[str, str]] = {
    "confirmed": ("00", "Confirm Success"),
    "failed": ("00", "Confirm Success"),
    "already": ("02", "Order already confirmed"),
    "unknown": ("01", "Order not found"),
    "amount": ("04", "Invalid amount"),
    "disputed": ("02", "Order already confirmed"),
    "untrusted": ("97", "Invalid checksum"),
    "unreadable": ("99", "Input data is not valid"),
    "broken": ("99", "Try again later"),
}


def reply(verdict: Verdict) -> Reply:
    """Rule: VNPay 2.1.0, IPN: `RspCode` 00, 01, 02, 04, 97 or 99, always with HTTP 200."""
    code, message = _WORDS[verdict]
    return Reply(200, {"RspCode": code, "Message": message})


@dataclass(frozen=True)
class VNPay:
    """VNPay under one merchant's code and secret (vnp_HashSecret)."""

    code: str
    terms: ProviderTerms
    secret: str = field(repr=False)

    def begin(self, begun: Begin) -> Redirect:
        """A signed address; VNPay hears of the payment when the payer comes there."""
        said = {
            "vnp_Version": self._version,
            "vnp_Command": "pay",
            "vnp_TmnCode": self.terms.merchant,
            "vnp_Amount": str(begun.amount * UNIT),
            "vnp_CurrCode": "VND",
            "vnp_TxnRef": begun.transaction,
            # VNPay wants it in plain letters; and nothing about a person belongs in an address.
            "vnp_OrderInfo": f"Thanh toan {begun.transaction}",
            "vnp_OrderType": "other",
            "vnp_Locale": "vn",
            "vnp_ReturnUrl": self.terms.return_url,
            "vnp_IpAddr": begun.ip or _OURS,
            "vnp_CreateDate": stamp(begun.at),
            "vnp_ExpireDate": stamp(begun.expires_at),
        }
        query = urlencode(sorted(said.items()))
        joint = "&" if "?" in self.terms.pay_url else "?"
        url = f"{self.terms.pay_url}{joint}{query}&vnp_SecureHash={self._hash(query)}"
        return Redirect(url, url)

    def read_notice(self, request: Request) -> Notice:
        """An IPN: parameters of a GET, signed in the order of their names."""
        given = {name: value for name, value in request.query.items() if name.startswith("vnp_")}
        signed = sorted((name, value) for name, value in given.items() if name not in _UNSIGNED)
        self._prove(urlencode(signed), given)
        return self._notice(given, request.at)

    def reply(self, verdict: Verdict) -> Reply:
        """`RspCode` and `Message`."""
        return reply(verdict)

    def ask(self, transaction: str, begun_at: datetime) -> Notice | None:
        """Command `querydr`."""
        now = runtime.now()
        question = {
            "vnp_RequestId": uuid4().hex,
            "vnp_Version": self._version,
            "vnp_Command": "querydr",
            "vnp_TmnCode": self.terms.merchant,
            "vnp_TxnRef": transaction,
            "vnp_OrderInfo": f"Truy van {transaction}",
            "vnp_TransactionDate": stamp(begun_at),
            "vnp_CreateDate": stamp(now),
            "vnp_IpAddr": _OURS,
        }
        said = self._exchange(self.terms.query_url, question, _QUERY, _QUERIED)
        if said is None:
            return None
        if said.get("vnp_ResponseCode") == _UNKNOWN:
            return Notice(transaction, "", "unknown", 0, _UNKNOWN, None)
        if said.get("vnp_ResponseCode") != _DONE or said.get("vnp_TxnRef") != transaction:
            return None
        try:
            return self._notice(said, now)
        except NoticeUnreadable:
            return None

    def refund(self, wish: RefundWish) -> Refunded | None:
        """Command `refund`: 02 all of it, 03 a part; VNPay passes it on to the bank."""
        now = runtime.now()
        question = {
            # VNPay takes no request twice on a day; this one is the same until it has failed.
            "vnp_RequestId": sha256(f"{wish.refund}#{wish.attempt}".encode()).hexdigest()[:32],
            "vnp_Version": self._version,
            "vnp_Command": "refund",
            "vnp_TmnCode": self.terms.merchant,
            "vnp_TransactionType": "02" if wish.amount == wish.captured else "03",
            "vnp_TxnRef": wish.transaction,
            "vnp_Amount": str(wish.amount * UNIT),
            "vnp_OrderInfo": f"Hoan tien {wish.refund}",
            "vnp_TransactionNo": wish.provider_reference,
            "vnp_TransactionDate": stamp(wish.begun_at),
            # Who approved is in our own history; VNPay wants a name, and gets none.
            "vnp_CreateBy": self.terms.merchant,
            "vnp_CreateDate": stamp(now),
            "vnp_IpAddr": _OURS,
        }
        said = self._exchange(self.terms.refund_url, question, _REFUND, _REFUNDED)
        if said is None:
            return None
        code = said.get("vnp_ResponseCode", "")
        # A refund of this transaction is being worked on: this one, as one goes at a time.
        if code not in {_DONE, _AGAIN}:
            return Refunded("failed", "", code)
        return Refunded("submitted", said.get("vnp_TransactionNo", ""), code)

    @property
    def _version(self) -> str:
        return self.terms.version or VERSION

    def _hash(self, text: str) -> str:
        return hmac.digest(self.secret.encode(), text.encode(), "sha512").hex()

    def _prove(self, text: str, said: Mapping[str, str]) -> None:
        given = said.get("vnp_SecureHash", "").lower()
        if not hmac.compare_digest(given.encode(), self._hash(text).encode()):
            raise SignatureInvalid

    def _exchange(
        self, url: str, question: dict[str, Any], signed: tuple[str, ...], proven: tuple[str, ...]
    ) -> dict[str, str] | None:
        """The answer to a signed question, if its checksum and its merchant are right."""
        question["vnp_SecureHash"] = self._hash(joined(question, signed))
        said = ask_json(url, question)
        if said is None:
            return None
        try:
            self._prove(joined(said, proven), said)
        except SignatureInvalid:
            return None
        return said if said.get("vnp_TmnCode") == self.terms.merchant else None

    def _notice(self, said: Mapping[str, str], at: datetime) -> Notice:
        try:
            code, state = said["vnp_ResponseCode"], said["vnp_TransactionStatus"]
            outcome = _outcome(code, state)
            amount = dong(said["vnp_Amount"], UNIT)
            paid_at = moment(said["vnp_PayDate"]) if said.get("vnp_PayDate") else at
            transaction, reference = said["vnp_TxnRef"], said["vnp_TransactionNo"]
        except (KeyError, ValueError):
            raise NoticeUnreadable from None
        if said.get("vnp_TmnCode") != self.terms.merchant:
            raise NoticeUnreadable("it is for another merchant", field="vnp_TmnCode")
        if said.get("vnp_CurrCode", "VND") != "VND":
            raise NoticeUnreadable("amounts are in VND", field="vnp_CurrCode")
        return Notice(
            transaction,
            reference,
            outcome,
            amount,
            said=code if code != _DONE else state,
            paid_at=paid_at if outcome == "paid" else None,
        )


def _outcome(code: str, state: str) -> Outcome:
    """Both must say so. For an answer to a query the code is of the query itself."""
    if code == _DONE == state:
        return "paid"
    return "unknown" if {code, state} & _OPEN else "failed"
