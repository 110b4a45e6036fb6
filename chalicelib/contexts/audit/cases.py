"""A case across streams: what followed from what, as data and drawn."""

from collections.abc import Iterator, Mapping

from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.contexts.audit.cloudevents import RecordedAt
from chalicelib.contexts.audit.projections import what_belongs_to_a_case
from chalicelib.contexts.audit.projections.what_belongs_to_a_case import step_of
from chalicelib.eventstore.store import Place
from chalicelib.kernel import Method, NotFound

STEPS = 500
"""Commits of a case in one answer."""
GENERATIONS = 50
"""How deep a tree may be: few readers of JSON take more than some hundred levels."""
NOWHERE: Place = ("", 0)
"""The place of a cause that is no commit."""


class CaseUnknown(NotFound):
    """Nothing follows from anything under this correlation, or the view does not hold it yet."""

    code = "case-unknown"


class CaseStep(TypedDict):
    """One commit of a case: who did what, what it follows from ("" if nothing), what follows."""

    seen: str
    at: RecordedAt
    actor: str
    method: Method
    events: tuple[str, ...]
    causation: str
    position: int | None
    follows: list["CaseStep"]


class CaseTree(TypedDict):
    """What one request led to, across streams: as a tree, and the same drawn in lines of text.

    `next` is the cursor of the steps after these; true up to history position `as_of`. `stale`:
    what the caller has seen is not in it yet.
    """

    case: str
    tree: list[CaseStep]
    drawn: list[str]
    next: str | None
    as_of: int
    stale: bool


def case(correlation: str, cursor: str | None, version: str | None) -> CaseTree:
    """The commits of a case in order of their positions, each under the one it follows from.

    Raises:
        CaseUnknown: there are none.
        InvalidCursor, InvalidSeen: see `Views.page`.
    """
    found = runtime.views().page(
        what_belongs_to_a_case.answer, by=correlation, limit=STEPS, cursor=cursor, seen=version
    )
    if not found.items and cursor is None:
        raise CaseUnknown
    steps = {item["seen"]: item for item in found.items}
    # Whoever began the case bears its id as their own, and is found by what followed.
    causes = {_place(s["causation"]) for s in found.items if s["causation"] not in {"", *steps}}
    causes.discard(NOWHERE)
    for commit in runtime.event_store().commits(sorted(causes)).values():
        if commit.facts["correlation"] == correlation:
            steps[commit.seen] = step_of(commit).model_dump(mode="json")
    positions = runtime.history().positions([_place(seen) for seen in steps])
    placed: dict[str, CaseStep] = {
        seen: {
            "seen": seen,
            "at": step["at"],
            "actor": step["actor"],
            "method": step["method"],
            "events": step["events"],
            "causation": step["causation"],
            "position": positions.get(_place(seen)),
            "follows": [],
        }
        for seen, step in sorted(steps.items(), key=lambda item: positions.get(_place(item[0]), 0))
    }
    tree: list[CaseStep] = []
    for step in placed.values():
        beginning = _above(step, placed) % GENERATIONS == 0
        (tree if beginning else placed[step["causation"]]["follows"]).append(step)
    return {
        "case": correlation,
        "tree": tree,
        "drawn": [line for root in tree for line in _drawn(root)],
        "next": found.next,
        "as_of": found.as_of,
        "stale": found.stale,
    }


def _place(seen: str) -> Place:
    stream, _, number = seen.rpartition("@")
    return (stream, int(number)) if number.isdecimal() else NOWHERE


def _above(step: CaseStep, placed: Mapping[str, CaseStep]) -> int:
    """From how many steps of the case one follows; what it follows from may be another case's."""
    steps = 0
    while step["causation"] in placed:
        step = placed[step["causation"]]
        steps += 1
    return steps


def _drawn(step: CaseStep, branch: str = "", under: str = "") -> Iterator[str]:
    """A line for each step, in order, with the branches it hangs from."""
    yield f"{branch}{step['seen']}  {', '.join(step['events'])}  {step['at']}"
    for one in step["follows"]:
        last = one is step["follows"][-1]
        yield from _drawn(
            one, f"{under}{'└─ ' if last else '├─ '}", f"{under}{'   ' if last else '│  '}"
        )
