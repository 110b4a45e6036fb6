"""The agencies on a day: what they are called, and who took their place.

Read from the agencies' own streams: who asks about one or two of them is never told of yesterday's
register. Beside the events this is what other contexts may import, as all must answer alike.
"""

from datetime import date, datetime
from typing import Any

from chalicelib import runtime
from chalicelib.contexts.agencies.domain.events import (
    AgencyDissolved,
    AgencyEvent,
    AgencyMerged,
    AgencyRegistered,
    AgencyRenamed,
    AgencyValidityCorrected,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import event_types
from chalicelib.succession import heir_of
from chalicelib.working_time import HANOI


class Agency(Value):
    """An agency in the register; `valid_to` is its last day, `successor` who took its place."""

    code: str
    name: str
    valid_from: date | None = None
    valid_to: date | None = None
    successor: str | None = None


class Register:
    """The agencies on the day, in Hanoi, of a moment; each is looked up once."""

    def __init__(self, at: datetime) -> None:
        """Look up nobody yet."""
        self.on = at.astimezone(HANOI).date()
        self._found: dict[str, Agency | None] = {}

    def name(self, code: str) -> str:
        """The agency's latest name, "" if there is none."""
        agency = self._find(code)
        return agency.name if agency else ""

    def heir(self, code: str) -> Agency | None:
        """Who answers for a code on that day: its agency, or who took its place; None: nobody."""
        heir = heir_of(code, self._find, self.on)
        return self._find(heir) if heir else None

    def acts_for(self, own: str, code: str) -> bool:
        """Whether agency `own` may act in the name of `code`: it is that, or took its place."""
        if own == code:
            return True
        heir = self.heir(code)
        return heir is not None and heir.code == own

    def _find(self, code: str) -> Agency | None:
        if code not in self._found:
            self._found[code] = _folded(code)
        return self._found[code]


def _folded(code: str) -> Agency | None:
    types, agency = event_types(AgencyEvent), None
    for commit in runtime.event_store().load(f"agency-{code}"):
        for data in commit.data():
            if kind := types.get(data["type"]):
                agency = _after(agency, kind.model_validate(data, extra="ignore"))
    return agency


def _after(agency: Agency | None, event: Any) -> Agency | None:
    if isinstance(event, AgencyRegistered):
        names = {"code", "name", "valid_from", "valid_to"}
        return Agency(**event.model_dump(include=names))
    change: dict[str, Any] = {}
    match event:
        case AgencyRenamed():
            change = {"name": event.name}
        case AgencyValidityCorrected():
            change = {"valid_from": event.valid_from, "valid_to": event.valid_to}
        case AgencyMerged():
            change = {"successor": event.successor, "valid_to": event.last_day}
        case AgencyDissolved():
            change = {"valid_to": event.last_day}
    return agency and agency.model_copy(update=change)
