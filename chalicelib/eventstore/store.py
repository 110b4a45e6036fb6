"""The event store: streams of commits that can be added to and never changed.

A stream (`category-id`) is one case. A commit is what one command added to it. Its *header* is
canonical JSON (RFC 8785) and names everything but the events' data, for which it holds a digest;
`hash = SHA-256(header)`, and every header holds the hash of the commit before it. What differs
between a laptop and AWS is only the `Shelf` the commits stand on.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol

import rfc8785
from pydantic_core import from_json

from chalicelib.kernel import Event, Origin
from chalicelib.text import b64url

CLAIM_CHECK_BYTES = 300_000
"""A larger body goes to the shelf's bodies by digest: a DynamoDB item holds 400 KB in all."""
MAX_EVENTS = 500
"""Events in one commit."""
MAX_HEADER_BYTES = 65_535
"""A header is a leaf of the proof tree, and a log's tiles give a leaf's length in two bytes."""
MAX_BODY_BYTES = 5 * 1024 * 1024

_STREAM = re.compile(r"[a-z][a-z_]*-[^\s#@]{1,200}")

Place = tuple[str, int]
"""A commit's address: stream and number."""
Seal = Callable[[str, str, bytes], str]
"""(subject, associated data, plain bytes) → ciphertext: how a `Personal` value is closed."""


class Corrupt(Exception):  # noqa: N818 -- named as the fact it states.
    """The stored history contradicts itself: a hole, a broken chain, an altered commit."""


class Lost(Exception):  # noqa: N818 -- the outcome of a race, not an error.
    """Another commit took the place first; `winner` is that commit, learnt without a read."""

    def __init__(self, winner: "Commit") -> None:
        """Carry the commit that won."""
        super().__init__(f"{winner.stream}@{winner.number} is taken")
        self.winner = winner


class NumberTaken(Exception):  # noqa: N818 -- the outcome of a race, not an error.
    """The gap-free number asked for is no longer the next one: read the counter and ask again."""


class Claimed(Exception):  # noqa: N818 -- the outcome of a race, not an error.
    """The command id has already written a commit, possibly elsewhere."""

    def __init__(self, claim: "Claim") -> None:
        """Carry what the command id did."""
        super().__init__(claim.stream)
        self.claim = claim


class Contended(Exception):  # noqa: N818 -- the outcome of a race, not an error.
    """A transaction met another one at the same items; nothing was written."""


@dataclass(frozen=True)
class Take:
    """A gap-free number used by a commit: `number` is one more than counter `name` now holds."""

    name: str
    number: int


@dataclass(frozen=True)
class Claim:
    """What a command id did: the stream it wrote to and the digest of its request."""

    command: str
    stream: str
    digest: str


@dataclass(frozen=True)
class Commit:
    """One command's events in one stream, as stored.

    `header` is the canonical JSON that `hash` covers; `body` the JSON array of events that the
    header's `body_hash` covers.
    """

    stream: str
    number: int
    header: bytes
    body: bytes

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the header."""
        return sha256(self.header).digest()

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The header's fields."""
        facts: dict[str, Any] = from_json(self.header, cache_strings="keys")
        return facts

    @property
    def command(self) -> str:
        """The id of the command that caused this commit."""
        return str(self.facts["command"])

    @property
    def digest(self) -> str:
        """HMAC of the request that caused this commit."""
        return str(self.facts["digest"])

    @property
    def recorded_at(self) -> datetime:
        """When it was recorded (UTC)."""
        return datetime.fromisoformat(self.facts["recorded_at"])

    @property
    def place(self) -> Place:
        """Its address."""
        return self.stream, self.number

    @property
    def seen(self) -> str:
        """Its address as callers quote it: `stream@number`."""
        return f"{self.stream}@{self.number}"

    @property
    def types(self) -> frozenset[str]:
        """The types of its events, by its header."""
        return frozenset(event.partition("/")[0] for event in self.facts["events"])

    def data(self) -> list[dict[str, Any]]:
        """The events as plain data, for readers that know only some of the types."""
        return list(from_json(self.body))


class Shelf(Protocol):
    """What a commit stands on. Reads are consistent; `put` is all or nothing."""

    def put(self, commit: Commit, take: Take | None, claim: Claim | None) -> None:
        """Store a commit if its place is free, together with its number and its claim.

        Raises:
            Lost, NumberTaken, Claimed, Contended: nothing was written.
        """

    def stream(self, stream: str, after: int, up_to: int | None) -> Iterable[Commit]:
        """The commits of a stream in order, numbers in (after, up_to]."""

    def commits(self, places: Sequence[Place]) -> dict[Place, Commit]:
        """Those of `places` that exist."""

    def hashes(self, places: Sequence[Place]) -> dict[Place, bytes]:
        """The stored hashes of those of `places` that exist."""

    def headers(self, places: Sequence[Place]) -> dict[Place, bytes]:
        """The headers of those of `places` that exist; bodies are not fetched."""

    def every_place(self) -> Iterator[Place]:
        """Every commit there is, in no order: a scan, for the sweep."""

    def counter(self, name: str) -> int:
        """The last number taken from a counter, 0 if none was."""

    def claim(self, command: str) -> Claim | None:
        """What a command id that was claimed has done."""


def refuse_to_seal(subject: str, _where: str, _plain: bytes) -> str:
    """The seal of a store that was given no keys: it never stores personal data."""
    raise RuntimeError(f"no keys to seal a personal value of {subject}")


def check_stream(stream: str) -> str:
    """A well-formed stream name: a category without dash, a dash, an id.

    The category cannot hold a dash, so no two pairs of names join to the same stream.
    """
    if not _STREAM.fullmatch(stream):
        raise ValueError(f"not a stream name: {stream!r}")
    return stream


def verify(commits: Iterable[Commit], stream: str, after: Commit | None = None) -> list[Commit]:
    """The same commits, proven whole: contiguous, chained, unaltered.

    Raises:
        Corrupt: a number is missing, a hash does not follow, or a body is not the one hashed.
    """
    proven: list[Commit] = []
    number = after.number if after else 0
    previous = b64url(after.hash) if after else ""
    for commit in commits:
        number += 1
        facts = commit.facts
        if commit.number != number:
            raise Corrupt(f"{stream} has no commit {number}")
        if facts["stream"] != stream or facts["number"] != number:
            raise Corrupt(f"{stream}@{number} holds another commit's header")
        if facts["previous"] != previous:
            raise Corrupt(f"{stream}@{number} does not follow the commit before it")
        if facts["body_hash"] != b64url(sha256(commit.body).digest()):
            raise Corrupt(f"{stream}@{number} has events that its header does not cover")
        previous = b64url(commit.hash)
        proven.append(commit)
    return proven


def utc_now() -> datetime:
    """The clock of a real store."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class EventStore:
    """Appends to streams and loads them, verified.

    `release` names the rules and code lists that decide; `seal` closes personal values; `clock`
    gives the recording time.
    """

    shelf: Shelf
    release: str
    seal: Seal = refuse_to_seal
    clock: Callable[[], datetime] = utc_now

    def load(self, stream: str, up_to: int | None = None) -> list[Commit]:
        """A stream's commits, all or as of commit `up_to`.

        Raises:
            Corrupt: see `verify`.
        """
        return verify(self.shelf.stream(check_stream(stream), 0, up_to), stream)

    def append(
        self,
        stream: str,
        after: Commit | None,
        events: Sequence[Event],
        origin: Origin,
        *,
        take: Take | None = None,
        claim: bool = False,
    ) -> Commit:
        """Add one commit behind `after`: the last one the caller knows, or None for a new stream.

        One `PutItem`, one write unit up to 1 KB. `take` uses a gap-free number in the same
        transaction; `claim` makes the command id unusable for another stream (for commands whose
        stream is derived from what they say).

        Raises:
            Lost: somebody else was first; the exception holds their commit, so no read is needed.
            NumberTaken, Claimed, Contended: see `Shelf.put`.
            ValueError: nothing to add, or more than a commit may hold, or not behind `after`.
        """
        if not 0 < len(events) <= MAX_EVENTS:
            raise ValueError(f"a commit holds 1 to {MAX_EVENTS} events, not {len(events)}")
        if after and after.stream != stream:
            raise ValueError(f"{after.seen} is not in {stream}")
        number = after.number + 1 if after else 1
        recorded_at = max(self.clock(), after.recorded_at) if after else self.clock()
        context = {"seal": self.seal, "where": f"{check_stream(stream)}@{number}"}
        body = b"[" + b",".join(_json(event, context) for event in events) + b"]"
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(f"{len(body)} bytes of events; {MAX_BODY_BYTES} is the limit")
        facts: dict[str, Any] = {
            "actor": origin.actor,
            "assurance": origin.assurance,
            "body_hash": b64url(sha256(body).digest()),
            "causation": origin.causation,
            "command": origin.command_id,
            "correlation": origin.correlation,
            "digest": origin.digest,
            "events": [f"{event.type}/{event.version}" for event in events],
            "method": origin.method,
            "number": number,
            "previous": b64url(after.hash) if after else "",
            "recorded_at": recorded_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "release": self.release,
            "stream": stream,
        }
        header = rfc8785.dumps(facts)
        if len(header) > MAX_HEADER_BYTES:
            raise ValueError(f"a header of {len(header)} bytes; {MAX_HEADER_BYTES} is the limit")
        commit = Commit(stream, number, header, body)
        self.shelf.put(
            commit, take, Claim(origin.command_id, stream, origin.digest) if claim else None
        )
        return commit

    def commits(self, places: Sequence[Place]) -> dict[Place, Commit]:
        """The commits at `places`, each with its own digests checked; missing ones are left out.

        Raises:
            Corrupt: a commit's body or place is not what its header says.
        """
        found = self.shelf.commits(places)
        for (stream, number), commit in found.items():
            if (commit.facts["stream"], commit.facts["number"]) != (stream, number):
                raise Corrupt(f"{stream}@{number} holds another commit's header")
            if commit.facts["body_hash"] != b64url(sha256(commit.body).digest()):
                raise Corrupt(f"{stream}@{number} has events that its header does not cover")
        return found


def _json(event: Event, context: dict[str, Any]) -> bytes:
    return event.model_dump_json(context=context).encode()
