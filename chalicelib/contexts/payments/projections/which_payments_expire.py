"""Which payments expire? Those that are not paid yet, by the moment until which they can be."""

from typing import Any, Literal

from pydantic import AwareDatetime

from chalicelib.contexts.payments.domain.events import (
    PaymentCancelled,
    PaymentEvents,
    PaymentExpired,
    PaymentPaid,
    PaymentRequested,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Expiring(Value):
    """A payment that is waited for until `expires_at`."""

    payment: str
    expires_at: AwareDatetime
    listed: Literal["due"] = "due"


def evolve(row: Expiring | None, event: PaymentEvents) -> Expiring | None:
    """The row after `event`; none once nobody waits any more."""
    match event:
        case PaymentRequested() if event.expires_at:
            return Expiring(payment=event.payment, expires_at=event.expires_at)
        case PaymentPaid() | PaymentExpired() | PaymentCancelled():
            return None
        case _:
            return row


answer: Projection[Any] = Projection(
    Expiring, PaymentEvents, evolve, by="listed", sort="expires_at"
)
