"""A history in a folder: where its pieces lie, and how they are read.

`docs/auditing.md` lists the pieces. Everything under `tile/` is as the log serves it (C2SP
tlog-tiles); an event is a line of `events/` (CloudEvents 1.0), a commit's header an entry of
`tile/entries/`. Position 1 is the first entry.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from chalicelib.history.merkle import Unproven
from chalicelib.history.tiles import ENTRIES, WIDTH, decode_entries, tiles_of
from chalicelib.text import b64url

HEADER_OF = {
    "lienthongactor": "actor",
    "lienthongassurance": "assurance",
    "lienthongcausation": "causation",
    "lienthongcorrelation": "correlation",
    "lienthongmethod": "method",
    "lienthongrelease": "release",
}
"""Attributes of an exported event that repeat a field of its commit's header."""

_ALWAYS = {
    "specversion", "id", "source", "type", "subject", "time", "datacontenttype",
    "lienthongposition", "lienthongcommit", "lienthongindex", "lienthongversion", "lienthonghash",
    *HEADER_OF,
}  # fmt: skip
_ATTRIBUTES = (_ALWAYS | {"data"}, _ALWAYS | {"data_base64"})
"""What an exported event has: its data in one form, and nothing beside it."""
_TEXTS = (
    "actor", "body_hash", "causation", "correlation", "method", "previous", "recorded_at",
    "release", "stream",
)  # fmt: skip
_KIND = re.compile(r"[a-z_.]+/[0-9]{1,6}")
UNFINISHED = "unfinished"
"""A file that stands in the folder while it is being fetched."""


class CannotCheck(Exception):  # noqa: N818 -- reads as a sentence where it is caught.
    """What is needed for the check is missing or is not what it should be; nothing was proven."""


class Wrong(Exception):  # noqa: N818 -- the fact an auditor looks for, not a fault of the tool.
    """Something contradicts the log at `position` (None: no single one)."""

    def __init__(self, position: int | None, detail: str) -> None:
        """Say where, and what."""
        super().__init__(detail)
        self.position = position


class Stretch(NamedTuple):
    """A file of events: it holds the positions from `first` to `last`."""

    path: Path
    first: int
    last: int


class Line(NamedTuple):
    """One event as exported: its attributes, and its bytes as the store keeps them."""

    attributes: dict[str, Any]
    event: bytes

    @property
    def position(self) -> int:
        """Where history has its commit."""
        return int(self.attributes["lienthongposition"])

    @property
    def data(self) -> dict[str, Any]:
        """The event."""
        told = self.attributes
        found: dict[str, Any] = told["data"] if "data" in told else orjson.loads(self.event)
        return found


@dataclass(frozen=True)
class Told:
    """One commit as the folder tells it: its header's facts, and its events."""

    position: int
    facts: dict[str, Any]
    header: bytes
    lines: list[Line]

    @property
    def seen(self) -> str:
        """Its address: `stream@number`."""
        return f"{self.facts['stream']}@{self.facts['number']}"


@dataclass(frozen=True)
class Folder:
    """The pieces of one history under `root`."""

    root: Path

    def read(self, name: str) -> bytes:
        """A piece that must be there.

        Raises:
            CannotCheck: it is not.
        """
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise CannotCheck(f"{self.root / name} cannot be read: {error.strerror}") from None

    @cached_property
    def checkpoints(self) -> dict[int, Path]:
        """The saved checkpoints, by size, smallest first."""
        found = (self.root / "checkpoints").glob("[0-9]*")
        sizes = sorted((int(path.name), path) for path in found if path.name.isdecimal())
        return dict(sizes)

    def stretches(self, size: int) -> list[Stretch]:
        """The files of events, in order; each ends where the next begins, the last at `size`."""
        found = (self.root / "events").glob("[0-9]*.jsonl")
        files = sorted((p for p in found if p.stem.isdecimal()), key=lambda p: int(p.stem))
        firsts = [int(path.stem) for path in files]
        ends = [*(first - 1 for first in firsts[1:]), size] if files else []
        return [Stretch(*found) for found in zip(files, firsts, ends, strict=True)]

    def headers(self, first: int, last: int, size: int) -> Iterator[bytes]:
        """The entries at the positions from `first` to `last` of a log of `size`.

        Raises:
            Wrong: a bundle is missing or is not one.
        """
        for bundle in tiles_of(ENTRIES, min(last_of_bundle(last), size), first - 1):
            try:
                entries = decode_entries(bundle, (self.root / bundle.path).read_bytes())
            except OSError:
                raise Wrong(bundle.start + 1, f"{bundle.path} is missing") from None
            except Unproven as unproven:
                raise Wrong(bundle.start + 1, str(unproven)) from None
            yield from entries[max(0, first - 1 - bundle.start) : last - bundle.start]

    def told(self, size: int, after: int = 0) -> Iterator[Told]:
        """The commits at the positions above `after`, with their events, unverified.

        Raises:
            CannotCheck: there are no events at all.
            Wrong: a piece is missing or is not readable.
        """
        stretches = self.stretches(size)
        if size and not stretches:
            raise CannotCheck(f"{self.root} holds no events: fetch them first")
        if stretches and stretches[0].first > 1:
            raise Wrong(1, f"the events of positions 1 to {stretches[0].first - 1} are missing")
        for stretch in stretches:
            first = max(stretch.first, after + 1)
            if stretch.last < first:
                continue
            lines = Lines(stretch)
            lines.take(first - 1)
            for position, header in enumerate(self.headers(first, stretch.last, size), start=first):
                facts = read_header(header)
                if facts is None:
                    raise Wrong(position, "the entry is no header of a commit")
                told = lines.take(position)
                if len(told) != len(facts["events"]):
                    detail = f"{len(told)} events are here, {len(facts['events'])} were recorded"
                    raise Wrong(position, detail)
                yield Told(position, facts, header, told)


def last_of_bundle(position: int) -> int:
    """The last position that the bundle of `position` can hold."""
    return -(-position // WIDTH) * WIDTH


class Lines:
    """Reads a file of events once, position by position."""

    def __init__(self, stretch: Stretch) -> None:
        """Read it: a chunk of the export is at most some megabytes."""
        self._lines = iter(stretch.path.read_bytes().splitlines())
        self._last = stretch.last
        self._next: Line | None = None
        self._wrong: Wrong | None = None
        self._advance(stretch.first)

    def take(self, position: int | None) -> list[Line]:
        """The events at positions up to `position` (None: all) that were not taken before.

        Raises:
            Wrong: the next line is no exported event; it stands where the one after those that
                were taken belongs.
        """
        if self._wrong:
            raise self._wrong
        found = []
        while self._next and (position is None or self._next.position <= position):
            found.append(self._next)
            self._advance(self._next.position + 1)
        return found

    def _advance(self, position: int) -> None:
        line = next(self._lines, None)
        try:
            self._next = None if line is None else read_line(line)
        except Wrong as wrong:
            # Only who asks for more hears of it: those before are what they are.
            self._next, self._wrong = None, Wrong(min(position, self._last), str(wrong))


def read_header(header: bytes) -> dict[str, Any] | None:
    """The fields of a header; None if it is none, or could be read in two ways."""
    try:
        facts = orjson.loads(header)
        # Canonical: what is written again is what was read, so no field stands there twice.
        canonical: bytes = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
    except (ValueError, TypeError):
        return None
    if canonical != header or not isinstance(facts, dict):
        return None
    texts = [facts.get(name) for name in _TEXTS]
    kinds = facts.get("events")
    if not all(isinstance(one, str) for one in texts) or type(facts.get("number")) is not int:
        return None
    if not isinstance(kinds, list) or not all(_KIND.fullmatch(str(kind)) for kind in kinds):
        return None
    return facts if _is_time(facts["recorded_at"]) else None


def _is_time(text: str) -> bool:
    """Whether a moment is written as headers write one, so that texts compare as moments do."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return False
    return at.isoformat(timespec="microseconds") == text and text.endswith("+00:00")


def read_line(line: bytes) -> Line:
    """An exported event.

    Raises:
        Wrong: the line is none, or could be read in two ways.
    """
    try:
        attributes = orjson.loads(line)
        write: Callable[[Any], bytes] = orjson.dumps
        # Canonical: what is written again is what was read, so no attribute stands there twice.
        written = write(attributes)
        if written != line:
            # The standard library, slower, keeps every number as the service does.
            attributes, write = json.loads(line), _compact
            written = write(attributes)
        if written != line or attributes.keys() not in _ATTRIBUTES:
            raise ValueError  # noqa: TRY301 -- one place says what is wrong with a line.
        if "data" in attributes:
            data = attributes["data"]
            event = write(data)
        else:
            event = base64.b64decode(attributes["data_base64"], validate=True)
            data = orjson.loads(event)
            orjson.dumps(data)  # Refuses what is nested too deep to be shown.
        told = data["type"], attributes["type"], attributes["id"]
        if type(attributes["lienthongposition"]) is not int:
            raise TypeError  # noqa: TRY301 -- the same.
        if not all(isinstance(one, str) for one in told):
            raise TypeError  # noqa: TRY301 -- the same.
    except (ValueError, AttributeError, KeyError, TypeError):
        raise Wrong(None, f"a line is no exported event: {line[:60]!r}") from None
    return Line(attributes, event)


def _compact(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def body_hash(lines: list[Line]) -> str:
    """The digest that a header holds of its commit's events."""
    return b64url(sha256(b"[" + b",".join(line.event for line in lines) + b"]").digest())
