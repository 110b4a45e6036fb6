"""Which units belong to an agency? Those directly under it, by code, as entered last."""

from datetime import date

from chalicelib.contexts.agencies.domain.events import (
    AgencyDissolved,
    AgencyEvent,
    AgencyMerged,
    AgencyMoved,
    AgencyRegistered,
    AgencyRenamed,
    AgencyValidityCorrected,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Unit(Value):
    """An agency under another one; without `parent` it stands at the top, and in no list.

    `since_on` is the first day under this parent (None: not known); `valid_to` the last good day.
    """

    code: str
    name: str
    name_english: str
    parent: str | None
    since_on: date | None
    valid_from: date | None
    valid_to: date | None


def evolve(row: Unit | None, event: AgencyEvent) -> Unit | None:
    """The row after `event`."""
    match event:
        case AgencyRegistered():
            return Unit(
                code=event.code,
                name=event.name,
                name_english=event.name_english,
                parent=event.parent,
                since_on=event.valid_from,
                valid_from=event.valid_from,
                valid_to=event.valid_to,
            )
        case AgencyRenamed() if row:
            names = {"name": event.name, "name_english": event.name_english}
            return row.model_copy(update=names)
        case AgencyMoved() if row:
            return row.model_copy(update={"parent": event.parent, "since_on": event.effective_on})
        case AgencyValidityCorrected() if row:
            validity = {"valid_from": event.valid_from, "valid_to": event.valid_to}
            return row.model_copy(update=validity)
        case AgencyDissolved() | AgencyMerged() if row:
            return row.model_copy(update={"valid_to": event.last_day})
        case _:
            return row


answer = Projection(Unit, AgencyEvent, evolve, by="parent", sort="code")
