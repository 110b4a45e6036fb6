"""What follows from what a sender does with a document: for its copies, for others. Pure."""

from collections.abc import Iterable
from typing import Any

from chalicelib.contexts.documents.domain.copy import (
    CopyCommand,
    OpenCopy,
    Opening,
    OrderChange,
    copy,
)
from chalicelib.contexts.documents.domain.document import NoteReplacement, document
from chalicelib.contexts.documents.domain.events import (
    Change,
    DocumentAmended,
    DocumentRevoked,
    DocumentSent,
    Party,
)
from chalicelib.kernel import Decider, Origin

EVENTS = DocumentSent | DocumentRevoked | DocumentAmended


def opening(event: DocumentSent | DocumentAmended, receiver: Party) -> Opening:
    """What the receiver's copy is opened with."""
    return Opening(
        document=event.document,
        sender=event.sender.code,
        receiver=receiver.code,
        urgent=event.official.priority > 0,
        reference=event.official.reference,
        subject=event.official.subject,
        sender_as_given=event.sender.as_given,
        receiver_as_given=receiver.as_given,
    )


def copy_id(id_: str, receiver: str) -> str:
    """The id of a receiver's copy."""
    return f"{id_}.{receiver}"


def react(
    event: DocumentSent | DocumentRevoked | DocumentAmended, origin: Origin
) -> Iterable[tuple[Decider[Any, Any, Any], str, CopyCommand | NoteReplacement]]:
    """Open a copy for every receiver, new or added; pass an order on to those it concerns.

    What a new document replaces is told so.
    """

    def order(code: str, change: Change, edition: int = 0) -> Any:
        command = OrderChange(
            origin=origin, change=change, edition=edition, note=event.reason, staff=event.staff
        )
        return copy, copy_id(event.document, code), command

    match event:
        case DocumentSent():
            opened = event.receivers
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
            opened = event.added
            yield from (order(code, "removal") for code in event.dropped)
            yield from (order(code, "amendment", event.edition) for code in event.concerned)
        case DocumentRevoked():
            yield from (order(code, "revocation") for code in event.receivers)
            return
    for receiver in opened:
        command = OpenCopy(origin=origin, opening=opening(event, receiver))
        yield copy, copy_id(event.document, receiver.code), command
