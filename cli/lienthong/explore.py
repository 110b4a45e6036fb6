"""Reads a verified folder: what happened, what stood when, what changed, what an event means.

Nothing here proves the whole; `verify` does. Personal values are sealed and stay so.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from pydantic import ValidationError

from chalicelib import contexts
from chalicelib.history.merkle import Unproven, check_inclusion, leaf_hash
from chalicelib.history.proof import Tree
from chalicelib.history.tiles import Tile
from chalicelib.kernel import Decider
from chalicelib.text import b64url
from lienthong.examine import ERASED, Erasure, contradiction
from lienthong.folder import CannotCheck, Folder, Told, Wrong
from lienthong.trust import Trust

# The catalogue goes along in the installed package; in the sources it stands at the top.
_HERE = Path(__file__).resolve().parent
CATALOGUE = next(p for p in (_HERE / "catalogue", _HERE.parent.parent / "events") if p.is_dir())

Moment = int | datetime
"""A position of history, or a time."""


def moment(text: str) -> Moment:
    """A position (`17`) or a time with its zone (`2026-06-01T09:00:00+07:00`).

    Raises:
        CannotCheck: it is neither.
    """
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise CannotCheck(f"{text!r} is neither a position nor a time with its zone")
    return at


@dataclass(frozen=True)
class Filter:
    """Which events: everything that is given must hold."""

    stream: str = ""
    actor: str = ""
    agency: str = ""
    type: str = ""
    case: str = ""
    since: Moment = 0
    until: Moment | None = None

    def commit(self, told: Told) -> bool:
        """Whether events of this commit can be meant."""
        facts = told.facts
        return (
            self.stream in {"", facts["stream"]}
            and self.actor in {"", facts["actor"]}
            and self.case in {"", facts["correlation"]}
            and not before(told, self.since)
            and not (self.until is not None and after(told, self.until))
        )

    def event(self, told: Told, data: dict[str, Any]) -> bool:
        """Whether this event is meant; an agency's are what it did and what names it."""
        if self.type not in {"", data["type"]}:
            return False
        if not self.agency or told.facts["actor"] == f"system:{self.agency}":
            return True
        return any(value == self.agency for value in leaves(data).values())


def before(told: Told, at: Moment) -> bool:
    """Whether a commit stands before a position, or was recorded before a time."""
    if isinstance(at, int):
        return told.position < at
    return datetime.fromisoformat(told.facts["recorded_at"]) < at


def after(told: Told, at: Moment) -> bool:
    """Whether a commit stands behind a position, or was recorded after a time."""
    if isinstance(at, int):
        return told.position > at
    return datetime.fromisoformat(told.facts["recorded_at"]) > at


@dataclass
class Standing:
    """What stood in a stream at some moment; `number` 0: it had not begun."""

    stream: str
    number: int = 0
    position: int = 0
    recorded_at: str = ""
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """The commits of a folder, up to its checkpoint: its size and root."""

    folder: Folder
    size: int
    root: bytes

    @classmethod
    def open(cls, folder: Folder, trust: Trust) -> "History":
        """A folder whose checkpoint is believed.

        Raises:
            Unproven: it is not.
            CannotCheck: there is none.
        """
        try:
            opened = trust.open(folder.read("checkpoint"))
        except ValueError as error:
            raise CannotCheck(f"{folder.root}/checkpoint: {error}") from None
        if not trust.policy.satisfied(opened.seen.keys()):
            raise Unproven("the witnesses' quorum is not met")
        signed = opened.checkpoint
        return cls(folder, signed.size, signed.root)

    def replay(self, wanted: Filter, first: int = 1) -> Iterator[tuple[Told, int, dict[str, Any]]]:
        """The events that are wanted: their commit, their index in it, and they themselves."""
        if isinstance(wanted.since, int):
            first = max(first, wanted.since)
        for told in self.folder.told(self.size, first - 1):
            if wanted.commit(told):
                for index, line in enumerate(told.lines):
                    if wanted.event(told, line.data):
                        yield told, index, line.data
            elif isinstance(wanted.until, int) and told.position > wanted.until:
                return

    def stream(self, name: str) -> list[Told]:
        """All commits of a stream.

        Raises:
            CannotCheck: there is no such stream.
        """
        found = [told for told in self.folder.told(self.size) if told.facts["stream"] == name]
        if not found:
            raise CannotCheck(f"there is no stream {name} up to position {self.size}")
        return found

    def erasures(self) -> dict[str, Erasure]:
        """Who was forgotten, by subject."""
        return {
            erased.subject: erased
            for told, _, _ in self.replay(Filter(type=ERASED))
            for erased in [
                Erasure(told.facts["stream"].partition("-")[2], told.seen, told.position)
            ]
        }

    def standing(self, commits: list[Told], at: Moment | None) -> Standing:
        """What the stream's own decider remembered at a moment (None: at the end).

        Raises:
            CannotCheck: this release knows no such stream, or not these events; the position is
                not there yet.
        """
        name = commits[0].facts["stream"]
        if isinstance(at, int) and at > self.size:
            raise CannotCheck(f"history ends at position {self.size}, {at} is not there yet")
        then = [told for told in commits if at is None or not after(told, at)]
        if not then:
            return Standing(name)
        decider = deciders().get(name.partition("-")[0])
        if decider is None:
            raise CannotCheck(f"this release does not know what a stream like {name} holds")
        state = decider.initial
        try:
            for told in then:
                body = b"[" + b",".join(line.event for line in told.lines) + b"]"
                state = decider.fold(decider.codec.validate_json(body, extra="ignore"), state)
        except ValidationError as error:
            detail = f"{told.seen} has events that this release cannot read: {error.title}"
            raise CannotCheck(detail) from None
        last = then[-1]
        return Standing(
            name,
            last.facts["number"],
            last.position,
            last.facts["recorded_at"],
            state.model_dump(mode="json"),
        )

    def find(self, event: str) -> Told:
        """The commit that `stream@number`, `stream@number#index` or a position names.

        Raises:
            CannotCheck: there is none.
        """
        if event.isascii() and event.isdecimal():
            position = int(event)
            if not 1 <= position <= self.size:
                raise CannotCheck(f"history has the positions 1 to {self.size}, not {event}")
            return next(self.folder.told(self.size, position - 1))
        place = event.partition("#")[0]
        for told in self.folder.told(self.size):
            if told.seen == place:
                return told
        raise CannotCheck(f"there is no commit {place} up to position {self.size}")

    def case(self, correlation: str) -> list[Told]:
        """All commits of a case, across streams."""
        everything = self.folder.told(self.size)
        return [told for told in everything if told.facts["correlation"] == correlation]

    def prove(self, told: Told) -> list[bytes]:
        """The hashes that prove that a commit stands where it stands, with its events, checked.

        Raises:
            Unproven: they do not.
            Wrong: the events are not those of the commit.
        """

        def read(tile: Tile) -> bytes:
            return self.folder.read(tile.path)

        index = told.position - 1
        proof = Tree(self.size, read).inclusion(index)
        check_inclusion(leaf_hash(told.header), index, self.size, proof, self.root)
        hash_ = b64url(sha256(told.header).digest())
        if finding := contradiction(told.position, told.facts, hash_, told.lines):
            raise Wrong(finding.position, finding.detail)
        return proof


def changes(old: Standing, new: Standing) -> list[tuple[str, Any, Any]]:
    """Each field that differs: its place (JSON pointer), its value before and after."""
    was, is_ = leaves(old.state), leaves(new.state)
    return [
        (place, was.get(place), is_.get(place))
        for place in sorted(was.keys() | is_.keys())
        if was.get(place, ...) != is_.get(place, ...)
    ]


def leaves(value: Any, place: str = "") -> dict[str, Any]:
    """Every value that holds no other one, by its place (JSON pointer, RFC 6901)."""
    if not isinstance(value, dict | list) or not value:
        return {place: value} if place else {}
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found: dict[str, Any] = {}
    for key, held in inner:
        found |= leaves(held, f"{place}/{str(key).replace('~', '~0').replace('/', '~1')}")
    return found


def unsealed(value: Any, erasures: dict[str, Erasure], commits: Iterable[Told]) -> Any:
    """The same, with a word in place of what cannot be read; it was sealed in these `commits`."""
    places = {told.seen: told.position for told in commits}

    def word(value: Any) -> Any:
        if isinstance(value, list):
            return [word(one) for one in value]
        if not isinstance(value, dict):
            return value
        if not value.keys() >= {"subject", "sealed", "where"}:
            return {key: word(held) for key, held in value.items()}
        erased = erasures.get(value["subject"])
        # Whoever came back has a new key: what was sealed after the erasure is not erased.
        if erased and places.get(value["where"], 0) < erased.position:
            return f"erased by commit {erased.by}, position {erased.position}"
        return f"sealed: personal data of {value['subject']}"

    return word(value)


def follows(commits: list[Told]) -> dict[str, list[Told]]:
    """By the commit they follow from ("" if it is not among them), those that follow."""
    here = {told.seen for told in commits}
    found: dict[str, list[Told]] = defaultdict(list)
    for told in commits:
        cause = told.facts["causation"]
        found[cause if cause in here else ""].append(told)
    return found


def deciders() -> dict[str, Decider[Any, Any, Any]]:
    """Every decider, by the category of stream that it decides: pure, as all domains are."""
    found = {}
    for context in iter_modules(contexts.__path__, f"{contexts.__name__}."):
        domain = import_module(context.name).__path__[0]
        for module in iter_modules([f"{domain}/domain"], f"{context.name}.domain."):
            for thing in vars(import_module(module.name)).values():
                if isinstance(thing, Decider):
                    found[thing.category] = thing
    return found


def meaning(type_: str) -> dict[str, Any]:
    """What the public catalogue says of a type of event; empty if it has none."""
    path = CATALOGUE / f"{type_}.json"
    # A type is a name: what leads elsewhere is none.
    if not re.fullmatch(r"[a-z_.]+", type_) or not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
