"""Who a caller is to payments, and what of a person's may be read."""

from collections.abc import Callable
from typing import Any

from chalicelib import runtime
from chalicelib.http.identity import Caller
from chalicelib.kernel import Value
from chalicelib.privacy.personal import Erased, Personal

Opened = Callable[[Personal[Any] | None], Any]
"""A personal value as plain data, or None if it may not or can no longer be read."""


def person(account: str) -> str:
    """The opaque name of whoever signs in with this account; the same that dossiers use."""
    return runtime.subject("person", account)


def office(caller: Caller) -> str:
    """The agency for which the caller acts, "" for anybody else."""
    return (caller.agency or "") if caller.role in {"officer", "system"} else ""


def reader(caller: Caller) -> Opened:
    """How the caller reads what is personal: an auditor does not."""
    return closed if caller.role == "auditor" else opened


def opened(personal: Personal[Any] | None) -> Any:
    """A personal value as plain data; None if there is none, or its person was forgotten."""
    if personal is None:
        return None
    try:
        value = personal.open(runtime.vault().open)
    except Erased:
        return None
    return value.model_dump(mode="json") if isinstance(value, Value) else value


def closed(_personal: Personal[Any] | None) -> None:
    """A personal value for who may not read it."""
