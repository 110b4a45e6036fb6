"""What is owed, paid and given back: every command grants, stays quiet and refuses."""

import pytest
from contexts.payments.demo_payments import (
    AGENCY,
    AGREED,
    BEGUN,
    BY_HAND,
    CANCELLED,
    CHARGE,
    CLERK,
    DAY,
    DOSSIER,
    EXPIRED,
    FEE,
    HEAD,
    HOUR,
    ID,
    MINUTE,
    NOON,
    OBLIGATION,
    ONE,
    OTHER,
    OWED,
    PAID,
    PAYEE,
    PAYER,
    PROVIDER,
    R1,
    R2,
    STRANGER,
    SUBJECT,
    TOLD,
    TWO,
    UNPAID,
    WANTED,
    ask,
    live,
)
from specification import Given

from chalicelib.contexts.payments.domain.commands import (
    ApproveRefund,
    CancelPayment,
    ExpirePayment,
    InitiateTransaction,
    Limits,
    NoteFailure,
    NoteRefundFailed,
    NoteRefundPaidByHand,
    NoteRefundSettled,
    NoteSuccess,
    NoteUnknown,
    RejectRefund,
    RequestPayment,
    RequestRefund,
    SubmitRefund,
)
from chalicelib.contexts.payments.domain.events import (
    Beneficiary,
    Line,
    Part,
    PaymentCancelled,
    PaymentCaptured,
    PaymentCapturedLate,
    PaymentExpired,
    PaymentNoticeDisputed,
    PaymentPaid,
    PaymentRefundApproved,
    PaymentRefundFailed,
    PaymentRefundPaidByHand,
    PaymentRefundRejected,
    PaymentRefundRequested,
    PaymentRefundSettled,
    PaymentRefundSubmitted,
    PaymentRequested,
    PaymentTransactionFailed,
    PaymentTransactionInitiated,
    PaymentTransactionUnknown,
)
from chalicelib.contexts.payments.domain.payment import (
    MAX_TRANSACTIONS,
    paid_together,
    payment,
    payment_id,
    payment_of,
    payment_of_debt,
    payment_of_obligation,
)
from chalicelib.contexts.payments.domain.refusals import (
    AmountTooLarge,
    AmountWrong,
    CurrencyUnsupported,
    ExpiryPast,
    NotYourPayment,
    PartialNotAllowed,
    PaymentAlreadyRequested,
    PaymentHasExpired,
    PaymentIsCancelled,
    PaymentIsPaid,
    PaymentUnknown,
    RefundStandsElsewhere,
    RefundTooEarly,
    RefundTooLarge,
    RefundUnknown,
    SamePersonApproves,
    TooManyTransactions,
    TransactionUnknown,
)
from chalicelib.privacy.personal import Personal

ALL = (Part(kind="fee", amount=FEE.amount), Part(kind="charge", amount=CHARGE.amount))


def told(kind, at=NOON, **fields):
    return kind(payment=ID, agency=AGENCY, at=at, **fields)


requested = told(
    PaymentRequested,
    dossier=DOSSIER,
    obligation=OBLIGATION,
    subject=SUBJECT,
    lines=(FEE, CHARGE),
    amount=OWED,
)
initiated = told(
    PaymentTransactionInitiated,
    transaction=ONE,
    provider=PROVIDER,
    amount=OWED,
    expires_at=NOON + 15 * MINUTE,
    ask_at=NOON + 30 * MINUTE,
)
taken = {
    "transaction": ONE,
    "provider": PROVIDER,
    "provider_reference": "demo-ref-1",
    "amount": OWED,
    "paid_at": NOON,
    "learnt": "notice",
}
captured = told(PaymentCaptured, **taken)
paid = told(
    PaymentPaid,
    dossier=DOSSIER,
    obligation=OBLIGATION,
    subject=SUBJECT,
    lines=(FEE, CHARGE),
    amount=OWED,
)
failed = told(
    PaymentTransactionFailed, transaction=ONE, provider=PROVIDER, said="24", learnt="notice"
)
wanted = told(
    PaymentRefundRequested,
    refund=R1,
    transaction=ONE,
    provider=PROVIDER,
    amount=OWED,
    parts=ALL,
    words=Personal(subject=SUBJECT, value="demo"),
    by=CLERK,
)
approved = told(
    PaymentRefundApproved,
    refund=R1,
    transaction=ONE,
    provider=PROVIDER,
    amount=OWED,
    parts=ALL,
    by=HEAD,
)
HALF = OWED // 2
IN_PARTS = (RequestPayment, {"partial": True})
BOTH = (InitiateTransaction, {"provider": "demo-other"})
TWICE = (
    *BEGUN,
    BOTH,
    NoteSuccess,
    (NoteSuccess, {"transaction": TWO, "provider": "demo-other", "provider_reference": "demo-2"}),
)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], ask(RequestPayment), [requested], id="a dossier asks for money"),
        pytest.param(
            [],
            ask(RequestPayment, payer=PAYER, payee=PAYEE, partial=True, expires_at=NOON + DAY),
            [
                requested.model_copy(
                    update={
                        "payer": Personal(subject=SUBJECT, value=PAYER),
                        "payee": PAYEE,
                        "partial": True,
                        "expires_at": NOON + DAY,
                    }
                )
            ],
            id="by name, to an account, in parts, until tomorrow",
        ),
        pytest.param([RequestPayment], ask(RequestPayment), [], id="asking twice is asking once"),
        pytest.param(
            PAID, ask(RequestPayment, at=NOON + DAY), [], id="what is paid is not asked for again"
        ),
        pytest.param(
            [RequestPayment],
            ask(RequestPayment, lines=(FEE,), amount=FEE.amount),
            PaymentAlreadyRequested,
            id="an obligation has one sum",
        ),
        pytest.param([], ask(RequestPayment, amount=OWED + 1), AmountWrong, id="lines and amount"),
        pytest.param(
            [],
            ask(RequestPayment, lines=(FEE.model_copy(update={"amount": 0}),), amount=0),
            AmountWrong,
            id="nothing is not owed",
        ),
        pytest.param(
            [], ask(RequestPayment, currency="USD"), CurrencyUnsupported, id="another currency"
        ),
        pytest.param([], ask(RequestPayment, expires_at=NOON), ExpiryPast, id="over already"),
    ],
)
def test_request(given, when, then):
    Given(payment, *live(*given)).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([RequestPayment], ask(InitiateTransaction), [initiated], id="the payer goes"),
        pytest.param(
            [RequestPayment],
            ask(InitiateTransaction, payer=PAYER, payee=PAYEE, minutes=5, amount=OWED),
            [
                initiated.model_copy(
                    update={
                        "payer": Personal(subject=SUBJECT, value=PAYER),
                        "payee": PAYEE,
                        "expires_at": NOON + 5 * MINUTE,
                    }
                )
            ],
            id="by name, for five minutes",
        ),
        pytest.param(
            [(RequestPayment, {"expires_at": NOON + MINUTE})],
            ask(InitiateTransaction),
            [initiated.model_copy(update={"expires_at": NOON + MINUTE})],
            id="no longer than the request itself",
        ),
        pytest.param(BEGUN, ask(InitiateTransaction), [], id="a double click is one transaction"),
        pytest.param(
            BEGUN,
            ask(InitiateTransaction, provider="demo-other"),
            [initiated.model_copy(update={"transaction": TWO, "provider": "demo-other"})],
            id="another provider is another transaction",
        ),
        pytest.param(
            (*BEGUN, NoteFailure),
            ask(InitiateTransaction),
            [initiated.model_copy(update={"transaction": TWO})],
            id="what failed is tried anew",
        ),
        pytest.param(
            [IN_PARTS],
            ask(InitiateTransaction, amount=HALF),
            [initiated.model_copy(update={"amount": HALF})],
            id="a part, where that is allowed",
        ),
        pytest.param(
            [RequestPayment],
            ask(InitiateTransaction, amount=HALF),
            PartialNotAllowed,
            id="a part, where it is not",
        ),
        pytest.param(
            [IN_PARTS], ask(InitiateTransaction, amount=OWED + 1), AmountTooLarge, id="too much"
        ),
        pytest.param([IN_PARTS], ask(InitiateTransaction, amount=0), AmountTooLarge, id="nothing"),
        pytest.param(PAID, ask(InitiateTransaction), PaymentIsPaid, id="it is paid"),
        pytest.param(CANCELLED, ask(InitiateTransaction), PaymentIsCancelled, id="cancelled"),
        pytest.param(EXPIRED, ask(InitiateTransaction), PaymentHasExpired, id="expired"),
        pytest.param(
            EXPIRED[:1],
            ask(InitiateTransaction, at=NOON + DAY),
            PaymentHasExpired,
            id="expired, though nobody has said so",
        ),
        pytest.param(
            [RequestPayment],
            ask(InitiateTransaction, subject=STRANGER),
            PaymentUnknown,
            id="a stranger knows of no payment",
        ),
        pytest.param([], ask(InitiateTransaction), PaymentUnknown, id="there is none"),
    ],
)
def test_transaction(given, when, then):
    Given(payment, *live(*given)).when(when).then(then)


def test_a_payment_has_so_many_transactions_and_no_more():
    many = {f"{ID}{n:03}": None for n in range(1, MAX_TRANSACTIONS + 1)}
    state = payment.fold(live(RequestPayment, InitiateTransaction, NoteFailure))
    [failed_one] = state.transactions.values()
    full = state.model_copy(update={"transactions": dict.fromkeys(many, failed_one)})
    with pytest.raises(TooManyTransactions):
        payment.decide(ask(InitiateTransaction), full)


def late(before, **changes):
    return told(PaymentCapturedLate, **taken | changes, before=before)


def disputed(why, amount=OWED, reference="demo-ref-1"):
    return told(
        PaymentNoticeDisputed,
        transaction=ONE,
        provider=PROVIDER,
        provider_reference=reference,
        amount=amount,
        expected=OWED,
        why=why,
        learnt="notice",
    )


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(BEGUN, ask(NoteSuccess), [captured, paid], id="the money is there"),
        pytest.param(
            (*BEGUN, (NoteUnknown, {"at": NOON + HOUR})),
            ask(NoteSuccess),
            [captured, paid],
            id="what was unknown became of it",
        ),
        pytest.param(
            [IN_PARTS, (InitiateTransaction, {"amount": HALF})],
            ask(NoteSuccess, amount=HALF),
            [told(PaymentCaptured, **taken | {"amount": HALF})],
            id="half of it is there",
        ),
        pytest.param(
            [
                IN_PARTS,
                (InitiateTransaction, {"amount": HALF}),
                (NoteSuccess, {"amount": HALF}),
                InitiateTransaction,
            ],
            ask(NoteSuccess, transaction=TWO, amount=HALF),
            [told(PaymentCaptured, **taken | {"transaction": TWO, "amount": HALF}), paid],
            id="the other half completes it",
        ),
        pytest.param(
            [
                (RequestPayment, {"payer": PAYER}),
                (InitiateTransaction, {"payee": PAYEE}),
            ],
            ask(NoteSuccess),
            [
                captured,
                paid.model_copy(
                    update={"payer": Personal(subject=SUBJECT, value=PAYER), "payee": PAYEE}
                ),
            ],
            id="who paid and whose it is stands in it",
        ),
        pytest.param(PAID, ask(NoteSuccess, learnt="query"), [], id="said twice is said once"),
        pytest.param(
            (*BEGUN, NoteFailure),
            ask(NoteSuccess),
            [late("failed"), paid],
            id="a success after a failure is a correction",
        ),
        pytest.param(
            EXPIRED,
            ask(NoteSuccess),
            [late("expired"), paid],
            id="money that came too late is there",
        ),
        pytest.param(
            (*BEGUN, CancelPayment),
            ask(NoteSuccess),
            [late("cancelled")],
            id="nobody waits for it any more, and it is there to be given back",
        ),
        pytest.param(
            (*BEGUN, BOTH, NoteSuccess),
            ask(
                NoteSuccess,
                transaction=TWO,
                provider="demo-other",
                provider_reference="demo-2",
            ),
            [late("paid", transaction=TWO, provider="demo-other", provider_reference="demo-2")],
            id="paid twice is recorded twice and said once",
        ),
        pytest.param(
            BEGUN, ask(NoteSuccess, amount=1), [disputed("amount", 1)], id="a wrong amount"
        ),
        pytest.param(
            PAID, ask(NoteSuccess, amount=1), [disputed("amount", 1)], id="a wrong one later"
        ),
        pytest.param(
            PAID,
            ask(NoteSuccess, provider_reference="demo-ref-2"),
            [disputed("other_reference", reference="demo-ref-2")],
            id="the same money under another name",
        ),
        pytest.param(BEGUN, ask(NoteFailure), [failed], id="nothing was paid"),
        pytest.param((*BEGUN, NoteFailure), ask(NoteFailure), [], id="nothing, said twice"),
        pytest.param(
            PAID,
            ask(NoteFailure),
            [disputed("after_success", 0, "")],
            id="a failure takes no money back",
        ),
        pytest.param(
            BEGUN, ask(NoteSuccess, transaction=TWO), TransactionUnknown, id="unknown reference"
        ),
        pytest.param(
            BEGUN,
            ask(NoteSuccess, provider="demo-other"),
            TransactionUnknown,
            id="a provider that was never asked",
        ),
        pytest.param([], ask(NoteSuccess), TransactionUnknown, id="an unknown payment"),
    ],
)
def test_notice(given, when, then):
    Given(payment, *live(*given)).when(when).then(then)


def unknown(at, ask_at):
    return told(
        PaymentTransactionUnknown,
        at,
        transaction=ONE,
        provider=PROVIDER,
        said="01",
        ask_at=ask_at,
    )


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(
            BEGUN,
            ask(NoteUnknown, at=NOON + 30 * MINUTE),
            [unknown(NOON + 30 * MINUTE, NOON + HOUR)],
            id="asked after half an hour, and again after an hour",
        ),
        pytest.param(
            BEGUN,
            ask(NoteUnknown, at=NOON + 2 * DAY),
            [unknown(NOON + 2 * DAY, NOON + 3 * DAY)],
            id="and once at the end",
        ),
        pytest.param(
            BEGUN,
            ask(NoteUnknown, at=NOON + 3 * DAY),
            [unknown(NOON + 3 * DAY, None)],
            id="then no more",
        ),
        pytest.param(
            BEGUN,
            ask(NoteUnknown, at=NOON + HOUR, limits=Limits(ask_until_s=60)),
            [unknown(NOON + HOUR, None)],
            id="as the deployment says",
        ),
        pytest.param(BEGUN, ask(NoteUnknown, at=NOON + MINUTE), [], id="too early"),
        pytest.param(
            (*BEGUN, (NoteUnknown, {"at": NOON + 3 * DAY})),
            ask(NoteUnknown, at=NOON + 4 * DAY),
            [],
            id="after the end",
        ),
        pytest.param(PAID, ask(NoteUnknown, at=NOON + DAY), [], id="it is known"),
        pytest.param(
            BEGUN, ask(NoteUnknown, transaction=TWO), TransactionUnknown, id="unknown reference"
        ),
    ],
)
def test_unknown(given, when, then):
    Given(payment, *live(*given)).when(when).then(then)


cancelled = told(PaymentCancelled, reason="demo")


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(
            EXPIRED[:2],
            ask(ExpirePayment, at=NOON + DAY),
            [told(PaymentExpired, NOON + DAY)],
            id="the time is over",
        ),
        pytest.param(EXPIRED[:2], ask(ExpirePayment), [], id="not yet"),
        pytest.param(EXPIRED, ask(ExpirePayment, at=NOON + 2 * DAY), [], id="it was said"),
        pytest.param(
            (*EXPIRED[:2], NoteSuccess), ask(ExpirePayment, at=NOON + DAY), [], id="it is paid"
        ),
        pytest.param([RequestPayment], ask(ExpirePayment, at=NOON + DAY), [], id="never"),
        pytest.param([], ask(ExpirePayment), [], id="there is none to expire"),
        pytest.param(BEGUN, ask(CancelPayment), [cancelled], id="it need not be paid"),
        pytest.param(
            BEGUN,
            ask(CancelPayment, agency="", reason="waived"),
            [told(PaymentCancelled, reason="waived")],
            id="its dossier says so",
        ),
        pytest.param(
            EXPIRED,
            ask(CancelPayment, at=NOON + DAY),
            [told(PaymentCancelled, NOON + DAY, reason="demo")],
            id="nor later",
        ),
        pytest.param(
            [
                IN_PARTS,
                (InitiateTransaction, {"amount": HALF}),
                (NoteSuccess, {"amount": HALF}),
            ],
            ask(CancelPayment),
            [cancelled.model_copy(update={"captured": HALF})],
            id="half of it was paid",
        ),
        pytest.param(CANCELLED, ask(CancelPayment), [], id="cancelling twice changes nothing"),
        pytest.param(PAID, ask(CancelPayment, agency=""), [], id="its dossier ends: it is paid"),
        pytest.param([], ask(CancelPayment, agency=""), [], id="its dossier ends: there is none"),
        pytest.param(PAID, ask(CancelPayment), PaymentIsPaid, id="what is paid is given back"),
        pytest.param(BEGUN, ask(CancelPayment, agency=OTHER), NotYourPayment, id="another's"),
        pytest.param([], ask(CancelPayment), PaymentUnknown, id="there is none"),
    ],
)
def test_end(given, when, then):
    Given(payment, *live(*given)).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(PAID, ask(RequestRefund), [wanted], id="all of it"),
        pytest.param(
            PAID,
            ask(
                RequestRefund,
                agency="",
                subject=SUBJECT,
                amount=FEE.amount + 1,
                transaction=ONE,
                beneficiary=Beneficiary(name="Demo", account="0000", bank="DEMO"),
            ),
            [
                wanted.model_copy(
                    update={
                        "amount": FEE.amount + 1,
                        "parts": (
                            Part(kind="fee", amount=FEE.amount),
                            Part(kind="charge", amount=1),
                        ),
                        "beneficiary": Personal(
                            subject=SUBJECT,
                            value=Beneficiary(name="Demo", account="0000", bank="DEMO"),
                        ),
                    }
                )
            ],
            id="by the payer, line by line",
        ),
        pytest.param(
            TWICE,
            ask(RequestRefund, amount=OWED, transaction=ONE),
            [wanted.model_copy(update={"parts": (Part(kind="overpaid", amount=OWED),)})],
            id="first what was paid too much",
        ),
        pytest.param(
            (*TWICE, (RequestRefund, {"amount": HALF}), (RequestRefund, {"transaction": ONE})),
            ask(RequestRefund),
            [
                wanted.model_copy(
                    update={
                        "refund": f"{ID}r003",
                        "transaction": TWO,
                        "provider": "demo-other",
                        "amount": HALF,
                        "parts": (
                            Part(kind="fee", amount=20_000),
                            Part(kind="charge", amount=CHARGE.amount),
                        ),
                    }
                )
            ],
            id="then what is left of the lines",
        ),
        pytest.param(
            (*BEGUN, CancelPayment, NoteSuccess),
            ask(RequestRefund),
            [wanted.model_copy(update={"parts": (Part(kind="overpaid", amount=OWED),)})],
            id="what came though nobody waited",
        ),
        pytest.param(
            (*WANTED, RejectRefund),
            ask(RequestRefund),
            [wanted.model_copy(update={"refund": R2})],
            id="what was rejected can be asked for again",
        ),
        pytest.param(BEGUN, ask(RequestRefund), RefundTooEarly, id="it is still being paid"),
        pytest.param(
            PAID, ask(RequestRefund, amount=OWED + 1), RefundTooLarge, id="more than was paid"
        ),
        pytest.param(WANTED, ask(RequestRefund, amount=1), RefundTooLarge, id="above what is left"),
        pytest.param(CANCELLED, ask(RequestRefund), RefundTooLarge, id="nothing was paid"),
        pytest.param(
            TWICE,
            ask(RequestRefund, amount=OWED + 1),
            RefundTooLarge,
            id="a refund is of one transaction",
        ),
        pytest.param(
            PAID, ask(RequestRefund, transaction=TWO), TransactionUnknown, id="of another one"
        ),
        pytest.param(PAID, ask(RequestRefund, agency=OTHER), NotYourPayment, id="another's"),
        pytest.param(
            PAID,
            ask(RequestRefund, agency="", subject=STRANGER),
            PaymentUnknown,
            id="a stranger's",
        ),
        pytest.param([], ask(RequestRefund), PaymentUnknown, id="there is none"),
    ],
)
def test_refund_request(given, when, then):
    # Each wish for money is one of its own; its command's id tells repetitions apart.
    Given(payment, *live(*given)).when(when).then(then, repeatable=False)


AS_OTHER = "citizen:demo-1"
"""The clerk who asked, in another role."""
rejected = told(PaymentRefundRejected, refund=R1, reason="demo", by=HEAD)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(WANTED, ask(ApproveRefund), [approved], id="a second person agrees"),
        pytest.param(AGREED, ask(ApproveRefund), [], id="agreeing twice changes nothing"),
        pytest.param(TOLD, ask(ApproveRefund), [], id="agreed long ago"),
        pytest.param(WANTED, ask(ApproveRefund, actor=CLERK), SamePersonApproves, id="one person"),
        pytest.param(
            WANTED, ask(ApproveRefund, actor=AS_OTHER), SamePersonApproves, id="two roles"
        ),
        pytest.param(
            (*WANTED, RejectRefund), ask(ApproveRefund), RefundStandsElsewhere, id="rejected"
        ),
        pytest.param(WANTED, ask(ApproveRefund, agency=OTHER), NotYourPayment, id="another's"),
        pytest.param(PAID, ask(ApproveRefund), RefundUnknown, id="there is no refund"),
        pytest.param([], ask(ApproveRefund), PaymentUnknown, id="there is no payment"),
        pytest.param(WANTED, ask(RejectRefund), [rejected], id="a second person does not agree"),
        pytest.param((*WANTED, RejectRefund), ask(RejectRefund), [], id="rejecting twice"),
        pytest.param(AGREED, ask(RejectRefund), RefundStandsElsewhere, id="it was agreed"),
        pytest.param(WANTED, ask(RejectRefund, actor=CLERK), SamePersonApproves, id="of one's own"),
        pytest.param(
            WANTED, ask(RejectRefund, actor=AS_OTHER), SamePersonApproves, id="one's own, otherwise"
        ),
    ],
)
def test_refund_decision(given, when, then):
    Given(payment, *live(*given)).when(when).then(then)


def test_a_rejected_refund_can_complete_what_was_paid():
    half = {"amount": HALF}
    given = live(
        (RequestPayment, {"partial": True, "expires_at": NOON + HOUR}),
        (InitiateTransaction, half),
        (InitiateTransaction, half | {"provider": "demo-other"}),
        (NoteSuccess, half),
        (ExpirePayment, {"at": NOON + HOUR}),
        RequestRefund,
        (NoteSuccess, half | {"transaction": TWO, "provider": "demo-other"}),
    )
    rejection = ask(RejectRefund)
    # Money that is given back is not there; once it is not, it is.
    assert not payment.fold(given).paid
    Given(payment, *given).when(rejection).then([rejected, paid])


about = {"refund": R1, "provider": PROVIDER}
submitted = told(PaymentRefundSubmitted, **about)
settled = told(
    PaymentRefundSettled, **about, provider_reference="demo-refund-1", amount=OWED, parts=ALL
)
unpaid = told(PaymentRefundFailed, **about, said="99")


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(AGREED, ask(SubmitRefund), [submitted], id="the provider is told"),
        pytest.param(TOLD, ask(SubmitRefund), [], id="told twice"),
        pytest.param((*TOLD, NoteRefundFailed), ask(SubmitRefund), [submitted], id="told anew"),
        pytest.param((*TOLD, NoteRefundSettled), ask(SubmitRefund), [], id="it is back already"),
        pytest.param(WANTED, ask(SubmitRefund), RefundStandsElsewhere, id="nobody agreed"),
        pytest.param(
            (*WANTED, RejectRefund), ask(SubmitRefund), RefundStandsElsewhere, id="it was rejected"
        ),
        pytest.param(TOLD, ask(NoteRefundSettled), [settled], id="the payer has it back"),
        pytest.param(AGREED, ask(NoteRefundSettled), [settled], id="at once"),
        pytest.param((*TOLD, NoteRefundFailed), ask(NoteRefundSettled), [settled], id="after all"),
        pytest.param((*TOLD, NoteRefundSettled), ask(NoteRefundSettled), [], id="said twice"),
        pytest.param(WANTED, ask(NoteRefundSettled), RefundStandsElsewhere, id="unasked for"),
        pytest.param(TOLD, ask(NoteRefundFailed), [unpaid], id="it could not be given back"),
        pytest.param(
            (*TOLD, NoteRefundFailed), ask(NoteRefundFailed), [], id="could not, said twice"
        ),
        pytest.param((*TOLD, NoteRefundSettled), ask(NoteRefundFailed), [], id="it is back"),
        pytest.param(PAID, ask(NoteRefundFailed), RefundUnknown, id="there is none"),
    ],
)
def test_refund_course(given, when, then):
    Given(payment, *live(*given)).when(when).then(then)


transferred = told(
    PaymentRefundPaidByHand,
    refund=R1,
    amount=OWED,
    parts=ALL,
    reference="demo-transfer-1",
    by=HEAD,
)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(UNPAID, ask(NoteRefundPaidByHand), [transferred], id="another way was found"),
        pytest.param(BY_HAND, ask(NoteRefundPaidByHand), [], id="said twice"),
        pytest.param(
            BY_HAND,
            ask(NoteRefundPaidByHand, reference="demo-transfer-2"),
            RefundStandsElsewhere,
            id="a second transfer",
        ),
        pytest.param(
            AGREED, ask(NoteRefundPaidByHand), RefundStandsElsewhere, id="the provider is to do it"
        ),
        pytest.param(
            TOLD, ask(NoteRefundPaidByHand), RefundStandsElsewhere, id="the provider is doing it"
        ),
        pytest.param(
            (*TOLD, NoteRefundSettled),
            ask(NoteRefundPaidByHand),
            RefundStandsElsewhere,
            id="the provider has done it",
        ),
        pytest.param(WANTED, ask(NoteRefundPaidByHand), RefundStandsElsewhere, id="nobody agreed"),
        pytest.param(
            UNPAID, ask(NoteRefundPaidByHand, actor=CLERK), SamePersonApproves, id="to oneself"
        ),
        pytest.param(
            UNPAID, ask(NoteRefundPaidByHand, actor=AS_OTHER), SamePersonApproves, id="two roles"
        ),
        pytest.param(
            UNPAID, ask(NoteRefundPaidByHand, agency=OTHER), NotYourPayment, id="another's"
        ),
        pytest.param(PAID, ask(NoteRefundPaidByHand), RefundUnknown, id="there is no refund"),
        pytest.param([], ask(NoteRefundPaidByHand), PaymentUnknown, id="there is no payment"),
        pytest.param(BY_HAND, ask(SubmitRefund), [], id="the provider need not try again"),
        pytest.param(BY_HAND, ask(NoteRefundFailed), [], id="nor say that it cannot"),
        pytest.param(
            BY_HAND, ask(NoteRefundSettled), [settled], id="the provider has done it all the same"
        ),
    ],
)
def test_refund_by_hand(given, when, then):
    Given(payment, *live(*given)).when(when).then(then)


@pytest.mark.parametrize(
    ("wishes", "waiting"),
    [
        pytest.param((), (False, True), id="in their order"),
        pytest.param((SubmitRefund,), (False, True), id="one is under way"),
        pytest.param((SubmitRefund, NoteRefundSettled), (False, False), id="one is done"),
        pytest.param((NoteRefundFailed,), (True, False), id="one that failed lets others pass"),
        pytest.param(
            (NoteRefundFailed, (SubmitRefund, {"refund": R2})), (True, False), id="and be served"
        ),
        pytest.param(
            (NoteRefundFailed, (NoteRefundFailed, {"refund": R2})), (False, False), id="both failed"
        ),
    ],
)
def test_of_a_transaction_one_refund_goes_at_a_time(wishes, waiting):
    small = (RequestRefund, {"amount": 20_000})
    approved = [(ApproveRefund, {"refund": each}) for each in (R1, R2)]
    state = payment.fold(live(*PAID, small, small, *approved, *wishes))
    assert (state.waits(R1), state.waits(R2)) == waiting


def test_two_refunds_of_two_transactions_do_not_wait_for_each_other():
    parts = ((RequestPayment, {"partial": True}), (InitiateTransaction, {"amount": 60_000}))
    first = (*parts, (NoteSuccess, {"amount": 60_000}), InitiateTransaction)
    both = (*first, (NoteSuccess, {"transaction": TWO, "amount": 40_000}))
    wanted = [(RequestRefund, {"transaction": each}) for each in (ONE, TWO)]
    approved = [(ApproveRefund, {"refund": each}) for each in (R1, R2)]
    assert not payment.fold(live(*both, *wanted, *approved)).waits(R2)


def test_how_often_a_refund_has_failed_is_counted():
    state = payment.fold(live(*UNPAID, SubmitRefund, NoteRefundFailed))
    assert state.refunds[R1].failures == 2
    alone = [one for one in live(*UNPAID) if isinstance(one, PaymentRefundFailed)]
    assert payment.fold(alone).refunds == {}


def test_each_pays_a_debt_by_a_payment_of_their_own():
    mine, theirs, other = (
        payment_of_debt(*said) for said in (("demo", "a"), ("demo", "b"), ("other", "a"))
    )
    assert len({mine, theirs, other}) == 3
    assert paid_together(mine) == paid_together(theirs) != paid_together(other)
    assert paid_together(ID) == ID
    for reference in (f"{mine}001", f"{mine}r001"):
        assert payment_of(reference) == mine
        assert reference.isalnum()
        assert len(reference) <= 34


def test_a_reference_finds_its_payment():
    assert payment_of(ONE) == payment_of(R1) == ID
    assert max(len(ONE), len(R1)) <= 34
    assert (ONE + R1).isalnum()
    for strange in (
        "",
        ID,
        f"{ID}1",
        f"{ID}0001",
        f"{ID}x001",
        f"{ID.upper()}001",
        "a" * 29 + "\n",
    ):
        assert payment_of(strange) == ""


def test_one_obligation_is_one_payment_and_no_other():
    assert payment_of_obligation(DOSSIER, OBLIGATION) == ID
    ids = {payment_of_obligation(d, o) for d, o in (("a", "bc"), ("ab", "c"), ("abc", ""))}
    assert len(ids | {ID, payment_id("demo")}) == 5


def test_parts_of_several_lines_of_one_kind_are_one():
    twice = (FEE, Line(code="PHI02", name="Phí khác", kind="fee", amount=CHARGE.amount))
    events = live((RequestPayment, {"lines": twice}), InitiateTransaction, NoteSuccess)
    assert payment.fold(events).parts_of(OWED) == (Part(kind="fee", amount=OWED),)


def test_what_was_given_back_is_what_the_payer_has():
    assert payment.fold(live(*TOLD)).refunded == 0
    assert payment.fold(live(*TOLD, NoteRefundSettled)).refunded == OWED
    assert payment.fold(live(*BY_HAND)).refunded == OWED


def test_why_it_was_wanted_may_stand_in_the_open_in_what_was_recorded_before():
    before = wanted.model_copy(update={"words": None, "reason": "demo"})
    for event, reason, words in ((wanted, "", wanted.words), (before, "demo", None)):
        found = payment.fold([*live(*PAID), event]).refunds[R1]
        assert (found.reason, found.words) == (reason, words)
