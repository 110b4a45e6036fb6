"""What follows for payments from what the tax register answered. Pure."""

from collections.abc import Iterable
from typing import Any

from chalicelib.contexts.payments.domain.commands import RequestPayment
from chalicelib.contexts.payments.domain.events import Line, Payee, TaxDebt, TaxEnquiryAnswered
from chalicelib.contexts.payments.domain.payment import payment, payment_of_debt
from chalicelib.kernel import Decider, Origin

EVENTS = TaxEnquiryAnswered

NAMES = {
    "1006": "Thuế thu nhập cá nhân từ chuyển nhượng bất động sản",
    "2801": "Lệ phí trước bạ nhà đất",
    "2802": "Lệ phí trước bạ phương tiện",
}
"""What a subsection of the budget (MA_TMUC) is called; others are called by their number."""


def react(
    event: EVENTS, origin: Origin
) -> Iterable[tuple[Decider[Any, Any, Any], str, RequestPayment]]:
    """Who can pay is asked to: each debt by a payment of its own, to the treasury.

    Who asks again meets the same payments.
    """
    for row in event.rows if event.payable else ():
        id_ = payment_of_debt(row.debt, event.subject)
        yield (
            payment,
            id_,
            RequestPayment(
                origin=origin,
                payment=id_,
                agency=event.agency,
                subject=event.subject,
                lines=(_line(row),),
                amount=row.amount,
                payee=_treasury(event.agency, row),
            ),
        )


def _line(row: TaxDebt) -> Line:
    named = NAMES.get(row.subsection, f"Tiểu mục {row.subsection}")
    return Line(
        code=row.subsection,
        name=f"{named}, {row.decision}",
        kind="tax",
        amount=row.amount,
        chapter=row.chapter,
        subsection=row.subsection,
    )


def _treasury(agency: str, row: TaxDebt) -> Payee:
    """The State Treasury's office (SHKB) and the budget's account there (LOAI_TK_NSNN).

    Rule: [R] the tax office that collects (MA_CQUAN_THU) is named as whom it is held for.
    """
    return Payee(agency=agency, account=row.account, bank=row.treasury, holder=row.collector)
