"""12: a process dies after any of its calls to AWS, and the money still moves its dossier, once."""

from functools import partial
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from contexts.dossiers.demo_dossiers import PROCESSING, ask
from contexts.payments.demo_providers import MERCHANT, SECRET, vnpay_ipn
from gateway import Gateway
from survival import safeguards
from survival.world import AFTER_A_DEATH, Violated, must

from app import app
from chalicelib import runtime
from chalicelib.contexts.dossiers.domain.commands import RaiseObligation, SubmitDossier
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.payments.domain.payment import payment_of_obligation
from chalicelib.contexts.payments.people import person
from chalicelib.handle import fold, handle

AMOUNT = 50_000
ONCE = [
    "payment.requested",
    "payment.transaction_initiated",
    "payment.captured",
    "payment.paid",
]


def waiting(world):
    """A dossier that waits for money, and the payment that its applicant can pay."""
    id_ = f"demo{uuid4().hex}"
    state = dossier.initial
    for kind in (*PROCESSING, RaiseObligation):
        whose = {"subject": person("citizen-")} if kind is SubmitDossier else {}
        done = handle(runtime.event_store(), dossier, id_, ask(kind, state, dossier=id_, **whose))
        state = fold(dossier, [done.commit], state)
    world.sequence(*world.unannounced())
    world.react()
    return id_, payment_of_obligation(id_, "nvtc-1")


def facts(stream):
    return [data["type"] for c in runtime.event_store().load(stream) for data in c.data()]


def pay_until_nobody_dies(world):
    """A payer goes to pay, the provider tells, and what follows follows.

    Each of the three dies after its first call, then after its second, until none has so many.
    """
    registration = {
        "name": "Demo",
        "kind": "vnpay",
        "merchant": MERCHANT,
        "pay_url": "https://pay.example/",
        "return_url": "https://portal.example/",
        "secret": SECRET,
    }
    world.administer("PUT", "/payment-providers/vnpay", registration)
    call, deaths = 0, 3
    while deaths:
        call += 1
        id_, money = waiting(world)
        path = f"/payments/{money}/transactions"
        wish = {"provider": "vnpay", "payer": {"name": "Demo Payer"}}
        begin = partial(world.try_, "citizen", "", "POST", path, wish, str(uuid4()))
        deaths = world.dies(begin, call)
        begun = begin()
        must(begun.status == 201 and begun.json["url"], "whoever asks again can pay")
        reference = begun.json["transaction"]
        query = vnpay_ipn(vnp_TxnRef=reference, vnp_Amount=str(AMOUNT * 100))
        path = f"/payments/notices/vnpay?{urlencode(query)}"
        notice = partial(Gateway(app).call, "GET", path)
        deaths += world.dies(notice, call)
        must(notice().json["RspCode"] in {"00", "02"}, "a notice that is sent again is confirmed")
        world.sequence(*world.unannounced())
        deaths += world.dies(world.react, call)
        world.later(AFTER_A_DEATH)
        world.react()
        state = fold(dossier, runtime.event_store().load(f"dossier-{id_}"))
        must(state.status == "processing", "no dossier waits for money that is there")
        must(
            facts(f"payment-{money}") == ONCE,
            "one transaction is begun, and its money is taken down once",
        )
        must(
            facts(f"dossier-{id_}").count("dossier.obligation_fulfilled") == 1,
            "a dossier goes on once",
        )
    assert call > 10
    paid = [data["payment"] for data in receipts_issued()]
    must(len(paid) == len(set(paid)) == call, "each payment has one set of receipts")


def test_money_moves_its_dossier_once_whoever_dies(world):
    pay_until_nobody_dies(world)


def test_it_would_not_if_react_moved_first(world):
    with safeguards.react_moves_first(world), pytest.raises(Violated, match="no dossier waits"):
        pay_until_nobody_dies(world)


def receipts_issued():
    """Every receipt that was issued."""
    store = runtime.event_store()
    places = [place for place in store.shelf.every_place() if place[0].startswith("receipt-")]
    events = [data for place in places for data in store.commits([place])[place].data()]
    return [data for data in events if data["type"] == "receipt.issued"]
