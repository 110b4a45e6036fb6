"""An operator sees who is behind, and can pause, resume, release and rewind."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from unittest import mock
from uuid import uuid4

import boto3
import pytest
from axis import Ledger
from delivery.postman import Post
from deployed import on_moto
from gateway import Gateway, caller
from receivers import receiver

from app import app
from chalicelib import registry, runtime
from chalicelib.contexts.operations.routes import SHOWN
from chalicelib.delivery.deliver import ABANDONED
from chalicelib.history.heads import Head
from chalicelib.workers import deliver

administrator = Gateway(app, caller("administrator", "chief"))
auditor = Gateway(app, caller("auditor"))
WRITES = (
    ("PUT", "/lanes/G01/pause"),
    ("DELETE", "/lanes/G01/pause"),
    ("POST", "/lanes/G01/parked/msg_1/release"),
    ("POST", "/lanes/G01/parked/msg_1/abandonment"),
    ("POST", "/lanes/G01/rewind"),
    ("POST", "/views/who_takes_part/rebuild"),
)


class Deployed(Ledger):
    """The runtime's adapters, as `Post` wants them."""

    def __init__(self):
        self.rack = self
        self.shelf = runtime.event_store().shelf
        super().__init__(self, runtime.history())
        self.store = runtime.event_store()
        self.dynamodb = runtime.client("dynamodb")
        self.outbox, self.lanes = runtime.outbox(), runtime.lanes()
        self.attempts, self.reader = runtime.attempts(), runtime.reader

    def table(self, name):
        return runtime.table(name)


@pytest.fixture
def post():
    """A deployment on which messages can happen, with a receiver."""
    with on_moto(), receiver() as agency:
        queue = boto3.client("sqs").create_queue(
            QueueName="deliver.fifo", Attributes={"FifoQueue": "true"}
        )["QueueUrl"]
        with mock.patch.dict(os.environ, {"DELIVER_QUEUE_URL": queue}):
            post = Post(Deployed(), agency)
            post.queue = queue
            post.now = runtime.now()
            yield post


def rung(post):
    """The lanes whose wake-ups wait."""
    found = boto3.client("sqs").receive_message(QueueUrl=post.queue, MaxNumberOfMessages=10)
    return [json.loads(message["Body"])["lane"] for message in found.get("Messages", [])]


def order(method, path, body=None, key=None, gateway=administrator):
    return gateway.call(method, path, body, {"idempotency-key": key or str(uuid4())})


def refuse(*sequences):
    return lambda p: (
        (422 if int(p.headers["lienthong-sequence"]) in sequences else 200),
        {},
        b"",
    )


def test_an_empty_axis_stands_still(post):
    status = auditor.call("GET", "/status").json
    assert (status["history"], status["lanes"]) == ({"position": 0, "numbered_at": None}, [])
    assert status["totals"] == {"depth": 0, "oldest_s": 0, "parked": 0, "failing": 0, "paused": 0}
    assert {w["name"]: w["lag"] for w in status["workers"]} == {
        "notify": 0,
        "outbox": 0,
        "published": 0,
        "react": 0,
        "sealed": 0,
    }
    assert status["reactions"] == {"parked": 0}
    assert status["rebuilds"] == []


def test_the_status_says_who_is_behind_and_what_waits(post):
    post.send("ballot-1", "ballot-2", "ballot-1")
    post.agency.answer = refuse(1)
    post.serve()
    post.send("ballot-3", "ballot-4")
    post.agency.answer = lambda _p: (503, {}, b"")
    post.serve()
    post.axis.checkpoints = runtime.checkpoints()
    post.axis.checkpoints.advance({"who_takes_part~1": 4, "who_takes_part~2": 2})
    tree = Head(size=3, root=b"demo", peaks=(), note="demo", sealed_at=runtime.now(), settled=True)
    runtime.log_heads().publish(tree)
    runtime.log_heads().advance(None, replace(tree, size=5))

    status = administrator.call("GET", "/status").json
    assert status["history"]["position"] == 5
    behind = {w["name"]: (w["worker"], w["position"], w["lag"]) for w in status["workers"]}
    assert behind == {
        "outbox": ("project", 5, 0),
        "notify": ("notify", 0, 5),
        "published": ("seal", 3, 2),
        "sealed": ("seal", 5, 0),
        "react": ("react", 0, 5),
        "who_takes_part~1": ("project", 4, 1),
    }
    assert all(0 <= w["lag_s"] < 60 for w in status["workers"])
    (lane,) = status["lanes"]
    assert (lane["agency"], lane["lane"], lane["head"], lane["served"]) == ("G01", "normal", 5, 3)
    assert (lane["depth"], lane["parked"], lane["failures"]) == (2, 2, 1)
    first = post.axis.outbox.message("G01#normal", 4)
    (commit,) = post.axis.store.commits([(first.stream, first.commit)]).values()
    assert lane["oldest_at"].replace("Z", "+00:00") == commit.recorded_at.isoformat()
    assert status["totals"] == {
        "depth": 2, "oldest_s": lane["oldest_s"], "parked": 2, "failing": 1, "paused": 0,
    }  # fmt: skip
    assert "ballot-" not in json.dumps(status), "what it is about is not the operator's business"


def test_a_pause_holds_until_it_is_ended(post):
    post.send("ballot-1")
    answer = order("PUT", "/lanes/000.00.00.G01/pause", {"reason": "moving house"})
    assert answer.status == 202
    again = order("PUT", "/lanes/G01/pause", {"reason": "another"})
    for lane in again.json["items"]:
        assert lane["paused"]["reason"] == "moving house"
        assert lane["paused"]["by"] == "administrator:chief"
    post.serve()
    assert post.got() == []
    assert rung(post) == []

    answer = order("DELETE", "/lanes/G01/pause")
    assert [lane["paused"] for lane in answer.json["items"]] == [None, None]
    assert sorted(rung(post)) == ["G01#normal", "G01#urgent"]
    post.serve()
    assert post.got() == post.ids()
    assert auditor.call("GET", "/lanes/G01").json["items"][1]["depth"] == 0


def test_a_case_is_released_once(post):
    post.send("ballot-1", "ballot-2", "ballot-1")
    post.agency.answer = refuse(1)
    post.serve()
    one, two, three = post.ids()
    listed = auditor.call("GET", "/lanes/G01/parked").json
    assert [(p["message"], p["reason"]) for p in listed["items"]] == [
        (one, "422"),
        (three, "behind"),
    ]
    path, key = f"/lanes/G01/parked/{one}/release", str(uuid4())
    answer = order("POST", path, key=key)
    assert (answer.status, answer.json) == (202, {"lane": "G01#normal", "case": "ballot-1"})
    assert rung(post) == ["G01#normal"]
    assert auditor.call("GET", "/lanes/G01/parked").json["items"][0]["released"] is True

    # Refused again: the same order, sent once more, does not release it a second time.
    post.serve()
    assert order("POST", path, key=key).json == answer.json
    assert post.lane().released == frozenset()
    post.agency.answer = refuse()
    order("POST", path)
    post.serve()
    assert post.got() == [one, two, one, one, three]

    # Nothing is left, yet the old order still has its answer.
    assert order("POST", path, key=key).status == 202
    assert order("POST", path).json["code"] == "message-not-parked"
    reused = order("POST", f"/lanes/G01/parked/{three}/release", key=key)
    assert (reused.status, reused.json["code"]) == (422, "idempotency-key-reused")


@pytest.mark.parametrize("path", ["G01/parked/msg_x", "G02/parked/{one}", "G01/parked/{two}"])
def test_what_is_not_parked_cannot_be_released(post, path):
    post.send("ballot-1", "ballot-2")
    post.agency.answer = refuse(1)
    post.serve()
    one, two = post.ids()
    answer = order("POST", f"/lanes/{path.format(one=one, two=two)}/release")
    assert (answer.status, answer.json["code"]) == (404, "message-not-parked")


def test_a_message_is_given_up_once(post, caplog):
    post.send("ballot-1", "ballot-2", "ballot-1")
    post.agency.answer = refuse(1)
    post.serve()
    one, two, three = post.ids()
    path, key = f"/lanes/G01/parked/{one}/abandonment", str(uuid4())
    early = order("POST", f"/lanes/G01/parked/{three}/abandonment", {"reason": "demo"})
    assert (early.status, early.json["code"]) == (409, "not-first-of-its-case")
    assert order("POST", path, {"reason": ""}).json["code"] == "invalid-request"
    answer = order("POST", path, {"reason": "sent twice"}, key)
    assert (answer.status, answer.json) == (202, {"lane": "G01#normal", "case": "ballot-1"})
    assert rung(post) == ["G01#normal"]
    first, _ = auditor.call("GET", "/lanes/G01/parked").json["items"]
    assert first["given_up"]["reason"] == "sent twice"
    assert first["given_up"]["by"] == "administrator:chief"
    (logged,) = [record for record in caplog.records if record.message == "message given up"]
    assert (logged.about, logged.by) == (one, "administrator:chief")

    post.serve()
    assert post.got() == [one, two, three]
    assert post.parked[-1] == (one, ABANDONED)
    # The old order still has its answer; for another one there is nothing left.
    assert order("POST", path, {"reason": "sent twice"}, key).json == answer.json
    assert order("POST", path, {"reason": "sent twice"}).json["code"] == "message-not-parked"
    reused = order("POST", path, {"reason": "another"}, key)
    assert (reused.status, reused.json["code"]) == (422, "idempotency-key-reused")
    assert post.lane().parked == 0


@pytest.mark.parametrize("path", ["G01/parked/msg_x", "G02/parked/{one}", "G01/parked/{two}"])
def test_what_is_not_parked_cannot_be_given_up(post, path):
    post.send("ballot-1", "ballot-2")
    post.agency.answer = refuse(1)
    post.serve()
    one, two = post.ids()
    path = f"/lanes/{path.format(one=one, two=two)}/abandonment"
    answer = order("POST", path, {"reason": "demo"})
    assert (answer.status, answer.json["code"]) == (404, "message-not-parked")


def test_parked_messages_of_both_lanes_come_in_pages(post):
    post.send("ballot-1", "ballot-2", "ballot-2")
    post.axis.happen("ballot-3", post.vote("G01", note="urgent"))
    post.send("ballot-1")
    post.agency.answer = lambda _p: (400, {}, b"")
    for lane in ("G01#urgent", "G01#normal"):
        post.serve(lane=lane)
    for limit in (1, 2, 3, 200):
        found, cursor = [], ""
        while cursor is not None:
            page = auditor.call("GET", f"/lanes/G01/parked?limit={limit}{cursor}").json
            assert len(page["items"]) <= limit
            found += [(p["lane"][4:], p["case"], p["sequence"]) for p in page["items"]]
            cursor = page["next"] and f"&cursor={page['next']}"
        assert found == [
            ("urgent", "ballot-3", 1),
            ("normal", "ballot-1", 1), ("normal", "ballot-1", 4),
            ("normal", "ballot-2", 2), ("normal", "ballot-2", 3),
        ]  # fmt: skip
    for cursor in ("x", "_w", "RzAyI25vcm1hbAo"):
        answer = auditor.call("GET", f"/lanes/G01/parked?cursor={cursor}")
        assert (answer.status, answer.json["code"]) == (422, "invalid-place")


def test_a_lane_is_rewound_under_the_same_ids(post):
    post.send("ballot-1", "ballot-2", "ballot-1", "ballot-3")
    post.agency.answer = refuse(2)
    post.serve()
    ids = post.ids()
    asked = {"lane": "normal", "to": 2}
    dry = order("POST", "/lanes/G01/rewind", asked | {"dry_run": True})
    assert (dry.status, dry.json["messages"]) == (200, 3)
    assert [m["id"] for m in dry.json["first"]] == ids[1:]
    assert post.lane().served == 4

    key, before = str(uuid4()), len(post.got())
    assert order("POST", "/lanes/G01/rewind", asked, key).status == 202
    assert rung(post) == ["G01#normal"]
    post.serve()
    # What is parked stays parked; the rest comes again.
    assert post.got()[before:] == [ids[2], ids[3]]
    assert (post.lane().served, post.lane().parked) == (4, 1)
    assert order("POST", "/lanes/G01/rewind", asked, key).status == 202
    assert post.lane().served == 4


def test_a_view_is_rebuilt_beside_the_one_that_is_read(post):
    path, name, key = "/views/who_takes_part/rebuild", "who_takes_part", str(uuid4())
    view = next(view for view in registry.PROJECTIONS if view.name == name)
    assert order("POST", path).json["code"] == "view-unknown"  # Nobody has asked that yet.
    post.send("ballot-1", "ballot-2")
    runtime.projector().follow(*registry.PROJECTIONS)
    assert order("POST", path, key=key).status == 202
    assert order("POST", path, key=key).status == 202
    refused = order("POST", path)
    assert (refused.status, refused.json["code"]) == (409, "view-being-rebuilt")
    status = auditor.call("GET", "/status").json
    assert [(v["name"], v["position"], v["lag"]) for v in status["rebuilds"]] == [
        (f"{name}~2", 0, 2)
    ]
    assert runtime.views().generations(view).live == 1

    runtime.projector().follow(*registry.PROJECTIONS)
    assert runtime.views().generations(view).live == 2
    assert auditor.call("GET", "/status").json["rebuilds"] == []
    # The same order again is not another one.
    assert order("POST", path, key=key).status == 202
    assert runtime.views().generations(view).building is None


def test_a_rewind_during_a_post_is_not_undone_by_it(post):
    post.send("ballot-1", "ballot-2", "ballot-3")
    left = ["rewind"]

    def meanwhile(sent):
        if left and sent.headers["lienthong-sequence"] == "3":
            left.pop()
            order("POST", "/lanes/G01/rewind", {"lane": "normal", "to": 1})
        return 200, {}, b""

    post.agency.answer = meanwhile
    assert post.serve() is False
    assert post.lane().served == 0
    post.now += timedelta(minutes=5)
    assert post.serve("b") is True
    assert post.got() == [*post.ids(), *post.ids()]


def test_a_dry_run_names_the_first_messages_only(post):
    for stream in ("ballot-1", "ballot-2", "ballot-3", "ballot-4"):
        post.axis.happen(stream, *[post.vote("G01")] * (SHOWN // 3))
    post.send("ballot-5")
    many = len(post.ids())
    # As if all of them had been delivered.
    lease = post.axis.lanes.lease("G01#normal", "a", post.now)
    post.axis.lanes.served(lease, "a", post.now)
    post.axis.dynamodb.update_item(**post.axis.lanes.rewinding("G01#normal", 1, many))
    answer = order("POST", "/lanes/G01/rewind", {"lane": "normal", "to": 1, "dry_run": True})
    assert answer.json["messages"] == many > SHOWN
    assert len(answer.json["first"]) == SHOWN


def figures(said):
    """What was measured of each lane, and of all under no name."""
    return {
        line.get("lane", ""): (
            line["OutboxDepth"],
            line["OldestMessageAge"],
            line["ParkedMessages"],
        )
        for line in map(json.loads, filter(lambda text: "_aws" in text, said.splitlines()))
    }


def test_what_an_operator_holds_back_does_not_drown_the_rest(post, capsys):
    post.send("ballot-1", "ballot-2")
    post.now += timedelta(hours=9)
    post.send("ballot-9", to="G02")
    order("PUT", "/lanes/G01/pause", {"reason": "moving house"})
    capsys.readouterr()
    with mock.patch.object(runtime, "now", return_value=post.now):
        deliver({"Records": [{"messageId": "1", "body": '{"ring": "schedule"}'}]}, None)
    held = figures(capsys.readouterr().out)
    assert (held["G01#normal"][0], held["G02#normal"][0], held[""][0]) == ([2], [1], [1])

    # A receiver that says itself that it is gone is somebody's business.
    order("DELETE", "/lanes/G01/pause")
    post.agency.answer = lambda _p: (410, {}, b"")
    post.serve()
    capsys.readouterr()
    with mock.patch.object(runtime, "now", return_value=post.now):
        deliver({"Records": [{"messageId": "1", "body": '{"ring": "schedule"}'}]}, None)
    assert figures(capsys.readouterr().out)[""][0] == [3]


def test_the_schedule_rings_due_lanes_and_measures_all(post, capsys):
    post.send("ballot-1", "ballot-2", "ballot-1")
    post.send("ballot-9", to="G02")
    post.agency.answer = refuse(1)
    post.serve()
    post.send("ballot-3")
    # Commits carry the real time, so what the post needed for them counts too.
    post.now = runtime.now() + timedelta(seconds=61)
    with mock.patch.object(runtime, "now", return_value=post.now):
        deliver({"Records": [{"messageId": "1", "body": '{"ring": "schedule"}'}]}, None)
    said = capsys.readouterr().out
    measured = figures(said)
    oldest = {lane: age for lane, (_, (age,), _) in measured.items()}
    assert {lane: (d, p) for lane, ((d,), _, (p,)) in measured.items()} == {
        "G01#normal": (1, 2), "G02#normal": (1, 0), "": (2, 2),
    }  # fmt: skip
    assert 60 <= oldest["G01#normal"] <= oldest["G02#normal"] == oldest[""] < 120
    assert "ballot-" not in said
    assert sorted(rung(post)) == ["G01#normal", "G02#normal"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"lane": "normal", "to": 2}, "rewind-out-of-range"),
        ({"lane": "urgent", "to": 1}, "rewind-out-of-range"),
        ({"lane": "normal", "to": 0}, "invalid-request"),
        ({"lane": "slow", "to": 1}, "invalid-request"),
        ({"to": 1}, "invalid-request"),
    ],
)
def test_a_rewind_that_cannot_be(post, body, code):
    post.send("ballot-1")
    post.serve()
    answer = order("POST", "/lanes/G01/rewind", body)
    assert (answer.status, answer.json["code"]) == (422, code)
    assert post.lane().served == 1


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_orders_are_an_administrators_and_have_a_key(post, method, path):
    for role in ("auditor", "officer", "system", "citizen"):
        answer = order(method, path, {}, gateway=Gateway(app, caller(role, agency="G01")))
        assert answer.json["code"] == "role-not-allowed"
    assert administrator.call(method, path, {}).json["code"] == "idempotency-key-missing"


@pytest.mark.parametrize("path", ["/status", "/lanes/G01", "/lanes/G01/parked"])
def test_only_those_who_run_or_audit_the_axis_look(post, path):
    for role in ("officer", "system", "citizen"):
        other = Gateway(app, caller(role, agency="G01"))
        assert other.call("GET", path).json["code"] == "role-not-allowed"
    assert auditor.call("GET", path).status == 200
