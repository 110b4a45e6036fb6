"""Rows are folds, whatever wakes the projector, and wherever it dies."""

import math
from itertools import count
from typing import Literal

import pytest
from axis import once
from ballot import BallotClosed, BallotEvent, BallotOpened, VoteCast
from faults import Died, Life
from shelves import DYNAMODB

from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection

OPENED = BallotOpened(title="Test")


def vote(voter):
    return VoteCast(voter=voter)


class Box(Value):
    """An open ballot box."""

    place: Literal["here"] = "here"
    title: str
    votes: int = 0


def evolve_box(row, event):
    match event:
        case BallotOpened():
            return Box(title=event.title)
        case VoteCast():
            return row and row.model_copy(update={"votes": row.votes + 1})
        case BallotClosed():
            return None


class Tally(Value):
    """How often somebody has voted."""

    place: Literal["here"] = "here"
    votes: int


def evolve_tally(row, event):
    return Tally(votes=(row.votes if row else 0) + 1)


boxes = Projection(Box, BallotEvent, evolve_box, by="place", sort="title")
tally = Projection(Tally, VoteCast, evolve_tally, "place", "votes", keys=lambda e: [e.voter])


def listed(axis, projection):
    page = axis.views.page(projection, by="here", limit=50)
    assert page.next is None
    return {item["id"]: item for item in page.items}


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_where_a_projection_stands_costs_two_calls_with_all_its_generations(axis):
    axis.happen("ballot-1", OPENED)
    axis.follow(boxes)
    axis.views.rebuild(boxes)
    axis.rack.calls.clear()

    standings = axis.views.standings([boxes])

    assert axis.rack.calls == ["BatchGetItem", "BatchGetItem"]
    assert standings == {boxes.name: (axis.views.generations(boxes), {1: 1, 2: 0})}


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_a_row_is_the_fold_of_its_stream(axis):
    for event in (OPENED, vote("a"), vote("b")):
        last = axis.happen("ballot-1", event)
    axis.happen("ballot-2", OPENED)

    assert axis.follow(boxes) == 4

    assert axis.views.row(boxes, "ballot-1") == Box(title="Test", votes=2)
    assert axis.views.rows(boxes, ["ballot-1", "ballot-2", "ballot-3"]).keys() == {
        "ballot-1",
        "ballot-2",
    }
    item = listed(axis, boxes)["ballot-1"]
    assert item.pop("updated_at") == last.recorded_at.isoformat(timespec="microseconds")
    assert item == {
        "id": "ballot-1",
        "place": "here",
        "title": "Test",
        "votes": 2,
        "seen": "ballot-1@3",
    }


def test_waking_for_nothing_changes_nothing(axis):
    axis.happen("ballot-1", OPENED)
    axis.happen("ballot-1", vote("a"))
    for _ in range(3):
        assert axis.follow(tally) == 2
    writes = []
    axis.listen("before-call.dynamodb.PutItem", lambda **_: writes.append(1))
    axis.follow(tally)
    assert writes == []
    assert axis.views.row(tally, "a") == Tally(votes=1)


def test_rows_of_one_page_are_folded_together(axis):
    axis.number(*[axis.append("ballot-1", vote("a"), vote("b")) for _ in range(20)])
    writes = []
    axis.listen("before-call.dynamodb.PutItem", lambda **_: writes.append(1))

    axis.follow(tally)

    assert axis.views.rows(tally, ["a", "b"]) == {"a": Tally(votes=20), "b": Tally(votes=20)}
    assert len(writes) == 2


def test_events_of_other_questions_only_move_the_checkpoint(axis):
    axis.happen("ballot-1", OPENED)
    axis.happen("paper-1", vote("a"))  # Another category: no wish is read there.
    assert axis.follow(tally) == 2
    assert listed(axis, tally) == {}


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_a_death_at_every_call_counts_nothing_twice(axis):
    votes = 0
    lives = [Life(math.inf)]
    axis.listen("before-call", lambda **_: lives[-1].step())
    for calls in count(1):
        for _ in range(2):
            axis.happen("ballot-1", vote("a"), vote("b"))
            votes += 1
        lives.append(Life(calls))
        died = False
        try:
            axis.follow(tally)
        except Died:
            died = True
        lives.append(Life(math.inf))
        axis.follow(tally)
        expected = {voter: Tally(votes=votes) for voter in "ab"}
        assert axis.views.rows(tally, "ab") == expected
        if not died:
            break
    assert calls > 6


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_a_slow_worker_cannot_bring_a_deleted_row_back(axis):
    axis.happen("ballot-1", OPENED)

    def overtake():
        axis.happen("ballot-1", BallotClosed())
        axis.follow(boxes)

    written = []
    axis.listen("before-call.dynamodb.PutItem", once(overtake, views_put(axis)))
    axis.listen(
        "after-call.dynamodb.PutItem", lambda http_response, **_: written.append(http_response)
    )
    axis.follow(boxes)

    assert axis.views.row(boxes, "ballot-1") is None
    assert listed(axis, boxes) == {}
    stored = axis.views.load(f"{boxes.name}~1", ["ballot-1"])["ballot-1"]
    assert (stored.data, stored.position) == (None, 2)
    assert [answer.status_code for answer in written][-1] == 400
    item = axis.dynamodb.get_item(
        TableName=axis.table("Views"), Key={"key": {"S": f"{boxes.name}~1#ballot-1"}}
    )["Item"]
    assert "expires" in item
    assert "by" not in item


def views_put(axis):
    """Whether a call is a write of a row."""
    return lambda params, **_: axis.table("Views").encode() in params["body"]


def test_a_slow_worker_cannot_undo_a_later_count(axis):
    axis.happen("ballot-1", vote("a"))

    def overtake():
        axis.happen("ballot-1", vote("a"))
        axis.follow(tally)

    axis.listen("before-call.dynamodb.PutItem", once(overtake, views_put(axis)))
    axis.follow(tally)

    assert axis.views.row(tally, "a") == Tally(votes=2)
    assert axis.checkpoints.get(f"{tally.name}~1") == 2


def test_a_deleted_row_can_come_to_life_again(axis):
    axis.happen("ballot-1", OPENED)
    axis.happen("ballot-1", BallotClosed())
    axis.follow(boxes)
    axis.happen("ballot-1", BallotOpened(title="Again"))
    axis.follow(boxes)

    assert axis.views.row(boxes, "ballot-1") == Box(title="Again")
    assert listed(axis, boxes).keys() == {"ballot-1"}


def test_a_fold_that_fails_moves_nothing_of_its_own(axis):
    axis.happen("ballot-1", OPENED)
    axis.follow(boxes)
    axis.happen("ballot-1", vote("a"))
    axis.happen("ballot-1", BallotClosed())

    def stumble(row, event):
        if isinstance(event, BallotClosed):
            raise ZeroDivisionError
        return evolve_box(row, event)

    broken = Projection(Box, BallotEvent, stumble, by="place", sort="title")
    assert broken.name == boxes.name
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            axis.follow(broken)
    assert axis.checkpoints.get(f"{boxes.name}~1") == 2
    assert axis.views.row(boxes, "ballot-1") == Box(title="Test", votes=1)

    assert axis.follow(boxes) == 3
    assert axis.views.row(boxes, "ballot-1") is None


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_a_rebuild_fills_a_new_generation_and_switches_when_it_has_caught_up(axis):
    for number in range(3):
        axis.happen(f"ballot-{number}", OPENED)
    axis.follow(boxes)
    old = axis.views.page(boxes, by="here", limit=1).next

    assert axis.views.rebuild(boxes) == axis.views.rebuild(boxes) == 2
    assert axis.views.generations(boxes)[:2] == (1, 2)
    assert listed(axis, boxes).keys() == {"ballot-0", "ballot-1", "ballot-2"}

    axis.happen("ballot-3", OPENED)
    assert axis.follow(boxes) == 4
    generations = axis.views.generations(boxes)
    assert generations[:2] == (2, None)
    assert generations.fed == [2, 1]

    # The old generation stays fed, so that a cursor given out before stays good.
    axis.happen("ballot-4", OPENED)
    axis.follow(boxes)
    behind = axis.views.page(boxes, by="here", limit=50, cursor=old)
    assert len(behind.items) == 4
    assert len(listed(axis, boxes)) == 5
    for generation in (1, 2):
        rows = axis.views.load(f"{boxes.name}~{generation}", [f"ballot-{n}" for n in range(5)])
        assert [row.data is not None for row in rows.values()] == [True] * 5


def test_a_rebuild_that_has_not_caught_up_is_not_read(axis):
    axis.happen("ballot-1", OPENED)
    axis.follow(boxes)
    axis.views.rebuild(boxes)

    def stumble(row, event):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        axis.follow(Projection(Box, BallotEvent, stumble, by="place", sort="title"))
    assert axis.views.generations(boxes)[:2] == (1, 2)
    assert listed(axis, boxes).keys() == {"ballot-1"}


def test_a_second_rebuild_gets_a_number_of_its_own(axis):
    axis.happen("ballot-1", vote("a"))
    for generation in (2, 3):
        assert axis.views.rebuild(tally) == generation
        axis.follow(tally)
        assert axis.views.generations(tally).live == generation
        assert axis.views.row(tally, "a") == Tally(votes=1)


def test_a_rebuilt_view_equals_the_live_one(axis):
    for number in range(12):
        axis.happen(f"ballot-{number % 3}", OPENED if number < 3 else vote(f"{number % 4}"))
        axis.follow(tally)
    live = listed(axis, tally)
    axis.views.rebuild(tally)
    axis.follow(tally)
    assert axis.views.generations(tally).live == 2
    assert listed(axis, tally) == live


def test_two_switches_at_once_are_one(axis):
    axis.happen("ballot-1", vote("a"))
    axis.views.rebuild(tally)

    def pointer_put(params, **_):
        return f"view/{tally.name}".encode() in params["body"]

    axis.listen("before-call.dynamodb.PutItem", once(lambda: axis.views.switch(tally), pointer_put))
    axis.follow(tally)

    generations = axis.views.generations(tally)
    assert generations[:2] == (2, None)
    assert generations.fed == [2, 1]
    assert axis.views.row(tally, "a") == Tally(votes=1)
