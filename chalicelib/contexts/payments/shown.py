"""A payment as its readers see it: folded from its stream, what is personal opened while answering.

What is about a person who was forgotten is blank (None); an auditor never sees it.
"""

from typing import Any, NamedTuple

from chalicelib import runtime
from chalicelib.contexts.payments.domain.events import PaymentEvents
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.contexts.payments.domain.receipt import receipt_id
from chalicelib.contexts.payments.domain.refusals import PaymentUnknown
from chalicelib.contexts.payments.domain.state import Payment
from chalicelib.contexts.payments.people import office, person
from chalicelib.http.identity import Caller
from chalicelib.http.personal import Opened


class Standing(NamedTuple):
    """A payment with all that happened to it, and its version."""

    state: Payment
    events: list[PaymentEvents]
    version: int


def standing(id_: str) -> Standing:
    """A payment as it stands.

    Raises:
        PaymentUnknown: there is none.
    """
    commits = runtime.event_store().load(f"payment-{id_}") if id_.isalnum() else []
    if not commits:
        raise PaymentUnknown
    events: list[PaymentEvents] = []
    for commit in commits:
        events += payment.codec.validate_json(commit.body, extra="ignore")
    return Standing(payment.fold(events), events, commits[-1].number)


def seen_by(caller: Caller, id_: str) -> Standing:
    """The payment, if the caller pays it, is owed it, or audits it.

    Raises:
        PaymentUnknown: there is none, or none of the caller's business.
    """
    found = standing(id_)
    if caller.role == "auditor":
        return found
    agency = office(caller)
    if (
        (agency != found.state.agency)
        if agency
        else (person(caller.subject) != found.state.subject)
    ):
        raise PaymentUnknown
    return found


def shown(found: Standing, read: Opened) -> dict[str, Any]:
    """The payment as data; `read` opens what is personal, or does not."""
    state = found.state
    kinds = {line.kind: None for line in state.lines} if state.paid else {}
    said = {"payment", "agency", "dossier", "obligation", "status", "lines", "amount", "payee"}
    said |= {"partial", "requested_at", "expires_at"}
    return {
        **state.model_dump(mode="json", include=said),
        "payer": read(state.payer),
        "captured": state.captured,
        "left": state.left if state.status == "requested" else 0,
        "refunded": state.refunded,
        "refund_status": _refund_status(state),
        "transactions": [
            each.model_dump(mode="json", exclude={"disputed", "ask_at"})
            | {"disputed": len(each.disputed)}
            for each in state.transactions.values()
        ],
        "refunds": [
            each.model_dump(mode="json", exclude={"beneficiary"})
            | {"beneficiary": read(each.beneficiary)}
            for each in state.refunds.values()
        ],
        "receipts": {kind: receipt_id(state.payment, kind) for kind in kinds},
        "history": [{"type": each.type, "at": each.at.isoformat()} for each in found.events],
    }


def _refund_status(state: Payment) -> str:
    if not state.refunded:
        return "none"
    return "refunded" if state.refunded == state.captured else "partly_refunded"
