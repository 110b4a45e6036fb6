"""The statutory clock of a dossier: it runs in working seconds, stands still, runs on.

However often it stood still, what has run is the sum of the stretches in which it ran; and standing
still never brings the appointment forward.
"""

from datetime import datetime, timedelta

from chalicelib.contexts.dossiers.domain.commands import Limits
from chalicelib.contexts.dossiers.domain.events import Clock, WorkingLimit
from chalicelib.working_time import HANOI, Calendar

_HOUR = timedelta(hours=1)
_WARNED_SHARE = 4
"""Nobody is warned before all but this part (one in four) of the time has run."""
_TO_SEND = timedelta(hours=4)
"""Working time that a desk has to send an apology, if the clock leaves it that much."""


def seconds(limit: WorkingLimit, calendar: Calendar) -> int:
    """A statutory time in working seconds.

    Rule: 8 working hours are one working day.
    """
    one = calendar.day if limit.unit == "days" else _HOUR
    return round((limit.amount * one).total_seconds())


def worked(calendar: Calendar, start: datetime, end: datetime) -> int:
    """The working seconds between two moments; 0 if `end` is not later."""
    return max(0, round(calendar.between(start, end).total_seconds()))


def set_off(
    calendar: Calendar, limits: Limits, at: datetime, allowed_s: int, step_allowed_s: int
) -> Clock:
    """The clock of a dossier accepted at `at`.

    Rule: what is to be done within a day counts from the next working day if it comes in late.
    """
    if allowed_s <= round(calendar.day.total_seconds()):
        at = calendar.starts(at)
    resting = Clock(
        starts_at=at,
        allowed_s=allowed_s,
        due_at=at,
        warn_at=at,
        draft_at=at,
        step_allowed_s=step_allowed_s,
    )
    return run(resting, calendar, limits, at)


def stop(clock: Clock, calendar: Calendar, at: datetime) -> Clock:
    """The clock stands still from `at`. Already so, it stays as it was."""
    if clock.runs_from is None:
        return clock
    ran = worked(calendar, clock.runs_from, at)
    used = {"used_s": clock.used_s + ran, "step_used_s": clock.step_used_s + ran}
    return clock.model_copy(update={**used, "runs_from": None})


def run(clock: Clock, calendar: Calendar, limits: Limits, at: datetime) -> Clock:
    """The clock runs from `at`, to a new appointment; one that was missed stays missed."""
    at = max(at, clock.starts_at)
    left, step_left = clock.allowed_s - clock.used_s, clock.step_allowed_s - clock.step_used_s
    changes: dict[str, object] = {"runs_from": at}
    if left > 0:
        due_at = max(clock.due_at, calendar.add(at, timedelta(seconds=left)))
        lead_s = clock.allowed_s // _WARNED_SHARE
        changes |= {
            "due_at": due_at,
            "warn_at": _before(calendar, due_at, min(limits.warn_s, lead_s), at),
            "draft_at": _drafted(calendar, limits, due_at, lead_s, at),
        }
    if step_left > 0:
        changes["step_due_at"] = calendar.add(at, timedelta(seconds=step_left))
    return clock.model_copy(update=changes)


def turn(
    clock: Clock, calendar: Calendar, limits: Limits, at: datetime, step_allowed_s: int
) -> Clock:
    """The same clock with another step's beside it, which begins at `at`."""
    still = stop(clock, calendar, at)
    step = {"step_allowed_s": step_allowed_s, "step_used_s": 0, "step_due_at": None}
    return run(still.model_copy(update=step), calendar, limits, at)


def lengthen(clock: Clock, calendar: Calendar, limits: Limits, at: datetime, more_s: int) -> Clock:
    """The running clock with more time, for the dossier and for its present step."""
    still = stop(clock, calendar, at)
    step_s = still.step_allowed_s + more_s if still.step_allowed_s else 0
    more = {"allowed_s": still.allowed_s + more_s, "step_allowed_s": step_s}
    return run(still.model_copy(update=more), calendar, limits, at)


def missed(clock: Clock | None, at: datetime) -> bool:
    """Whether the appointment has passed while the clock ran."""
    return clock is not None and clock.runs_from is not None and at > clock.due_at


def last_day_for_apology(due_at: datetime, limits: Limits) -> datetime:
    """The end of the last day on which an extension can be asked.

    Rule: Decree 61/2018/NĐ-CP, art. 19: at least one day before the appointment.
    """
    due = due_at.astimezone(HANOI) - timedelta(days=limits.apology_days)
    return due.replace(hour=23, minute=59, second=59)


def _drafted(
    calendar: Calendar, limits: Limits, due_at: datetime, lead_s: int, at: datetime
) -> datetime:
    """When an apology is drafted: in time to be sent; where none can be, at the appointment."""
    last = last_day_for_apology(due_at, limits)
    draft_at = min(
        _before(calendar, due_at, min(limits.draft_s, lead_s), at),
        max(at, calendar.add(last, -_TO_SEND)),
    )
    return draft_at if draft_at <= last else due_at


def _before(calendar: Calendar, due_at: datetime, lead_s: int, at: datetime) -> datetime:
    return max(at, calendar.add(due_at, timedelta(seconds=-lead_s)))
