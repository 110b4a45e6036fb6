"""What edXML says that is hard to read, or cannot be done: none of it is lost in silence."""

import hashlib
import json
from itertools import count
from uuid import uuid4

import pytest
from contexts.documents.edxml import demo_messages as demo
from contexts.documents.mail import first_letter
from gateway import Gateway, caller
from survival.world import world

from app import app
from chalicelib import runtime
from chalicelib.contexts.documents.domain.copy import REASON_CHARS
from chalicelib.contexts.documents.intake import Job, Submission, submissions, take_in
from chalicelib.http.problems import refused
from chalicelib.kernel import Origin

UUID = "7d1a4a1e-2b1f-4f7c-9a7e-0c2b1f1d9e11"
DAY = "<PromulgationDate>2024/05/06</PromulgationDate>"
_numbers = count(1)


@pytest.fixture(scope="module")
def axis():
    with world() as made:
        yield made


@pytest.fixture
def parties(axis):
    """A sender and a receiver of their own, so that lanes begin anew."""
    entered = axis.join(settle=False), axis.join(settle=False)
    axis.settle()
    return entered


def post(agency, body):
    gateway = Gateway(app, caller("system", f"system-{agency.code}", agency.code))
    headers = {"idempotency-key": str(uuid4()), "content-type": "application/xml"}
    return gateway.call("POST", "/edxml", body.encode(), headers)


def seen(agency, location):
    return (
        Gateway(app, caller("system", f"system-{agency.code}", agency.code))
        .call("GET", location)
        .json
    )


def message(sender, receiver, number, document_id="", header="", business="", **parts):
    id_ = document_id or f"{sender.code},2024/05/06,{number}/BTN-VP"
    written = demo.HEADER.replace("G99,2024/05/06,12/BTN-VP", id_).replace(
        ">G99<", f">{sender.code}<"
    )
    written = written.replace("000.00.01.H98", receiver.code).replace(">12<", f">{number}<")
    traces = demo.TRACES
    if business:
        traces = traces.replace("<BussinessDocType>0</BussinessDocType>", business)
    return demo.document(written + header, traces=traces, **parts)


def status(reporter, addressee, answered, code="03", more="", at="2024/05/07 08:09:10"):
    return demo.status(
        f"<From><OrganId>{reporter.code}</OrganId></From>"
        f"<ResponseFor><OrganId>{addressee.code}</OrganId>{answered}</ResponseFor>"
        f"<StatusCode>{code}</StatusCode>{more}<Timestamp>{at}</Timestamp>"
    )


def number():
    return f"{next(_numbers)}"


@pytest.mark.parametrize("document_id", [UUID, ""], ids=["an id of its own", "no id"])
def test_a_document_is_answered_by_its_code_and_day(axis, parties, document_id):
    (sender, receiver), its = parties, number()
    # Software that does not split the code writes all of it as the number.
    body = message(sender, receiver, its, document_id).replace(f">{its}<", f">{its}/BTN-VP<")
    if document_id:
        body = body.replace("<CodeNotation>BTN-VP</CodeNotation>", "<CodeNotation/>")
    sent = post(sender, body)
    assert sent.status == 201, sent.text
    axis.settle()
    id_ = document_id and f"<DocumentId>{document_id}</DocumentId>"
    answered = f"<Code>{its}/BTN-VP</Code>{DAY}{id_}"
    asked_back = post(sender, status(sender, receiver, answered, "13"))
    assert asked_back.status == 202, asked_back.text
    more = "<Description>needed</Description>"
    kept = post(receiver, status(receiver, sender, answered, "16", more))
    assert kept.status == 202, kept.text
    copy = f"{sent.headers['Location']}/copies/{receiver.code}"
    assert seen(sender, copy)["recall"] == "refused"
    nothing = post(receiver, status(receiver, sender, f"<Code>{its}/BTN-VP</Code>{id_}"))
    assert nothing.json["code"] == "reference-unreadable"


def test_the_letter_about_it_has_its_code_and_day(axis, parties):
    (sender, receiver), its = parties, number()
    assert post(sender, message(sender, receiver, its, UUID)).status == 201
    axis.settle()
    found, _ = demo.read(first_letter(sender))
    assert found.status_code == "01"
    assert found.response_for.document_id == UUID
    assert found.response_for.code == f"{its}/BTN-VP"
    assert found.response_for.promulgation_date.isoformat() == "2024-05-06"


def test_one_document_however_its_day_is_written(axis, parties):
    (sender, receiver), its = parties, number()
    first = post(
        sender, message(sender, receiver, its, f"{sender.code},2024-05-06+07:00,{its}/BTN-VP")
    )
    assert first.status == 201, first.text
    axis.settle()
    answered = f"<DocumentId>{sender.code},2024/05/06,{its}/BTN-VP</DocumentId>"
    assert post(receiver, status(receiver, sender, answered)).status == 202


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00", "9999/12/31 23:59:59"])
def test_a_moment_that_nobody_means_is_refused_on_either_road(axis, parties, at):
    sender, receiver = parties
    answered = f"<DocumentId>{sender.code},2024/05/06,1/BTN-VP</DocumentId>"
    body = status(receiver, sender, answered, at=at)
    answer = post(receiver, body)
    assert (answer.status, answer.json["code"]) == (422, "edxml-element-invalid")
    assert answer.json["field"].endswith("/Timestamp")
    after = taken_in(receiver, body.encode())
    assert (after.status, after.problem["code"]) == ("refused", "edxml-element-invalid")


def taken_in(agency, body):
    sha256, id_ = hashlib.sha256(body).hexdigest(), uuid4().hex
    runtime.client("s3").put_object(
        Bucket="staging", Key=f"uploads/{agency.code}/{sha256}", Body=body
    )
    at = runtime.now()
    origin = Origin(command_id=id_, digest=id_, actor="system-1", method="jwt", at=at)
    submissions().put(Submission(id=id_, agency=agency.code, sha256=sha256, received_at=at))
    job = Job(submission=id_, agency=agency.code, sha256=sha256, origin=origin)
    return take_in(job, lambda refusal: json.loads(refused(refusal).body))


def test_a_trace_at_a_moment_that_nobody_means_is_a_warning(axis, parties):
    sender, receiver = parties
    passed = "<OrganId>A80</OrganId><Timestamp>9999-12-31T23:59:59Z</Timestamp>"
    traces = f"<TraceHeader>{passed}</TraceHeader><Bussiness>"
    body = message(sender, receiver, number()).replace("<Bussiness>", traces)
    answer = post(sender, body)
    assert [each.split()[0] for each in answer.json["warnings"]] == ["date-unreadable"]
    axis.settle()
    found, _ = demo.read(first_letter(receiver))
    assert [(each.organ_id, each.timestamp) for each in found.traces] == [("A80", None)]


REASON = "<BussinessDocReason>{}</BussinessDocReason>"
ORDERS = {
    "1": REASON,
    "2": f"{REASON}<BussinessDocumentInfo><DocumentInfo>1</DocumentInfo></BussinessDocumentInfo>",
}


@pytest.mark.parametrize("operation", ORDERS)
def test_a_reason_is_kept_whole_or_refused(axis, parties, operation):
    (sender, receiver), its = parties, number()
    assert post(sender, message(sender, receiver, its)).status == 201

    def order(reason):
        said = f"<BussinessDocType>{operation}</BussinessDocType>{ORDERS[operation].format(reason)}"
        body = message(sender, receiver, its, business=said)
        return post(sender, body.replace("<Subject>", "<Subject>Re: "))

    answer = order("x" * (REASON_CHARS + 1))
    assert (answer.status, answer.json["code"]) == (422, "edxml-element-invalid")
    assert answer.json["field"] == "Bussiness/BussinessDocReason"
    assert order("x" * REASON_CHARS).status == 202


def test_a_description_is_kept_whole_or_refused(axis, parties):
    (sender, receiver), its = parties, number()
    assert post(sender, message(sender, receiver, its)).status == 201
    axis.settle()
    answered = f"<DocumentId>{sender.code},2024/05/06,{its}/BTN-VP</DocumentId>"

    def refuse(reason):
        more = f"<Description>{reason}</Description>"
        return post(receiver, status(receiver, sender, answered, "02", more))

    answer = refuse("x" * (REASON_CHARS + 1))
    assert (answer.status, answer.json["code"], answer.json["field"]) == (
        *(422, "edxml-element-invalid"),
        "Description",
    )
    assert refuse("x" * REASON_CHARS).status == 202


@pytest.mark.parametrize(
    ("header", "business", "warned"),
    [
        ("<OtherInfo><Priority>3</Priority></OtherInfo>", "", "official/priority"),
        ("", "<Paper>1</Paper>", "paper_follows"),
    ],
)
def test_an_update_of_what_cannot_be_updated_is_noted(axis, parties, header, business, warned):
    (sender, receiver), its = parties, number()
    first = message(sender, receiver, its)
    location = post(sender, first).headers["Location"]
    said = f"<BussinessDocType>2</BussinessDocType>{business}"
    update = message(sender, receiver, its, header=header, business=said)
    answer = post(sender, update)
    assert (answer.status, answer.json["version"]) == (202, 2)
    shown = seen(sender, location)
    assert f"not-amendable {warned}" in shown["warnings"]
    gateway = Gateway(app, caller("system", f"system-{sender.code}", sender.code))
    assert gateway.call("GET", f"{location}/original").text == update
    assert post(sender, update).json["duplicate"]
    assert post(sender, first).json["duplicate"]
    # Nobody need take an edition that says nothing else.
    axis.settle()
    assert len(receiver.got) == 1


def test_what_is_said_of_a_file_reaches_the_receiver(axis, parties):
    (sender, receiver), its = parties, number()
    described = demo.REFERENCE.replace(
        "<AttachmentName>", "<Description>Phụ lục I: danh mục</Description><AttachmentName>"
    )
    files = {"references": described, "attachments": demo.attachment()}
    location = post(sender, message(sender, receiver, its, **files)).headers["Location"]
    axis.settle()
    (shown,) = seen(receiver, location)["attachments"]
    assert shown["description"] == "Phụ lục I: danh mục"
    found, _ = demo.read(first_letter(receiver))
    assert found.attachments[0].description == "Phụ lục I: danh mục"
    # Named again by its digest, it is the same file still.
    named = {name: shown[name] for name in ("name", "media_type", "size", "sha256")}
    gateway = Gateway(app, caller("system", f"system-{sender.code}", sender.code))
    again = gateway.call(
        "POST",
        f"{location}/amendments",
        {"attachments": [named], "content": "More"},
        {"idempotency-key": str(uuid4())},
    )
    assert again.status == 202, again.text
    assert seen(receiver, location)["attachments"][0]["description"] == "Phụ lục I: danh mục"
