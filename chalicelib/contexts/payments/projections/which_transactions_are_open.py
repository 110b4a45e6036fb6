"""Which transactions are open? Those a provider is to be asked about, by when."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import AwareDatetime

from chalicelib.contexts.payments.domain.events import (
    PaymentCaptured,
    PaymentCapturedLate,
    PaymentTransactionFailed,
    PaymentTransactionInitiated,
    PaymentTransactionUnknown,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection

Heard = (
    PaymentTransactionInitiated
    | PaymentTransactionUnknown
    | PaymentTransactionFailed
    | PaymentCaptured
    | PaymentCapturedLate
)


class Open(Value):
    """A transaction that began at `begun_at` and of which nothing certain is known.

    Not `listed` once its provider is asked no more: then the settlement file will tell.
    """

    payment: str
    transaction: str
    provider: str
    amount: int
    begun_at: AwareDatetime
    ask_at: AwareDatetime
    listed: Literal["due"] | None = "due"


def keys(event: Heard) -> Iterable[str]:
    """One row for each transaction."""
    return (event.transaction,)


def evolve(row: Open | None, event: Heard) -> Open | None:
    """The row after `event`; none once it is known what became of it."""
    match event:
        case PaymentTransactionInitiated():
            return Open(
                payment=event.payment,
                transaction=event.transaction,
                provider=event.provider,
                amount=event.amount,
                begun_at=event.at,
                ask_at=event.ask_at,
            )
        case PaymentTransactionUnknown() if row:
            changes = {"ask_at": event.ask_at} if event.ask_at else {"listed": None}
            return row.model_copy(update=changes)
        case _:
            return None


answer: Projection[Any] = Projection(Open, Heard, evolve, by="listed", sort="ask_at", keys=keys)
