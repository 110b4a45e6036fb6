"""One document's life on the running system, told as it happens; each step is checked.

Every agency here is a demo agency with a small system of its own on this machine.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from chalicelib.agency_code import canonical
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.edxml.model import (
    DocumentMessage,
    Party,
    Reference,
    StatusMessage,
)
from chalicelib.contexts.documents.edxml.parse import parse
from chalicelib.contexts.documents.edxml.produce import produce_status
from chalicelib.contexts.documents.submission.identities import id_of_reference
from chalicelib.history.pages import DynamoHistory
from chalicelib.kernel import Refused
from infra.agency import DemoAgency, Received
from infra.api import XML, Answer, Api, Problem
from infra.stack import LocalStack

PATIENCE_S = 60.0
"""How long a step may take before the story has failed: generous, for a loaded machine."""
INLINE_BYTES = 4 * 1024 * 1024

T = TypeVar("T")


class StoryFailed(Exception):  # noqa: N818 -- reads as a sentence where it is caught.
    """A step did not happen; the message says which."""


class Story:
    """Tells what happens, with commit numbers and history positions as they are stored."""

    def __init__(self, stack: LocalStack, api: Api, say: Callable[[str], None]) -> None:
        self.api = api
        self._say = say
        outputs = stack.outputs()
        self._dynamodb = stack.client("dynamodb")
        self._events = outputs["EventsTable"]
        self._history = DynamoHistory(
            self._dynamodb, outputs["HistoryTable"], outputs["PositionsTable"]
        )
        self._began = time.monotonic()
        self.agencies = ExitStack()

    def step(self, text: str) -> None:
        """Say what has just happened."""
        self._say(f"{time.monotonic() - self._began:6.2f} s  {text}")

    def wrote(self, what: str, answer: Answer) -> None:
        """Say which commit a write became, and which position history gave it."""
        stream, _, number = answer.seen.rpartition("@")
        position = self.until(
            f"a position for {answer.seen}",
            lambda: self._history.positions([(stream, int(number))]).get((stream, int(number))),
        )
        self.step(f"{what}: commit {number} of {stream}, history position {position}")

    def commits(self) -> int:
        """How many commits there are."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._events, Select="COUNT", ConsistentRead=True
        )
        return sum(page["Count"] for page in pages)

    def until(self, what: str, look: Callable[[], T | None]) -> T:
        """Wait for something to become true.

        Raises:
            StoryFailed: it did not.
        """
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.05)
        raise StoryFailed(f"waited {PATIENCE_S:.0f} s in vain for {what}")

    def join(self, code: str, name: str, profile: str) -> DemoAgency:
        """A demo agency enters, with its system."""
        agency = DemoAgency(code, name, profile, told=self._told)
        self.agencies.enter_context(agency)
        try:
            answer = agency.join(self.api)
        except Problem as problem:
            raise StoryFailed(f"{code} cannot join: {problem}") from problem
        self.step(f"{name} ({code}) joined, {profile}, on port {agency.port}, {answer.seen}")
        return agency

    def _told(self, agency: DemoAgency, message: Received) -> None:
        said = message.data.get("code")
        what = f"status {said}" if said else _kind(message)
        if state := message.data.get("TrangThaiHoSo"):
            what = f"{message.data['MaHoSo']} in state {state}"
        self.step(
            f"  → {agency.code} got {what}: {message.lane} lane no. {message.sequence}, "
            f"signature verified, {message.id}"
        )


def tell(story: Story) -> str:
    """The whole life of a document; answers with its path.

    Raises:
        StoryFailed, Problem: a step did not happen.
    """
    sender = story.join("Z01", "Demo Ministry", "cloudevents")
    first = story.join("Z02", "Demo Province", "cloudevents")
    second = story.join("Z03.01", "Demo Department", "edxml")
    api, source = story.api, sender.code

    content = f"Demo attachment, made {datetime.now(UTC):%Y-%m-%d %H:%M:%S}".encode()
    file = api.upload(source, content, "demo.txt", "text/plain", sha256(content).hexdigest())
    story.step(f"Demo Ministry uploaded {file['name']} by link, {file['size']} bytes")
    document = {
        "number": f"{datetime.now(UTC):%H%M%S}",
        "notation": "QĐ-DEMO",
        "promulgated_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "type_abbreviation": "QĐ",
        "type_name": "Quyết định",
        "subject": "Demo: a document travels the axis",
        "signer": {"position": "Demo signer", "full_name": "Demo Person"},
        "receivers": ["Z02", "Z03.01"],
        "attachments": [file],
        "staff": {"department": "Demo office", "staff": "Demo Clerk", "email": "clerk@example.org"},
    }
    sent = api.call("POST", "/documents", role="system", agency=source, body=document)
    id_ = sent.location.rsplit("/", 1)[1]
    story.wrote(f"Demo Ministry sent {document['number']}/QĐ-DEMO", sent)
    for receiver in (first, second):
        _until_received(story, receiver, id_)
        _show_attempts(story, id_, receiver.code, sender)
    _until_codes(story, sender, id_, ["01", "01"])

    for code, what in (("03", "registered it"), ("05", "works on it"), ("06", "has finished")):
        story.wrote(f"Demo Province {what} ({code})", first.report(api, id_, code))
    status = _status_of(second, id_, code="03", note="registered")
    story.wrote("Demo Department registered it (03, edXML)", second.post(api, status))
    _until_codes(story, sender, id_, ["01", "01", "03", "03", "05", "06"])

    recall = {"code": "13", "note": "sent to the wrong department"}
    path = f"/documents/{id_}/copies/Z03.01/statuses"
    asked = api.call("POST", path, role="system", agency=source, body=recall)
    story.wrote("Demo Ministry asks Demo Department for its copy back (13)", asked)
    story.until("status 13 at Z03.01", lambda: "13" in second.codes(id_))
    status = _status_of(second, id_, code="15", note="removed from the book")
    answered = second.post(api, status)
    story.wrote("Demo Department gave it back (15, edXML)", answered)
    _until_codes(story, sender, id_, ["01", "01", "03", "03", "05", "06", "15"])

    _show_copies(story, id_, source, answered.seen)
    if sender.rejected or first.rejected or second.rejected:
        raise StoryFailed("a receiver could not verify a signature")
    return f"/documents/{id_}"


def send_file(story: Story, file: Path) -> str:
    """Send an edXML file as its From agency would; answers with the document's path.

    Its agencies are registered as demo agencies. A stand-in for the document that the file is
    about, where that is another than the file's own, is sent first.

    Raises:
        StoryFailed, Problem: the file was refused, or a step did not happen.
    """
    body = file.read_bytes()
    try:
        message = parse(body, lambda _header: _Nowhere())
        for code in _agencies_of(message):
            canonical(code)
    except Refused:
        # The axis itself shall say what is wrong, and nothing may be stored.
        return _refused(story, body)
    if isinstance(message, StatusMessage):
        return _send_status(story, body, message)
    if message.operation == 1:
        return _send_revocation(story, body, message)
    if message.operation == 2:  # noqa: PLR2004 -- BussinessDocType, as the standard numbers it.
        return _send_update(story, body, message)
    return _send_document(story, body, message)


def _agencies_of(message: DocumentMessage | StatusMessage) -> list[str]:
    if isinstance(message, StatusMessage):
        return [message.from_.organ_id, message.response_for.organ_id]
    return [message.from_.organ_id, *(party.organ_id for party in message.to)]


def _send_document(story: Story, body: bytes, message: DocumentMessage) -> str:
    source = canonical(message.from_.organ_id)
    sender = story.join(source, message.from_.name or source, "cloudevents")
    receivers = [
        story.join(code, party.name or code, "edxml")
        for party in message.to
        if (code := canonical(party.organ_id)) != source
    ]
    for warning in message.warnings:
        story.step(f"  note: {warning}")
    _send_replaced(story, message, sender, receivers)
    sent = _post(story, source, body)
    id_ = sent.location.rsplit("/", 1)[1]
    story.wrote(f"{source} sent {message.document_id}", sent)
    _show_signatures(story, source, id_)
    wanted = sorted(part.sha256 for part in message.attachments)
    for receiver in receivers:
        got = _until_received(story, receiver, id_).data
        if got["reference"] != message.document_id:
            raise StoryFailed(f"{receiver.code} got another document")
        if sorted(digest for _, digest in got["files"]) != wanted:
            raise StoryFailed(f"{receiver.code} got other files")
        story.step(f"    {receiver.code} read it as edXML, {len(wanted)} file(s), digests equal")
        _show_attempts(story, id_, receiver.code, sender)
    _until_codes(story, sender, id_, ["01"] * len(receivers))
    if message.replacements:
        _show_replaced(story, message, source, id_)
    return f"/documents/{id_}"


def _show_signatures(story: Story, source: str, id_: str) -> None:
    for each in story.api.get(f"/documents/{id_}", agency=source)["signatures"]:
        reason = f": {each['reason']}" if each["reason"] else ""
        story.step(f"  signature of {each['about']}: {each['verdict']}{reason}")


def _send_replaced(
    story: Story, message: DocumentMessage, sender: DemoAgency, receivers: list[DemoAgency]
) -> None:
    """What a document replaces goes first, to those for whom it replaces it."""
    named: dict[str, set[str]] = {}
    for each in message.replacements:
        codes = [canonical(code) for code in each.organ_ids] or [r.code for r in receivers]
        named.setdefault(each.document_id, set()).update(codes)
    for reference, codes_ in named.items():
        _send_stand_in(story, reference, sender, [r for r in receivers if r.code in codes_])


def _show_replaced(story: Story, message: DocumentMessage, source: str, id_: str) -> None:
    for reference in dict.fromkeys(each.document_id for each in message.replacements):
        path = f"/documents/{id_of_reference(reference)}"

        def later(path: str = path) -> list[dict[str, Any]] | None:
            found: list[dict[str, Any]] = story.api.get(path, agency=source)["replaced_by"]
            return found or None

        for each in story.until(f"{reference} to be replaced", later):
            if each["document"] != id_:
                raise StoryFailed(f"{reference} is replaced by another document")
            story.step(f"{reference} is replaced for {' '.join(each['receivers'])}")


def _send_revocation(story: Story, body: bytes, message: DocumentMessage) -> str:
    """A revocation needs its document, which goes first; one receiver then gives it back."""
    source = canonical(message.from_.organ_id)
    sender = story.join(source, message.from_.name or source, "cloudevents")
    receivers = [
        story.join(canonical(to.organ_id), to.name or to.organ_id, "edxml") for to in message.to
    ]
    id_ = _send_stand_in(story, message.document_id, sender, receivers)
    story.wrote(f"{source} revoked {message.document_id}", _post(story, source, body))
    for receiver in receivers:
        _until_operation(story, receiver, 1)
    agreed = receivers[0].post(story.api, _status_of(receivers[0], id_, "15", "removed"))
    story.wrote(f"{receivers[0].code} gave it back (15, edXML)", agreed)
    _until_codes(story, sender, id_, [*["01"] * len(receivers), "15"])
    _show_copies(story, id_, source, agreed.seen)
    return f"/documents/{id_}"


def _send_update(story: Story, body: bytes, message: DocumentMessage) -> str:
    """An update needs its document, which goes first to those that the update does not add."""
    source = canonical(message.from_.organ_id)
    sender = story.join(source, message.from_.name or source, "cloudevents")
    types = {
        canonical(receiver.organ_id): receiver.receiver_type
        for receiver in (message.update.receivers if message.update else ())
    }
    names = {canonical(to.organ_id): to.name or to.organ_id for to in message.to}
    receivers = {
        code: story.join(code, names.get(code, code), "edxml") for code in {**names, **types}
    }
    before = [receiver for code, receiver in receivers.items() if types.get(code) != "0"]
    id_ = _send_stand_in(story, message.document_id, sender, before)
    answered = _post(story, source, body)
    story.wrote(f"{source} updated {message.document_id}", answered)
    _show_signatures(story, source, id_)
    codes = ["01"] * len(receivers)
    for code, receiver in receivers.items():
        if types.get(code) == "0":
            _until_received(story, receiver, id_)
            story.step(f"    {code} was added: it has the document")
            continue
        order = _until_operation(story, receiver, 2)
        said = "dropped" if types.get(code) == "1" else f"told, {len(order.attachments)} file(s)"
        story.step(f"    {code} was {said}")
        answered = receiver.post(story.api, _status_of(receiver, id_, "15", "done"))
        story.wrote(f"{code} agreed (15, edXML)", answered)
        codes.append("15")
    _until_codes(story, sender, id_, codes)
    _show_copies(story, id_, source, answered.seen)
    return f"/documents/{id_}"


def _send_stand_in(
    story: Story, reference: str, sender: DemoAgency, receivers: list[DemoAgency]
) -> str:
    """Send a document with that id, as the file's own has never been here; it arrives."""
    identity = DocumentIdentity.parse(reference)
    if identity is None or identity.promulgated_on is None:
        raise StoryFailed(f"no stand-in can be made for {reference!r}")
    stand_in = {
        "issuer": identity.issuer,
        "number": identity.number,
        "notation": identity.notation,
        "promulgated_on": identity.promulgated_on.isoformat(),
        "subject": "Demo: a stand-in for the document that the file is about",
        "receivers": [receiver.code for receiver in receivers],
    }
    story.step(f"the axis has never seen {identity.format()}: a stand-in goes first")
    try:
        sent = story.api.call(
            "POST", "/documents", role="system", agency=sender.code, body=stand_in
        )
    except Problem as problem:
        if problem.body.get("code") != "document-already-sent":
            raise
        raise StoryFailed("this state already holds that document: `make clean` first") from problem
    id_ = sent.location.rsplit("/", 1)[1]
    story.wrote("stand-in sent", sent)
    for receiver in receivers:
        _until_received(story, receiver, id_)
    _until_codes(story, sender, id_, ["01"] * len(receivers))
    return id_


def _until_operation(story: Story, receiver: DemoAgency, operation: int) -> DocumentMessage:
    """What the receiver was told with this BussinessDocType."""

    def found() -> DocumentMessage | None:
        for received in receiver.received:
            message = _edxml(received)
            if isinstance(message, DocumentMessage) and message.operation == operation:
                return message
        return None

    return story.until(f"BussinessDocType {operation} at {receiver.code}", found)


def _edxml(received: Received) -> DocumentMessage | StatusMessage | None:
    if not received.body.startswith(b"<"):
        return None
    return parse(received.body, lambda _header: _Nowhere())


def _kind(received: Received) -> str:
    message = _edxml(received)
    if isinstance(message, DocumentMessage):
        return f"a document, BussinessDocType {message.operation}"
    return str(received.data.get("type"))


def _send_status(story: Story, body: bytes, message: StatusMessage) -> str:
    """A status needs its document, and 15 and 16 a recall: stand-ins go first, and are named."""
    reporter, addressee = (
        canonical(message.from_.organ_id),
        canonical(message.response_for.organ_id),
    )
    code = message.status_code
    source, target = (reporter, addressee) if code == "13" else (addressee, reporter)
    sender = story.join(source, f"Demo agency {source}", "cloudevents")
    receiver = story.join(target, f"Demo agency {target}", "cloudevents")
    api = story.api
    id_ = _send_stand_in(story, message.response_for.document_id, sender, [receiver])
    if code in {"14", "15", "16"}:
        path = f"/documents/{id_}/copies/{target}/statuses"
        asked = api.call("POST", path, role="system", agency=source, body={"code": "13"})
        story.wrote("the status answers a recall: one is asked for first", asked)
        story.until(f"status 13 at {target}", lambda: "13" in receiver.codes(id_))
    reported = _post(story, reporter, body)
    story.wrote(f"{reporter} reported status {code}", reported)
    told, shown = (receiver, "13") if code == "13" else (sender, "15" if code == "14" else code)
    story.until(f"status {shown} at {told.code}", lambda: shown in told.codes(id_))
    _show_copies(story, id_, source, reported.seen)
    return f"/documents/{id_}"


def _refused(story: Story, body: bytes) -> str:
    sender = story.join("Z01", "Demo Ministry", "cloudevents")
    before = story.commits()
    try:
        _post(story, sender.code, body)
    except Problem:
        if story.commits() != before:
            raise StoryFailed("something was stored of a refused file") from None
        story.step(f"nothing stored: there are {before} commits, as before")
        raise
    raise StoryFailed("a file that cannot be read was accepted")


def _post(story: Story, agency: str, body: bytes) -> Answer:
    """Send edXML inline, or by upload when it is larger than the gateway carries."""
    api = story.api
    if len(body) <= INLINE_BYTES:
        return api.call("POST", "/edxml", role="system", agency=agency, body=body)
    digest = sha256(body).hexdigest()
    api.upload(agency, body, "message.edxml", XML, digest)
    story.step(f"uploaded by link: {len(body)} bytes")
    submitted = api.call(
        "POST", "/submissions", role="system", agency=agency, body={"sha256": digest}
    )

    def ended() -> dict[str, Any] | None:
        found = api.get(submitted.location, agency=agency)
        return found if found["status"] != "waiting" else None

    found = story.until("the submission to be read", ended)
    if found["status"] == "refused":
        raise Problem(found["problem"]["status"], found["problem"])
    return Answer(201, {"location": f"/{found['seen'].split('@')[0].replace('-', 's/', 1)}"}, found)


def _status_of(agency: DemoAgency, id_: str, code: str, note: str) -> bytes:
    """Our status of the document we got as edXML, in edXML."""
    received = agency.got(id_)
    assert received is not None
    reference = received.data["reference"]
    identity = DocumentIdentity.parse(reference)
    assert identity is not None
    return produce_status(
        StatusMessage(
            from_=Party(organ_id=agency.code, name=agency.name),
            response_for=Reference(
                organ_id=identity.issuer,
                code=f"{identity.number}/{identity.notation}",
                promulgation_date=identity.promulgated_on,
                document_id=reference,
            ),
            status_code=code,
            description=note,
            timestamp=datetime.now(UTC),
        )
    )


def _until_received(story: Story, receiver: DemoAgency, id_: str) -> Received:
    return story.until(f"the document at {receiver.code}", lambda: receiver.got(id_))


def _until_codes(story: Story, sender: DemoAgency, id_: str, wanted: Iterable[str]) -> None:
    expected = sorted(wanted)
    story.until(
        f"statuses {' '.join(expected)} at {sender.code}",
        lambda: sorted(sender.codes(id_)) == expected,
    )
    story.step(f"statuses at the sender: {' '.join(expected)}")


def _show_attempts(story: Story, id_: str, receiver: str, sender: DemoAgency) -> None:
    path = f"/documents/{id_}/copies/{receiver}/messages"

    def delivered() -> list[dict[str, Any]] | None:
        try:
            items: list[dict[str, Any]] = story.api.get(path, agency=sender.code)["items"]
        except Problem:
            return None  # The copy is opened a moment after the document was sent.
        return items if items and items[0]["attempts"] else None

    for message in story.until(f"an attempt for {receiver}", delivered)[:1]:
        for attempt in message["attempts"]:
            outcome = attempt["status"] or attempt["reason"]
            story.step(
                f"    attempt {attempt['attempt']} at {receiver}: {outcome}, "
                f"{attempt['duration_ms']} ms"
            )


def _show_copies(story: Story, id_: str, source: str, seen: str) -> None:
    found = story.api.get(f"/documents/{id_}/copies?seen={seen}", agency=source)
    if found["stale"]:
        raise StoryFailed("the view did not catch up in time")
    story.step(f"where the document is, true up to position {found['as_of']}:")
    for item in found["items"]:
        steps = " ".join(step["code"] or step["change"] for step in item["steps"])
        story.step(f"    {item['receiver']:8} {item['status']}  ({steps})")


class _Nowhere:
    """A sink for reading a file's header only."""

    def write(self, data: bytes, /) -> None:
        """Let it go."""

    def close(self) -> None:
        """Nothing to close."""
