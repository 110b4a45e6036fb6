"""The demo provider's pay page: Vietnamese first, English beside it, one file without scripts."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

ACTIONS = {
    "pay": (
        ("Thanh toán", "Pay"),
        ("nhà cung cấp xác nhận ngay", "the provider confirms it at once"),
    ),
    "fail": (
        ("Thanh toán hỏng", "Fail"),
        ("ngân hàng từ chối, nhà cung cấp báo lại", "the bank says no"),
    ),
    "late": (
        ("Thanh toán, báo chậm", "Pay late"),
        ("trước báo hỏng, sau báo đã trả", "first said to have failed, later to be paid"),
    ),
    "vanish": (
        ("Thanh toán, không báo", "Vanish"),
        ("tiền đã thu mà không ai được báo", "the money is taken and nobody is told"),
    ),
}
"""What a payer may do here, each with its names and what then happens."""

_STATES = {
    "open": ("Chờ thanh toán", "Waiting for payment"),
    "paid": ("Đã thanh toán", "Paid"),
    "failed": ("Thanh toán không thành công", "Payment failed"),
    "expired": ("Đã hết hạn thanh toán", "The time to pay is over"),
}

_STYLE = """
*{box-sizing:border-box}
body{margin:0;background:#f2f4f7;color:#1d2733;
font:16px/1.5 "Be Vietnam Pro","DejaVu Sans",sans-serif}
.demo{background:#ffd43b;color:#3d2f00;padding:10px 16px;text-align:center;font-weight:600}
main{max-width:640px;margin:24px auto;padding:0 16px}
.card{background:#fff;border:1px solid #d8dee6;border-radius:10px;padding:24px}
h1{font-size:22px;margin:0 0 2px}
.en{color:#55657a;font-size:14px;font-weight:400}
.amount{font-size:34px;font-weight:700;margin:14px 0 2px}
.state{display:inline-block;border-radius:99px;padding:3px 14px;font-weight:600;font-size:14px}
.open{background:#e7f0ff;color:#0b4a9c}.paid{background:#dcf5e3;color:#0f5c2b}
.failed,.expired{background:#fde4e1;color:#8d1b10}
table{width:100%;border-collapse:collapse;margin:16px 0}
th,td{text-align:left;padding:8px 0;border-bottom:1px solid #e6eaef;vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}
tfoot td{font-weight:700;border-bottom:0}
dl{display:grid;grid-template-columns:auto 1fr;gap:4px 16px;margin:0 0 18px}
dt{color:#55657a}dd{margin:0;overflow-wrap:anywhere}
form{display:grid;gap:10px}
button{display:grid;gap:2px;width:100%;font:inherit;text-align:left;
padding:12px 16px;border-radius:8px;border:1px solid #b9c4d0;
background:#fff;color:inherit;cursor:pointer}
button.pay{background:#0b5ed7;border-color:#0b5ed7;color:#fff}
button.pay .en{color:#dce9ff}
button:focus-visible,a:focus-visible{outline:3px solid #ffb300;outline-offset:2px}
a{color:#0b4a9c}
"""


def money(amount: int) -> str:
    """Đồng as they are written: `120.000 ₫`."""
    return f"{amount:,}".replace(",", ".") + " ₫"


def pay_page(sale: Mapping[str, Any], state: str, code: str = "") -> str:
    """The page of one transaction; `code` is the provider's word for why it failed."""
    vi, en = _STATES[state]
    why = f" ({escape(code)})" if code else ""
    rows = "".join(
        f'<tr><td>{escape(line["name"])}</td><td class="n">{money(line["amount"])}</td></tr>'
        for line in sale["lines"]
    )
    facts = _facts(
        [
            ("Nội dung", "Subject", sale["subject"]),
            ("Đơn vị thụ hưởng", "Payee", sale["agency"]),
            ("Mã giao dịch", "Reference", sale["reference"]),
            ("Hạn thanh toán", "Pay before", sale["until"]),
        ]
    )
    return f"""<!doctype html>
<html lang="vi"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DEMO: Thanh toán trực tuyến</title><style>{_STYLE}</style></head><body>
<div class="demo" role="note">DEMO: trang thử nghiệm, không có tiền thật<br>
<span lang="en">A demonstration: no real money moves</span></div>
<main><div class="card">
<h1>Thanh toán trực tuyến <span class="en" lang="en">Online payment</span></h1>
<div class="amount">{money(sale["amount"])}</div>
<p><span class="state {state}">{vi}{why} · <span lang="en">{en}</span></span></p>
{facts}
<table><thead><tr><th>Khoản nộp <span class="en" lang="en">Item</span></th>
<th class="n">Số tiền <span class="en" lang="en">Amount</span></th></tr></thead>
<tbody>{rows}</tbody>
<tfoot><tr><td>Tổng cộng <span class="en" lang="en">Total</span></td>
<td class="n">{money(sale["amount"])}</td></tr></tfoot></table>
{_buttons() if state == "open" else _back(sale["return_url"])}
</div></main></body></html>
"""


def _facts(facts: Sequence[tuple[str, str, str]]) -> str:
    shown = "".join(
        f'<dt>{vi} <span class="en" lang="en">{en}</span></dt><dd>{escape(value)}</dd>'
        for vi, en, value in facts
    )
    return f"<dl>{shown}</dl>"


def _buttons() -> str:
    shown = "".join(
        f'<button class="{action}" name="action" value="{action}">'
        f'<span><b>{label}</b> <span class="en" lang="en">{name}</span></span>'
        f'<span class="en">{then} · <span lang="en">{what}</span></span></button>'
        for action, ((label, name), (then, what)) in ACTIONS.items()
    )
    return f'<form method="post">{shown}</form>'


def _back(url: str) -> str:
    return f'<p><a href="{escape(url)}">Quay lại cổng dịch vụ công · Back to the portal</a></p>'
