"""Where is my document: which receiver has reported what, and when?"""

from pydantic import AwareDatetime

from chalicelib.contexts.documents.domain.events import AnyCopyEvent, CopyArrived, CopyOpened
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Step(Value):
    """A status that was reported, with the reporting agency's note."""

    code: str
    note: str = ""
    at: AwareDatetime


class Whereabouts(Value):
    """One receiver's copy and every status it went through."""

    document: str
    receiver: str
    sender: str
    status: str = ""
    steps: tuple[Step, ...] = ()


def evolve(row: Whereabouts | None, event: AnyCopyEvent) -> Whereabouts | None:
    """The row after an event of the copy."""
    if isinstance(event, CopyOpened):
        return Whereabouts(document=event.document, receiver=event.receiver, sender=event.sender)
    step = Step(code=event.code, note=event.note, at=event.at)
    if row is None:
        return None
    # Asked back on its way: that the copy then arrived is a step, but does not end the asking.
    late = isinstance(event, CopyArrived) and row.status
    status = row.status if late else event.code
    return row.model_copy(update={"status": status, "steps": (*row.steps, step)})


answer = Projection(Whereabouts, AnyCopyEvent, evolve, by="document", sort="receiver")
