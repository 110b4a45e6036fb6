"""Reads history in order: positions with their commits, each checked against its page's hash."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from chalicelib.eventstore.store import Commit, Corrupt, EventStore, Place
from chalicelib.history.pages import Entry, History, Page

_END_PAGES = 4


class Positioned(NamedTuple):
    """A commit and its global position."""

    position: int
    commit: Commit


class Stretch(NamedTuple):
    """The wanted commits among the positions up to `last`."""

    last: int
    commits: list[Positioned]


class Newer(Exception):  # noqa: N818 -- named as the fact it states.
    """A commit holds an event of a type that only a newer program knows."""


@dataclass
class Reader:
    """Reads for several followers in one run: what one has read, the next finds at hand."""

    store: EventStore
    history: History
    _known: dict[Place, Commit] = field(default_factory=dict, repr=False)
    _ends: dict[int, list[Page]] = field(default_factory=dict, repr=False)

    def after(
        self,
        position: int,
        wanted: Callable[[str], bool],
        known: Collection[str] | None = None,
    ) -> Iterator[Stretch]:
        """Page by page, the commits above `position` whose stream is wanted.

        With `known`, the event types that this program knows, what comes before the first commit
        with another is a stretch of its own, the last one: who cannot make up for what was passed
        over stops there, until a program that knows the type goes on.

        Raises:
            Corrupt: a numbered commit is missing or is not the one that was numbered.
            Newer: such a commit comes next.
        """
        for page in self._pages(position):
            entries = [
                (page.first + offset, entry)
                for offset, entry in enumerate(page.entries)
                if page.first + offset > position and wanted(entry.stream)
            ]
            commits = self._read(entries)
            for index, (place, commit) in enumerate(commits):
                if known is not None and (strange := commit.types.difference(known)):
                    yield Stretch(place - 1, commits[:index])
                    raise Newer(f"position {place}: {', '.join(sorted(strange))}")
            yield Stretch(page.next - 1, commits)

    def _pages(self, position: int) -> Iterator[Page]:
        """The pages above `position`; a short end of history is read once for all followers."""
        if position in self._ends:
            yield from self._ends[position]
            return
        end: list[Page] = []
        for page in self.history.pages(position):
            end = [*end, page][: _END_PAGES + 1]
            yield page
        if len(end) <= _END_PAGES:
            self._ends[position] = end

    def _read(self, entries: list[tuple[int, Entry]]) -> list[Positioned]:
        missing = [entry.place for _, entry in entries if entry.place not in self._known]
        if missing:
            self._known = self.store.commits(missing) | {
                place: self._known[place]
                for _, entry in entries
                if (place := entry.place) in self._known
            }
        found = []
        for position, entry in entries:
            commit = self._known.get(entry.place)
            if commit is None or commit.hash != entry.hash:
                raise Corrupt(f"position {position}: {entry.place} is not what was numbered")
            found.append(Positioned(position, commit))
        return found
