"""A shelf in memory: for unit tests and for reading a history without a database."""

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from chalicelib.eventstore.store import Claim, Claimed, Commit, Lost, NumberTaken, Place, Take


class MemoryShelf:
    """Keeps commits in a dictionary; one lock makes every `put` atomic."""

    def __init__(self) -> None:
        self.items: dict[Place, Commit] = {}
        self.counters: dict[str, int] = {}
        self.claims: dict[str, Claim] = {}
        self._last: dict[str, int] = {}
        self._lock = Lock()

    def put(self, commit: Commit, take: Take | None, claim: Claim | None) -> None:
        """Store a commit if its place is free; see `Shelf.put`."""
        with self._lock:
            winner = self.items.get(commit.place)
            if winner is not None:
                raise Lost(winner)
            if claim and (known := self.claims.get(claim.command)):
                raise Claimed(known)
            if take and self.counters.get(take.name, 0) != take.number - 1:
                raise NumberTaken
            self.items[commit.place] = commit
            self._last[commit.stream] = max(commit.number, self._last.get(commit.stream, 0))
            if take:
                self.counters[take.name] = take.number
            if claim:
                self.claims[claim.command] = claim

    def stream(self, stream: str, after: int, up_to: int | None) -> Iterable[Commit]:
        """A stream in order; see `Shelf.stream`."""
        with self._lock:
            last = self._last.get(stream, 0)
            numbers = range(after + 1, (last if up_to is None else min(up_to, last)) + 1)
            return [self.items[stream, n] for n in numbers if (stream, n) in self.items]

    def commits(self, places: Sequence[Place]) -> dict[Place, Commit]:
        """Those of `places` that exist."""
        return {place: self.items[place] for place in places if place in self.items}

    def hashes(self, places: Sequence[Place]) -> dict[Place, bytes]:
        """The hashes of those of `places` that exist."""
        return {place: commit.hash for place, commit in self.commits(places).items()}

    def headers(self, places: Sequence[Place]) -> dict[Place, bytes]:
        """The headers of those of `places` that exist."""
        return {place: commit.header for place, commit in self.commits(places).items()}

    def every_place(self) -> Iterator[Place]:
        """Every commit there is."""
        yield from list(self.items)

    def counter(self, name: str) -> int:
        """The last number taken from a counter."""
        return self.counters.get(name, 0)

    def claim(self, command: str) -> Claim | None:
        """What a claimed command id has done."""
        return self.claims.get(command)
