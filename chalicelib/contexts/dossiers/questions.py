"""What readers ask about dossiers: where, which, what waits, what is late, how long, how many."""

from collections.abc import Callable
from datetime import date, datetime
from hmac import compare_digest
from itertools import islice
from typing import Annotated, Any, Literal

from chalice.app import Response
from pydantic import Field, StringConstraints

from chalicelib import runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.dossiers import codes
from chalicelib.contexts.dossiers.acting import seen_by
from chalicelib.contexts.dossiers.asked import Short
from chalicelib.contexts.dossiers.control_sheet import control_sheet
from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    Applicant,
    Channel,
    DossierSupplementRequested,
    Level,
    Status,
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
from chalicelib.contexts.dossiers.register import Register
from chalicelib.contexts.dossiers.shown import Standing, standing
from chalicelib.http.identity import Role
from chalicelib.http.paging import page_of, page_request
from chalicelib.http.personal import opened
from chalicelib.http.resource import PUBLIC, Resource, ok
from chalicelib.kernel import Invalid, Value
from chalicelib.privacy.personal import Personal
from chalicelib.projector.projection import Projection
from chalicelib.projector.table import EXAMINED
from chalicelib.working_time import HANOI

routes = Resource(__name__)
READERS: set[Role] = {"officer", "system", "auditor"}
MAX_MONTHS = 36
"""Months that are counted in one answer."""
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


@routes.post("/public/dossier-look-ups", allow=PUBLIC)
def look_up_dossier() -> Response:
    """Where a dossier is, for whoever has its code and check word; nothing in it names a person.

    A wrong word and an unknown code are answered alike. What is filed is found after some seconds.
    """
    asked = routes.json(LookUp)
    tracked = runtime.views().row(where_is_my_dossier.answer, asked.code)
    # Somebody who guesses learns nothing from the time it takes either.
    id_, check = (tracked.dossier, tracked.check) if tracked else ("none", "none")
    if not compare_digest(codes.check_digest(id_, asked.check_word), check):
        raise DossierUnknown
    return ok(_tracked(standing(id_)))


@routes.get("/my-dossiers", allow={"citizen"})
def list_my_dossiers() -> Response:
    """The caller's own dossiers, newest first. Query: `limit`, `cursor`, `seen`."""
    return _page(which_dossiers_are_mine.answer, person(routes.caller().subject), newest=True)


@routes.get("/desk", allow={"officer", "system"})
def list_desk() -> Response:
    """What waits at the caller's desk, oldest due first.

    An officer of a unit sees its dossiers and those that any unit may take. Query: `status`,
    `officer`, `limit`, `cursor`, `seen`.
    """
    query, caller = routes.query(), routes.caller()
    units = {caller.unit, ""} if caller.unit else None

    def keep(item: dict[str, Any]) -> bool:
        return (
            (units is None or item["unit"] in units)
            and query.get("status") in {None, item["status"]}
            and query.get("officer") in {None, item["officer"]}
        )

    return _page(what_waits_at_my_desk.answer, desk_of(caller), keep)


@routes.get("/late-dossiers", allow=READERS)
def list_late() -> Response:
    """What is late now at an agency: its dossiers by the step they are at, and how many at each.

    `late` are past their appointment, the others past the end of their step. Counted to the first
    5,000 (`complete`), the first `limit` of them shown, longest late first. Query: `agency`,
    `limit`.
    """
    agency, limit, now = _agency(), page_request(routes.query()).limit, runtime.now()
    due = runtime.views().due(what_is_late.answer, agency, now)
    rows: list[Running] = [row for _, _, row in islice(due, MAX_LATE + 1)]
    steps: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows[:MAX_LATE]:
        step = row.step
        place = (step.agency, step.unit, step.code) if step else (row.agency, "", "")
        counted = steps.setdefault(
            place,
            {
                **dict(zip(("agency", "unit", "step"), place, strict=True)),
                "name": step.name if step else "",
                "late": 0,
                "step_late": 0,
            },
        )
        counted["late"] += _is_late(row, now)
        counted["step_late"] += bool(row.step_due_at and row.step_due_at < now)
    items = [
        row.model_dump(mode="json", exclude={"clock", "at_agency"}) | {"late": _is_late(row, now)}
        for row in rows[:limit]
    ]
    by_step = [steps[place] for place in sorted(steps)]
    return ok(
        {
            "agency": agency,
            "at": now.isoformat(),
            "by_step": by_step,
            "items": items,
            "complete": len(rows) <= MAX_LATE,
        }
    )


@routes.get(
    "/dossiers/{dossier_id}/control-sheet", allow={"citizen", "officer", "system", "auditor"}
)
def see_control_sheet(dossier_id: str) -> Response:
    """How long each step took and whose hours they were (form 06, as data); always current."""
    found = seen_by(routes.caller(), dossier_id)
    if found.state.elsewhere:
        raise KeptElsewhere
    sheet = control_sheet(found.events, runtime.calendar(), runtime.now())
    return ok(sheet.model_dump(mode="json"), version=found.version)


@routes.get("/dossiers", allow=READERS)
def list_register() -> Response:
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
def count_dossiers() -> Response:
    """What happened to an agency's dossiers, month by month, and the share that was on time.

    Query: `agency`, `from` and `to` (months, `2026-06`), `procedure`, `channel`, `level`.
    """
    query = dict(routes.query())
    own = {name: query[name] for name in query.keys() - {"agency"}}
    asked, agency = routes.build(InCounts, **own), _agency()
    months = _months(asked.since, asked.to)
    wanted = asked.model_dump(exclude_none=True, exclude={"since", "to"})
    items: list[dict[str, Any]] = []
    for month in months:
        items += _all(
            how_many_dossiers_were_there.answer,
            f"{agency}/{month}",
            lambda item: all(item[name] == value for name, value in wanted.items()),
        )
    for item in items:
        for name in ("id", "period", "agency", "seen", "updated_at"):
            item.pop(name)
    numbers = [name for name, value in items[0].items() if isinstance(value, int)] if items else []
    total = {name: sum(item[name] for item in items) for name in numbers}
    return ok(
        {
            "agency": agency,
            "items": [item | {"on_time_rate": _rate(item)} for item in items],
            "total": total | {"on_time_rate": _rate(total)},
        }
    )


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
    if own and own != agency:
        heir = Register(runtime.now()).heir(agency)
        if heir is None or heir.code != own:
            raise NotYourDossier("The agency itself and auditors see this", field="agency")
    return agency


def _page(
    question: Projection[Any],
    by: str,
    keep: Callable[[dict[str, Any]], bool] | None = None,
    *,
    newest: bool = False,
    show: Callable[[dict[str, Any]], dict[str, Any]] = lambda item: item,
) -> Response:
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


def _tracked(found: Standing) -> dict[str, Any]:
    """A dossier for whoever holds its word: how it stands, nothing that anybody said."""
    state, clock = found.state, found.state.clock
    terms = state.terms
    asked = state.asked
    papers = {rule.code: rule.name for rule in terms.components} if terms else {}
    number = max(
        (e.number for e in found.events if isinstance(e, DossierSupplementRequested)), default=0
    )
    return {
        "code": state.code,
        "agency": state.agency,
        "procedure": state.procedure,
        "procedure_name": terms.name if terms else "",
        "status": state.status,
        "portal": state.portal,
        "financial": state.financial,
        "delivery": state.delivery,
        "filed_at": found.events[0].at.isoformat(),
        "due_at": clock.due_at.isoformat() if clock else None,
        "clock_runs": clock is not None and clock.runs_from is not None,
        "overdue": state.overdue,
        "step": state.step and {"name": state.step.name, "agency": state.step.agency},
        "asked": asked
        and {
            "number": number,
            "components": [{"code": c, "name": papers.get(c, "")} for c in asked.components],
            "until": asked.until and asked.until.isoformat(),
        },
        "outcome": state.outcome,
        "history": [_line(event) for event in found.events if event.before != event.status],
    }


def _line(event: AnyDossierEvent) -> dict[str, Any]:
    return {"at": event.at.isoformat(), "status": event.status}


def _is_late(row: Running, now: Any) -> bool:
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
    return found["name"] if found else None


def _months(since: str, to: str) -> list[str]:
    first, last = (int(text[:4]) * 12 + int(text[5:]) - 1 for text in (since, to))
    if not first <= last < first + MAX_MONTHS:
        raise Invalid(f"One to {MAX_MONTHS} months", field="to")
    return [f"{number // 12}-{number % 12 + 1:02}" for number in range(first, last + 1)]


def _rate(counts: dict[str, Any]) -> float | None:
    """The share on time of what ended and had an appointment; None if nothing did."""
    ended = counts.get("on_time", 0) + counts.get("late", 0)
    return round(counts["on_time"] / ended, 4) if ended else None
