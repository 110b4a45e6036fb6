"""The whole catalogue of procedures in a process's memory, read again where it has changed.

Look-ups are the bulk of all visits and the catalogue is small (ten thousand procedures: 4 MB) and
seldom changes. So no look-up reads it: every few seconds one asks which of its thousand parts have
changed, and reads those.
"""

from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache
from time import monotonic

from chalicelib import runtime
from chalicelib.contexts.dossiers.projections import (
    what_changed_in_the_catalogue,
    which_procedures_are_there,
)
from chalicelib.contexts.dossiers.projections.which_procedures_are_there import Part
from chalicelib.contexts.dossiers.search import Found, searchable
from chalicelib.projector.table import Views

FRESH_S = 5
"""For how long (seconds) nobody asks whether anything has changed."""


class Catalogue:
    """What the view holds, as of `FRESH_S` ago at the latest."""

    def __init__(self, views: Views, clock: Callable[[], float] = monotonic) -> None:
        """Read nothing yet."""
        self._views = views
        self._clock = clock
        self._asked_at: float | None = None
        self._generation = 0
        self._parts: dict[str, Part] = {}
        self._ready: dict[str, list[Found]] = {}
        self._day = date.min

    def on(self, day: date) -> Iterable[Found]:
        """Every procedure that can be filed on `day`, in the version then in force."""
        self._refresh()
        if day != self._day:
            self._ready, self._day = {}, day
        for name, part in self._parts.items():
            if name not in self._ready:
                self._ready[name] = [
                    searchable(code, version)
                    for code, listed in part.procedures.items()
                    if (version := listed.on(day))
                ]
            yield from self._ready[name]

    def _refresh(self) -> None:
        now = self._clock()
        if self._asked_at is not None and now - self._asked_at < FRESH_S:
            return
        question = which_procedures_are_there.answer
        # Asked for first: a rebuilt view that is switched to meanwhile is noticed the next time.
        generation = self._views.generations(question).live
        if generation != self._generation:
            self._parts, self._ready = {}, {}
        changed = self._views.row(what_changed_in_the_catalogue.answer, "all")
        counts: dict[str, int] = changed.parts if changed else {}
        # The two views may be apart. A part counts its own changes, so one that was read too early
        # is read again until it is as far.
        behind = [
            name
            for name, count in counts.items()
            if name not in self._parts or self._parts[name].changes < count
        ]
        for name, part in self._views.rows(question, behind).items() if behind else ():
            self._parts[name] = part
            self._ready.pop(name, None)
        self._generation, self._asked_at = generation, now


def catalogue() -> Catalogue:
    """The catalogue that this process holds."""
    return _held(runtime.views())


@lru_cache(maxsize=1)
def _held(views: Views) -> Catalogue:
    return Catalogue(views)
