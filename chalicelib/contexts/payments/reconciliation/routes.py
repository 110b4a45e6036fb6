"""Reconciliation over HTTP: files in, differences decided, days closed, reports out."""

from collections.abc import Iterator
from datetime import date
from typing import Literal

from chalice.app import Response

from chalicelib import files, runtime
from chalicelib.contexts.payments.domain.events import Decision
from chalicelib.contexts.payments.domain.settlement import (
    CloseDay,
    ResolveDiscrepancy,
    settlement,
    settlement_id,
)
from chalicelib.contexts.payments.projections import how_did_a_day_settle as settled
from chalicelib.contexts.payments.projections.how_did_a_day_settle import SettledDay
from chalicelib.contexts.payments.reconciliation import receiving
from chalicelib.contexts.payments.reconciliation.report import (
    agencies_csv,
    chart_days,
    differences_csv,
    page,
    report,
)
from chalicelib.handle import handle
from chalicelib.http.identity import Role
from chalicelib.http.paging import page_of, page_request
from chalicelib.http.printed import HTML, POLICY
from chalicelib.http.resource import Resource, accepted, ok
from chalicelib.kernel import NotFound, Value
from chalicelib.working_time import HANOI

routes = Resource(__name__)
READERS: set[Role] = {"auditor", "administrator"}
CSV = "text/csv; charset=utf-8"


class SettlementUnknown(NotFound):
    """No file of this provider and day has come."""

    code = "settlement-unknown"


class Resolving(Value):
    """The body of a decision on a discrepancy: what it is, and why."""

    decision: Decision
    note: str


class ReportAsked(Value):
    """In which form a report is wanted; `csv` is by agency, `discrepancies` line by line."""

    form: Literal["json", "html", "csv", "discrepancies"] = "json"


@routes.post("/settlements/uploads", allow={"administrator"})
def ask_for_settlement_upload() -> Response:
    """Ask for a link to upload a provider's file with. A link is not a change: no key."""
    asked = routes.json(receiving.NewFile)
    return ok(files.upload(receiving.OWNER, asked).model_dump(mode="json"))


@routes.put("/settlements/{provider}/{day}/file", allow={"administrator"})
def receive_settlement_file(provider: str, day: str) -> Response:
    """Have a provider's file of a day compared with our books. 202; 409 once the day is closed."""
    asked, on = routes.json(receiving.Delivered), _day(day)
    return accepted(receiving.receive(provider, on, asked, routes.origin()))


@routes.put("/settlements/{provider}/{day}/comparison", allow={"administrator"})
def compare_settlement_again(provider: str, day: str) -> Response:
    """Compare the day's file with our books once more, as they are by now. 202."""
    return accepted(receiving.compare_again(provider, _day(day), routes.origin()))


@routes.put(
    "/settlements/{provider}/{day}/discrepancies/{discrepancy_id}/decision",
    allow={"administrator"},
    step_up=True,
)
def decide_discrepancy(provider: str, day: str, discrepancy_id: str) -> Response:
    """Decide what a discrepancy is, and say why. 202; 404 `discrepancy-unknown`."""
    asked = routes.json(Resolving)
    wish = routes.build(
        ResolveDiscrepancy,
        origin=routes.origin(),
        provider=provider,
        on=_day(day),
        discrepancy=discrepancy_id,
        **asked.model_dump(),
    )
    return _do(wish)


@routes.put("/settlements/{provider}/{day}/closure", allow={"administrator"}, step_up=True)
def close_settlement(provider: str, day: str) -> Response:
    """Close a day, for good. 202, or 409 `discrepancies-open`."""
    wish = routes.build(CloseDay, origin=routes.origin(), provider=provider, on=_day(day))
    return _do(wish)


@routes.get("/settlements", allow=READERS)
def list_settlements() -> Response:
    """The days of all providers, or of `provider`, the last first. Query: `status`, paging."""
    query = routes.query()
    asked = page_request(query)
    wanted = {name: query[name] for name in ("provider", "status") if name in query}
    return page_of(
        settled.answer,
        asked,
        by="days",
        keep=lambda row: all(row[name] == said for name, said in wanted.items()),
        newest_first=True,
        show=_shown,
    )


@routes.get("/settlements/{provider}/{day}", allow=READERS)
def read_settlement(provider: str, day: str) -> Response:
    """One day, always current: how far its file is read, what differs, what was decided."""
    on = _day(day)
    state, version = receiving.the_day(provider, on)
    if not version:
        raise SettlementUnknown
    kept = receiving.NewFile(size=state.size, sha256=state.sha256)
    made = report(provider, on, state, _today())
    answer = {
        "provider": provider,
        "on": on,
        "status": state.status,
        "file": {"name": state.name, "size": state.size, "sha256": state.sha256}
        | files.link(kept, receiving.OWNER, f"{settlement_id(provider, on)}.csv"),
        "read": {"lines": state.read, "chunks": len(state.chunks)},
        "refused": {"line": state.line, "why": state.why} if state.status == "refused" else None,
        "lines": state.lines,
        "amount": state.amount,
        "matched": sum(one.matched for one in state.tallies),
        "open": len(state.open),
        "as_of": state.as_of,
        "discrepancies": made.model_dump(mode="json")["differences"],
    }
    return ok(answer, version=version)


@routes.get("/settlements/{provider}/{day}/report", allow={"auditor", "administrator", "officer"})
def report_settlement(provider: str, day: str) -> Response:
    """What became of a day, by agency; an officer sees their own agency. Query: `form`."""
    asked, on = routes.build(ReportAsked, **routes.query()), _day(day)
    caller = routes.caller()
    state, version = receiving.the_day(provider, on)
    if not version:
        raise SettlementUnknown
    own = caller.agency if caller.role == "officer" else None
    days = [] if own else list(_days(provider, on))
    made = report(provider, on, state, _today(), agency=own, days=days)
    match asked.form:
        case "json":
            return ok(made.model_dump(mode="json"), version=version)
        case "html":
            return _file(page(made), HTML)
        case "csv":
            return _file(agencies_csv(made), CSV)
        case "discrepancies":
            return _file(differences_csv(made), CSV)


def _do(wish: ResolveDiscrepancy | CloseDay) -> Response:
    id_ = settlement_id(wish.provider, wish.on)
    return accepted(handle(runtime.event_store(), settlement, id_, wish))


def _file(body: str, kind: str) -> Response:
    headers: dict[str, str | list[str]] = {
        "Content-Type": kind,
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
    }
    return Response(body=body, headers=headers)


def _days(provider: str, on: date) -> Iterator[SettledDay]:
    """The days of the chart; one of which nothing has come is empty."""
    days = chart_days(on)
    keys = {f"{settlement.category}-{settlement_id(provider, day)}": day for day in days}
    found = runtime.views().rows(settled.answer, keys)
    for key, day in keys.items():
        yield found.get(key) or SettledDay(provider=provider, on=day)


def _shown(row: dict[str, object]) -> dict[str, object]:
    """A day of the list: counts in place of ids."""
    hidden = {"book", "found", "resolved"}
    found = SettledDay.model_validate({name: row[name] for name in SettledDay.model_fields})
    shown = {name: said for name, said in row.items() if name not in hidden}
    return shown | {"discrepancies": len(found.found), "open": found.open}


def _day(text: str) -> date:
    """The day in the address.

    Raises:
        SettlementUnknown: it is no day.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettlementUnknown(field="day") from None


def _today() -> date:
    return runtime.now().astimezone(HANOI).date()
