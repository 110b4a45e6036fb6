"""What the workers do beside what they call: one case that fails holds up nobody else."""

import json
import math
import os
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import count
from types import SimpleNamespace
from typing import Literal
from unittest import mock
from uuid import uuid4

import boto3
import pytest
from ballot import ballot, cast, origin
from botocore.exceptions import EndpointConnectionError
from deployed import on_moto
from faults import Died, Life
from gateway import Gateway, caller

from app import app
from chalicelib import registry, runtime, workers
from chalicelib.contexts.agencies.domain.agency import RegisterAgency, RenameAgency, agency
from chalicelib.contexts.agencies.domain.events import ReorganisationOrdered, Step
from chalicelib.contexts.agencies.projections import which_agencies_take_part
from chalicelib.delivery.outbox import FOLLOWER
from chalicelib.handle import Stale, handle
from chalicelib.kernel import Event
from chalicelib.projector.aside import BEHIND, ParkedCommit
from chalicelib.projector.checkpoints import REACT
from chalicelib.projector.runner import NEAR

administrator = Gateway(app, caller("administrator", "chief"))
auditor = Gateway(app, caller("auditor"))
AWAKE = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
BY_HISTORY = {"Records": [{"dynamodb": {}}]}
BY_SCHEDULE = {"Records": [{"body": '{"ring": "schedule"}'}]}
WHO = which_agencies_take_part.answer
DAY = date(2026, 1, 5)
AGENCIES = ("Z01", "Z02", "Z03")  # Demo data: no such agencies.


class Unreadable(Event):
    """An order that nobody here can read."""

    type: Literal["reorganisation.ordered"] = "reorganisation.ordered"
    steps: str = "Demo Citizen"


class Remark(Event):
    """Nothing follows from events of this type, in whatever stream they stand."""

    type: Literal["tax_enquiry.asked"] = "tax_enquiry.asked"


class Unlisted(Event):
    """A registration that no view can read."""

    type: Literal["agency.registered"] = "agency.registered"


@pytest.fixture
def queues():
    """An empty deployment; its doorbells."""
    with on_moto():
        made = {
            f"{name.upper()}_QUEUE_URL": boto3.client("sqs").create_queue(
                QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"}
            )["QueueUrl"]
            for name in ("react", "deliver")
        }
        with mock.patch.dict(os.environ, made):
            yield made


@pytest.fixture
def three(queues):
    """Three agencies, dealt with."""
    for code in AGENCIES:
        register(code)
    react()
    return queues


def number(stream):
    runtime.sequencer().number([(stream, len(runtime.event_store().load(stream)))])


def register(code):
    wish = RegisterAgency(origin=origin(code), code=code, name=code, source="demo data")
    handle(runtime.event_store(), agency, code, wish)
    number(f"agency-{code}")


def happen(stream, event):
    commits = runtime.event_store().load(stream)
    asked = origin(f"{stream} {len(commits)}")
    runtime.event_store().append(stream, commits[-1] if commits else None, [event], asked)
    number(stream)


def order(id_, code, name):
    """A reorganisation by which one agency gets another name."""
    step = Step(act="rename", code=code, name=name)
    event = ReorganisationOrdered(
        reorganisation=id_, effective_on=DAY, source="demo data", steps=(step,)
    )
    happen(f"reorganisation-{id_}", event)


def react():
    workers.react({"Records": []}, AWAKE)


def name_of(code):
    commits = runtime.event_store().load(f"agency-{code}")
    return [data["name"] for commit in commits for data in commit.data() if "name" in data][-1]


def parked():
    return [
        (item["stream"], item["commit"], item["reaction"], item["error"], item["released"])
        for item in auditor.call("GET", "/reactions/parked").json["items"]
    ]


def release(stream, key=None):
    headers = {"idempotency-key": key or str(uuid4())}
    return administrator.call("POST", f"/reactions/parked/{stream}/release", None, headers)


class Damaged:
    """An agency whose first commit was altered: whoever loads it stops."""

    def __init__(self, code):
        where = {"stream": {"S": f"agency-{code}"}, "number": {"N": "1"}}
        self.table = {"TableName": runtime.table("events")}
        self.item = runtime.client("dynamodb").get_item(**self.table, Key=where)["Item"]
        self._put(self.item | {"body": {"B": b"[]"}})

    def mend(self):
        self._put(self.item)

    def _put(self, item):
        runtime.client("dynamodb").put_item(**self.table, Item=item)


@contextmanager
def listening(event, handler):
    """Have botocore call `handler` at `event`."""
    views = runtime.views().model._get_connection().connection.client
    clients = [runtime.client("dynamodb"), runtime.client("sqs"), views]
    for client in clients:
        client.meta.events.register(event, handler)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister(event, handler)


@contextmanager
def counted():
    """The calls to AWS that are made inside."""
    calls = []
    with listening("before-call", lambda model, **_: calls.append(model.name)):
        yield calls


# project


def test_what_concerns_nobody_costs_one_write(three):
    workers.project(BY_HISTORY, AWAKE)
    wish = cast("a vote")
    alone = wish.origin.model_copy(update={"correlation": wish.origin.command_id})
    handle(runtime.event_store(), ballot, "1", wish.model_copy(update={"origin": alone}))
    number("ballot-1")
    with counted() as calls:
        workers.project(BY_HISTORY, AWAKE)
    # It is read, as it might belong to a case.
    assert calls == ["GetItem", "GetItem", "BatchGetItem", "GetItem", "UpdateItem", "SendMessage"]
    with counted() as calls:
        workers.project(BY_HISTORY, AWAKE)
    assert calls == ["GetItem", "GetItem", "SendMessage"]
    react()
    with counted() as calls:
        workers.project(BY_HISTORY, AWAKE)
    assert calls == ["GetItem", "GetItem"]


def test_what_concerns_several_views_costs_their_rows_and_one_write(three):
    workers.project(BY_HISTORY, AWAKE)
    register("Z04")
    with counted() as calls:
        workers.project(BY_HISTORY, AWAKE)
    writes = [call for call in calls if call in {"PutItem", "UpdateItem"}]
    assert writes == [*["PutItem"] * (len(writes) - 1), "UpdateItem"]
    concerned = [p for p in registry.PROJECTIONS if "agency.registered" in p.types]
    # And the case that it belongs to.
    assert 6 <= len(writes) - 1 <= len(concerned) + 1
    assert calls[:4] == ["GetItem", "GetItem", "BatchGetItem", "BatchGetItem"]
    # The end of history is looked for, and the next worker rung.
    assert len(calls) == 4 + len(writes) + 2


def test_a_view_that_cannot_go_on_holds_up_nobody_else(three, caplog):
    workers.project(BY_HISTORY, AWAKE)
    happen("agency-Z09", Unlisted())
    handle(runtime.event_store(), ballot, "1", cast("a vote"))
    number("ballot-1")
    workers.project(BY_HISTORY, AWAKE)

    reached = runtime.checkpoints().get
    for projection in registry.PROJECTIONS:
        concerned = "agency.registered" in projection.types
        assert reached(f"{projection.name}~1") == (3 if concerned else 5)
    assert reached(FOLLOWER) == 5
    stalled = {said.view for said in caplog.records if said.message == "view stalled"}
    assert stalled == {
        f"{p.name}~1" for p in registry.PROJECTIONS if "agency.registered" in p.types
    }


def test_an_outage_is_no_views_fault(three, caplog):
    register("Z04")

    def fail(**_):
        raise EndpointConnectionError(endpoint_url="demo")

    with listening("before-call.dynamodb.PutItem", fail), pytest.raises(Exception, match="demo"):
        workers.project(BY_HISTORY, AWAKE)
    assert "view stalled" not in caplog.text
    workers.project(BY_HISTORY, AWAKE)
    assert runtime.views().row(WHO, "agency-Z04") is not None


def test_who_is_far_behind_waits_for_the_schedule(three, capsys):
    others = {f"{p.name}~1": NEAR + 1 for p in registry.PROJECTIONS if p is not WHO}
    runtime.checkpoints().advance({**others, f"{WHO.name}~1": 0})
    workers.project(BY_HISTORY, AWAKE)
    assert runtime.checkpoints().get(f"{WHO.name}~1") == 0
    assert lags(capsys) == {}
    workers.project(BY_SCHEDULE, SimpleNamespace(get_remaining_time_in_millis=lambda: 0))
    assert runtime.checkpoints().get(f"{WHO.name}~1") == 0
    assert lags(capsys) == {"project": 3, "react": 0, "notify": 3}
    workers.project(BY_SCHEDULE, AWAKE)
    assert runtime.checkpoints().get(f"{WHO.name}~1") == 3
    assert lags(capsys) == {"project": 0, "react": 0, "notify": 3}


def lags(capsys):
    """By how many positions each worker was said to be behind."""
    said = [line for line in capsys.readouterr().out.splitlines() if "LagPositions" in line]
    return {one["service"]: one["LagPositions"][0] for one in map(json.loads, said)}


# react


def test_a_reaction_that_fails_holds_up_its_own_stream_only(three, caplog):
    damaged = Damaged("Z01")
    order("a", "Z01", "One")
    order("b", "Z03", "Three")
    order("a", "Z02", "Two")
    for _ in range(2):
        react()

    waits = [
        ("reorganisation-a", 1, "reorganise", "Corrupt", False),
        ("reorganisation-a", 2, "", BEHIND, False),
    ]
    assert parked() == waits
    assert auditor.call("GET", "/status").json["reactions"] == {"parked": 2}
    assert (name_of("Z02"), name_of("Z03")) == ("Z02", "Three")
    assert runtime.checkpoints().get(REACT) == 6
    (alarm,) = (said for said in caplog.records if said.message == "reaction parked")
    assert (alarm.about, alarm.reaction) == ("reorganisation-a@1", "reorganise")

    assert release("reorganisation-a").status == 202
    assert [released for *_, released in parked()] == [True, False]
    react()
    assert parked() == waits, "what fails again stays"

    damaged.mend()
    key = str(uuid4())
    assert [release("reorganisation-a", key).status for _ in range(2)] == [202, 202]
    react()
    assert parked() == []
    assert (name_of("Z01"), name_of("Z02")) == ("One", "Two")
    assert release("reorganisation-a", key).status == 202
    assert release("reorganisation-a").json["code"] == "reaction-not-parked"
    rung = boto3.client("sqs").receive_message(
        QueueUrl=three["REACT_QUEUE_URL"], MaxNumberOfMessages=10
    )
    assert len(rung["Messages"]) == 2


def test_what_it_failed_at_is_not_told(three, caplog):
    happen("reorganisation-a", Unreadable())
    react()
    assert parked() == [("reorganisation-a", 1, "reorganise", "ValidationError", False)]
    stored = boto3.client("dynamodb").scan(TableName=runtime.table("parked"))["Items"]
    told = [vars(said) for said in caplog.records]
    assert told
    assert "Citizen" not in f"{stored} {told}"


def test_a_case_with_nothing_to_follow_up_is_not_set_aside(three):
    Damaged("Z01")
    order("a", "Z01", "One")
    happen("reorganisation-a", Remark())
    react()
    assert len(parked()) == 1


def test_who_waits_behind_nothing_goes_on_by_itself(three):
    """Another run had set it aside while the one before it was carried out after all."""
    order("a", "Z01", "One")
    one = ParkedCommit(
        stream="reorganisation-a",
        commit=1,
        position=4,
        reaction="",
        error=BEHIND,
        since=datetime(2026, 1, 5, tzinfo=UTC),
    )
    runtime.aside().put(one)
    runtime.aside().put(one.model_copy(update={"error": "Late"}))
    assert parked() == [("reorganisation-a", 1, "", BEHIND, False)]
    react()
    assert parked() == []
    assert name_of("Z01") == "One"
    runtime.aside().again(one)
    assert parked() == []


def test_others_being_faster_is_no_reason_to_set_aside(three):
    """The contention lasts longer than a command's tries: the doorbell is rung anew."""
    order("a", "Z01", "One")
    names, at_work = count(), []

    def overtake(params, **_):
        if at_work or b"agency-Z01" not in params["body"]:
            return
        at_work.append(True)
        name = f"Demo {next(names)}"
        wish = RenameAgency(
            origin=origin(name), code="Z01", name=name, effective_on=DAY, source="demo data"
        )
        handle(runtime.event_store(), agency, "Z01", wish)
        at_work.clear()

    with listening("before-call.dynamodb.PutItem", overtake), pytest.raises(Stale):
        react()
    assert parked() == []
    assert runtime.checkpoints().get(REACT) == 3
    react()
    assert name_of("Z01") == "One"


def test_an_outage_is_no_reason_to_set_aside(three):
    order("a", "Z01", "One")

    def fail(**_):
        raise EndpointConnectionError(endpoint_url="demo")

    with (
        listening("before-call.dynamodb.PutItem", fail),
        pytest.raises(EndpointConnectionError),
    ):
        react()
    assert parked() == []
    react()
    assert name_of("Z01") == "One"


def test_a_death_at_every_call_loses_no_case_and_keeps_its_order(three):
    damaged = Damaged("Z01")
    cases = range(1, 25)
    lives = [Life(math.inf)]

    def die_at(calls):
        lives.append(Life(calls))
        try:
            react()
        except Died:
            return True
        finally:
            lives.append(Life(math.inf))
        return False

    with listening("before-call", lambda **_: lives[-1].step()):
        died = []
        for calls in cases:
            order(f"r{calls}", "Z01", f"One {calls}")
            order(f"r{calls}", "Z02", f"Two {calls}")
            died.append(die_at(calls))
            react()
            here = [found for found in parked() if found[0] == f"reorganisation-r{calls}"]
            assert [found[1:4] for found in here] == [(1, "reorganise", "Corrupt"), (2, "", BEHIND)]
        assert died[0]
        assert not died[-1], "a whole run has more calls than there are cases"
        damaged.mend()
        died.clear()
        for calls in cases:
            stream = f"reorganisation-r{calls}"
            assert release(stream).status == 202
            died.append(die_at(calls))
            react()
            assert stream not in {found[0] for found in parked()}
            assert (name_of("Z01"), name_of("Z02")) == (f"One {calls}", f"Two {calls}")
        assert died[0]
        assert not died[-1]


def test_what_there_is_no_time_for_is_carried_out_in_another_turn(three):
    order("r1", "Z01", "One anew")
    workers.react({"Records": []}, SimpleNamespace(get_remaining_time_in_millis=lambda: 0))
    assert name_of("Z01") == "Z01"
    queue = three["REACT_QUEUE_URL"]
    [rung] = runtime.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    workers.react({"Records": [{"body": rung["Body"]}]}, AWAKE)
    assert name_of("Z01") == "One anew"


def test_parked_reactions_are_shown_in_pages(three):
    for number_ in range(5):
        happen(f"reorganisation-{number_}", Unreadable())
    react()
    for limit in (1, 2, 5, 9):
        found, cursor = [], ""
        while True:
            page = auditor.call("GET", f"/reactions/parked?limit={limit}{cursor}").json
            found += [item["stream"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert found == [f"reorganisation-{n}" for n in range(5)]
    answer = auditor.call("GET", "/reactions/parked?cursor=G01")
    assert (answer.status, answer.json["code"]) == (422, "invalid-place")


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        *((stream, "reaction-not-parked") for stream in ("reorganisation-x", "nothing", "a%20b")),
        ("x-" + "y" * 900, "path-unknown"),
    ],
)
def test_nothing_is_released_that_is_not_parked(queues, stream, code):
    assert release(stream).json["code"] == code


def test_only_an_administrator_releases(queues):
    headers = {"idempotency-key": str(uuid4())}
    answer = auditor.call("POST", "/reactions/parked/ballot-1/release", None, headers)
    assert answer.status == 403
