"""Feeds the projections from history: those at one position together, each event once."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from chalicelib.history.reader import Positioned, Reader, Stretch
from chalicelib.kernel import Value
from chalicelib.projector.checkpoints import Run
from chalicelib.projector.projection import Projection
from chalicelib.projector.table import Stored, Views

NEAR = 200
"""Positions behind the foremost view within which one counts as current: a page of history."""

_WRITERS = 8
"""Rows written at the same time: no two of them are the same."""

_Made = tuple[str, Value | None, tuple[int, str, datetime]]
_Touched = dict[str, list[tuple[Positioned, Any]]]


class Feed(NamedTuple):
    """One generation of a projection; `view` is its name, `question~generation`."""

    projection: Projection[Any]
    view: str


@dataclass(frozen=True)
class Projector:
    """Keeps every fed generation of the projections current.

    What an `evolve` raises goes through `guard(view)`: where that swallows it, the generation stays
    where it was and the others go on.
    """

    views: Views
    reader: Reader
    guard: Callable[[str], AbstractContextManager[Any]] = nullcontext

    def follow(
        self,
        *projections: Projection[Any],
        run: Run | None = None,
        within: int | None = None,
        over: Callable[[], bool] = lambda: False,
    ) -> dict[str, int]:
        """Bring the projections up to the end of history; the live generations' positions.

        The positions are written at the end, or by who owns `run`. Generations that are more than
        `within` positions behind the foremost are left for another time; so is what remains when
        `over` says that there is no time left.
        """
        ours = run or Run(self.views.checkpoints)
        # Every run of the schedule looks whether another program has fed them meanwhile.
        self.views.sign(projections, ours.item, again=within is None)
        generations = {p.name: self.views.generations(p, ours.item) for p in projections}
        feeds = [
            Feed(projection, f"{projection.name}~{generation}")
            for projection in projections
            for generation in generations[projection.name].fed
        ]
        before = {feed.view: ours.at(feed.view) for feed in feeds}
        foremost = max(before.values(), default=0)
        # Those in front first: one that is being built, or that stumbles, holds up nobody else.
        for position in sorted(set(before.values()), reverse=True):
            if within is None or foremost - position <= within:
                self._feed([f for f in feeds if before[f.view] == position], position, ours, over)
        for projection in projections:
            live, building, _ = generations[projection.name]
            name = projection.name
            if building and ours.at(f"{name}~{building}") >= ours.at(f"{name}~{live}"):
                ours.write()
                self.views.switch(projection)
        if run is None:
            ours.write()
        return {name: ours.at(f"{name}~{found.live}") for name, found in generations.items()}

    def _feed(self, feeds: list[Feed], position: int, run: Run, over: Callable[[], bool]) -> None:
        def wanted(stream: str) -> bool:
            return any(feed.projection.wants(stream) for feed in feeds)

        for stretch in self.reader.after(position, wanted):
            if not feeds or over():
                return
            # What came before is kept before more is begun, so a death costs a page at the most.
            run.write()
            feeds = self._apply(feeds, stretch)
            run.reach([feed.view for feed in feeds], stretch.last)

    def _apply(self, feeds: list[Feed], stretch: Stretch) -> list[Feed]:
        """Write the rows that a stretch leads to; those whose rows are all written."""
        touched: list[tuple[Feed, _Touched]] = []
        for feed in feeds:
            with self.guard(feed.view):
                touched.append((feed, _touched(feed.projection, stretch)))
        stored = self.views.load((feed.view, key) for feed, keys in touched for key in keys)
        writing: list[tuple[Feed, list[Future[None]]]] = []
        with ThreadPoolExecutor(_WRITERS) as writers:
            for feed, keys in touched:
                with self.guard(feed.view):
                    made = list(_rows(feed, keys, stored))
                    saves = [
                        writers.submit(self.views.save, feed.projection, feed.view, *one)
                        for one in made
                    ]
                    writing.append((feed, saves))
            try:
                return list(self._written(writing))
            except BaseException:
                # What is to be done again need not be begun.
                writers.shutdown(cancel_futures=True)
                raise

    def _written(self, writing: list[tuple[Feed, list[Future[None]]]]) -> Iterator[Feed]:
        for feed, saves in writing:
            with self.guard(feed.view):
                for save in saves:
                    save.result()
                yield feed


def _rows(feed: Feed, keys: _Touched, stored: dict[tuple[str, str], Stored]) -> Iterator[_Made]:
    """The rows that have changed: key, row, and the (position, version, time) that made it."""
    projection = feed.projection
    for key, happenings in keys.items():
        before = stored.get((feed.view, key))
        row = projection.stored(before.data) if before and before.data else None
        made = None
        for positioned, event in happenings:
            # What the row already holds is skipped, so a repeated wake-up counts nothing twice.
            if before is None or positioned.position > before.position:
                row = projection.evolve(row, event)
                made = positioned
        if made:
            commit = made.commit
            origin = made.position, commit.seen, commit.recorded_at
            yield key, row, origin


def _touched(projection: Projection[Any], stretch: Stretch) -> _Touched:
    """The events that bear on the question, by the key of the row each touches."""
    touched: _Touched = {}
    for positioned in stretch.commits:
        # Others' streams are among them.
        if projection.wants(positioned.commit.stream):
            for key, event in projection.read(positioned.commit):
                touched.setdefault(key, []).append((positioned, event))
    return touched
