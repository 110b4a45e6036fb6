"""The agencies on a day, as far as dossiers need them: what they are called, who took their place.

Read from the agencies' own streams: a dossier asks about one or two of them, and is never told of
yesterday's register.
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

    def heir(self, code: str) -> Agency | None:
        """Who answers for a code on that day: its agency, or who took its place; None: nobody."""
        walked = set[str]()
        while code not in walked:
            walked.add(code)
            agency = self._find(code)
            if agency is None or (agency.valid_from and self.on < agency.valid_from):
                return None
            if agency.valid_to is None or self.on <= agency.valid_to:
                return agency
            if agency.successor is None:
                return None
            code = agency.successor
        return None

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
