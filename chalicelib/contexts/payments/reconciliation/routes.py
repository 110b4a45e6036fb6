"""Reconciliation over HTTP: files in, differences decided, days closed, reports out."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from chalice.app import Response
from typing_extensions import TypedDict

from chalicelib import files, runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.payments.domain.events import Decision
from chalicelib.contexts.payments.domain.settlement import (
    CloseDay,
    ResolveDiscrepancy,
    SettlementStatus,
    settlement,
    settlement_id,
)
from chalicelib.contexts.payments.people import acts_for, office
from chalicelib.contexts.payments.projections import how_did_a_day_settle as settled
from chalicelib.contexts.payments.projections.how_did_a_day_settle import SettledDay
from chalicelib.contexts.payments.reconciliation import receiving
from chalicelib.contexts.payments.reconciliation.report import (
    SettlementDifference,
    SettlementReport,
    agencies_csv,
    chart_days,
    differences_csv,
    page,
    report,
)
from chalicelib.handle import handle
from chalicelib.http.identity import Role
from chalicelib.http.paging import Listed, Page, page_of, page_request
from chalicelib.http.printed import HTML, POLICY
from chalicelib.http.resource import Answer, Receipt, Resource, accepted, ok
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
    """In which form a report is wanted; `csv` is by agency, `discrepancies` line by line.

    With `agency` it is of that one alone.
    """

    form: Literal["json", "html", "csv", "discrepancies"] = "json"
    agency: str = ""


class ListedSettlement(Listed):
    """A provider's day in the list: `matched` of its `lines` agree; `amount` in đồng.

    `discrepancies` counts those that were found, `open` those that nobody has decided.
    """

    provider: str
    on: date
    status: SettlementStatus
    lines: int
    amount: int
    matched: int
    discrepancies: int
    open: int


class SettlementFile(files.DownloadLink):
    """A provider's file as it came, with a link to it: `size` in bytes, `sha256` in hexadecimal."""

    name: str
    size: int
    sha256: str


class SettlementReading(TypedDict):
    """How far a file is read."""

    lines: int
    chunks: int


class SettlementFault(TypedDict):
    """Why a file cannot be used, and at which line (0: no line in particular)."""

    line: int
    why: str


class Settlement(TypedDict):
    """A provider's day: `matched` of its `lines` agree with our books as of position `as_of`.

    `amount` is the sum of the lines in đồng, `open` counts the discrepancies that nobody has
    decided. `refused` says why the file cannot be used, if it cannot.
    """

    provider: str
    on: date
    status: SettlementStatus
    file: SettlementFile
    read: SettlementReading
    refused: SettlementFault | None
    lines: int
    amount: int
    matched: int
    open: int
    as_of: int
    discrepancies: tuple[SettlementDifference, ...]


@routes.post("/settlements/uploads", allow={"administrator"})
def ask_for_settlement_upload() -> Answer[files.Upload]:
    """Ask for a link to upload a provider's file with. A link is not a change: no key."""
    asked = routes.json(receiving.NewFile)
    return ok(files.upload(receiving.OWNER, asked))


@routes.put("/settlements/{provider}/{day}/file", allow={"administrator"})
def receive_settlement_file(provider: str, day: str) -> Answer[Receipt]:
    """Have a provider's file of a day compared with our books. 202; 409 once the day is closed.

    Refuses `settlement-day-ahead` before the day has begun.
    """
    asked, on = routes.json(receiving.Delivered), _day(day)
    return accepted(receiving.receive(provider, on, asked, routes.origin()))


@routes.put("/settlements/{provider}/{day}/comparison", allow={"administrator"})
def compare_settlement_again(provider: str, day: str) -> Answer[Receipt]:
    """Compare the day's file with our books once more, as they are by now. 202."""
    return accepted(receiving.compare_again(provider, _day(day), routes.origin()))


@routes.put(
    "/settlements/{provider}/{day}/discrepancies/{discrepancy_id}/decision",
    allow={"administrator"},
    step_up=True,
)
def decide_discrepancy(provider: str, day: str, discrepancy_id: str) -> Answer[Receipt]:
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
def close_settlement(provider: str, day: str) -> Answer[Receipt]:
    """Close a day, for good. 202, or 409 `discrepancies-open`, `settlement-comparison-outdated`."""
    on = _day(day)
    wish = routes.build(
        CloseDay,
        origin=routes.origin(),
        provider=provider,
        on=on,
        moved=receiving.moved(provider, on),
    )
    return _do(wish)


@routes.get("/settlements", allow=READERS)
def list_settlements() -> Answer[Page[ListedSettlement]]:
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
def read_settlement(provider: str, day: str) -> Answer[Settlement]:
    """One day, always current: how far its file is read, what differs, what was decided."""
    on = _day(day)
    state, version = receiving.the_day(provider, on)
    if state.status == "absent":
        raise SettlementUnknown
    kept = receiving.NewFile(size=state.size, sha256=state.sha256)
    link = files.link(kept, receiving.OWNER, f"{settlement_id(provider, on)}.csv")
    shown: Settlement = {
        "provider": provider,
        "on": on,
        "status": state.status,
        "file": {"name": state.name, "size": state.size, "sha256": state.sha256, **link},
        "read": {"lines": state.read, "chunks": len(state.chunks)},
        "refused": {"line": state.line, "why": state.why} if state.status == "refused" else None,
        "lines": state.lines,
        "amount": state.amount,
        "matched": sum(one.matched for one in state.tallies),
        "open": len(state.open),
        "as_of": state.as_of,
        "discrepancies": report(provider, on, state, _today()).differences,
    }
    return ok(shown, version=version)


@routes.get("/settlements/{provider}/{day}/report", allow={"auditor", "administrator", "officer"})
def report_settlement(provider: str, day: str) -> Answer[SettlementReport] | Response:
    """What became of a day, by agency, or for one. Query: `form`, `agency`.

    An officer sees what is their agency's, or that of one whose place it took.
    """
    asked, on = routes.build(ReportAsked, **routes.query()), _day(day)
    caller = routes.caller()
    agency = canonical(asked.agency) if asked.agency else office(caller)
    if caller.role == "officer" and not acts_for(caller, agency):
        raise SettlementUnknown(field="agency")
    state, version = receiving.the_day(provider, on)
    if not version:
        raise SettlementUnknown
    days = [] if agency else list(_days(provider, on))
    made = report(provider, on, state, _today(), agency=agency or None, days=days)
    match asked.form:
        case "json":
            return ok(made, version=version)
        case "html":
            return _file(page(made), HTML)
        case "csv":
            return _file(agencies_csv(made), CSV)
        case "discrepancies":
            return _file(differences_csv(made), CSV)


def _do(wish: ResolveDiscrepancy | CloseDay) -> Answer[Receipt]:
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


def _shown(row: dict[str, Any]) -> dict[str, Any]:
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
