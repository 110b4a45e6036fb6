"""What a payment is after all that happened to it: a fold over its events."""

from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, Field

from chalicelib.contexts.payments.domain.events import (
    Beneficiary,
    Line,
    LineKind,
    Part,
    Payee,
    Payer,
    PaymentCancelled,
    PaymentCaptured,
    PaymentCapturedLate,
    PaymentEvents,
    PaymentExpired,
    PaymentNoticeDisputed,
    PaymentPaid,
    PaymentRefundApproved,
    PaymentRefundFailed,
    PaymentRefundPaidByHand,
    PaymentRefundRejected,
    PaymentRefundRequested,
    PaymentRefundSettled,
    PaymentRefundSubmitted,
    PaymentRequested,
    PaymentTransactionFailed,
    PaymentTransactionInitiated,
    PaymentTransactionUnknown,
)
from chalicelib.kernel import Value
from chalicelib.privacy.personal import Personal

V = TypeVar("V", bound=Value)
Kind = LineKind | Literal["overpaid"]
PaymentStatus = Literal["requested", "paid", "expired", "cancelled"]
TransactionStatus = Literal["initiated", "unknown", "failed", "captured"]
RefundStatus = Literal["requested", "approved", "rejected", "submitted", "settled", "failed"]


class Transaction(Value):
    """One go at paying. `captured` is what the provider has taken, 0 until then.

    `disputed` are the notices that could not be: reference, amount, why.
    """

    transaction: str
    provider: str
    amount: int
    at: AwareDatetime
    expires_at: AwareDatetime
    ask_at: AwareDatetime | None
    status: TransactionStatus = "initiated"
    provider_reference: str = ""
    captured: int = 0
    disputed: tuple[tuple[str, int, str], ...] = ()


class Refund(Value):
    """One sum that is given back, of one transaction. `by` asked for it.

    Once it is settled, `reference` is what its provider calls that, or, if it was paid `by_hand`,
    what the agency's bank does. `failures` is how often its provider could not carry it out.
    """

    refund: str
    transaction: str
    provider: str
    amount: int
    parts: tuple[Part, ...]
    reason: str
    words: Personal[str] | None = None
    beneficiary: Personal[Beneficiary] | None = None
    by: str
    status: RefundStatus = "requested"
    reference: str = ""
    by_hand: bool = False
    failures: int = 0


class Payment(Value):
    """What must be remembered of a payment.

    `payer` and `payee` are the last ones that were said.
    """

    status: PaymentStatus | Literal["absent"] = "absent"
    payment: str = ""
    agency: str = ""
    dossier: str = ""
    obligation: str = ""
    subject: str = ""
    payer: Personal[Payer] | None = None
    payee: Payee | None = None
    lines: tuple[Line, ...] = ()
    amount: int = 0
    partial: bool = False
    requested_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    transactions: dict[str, Transaction] = Field(default_factory=dict)
    refunds: dict[str, Refund] = Field(default_factory=dict)

    @property
    def paid(self) -> bool:
        """Whether all of it was there."""
        return self.status == "paid"

    @property
    def captured(self) -> int:
        """What providers have taken, in đồng."""
        return sum(each.captured for each in self.transactions.values())

    @property
    def reserved(self) -> int:
        """What was given back, or may be: every refund that was not rejected."""
        return sum(each.amount for each in self._refunds())

    @property
    def refunded(self) -> int:
        """What was given back."""
        return sum(each.amount for each in self.refunds.values() if each.status == "settled")

    @property
    def left(self) -> int:
        """What is still to be paid."""
        return max(0, self.amount - (self.captured - self.reserved))

    @property
    def complete(self) -> bool:
        """Whether the money is there and it has not been said; nobody waits for a cancelled one."""
        return self.status in {"requested", "expired"} and self.left == 0

    def waits(self, refund: str) -> bool:
        """Whether another refund of its transaction goes first: one is given back at a time.

        Approved ones go in their order; one that has failed lets them pass.
        """
        mine = self.refunds[refund]
        others = [each for each in self.refunds.values() if each.transaction == mine.transaction]
        return any(
            each.status == "submitted"
            or (each.status == "approved" and (mine.status == "failed" or each.refund < refund))
            for each in others
            if each.refund != refund
        )

    def left_of(self, transaction: str) -> int:
        """What can be given back of a transaction."""
        found = self.transactions.get(transaction)
        given = sum(each.amount for each in self._refunds() if each.transaction == transaction)
        return (found.captured if found else 0) - given

    def parts_of(self, amount: int) -> tuple[Part, ...]:
        """Of what a refund of `amount` is: what was paid too much, then the lines in order."""
        given: dict[Kind, int] = {}
        for refund in self._refunds():
            for part in refund.parts:
                given[part.kind] = given.get(part.kind, 0) + part.amount
        pool: list[tuple[Kind, int]] = [("overpaid", self.captured)]
        if self.paid:
            pool = [("overpaid", self.captured - self.amount)]
            pool += [(line.kind, line.amount) for line in self.lines]
        parts: dict[Kind, int] = {}
        for kind, there in pool:
            gone = min(there, given.get(kind, 0))
            given[kind] = given.get(kind, 0) - gone
            if taken := min(there - gone, amount):
                parts[kind] = parts.get(kind, 0) + taken
                amount -= taken
        return tuple(Part(kind=kind, amount=taken) for kind, taken in parts.items())

    def _refunds(self) -> list[Refund]:
        return [each for each in self.refunds.values() if each.status != "rejected"]


def evolve(state: Payment, event: PaymentEvents) -> Payment:
    """The payment after `event`."""
    named = _said(event, "payment", "agency")
    return state.model_copy(update={**named, **_changes(state, event)})


def _changes(state: Payment, event: PaymentEvents) -> dict[str, Any]:  # noqa: C901, PLR0911, PLR0912 -- one row for each event.
    match event:
        case PaymentRequested():
            return {
                "status": "requested",
                "requested_at": event.at,
                **_said(event, "dossier", "obligation", "subject", "payer", "payee", "lines"),
                **_said(event, "amount", "partial", "expires_at"),
            }
        case PaymentTransactionInitiated():
            named = _said(event, "transaction", "provider", "amount", "at", "expires_at", "ask_at")
            return {
                "transactions": {**state.transactions, event.transaction: Transaction(**named)},
                "payer": event.payer or state.payer,
                "payee": event.payee or state.payee,
            }
        case PaymentCaptured() | PaymentCapturedLate():
            return _transaction(
                state,
                event.transaction,
                status="captured",
                captured=event.amount,
                provider_reference=event.provider_reference,
                ask_at=None,
            )
        case PaymentTransactionFailed():
            return _transaction(state, event.transaction, status="failed", ask_at=None)
        case PaymentTransactionUnknown():
            return _transaction(state, event.transaction, status="unknown", ask_at=event.ask_at)
        case PaymentNoticeDisputed():
            found = state.transactions.get(event.transaction)
            said = (event.provider_reference, event.amount, event.why)
            disputed = (*found.disputed, said) if found else (said,)
            return _transaction(state, event.transaction, disputed=disputed)
        case PaymentPaid():
            return {"status": "paid"}
        case PaymentExpired():
            return {"status": "expired"}
        case PaymentCancelled():
            return {"status": "cancelled"}
        case PaymentRefundRequested():
            named = _said(event, "refund", "transaction", "provider", "amount", "parts", "by")
            refund = Refund(**named, **_said(event, "reason", "words", "beneficiary"))
            return {"refunds": {**state.refunds, event.refund: refund}}
        case PaymentRefundApproved():
            return _refund(state, event.refund, status="approved")
        case PaymentRefundRejected():
            return _refund(state, event.refund, status="rejected")
        case PaymentRefundSubmitted():
            return _refund(state, event.refund, status="submitted")
        case PaymentRefundSettled():
            reference = event.provider_reference
            return _refund(
                state, event.refund, status="settled", reference=reference, by_hand=False
            )
        case PaymentRefundFailed():
            known = state.refunds.get(event.refund)
            failures = known.failures + 1 if known else 1
            return _refund(state, event.refund, status="failed", failures=failures)
        case PaymentRefundPaidByHand():
            reference = event.reference
            return _refund(state, event.refund, status="settled", reference=reference, by_hand=True)


def _said(event: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(event, name) for name in names}


def _transaction(state: Payment, reference: str, **changes: Any) -> dict[str, Any]:
    return {"transactions": _with(state.transactions, reference, changes)}


def _refund(state: Payment, id_: str, **changes: Any) -> dict[str, Any]:
    return {"refunds": _with(state.refunds, id_, changes)}


def _with(known: dict[str, V], name: str, changes: dict[str, Any]) -> dict[str, V]:
    # An event that is read by itself may be about what nobody has heard of.
    return {**known, name: known[name].model_copy(update=changes)} if name in known else known
