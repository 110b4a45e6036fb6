"""Who a caller is to payments, and what of a person's may be read."""

from chalicelib import runtime
from chalicelib.http.identity import Caller
from chalicelib.http.personal import Opened, closed, opened


def person(account: str) -> str:
    """The opaque name of whoever signs in with this account; the same that dossiers use."""
    return runtime.subject("person", account)


def office(caller: Caller) -> str:
    """The agency for which the caller acts, "" for anybody else."""
    return (caller.agency or "") if caller.role in {"officer", "system"} else ""


def reader(caller: Caller) -> Opened:
    """How the caller reads what is personal: an auditor does not."""
    return closed if caller.role == "auditor" else opened
