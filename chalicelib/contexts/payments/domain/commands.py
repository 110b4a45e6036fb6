"""What can be asked of a payment.

An officer's command names the agency they act for, a payer's the payer; one that names neither
follows from something that happened elsewhere.
"""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, Field

from chalicelib.contexts.payments.domain.events import (
    Beneficiary,
    Dong,
    Learnt,
    Line,
    Payee,
    Payer,
    Text,
)
from chalicelib.kernel import Command, Value

DAY_S = 86_400
Code = Annotated[str, Field(min_length=1, max_length=100)]
"""A provider's own name for something, or its code for what happened."""


class Limits(Value):
    """What the rules leave to configuration; plain seconds.

    `ask_after_s`, `ask_until_s`: from when and until when, counted from its start, a provider is
    asked about a transaction of which it has said nothing; until then the tax register is too.
    `tax_pause_s`: how long that is left alone, at least, when it has not answered. `pay_days`: how
    long a dossier's request can be paid; 0: for as long as the dossier waits for it.

    Rule: transactions still KHOI_TAO are asked about from 30 minutes to 3 days after their start.
    """

    ask_after_s: int = Field(default=1_800, ge=0)
    ask_until_s: int = Field(default=3 * DAY_S, ge=1)
    tax_pause_s: int = Field(default=60, ge=0)
    pay_days: int = Field(default=0, ge=0, le=3_650)

    def ask_again(self, begun_at: datetime, at: datetime) -> datetime | None:
        """When to ask next: each time after twice as long, and once more at the very end."""
        last = begun_at + timedelta(seconds=self.ask_until_s)
        if at >= last:
            return None
        return min(begun_at + (at - begun_at) * 2, last)


class PaymentCommand(Command):
    """A wish about the payment with the stream id `payment`."""

    payment: str


class RequestPayment(PaymentCommand):
    """Have `subject` pay the sum of `lines`, which is `amount`, by `expires_at` if that is given.

    `dossier` and `obligation` say what for, if a dossier waits for it.
    """

    agency: str
    dossier: str = ""
    obligation: str = ""
    subject: str
    payer: Payer | None = Field(default=None, repr=False)
    lines: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)]
    amount: Dong
    currency: str = "VND"
    payee: Payee | None = None
    partial: bool = False
    expires_at: AwareDatetime | None = None


class InitiateTransaction(PaymentCommand):
    """Pay with a provider: all that is left, or `amount` of it.

    `payer` is who pays, as they are to be named on the receipt; `payee` the agency's account. The
    provider's page stays open for `minutes`.
    """

    subject: str
    provider: str
    minutes: int = 15
    amount: Dong | None = None
    payer: Payer | None = Field(default=None, repr=False)
    payee: Payee | None = None
    limits: Limits = Field(default_factory=Limits, repr=False)


class Note(PaymentCommand):
    """What a provider says became of a transaction, and how we came to know."""

    transaction: str
    provider: str
    learnt: Learnt


class NoteSuccess(Note):
    """It has taken `amount`, under its own name `provider_reference`."""

    provider_reference: Code
    amount: Dong
    paid_at: AwareDatetime


class NoteFailure(Note):
    """Nothing was paid; `said` is its code for why."""

    said: Text


class NoteUnknown(Note):
    """It was asked and does not know yet."""

    said: Text = ""
    limits: Limits = Field(default_factory=Limits, repr=False)


class ExpirePayment(PaymentCommand):
    """The time to pay is over."""


class CancelPayment(PaymentCommand):
    """It need not be paid any more. Without `agency` it follows from the dossier."""

    agency: str = ""
    reason: Text


class RequestRefund(PaymentCommand):
    """Give back `amount`, or all that is left, of what a transaction brought.

    `agency` asks for itself, or the payer (`subject`). Without `transaction` it is the last one
    that brought enough.
    """

    agency: str = ""
    subject: str = ""
    transaction: str = ""
    amount: Annotated[int, Field(ge=1, le=10**15)] | None = None
    reason: Text
    beneficiary: Beneficiary | None = Field(default=None, repr=False)


class RefundCommand(PaymentCommand):
    """A wish about one refund."""

    refund: str


class ApproveRefund(RefundCommand):
    """Agree to it."""

    agency: str


class RejectRefund(RefundCommand):
    """Do not agree to it."""

    agency: str
    reason: Text


class SubmitRefund(RefundCommand):
    """Tell the provider to give it back."""


class NoteRefundSettled(RefundCommand):
    """The provider has given it back, under its own name `provider_reference`."""

    provider_reference: Text


class NoteRefundFailed(RefundCommand):
    """The provider could not give it back; `said` is its code for why."""

    said: Text


class NoteRefundPaidByHand(RefundCommand):
    """The agency has given it back itself, by a transfer that its bank calls `reference`."""

    agency: str
    reference: Code


AnyPaymentCommand = (
    RequestPayment
    | InitiateTransaction
    | NoteSuccess
    | NoteFailure
    | NoteUnknown
    | ExpirePayment
    | CancelPayment
    | RequestRefund
    | ApproveRefund
    | RejectRefund
    | SubmitRefund
    | NoteRefundSettled
    | NoteRefundFailed
    | NoteRefundPaidByHand
)
"""Everything that can be asked of a payment."""
