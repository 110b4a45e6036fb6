"""Who takes the money: payment providers behind one small interface, each with its own protocol."""

import re

from chalicelib import runtime
from chalicelib.contexts.payments.domain.events import ProviderKind, ProviderTerms
from chalicelib.contexts.payments.domain.provider import (
    ProviderIsSuspended,
    ProviderState,
    ProviderUnknown,
    provider,
)
from chalicelib.contexts.payments.providers.interface import (
    Begin,
    Notice,
    NoticeUnreadable,
    Outcome,
    Provider,
    ProviderCannot,
    ProviderUnavailable,
    Redirect,
    Refunded,
    RefundWish,
    Reply,
    Request,
    Verdict,
)
from chalicelib.contexts.payments.providers.platform import Platform
from chalicelib.contexts.payments.providers.sandbox import Sandbox
from chalicelib.contexts.payments.providers.vnpay import VNPay
from chalicelib.handle import fold

__all__ = [
    "Begin",
    "Notice",
    "NoticeUnreadable",
    "Outcome",
    "Provider",
    "ProviderCannot",
    "ProviderUnavailable",
    "Redirect",
    "RefundWish",
    "Refunded",
    "Reply",
    "Request",
    "Verdict",
    "adapter",
    "known",
    "opened",
    "spoken",
]

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


def adapter(code: str, *, new: bool = False) -> Provider:
    """The provider called `code`; `new`: payers are to be sent to it.

    Raises:
        ProviderUnknown: there is none.
        ProviderIsSuspended: it is there, and nobody is sent to it at the moment.
    """
    state, _ = known(code)
    if new and state.status == "suspended":
        raise ProviderIsSuspended
    return opened(code, state)


def opened(code: str, state: ProviderState) -> Provider:
    """A provider that is known, with its secret."""
    assert state.terms is not None
    assert state.secret is not None
    return spoken(code, state.terms, state.secret.open(runtime.vault().open))


def known(code: str) -> tuple[ProviderState, int]:
    """What is known of a provider, and its version.

    Raises:
        ProviderUnknown: nothing is.
    """
    if not _CODE.fullmatch(code):
        raise ProviderUnknown
    commits = runtime.event_store().load(f"provider-{code}")
    state = fold(provider, commits)
    if state.terms is None:
        raise ProviderUnknown
    return state, len(commits)


def spoken(code: str, terms: ProviderTerms, secret: str) -> Provider:
    """The protocol of a provider."""
    kinds: dict[ProviderKind, type[VNPay | Platform | Sandbox]] = {
        "vnpay": VNPay,
        "platform": Platform,
        "sandbox": Sandbox,
    }
    return kinds[terms.kind](code, terms, secret)
