"""What is posted to an agency: a CloudEvent in JSON, or an edXML message, as its profile says.

An edXML message is rendered once and kept, so that every attempt sends the same bytes; one that
names a clerk is kept sealed under the clerk's key, and rendered anew once that is gone.
"""

from contextlib import suppress
from functools import cache
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter
from pydantic_core import to_json

from chalicelib import runtime
from chalicelib.contexts.documents import files
from chalicelib.contexts.documents.domain.copy import Opening, copy
from chalicelib.contexts.documents.domain.document import Document, document
from chalicelib.contexts.documents.domain.events import (
    AnyCopyStatus,
    Change,
    CopyChangeOrdered,
    CopyDeliveryRefused,
    CopyRecallRequested,
    CopyReceptionOverdue,
    CopyResent,
    DocumentRelayed,
    DocumentSent,
    Party,
    StaffContact,
    Undelivered,
)
from chalicelib.contexts.documents.edxml import model as edxml
from chalicelib.contexts.documents.edxml.dates import read_moment, write_moment
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.edxml.produce import produce_document, produce_status
from chalicelib.contexts.documents.messages import (
    CLOUDEVENT_BYTES,
    DocumentData,
    Told,
    document_data,
    order_data,
    overdue_data,
    refusal_data,
    replaced_for,
    status_data,
)
from chalicelib.contexts.documents.reactions import HandedOver
from chalicelib.contexts.documents.register import as_viewed
from chalicelib.delivery.address import Address
from chalicelib.delivery.deliver import Letter
from chalicelib.delivery.outbox import Message
from chalicelib.eventstore.store import Commit
from chalicelib.handle import fold
from chalicelib.http.personal import opened
from chalicelib.privacy.personal import Erased, Personal

EDXML_TYPE = "application/xml; charset=utf-8"
CLOUDEVENT_TYPE = "application/cloudevents+json; charset=utf-8"
EDXML_BYTES = 50 * 1024 * 1024
"""The largest edXML that is sent as a body."""
OPERATIONS: dict[Change, int] = {"revocation": 1, "amendment": 2, "removal": 2}
"""BussinessDocType of an order."""
FETCHED_BYTES = 2 * 1024 * 1024
"""The most bytes of files in an edXML that a receiver fetches: it comes inside an answer of ours.
With larger ones the receiver gets a CloudEvent, which links to them."""
UNDELIVERED: dict[Undelivered, str] = {"document": "02", "order": "16", "recall": "16"}
"""The status by which a legacy system hears what a receiver's system would not take."""
NOT_TAKEN = "Trục liên thông: hệ thống của bên nhận không nhận thông điệp này"
"""Its description, before the reason: the axis says that the receiver's system will not have it."""
OVERDUE = "Trục liên thông: chậm tiếp nhận, quá hạn từ"
"""The description of a 01 that is said again because nobody acted on it, before the moment."""
REPLACEMENT = 3
"""BussinessDocType of a document that replaces others."""


class LetterTooLarge(Exception):  # noqa: N818 -- named as the fact it states.
    """The message does not fit into the body this agency's profile asks for."""


def compose(message: Message, commit: Commit, event: Told, address: Address) -> Letter:
    """The letter for one message.

    Raises:
        LetterTooLarge: an edXML message over `EDXML_BYTES`.
    """
    if address.profile == "edxml" and not (
        address.pulls and _weight(commit, event) > FETCHED_BYTES
    ):
        return Letter(content_type=EDXML_TYPE, body=_rendered(message, commit, event))
    return Letter(content_type=CLOUDEVENT_TYPE, body=_cloudevent(message, commit, event, address))


def _cloudevent(message: Message, commit: Commit, event: Told, address: Address) -> bytes:
    """CloudEvents 1.0, structured mode, at most `CLOUDEVENT_BYTES`; files by short-lived link.

    What does not fit is left out and named in `left_out`: it stands in the document's own resource.
    """
    type_ = message.type
    clerk = _clerk(commit, event)
    if isinstance(event, HandedOver | CopyResent):
        # Whom an amendment adds, or a hub passes it on to, gets the document as all others did.
        type_, data = "document.sent", _linked(_handed_over(commit, event), message.agency)
        if isinstance(event, CopyResent):
            data["resent"] = event.number
    elif isinstance(event, CopyChangeOrdered):
        behind = _as_of(commit.facts["causation"])
        assert behind.now is not None
        data = _linked(behind, message.agency) if event.change == "amendment" else {}
        data |= order_data(event, behind.now.official.reference)
    elif isinstance(event, CopyDeliveryRefused):
        data = refusal_data(event)
    elif isinstance(event, CopyReceptionOverdue):
        data = overdue_data(event)
    else:
        data = status_data(event)
    contact = opened(clerk)
    data["staff"] = contact.model_dump() if contact else None
    if address.agency != message.agency:
        data["for_predecessor"] = message.agency
    envelope = {
        "specversion": "1.0",
        "id": message.id,
        "source": "urn:lienthong:axis",
        "type": type_,
        "subject": message.case,
        "time": commit.facts["recorded_at"],
        "datacontenttype": "application/json",
        "position": message.position,
        "data": data,
    }
    for name in ("content", "to_places", "appendixes", "answers"):
        if len(body := to_json(envelope)) <= CLOUDEVENT_BYTES or "official" not in data:
            return body
        data["official"].pop(name)
        data.setdefault("left_out", []).append(f"official/{name}")
    for name in ("signatures", "receivers", "in_place_of", "attachments", "hops"):
        if len(body := to_json(envelope)) <= CLOUDEVENT_BYTES:
            return body
        data.pop(name)
        data["left_out"].append(name)
    return to_json(envelope)


class _LinkedDocument(DocumentData):
    attachments: list[files.LinkedAttachment]


@cache
def _writer() -> TypeAdapter[_LinkedDocument]:
    return TypeAdapter(_LinkedDocument)


def _linked(state: Document, agency: str) -> dict[str, Any]:
    assert state.now is not None
    told = document_data(state.now, state.edition, agency)
    links = [files.link(attachment) for attachment in state.now.attachments]
    whole: _LinkedDocument = {**told, "attachments": links}
    return dict(_writer().dump_python(whole, mode="json"))


def _rendered(message: Message, commit: Commit, event: Told) -> bytes:
    """The edXML body, from the store of rendered ones or made now and put there."""
    s3, bucket = runtime.client("s3"), runtime.content_bucket()
    key = f"rendered/{message.id}"
    clerk = _clerk(commit, event)
    subject = clerk.subject if clerk else None
    try:
        kept: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "404"}:
            raise
    else:
        if subject is None:
            return kept
        with suppress(Erased):  # Forgotten since: it is written anew, without the name.
            return runtime.vault().open_bytes(subject, key, kept)
    out = BytesIO()
    if isinstance(event, HandedOver | CopyResent):
        sent = _handed_over(commit, event).now
        _write(sent, _replacements(sent, message.agency), out)
    elif isinstance(event, CopyChangeOrdered):
        causation = commit.facts["causation"]
        _write(*_order(event, _as_of(causation), _as_of(causation, back=1).now), out)
    else:
        out.write(produce_status(_status(message, event)))
    body = out.getvalue()
    if len(body) > EDXML_BYTES:
        raise LetterTooLarge(f"{len(body)} bytes")
    sealed = runtime.vault().seal_bytes(subject, key, body) if subject else body
    s3.put_object(Bucket=bucket, Key=key, Body=sealed)
    return body


def _weight(commit: Commit, event: Told) -> int:
    """Bytes of the files that go with an event."""
    now = None
    if isinstance(event, CopyChangeOrdered) and event.change == "amendment":
        now = _as_of(commit.facts["causation"]).now
    elif isinstance(event, HandedOver | CopyResent):
        now = _handed_over(commit, event).now
    return sum(attachment.size for attachment in now.attachments) if now else 0


def _clerk(commit: Commit, event: Told) -> Personal[StaffContact] | None:
    """The clerk to ask: of what a hub passes on, or is sent again, the first sender's."""
    if isinstance(event, DocumentRelayed | CopyResent):
        now = _handed_over(commit, event).now
        return now.staff if now else None
    return None if isinstance(event, CopyDeliveryRefused | CopyReceptionOverdue) else event.staff


def _handed_over(commit: Commit, event: HandedOver | CopyResent) -> Document:
    """The document as new receivers get it: from a hub with all systems that it has passed."""
    state = _as_of(event.about if isinstance(event, CopyResent) else commit.seen)
    relay = event if isinstance(event, DocumentRelayed) else None
    if isinstance(event, CopyResent):
        relay = state.relay_to(event.receiver)
    if relay is None or state.now is None:
        return state
    relayed = {"hops": relay.hops, "receivers": relay.receivers}
    return state.model_copy(update={"now": state.now.model_copy(update=relayed)})


def _as_of(seen: str, back: int = 0) -> Document:
    """The document as its stream had it at `stream@number`, or `back` commits before."""
    stream, _, number = seen.rpartition("@")
    return fold(document, runtime.event_store().load(stream, int(number) - back))


def _write(event: DocumentSent | None, more: dict[str, Any], out: BytesIO) -> None:
    """The document with its files, as edXML; `more` is what its operation adds."""
    assert event is not None, "only what was sent is written about"
    parts = tuple(_part(event, index) for index in range(len(event.attachments)))
    kept = (files.open_kept(attachment) for attachment in event.attachments)
    message = _document(event, parts).model_copy(update=more)
    produce_document(message, zip(parts, kept, strict=True), out)


def _replacements(sent: DocumentSent | None, agency: str) -> dict[str, Any]:
    """What makes the message a replacement, for a receiver for whom it replaces something."""
    replaced = replaced_for(sent, agency) if sent else ()
    if sent is None or not replaced:
        return {}
    given = {party.code: party.as_given for party in sent.receivers}
    return {
        "operation": REPLACEMENT,
        "replacements": tuple(
            edxml.Replacement(
                document_id=each.reference,
                organ_ids=tuple(given.get(code, code) for code in each.receivers),
            )
            for each in replaced
        ),
    }


def _order(
    event: CopyChangeOrdered, behind: Document, before: DocumentSent | None
) -> tuple[DocumentSent | None, dict[str, Any]]:
    """The order to this receiver: the document's header; its files with another edition only."""
    told: dict[str, Any] = {
        "receivers": tuple(p for p in behind.parties if p.code == event.receiver),
        "reason": event.note,
        "hops": (),
        "staff": event.staff,
    }
    if event.change != "amendment":
        told["attachments"] = ()
    more: dict[str, Any] = {"operation": OPERATIONS[event.change]}
    if event.change != "revocation":
        more["update"] = _update(event, behind)
    # Who is dropped learns nothing of the edition that it no longer gets.
    words = before if event.change == "removal" else behind.now
    return words and words.model_copy(update=told), more


def _update(event: CopyChangeOrdered, behind: Document) -> edxml.UpdateInfo:
    """What changed, as far as it is this receiver's business. ReceiverType: 0 added, 1 dropped."""
    dropped = event.change == "removal"
    added = behind.amended.added if behind.amended and not dropped else ()
    gone = (event.receiver,) if dropped else (behind.amended.dropped if behind.amended else ())
    given = {party.code: party.as_given for party in behind.parties}
    receivers = (
        *(edxml.UpdateReceiver(organ_id=p.as_given, receiver_type="0") for p in added),
        *(edxml.UpdateReceiver(organ_id=given.get(c, c), receiver_type="1") for c in gone),
    )
    return edxml.UpdateInfo(
        document_info="0" if dropped else "1",
        document_receiver="1" if receivers else "0",
        receivers=receivers,
    )


def _document(
    event: DocumentSent, parts: tuple[edxml.AttachmentPart, ...]
) -> edxml.DocumentMessage:
    official = event.official
    return edxml.DocumentMessage(
        from_=_party(event.sender),
        to=tuple(_party(receiver) for receiver in event.receivers),
        document_id=official.reference,
        code_number=official.number,
        code_notation=official.notation,
        promulgation_place=official.place,
        promulgation_date=official.promulgated_on,
        type_number=official.type_number,
        type_detail=official.type_detail,
        type_name=official.type_name,
        subject=official.subject,
        content=official.content,
        signer=edxml.Signer(**official.signer.model_dump()),
        due_date=official.due_on,
        priority=official.priority,
        sphere=official.sphere,
        typer_notation=official.typist,
        promulgation_amount=official.copies_issued,
        page_amount=official.pages,
        direction=official.direction,
        appendixes=official.appendixes,
        response_for=tuple(
            edxml.Reference(
                organ_id=answered.agency,
                code=answered.code,
                promulgation_date=answered.promulgated_on,
                document_id=answered.reference,
            )
            for answered in official.answers
        ),
        steering_type=official.steering_type,
        to_places=official.to_places,
        traces=tuple(
            edxml.Trace(organ_id=hop.agency, timestamp=read_moment(hop.at) if hop.at else None)
            for hop in event.hops
        ),
        operation=0,
        operation_reason=event.reason,
        paper="1" if event.paper_follows else "0",
        staff=_edxml_staff(event.staff),
        attachments=parts,
    )


def _status(
    message: Message, event: AnyCopyStatus | CopyDeliveryRefused | CopyReceptionOverdue
) -> edxml.StatusMessage:
    """The status as its reporter tells the addressee; both under the codes the document used.

    That a system would not take something has no code of its own: it is told as the refusal that
    a legacy system knows, with a description that names the axis. Nor has a reception that is
    overdue: the status stays 01, and the description says the rest.
    """
    said: dict[str, Any]
    state = fold(copy, runtime.event_store().load(message.stream, message.commit))
    assert state.opening is not None
    opening = state.opening
    ends = [
        (opening.sender, opening.sender_as_given),
        (opening.receiver, opening.receiver_as_given),
    ]
    (code, reporter), (_, addressee) = (
        ends if isinstance(event, CopyRecallRequested) else reversed(ends)
    )
    row = as_viewed(code)
    name = row.name if row else ""
    if isinstance(event, CopyDeliveryRefused):
        said = {"status_code": UNDELIVERED[event.undelivered], "timestamp": event.at}
        said["description"] = f"{NOT_TAKEN}: {event.reason}"
    elif isinstance(event, CopyReceptionOverdue):
        said = {"status_code": "01", "timestamp": event.at}
        said["description"] = f"{OVERDUE} {write_moment(event.due_at)}"
    else:
        said = {"status_code": event.code, "timestamp": event.reported_at or event.at}
        said |= {"description": event.note, "staff": _edxml_staff(event.staff)}
    return edxml.StatusMessage(
        from_=edxml.Party(organ_id=reporter, name=name, in_charge=name),
        response_for=_answered(opening, addressee),
        **said,
    )


def _answered(opening: Opening, addressee: str) -> edxml.Reference:
    """The document by its DocumentId, with the code and the day in that, or else of its header."""
    identity = DocumentIdentity.parse(opening.reference)
    if identity:
        code, day = f"{identity.number}/{identity.notation}", identity.promulgated_on
    else:
        sent = fold(document, runtime.event_store().load(f"document-{opening.document}")).now
        assert sent is not None, "a copy is one of what was sent"
        code = f"{sent.official.number}/{sent.official.notation}"
        day = sent.official.promulgated_on
    return edxml.Reference(
        organ_id=addressee,
        code=code.rstrip("/"),
        promulgation_date=day,
        document_id=opening.reference,
    )


def _part(event: DocumentSent, index: int) -> edxml.AttachmentPart:
    attachment = event.attachments[index]
    return edxml.AttachmentPart(
        content_id=f"cid:{index + 1}",
        name=attachment.name,
        description=attachment.description or attachment.name,
        content_type="application/zip",
        media_type=attachment.media_type,
        size=attachment.size,
        sha256=attachment.sha256,
    )


def _party(party: Party) -> edxml.Party:
    said = party.model_dump(exclude={"code", "as_given", "in_place_of"})
    return edxml.Party(organ_id=party.as_given, **said)


def _edxml_staff(staff: Personal[StaffContact] | None) -> edxml.StaffContact | None:
    clerk = opened(staff)
    return edxml.StaffContact(**clerk.model_dump()) if clerk else None
