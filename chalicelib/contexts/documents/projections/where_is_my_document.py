"""Where is my document: which receiver has reported what, and when?"""

from pydantic import AwareDatetime

from chalicelib.contexts.documents.domain.events import (
    AnyCopyEvent,
    CopyArrived,
    CopyChangeAgreed,
    CopyChangeOrdered,
    CopyChangeRefused,
    CopyOpened,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Step(Value):
    """A status that was reported, with the reporting agency's note.

    `change` names an order: one that was given (without a code), or that the status answers.
    """

    code: str
    note: str = ""
    change: str = ""
    at: AwareDatetime


class Whereabouts(Value):
    """One receiver's copy and every status it went through. `change`: the order that waits."""

    document: str
    receiver: str
    sender: str
    status: str = ""
    change: str = ""
    steps: tuple[Step, ...] = ()


def evolve(row: Whereabouts | None, event: AnyCopyEvent) -> Whereabouts | None:
    """The row after an event of the copy."""
    if isinstance(event, CopyOpened):
        return Whereabouts(document=event.document, receiver=event.receiver, sender=event.sender)
    if row is None:
        return None
    if isinstance(event, CopyChangeOrdered):
        step = Step(code="", note=event.note, change=event.change, at=event.at)
        return row.model_copy(update={"change": event.change, "steps": (*row.steps, step)})
    if isinstance(event, CopyChangeAgreed | CopyChangeRefused):
        step = Step(code=event.code, note=event.note, change=event.change, at=event.at)
        # Whether another edition is taken says nothing of how far the work on it is.
        status = row.status if event.change == "amendment" else event.code
        answered = {"status": status, "change": "", "steps": (*row.steps, step)}
        return row.model_copy(update=answered)
    step = Step(code=event.code, note=event.note, at=event.at)
    # Asked back on its way: that the copy then arrived is a step, but does not end the asking.
    late = isinstance(event, CopyArrived) and row.status
    status = row.status if late else event.code
    return row.model_copy(update={"status": status, "steps": (*row.steps, step)})


answer = Projection(Whereabouts, AnyCopyEvent, evolve, by="document", sort="receiver")
