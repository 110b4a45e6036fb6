"""How is an agency reached? The address of the system that takes its documents."""

from chalicelib.contexts.agencies.domain.events import (
    DOCUMENTS,
    AgencyEvent,
    AgencySystemKeysRotated,
    AgencySystemLocked,
    AgencySystemRegistered,
    AgencySystemUnlocked,
)
from chalicelib.delivery.address import Address, Window
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
                windows=_kept(row, event),
                locks=row.locks if row else (),
            )
        case AgencySystemKeysRotated() if row:
            return _rotated(row, event)
        case AgencySystemLocked() if row:
            return row.model_copy(update={"locks": (*row.locks, event.system)})
        case AgencySystemUnlocked() if row:
            locks = tuple(system for system in row.locks if system != event.system)
            return row.model_copy(update={"locks": locks})
        case _:
            return row


def _kept(row: Address | None, event: AgencySystemRegistered) -> dict[str, dict[str, Window]]:
    """Registering a system again leaves the times of the keys that stay."""
    before = row.windows if row else {}
    own = before.get(event.system, {})
    stays = {event.system: {key: own[key] for key in event.public_keys if key in own}}
    return {system: windows for system, windows in (before | stays).items() if windows}


def _rotated(row: Address, event: AgencySystemKeysRotated) -> Address:
    windows = {
        each.key: Window(not_before=each.not_before, not_after=each.not_after)
        for each in event.keys
    }
    after = row.model_copy(update={"windows": row.windows | {event.system: windows}})
    if event.system != row.system:
        return after  # The mailbox keeps its keys; this one may become it again.
    return after.model_copy(update={"public_keys": (*windows,)})


answer = Projection(Address, AgencyEvent, evolve, by="listed", sort="agency")
