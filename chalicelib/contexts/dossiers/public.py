"""Procedures for everybody: no token, and answers that browsers and proxies may keep."""

from datetime import date
from heapq import nsmallest
from typing import Any

from chalice.app import Response
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from chalicelib import runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.dossiers.catalogue import catalogue
from chalicelib.contexts.dossiers.domain.procedure import ProcedureUnknown
from chalicelib.contexts.dossiers.projections import (
    what_is_an_agency_called,
    which_agencies_offer_a_procedure,
    which_procedures_does_an_agency_offer,
)
from chalicelib.contexts.dossiers.publishing import check_code, the_procedure
from chalicelib.contexts.dossiers.search import Found, Rank, rank, sought
from chalicelib.http.paging import page_request
from chalicelib.http.resource import PUBLIC, Resource, ok
from chalicelib.projector.table import EXAMINED, InvalidCursor
from chalicelib.text import b64url, from_b64url
from chalicelib.working_time import HANOI

routes = Resource(__name__)

FRESH_S = 60
"""For how long (seconds) an answer may be kept before it is asked for again."""
_RANK: TypeAdapter[Rank] = TypeAdapter(Rank)


@routes.get("/public/procedures", allow=PUBLIC, fresh_s=FRESH_S)
def look_up_procedures() -> Response:
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
def show_procedure(code: str) -> Response:
    """One procedure: its components, fees, time, forms, and the first agencies that offer it.

    `status` is `in_force`, `announced` (its first version is still to come) or `repealed`.
    """
    state, _ = the_procedure(code)
    if not state.versions:
        raise ProcedureUnknown(field="code")
    today = _today()
    in_force = state.number_on(today)
    status = "in_force" if in_force else "repealed" if state.ended_on(today) else "announced"
    number = in_force or (len(state.versions) if status == "repealed" else 1)
    terms = state.versions[number - 1].model_dump(mode="json", exclude={"steps"})
    following = state.versions[number].effective_on if number < len(state.versions) else None
    repealed = state.repealed
    return ok(
        {
            "code": code,
            "status": status,
            "number": number,
            **terms,
            "changes_on": following if status == "in_force" else None,
            "ends_on": repealed.effective_on if repealed else None,
            "repealed_by": repealed.decision if repealed else None,
            "offered_by": _offering(code, today, page_request(None).limit, None),
        }
    )


@routes.get("/public/procedures/{code}/agencies", allow=PUBLIC, fresh_s=FRESH_S)
def list_offering_agencies(code: str) -> Response:
    """The agencies that take dossiers for a procedure today, by code. Query: `limit`, `cursor`."""
    check_code(code)
    asked = page_request(routes.query())
    return ok(_offering(code, _today(), asked.limit, asked.cursor))


@routes.get("/public/catalogue", allow=PUBLIC, fresh_s=FRESH_S)
def show_catalogue() -> Response:
    """The fields and the life events there are today, with the number of procedures in each."""
    fields: dict[str, dict[str, Any]] = {}
    events: dict[str, int] = {}
    count = 0
    for one in catalogue().on(_today()):
        count += 1
        version = one.version
        named = fields.setdefault(version.field, {"field": version.field, "procedures": 0})
        named |= {"name": version.field_name, "procedures": named["procedures"] + 1}
        for event in version.life_events:
            events[event] = events.get(event, 0) + 1
    return ok(
        {
            "procedures": count,
            "fields": [fields[field] for field in sorted(fields)],
            "life_events": [
                {"life_event": event, "procedures": events[event]} for event in sorted(events)
            ],
        }
    )


def _today() -> date:
    return runtime.now().astimezone(HANOI).date()


def _item(one: Found) -> dict[str, Any]:
    return {"code": one.code, **one.version.model_dump(mode="json")}


def _offered_by(agency: str, day: date) -> set[str]:
    """The procedures that an agency offers on a day: a department's few hundred."""
    offered, cursor = set[str](), None
    while True:
        page = runtime.views().page(
            which_procedures_does_an_agency_offer.answer,
            by=agency,
            limit=EXAMINED,
            cursor=cursor,
            keep=lambda row: _stands(row, day),
        )
        offered |= {row["procedure"] for row in page.items}
        if (cursor := page.next) is None:
            return offered


def _offering(code: str, day: date, limit: int, cursor: str | None) -> dict[str, Any]:
    page = runtime.views().page(
        which_agencies_offer_a_procedure.answer,
        by=code,
        limit=limit,
        cursor=cursor,
        keep=lambda row: _stands(row, day),
    )
    agencies = [row["agency"] for row in page.items]
    names = _names(agencies)
    items = [
        {
            "agency": row["agency"],
            "name": names.get(row["agency"], ""),
            "online": row["portal"],
            "until": row["until"],
        }
        for row in page.items
    ]
    return {"items": items, "next": page.next}


def _names(agencies: list[str]) -> dict[str, str]:
    if not agencies:
        return {}
    asked = [f"agency-{agency}" for agency in agencies]
    rows = runtime.views().rows(what_is_an_agency_called.answer, asked)
    return {key.removeprefix("agency-"): row.name for key, row in rows.items()}


def _stands(row: dict[str, Any], day: date) -> bool:
    # Days as ISO text are in the order of days.
    today = day.isoformat()
    return bool(row["since"] <= today and (row["until"] is None or today < row["until"]))


def _rank(cursor: str | None) -> Rank | None:
    if cursor is None:
        return None
    try:
        return _RANK.validate_json(from_b64url(cursor))
    except (ValueError, ValidationError):
        raise InvalidCursor(field="cursor") from None
