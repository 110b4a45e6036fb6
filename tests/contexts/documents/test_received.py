"""What is looked at when a document comes in: types, signatures; and the message that is kept."""

import hashlib
import json
import os
from io import BytesIO
from itertools import count
from uuid import uuid4

import pytest
from contexts.documents.edxml import demo_messages as demo
from contexts.documents.signatures import demo_pki as pki
from contexts.documents.signatures.demo_pki import authority, plain_pdf, signed_message, signed_pdf
from deployed import on_moto
from gateway import Gateway, caller

from app import app
from chalicelib import runtime
from chalicelib.contexts.audit import erase
from chalicelib.contexts.documents import files, originals
from chalicelib.contexts.documents.domain.document import document
from chalicelib.contexts.documents.intake import Job, Submission, submissions, take_in
from chalicelib.contexts.documents.signatures import examine
from chalicelib.contexts.documents.submission import examined
from chalicelib.handle import fold
from chalicelib.http.problems import refused
from chalicelib.http.resource import MAX_ANSWER_BYTES
from chalicelib.kernel import Origin

SENDER, RECEIVER = "G99", "H98"
sender = Gateway(app, caller("system", "system-1", SENDER))
receiver = Gateway(app, caller("system", "system-2", RECEIVER))
auditor = Gateway(app, caller("auditor"))
administrator = Gateway(app, caller("administrator"))
_numbers = count(1)


@pytest.fixture(scope="module", autouse=True)
def deployment():
    with on_moto():
        for code in (SENDER, RECEIVER):
            entered = {"code": code, "name": f"Demo {code}", "source": "demo data"}
            assert post(administrator, "/agencies", entered).status == 201
        trust(authority().pem)
        yield


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However busy this machine is: what bounds an examination is its processor time."""
    monkeypatch.setattr(examine, "WAIT_S", 600)


def trust(bundle):
    runtime.client("s3").put_object(Bucket="content", Key=runtime.TRUST_ANCHORS, Body=bundle)


def post(gateway, path, body, kind="application/json"):
    headers = {"idempotency-key": str(uuid4()), "content-type": kind}
    return gateway.call("POST", path, body, headers, binary=isinstance(body, bytes))


def kept(prefix):
    listed = runtime.client("s3").list_objects_v2(Bucket="content", Prefix=prefix)
    return {each["Key"] for each in listed.get("Contents", [])}


def message(file=None, name="a.pdf", *, signature=False, staff=""):
    """A new document with one file."""
    number = f"{next(_numbers)}"
    header = demo.HEADER.replace(demo.CODE, demo.CODE.replace(">12<", f">{number}<"))
    header = header.replace(",12/BTN", f",{number}/BTN").replace("000.00.01.H98", RECEIVER)
    placeholder = f'<Signature xmlns="{pki.DSIG}" Id="placeholder"/>' if signature else ""
    written = demo.document(
        header=header,
        traces=demo.TRACES.replace("</Bussiness>", f"{staff}</Bussiness>") + placeholder,
        references=demo.REFERENCE.replace("a.pdf", name) if file else "",
        attachments=demo.attachment(demo.b64(demo.zipped((name, file))), name=name) if file else "",
    ).encode()
    return signed_message(message=written) if signature else written


def send(body):
    answer = post(sender, "/edxml", body, "application/xml")
    assert answer.status == 201, answer.text
    return answer.headers["Location"]


def upload(content, name, media_type):
    digest = hashlib.sha256(content).hexdigest()
    runtime.client("s3").put_object(
        Bucket="staging", Key=f"uploads/{SENDER}/{digest}", Body=content
    )
    return {"name": name, "media_type": media_type, "size": len(content), "sha256": digest}


def send_json(*attachments):
    asked = {
        "number": f"{next(_numbers)}",
        "notation": "CV-DEMO",
        "promulgated_on": "2026-01-02",
        "subject": "Demo document",
        "receivers": [RECEIVER],
        "attachments": attachments,
    }
    return post(sender, "/documents", asked)


def signatures(location, gateway=sender):
    shown = gateway.call("GET", location).json
    return [(each["about"], each["verdict"], each["reason"]) for each in shown["signatures"]]


def test_the_signatures_of_a_message_and_its_files_are_reported_to_all():
    pdf = signed_pdf()
    location = send(message(pdf, signature=True))
    expected = [("message", "valid", ""), (hashlib.sha256(pdf).hexdigest(), "valid", "")]
    assert signatures(location) == signatures(location, receiver) == expected
    shown = sender.call("GET", location).json
    assert not [each for each in shown["warnings"] if each.startswith("signature-")]
    assert {each["organisation"] for each in shown["signatures"]} == {pki.ORGANISATION}


def test_a_signature_that_proves_nothing_is_a_warning_and_no_refusal():
    pdf = pki.turned_pdf(signed_pdf())
    digest = hashlib.sha256(pdf).hexdigest()
    body = message(pdf, signature=True).replace(b"<Subject>", b"<Subject>Re: ")
    location = send(body)
    assert signatures(location) == [
        ("message", "invalid", "digest-differs"),
        (digest, "invalid", "changed-after-signing"),
    ]
    warnings = sender.call("GET", location).json["warnings"]
    assert {"signature-invalid message", f"signature-invalid {digest}"} <= set(warnings)


def test_without_trust_anchors_all_is_unverifiable():
    runtime.client("s3").delete_object(Bucket="content", Key=runtime.TRUST_ANCHORS)
    try:
        location = send(message(signature=True))
    finally:
        trust(authority().pem)
    assert signatures(location) == [("message", "unverifiable", "no-trust-anchor")]


def test_uploaded_files_are_examined_too():
    signed, changed = signed_pdf(), pki.turned_pdf(signed_pdf())
    answer = send_json(
        upload(signed, "a.pdf", "application/pdf"),
        upload(plain_pdf(), "b.pdf", "application/pdf"),
        upload(changed, "c.pdf", "application/pdf"),
        upload(b"Demo text that says /ByteRange", "d.txt", "text/plain"),
    )
    assert answer.status == 201, answer.text
    assert signatures(answer.headers["Location"]) == [
        (hashlib.sha256(signed).hexdigest(), "valid", ""),
        (hashlib.sha256(changed).hexdigest(), "invalid", "changed-after-signing"),
    ]


def test_an_amendment_keeps_what_is_known_of_the_files_that_stay():
    first, second = signed_pdf(), pki.turned_pdf(signed_pdf())
    location = send(message(first, signature=True))
    stays = sender.call("GET", location).json["attachments"][0]
    stays = {name: stays[name] for name in ("name", "media_type", "size", "sha256")}
    new = upload(second, "b.pdf", "application/pdf")
    answer = post(sender, f"{location}/amendments", {"attachments": [stays, new]})
    assert answer.status == 202, answer.text
    # What signed the message signed the first edition only.
    assert signatures(location) == [
        (new["sha256"], "invalid", "changed-after-signing"),
        (stays["sha256"], "valid", ""),
    ]


def test_uploads_beyond_what_is_fetched_are_not_silently_trusted(monkeypatch):
    monkeypatch.setattr(examined, "MAX_FETCHED", 10)
    part = upload(signed_pdf(), "a.pdf", "application/pdf")
    location = send_json(part).headers["Location"]
    assert signatures(location) == [(part["sha256"], "unverifiable", "too-large")]


PNG, EXE = b"\x89PNG\r\n\x1a\n demo", b"MZ demo program"


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        pytest.param(PNG, "a.pdf", "application/pdf", id="a picture as PDF"),
        pytest.param(EXE, "a.pdf", "application/octet-stream", id="a program, by its name a PDF"),
        pytest.param(EXE, "a", "image/png", id="a program, by its type a picture"),
        pytest.param(plain_pdf(), "a.docx", "application/octet-stream", id="a PDF as letter"),
    ],
)
def test_a_file_that_is_of_another_type_is_refused_and_nothing_kept(content, name, media_type):
    before = kept("")
    answer = send_json(upload(content, name, media_type))
    assert (answer.status, answer.json["code"]) == (422, "attachment-type-wrong")
    assert answer.json["field"] == "attachments/0"
    if "." in name:
        answer = post(sender, "/edxml", message(content, name), "application/xml")
        assert (answer.status, answer.json["code"]) == (422, "attachment-type-wrong")
    assert kept("") == before
    assert "Contents" not in runtime.client("s3").list_objects_v2(Bucket="staging")


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        pytest.param(demo.zipped(("a", b"x")), "a.docx", "application/zip", id="an office package"),
        pytest.param(PNG, "a.bin", "application/octet-stream", id="of a type nobody claims"),
        pytest.param(b"Demo text", "a.pdf", "application/pdf", id="of a type nobody knows"),
    ],
)
def test_a_file_that_does_not_lie_is_taken(content, name, media_type):
    assert send_json(upload(content, name, media_type)).status == 201


STAFF = "<StaffInfo><Department>Demo office</Department><Staff>Demo Clerk</Staff></StaffInfo>"


def original(location, gateway=sender, query=""):
    return gateway.call("GET", f"{location}/original{query}")


def event_of(location):
    commits = runtime.event_store().load(f"document-{location.rpartition('/')[2]}")
    return fold(document, commits)


@pytest.mark.parametrize("staff", ["", STAFF], ids=["nobody named", "a clerk named"])
def test_the_message_is_kept_as_it_came(staff):
    body = message(plain_pdf(), staff=staff)
    location = send(body)
    for gateway in (sender, auditor):
        answer = original(location, gateway)
        assert (answer.status, answer.text.encode()) == (200, body)
        assert answer.headers["Content-Type"].startswith("application/xml")
    assert original(location, receiver).json["code"] == "not-the-sender"
    noted = event_of(location).originals[1]
    sealed = runtime.client("s3").get_object(Bucket="content", Key=f"originals/{noted.sha256}")
    sealed = sealed["Body"].read()
    assert hashlib.sha256(sealed).hexdigest() == noted.sha256
    assert noted.size == len(body)
    assert b"edXML" not in sealed


def test_forgetting_the_clerk_makes_the_message_unreadable():
    location = send(message(staff=STAFF.replace("Demo Clerk", "Another Clerk")))
    noted = event_of(location)
    assert noted.originals[1].subject == noted.now.staff.subject
    runtime.client("dynamodb").delete_item(
        TableName=runtime.table("subject_keys"),
        Key={"subject": {"S": noted.now.staff.subject}},
    )
    runtime.vault.cache_clear()
    answer = original(location)
    assert (answer.status, answer.json["code"]) == (410, "original-erased")
    assert sender.call("GET", location).json["staff"] is None


def test_auditors_do_not_read_whom_to_ask():
    location = send(message(staff=STAFF))
    assert auditor.call("GET", location).json["staff"] is None
    for gateway in (sender, receiver):
        assert gateway.call("GET", location).json["staff"]["staff"] == "Demo Clerk"


def test_a_clerk_is_forgotten_as_anybody_is():
    location = send(message(staff=STAFF.replace("Demo Clerk", "Former Clerk")))
    name = event_of(location).now.staff.subject
    asked = post(administrator, "/erasures", {"subject": name, "reason": "left office"})
    assert asked.status == 202, asked.text
    deputy = Gateway(app, caller("administrator", "deputy"))
    key = {"idempotency-key": str(uuid4())}
    where = f"{asked.headers['Location']}/approval"
    assert deputy.call("PUT", where, {}, key).status == 202
    erase.carry_out(f"subject-{name}", name)
    assert sender.call("GET", location).json["staff"] is None
    assert original(location).json["code"] == "original-erased"


def test_each_edition_has_the_message_that_made_it():
    first = message(plain_pdf())
    location = send(first)
    update = (
        b"<Bussiness><BussinessDocType>2</BussinessDocType>"
        b"<BussinessDocumentInfo><DocumentInfo>1</DocumentInfo></BussinessDocumentInfo></Bussiness>"
    )
    business = b"<Bussiness><BussinessDocType>0</BussinessDocType></Bussiness>"
    second = first.replace(business, update).replace(b"<Subject>", b"<Subject>Re: ")
    assert post(sender, "/edxml", second, "application/xml").status == 202
    assert original(location).text.encode() == second
    assert original(location, query="?edition=1").text.encode() == first
    for query in ("?edition=3", "?edition=-1", "?edition=one"):
        answer = original(location, query=query)
        assert (answer.status, answer.json["code"]) == (404, "original-unknown")


def test_what_came_as_json_has_no_message():
    location = send_json().headers["Location"]
    assert original(location).json["code"] == "original-unknown"


def test_a_repetition_keeps_nothing_again():
    body = message()
    send(body)
    before = kept("originals/")
    assert len(before) > 0
    assert post(sender, "/edxml", body, "application/xml").json["duplicate"]
    assert kept("originals/") == before


def large(size):
    return message(os.urandom(size), name="a.bin")


def taken_in(body):
    digest = upload(body, "m.edxml", "application/xml")["sha256"]
    id_ = uuid4().hex
    at = runtime.now()
    origin = Origin(command_id=id_, digest=id_, actor="system-1", method="jwt", at=at)
    submissions().put(Submission(id=id_, agency=SENDER, sha256=digest, received_at=at))
    job = Job(submission=id_, agency=SENDER, sha256=digest, origin=origin)
    after = take_in(job, lambda refusal: json.loads(refused(refusal).body))
    assert after.status == "accepted", after.problem
    return "/documents/" + after.seen.split("@")[0].removeprefix("document-")


def test_a_message_too_large_for_an_answer_is_kept_all_the_same():
    body = large(MAX_ANSWER_BYTES)
    location = taken_in(body)
    answer = original(location)
    assert (answer.status, answer.json["code"]) == (413, "original-too-large")
    noted = event_of(location).originals[1]
    assert noted.size == len(body)
    sealed = runtime.client("s3").get_object(Bucket="content", Key=f"originals/{noted.sha256}")
    where = f"original-{location.rpartition('/')[2]}"
    assert runtime.vault().open_bytes(noted.subject, where, sealed["Body"].read()) == body


def test_an_answer_is_counted_as_lambda_does():
    # In JSON, each of these letters takes six bytes instead of three.
    prose = "ế" * 60_000
    extra = f"<Extra>{prose}</Extra>" * 16
    body = message().replace(b"<edXMLBody>", f"{extra}<edXMLBody>".encode())
    assert len(body) < MAX_ANSWER_BYTES < len(json.dumps(body.decode()))
    answer = original(send(body))
    assert (answer.status, answer.json["code"]) == (413, "original-too-large")


def test_a_message_over_the_limit_is_not_kept_and_says_so(monkeypatch):
    monkeypatch.setattr(originals, "MAX_KEPT", 1_000)
    location = send(message(plain_pdf()))
    assert originals.NOT_KEPT in sender.call("GET", location).json["warnings"]
    assert original(location).json["code"] == "original-unknown"


def test_a_refused_message_leaves_nothing():
    before = kept("")
    body = message(plain_pdf()).replace(RECEIVER.encode(), b"Z98")
    answer = post(sender, "/edxml", body, "application/xml")
    assert answer.json["code"] == "receiver-unknown"
    assert kept("") == before


def test_a_key_that_stands_for_another_document_leaves_nothing():
    headers = {"idempotency-key": str(uuid4()), "content-type": "application/xml"}
    first, second = message(), message(plain_pdf())
    assert sender.call("POST", "/edxml", first, headers, binary=True).status == 201
    before = kept("")
    answer = sender.call("POST", "/edxml", second, headers, binary=True)
    assert answer.json["code"] == "idempotency-key-reused"
    assert kept("") == before


def test_what_is_read_is_recorded_byte_by_byte():
    content = os.urandom(300_000)
    with files.Carried() as carried:
        source = carried.record(BytesIO(content))
        while source.read(64_000):
            pass
        assert carried.message.read_bytes() == content
