"""What did a provider take, and give back? Each transaction and refund, by provider and day.

The day is Hanoi's: on which it was paid, by the provider's own clock; before that, on which it was
begun. A refund's is the day on which we learnt of it.
"""

from datetime import date, datetime
from typing import Any

from chalicelib.contexts.payments.domain.events import (
    LineOf,
    PaymentCaptured,
    PaymentCapturedLate,
    PaymentRefundApproved,
    PaymentRefundFailed,
    PaymentRefundSettled,
    PaymentRefundSubmitted,
    PaymentTransactionFailed,
    PaymentTransactionInitiated,
    Standing,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection
from chalicelib.working_time import HANOI

Happened = (
    PaymentTransactionInitiated
    | PaymentCaptured
    | PaymentCapturedLate
    | PaymentTransactionFailed
    | PaymentRefundApproved
    | PaymentRefundSubmitted
    | PaymentRefundSettled
    | PaymentRefundFailed
)
"""What bears on what a provider's file will say."""
_OfRefund = (
    PaymentRefundApproved | PaymentRefundSubmitted | PaymentRefundSettled | PaymentRefundFailed
)


class Taken(Value):
    """A transaction or a refund as our books have it; `amount` in đồng. `group`: see `group_of`."""

    group: str
    kind: LineOf
    reference: str
    provider_reference: str = ""
    amount: int = 0
    standing: Standing
    agency: str
    payment: str
    on: date


def group_of(provider: str, on: date) -> str:
    """A provider's day: `vnpay#2026-01-02`."""
    return f"{provider}#{on.isoformat()}"


def key_of(provider: str, reference: str) -> str:
    """The row of a transaction or refund, by the reference that the provider knows it by."""
    return f"{provider}/{reference}"


def keys(event: Happened) -> list[str]:
    """The transaction or the refund that it happened to."""
    return [key_of(event.provider, _reference(event)[1])]


def evolve(row: Taken | None, event: Happened) -> Taken | None:
    """The row after `event`: money that has moved stays moved."""
    match event:
        case PaymentTransactionInitiated():
            return _row(event, "open", event.at, amount=event.amount)
        case PaymentCaptured() | PaymentCapturedLate():
            said = {"amount": event.amount, "provider_reference": event.provider_reference}
            return _row(event, "done", event.paid_at, **said)
        case PaymentRefundApproved():
            return _row(event, "open", event.at, amount=event.amount)
        case PaymentRefundSubmitted():
            # One that has failed was approved before: it is under way once more.
            if row is None or row.standing != "failed":
                return row
            return _row(event, "open", event.at, amount=row.amount)
        case PaymentRefundSettled():
            said = {"amount": event.amount, "provider_reference": event.provider_reference}
            return _row(event, "done", event.at, **said)
        case PaymentTransactionFailed() | PaymentRefundFailed():
            if row and row.standing == "done":
                return row
            amount = row.amount if row else 0
            return _row(event, "failed", event.at, amount=amount)


def _reference(event: Happened) -> tuple[LineOf, str]:
    if isinstance(event, _OfRefund):
        return "refund", event.refund
    return "payment", event.transaction


def _row(event: Happened, standing: Standing, at: datetime, **said: Any) -> Taken:
    kind, reference = _reference(event)
    on = at.astimezone(HANOI).date()
    return Taken(
        group=group_of(event.provider, on),
        kind=kind,
        reference=reference,
        standing=standing,
        agency=event.agency,
        payment=event.payment,
        on=on,
        **said,
    )


answer: Projection[Any] = Projection(
    Taken, Happened, evolve, by="group", sort="reference", keys=keys
)
