"""Which copies wait to be received, and until when?"""

from typing import Literal

from pydantic import AwareDatetime

from chalicelib.contexts.documents.domain.copy import GIVEN_BACK
from chalicelib.contexts.documents.domain.events import (
    AnyCopyEvent,
    CopyArrived,
    CopyAssigned,
    CopyChangeAgreed,
    CopyChangeOrdered,
    CopyChangeRefused,
    CopyCompleted,
    CopyProcessingStarted,
    CopyRecallAgreed,
    CopyRecallRefused,
    CopyRecallRequested,
    CopyReceived,
    CopyReceptionOverdue,
    CopyReceptionRefused,
    has_acted,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Awaited(Value):
    """A copy that is to be received by `due_at`, or that is asked back (perhaps on its way).

    It is `listed` while its clock runs.
    """

    document: str
    receiver: str
    due_at: AwareDatetime | None = None
    asked_back: bool = False
    listed: Literal["due"] | None = None


def evolve(row: Awaited | None, event: AnyCopyEvent) -> Awaited | None:
    """The row after an event of the copy; none once its receiver acted or is said to be late."""
    if has_acted(event) or isinstance(event, CopyReceptionOverdue):
        return None
    due_at, asked_back = (row.due_at, row.asked_back) if row else (None, False)
    match event:
        case CopyArrived():
            due_at = event.due_at
        case CopyRecallRequested():
            asked_back = True
        case CopyRecallRefused():
            asked_back = False
        case CopyChangeOrdered() if event.change in GIVEN_BACK:
            asked_back = True
        case CopyChangeRefused() if event.change in GIVEN_BACK:
            asked_back = False
    if due_at is None and not asked_back:
        return None
    return Awaited(
        document=event.document,
        receiver=event.receiver,
        due_at=due_at,
        asked_back=asked_back,
        listed=None if due_at is None or asked_back else "due",
    )


Events = (
    CopyArrived
    | CopyReceptionOverdue
    | CopyReceptionRefused
    | CopyReceived
    | CopyAssigned
    | CopyProcessingStarted
    | CopyCompleted
    | CopyRecallRequested
    | CopyRecallAgreed
    | CopyRecallRefused
    | CopyChangeOrdered
    | CopyChangeAgreed
    | CopyChangeRefused
)
answer = Projection(Awaited, Events, evolve, by="listed", sort="due_at")
