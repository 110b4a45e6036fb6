"""When did our books of a provider's day move last? The position in history of its row says it.

What a decision on a difference books is passed over: it is what was compared.
"""

from datetime import date
from typing import Any

from chalicelib.contexts.payments.domain.events import (
    PaymentCaptured,
    PaymentCapturedLate,
    PaymentRefundSettled,
)
from chalicelib.contexts.payments.projections.what_did_a_provider_take import group_of
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection
from chalicelib.working_time import HANOI

Happened = PaymentCaptured | PaymentCapturedLate | PaymentRefundSettled
"""Money that moved: a provider's file names it, or it is missing there."""


class MovedDay(Value):
    """A provider's day on which money has moved."""

    provider: str
    on: date


def _day(event: Happened) -> date:
    at = event.at if isinstance(event, PaymentRefundSettled) else event.paid_at
    return at.astimezone(HANOI).date()


def keys(event: Happened) -> list[str]:
    """The provider's day, none where the event follows from a comparison."""
    if not isinstance(event, PaymentRefundSettled) and event.learnt == "settlement":
        return []
    return [group_of(event.provider, _day(event))]


def evolve(_row: MovedDay | None, event: Happened) -> MovedDay | None:
    """The row after `event`: it is written anew, with the event's position."""
    return MovedDay(provider=event.provider, on=_day(event))


answer: Projection[Any] = Projection(
    MovedDay, Happened, evolve, by="provider", sort="on", keys=keys
)
