"""Messages larger than the gateway carries: uploaded by link, named by their digest."""

import os
from uuid import uuid4

import pytest
from journeys.journey import (
    digest,
    edxml_document,
    edxml_status,
    id_of,
    number,
    reference,
    until,
)

from infra.api import XML

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def parties(journey):
    return journey.join(), journey.join("edxml")


def submit(journey, agency, body, key=None):
    """Upload a message and ask for it to be read."""
    journey.upload(agency, body, "message.edxml", XML)
    return journey.post(agency, "/submissions", {"sha256": digest(body)}, key=key)


def ended(journey, agency, location):
    def look():
        found = journey.get(agency, location)
        return found if found["status"] != "waiting" else None

    return until("the submission to be read", look)


def test_a_large_message_travels_like_any_other(journey, parties):
    sender, receiver = parties
    content = os.urandom(8 * MIB)  # Nothing shrinks it.
    body = edxml_document(sender, [receiver], ("bản vẽ.pdf", content))
    assert len(body) > 10 * MIB
    key = str(uuid4())
    asked = submit(journey, sender, body, key)
    assert asked.status == 202
    found = ended(journey, sender, asked.location)
    assert found["status"] == "accepted"
    until("the document", lambda: receiver.received)
    assert receiver.received[0].data["files"] == [("bản vẽ.pdf", digest(content))]
    id_ = found["seen"].split("@")[0].removeprefix("document-")
    journey.told(sender, id_, "01")
    [file] = journey.get(sender, f"/documents/{id_}")["attachments"]
    assert digest(journey.fetch(file["url"])) == digest(content)
    assert journey.uploaded() == {}

    again = journey.post(sender, "/submissions", {"sha256": digest(body)}, key=key)
    assert (again.location, again.body) == (asked.location, found)
    journey.refused(404, "submission-unknown", journey.get, receiver, asked.location)
    other = {"sha256": digest(b"another message")}
    ask = (journey.post, sender, "/submissions", other)
    journey.refused(422, "idempotency-key-reused", *ask, key=key)
    journey.refused(422, "attachment-not-arrived", *ask)


def test_what_no_table_can_hold_travels_and_is_answered(journey, parties):
    sender, receiver = parties
    places = ("Demo place " * 60,) * 500
    sent = journey.send(sender, [receiver], to_places=places)
    journey.told(sender, id_of(sent), "01")
    assert receiver.received[-1].body.count(b"<edXML:Place>") >= len(places)
    by_link = number()
    message = edxml_document(sender, [receiver], code_number=by_link, to_places=places)
    # The same again, in other bytes, is the same document.
    for body in (message, message + b"\n"):
        found = ended(journey, sender, submit(journey, sender, body).location)
        assert found["status"] == "accepted", found
    id_ = found["seen"].split("@")[0].removeprefix("document-")
    journey.told(sender, id_, "01")
    status = edxml_status(receiver, sender, reference(sender, by_link), "03")
    assert ended(journey, receiver, submit(journey, receiver, status).location)
    journey.told(sender, id_, "01", "03")
    assert journey.get(receiver, f"/documents/{id_}/copies/{receiver.code}")["arrival_number"] == 1


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(lambda xml: xml[:-20], "edxml-malformed", id="it breaks off"),
        pytest.param(
            lambda xml: xml.replace(b"Demo:", b"TUYET MAT:"), "secret-marking", id="secret"
        ),
    ],
)
def test_a_bad_upload_is_refused_and_deleted(journey, parties, spoil, code):
    sender, receiver = parties
    with journey.nothing_stored():
        body = spoil(edxml_document(sender, [receiver], ("a.pdf", os.urandom(5 * MIB))))
        found = ended(journey, sender, submit(journey, sender, body).location)
        assert found["status"] == "refused"
        assert found["problem"]["code"] == code
        assert found["problem"]["status"] == 422
