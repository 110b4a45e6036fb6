"""What moved on a day? Every account's movements, day by day in Hanoi, by agency and of all."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from chalicelib.contexts.payments.ledger import Balance, LedgerEvent, Moved, balances, moved
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Day(Value):
    """What moved on the accounts of `agency` (`*`: of all together) on day `on`."""

    agency: str
    on: date
    accounts: tuple[Balance, ...]


def parts(event: LedgerEvent) -> Mapping[str, Moved]:
    """What the event moves on each agency's day, and on everybody's."""
    return {f"{part.agency}/{part.on}": part for part in moved(event)}


def evolve(row: Day | None, part: Moved) -> Day | None:
    """The day after what moved."""
    accounts = balances(part.postings, row.accounts if row else ())
    return Day(agency=part.agency, on=part.on, accounts=accounts)


answer: Projection[Any] = Projection(Day, LedgerEvent, evolve, by="agency", sort="on", parts=parts)
