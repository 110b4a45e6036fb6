import pytest
from receivers import receiver


@pytest.fixture
def agency():
    """An agency's system, listening on this machine."""
    with receiver() as listening:
        yield listening
