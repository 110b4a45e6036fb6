"""Which refunds are to be paid? Those approved that no provider has been told of, oldest first."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import AwareDatetime

from chalicelib.contexts.payments.domain.events import (
    PaymentRefundApproved,
    PaymentRefundFailed,
    PaymentRefundSettled,
    PaymentRefundSubmitted,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection

Heard = PaymentRefundApproved | PaymentRefundSubmitted | PaymentRefundSettled | PaymentRefundFailed


class ToPay(Value):
    """A refund that was approved at `due_at`."""

    payment: str
    refund: str
    by: str
    due_at: AwareDatetime
    listed: Literal["due"] = "due"


def keys(event: Heard) -> Iterable[str]:
    """One row for each refund."""
    return (event.refund,)


def evolve(_row: ToPay | None, event: Heard) -> ToPay | None:
    """The row after `event`; none once a provider has taken it on, or has said that it cannot."""
    if isinstance(event, PaymentRefundApproved):
        return ToPay(payment=event.payment, refund=event.refund, by=event.by, due_at=event.at)
    return None


answer: Projection[Any] = Projection(ToPay, Heard, evolve, by="listed", sort="due_at", keys=keys)
