"""Arrival numbers: one gap-free series for each receiver and year, whoever is faster."""

from concurrent.futures import ThreadPoolExecutor
from threading import Condition

import pytest
from contexts.documents.demo_documents import ORIGIN, RECEIVER, TERMS, opening
from shelves import moto_rack

from chalicelib.contexts.documents.domain.copy import AcceptReception, NoteArrival, copy
from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.handle import ATTEMPTS, handle
from chalicelib.kernel import Refused

COUNTER = "arrivals-Z02-2026"


class Crowded(MemoryShelf):
    """A shelf on which another copy is registered just after somebody has looked at the counter."""

    def __init__(self):
        super().__init__()
        self.meanwhile = []

    def counter(self, name):
        before = super().counter(name)
        if self.meanwhile:
            self.meanwhile.pop()()
        return before


@pytest.fixture
def store():
    return EventStore(Crowded(), release="2026.1")


def origin(key):
    return ORIGIN.model_copy(update={"command_id": key, "digest": f"d {key}"})


def arrive(store, id_):
    command = NoteArrival(origin=origin(f"arrive {id_}"), opening=opening, terms=TERMS)
    handle(store, copy, id_, command)


def register(store, id_, key="register", **fields):
    asked = {"origin": origin(f"{key} {id_}"), "agency": RECEIVER, "year": 2026} | fields
    return handle(store, copy, id_, AcceptReception(**asked), counter=COUNTER)


def numbers(store, *ids):
    return [
        event.get("arrival_number")
        for id_ in ids
        for commit in store.load(f"copy-{id_}")
        for event in commit.data()
        if event["type"] == "copy.received"
    ]


def test_copies_are_numbered_as_they_are_registered(store):
    for id_ in ("a", "b", "c"):
        arrive(store, id_)
    for id_ in ("b", "a", "c"):
        register(store, id_)
    assert numbers(store, "b", "a", "c") == [1, 2, 3]


def test_what_registers_nothing_takes_no_number(store):
    for id_ in ("a", "b"):
        arrive(store, id_)
    first = register(store, "a")
    assert register(store, "a").commit == first.commit
    assert register(store, "a", key="another key").commit is None
    with pytest.raises(Refused):
        register(store, "b", agency="Z09")
    register(store, "b")
    assert numbers(store, "a", "b") == [1, 2]
    assert store.shelf.counter(COUNTER) == 2


def test_two_at_once_get_two_numbers(store):
    for id_ in ("a", "b"):
        arrive(store, id_)
    store.shelf.meanwhile.append(lambda: register(store, "b"))
    register(store, "a")
    assert numbers(store, "b", "a") == [1, 2]
    assert store.shelf.counter(COUNTER) == 2


def test_the_same_copy_registered_twice_at_once_has_one_number(store):
    arrive(store, "a")
    store.shelf.meanwhile.append(lambda: register(store, "a", key="faster"))
    assert register(store, "a").commit is None
    assert numbers(store, "a") == [1]
    assert store.shelf.counter(COUNTER) == 1


class Together(MemoryShelf):
    """A shelf whose clerks all look at the counter before the first of them takes the number."""

    def __init__(self, clerks):
        super().__init__()
        self.left, self.looked, self.turn = clerks, 0, Condition()

    def counter(self, name):
        with self.turn:
            before, self.looked = super().counter(name), self.looked + 1
            if not self._all_have_looked():
                self.turn.wait(10)
        return before

    def _all_have_looked(self):
        if self.looked != self.left:
            return False
        self.looked = 0
        self.turn.notify_all()
        return True

    def put(self, commit, take, claim):
        super().put(commit, take, claim)
        if take:
            with self.turn:
                self.left -= 1
                self._all_have_looked()


def test_who_always_meets_all_the_others_gets_a_number_in_the_end():
    clerks = ATTEMPTS + 2  # More than would do without a number to wait for.
    store = EventStore(Together(clerks), release="2026.1")
    register_at_once(store, clerks)


def test_twenty_at_once_get_twenty_numbers():
    with moto_rack() as rack:
        register_at_once(EventStore(rack.shelf, release="2026.1"), 20)


def register_at_once(store, clerks):
    ids = [f"copy{n}" for n in range(clerks)]
    for id_ in ids:
        arrive(store, id_)
    with ThreadPoolExecutor(clerks) as pool:
        # Each is registered when it is asked for: nobody is told to come back.
        list(pool.map(lambda id_: register(store, id_), ids))
    assert sorted(numbers(store, *ids)) == list(range(1, clerks + 1))
