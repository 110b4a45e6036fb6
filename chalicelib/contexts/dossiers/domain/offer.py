"""One agency's offer of one procedure: whether its one-stop shop takes dossiers for it.

A stream of its own for each of them: thousands of communes offer the same procedure.
"""

from datetime import date

from chalicelib.contexts.dossiers.domain.events import OfferEnded, OfferEvent, OfferMade
from chalicelib.contexts.dossiers.domain.procedure import (
    Code,
    ProcedureUnknown,
    ProcedureWasRepealed,
)
from chalicelib.kernel import Command, Conflict, Decider, NotFound, Value


class OfferProcedure(Command):
    """Take dossiers for a procedure from `effective_on` on.

    `published` and `repealed` say what was found of the procedure on that day.
    """

    procedure: Code
    agency: str
    effective_on: date
    portal: bool = True
    published: bool
    repealed: bool = False


class CeaseOffering(Command):
    """Take no more dossiers for a procedure from `effective_on` on."""

    procedure: Code
    agency: str
    effective_on: date


OfferCommand = OfferProcedure | CeaseOffering
"""Everything that can be asked of an offer."""


class Period(Value):
    """From when an offer stands, until when (None: open), and whether through the portal too."""

    since: date
    until: date | None = None
    portal: bool

    def covers(self, day: date) -> bool:
        """Whether dossiers are taken on `day`."""
        return self.since <= day and (self.until is None or day < self.until)


class Offer(Value):
    """When the offer stands: its periods, first to last. Only the last may be open."""

    periods: tuple[Period, ...] = ()

    @property
    def last(self) -> Period | None:
        """The last of its periods."""
        return self.periods[-1] if self.periods else None

    def stands_on(self, day: date, *, online: bool = False) -> bool:
        """Whether dossiers are taken on `day`, and `online` too if that is asked."""
        found = next((period for period in self.periods if period.covers(day)), None)
        return found is not None and (found.portal or not online)


class OfferUnknown(NotFound):
    """The agency does not offer this procedure."""

    code = "offer-unknown"
    rule = "Decree 118/2025/NĐ-CP (one-stop shop)"


class OfferOutOfOrder(Conflict):
    """An offer ends no earlier than it began, and begins again no earlier than it ended."""

    code = "offer-out-of-order"
    rule = "Decree 118/2025/NĐ-CP (one-stop shop)"


def offer_id(procedure: str, agency: str) -> str:
    """The id of an agency's offer, as the portal codes it: `1.010708.H56`."""
    return f"{procedure}.{agency}"


def decide(command: OfferCommand, state: Offer) -> list[OfferEvent]:
    """The events `command` causes; none if it has already had its effect.

    Raises:
        ProcedureUnknown, ProcedureWasRepealed, OfferOutOfOrder: nothing is offered.
        OfferUnknown, OfferOutOfOrder: the offer does not end.
    """
    match command:
        case OfferProcedure():
            return _offer(command, state)
        case CeaseOffering():
            return _end(command, state)


def _offer(command: OfferProcedure, state: Offer) -> list[OfferEvent]:
    last = state.last
    if last and not last.until and last.portal == command.portal:
        return []
    if command.repealed:
        raise ProcedureWasRepealed(field="procedure")
    if not command.published:
        raise ProcedureUnknown(field="procedure")
    if last and last.until and command.effective_on < last.until:
        raise OfferOutOfOrder(field="effective_on")
    said = command.model_dump(include={"procedure", "agency", "effective_on", "portal"})
    return [OfferMade(at=command.at, **said)]


def _end(command: CeaseOffering, state: Offer) -> list[OfferEvent]:
    if state.last is None:
        raise OfferUnknown(field="procedure")
    if state.last.until:
        return []
    if command.effective_on < state.last.since:
        raise OfferOutOfOrder(field="effective_on")
    said = command.model_dump(include={"procedure", "agency", "effective_on"})
    return [OfferEnded(at=command.at, **said)]


def evolve(state: Offer, event: OfferEvent) -> Offer:
    """The offer after `event`."""
    return Offer(periods=periods_after(state.periods, event))


def periods_after(periods: tuple[Period, ...], event: OfferEvent) -> tuple[Period, ...]:
    """The periods of an offer after `event`: an end that is still to come stays announced."""
    last = periods[-1] if periods else None
    match event:
        case OfferMade() if last and last.until is None:
            # Made again while it stands, it only changes its ways.
            return (*periods[:-1], last.model_copy(update={"portal": event.portal}))
        case OfferMade():
            return (*periods, Period(since=event.effective_on, portal=event.portal))
        case OfferEnded():
            ended = last or Period(since=event.effective_on, portal=False)
            return (*periods[:-1], ended.model_copy(update={"until": event.effective_on}))


offer = Decider("offer", OfferEvent, Offer(), decide, evolve)
