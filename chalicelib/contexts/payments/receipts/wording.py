"""What stands on a receipt. Pure; the wording is our own."""

from collections.abc import Callable

from chalicelib.contexts.payments.domain.events import LineKind, Payer
from chalicelib.contexts.payments.domain.receipt import Edition, Receipt
from chalicelib.paper.amount import in_figures, in_words
from chalicelib.paper.sheet import Facts, Grid, Prose, Sheet, clean, moment
from chalicelib.privacy.personal import Personal

TITLES: dict[LineKind, str] = {
    "fee": "Biên lai thu phí",
    "charge": "Biên lai thu lệ phí",
    "fine": "Biên lai thu tiền phạt",
    "tax": "Biên lai thu thuế",
}
_WIDTHS, _BUDGET_WIDTHS = (8, 22, 45, 25), (6, 18, 34, 20, 22)


def numbered(edition: Edition) -> str:
    """A number as people read it out: its series, and at least seven figures."""
    return f"{edition.series} số {edition.number:07}"


def sheet(
    state: Receipt, agency: str, read: Callable[[Personal[Payer] | None], Payer | None], link: str
) -> Sheet:
    """The receipt as it stands, issued by `agency`; `read` opens its payer, or does not.

    `link` is what its QR code says: where anybody can check it.
    """
    last = state.editions[-1]
    payer = read(state.payer) or Payer(name="")
    return Sheet(
        title=TITLES[state.kind],
        after=f"Ký hiệu: {last.series} · Số: {last.number:07}",
        agency=clean(agency),
        code=numbered(last),
        issued_at=last.at,
        tracking=link,
        parts=(Facts(rows=_facts(state, payer)), _lines(state), *_sums(state)),
        signers=("", ""),
        stamp="ĐÃ HỦY" if state.status == "cancelled" else "",
    )


def _facts(state: Receipt, payer: Payer) -> tuple[tuple[str, str], ...]:
    before = state.editions[:-1]
    return (
        ("Người nộp tiền", clean(payer.name)),
        ("Số giấy tờ tùy thân", clean(payer.identity_number)),
        ("Địa chỉ", clean(payer.address)),
        ("Mã thanh toán", state.payment),
        ("Hình thức thanh toán", "Trực tuyến"),
        ("Lập lúc", moment(state.editions[-1].at)),
        *([("Thay thế biên lai", numbered(before[-1]))] if before else []),
    )


def _lines(state: Receipt) -> Grid:
    """What was paid; fines and taxes with the chapter and subsection of the budget."""
    budget = any(line.chapter or line.subsection for line in state.lines)
    rows = []
    for number, line in enumerate(state.lines, start=1):
        place = [clean(f"{line.chapter} / {line.subsection}")] if budget else []
        named = [str(number), clean(line.code), clean(line.name)]
        rows.append((*named, *place, in_figures(line.amount)))
    place = ["Chương / Tiểu mục"] if budget else []
    return Grid(
        title="Các khoản đã nộp",
        head=("STT", "Mã", "Nội dung", *place, "Số tiền"),
        widths=_BUDGET_WIDTHS if budget else _WIDTHS,
        rows=tuple(rows),
    )


def _sums(state: Receipt) -> tuple[Facts, Prose]:
    returned = state.amount - state.left if state.status == "issued" else 0
    rows = [
        ("Tổng số tiền", in_figures(state.amount)),
        ("Bằng chữ", in_words(state.amount)),
    ]
    if returned:
        rows += [
            ("Đã hoàn trả", in_figures(returned)),
            ("Còn lại", f"{in_figures(state.left)} ({in_words(state.left)})"),
        ]
    return Facts(rows=tuple(rows)), Prose(
        text="Biên lai điện tử, không cần chữ ký. Quét mã QR để kiểm tra biên lai này với sự kiện"
        " đã được ghi nhận."
    )
