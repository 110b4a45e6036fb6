"""Procedures for everybody: no token, and answers that browsers and proxies may keep."""

from datetime import date
from heapq import nsmallest
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.dossiers.catalogue import catalogue
from chalicelib.contexts.dossiers.domain.events import (
    ApplicantKind,
    ComponentRule,
    Fee,
    Level,
    Link,
    WorkingLimit,
)
from chalicelib.contexts.dossiers.domain.offer import offer_id
from chalicelib.contexts.dossiers.domain.procedure import ProcedureUnknown
from chalicelib.contexts.dossiers.projections import (
    what_is_an_agency_called,
    which_agencies_offer_a_procedure,
    which_procedures_does_an_agency_offer,
)
from chalicelib.contexts.dossiers.publishing import check_code, the_procedure
from chalicelib.contexts.dossiers.search import Found, Rank, rank, sought
from chalicelib.http.paging import page_request
from chalicelib.http.resource import PUBLIC, Answer, Resource, ok
from chalicelib.projector.table import EXAMINED, InvalidCursor
from chalicelib.text import b64url, from_b64url
from chalicelib.working_time import HANOI

routes = Resource(__name__)

FRESH_S = 60
"""For how long (seconds) an answer may be kept before it is asked for again."""
_RANK: TypeAdapter[Rank] = TypeAdapter(Rank)


class ProcedureSummary(TypedDict):
    """What a list says of a procedure, in the version that is in force."""

    code: str
    number: int
    effective_on: date
    name: str
    field: str
    field_name: str
    level: Level
    limit: WorkingLimit
    applicants: tuple[ApplicantKind, ...]
    life_events: tuple[str, ...]


class ProceduresFound(TypedDict):
    """Procedures that fit what was looked for, the best first; `next` leads to more, if any."""

    items: list[ProcedureSummary]
    next: str | None


class OfferingAgency(TypedDict):
    """An agency that takes dossiers for a procedure, `online` too; `until`: the first day not."""

    agency: str
    name: str
    online: bool
    until: date | None


class OfferingAgencies(TypedDict):
    """The agencies that take dossiers for a procedure, by code; `next` leads to more, if any."""

    items: list[OfferingAgency]
    next: str | None


class PublicProcedure(TypedDict):
    """All that an applicant asks about a procedure, in its version `number`.

    `changes_on` is the first day of the version after it, `ends_on` the first without the
    procedure, None where none is known; `repealed_by` is the decision.
    """

    code: str
    status: Literal["in_force", "announced", "repealed"]
    number: int
    name: str
    field: str
    field_name: str
    level: Level
    old_level: int | None
    limit: WorkingLimit
    components: tuple[ComponentRule, ...]
    fees: tuple[Fee, ...]
    applicants: tuple[ApplicantKind, ...]
    results: tuple[str, ...]
    life_events: tuple[str, ...]
    forms: tuple[Link, ...]
    legal_basis: tuple[str, ...]
    decision: str
    effective_on: date
    changes_on: date | None
    ends_on: date | None
    repealed_by: str | None
    offered_by: OfferingAgencies


class FieldSummary(TypedDict):
    """A field, and how many procedures there are in it."""

    field: str
    name: str
    procedures: int


class LifeEventSummary(TypedDict):
    """A life event, and how many procedures belong to it."""

    life_event: str
    procedures: int


class CatalogueSummary(TypedDict):
    """How many procedures there are, in all, by field and by life event."""

    procedures: int
    fields: list[FieldSummary]
    life_events: list[LifeEventSummary]


@routes.get("/public/procedures", allow=PUBLIC, fresh_s=FRESH_S)
def look_up_procedures() -> Answer[ProceduresFound]:
    """The procedures that can be filed today, those that fit best first.

    Query: `q` (words of the name, the field or the code, marks and capitals or not; the last one
    may be half a word, and so may the others), `field`, `agency` (offers it), `life_event`,
    `limit`, `cursor`.
    """
    query = routes.query()
    asked, today = page_request(query), _today()
    wanted = sought(query.get("q", ""), query.get("field"), query.get("life_event"))
    offered = _offered_by(canonical(query["agency"]), today) if "agency" in query else None
    after = _rank(asked.cursor)
    ranked = (
        (place, one)
        for one in catalogue().on(today)
        if (offered is None or one.code in offered)
        and (place := rank(one, wanted))
        and (after is None or place > after)
    )
    # Ranks end with the code, so no two are equal.
    best = nsmallest(asked.limit + 1, ranked)
    page = best[: asked.limit]
    next_ = b64url(to_json(page[-1][0])) if len(best) > len(page) else None
    return ok({"items": [_item(one) for _, one in page], "next": next_})


@routes.get("/public/procedures/{code}", allow=PUBLIC, fresh_s=FRESH_S)
def show_procedure(code: str) -> Answer[PublicProcedure]:
    """One procedure: its components, fees, time, forms, and the first agencies that offer it.

    `status` is `in_force`, `announced` (its first version is still to come) or `repealed`.
    """
    state, _ = the_procedure(code)
    if not state.versions:
        raise ProcedureUnknown(field="code")
    today = _today()
    in_force = state.number_on(today)
    over = state.ended_on(today)
    number = in_force or (len(state.versions) if over else 1)
    terms = state.versions[number - 1]
    following = state.versions[number].effective_on if number < len(state.versions) else None
    repealed = state.repealed
    return ok(
        {
            "code": code,
            "status": "in_force" if in_force else "repealed" if over else "announced",
            "number": number,
            "name": terms.name,
            "field": terms.field,
            "field_name": terms.field_name,
            "level": terms.level,
            "old_level": terms.old_level,
            "limit": terms.limit,
            "components": terms.components,
            "fees": terms.fees,
            "applicants": terms.applicants,
            "results": terms.results,
            "life_events": terms.life_events,
            "forms": terms.forms,
            "legal_basis": terms.legal_basis,
            "decision": terms.decision,
            "effective_on": terms.effective_on,
            "changes_on": following if in_force else None,
            "ends_on": repealed.effective_on if repealed else None,
            "repealed_by": repealed.decision if repealed else None,
            "offered_by": _offering(code, today, page_request(None).limit, None),
        }
    )


@routes.get("/public/procedures/{code}/agencies", allow=PUBLIC, fresh_s=FRESH_S)
def list_offering_agencies(code: str) -> Answer[OfferingAgencies]:
    """The agencies that take dossiers for a procedure today, by code. Query: `limit`, `cursor`."""
    check_code(code)
    asked = page_request(routes.query())
    return ok(_offering(code, _today(), asked.limit, asked.cursor))


@routes.get("/public/catalogue", allow=PUBLIC, fresh_s=FRESH_S)
def show_catalogue() -> Answer[CatalogueSummary]:
    """The fields and the life events there are today, with the number of procedures in each."""
    fields: dict[str, FieldSummary] = {}
    events: dict[str, int] = {}
    count = 0
    for one in catalogue().on(_today()):
        count += 1
        version = one.version
        field = fields.setdefault(
            version.field, {"field": version.field, "name": version.field_name, "procedures": 0}
        )
        field["procedures"] += 1
        for event in version.life_events:
            events[event] = events.get(event, 0) + 1
    return ok(
        {
            "procedures": count,
            "fields": [fields[code] for code in sorted(fields)],
            "life_events": [
                {"life_event": event, "procedures": events[event]} for event in sorted(events)
            ],
        }
    )


def _today() -> date:
    return runtime.now().astimezone(HANOI).date()


def _item(one: Found) -> ProcedureSummary:
    version = one.version
    return {
        "code": one.code,
        "number": version.number,
        "effective_on": version.effective_on,
        "name": version.name,
        "field": version.field,
        "field_name": version.field_name,
        "level": version.level,
        "limit": version.limit,
        "applicants": version.applicants,
        "life_events": version.life_events,
    }


def _offered_by(agency: str, day: date) -> set[str]:
    """The procedures that an agency offers on a day: a department's few hundred.

    What those offer whose place it took is its own; who answers for nobody any more offers nothing.
    """
    offered, cursor, register = set[str](), None, Register(runtime.now())
    heir = register.heir(agency)
    if heir is None:
        return offered
    offering = [heir.code, *register.predecessors(heir.code)]
    while True:
        page = runtime.views().page(
            which_procedures_does_an_agency_offer.answer,
            by=offering,
            limit=EXAMINED,
            cursor=cursor,
            keep=lambda row: _period(row, day) is not None,
        )
        offered |= {row["procedure"] for row in page.items}
        if (cursor := page.next) is None:
            return offered


def _offering(code: str, day: date, limit: int, cursor: str | None) -> OfferingAgencies:
    """A page of those that offer a procedure; for an agency that was merged, who took its place.

    Whoever took places and makes the offer itself stands there by that one alone.
    """
    page = runtime.views().page(
        which_agencies_offer_a_procedure.answer,
        by=code,
        limit=limit,
        cursor=cursor,
        keep=lambda row: _period(row, day) is not None,
    )
    periods = {row["agency"]: period for row in page.items if (period := _period(row, day))}
    register = Register(runtime.now())
    register.fetch(periods)
    heirs = {agency: found.code for agency in periods if (found := register.heir(agency))}
    named = {*heirs.values()}
    themselves = periods.keys() | _offering_themselves(code, named - periods.keys(), day)
    names = _names(sorted(named))
    items: dict[str, OfferingAgency] = {}
    for agency, heir in heirs.items():
        if heir != agency and heir in themselves:
            continue
        until, online = periods[agency]["until"], periods[agency]["portal"]
        if other := items.get(heir):
            online = online or other["online"]
            until = until and other["until"] and max(until, other["until"])
        items[heir] = {
            "agency": heir,
            "name": names.get(heir, ""),
            "online": online,
            "until": until,
        }
    return {"items": [*items.values()], "next": page.next}


def _offering_themselves(code: str, agencies: set[str], day: date) -> set[str]:
    """Those of some agencies that offer a procedure on a day."""
    if not agencies:
        return set()
    asked = [f"offer-{offer_id(code, agency)}" for agency in sorted(agencies)]
    rows = runtime.views().rows(which_agencies_offer_a_procedure.answer, asked).values()
    return {row.agency for row in rows if any(period.covers(day) for period in row.periods)}


def _names(agencies: list[str]) -> dict[str, str]:
    if not agencies:
        return {}
    asked = [f"agency-{agency}" for agency in agencies]
    rows = runtime.views().rows(what_is_an_agency_called.answer, asked)
    return {key.removeprefix("agency-"): row.name for key, row in rows.items()}


def _period(row: dict[str, Any], day: date) -> dict[str, Any] | None:
    """The period of an offer that the day lies in, if it stands on that day."""
    # Days as ISO text are in the order of days.
    today = day.isoformat()
    for period in row["periods"]:
        if period["since"] <= today and (period["until"] is None or today < period["until"]):
            return dict(period)
    return None


def _rank(cursor: str | None) -> Rank | None:
    if cursor is None:
        return None
    try:
        return _RANK.validate_json(from_b64url(cursor))
    except (ValueError, ValidationError):
        raise InvalidCursor(field="cursor") from None
