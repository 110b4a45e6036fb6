"""Many at once on one payment: never more is given back than was paid, and it is paid once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from contexts.payments.demo_payments import BEGUN, ID, OWED, PAID, ask

from chalicelib.contexts.payments.domain.commands import (
    ApproveRefund,
    InitiateTransaction,
    NoteSuccess,
    RequestRefund,
)
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.contexts.payments.domain.refusals import RefundTooLarge
from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.handle import fold, handle

TOGETHER = 8


def kept(*wishes):
    """A store that holds what these wishes led to."""
    store = EventStore(MemoryShelf(), "demo", lambda *_: "REVNTw")
    for kind in wishes:
        handle(store, payment, ID, ask(kind))
    return store


def at_once(store, commands):
    """What becomes of each command, all of them asked at the same moment."""
    together = Barrier(len(commands))

    def one(command):
        together.wait()
        try:
            return handle(store, payment, ID, command).commit is not None
        except RefundTooLarge:
            return RefundTooLarge

    with ThreadPoolExecutor(len(commands)) as threads:
        return list(threads.map(one, commands))


def state(store):
    return fold(payment, store.load(f"payment-{ID}"))


def test_refunds_that_are_asked_for_at_once_never_exceed_what_was_paid():
    store = kept(*PAID)
    third = OWED // 3
    said = at_once(store, [ask(RequestRefund, amount=third) for _ in range(TOGETHER)])
    assert (said.count(True), said.count(RefundTooLarge)) == (3, TOGETHER - 3)
    approvals = [
        ask(ApproveRefund, refund=refund) for refund in state(store).refunds for _ in range(2)
    ]
    assert at_once(store, approvals).count(True) == 3
    assert state(store).reserved == 3 * third <= state(store).captured


def test_the_same_notice_from_many_threads_is_one_capture():
    store = kept(*BEGUN)
    assert at_once(store, [ask(NoteSuccess) for _ in range(TOGETHER)]).count(True) == 1
    assert state(store).captured == OWED


def test_many_clicks_at_once_are_one_transaction():
    store = kept(BEGUN[0])
    assert at_once(store, [ask(InitiateTransaction) for _ in range(TOGETHER)]).count(True) == 1
    assert len(state(store).transactions) == 1
