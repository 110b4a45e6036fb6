"""Which agencies may send and receive, and by which keys do we know them?"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from chalicelib.contexts.agencies.domain.events import (
    DOCUMENTS,
    AgencyDissolved,
    AgencyEvent,
    AgencyMerged,
    AgencyMoved,
    AgencyRegistered,
    AgencyRenamed,
    AgencySystemKeysRotated,
    AgencySystemLocked,
    AgencySystemRegistered,
    AgencySystemUnlocked,
    AgencyValidityCorrected,
    KeyWindow,
)
from chalicelib.kernel import Value
from chalicelib.privacy.personal import Personal
from chalicelib.projector.projection import Projection
from chalicelib.succession import active, heir_of


class Keys(Value):
    """What proves that one system of an agency sent something (Ed25519 raw, base64; a secret).

    `windows` bound in time those of the `public_keys` that were rotated. A `locked` system may
    neither send nor receive.
    """

    public_keys: tuple[str, ...] = ()
    windows: dict[str, KeyWindow] = Field(default_factory=dict)
    secret: Personal[str] | None = None
    locked: bool = False

    def keys_at(self, at: datetime) -> list[str]:
        """The public keys that are good at that moment."""
        return [key for key in self.public_keys if self._good(self.windows.get(key), at)]

    @staticmethod
    def _good(window: KeyWindow | None, at: datetime) -> bool:
        if window is None:
            return True
        began = window.not_before is None or window.not_before <= at
        return began and (window.not_after is None or at < window.not_after)


class Participant(Value):
    """An agency that is registered, under its latest name, with the keys of each of its systems.

    It is valid from `valid_from` to `valid_to`, both days within; None is not known to be bounded.
    After that `successor`, if there is one, takes its place. `parents` are the agencies it belonged
    to, each with its first day (None: from the beginning). `mailbox` is the system that takes its
    documents.
    """

    code: str
    name: str
    valid_from: date | None = None
    valid_to: date | None = None
    successor: str | None = None
    parents: tuple[tuple[date | None, str | None], ...] = ()
    systems: dict[str, Keys] = Field(default_factory=dict)
    mailbox: str | None = None
    listed: Literal["all"] = "all"

    @property
    def locked(self) -> bool:
        """Whether the system that takes the agency's documents is locked."""
        return self.mailbox is not None and self.systems[self.mailbox].locked

    def parent(self, on: date) -> str | None:
        """The agency it belongs to on that day."""
        known = [code for since, code in self.parents if since is None or since <= on]
        return known[-1] if known else None

    def active(self, on: date) -> bool:
        """Whether the agency's code is good on that day."""
        return active(self, on)


def evolve(row: Participant | None, event: AgencyEvent) -> Participant | None:
    """The row after an event of the agency."""
    match event:
        case AgencyRegistered():
            return Participant(
                code=event.code,
                name=event.name,
                valid_from=event.valid_from,
                valid_to=event.valid_to,
                parents=((None, event.parent),) if event.parent else (),
            )
        case AgencyMoved():
            place = (event.effective_on, event.parent)
            return row and row.model_copy(update={"parents": (*row.parents, place)})
        case AgencyRenamed():
            return row and row.model_copy(update={"name": event.name})
        case AgencyValidityCorrected():
            validity = {"valid_from": event.valid_from, "valid_to": event.valid_to}
            return row and row.model_copy(update=validity)
        case AgencyMerged():
            end = {"successor": event.successor, "valid_to": event.last_day}
            return row and row.model_copy(update=end)
        case AgencyDissolved():
            return row and row.model_copy(update={"valid_to": event.last_day})
        case AgencySystemRegistered():
            return row and _connected(row, event)
        case AgencySystemKeysRotated():
            windows = {window.key: window for window in event.keys}
            return row and _changed(row, event.system, public_keys=(*windows,), windows=windows)
        case AgencySystemLocked():
            return row and _changed(row, event.system, locked=True)
        case AgencySystemUnlocked():
            return row and _changed(row, event.system, locked=False)
        case _:
            return row


def _connected(row: Participant, event: AgencySystemRegistered) -> Participant:
    """What is left out is no longer so; a lock, and the time of a key that stays, are kept."""
    before = row.systems.get(event.system, Keys())
    keys = Keys(
        public_keys=event.public_keys,
        windows={key: before.windows[key] for key in event.public_keys if key in before.windows},
        secret=event.secret,
        locked=before.locked,
    )
    systems = row.systems | {event.system: keys}
    mailbox = event.system if event.kind == DOCUMENTS else row.mailbox
    return row.model_copy(update={"systems": systems, "mailbox": mailbox})


def _changed(row: Participant, system: str, **change: Any) -> Participant:
    keys = row.systems.get(system, Keys()).model_copy(update=change)
    return row.model_copy(update={"systems": row.systems | {system: keys}})


def is_below(code: str, above: str, find: Callable[[str], Participant | None], on: date) -> bool:
    """Whether the agency is a unit of `above` on that day, directly or through others.

    Units of an agency that was merged are its successor's until they are moved.
    """
    walked = set[str]()
    while code not in walked:
        walked.add(code)
        row = find(code)
        parent = row.parent(on) if row else None
        if parent is None:
            return False
        code = heir_of(parent, find, on) or parent
        if code == above:
            return True
    return False


answer = Projection(Participant, AgencyEvent, evolve, by="listed", sort="code")
