"""What follows from a document that was sent: each of its receivers gets a copy. Pure."""

from collections.abc import Iterable
from typing import Any

from chalicelib.contexts.documents.domain.copy import CopyCommand, OpenCopy, Opening, copy
from chalicelib.contexts.documents.domain.events import DocumentSent, Party
from chalicelib.kernel import Decider, Origin

EVENTS = DocumentSent


def opening(event: DocumentSent, receiver: Party) -> Opening:
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


def copy_id(document: str, receiver: str) -> str:
    """The id of a receiver's copy."""
    return f"{document}.{receiver}"


def react(
    event: DocumentSent, origin: Origin
) -> Iterable[tuple[Decider[Any, Any, Any], str, CopyCommand]]:
    """Open a copy for every receiver."""
    for receiver in event.receivers:
        command = OpenCopy(origin=origin, opening=opening(event, receiver))
        yield copy, copy_id(event.document, receiver.code), command
