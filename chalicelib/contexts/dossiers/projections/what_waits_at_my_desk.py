"""What waits at my desk? The open dossiers of each agency that has them, oldest due first.

Not those that wait for their applicant. What another system keeps is at that system's desks.
"""

from typing import Any

from pydantic import AwareDatetime

from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    Clock,
    DossierEvent,
    DossierStateAdopted,
    Status,
    Step,
)
from chalicelib.contexts.dossiers.followed import (
    OVER,
    WITH_APPLICANT,
    clock_after,
    late_said,
    named,
    step_after,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class WaitingDossier(Value):
    """A dossier at a desk: at the agency `at`, None while it is at nobody's.

    `unit` is "" where any unit of the agency may act. `due_at` is when the desk should be done with
    it: the end of the step, else the appointment, before it is accepted the time to answer.
    `waits_since` is when the dossier came to this step.
    """

    dossier: str
    code: str
    agency: str
    procedure: str
    procedure_name: str
    status: Status
    step: Step | None = None
    clock: Clock | None = None
    answer_by: AwareDatetime | None = None
    at: str | None
    unit: str
    officer: str
    late: bool = False
    waits_since: AwareDatetime
    due_at: AwareDatetime


AWAY = WITH_APPLICANT | {"returned"}


def evolve(row: WaitingDossier | None, event: DossierEvent) -> WaitingDossier | None:
    """The row after `event`; none once nobody has anything to do.

    A result that was returned may come back to be corrected: until then it is at nobody's desk.
    """
    if isinstance(event, DossierStateAdopted) or event.status in OVER - {"returned"}:
        return None
    step = step_after(row.step if row else None, event)
    clock = clock_after(row.clock if row else None, event)
    answer_by = getattr(event, "answer_by", None) or (row.answer_by if row else None)
    holder = step or Step(agency=event.agency)
    came = row is None or row.step != step or (row.at is None and event.status not in AWAY)
    since = event.at if came or row is None else row.waits_since
    due_at = (clock.step_due_at or clock.due_at) if clock else answer_by
    if step is None and clock:
        due_at = clock.due_at  # The steps are done, the result waits to be returned.
    return WaitingDossier(
        dossier=event.dossier,
        code=event.code,
        agency=event.agency,
        procedure=event.procedure,
        procedure_name=named(event, row.procedure_name if row else ""),
        status=event.status,
        step=step,
        clock=clock,
        answer_by=answer_by,
        at=None if event.status in AWAY else holder.agency,
        unit=holder.unit,
        officer=holder.officer,
        late=late_said(event, late=row is not None and row.late),
        waits_since=since,
        due_at=due_at or since,
    )


answer: Projection[Any] = Projection(
    WaitingDossier, AnyDossierEvent, evolve, by="at", sort="due_at"
)
