"""Which agencies may send and receive, and by which keys do we know them?"""

from typing import Literal

from pydantic import Field

from chalicelib.contexts.agencies.domain.events import (
    AgencyEvent,
    AgencyRegistered,
    AgencySystemRegistered,
)
from chalicelib.kernel import Value
from chalicelib.privacy.personal import Personal
from chalicelib.projector.projection import Projection


class Keys(Value):
    """What proves that one system of an agency sent something (Ed25519 raw, base64; a secret)."""

    public_keys: tuple[str, ...] = ()
    secret: Personal[str] | None = None


class Participant(Value):
    """An agency that is registered, with the keys of each of its systems."""

    code: str
    name: str
    systems: dict[str, Keys] = Field(default_factory=dict)
    listed: Literal["all"] = "all"


def evolve(row: Participant | None, event: AgencyEvent) -> Participant | None:
    """The row after an event of the agency."""
    match event:
        case AgencyRegistered():
            return Participant(code=event.code, name=event.name)
        case AgencySystemRegistered():
            keys = Keys(public_keys=event.public_keys, secret=event.secret)
            return row and row.model_copy(update={"systems": row.systems | {event.system: keys}})


answer = Projection(Participant, AgencyEvent, evolve, by="listed", sort="code")
