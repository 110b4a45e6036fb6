"""A reorganisation: many agencies changed by one decision, rehearsed first, then ordered whole."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from chalicelib.agency_code import CanonicalCode, canonical
from chalicelib.contexts.agencies.domain.agency import (
    Agency,
    AgencyCommand,
    AgencyEnded,
    DissolveAgency,
    Find,
    FirstDay,
    HierarchyLoops,
    Line,
    MergeAgency,
    MoveAgency,
    Note,
    ParentUnknown,
    RegisterAgency,
    RenameAgency,
    agency,
    ancestors_of,
    heirs_of,
)
from chalicelib.contexts.agencies.domain.events import Act, ReorganisationOrdered, Step
from chalicelib.kernel import Command, Conflict, Decider, Origin, Refused, Value

MAX_STEPS = 200
"""One worker's run carries them all out, one stream after the other."""


class WantedStep(Value):
    """One change to one agency, as it is asked for; which fields it needs depends on `act`."""

    act: Act
    code: CanonicalCode
    name: Line | None = None
    name_english: Annotated[str, StringConstraints(max_length=300)] = ""
    parent: CanonicalCode | None = None
    successor: CanonicalCode | None = None
    note: Note = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.act in {"register", "rename"} and self.name is None:
            raise ValueError("a name is needed")
        if self.act == "merge" and self.successor is None:
            raise ValueError("a successor is needed")
        return self


class OrderReorganisation(Command):
    """Have every step carried out, in order; `conflicts` are what the rehearsal found."""

    reorganisation: str
    effective_on: FirstDay
    source: Line
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=MAX_STEPS)]
    conflicts: tuple[str, ...] = ()


class Reorganisation(Value):
    """What was ordered, if anything was."""

    ordered: ReorganisationOrdered | None = None


class RehearsedStep(Value):
    """What would come of a step: `change`, nothing as it is `so` already, or a `conflict`.

    A conflict has the public code of its refusal and a sentence. `step` counts from 1.
    """

    step: int
    act: Act
    code: str
    outcome: Literal["change", "so", "conflict"]
    problem: str | None = None
    detail: str = ""


class ReorganisationInConflict(Conflict):
    """A step of the reorganisation cannot be carried out; none of it was ordered."""

    code = "reorganisation-in-conflict"
    rule = "A reorganisation is ordered whole or not at all"


def decide(command: OrderReorganisation, state: Reorganisation) -> list[ReorganisationOrdered]:
    """The order, once: its id is made of the command's own, so the same id is the same wish.

    Raises:
        ReorganisationInConflict: the rehearsal found something that cannot be.
    """
    if state.ordered:
        return []
    if command.conflicts:
        raise ReorganisationInConflict("; ".join(command.conflicts[:10]))
    return [
        ReorganisationOrdered(
            reorganisation=command.reorganisation,
            effective_on=command.effective_on,
            source=command.source,
            steps=command.steps,
        )
    ]


def evolve(_state: Reorganisation, event: ReorganisationOrdered) -> Reorganisation:
    """The reorganisation after `event`."""
    return Reorganisation(ordered=event)


def command_of(order: ReorganisationOrdered, number: int, origin: Origin) -> AgencyCommand:
    """The command of step `number` (from 1): of one id, however often it is carried out."""
    step = order.steps[number - 1]
    own = origin.model_copy(update={"command_id": step_id(order, number), "expected": None})
    said = {"origin": own, "code": step.code, "source": order.source, "note": step.note}
    dated = {**said, "effective_on": order.effective_on}
    names = {"name": step.name, "name_english": step.name_english}
    match step.act:
        case "register":
            begins = {"valid_from": order.effective_on, "parent": step.parent}
            return RegisterAgency.model_validate({**said, **names, **begins})
        case "rename":
            return RenameAgency.model_validate({**dated, **names})
        case "move":
            return MoveAgency.model_validate(
                {**dated, "parent": step.parent, "ancestors": step.line}
            )
        case "merge":
            return MergeAgency.model_validate(
                {**dated, "successor": step.successor, "heirs": step.line}
            )
        case "dissolve":
            return DissolveAgency.model_validate(dated)


def step_id(order: ReorganisationOrdered, number: int) -> str:
    """The command id of a step: it tells whether the step was carried out."""
    digest = sha256(f"{order.reorganisation}#{number}".encode()).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def rehearse(
    order: ReorganisationOrdered,
    origin: Origin,
    find: Find,
    units: Callable[[str], Iterable[str]],
) -> tuple[ReorganisationOrdered, list[RehearsedStep]]:
    """Carry every step out on paper, one after the other; the order with its lines, and a report.

    `find` gives an agency as it stands, `units` the codes directly under one. The line of a move
    (the new parent and those above it) and of a merger (the successor and its own) is as it will
    stand when the step's turn comes. Whoever would be left under an agency that ends is a conflict.
    """
    paper: dict[str, Agency] = {}

    def now(code: str) -> Agency:
        if code not in paper:
            paper[code] = find(code)
        return paper[code]

    report, steps = [], []
    for number, step in enumerate(order.steps, start=1):
        line = {
            "move": lambda step=step: ancestors_of(step.parent, now),
            "merge": lambda step=step: heirs_of(step.successor, now),
        }.get(step.act, tuple)()
        steps.append(step.model_copy(update={"line": line}))
        ready = order.model_copy(update={"steps": (*steps, *order.steps[number:])})
        command = command_of(ready, number, origin)
        match command:
            case MoveAgency(parent=str(parent)):
                ended = now(parent).ended is not None
                command = command.model_copy(update={"parent_ended": ended})
            case MergeAgency() if line:
                dissolved = now(line[-1]).ended == "dissolved"
                command = command.model_copy(update={"heir_dissolved": dissolved})
        about = {"step": number, "act": step.act, "code": step.code}
        try:
            _stands(command, now)
            events = agency.decide(command, now(step.code))
        except Refused as refusal:
            why = {"problem": refusal.code, "detail": str(refusal)}
            report.append(RehearsedStep.model_validate({**about, "outcome": "conflict", **why}))
            continue
        paper[step.code] = agency.fold(events, now(step.code))
        outcome = "change" if events else "so"
        report.append(RehearsedStep.model_validate({**about, "outcome": outcome}))
    report += _left_behind(report, paper, now, units)
    return order.model_copy(update={"steps": tuple(steps)}), report


def _stands(command: AgencyCommand, now: Find) -> None:
    """An agency that is entered by a reorganisation stands under one that lives, or at the top."""
    if not isinstance(command, RegisterAgency) or command.parent is None:
        return
    line = ancestors_of(command.parent, now)
    if canonical(command.code) in (command.parent, *line):
        raise HierarchyLoops(field="/parent")
    if not line:
        raise ParentUnknown(field="/parent")
    if now(command.parent).ended:
        raise AgencyEnded("The agency it should belong to has ended", field="/parent")


def _left_behind(
    report: list[RehearsedStep],
    paper: dict[str, Agency],
    now: Find,
    units: Callable[[str], Iterable[str]],
) -> Iterator[RehearsedStep]:
    for done in list(report):
        if done.act not in {"merge", "dissolve"} or done.outcome == "conflict":
            continue
        on_paper = [code for code, state in paper.items() if state.parent == done.code]
        known = dict.fromkeys([*units(done.code), *on_paper])
        left = [c for c in known if now(c).parent == done.code and now(c).ended is None]
        if left:
            why = {"problem": "units-left-behind", "detail": ", ".join(left[:50])}
            yield done.model_copy(update={"outcome": "conflict", **why})


reorganisation = Decider("reorganisation", ReorganisationOrdered, Reorganisation(), decide, evolve)
