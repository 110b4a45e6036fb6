"""Which agencies take part? Every agency in the register, ordered by code."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any, Literal

from typing_extensions import TypedDict

from chalicelib.contexts.agencies.domain.events import (
    DOCUMENTS,
    AgencyDissolved,
    AgencyEvent,
    AgencyMerged,
    AgencyMoved,
    AgencyRegistered,
    AgencyRenamed,
    AgencySystemRegistered,
    AgencyValidityCorrected,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Participant(Value):
    """An agency in the register, under the name and the place entered last.

    `kind` is the letter of its top level (G ministries and Government bodies, H provinces); `level`
    1 for the top, 2 for its units and so on; `given` the code as its registration wrote it;
    `former_names` are those it bore before. `valid_to` is the last good day, after which
    `successor`, if there is one, takes its place. `connected`: it has a system for documents.
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
    level: int = 1
    former_names: tuple[str, ...] = ()
    dissolved: bool = False
    successor: str | None = None
    has_system: bool = False
    connected: bool = False
    listed: Literal["all"] = "all"


class Connected(TypedDict):
    """How many of some agencies have a system for documents; `share` runs from 0 to 1.

    Of no agencies at all `share` is None.
    """

    agencies: int
    connected: int
    share: float | None


class ConnectedAtLevel(Connected):
    """The same of the agencies of one level (1: the top) and one kind."""

    level: int
    kind: str


class ConnectedAgencies(Connected):
    """The same of all agencies, and by level and kind."""

    levels: list[ConnectedAtLevel]


def evolve(row: Participant | None, event: AgencyEvent) -> Participant | None:
    """The row after `event`."""
    match event:
        case AgencyRegistered():
            level = event.code.count(".") + 1
            said = event.model_dump(exclude={"type"})
            return Participant(kind=event.code[0], level=level, **said)
        case _ if row:
            return row.model_copy(update=_change(row, event))
        case _:
            return None


def _change(row: Participant, event: AgencyEvent) -> dict[str, Any]:
    match event:
        case AgencyRenamed():
            names = {"name": event.name, "name_english": event.name_english}
            return {**names, "former_names": (*row.former_names, row.name)}
        case AgencyMoved():
            return {"parent": event.parent}
        case AgencyValidityCorrected():
            return {"valid_from": event.valid_from, "valid_to": event.valid_to}
        case AgencyDissolved():
            return {"dissolved": True, "valid_to": event.last_day}
        case AgencyMerged():
            return {"successor": event.successor, "valid_to": event.last_day}
        case AgencySystemRegistered():
            return {"has_system": True, "connected": row.connected or event.kind == DOCUMENTS}
        case _:
            return {}


def matches(row: dict[str, Any], text: str) -> bool:
    """Whether `text` is in the row's codes or names, old ones too, whatever the accents."""
    sought = _plain(text)
    said = [row[field] for field in ("code", "given", "name", "name_english")]
    # Rows made before agencies could be renamed have no former names.
    return any(sought in _plain(one) for one in [*said, *row.get("former_names", ())])


def connected(rows: Iterable[dict[str, Any]], on: date) -> ConnectedAgencies:
    """How many of the agencies valid on that day have a system for documents connected."""
    counted = Counter[tuple[int, str, bool]]()
    for row in rows:
        # Days as ISO text are in the order of days.
        if (row["valid_from"] or "") <= on.isoformat() <= (row["valid_to"] or "9999-12-31"):
            level, is_connected = row.get("level", 1), row.get("connected", row["has_system"])
            counted[level, row["kind"], is_connected] += 1
    groups = sorted({(level, kind) for level, kind, _ in counted})
    levels: list[ConnectedAtLevel] = [
        {
            "level": level,
            "kind": kind,
            **_share(counted[level, kind, True], counted[level, kind, False]),
        }
        for level, kind in groups
    ]
    yes = sum(count for (_, _, is_connected), count in counted.items() if is_connected)
    return {**_share(yes, counted.total() - yes), "levels": levels}


def _share(yes: int, no: int) -> Connected:
    share = round(yes / (yes + no), 4) if yes + no else None
    return {"agencies": yes + no, "connected": yes, "share": share}


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


answer = Projection(Participant, AgencyEvent, evolve, by="listed", sort="code")
