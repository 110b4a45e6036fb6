"""Saying it twice changes nothing, whether or not the first answer was heard."""

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import urllib3
from journeys.journey import (
    DAY,
    document,
    edxml_document,
    edxml_status,
    id_of,
    number,
    reference,
    until,
)

from chalicelib.contexts.documents.domain.events import document_id

EVENT = "application/cloudevents+json"


@pytest.fixture(scope="module")
def parties(journey):
    return journey.join(), journey.join()


def commits_of(journey, id_):
    return {place for place in journey.commits() if place[0] == f"document-{id_}"}


def test_a_repeated_document_is_sent_once(journey, parties):
    sender, receiver = parties
    key = str(uuid4())
    file = journey.upload(sender, b"demo file")
    body = document([receiver], attachments=[file])
    first = journey.post(sender, "/documents", body, key=key)
    # The upload is gone by now, and the answer is the same all the same.
    again = journey.post(sender, "/documents", body, key=key)
    assert (again.status, again.location, again.body) == (201, first.location, first.body)
    other_key = journey.post(sender, "/documents", body)
    assert (other_key.status, other_key.location) == (200, first.location)
    assert other_key.body == first.body | {"duplicate": True}
    id_ = id_of(first)
    journey.told(sender, id_, "01")
    assert len(commits_of(journey, id_)) == 1
    assert len([m for m in receiver.received if m.data["document"] == id_]) == 1


def test_several_at_once_are_one(journey, parties):
    sender, receiver = parties
    key, body = str(uuid4()), edxml_document(sender, [receiver])
    with ThreadPoolExecutor(3) as clerks:
        asked = [clerks.submit(journey.post, sender, "/edxml", body, key=key) for _ in range(3)]
        answers = [one.result() for one in asked]
    assert len({(a.status, a.location, a.seen) for a in answers}) == 1
    assert len(commits_of(journey, id_of(answers[0]))) == 1


def test_a_lost_answer_is_given_again(journey, parties):
    sender, receiver = parties
    key, body = str(uuid4()), document([receiver])
    id_ = document_id(sender.code, DAY, body["number"], body["notation"])
    headers = {
        "authorization": f"Bearer {journey.api.token('system', sender.code)}",
        "content-type": "application/json",
        "idempotency-key": key,
    }
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        journey.http.request(
            "POST",
            f"{journey.api.url}/documents",
            body=json.dumps(body).encode(),
            headers=headers,
            timeout=urllib3.Timeout(connect=30, read=0.001),
        )
    until("the document that nobody heard of", lambda: commits_of(journey, id_))
    again = journey.post(sender, "/documents", body, key=key)
    assert (again.status, again.location) == (201, f"/documents/{id_}")
    assert again.body == {"seen": f"document-{id_}@1", "version": 1, "document": id_}
    assert len(commits_of(journey, id_)) == 1


def test_a_repeated_webhook_is_one_report(journey, parties):
    sender, receiver = parties
    numbers = number(), number()
    ids = [id_of(journey.send(sender, [receiver], number=given)) for given in numbers]
    for id_ in ids:
        journey.told(sender, id_, "01")
    webhook_id = f"demo_{uuid4()}"

    def post(id_, code):
        data = {"document": id_, "code": code}
        body = json.dumps({"specversion": "1.0", "type": "copy.status", "data": data}).encode()
        return receiver.post(journey.api, body, EVENT, webhook_id)

    first = post(ids[0], "03")
    again = post(ids[0], "03")
    assert (again.status, again.body) == (first.status, first.body)
    journey.status(receiver, ids[0], receiver, "05")
    assert post(ids[0], "03").body == first.body
    reused = (422, "idempotency-key-reused")
    journey.refused(*reused, post, ids[0], "06")
    journey.refused(*reused, post, ids[1], "03")
    message = edxml_status(receiver, sender, reference(sender, numbers[1]), "03")
    journey.refused(*reused, receiver.post, journey.api, message, id_=webhook_id)
    message = edxml_document(receiver, [sender])
    journey.refused(*reused, receiver.post, journey.api, message, id_=webhook_id)
    journey.told(sender, ids[0], "01", "03", "05")
    journey.told(sender, ids[1], "01")
