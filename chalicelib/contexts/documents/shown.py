"""What is answered about documents, their receivers' copies, and the messages that are sent."""

from datetime import datetime
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.contexts.documents.domain.copy import CODES, Copy, Status
from chalicelib.contexts.documents.domain.document import Document
from chalicelib.contexts.documents.domain.events import (
    Change,
    CopyDeliveryRefused,
    DocumentSent,
    StaffContact,
    Undelivered,
)
from chalicelib.contexts.documents.files import LinkedAttachment, link
from chalicelib.contexts.documents.intake import Submission
from chalicelib.contexts.documents.messages import DocumentData, document_data
from chalicelib.delivery.deliver import Attempt
from chalicelib.delivery.outbox import Message
from chalicelib.http.personal import Opened
from chalicelib.http.problems import Problem
from chalicelib.http.resource import Receipt


class DocumentReceipt(Receipt):
    """The receipt of a document that was sent, with its id, and what was odd about it."""

    document: str
    warnings: NotRequired[list[str]]


class SubmissionStatus(TypedDict):
    """Where an uploaded message stands; `seen` is the receipt of what was accepted.

    `problem` says why it was refused, `duplicate` that the same message had been accepted before.
    """

    id: str
    sha256: str
    status: Literal["waiting", "accepted", "refused"]
    seen: str
    duplicate: bool
    problem: Problem | None
    received_at: datetime


class LaterDocument(TypedDict):
    """A document that took another one's place for these receivers."""

    document: str
    reference: str
    receivers: tuple[str, ...]


class ExchangedDocument(DocumentData):
    """A document as it stands now, as far as the caller has a part in it.

    `staff` is the clerk to ask, None once forgotten and for auditors. `revoked` are the
    receivers from whom it was ordered back.
    """

    staff: StaffContact | None
    attachments: list[LinkedAttachment]
    revoked: list[str]
    replaced_by: list[LaterDocument]


class DocumentSummary(TypedDict):
    """A document in few words."""

    document: str
    reference: str
    subject: str
    sender: str
    sent_at: datetime


class Conversation(TypedDict):
    """The documents that one answers, and those that answer it."""

    answers: list[DocumentSummary]
    answered_by: list[DocumentSummary]


class FailedDelivery(TypedDict):
    """What the receiver's system would not take, and why (`422 type-unknown`, `abandoned`)."""

    undelivered: Undelivered
    reason: str
    at: datetime


class DocumentCopy(TypedDict):
    """One receiver's copy of a document, and how far it is.

    `code` is the status as edXML has it, "" while the copy is on its way; 13 while it is asked
    back. `change` is the order that waits for an answer. `undelivered` stands until what could not
    be delivered is seen to have arrived after all. It is to be received until `due_at`.
    """

    document: str
    sender: str
    receiver: str
    urgent: bool
    reference: str
    subject: str
    sender_as_given: str
    receiver_as_given: str
    status: Status
    code: str
    recall: Literal["none", "asked", "refused"]
    change: Change | None
    undelivered: FailedDelivery | None
    arrival_number: int | None
    arrival_year: int | None
    due_at: datetime | None
    overdue: bool


class DeliveryAttempt(Attempt):
    """One try to deliver a message, the `attempt`-th. `status` 0: no answer, see `reason`.

    An operator's order to try no more stands here too, as the last word about the message.
    """

    attempt: int


class CopyMessage(TypedDict):
    """A message about a copy, `about` a version of a stream, `to` one agency."""

    id: str
    type: str
    to: str
    about: str
    attempts: list[DeliveryAttempt]


class CopyMessages(TypedDict):
    """Every message about a copy, in order."""

    items: list[CopyMessage]


class TrackedMessage(Message):
    """A message in its receiver's lane, and each attempt to deliver it, first to last."""

    attempts: list[DeliveryAttempt]


def submission(found: Submission) -> SubmissionStatus:
    """Where a submission stands, for its sender."""
    return SubmissionStatus(
        id=found.id,
        sha256=found.sha256,
        status=found.status,
        seen=found.seen,
        duplicate=found.duplicate,
        problem=found.problem,
        received_at=found.received_at,
    )


def exchanged(state: Document, own: str | None, seen: set[str], read: Opened) -> ExchangedDocument:
    """The document for the agency `own` (None: an auditor), which sees those of `seen` in it."""
    event = state.now
    assert event is not None, "nobody sees what was not sent"
    sees_all = event.sender.code in seen
    mine = {own, *seen}
    return {
        **document_data(event, state.edition, None if sees_all else own),
        "staff": read(event.staff),
        "attachments": [link(attachment) for attachment in event.attachments],
        "revoked": [code for code in state.revoked if sees_all or code in seen],
        "replaced_by": [
            {"document": each.by, "reference": each.by_reference, "receivers": each.receivers}
            for each in state.replaced
            if sees_all or not mine.isdisjoint(each.receivers)
        ],
    }


def summary(event: DocumentSent) -> DocumentSummary:
    """A document in few words."""
    return DocumentSummary(
        document=event.document,
        reference=event.official.reference,
        subject=event.official.subject,
        sender=event.sender.code,
        sent_at=event.at,
    )


def copied(state: Copy) -> DocumentCopy:
    """A copy that was opened, and how far it is."""
    opening = state.opening
    assert opening is not None, "nobody sees what was not opened"
    number, year = state.arrival or (None, None)
    return DocumentCopy(
        document=opening.document,
        sender=opening.sender,
        receiver=opening.receiver,
        urgent=opening.urgent,
        reference=opening.reference,
        subject=opening.subject,
        sender_as_given=opening.sender_as_given,
        receiver_as_given=opening.receiver_as_given,
        status=state.status,
        code="13" if state.recall == "asked" else CODES.get(state.status, ""),
        recall=state.recall,
        change=state.change,
        undelivered=_failed(state.undelivered),
        arrival_number=number,
        arrival_year=year,
        due_at=state.due_at,
        overdue=state.overdue and state.status == "arrived",
    )


def _failed(event: CopyDeliveryRefused | None) -> FailedDelivery | None:
    if event is None:
        return None
    return FailedDelivery(undelivered=event.undelivered, reason=event.reason, at=event.at)


def attempts(message: str) -> list[DeliveryAttempt]:
    """Each attempt to deliver a message, first to last."""
    return [
        DeliveryAttempt(**dict(attempt), attempt=number)
        for number, attempt in enumerate(runtime.attempts().of(message), start=1)
    ]
