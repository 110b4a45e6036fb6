"""Gives every commit its global position: exactly once, without gaps, each stream in its own order.

Any number of sequencers may run at once and die anywhere: the page is the compare-and-swap.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chalicelib.eventstore.store import Corrupt, EventStore, Place
from chalicelib.history.pages import PAGE_ENTRIES, Entry, History, Page, PageTaken

_SWEEP_BATCH = 1_000


@dataclass
class Sequencer:
    """Numbers candidates into `history`.

    `_marked` remembers the last page whose markers are known to be complete (a fact that cannot
    become false), so that a busy sequencer does not read them again.
    """

    store: EventStore
    history: History
    _marked: int = field(default=0, repr=False)
    _holes: set[str] = field(default_factory=set, repr=False)

    def number(self, candidates: Sequence[Place]) -> int:
        """Number those candidates that exist and have no position yet; how many were numbered.

        A predecessor that nobody announced is found and goes first.

        Raises:
            Corrupt: a stream has a hole; it was left out, everything else was numbered.
        """
        numbered = 0
        self._holes.clear()
        todo = list(dict.fromkeys(candidates))
        while todo:
            batch, todo = todo[:PAGE_ENTRIES], todo[PAGE_ENTRIES:]
            numbered += self._number(batch)
        if self._holes:
            raise Corrupt(f"streams with a missing commit: {', '.join(sorted(self._holes))}")
        return numbered

    def sweep(self) -> int:
        """Find and number every commit that no stream record announced (a scan of all events)."""
        numbered, batch = 0, []
        for place in self.store.shelf.every_place():
            batch.append(place)
            if len(batch) == _SWEEP_BATCH:
                numbered += self._missed(batch)
                batch = []
        return numbered + self._missed(batch)

    def complete(self) -> None:
        """Put the last page's missing markers: what a sequencer that died there left undone."""
        self._complete(self.history.last())

    def _missed(self, places: list[Place]) -> int:
        marked = self.history.positions(places)
        return self.number(sorted(place for place in places if place not in marked))

    def _number(self, batch: list[Place]) -> int:
        numbered = 0
        while True:
            last = self.history.last()
            self._complete(last)
            # Only now may markers be read: every page but the last always has all of its own.
            entries = self._entries(batch)
            if not entries:
                return numbered
            page = Page(last.next if last else 1, tuple(entries[:PAGE_ENTRIES]), self.store.clock())
            try:
                self.history.put(page)
            except PageTaken:
                continue
            self.history.mark(page)
            self._marked = page.first
            numbered += len(page.entries)
            if len(entries) <= PAGE_ENTRIES:
                return numbered

    def _complete(self, last: Page | None) -> None:
        if last is None or last.first == self._marked:
            return
        places = [entry.place for entry in last.entries]
        if len(self.history.positions(places)) < len(places):
            self.history.mark(last)
        self._marked = last.first

    def _entries(self, batch: Iterable[Place]) -> list[Entry]:
        """The unnumbered commits of `batch`, each behind its unnumbered predecessors."""
        wanted = list(batch)
        before = [(stream, number - 1) for stream, number in wanted if number > 1]
        marked = self.history.positions(wanted + before)
        queue: dict[Place, None] = {}
        for stream, number in wanted:
            run: list[Place] = []
            place = (stream, number)
            while place[1] > 0 and place not in queue and place not in marked:
                run.append(place)
                place = (stream, place[1] - 1)
                if place[1] > 0 and place not in queue and place not in marked:
                    marked |= self.history.positions([place])
            queue |= dict.fromkeys(reversed(run))
        hashes = self.store.shelf.hashes(list(queue))
        # A place that does not exist was announced falsely, unless a later one of its stream does.
        absent = {place for place in queue if place not in hashes}
        self._holes |= {s for s, n in hashes if (s, n - 1) in absent}
        return [
            Entry(*place, hashes[place])
            for place in queue
            if place in hashes and place[0] not in self._holes
        ]
