"""Which documents came to my agency, and what have we reported about each?"""

from typing import Any, get_args

from pydantic import AwareDatetime

from chalicelib.contexts.documents.domain.events import (
    AnyCopyEvent,
    CopyArrived,
    CopyChangeAgreed,
    CopyChangeOrdered,
    CopyChangeRefused,
    CopyDeliveryRefused,
    CopyOpened,
    CopyReceived,
    CopyReceptionOverdue,
    CopyReceptionRefused,
    CopyResent,
    DocumentAmended,
    has_acted,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class ReceivedDocument(Value):
    """A copy by its receiver. `status` is the last code, "" while it is on its way.

    `change` is the sender's order that waits for our answer, "" if none does. `sent_at` is when it
    was sent, the last time if it was sent again.
    """

    document: str
    receiver: str
    sender: str
    reference: str
    subject: str
    urgent: bool
    status: str = ""
    change: str = ""
    arrival_number: int | None = None
    arrival_year: int | None = None
    sent_at: AwareDatetime
    reported_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    overdue: bool = False


def keys(event: AnyCopyEvent | DocumentAmended) -> list[str]:
    """The copy's row; of another edition, the rows of all whom it concerns."""
    if isinstance(event, DocumentAmended):
        return [f"copy-{event.document}.{code}" for code in event.concerned]
    return [f"copy-{event.document}.{event.receiver}"]


def evolve(
    row: ReceivedDocument | None, event: AnyCopyEvent | DocumentAmended
) -> ReceivedDocument | None:
    """The row after an event of the copy, or another edition of the document."""
    if isinstance(event, DocumentAmended):
        return row and row.model_copy(update={"subject": event.official.subject})
    if isinstance(event, CopyOpened):
        return ReceivedDocument(
            document=event.document,
            receiver=event.receiver,
            sender=event.sender,
            reference=event.reference,
            subject=event.subject,
            urgent=event.urgent,
            sent_at=event.at,
        )
    if isinstance(event, CopyResent):
        anew = {"status": "", "reported_at": None, "due_at": None}
        again = {"subject": event.subject, "sent_at": event.at}
        return row and row.model_copy(update=anew | again)
    if row and isinstance(event, CopyArrived):
        row = row.model_copy(update={"due_at": event.due_at})
    if row and has_acted(event):
        row = row.model_copy(update={"overdue": False})
    if isinstance(event, CopyReceptionOverdue):
        return row and row.model_copy(update={"overdue": True})
    if row and isinstance(event, CopyArrived) and row.status:
        return row  # Asked back on its way: that it then arrived does not end the asking.
    if isinstance(event, CopyDeliveryRefused):
        return row  # Nobody here has seen it: it is its sender's concern.
    if isinstance(event, CopyChangeOrdered):
        return row and row.model_copy(update={"change": event.change})
    reported: dict[str, Any] = {"status": event.code, "reported_at": event.at}
    if isinstance(event, CopyReceived):
        reported |= event.model_dump(include={"arrival_number", "arrival_year"})
    if isinstance(event, CopyReceptionRefused | CopyChangeAgreed | CopyChangeRefused):
        reported["change"] = ""
    if isinstance(event, CopyChangeAgreed | CopyChangeRefused) and event.change == "amendment":
        # Whether another edition is taken says nothing of how far the work on it is.
        del reported["status"]
    return row and row.model_copy(update=reported)


answer: Projection[Any] = Projection(
    ReceivedDocument,
    get_args(AnyCopyEvent)[0] | DocumentAmended,
    evolve,
    by="receiver",
    sort="sent_at",
    keys=keys,
)
