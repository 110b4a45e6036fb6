"""The agencies on a day: what they are called, and who took their place.

Read from the agencies' own streams: who asks about one or two of them is never told of yesterday's
register. Whose place an agency took, and who many of them are, only a view can say at once; it
follows by a moment. Beside the events this is what other contexts may import, as all must answer
alike.
"""

from collections.abc import Iterable
from datetime import date, datetime
from itertools import islice
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
from chalicelib.contexts.agencies.projections import which_agencies_did_it_succeed
from chalicelib.kernel import Value
from chalicelib.projector.projection import event_types
from chalicelib.succession import heir_of
from chalicelib.working_time import HANOI

MAX_PREDECESSORS = 50
"""Agencies whose place one took, as many as are looked for."""


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

    def predecessors(self, code: str) -> list[str]:
        """Those whose place the agency took, one after the other too: the nearest, 50 at most."""
        found, views = [code], runtime.views()
        for each in found:  # It grows while it is walked.
            rows = views.every(which_agencies_did_it_succeed.answer, each)
            for row in islice(rows, MAX_PREDECESSORS):
                if row.valid_to and row.valid_to < self.on and row.code not in found:
                    found.append(row.code)
            if len(found) > MAX_PREDECESSORS:
                break
        others = found[1 : MAX_PREDECESSORS + 1]
        # Whose own place was taken answers for nobody else.
        return others if others and self.acts_for(code, others[0]) else []

    def fetch(self, codes: Iterable[str]) -> None:
        """Look many agencies up at once, with who took their places."""
        views, wanted = runtime.views(), {*codes} - self._found.keys()
        while wanted:
            streams = [f"agency-{code}" for code in sorted(wanted)]
            rows = views.rows(which_agencies_did_it_succeed.answer, streams).values()
            for row in rows:
                self._found[row.code] = Agency(
                    **row.model_dump(include={"code", "name", "valid_to", "successor"})
                )
            wanted = {row.successor for row in rows if row.successor} - self._found.keys()

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
