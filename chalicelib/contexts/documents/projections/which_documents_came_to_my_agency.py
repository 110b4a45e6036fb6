"""Which documents came to my agency, and what have we reported about each?"""

from typing import Any

from pydantic import AwareDatetime

from chalicelib.contexts.documents.domain.events import (
    AnyCopyEvent,
    CopyArrived,
    CopyChangeAgreed,
    CopyChangeOrdered,
    CopyChangeRefused,
    CopyOpened,
    CopyReceived,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class ReceivedDocument(Value):
    """A copy by its receiver. `status` is the last code, "" while it is on its way.

    `change` is the sender's order that waits for our answer, "" if none does.
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


def evolve(row: ReceivedDocument | None, event: AnyCopyEvent) -> ReceivedDocument | None:
    """The row after an event of the copy."""
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
    if row and isinstance(event, CopyArrived) and row.status:
        return row  # Asked back on its way: that it then arrived does not end the asking.
    if isinstance(event, CopyChangeOrdered):
        return row and row.model_copy(update={"change": event.change})
    reported: dict[str, Any] = {"status": event.code, "reported_at": event.at}
    if isinstance(event, CopyReceived):
        reported |= event.model_dump(include={"arrival_number", "arrival_year"})
    if isinstance(event, CopyChangeAgreed | CopyChangeRefused):
        reported["change"] = ""
        if event.change == "amendment":
            # Whether another edition is taken says nothing of how far the work on it is.
            del reported["status"]
    return row and row.model_copy(update=reported)


answer = Projection(ReceivedDocument, AnyCopyEvent, evolve, by="receiver", sort="sent_at")
