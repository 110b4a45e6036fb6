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
        what = f"status {said}" if said else str(message.data.get("type"))
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

    Its agencies are registered as demo agencies. For a status, a stand-in for the document it
    answers is sent first.

    Raises:
        StoryFailed, Problem: the file was refused, or a step did not happen.
    """
    body = file.read_bytes()
    try:
        message = parse(body, lambda _header: _Nowhere())
    except Refused:
        # The axis itself shall say what is wrong, and nothing may be stored.
        return _refused(story, body)
    if isinstance(message, StatusMessage):
        return _send_status(story, body, message)
    return _send_document(story, body, message)


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
    sent = _post(story, source, body)
    id_ = sent.location.rsplit("/", 1)[1]
    story.wrote(f"{source} sent {message.document_id}", sent)
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
    return f"/documents/{id_}"


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
    identity = DocumentIdentity.parse(message.response_for.document_id)
    if identity is None or identity.promulgated_on is None:
        raise StoryFailed(f"no stand-in can be made for {message.response_for.document_id!r}")
    stand_in = {
        "issuer": identity.issuer,
        "number": identity.number,
        "notation": identity.notation,
        "promulgated_on": identity.promulgated_on.isoformat(),
        "subject": "Demo: a stand-in for the document that the file answers",
        "receivers": [target],
    }
    api = story.api
    story.step(f"the axis has never seen {identity.format()}: a stand-in goes first")
    try:
        sent = api.call("POST", "/documents", role="system", agency=source, body=stand_in)
        id_ = sent.location.rsplit("/", 1)[1]
        story.wrote("stand-in sent", sent)
        _until_received(story, receiver, id_)
        _until_codes(story, sender, id_, ["01"])
    except Problem as problem:
        if problem.body.get("code") != "document-already-sent":
            raise
        raise StoryFailed("this state already holds that document: `make clean` first") from problem
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
        steps = " ".join(step["code"] for step in item["steps"])
        story.step(f"    {item['receiver']:8} {item['status']}  ({steps})")


class _Nowhere:
    """A sink for reading a file's header only."""

    def write(self, data: bytes, /) -> None:
        """Let it go."""

    def close(self) -> None:
        """Nothing to close."""
