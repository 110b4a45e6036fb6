"""A sender's acts as edXML: what a message says of its document is carried out."""

from typing import NamedTuple

from chalicelib import runtime
from chalicelib.contexts.documents import files
from chalicelib.contexts.documents.domain.document import (
    AmendDocument,
    NotTheSender,
    ReceiverAddedTwice,
    ReceiverUnknown,
    Replacing,
    SendDocument,
    SenderUnknown,
    document,
)
from chalicelib.contexts.documents.domain.events import (
    Answered,
    Attachment,
    Hop,
    OfficialDocument,
    Signer,
)
from chalicelib.contexts.documents.edxml.errors import EdxmlElementInvalid
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.edxml.model import DocumentMessage, UpdateInfo
from chalicelib.contexts.documents.edxml.model import Party as EdxmlParty
from chalicelib.contexts.documents.register import Register
from chalicelib.contexts.documents.submission.examined import examined_message
from chalicelib.contexts.documents.submission.identities import (
    MAX_REPLACED,
    ReferenceUnreadable,
    id_named,
    id_of,
    issuer_of,
    named_by,
    replacing,
)
from chalicelib.contexts.documents.submission.orders import (
    authority,
    has_copy,
    receipt,
    relay_document,
    revoke_document,
    standing,
    whole,
)
from chalicelib.contexts.documents.submission.parties import (
    code_of,
    receivers_of,
    same_staff,
    sealed_staff,
    sender_of,
)
from chalicelib.handle import Done, check, handle
from chalicelib.kernel import Origin

REPLACEMENT = 3
"""BussinessDocType of a document that replaces others."""


_REASON = "Bussiness/BussinessDocReason"
_RECEIVER_LIST = "Bussiness/BussinessDocumentInfo/ReceiverList/Receiver/OrganId"


class Outcome(NamedTuple):
    """What a message led to, which document it is about, and whether it sends that as a new one."""

    done: Done
    document: str
    new: bool = False


def send_edxml(
    message: DocumentMessage, carried: files.Carried, agency: str, origin: Origin
) -> Outcome:
    """Carry out what an edXML message says of its document.

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
) -> Outcome:
    register = Register(origin.at)
    command = _edxml_command(message, agency, origin, register)
    id_, now = command.document, standing(command.document).now
    known = now is not None and now.sender.code == command.sender.code != agency
    if now and known and not message.operation and has_copy(now, agency, register):
        # It has the document from its sender, so it passes it on: as it came, without these files.
        hops, receivers = command.hops, command.receivers
        done = relay_document(id_, receivers, agency, origin, register, hops=hops, claim=True)
        return Outcome(done, id_)
    if check(runtime.event_store(), document, command.document, command, claim=True):
        command = examined_message(command, message, carried)
        carried.store(command.attachments)
    done = handle(runtime.event_store(), document, command.document, command, claim=True)
    return Outcome(receipt(done, "document.sent"), id_, new=True)


def _revoke_edxml(message: DocumentMessage, agency: str, origin: Origin) -> Outcome:
    """A revocation is for those whom it is addressed to; files that it carries are not needed."""
    _refuse_another(message, agency, Register(origin.at))
    id_ = id_of(_identity(message))
    done = revoke_document(
        id_,
        tuple(code_of(to.organ_id, "To/OrganId") for to in message.to),
        agency,
        origin,
        reason=whole(message.operation_reason, _REASON),
        staff=sealed_staff(agency, same_staff(message.staff)),
        claim=True,
    )
    return Outcome(done, id_)


def _amend_edxml(
    message: DocumentMessage, carried: files.Carried, agency: str, origin: Origin
) -> Outcome:
    """An update is for those it is addressed to: another edition, receivers added or dropped.

    ReceiverType is 0 for one who is added and 1 for one who is dropped, as BussinessDocType is 0
    for a new document and 1 for a revocation; published messages do not say.
    """
    register = Register(origin.at)
    _refuse_another(message, agency, register)
    update = message.update or UpdateInfo(document_info="1")
    addressed = {code_of(to.organ_id, "To/OrganId"): to for to in message.to}
    added, dropped = _receiver_list(update)
    rewritten = update.document_info != "0"
    parties = receivers_of(
        tuple(addressed.get(c, EdxmlParty(organ_id=given)) for c, given in added.items()),
        _RECEIVER_LIST,
        ReceiverUnknown,
        register,
    )
    identity = _identity(message)
    now = standing(id_of(identity)).now
    official = _official(message, identity)
    command = AmendDocument(
        origin=origin,
        **authority(agency, now, register)
        | register.standing([agency, *(p.code for p in parties)]),
        document=id_of(identity),
        fields=official.model_dump() if rewritten else {},
        paper_follows=message.paper == "1" if rewritten and message.paper else None,
        attachments=_attachments(message) if rewritten else None,
        added=parties,
        dropped=tuple(dropped),
        concerned=tuple(code for code in addressed if code not in {*added, *dropped}),
        reason=whole(message.operation_reason, _REASON),
        staff=sealed_staff(agency, same_staff(message.staff)),
        warnings=message.warnings,
    )
    store = runtime.event_store()
    if check(store, document, command.document, command, claim=True):
        command = examined_message(command, message, carried)
        carried.store(command.attachments or ())
    done = handle(store, document, command.document, command, claim=True)
    return Outcome(receipt(done, "document.amended"), command.document)


def _receiver_list(update: UpdateInfo) -> tuple[dict[str, str], dict[str, str]]:
    """Whom an update adds and whom it drops: canonical codes, each with the code as given."""
    added: dict[str, str] = {}
    dropped: dict[str, str] = {}
    for receiver in () if update.document_receiver == "0" else update.receivers:
        code = code_of(receiver.organ_id, _RECEIVER_LIST)
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


def _refuse_another(message: DocumentMessage, agency: str, register: Register) -> None:
    code = code_of(message.from_.organ_id, "From/OrganId")
    if code != agency and not register.acts_for(agency, code):
        raise NotTheSender(field="From/OrganId")


def _edxml_command(
    message: DocumentMessage, agency: str, origin: Origin, register: Register
) -> SendDocument:
    sender = sender_of(message.from_, SenderUnknown)
    also = (agency, sender.code)
    receivers = receivers_of(message.to, "To/OrganId", ReceiverUnknown, register, also)
    codes = [receiver.code for receiver in receivers]
    identity = _identity(message)
    replaces = _edxml_replacing(message, codes, register)
    return SendDocument(
        origin=origin,
        agency=agency,
        acts_for=register.acts_for(agency, sender.code, *(each.sender for each in replaces)),
        document=id_of(identity),
        official=_official(message, identity),
        sender=sender,
        receivers=receivers,
        attachments=_attachments(message),
        paper_follows=message.paper == "1",
        reason=message.operation_reason,
        replaces=replaces,
        hops=tuple(
            Hop(agency=trace.organ_id, at=trace.timestamp.isoformat() if trace.timestamp else "")
            for trace in message.traces
        ),
        staff=sealed_staff(agency, same_staff(message.staff)),
        warnings=message.warnings,
        **register.standing([agency, sender.code, *codes]),
    )


def _identity(message: DocumentMessage) -> DocumentIdentity:
    """Of the document that the message is about; of its header's data if its id is unreadable.

    Raises:
        ReferenceUnreadable: neither names a document.
    """
    number, notation = message.code_number, message.code_notation
    code = f"{number}/{notation}" if notation else number
    issuer, day = message.from_.organ_id, message.promulgation_date
    identity = message.identity or named_by(issuer, day, code)
    if identity is None:
        raise ReferenceUnreadable(field="DocumentId")
    return identity


def _attachments(message: DocumentMessage) -> tuple[Attachment, ...]:
    fields = set(Attachment.model_fields)
    return tuple(Attachment(**part.model_dump(include=fields)) for part in message.attachments)


def _edxml_replacing(
    message: DocumentMessage, receivers: list[str], register: Register
) -> tuple[Replacing, ...]:
    if message.operation != REPLACEMENT:
        return ()
    place = "Bussiness/ReplacementInfoList/ReplacementInfo"
    if not 0 < len(message.replacements) <= MAX_REPLACED:
        detail = f"A replacement replaces 1 to {MAX_REPLACED} documents."
        raise EdxmlElementInvalid(detail, field=place)
    return replacing(
        (
            (
                id_named(each.document_id, f"{place}/DocumentId"),
                each.document_id,
                [code_of(c, f"{place}/OrganIdList/OrganId") for c in each.organ_ids] or receivers,
            )
            for each in message.replacements
        ),
        register,
    )


def _official(message: DocumentMessage, identity: DocumentIdentity) -> OfficialDocument:
    signer = message.signer.model_dump() if message.signer else {}
    return OfficialDocument(
        reference=message.document_id,
        issuer=issuer_of(identity.issuer),
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


def _answered_id(reference: str) -> str:
    """The document that this one answers; real messages also answer what no id can name."""
    identity = DocumentIdentity.parse(reference)
    return id_of(identity) if identity else ""
