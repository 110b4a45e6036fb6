"""What of a person's an answer may show."""

from typing import Protocol, TypeVar

from chalicelib import runtime
from chalicelib.privacy.personal import Erased, Personal

T = TypeVar("T")


class Opened(Protocol):
    """A personal value, or None if it may not or can no longer be read."""

    def __call__(self, personal: Personal[T] | None, /) -> T | None:
        """What it says."""


def opened(personal: Personal[T] | None, /) -> T | None:
    """A personal value; None if there is none, or its person was forgotten."""
    if personal is None:
        return None
    try:
        return personal.open(runtime.vault().open)
    except Erased:
        return None


def closed(_personal: Personal[T] | None, /) -> T | None:
    """A personal value for who may not read it."""
    return None
