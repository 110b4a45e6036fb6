"""What can happen to money.

Streams: `payment-<id>` holds a request, its transactions and its refunds, so that no two of them
can disagree about what is left; `receipt-<id>` one receipt; `settlement-<provider>.<date>` one
provider's day; `provider-<code>` and `payee-<agency>` who takes part. Agency codes are canonical
(`G22`). Money is in whole đồng. What is about a person is `Personal`.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from chalicelib.kernel import Event, Value
from chalicelib.privacy.personal import Personal

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Dong = Annotated[int, Field(ge=0, le=10**15)]
"""An amount in đồng, which has no smaller unit."""

LineKind = Literal["fee", "charge", "fine", "tax"]
"""Phí, lệ phí, tiền phạt, thuế. Partners number them differently, so nothing here does."""
Learnt = Literal["notice", "query", "settlement"]
"""How we came to know what became of a transaction: only what a provider signed or answered."""


class Line(Value):
    """One item to pay. `chapter` and `subsection` are the budget's (MA_CHUONG, MA_TMUC)."""

    code: str
    name: str
    kind: LineKind
    amount: Dong
    chapter: str = ""
    subsection: str = ""


class Payee(Value):
    """Whose account the money goes to. Fines and taxes go to the treasury's."""

    agency: str
    account: str
    bank: str
    holder: str


class Payer(Value):
    """Who pays, as they are named on a receipt."""

    name: str
    identity_number: str = ""
    address: str = ""


class Beneficiary(Value):
    """The account that a refund goes to."""

    name: str
    account: str
    bank: str


class Part(Value):
    """A share of a refund: of a kind of line, or of what was paid too much."""

    kind: LineKind | Literal["overpaid"]
    amount: Dong


class PaymentEvent(Event):
    """Something that happened to payment `payment`; `agency` is its payee."""

    payment: str
    agency: str


class PaymentRequested(PaymentEvent):
    """`payer` owes the sum of `lines`, to be paid before `expires_at` if that is given.

    `dossier` and `obligation` name what it is paid for; both are empty if an agency asked directly.
    Rule: the amount is the sum of the lines (PaymentPlatform 1.0.6, PhiLePhi and DSKhoanNop).
    """

    type: Literal["payment.requested"] = "payment.requested"
    dossier: str = ""
    obligation: str = ""
    subject: str
    payer: Personal[Payer] | None = None
    lines: tuple[Line, ...]
    amount: Dong
    payee: Payee | None = None
    partial: bool = False
    expires_at: AwareDatetime | None = None


class PaymentTransactionInitiated(PaymentEvent):
    """The payer was sent to a provider with reference `transaction` to pay `amount`.

    Rule: PaymentPlatform 1.0.6, INIT (MaThamChieu); state KHOI_TAO.
    """

    type: Literal["payment.transaction_initiated"] = "payment.transaction_initiated"
    transaction: str
    provider: str
    amount: Dong
    at: AwareDatetime
    expires_at: AwareDatetime


class PaymentCaptured(PaymentEvent):
    """A provider has taken `amount` for a transaction: `provider_reference` is its own name for it.

    Rule: MaLoi 00 of a verified notice; TrangThaiGD 1 of a query.
    """

    type: Literal["payment.captured"] = "payment.captured"
    transaction: str
    provider: str
    provider_reference: str
    amount: Dong
    paid_at: AwareDatetime
    learnt: Learnt


class PaymentCapturedLate(PaymentEvent):
    """The same, after the transaction was held to have failed, expired or been cancelled.

    The money is there, whatever we said before: a correction, and an event of its own.
    """

    type: Literal["payment.captured_late"] = "payment.captured_late"
    transaction: str
    provider: str
    provider_reference: str
    amount: Dong
    paid_at: AwareDatetime
    learnt: Learnt
    before: Literal["failed", "expired", "cancelled", "paid"]


class PaymentTransactionFailed(PaymentEvent):
    """A provider said that nothing was paid; `said` is its code for why.

    Rule: MaLoi other than 00; TrangThaiGD 4.
    """

    type: Literal["payment.transaction_failed"] = "payment.transaction_failed"
    transaction: str
    provider: str
    said: str
    learnt: Learnt


class PaymentTransactionUnknown(PaymentEvent):
    """The provider was asked and did not know yet.

    Rule: TrangThaiGD 3; asked again from 30 minutes to 3 days after the start.
    """

    type: Literal["payment.transaction_unknown"] = "payment.transaction_unknown"
    transaction: str
    provider: str
    said: str = ""


class PaymentNoticeDisputed(PaymentEvent):
    """A notice with a good signature says something that cannot be: nothing was captured by it."""

    type: Literal["payment.notice_disputed"] = "payment.notice_disputed"
    transaction: str
    provider: str
    provider_reference: str
    amount: Dong
    expected: Dong
    why: Literal["amount", "other_reference", "after_success"]


class PaymentPaid(PaymentEvent):
    """All of it is there: `amount` was owed, `over` was paid too much. Said once.

    It is in the same commit as the capture that made it so. Whoever waits for the money goes on.
    """

    type: Literal["payment.paid"] = "payment.paid"
    dossier: str
    obligation: str
    subject: str
    lines: tuple[Line, ...]
    amount: Dong
    over: Dong = 0


class PaymentExpired(PaymentEvent):
    """The time to pay is over; `captured` was paid in part until then."""

    type: Literal["payment.expired"] = "payment.expired"
    captured: Dong = 0


class PaymentCancelled(PaymentEvent):
    """It need not be paid any more; `captured` was paid in part until then."""

    type: Literal["payment.cancelled"] = "payment.cancelled"
    reason: Text
    captured: Dong = 0


class PaymentRefundRequested(PaymentEvent):
    """Somebody asks that `amount` be given back; `parts` say of what."""

    type: Literal["payment.refund_requested"] = "payment.refund_requested"
    refund: str
    amount: Dong
    parts: tuple[Part, ...]
    reason: Text
    beneficiary: Personal[Beneficiary] | None = None
    by: str


class PaymentRefundApproved(PaymentEvent):
    """A second person agrees: from here on it is owed to the payer."""

    type: Literal["payment.refund_approved"] = "payment.refund_approved"
    refund: str
    amount: Dong
    parts: tuple[Part, ...]
    by: str


class PaymentRefundRejected(PaymentEvent):
    """It is not given back."""

    type: Literal["payment.refund_rejected"] = "payment.refund_rejected"
    refund: str
    reason: Text
    by: str


class PaymentRefundSubmitted(PaymentEvent):
    """The provider was told to give it back."""

    type: Literal["payment.refund_submitted"] = "payment.refund_submitted"
    refund: str
    provider: str


class PaymentRefundSettled(PaymentEvent):
    """The payer has it back."""

    type: Literal["payment.refund_settled"] = "payment.refund_settled"
    refund: str
    provider: str
    provider_reference: str
    amount: Dong


class PaymentRefundFailed(PaymentEvent):
    """The provider could not give it back; it may be submitted again."""

    type: Literal["payment.refund_failed"] = "payment.refund_failed"
    refund: str
    provider: str
    said: str


PaymentEvents = Annotated[
    PaymentRequested
    | PaymentTransactionInitiated
    | PaymentCaptured
    | PaymentCapturedLate
    | PaymentTransactionFailed
    | PaymentTransactionUnknown
    | PaymentNoticeDisputed
    | PaymentPaid
    | PaymentExpired
    | PaymentCancelled
    | PaymentRefundRequested
    | PaymentRefundApproved
    | PaymentRefundRejected
    | PaymentRefundSubmitted
    | PaymentRefundSettled
    | PaymentRefundFailed,
    Field(discriminator="type"),
]
