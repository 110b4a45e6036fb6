"""Which agencies offer a procedure? Each agency whose one-stop shop takes dossiers for it."""

from datetime import date

from chalicelib.contexts.dossiers.domain.events import OfferEnded, OfferEvent, OfferMade
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection
from chalicelib.working_time import HANOI


class Offered(Value):
    """An agency's offer of a procedure: from when, until when (None: open), `portal` online too."""

    procedure: str
    agency: str
    since: date
    until: date | None = None
    portal: bool


def evolve(row: Offered | None, event: OfferEvent) -> Offered | None:
    """The row after `event`; an offer that is over by then is none."""
    match event:
        case OfferMade():
            stands = row is not None and row.until is None
            return Offered(
                procedure=event.procedure,
                agency=event.agency,
                # Made again while it stands, it only changes its ways.
                since=row.since if row and stands else event.effective_on,
                portal=event.portal,
            )
        case OfferEnded() if row and event.effective_on > event.at.astimezone(HANOI).date():
            return row.model_copy(update={"until": event.effective_on})
        case _:
            return None


answer = Projection(Offered, OfferEvent, evolve, by="procedure", sort="agency")
