from functools import cache

import pytest
from shelves import EVERY, MemoryRack, dynamo_rack, moto_rack

from chalicelib.eventstore.store import EventStore


@pytest.fixture(scope="session")
def emulator_client(emulator):
    return cache(emulator.client)


@pytest.fixture(params=EVERY)
def rack(request):
    """A shelf, and a way to damage it."""
    match request.param:
        case "memory":
            yield MemoryRack()
        case "moto":
            with moto_rack() as rack:
                yield rack
        case "ministack":
            with dynamo_rack(request.getfixturevalue("emulator_client")) as rack:
                yield rack


@pytest.fixture
def store(rack):
    return EventStore(rack.shelf, release="2026.1")
