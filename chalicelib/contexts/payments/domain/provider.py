"""One payment provider: how it is reached, the secret it shares with us, whether it is in use."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import Url

from chalicelib.contexts.payments.domain.events import (
    ProviderChanged,
    ProviderEvent,
    ProviderRegistered,
    ProviderResumed,
    ProviderSuspended,
    ProviderTerms,
    Text,
)
from chalicelib.kernel import Command, Conflict, Decider, NotFound, Value
from chalicelib.privacy.personal import Personal

_URL_CHARS = re.compile(r"[!-\[\]-~]{1,2000}")
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})
_PROVEN = {
    "init": {"MaThamChieu", "SoTien"},
    "notice": {"MaThamChieu", "SoTien", "MaLoi", "MaGiaoDich"},
    "query": {"MaThamChieu"},
    "answer": {"MaThamChieu", "SoTien", "TrangThaiGD", "MaGiaoDich"},
}
"""What a checksum must cover, or somebody on the way could change it."""


def _web_address(text: str) -> str:
    """HTTPS; plain HTTP only to this very machine, which the sender checks again on connecting."""
    # Looked at first: readers of URLs disagree on spaces, line breaks and backslashes.
    if not _URL_CHARS.fullmatch(text):
        raise ValueError("an address is written in printable ASCII without spaces")
    url = Url(text)
    if url.username is not None or url.password is not None or url.fragment is not None:
        raise ValueError("an address has no user name and no fragment")
    if url.scheme == "https" or (url.scheme == "http" and url.host in _LOOPBACK):
        return text
    raise ValueError("an address is reached by https")


def _or_none(text: str) -> str:
    return _web_address(text) if text else text


Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
"""What a provider is called in addresses and events, such as `vnpay`."""
WebAddress = Annotated[str, AfterValidator(_web_address)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
ProviderStatus = Literal["open", "suspended"]


class WantedTerms(ProviderTerms):
    """The same, as an administrator may say it."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    merchant: Word
    pay_url: WebAddress
    query_url: Annotated[str, AfterValidator(_or_none)] = ""
    refund_url: Annotated[str, AfterValidator(_or_none)] = ""
    return_url: WebAddress
    version: Annotated[str, StringConstraints(pattern=r"^[0-9.]{0,10}$")] = ""
    minutes: Annotated[int, Field(ge=5, le=1_440)] = 15
    fee_code: Word = "1"
    charge_code: Word = "2"

    @model_validator(mode="after")
    def _covered(self) -> Self:
        for message, needed in _PROVEN.items():
            if not needed <= set(getattr(self.checksum, message)):
                raise ValueError(f"the checksum of {message} must cover {sorted(needed)}")
        return self


class RegisterProvider(Command):
    """Say how a provider is reached, all of it, the first time or anew.

    `secret_print` must be the same for the same secret and tell nothing about it.
    """

    provider: Code
    terms: WantedTerms
    secret: Personal[str]
    secret_print: str


class SuspendProvider(Command):
    """Send nobody to a provider for now, for a reason."""

    provider: Code
    reason: Annotated[Text, StringConstraints(min_length=1)]


class ResumeProvider(Command):
    """Send payers to a provider again."""

    provider: Code


ProviderCommand = RegisterProvider | SuspendProvider | ResumeProvider


class ProviderState(Value):
    """What is known of a provider; `unknown` and without `terms` it was never registered."""

    terms: ProviderTerms | None = None
    secret: Personal[str] | None = None
    secret_print: str = ""
    status: ProviderStatus | Literal["unknown"] = "unknown"


class ProviderUnknown(NotFound):
    """There is no such payment provider."""

    code = "provider-unknown"
    rule = "Payers are sent to registered providers alone"


class ProviderIsSuspended(Conflict):
    """Nobody is sent to this payment provider at the moment; choose another one."""

    code = "provider-suspended"
    rule = "An administrator suspends and resumes providers"


def decide(command: ProviderCommand, state: ProviderState) -> list[ProviderEvent]:
    """The events `command` causes; none if it has already had its effect.

    Raises:
        ProviderUnknown: what was never registered is neither suspended nor resumed.
    """
    match command:
        case RegisterProvider():
            return _register(command, state)
        case _ if state.terms is None:
            raise ProviderUnknown
        case SuspendProvider() if state.status == "open":
            return [
                ProviderSuspended(provider=command.provider, reason=command.reason, at=command.at)
            ]
        case ResumeProvider() if state.status == "suspended":
            return [ProviderResumed(provider=command.provider, at=command.at)]
        case SuspendProvider() | ResumeProvider():
            return []


def _register(command: RegisterProvider, state: ProviderState) -> list[ProviderEvent]:
    terms = ProviderTerms(**command.terms.model_dump())
    if state.terms == terms and state.secret_print == command.secret_print:
        return []
    kind = ProviderChanged if state.terms else ProviderRegistered
    said = kind(
        provider=command.provider,
        terms=terms,
        secret=command.secret,
        secret_print=command.secret_print,
        at=command.at,
    )
    return [said]


def evolve(state: ProviderState, event: ProviderEvent) -> ProviderState:
    """The provider after `event`."""
    match event:
        case ProviderRegistered() | ProviderChanged():
            return ProviderState(
                terms=event.terms,
                secret=event.secret,
                secret_print=event.secret_print,
                status="suspended" if state.status == "suspended" else "open",
            )
        case ProviderSuspended():
            return state.model_copy(update={"status": "suspended"})
        case ProviderResumed():
            return state.model_copy(update={"status": "open"})


provider = Decider("provider", ProviderEvent, ProviderState(), decide, evolve)
