"""A case across streams: what followed from what, as data and drawn."""

from collections import defaultdict
from typing import Any

from chalicelib import runtime
from chalicelib.contexts.audit.projections import what_belongs_to_a_case
from chalicelib.contexts.audit.projections.what_belongs_to_a_case import step_of
from chalicelib.eventstore.store import Place
from chalicelib.kernel import NotFound

STEPS = 500
"""Commits of a case in one answer."""
NOWHERE: Place = ("", 0)
"""The place of a cause that is no commit."""


class CaseUnknown(NotFound):
    """Nothing follows from anything under this correlation, or the view does not hold it yet."""

    code = "case-unknown"


def case(correlation: str, cursor: str | None, version: str | None) -> dict[str, Any]:
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
    follows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for seen, step in sorted(steps.items(), key=lambda item: positions.get(_place(item[0]), 0)):
        said = {name: step[name] for name in ("seen", "at", "actor", "method", "events")}
        # What it follows from may be another case's.
        cause = step["causation"] if step["causation"] in steps else ""
        said |= {"causation": step["causation"], "position": positions.get(_place(seen))}
        follows[cause].append(said)
    roots = follows.pop("", [])
    return {
        "case": correlation,
        "tree": [_grown(root, follows) for root in roots],
        "drawn": [line for root in roots for line in _drawn(root, "", "")],
        "next": found.next,
        "as_of": found.as_of,
        "stale": found.stale,
    }


def _place(seen: str) -> Place:
    stream, _, number = seen.rpartition("@")
    return (stream, int(number)) if number.isdecimal() else NOWHERE


def _grown(root: dict[str, Any], follows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """A step with all that follows from it; however deep, without recursion."""
    todo = [root]
    while todo:
        step = todo.pop()
        step["follows"] = follows.pop(step["seen"], [])
        todo += step["follows"]
    return root


def _drawn(root: dict[str, Any], first: str, rest: str) -> list[str]:
    """A line for each step, in order, with the branches it hangs from."""
    lines, todo = [], [(root, first, rest)]
    while todo:
        step, mine, under = todo.pop()
        lines.append(f"{mine}{step['seen']}  {', '.join(step['events'])}  {step['at']}")
        last = len(step["follows"]) - 1
        branches = [
            (
                one,
                f"{under}{'└─ ' if n == last else '├─ '}",
                f"{under}{'   ' if n == last else '│  '}",
            )
            for n, one in enumerate(step["follows"])
        ]
        todo += reversed(branches)
    return lines
