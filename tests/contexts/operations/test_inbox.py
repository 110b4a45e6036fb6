"""An agency's system fetches what is for it over HTTP, and acknowledges it."""

import json
from unittest import mock
from uuid import uuid4

import pytest
from survival.world import world as made

from chalicelib import runtime
from chalicelib.contexts.documents import letters
from chalicelib.contexts.operations import inbox
from chalicelib.contexts.operations.inbox import MAX_LIMIT, ROOM_BYTES
from chalicelib.delivery.inbox import PULLED
from chalicelib.http.resource import MAX_ANSWER_BYTES
from chalicelib.privacy.personal import Erased

ACKNOWLEDGE = "/inbox/acknowledgement"


class Office:
    """A sender that is posted to, and a receiver that fetches."""

    def __init__(self, world):
        self.world, self.sender, self.receiver = world, self.sender_of(world), self.join(world)
        self.register(self.receiver, endpoint="")

    @classmethod
    def sender_of(cls, world):
        """The one who sends to everybody."""
        return next(iter(world.systems.values()), None) or cls.join(world)

    @staticmethod
    def join(world):
        # Lanes that wait to be fetched never come to rest; what follows settles the rest.
        with mock.patch.object(world, "settle"):
            return world.join()

    def register(self, system, **fields):
        self.world.administer("PUT", f"/agencies/{system.code}/systems/demo", fields)
        self.run()

    def run(self):
        """Everything but the lanes whose receiver fetches comes to rest."""
        self.world.settle(deliver=False)
        while lanes := [lane for lane in self.world.due() if lane.startswith(self.sender.code)]:
            self.world.deliver(*lanes)
            self.world.settle(deliver=False)

    def send(self, **fields):
        return self.send_some(1, **fields)[0]

    def send_some(self, number, **fields):
        sent = [self.world.send(self.sender, self.receiver, **fields) for _ in range(number)]
        self.run()
        return sent

    def ask(self, method, path, body=None, key="", agency=None):
        code = agency or self.receiver.code
        return self.world.try_("system", code, method, path, body, key)

    def fetch(self, query=""):
        answer = self.ask("GET", f"/inbox{query}")
        assert answer.status == 200, answer.text
        return answer.json

    def acknowledge(self, sequence, key="", lane="normal"):
        return self.ask("POST", ACKNOWLEDGE, {"lane": lane, "sequence": sequence}, key)

    def status(self, document):
        path = f"/documents/{document}/copies/{self.receiver.code}"
        return self.world.ask("system", self.sender.code, "GET", path).json["code"]


@pytest.fixture(scope="module")
def world():
    """One axis for all; each test has agencies of its own."""
    with made() as world:
        yield world


@pytest.fixture
def office(world):
    return Office(world)


@pytest.fixture(scope="module")
def bystander(world):
    """An office for those who only ask wrongly."""
    return Office(world)


def code(answer):
    return answer.status, answer.json["code"]


def test_a_message_is_fetched_and_acknowledged(office):
    one, two = office.send(), office.send()
    page = office.fetch()
    assert (page["lane"], page["acknowledged"], page["head"], page["next"]) == (
        "normal",
        0,
        2,
        None,
    )
    first, second = page["items"]
    assert (first["sequence"], first["case"], first["type"]) == (1, one, "document.sent")
    assert first["content_type"] == letters.CLOUDEVENT_TYPE
    assert first["letter"]["id"] == first["id"]
    assert first["letter"]["position"] == first["position"]
    assert first["letter"]["data"]["document"] == one
    assert second["letter"]["data"]["document"] == two
    assert office.status(one) == ""
    assert office.fetch() == page, "to look moves nothing"

    answer = office.acknowledge(1)
    assert (answer.status, answer.json) == (
        202,
        {"lane": "normal", "acknowledged": 1, "done": True},
    )
    assert (office.status(one), office.status(two)) == ("01", "")
    assert [item["sequence"] for item in office.fetch()["items"]] == [2]
    attempts = office.ask("GET", f"/messages/{first['id']}/attempts").json["attempts"]
    assert [(a["status"], a["reason"]) for a in attempts] == [(200, PULLED)]
    office.run()
    assert office.sender.codes(one) == ["01"]
    assert office.receiver.got == []


def test_an_acknowledgement_may_come_again_but_not_too_early(office):
    one = office.send()
    assert code(office.acknowledge(2)) == (422, "acknowledged-too-far")
    assert code(office.acknowledge(1, lane="urgent")) == (422, "acknowledged-too-far")
    key = str(uuid4())
    first = office.acknowledge(1, key)
    assert (office.acknowledge(1, key).json, office.acknowledge(1).json) == (first.json,) * 2
    office.run()
    arrived = [event["document"] for event in office.world.events("copy.arrived")]
    assert arrived.count(one) == 1
    assert code(office.acknowledge(2, key)) == (422, "idempotency-key-reused")

    # What an operator has rewound since is not passed over by a late repetition.
    rewind = {"lane": "normal", "to": 1}
    path = f"/lanes/{office.receiver.code}/rewind"
    assert office.world.try_("administrator", "", "POST", path, rewind).status == 202
    assert office.acknowledge(1, key).json["acknowledged"] == 0
    assert len(office.fetch()["items"]) == 1


def test_a_page_says_where_to_read_on(office):
    office.send_some(3)
    assert office.fetch("?limit=3")["next"] is None
    page = office.fetch("?limit=2")
    assert [item["sequence"] for item in page["items"]] == [1, 2]
    rest = office.fetch(f"?limit=2&after={page['next']}")
    assert ([item["sequence"] for item in rest["items"]], rest["next"]) == ([3], None)
    office.send(priority=1)
    urgent = office.fetch("?lane=urgent")
    assert [item["sequence"] for item in urgent["items"]] == [1]


def test_a_page_fits_into_an_answer(office, monkeypatch):
    office.send_some(4, content="Nội dung thử " * 100)
    weight = max(map(inbox._weight, office.fetch()["items"]))
    monkeypatch.setattr(inbox, "ROOM_BYTES", 2 * weight + 100)
    page = office.fetch()
    assert len(page["items"]) == page["next"] == 2
    # One that is larger comes alone, or nobody would ever get past it.
    monkeypatch.setattr(inbox, "ROOM_BYTES", 10)
    assert len(office.fetch()["items"]) == 1


def test_edxml_is_text_and_what_has_no_room_is_told_as_a_cloudevent(office, monkeypatch):
    office.register(office.receiver, endpoint="", profile="edxml")
    one = office.send()
    (item,) = office.fetch()["items"]
    assert item["content_type"] == letters.EDXML_TYPE
    assert item["letter"].startswith("<?xml")
    assert "edXMLEnvelope" in item["letter"]
    room = inbox._weight(item) - 1
    monkeypatch.setattr(inbox, "ROOM_BYTES", room)
    (item,) = office.fetch()["items"]
    assert item["content_type"] == letters.CLOUDEVENT_TYPE
    assert item["letter"]["data"]["document"] == one


def test_files_too_large_for_an_answer_are_not_even_rendered(office, monkeypatch):
    office.register(office.receiver, endpoint="", profile="edxml")
    office.send()
    monkeypatch.setattr(letters, "FETCHED_BYTES", -1)
    (item,) = office.fetch()["items"]
    assert item["content_type"] == letters.CLOUDEVENT_TYPE
    kept = runtime.client("s3").list_objects_v2(
        Bucket=runtime.content_bucket(), Prefix=f"rendered/{item['id']}"
    )
    assert kept["KeyCount"] == 0


def test_a_letter_that_cannot_be_written_does_not_stand_in_the_way(office, monkeypatch):
    one = office.send()

    def erased(_event):
        raise Erased

    monkeypatch.setattr(letters, "document_data", erased)
    (item,) = office.fetch()["items"]
    assert (item["case"], item["letter"], item["content_type"]) == (one, None, None)
    assert office.acknowledge(1).json["done"] is True


def test_another_runner_at_the_lane_is_waited_for(office):
    office.send()
    lane = f"{office.receiver.code}#normal"
    assert runtime.lanes().lease(lane, "a runner", runtime.now())
    answer = office.acknowledge(1)
    assert (code(answer), answer.headers["Retry-After"]) == ((503, "try-again"), "1")
    assert len(office.fetch()["items"]) == 1


def test_nobody_fetches_what_is_anothers(office):
    office.send()
    for query in (f"?agency={office.receiver.code}", "?agency=Z99"):
        answer = office.ask("GET", f"/inbox{query}", agency=office.sender.code)
        assert code(answer) == (403, "not-your-inbox")
    body = {"lane": "normal", "sequence": 1, "agency": office.receiver.code}
    answer = office.ask("POST", ACKNOWLEDGE, body, agency=office.sender.code)
    assert code(answer) == (403, "not-your-inbox")
    assert code(office.ask("GET", "/inbox", agency="Z99")) == (409, "mailbox-missing")
    for role in ("officer", "auditor", "administrator", "citizen"):
        answer = office.world.try_(role, office.receiver.code, "GET", "/inbox")
        assert code(answer) == (403, "role-not-allowed")


def test_a_successor_fetches_what_was_on_its_way_to_those_it_replaced(office):
    one = office.send()
    heir = office.join(office.world)
    office.register(heir, endpoint="")
    merge = {"successor": heir.code, "effective_on": "2020-01-01", "source": "demo"}
    office.world.administer("PUT", f"/agencies/{office.receiver.code}/successor", merge)
    office.run()
    page = office.ask("GET", f"/inbox?agency={office.receiver.code}", agency=heir.code).json
    (item,) = page["items"]
    assert item["letter"]["data"]["for_predecessor"] == office.receiver.code
    assert code(office.ask("GET", "/inbox")) == (403, "not-your-inbox")
    body = {"lane": "normal", "sequence": 1, "agency": office.receiver.code}
    assert office.ask("POST", ACKNOWLEDGE, body, agency=heir.code).json["done"] is True
    assert office.status(one) == "01"


@pytest.mark.parametrize(
    ("method", "path", "body", "refusal"),
    [
        ("PUT", "/agencies/{code}/systems/demo/lock", {"reason": "demo"}, (403, "mailbox-locked")),
        ("PUT", "/lanes/{code}/pause", {"reason": "demo"}, (409, "agency-paused")),
    ],
)
def test_what_is_held_back_is_not_fetched_either(office, method, path, body, refusal):
    office.send()
    path = path.format(code=office.receiver.code)
    assert office.world.try_("administrator", "", method, path, body).status == 202
    office.world.settle(deliver=False)
    assert code(office.ask("GET", "/inbox")) == refusal
    assert code(office.acknowledge(1)) == refusal
    assert office.world.try_("administrator", "", "DELETE", path).status == 202
    office.world.settle(deliver=False)
    assert len(office.fetch()["items"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "?lane=slow",
        "?after=-1",
        "?after=x",
        "?limit=0",
        f"?limit={MAX_LIMIT + 1}",
        "?agency=nobody",
        "?since=1",
    ],
)
def test_what_is_no_question(bystander, query):
    assert bystander.ask("GET", f"/inbox{query}").status == 422


@pytest.mark.parametrize(
    "body",
    [
        {"lane": "normal"},
        {"lane": "slow", "sequence": 1},
        {"lane": "normal", "sequence": 0},
        {"sequence": 1},
        {"lane": "normal", "sequence": 1, "cursor": 1},
    ],
)
def test_what_is_no_acknowledgement(bystander, body):
    assert code(bystander.ask("POST", ACKNOWLEDGE, body)) == (422, "invalid-request")


def test_the_room_leaves_some_for_the_rest():
    assert len(json.dumps({"items": ""})) < MAX_ANSWER_BYTES - ROOM_BYTES
