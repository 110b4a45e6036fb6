"""What views take from a dossier's events, one after the other. Pure."""

from chalicelib.contexts.dossiers.domain.events import (
    Clock,
    DossierAccepted,
    DossierEvent,
    DossierOverdue,
    DossierProcessed,
    DossierStateAdopted,
    DossierStepForwarded,
    DossierStepReassigned,
    DossierStepReturned,
    DossierSubmitted,
    Status,
    Step,
)

ENDED: frozenset[Status] = frozenset(
    {"not_accepted", "withdrawn", "stopped", "processed", "returned", "correcting"}
)
"""Where the work that is measured has ended: what comes later ends it no second time."""
WITH_APPLICANT: frozenset[Status] = frozenset(
    {"intake_supplement", "intake_payment", "supplement", "payment"}
)
"""Where a dossier waits for its applicant."""
OVER: frozenset[Status] = frozenset({"not_accepted", "withdrawn", "stopped", "returned"})
"""Where nobody has anything to do any more."""


def clock_after(clock: Clock | None, event: DossierEvent) -> Clock | None:
    """The dossier's clock after the event; one that says nothing of it leaves it as it was."""
    found: Clock | None = getattr(event, "clock", None)
    return found or clock


def step_after(step: Step | None, event: DossierEvent) -> Step | None:
    """Who has the dossier after the event."""
    match event:
        case (
            DossierAccepted()
            | DossierStepForwarded()
            | DossierStepReturned()
            | DossierStepReassigned()
        ):
            return event.step
        case DossierProcessed():
            return None
        case _:
            return step


def named(event: DossierEvent, name: str) -> str:
    """What the procedure is called, once an event has said it."""
    match event:
        case DossierSubmitted():
            return event.terms.name
        case DossierStateAdopted():
            return event.procedure_name or name
        case _:
            return name


def subject_of(event: DossierEvent, subject: str) -> str:
    """Whose the dossier is, once an event has said it: an opaque identifier."""
    match event:
        case DossierSubmitted():
            return event.subject
        case DossierStateAdopted():
            personal = event.applicant or event.contact or event.summary
            return personal.subject if personal else subject
        case _:
            return subject


def late_said(event: DossierEvent, *, late: bool) -> bool:
    """Whether the dossier is known to be late, or counts as such, after the event."""
    return late or isinstance(event, DossierOverdue) or bool(getattr(event, "counted_late", False))
