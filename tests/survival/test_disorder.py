"""3, 4, 13: stream records come many times, in any order, late, or never."""

from datetime import timedelta
from random import Random
from unittest import mock

import pytest
from survival import safeguards
from survival.world import Violated, must

from chalicelib import registry, runtime
from chalicelib.eventstore.store import Corrupt
from chalicelib.history import pages


def busy(world, documents=3):
    """Documents and what became of them; nothing of it is announced yet."""
    sender, receiver = world.join(), world.join()
    for number in range(documents):
        document = world.send(sender, receiver)
        world.report(receiver, document, "03")
        if number % 2:
            world.revoke(sender, document)


def repeated(world):
    """Every wake-up comes several times, in no order."""
    chance = Random(3)  # noqa: S311 -- a test's dice.
    busy(world)
    while places := world.unannounced():
        for _ in range(3):
            world.sequence(*chance.choices(places, k=len(places)))
        world.sequence(*places)
        for _ in range(2):
            world.project()
            world.react()
            world.deliver(*chance.choices(world.due() or ["none#normal"], k=3))
    world.settle()


def test_repeated_records_change_nothing(world):
    repeated(world)
    world.check()


def test_they_would_without_markers(world):
    with safeguards.no_markers(world):
        repeated(world)
    with pytest.raises(Violated, match="numbered twice"):
        world.check()


def overtaken(world):
    """One projector has read its rows, and is overtaken by another with newer events."""
    sender, receiver = world.join(), world.join()
    document = world.send(sender, receiver)
    world.sequence(*world.unannounced())

    def overtake():
        world.revoke(sender, document)
        world.sequence(*world.unannounced())
        world.project()

    # Who lists the pages has seen history's end before the other goes on; who walks would follow.
    with mock.patch.object(pages, "_LOOK", 1):
        world.interrupted(world.project, "PutItem", "views", overtake)
    world.settle()


def test_a_stale_writer_changes_nothing(world):
    overtaken(world)
    world.check()


def test_it_would_without_positions_in_rows(world):
    with safeguards.no_conditions(world, "views"):
        overtaken(world)
    with pytest.raises(Violated, match="clean fold"):
        world.check()


def disordered(world):
    """Records come newest first and one by one; every third never comes."""
    busy(world)
    while places := world.unannounced():
        chance = Random(4)  # noqa: S311 -- a test's dice.
        lost = chance.sample(places, len(places) // 3)
        world.lose(*lost)
        for place in reversed(places):
            if place not in lost:
                world.sequence(place)
        world.project()
        world.react()
        world.deliver(*world.due())
    world.sweep()
    world.settle()


def test_order_is_kept_and_nothing_stays_lost(world):
    disordered(world)
    world.check()


@pytest.mark.parametrize(
    ("safeguard", "broken"),
    [(safeguards.no_predecessors, "stream's order"), (safeguards.no_sweep, "commit is numbered")],
)
def test_it_would_not_be_without(world, safeguard, broken):
    with safeguard(world):
        disordered(world)
    with pytest.raises(Violated, match=broken):
        world.check()


def with_a_gap(world):
    """A page of history is gone, as no fault of ours could do it."""
    sender, receiver = world.join(), world.join()
    for _ in range(3):
        world.send(sender, receiver)
        world.sequence(*world.unannounced())
    missing = runtime.history().last().first - 1
    key = {"lane": {"S": "main"}, "first": {"N": str(missing)}}
    world.clients["dynamodb"].delete_item(TableName=runtime.table("history"), Key=key)


def test_no_gap_passes_unnoticed(world):
    with_a_gap(world)
    for follower in (world.project, world.react):
        with pytest.raises(Corrupt, match="no page at position"):
            follower()


def test_it_would_if_nobody_counted(world):
    with_a_gap(world)
    with safeguards.pages_not_counted(world):
        world.project()
        world.react()
    with pytest.raises(Violated, match="has a hole"):
        world.check(drained=False)


def down_for_days(world):
    """The stream loses all that happened; the sweep finds it. Then every view is rebuilt."""
    busy(world)
    world.settle()
    busy(world)
    world.lose(*world.unannounced())
    world.later(timedelta(hours=25))
    for worker in (world.sequence, world.project, world.react):
        worker()
    world.sweep()
    world.settle()
    for projection in registry.PROJECTIONS:
        runtime.views().rebuild(projection)
    world.project()


def test_a_stream_that_was_down_for_days(world):
    down_for_days(world)
    world.check()
    for projection in registry.PROJECTIONS:
        rebuilt = runtime.views().generations(projection)
        assert rebuilt.live == 2
        must(
            world.rows(projection, 1) == world.rows(projection, 2), "rebuilt views equal live ones"
        )


def test_it_would_leave_a_hole_without_the_sweep(world):
    with safeguards.no_sweep(world):
        down_for_days(world)
    with pytest.raises(Violated, match="commit is numbered"):
        world.check(drained=False)
