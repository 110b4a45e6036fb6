"""A person as somebody who can be forgotten: asked for, held up, approved, erased."""

from typing import Any, Literal

from chalicelib.contexts.audit.domain.events import (
    Reference,
    SubjectErased,
    SubjectErasureApproved,
    SubjectErasureRequested,
    SubjectEvent,
    SubjectHoldLifted,
    SubjectHoldSet,
)
from chalicelib.kernel import Command, Conflict, Decider, Forbidden, Value, same_person
from chalicelib.privacy.personal import Personal

_RULE = "Law 91/2025/QH15 on Personal Data Protection"


class OfSubject(Command):
    """A wish about a person; `by_agency` is the agency of who asks, "" for the person."""

    subject: str
    by_agency: str = ""


class RequestErasure(OfSubject):
    """Ask that a person's data be erased; the reason is about them and is erased with them."""

    reason: str


class ApproveErasure(OfSubject):
    """Agree, as a second person."""


class SetLegalHold(OfSubject):
    """Keep the data for a proceeding."""

    reference: Reference


class LiftLegalHold(OfSubject):
    """Let go of them."""

    reference: Reference


class NoteErased(OfSubject):
    """Write down that the key is gone, with the number of deleted versions of files."""

    files: int


AnySubjectCommand = RequestErasure | ApproveErasure | SetLegalHold | LiftLegalHold | NoteErased


Status = Literal["none", "requested", "approved", "erased"]
"""Where an erasure stands."""


class Subject(Value):
    """Where an erasure stands, who asked for it, what holds it up; how often a hold was lifted."""

    status: Status = "none"
    requested_by: str = ""
    holds: tuple[str, ...] = ()
    lifted: int = 0


class ErasureNotRequested(Conflict):
    """Nobody has asked for this erasure."""

    code, rule = "erasure-not-requested", _RULE


class SecondPersonNeeded(Forbidden):
    """Who asked for an erasure cannot approve it."""

    code, rule = "second-person-needed", "Two persons, as an erasure cannot be undone"


class HeldByLaw(Conflict):
    """A proceeding needs these data: nothing is erased until every hold is lifted."""

    code, rule = "held-by-law", _RULE


class HoldTooLate(Conflict):
    """The erasure is approved; what is being destroyed cannot be held."""

    code, rule = "hold-too-late", _RULE


def decide(command: AnySubjectCommand, state: Subject) -> list[SubjectEvent]:
    """What follows from a wish; what has already come true is silent.

    Raises:
        ErasureNotRequested, SecondPersonNeeded, HeldByLaw: approving.
        HoldTooLate: holding what is already approved.
    """
    said: dict[str, Any] = {
        "subject": command.subject,
        "by_agency": command.by_agency,
        "at": command.at,
    }
    match command:
        case RequestErasure() if state.status in {"none", "erased"}:
            reason = Personal[str](subject=command.subject, value=command.reason)
            return [SubjectErasureRequested(**said, by=command.origin.actor, reason=reason)]
        case RequestErasure():
            return []
        case ApproveErasure() if state.status in {"approved", "erased"}:
            return []
        case ApproveErasure():
            _check_approval(command, state)
            return [SubjectErasureApproved(**said)]
        case SetLegalHold() if command.reference in state.holds:
            return []
        case SetLegalHold() if state.status == "approved":
            raise HoldTooLate
        case SetLegalHold():
            return [SubjectHoldSet(**said, reference=command.reference)]
        case LiftLegalHold() if command.reference in state.holds:
            return [SubjectHoldLifted(**said, reference=command.reference)]
        case LiftLegalHold():
            return []
        case NoteErased() if state.status == "approved":
            return [SubjectErased(subject=command.subject, files=command.files, at=command.at)]
        case NoteErased():
            return []


def _check_approval(command: ApproveErasure, state: Subject) -> None:
    if state.status != "requested":
        raise ErasureNotRequested
    if same_person(state.requested_by, command.origin.actor):
        raise SecondPersonNeeded
    if state.holds:
        raise HeldByLaw


def evolve(state: Subject, event: SubjectEvent) -> Subject:
    """The state after `event`."""
    match event:
        case SubjectErasureRequested():
            return state.model_copy(update={"status": "requested", "requested_by": event.by})
        case SubjectErasureApproved():
            return state.model_copy(update={"status": "approved"})
        case SubjectHoldSet():
            return state.model_copy(update={"holds": (*state.holds, event.reference)})
        case SubjectHoldLifted():
            left = tuple(one for one in state.holds if one != event.reference)
            return state.model_copy(update={"holds": left, "lifted": state.lifted + 1})
        case SubjectErased():
            return state.model_copy(update={"status": "erased", "requested_by": ""})


subject = Decider("subject", SubjectEvent, Subject(), decide, evolve)
