"""Which documents came to my agency, and what have we reported about each?"""

from pydantic import AwareDatetime

from chalicelib.contexts.documents.domain.events import AnyCopyEvent, CopyArrived, CopyOpened
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class ReceivedDocument(Value):
    """A copy by its receiver. `status` is the last code, "" while it is on its way."""

    document: str
    receiver: str
    sender: str
    reference: str
    subject: str
    urgent: bool
    status: str = ""
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
    return row and row.model_copy(update={"status": event.code, "reported_at": event.at})


answer = Projection(ReceivedDocument, AnyCopyEvent, evolve, by="receiver", sort="sent_at")
