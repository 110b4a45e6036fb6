"""What every payment provider can do for us, whatever its protocol: five things and no more.

A provider takes a payer to where they pay, tells us what became of it (a notice, or the answer to a
question), and gives money back. It decides nothing about a payment: what it says becomes a command.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from chalicelib.contexts.payments.domain.events import Line, Payee, Payer, ProviderTerms
from chalicelib.kernel import Conflict, Invalid, Refused
from chalicelib.working_time import in_our_times

Outcome = Literal["paid", "failed", "unknown"]
"""What a provider says of a transaction; unknown: it does not know yet, or knows no such one."""

Verdict = Literal[
    "confirmed",
    "already",
    "failed",
    "amount",
    "disputed",
    "unknown",
    "untrusted",
    "unreadable",
    "broken",
]
"""What we made of a notice: captured now, known before, noted that nothing was paid, wrong amount,
at odds with what we know, no such transaction; not proven, senseless; or nothing for a reason of
ours, so that it must be sent again."""


_NAME_CHARS = 100


@dataclass(frozen=True)
class Begin:
    """A payer wants to pay `amount` đồng with reference `transaction`, begun at `at`.

    `lines` are all that the payment asks for, `agency` its payee. `ip` is the payer's address,
    which some providers want to know; it goes to them and nowhere else.
    """

    transaction: str
    amount: int
    subject: str
    lines: tuple[Line, ...]
    agency: str
    at: datetime
    expires_at: datetime
    ip: str = field(default="", repr=False)
    dossier: str = ""
    payee: Payee | None = None
    payer: Payer | None = field(default=None, repr=False)


class Redirect(NamedTuple):
    """Where the payer's browser goes, and what a QR code shows instead."""

    url: str
    qr_text: str


class Request(NamedTuple):
    """A notice as it came: the query's parameters, the headers by lower-case name, the body."""

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: datetime


@dataclass(frozen=True)
class Notice:
    """What a provider says, proven to come from it: `amount` in đồng, `said` its own code."""

    transaction: str
    provider_reference: str
    outcome: Outcome
    amount: int
    said: str
    paid_at: datetime | None

    def __post_init__(self) -> None:
        """See that it can be recorded.

        Raises:
            NoticeUnreadable: a name is too long, what was paid has none, or was paid in no time.
        """
        longest = max(map(len, (self.transaction, self.provider_reference, self.said)))
        if longest > _NAME_CHARS or (self.outcome == "paid" and not self.provider_reference):
            raise NoticeUnreadable
        if self.paid_at:
            try:
                in_our_times(self.paid_at)
            except ValueError:
                raise NoticeUnreadable from None


@dataclass(frozen=True)
class RefundWish:
    """Give `amount` of a transaction of `captured` back; `refund` names it, so that it is once.

    `begun_at` is when the transaction began, `by` the opaque actor who approved. `attempt` counts
    how often the provider has said before that it could not.
    """

    refund: str
    transaction: str
    provider_reference: str
    amount: int
    captured: int
    begun_at: datetime
    by: str
    attempt: int = 0


class Refunded(NamedTuple):
    """What became of a refund; `submitted`: it is under way, a settlement file will tell."""

    outcome: Literal["settled", "submitted", "failed"]
    provider_reference: str
    said: str


class Reply(NamedTuple):
    """Our answer to a notice, in the provider's own words."""

    status: int
    body: Mapping[str, Any]


class NoticeUnreadable(Invalid):
    """The notice is well signed, and does not say what its protocol promises."""

    code = "notice-unreadable"


class ProviderUnavailable(Refused):
    """The payment provider did not answer, or not so that it can be believed. Try again."""

    code = "provider-unavailable"


class ProviderCannot(Conflict):
    """This provider cannot do what is asked; another one may."""

    code = "provider-cannot"


class Provider(Protocol):
    """One provider as it is registered, and its protocol."""

    @property
    def code(self) -> str:
        """What it is called here."""
        ...

    @property
    def terms(self) -> ProviderTerms:
        """How it is registered."""
        ...

    def begin(self, begun: Begin) -> Redirect:
        """Where the payer goes. The same transaction may be begun again: it is still one.

        Raises:
            ProviderUnavailable: the provider gave no answer that can be used.
            ProviderCannot: it has no such payments.
        """
        ...

    def read_notice(self, request: Request) -> Notice:
        """What a notice says, after its proof.

        Raises:
            Unauthenticated: nothing proves that the provider sent it; nothing of it was read.
            NoticeUnreadable: it did, and it makes no sense.
        """
        ...

    def reply(self, verdict: Verdict) -> Reply:
        """How the provider is told what we made of its notice."""
        ...

    def ask(self, transaction: str, begun_at: datetime) -> Notice | None:
        """What became of a transaction; None if there was no answer that can be believed."""
        ...

    def refund(self, wish: RefundWish) -> Refunded | None:
        """Have money given back; None if there was no answer that can be believed: ask again."""
        ...
