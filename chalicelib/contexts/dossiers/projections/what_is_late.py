"""What is late? The dossiers of each agency whose clock runs, or that have missed their time.

Before one is accepted, that is the time to answer an online filing.

A row is late once its moment has passed, whether or not the schedule has said so: who asks reads
the rows up to now.
"""

from typing import Any

from pydantic import AwareDatetime

from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    Clock,
    DossierEvent,
    DossierOverdue,
    DossierStateAdopted,
    Status,
    Step,
)
from chalicelib.contexts.dossiers.followed import (
    ENDED,
    WITH_APPLICANT,
    clock_after,
    named,
    step_after,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Running(Value):
    """A dossier that `agency` answers for, with the step it is at.

    `at_agency` is the same agency while its clock runs or it is overdue, else None. `late_at` is
    the first moment to miss, or the one that was missed: the end of the step or the appointment
    `due_at`, which is None before it is accepted. The step is then the intake, and ends with the
    time to answer.
    """

    dossier: str
    code: str
    agency: str
    at_agency: str | None
    procedure: str
    procedure_name: str
    status: Status
    step: Step | None = None
    clock: Clock | None = None
    due_at: AwareDatetime | None = None
    step_due_at: AwareDatetime | None = None
    overdue: bool = False
    late_at: AwareDatetime


def evolve(row: Running | None, event: DossierEvent) -> Running | None:
    """The row after `event`; none once the work has ended, or while nothing is due."""
    if event.status in ENDED:
        return None
    if isinstance(event, DossierStateAdopted):
        due_at = event.due_at or (row.due_at if row else None)
        running, overdue, step, clock, step_due_at = True, False, None, None, None
        if event.status in WITH_APPLICANT:
            running = False
    else:
        step = step_after(row.step if row else None, event)
        clock = clock_after(row.clock if row else None, event)
        if clock:
            due_at, running = clock.due_at, clock.runs_from is not None
            step_due_at = clock.step_due_at if running else None
        else:
            due_at, running = None, event.status not in WITH_APPLICANT
            step_due_at = getattr(event, "answer_by", None) or (row.step_due_at if row else None)
        overdue = isinstance(event, DossierOverdue) or (row is not None and row.overdue)
    ends = [end for end in (due_at, step_due_at) if end]
    if not ends:
        return None
    return Running(
        dossier=event.dossier,
        code=event.code,
        agency=event.agency,
        at_agency=event.agency if running or overdue else None,
        procedure=event.procedure,
        procedure_name=named(event, row.procedure_name if row else ""),
        status=event.status,
        step=step,
        clock=clock,
        due_at=due_at,
        step_due_at=step_due_at,
        overdue=overdue,
        late_at=min(ends),
    )


answer: Projection[Any] = Projection(
    Running, AnyDossierEvent, evolve, by="at_agency", sort="late_at"
)
