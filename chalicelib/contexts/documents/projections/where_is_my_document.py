"""Where is my document: which receiver has reported what, and when?"""

from pydantic import AwareDatetime

from chalicelib.contexts.documents.domain.events import (
    AnyCopyEvent,
    CopyArrived,
    CopyChangeAgreed,
    CopyChangeOrdered,
    CopyChangeRefused,
    CopyDeliveryRefused,
    CopyOpened,
    CopyReceptionOverdue,
    CopyReceptionRefused,
    CopyResent,
    Undelivered,
    has_acted,
    has_arrived,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class CopyStep(Value):
    """A status that was reported, with the reporting agency's note.

    `change` names an order: one that was given (without a code), or that the status answers. A
    step with `undelivered` is none of the receiver's: `note` is why its system would not take it.
    `resent` is the edition that was sent again.
    """

    code: str
    note: str = ""
    change: str = ""
    undelivered: str = ""
    resent: int | None = None
    due_at: AwareDatetime | None = None
    at: AwareDatetime


class SendError(Value):
    """What the receiver's system would not take, and why (`422 type-unknown`, `abandoned`)."""

    undelivered: Undelivered
    reason: str


class Whereabouts(Value):
    """One receiver's copy and every status it went through. `change`: the order that waits.

    `send_error` stands until what could not be delivered is seen to have arrived after all. A copy
    is `overdue` from when the time to receive it, until `due_at`, has passed until it is acted on.
    """

    document: str
    receiver: str
    sender: str
    status: str = ""
    change: str = ""
    send_error: SendError | None = None
    due_at: AwareDatetime | None = None
    overdue: bool = False
    steps: tuple[CopyStep, ...] = ()


def evolve(row: Whereabouts | None, event: AnyCopyEvent) -> Whereabouts | None:
    """The row after an event of the copy."""
    if row and row.send_error and has_arrived(row.send_error.undelivered, event):
        row = row.model_copy(update={"send_error": None})
    if row and has_acted(event):
        row = row.model_copy(update={"overdue": False})
    if isinstance(event, CopyOpened):
        return Whereabouts(document=event.document, receiver=event.receiver, sender=event.sender)
    if row is None:
        return None
    if isinstance(event, CopyResent):
        again = CopyStep(code="", resent=event.edition, at=event.at)
        anew = {"status": "", "due_at": None, "steps": (*row.steps, again)}
        return row.model_copy(update=anew)
    if isinstance(event, CopyReceptionRefused):
        row = row.model_copy(update={"change": ""})
    if isinstance(event, CopyArrived):
        row = row.model_copy(update={"due_at": event.due_at})
    if isinstance(event, CopyReceptionOverdue):
        missed = CopyStep(code="", due_at=event.due_at, at=event.at)
        return row.model_copy(update={"overdue": True, "steps": (*row.steps, missed)})
    if isinstance(event, CopyDeliveryRefused):
        error = SendError(undelivered=event.undelivered, reason=event.reason)
        failed = CopyStep(code="", note=event.reason, undelivered=event.undelivered, at=event.at)
        return row.model_copy(update={"send_error": error, "steps": (*row.steps, failed)})
    if isinstance(event, CopyChangeOrdered):
        step = CopyStep(code="", note=event.note, change=event.change, at=event.at)
        return row.model_copy(update={"change": event.change, "steps": (*row.steps, step)})
    if isinstance(event, CopyChangeAgreed | CopyChangeRefused):
        step = CopyStep(code=event.code, note=event.note, change=event.change, at=event.at)
        # Whether another edition is taken says nothing of how far the work on it is.
        status = row.status if event.change == "amendment" else event.code
        answered = {"status": status, "change": "", "steps": (*row.steps, step)}
        return row.model_copy(update=answered)
    step = CopyStep(code=event.code, note=event.note, at=event.at)
    # Asked back on its way: that the copy then arrived is a step, but does not end the asking.
    late = isinstance(event, CopyArrived) and row.status
    status = row.status if late else event.code
    return row.model_copy(update={"status": status, "steps": (*row.steps, step)})


answer = Projection(Whereabouts, AnyCopyEvent, evolve, by="document", sort="receiver")
