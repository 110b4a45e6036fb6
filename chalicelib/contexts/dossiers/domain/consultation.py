"""A document that asks other agencies about a dossier: which dossier waits for its answers.

Every document that answers another one is asked about here; almost all concern no dossier, and
then nothing happens.
"""

from chalicelib.contexts.dossiers.domain.events import (
    ConsultationAnswered,
    ConsultationEvent,
    ConsultationOpened,
)
from chalicelib.kernel import Command, Decider, Value


class OpenConsultation(Command):
    """The dossier `dossier` of `agency` waits for the answers to this document."""

    document: str
    dossier: str
    agency: str
    asked: tuple[str, ...]


class NoteAnswer(Command):
    """The document `answer` of `answerer` answers this one."""

    document: str
    answerer: str
    answer: str


ConsultationCommand = OpenConsultation | NoteAnswer
"""Everything that can be asked of a consultation."""


class Consultation(Value):
    """What waits for whom, and who has answered."""

    opened: ConsultationOpened | None = None
    answered: tuple[str, ...] = ()


def decide(command: ConsultationCommand, state: Consultation) -> list[ConsultationEvent]:
    """The events `command` causes; none if it has had its effect, or concerns no dossier."""
    opened = state.opened
    match command:
        case OpenConsultation() if opened is None:
            said = command.model_dump(exclude={"origin"})
            return [ConsultationOpened(at=command.at, **said)]
        case OpenConsultation():
            return []
        case NoteAnswer() if opened is None or command.answerer not in opened.asked:
            return []
        case NoteAnswer() if command.answerer in state.answered:
            return []
        case NoteAnswer():
            said = command.model_dump(exclude={"origin"})
            return [ConsultationAnswered(dossier=opened.dossier, at=command.at, **said)]


def evolve(state: Consultation, event: ConsultationEvent) -> Consultation:
    """The consultation after `event`."""
    match event:
        case ConsultationOpened():
            return state.model_copy(update={"opened": event})
        case ConsultationAnswered():
            return state.model_copy(update={"answered": (*state.answered, event.answerer)})


consultation = Decider("consultation", ConsultationEvent, Consultation(), decide, evolve)
