"""Debits are credits, whatever happens: the ledger over lives that the deciders allow."""

from collections import Counter
from contextlib import suppress

import pytest
from contexts.payments.demo_payments import (
    AGREED,
    BY_HAND,
    CHARGE,
    FEE,
    NOON,
    ONE,
    OWED,
    PROVIDER,
    R1,
    R2,
    TOLD,
    TWO,
    ask,
    live,
)
from contexts.payments.demo_payments import ID as PAYMENT
from contexts.payments.demo_settlements import CLOSED
from contexts.payments.demo_settlements import live as lived
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contexts.dossiers.domain.events import DossierObligationFulfilled
from chalicelib.contexts.payments.domain.commands import (
    ApproveRefund,
    CancelPayment,
    ExpirePayment,
    InitiateTransaction,
    NoteFailure,
    NoteRefundFailed,
    NoteRefundSettled,
    NoteSuccess,
    RejectRefund,
    RequestPayment,
    RequestRefund,
    SubmitRefund,
)
from chalicelib.contexts.payments.domain.events import (
    Line,
    PaymentCaptured,
    PaymentPaid,
    PaymentRefundApproved,
    Settled,
    SettlementDayClosed,
)
from chalicelib.contexts.payments.domain.payment import payment, payment_of_debt
from chalicelib.contexts.payments.ledger import EVERYBODY, Balance, balances, moved, postings
from chalicelib.contexts.payments.projections import (
    do_the_books_agree,
    what_does_the_ledger_hold,
    what_moved_on_a_day,
)
from chalicelib.kernel import Refused
from chalicelib.working_time import HANOI

FINE = Line(code="PHAT01", name="Tiền phạt thử nghiệm", kind="fine", amount=50_000)
TAX = Line(code="THUE01", name="Thuế thử nghiệm", kind="tax", amount=40_000)


ELSEWHERE = (InitiateTransaction, {"provider": "demo-other"})


def accounts(*events):
    """Debit less credit of each account after these events."""
    sums = Counter()
    for event in events:
        for one in postings(event):
            sums[one.account] += one.debit - one.credit
    return {account: balance for account, balance in sums.items() if balance}


def requested(*lines, **more):
    return RequestPayment, {"lines": lines, "amount": sum(one.amount for one in lines), **more}


def captured(amount, transaction=ONE):
    return NoteSuccess, {"amount": amount, "transaction": transaction}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(live(RequestPayment, InitiateTransaction), {}, id="what is asked moves none"),
        pytest.param(
            live(requested(FEE, partial=True), (InitiateTransaction, {"amount": 20_000}),
                 captured(20_000)),
            {"provider_receivable": 20_000, "payer_clearing": -20_000},
            id="a part is the payer's until the rest is there",
        ),
        pytest.param(
            live(RequestPayment, InitiateTransaction, NoteSuccess),
            {"provider_receivable": OWED, "revenue_fee": -FEE.amount,
             "revenue_charge": -CHARGE.amount},
            id="fee and charge are kept apart",
        ),
        pytest.param(
            live(requested(FINE, TAX), InitiateTransaction, captured(90_000)),
            {"provider_receivable": 90_000, "revenue_fine": -50_000, "revenue_tax": -40_000,
             "handed_on": 90_000, "treasury": -90_000},
            id="fines and taxes are the treasury's",
        ),
        pytest.param(
            live(RequestPayment, InitiateTransaction, ELSEWHERE, NoteSuccess,
                 (NoteSuccess, {"transaction": TWO, "provider": "demo-other"})),
            {"provider_receivable": 2 * OWED, "payer_clearing": -OWED,
             "revenue_fee": -FEE.amount, "revenue_charge": -CHARGE.amount},
            id="paid twice, half of it is the payer's",
        ),
        pytest.param(
            live(*AGREED),
            {"provider_receivable": OWED, "refunds_payable": -OWED},
            id="a promised refund is owed",
        ),
        pytest.param(live(*TOLD, NoteRefundSettled), {}, id="given back, nothing remains"),
        pytest.param(
            live(*BY_HAND),
            {"provider_receivable": OWED, "paid_by_hand": -OWED},
            id="given back by hand, the provider has the money still",
        ),
        pytest.param(
            live(requested(FINE), InitiateTransaction, captured(50_000), RequestRefund,
                 ApproveRefund),
            {"provider_receivable": 50_000, "refunds_payable": -50_000},
            id="a fine given back is the treasury's no more",
        ),
        pytest.param(
            lived(*CLOSED),
            {"settled_cash": 290_000 - 30_000 - 3_300, "provider_fees": 3_300,
             "provider_receivable": -260_000},
            id="a closed day is cash",
        ),
    ],
)  # fmt: skip
def test_what_an_event_moves(events, expected):
    assert accounts(*events) == expected


@pytest.mark.parametrize(("written_off", "debit"), [(700, 700), (-700, -700)])
def test_what_is_given_up(written_off, debit):
    settled = Settled(agency="", written_off=written_off)
    day = lived(*CLOSED)[-1].model_copy(update={"settled": (settled,)})
    assert accounts(day) == {"written_off": debit, "provider_receivable": -debit}
    assert {one.agency for one in postings(day)} == {"-"}


IN_PARTS = (
    requested(FEE, TAX, FINE, partial=True),
    (InitiateTransaction, {"amount": 30_000}),
    captured(30_000),
)
BEGINNINGS = [
    (RequestPayment, InitiateTransaction),
    IN_PARTS,
    (*IN_PARTS, CancelPayment, (RequestRefund, {"amount": 10_000})),
    (requested(FEE, TAX, FINE), InitiateTransaction, captured(160_000), RequestRefund),
    AGREED,
    TOLD,
]
WISHES = [
    ELSEWHERE,
    InitiateTransaction,
    (InitiateTransaction, {"amount": 30_000}),
    NoteSuccess,
    captured(30_000),
    captured(130_000, TWO),
    (NoteSuccess, {"transaction": TWO, "provider": "demo-other"}),
    (NoteFailure, {"transaction": ONE}),
    CancelPayment,
    ExpirePayment,
    *((RequestRefund, {"transaction": each, "amount": 10_000}) for each in (ONE, TWO)),
    RequestRefund,
    *((kind, {"refund": each}) for each in (R1, R2) for kind in (
        ApproveRefund, RejectRefund, SubmitRefund, NoteRefundSettled, NoteRefundFailed)),
]  # fmt: skip


@given(st.sampled_from(BEGINNINGS), st.lists(st.sampled_from(WISHES), min_size=10, max_size=40))
def test_the_books_balance_after_every_event_and_nobody_is_overdrawn(beginning, wishes):
    events = []
    for wish in [*beginning, *wishes]:
        kind, changes = wish if isinstance(wish, tuple) else (wish, {})
        with suppress(Refused):
            events += payment.decide(ask(kind, **changes), payment.fold(events))
    row, sums, held, days = None, Counter(), {}, {}
    for event in events:
        every = postings(event)
        assert sum(one.debit for one in every) == sum(one.credit for one in every)
        assert all(one.debit >= 0 and one.credit >= 0 for one in every)
        for one in every:
            sums[one.account] += one.debit - one.credit
        assert sum(sums.values()) == 0
        # What the state owes payers, and what it took in, is never less than nothing.
        for account in ("payer_clearing", "refunds_payable", "revenue_fee", "revenue_tax"):
            assert sums[account] <= 0
        for key, part in what_does_the_ledger_hold.parts(event).items():
            held[key] = what_does_the_ledger_hold.evolve(held.get(key), part)
        for key, part in what_moved_on_a_day.parts(event).items():
            days[key] = what_moved_on_a_day.evolve(days.get(key), part)
        if isinstance(event, do_the_books_agree.Happened):
            assert do_the_books_agree.keys(event) == [PAYMENT]
            row = do_the_books_agree.evolve(row, event)
            assert row.how in {None, "paid_not_fulfilled"}
    state = payment.fold(events)
    assert sums["provider_receivable"] == state.captured - state.refunded
    # The views hold what was posted: now, and as the sum of all days.
    for agency, row in held.items():
        found = Counter()
        for one in row.accounts:
            found[one.account] += one.debit - one.credit
        assert found == sums
        every = [day for day in days.values() if day.agency == agency]
        assert balances(one for day in every for one in day.accounts) == row.accounts


def test_what_moved_stands_on_its_day_in_hanoi_for_its_agency_and_for_all():
    late = NOON.replace(hour=18)
    [event] = [
        one.model_copy(update={"at": late})
        for one in live(RequestPayment, InitiateTransaction, NoteSuccess)
        if isinstance(one, PaymentCaptured)
    ]
    assert late.astimezone(HANOI).date() != late.date()
    assert list(what_moved_on_a_day.parts(event)) == ["Z01/2026-06-02", "*/2026-06-02"]
    assert list(what_does_the_ledger_hold.parts(event)) == ["Z01", EVERYBODY]
    expected = Balance(account="payer_clearing", credit=OWED)
    every = what_does_the_ledger_hold.evolve(None, moved(event)[-1])
    assert (every.whose, every.accounts[0]) == ("all", expected)
    assert every.accounts[1].provider == PROVIDER


def test_a_day_of_many_agencies_is_divided():
    settled = tuple(Settled(agency=f"Z{n:02}", payments=n * 1_000) for n in range(1, 40))
    day = lived(*CLOSED)[-1].model_copy(update={"settled": settled})
    parts = what_does_the_ledger_hold.parts(day)
    assert len(parts) == 40
    rows = [what_does_the_ledger_hold.evolve(None, part) for part in parts.values()]
    assert [row.whose for row in rows].count("agency") == 39
    [cash] = [one for one in rows[1].accounts if one.account == "settled_cash"]
    assert cash.debit == 2_000
    assert isinstance(day, SettlementDayClosed)


def fulfilled(means):
    """What the dossier says of the obligation."""
    return DossierObligationFulfilled.model_construct(
        type="dossier.obligation_fulfilled",
        dossier="demo",
        obligation="nvtc-1",
        agency="Z01",
        means=means,
        at=NOON,
    )


PAID = live(RequestPayment, InitiateTransaction, NoteSuccess)
BACK = live(*TOLD, NoteRefundSettled)
BACK_TWICE = live(*BY_HAND, NoteRefundSettled)


def debt(who, events):
    """The same of a payment by which somebody pays a tax debt."""
    id_ = payment_of_debt("demo", who)
    changes = {"payment": id_, "dossier": "", "obligation": ""}
    return [
        one.model_copy(update={n: s for n, s in changes.items() if n in type(one).model_fields})
        for one in events
    ]


def test_a_debt_that_two_people_have_paid_was_paid_twice_until_it_is_given_back():
    row, how, keys = None, [], set()
    back = BACK[len(PAID) :]
    for events in (debt("a", PAID), debt("b", PAID), debt("b", back)):
        for event in events:
            if isinstance(event, do_the_books_agree.Happened):
                keys.update(do_the_books_agree.keys(event))
                row = do_the_books_agree.evolve(row, event)
        how.append(row.how)
    assert how == [None, "paid_twice", None]
    assert len(keys) == 1
    assert row.payment == payment_of_debt("demo", "b")


@pytest.mark.parametrize(
    ("events", "how"),
    [
        pytest.param([*PAID, fulfilled("online")], None, id="all three agree"),
        pytest.param(PAID, "paid_not_fulfilled", id="the dossier does not know"),
        pytest.param([fulfilled("online")], "fulfilled_not_paid", id="the dossier knows too much"),
        pytest.param([fulfilled("desk")], None, id="paid at the desk alone"),
        pytest.param([fulfilled("desk"), *PAID], "paid_twice", id="at the desk and online"),
        pytest.param([fulfilled("waived"), *BACK], None, id="what was too much was given back"),
        pytest.param([fulfilled("waived"), *live(*BY_HAND)], None, id="or by hand"),
        pytest.param(BACK_TWICE, "overdrawn", id="by hand, and by the provider as well"),
        pytest.param(
            [one for one in PAID if isinstance(one, PaymentPaid)],
            "overdrawn",
            id="assigned without being there",
        ),
        pytest.param(
            [one for one in live(*AGREED) if isinstance(one, PaymentRefundApproved)],
            "overdrawn",
            id="promised without being there",
        ),
    ],
)
def test_do_the_books_agree(events, how):
    row = None
    for event in events:
        if isinstance(event, do_the_books_agree.Happened):
            row = do_the_books_agree.evolve(row, event)
    assert (row.how, row.state) == (how, how and "wrong")
