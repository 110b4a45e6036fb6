"""Signatures are examined on the deployed stack too, and the message is kept as it came."""

import hashlib

import pytest
from contexts.documents.signatures.demo_pki import authority, signed_message, signed_pdf
from journeys.journey import edxml_document, id_of, until

from chalicelib.runtime import TRUST_ANCHORS
from infra.api import XML


@pytest.fixture
def trusted(journey):
    """The demo authority is trusted while the test runs."""
    place = {"Bucket": journey.name("ContentBucket"), "Key": TRUST_ANCHORS}
    journey.client("s3").put_object(**place, Body=authority().pem.encode())
    yield
    journey.client("s3").delete_object(**place)


@pytest.mark.usefixtures("trusted")
def test_signatures_and_the_message_itself(journey):
    sender, receiver = journey.join(), journey.join()
    pdf = signed_pdf()
    digest = hashlib.sha256(pdf).hexdigest()
    body = signed_message(message=edxml_document(sender, [receiver], ("a.pdf", pdf)))
    id_ = id_of(journey.post(sender, "/edxml", body))
    until("the document", lambda: receiver.received)
    told = receiver.received[0].data["signatures"]
    assert [(each["about"], each["verdict"], each["covers"]) for each in told] == [
        ("message", "valid", "message"),
        (digest, "valid", "file"),
    ]
    assert told == journey.get(receiver, f"/documents/{id_}")["signatures"]
    bearer = {"authorization": f"Bearer {journey.api.token('system', sender.code)}"}
    path = f"{journey.api.url}/documents/{id_}/original"
    assert journey.http.request("GET", path, headers=bearer).data == body
    journey.refused(403, "not-the-sender", journey.get, receiver, f"/documents/{id_}/original")

    part = journey.upload(sender, pdf, "a.pdf", "application/pdf")
    sent = journey.send(sender, [receiver], attachments=[part])
    (report,) = journey.get(sender, f"/documents/{id_of(sent)}")["signatures"]
    assert (report["about"], report["verdict"]) == (digest, "valid")

    location = journey.post(
        sender, "/submissions", {"sha256": upload(journey, sender, [receiver])}
    ).location

    def ended():
        found = journey.get(sender, location)
        return found if found["status"] != "waiting" else None

    large = until("the submission to be read", ended)["seen"].split("@")[0]
    shown = journey.get(sender, f"/documents/{large.removeprefix('document-')}")
    assert [each["verdict"] for each in shown["signatures"]] == ["valid"]


def upload(journey, sender, receivers):
    """The digest of a signed message that goes by link."""
    message = signed_message(message=edxml_document(sender, receivers))
    journey.upload(sender, message, "message.edxml", XML)
    return hashlib.sha256(message).hexdigest()
