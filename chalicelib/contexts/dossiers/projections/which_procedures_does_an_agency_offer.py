"""Which procedures does an agency offer? The same offers, by agency."""

from chalicelib.contexts.dossiers.domain.events import OfferEvent
from chalicelib.contexts.dossiers.projections import (
    which_agencies_offer_a_procedure as by_procedure,
)
from chalicelib.contexts.dossiers.projections.which_agencies_offer_a_procedure import Offered
from chalicelib.projector.projection import Projection


def evolve(row: Offered | None, event: OfferEvent) -> Offered | None:
    """The row after `event`."""
    return by_procedure.evolve(row, event)


answer = Projection(Offered, OfferEvent, evolve, by="agency", sort="procedure")
