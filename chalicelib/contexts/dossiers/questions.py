"""What readers ask about dossiers: where, which, what waits, what is late, how long, how many."""

from collections.abc import Callable
from datetime import date, datetime
from hmac import compare_digest
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.dossiers import codes
from chalicelib.contexts.dossiers.acting import seen_by
from chalicelib.contexts.dossiers.asked import Short
from chalicelib.contexts.dossiers.control_sheet import ControlSheet, control_sheet
from chalicelib.contexts.dossiers.domain.events import (
    Applicant,
    Channel,
    Level,
    ReturnMeans,
    Status,
    Step,
)
from chalicelib.contexts.dossiers.domain.refusals import (
    DossierUnknown,
    KeptElsewhere,
    NotYourDossier,
)
from chalicelib.contexts.dossiers.filing import desk_of, person
from chalicelib.contexts.dossiers.projections import (
    how_many_dossiers_were_there,
    what_is_late,
    what_waits_at_my_desk,
    where_is_my_dossier,
    which_dossiers_are_mine,
    which_dossiers_are_registered,
)
from chalicelib.contexts.dossiers.projections.what_is_late import Running
from chalicelib.contexts.dossiers.projections.what_waits_at_my_desk import WaitingDossier
from chalicelib.contexts.dossiers.projections.which_dossiers_are_mine import OwnDossier
from chalicelib.contexts.dossiers.shown import standing
from chalicelib.contexts.dossiers.tracked import TrackedDossier, tracked
from chalicelib.http.identity import Role
from chalicelib.http.paging import Listed, Page, page_of, page_request
from chalicelib.http.personal import opened
from chalicelib.http.resource import PUBLIC, Answer, Resource, ok
from chalicelib.kernel import Invalid, Value
from chalicelib.privacy.personal import Personal
from chalicelib.projector.projection import Projection
from chalicelib.projector.table import EXAMINED
from chalicelib.working_time import HANOI

routes = Resource(__name__)
READERS: set[Role] = {"officer", "system", "auditor"}
MAX_MONTHS = 36
"""Months that are counted in one answer."""
MAX_COUNTS = 10_000
"""Counts (of a month, procedure, channel and level) in one answer: more would not fit into it."""
MAX_LATE = 5_000
"""Late dossiers that are counted; with more, the answer says so."""
Month = Annotated[str, StringConstraints(pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])$")]


class LookUp(Value):
    """A dossier's code and the check word that its applicant was given."""

    code: Short
    check_word: Short


class InRegister(Value):
    """Which lines of the register: filed `from` to `to` (Hanoi's days, both included)."""

    procedure: str | None = None
    channel: Channel | None = None
    level: Level | None = None
    status: Status | None = None
    late: Literal["true"] | None = None
    since: date | None = Field(default=None, alias="from")
    to: date | None = None


class InCounts(Value):
    """Which counts, from the month `from` to the month `to`."""

    since: Month = Field(alias="from")
    to: Month
    procedure: str | None = None
    channel: Channel | None = None
    level: Level | None = None


class LateDossier(TypedDict):
    """A dossier at a step that should be done: `late`, past its appointment as well.

    `late_at` is the first moment that was missed, `overdue`: the schedule has said that it is late.
    Before it is accepted, `step_due_at` is by when an online filing is answered.
    """

    dossier: str
    code: str
    agency: str
    procedure: str
    procedure_name: str
    status: Status
    step: Step | None
    due_at: datetime | None
    step_due_at: datetime | None
    overdue: bool
    late_at: datetime
    late: bool


class LateStep(TypedDict):
    """How many dossiers are late at a step, and how many only past the end of the step.

    `unit`, `step` and `name` are empty for those that are at none.
    """

    agency: str
    unit: str
    step: str
    name: str
    late: int
    step_late: int


class LateDossiers(TypedDict):
    """What is late at an agency now, longest late first; `complete`: all of it was counted."""

    agency: str
    at: datetime
    by_step: list[LateStep]
    items: list[LateDossier]
    complete: bool


class RegisteredDossier(Listed):
    """A line of the register; `applicant` is their name, None once forgotten, and for an auditor.

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
    applicant: str | None
    filed_at: datetime
    accepted_at: datetime | None
    receipt: str
    due_at: datetime | None
    ended_at: datetime | None
    on_time: bool | None
    late: bool
    returned_at: datetime | None
    returned_by: ReturnMeans | None


class DossierNumbers(TypedDict):
    """What happened to dossiers, in numbers of them.

    `on_time_rate` is the share on time of what ended and had an appointment, None if nothing did.
    """

    filed: int
    accepted: int
    not_accepted: int
    supplements: int
    obligations: int
    overdue: int
    processed: int
    withdrawn: int
    stopped: int
    returned: int
    on_time: int
    late: int
    on_time_rate: float | None


class DossierCount(DossierNumbers):
    """The numbers of a month (`2026-06`), procedure, channel and level."""

    month: str
    procedure: str
    channel: Channel
    level: Level | None


class DossierCounts(TypedDict):
    """An agency's numbers, and their sums."""

    agency: str
    items: list[DossierCount]
    total: DossierNumbers


@routes.post("/public/dossier-look-ups", allow=PUBLIC)
def look_up_dossier() -> Answer[TrackedDossier]:
    """Where a dossier is, for whoever has its code and check word; nothing in it names a person.

    A wrong word and an unknown code are answered alike. What is filed is found after some seconds.
    """
    asked = routes.json(LookUp)
    # Codes have capitals only; who copies one from paper may not.
    known = runtime.views().row(where_is_my_dossier.answer, asked.code.strip().upper())
    # Somebody who guesses learns nothing from the time it takes either.
    id_, check = (known.dossier, known.check) if known else ("none", "none")
    if not compare_digest(codes.check_digest(id_, asked.check_word), check):
        raise DossierUnknown
    return ok(tracked(standing(id_)))


@routes.get("/my-dossiers", allow={"citizen"})
def list_my_dossiers() -> Answer[Page[OwnDossier]]:
    """The caller's own dossiers, newest first. Query: `limit`, `cursor`, `seen`."""
    return _page(which_dossiers_are_mine.answer, person(routes.caller().subject), newest=True)


@routes.get("/desk", allow={"officer", "system"})
def list_desk() -> Answer[Page[WaitingDossier]]:
    """What waits at the caller's desk, oldest due first.

    With it goes what waits at those whose place the agency took; `agency` asks for one of them. An
    officer of a unit sees its dossiers and those that any unit may take. Query: `agency`, `status`,
    `officer`, `limit`, `cursor`, `seen`.
    """
    query, caller = routes.query(), routes.caller()
    desk = desk_of(caller)
    desks = (
        [_agency()] if "agency" in query else [desk, *Register(runtime.now()).predecessors(desk)]
    )
    units = {caller.unit, ""} if caller.unit else None

    def keep(item: dict[str, Any]) -> bool:
        return (
            (units is None or item["unit"] in units)
            and query.get("status") in {None, item["status"]}
            and query.get("officer") in {None, item["officer"]}
        )

    return _page(what_waits_at_my_desk.answer, desks, keep)


@routes.get("/late-dossiers", allow=READERS)
def list_late() -> Answer[LateDossiers]:
    """What is late now at an agency: its dossiers by the step they are at, and how many at each.

    `late` are past their appointment, the others past the end of their step. Counted to the first
    5,000 (`complete`), the first `limit` of them shown, longest late first. Query: `agency`,
    `limit`.
    """
    agency, limit, now = _agency(), page_request(routes.query()).limit, runtime.now()
    due = runtime.views().due(what_is_late.answer, agency, now)
    rows: list[Running] = [row for _, _, row in islice(due, MAX_LATE + 1)]
    steps: dict[tuple[str, str, str], LateStep] = {}
    for row in rows[:MAX_LATE]:
        step = row.step
        place = (step.agency, step.unit, step.code) if step else (row.agency, "", "")
        counted = steps.setdefault(
            place,
            {
                "agency": place[0],
                "unit": place[1],
                "step": place[2],
                "name": step.name if step else "",
                "late": 0,
                "step_late": 0,
            },
        )
        counted["late"] += _is_late(row, now)
        counted["step_late"] += bool(row.step_due_at and row.step_due_at < now)
    return ok(
        {
            "agency": agency,
            "at": now,
            "by_step": [steps[place] for place in sorted(steps)],
            "items": [_late(row, now) for row in rows[:limit]],
            "complete": len(rows) <= MAX_LATE,
        }
    )


@routes.get(
    "/dossiers/{dossier_id}/control-sheet", allow={"citizen", "officer", "system", "auditor"}
)
def see_control_sheet(dossier_id: str) -> Answer[ControlSheet]:
    """How long each step took and whose hours they were (form 06, as data); always current."""
    found = seen_by(routes.caller(), dossier_id)
    if found.state.elsewhere:
        raise KeptElsewhere
    sheet = control_sheet(found.events, runtime.calendar(), runtime.now())
    return ok(sheet, version=found.version)


@routes.get("/dossiers", allow=READERS)
def list_register() -> Answer[Page[RegisteredDossier]]:
    """The register of an agency (form 07), newest first; an auditor sees no names.

    Query: `agency`, `procedure`, `channel`, `level`, `status`, `late` (`true`), `from`, `to`,
    `limit`, `cursor`, `seen`.
    """
    query = dict(routes.query())
    own = {name: query[name] for name in query.keys() - {"agency", "limit", "cursor", "seen"}}
    asked = routes.build(InRegister, **own)
    wanted = asked.model_dump(exclude_none=True, exclude={"late", "since", "to"})

    def keep(item: dict[str, Any]) -> bool:
        return (
            all(item[name] == value for name, value in wanted.items())
            and (asked.late is None or item["late"])
            and _within(item["filed_at"], asked.since, asked.to)
        )

    read = routes.caller().role != "auditor"
    return _page(
        which_dossiers_are_registered.answer,
        _agency(),
        keep,
        newest=True,
        show=lambda item: item | {"applicant": _name(item["applicant"]) if read else None},
    )


@routes.get("/dossier-counts", allow=READERS)
def count_dossiers() -> Answer[DossierCounts]:
    """What happened to an agency's dossiers, month by month, and the share that was on time.

    Query: `agency`, `from` and `to` (months, `2026-06`), `procedure`, `channel`, `level`.
    """
    query = dict(routes.query())
    own = {name: query[name] for name in query.keys() - {"agency"}}
    asked, agency = routes.build(InCounts, **own), _agency()
    wanted = asked.model_dump(exclude_none=True, exclude={"since", "to"})
    rows: list[dict[str, Any]] = []
    for month in _months(asked.since, asked.to):
        rows += _all(
            how_many_dossiers_were_there.answer,
            f"{agency}/{month}",
            lambda item: all(item[name] == value for name, value in wanted.items()),
        )
        if len(rows) > MAX_COUNTS:
            raise Invalid(f"Over {MAX_COUNTS:,} counts: ask for fewer months", field="to")
    items: list[DossierCount] = [
        {
            "month": row["month"],
            "procedure": row["procedure"],
            "channel": row["channel"],
            "level": row["level"],
            **_numbers([row]),
        }
        for row in rows
    ]
    return ok({"agency": agency, "items": items, "total": _numbers(rows)})


def _agency() -> str:
    """The agency that is asked about: the caller's own, one it took the place of; an auditor's any.

    Raises:
        NotYourDossier: it is another's. Invalid: an auditor named none.
    """
    caller, asked = routes.caller(), routes.query().get("agency")
    own = desk_of(caller)
    agency = canonical(asked) if asked else own
    if not agency:
        raise Invalid("Say of which agency", field="agency")
    if own and not Register(runtime.now()).acts_for(own, agency):
        raise NotYourDossier("The agency itself and auditors see this", field="agency")
    return agency


def _page(
    question: Projection[Any],
    by: str | list[str],
    keep: Callable[[dict[str, Any]], bool] | None = None,
    *,
    newest: bool = False,
    show: Callable[[dict[str, Any]], dict[str, Any]] = lambda item: item,
) -> Answer[Page[Any]]:
    asked = page_request(routes.query())
    return page_of(question, asked, by=by, keep=keep, newest_first=newest, show=show)


def _all(
    question: Projection[Any], by: str, keep: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    """Every row of a group that `keep` accepts."""
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = runtime.views().page(question, by=by, limit=EXAMINED, cursor=cursor, keep=keep)
        rows += page.items
        if (cursor := page.next) is None:
            return rows


def _late(row: Running, now: datetime) -> LateDossier:
    return {
        "dossier": row.dossier,
        "code": row.code,
        "agency": row.agency,
        "procedure": row.procedure,
        "procedure_name": row.procedure_name,
        "status": row.status,
        "step": row.step,
        "due_at": row.due_at,
        "step_due_at": row.step_due_at,
        "overdue": row.overdue,
        "late_at": row.late_at,
        "late": _is_late(row, now),
    }


def _is_late(row: Running, now: datetime) -> bool:
    return row.overdue or (row.due_at is not None and row.due_at < now)


def _within(filed_at: str, since: date | None, to: date | None) -> bool:
    if since is None and to is None:
        return True
    day = datetime.fromisoformat(filed_at).astimezone(HANOI).date()
    return (since is None or since <= day) and (to is None or day <= to)


def _name(applicant: dict[str, Any] | None) -> str | None:
    """The applicant's name, None once they were forgotten."""
    if applicant is None:
        return None
    found = opened(Personal[Applicant].model_validate(applicant))
    return found.name if found else None


def _months(since: str, to: str) -> list[str]:
    first, last = (int(text[:4]) * 12 + int(text[5:]) - 1 for text in (since, to))
    if not first <= last < first + MAX_MONTHS:
        raise Invalid(f"One to {MAX_MONTHS} months", field="to")
    return [f"{number // 12}-{number % 12 + 1:02}" for number in range(first, last + 1)]


def _numbers(rows: list[dict[str, Any]]) -> DossierNumbers:
    """The numbers of some rows together."""

    def number(name: str) -> int:
        return sum(row[name] for row in rows)

    on_time, late = number("on_time"), number("late")
    return {
        "filed": number("filed"),
        "accepted": number("accepted"),
        "not_accepted": number("not_accepted"),
        "supplements": number("supplements"),
        "obligations": number("obligations"),
        "overdue": number("overdue"),
        "processed": number("processed"),
        "withdrawn": number("withdrawn"),
        "stopped": number("stopped"),
        "returned": number("returned"),
        "on_time": on_time,
        "late": late,
        "on_time_rate": round(on_time / (on_time + late), 4) if on_time + late else None,
    }
