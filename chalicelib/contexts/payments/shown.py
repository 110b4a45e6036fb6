"""A payment as its readers see it: folded from its stream, what is personal opened while answering.

What is about a person who was forgotten is blank (None); an auditor never sees it.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.contexts.payments.domain.events import (
    Beneficiary,
    Line,
    LineKind,
    Part,
    Payee,
    Payer,
    PaymentEvents,
)
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.contexts.payments.domain.receipt import receipt_id
from chalicelib.contexts.payments.domain.refusals import PaymentUnknown
from chalicelib.contexts.payments.domain.state import Payment as PaymentState
from chalicelib.contexts.payments.domain.state import (
    PaymentStatus,
    RefundStatus,
    TransactionStatus,
)
from chalicelib.contexts.payments.people import acts_for, person
from chalicelib.http.identity import Caller
from chalicelib.http.personal import Opened

GivenBack = Literal["none", "partly_refunded", "refunded"]


class PaymentTransaction(TypedDict):
    """One go at paying, in đồng: `captured` is what the provider has taken, 0 until then.

    `disputed` is how many notices of it said what cannot be.
    """

    transaction: str
    provider: str
    amount: int
    at: datetime
    expires_at: datetime
    status: TransactionStatus
    provider_reference: str
    captured: int
    disputed: int


class RefundOfPayment(TypedDict):
    """One sum that is given back, in đồng, and of what (`parts`). `by` asked for it.

    `reason` is None to who may not read it, and of payers who were forgotten.
    `beneficiary` is the account it goes to, if not to where it came from. Once it is settled,
    `reference` is what its provider calls that, or, if it was paid `by_hand`, what a bank does.
    """

    refund: str
    transaction: str
    provider: str
    amount: int
    parts: tuple[Part, ...]
    reason: str | None
    by: str
    status: RefundStatus
    reference: str
    by_hand: bool
    beneficiary: Beneficiary | None


class PaymentStep(TypedDict):
    """Something that happened to a payment: the `type` of its event, and when."""

    type: str
    at: datetime


class Payment(TypedDict):
    """What somebody owes an agency, in đồng, and what became of it.

    `captured` is what providers have taken, `left` what is still to be paid. `dossier` and
    `obligation` are empty if an agency asked directly. `payer` and `payee` are the last ones that
    were said. `receipts` are the ids of those it has once it is paid, by kind of line.
    """

    payment: str
    agency: str
    dossier: str
    obligation: str
    status: PaymentStatus
    lines: tuple[Line, ...]
    amount: int
    payee: Payee | None
    partial: bool
    requested_at: datetime | None
    expires_at: datetime | None
    payer: Payer | None
    captured: int
    left: int
    refunded: int
    refund_status: GivenBack
    transactions: list[PaymentTransaction]
    refunds: list[RefundOfPayment]
    receipts: dict[LineKind, str]
    history: list[PaymentStep]


class Standing(NamedTuple):
    """A payment with all that happened to it, and its version."""

    state: PaymentState
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
    """The payment, if the caller pays it, acts for whom it is owed to, or audits it.

    Raises:
        PaymentUnknown: there is none, or none of the caller's business.
    """
    found = standing(id_)
    if caller.role == "citizen":
        theirs = person(caller.subject) == found.state.subject
    else:
        theirs = caller.role == "auditor" or acts_for(caller, found.state.agency)
    if not theirs:
        raise PaymentUnknown
    return found


def shown(found: Standing, read: Opened) -> Payment:
    """The payment as data; `read` opens what is personal, or does not."""
    state = found.state
    assert state.status != "absent"
    kinds = dict.fromkeys(line.kind for line in state.lines) if state.paid else {}
    return {
        "payment": state.payment,
        "agency": state.agency,
        "dossier": state.dossier,
        "obligation": state.obligation,
        "status": state.status,
        "lines": state.lines,
        "amount": state.amount,
        "payee": state.payee,
        "partial": state.partial,
        "requested_at": state.requested_at,
        "expires_at": state.expires_at,
        "payer": read(state.payer),
        "captured": state.captured,
        "left": state.left if state.status == "requested" else 0,
        "refunded": state.refunded,
        "refund_status": _refund_status(state),
        "transactions": [
            {
                "transaction": each.transaction,
                "provider": each.provider,
                "amount": each.amount,
                "at": each.at,
                "expires_at": each.expires_at,
                "status": each.status,
                "provider_reference": each.provider_reference,
                "captured": each.captured,
                "disputed": len(each.disputed),
            }
            for each in state.transactions.values()
        ],
        "refunds": [
            {
                "refund": each.refund,
                "transaction": each.transaction,
                "provider": each.provider,
                "amount": each.amount,
                "parts": each.parts,
                "reason": read(each.words) if each.words else each.reason,
                "by": each.by,
                "status": each.status,
                "reference": each.reference,
                "by_hand": each.by_hand,
                "beneficiary": read(each.beneficiary),
            }
            for each in state.refunds.values()
        ],
        "receipts": {kind: receipt_id(state.payment, kind) for kind in kinds},
        "history": [{"type": each.type, "at": each.at} for each in found.events],
    }


def _refund_status(state: PaymentState) -> GivenBack:
    if not state.refunded:
        return "none"
    return "refunded" if state.refunded == state.captured else "partly_refunded"
