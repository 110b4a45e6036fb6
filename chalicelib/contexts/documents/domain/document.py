"""A document: the sender's side."""

import base64
import unicodedata
from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from typing import Any, Literal

from pydantic import Field

from chalicelib.contexts.documents.domain.copy import ReasonMissing
from chalicelib.contexts.documents.domain.events import (
    Attachment,
    DocumentAmended,
    DocumentEvent,
    DocumentReplaced,
    DocumentRevoked,
    DocumentSent,
    Hop,
    OfficialDocument,
    Party,
    Replaced,
    StaffContact,
)
from chalicelib.kernel import Command, Conflict, Decider, Forbidden, Invalid, NotFound, Value
from chalicelib.privacy.personal import Personal

MAX_RECEIVERS = 500
MAX_ATTACHMENTS = 50
FIXED = frozenset({"reference", "issuer", "number", "notation", "promulgated_on", "priority"})
"""What no amendment changes: the document's name, and the lane in which it travels."""


class Replacing(Value):
    """A document to be replaced, and what is known of it: its sender ("": none) and receivers."""

    replaced: Replaced
    sender: str
    holders: tuple[str, ...]


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
    replaces: tuple[Replacing, ...] = ()
    hops: tuple[Hop, ...] = ()
    staff: Personal[StaffContact] | None = None
    warnings: tuple[str, ...] = ()
    secrecy: str = "none"
    strangers: tuple[str, ...] = ()


class RevokeDocument(Command):
    """Order the document back from `receivers`, canonical codes; none means from all of them."""

    agency: str
    document: str
    receivers: tuple[str, ...] = ()
    reason: str = ""
    staff: Personal[StaffContact] | None = None


class AmendDocument(Command):
    """Change the document (`fields` of `OfficialDocument`, all `attachments`) or its receivers.

    `concerned` names those of the present receivers that a new edition goes to; none means all.
    """

    agency: str
    document: str
    fields: dict[str, Any] = Field(default_factory=dict)
    attachments: tuple[Attachment, ...] | None = None
    added: tuple[Party, ...] = ()
    dropped: tuple[str, ...] = ()
    concerned: tuple[str, ...] | None = None
    reason: str = ""
    staff: Personal[StaffContact] | None = None
    warnings: tuple[str, ...] = ()
    secrecy: str = "none"
    strangers: tuple[str, ...] = ()


class NoteReplacement(Command):
    """A document was sent that replaces this one for `receivers`."""

    document: str
    by: str
    by_reference: str
    receivers: tuple[str, ...]


DocumentCommand = SendDocument | RevokeDocument | AmendDocument | NoteReplacement
"""Everything that can be asked of a document."""


class Document(Value):
    """What was sent, if anything was; what stands of it now; from whom it was ordered back.

    `now` has the words, files and receivers of edition `edition`; `amended` is what led to it.
    `parties` are all its receivers, also those who were dropped.
    """

    status: Literal["absent", "sent"] = "absent"
    sent: DocumentSent | None = None
    now: DocumentSent | None = None
    edition: int = 0
    amended: DocumentAmended | None = None
    parties: tuple[Party, ...] = ()
    revoked: tuple[str, ...] = ()
    replaced: tuple[DocumentReplaced, ...] = ()


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
    """An agency sends documents, and changes what it sent, in its own name only."""

    code = "not-the-sender"
    rule = "Decision 28/2018/QĐ-TTg: the sender answers for what it sends"


class DocumentUnknown(NotFound):
    """There is no such document, or the caller has no part in it."""

    code = "document-unknown"
    rule = "QCVN 102:2016/BTTTT: a DocumentId names the document that a message is about"


class NotAReceiver(Invalid):
    """The order names an agency that is no receiver of this document."""

    code = "not-a-receiver"
    rule = "QCVN 102:2016/BTTTT, To: an order reaches receivers of the document only"


class ReceiverAddedTwice(Conflict):
    """An agency becomes a receiver of a document once; one that was dropped stays dropped."""

    code = "receiver-added-twice"
    rule = "QCVN 102:2016/BTTTT, BussinessDocumentInfo/ReceiverList"


class DocumentWasRevoked(Conflict):
    """The document was ordered back from all its receivers; it can no longer be changed."""

    code = "document-was-revoked"
    rule = "QCVN 102:2016/BTTTT, BussinessDocType 1"


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


def decide(command: DocumentCommand, state: Document) -> list[DocumentEvent]:
    """The events `command` causes; none if it has already had its effect.

    Raises:
        SecretDocument, NotTheSender, SenderUnknown, ReceiversWrong, ReceiverUnknown,
        TooManyAttachments, DocumentAlreadySent: nothing is sent. Nor if what it replaces is
        DocumentUnknown, is another's (NotTheSender), or did not go to those named (NotAReceiver).
        DocumentUnknown, NotTheSender, NotAReceiver, ReasonMissing: nothing is revoked.
        The same, and ReceiverAddedTwice, DocumentWasRevoked: nothing is amended.
    """
    match command:
        case SendDocument():
            return _sending(command, state)
        case RevokeDocument():
            return _revocation(command, state)
        case AmendDocument():
            return _amendment(command, state)
        case NoteReplacement():
            return _replacement(command, state)


def _sending(command: SendDocument, state: Document) -> list[DocumentEvent]:
    _refuse_what_may_not_travel(command)
    event = DocumentSent(
        document=command.document,
        official=command.official,
        sender=command.sender,
        receivers=command.receivers,
        attachments=command.attachments,
        paper_follows=command.paper_follows,
        reason=command.reason,
        replaces=tuple(each.replaced for each in command.replaces),
        hops=command.hops,
        staff=command.staff,
        warnings=command.warnings,
        at=command.at,
    )
    if state.sent is None:
        _refuse_wrong_replacements(command)
        return [event]
    if _same(event, state.sent):
        return []
    raise DocumentAlreadySent(field="official/reference")


def _refuse_wrong_replacements(command: SendDocument) -> None:
    codes = {receiver.code for receiver in command.receivers}
    for index, each in enumerate(command.replaces):
        field = f"replaces/{index}"
        if not each.sender:
            raise DocumentUnknown(f"no document {each.replaced.reference}", field=field)
        if each.sender != command.agency:
            raise NotTheSender(field=field)
        _refuse_strangers(f"{field}/receivers", each.replaced.receivers, codes & {*each.holders})


def _replacement(command: NoteReplacement, state: Document) -> list[DocumentEvent]:
    if state.now is None:
        raise DocumentUnknown(field="document")
    if command.by in {event.by for event in state.replaced}:
        return []
    said = command.model_dump(exclude={"origin"})
    return [DocumentReplaced(at=command.at, **said)]


def _revocation(command: RevokeDocument, state: Document) -> list[DocumentEvent]:
    now = _own(command.agency, state)
    receivers = tuple(party.code for party in now.receivers)
    _refuse_strangers("receivers", command.receivers, receivers)
    named = set(command.receivers or receivers) - set(state.revoked)
    if not named:
        return []
    if not command.reason.strip():
        raise ReasonMissing(field="reason")
    return [
        DocumentRevoked(
            document=command.document,
            sender=now.sender.code,
            receivers=tuple(code for code in receivers if code in named),
            reason=command.reason,
            staff=command.staff,
            at=command.at,
        )
    ]


def _amendment(command: AmendDocument, state: Document) -> list[DocumentEvent]:
    now = _own(command.agency, state)
    fields = {name: value for name, value in command.fields.items() if name not in FIXED}
    official = OfficialDocument.model_validate(now.official.model_dump() | fields)
    attachments = now.attachments if command.attachments is None else command.attachments
    rewritten = (official, attachments) != (now.official, now.attachments)
    if not rewritten and _receivers_are_so(command, state):
        return []
    holders = [party.code for party in now.receivers if party.code not in state.revoked]
    if not holders:
        raise DocumentWasRevoked
    _refuse_wrong_receivers(command, state, now)
    if command.secrecy != "none":
        raise SecretDocument(field="secrecy")
    if len(attachments) > MAX_ATTACHMENTS:
        raise TooManyAttachments(field="attachments")
    concerned = holders if command.concerned is None else command.concerned
    named = set(concerned) - set(command.dropped)
    return [
        DocumentAmended(
            document=command.document,
            sender=now.sender,
            edition=state.edition + 1,
            official=official,
            attachments=attachments,
            added=command.added,
            dropped=command.dropped,
            concerned=tuple(code for code in holders if rewritten and code in named),
            reason=command.reason,
            staff=command.staff,
            warnings=command.warnings,
            at=command.at,
        )
    ]


def _receivers_are_so(command: AmendDocument, state: Document) -> bool:
    """Whether the receivers need no change, or the last amendment changed them in this way."""
    wished = ({party.code for party in command.added}, set(command.dropped))
    last = state.amended
    done = ({party.code for party in last.added}, set(last.dropped)) if last else None
    return wished in (done, (set(), set()))


def _refuse_wrong_receivers(command: AmendDocument, state: Document, now: DocumentSent) -> None:
    present = [party.code for party in now.receivers]
    added = [party.code for party in command.added]
    for index, code in enumerate(added):
        field = f"added/{index}"
        if code == now.sender.code:
            raise ReceiversWrong(field=field)
        if code in {party.code for party in (*state.parties, *command.added[:index])}:
            raise ReceiverAddedTwice(f"{code} is or was a receiver of it", field=field)
        if code in command.strangers:
            raise ReceiverUnknown(f"no agency {command.added[index].as_given}", field=field)
    _refuse_strangers("dropped", command.dropped, present)
    _refuse_strangers("receivers", command.concerned or (), (*present, *added))
    left = {*present, *added} - set(command.dropped)
    if not 0 < len(left) <= MAX_RECEIVERS:
        raise ReceiversWrong(field="dropped" if not left else "added")


def _refuse_strangers(field: str, named: Iterable[str], receivers: Iterable[str]) -> None:
    known = set(receivers)
    for index, code in enumerate(named):
        if code not in known:
            raise NotAReceiver(f"{code} is no receiver of it", field=f"{field}/{index}")


def _own(agency: str, state: Document) -> DocumentSent:
    """The document as it stands, if it is the agency's."""
    if state.now is None:
        raise DocumentUnknown(field="document")
    if state.now.sender.code != agency:
        raise NotTheSender(field="document")
    return state.now


def evolve(state: Document, event: DocumentEvent) -> Document:
    """The document after `event`."""
    match event:
        case DocumentSent():
            return Document(
                status="sent", sent=event, now=event, edition=1, parties=event.receivers
            )
        case DocumentRevoked():
            return state.model_copy(update={"revoked": (*state.revoked, *event.receivers)})
        case DocumentAmended():
            return _amended(state, event)
        case DocumentReplaced():
            return state.model_copy(update={"replaced": (*state.replaced, event)})


def _amended(state: Document, event: DocumentAmended) -> Document:
    present = state.now.receivers if state.now else ()
    left = tuple(party for party in present if party.code not in event.dropped)
    said = {"official", "attachments", "reason", "staff", "warnings"}
    edition = {name: getattr(event, name) for name in said} | {"receivers": (*left, *event.added)}
    return state.model_copy(
        update={
            "now": state.now and state.now.model_copy(update=edition),
            "edition": event.edition,
            "amended": event,
            "parties": (*state.parties, *event.added),
        }
    )


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
    # The id of what it answers follows from the reference; older events lack it.
    answers = tuple(each.model_copy(update={"document": ""}) for each in sent.official.answers)
    official = sent.official.model_copy(update={"answers": answers})
    fields = (official, sent.attachments, sent.paper_follows, sent.reason, sent.replaces)
    return (sent.sender.code, receivers, *fields)


document = Decider("document", DocumentEvent, Document(), decide, evolve)
