"""A procedure: published, amended, repealed. Its versions are kept for the dossiers under them."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import StringConstraints

from chalicelib.contexts.dossiers.domain.events import (
    Line,
    ProcedureAmended,
    ProcedureEvent,
    ProcedurePublished,
    ProcedureRepealed,
    ProcedureTerms,
)
from chalicelib.kernel import Command, Conflict, Decider, Invalid, NotFound, Value

Code = Annotated[str, StringConstraints(pattern=r"^[1-3]\.[0-9]{6}$")]
"""A procedure's national code (mã TTHC), as in 1.005129."""
WHOLE = 100
"""What the shares of the steps add up to, in percent."""
MAX_PARTS = 200
"""Components, fees, steps, forms: keeps a version readable, and an event small."""


class PublishProcedure(Command):
    """Let a procedure exist."""

    code: Code
    terms: ProcedureTerms


class AmendProcedure(Command):
    """Give a procedure another version, whole."""

    code: Code
    terms: ProcedureTerms


class RepealProcedure(Command):
    """End a procedure from `effective_on` on."""

    code: Code
    decision: Line
    effective_on: date


ProcedureCommand = PublishProcedure | AmendProcedure | RepealProcedure
"""Everything that can be asked of a procedure."""


class Procedure(Value):
    """Its versions, the first one first, and its repeal."""

    versions: tuple[ProcedureTerms, ...] = ()
    repealed: ProcedureRepealed | None = None

    @property
    def status(self) -> Literal["absent", "published", "repealed"]:
        """Where it stands. What is repealed may be so only from a later day on."""
        if not self.versions:
            return "absent"
        return "repealed" if self.repealed else "published"

    def number_on(self, day: date) -> int | None:
        """The number of the version in force on `day`, None if there is none."""
        if self.repealed and day >= self.repealed.effective_on:
            return None
        in_force = [n for n, v in enumerate(self.versions, start=1) if v.effective_on <= day]
        return in_force[-1] if in_force else None

    def ended_on(self, day: date) -> bool:
        """Whether it is repealed on `day`."""
        return self.repealed is not None and day >= self.repealed.effective_on


class ProcedureUnknown(NotFound):
    """No procedure was published under this code."""

    code = "procedure-unknown"
    rule = "Decree 63/2010/NĐ-CP (control of procedures)"


class ProcedureAlreadyPublished(Conflict):
    """This code already stands for a procedure; it can be amended."""

    code = "procedure-already-published"
    rule = "A procedure's code names one procedure"


class ProcedureWasRepealed(Conflict):
    """The procedure was repealed: it is neither changed nor offered, and nobody files for it."""

    code = "procedure-was-repealed"
    rule = "Decree 63/2010/NĐ-CP (control of procedures)"


class VersionsOutOfOrder(Conflict):
    """A version, or the repeal, takes effect no earlier than the version before it."""

    code = "versions-out-of-order"
    rule = "A dossier keeps the version in force at intake, so versions follow one another"


class TermsWrong(Invalid):
    """The procedure's parts do not fit together."""

    code = "terms-wrong"
    rule = (
        f"Codes occur once, shares of steps add up to {WHOLE}, at most {MAX_PARTS} parts of a kind"
    )


def decide(command: ProcedureCommand, state: Procedure) -> list[ProcedureEvent]:
    """The events `command` causes; none if it has already had its effect.

    Raises:
        TermsWrong, ProcedureAlreadyPublished: nothing is published.
        TermsWrong, ProcedureUnknown, ProcedureWasRepealed, VersionsOutOfOrder: nothing is amended.
        ProcedureUnknown, ProcedureWasRepealed, VersionsOutOfOrder: nothing is repealed.
    """
    match command:
        case PublishProcedure():
            return _publication(command, state)
        case AmendProcedure():
            return _amendment(command, state)
        case RepealProcedure():
            return _repeal(command, state)


def _publication(command: PublishProcedure, state: Procedure) -> list[ProcedureEvent]:
    if state.versions and state.versions[0] == command.terms:
        return []
    _check(command.terms)
    if state.versions:
        raise ProcedureAlreadyPublished(field="code")
    return [ProcedurePublished(code=command.code, terms=command.terms, at=command.at)]


def _amendment(command: AmendProcedure, state: Procedure) -> list[ProcedureEvent]:
    if not state.versions:
        raise ProcedureUnknown(field="code")
    if command.terms in state.versions:
        return []
    if state.repealed:
        raise ProcedureWasRepealed(field="code")
    _check(command.terms)
    if command.terms.effective_on < state.versions[-1].effective_on:
        raise VersionsOutOfOrder(field="terms/effective_on")
    number = len(state.versions) + 1
    return [ProcedureAmended(code=command.code, number=number, terms=command.terms, at=command.at)]


def _repeal(command: RepealProcedure, state: Procedure) -> list[ProcedureEvent]:
    if not state.versions:
        raise ProcedureUnknown(field="code")
    if state.repealed:
        if state.repealed.effective_on == command.effective_on:
            return []
        raise ProcedureWasRepealed(field="effective_on")
    if command.effective_on < state.versions[-1].effective_on:
        raise VersionsOutOfOrder(field="effective_on")
    return [
        ProcedureRepealed(
            code=command.code,
            decision=command.decision,
            effective_on=command.effective_on,
            at=command.at,
        )
    ]


def _check(terms: ProcedureTerms) -> None:
    parts = {
        "components": [component.code for component in terms.components],
        "fees": [fee.code for fee in terms.fees],
        "steps": [step.code for step in terms.steps],
    }
    for name, found in parts.items():
        codes = sorted(found)
        if twice := next((a for a, b in pairwise(codes) if a == b), None):
            raise TermsWrong(f"the code {twice} occurs twice", field=f"terms/{name}")
        if len(codes) > MAX_PARTS:
            raise TermsWrong(f"more than {MAX_PARTS} {name}", field=f"terms/{name}")
    for index, component in enumerate(terms.components):
        if not component.kinds:
            raise TermsWrong("no kind of it is taken", field=f"terms/components/{index}/kinds")
    shares = sum(step.share for step in terms.steps)
    if terms.steps and shares != WHOLE:
        raise TermsWrong(f"the shares add up to {shares}", field="terms/steps")


def evolve(state: Procedure, event: ProcedureEvent) -> Procedure:
    """The procedure after `event`."""
    match event:
        case ProcedurePublished() | ProcedureAmended():
            return state.model_copy(update={"versions": (*state.versions, event.terms)})
        case ProcedureRepealed():
            return state.model_copy(update={"repealed": event})


procedure = Decider("procedure", ProcedureEvent, Procedure(), decide, evolve)
