"""What became of a provider's day, for accountants: as data, as a page, as a table. Pure."""

import csv
from collections.abc import Iterable
from datetime import date, timedelta
from html import escape
from io import StringIO
from typing import Any

from chalicelib.contexts.payments.domain.events import Discrepancy
from chalicelib.contexts.payments.domain.settlement import (
    Resolution,
    Settlement,
    SettlementStatus,
)
from chalicelib.contexts.payments.projections.how_did_a_day_settle import SettledDay
from chalicelib.kernel import Value

CHART_DAYS = 30
"""Days that the chart shows, the report's own the last of them."""
KINDS = {
    "only_ours": "Chỉ có ở ta (only ours)",
    "only_theirs": "Chỉ có ở trung gian (only theirs)",
    "amount_diff": "Lệch số tiền (amount)",
    "status_diff": "Lệch trạng thái (status)",
}
_STATES = {
    "received": "đang đọc (being read)",
    "refused": "tệp bị từ chối (file refused)",
    "compared": "đã đối soát (compared)",
    "closed": "đã khoá sổ (closed)",
}
_STYLE = """
body{font:11pt/1.4 system-ui,sans-serif;max-width:70rem;margin:1rem auto;padding:0 1rem;color:#111}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
th,td{border:1px solid #999;padding:.2rem .5rem;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.open{background:#fff0f0}
svg{width:100%;height:auto}@media print{body{max-width:none}}
"""
_BAR, _GAP, _HIGH = 18, 6, 80


class AgencySettlement(Value):
    """An agency's share of a day: what agrees, in lines and đồng, and what differs, in lines."""

    agency: str
    matched: int = 0
    payments: int = 0
    refunds: int = 0
    fees: int = 0
    only_ours: int = 0
    only_theirs: int = 0
    amount_diff: int = 0
    status_diff: int = 0
    open: int = 0


class SettlementDifference(Value):
    """A discrepancy as it stands: decided (`resolution`), or open since `age_days`."""

    discrepancy: Discrepancy
    resolution: Resolution | None
    age_days: int


class SettlementReport(Value):
    """A provider's day; of one agency, if it is for that agency. `days` are for the chart."""

    provider: str
    on: date
    status: SettlementStatus
    why: str
    lines: int
    amount: int
    agencies: tuple[AgencySettlement, ...]
    differences: tuple[SettlementDifference, ...]
    days: tuple[SettledDay, ...] = ()


def report(
    provider: str,
    on: date,
    state: Settlement,
    today: date,
    *,
    agency: str | None = None,
    days: Iterable[SettledDay] = (),
) -> SettlementReport:
    """The report of a day of which a file has come; with `agency` of that one alone."""
    assert state.status != "absent"
    shares = {
        one.agency: AgencySettlement(**one.model_dump())
        for one in state.tallies
        if agency in {None, one.agency}
    }
    differences = []
    for id_, found in state.found.items():
        if agency not in {None, found.agency}:
            continue
        decided = state.resolved.get(id_)
        age = (today - found.since).days
        differences.append(
            SettlementDifference(discrepancy=found, resolution=decided, age_days=age)
        )
        share = shares.get(found.agency, AgencySettlement(agency=found.agency))
        change = {found.kind: getattr(share, found.kind) + 1}
        shares[found.agency] = share.model_copy(
            update=change | {"open": share.open + (decided is None)}
        )
    whole = agency is None
    return SettlementReport(
        provider=provider,
        on=on,
        status=state.status,
        why=state.why,
        lines=state.lines if whole else sum(one.matched for one in shares.values()),
        amount=state.amount if whole else sum(s.payments + s.refunds for s in shares.values()),
        agencies=tuple(shares[name] for name in sorted(shares)),
        differences=tuple(differences),
        days=tuple(days),
    )


def chart_days(on: date) -> list[date]:
    """The days of the chart, in order."""
    days = min(CHART_DAYS, on.toordinal())
    return [on - timedelta(days=ago) for ago in reversed(range(days))]


# --- As tables ------------------------------------------------------------------------------------


def agencies_csv(made: SettlementReport) -> str:
    """One row for each agency."""
    names = list(AgencySettlement.model_fields)
    rows = [[getattr(one, name) for name in names] for one in made.agencies]
    return _csv(made, names, rows)


def differences_csv(made: SettlementReport) -> str:
    """One row for each discrepancy."""
    found = [name for name in Discrepancy.model_fields if name != "id"]
    decided = list(Resolution.model_fields)
    rows = [
        [
            one.discrepancy.id,
            *(getattr(one.discrepancy, name) for name in found),
            one.age_days,
            *(getattr(one.resolution, name, "") for name in decided),
        ]
        for one in made.differences
    ]
    return _csv(made, ["id", *found, "age_days", *decided], rows)


def _csv(made: SettlementReport, names: list[str], rows: list[list[Any]]) -> str:
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(["provider", "on", *names])
    for row in rows:
        writer.writerow([made.provider, made.on, *map(_cell, row)])
    # Spreadsheets take a file for UTF-8 by this mark alone.
    return "\ufeff" + out.getvalue()


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return "" if value is None else value


# --- As a page ------------------------------------------------------------------------------------


def page(made: SettlementReport) -> str:
    """The report as a page of HTML: whole in itself, without scripts."""
    title = f"Đối soát {escape(made.provider)} - {made.on:%d/%m/%Y}"
    facts = [
        ("Trạng thái (state)", escape(_STATES.get(made.status, made.status))),
        ("Số dòng (lines)", _money(made.lines)),
        ("Tổng tiền, đồng (sum)", _money(made.amount)),
        ("Chưa quyết định (open)", _money(sum(one.open for one in made.agencies))),
    ]
    if made.why:
        facts.append(("Lý do (why)", escape(made.why)))
    shown = "".join(f'<tr><th scope="row">{name}</th><td>{said}</td></tr>' for name, said in facts)
    return (
        '<!doctype html><html lang="vi"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<table>{shown}</table>{_charts(made.days)}"
        f"<h2>Theo cơ quan (by agency)</h2>{_agencies(made)}"
        f"<h2>Chênh lệch (discrepancies)</h2>{_differences(made)}</body></html>"
    )


def _agencies(made: SettlementReport) -> str:
    head = (
        '<tr><th>Cơ quan</th><th class="n">Khớp</th><th class="n">Thu (đồng)</th>'
        '<th class="n">Hoàn (đồng)</th><th class="n">Phí trung gian</th>'
        + "".join(f'<th class="n">{name}</th>' for name in KINDS.values())
        + '<th class="n">Còn mở</th></tr>'
    )
    rows = ""
    for one in made.agencies:
        numbers = [getattr(one, name) for name in AgencySettlement.model_fields if name != "agency"]
        cells = "".join(f'<td class="n">{_money(number)}</td>' for number in numbers)
        rows += f"<tr><td>{escape(one.agency or '(không rõ)')}</td>{cells}</tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _differences(made: SettlementReport) -> str:
    if not made.differences:
        return "<p>Không có (none).</p>"
    names = ("Loại", "Mã tham chiếu", "Mã của trung gian", "Cơ quan", "Ta", "Trung gian")
    head = "".join(f"<th>{name}</th>" for name in (*names, "Từ ngày", "Tuổi", "Quyết định"))
    rows = ""
    for one in made.differences:
        found, decided = one.discrepancy, one.resolution
        said = f"{decided.decision}: {decided.note} ({decided.by})" if decided else "-"
        texts = [KINDS[found.kind], found.reference, found.provider_reference, found.agency]
        amounts = [
            f"{_money(amount)} ({status})"
            for amount, status in (
                (found.ours, found.our_status),
                (found.theirs, found.their_status),
            )
        ]
        other = f" (ta: {found.other_day:%d/%m/%Y})" if found.other_day else ""
        age = "" if decided else f"{one.age_days} ngày"
        cells = [*texts, *amounts, f"{found.since:%d/%m/%Y}{other}", age, said]
        row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows += f"<tr>{row}</tr>" if decided else f'<tr class="open">{row}</tr>'
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _charts(days: tuple[SettledDay, ...]) -> str:
    if not days:
        return ""
    matched = [(day, [("#3b7", day.matched)]) for day in days]
    differ = [(day, [("#c33", day.open), ("#da3", len({*day.found}) - day.open)]) for day in days]
    return (
        f"<h2>{CHART_DAYS} ngày gần nhất (last {CHART_DAYS} days)</h2>"
        + _bars("Dòng khớp (lines that agree)", matched)
        + _bars("Chênh lệch: đỏ = còn mở (discrepancies, red: open)", differ)
    )


def _bars(name: str, days: list[tuple[SettledDay, list[tuple[str, int]]]]) -> str:
    """Bars of stacked counts, drawn to the highest; each says its own figures."""
    most = max((sum(count for _, count in parts) for _, parts in days), default=0) or 1
    bars = ""
    for place, (day, parts) in enumerate(days):
        x, y = place * (_BAR + _GAP), float(_HIGH)
        counts = " + ".join(str(count) for _, count in parts)
        bars += f"<g><title>{day.on:%d/%m}: {counts}</title>"
        for colour, count in parts:
            tall = _HIGH * count / most
            y -= tall
            bars += (
                f'<rect x="{x}" y="{y:.1f}" width="{_BAR}" height="{tall:.1f}" fill="{colour}"/>'
            )
        bars += (
            f'<text x="{x + _BAR / 2}" y="{_HIGH + 12}" font-size="9" text-anchor="middle">'
            f"{day.on:%d}</text></g>"
        )
    wide = len(days) * (_BAR + _GAP)
    return (
        f"<h3>{name}: ≤ {_money(most)}</h3>"
        f'<svg viewBox="0 0 {wide} {_HIGH + 16}" role="img" aria-label="{name}">'
        f'<line x1="0" y1="{_HIGH}" x2="{wide}" y2="{_HIGH}" stroke="#999"/>{bars}</svg>'
    )


def _money(amount: int) -> str:
    """A number as it is written in Vietnam: 1.234.567."""
    return f"{amount:,}".replace(",", ".")
