"""Who a caller is to payments, for whom they act, and what of a person's may be read."""

from chalicelib import runtime
from chalicelib.contexts.agencies.register import Register
from chalicelib.http.identity import Caller
from chalicelib.http.personal import Opened, closed, opened


def person(account: str) -> str:
    """The opaque name of whoever signs in with this account; the same that dossiers use."""
    return runtime.subject("person", account)


def office(caller: Caller) -> str:
    """The agency for which the caller acts, "" for anybody else."""
    return (caller.agency or "") if caller.role in {"officer", "system"} else ""


def acts_for(caller: Caller, agency: str) -> bool:
    """Whether the caller acts in an agency's name: it is theirs, or theirs took its place."""
    own = office(caller)
    return bool(own and agency) and Register(runtime.now()).acts_for(own, agency)


def in_name_of(caller: Caller, agency: str) -> str:
    """In whose name the caller acts on what is `agency`'s: its own, if they may; else theirs."""
    return agency if acts_for(caller, agency) else office(caller)


def reader(caller: Caller) -> Opened:
    """How the caller reads what is personal: an auditor does not."""
    return closed if caller.role == "auditor" else opened
