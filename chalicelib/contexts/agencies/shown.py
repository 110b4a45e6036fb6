"""An agency as its readers see it: folded from its stream, so always current."""

from datetime import date
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from chalicelib.agency_code import parse
from chalicelib.contexts.agencies.domain.agency import (
    Agency,
    AgencyName,
    AgencyNotRegistered,
    AgencyParent,
    Find,
    heirs_of,
)
from chalicelib.contexts.agencies.domain.events import KeyWindow


class ConnectedSystem(TypedDict):
    """How a system of an agency is reached, and by which keys it signs.

    Its shared secret is told to nobody; `has_secret` says that there is one.
    """

    system: str
    kind: str
    endpoint: str
    profile: Literal["cloudevents", "edxml"]
    public_keys: tuple[str, ...]
    keys: tuple[KeyWindow, ...]
    signature: Literal["v1a", "v1"]
    has_secret: bool
    locked: bool


class AgencyEntry(TypedDict):
    """An agency in the register, under its latest name and place, with those before.

    `given` is the code as its registration wrote it, `old_code` its old form, None if it has none.
    `valid_from` and `valid_to` are both within. `heirs` are those that took its place, one after
    the other. `systems` are for administrators and auditors only.
    """

    code: str
    given: str
    old_code: str | None
    name: str
    name_english: str
    names: tuple[AgencyName, ...]
    parent: str | None
    parents: tuple[AgencyParent, ...]
    valid_from: date | None
    valid_to: date | None
    dissolved: bool
    successor: str | None
    heirs: tuple[str, ...]
    source: str
    note: str
    has_system: bool
    systems: NotRequired[list[ConnectedSystem]]


def entry(state: Agency, find: Find, *, systems: bool) -> AgencyEntry:
    """The agency's entry; with `systems` for those who may know of them.

    Raises:
        AgencyNotRegistered: there is no such agency.
    """
    if state.entry is None:
        raise AgencyNotRegistered
    latest = state.names[-1]
    shown = AgencyEntry(
        code=state.entry.code,
        given=state.entry.given,
        old_code=parse(state.entry.given).to_old(),
        name=latest.name,
        name_english=latest.name_english,
        names=state.names,
        parent=state.parent,
        parents=state.parents,
        valid_from=state.valid_from,
        valid_to=state.valid_to,
        dissolved=state.ended == "dissolved",
        successor=state.successor,
        heirs=heirs_of(state.successor, find),
        source=state.entry.source,
        note=state.entry.note,
        has_system=bool(state.systems),
    )
    if systems:
        shown["systems"] = [_system(state, name) for name in sorted(state.systems)]
    return shown


def _system(state: Agency, name: str) -> ConnectedSystem:
    system, keys = state.systems[name], state.keys[name]
    return ConnectedSystem(
        system=name,
        kind=system.kind,
        endpoint=system.endpoint,
        profile=system.profile,
        public_keys=tuple(window.key for window in keys),
        keys=keys,
        signature=system.signature,
        has_secret=system.secret is not None,
        locked=state.locked.get(name, False),
    )
