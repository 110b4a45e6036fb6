"""A document: the sender's side."""

import base64
import unicodedata
from datetime import date
from hashlib import sha256
from typing import Literal

from chalicelib.contexts.documents.domain.events import (
    Attachment,
    DocumentEvent,
    DocumentSent,
    Hop,
    OfficialDocument,
    Party,
    StaffContact,
)
from chalicelib.kernel import Command, Conflict, Decider, Forbidden, Invalid, Value
from chalicelib.privacy.personal import Personal

MAX_RECEIVERS = 500
MAX_ATTACHMENTS = 50


class SendDocument(Command):
    """Hand a document over. `agency` is the caller's; `strangers` the codes that nobody registered.

    `secrecy` is the level the sender declares: anything but `none` is refused.
    """

    agency: str
    document: str
    official: OfficialDocument
    sender: Party
    receivers: tuple[Party, ...]
    attachments: tuple[Attachment, ...] = ()
    paper_follows: bool = False
    reason: str = ""
    hops: tuple[Hop, ...] = ()
    staff: Personal[StaffContact] | None = None
    warnings: tuple[str, ...] = ()
    secrecy: str = "none"
    strangers: tuple[str, ...] = ()


class Document(Value):
    """What was sent, if anything was."""

    status: Literal["absent", "sent"] = "absent"
    sent: DocumentSent | None = None


class SecretDocument(Invalid):
    """State secrets do not travel on the axis."""

    code = "secret-document"
    rule = "Decision 28/2018/QĐ-TTg, art. 2; Law 117/2025/QH15 on the Protection of State Secrets"
    gateway_error = 22


class SenderUnknown(Invalid):
    """The sending agency is not registered on the axis."""

    code = "sender-unknown"
    rule = "Gateway error 19: sender not registered"
    gateway_error = 19


class ReceiverUnknown(Invalid):
    """A receiving agency is not registered on the axis."""

    code = "receiver-unknown"
    rule = "Gateway error 18: receiver does not exist"
    gateway_error = 18


class ReceiversWrong(Invalid):
    """A document goes to at least one receiver, to each once, and not to its own sender."""

    code = "receivers-wrong"
    rule = f"At most {MAX_RECEIVERS} receivers, each once"


class TooManyAttachments(Invalid):
    """A document carries more files than the axis takes."""

    code = "too-many-attachments"
    rule = f"At most {MAX_ATTACHMENTS} attachments a document"


class NotTheSender(Forbidden):
    """An agency sends documents in its own name only."""

    code = "not-the-sender"
    rule = "Decision 28/2018/QĐ-TTg: the sender answers for what it sends"


class DocumentAlreadySent(Conflict):
    """This issuer, date, number and notation already stand for another document."""

    code = "document-already-sent"
    rule = "QCVN 102:2016/BTTTT: a DocumentId names one document"


def document_id(issuer: str, promulgated_on: date | str, number: str, notation: str) -> str:
    """The id of the document that these four name: 26 letters and digits, always the same ones.

    15/QĐ-BNV is not 15/TT-BNV: the notation is part of it. `issuer` is canonical.
    """
    parts = [issuer, str(promulgated_on), number, notation]
    text = "\n".join(unicodedata.normalize("NFC", part.strip()) for part in parts)
    return base64.b32encode(sha256(text.encode()).digest()[:16]).decode().rstrip("=").lower()


def decide(command: SendDocument, state: Document) -> list[DocumentEvent]:
    """The events `command` causes; none if the very same document was sent before.

    Raises:
        SecretDocument, NotTheSender, SenderUnknown, ReceiversWrong, ReceiverUnknown,
        TooManyAttachments, DocumentAlreadySent: nothing is sent.
    """
    _refuse_what_may_not_travel(command)
    event = DocumentSent(
        document=command.document,
        official=command.official,
        sender=command.sender,
        receivers=command.receivers,
        attachments=command.attachments,
        paper_follows=command.paper_follows,
        reason=command.reason,
        hops=command.hops,
        staff=command.staff,
        warnings=command.warnings,
        at=command.at,
    )
    if state.sent is None:
        return [event]
    if _same(event, state.sent):
        return []
    raise DocumentAlreadySent(field="official/reference")


def evolve(_state: Document, event: DocumentEvent) -> Document:
    """The document after `event`."""
    return Document(status="sent", sent=event)


def _refuse_what_may_not_travel(command: SendDocument) -> None:
    if command.secrecy != "none":
        raise SecretDocument(field="secrecy")
    if command.sender.code != command.agency:
        raise NotTheSender(field="sender")
    if command.sender.code in command.strangers:
        raise SenderUnknown(f"no agency {command.sender.as_given}", field="sender")
    codes = [receiver.code for receiver in command.receivers]
    if not 0 < len(codes) <= MAX_RECEIVERS or len(set(codes)) < len(codes):
        raise ReceiversWrong(field="receivers")
    for index, receiver in enumerate(command.receivers):
        if receiver.code == command.sender.code:
            raise ReceiversWrong(field=f"receivers/{index}")
        if receiver.code in command.strangers:
            raise ReceiverUnknown(f"no agency {receiver.as_given}", field=f"receivers/{index}")
    if len(command.attachments) > MAX_ATTACHMENTS:
        raise TooManyAttachments(field="attachments")


def _same(one: DocumentSent, other: DocumentSent) -> bool:
    return _essence(one) == _essence(other)


def _essence(sent: DocumentSent) -> tuple[object, ...]:
    """What makes a message this document: not when it comes, by which clerk or over which road.

    Agencies count by their codes: names and spellings change while a message is on its way again.
    """
    receivers = {receiver.code for receiver in sent.receivers}
    fields = (sent.official, sent.attachments, sent.paper_follows, sent.reason)
    return (sent.sender.code, receivers, *fields)


document = Decider("document", DocumentEvent, Document(), decide, evolve)
