"""The outbox: dense, in history order, each message once, whoever extends it or dies at it."""

from itertools import count
from threading import Thread

import pytest
from axis import once
from ballot import BallotEvent, BallotOpened, VoteCast
from faults import Died, Life
from shelves import DYNAMODB

from chalicelib.delivery.outbox import (
    FOLLOWER,
    MAX_MESSAGES,
    Notice,
    Routing,
    lane_of,
    message_id,
)
from chalicelib.projector.checkpoints import Run

both = pytest.mark.parametrize("axis", DYNAMODB, indirect=True)


def route(stream, event):
    """A vote concerns the voter's agency, an opening everybody."""
    match event:
        case VoteCast():
            yield Notice(agency=event.voter, case=stream, urgent=event.note == "urgent")
        case BallotOpened():
            for agency in ("G01", "G02"):
                yield Notice(agency=agency, case=stream)


ROUTINGS = [Routing(BallotEvent, route)]


def vote(agency, note=""):
    return VoteCast(voter=agency, note=note)


def extend(axis):
    return axis.outbox.extend(axis.reader(), ROUTINGS)


def lane(axis, name):
    """All of a lane's messages; they are dense."""
    return [axis.outbox.message(name, n) for n in range(1, axis.outbox.head(name) + 1)]


def check(axis, name):
    """Dense, without a duplicate, in the order of history and of the events in a commit."""
    messages = lane(axis, name)
    assert [m.sequence for m in messages] == list(range(1, len(messages) + 1))
    assert len({m.id for m in messages}) == len(messages)
    order = [(m.position, m.index) for m in messages]
    assert order == sorted(order)
    numbered = axis.numbered()
    for message in messages:
        assert numbered[message.position - 1] == (message.stream, message.commit)
        assert message.lane == name == lane_of(message.agency, urgent=name.endswith("urgent"))
        assert message.id == message_id(
            message.stream, message.commit, message.index, message.agency
        )
    return messages


@both
def test_messages_stand_in_history_order_each_once(axis):
    axis.happen("ballot-1", BallotOpened(title="Test"))
    axis.happen("ballot-2", vote("G01"), vote("G02"), vote("G01"), vote("G01", "urgent"))
    axis.happen("paper-1", vote("G01"))
    assert extend(axis) == {"G01#normal": 0, "G02#normal": 0, "G01#urgent": 0}
    axis.happen("ballot-1", vote("G01"))
    assert extend(axis) == {"G01#normal": 3}
    assert extend(axis) == {}

    found = [(m.stream, m.commit, m.index, m.type) for m in check(axis, "G01#normal")]
    assert found == [
        ("ballot-1", 1, 0, "ballot.opened"),
        ("ballot-2", 1, 0, "ballot.vote_cast"),
        ("ballot-2", 1, 2, "ballot.vote_cast"),
        ("ballot-1", 2, 0, "ballot.vote_cast"),
    ]
    assert len(check(axis, "G02#normal")) == 2
    assert [m.index for m in check(axis, "G01#urgent")] == [3]
    assert axis.outbox.head("G09#normal") == 0


@both
def test_with_others_its_checkpoint_costs_no_write_of_its_own(axis):
    run = Run(axis.checkpoints)
    axis.happen("paper-1", vote("G01"))
    run.reach(["a view"], 1)
    axis.rack.calls.clear()

    axis.outbox.extend(axis.reader(), ROUTINGS, run)
    assert axis.rack.calls == ["Query", "Query"]
    run.write()
    assert axis.rack.calls == ["Query", "Query", "UpdateItem"]
    assert axis.checkpoints.get(FOLLOWER) == axis.checkpoints.get("a view") == 1


@both
def test_whoever_waits_for_a_view_does_not_wait_for_messages_to_be_stored(axis):
    run = Run(axis.checkpoints)
    axis.happen("ballot-1", vote("G01"))
    run.reach(["a view"], 1)
    stored = []
    axis.listen(
        "before-call.dynamodb.TransactWriteItems",
        lambda **_: stored.append((axis.checkpoints.get("a view"), axis.checkpoints.get(FOLLOWER))),
    )
    axis.outbox.extend(axis.reader(), ROUTINGS, run)
    run.write()
    assert stored == [(1, 0)]
    assert axis.checkpoints.get(FOLLOWER) == 1


def test_a_message_is_found_by_its_id(axis):
    axis.happen("ballot-1", vote("G01"), vote("G02"))
    extend(axis)
    (message,) = lane(axis, "G02#normal")
    assert axis.outbox.find(message.id) == message
    assert axis.outbox.find("msg_none") is None


def test_a_changed_routing_applies_from_then_on(axis):
    axis.happen("ballot-1", vote("G01"))
    extend(axis)
    axis.happen("ballot-1", vote("G01"))

    changed = Routing(BallotEvent, lambda s, _e: [Notice(agency="G07", case=s)])
    axis.outbox.extend(axis.reader(), [changed])
    extend(axis)

    assert len(check(axis, "G01#normal")) == 1
    assert [m.commit for m in check(axis, "G07#normal")] == [2]


@both
def test_a_death_at_every_call(axis):
    lives = [Life(10**9)]
    axis.listen("before-call", lambda **_: lives[-1].step())
    total = 0
    for calls in count(1):
        axis.happen("ballot-1", vote("G01"), vote("G02"), vote("G01"))
        axis.happen("ballot-2", vote("G01"))
        total += 1
        lives.append(Life(calls))
        died = False
        try:
            extend(axis)
        except Died:
            died = True
        lives.append(Life(10**9))
        extend(axis)
        if not died:
            break
    assert calls > 8
    assert len(check(axis, "G01#normal")) == 3 * total
    assert len(check(axis, "G02#normal")) == total


@both
def test_one_that_is_overtaken_adds_nothing_twice(axis):
    for _ in range(4):
        axis.happen("ballot-1", vote("G01"), vote("G02"))
    axis.listen("before-call.dynamodb.TransactWriteItems", once(lambda: extend(axis)))
    extend(axis)
    assert len(check(axis, "G01#normal")) == len(check(axis, "G02#normal")) == 4


@both
def test_two_project_workers_at_once(axis):
    for number in range(10):
        axis.happen(f"ballot-{number}", vote("G01"), vote("G02"))
    failures = []

    def work():
        try:
            extend(axis)
        except Exception as error:  # noqa: BLE001 -- shown to the test's own thread.
            failures.append(error)

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert len(check(axis, "G01#normal")) == len(check(axis, "G02#normal")) == 10


@both
def test_the_most_messages_that_one_commit_may_have_for_an_agency(axis):
    axis.happen("ballot-1", *[vote("G01")] * MAX_MESSAGES)
    extend(axis)
    assert len(check(axis, "G01#normal")) == MAX_MESSAGES
    axis.happen("ballot-1", *[vote("G01")] * (MAX_MESSAGES + 1))
    with pytest.raises(ValueError, match="more than 99"):
        extend(axis)
    assert axis.outbox.head("G01#normal") == MAX_MESSAGES


def test_ids_differ_by_everything_they_are_made_of():
    ids = {
        message_id(stream, commit, index, agency)
        for stream in ("copy-1", "copy-11")
        for commit in (1, 11)
        for index in (0, 1)
        for agency in ("G01", "G1")
    }
    assert len(ids) == 16
    # An id once sent may never change: receivers know a repeat by it.
    assert message_id("copy-1", 1, 0, "G01") == "msg__lfSGLDZ3R6otLdi9P-Kh0JUHOxm3gFR"
