"""What every event of a dossier says: of which dossier, when, who acted, how long it took."""

from datetime import datetime
from typing import Any, TypeVar

from chalicelib.contexts.dossiers.domain import clock as clocks
from chalicelib.contexts.dossiers.domain.commands import (
    DossierCommand,
)
from chalicelib.contexts.dossiers.domain.events import DossierEvent
from chalicelib.contexts.dossiers.domain.state import Dossier

E = TypeVar("E", bound=DossierEvent)


def now(command: DossierCommand, state: Dossier) -> datetime:
    """The moment of the command in whole seconds, never before what happened last."""
    at = command.at.replace(microsecond=0)
    return max(at, state.last_at) if state.last_at else at


def act(kind: type[E], command: DossierCommand, state: Dossier, **fields: Any) -> E:
    """An event of this kind, caused by `command`, with what all of them say."""
    at = now(command, state)
    common = {
        "dossier": command.dossier,
        "code": state.code,
        "agency": state.agency,
        "procedure": state.procedure,
        "channel": state.channel,
        "level": state.level,
        "by": command.origin.actor,
        "by_agency": getattr(command, "agency", ""),
        "by_unit": getattr(command, "unit", ""),
        "at": at,
    }
    if state.last_at and not state.elsewhere:
        common["worked_s"] = clocks.worked(command.calendar, state.last_at, at)
    return kind(**{**common, **fields})


def said(command: DossierCommand) -> dict[str, Any]:
    """What the command says by itself, without what all of them bring."""
    own = type(command).model_fields.keys() - DossierCommand.model_fields.keys()
    return {name: getattr(command, name) for name in own}
