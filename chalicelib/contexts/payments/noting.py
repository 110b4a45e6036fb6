"""What a provider says becomes what happened to a payment: one way in, whoever heard it.

A notice, the answer to a question and a line of a settlement file all go through `note`.
"""

from typing import Any, Literal
from uuid import uuid4

from chalicelib import runtime
from chalicelib.contexts.payments.configured import limits
from chalicelib.contexts.payments.domain.commands import NoteFailure, NoteSuccess, NoteUnknown
from chalicelib.contexts.payments.domain.events import Learnt, PaymentNoticeDisputed
from chalicelib.contexts.payments.domain.payment import payment, payment_of
from chalicelib.contexts.payments.domain.refusals import TransactionUnknown
from chalicelib.contexts.payments.providers.interface import Notice
from chalicelib.handle import Done, fold, handle
from chalicelib.kernel import Origin

Noted = Literal["confirmed", "already", "failed", "amount", "disputed", "unknown"]
"""What came of a notice: the money is there now; all of it was known; nothing was paid; it names
another amount; it cannot be; no transaction is called so."""


def note(notice: Notice, provider: str, learnt: Learnt, origin: Origin | None = None) -> Noted:
    """Record what a provider, `provider`, says of a transaction; the same again changes nothing.

    Without an `origin` it is a wish of its own each time: who says the same twice is told so.

    Raises:
        Stale: too many say something of this payment at once; nothing happened.
    """
    id_ = payment_of(notice.transaction)
    if not id_:
        return "unknown"
    wish = _wish(notice, id_, provider, learnt, origin or said_by(provider))
    try:
        done = handle(runtime.event_store(), payment, id_, wish)
    except TransactionUnknown:
        return "unknown"
    return _new(done, notice) if done.commit else _known(id_, notice)


def said_by(provider: str) -> Origin:
    """The origin of what a provider says by itself: a new one each time."""
    key = uuid4().hex
    return Origin(
        command_id=key,
        digest=key,
        actor=f"provider:{provider}",
        method="webhook",
        correlation=key,
        at=runtime.now(),
    )


def _wish(
    notice: Notice, id_: str, provider: str, learnt: Learnt, origin: Origin
) -> NoteSuccess | NoteFailure | NoteUnknown:
    about: dict[str, Any] = {
        "origin": origin,
        "payment": id_,
        "transaction": notice.transaction,
        "provider": provider,
        "learnt": learnt,
    }
    match notice.outcome:
        case "paid":
            return NoteSuccess(
                **about,
                provider_reference=notice.provider_reference,
                amount=notice.amount,
                paid_at=notice.paid_at or origin.at,
            )
        case "failed":
            return NoteFailure(**about, said=notice.said)
        case "unknown":
            return NoteUnknown(**about, said=notice.said, limits=limits())


def _new(done: Done, notice: Notice) -> Noted:
    assert done.commit
    first = done.commit.data()[0]
    if first["type"] == PaymentNoticeDisputed.model_fields["type"].default:
        return "amount" if first["why"] == "amount" else "disputed"
    if notice.outcome == "paid":
        return "confirmed"
    return "failed" if notice.outcome == "failed" else "already"


def _known(id_: str, notice: Notice) -> Noted:
    """What a notice that changed nothing says beside what is known."""
    state = fold(payment, runtime.event_store().load(f"payment-{id_}"))
    found = state.transactions[notice.transaction]
    if notice.outcome == "paid" and notice.amount != found.amount:
        return "amount"
    if notice.outcome == "paid" and notice.provider_reference != found.provider_reference:
        return "disputed"
    return "already"
