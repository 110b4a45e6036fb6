"""What is wrong is refused with a problem document of a stable code, and leaves nothing behind."""

import json
import time
from uuid import uuid4

import pytest
from journeys.journey import (
    digest,
    document,
    edxml_document,
    edxml_status,
    id_of,
    number,
    reference,
)

from chalicelib.delivery.signatures import sign_ed25519
from infra.agency import DemoAgency
from infra.api import XML, Problem

JSON, EVENT = "application/json", "application/cloudevents+json"
MIB = 1024 * 1024
PDF = b"%PDF-1.7 demo"


class Parties:
    """A sender and a receiver between whom one document has gone, up to status 05."""

    def __init__(self, journey):
        self.sender, self.receiver = journey.join(), journey.join()
        self.unknown = DemoAgency(journey.unregistered(), "Demo agency nobody registered")
        self.number, self.key = number(), str(uuid4())
        self.body = document([self.receiver], number=self.number)
        sent = journey.post(self.sender, "/documents", self.body, key=self.key)
        self.id = id_of(sent)
        journey.told(self.sender, self.id, "01")
        journey.status(self.receiver, self.id, self.receiver, "05")
        journey.told(self.sender, self.id, "01", "05")


@pytest.fixture(scope="module")
def parties(journey):
    return Parties(journey)


@pytest.fixture(scope="module", autouse=True)
def nothing_is_stored(journey, parties):
    """Whatever this module asks for, not one commit and not one file comes of it."""
    with journey.nothing_stored():
        yield


def edxml(journey, agency, body):
    return journey.post(agency, "/edxml", body)


@pytest.mark.parametrize(
    ("spoil", "code", "field"),
    [
        pytest.param(lambda xml: xml[:-9], "edxml-malformed", "", id="it breaks off"),
        pytest.param(lambda xml: b"1212" + xml, "edxml-malformed", "", id="bytes before it"),
        pytest.param(
            lambda xml: xml.replace(b"QCVN_102_2016", b"QCVN_999_2016"),
            "edxml-not-qcvn-102",
            "edXML",
            id="another standard's namespace",
        ),
        pytest.param(
            lambda xml: xml.replace(b"<edXML ", b'<!DOCTYPE a [<!ENTITY b "c">]><edXML '),
            "edxml-forbidden-markup",
            "",
            id="an entity",
        ),
        pytest.param(
            lambda xml: xml.replace(b"Demo:", b"<a>" * 40 + b"</a>" * 40),
            "edxml-too-deep",
            "edXML/edXMLEnvelope/edXMLHeader/MessageHeader/Subject/",
            id="deeply nested",
        ),
    ],
)
def test_edxml_that_cannot_be_read(journey, parties, spoil, code, field):
    good = edxml_document(parties.sender, [parties.receiver])
    bad = spoil(good)
    assert bad != good
    body = journey.refused(422, code, edxml, journey, parties.sender, bad)
    assert body.get("field", "").startswith(field)


def test_agencies_nobody_knows(journey, parties):
    sender, unknown = parties.sender, parties.unknown
    body = journey.refused(422, "receiver-unknown", journey.send, sender, [unknown])
    assert (body["field"], body["gateway_error"]) == ("receivers/0", 18)
    body = journey.refused(422, "sender-unknown", journey.send, unknown, [sender])
    assert (body["field"], body["gateway_error"]) == ("sender", 19)
    message = edxml_document(sender, [parties.receiver, unknown])
    body = journey.refused(422, "receiver-unknown", edxml, journey, sender, message)
    assert body["field"] == "receivers/1"
    message = edxml_document(unknown, [sender])
    journey.refused(422, "sender-unknown", edxml, journey, unknown, message)
    journey.refused(403, "not-the-sender", edxml, journey, sender, message)


def test_files_that_are_missing(journey, parties):
    said = {"name": "a.pdf", "media_type": "application/pdf", "size": 9, "sha256": digest(b"a")}
    send = (journey.send, parties.sender, [parties.receiver])
    body = journey.refused(422, "attachment-not-arrived", *send, attachments=[said])
    assert body["field"] == "attachments/0"
    message = edxml_document(parties.sender, [parties.receiver], ("a.pdf", PDF))
    files = message.index(b"<AttachmentEncoded"), message.index(b"</AttachmentEncoded>") + 20
    bare = message[: files[0]] + message[files[1] :]
    journey.refused(422, "attachment-missing", edxml, journey, parties.sender, bare)


def test_files_that_are_not_what_was_said(journey, parties):
    content = b"demo content"
    said = {"name": "a.txt", "media_type": "text/plain", "size": 12, "sha256": digest(content)}
    link = journey.post(parties.sender, "/uploads", said).body
    for wrong in (b"other content", b"demo-content", b""):
        headers = link["headers"] | {"content-length": str(len(wrong))}
        answer = journey.http.request("PUT", link["url"], body=wrong, headers=headers)
        assert answer.status in {400, 403}, wrong
        assert journey.uploaded() == {}
    journey.upload(parties.sender, content)
    send = (journey.send, parties.sender, [parties.receiver])
    longer = said | {"size": 13}
    body = journey.refused(422, "attachment-digest-mismatch", *send, attachments=[longer])
    assert body["field"] == "attachments/0"
    # The other agency has uploaded nothing, whatever it knows of the digest.
    journey.upload(parties.sender, content)
    send = (journey.send, parties.receiver, [parties.sender])
    journey.refused(422, "attachment-not-arrived", *send, attachments=[said])
    send = (journey.send, parties.sender, [parties.receiver])
    journey.refused(422, "attachment-digest-mismatch", *send, attachments=[longer])


def test_bodies_that_are_too_large(journey, parties):
    big = json.dumps(document([parties.receiver], content="x" * 4 * MIB)).encode()
    ask = (journey.post, parties.sender, "/documents", big)
    journey.refused(413, "body-too-large", *ask, headers={"content-type": JSON})
    big = edxml_document(parties.sender, [parties.receiver]) + b" " * 4 * MIB
    journey.refused(413, "body-too-large", edxml, journey, parties.sender, big)
    journey.refused(413, "body-too-large", parties.sender.post, journey.api, big)
    said = {"name": "a", "media_type": "text/plain", "size": 101 * MIB, "sha256": digest(b"")}
    journey.refused(422, "file-too-large", journey.post, parties.sender, "/uploads", said)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(b'{"number": "1"', 400, "invalid-json", id="it breaks off"),
        pytest.param(b"\xff\xfe", 400, "invalid-json", id="not UTF-8"),
        pytest.param(b"[]", 400, "invalid-json", id="not an object"),
        pytest.param(b'{"a":' * 99 + b"1" + b"}" * 99, 400, "invalid-json", id="deeply nested"),
        pytest.param(b"[" * 200_000, 400, "invalid-json", id="very deeply nested"),
        pytest.param(b'{"a": 1, "a": 2}', 400, "invalid-json", id="a field twice"),
        pytest.param(b"{}", 422, "invalid-request", id="fields missing"),
        pytest.param(b"", 422, "invalid-request", id="nothing at all"),
    ],
)
def test_json_that_cannot_be_read(journey, parties, body, status, code):
    headers = {"content-type": JSON}
    ask = (journey.post, parties.sender, "/documents", body)
    journey.refused(status, code, *ask, headers=headers)


def test_media_types_nobody_reads(journey, parties):
    ask = (journey.post, parties.sender)
    for path, kind in (("/documents", XML), ("/edxml", JSON), ("/documents", "text/plain")):
        headers = {"content-type": kind}
        journey.refused(415, "unsupported-media-type", *ask, path, b"{}", headers=headers)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"secrecy": "secret"}, id="declared"),
        pytest.param({"subject": "MẬT: về một việc"}, id="marked in the subject"),
        pytest.param({"content": "Về một việc (Tối mật)"}, id="marked in the summary"),
    ],
)
def test_secret_documents_are_refused_and_their_files_deleted(journey, parties, fields):
    file = journey.upload(parties.sender, b"not for the axis")
    assert len(journey.uploaded()) == 1
    send = (journey.send, parties.sender, [parties.receiver])
    body = journey.refused(422, "secret-document", *send, attachments=[file], **fields)
    assert body["gateway_error"] == 22
    assert journey.uploaded() == {}


def test_secret_files_and_messages_are_refused(journey, parties):
    said = {"name": "a", "media_type": "text/plain", "size": 3, "sha256": digest(b"abc")}
    ask = (journey.post, parties.sender, "/uploads", said | {"secrecy": "top-secret"})
    journey.refused(422, "secret-document", *ask)
    files = ("a.pdf", PDF)
    message = edxml_document(parties.sender, [parties.receiver], files, subject="TUYỆT MẬT - X")
    body = journey.refused(422, "secret-marking", edxml, journey, parties.sender, message)
    assert body["field"].endswith("/Subject")


def test_statuses_that_cannot_be(journey, parties):
    sender, receiver, id_ = parties.sender, parties.receiver, parties.id
    report = (journey.status, receiver, id_, receiver)
    journey.refused(409, "status-goes-back", *report, "03")
    journey.refused(409, "status-goes-back", *report, "02", "too late")
    journey.refused(409, "no-recall-pending", *report, "15")
    journey.refused(422, "status-code-unknown", *report, "07")
    journey.refused(403, "not-your-copy", *report, "13")
    journey.refused(403, "not-your-copy", journey.status, sender, id_, receiver, "06")
    journey.refused(404, "copy-unknown", journey.status, sender, id_, sender, "06")
    journey.refused(404, "copy-unknown", journey.status, receiver, "nothing", receiver, "06")
    message = edxml_status(receiver, sender, reference(sender, parties.number), "03")
    journey.refused(409, "status-goes-back", edxml, journey, receiver, message)
    journey.refused(422, "reporter-wrong", edxml, journey, sender, message)
    message = edxml_status(receiver, sender, reference(sender, "no-such"), "06")
    journey.refused(404, "copy-unknown", edxml, journey, receiver, message)


def test_a_document_that_was_sent_stays_as_it_is(journey, parties):
    other = parties.body | {"subject": "Demo: other words"}
    ask = (journey.post, parties.sender, "/documents", other)
    journey.refused(409, "document-already-sent", *ask)


@pytest.mark.parametrize(
    ("version", "status", "code"),
    [
        pytest.param('"1"', 412, "precondition-failed", id="an older version"),
        pytest.param('"9"', 412, "precondition-failed", id="a version there is not"),
        pytest.param("W/x", 400, "if-match-invalid", id="no version"),
    ],
)
def test_versions_that_are_not_the_current_one(journey, parties, version, status, code):
    report = (journey.status, parties.receiver, parties.id, parties.receiver, "06")
    journey.refused(status, code, *report, headers={"if-match": version})


def test_keys_of_idempotency(journey, parties):
    sender, receiver, ask = parties.sender, parties.receiver, (journey.post, parties.sender)
    for path, body in (
        ("/documents", document([receiver])),
        ("/edxml", edxml_document(sender, [receiver])),
        ("/submissions", {"sha256": digest(b"")}),
        (f"/documents/{parties.id}/copies/{receiver.code}/statuses", {"code": "06"}),
    ):
        without = {"headers": {"idempotency-key": None}}
        journey.refused(400, "idempotency-key-missing", *ask, path, body, **without)
        journey.refused(400, "idempotency-key-invalid", *ask, path, body, key="once")


def test_a_key_stands_for_one_request(journey, parties):
    reused = {"key": parties.key}
    same = parties.body | {"subject": "Demo: other words"}
    elsewhere = parties.body | {"number": number()}
    for body in (same, elsewhere):
        ask = (journey.post, parties.sender, "/documents", body)
        journey.refused(422, "idempotency-key-reused", *ask, **reused)
    message = edxml_document(parties.sender, [parties.receiver])
    ask = (journey.post, parties.sender, "/edxml", message)
    journey.refused(422, "idempotency-key-reused", *ask, **reused)


def test_webhooks_that_prove_nothing(journey, parties):
    receiver, body = parties.receiver, event(parties.id, "06")
    impostor = DemoAgency(receiver.code, "Demo impostor")
    post = (journey.api, body, EVENT)
    journey.refused(401, "signature-invalid", impostor.post, *post)
    journey.refused(401, "signature-invalid", parties.unknown.post, *post)
    for minutes in (-6, 6):
        then = time.time() + minutes * 60
        journey.refused(401, "timestamp-outside-window", receiver.post, *post, at=then)
    now = int(time.time())
    headers = {
        "webhook-id": "demo",
        "webhook-timestamp": str(now),
        "webhook-signature": sign_ed25519(b"0" * 32, "demo", now, body),
        "content-type": EVENT,
    }
    ask = (journey.api.call, "POST", f"/webhooks/{receiver.code}")
    journey.refused(401, "signature-invalid", *ask, body=body, headers=headers)
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        less = headers | {name: None}
        journey.refused(401, "signature-missing", *ask, body=body, headers=less)
    journey.refused(422, "agency-code-invalid", ask[0], "POST", "/webhooks/nobody", body=body)


def event(id_, code):
    data = {"document": id_, "code": code}
    return json.dumps({"specversion": "1.0", "type": "copy.status", "data": data}).encode()


def test_callers_who_may_not(journey, parties):
    call, path = journey.api.call, f"/documents/{parties.id}"
    journey.refused(401, "unauthorized", call, "GET", path)
    expired = journey.issuer.token("demo", "auditor", ttl_seconds=-3600)
    for token in ("made.up.token", expired):
        bearer = {"authorization": f"Bearer {token}"}
        journey.refused(401, "unauthorized", call, "GET", path, headers=bearer)
    journey.refused(403, "role-not-allowed", call, "GET", path, role="citizen")
    for role in ("citizen", "auditor", "administrator"):
        ask = {"role": role, "body": document([parties.receiver])}
        journey.refused(403, "role-not-allowed", call, "POST", "/documents", **ask)
    journey.refused(404, "route-not-found", call, "GET", "/no/such/route", role="auditor")
    journey.refused(404, "route-not-found", call, "DELETE", path, role="auditor")
    journey.refused(404, "document-unknown", call, "GET", "/documents/nothing", role="auditor")


def test_what_a_problem_never_repeats(journey, parties):
    secret = "A sentence that only its writer knows"
    for body in ({"subject": {"a": secret}}, {"number": secret}, {"receivers": secret}):
        with pytest.raises(Problem) as caught:
            journey.post(parties.sender, "/documents", body)
        shown = json.dumps(caught.value.body)
        assert "errors" in shown
        assert secret not in shown
    assert secret not in "".join(journey.log())
