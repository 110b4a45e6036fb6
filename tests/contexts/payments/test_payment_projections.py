"""What the views of payments answer: folds over what happened."""

from functools import reduce

import pytest
from contexts.payments.demo_payments import (
    AGREED,
    BEGUN,
    BY_HAND,
    CANCELLED,
    DAY,
    EXPIRED,
    HOUR,
    NOON,
    ONE,
    OWED,
    PAID,
    R1,
    TOLD,
    TWO,
    UNPAID,
    WANTED,
    live,
)

from chalicelib.contexts.payments.domain.commands import (
    InitiateTransaction,
    NoteFailure,
    NoteRefundFailed,
    NoteRefundSettled,
    NoteSuccess,
    NoteUnknown,
    RejectRefund,
    RequestPayment,
    SubmitRefund,
)
from chalicelib.contexts.payments.projections import (
    which_payments_are_asked_of_me,
    which_payments_await_an_agency,
    which_payments_expire,
    which_refunds_are_to_be_paid,
    which_transactions_are_open,
)


def rows(question, *wishes):
    """The rows of a question after these wishes, by key."""
    found = {}
    for event in live(*wishes):
        if event.type in question.types:
            for key in question.keys(event) if question.keys else ("payment",):
                found[key] = question.evolve(found.get(key), event)
    return {key: row for key, row in found.items() if row is not None}


WRONG = (NoteSuccess, {"amount": 1})
UNTIL = (RequestPayment, {"expires_at": NOON + DAY})


@pytest.mark.parametrize(
    ("wishes", "then"),
    [
        pytest.param(BEGUN, ("requested", 0, 0), id="asked for"),
        pytest.param(PAID, ("paid", OWED, 0), id="paid"),
        pytest.param(EXPIRED, ("expired", 0, 0), id="expired"),
        pytest.param((*EXPIRED, NoteSuccess), ("paid", OWED, 0), id="paid late"),
        pytest.param(CANCELLED, ("cancelled", 0, 0), id="cancelled"),
        pytest.param((*TOLD, NoteRefundSettled), ("paid", OWED, OWED), id="given back"),
        pytest.param(BY_HAND, ("paid", OWED, OWED), id="given back by hand"),
    ],
)
def test_which_payments_are_asked_of_me(wishes, then):
    for question in (which_payments_are_asked_of_me.answer, which_payments_await_an_agency.answer):
        [row] = rows(question, *wishes).values()
        assert (row.status, row.captured, row.refunded) == then


@pytest.mark.parametrize(
    ("wishes", "then"),
    [
        pytest.param(PAID, ((), (), ()), id="all is well"),
        pytest.param(WANTED, ((R1,), (), ()), id="a refund is wanted"),
        pytest.param(AGREED, ((), (), ()), id="agreed"),
        pytest.param((*WANTED, RejectRefund), ((), (), ()), id="rejected"),
        pytest.param((*AGREED, NoteRefundFailed), ((), (R1,), ()), id="it failed"),
        pytest.param((*AGREED, NoteRefundFailed, NoteRefundSettled), ((), (), ()), id="and went"),
        pytest.param(BY_HAND, ((), (), ()), id="and was paid by hand"),
        pytest.param((*UNPAID, SubmitRefund), ((), (), ()), id="and was submitted once more"),
        pytest.param((*UNPAID, SubmitRefund, NoteRefundFailed), ((), (R1,), ()), id="in vain"),
        pytest.param((*BEGUN, WRONG), ((), (), (ONE,)), id="a wrong amount"),
    ],
)
def test_what_an_agency_has_to_look_into(wishes, then):
    [row] = rows(which_payments_await_an_agency.answer, *wishes).values()
    assert (row.undecided, row.failed, row.disputed) == then


@pytest.mark.parametrize(
    ("wishes", "then"),
    [
        pytest.param(BEGUN, 0, id="no time was set"),
        pytest.param((UNTIL, InitiateTransaction), 1, id="it is waited for"),
        pytest.param(EXPIRED, 0, id="it is over"),
        pytest.param((UNTIL, *PAID[1:]), 0, id="it is paid"),
    ],
)
def test_which_payments_expire(wishes, then):
    assert len(rows(which_payments_expire.answer, *wishes)) == then


@pytest.mark.parametrize(
    ("wishes", "then"),
    [
        pytest.param(BEGUN, {ONE: "due"}, id="nobody has said anything"),
        pytest.param(
            (*BEGUN, (NoteUnknown, {"at": NOON + HOUR})), {ONE: "due"}, id="nobody knows yet"
        ),
        pytest.param((*BEGUN, (NoteUnknown, {"at": NOON + 3 * DAY})), {ONE: None}, id="given up"),
        pytest.param((*BEGUN, NoteFailure), {}, id="it failed"),
        pytest.param(PAID, {}, id="it is there"),
        pytest.param((*BEGUN, NoteFailure, InitiateTransaction), {TWO: "due"}, id="another go"),
    ],
)
def test_which_transactions_are_open(wishes, then):
    found = rows(which_transactions_are_open.answer, *wishes)
    assert {key: row.listed for key, row in found.items()} == then
    assert all(key == row.transaction for key, row in found.items())


def test_a_transaction_is_due_when_its_stream_says_so():
    ask_at = [
        rows(which_transactions_are_open.answer, *BEGUN, *more)[ONE].ask_at
        for more in ((), ((NoteUnknown, {"at": NOON + HOUR}),))
    ]
    assert ask_at == [NOON + HOUR / 2, NOON + 2 * HOUR]


@pytest.mark.parametrize(
    ("wishes", "then"),
    [
        pytest.param(WANTED, 0, id="nobody has agreed"),
        pytest.param(AGREED, 1, id="agreed"),
        pytest.param((*AGREED, SubmitRefund), 0, id="the provider has taken it on"),
        pytest.param((*AGREED, NoteRefundFailed), 0, id="an officer must say so again"),
        pytest.param((*AGREED, NoteRefundSettled), 0, id="done"),
    ],
)
def test_which_refunds_are_to_be_paid(wishes, then):
    assert len(rows(which_refunds_are_to_be_paid.answer, *wishes)) == then


def test_a_view_that_begins_late_stumbles_over_nothing():
    for question in (
        which_payments_are_asked_of_me.answer,
        which_payments_await_an_agency.answer,
        which_payments_expire.answer,
        which_transactions_are_open.answer,
        which_refunds_are_to_be_paid.answer,
    ):
        later = [e for e in live(*TOLD, NoteRefundSettled)[2:] if e.type in question.types]
        last = [event for event in later if event.type != "payment.refund_approved"]
        assert reduce(question.evolve, last, None) is None
