"""The axis over HTTP: hand a document over, follow its copies, report statuses."""

from collections.abc import Callable, Iterable
from datetime import date
from io import BytesIO
from typing import Any, Literal

from chalice.app import Response
from pydantic import ConfigDict
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.documents import files, originals
from chalicelib.contexts.documents.domain.copy import Copy, copy
from chalicelib.contexts.documents.domain.document import (
    Document,
    DocumentUnknown,
    NotTheSender,
    document,
)
from chalicelib.contexts.documents.domain.events import Attachment, DocumentSent
from chalicelib.contexts.documents.edxml.model import StatusMessage
from chalicelib.contexts.documents.edxml.parse import parse
from chalicelib.contexts.documents.intake import submissions, submit
from chalicelib.contexts.documents.letters import EDXML_TYPE
from chalicelib.contexts.documents.messages import answer as routing
from chalicelib.contexts.documents.projections import (
    where_is_my_document,
    which_documents_answer_this_one,
    which_documents_came_to_my_agency,
    which_documents_did_my_agency_send,
)
from chalicelib.contexts.documents.projections.where_is_my_document import Whereabouts
from chalicelib.contexts.documents.projections.which_documents_came_to_my_agency import (
    ReceivedDocument,
)
from chalicelib.contexts.documents.projections.which_documents_did_my_agency_send import (
    SentDocument,
)
from chalicelib.contexts.documents.reactions import copy_id
from chalicelib.contexts.documents.register import Register
from chalicelib.contexts.documents.shown import (
    Conversation,
    CopyMessage,
    CopyMessages,
    DocumentCopy,
    DocumentReceipt,
    DocumentSummary,
    ExchangedDocument,
    SubmissionStatus,
    TrackedMessage,
    attempts,
    copied,
    exchanged,
    submission,
    summary,
)
from chalicelib.contexts.documents.submission.as_edxml import send_edxml
from chalicelib.contexts.documents.submission.as_json import amend, relay, revoke, send_json
from chalicelib.contexts.documents.submission.asked import (
    Amendment,
    DocumentId,
    NewAttachment,
    NewDocument,
    Relay,
    Revocation,
    Sha256,
    StatusReport,
)
from chalicelib.contexts.documents.submission.identities import id_of_reference
from chalicelib.contexts.documents.submission.resending import resend
from chalicelib.contexts.documents.submission.statuses import report, report_edxml
from chalicelib.contexts.documents.webhook import prove_sender
from chalicelib.delivery.outbox import Message, message_id
from chalicelib.handle import Done, fold
from chalicelib.http.paging import MAX_LIMIT, Page, page_of, page_request
from chalicelib.http.personal import closed, opened
from chalicelib.http.resource import (
    PUBLIC,
    SIGNED,
    XML,
    Answer,
    Receipt,
    Resource,
    accepted,
    created,
    ok,
    ordered,
)
from chalicelib.kernel import Forbidden, Invalid, NotFound, Origin, Value
from chalicelib.projector.projection import Projection
from chalicelib.text import b64url

routes = Resource(__name__)

EVENTS = frozenset({"application/json", "application/cloudevents+json"})
"""Media types of a status in JSON."""


class SubmissionUnknown(NotFound):
    """There is no such submission, or it is another agency's, or it is older than a week."""

    code = "submission-unknown"


class MessageUnknown(NotFound):
    """There is no such message, or the caller has no part in it."""

    code = "message-unknown"


class AgencyNeeded(Invalid):
    """Somebody who is of no agency must say whose documents to list."""

    code = "agency-needed"


class NotYourAgency(Forbidden):
    """Officers and systems see their own agency's documents only."""

    code = "not-your-agency"


class UploadIntent(NewAttachment):
    """A file about to be uploaded; `secrecy` is what its sender declares."""

    secrecy: str = "none"


class UploadedMessage(Value):
    """A large edXML message that was uploaded, by its digest."""

    sha256: str = Sha256


class WebhookStatus(StatusReport):
    """A status in a CloudEvent's `data`: of a document by its id or by its DocumentId.

    `receiver` is the agency whose copy it is about; the sender of the webhook unless it says
    otherwise.
    """

    document: DocumentId | None = None
    reference: str | None = None
    receiver: str | None = None


class WebhookEvent(Value):
    """A CloudEvent with a status, as agencies post it. Its other attributes are not needed here."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    specversion: str
    type: str
    data: WebhookStatus


@routes.post("/uploads", allow={"officer", "system"})
def ask_for_upload() -> Answer[files.Upload]:
    """Ask for a link to upload one file with: an attachment, or an edXML message over 4 MiB.

    PUT the file to `url` with exactly these `headers` before `expires_at`. Refuses
    `secret-document`, `file-too-large`. A link is not a change: no Idempotency-Key.
    """
    asked = routes.json(UploadIntent)
    attachment = Attachment(**asked.model_dump(exclude={"secrecy"}))
    return ok(files.upload(_own_agency(), attachment, asked.secrecy))


@routes.post("/documents", allow={"officer", "system"})
def send_document() -> Answer[DocumentReceipt]:
    """Send a document whose files were uploaded. 201; refusals name the field and the rule.

    A hub names the unit below it that is the `sender`. The same document again: 200, `duplicate`.
    """
    origin = routes.origin()
    done, id_ = send_json(routes.json(NewDocument), _own_agency(), origin)
    return _sent(done, id_)


@routes.post("/edxml", allow={"officer", "system"}, takes=XML)
def send_edxml_message() -> Answer[DocumentReceipt] | Answer[Receipt]:
    """Send a message in edXML, up to 4 MiB: 201 for a new document, 202 for anything else.

    The same document again: 200, `duplicate`.
    """
    return _take_edxml(_own_agency(), routes.origin())


@routes.post("/submissions", allow={"officer", "system"})
def submit_upload() -> Answer[SubmissionStatus]:
    """Send an uploaded edXML message of up to 100 MiB. 202, and a resource to follow it at."""
    origin = routes.origin()
    found = submit(_own_agency(), routes.json(UploadedMessage).sha256, origin)
    response = ordered(submission(found))
    response.headers["Location"] = f"/submissions/{found.id}"
    return response


@routes.get("/submissions/{submission_id}", allow={"officer", "system"})
def see_submission(submission_id: str) -> Answer[SubmissionStatus]:
    """Where an uploaded message stands: waiting, accepted (`seen`) or refused (its `problem`)."""
    found = submissions().get(submission_id)
    if found is None or found.agency != _own_agency():
        raise SubmissionUnknown
    return ok(submission(found))


@routes.get("/documents", allow={"officer", "system", "auditor"})
def list_sent() -> Answer[Page[SentDocument]]:
    """The documents an agency sent.

    Filters: `receiver`, `status` (anyone's), `overdue` (`true`: not received in time by somebody),
    `from`, `to`, `q`.
    """
    query = routes.query()
    receiver = canonical(query["receiver"]) if "receiver" in query else None
    status = query.get("status")
    overdue, within = query.get("overdue") == "true", _within(query)

    def keep(item: dict[str, Any]) -> bool:
        return (
            (receiver is None or receiver in item["receivers"])
            and (status is None or status in item["statuses"].values())
            and (not overdue or bool(item["overdue"]))
            and within(item)
        )

    return _list(which_documents_did_my_agency_send.answer, keep)


@routes.get("/copies", allow={"officer", "system", "auditor"})
def list_received() -> Answer[Page[ReceivedDocument]]:
    """The copies that came to an agency.

    Filters: `sender`, `status`, `overdue` (`true`: waits to be received, and is late), `from`,
    `to`, `q`.
    """
    query = routes.query()
    sender = canonical(query["sender"]) if "sender" in query else None
    status = query.get("status")
    overdue, within = query.get("overdue") == "true", _within(query)

    def keep(item: dict[str, Any]) -> bool:
        return (
            (sender is None or sender == item["sender"])
            and (status is None or status == item["status"])
            and (not overdue or item["overdue"])
            and within(item)
        )

    return _list(which_documents_came_to_my_agency.answer, keep)


@routes.get("/documents/{document_id}", allow={"officer", "system", "auditor"})
def see_document(document_id: str) -> Answer[ExchangedDocument]:
    """One document as it stands now: its sender's words, its receivers, its files by link."""
    state, version = _standing(document_id)
    caller = routes.caller()
    own, read = caller.agency, closed if caller.role == "auditor" else opened
    return ok(exchanged(state, own, _seen_by(own, state), read), version=version)


@routes.get("/documents/{document_id}/original", allow={"officer", "system", "auditor"})
def see_original(document_id: str) -> Response:
    """The edXML message as it came, for its sender and for auditors; of `edition`, or the latest.

    404 where there is none to read (`original-unknown`), 410 once a person whom it names has been
    forgotten (`original-erased`), 413 over 5 MiB (`original-too-large`).
    """
    state, version = _standing(document_id)
    event, query = state.now, routes.query()
    assert event is not None
    if event.sender.code not in _seen_by(routes.caller().agency, state):
        raise NotTheSender("Only its sender and auditors may read the message itself")
    edition = query.get("edition", str(max(state.originals, default=0)))
    original = {str(number): each for number, each in state.originals.items()}.get(edition)
    if original is None:
        raise originals.OriginalUnknown(field="edition")
    return Response(
        body=originals.read(document_id, original),
        status_code=200,
        headers={"Content-Type": EDXML_TYPE, "ETag": f'"{version}"'},
    )


@routes.get("/documents/{document_id}/conversation", allow={"officer", "system", "auditor"})
def see_conversation(document_id: str) -> Answer[Conversation]:
    """What a document answers and what answers it, as far as the caller has a part in those.

    Answers come from a view and may be a moment behind. At most `MAX_LIMIT` each way.
    """
    event, _ = _document(document_id)
    row = runtime.views().row(which_documents_answer_this_one.answer, document_id)
    after = [id_ for id_ in (row.documents if row else ()) if id_ != document_id]
    before = [each.document for each in event.official.answers if each.document]
    return ok(
        {
            "answers": _summaries(before[:MAX_LIMIT]),
            "answered_by": _summaries(after[:MAX_LIMIT]),
        }
    )


@routes.post("/documents/{document_id}/revocations", allow={"officer", "system"})
def revoke_document(document_id: str) -> Answer[Receipt]:
    """Order a document back from all its receivers, or some. 202; by its sender only."""
    origin, asked = routes.origin(), routes.json(Revocation)
    _document(document_id)
    return accepted(revoke(asked, document_id, _own_agency(), origin))


@routes.post("/documents/{document_id}/amendments", allow={"officer", "system"})
def amend_document(document_id: str) -> Answer[Receipt]:
    """Change a document, or add or drop receivers. 202; by its sender only."""
    origin, asked = routes.origin(), routes.json(Amendment)
    _document(document_id)
    return accepted(amend(asked, document_id, _own_agency(), origin))


@routes.post("/documents/{document_id}/relays", allow={"officer", "system"})
def relay_document(document_id: str) -> Answer[Receipt]:
    """Pass a document that came to the agency on to units below it. 202.

    Their statuses go to the document's first sender.
    """
    origin, asked = routes.origin(), routes.json(Relay)
    _document(document_id)
    return accepted(relay(asked, document_id, _own_agency(), origin))


@routes.get("/documents/{document_id}/copies", allow={"officer", "system", "auditor"})
def list_copies(document_id: str) -> Answer[Page[Whereabouts]]:
    """Where the document is: its sender sees every receiver's statuses, a receiver its own."""
    state, _ = _standing(document_id)
    seen = _seen_by(routes.caller().agency, state)
    assert state.now is not None
    # The sender also sees those who were dropped.
    sees_all = state.now.sender.code in seen
    return page_of(
        where_is_my_document.answer,
        page_request(routes.query()),
        by=document_id,
        keep=None if sees_all else lambda item: item["receiver"] in seen,
    )


@routes.get("/documents/{document_id}/copies/{receiver}", allow={"officer", "system", "auditor"})
def see_copy(document_id: str, receiver: str) -> Answer[DocumentCopy]:
    """One receiver's copy, folded from its stream: always current."""
    state, version = _copy(document_id, canonical(receiver))
    return ok(copied(state), version=version)


@routes.post("/documents/{document_id}/copies/{receiver}/statuses", allow={"officer", "system"})
def report_status(document_id: str, receiver: str) -> Answer[Receipt]:
    """Report a processing status: 01-06, 15, 16 by the receiver, 13 by the sender. 202."""
    origin, asked = routes.origin(), routes.json(StatusReport)
    return accepted(report(asked, document_id, canonical(receiver), _own_agency(), origin))


@routes.put("/documents/{document_id}/copies/{receiver}/resending", allow={"officer", "system"})
def resend_copy(document_id: str, receiver: str) -> Answer[Receipt]:
    """Send the document, as it is now, again to a receiver that has not taken it. 202.

    By its sender only, after 02 or once an operator gave the delivery up: else 409
    `copy-not-refused`.
    """
    origin = routes.origin()
    _document(document_id)
    return accepted(resend(document_id, canonical(receiver), _own_agency(), origin))


@routes.get(
    "/documents/{document_id}/copies/{receiver}/messages",
    allow={"officer", "system", "auditor", "administrator"},
)
def list_messages(document_id: str, receiver: str) -> Answer[CopyMessages]:
    """Every message the axis sent about one copy, with each attempt to deliver it."""
    receiver = canonical(receiver)
    _copy(document_id, receiver)
    store = runtime.event_store()
    commits = [
        *store.load(f"document-{document_id}"),
        *store.load(f"copy-{copy_id(document_id, receiver)}"),
    ]
    messages: list[CopyMessage] = []
    for commit in commits:
        for index, type_, notice in routing.notices(commit):
            if commit.stream.startswith("copy-") or notice.agency == receiver:
                id_ = message_id(commit.stream, commit.number, index, notice.agency)
                messages.append(
                    {
                        "id": id_,
                        "type": type_,
                        "to": notice.agency,
                        "about": commit.seen,
                        "attempts": attempts(id_),
                    }
                )
    return ok({"items": messages})


@routes.get(
    "/messages/{message_id}/attempts", allow={"officer", "system", "auditor", "administrator"}
)
def list_attempts(message_id: str) -> Answer[TrackedMessage]:
    """One message of the outbox and each attempt to deliver it, first to last."""
    message = runtime.outbox().find(message_id)
    if message is None or not _concerns(message):
        raise MessageUnknown
    return ok(TrackedMessage(**dict(message), attempts=attempts(message_id)))


@routes.get("/documents/{document_id}/attachments/{sha256}", allow={"officer", "system", "auditor"})
def fetch_attachment(document_id: str, sha256: str) -> Answer[files.LinkedAttachment]:
    """A short-lived link to one of the document's files."""
    event, _ = _document(document_id)
    for attachment in event.attachments:
        if attachment.sha256 == sha256:
            return ok(files.link(attachment))
    raise DocumentUnknown("The document has no such attachment", field="sha256")


@routes.post("/webhooks/{agency}", allow=SIGNED, takes=XML | EVENTS)
def receive_webhook(agency: str) -> Answer[DocumentReceipt] | Answer[Receipt]:
    """A signed message from an agency's system: a status as CloudEvent, or anything in edXML.

    Standard Webhooks headers; `webhook-id` is the idempotency key. 401 when the signature or the
    time does not prove the sender.
    """
    code = canonical(agency)
    prove_sender(code, routes.request.headers, routes.body())
    origin = routes.signed_origin(code)
    if routes.media_type() in XML:
        return _take_edxml(code, origin)
    asked = routes.json(WebhookEvent).data
    id_ = asked.document or id_of_reference(asked.reference or "")
    status = StatusReport(**asked.model_dump(exclude={"document", "reference", "receiver"}))
    receiver = canonical(asked.receiver) if asked.receiver else code
    return accepted(report(status, id_, receiver, code, origin, claim=True))


class WebhookKey(TypedDict):
    """A public key (Ed25519) as RFC 8037 writes it: `x` in unpadded base64url."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    use: Literal["sig"]
    kid: str
    x: str


class WebhookKeys(TypedDict):
    """The keys that verify our webhooks."""

    keys: list[WebhookKey]


@routes.get("/webhook-keys", allow=PUBLIC)
def see_webhook_keys() -> Answer[WebhookKeys]:
    """The keys that verify our webhooks (Ed25519, RFC 8037 JWK)."""
    public = b64url(runtime.signing_public_key())
    return ok({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "1", "x": public}]})


def _own_agency() -> str:
    agency = routes.caller().agency
    assert agency is not None, "the authorizer lets no officer or system in without an agency"
    return agency


def _take_edxml(agency: str, origin: Origin) -> Answer[DocumentReceipt] | Answer[Receipt]:
    with files.Carried() as carried:
        message = parse(carried.record(BytesIO(routes.body())), carried.keep)
        if isinstance(message, StatusMessage):
            return accepted(report_edxml(message, agency, origin))
        done, id_, new = send_edxml(message, carried, agency, origin)
        return _sent(done, id_) if new else accepted(done)


def _sent(done: Done, id_: str) -> Answer[DocumentReceipt]:
    """The receipt of a new document, with what was odd about it."""
    said = done.commit.data()[0] if done.commit else {}
    more = {"warnings": said["warnings"]} if said.get("warnings") else {}
    return created(done, f"/documents/{id_}", document=id_, **more)


def _document(id_: str) -> tuple[DocumentSent, int]:
    """The document and its version, if the caller has a part in it.

    Raises:
        DocumentUnknown: there is none, or it is none of the caller's business.
    """
    state, version = _standing(id_)
    assert state.now is not None
    return state.now, version


def _summaries(ids: Iterable[str]) -> list[DocumentSummary]:
    """Those documents that the caller has a part in, in few words."""
    found = []
    for id_ in ids:
        try:
            event, _ = _document(id_)
        except DocumentUnknown:
            continue
        found.append(summary(event))
    return found


def _standing(id_: str) -> tuple[Document, int]:
    """All that is known of the document, for those whom `_document` lets see it."""
    commits = runtime.event_store().load(f"document-{id_}") if id_.isalnum() else []
    state = fold(document, commits)
    event, agency = state.now, routes.caller().agency
    if event is None:
        raise DocumentUnknown
    if not _seen_by(agency, state):
        raise DocumentUnknown
    return state, len(commits)


def _seen_by(agency: str | None, state: Document) -> set[str]:
    """Those of the document's receivers whose copies the agency sees, and its sender's code.

    All of them for the sender, for the hub that handed it over, and for who is of no agency; its
    own and those of agencies whose place it took; those whom it passed the document on to.
    """
    event = state.now
    if event is None:
        return set()
    receivers = [party.code for party in event.receivers]
    every = {event.sender.code, *receivers}
    if agency in {None, event.sender.code, event.sent_by}:
        return every
    assert agency is not None
    succeeded = {*Register(runtime.now()).succeeded(agency, every)}
    if event.sender.code in succeeded:
        return every
    relayed = [relay.receivers for relay in state.relayed if relay.by in {agency, *succeeded}]
    units = {party.code for parties in relayed for party in parties}
    return {agency, *succeeded, *units} & every


def _copy(id_: str, receiver: str) -> tuple[Copy, int]:
    commits = runtime.event_store().load(f"copy-{copy_id(id_, receiver)}") if id_.isalnum() else []
    state = fold(copy, commits)
    agency = routes.caller().agency
    if state.opening is None:
        raise DocumentUnknown
    if agency not in {None, state.opening.sender, receiver}:
        known = fold(document, runtime.event_store().load(f"document-{id_}"))
        if receiver not in _seen_by(agency, known):
            raise DocumentUnknown
    return state, len(commits)


def _list(question: Projection[Any], keep: Callable[[dict[str, Any]], bool]) -> Answer[Page[Any]]:
    query, page = routes.query(), page_request(routes.query())
    own, asked = routes.caller().agency, query.get("agency")
    agency = canonical(asked) if asked else own
    if own not in {None, agency} and Register(runtime.now()).heir(agency or "") != own:
        raise NotYourAgency(field="agency")
    if agency is None:
        raise AgencyNeeded(field="agency")
    return page_of(question, page, by=agency, keep=keep, newest_first=True)


class InvalidDay(Invalid):
    """A day is written yyyy-mm-dd."""

    code = "invalid-day"


def _within(query: dict[str, str]) -> Callable[[dict[str, Any]], bool]:
    """Whether a row was sent in [`from`, `to`] and has `q` in its subject or reference."""
    first, last = _day(query, "from", "0000"), _day(query, "to", "9999")
    words = query.get("q", "").casefold()

    def within(item: dict[str, Any]) -> bool:
        said = f"{item['subject']}\n{item['reference']}".casefold()
        return first <= item["sent_at"][:10] <= last and words in said

    return within


def _day(query: dict[str, str], name: str, default: str) -> str:
    if name not in query:
        return default
    try:
        return date.fromisoformat(query[name]).isoformat()
    except ValueError:
        raise InvalidDay(field=name) from None


def _concerns(message: Message) -> bool:
    agency = routes.caller().agency
    if agency is None or agency == message.agency:
        return True
    commits = runtime.event_store().load(f"document-{message.case}")
    state = fold(document, commits)
    seen = _seen_by(agency, state)
    return state.now is not None and not seen.isdisjoint({state.now.sender.code, message.agency})
