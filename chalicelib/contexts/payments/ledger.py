"""The ledger: what each event means in double entry. Pure.

Every event's postings balance, so the books balance after every event. Accounts, by their side:

- assets (debit): `provider_receivable`, what a provider took and owes us; `settled_cash`, what it
  has settled; `provider_fees`, what it kept for itself; `written_off`, what was given up;
  `handed_on`, what was collected for the treasury.
- against them (credit): `paid_by_hand`, what an agency gave back from an account of its own.
- liabilities and revenue (credit): `payer_clearing`, what payers paid that no line has yet, or too
  much; `revenue_fee`, `revenue_charge`, `revenue_fine`, `revenue_tax` (phí, lệ phí, tiền phạt,
  thuế); `treasury`, what is the treasury's of it; `refunds_payable`, what was promised back.

Rule: fines and taxes go to the treasury (kho bạc), fees and charges to their agency.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Literal, NamedTuple

from chalicelib.contexts.payments.domain.events import (
    LineKind,
    PaymentCaptured,
    PaymentCapturedLate,
    PaymentPaid,
    PaymentRefundApproved,
    PaymentRefundPaidByHand,
    PaymentRefundSettled,
    SettlementDayClosed,
)
from chalicelib.kernel import Value
from chalicelib.working_time import HANOI

Account = Literal[
    "payer_clearing",
    "provider_receivable",
    "revenue_fee",
    "revenue_charge",
    "revenue_fine",
    "revenue_tax",
    "handed_on",
    "treasury",
    "refunds_payable",
    "settled_cash",
    "provider_fees",
    "written_off",
    "paid_by_hand",
]
"""Every account there is."""

LedgerEvent = (
    PaymentCaptured
    | PaymentCapturedLate
    | PaymentPaid
    | PaymentRefundApproved
    | PaymentRefundSettled
    | PaymentRefundPaidByHand
    | SettlementDayClosed
)
"""Every event that moves money. What is asked, tried or failed moves none."""

REVENUE: dict[LineKind, Account] = {
    "fee": "revenue_fee",
    "charge": "revenue_charge",
    "fine": "revenue_fine",
    "tax": "revenue_tax",
}
TREASURY: frozenset[LineKind] = frozenset({"fine", "tax"})


EVERYBODY = "*"
"""Who stands for all agencies together."""
NOBODY = "-"
"""Whose the money is of which we only know that a provider took it."""


class Posting(NamedTuple):
    """One side of an entry, in đồng: `account` of `agency`, with `provider` where it has one."""

    account: Account
    agency: str
    provider: str = ""
    debit: int = 0
    credit: int = 0


def postings(event: Any) -> tuple[Posting, ...]:
    """What an event moves; nothing for all that moves no money. Debits and credits are equal."""
    return tuple(one for one in _postings(event) if one.debit or one.credit)


def _postings(event: Any) -> Iterator[Posting]:
    match event:
        case PaymentCaptured() | PaymentCapturedLate():
            agency, amount = event.agency, event.amount
            yield Posting("provider_receivable", agency, event.provider, debit=amount)
            yield Posting("payer_clearing", agency, credit=amount)
        case PaymentPaid():
            yield from _divided(event.agency, [(line.kind, line.amount) for line in event.lines])
        case PaymentRefundApproved():
            for part in event.parts:
                if part.kind == "overpaid":
                    yield Posting("payer_clearing", event.agency, debit=part.amount)
                else:
                    yield from _taken_back(event.agency, part.kind, part.amount)
            owed = sum(part.amount for part in event.parts)
            yield Posting("refunds_payable", event.agency, credit=owed)
        case PaymentRefundSettled():
            agency, amount = event.agency, event.amount
            yield Posting("refunds_payable", agency, debit=amount)
            yield Posting("provider_receivable", agency, event.provider, credit=amount)
        case PaymentRefundPaidByHand():
            yield Posting("refunds_payable", event.agency, debit=event.amount)
            yield Posting("paid_by_hand", event.agency, credit=event.amount)
        case SettlementDayClosed():
            yield from _settled(event)


def _divided(agency: str, lines: list[tuple[LineKind, int]]) -> Iterator[Posting]:
    """What payers paid becomes the revenue it is; the treasury's is handed on."""
    yield Posting("payer_clearing", agency, debit=sum(amount for _, amount in lines))
    for kind, amount in lines:
        yield Posting(REVENUE[kind], agency, credit=amount)
        if kind in TREASURY:
            yield Posting("handed_on", agency, debit=amount)
            yield Posting("treasury", agency, credit=amount)


def _taken_back(agency: str, kind: LineKind, amount: int) -> Iterator[Posting]:
    """What is promised back is revenue no more."""
    yield Posting(REVENUE[kind], agency, debit=amount)
    if kind in TREASURY:
        yield Posting("treasury", agency, debit=amount)
        yield Posting("handed_on", agency, credit=amount)


def _settled(event: SettlementDayClosed) -> Iterator[Posting]:
    for one in event.settled:
        where = (one.agency or NOBODY, event.provider)
        yield Posting("settled_cash", *where, debit=one.payments)
        yield Posting("provider_receivable", *where, credit=one.payments)
        yield Posting("provider_receivable", *where, debit=one.refunds)
        yield Posting("settled_cash", *where, credit=one.refunds)
        yield Posting("provider_fees", *where, debit=one.fees)
        yield Posting("settled_cash", *where, credit=one.fees)
        lost, kept = max(one.written_off, 0), max(-one.written_off, 0)
        yield Posting("written_off", *where, debit=lost, credit=kept)
        yield Posting("provider_receivable", *where, debit=kept, credit=lost)


class Balance(Value):
    """What moved on an account, in đồng, and with which provider, if it has one."""

    account: Account
    provider: str = ""
    debit: int = 0
    credit: int = 0


def balances(
    moved: Iterable[Posting | Balance], so_far: Iterable[Balance] = ()
) -> tuple[Balance, ...]:
    """Every account's sums, `so_far` included, in the order of their names."""
    sums: dict[tuple[Account, str], tuple[int, int]] = {}
    for one in (*so_far, *moved):
        debit, credit = sums.get((one.account, one.provider), (0, 0))
        sums[one.account, one.provider] = debit + one.debit, credit + one.credit
    return tuple(
        Balance(account=account, provider=provider, debit=debit, credit=credit)
        for (account, provider), (debit, credit) in sorted(sums.items())
    )


class Moved(NamedTuple):
    """What an event moves on an agency's accounts; `agency` is `*` for everybody's together."""

    agency: str
    on: date
    postings: tuple[Posting, ...]


def moved(event: LedgerEvent) -> list[Moved]:
    """What an event moves on each agency's accounts, and on everybody's, on its day in Hanoi."""
    on, every = event.at.astimezone(HANOI).date(), postings(event)
    agencies = sorted({one.agency for one in every})
    mine = [
        Moved(agency, on, tuple(one for one in every if one.agency == agency))
        for agency in agencies
    ]
    return [*mine, Moved(EVERYBODY, on, every)] if every else []
