"""Which systems are connected? Every system of every agency, by the agency's code."""

from collections.abc import Iterable

from pydantic import AwareDatetime

from chalicelib.contexts.agencies.domain.events import (
    AgencySystemLocked,
    AgencySystemRegistered,
    AgencySystemUnlocked,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection

SystemEvent = AgencySystemRegistered | AgencySystemLocked | AgencySystemUnlocked


class System(Value):
    """A system of an agency; `level` is the agency's, 1 for the top, 2 for its units and so on.

    `connected_since` is when it was first registered; None: before this was noted.
    """

    agency: str
    system: str
    kind: str
    level: int
    profile: str
    connected_since: AwareDatetime | None
    locked: bool = False
    listed: str = "all"


def keys(event: SystemEvent) -> Iterable[str]:
    """The system's own row."""
    return (f"{event.code}/{event.system}",)


def evolve(row: System | None, event: SystemEvent) -> System | None:
    """The row after `event`: registering a system anew does not connect it anew."""
    match event:
        case AgencySystemRegistered():
            return System(
                agency=event.code,
                system=event.system,
                kind=event.kind,
                level=event.code.count(".") + 1,
                profile=event.profile,
                connected_since=row.connected_since if row else event.at,
                locked=row.locked if row else False,
            )
        case AgencySystemLocked():
            return row and row.model_copy(update={"locked": True})
        case AgencySystemUnlocked():
            return row and row.model_copy(update={"locked": False})


answer = Projection(System, SystemEvent, evolve, by="listed", sort="agency", keys=keys)
