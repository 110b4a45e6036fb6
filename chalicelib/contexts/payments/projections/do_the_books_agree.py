"""Do the books agree? Payment, dossier and ledger, payment by payment; a row where they do not.

They may disagree for a moment, while what follows from an event is still to come.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from chalicelib.contexts.dossiers.domain.events import DossierObligationFulfilled
from chalicelib.contexts.payments.domain.events import (
    PaymentCaptured,
    PaymentCapturedLate,
    PaymentPaid,
    PaymentRefundApproved,
    PaymentRefundPaidByHand,
    PaymentRefundSettled,
)
from chalicelib.contexts.payments.domain.payment import paid_together, payment_of_obligation
from chalicelib.contexts.payments.ledger import REVENUE, postings
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection

Happened = (
    PaymentCaptured
    | PaymentCapturedLate
    | PaymentPaid
    | PaymentRefundApproved
    | PaymentRefundSettled
    | PaymentRefundPaidByHand
    | DossierObligationFulfilled
)
"""What one of the three says of a payment."""

Wrong = Literal["overdrawn", "fulfilled_not_paid", "paid_not_fulfilled", "paid_twice"]
"""How they disagree.

`overdrawn`: more was assigned, promised or given back than there is; `fulfilled_not_paid`: the
dossier says paid online, the payment does not; `paid_not_fulfilled`: the money is there and the
dossier does not know; `paid_twice`: it was settled at the desk, or waived, as well, or somebody
else has paid the same tax debt.
"""


class PaymentAgreement(Value):
    """What each of the three says of a payment, or of all by which several people pay one debt.

    `amount` is to be paid, once; `clearing`, `revenue` and `payable` are the ledger's balances, in
    đồng. `state` is `wrong` where they disagree, `how` and since when (`since`); None where all is
    well. `payment` is the one to which something happened last.
    """

    payment: str
    agency: str
    dossier: str = ""
    obligation: str = ""
    amount: int = 0
    clearing: int = 0
    revenue: int = 0
    payable: int = 0
    paid: bool = False
    fulfilled: Literal["", "online", "desk", "waived"] = ""
    state: Literal["wrong"] | None = None
    how: Wrong | None = None
    since: datetime


def _payment(event: Happened) -> str:
    if isinstance(event, DossierObligationFulfilled):
        return payment_of_obligation(event.dossier, event.obligation)
    return event.payment


def keys(event: Happened) -> list[str]:
    """What the payment that the event is about pays."""
    return [paid_together(_payment(event))]


def evolve(row: PaymentAgreement | None, event: Happened) -> PaymentAgreement | None:
    """What the three say after `event`, and whether it is the same."""
    row = row or PaymentAgreement(payment=_payment(event), agency=event.agency, since=event.at)
    after = row.model_copy(update=_said(row, event))
    how = _wrong(after)
    since = row.since if how == row.how else event.at
    told = {"how": how, "state": "wrong" if how else None, "since": since}
    told["payment"] = _payment(event)
    return after.model_copy(update=told)


def _said(row: PaymentAgreement, event: Happened) -> Mapping[str, Any]:
    if isinstance(event, DossierObligationFulfilled):
        about = {"dossier": event.dossier, "obligation": event.obligation}
        return {"fulfilled": event.means, **about}
    sums = {"clearing": row.clearing, "revenue": row.revenue, "payable": row.payable}
    names = {"payer_clearing": "clearing", "refunds_payable": "payable"}
    names |= dict.fromkeys(REVENUE.values(), "revenue")
    for one in postings(event):
        if name := names.get(one.account):
            sums[name] += one.credit - one.debit
    if isinstance(event, PaymentPaid):
        about = {"dossier": event.dossier, "obligation": event.obligation}
        return {**sums, **about, "paid": True, "amount": event.amount}
    return sums


def _wrong(row: PaymentAgreement) -> Wrong | None:
    if min(row.clearing, row.revenue, row.payable) < 0:
        return "overdrawn"
    if row.fulfilled == "online" and not row.paid:
        return "fulfilled_not_paid"
    if row.revenue > row.amount:
        return "paid_twice"
    # What was given back again need not be told to anybody.
    if row.paid and row.dossier and row.revenue > 0 and row.fulfilled != "online":
        return "paid_twice" if row.fulfilled else "paid_not_fulfilled"
    return None


answer: Projection[Any] = Projection(
    PaymentAgreement, Happened, evolve, by="state", sort="since", keys=keys
)
