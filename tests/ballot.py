"""A ballot box, for tests only: the smallest decider that grants, stays quiet and refuses."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Field

from chalicelib.kernel import Command, Conflict, Decider, Event, Origin, Value
from chalicelib.text import b64url


class BallotOpened(Event):
    """Votes may be cast."""

    type: Literal["ballot.opened"] = "ballot.opened"
    title: str


class VoteCast(Event):
    """One voter has voted."""

    type: Literal["ballot.vote_cast"] = "ballot.vote_cast"
    voter: str
    note: str = ""


class BallotClosed(Event):
    """No more votes."""

    type: Literal["ballot.closed"] = "ballot.closed"


BallotEvent = Annotated[BallotOpened | VoteCast | BallotClosed, Field(discriminator="type")]


class OpenBallot(Command):
    """Open it."""

    title: str


class CastVotes(Command):
    """Cast one vote for each voter who has none yet, opening the box if need be."""

    voters: tuple[str, ...]
    note: str = ""


class CloseBallot(Command):
    """Close it."""


class Ballot(Value):
    """What it takes to decide."""

    status: Literal["absent", "open", "closed"] = "absent"
    voters: frozenset[str] = frozenset()


class BallotNotOpen(Conflict):
    """Only an open ballot takes votes."""

    code, rule = "ballot-not-open", "Test Act, art. 1"


def decide(
    command: OpenBallot | CastVotes | CloseBallot, state: Ballot
) -> list[BallotOpened | VoteCast | BallotClosed]:
    """Grant, stay quiet, refuse."""
    match command:
        case OpenBallot() if state.status == "absent":
            return [BallotOpened(title=command.title)]
        case OpenBallot():
            return []
        case CastVotes() if state.status == "closed":
            raise BallotNotOpen
        case CastVotes():
            fresh = [voter for voter in command.voters if voter not in state.voters]
            return [VoteCast(voter=voter, note=command.note) for voter in fresh]
        case CloseBallot() if state.status == "closed":
            return []
        case CloseBallot():
            return [BallotClosed()]


def evolve(state: Ballot, event: BallotOpened | VoteCast | BallotClosed) -> Ballot:
    """The state after one more event."""
    match event:
        case BallotOpened():
            return Ballot(status="open")
        case VoteCast():
            return Ballot(status="open", voters=state.voters | {event.voter})
        case BallotClosed():
            return Ballot(status="closed", voters=state.voters)


ballot = Decider("ballot", BallotEvent, Ballot(), decide, evolve)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
COPY = f"copy-{b64url(sha256(b'a document').digest())[:32]}.G22"


def origin(key: str, said: str = "", **fields: Any) -> Origin:
    """Who asks, with ids as long as real ones; `said` stands for the request's body."""
    return Origin(
        command_id=b64url(sha256(key.encode()).digest()),
        digest=b64url(sha256(f"{key} {said}".encode()).digest()),
        actor="agency:G22.system-1",
        method="jwt",
        assurance=2,
        correlation=f"{COPY}@1",
        causation=f"{COPY}@3",
        at=NOON,
        **fields,
    )


def cast(key: str, *voters: str, note: str = "", **fields: Any) -> CastVotes:
    """A wish to vote under an idempotency key; without voters the key's own."""
    chosen: Sequence[str] = voters or (key,)
    asked = origin(key, f"{chosen} {note}", **fields)
    return CastVotes(origin=asked, voters=tuple(chosen), note=note)
