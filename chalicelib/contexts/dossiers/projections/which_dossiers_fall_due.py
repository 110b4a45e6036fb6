"""Which dossiers fall due? When each wants a word next: a warning, an apology, that it is late."""

from typing import Any, Literal

from pydantic import AwareDatetime

from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    Clock,
    DossierApologyDrafted,
    DossierDeadlineExtended,
    DossierDueSoon,
    DossierEvent,
    DossierOverdue,
)
from chalicelib.contexts.dossiers.followed import ENDED, clock_after
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection

Word = Literal["warning", "apology", "overdue"]


class Watched(Value):
    """A dossier whose appointment is not dealt with; `listed` while its clock runs.

    `warned_for` and `drafted_for` are the appointments that were warned of and apologised for;
    `extended`: more time was taken, which is done once. `act_at` is the earliest moment at which
    one of `left` is to be said.
    """

    dossier: str
    clock: Clock
    warned_for: AwareDatetime | None = None
    drafted_for: AwareDatetime | None = None
    overdue: bool = False
    extended: bool = False
    act_at: AwareDatetime
    listed: Literal["due"] | None = None

    def left(self) -> dict[Word, AwareDatetime]:
        """What is not said yet, and from when on it may be."""
        words: dict[Word, AwareDatetime] = {}
        if not self.overdue and self.warned_for != self.clock.due_at:
            words["warning"] = self.clock.warn_at
        sendable = not self.extended and self.clock.draft_at < self.clock.due_at
        if sendable and self.drafted_for != self.clock.due_at:
            words["apology"] = self.clock.draft_at
        if not self.overdue:
            words["overdue"] = self.clock.due_at
        return words

    def word(self, at: AwareDatetime) -> Word | None:
        """What is to be said at this moment; a warning is none any more once it is late."""
        left = {word for word, since in self.left().items() if since <= at}
        if at <= self.clock.due_at and "warning" in left:
            return "warning"
        return "apology" if "apology" in left else "overdue" if "overdue" in left else None


def evolve(row: Watched | None, event: DossierEvent) -> Watched | None:
    """The row after `event`; none once the work has ended, or all has been said."""
    clock = clock_after(row.clock if row else None, event)
    if clock is None or event.status in ENDED:
        return None
    said: dict[str, Any] = {}
    match event:
        case DossierDueSoon():
            said = {"warned_for": event.due_at}
        case DossierApologyDrafted():
            said = {"drafted_for": event.due_at}
        case DossierOverdue():
            said = {"overdue": True}
        case DossierDeadlineExtended():
            said = {"extended": True}
    fresh = row or Watched(dossier=event.dossier, clock=clock, act_at=clock.warn_at)
    after = fresh.model_copy(update={"clock": clock, **said})
    left = after.left()
    return after.model_copy(
        update={
            "act_at": min(left.values(), default=clock.due_at),
            "listed": "due" if left and clock.runs_from else None,
        }
    )


answer: Projection[Any] = Projection(Watched, AnyDossierEvent, evolve, by="listed", sort="act_at")
