"""Which agencies offer a procedure? Each agency whose one-stop shop takes dossiers for it."""

from chalicelib.contexts.dossiers.domain.events import OfferEvent
from chalicelib.contexts.dossiers.domain.offer import Period, periods_after
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection
from chalicelib.working_time import HANOI


class Offered(Value):
    """An agency's offer of a procedure: the periods in which it stands or will, first to last."""

    procedure: str
    agency: str
    periods: tuple[Period, ...]


def evolve(row: Offered | None, event: OfferEvent) -> Offered | None:
    """The row after `event`; an offer that is over by then is none."""
    today = event.at.astimezone(HANOI).date()
    left = tuple(
        period
        for period in periods_after(row.periods if row else (), event)
        if period.until is None or max(period.since, today) < period.until
    )
    if not left:
        return None
    return Offered(procedure=event.procedure, agency=event.agency, periods=left)


answer = Projection(Offered, OfferEvent, evolve, by="procedure", sort="agency")
