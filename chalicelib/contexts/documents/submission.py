"""How a document or a status enters the axis, whatever its form: JSON, edXML, webhook or upload."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from chalicelib import runtime
from chalicelib.agency_code import AgencyCodeInvalid, canonical
from chalicelib.contexts.documents import files
from chalicelib.contexts.documents.domain.copy import (
    REASON_CHARS,
    AcceptReception,
    AgreeRecall,
    AssignCopy,
    CompleteProcessing,
    CopyCommand,
    CopyUnknown,
    NotYourCopy,
    OpenCopy,
    RefuseRecall,
    RefuseReception,
    Report,
    RequestRecall,
    StartProcessing,
    copy,
)
from chalicelib.contexts.documents.domain.document import (
    MAX_ATTACHMENTS,
    MAX_RECEIVERS,
    AmendDocument,
    NotTheSender,
    ReceiverAddedTwice,
    ReceiverUnknown,
    Replacing,
    RevokeDocument,
    SecretDocument,
    SendDocument,
    SenderUnknown,
    document,
    document_id,
)
from chalicelib.contexts.documents.domain.events import (
    Answered,
    Attachment,
    Hop,
    OfficialDocument,
    Party,
    Replaced,
    Signer,
    StaffContact,
)
from chalicelib.contexts.documents.edxml.dates import HANOI
from chalicelib.contexts.documents.edxml.errors import EdxmlElementInvalid
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.edxml.model import DocumentMessage, StatusMessage, UpdateInfo
from chalicelib.contexts.documents.edxml.model import Party as EdxmlParty
from chalicelib.contexts.documents.edxml.model import StaffContact as EdxmlStaff
from chalicelib.contexts.documents.edxml.secrecy import marks_a_secret
from chalicelib.contexts.documents.projections import who_takes_part
from chalicelib.contexts.documents.reactions import copy_id, opening
from chalicelib.handle import Done, check, fold, handle
from chalicelib.kernel import Invalid, Origin, Refused, Value
from chalicelib.privacy.personal import Personal
from chalicelib.text import b64url

Sha256 = Field(pattern=r"^[0-9a-f]{64}$")
_LINE = 1_000
_TEXT = 64 * 1024
MAX_REPLACED = 50
"""Documents that one replaces."""


class StatusCodeUnknown(Invalid):
    """This is not a processing status that an agency reports."""

    code = "status-code-unknown"
    rule = "QCVN 102:2016/BTTTT, processing statuses 01-06, 13, 14, 15, 16"


class ReporterWrong(Invalid):
    """A status names another agency than the one that sends it."""

    code = "reporter-wrong"
    rule = "QCVN 102:2016/BTTTT: From names the agency that reports"


class ReferenceUnreadable(Invalid):
    """The status names no document that can be recognised."""

    code = "reference-unreadable"
    rule = "QCVN 102:2016/BTTTT, DocumentId: OrganId,yyyy/MM/dd,Number/Notation"


class NewAttachment(Value):
    """A file to be uploaded, or one that was: `size` in bytes, `sha256` in hexadecimal."""

    name: str = Field(min_length=1, max_length=255)
    media_type: str = Field(pattern=r"^[\w.+-]{1,64}/[\w.+-]{1,64}$")
    size: int = Field(gt=0)
    sha256: str = Sha256


class ReplacedDocument(Value):
    """A document to replace, by its id or DocumentId, for `receivers`: all of the new one's."""

    document: str | None = Field(default=None, pattern=r"^[a-z0-9]{26}$")
    reference: str = Field(default="", max_length=255)
    receivers: tuple[str, ...] = Field(default=(), max_length=MAX_RECEIVERS)


class NewDocument(Value):
    """A new document as JSON. Codes in either form; without `issuer`, the sender issued it.

    `answers` are the DocumentIds of those that it answers.
    """

    number: str = Field(min_length=1, max_length=64, pattern=r"^[^,/\s]+$")
    notation: str = Field(default="", max_length=128, pattern=r"^[^,\s]*$")
    promulgated_on: date
    issuer: str | None = None
    place: str = Field(default="", max_length=_LINE)
    type_abbreviation: str = Field(default="", max_length=16)
    type_name: str = Field(default="", max_length=_LINE)
    subject: str = Field(min_length=1, max_length=2_000)
    content: str = Field(default="", max_length=_TEXT)
    signer: Signer = Signer()
    due_on: date | None = None
    to_places: tuple[str, ...] = Field(default=(), max_length=500)
    priority: int = Field(default=0, ge=0, le=3)
    pages: str = Field(default="", max_length=16)
    receivers: tuple[str, ...] = Field(min_length=1, max_length=MAX_RECEIVERS)
    attachments: tuple[NewAttachment, ...] = Field(default=(), max_length=MAX_ATTACHMENTS)
    answers: tuple[Annotated[str, Field(max_length=255)], ...] = Field(default=(), max_length=50)
    replaces: tuple[ReplacedDocument, ...] = Field(default=(), max_length=MAX_REPLACED)
    paper_follows: bool = False
    staff: StaffContact | None = None
    secrecy: str = "none"


class Revocation(Value):
    """An order to give a document back as JSON; without `receivers` it goes to all of them."""

    reason: str = Field(min_length=1, max_length=REASON_CHARS)
    receivers: tuple[str, ...] = Field(default=(), max_length=MAX_RECEIVERS)
    staff: StaffContact | None = None


class Amendment(Value):
    """Another edition of a document, as JSON: only what changes, each field whole.

    `receivers` are those of the present receivers who get it; all of them unless it names some.
    """

    place: str = Field(default="", max_length=_LINE)
    type_abbreviation: str = Field(default="", max_length=16)
    type_name: str = Field(default="", max_length=_LINE)
    subject: str = Field(default="", min_length=1, max_length=2_000)
    content: str = Field(default="", max_length=_TEXT)
    signer: Signer = Signer()
    due_on: date | None = None
    to_places: tuple[str, ...] = Field(default=(), max_length=500)
    pages: str = Field(default="", max_length=16)
    attachments: tuple[NewAttachment, ...] | None = Field(default=None, max_length=MAX_ATTACHMENTS)
    add: tuple[str, ...] = Field(default=(), max_length=MAX_RECEIVERS)
    drop: tuple[str, ...] = Field(default=(), max_length=MAX_RECEIVERS)
    receivers: tuple[str, ...] = Field(default=(), max_length=MAX_RECEIVERS)
    reason: str = Field(default="", max_length=REASON_CHARS)
    staff: StaffContact | None = None
    secrecy: str = "none"


REPLACEMENT = 3
"""BussinessDocType of a document that replaces others."""
_AMENDABLE = OfficialDocument.model_fields.keys() & Amendment.model_fields.keys()


class StatusReport(Value):
    """A processing status as JSON: `code` 01-06, 13, 14, 15, 16; 02 and 16 need a `note`."""

    code: str
    note: str = Field(default="", max_length=REASON_CHARS)
    reported_at: AwareDatetime | None = None
    staff: StaffContact | None = None


_COMMANDS: dict[str, type[Report]] = {
    "02": RefuseReception,
    "03": AcceptReception,
    "04": AssignCopy,
    "05": StartProcessing,
    "06": CompleteProcessing,
    "13": RequestRecall,
    # 14 was read in one system only and means what 15 means; it is taken and never sent.
    "14": AgreeRecall,
    "15": AgreeRecall,
    "16": RefuseRecall,
}


def send_json(asked: NewDocument, agency: str, origin: Origin) -> tuple[Done, str]:
    """Accept a document whose files were uploaded; what it led to, and the document's id.

    The staging area is emptied when the document is refused, and when it is accepted.

    Raises:
        Refused: see `document.decide`, `files.check_arrived`.
    """
    attachments = tuple(Attachment(**part.model_dump()) for part in asked.attachments)
    with _uploads(agency, attachments) as adopt:
        command = _json_command(asked, attachments, agency, origin)
        if check(runtime.event_store(), document, command.document, command):
            adopt()
        done = handle(runtime.event_store(), document, command.document, command, claim=True)
    return done, command.document


def amend(asked: Amendment, id_: str, agency: str, origin: Origin) -> Done:
    """Change a document or its receivers. Files that it has already need no upload.

    Raises:
        Refused: see `document.decide`, `files.check_arrived`.
    """
    if marks_a_secret(asked.subject, prose=True) or marks_a_secret(asked.content, prose=True):
        raise SecretDocument(field="subject")
    store = runtime.event_store()
    now = fold(document, store.load(f"document-{id_}")).now
    kept = {attachment.sha256 for attachment in now.attachments} if now else set()
    attachments = tuple(Attachment(**part.model_dump()) for part in asked.attachments or ())
    added = tuple(_code(code, f"add/{i}") for i, code in enumerate(asked.add))
    names = participants(added)
    command = AmendDocument(
        origin=origin,
        agency=agency,
        document=id_,
        fields=asked.model_dump(include=set(_AMENDABLE), exclude_unset=True),
        attachments=None if asked.attachments is None else attachments,
        added=tuple(
            Party(code=code, as_given=given, name=names.get(code, ""))
            for code, given in zip(added, asked.add, strict=True)
        ),
        dropped=tuple(_code(code, f"drop/{i}") for i, code in enumerate(asked.drop)),
        concerned=tuple(_code(code, f"receivers/{i}") for i, code in enumerate(asked.receivers))
        or None,
        reason=asked.reason,
        staff=_staff(agency, asked.staff),
        secrecy=asked.secrecy,
        strangers=_strangers(added, names),
    )
    new = [attachment for attachment in attachments if attachment.sha256 not in kept]
    with _uploads(agency, new) as adopt:
        if check(store, document, id_, command):
            adopt()
        return handle(store, document, id_, command)


@contextmanager
def _uploads(agency: str, attachments: Iterable[Attachment]) -> Iterator[Callable[[], None]]:
    """The uploads that a command needs: kept when asked for, and gone from staging afterwards."""
    attachments = list(attachments)

    def adopt() -> None:
        files.check_arrived(agency, attachments)
        files.adopt(agency, attachments)

    try:
        yield adopt
    except files.AttachmentNotArrived:
        # The others may stay: the caller will bring the missing one and ask again.
        raise
    except Refused:
        files.discard(agency, [attachment.sha256 for attachment in attachments])
        raise
    files.discard(agency, [attachment.sha256 for attachment in attachments])


def send_edxml(
    message: DocumentMessage, carried: files.Carried, agency: str, origin: Origin
) -> tuple[Done, str]:
    """Carry out what an edXML message says of its document; what it led to, and the document's id.

    The DocumentId of the header names the document, new or known, that the message is about.

    Raises:
        Refused: see `document.decide`.
    """
    match message.operation:
        case 1:
            return _revoke_edxml(message, agency, origin)
        case 2:
            return _amend_edxml(message, carried, agency, origin)
        case _:  # 0 is new and 3 replaces others; the reader knows no fifth.
            return _send_edxml(message, carried, agency, origin)


def _send_edxml(
    message: DocumentMessage, carried: files.Carried, agency: str, origin: Origin
) -> tuple[Done, str]:
    command = _edxml_command(message, agency, origin)
    if check(runtime.event_store(), document, command.document, command):
        carried.store(command.attachments)
    done = handle(runtime.event_store(), document, command.document, command, claim=True)
    return done, command.document


def revoke(asked: Revocation, id_: str, agency: str, origin: Origin) -> Done:
    """Order a document back from receivers, or from all of them. Doing so again is silent.

    Raises:
        Refused: see `document.decide`.
    """
    command = RevokeDocument(
        origin=origin,
        agency=agency,
        document=id_,
        receivers=tuple(_code(code, f"receivers/{i}") for i, code in enumerate(asked.receivers)),
        reason=asked.reason,
        staff=_staff(agency, asked.staff),
    )
    return handle(runtime.event_store(), document, id_, command)


def _revoke_edxml(message: DocumentMessage, agency: str, origin: Origin) -> tuple[Done, str]:
    """A revocation is for those whom it is addressed to; files that it carries are not needed."""
    _refuse_another(message, agency)
    command = RevokeDocument(
        origin=origin,
        agency=agency,
        document=_id_of(_identity(message)),
        receivers=tuple(_code(to.organ_id, "To/OrganId") for to in message.to),
        reason=message.operation_reason[:REASON_CHARS],
        staff=_staff(agency, _same_staff(message.staff)),
    )
    done = handle(runtime.event_store(), document, command.document, command, claim=True)
    return done, command.document


def _amend_edxml(
    message: DocumentMessage, carried: files.Carried, agency: str, origin: Origin
) -> tuple[Done, str]:
    """An update is for those it is addressed to: another edition, receivers added or dropped.

    ReceiverType is 0 for one who is added and 1 for one who is dropped, as BussinessDocType is 0
    for a new document and 1 for a revocation; published messages do not say.
    """
    _refuse_another(message, agency)
    update = message.update or UpdateInfo(document_info="1")
    addressed = {_code(to.organ_id, "To/OrganId"): to for to in message.to}
    added, dropped = _receiver_list(update)
    rewritten = update.document_info != "0"
    parties = tuple(
        _party(addressed.get(code, EdxmlParty(organ_id=given)), _RECEIVER_LIST, ReceiverUnknown)
        for code, given in added.items()
    )
    identity = _identity(message)
    official = _official(message, identity)
    command = AmendDocument(
        origin=origin,
        agency=agency,
        document=_id_of(identity),
        fields=official.model_dump() if rewritten else {},
        attachments=_attachments(message) if rewritten else None,
        added=parties,
        dropped=tuple(dropped),
        concerned=tuple(code for code in addressed if code not in {*added, *dropped}),
        reason=message.operation_reason[:REASON_CHARS],
        staff=_staff(agency, _same_staff(message.staff)),
        warnings=message.warnings,
        strangers=_strangers(added, participants(added)),
    )
    store = runtime.event_store()
    if check(store, document, command.document, command) and rewritten:
        carried.store(_attachments(message))
    return handle(store, document, command.document, command, claim=True), command.document


_RECEIVER_LIST = "Bussiness/BussinessDocumentInfo/ReceiverList/Receiver/OrganId"


def _receiver_list(update: UpdateInfo) -> tuple[dict[str, str], dict[str, str]]:
    """Whom an update adds and whom it drops: canonical codes, each with the code as given."""
    added: dict[str, str] = {}
    dropped: dict[str, str] = {}
    for receiver in () if update.document_receiver == "0" else update.receivers:
        code = _code(receiver.organ_id, _RECEIVER_LIST)
        match receiver.receiver_type:
            case "0" if code in added:
                raise ReceiverAddedTwice(f"{code} is named twice", field=_RECEIVER_LIST)
            case "0":
                added[code] = receiver.organ_id
            case "1":
                dropped[code] = receiver.organ_id
            case other:
                field = _RECEIVER_LIST.replace("OrganId", "ReceiverType")
                raise EdxmlElementInvalid(f"{other[:16]!r} is neither 0 nor 1", field=field)
    return added, dropped


def _refuse_another(message: DocumentMessage, agency: str) -> None:
    if _code(message.from_.organ_id, "From/OrganId") != agency:
        raise NotTheSender(field="From/OrganId")


def report(
    asked: StatusReport,
    id_: str,
    receiver: str,
    agency: str,
    origin: Origin,
    *,
    claim: bool = False,
) -> Done:
    """Take a status of one receiver's copy, reported by `agency`. A repeated 01 is silent.

    `claim` where the body, and not the address of the request, names the copy: see `handle`.

    Raises:
        Refused: see `copy.decide`; `StatusCodeUnknown`.
    """
    store = runtime.event_store()
    if asked.code == "01":
        return _noted_arrival(id_, receiver, agency)
    if asked.code not in _COMMANDS:
        raise StatusCodeUnknown(field="code")
    more: dict[str, Any] = {}
    counter = None
    if asked.code == "03":
        more["year"] = origin.at.astimezone(HANOI).year
        counter = f"arrivals-{receiver}-{more['year']}"
    command: CopyCommand = _COMMANDS[asked.code](  # type: ignore[assignment]
        origin=origin,
        agency=agency,
        note=asked.note,
        reported_at=asked.reported_at,
        staff=_staff(agency, asked.staff),
        **more,
    )
    try:
        return handle(store, copy, copy_id(id_, receiver), command, claim=claim, counter=counter)
    except CopyUnknown:
        # A quick receiver may answer before the reaction to the document has opened its copy.
        if not _open_copy(id_, receiver, origin):
            raise
        return handle(store, copy, copy_id(id_, receiver), command, claim=claim, counter=counter)


def report_edxml(message: StatusMessage, agency: str, origin: Origin) -> Done:
    """Take a status that came as edXML.

    Its From must be the reporting agency. 13 comes from the document's sender and addresses the
    receiver whose copy it wants back; every other status comes from the receiver.

    Raises:
        Refused: see `report`; `ReferenceUnreadable`, `ReporterWrong`.
    """
    reporter = canonical(message.from_.organ_id)
    if reporter != agency:
        raise ReporterWrong(field="From/OrganId")
    id_ = id_of_reference(message.response_for.document_id)
    recall = message.status_code == "13"
    receiver = canonical(message.response_for.organ_id) if recall else reporter
    asked = StatusReport(
        code=message.status_code,
        note=message.description[:REASON_CHARS],
        reported_at=message.timestamp,
        staff=_same_staff(message.staff),
    )
    return report(asked, id_, receiver, agency, origin, claim=True)


def id_of_reference(reference: str) -> str:
    """The document that a DocumentId names.

    Raises:
        ReferenceUnreadable: it is not of the standard's form.
    """
    return _named(reference, "DocumentId")


def participants(codes: Iterable[str]) -> dict[str, str]:
    """The names of those agencies that take part, by canonical code.

    Nobody is called a stranger because a view is a moment behind: whom it lacks is looked for in
    the agency's own stream.
    """
    streams = {code: f"agency-{code}" for code in codes}
    rows = runtime.views().rows(who_takes_part.answer, streams.values())
    names = {row.code: row.name for row in rows.values()}
    for code, stream in streams.items():
        if code not in names:
            row = None
            for commit in runtime.event_store().load(stream):
                for _, event in who_takes_part.answer.read(commit):
                    row = who_takes_part.answer.evolve(row, event)
            if row:
                names[code] = row.name
    return names


def staff_subject(agency: str, contact: StaffContact) -> str:
    """The opaque name under which a clerk's contact is sealed."""
    return runtime.subject("staff", agency, contact.email or contact.mobile or contact.staff)


def _open_copy(id_: str, receiver: str, origin: Origin) -> bool:
    """Open the receiver's copy if the document was sent to it; whether it was."""
    store = runtime.event_store()
    event = fold(document, store.load(f"document-{id_}")).now
    party = next((p for p in event.receivers if p.code == receiver), None) if event else None
    if event is None or party is None:
        return False
    # A command of its own: the report's id must stay free for the report.
    own = b64url(sha256(f"{origin.command_id}#open".encode()).digest())
    opened = OpenCopy(
        origin=origin.model_copy(update={"command_id": own, "expected": None}),
        opening=opening(event, party),
    )
    handle(store, copy, copy_id(id_, receiver), opened)
    return True


def _noted_arrival(id_: str, receiver: str, agency: str) -> Done:
    """The copy as it is: the axis notes the arrival itself when it delivers."""
    stream = f"copy-{copy_id(id_, receiver)}"
    commits = runtime.event_store().load(stream)
    state = fold(copy, commits)
    if state.opening is None:
        raise CopyUnknown
    if state.opening.receiver != agency:
        raise NotYourCopy
    return Done(stream, len(commits))


def _json_command(
    asked: NewDocument, attachments: tuple[Attachment, ...], agency: str, origin: Origin
) -> SendDocument:
    if marks_a_secret(asked.subject, prose=True) or marks_a_secret(asked.content, prose=True):
        raise SecretDocument(field="subject")
    issuer = asked.issuer or agency
    receivers = tuple(_code(code, f"receivers/{i}") for i, code in enumerate(asked.receivers))
    names = participants([agency, *receivers])
    identity = DocumentIdentity(
        issuer=issuer,
        promulgated_on=asked.promulgated_on,
        raw_date=asked.promulgated_on.strftime("%Y/%m/%d"),
        number=asked.number,
        notation=asked.notation,
    )
    own = asked.model_dump(
        exclude={
            *("issuer", "receivers", "attachments", "paper_follows", "staff", "secrecy"),
            *("replaces", "answers"),
        }
    )
    official = OfficialDocument(
        reference=identity.format(),
        issuer=_code(issuer, "issuer"),
        answers=tuple(_answered(each, f"answers/{i}") for i, each in enumerate(asked.answers)),
        **own,
    )
    return SendDocument(
        origin=origin,
        agency=agency,
        document=_id_of(identity),
        official=official,
        sender=Party(code=agency, as_given=agency, name=names.get(agency, "")),
        receivers=tuple(
            Party(code=code, as_given=given, name=names.get(code, ""))
            for code, given in zip(receivers, asked.receivers, strict=True)
        ),
        attachments=attachments,
        paper_follows=asked.paper_follows,
        replaces=_replacing(
            (
                each.document or _named(each.reference, f"replaces/{i}/reference"),
                each.reference,
                [_code(code, f"replaces/{i}/receivers") for code in each.receivers] or receivers,
            )
            for i, each in enumerate(asked.replaces)
        ),
        staff=_staff(agency, asked.staff),
        secrecy=asked.secrecy,
        strangers=_strangers([agency, *receivers], names),
    )


def _edxml_command(message: DocumentMessage, agency: str, origin: Origin) -> SendDocument:
    sender = _party(message.from_, "From/OrganId", SenderUnknown)
    receivers = tuple(_party(to, "To/OrganId", ReceiverUnknown) for to in message.to)
    codes = [sender.code, *(receiver.code for receiver in receivers)]
    identity = _identity(message)
    return SendDocument(
        origin=origin,
        agency=agency,
        document=_id_of(identity),
        official=_official(message, identity),
        sender=sender,
        receivers=receivers,
        attachments=_attachments(message),
        paper_follows=message.paper == "1",
        reason=message.operation_reason,
        replaces=_edxml_replacing(message, [receiver.code for receiver in receivers]),
        hops=tuple(
            Hop(agency=trace.organ_id, at=trace.timestamp.isoformat() if trace.timestamp else "")
            for trace in message.traces
        ),
        staff=_staff(agency, _same_staff(message.staff)),
        warnings=message.warnings,
        strangers=_strangers(codes, participants(codes)),
    )


def _identity(message: DocumentMessage) -> DocumentIdentity:
    """Of the document that the message is about; of its header's data if its id is unreadable."""
    return message.identity or DocumentIdentity(
        issuer=message.from_.organ_id,
        promulgated_on=message.promulgation_date,
        raw_date=message.promulgation_date.strftime("%Y/%m/%d"),
        number=message.code_number,
        notation=message.code_notation,
    )


def _attachments(message: DocumentMessage) -> tuple[Attachment, ...]:
    fields = set(Attachment.model_fields)
    return tuple(Attachment(**part.model_dump(include=fields)) for part in message.attachments)


def _edxml_replacing(message: DocumentMessage, receivers: list[str]) -> tuple[Replacing, ...]:
    if message.operation != REPLACEMENT:
        return ()
    place = "Bussiness/ReplacementInfoList/ReplacementInfo"
    if not 0 < len(message.replacements) <= MAX_REPLACED:
        detail = f"A replacement replaces 1 to {MAX_REPLACED} documents."
        raise EdxmlElementInvalid(detail, field=place)
    return _replacing(
        (
            _named(each.document_id, f"{place}/DocumentId"),
            each.document_id,
            [_code(code, f"{place}/OrganIdList/OrganId") for code in each.organ_ids] or receivers,
        )
        for each in message.replacements
    )


def _replacing(
    named: Iterable[tuple[str, str, Iterable[str]]],
) -> tuple[Replacing, ...]:
    """What is known of the documents to replace: id, DocumentId, receivers; each once."""
    found: dict[str, Replacing] = {}
    for id_, reference, codes in named:
        now = fold(document, runtime.event_store().load(f"document-{id_}")).now
        before = found[id_].replaced.receivers if id_ in found else ()
        found[id_] = Replacing(
            replaced=Replaced(
                document=id_,
                reference=now.official.reference if now else reference or id_,
                receivers=tuple(dict.fromkeys([*before, *codes])),
            ),
            sender=now.sender.code if now else "",
            holders=tuple(party.code for party in now.receivers) if now else (),
        )
    return tuple(found.values())


def _answered_id(reference: str) -> str:
    """The document that this one answers; real messages also answer what no id can name."""
    identity = DocumentIdentity.parse(reference)
    return _id_of(identity) if identity else ""


def _answered(reference: str, field: str) -> Answered:
    identity = DocumentIdentity.parse(reference)
    if identity is None:
        raise ReferenceUnreadable(field=field)
    return Answered(
        agency=identity.issuer,
        code=f"{identity.number}/{identity.notation}".rstrip("/"),
        promulgated_on=identity.promulgated_on,
        reference=reference,
        document=_id_of(identity),
    )


def _named(reference: str, field: str) -> str:
    identity = DocumentIdentity.parse(reference)
    if identity is None:
        raise ReferenceUnreadable(field=field)
    return _id_of(identity)


def _official(message: DocumentMessage, identity: DocumentIdentity) -> OfficialDocument:
    signer = message.signer.model_dump() if message.signer else {}
    return OfficialDocument(
        reference=message.document_id,
        issuer=_issuer(identity.issuer),
        number=message.code_number,
        notation=message.code_notation,
        promulgated_on=message.promulgation_date,
        place=message.promulgation_place,
        type_name=message.type_name,
        type_number=message.type_number,
        type_detail=message.type_detail,
        subject=message.subject,
        content=message.content,
        signer=Signer(**signer),
        due_on=message.due_date,
        to_places=message.to_places,
        steering_type=message.steering_type,
        priority=message.priority,
        sphere=message.sphere,
        typist=message.typer_notation,
        copies_issued=message.promulgation_amount,
        pages=message.page_amount,
        direction=message.direction,
        appendixes=message.appendixes,
        answers=tuple(
            Answered(
                agency=reference.organ_id,
                code=reference.code,
                promulgated_on=reference.promulgation_date,
                reference=reference.document_id,
                document=_answered_id(reference.document_id),
            )
            for reference in message.response_for
        ),
    )


def _id_of(identity: DocumentIdentity) -> str:
    return document_id(
        _issuer(identity.issuer),
        identity.promulgated_on or identity.raw_date,
        identity.number,
        identity.notation,
    )


def _issuer(text: str) -> str:
    """The canonical code where the text is one: real DocumentIds also hold others."""
    try:
        return canonical(text)
    except AgencyCodeInvalid:
        return text


def _code(text: str, field: str) -> str:
    try:
        return canonical(text)
    except AgencyCodeInvalid:
        raise AgencyCodeInvalid(field=field) from None


def _party(party: EdxmlParty, field: str, unknown: type[Invalid]) -> Party:
    try:
        code = canonical(party.organ_id)
    except AgencyCodeInvalid:
        raise unknown(f"{party.organ_id[:64]} is no agency's code", field=field) from None
    return Party(code=code, as_given=party.organ_id, **party.model_dump(exclude={"organ_id"}))


def _strangers(codes: Iterable[str], names: dict[str, Any]) -> tuple[str, ...]:
    return tuple(code for code in codes if code not in names)


def _staff(agency: str, contact: StaffContact | None) -> Personal[StaffContact] | None:
    if contact is None:
        return None
    return Personal[StaffContact](subject=staff_subject(agency, contact), value=contact)


def _same_staff(contact: EdxmlStaff | None) -> StaffContact | None:
    return StaffContact(**contact.model_dump()) if contact else None
