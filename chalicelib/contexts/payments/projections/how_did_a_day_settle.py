"""How did a day settle? Each provider's day: its file, what agrees, what is still undecided."""

from datetime import date
from typing import Any, Literal

from chalicelib.contexts.payments.domain.events import (
    SettlementDayClosed,
    SettlementDiscrepancyFound,
    SettlementDiscrepancyResolved,
    SettlementEvents,
    SettlementFileCompared,
    SettlementFileReceived,
    SettlementFileRefused,
)
from chalicelib.contexts.payments.domain.settlement import SettlementStatus
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class SettledDay(Value):
    """Provider `provider`'s day `on`: `matched` of its `lines` agree.

    `found` and `resolved` are the discrepancies' ids; `book` is the one list of all days.
    """

    book: Literal["days"] = "days"
    provider: str
    on: date
    status: SettlementStatus = "received"
    lines: int = 0
    amount: int = 0
    matched: int = 0
    found: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()

    @property
    def open(self) -> int:
        """How many discrepancies nobody has decided."""
        return len({*self.found} - {*self.resolved})


def evolve(row: SettledDay | None, event: SettlementEvents) -> SettledDay | None:
    """The day after `event`."""
    row = row or SettledDay(provider=event.provider, on=event.on)
    match event:
        case SettlementFileReceived():
            return SettledDay(provider=event.provider, on=event.on, resolved=row.resolved)
        case SettlementFileRefused():
            return row.model_copy(update={"status": "refused", "found": ()})
        case SettlementDiscrepancyFound():
            return row.model_copy(update={"found": (*row.found, event.discrepancy.id)})
        case SettlementFileCompared():
            matched = sum(tally.matched for tally in event.tallies)
            stale = set(event.stale)
            found = tuple(id_ for id_ in row.found if id_ not in stale)
            told = {"status": "compared", "lines": event.lines, "amount": event.amount}
            return row.model_copy(update=told | {"matched": matched, "found": found})
        case SettlementDiscrepancyResolved():
            decided = dict.fromkeys((*row.resolved, event.discrepancy.id))
            return row.model_copy(update={"resolved": tuple(decided)})
        case SettlementDayClosed():
            return row.model_copy(update={"status": "closed"})
        case _:
            return row  # How far a file is read is asked of the day itself.


answer: Projection[Any] = Projection(SettledDay, SettlementEvents, evolve, by="book", sort="on")
