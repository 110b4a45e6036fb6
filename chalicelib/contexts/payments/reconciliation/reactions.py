"""What follows in payments from a decision on a discrepancy. Pure."""

from collections.abc import Iterable
from typing import Any

from chalicelib.contexts.payments.domain.commands import (
    NoteRefundFailed,
    NoteRefundSettled,
    NoteSuccess,
)
from chalicelib.contexts.payments.domain.events import SettlementDiscrepancyResolved
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.kernel import Command, Decider, Origin

EVENTS = SettlementDiscrepancyResolved


def react(event: EVENTS, origin: Origin) -> Iterable[tuple[Decider[Any, Any, Any], str, Command]]:
    """Where we correct our books, what the provider says happened to what we had begun.

    Rule: a line of the settlement file is as good as an answer to a query.
    """
    found = event.discrepancy
    begun = found.payment and found.our_status in {"open", "failed"}
    if event.decision != "we_correct" or not begun:
        return
    refund: dict[str, Any] = {"origin": origin, "payment": found.payment, "refund": found.reference}
    match found.line, found.their_status:
        case "payment", "done":
            success = NoteSuccess(
                origin=origin,
                payment=found.payment,
                transaction=found.reference,
                provider=event.provider,
                learnt="settlement",
                provider_reference=found.provider_reference,
                amount=found.theirs,
                paid_at=found.moved_at or event.at,
            )
            yield payment, found.payment, success
        case "refund", "done":
            reference = found.provider_reference
            settled = NoteRefundSettled(**refund, provider_reference=reference)
            yield payment, found.payment, settled
        case "refund", "failed":
            yield payment, found.payment, NoteRefundFailed(**refund, said="settlement")
