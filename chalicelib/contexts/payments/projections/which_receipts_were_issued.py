"""Which receipts did an agency issue, and which of their numbers are good?"""

from typing import Any, Literal

from pydantic import AwareDatetime

from chalicelib.contexts.payments.domain.events import (
    Dong,
    LineKind,
    ReceiptAdjusted,
    ReceiptCancelled,
    ReceiptEvents,
    ReceiptIssued,
    ReceiptReplaced,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class IssuedReceipt(Value):
    """A receipt under its present number; `former` are those that are good no more.

    `left` is what was paid and not given back. Nothing in it is personal.
    """

    receipt: str
    payment: str
    dossier: str
    agency: str
    kind: LineKind
    status: Literal["issued", "cancelled"] = "issued"
    series: str
    number: int
    former: tuple[str, ...] = ()
    amount: Dong
    left: Dong
    issued_at: AwareDatetime


def evolve(row: IssuedReceipt | None, event: ReceiptEvents) -> IssuedReceipt | None:
    """The row after `event`."""
    if isinstance(event, ReceiptIssued):
        names = {"receipt", "payment", "dossier", "agency", "kind", "series", "number", "amount"}
        said = event.model_dump(include=names)
        return IssuedReceipt(**said, left=event.amount, issued_at=event.at)
    if row is None:
        return None
    match event:
        case ReceiptReplaced():
            former = (*row.former, f"{event.old_series}/{event.old_number}")
            changes = event.model_dump(include={"series", "number", "amount"})
            return row.model_copy(update=changes | {"left": event.amount, "former": former})
        case ReceiptAdjusted():
            return row.model_copy(update={"left": event.left})
        case ReceiptCancelled():
            left = 0 if event.refund else row.left
            return row.model_copy(update={"status": "cancelled", "left": left})


answer: Projection[Any] = Projection(
    IssuedReceipt, ReceiptEvents, evolve, by="agency", sort="issued_at"
)
