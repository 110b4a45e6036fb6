"""Demo data, made up here: what a demo person owes a demo agency (letter Z, which nobody has)."""

from datetime import UTC, datetime, timedelta
from itertools import count

from chalicelib.contexts.payments.domain.commands import (
    ApproveRefund,
    CancelPayment,
    ExpirePayment,
    InitiateTransaction,
    NoteFailure,
    NoteRefundFailed,
    NoteRefundPaidByHand,
    NoteRefundSettled,
    NoteSuccess,
    NoteUnknown,
    RefundCommand,
    RejectRefund,
    RequestPayment,
    RequestRefund,
    SubmitRefund,
)
from chalicelib.contexts.payments.domain.events import Line, Payee, Payer
from chalicelib.contexts.payments.domain.payment import payment, payment_of_obligation
from chalicelib.kernel import Origin

AGENCY, OTHER = "Z01", "Z02"
SUBJECT, STRANGER = "person-demo", "person-demo-2"
DOSSIER, OBLIGATION = "demo", "nvtc-1"
ID = payment_of_obligation(DOSSIER, OBLIGATION)
ONE, TWO, THREE = (f"{ID}{n:03}" for n in (1, 2, 3))
R1, R2 = (f"{ID}r{n:03}" for n in (1, 2))
PROVIDER = "demo-pay"
NOON = datetime(2026, 6, 1, 5, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FEE = Line(code="PHI01", name="Phí thử nghiệm", kind="fee", amount=70_000)
CHARGE = Line(code="LP01", name="Lệ phí thử nghiệm", kind="charge", amount=30_000)
OWED = FEE.amount + CHARGE.amount
PAYER = Payer(name="Người thử nghiệm", identity_number="DEMO-1")
PAYEE = Payee(agency=AGENCY, account="0000000000", bank="DEMO", holder="Cơ quan thử nghiệm")
CLERK, HEAD = "officer:demo-1", "officer:demo-2"
_keys = count()


def origin(at=NOON, actor=CLERK, key=None):
    key = key or f"demo-{next(_keys)}"
    return Origin(command_id=key, digest=key, actor=actor, method="jwt", assurance=2, at=at)


FIELDS = {
    RequestPayment: {
        "agency": AGENCY,
        "dossier": DOSSIER,
        "obligation": OBLIGATION,
        "subject": SUBJECT,
        "lines": (FEE, CHARGE),
        "amount": OWED,
    },
    InitiateTransaction: {"subject": SUBJECT, "provider": PROVIDER},
    NoteSuccess: {
        "transaction": ONE,
        "provider": PROVIDER,
        "learnt": "notice",
        "provider_reference": "demo-ref-1",
        "amount": OWED,
        "paid_at": NOON,
    },
    NoteFailure: {"transaction": ONE, "provider": PROVIDER, "learnt": "notice", "said": "24"},
    NoteUnknown: {"transaction": ONE, "provider": PROVIDER, "learnt": "query", "said": "01"},
    CancelPayment: {"agency": AGENCY, "reason": "demo"},
    RequestRefund: {"agency": AGENCY, "reason": "demo"},
    RefundCommand: {"refund": R1},
    ApproveRefund: {"agency": AGENCY},
    RejectRefund: {"agency": AGENCY, "reason": "demo"},
    NoteRefundSettled: {"provider_reference": "demo-refund-1"},
    NoteRefundFailed: {"said": "99"},
    NoteRefundPaidByHand: {"agency": AGENCY, "reference": "demo-transfer-1"},
}


def ask(kind, at=NOON, actor=None, **changes):
    """A command of this kind; who decides on a refund, or pays it, is not who asked for it."""
    decides = kind in {ApproveRefund, RejectRefund, NoteRefundPaidByHand}
    fields = dict(FIELDS.get(kind, {}))
    if issubclass(kind, RefundCommand):
        fields = FIELDS[RefundCommand] | fields
    who = actor or (HEAD if decides else CLERK)
    return kind(**{"origin": origin(at, who), "payment": ID, **fields, **changes})


def live(*wishes):
    """The events after these commands; a pair brings changes to one of them."""
    events = []
    for each in wishes:
        kind, changes = each if isinstance(each, tuple) else (each, {})
        told = payment.decide(ask(kind, **changes), payment.fold(events))
        assert told, kind
        events += told
    return events


BEGUN = (RequestPayment, InitiateTransaction)
PAID = (*BEGUN, NoteSuccess)
CANCELLED = (RequestPayment, CancelPayment)
EXPIRED = (
    (RequestPayment, {"expires_at": NOON + DAY}),
    InitiateTransaction,
    (ExpirePayment, {"at": NOON + DAY}),
)
WANTED = (*PAID, RequestRefund)
AGREED = (*WANTED, ApproveRefund)
TOLD = (*AGREED, SubmitRefund)
UNPAID = (*TOLD, NoteRefundFailed)
BY_HAND = (*UNPAID, NoteRefundPaidByHand)
