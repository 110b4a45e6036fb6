"""A demo provider for development and tests: JSON, signed as Standard Webhooks both ways.

Its other side is a little server that runs beside the local stack; no money moves. Never register
it where people pay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

from pydantic import AwareDatetime, ValidationError
from pydantic_core import to_json

from chalicelib import runtime
from chalicelib.contexts.payments.domain.events import Dong, ProviderTerms
from chalicelib.contexts.payments.domain.provider import WebAddress
from chalicelib.contexts.payments.providers.calling import asked
from chalicelib.contexts.payments.providers.interface import (
    Begin,
    Notice,
    NoticeUnreadable,
    Outcome,
    ProviderUnavailable,
    Redirect,
    Refunded,
    RefundWish,
    Reply,
    Request,
    Verdict,
)
from chalicelib.delivery.signatures import Unauthenticated, secret_bytes, sign_hmac, verify
from chalicelib.kernel import Value

T = TypeVar("T", bound=Value)

_STATUS: dict[Verdict, int] = {
    "confirmed": 200,
    "failed": 200,
    "already": 200,
    "disputed": 409,
    "unknown": 404,
    "amount": 422,
    "untrusted": 401,
    "unreadable": 400,
    "broken": 503,
}


class Said(Value):
    """What the sandbox says of a transaction; `result` pending: it does not know yet."""

    _OUTCOMES: ClassVar[dict[str, Outcome]] = {"paid": "paid", "failed": "failed"}

    reference: str
    provider_reference: str = ""
    result: str
    amount: Dong = 0
    currency: str = "VND"
    code: str = ""
    paid_at: AwareDatetime | None = None

    def notice(self, at: datetime) -> Notice:
        """The same in everybody's words.

        Raises:
            NoticeUnreadable: it is not about đồng, or names nothing.
        """
        if self.currency != "VND":
            raise NoticeUnreadable("amounts are in VND", field="currency")
        outcome = self._OUTCOMES.get(self.result, "unknown")
        return Notice(
            self.reference,
            self.provider_reference,
            outcome,
            self.amount,
            self.code,
            (self.paid_at or at) if outcome == "paid" else None,
        )


class _Begun(Value):
    url: WebAddress


class _Returned(Value):
    refund: str
    provider_reference: str = ""
    result: str
    code: str = ""


@dataclass(frozen=True)
class Sandbox:
    """The demo provider; its secret is written `whsec_<base64>`."""

    code: str
    terms: ProviderTerms
    secret: str = field(repr=False)

    def begin(self, begun: Begin) -> Redirect:
        """It is told what is to be paid and answers with the address of its pay page."""
        question = {
            "merchant": self.terms.merchant,
            "reference": begun.transaction,
            "amount": begun.amount,
            "currency": "VND",
            "subject": begun.subject,
            "agency": begun.agency,
            "lines": [line.model_dump(include={"name", "amount"}) for line in begun.lines],
            "expires_at": begun.expires_at,
            "return_url": self.terms.return_url,
        }
        said = self._exchange(self.terms.pay_url, question, _Begun)
        if said is None:
            raise ProviderUnavailable
        return Redirect(said.url, said.url)

    def read_notice(self, request: Request) -> Notice:
        """A signed webhook."""
        self._prove(request.headers, request.body, request.at)
        try:
            said = Said.model_validate_json(request.body)
        except ValidationError:
            raise NoticeUnreadable from None
        return said.notice(request.at)

    def reply(self, verdict: Verdict) -> Reply:
        """An HTTP status, and the verdict as it is."""
        return Reply(_STATUS[verdict], {"verdict": verdict})

    def ask(self, transaction: str, begun_at: datetime) -> Notice | None:  # noqa: ARG002 -- VNPay's question needs it.
        """It knows all it was told; of anything else it says pending."""
        said = self._exchange(self.terms.query_url, {"reference": transaction}, Said)
        if said is None or said.reference != transaction:
            return None
        try:
            return said.notice(runtime.now())
        except NoticeUnreadable:
            return None

    def refund(self, wish: RefundWish) -> Refunded | None:
        """Given back at once, or not at all; the same refund once."""
        question = {
            "refund": wish.refund,
            "reference": wish.transaction,
            "amount": wish.amount,
        }
        said = self._exchange(self.terms.refund_url, question, _Returned)
        if said is None or said.refund != wish.refund:
            return None
        done = said.result == "refunded"
        return Refunded("settled" if done else "failed", said.provider_reference, said.code)

    def _prove(self, headers: Mapping[str, str], body: bytes, at: datetime) -> None:
        verify(headers, body, [], [secret_bytes(self.secret)], at)

    def _exchange(self, url: str, question: dict[str, Any], kind: type[T]) -> T | None:
        body, id_, now = to_json(question), uuid4().hex, runtime.now()
        signature = sign_hmac(secret_bytes(self.secret), id_, int(now.timestamp()), body)
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        reply = asked(url, body, headers)
        if reply is None:
            return None
        try:
            self._prove(reply.headers, reply.body, runtime.now())
            return kind.model_validate_json(reply.body)
        except (Unauthenticated, ValidationError):
            return None
