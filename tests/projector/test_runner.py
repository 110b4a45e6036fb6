"""Rows are folds, whatever wakes the projector, and wherever it dies."""

import json
import math
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import count
from typing import Literal

import pytest
from axis import once
from ballot import BallotClosed, BallotEvent, BallotOpened, VoteCast
from faults import Died, Life
from pydantic import ValidationError
from shelves import DYNAMODB

from chalicelib.kernel import Event, Value
from chalicelib.projector.checkpoints import positions
from chalicelib.projector.projection import Projection
from chalicelib.projector.runner import Projector

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


# A question is named as the module of its fold.
evolve_box.__module__, evolve_tally.__module__ = "boxes", "tally"
boxes = Projection(Box, BallotEvent, evolve_box, by="place", sort="title")
tally = Projection(Tally, VoteCast, evolve_tally, "place", "votes", keys=lambda e: [e.voter])


def listed(axis, projection):
    page = axis.views.page(projection, by="here", limit=50)
    assert page.next is None
    return {item["id"]: item for item in page.items}


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def follow(axis, *projections, guard=nullcontext, **how):
    """One run of the projector for several questions."""
    return Projector(axis.views, axis.reader(), guard).follow(*projections, **how)


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_all_that_stand_at_one_position_are_fed_in_one_go(axis):
    """The calls: positions, forms, page, commits, rows; rows written, no more pages, positions."""
    axis.happen("ballot-1", OPENED)
    follow(axis, boxes, tally)
    axis.happen("ballot-1", vote("a"), vote("b"))
    axis.rack.calls.clear()

    assert follow(axis, boxes, tally) == {boxes.name: 2, tally.name: 2}

    read = ["GetItem", "GetItem", "GetItem", "BatchGetItem", "BatchGetItem"]
    assert axis.rack.calls == [*read, *["PutItem"] * 3, "GetItem", "UpdateItem"]
    assert axis.views.row(boxes, "ballot-1") == Box(title="Test", votes=2)
    assert axis.views.row(tally, "a") == axis.views.row(tally, "b") == Tally(votes=1)


def test_what_concerns_no_view_costs_one_write_for_all_of_them(axis):
    axis.happen("ballot-1", OPENED)
    follow(axis, boxes, tally)
    axis.happen("paper-1", vote("a"))
    axis.rack.calls.clear()

    follow(axis, boxes, tally)
    assert axis.rack.calls == ["GetItem", "GetItem", "GetItem", "GetItem", "UpdateItem"]

    axis.rack.calls.clear()
    follow(axis, boxes, tally)
    assert axis.rack.calls == ["GetItem", "GetItem", "GetItem"]


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
    (stored,) = axis.views.load([(f"{boxes.name}~1", "ballot-1")]).values()
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

    stumble.__module__ = boxes.name
    broken = Projection(Box, BallotEvent, stumble, by="place", sort="title")
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
        rows = axis.views.load((f"{boxes.name}~{generation}", f"ballot-{n}") for n in range(5))
        assert [row.data is not None for row in rows.values()] == [True] * 5


def test_a_rebuild_that_has_not_caught_up_is_not_read(axis):
    axis.happen("ballot-1", OPENED)
    axis.follow(boxes)
    axis.views.rebuild(boxes)

    def stumble(row, event):
        raise ZeroDivisionError

    stumble.__module__ = boxes.name
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

    def pointer_set(params, **_):
        return f"view/{tally.name}".encode() in params["body"]

    axis.listen(
        "before-call.dynamodb.UpdateItem", once(lambda: axis.views.switch(tally), pointer_set)
    )
    axis.follow(tally)

    generations = axis.views.generations(tally)
    assert generations[:2] == (2, None)
    assert generations.fed == [2, 1]
    assert axis.views.row(tally, "a") == Tally(votes=1)


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_no_reader_is_taken_back_by_a_switch(axis):
    """Somebody fed the live generation meanwhile, after the new one had caught up with it."""
    axis.happen("ballot-1", vote("a"))
    axis.follow(tally)
    axis.views.rebuild(tally)
    axis.checkpoints.advance({f"{tally.name}~1": 9})

    axis.follow(tally)
    axis.views.switch(tally)
    assert axis.views.generations(tally)[:2] == (1, 2)

    axis.checkpoints.advance({f"{tally.name}~2": 9})
    axis.views.switch(tally)
    assert axis.views.generations(tally)[:2] == (2, None)


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_the_position_of_a_generation_that_is_no_longer_fed_is_forgotten(axis):
    axis.happen("ballot-1", vote("a"))
    axis.follow(tally)
    axis.views.rebuild(tally)
    axis.follow(tally)
    # A day passes.
    axis.dynamodb.update_item(
        **axis.checkpoints.place,
        UpdateExpression="SET #v.retired.#g = :past",
        ExpressionAttributeNames={"#v": f"view/{tally.name}", "#g": "1"},
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    axis.views.rebuild(tally)
    axis.follow(tally)

    assert positions(axis.checkpoints.item()) == {f"{tally.name}~2": 1, f"{tally.name}~3": 1}
    assert axis.views.generations(tally).fed == [3, 2]


def stumbling(projection, stumble):
    """A question whose fold fails; it has a name of its own."""

    def evolve(row, event):
        if isinstance(event, stumble):
            raise ZeroDivisionError
        return projection.evolve(row, event)

    evolve.__module__ = f"{projection.name}_stumbling"
    return replace(projection, evolve=evolve)


def mended(broken, projection):
    """The same question with a fold that does not fail."""

    def evolve(row, event):
        return projection.evolve(row, event)

    evolve.__module__ = broken.name
    return replace(broken, evolve=evolve)


@contextmanager
def patience(_view):
    with suppress(ZeroDivisionError):
        yield


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_a_fold_that_fails_holds_up_nobody_else(axis):
    broken = stumbling(boxes, BallotClosed)
    every = (boxes, broken, tally)
    for event in (OPENED, vote("a"), BallotClosed(), vote("b")):
        axis.happen("ballot-1", event)

    for _ in range(2):
        reached = follow(axis, *every, guard=patience)
        assert reached == {boxes.name: 4, broken.name: 2, tally.name: 4}
    assert axis.views.row(boxes, "ballot-1") is None
    assert axis.views.row(broken, "ballot-1") == Box(title="Test", votes=1)
    assert axis.views.row(tally, "b") == Tally(votes=1)
    with pytest.raises(ZeroDivisionError):
        follow(axis, *every)

    whole = mended(broken, boxes)
    assert follow(axis, boxes, whole, tally)[broken.name] == 4
    assert axis.views.row(whole, "ballot-1") is None


def test_an_event_that_cannot_be_read_stalls_only_whom_it_concerns(axis):
    class Ghost(Event):
        """A newer writer's idea of a vote."""

        type: Literal["ballot.vote_cast"] = "ballot.vote_cast"

    opened_only = Projection(
        Box, BallotOpened, stumbling(boxes, VoteCast).evolve, by="place", sort="title"
    )
    axis.happen("ballot-1", OPENED)
    axis.happen("ballot-1", Ghost())

    @contextmanager
    def guard(_view):
        with suppress(ValidationError):
            yield

    assert follow(axis, opened_only, tally, guard=guard) == {opened_only.name: 2, tally.name: 1}


def test_those_in_front_are_fed_first_and_those_far_behind_another_time(axis):
    for _ in range(3):
        axis.happen("ballot-1", vote("a"))
    axis.follow(boxes)
    axis.happen("ballot-1", vote("a"))
    moved = []
    axis.listen(
        "before-call.dynamodb.UpdateItem",
        lambda params, **_: moved.append(
            set(json.loads(params["body"])["ExpressionAttributeNames"].values())
        ),
    )

    assert follow(axis, tally, boxes, within=2) == {boxes.name: 4, tally.name: 0}
    # A view that is fed for the first time is signed before.
    assert moved == [{f"{tally.name}~1"}, {f"{boxes.name}~1"}]
    axis.happen("ballot-1", vote("a"))
    moved.clear()
    assert follow(axis, tally, boxes, within=4) == {boxes.name: 5, tally.name: 5}
    assert moved == [{f"{boxes.name}~1"}, *[{f"{tally.name}~1"}] * 5]


def test_a_run_that_has_no_time_left_keeps_what_it_has_done(axis):
    for _ in range(5):
        axis.happen("ballot-1", vote("a"))
    looks = iter([False, False, True])

    assert follow(axis, tally, over=lambda: next(looks)) == {tally.name: 2}
    assert axis.checkpoints.get(f"{tally.name}~1") == 2
    assert axis.views.row(tally, "a") == Tally(votes=2)
    assert axis.follow(tally) == 5


def test_the_rows_of_a_page_are_read_a_hundred_at_a_time(axis):
    voters = [f"voter {number}" for number in range(230)]
    axis.happen("ballot-1", *map(vote, voters))
    axis.rack.calls.clear()

    axis.follow(tally)

    # One is the commit itself.
    assert axis.rack.calls.count("BatchGetItem") == 1 + 3
    assert len(axis.views.rows(tally, voters)) == 230
