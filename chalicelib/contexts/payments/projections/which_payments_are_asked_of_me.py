"""Which payments are asked of me? Each payer's, whatever became of them."""

from typing import Any

from pydantic import AwareDatetime

from chalicelib.contexts.payments.domain.events import (
    PaymentCancelled,
    PaymentCaptured,
    PaymentCapturedLate,
    PaymentEvents,
    PaymentExpired,
    PaymentPaid,
    PaymentRefundPaidByHand,
    PaymentRefundSettled,
    PaymentRequested,
)
from chalicelib.contexts.payments.domain.state import PaymentStatus
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Asked(Value):
    """A payment as its payer (`subject`) finds it in their list; amounts in đồng."""

    payment: str
    subject: str
    agency: str
    dossier: str
    obligation: str
    status: PaymentStatus
    amount: int
    captured: int = 0
    refunded: int = 0
    expires_at: AwareDatetime | None = None
    requested_at: AwareDatetime


def evolve(row: Asked | None, event: PaymentEvents) -> Asked | None:
    """The row after `event`."""
    if isinstance(event, PaymentRequested):
        names = ("payment", "subject", "agency", "dossier", "obligation", "amount", "expires_at")
        said: dict[str, Any] = {name: getattr(event, name) for name in names}
        return Asked(**said, status="requested", requested_at=event.at)
    if row is None:
        return None
    match event:
        case PaymentCaptured() | PaymentCapturedLate():
            return row.model_copy(update={"captured": row.captured + event.amount})
        case PaymentPaid():
            return row.model_copy(update={"status": "paid"})
        case PaymentExpired():
            return row.model_copy(update={"status": "expired"})
        case PaymentCancelled():
            return row.model_copy(update={"status": "cancelled"})
        case PaymentRefundSettled() | PaymentRefundPaidByHand():
            return row.model_copy(update={"refunded": row.refunded + event.amount})
        case _:
            return row


answer: Projection[Any] = Projection(
    Asked, PaymentEvents, evolve, by="subject", sort="requested_at"
)
