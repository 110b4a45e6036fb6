"""What callers say of payments: the fields of requests, with their bounds. Never a command."""

from typing import Annotated

from pydantic import Field, StringConstraints

from chalicelib.contexts.payments.domain.events import LineKind
from chalicelib.kernel import Value
from chalicelib.working_time import Moment

MAX_LINES = 100
Amount = Annotated[int, Field(strict=True, ge=0, le=10**15)]
"""Whole đồng: no fraction, no text."""
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Account = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,128}$")]
"""The subject of a person's token."""


class NewLine(Value):
    """One item to pay; `chapter` and `subsection` are the budget's."""

    code: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    name: Words
    kind: LineKind
    amount: Amount
    chapter: str = Field(default="", pattern=r"^[0-9]{0,10}$")
    subsection: str = Field(default="", pattern=r"^[0-9]{0,10}$")


class NewPayer(Value):
    """Who pays, as the receipt shall name them."""

    name: Words
    identity_number: str = Field(default="", max_length=40)
    address: str = Field(default="", max_length=500)


class NewPayment(Value):
    """What an agency asks the owner of `account` to pay; `amount` is the sum of the lines."""

    account: Account
    payer: NewPayer | None = None
    lines: tuple[NewLine, ...] = Field(min_length=1, max_length=MAX_LINES)
    amount: Amount
    currency: str = Field(default="VND", max_length=3)
    partial: bool = False
    expires_at: Moment | None = None


class NewTransaction(Value):
    """With whom to pay, how much of it (all that is left), and who pays."""

    provider: str = Field(max_length=31)
    amount: Amount | None = None
    payer: NewPayer | None = None


class Reason(Value):
    """Why, in words that name nobody: they are not sealed."""

    reason: Words


class TransferMade(Value):
    """What the bank calls a transfer by which an agency paid somebody back."""

    reference: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z./_-]{0,99}$")


class NewBeneficiary(Value):
    """The account that the money shall go back to, if not to where it came from."""

    name: Words
    account: str = Field(pattern=r"^[0-9A-Za-z.-]{4,40}$")
    bank: str = Field(pattern=r"^[0-9A-Za-z]{2,20}$")


class NewRefund(Reason):
    """How much is asked back, and of which transaction, if that is not clear."""

    amount: Amount | None = None
    transaction: str = Field(default="", max_length=34)
    beneficiary: NewBeneficiary | None = None
