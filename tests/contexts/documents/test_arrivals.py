"""Arrival numbers: one gap-free series for each receiver and year, whoever is faster."""

import pytest
from contexts.documents.demo_documents import ORIGIN, RECEIVER, opening

from chalicelib.contexts.documents.domain.copy import AcceptReception, NoteArrival, copy
from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.handle import handle
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
    handle(store, copy, id_, NoteArrival(origin=origin(f"arrive {id_}"), opening=opening))


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
