"""Which tax enquiries wait? Those the register is to be asked about again, by when."""

from typing import Any, Literal

from pydantic import AwareDatetime

from chalicelib.contexts.payments.domain.events import (
    TaxEnquiryAsked,
    TaxEnquiryEvents,
    TaxEnquiryUnavailable,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Waiting(Value):
    """An enquiry to which the register has not answered."""

    enquiry: str
    ask_at: AwareDatetime
    listed: Literal["due"] = "due"


def evolve(_row: Waiting | None, event: TaxEnquiryEvents) -> Waiting | None:
    """The row after `event`; none once the register has said something, or is asked no more."""
    if isinstance(event, TaxEnquiryAsked | TaxEnquiryUnavailable) and event.ask_at:
        return Waiting(enquiry=event.enquiry, ask_at=event.ask_at)
    return None


answer: Projection[Any] = Projection(Waiting, TaxEnquiryEvents, evolve, by="listed", sort="ask_at")
