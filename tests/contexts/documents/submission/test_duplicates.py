"""What was said before repeats its receipt, whoever says it by which road; what failed is tried."""

import json
import os
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from types import SimpleNamespace
from unittest import mock
from uuid import uuid4

import pytest
from gateway import Gateway, caller
from journeys.journey import edxml_document, edxml_status
from survival.world import public, world

from app import app
from chalicelib import files, runtime
from chalicelib.contexts.documents.intake import STUCK_S, Job, submissions, take_in
from chalicelib.delivery.signatures import sign_ed25519
from chalicelib.http.problems import refused

XML = "application/xml"


@pytest.fixture(scope="module")
def axis():
    with world() as made:
        intake = runtime.client("sqs").create_queue(QueueName="intake-of-uploads")
        with mock.patch.dict(os.environ, {"INTAKE_QUEUE_URL": intake["QueueUrl"]}):
            yield made


@pytest.fixture(scope="module")
def parties(axis):
    entered = axis.join(settle=False), axis.join(settle=False)
    axis.settle()
    return entered


def post(agency, path, body, key=None, kind="application/json"):
    gateway = Gateway(app, caller("system", f"system-{agency.code}", agency.code))
    headers = {"idempotency-key": key or str(uuid4()), "content-type": kind}
    return gateway.call("POST", path, body, headers)


def repeats(again, first, status):
    """The receipt of the first, marked."""
    receipt = {name: said for name, said in first.json.items() if name != "warnings"}
    return (again.status, again.json) == (status, {**receipt, "duplicate": True})


def test_a_document_again_repeats_the_receipt_of_the_first(axis, parties):
    sender, receiver = parties
    body, key = axis.document(receiver), str(uuid4())
    first = post(sender, "/documents", body, key)
    assert (first.status, "duplicate" in first.json) == (201, False)
    # The same request gives the same answer; another one that says the same, its receipt.
    assert post(sender, "/documents", body, key).json == first.json
    assert post(sender, "/documents", body, key).status == 201
    axis.settle()
    path = first.headers["Location"]
    assert post(sender, f"{path}/amendments", {"subject": "Put right"}).status == 202
    again = post(sender, "/documents", body)
    assert repeats(again, first, 200)
    assert again.headers["Location"] == path


@pytest.mark.parametrize(
    ("fields", "differs"),
    [
        ({"subject": "Demo: another"}, "official/subject"),
        ({"priority": 2}, "official/priority"),
        ({"paper_follows": True}, "paper_follows"),
    ],
)
def test_another_document_under_its_name_is_told_what_differs(axis, parties, fields, differs):
    sender, receiver = parties
    body = axis.document(receiver)
    post(sender, "/documents", body)
    refused = post(sender, "/documents", body | fields)
    assert (refused.status, refused.json["code"]) == (409, "document-already-sent")
    assert (refused.json["field"], differs in refused.json["detail"]) == (differs, True)


def test_what_was_refused_is_tried_as_new(axis, parties):
    sender, receiver = parties
    key, body = str(uuid4()), axis.document(receiver)
    refused = post(sender, "/documents", body | {"receivers": ["Z09"]}, key)
    assert (refused.status, refused.json["code"]) == (422, "receiver-unknown")
    assert post(sender, "/documents", body, key).status == 201


def test_orders_again_repeat_theirs(axis, parties):
    sender, receiver = parties
    path = f"/documents/{axis.send(sender, receiver)}"
    axis.settle()
    for order, asked in (
        ("amendments", {"subject": "Put right"}),
        ("revocations", {"reason": "demo"}),
    ):
        first = post(sender, f"{path}/{order}", asked)
        assert first.status == 202
        assert repeats(post(sender, f"{path}/{order}", asked), first, 202)
    axis.settle()
    # Who refuses to give it back can be ordered to again.
    statuses = f"{path}/copies/{receiver.code}/statuses"
    assert post(receiver, statuses, {"code": "16", "note": "needed"}).status == 202
    second = post(sender, f"{path}/revocations", {"reason": "demo, once more"})
    assert (second.status, second.json["version"], "duplicate" in second.json) == (202, 4, False)
    axis.settle()
    assert receiver.got[-1].data["note"] == "demo, once more"
    assert repeats(post(sender, f"{path}/revocations", {"reason": "demo"}), second, 202)
    assert post(receiver, statuses, {"code": "15"}).status == 202


def test_a_status_again_repeats_its_receipt_on_every_road(axis, parties):
    sender, receiver = parties
    sent = post(sender, "/edxml", edxml_document(sender, [receiver], code_number="9001"), kind=XML)
    assert sent.status == 201
    id_ = sent.headers["Location"].rsplit("/", 1)[1]
    axis.settle()
    statuses = f"/documents/{id_}/copies/{receiver.code}/statuses"
    first = post(receiver, statuses, {"code": "03"})
    assert post(receiver, statuses, {"code": "04"}).status == 202
    second = post(receiver, statuses, {"code": "04"})
    assert second.json["duplicate"]
    assert post(receiver, statuses, {"code": "03"}).json["code"] == "status-goes-back"

    recalled = post(sender, statuses, {"code": "13"})
    assert repeats(post(sender, statuses, {"code": "13"}), recalled, 202)
    agreed = post(receiver, statuses, {"code": "15"})
    reference = f"{sender.code},2026/03/04,9001/CV-DEMO"
    for code in ("14", "15"):
        message = edxml_status(receiver, sender, reference, code)
        assert repeats(post(receiver, "/edxml", message, kind=XML), agreed, 202)
        assert repeats(webhook(axis, receiver, id_, code), agreed, 202)
    assert first.json["version"] < agreed.json["version"]


def test_two_systems_of_an_agency_that_answer_differently(axis, parties):
    sender, receiver = parties
    other = SimpleNamespace(code=receiver.code, seed=bytes(32))
    system = {"kind": "archive", "endpoint": "", "public_keys": [public(other.seed)]}
    axis.administer("PUT", f"/agencies/{receiver.code}/systems/other", system)
    id_ = axis.send(sender, receiver)
    axis.settle()
    first = webhook(axis, receiver, id_, "03")
    assert first.status == 202
    # The first word stands; who says it again has its receipt, who says another thing is refused.
    assert repeats(webhook(axis, other, id_, "03"), first, 202)
    for code, refusal in (("02", "status-goes-back"), ("15", "no-recall-pending")):
        assert webhook(axis, other, id_, code).json["code"] == refusal
    copy = f"/documents/{id_}/copies/{receiver.code}"
    assert axis.ask("system", sender.code, "GET", copy).json["code"] == "03"


@pytest.mark.parametrize("document", ["", "a b", "document-1@1", "a#b", "a" * 2_000])
def test_a_webhook_about_what_can_be_no_document_is_refused(axis, parties, document):
    answer = webhook(axis, parties[1], document, "03")
    assert (answer.status, answer.json["code"]) == (422, "invalid-request")
    assert answer.json["errors"][0]["field"] == "/data/document"


def webhook(axis, system, document, code):
    event = {"specversion": "1.0", "type": "copy.status"}
    body = json.dumps(event | {"data": {"document": document, "code": code}}).encode()
    id_, at = f"demo_{uuid4()}", int(axis.now().timestamp())
    headers = {
        "content-type": "application/cloudevents+json",
        "webhook-id": id_,
        "webhook-timestamp": str(at),
        "webhook-signature": sign_ed25519(system.seed, id_, at, body),
    }
    return Gateway(app).call("POST", f"/webhooks/{system.code}", body, headers)


def test_a_gateways_document_again_repeats_its_receipt(axis, parties):
    sender, receiver = parties
    message = edxml_document(sender, [receiver], ("demo.pdf", b"%PDF-1.7 demo"), code_number="9002")
    first = post(sender, "/edxml", message, kind=XML)
    assert first.status == 201
    assert repeats(post(sender, "/edxml", message, kind=XML), first, 200)
    other = edxml_document(sender, [receiver], code_number="9002")
    refused = post(sender, "/edxml", other, kind=XML)
    assert (refused.status, refused.json["field"]) == (409, "attachments")


def upload(agency, message):
    digest = sha256(message).digest()
    runtime.client("s3").put_object(
        Bucket=runtime.staging_bucket(),
        Key=files._staged(agency.code, digest.hex()),
        Body=message,
        ChecksumSHA256=b64encode(digest).decode(),
    )
    return {"sha256": digest.hex()}


def run_intake():
    sqs, url = runtime.client("sqs"), runtime.queue_url("intake")
    for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        job = Job.model_validate_json(message["Body"])
        take_in(job, lambda refusal: json.loads(refused(refusal).body))


def test_an_upload_again_repeats_its_receipt_and_a_refused_one_is_read_again(axis, parties):
    sender, receiver = parties
    message = edxml_document(sender, [receiver], code_number="9003")
    asked, key = upload(sender, message), str(uuid4())
    first = post(sender, "/submissions", asked, key)
    assert (first.status, first.json["status"]) == (202, "waiting")
    run_intake()
    accepted = post(sender, "/submissions", asked, key).json
    assert (accepted["status"], accepted["duplicate"]) == ("accepted", False)
    # The upload is gone by now; another submission of it gets the receipt all the same.
    again = post(sender, "/submissions", asked).json
    assert again["id"] != accepted["id"]
    assert (again["status"], again["seen"], again["duplicate"]) == (
        "accepted",
        accepted["seen"],
        True,
    )
    small = post(sender, "/edxml", message, kind=XML)
    assert (small.status, small.json["seen"]) == (200, accepted["seen"])

    stranger = edxml_document(receiver, [sender], code_number="9004")
    asked, key = upload(sender, stranger), str(uuid4())
    post(sender, "/submissions", asked, key)
    run_intake()
    refused = post(sender, "/submissions", asked, key)
    assert (refused.status, refused.json["code"]) == (422, "attachment-not-arrived")
    upload(sender, stranger)
    assert post(sender, "/submissions", asked, key).json["status"] == "waiting"


def test_a_submission_that_got_stuck_is_given_to_the_worker_again(axis, parties):
    sender, receiver = parties
    asked = upload(sender, edxml_document(sender, [receiver], code_number="9005"))
    key = str(uuid4())
    stuck = post(sender, "/submissions", asked, key).json
    runtime.client("sqs").purge_queue(QueueUrl=runtime.queue_url("intake"))
    for waited, status in ((0, "waiting"), (STUCK_S, "accepted")):
        axis.later(timedelta(seconds=waited))
        assert post(sender, "/submissions", asked, key).json["id"] == stuck["id"]
        run_intake()
        assert submissions().get(stuck["id"]).status == status
