"""Who takes part on a day, for whom and under whom: the register as a sending day finds it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from chalicelib import runtime
from chalicelib.contexts.documents.domain.events import Party
from chalicelib.contexts.documents.projections import who_takes_part
from chalicelib.contexts.documents.projections.who_takes_part import Participant
from chalicelib.succession import heir_of
from chalicelib.working_time import HANOI


class Register:
    """The agencies on the day, in Hanoi, on which something is asked; each is looked up once.

    Nobody is called a stranger because a view is a moment behind: whom it lacks is looked for in
    the agency's own stream.
    """

    def __init__(self, at: datetime, codes: Iterable[str] = ()) -> None:
        """Look up the agencies that will be needed at once."""
        self.on = at.astimezone(HANOI).date()
        self._rows: dict[str, Participant | None] = {}
        self.fetch(codes)

    def fetch(self, codes: Iterable[str]) -> None:
        """Look up several agencies together."""
        streams = {f"agency-{code}": code for code in codes if code not in self._rows}
        if not streams:
            return
        rows = runtime.views().rows(who_takes_part.answer, streams)
        for stream, code in streams.items():
            self._rows[code] = rows.get(stream) or as_recorded(code)

    def find(self, code: str) -> Participant | None:
        """An agency by its canonical code."""
        self.fetch([code])
        return self._rows[code]

    def name(self, code: str) -> str:
        """The agency's latest name, "" if there is none."""
        row = self.find(code)
        return row.name if row else ""

    def heir(self, code: str) -> str | None:
        """Who answers for a code on that day: its agency, or who took its place; None: nobody."""
        return heir_of(code, self.find, self.on)

    def succeeded(self, agency: str, codes: Iterable[str]) -> tuple[str, ...]:
        """Those of `codes` whose place the agency took."""
        others = [code for code in dict.fromkeys(codes) if code and code != agency]
        self.fetch(others)
        return tuple(code for code in others if self.heir(code) == agency)

    def below(self, agency: str, codes: Iterable[str]) -> tuple[str, ...]:
        """Those of `codes` that are units of the agency."""
        others = [code for code in dict.fromkeys(codes) if code and code != agency]
        self.fetch(others)
        return tuple(c for c in others if who_takes_part.is_below(c, agency, self.find, self.on))

    def acts_for(self, agency: str, *codes: str) -> tuple[str, ...]:
        """Those of `codes` in whose name the agency may act: it took their place, or is above."""
        return (*self.succeeded(agency, codes), *self.below(agency, codes))

    def party(self, code: str, given: str, **said: str) -> Party:
        """A receiver as the message names it, or the agency that took its place."""
        heir = self.heir(code) or code
        said.setdefault("name", self.name(heir))
        replaced = () if heir == code else (code,)
        return Party(code=heir, as_given=given, in_place_of=replaced, **said)

    def standing(self, codes: Iterable[str]) -> dict[str, Any]:
        """Which of `codes` no agency has on that day, and whose mailbox is locked."""
        self.fetch(codes := list(codes))
        rows = {code: self.find(code) for code in codes}
        return {
            "strangers": tuple(code for code in codes if self.heir(code) != code),
            "locked": tuple(code for code, row in rows.items() if row and row.locked),
        }


def as_viewed(code: str) -> Participant | None:
    """An agency as the view has it, which may be a moment behind."""
    row: Participant | None = runtime.views().row(who_takes_part.answer, f"agency-{code}")
    return row


def as_recorded(code: str) -> Participant | None:
    """An agency as its own stream has it at this moment."""
    row = None
    for commit in runtime.event_store().load(f"agency-{code}"):
        for _, event in who_takes_part.answer.read(commit):
            row = who_takes_part.answer.evolve(row, event)
    return row
