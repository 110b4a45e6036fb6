"""What is an agency called? For whoever reads its code in a list."""

from chalicelib.contexts.agencies.domain.events import AgencyEvent, AgencyRegistered, AgencyRenamed
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Name(Value):
    """An agency's latest name."""

    name: str
    name_english: str = ""
    listed: None = None


def evolve(row: Name | None, event: AgencyEvent) -> Name | None:
    """The row after `event`."""
    match event:
        case AgencyRegistered() | AgencyRenamed():
            return Name(name=event.name, name_english=event.name_english)
        case _:
            return row


answer = Projection(Name, AgencyEvent, evolve, by="listed", sort="listed")
