"""One file of events against the entries it belongs to: what a single process can check alone."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from chalicelib.history.merkle import leaf_hash
from chalicelib.text import b64url
from lienthong.folder import (
    HEADER_OF,
    Folder,
    Line,
    Lines,
    Stretch,
    Wrong,
    body_hash,
    read_header,
)

ERASED = "subject.erased"
"""The event that says that a person's key was destroyed; its stream is `subject-<id>`."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was sealed. `position` is the first one concerned, if any is."""

    kind: str
    position: int | None
    detail: str


class Erasure(NamedTuple):
    """A person who was forgotten, by which commit, and where history has it."""

    subject: str
    by: str
    position: int


class Link(NamedTuple):
    """What the chain of a stream needs to know of a commit."""

    stream: str
    number: int
    previous: str
    hash: str
    recorded_at: str


@dataclass
class Examined:
    """What became of a stretch: its entries' hashes, its links (None: unreadable), what is wrong.

    `unread`: the entries could not be read on, so `leaves` ends early.
    """

    first: int
    leaves: list[bytes] = field(default_factory=list)
    links: list[Link | None] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    erased: list[Erasure] = field(default_factory=list)
    events: int = 0
    unread: bool = False

    def wrong(self, kind: str, position: int | None, detail: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(kind, position, detail))


def examine(root: Path, stretch: Stretch, size: int) -> Examined:
    """Check a file of events: each commit's events are there, once, as its header says."""
    done = Examined(stretch.first)
    events = _Events(stretch, done)
    position = stretch.first - 1
    try:
        for position, header in enumerate(
            Folder(root).headers(stretch.first, stretch.last, size), start=stretch.first
        ):
            done.leaves.append(leaf_hash(header))
            facts = read_header(header)
            if facts is None:
                done.wrong("entry", position, "the entry is no header of a commit")
                done.links.append(None)
                events.pass_over(position)
                continue
            hash_ = b64url(sha256(header).digest())
            done.links.append(
                Link(
                    facts["stream"],
                    facts["number"],
                    facts["previous"],
                    hash_,
                    facts["recorded_at"],
                )
            )
            events.check(position, facts, hash_)
    except Wrong as wrong:
        done.wrong("entry", wrong.position or position + 1, str(wrong))
        done.unread = True
        return done
    events.end()
    return done


class _Events:
    """The lines of a stretch, checked commit by commit."""

    def __init__(self, stretch: Stretch, done: Examined) -> None:
        self._stretch = stretch
        self._done = done
        self._missing: tuple[int, int] | None = None
        self._lines: Lines | None = None
        try:
            self._lines = Lines(stretch)
        except OSError as error:
            self._unreadable(stretch.first, error)

    def check(self, position: int, facts: dict[str, Any], hash_: str) -> None:
        """The events of the commit at `position` are those its header covers."""
        lines = self._take(position)
        if lines is None:
            return
        if not lines:
            self._miss(position)
            return
        place = f"{facts['stream']}@{facts['number']}"
        if strange := [line for line in lines if line.position != position]:
            at = strange[0].position
            self._done.wrong("extra", at, f"an event of position {at} stands among those after it")
            return
        if finding := contradiction(position, facts, hash_, lines):
            self._done.findings.append(finding)
        self._done.events += len(lines)
        for line in lines:
            if line.attributes["type"] == ERASED:
                subject = facts["stream"].partition("-")[2]
                self._done.erased.append(Erasure(subject, place, position))

    def pass_over(self, position: int) -> None:
        """Nothing can be said of the events of an unreadable header."""
        self._take(position)

    def end(self) -> None:
        """Nothing stands behind the last commit's events."""
        self._miss(None)
        for line in self._take(None) or ():
            at = line.position
            self._done.wrong("extra", at, f"an event of position {at} that no entry stands for")
            return

    def _take(self, position: int | None) -> list[Line] | None:
        if self._lines is None:
            return None
        try:
            return self._lines.take(position)
        except Wrong as wrong:
            self._unreadable(wrong.position, wrong)
            return None

    def _unreadable(self, position: int | None, error: Exception) -> None:
        self._lines = None
        self._done.wrong("event", position, f"{self._stretch.path.name}: {error}")

    def _miss(self, position: int | None) -> None:
        """Note a gap; one finding for neighbours."""
        if self._missing and position == self._missing[1] + 1:
            self._missing = (self._missing[0], position)
            return
        if self._missing:
            first, last = self._missing
            of = f"position {first}" if first == last else f"positions {first} to {last}"
            self._done.wrong("missing", first, f"the events of {of} are missing")
        self._missing = (position, position) if position else None


def contradiction(
    position: int, facts: dict[str, Any], hash_: str, lines: list[Line]
) -> Finding | None:
    """What the exported events say otherwise than the header of their commit; None if nothing."""
    place = f"{facts['stream']}@{facts['number']}"
    if facts["body_hash"] != body_hash(lines):
        return Finding("body", position, f"{place}: the header does not cover these events")
    detail = _unlike(lines, facts, place, hash_)
    return Finding("event", position, f"{place}: {detail}") if detail else None


def _unlike(lines: list[Line], facts: dict[str, Any], place: str, hash_: str) -> str:
    if len(lines) != len(facts["events"]):
        return f"{len(lines)} events are exported, {len(facts['events'])} were recorded"
    for index, (line, kind) in enumerate(zip(lines, facts["events"], strict=True)):
        told = line.attributes
        type_, _, version = kind.partition("/")
        if line.data["type"] != type_:
            return f"event {index} is {line.data['type']!r}, its commit says {type_!r}"
        expected = {
            "specversion": "1.0",
            "source": "/history",
            "datacontenttype": "application/json",
            "id": f"{place}#{index}",
            "subject": facts["stream"],
            "time": facts["recorded_at"],
            "type": type_,
            "lienthongversion": int(version),
            "lienthongcommit": facts["number"],
            "lienthongindex": index,
            "lienthonghash": hash_,
            **{name: facts.get(field_) for name, field_ in HEADER_OF.items()},
        }
        for name, value in expected.items():
            # What is equal in Python need not be in JSON: 1, 1.0 and true.
            if told[name] != value or type(told[name]) is not type(value):
                return f"event {index} says {name} is {told[name]!r}, its commit {value!r}"
    return ""
