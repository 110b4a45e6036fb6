"""Which dossiers are registered? The register of each agency (form 07), as Circular 03/2025 has it.

Rule: Circular 03/2025/TT-VPCP, form 07.
"""

from typing import Any

from pydantic import AwareDatetime

from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    Applicant,
    Channel,
    DossierAccepted,
    DossierEvent,
    DossierResultReturned,
    DossierStateAdopted,
    DossierSubmitted,
    Level,
    ReturnMeans,
    Status,
)
from chalicelib.contexts.dossiers.domain.state import end_told
from chalicelib.contexts.dossiers.followed import ENDED, clock_after, late_said, named
from chalicelib.kernel import Value
from chalicelib.privacy.personal import Personal
from chalicelib.projector.projection import Projection


class Entry(Value):
    """A line of the register.

    `ended_at` is the first end of the work, `on_time` whether that was in time (None: it has not
    ended, or nothing was due). `late`: it was late at some time, or counts as late.
    """

    dossier: str
    code: str
    agency: str
    procedure: str
    procedure_name: str
    channel: Channel
    level: Level | None
    status: Status
    applicant: Personal[Applicant] | None = None
    filed_at: AwareDatetime
    accepted_at: AwareDatetime | None = None
    receipt: str = ""
    due_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    on_time: bool | None = None
    late: bool = False
    returned_at: AwareDatetime | None = None
    returned_by: ReturnMeans | None = None


def evolve(row: Entry | None, event: DossierEvent) -> Entry | None:
    """The row after `event`."""
    if row is None:
        row = Entry(
            dossier=event.dossier,
            code=event.code,
            agency=event.agency,
            procedure=event.procedure,
            procedure_name="",
            channel=event.channel,
            level=event.level,
            status=event.status,
            filed_at=event.at,
        )
    changes: dict[str, Any] = {
        "status": event.status,
        "procedure_name": named(event, row.procedure_name),
        "late": late_said(event, late=row.late),
    }
    if clock := clock_after(None, event):
        changes["due_at"] = clock.due_at
    if event.status in ENDED and row.ended_at is None:
        changes |= {"ended_at": event.at, "on_time": getattr(event, "on_time", None)}
    match event:
        case DossierSubmitted():
            changes["applicant"] = event.applicant
        case DossierAccepted():
            changes |= {"accepted_at": event.at, "receipt": event.receipt}
        case DossierResultReturned():
            changes |= {"returned_at": event.at, "returned_by": event.means}
        case DossierStateAdopted():
            changes |= _told(row, event)
    return row.model_copy(update=changes)


def _told(row: Entry, event: DossierStateAdopted) -> dict[str, Any]:
    """What the system that keeps the dossier says of it; what it leaves out stays as it was."""
    returned_at = event.returned_at or row.returned_at
    # The first end is the one that is measured, and so is what was said of it.
    on_time = event.on_time if row.on_time is None else row.on_time
    return {
        "applicant": event.applicant or row.applicant,
        "filed_at": event.received_at or row.filed_at,
        "receipt": event.receipt or row.receipt,
        "due_at": event.due_at or row.due_at,
        "ended_at": row.ended_at or end_told(event),
        "on_time": on_time,
        "late": row.late or on_time is False,
        "returned_at": returned_at,
        "returned_by": event.means if returned_at else None,
    }


answer: Projection[Any] = Projection(Entry, AnyDossierEvent, evolve, by="agency", sort="filed_at")
