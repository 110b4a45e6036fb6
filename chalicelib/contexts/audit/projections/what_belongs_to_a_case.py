"""Which commits belong to a case, in whatever streams they stand?

A commit that bears its own command's id as correlation has a row only through those that follow
from it: most commits stand alone, and cost nothing here.
"""

from collections.abc import Iterable
from functools import cached_property

from pydantic import AwareDatetime

from chalicelib.eventstore.store import Commit
from chalicelib.kernel import Event, Value
from chalicelib.projector.projection import Projection


class Step(Value):
    """One commit of a case: where, by whom, what it follows from (`stream@number`, "" if none)."""

    case: str
    seen: str
    at: AwareDatetime
    actor: str
    method: str
    causation: str
    events: tuple[str, ...]


class OfEveryCommit(Projection[Step]):
    """Reads the commits themselves: a row for each that belongs to another's case."""

    @cached_property
    def types(self) -> dict[str, type[Event]]:
        """No event in particular: the header says it all."""
        return {}

    def wants(self, stream: str) -> bool:
        """Every stream but the log of reads, which nothing follows from."""
        return not stream.startswith("access-")

    def read(self, commit: Commit) -> Iterable[tuple[str, Step]]:
        """The commit as a step of its case."""
        facts = commit.facts
        if facts["correlation"] not in {"", facts["command"]}:
            yield commit.seen, step_of(commit)


def step_of(commit: Commit) -> Step:
    """A commit as a step of its case."""
    facts = commit.facts
    return Step(
        case=facts["correlation"],
        seen=commit.seen,
        at=commit.recorded_at,
        actor=facts["actor"],
        method=facts["method"],
        causation=facts["causation"],
        events=tuple(one.partition("/")[0] for one in facts["events"]),
    )


def evolve(_row: Step | None, step: Step) -> Step:
    """The step as it was: a commit never changes."""
    return step


answer = OfEveryCommit(Step, (), evolve, by="case", sort="at")
