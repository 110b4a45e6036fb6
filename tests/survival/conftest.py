"""One empty axis for each test."""

import pytest
from survival.world import world as made


@pytest.fixture
def world():
    with made() as world:
        yield world
