"""Which agency must hear of an event, and what it is told. Pure.

A document goes to its receivers, also to those added later and to those a hub passes it on to, and
again to who had not taken it; what a receiver reports goes to the sender, the first one; a recall
that the sender asks for, or an order about the document, goes to the receiver.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import AwareDatetime
from typing_extensions import TypedDict

from chalicelib.contexts.documents.domain.copy import (
    NoteArrival,
    NoteDeliveryRefused,
    ReceptionTerms,
    copy,
)
from chalicelib.contexts.documents.domain.events import (
    AnyCopyStatus,
    CopyChangeAgreed,
    CopyChangeOrdered,
    CopyChangeRefused,
    CopyDeliveryRefused,
    CopyRecallRequested,
    CopyReceptionOverdue,
    CopyResent,
    DocumentSent,
    Hop,
    OfficialDocument,
    Replaced,
    SignatureReport,
    Undelivered,
)
from chalicelib.contexts.documents.reactions import (
    HandedOver,
    copy_id,
    is_urgent,
    new_receivers,
    opening,
)
from chalicelib.delivery.outbox import Message, Notice, Routing
from chalicelib.kernel import Decider, Origin

Told = (
    HandedOver
    | AnyCopyStatus
    | CopyResent
    | CopyChangeOrdered
    | CopyDeliveryRefused
    | CopyReceptionOverdue
)
"""The events that somebody elsewhere must hear of."""

CLOUDEVENT_BYTES = 20 * 1024
"""A message stays small; what does not fit is fetched from the document's own resource."""


def route(_stream: str, event: Told) -> Iterable[Notice]:
    """Who must hear of `event`. The case, and so the order, is the document."""
    if isinstance(event, HandedOver):
        urgent = is_urgent(event)
        for receiver in new_receivers(event):
            yield Notice(agency=receiver.code, case=event.document, urgent=urgent)
        return
    from_sender = isinstance(event, CopyResent | CopyRecallRequested | CopyChangeOrdered)
    told = event.receiver if from_sender else event.sender
    yield Notice(agency=told, case=event.document, urgent=event.urgent)


def delivered(
    message: Message, event: Told, origin: Origin, terms: ReceptionTerms
) -> tuple[Decider[Any, Any, Any], str, NoteArrival] | None:
    """What a receiver's receipt means: its copy has arrived (status 01). Statuses need none."""
    if isinstance(event, CopyResent):
        again = NoteArrival(origin=origin, terms=terms, resending=event.number)
        return copy, copy_id(event.document, event.receiver), again
    if not isinstance(event, HandedOver):
        return None
    receiver = next(party for party in new_receivers(event) if party.code == message.agency)
    command = NoteArrival(origin=origin, opening=opening(event, receiver), terms=terms)
    return copy, copy_id(event.document, receiver.code), command


def refused(
    message: Message, event: Told, origin: Origin, reason: str
) -> tuple[Decider[Any, Any, Any], str, NoteDeliveryRefused] | None:
    """What it means that a receiver's system will not take a message: its sender must know.

    None for what goes to a sender: it would only be told of its own system, on and on.
    """
    what: Undelivered
    opened, resending = None, 0
    match event:
        case CopyChangeOrdered():
            what = "order"
        case CopyRecallRequested():
            what = "recall"
        case CopyResent():
            what, resending = "document", event.number
        case _ if isinstance(event, HandedOver):
            what = "document"
            receiver = next(p for p in new_receivers(event) if p.code == message.agency)
            opened = opening(event, receiver)
        case _:
            return None
    # What follows a colon is for operators; a code holds no space.
    said, _, _ = reason.partition(": ")
    command = NoteDeliveryRefused(
        origin=origin, undelivered=what, reason=said, opening=opened, resending=resending
    )
    return copy, copy_id(event.document, message.agency), command


def replaced_for(event: DocumentSent, agency: str | None) -> tuple[Replaced, ...]:
    """What the document replaces for this receiver; its sender (None: an auditor) sees all."""
    if agency in {None, event.sender.code}:
        return event.replaces
    return tuple(each for each in event.replaces if agency in each.receivers)


class NamedAgency(TypedDict):
    """An agency by its code, under the name that the message gave it."""

    code: str
    name: str


class DocumentData(TypedDict):
    """What an agency is told of a document: edition `edition` of it, as its sender handed it over.

    `in_place_of` are the agencies that a receiver took the place of, and that the message names.
    `replaces` are the documents in whose place this one is for the agency that is told.
    """

    document: str
    edition: int
    official: OfficialDocument
    sender: NamedAgency
    receivers: list[str]
    in_place_of: dict[str, tuple[str, ...]]
    hops: tuple[Hop, ...]
    paper_follows: bool
    reason: str
    replaces: tuple[Replaced, ...]
    warnings: tuple[str, ...]
    signatures: tuple[SignatureReport, ...]
    sent_at: AwareDatetime


def document_data(event: DocumentSent, edition: int = 1, agency: str | None = None) -> DocumentData:
    """What `agency` is told of a document, without its files and without the clerk's contact."""
    return {
        "document": event.document,
        "edition": edition,
        "official": event.official,
        "sender": {"code": event.sender.code, "name": event.sender.name},
        "receivers": [party.code for party in event.receivers],
        "in_place_of": {p.code: p.in_place_of for p in event.receivers if p.in_place_of},
        "hops": event.hops,
        "paper_follows": event.paper_follows,
        "reason": event.reason,
        "replaces": replaced_for(event, agency),
        "warnings": event.warnings,
        "signatures": event.signatures,
        "sent_at": event.at,
    }


def order_data(event: CopyChangeOrdered, reference: str) -> dict[str, Any]:
    """What a receiver is told of an order about its copy of the document `reference`."""
    return {
        "document": event.document,
        "reference": reference,
        "sender": event.sender,
        "receiver": event.receiver,
        "change": event.change,
        "note": event.note,
        "at": event.at.isoformat(),
    }


def refusal_data(event: CopyDeliveryRefused) -> dict[str, Any]:
    """What a sender is told of what its receiver's system would not take."""
    names = {"document", "sender", "receiver", "undelivered", "about", "reason"}
    return event.model_dump(include=names) | {"at": event.at.isoformat()}


def overdue_data(event: CopyReceptionOverdue) -> dict[str, Any]:
    """What a sender is told of a receiver that let the time to receive its copy pass."""
    moments = {"due_at": event.due_at.isoformat(), "at": event.at.isoformat()}
    return event.model_dump(include={"document", "sender", "receiver"}) | moments


def status_data(event: AnyCopyStatus) -> dict[str, Any]:
    """What the other side is told of a status; `change` names the order that it answers."""
    data = {
        "document": event.document,
        "sender": event.sender,
        "receiver": event.receiver,
        "code": event.code,
        "note": event.note,
        "reported_at": event.reported_at.isoformat() if event.reported_at else None,
        "at": event.at.isoformat(),
    }
    if isinstance(event, CopyChangeAgreed | CopyChangeRefused):
        data["change"] = event.change
    return data


answer = Routing(Told, route)
