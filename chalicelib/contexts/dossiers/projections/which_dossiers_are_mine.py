"""Which dossiers are mine? Each applicant's, wherever they are kept."""

from typing import Any

from pydantic import AwareDatetime

from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    Clock,
    DossierEvent,
    DossierStateAdopted,
    Status,
)
from chalicelib.contexts.dossiers.followed import clock_after, named, subject_of
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class OwnDossier(Value):
    """A dossier as its applicant finds it in their list.

    `subject` is the applicant (None: not known); `due_at` the appointment, once there is one.
    """

    dossier: str
    code: str
    subject: str | None
    agency: str
    procedure: str
    procedure_name: str
    status: Status
    filed_at: AwareDatetime
    changed_at: AwareDatetime
    due_at: AwareDatetime | None = None


def evolve(row: OwnDossier | None, event: DossierEvent) -> OwnDossier | None:
    """The row after `event`."""
    clock: Clock | None = clock_after(None, event)
    due_at = clock.due_at if clock else (row.due_at if row else None)
    filed_at = row.filed_at if row else event.at
    if isinstance(event, DossierStateAdopted):
        due_at = event.due_at or due_at
        filed_at = event.received_at or filed_at
    moved = row is None or row.status != event.status
    return OwnDossier(
        dossier=event.dossier,
        code=event.code,
        subject=subject_of(event, (row and row.subject) or "") or None,
        agency=event.agency,
        procedure=event.procedure,
        procedure_name=named(event, row.procedure_name if row else ""),
        status=event.status,
        filed_at=filed_at,
        changed_at=event.at if moved or row is None else row.changed_at,
        due_at=due_at,
    )


answer: Projection[Any] = Projection(
    OwnDossier, AnyDossierEvent, evolve, by="subject", sort="filed_at"
)
