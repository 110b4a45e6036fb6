"""Which agency must hear of an event, and what it is told. Pure.

A document goes to its receivers; what a receiver reports goes to the sender; a recall that the
sender asks for goes to the receiver.
"""

from collections.abc import Iterable
from typing import Any

from chalicelib.contexts.documents.domain.copy import NoteArrival, copy
from chalicelib.contexts.documents.domain.events import (
    AnyCopyStatus,
    CopyRecallRequested,
    DocumentSent,
)
from chalicelib.contexts.documents.reactions import copy_id, opening
from chalicelib.delivery.outbox import Message, Notice, Routing
from chalicelib.kernel import Decider, Origin

Told = DocumentSent | AnyCopyStatus
"""The events that somebody elsewhere must hear of."""

CLOUDEVENT_BYTES = 20 * 1024
"""A message stays small; what does not fit is fetched from the document's own resource."""


def route(_stream: str, event: Told) -> Iterable[Notice]:
    """Who must hear of `event`. The case, and so the order, is the document."""
    if isinstance(event, DocumentSent):
        urgent = event.official.priority > 0
        for receiver in event.receivers:
            yield Notice(agency=receiver.code, case=event.document, urgent=urgent)
        return
    told = event.receiver if isinstance(event, CopyRecallRequested) else event.sender
    yield Notice(agency=told, case=event.document, urgent=event.urgent)


def delivered(
    message: Message, event: Told, origin: Origin
) -> tuple[Decider[Any, Any, Any], str, NoteArrival] | None:
    """What a receiver's receipt means: its copy has arrived (status 01). Statuses need none."""
    if not isinstance(event, DocumentSent):
        return None
    receiver = next(party for party in event.receivers if party.code == message.agency)
    command = NoteArrival(origin=origin, opening=opening(event, receiver))
    return copy, copy_id(event.document, receiver.code), command


def document_data(event: DocumentSent) -> dict[str, Any]:
    """What a receiver is told of a document, without links and without the clerk's contact."""
    return {
        "document": event.document,
        "official": event.official.model_dump(mode="json"),
        "sender": {"code": event.sender.code, "name": event.sender.name},
        "receivers": [party.code for party in event.receivers],
        "paper_follows": event.paper_follows,
        "reason": event.reason,
        "attachments": [attachment.model_dump() for attachment in event.attachments],
        "warnings": list(event.warnings),
        "sent_at": event.at.isoformat(),
    }


def status_data(event: AnyCopyStatus) -> dict[str, Any]:
    """What the other side is told of a status."""
    return {
        "document": event.document,
        "sender": event.sender,
        "receiver": event.receiver,
        "code": event.code,
        "note": event.note,
        "reported_at": event.reported_at.isoformat() if event.reported_at else None,
        "at": event.at.isoformat(),
    }


answer = Routing(Told, route)
