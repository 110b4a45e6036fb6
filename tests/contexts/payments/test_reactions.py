"""What follows in payments from dossiers, what follows in dossiers from payments, and from time."""

import pytest
from contexts.dossiers.demo_dossiers import DESK, LINE, MONDAY, PROCESSING, live
from contexts.dossiers.demo_dossiers import ID as DOSSIER
from contexts.dossiers.demo_dossiers import SUBJECT as APPLICANT
from contexts.payments.demo_payments import DAY, NOON, origin

from chalicelib.contexts.dossiers.domain.commands import (
    ApproveWithdrawal,
    FulfilObligation,
    RaiseObligation,
    RequestWithdrawal,
    StopDossier,
)
from chalicelib.contexts.payments.domain.commands import (
    CancelPayment,
    ExpirePayment,
    Limits,
    RequestPayment,
)
from chalicelib.contexts.payments.domain.events import Line
from chalicelib.contexts.payments.domain.payment import payment, payment_of_obligation
from chalicelib.contexts.payments.projections.which_payments_expire import Expiring
from chalicelib.contexts.payments.reactions import expire, react

ORIGIN = origin()
ID = payment_of_obligation(DOSSIER, "nvtc-1")
RAISED = (*PROCESSING, RaiseObligation)


def after(*wishes, limits=None):
    events, _ = live(*wishes)
    return list(react(events[-1], ORIGIN, limits or Limits()))


def asked(**changes):
    line = Line(code=LINE.code, name=LINE.name, kind=LINE.kind, amount=LINE.amount)
    command = RequestPayment(
        origin=ORIGIN,
        payment=ID,
        agency=DESK,
        dossier=DOSSIER,
        obligation="nvtc-1",
        subject=APPLICANT,
        lines=(line,),
        amount=LINE.amount,
        **changes,
    )
    return [(payment, ID, command)]


def cancelled(reason):
    return [(payment, ID, CancelPayment(origin=ORIGIN, payment=ID, reason=reason))]


def test_an_obligation_is_asked_for():
    assert after(*RAISED) == asked()
    assert after(*RAISED, limits=Limits(pay_days=30)) == asked(expires_at=NOON + 30 * DAY)


@pytest.mark.parametrize(
    ("wishes", "then"),
    [
        pytest.param(
            ((FulfilObligation, {"means": "desk", "agency": DESK}),),
            cancelled("desk"),
            id="the desk took the money",
        ),
        pytest.param(
            ((FulfilObligation, {"means": "waived", "agency": DESK}),),
            cancelled("waived"),
            id="it is waived",
        ),
        pytest.param((FulfilObligation,), [], id="it was paid online"),
        pytest.param((StopDossier,), cancelled("stopped"), id="the work stops"),
        pytest.param(
            (RequestWithdrawal, ApproveWithdrawal), cancelled("withdrawn"), id="it is withdrawn"
        ),
    ],
)
def test_what_is_owed_no_more_is_cancelled(wishes, then):
    assert after(*RAISED, *wishes) == then


def test_a_dossier_that_owes_nothing_cancels_nothing():
    assert after(*PROCESSING, StopDossier) == []


def test_the_time_to_pay_ends():
    row = Expiring(payment=ID, expires_at=MONDAY)
    assert expire(row, ORIGIN) == (payment, ID, ExpirePayment(origin=ORIGIN, payment=ID))
