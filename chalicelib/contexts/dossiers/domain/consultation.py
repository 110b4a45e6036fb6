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
    """The document `answer` of `answerer` answers this one.

    `in_place_of` are those asked whose place the answerer had taken by then.
    """

    document: str
    answerer: str
    answer: str
    in_place_of: tuple[str, ...] = ()


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
        case NoteAnswer() if opened is None:
            return []
        case NoteAnswer():
            said = {"document": command.document, "answer": command.answer, "at": command.at}
            waiting = {command.answerer, *command.in_place_of} - {*state.answered}
            return [
                ConsultationAnswered(dossier=opened.dossier, answerer=code, **said)
                for code in opened.asked
                if code in waiting
            ]


def evolve(state: Consultation, event: ConsultationEvent) -> Consultation:
    """The consultation after `event`."""
    match event:
        case ConsultationOpened():
            return state.model_copy(update={"opened": event})
        case ConsultationAnswered():
            return state.model_copy(update={"answered": (*state.answered, event.answerer)})


consultation = Decider("consultation", ConsultationEvent, Consultation(), decide, evolve)
