"""A dossier for whoever holds its check word: how it stands, nothing that anybody said. Pure."""

from datetime import datetime

from typing_extensions import TypedDict

from chalicelib.contexts.dossiers.domain.events import Status
from chalicelib.contexts.dossiers.domain.state import Decision, Delivery, Financial
from chalicelib.contexts.dossiers.shown import Standing


class TrackedStep(TypedDict):
    """The step that a dossier is at, and the agency that has it."""

    name: str
    agency: str


class PaperWanted(TypedDict):
    """A component that is asked for."""

    code: str
    name: str


class TrackedSupplement(TypedDict):
    """What the applicant was asked for by request `number`, and by when, if that was set."""

    number: int
    components: list[PaperWanted]
    until: datetime | None


class StatusLine(TypedDict):
    """When a dossier came to stand so."""

    at: datetime
    status: Status


class TrackedDossier(TypedDict):
    """How a dossier stands, for whoever holds its check word: nothing that names a person.

    `due_at` is the appointment, None before there is one; `clock_runs`: it is still true.
    """

    code: str
    agency: str
    procedure: str
    procedure_name: str
    status: Status
    portal: int | None
    financial: Financial
    delivery: Delivery
    filed_at: datetime
    due_at: datetime | None
    clock_runs: bool
    overdue: bool
    step: TrackedStep | None
    asked: TrackedSupplement | None
    outcome: Decision
    history: list[StatusLine]


def tracked(found: Standing) -> TrackedDossier:
    """The dossier as whoever has its check word may see it."""
    state = found.state
    terms, clock, step, asked = state.terms, state.clock, state.step, state.asked
    papers = {rule.code: rule.name for rule in terms.components} if terms else {}
    return {
        "code": state.code,
        "agency": state.agency,
        "procedure": state.procedure,
        "procedure_name": terms.name if terms else "",
        "status": state.status,
        "portal": state.portal,
        "financial": state.financial,
        "delivery": state.delivery,
        "filed_at": found.events[0].at,
        "due_at": clock.due_at if clock else None,
        "clock_runs": clock is not None and clock.runs_from is not None,
        "overdue": state.overdue,
        "step": {"name": step.name, "agency": step.agency} if step else None,
        "asked": {
            "number": state.supplements,
            "components": [{"code": c, "name": papers.get(c, "")} for c in asked.components],
            "until": asked.until,
        }
        if asked
        else None,
        "outcome": state.outcome,
        "history": [
            {"at": event.at, "status": event.status}
            for event in found.events
            if event.before != event.status
        ],
    }
