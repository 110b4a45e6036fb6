import pytest
from delivery.postman import Post
from receivers import receiver


@pytest.fixture
def agency():
    """An agency's system, listening on this machine."""
    with receiver() as listening:
        yield listening


@pytest.fixture
def post(axis, agency):
    """A deliverer with what it needs."""
    return Post(axis, agency)
