"""Whose data are read while a question is answered: told by the vault, asked for by `http/`."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_opened: ContextVar[set[str] | None] = ContextVar("opened", default=None)


@contextmanager
def watched() -> Iterator[set[str]]:
    """The subjects that are read about within; it grows as they are."""
    subjects: set[str] = set()
    token = _opened.set(subjects)
    try:
        yield subjects
    finally:
        _opened.reset(token)


def note(subject: str) -> None:
    """Something about this subject is shown. Where nobody watches, as in a worker, it is nothing.

    The vault says so itself; who gives out a link to a person's file says it here.
    """
    subjects = _opened.get()
    if subjects is not None:
        subjects.add(subject)
