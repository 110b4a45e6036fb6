"""What does the ledger hold? Every account of every agency, and of all together, as of now."""

from collections.abc import Mapping
from typing import Any, Literal

from chalicelib.contexts.payments.ledger import (
    EVERYBODY,
    Balance,
    LedgerEvent,
    Moved,
    balances,
    moved,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Held(Value):
    """The accounts of `agency`; of all agencies together where `whose` is `all`."""

    whose: Literal["agency", "all"]
    agency: str
    accounts: tuple[Balance, ...]


def parts(event: LedgerEvent) -> Mapping[str, Moved]:
    """What the event moves on each agency's accounts, and on all."""
    return {part.agency: part for part in moved(event)}


def evolve(row: Held | None, part: Moved) -> Held | None:
    """The accounts after what moved."""
    return Held(
        whose="all" if part.agency == EVERYBODY else "agency",
        agency=part.agency,
        accounts=balances(part.postings, row.accounts if row else ()),
    )


answer: Projection[Any] = Projection(
    Held, LedgerEvent, evolve, by="whose", sort="agency", parts=parts
)
