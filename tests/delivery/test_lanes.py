"""A lane has one runner at a time, and its cursor moves one message at a time."""

from datetime import UTC, datetime, timedelta

import pytest
from ballot import BallotEvent, VoteCast
from shelves import DYNAMODB

from chalicelib.delivery.lanes import LEASE_S, Cursor, Lane, LeaseLost
from chalicelib.delivery.outbox import Notice, Routing

pytestmark = pytest.mark.parametrize("axis", DYNAMODB, indirect=True)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LANE = "G01#normal"
LATER = NOW + timedelta(seconds=LEASE_S)


@pytest.fixture
def lanes(axis):
    return axis.lanes


def test_a_lane_has_one_runner(lanes):
    assert lanes.lease(LANE, "a", NOW) == Cursor(LANE, 0, 0, None)
    assert lanes.lease(LANE, "b", NOW) is None
    assert lanes.lease(LANE, "b", LATER) is None
    assert lanes.lease("G01#urgent", "b", NOW)

    lanes.release(LANE, "a")
    assert lanes.lease(LANE, "b", NOW)


def test_the_same_runner_may_take_it_again(lanes):
    assert lanes.lease(LANE, "a", NOW)
    assert lanes.lease(LANE, "a", NOW)


def test_a_lease_runs_out(lanes):
    first = lanes.lease(LANE, "a", NOW)
    assert lanes.lease(LANE, "b", LATER + timedelta(microseconds=1))

    for late in (
        lambda: lanes.served(first, "a", NOW),
        lambda: lanes.postpone(first, "a", NOW),
        lambda: lanes.release(LANE, "a"),
    ):
        with pytest.raises(LeaseLost):
            late()


def test_every_message_served_prolongs_the_lease(lanes):
    cursor = lanes.lease(LANE, "a", NOW)
    cursor = lanes.served(cursor, "a", LATER)
    assert cursor == Cursor(LANE, 1, 0, None)
    assert lanes.lease(LANE, "b", LATER + timedelta(seconds=LEASE_S)) is None


def test_a_cursor_moves_once_for_each_message(lanes):
    cursor = lanes.lease(LANE, "a", NOW)
    lanes.served(cursor, "a", NOW)
    with pytest.raises(LeaseLost):
        lanes.served(cursor, "a", NOW)
    assert lanes.lease(LANE, "a", NOW).served == 1


def test_a_postponed_lane_is_free_and_remembers_when(lanes):
    due_at = NOW + timedelta(seconds=4, microseconds=5)
    for failures in (1, 2):
        lanes.postpone(lanes.lease(LANE, "a", NOW), "a", due_at)
        assert lanes.lease(LANE, "b", NOW) == Cursor(LANE, 0, failures, due_at)
        lanes.release(LANE, "b")
    lanes.served(lanes.lease(LANE, "a", NOW), "a", NOW)
    assert lanes.lease(LANE, "a", NOW) == Cursor(LANE, 1, 0, None)


def test_how_lanes_stand(axis, lanes):
    route = Routing(BallotEvent, lambda s, e: [Notice(agency=e.voter, case=s)])
    axis.happen("ballot-1", VoteCast(voter="G02"), VoteCast(voter="G01"), VoteCast(voter="G01"))
    axis.outbox.extend(axis.reader(), [route])
    lanes.served(lanes.lease(LANE, "a", NOW), "a", NOW)
    lanes.postpone(lanes.lease(LANE, "a", NOW), "a", LATER)

    assert list(lanes.every()) == [Lane(LANE, 2, 1, 1, LATER), Lane("G02#normal", 1, 0, 0, None)]


def test_a_lane_is_idle_when_all_it_held_was_dealt_with(lanes):
    lanes.served(lanes.lease(LANE, "a", NOW), "a", NOW)

    assert lanes.idle({LANE: 1, "G02#normal": 0, "G03#normal": 1}) == [LANE, "G02#normal"]
    assert lanes.idle({LANE: 2}) == []
    many = {f"Z{n}#normal": 0 for n in range(250)}
    assert lanes.idle(many) == sorted(many)
