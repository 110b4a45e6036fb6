"""What follows from what a sender does with a document: for its copies, for others. Pure."""

from collections.abc import Iterable
from typing import Any

from chalicelib.contexts.documents.consultations import asking
from chalicelib.contexts.documents.domain.copy import (
    CopyCommand,
    NoteReceptionOverdue,
    OpenCopy,
    Opening,
    OrderChange,
    copy,
)
from chalicelib.contexts.documents.domain.document import NoteReplacement, SendDocument, document
from chalicelib.contexts.documents.domain.events import (
    Change,
    DocumentAmended,
    DocumentRelayed,
    DocumentRevoked,
    DocumentSent,
    Party,
)
from chalicelib.contexts.documents.projections.which_copies_await_reception import Awaited
from chalicelib.contexts.dossiers.domain.events import DossierConsultationRequested
from chalicelib.kernel import Decider, Origin

HandedOver = DocumentSent | DocumentAmended | DocumentRelayed
"""The events that bring a document to new receivers."""
EVENTS = HandedOver | DocumentRevoked | DossierConsultationRequested


def new_receivers(event: HandedOver) -> tuple[Party, ...]:
    """Those to whom the event brings the document."""
    return event.added if isinstance(event, DocumentAmended) else event.receivers


def is_urgent(event: HandedOver) -> bool:
    """Whether the document travels by the urgent lane."""
    return event.urgent if isinstance(event, DocumentRelayed) else event.official.priority > 0


def opening(event: HandedOver, receiver: Party) -> Opening:
    """What the receiver's copy is opened with."""
    words = event if isinstance(event, DocumentRelayed) else event.official
    return Opening(
        document=event.document,
        sender=event.sender.code,
        receiver=receiver.code,
        urgent=is_urgent(event),
        reference=words.reference,
        subject=words.subject,
        sender_as_given=event.sender.as_given,
        receiver_as_given=receiver.as_given,
    )


def copy_id(id_: str, receiver: str) -> str:
    """The id of a receiver's copy."""
    return f"{id_}.{receiver}"


def react(
    event: EVENTS, origin: Origin
) -> Iterable[tuple[Decider[Any, Any, Any], str, CopyCommand | NoteReplacement | SendDocument]]:
    """Open a copy for every receiver, new, added or of a hub; pass an order on to those concerned.

    What a new document replaces is told so. Who works on a dossier asks others by a document.
    """
    if isinstance(event, DossierConsultationRequested):
        if sending := asking(event, origin):
            yield sending
        return
    match event:
        case DocumentSent():
            for each in event.replaces:
                note = NoteReplacement(
                    origin=origin,
                    document=each.document,
                    by=event.document,
                    by_reference=event.official.reference,
                    receivers=each.receivers,
                )
                yield document, each.document, note
        case DocumentAmended():
            yield from (_order(event, code, "removal", origin) for code in event.dropped)
            yield from (_order(event, code, "amendment", origin) for code in event.concerned)
        case DocumentRevoked():
            yield from (_order(event, code, "revocation", origin) for code in event.receivers)
            return
        case DocumentRelayed():
            pass
    for receiver in new_receivers(event):
        command = OpenCopy(origin=origin, opening=opening(event, receiver))
        yield copy, copy_id(event.document, receiver.code), command


def _order(
    event: DocumentAmended | DocumentRevoked, receiver: str, change: Change, origin: Origin
) -> tuple[Decider[Any, Any, Any], str, OrderChange]:
    """The sender's order as it concerns one receiver's copy."""
    edition = event.edition if isinstance(event, DocumentAmended) and change == "amendment" else 0
    command = OrderChange(
        origin=origin, change=change, edition=edition, note=event.reason, staff=event.staff
    )
    return copy, copy_id(event.document, receiver), command


def reception_overdue(
    row: Awaited, origin: Origin
) -> tuple[Decider[Any, Any, Any], str, NoteReceptionOverdue]:
    """What follows when the time to receive a copy has passed: that is said, once."""
    return copy, copy_id(row.document, row.receiver), NoteReceptionOverdue(origin=origin)
