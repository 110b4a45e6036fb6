"""10: the clocks of workers and agencies are off by up to ten minutes, either way."""

from datetime import timedelta
from random import Random

import pytest
from survival import safeguards
from survival.world import Violated, must

OFF = (timedelta(minutes=-10), timedelta(), timedelta(minutes=10))


def off(world):
    """Each process has a clock of its own, and none of them can be trusted."""
    chance = Random(10)  # noqa: S311 -- a test's dice.
    sender, ours = world.join(), world.join()
    world.clock_of_a_process = lambda: chance.choice(OFF)
    for number in range(6):
        document = world.send(sender, ours)
        world.settle()
        world.report(ours, document, "03")
        if number % 2:
            world.revoke(sender, document)
    while world.unannounced() or world.lanes_wait():
        world.settle()
        # A post that was signed outside the window was refused: the next try is an hour off.
        world.later(timedelta(hours=1))
    world.clock_of_a_process = timedelta
    world.settle()
    world.check()
    for system in (sender, ours):
        must(set(system.refused) == {"timestamp-outside-window"}, "only the window refuses")


def test_order_and_repeats_do_not_hang_on_clocks(world):
    off(world)


def test_they_would_without_a_floor_under_time(world):
    with safeguards.clock_alone(world), pytest.raises(Violated, match="run backwards"):
        off(world)


def late(world):
    """A webhook whose sender's clock is off."""
    sender, ours = world.join(), world.join()
    documents = [world.send(sender, ours) for _ in OFF]
    world.settle()
    for document, wrong in zip(documents, OFF, strict=True):
        answer = world.webhook(ours, document, "03", world.true_time() + wrong)
        if wrong:
            must(answer.json.get("code") == "timestamp-outside-window", "the window refuses")
        else:
            assert answer.status == 202
    nearly = timedelta(minutes=4)
    assert world.webhook(ours, documents[0], "03", world.true_time() - nearly).status == 202
    world.settle()
    world.check()


def test_only_the_signature_window_refuses(world):
    late(world)


def test_nothing_would_refuse_without_it(world):
    with safeguards.no_window(world), pytest.raises(Violated, match="window refuses"):
        late(world)
