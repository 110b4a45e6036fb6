"""Which agencies did it succeed? Those merged into it, by code."""

from datetime import date

from chalicelib.contexts.agencies.domain.events import (
    AgencyDissolved,
    AgencyEvent,
    AgencyMerged,
    AgencyRegistered,
    AgencyRenamed,
    AgencyValidityCorrected,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Predecessor(Value):
    """An agency under its last name, and the agency it was merged into, if any.

    `valid_to` is its own last good day.
    """

    code: str
    name: str
    name_english: str
    valid_to: date | None
    successor: str | None = None


def evolve(row: Predecessor | None, event: AgencyEvent) -> Predecessor | None:
    """The row after `event`; without a successor it is in no list."""
    match event:
        case AgencyRegistered():
            return Predecessor(
                code=event.code,
                name=event.name,
                name_english=event.name_english,
                valid_to=event.valid_to,
            )
        case AgencyRenamed() if row:
            names = {"name": event.name, "name_english": event.name_english}
            return row.model_copy(update=names)
        case AgencyValidityCorrected() if row:
            return row.model_copy(update={"valid_to": event.valid_to})
        case AgencyDissolved() if row:
            return row.model_copy(update={"valid_to": event.last_day})
        case AgencyMerged() if row:
            end = {"successor": event.successor, "valid_to": event.last_day}
            return row.model_copy(update=end)
        case _:
            return row


answer = Projection(Predecessor, AgencyEvent, evolve, by="successor", sort="code")
