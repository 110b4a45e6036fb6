"""How is an agency reached? The address of the system that takes its documents."""

from chalicelib.contexts.agencies.domain.agency import DOCUMENTS
from chalicelib.contexts.agencies.domain.events import AgencyEvent, AgencySystemRegistered
from chalicelib.delivery.address import Address
from chalicelib.projector.projection import Projection


def evolve(row: Address | None, event: AgencyEvent) -> Address | None:
    """The row after `event`: the system for documents that was registered last."""
    match event:
        case AgencySystemRegistered(kind=kind) if kind == DOCUMENTS:
            return Address(
                agency=event.code,
                system=event.system,
                endpoint=event.endpoint,
                profile=event.profile,
                public_keys=event.public_keys,
                signature=event.signature,
                secret=event.secret,
            )
        case _:
            return row


answer = Projection(Address, AgencyEvent, evolve, by="listed", sort="agency")
