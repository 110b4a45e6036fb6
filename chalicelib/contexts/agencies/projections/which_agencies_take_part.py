"""Which agencies take part? Every agency in the register, ordered by code."""

import unicodedata
from datetime import date
from typing import Any, Literal

from chalicelib.contexts.agencies.domain.events import (
    AgencyEvent,
    AgencyRegistered,
    AgencySystemRegistered,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Participant(Value):
    """An agency in the register.

    `kind` is the letter of its top level (G ministries and Government bodies, H provinces); `given`
    the code as its registration wrote it.
    """

    code: str
    given: str
    kind: str
    name: str
    name_english: str
    valid_from: date | None
    valid_to: date | None
    parent: str | None
    source: str
    note: str
    has_system: bool = False
    listed: Literal["all"] = "all"


def evolve(row: Participant | None, event: AgencyEvent) -> Participant | None:
    """The row after `event`."""
    match event:
        case AgencyRegistered():
            return Participant(kind=event.code[0], **event.model_dump(exclude={"type"}))
        case AgencySystemRegistered() if row:
            return row.model_copy(update={"has_system": True})
        case _:
            return row


def matches(row: dict[str, Any], text: str) -> bool:
    """Whether `text` occurs in the row's codes or names, whatever its accents and capitals."""
    sought = _plain(text)
    return any(sought in _plain(row[f]) for f in ("code", "given", "name", "name_english"))


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


answer = Projection(Participant, AgencyEvent, evolve, by="listed", sort="code")
