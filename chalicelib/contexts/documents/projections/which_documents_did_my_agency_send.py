"""Which documents did my agency send, and how far is each receiver with its copy?"""

from datetime import date
from typing import Any

from pydantic import AwareDatetime, Field

from chalicelib.contexts.documents.domain.events import (
    AnyCopyEvent,
    AnyCopyStatus,
    CopyArrived,
    CopyChangeAgreed,
    CopyChangeOrdered,
    CopyChangeRefused,
    CopyDeliveryRefused,
    CopyEvent,
    CopyOpened,
    CopyReceptionOverdue,
    CopyResent,
    DocumentAmended,
    DocumentEvent,
    DocumentRelayed,
    DocumentReplaced,
    DocumentRevoked,
    DocumentSent,
    Undelivered,
    has_acted,
    has_arrived,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class SentDocument(Value):
    """A document by its sender. `statuses`: the last status code of each receiver that has one.

    `revoked`: those from whom it was ordered back. `send_errors`: what a receiver's system would
    not take, until it is seen to have arrived after all.
    """

    document: str
    sender: str
    reference: str
    subject: str
    promulgated_on: date
    priority: int
    receivers: tuple[str, ...]
    statuses: dict[str, str] = Field(default_factory=dict)
    send_errors: dict[str, Undelivered] = Field(default_factory=dict)
    edition: int = 1
    replaced_by: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    overdue: tuple[str, ...] = ()
    sent_at: AwareDatetime


def keys(event: DocumentEvent | AnyCopyEvent) -> list[str]:
    """Every event of a document and of its copies bears on the document's row."""
    return [event.document]


def evolve(  # noqa: PLR0912 -- a row each.
    row: SentDocument | None, event: DocumentEvent | AnyCopyEvent
) -> SentDocument | None:
    """The row after an event of the document or of one of its copies."""
    if row and isinstance(event, CopyEvent):
        row = row.model_copy(update={"send_errors": _standing(row.send_errors, event)})
        if has_acted(event):
            left = tuple(code for code in row.overdue if code != event.receiver)
            row = row.model_copy(update={"overdue": left})
    match event:
        case DocumentSent():
            return SentDocument(
                document=event.document,
                sender=event.sender.code,
                reference=event.official.reference,
                subject=event.official.subject,
                promulgated_on=event.official.promulgated_on,
                priority=event.official.priority,
                receivers=tuple(receiver.code for receiver in event.receivers),
                sent_at=event.at,
            )
        case DocumentRevoked():
            # Who refused to give it back may be ordered to again.
            revoked = dict.fromkeys((*row.revoked, *event.receivers) if row else ())
            return row and row.model_copy(update={"revoked": tuple(revoked)})
        case DocumentAmended():
            return row and _amended(row, event)
        case DocumentReplaced():
            later = (*row.replaced_by, event.by) if row else ()
            return row and row.model_copy(update={"replaced_by": later})
        case DocumentRelayed():
            units = tuple(party.code for party in event.receivers)
            return row and row.model_copy(update={"receivers": (*row.receivers, *units)})
        case CopyOpened() | CopyChangeOrdered() | CopyDeliveryRefused():
            return row
        case CopyResent():
            others = {c: s for c, s in row.statuses.items() if c != event.receiver} if row else {}
            return row and row.model_copy(update={"statuses": others})
        case CopyReceptionOverdue():
            late = (*row.overdue, event.receiver) if row else ()
            return row and row.model_copy(update={"overdue": late})
        case CopyChangeAgreed() | CopyChangeRefused() if event.change == "amendment":
            return row  # It says nothing of how far the work on the document is.
        case CopyArrived() if row and event.receiver in row.statuses:
            return row  # Asked back on its way: that it then arrived does not end the asking.
        case _:
            return row and row.model_copy(
                update={"statuses": row.statuses | {event.receiver: event.code}}
            )


def _standing(errors: dict[str, Undelivered], event: AnyCopyEvent) -> dict[str, Undelivered]:
    """The receivers whose system would not take something, after an event of one's copy."""
    code = event.receiver
    if isinstance(event, CopyDeliveryRefused):
        return errors | {code: event.undelivered}
    if code in errors and has_arrived(errors[code], event):
        return {one: what for one, what in errors.items() if one != code}
    return errors


def _amended(row: SentDocument, event: DocumentAmended) -> SentDocument:
    left = tuple(code for code in row.receivers if code not in event.dropped)
    return row.model_copy(
        update={
            "subject": event.official.subject,
            "receivers": (*left, *(party.code for party in event.added)),
            "edition": event.edition,
        }
    )


Events = (
    DocumentSent
    | DocumentRevoked
    | DocumentAmended
    | DocumentReplaced
    | DocumentRelayed
    | CopyOpened
    | CopyResent
    | CopyDeliveryRefused
    | CopyReceptionOverdue
    | AnyCopyStatus
)
answer: Projection[Any] = Projection(
    SentDocument, Events, evolve, by="sender", sort="sent_at", keys=keys
)
