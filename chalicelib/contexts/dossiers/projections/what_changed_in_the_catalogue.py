"""What changed in the catalogue? How many changes have made each part of it.

Who holds all of it in memory asks this, and reads again only the parts that are behind.
"""

from collections import Counter
from typing import Any

from pydantic import Field

from chalicelib.contexts.dossiers.domain.events import ProcedureEvent
from chalicelib.contexts.dossiers.projections.which_procedures_are_there import part_of
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection

ALL = "all"
"""The only row."""


class Changes(Value):
    """How many changes have made each part that there is."""

    parts: dict[str, int] = Field(default_factory=dict)
    listed: None = None


def keys(_event: ProcedureEvent) -> list[str]:
    """The only row."""
    return [ALL]


def evolve(row: Changes | None, event: ProcedureEvent) -> Changes | None:
    """One change more."""
    counted = Counter(row.parts if row else {})
    counted[part_of(event.code)] += 1
    return Changes(parts=dict(counted))


answer: Projection[Any] = Projection(
    Changes, ProcedureEvent, evolve, by="listed", sort="listed", keys=keys
)
