"""The only way anything changes: load, fold, decide, append; again if somebody was faster."""

import random
from dataclasses import dataclass
from time import sleep
from typing import Any, TypeVar

from chalicelib.eventstore.store import (
    Claimed,
    Commit,
    Contended,
    EventStore,
    Lost,
    NumberTaken,
    Take,
    verify,
)
from chalicelib.kernel import Command, Conflict, Decider, Event, Invalid, Value

ATTEMPTS = 12
"""How often a command is decided again before the caller is asked to come back."""
NUMBER_ATTEMPTS = 40
"""The same for a command that takes a gap-free number: whoever is in its way wants another case."""
NUMBER_WAIT_S = 0.4
"""The longest wait (seconds) before a number is asked for again; waits grow, with full jitter."""

C = TypeVar("C", bound=Command)
S = TypeVar("S", bound=Value)
E = TypeVar("E", bound=Event)


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key already stands for another request."""

    code = "idempotency-key-reused"
    rule = "draft-ietf-httpapi-idempotency-key-header, section 2.2"


class PreconditionFailed(Conflict):
    """The thing has changed since the version named in If-Match."""

    code = "precondition-failed"
    rule = "RFC 9110, section 13.1.1"


class Stale(Exception):  # noqa: N818 -- the outcome of a race, not an error.
    """Too many others wrote to the same stream at once. Nothing happened; try again."""


@dataclass(frozen=True)
class Done:
    """What a command led to: the stream and its last commit number (0: still empty).

    `commit` is the one it wrote, now or the first time it was asked; None if the wish had already
    come true. `duplicate`: the number is that of the commit that another command wrote for the same
    wish.
    """

    stream: str
    number: int
    commit: Commit | None = None
    duplicate: bool = False

    @property
    def seen(self) -> str:
        """The version a reader should wait for: `stream@number`."""
        return f"{self.stream}@{self.number}"


def fold(decider: Decider[Any, S, Any], commits: list[Commit], state: S | None = None) -> S:
    """The state that `commits` lead to."""
    state = decider.initial if state is None else state
    for commit in commits:
        # Values inside events are read as events are: what a newer writer added is passed over.
        events = decider.codec.validate_json(commit.body, extra="ignore")
        state = decider.fold(events, state)
    return state


def handle(
    store: EventStore,
    decider: Decider[C, S, E],
    id_: str,
    command: C,
    *,
    claim: bool = False,
    counter: str | None = None,
) -> Done:
    """Let the decider answer `command` on stream `category-id_` and keep the answer.

    A command that has already written a commit gets that commit again. `claim` guards commands
    whose stream is derived from what they say: their id cannot then write to another stream.
    `counter` names a gap-free series: the command, which must have a field `number`, is decided
    with the next number of it, and that number is used up only by the commit that is written.

    Raises:
        Refused: the decider, or `IdempotencyKeyReused`, or `PreconditionFailed`.
        Stale: `ATTEMPTS` others came first, or `NUMBER_ATTEMPTS` to the number.
        Corrupt: the stream contradicts itself.
    """
    stream = f"{decider.category}-{id_}"
    commits = store.load(stream)
    state = fold(decider, commits)
    origin = command.origin
    overtaken = contended = 0
    while overtaken < ATTEMPTS and contended < NUMBER_ATTEMPTS:
        if (done := _already(commits, command)) is not None:
            return done
        number = _version(commits, command)
        take = Take(counter, store.shelf.counter(counter) + 1) if counter else None
        wish = command.model_copy(update={"number": take.number}) if take else command
        events = decider.decide(wish, state)
        if not events:
            return Done(stream, number)
        try:
            commit = store.append(
                stream, commits[-1] if commits else None, events, origin, take=take, claim=claim
            )
        except Lost as lost:
            overtaken += 1
            _count_conflict()
            fresh = verify([lost.winner], stream, commits[-1] if commits else None)
        except Claimed:
            # Had it written to this stream, its commit would have been found, or have stood in
            # the way: it wrote to another one.
            raise IdempotencyKeyReused(field="Idempotency-Key") from None
        except NumberTaken:
            contended += 1
            _count_conflict()
            _wait(contended)
            continue
        except Contended:
            contended += 1
            _count_conflict()
            _wait(contended)
            fresh = store.load(stream)[number:]
        else:
            return Done(stream, commit.number, commit)
        state = fold(decider, fresh, state)
        commits = [*commits, *fresh]
    raise Stale(stream)


def _count_conflict() -> None:
    """Somebody was faster: a metric in the log (CloudWatch EMF) that names nothing."""
    # Rare, so no cold start pays for it.
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit  # noqa: PLC0415

    metrics = EphemeralMetrics(namespace="LienThong/Commands", service="commands")
    metrics.add_metric("Conflicts", MetricUnit.Count, 1)
    metrics.flush_metrics()


def _wait(contended: int) -> None:
    """Let the others go first: who asks again at once meets the same ones again."""
    longest = min(NUMBER_WAIT_S, 0.01 * 2 ** min(contended, 10))
    sleep(random.uniform(0, longest))  # noqa: S311 -- spreading load, not a secret.


def check(
    store: EventStore, decider: Decider[C, S, E], id_: str, command: C, *, claim: bool = False
) -> bool:
    """Whether `command` would still have an effect; refuses as `handle` would, and writes nothing.

    For commands that need costly preparation (moving attachments) before they may be appended.
    """
    stream = f"{decider.category}-{id_}"
    commits = store.load(stream)
    if _already(commits, command) is not None:
        return False
    _version(commits, command)
    if not decider.decide(command, fold(decider, commits)):
        return False
    known = store.shelf.claim(command.origin.command_id) if claim else None
    if known and known.stream != stream:
        raise IdempotencyKeyReused(field="Idempotency-Key")
    return True


def _version(commits: list[Commit], command: Command) -> int:
    """The stream's version, which must be the one the caller saw if they named one."""
    number = commits[-1].number if commits else 0
    expected = command.origin.expected
    if expected is not None and expected != number:
        raise PreconditionFailed(f"the version is {number}, not {expected}", field="If-Match")
    return number


def _already(commits: list[Commit], command: Command) -> Done | None:
    for commit in commits:
        if commit.command == command.origin.command_id:
            if commit.digest != command.origin.digest:
                raise IdempotencyKeyReused(field="Idempotency-Key")
            return Done(commit.stream, commit.number, commit)
    return None
