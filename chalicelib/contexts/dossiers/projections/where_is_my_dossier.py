"""Where is my dossier? Under its code, which stream it is, and what its check word is proven by.

How it stands is folded from the stream when somebody asks: always current, and nothing is kept of
it twice.
"""

from typing import Any

from chalicelib.contexts.dossiers.domain.events import DossierSubmitted
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Tracked(Value):
    """The dossier behind a code; `check` is a digest of its check word."""

    dossier: str
    check: str
    listed: None = None


def keys(event: DossierSubmitted) -> list[str]:
    """The dossier's code."""
    return [event.code]


def evolve(_row: Tracked | None, event: DossierSubmitted) -> Tracked | None:
    """The row after `event`."""
    return Tracked(dossier=event.dossier, check=event.check)


answer: Projection[Any] = Projection(
    Tracked, DossierSubmitted, evolve, by="listed", sort="listed", keys=keys
)
