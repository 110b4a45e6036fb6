"""Sequencers that die at every step, race at every step, and are woken for nothing."""

import math
from contextlib import suppress
from itertools import count
from random import Random
from threading import Thread

import pytest
from axis import ledger_in_memory
from ballot import VoteCast
from faults import Died, Life, Puppet, Stepped, SteppedHistory
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from shelves import DYNAMODB

from chalicelib.eventstore.dynamodb import DynamoShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.history.pages import DynamoHistory
from chalicelib.history.sequencer import Sequencer

VOTE = VoteCast(voter="v")


def stepped(ledger, step):
    """A sequencer that calls `step` before each thing it does."""
    store = EventStore(Stepped(ledger.shelf, step), release="2026.1", clock=ledger.store.clock)
    return Sequencer(store, SteppedHistory(ledger.history, step))


def mortal(axis, life):
    """A sequencer, and its writing threads, whose API calls are the steps of a life."""
    client = Stepped(axis.dynamodb, life.step)
    shelf = axis.shelf
    store = EventStore(
        DynamoShelf(client, None, shelf.events, shelf.counters, shelf.commands, shelf.bucket),
        release="2026.1",
    )
    history = DynamoHistory(client, axis.table("History"), axis.table("Positions"))
    return Sequencer(store, history)


def test_a_death_at_every_step(ledger):
    """Two die, one after the other, at each step there is; a third finishes what they began."""
    for steps in count():
        streams = [f"ballot-{steps}", f"ballot-{steps}", "ballot-shared"]
        places = [ledger.append(stream, VOTE).place for stream in streams]
        survived = False
        for victim in range(2):
            with suppress(Died):
                stepped(ledger, Life(steps).step).number(places[victim:])
                survived |= victim == 0
            ledger.check(marked=False)
        Sequencer(ledger.store, ledger.history).number(places)
        ledger.check()
        assert set(places) <= set(ledger.numbered())
        if survived:
            break
    assert steps >= 8


@pytest.mark.parametrize("first", [False, True], ids=["behind others", "on an empty history"])
def test_a_rival_at_every_step(first):
    """One waits at each step there is while another does all its work, or dies at any of its."""
    longest = 0
    for pause, steps in ((p, s) for p in range(14) for s in (*range(14), math.inf)):
        ledger = ledger_in_memory()
        if not first:
            ledger.happen("ballot-a", VOTE)
        places = [ledger.append(s, VOTE).place for s in ("ballot-a", "ballot-b", "ballot-a")]
        waiting = Puppet(
            lambda step, led=ledger, all_=places: stepped(led, step).number(all_[::-1])
        )
        for _ in range(pause):
            waiting.advance()
        with suppress(Died):
            stepped(ledger, Life(steps).step).number(places)
        for taken in range(100):
            if waiting.done:
                longest = max(longest, pause + taken)
                break
            waiting.advance()
        assert waiting.done
        assert waiting.error is None
        ledger.check(marked=False)
        assert len(ledger.numbered()) == 3 + (not first)
        Sequencer(ledger.store, ledger.history).complete()
        ledger.check()
    assert longest > 10


@pytest.mark.parametrize("seed", range(60))
def test_four_sequencers_in_any_interleaving(seed):
    """One of the four moves a step, and now and then one dies for good, by the seed."""
    chance = Random(seed)  # noqa: S311 -- a test's dice.
    ledger = ledger_in_memory()
    places = []
    running = []
    for _ in range(8):
        places += [ledger.append(f"ballot-{chance.randrange(4)}", VOTE).place for _ in range(6)]
        while len(running) < 4:
            candidates = chance.sample(places, min(8, len(places)))
            running.append(Puppet(lambda step, told=candidates: stepped(ledger, step).number(told)))
        for _ in range(chance.randrange(60)):
            chance.choice(running).advance()
        if chance.random() < 0.5:
            chance.choice(running).kill()
        assert [puppet.error for puppet in running if puppet.error] == []
        ledger.check(marked=False)
        running = [puppet for puppet in running if not puppet.done]
    for puppet in running:
        puppet.kill()
    ledger.check(marked=False)

    Sequencer(ledger.store, ledger.history).sweep()

    ledger.check()
    assert set(ledger.numbered()) == set(places)


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_four_sequencers_at_once_with_deaths(axis):
    """True concurrency, a death every few API calls, threads of one process dying together."""
    places = [axis.append(f"ballot-{n % 7}", VOTE).place for n in range(60)]
    deaths = count(1)
    failures = []

    def work(seed):
        chance = Random(seed)  # noqa: S311 -- a test's dice.
        todo = sorted(places, key=lambda _: chance.random())
        while todo:
            batch = todo[: chance.randrange(1, 8)]
            try:
                mortal(axis, Life(chance.randrange(40))).number(batch)
            except Died:
                next(deaths)
            except Exception as error:  # noqa: BLE001 -- shown to the test's own thread.
                failures.append(error)
                return
            else:
                todo = todo[len(batch) :]

    threads = [Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()

    assert failures == []
    assert next(deaths) > 10
    axis.check(marked=False)
    Sequencer(axis.store, axis.history).complete()
    axis.check()
    assert set(axis.numbered()) == set(places)


class HistoryLife(RuleBasedStateMachine):
    """Whatever sequencers do, and wherever they stop, history is one gap-free list."""

    def __init__(self):
        super().__init__()
        self.ledger = ledger_in_memory()
        self.places = []
        self.puppets = []
        self.before = []

    @rule(stream=st.integers(0, 3))
    def append(self, stream):
        self.places.append(self.ledger.append(f"ballot-{stream}", VOTE).place)

    @precondition(lambda self: self.places and len(self.puppets) < 4)
    @rule(data=st.data())
    def wake(self, data):
        """A sequencer wakes with some candidates, true ones and false ones."""
        known = st.sampled_from(self.places)
        false = st.tuples(st.sampled_from(["ballot-0", "ballot-none"]), st.integers(1, 12))
        told = data.draw(st.lists(known | false, min_size=1, max_size=6))
        self.puppets.append(Puppet(lambda step: stepped(self.ledger, step).number(told)))

    @precondition(lambda self: len(self.puppets) < 4)
    @rule()
    def sweep(self):
        self.puppets.append(Puppet(lambda step: stepped(self.ledger, step).sweep()))

    @precondition(lambda self: self.puppets)
    @rule(data=st.data(), steps=st.integers(1, 12))
    def go_on(self, data, steps):
        puppet = data.draw(st.sampled_from(self.puppets))
        for _ in range(steps):
            puppet.advance()
        if puppet.done:
            self.puppets.remove(puppet)
        assert puppet.error is None

    @precondition(lambda self: self.puppets)
    @rule(data=st.data())
    def die(self, data):
        puppet = data.draw(st.sampled_from(self.puppets))
        puppet.kill()
        self.puppets.remove(puppet)

    @rule()
    def complete(self):
        Sequencer(self.ledger.store, self.ledger.history).complete()
        self.ledger.check()

    @invariant()
    def history_only_grows_and_holds(self):
        self.ledger.check(marked=False)
        now = self.ledger.numbered()
        assert now[: len(self.before)] == self.before
        assert set(now) <= set(self.places)
        self.before = now

    def teardown(self):
        for puppet in self.puppets:
            puppet.kill()
        Sequencer(self.ledger.store, self.ledger.history).sweep()
        self.ledger.check()
        assert set(self.ledger.numbered()) == set(self.places)


TestHistoryLife = HistoryLife.TestCase
TestHistoryLife.settings = settings(
    settings.get_profile(settings.get_current_profile_name()), stateful_step_count=50
)
