"""Which erasures are approved and not yet carried out?"""

from pydantic import AwareDatetime

from chalicelib.contexts.audit.domain.events import (
    SubjectErased,
    SubjectErasureApproved,
    SubjectEvent,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class DueErasure(Value):
    """A person whose key is to be destroyed, since when."""

    waits: str
    subject: str
    at: AwareDatetime


def evolve(row: DueErasure | None, event: SubjectEvent) -> DueErasure | None:
    """Due from the approval until it is done."""
    match event:
        case SubjectErasureApproved():
            return DueErasure(waits="due", subject=event.subject, at=event.at)
        case SubjectErased():
            return None
        case _:
            return row


answer = Projection(DueErasure, SubjectEvent, evolve, by="waits", sort="at")
