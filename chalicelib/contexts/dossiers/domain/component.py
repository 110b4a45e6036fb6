"""A person's paper, digitised once by an agency and used again in their later dossiers."""

from datetime import date

from pydantic import Field

from chalicelib.contexts.dossiers.domain.events import (
    ComponentDigitised,
    ComponentEvent,
    ComponentReused,
    ComponentWithdrawn,
    FileRef,
    Line,
    Name,
)
from chalicelib.kernel import Command, Conflict, Decider, Forbidden, NotFound, Value
from chalicelib.privacy.personal import Personal


class DigitiseComponent(Command):
    """Keep the digitised paper `component`, of the kind `code`, for its owner `subject`."""

    component: str
    code: Name
    subject: str
    agency: str
    dossier: str = ""
    file: FileRef
    expires_on: date | None = None


class NoteReuse(Command):
    """It stands in another dossier."""

    dossier: str


class WithdrawComponent(Command):
    """Have it used no more: by its owner (`subject`), or the `agency` that digitised it."""

    subject: str = ""
    agency: str = ""
    reason: Line = Field(repr=False)


ComponentCommand = DigitiseComponent | NoteReuse | WithdrawComponent
"""Everything that can be asked of a digitised paper."""


class Component(Value):
    """The paper, the dossiers it was used in, and whether it may still be."""

    digitised: ComponentDigitised | None = None
    reused: tuple[str, ...] = ()
    withdrawn: bool = False

    def usable_on(self, day: date) -> bool:
        """Whether it proves anything on `day`."""
        if self.digitised is None or self.withdrawn:
            return False
        return self.digitised.expires_on is None or day < self.digitised.expires_on


class ComponentNotKept(NotFound):
    """There is no such digitised paper."""

    code = "component-not-kept"
    rule = "Decision 468/QĐ-TTg of 2021: papers are digitised once and reused"


class ComponentIdTaken(Conflict):
    """This id already stands for another paper."""

    code = "component-id-taken"
    rule = "A digitised paper never changes; another one has another id"


class NotYourComponent(Forbidden):
    """Only its owner, or the agency that digitised it, takes a paper out of use."""

    code = "not-your-component"
    rule = "Law 91/2025/QH15 on the Protection of Personal Data: consent can be withdrawn"


def decide(command: ComponentCommand, state: Component) -> list[ComponentEvent]:
    """The events `command` causes; none if it has already had its effect.

    Raises:
        ComponentIdTaken: another paper is kept under this id.
        ComponentNotKept, NotYourComponent: it is not taken out of use.
    """
    match command:
        case DigitiseComponent():
            return _digitised(command, state)
        case NoteReuse():
            return _reuse(command, state)
        case WithdrawComponent():
            return _withdrawal(command, state)


def _digitised(command: DigitiseComponent, state: Component) -> list[ComponentEvent]:
    event = ComponentDigitised(at=command.at, **command.model_dump(exclude={"origin"}))
    if state.digitised is None:
        return [event]
    if state.digitised.model_copy(update={"at": event.at}) == event:
        return []
    raise ComponentIdTaken(field="component")


def _reuse(command: NoteReuse, state: Component) -> list[ComponentEvent]:
    if state.digitised is None or command.dossier in state.reused:
        return []
    component = state.digitised.component
    return [ComponentReused(component=component, dossier=command.dossier, at=command.at)]


def _withdrawal(command: WithdrawComponent, state: Component) -> list[ComponentEvent]:
    kept = state.digitised
    if kept is None:
        raise ComponentNotKept(field="component")
    if kept.subject != command.subject and kept.agency != command.agency:
        raise NotYourComponent(field="component")
    if state.withdrawn:
        return []
    reason = Personal[str](subject=kept.subject, value=command.reason)
    return [ComponentWithdrawn(component=kept.component, reason=reason, at=command.at)]


def evolve(state: Component, event: ComponentEvent) -> Component:
    """The paper after `event`."""
    match event:
        case ComponentDigitised():
            return state.model_copy(update={"digitised": event})
        case ComponentReused():
            return state.model_copy(update={"reused": (*state.reused, event.dossier)})
        case ComponentWithdrawn():
            return state.model_copy(update={"withdrawn": True})


component = Decider("component", ComponentEvent, Component(), decide, evolve)
