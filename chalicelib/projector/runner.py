"""Feeds one projection from history: at its own pace, from its own checkpoint, each event once."""

from dataclasses import dataclass
from typing import Any

from chalicelib.history.reader import Positioned, Reader, Stretch
from chalicelib.kernel import Event
from chalicelib.projector.projection import Projection
from chalicelib.projector.table import Standing, Views


@dataclass(frozen=True)
class Projector:
    """Keeps every fed generation of a projection current."""

    views: Views
    reader: Reader

    def follow(self, projection: Projection[Any], standing: Standing | None = None) -> int:
        """Bring the projection up to the end of history; returns the live generation's position.

        `standing` is where it stands, for who has asked for several at once. What an `evolve`
        raises passes through: the projection stays where it was, the others go on.
        """
        generations, before = standing or self.views.standings([projection])[projection.name]
        reached = {
            generation: self._feed(projection, f"{projection.name}~{generation}", position)
            for generation, position in before.items()
        }
        if generations.building and reached[generations.building] >= reached[generations.live]:
            self.views.switch(projection)
        return reached[generations.live]

    def _feed(self, projection: Projection[Any], view: str, reached: int) -> int:
        for stretch in self.reader.after(reached, projection.wants):
            self._apply(projection, view, stretch)
            self.views.checkpoints.advance(view, stretch.last)
            reached = stretch.last
        return reached

    def _apply(self, projection: Projection[Any], view: str, stretch: Stretch) -> None:
        touched: dict[str, list[tuple[Positioned, Event]]] = {}
        for positioned in stretch.commits:
            for key, event in projection.read(positioned.commit):
                touched.setdefault(key, []).append((positioned, event))
        if not touched:
            return
        stored = self.views.load(view, touched)
        for key, happenings in touched.items():
            before = stored.get(key)
            row = (
                projection.row.model_validate_json(before.data) if before and before.data else None
            )
            made = None
            for positioned, event in happenings:
                # What the row already holds is skipped, so a repeated wake-up counts nothing twice.
                if before is None or positioned.position > before.position:
                    row = projection.evolve(row, event)
                    made = positioned
            if made:
                commit = made.commit
                self.views.save(
                    projection, view, key, row, (made.position, commit.seen, commit.recorded_at)
                )
