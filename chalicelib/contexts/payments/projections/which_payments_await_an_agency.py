"""Which payments are owed to an agency, and where does it have something to decide?"""

from typing import Any

from chalicelib.contexts.payments.domain.events import (
    PaymentEvents,
    PaymentNoticeDisputed,
    PaymentRefundApproved,
    PaymentRefundFailed,
    PaymentRefundPaidByHand,
    PaymentRefundRejected,
    PaymentRefundRequested,
    PaymentRefundSettled,
    PaymentRefundSubmitted,
)
from chalicelib.contexts.payments.projections.which_payments_are_asked_of_me import Asked
from chalicelib.contexts.payments.projections.which_payments_are_asked_of_me import (
    evolve as followed,
)
from chalicelib.projector.projection import Projection


class Owed(Asked):
    """A payment as its payee finds it in its list.

    `undecided` are its refunds that nobody has decided on, `failed` those that a provider could not
    carry out, `disputed` the transactions of which a notice said what cannot be.
    """

    undecided: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    disputed: tuple[str, ...] = ()


def evolve(row: Owed | None, event: PaymentEvents) -> Owed | None:
    """The row after `event`."""
    after = followed(row, event)
    if after is None:
        return None
    owed = after if isinstance(after, Owed) else Owed(**after.model_dump())
    match event:
        case PaymentRefundRequested():
            return owed.model_copy(update={"undecided": _with(owed.undecided, event.refund)})
        case PaymentRefundApproved() | PaymentRefundRejected():
            return owed.model_copy(update={"undecided": _without(owed.undecided, event.refund)})
        case PaymentRefundFailed():
            return owed.model_copy(update={"failed": _with(owed.failed, event.refund)})
        case PaymentRefundSubmitted() | PaymentRefundSettled() | PaymentRefundPaidByHand():
            return owed.model_copy(update={"failed": _without(owed.failed, event.refund)})
        case PaymentNoticeDisputed():
            return owed.model_copy(update={"disputed": _with(owed.disputed, event.transaction)})
        case _:
            return owed


def _with(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return (*_without(names, name), name)


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(each for each in names if each != name)


answer: Projection[Any] = Projection(Owed, PaymentEvents, evolve, by="agency", sort="requested_at")
