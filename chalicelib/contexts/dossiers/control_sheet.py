"""How long each step of a dossier took, and whose hours they were (form 06, as data). Pure.

Every event says how much working time had passed since the one before. It is put down to whoever
had the dossier meanwhile, so that the parts always add up to the whole.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime

from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    Status,
)
from chalicelib.contexts.dossiers.domain.state import Dossier, evolve
from chalicelib.contexts.dossiers.followed import OVER, WITH_APPLICANT
from chalicelib.kernel import Value
from chalicelib.working_time import Calendar

Doing = Literal["intake", "step", "applicant", "paused", "handover", "correction", "over"]
"""What a dossier's time goes into; `handover` is the result that waits to be returned."""


class Stay(Value):
    """A stretch in one pair of hands, in working seconds; `until` is None while it goes on.

    `agency`, `unit` and `step` are empty where nobody at a desk has it. `due_at` is when the step
    was to be done, `on_time` whether it was, None where nothing was due.
    """

    doing: Doing
    agency: str = ""
    unit: str = ""
    step: str = ""
    name: str = ""
    since: AwareDatetime
    until: AwareDatetime | None = None
    worked_s: int = 0
    due_at: AwareDatetime | None = None
    on_time: bool | None = None


class ControlSheet(Value):
    """Stays in order, their sums by who had the dossier, and the sum of all (working seconds).

    `by_agency` is what agencies spent, each in all its steps; `applicant_s`, `paused_s` and
    `over_s` (after its end) are nobody's at a desk.
    """

    stays: tuple[Stay, ...]
    by_agency: dict[str, int]
    applicant_s: int
    paused_s: int
    over_s: int
    whole_s: int


def control_sheet(
    events: Sequence[AnyDossierEvent], calendar: Calendar, now: datetime
) -> ControlSheet:
    """The sheet of a dossier that was filed here, up to `now`."""
    stays: list[Stay] = []
    state = Dossier()
    for event in events:
        if stays:
            stays[-1] = _longer(stays[-1], event.worked_s, state)
        state = evolve(state, event)
        stay = _stay(state, event.at)
        if not stays:
            stays.append(stay)
        elif _hands(stay) != _hands(stays[-1]):
            stays[-1] = _closed(stays[-1], event.at)
            stays.append(stay)
    if state.status not in OVER:
        # What has passed since the last event is somebody's time as well.
        tail_s = max(0, round(calendar.between(events[-1].at, now).total_seconds()))
        stays[-1] = _longer(stays[-1], tail_s, state)
    by_agency: dict[str, int] = {}
    for stay in stays:
        if stay.agency:
            by_agency[stay.agency] = by_agency.get(stay.agency, 0) + stay.worked_s
    return ControlSheet(
        stays=tuple(stays),
        by_agency=by_agency,
        applicant_s=_sum(stays, "applicant"),
        paused_s=_sum(stays, "paused"),
        over_s=_sum(stays, "over"),
        whole_s=sum(stay.worked_s for stay in stays),
    )


def _stay(state: Dossier, since: datetime) -> Stay:
    doing = _doing(state.status)
    if doing in {"applicant", "paused", "over"}:
        return Stay(doing=doing, since=since)
    step = state.step
    if doing != "step" or step is None:
        return Stay(doing=doing, agency=state.agency, since=since)
    return Stay(
        doing=doing,
        agency=step.agency,
        unit=step.unit,
        step=step.code,
        name=step.name,
        since=since,
    )


def _doing(status: Status) -> Doing:
    if status in WITH_APPLICANT:
        return "applicant"
    if status in OVER:
        return "over"
    match status:
        case "paused":
            return "paused"
        case "processed":
            return "handover"
        case "correcting":
            return "correction"
        case "submitted" | "intake_withdrawal":
            return "intake"
        case _:
            return "step"


def _hands(stay: Stay) -> tuple[str, ...]:
    return stay.doing, stay.agency, stay.unit, stay.step


def _longer(stay: Stay, worked_s: int, state: Dossier) -> Stay:
    clock = state.clock
    runs = stay.doing == "step" and clock is not None and clock.runs_from is not None
    due_at = clock.step_due_at if runs and clock else stay.due_at
    return stay.model_copy(update={"worked_s": stay.worked_s + worked_s, "due_at": due_at})


def _closed(stay: Stay, at: datetime) -> Stay:
    on_time = None if stay.due_at is None else at <= stay.due_at
    return stay.model_copy(update={"until": at, "on_time": on_time})


def _sum(stays: Sequence[Stay], doing: Doing) -> int:
    return sum(stay.worked_s for stay in stays if stay.doing == doing)
