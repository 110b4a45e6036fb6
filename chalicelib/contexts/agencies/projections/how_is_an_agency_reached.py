"""How is an agency reached? The address of the system that takes its documents."""

from chalicelib.contexts.agencies.domain.events import (
    DOCUMENTS,
    AgencyEvent,
    AgencySystemKeysRotated,
    AgencySystemLocked,
    AgencySystemRegistered,
    AgencySystemUnlocked,
)
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
                locks=row.locks if row else (),
            )
        case AgencySystemKeysRotated() if row and event.system == row.system:
            # When each is good, who_takes_part knows; this is who the agency says it is.
            keys = tuple(window.key for window in event.keys)
            return row.model_copy(update={"public_keys": keys})
        case AgencySystemLocked() if row:
            return row.model_copy(update={"locks": (*row.locks, event.system)})
        case AgencySystemUnlocked() if row:
            locks = tuple(system for system in row.locks if system != event.system)
            return row.model_copy(update={"locks": locks})
        case _:
            return row


answer = Projection(Address, AgencyEvent, evolve, by="listed", sort="agency")
