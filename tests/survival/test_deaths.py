"""1, 2: a process dies after any of its calls to AWS, and is run again."""

from functools import partial
from uuid import uuid4

import pytest
from survival import safeguards
from survival.world import AFTER_A_DEATH, Violated, must

from chalicelib import runtime


class Workers:
    """For each worker, how it comes to have work: each method gives it fresh work to do."""

    def __init__(self, world):
        self.world = world
        self.sender, self.receiver = world.join(), world.join()
        self.before = ""

    def sequence(self):
        # Rows that are there already change, and new ones are made.
        if self.before:
            self.world.revoke(self.sender, self.before)
        self.before = self.world.send(self.sender, self.receiver)
        places = self.world.unannounced()
        return lambda: self.world.sequence(*places)

    def project(self):
        self.sequence()()
        return self.world.project

    def react(self):
        self.sequence()()
        return self.world.react

    def deliver(self):
        self.project()()
        return lambda: self.world.deliver(f"{self.receiver.code}#normal")


def die(world, prepare, first=0.0, last=1.0):
    """Let a worker die after its first call, after its second, and so on to its last.

    Each time it has fresh work, and is run again. `first` and `last` bound the calls, as shares of
    all of them.
    """
    calls = world.calls(prepare())
    for call in range(int(first * calls) + 1, int(last * calls) + 1):
        work = prepare()
        world.dies(work, call)
        world.later(AFTER_A_DEATH)
        work()
    return calls


@pytest.mark.parametrize(
    ("worker", "least"), [("sequence", 5), ("project", 10), ("react", 5), ("deliver", 10)]
)
def test_a_worker_dies_after_any_call(world, worker, least):
    assert die(world, getattr(Workers(world), worker)) >= least
    world.settle(deliver=worker == "deliver")
    world.check(drained=worker == "deliver")


@pytest.mark.parametrize(
    ("worker", "bounds", "safeguard", "broken"),
    [
        ("sequence", (0, 1), safeguards.markers_not_completed, "numbered twice"),
        ("project", (0.1, 0.6), safeguards.no_row_positions, "clean fold"),
        ("project", (0.4, 1), safeguards.no_transactions, "an outbox holds"),
        ("react", (0, 1), safeguards.react_moves_first, "carried out"),
        ("deliver", (0, 0.6), safeguards.cursor_first, "lost"),
    ],
)
def test_it_would_not_survive_without(world, worker, bounds, safeguard, broken):
    workers = Workers(world)
    with safeguard(world):
        die(world, getattr(workers, worker), *bounds)
        world.settle(deliver=worker == "deliver")
    with pytest.raises(Violated, match=broken):
        world.check(drained=worker == "deliver")


def reports(world):
    """A receiver reports status 03; each time the API dies later, and is asked again.

    The arrival number comes from a counter, so this is a transaction. Whatever answer was lost, the
    receiver goes on to 05 before it asks again: what it then gets is its first answer.
    """
    sender, receiver = world.join(), world.join()
    documents = [world.send(sender, receiver) for _ in range(10)]
    world.settle()
    for call, document in enumerate(documents, 1):
        key, copy = str(uuid4()), f"copy-{document}.{receiver.code}"
        ask = partial(world.report, receiver, document, "03", key)
        died = world.dies(ask, call)
        before = runtime.event_store().load(copy)
        assert world.report(receiver, document, "05").status == 202
        again = ask()
        if before[-1].number == 3:
            must(again.json.get("seen") == f"{copy}@3", "a retry gets the first answer")
        if not died:
            break
    assert 2 < call < len(documents)
    world.settle()
    world.check()
    taken = [data["arrival_number"] for data in world.events("copy.received")]
    must(taken == list(range(1, len(taken) + 1)), "arrival numbers have no gap")


def test_the_first_answer_is_given_again(world):
    reports(world)


def test_it_would_not_be_without_remembered_commands(world):
    with safeguards.commands_not_remembered(world), pytest.raises(Violated, match="first answer"):
        reports(world)
