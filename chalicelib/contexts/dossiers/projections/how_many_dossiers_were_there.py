"""How many dossiers were there? Counts by agency, procedure, channel, level and month.

What happened counts in the month, in Hanoi, in which it happened: a dossier filed in May and done
in June is one filed in May and one processed in June. Each event says itself whether it counts; of
a dossier that another system keeps, the change of its state does. One that its system opens again
and ends again has ended once, when it first did.
"""

from collections.abc import Iterator
from typing import Any

from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    Channel,
    DossierAccepted,
    DossierEvent,
    DossierNotAccepted,
    DossierObligationRaised,
    DossierOverdue,
    DossierProcessed,
    DossierResultReturned,
    DossierStateAdopted,
    DossierStopped,
    DossierSubmitted,
    DossierSupplementRequested,
    DossierWithdrawalApproved,
    Level,
    Status,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection
from chalicelib.working_time import HANOI


class Counted(Value):
    """What happened in a month to the dossiers of one agency, procedure, channel and level.

    `level` is None where it is not known: of what another system keeps.
    `period` is the agency with the month (`Z01/2026-06`). `processed`, `withdrawn` and `stopped`
    are `on_time` or `late` where an appointment was given; `overdue` counts those that passed.
    """

    period: str
    agency: str
    month: str
    procedure: str
    channel: Channel
    level: Level | None
    filed: int = 0
    accepted: int = 0
    not_accepted: int = 0
    supplements: int = 0
    obligations: int = 0
    overdue: int = 0
    processed: int = 0
    withdrawn: int = 0
    stopped: int = 0
    returned: int = 0
    on_time: int = 0
    late: int = 0


_COUNTS: dict[type[DossierEvent], str] = {
    DossierSubmitted: "filed",
    DossierAccepted: "accepted",
    DossierNotAccepted: "not_accepted",
    DossierSupplementRequested: "supplements",
    DossierObligationRaised: "obligations",
    DossierOverdue: "overdue",
    DossierProcessed: "processed",
    DossierWithdrawalApproved: "withdrawn",
    DossierStopped: "stopped",
    DossierResultReturned: "returned",
}
_INTAKE: frozenset[Status] = frozenset(
    {"absent", "submitted", "intake_supplement", "intake_payment", "intake_withdrawal"}
)
_TAKEN_IN: frozenset[Status] = frozenset({"accepted", "processing", "processed", "returned"})
_DONE: frozenset[Status] = frozenset({"processed", "returned"})


def month_of(event: DossierEvent) -> str:
    """The month in Hanoi in which it happened (`2026-06`), whenever it was said."""
    match event:
        case DossierStateAdopted():
            at = event.state_at
        case DossierOverdue():
            at = event.due_at
        case _:
            at = event.at
    return f"{at.astimezone(HANOI):%Y-%m}"


def keys(event: DossierEvent) -> list[str]:
    """The count that the event adds to; none if it adds to none."""
    if not _added(event):
        return []
    level = event.level or "-"
    return [f"{event.agency}/{month_of(event)}/{event.procedure}/{event.channel}/{level}"]


def evolve(row: Counted | None, event: DossierEvent) -> Counted | None:
    """The count after `event`."""
    row = row or Counted(
        period=f"{event.agency}/{month_of(event)}",
        agency=event.agency,
        month=month_of(event),
        procedure=event.procedure,
        channel=event.channel,
        level=event.level,
    )
    return row.model_copy(update={name: getattr(row, name) + 1 for name in _added(event)})


def _added(event: DossierEvent) -> list[str]:
    if isinstance(event, DossierStateAdopted):
        names = list(_told(event))
    else:
        names = [name for kind, name in _COUNTS.items() if isinstance(event, kind)]
    ended = {"processed", "withdrawn", "stopped"} & set(names)
    again = getattr(event, "ended_before", False)
    on_time = getattr(event, "on_time", None) if ended and not again else None
    if on_time is not None:
        names.append("on_time" if on_time else "late")
    return names


def _told(event: DossierStateAdopted) -> Iterator[str]:
    """What has happened to a dossier kept elsewhere; its system may skip states."""
    before, after = event.before, event.status
    if before == "absent":
        yield "filed"
    if before in _INTAKE and after in _TAKEN_IN:
        yield "accepted"
    if after in _DONE and before not in _DONE and not event.ended_before:
        yield "processed"
    if after != before and after in {"not_accepted", "stopped", "returned"}:
        yield after


answer: Projection[Any] = Projection(
    Counted, AnyDossierEvent, evolve, by="period", sort="procedure", keys=keys
)
