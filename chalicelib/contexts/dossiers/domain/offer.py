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


class Offer(Value):
    """From when the offer stands, until when (None: open), and whether through the portal too."""

    since: date | None = None
    until: date | None = None
    portal: bool = False

    def stands_on(self, day: date) -> bool:
        """Whether dossiers are taken on `day`."""
        if self.since is None or day < self.since:
            return False
        return self.until is None or day < self.until


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
    if state.since and not state.until and state.portal == command.portal:
        return []
    if command.repealed:
        raise ProcedureWasRepealed(field="procedure")
    if not command.published:
        raise ProcedureUnknown(field="procedure")
    if state.until and command.effective_on < state.until:
        raise OfferOutOfOrder(field="effective_on")
    said = command.model_dump(include={"procedure", "agency", "effective_on", "portal"})
    return [OfferMade(at=command.at, **said)]


def _end(command: CeaseOffering, state: Offer) -> list[OfferEvent]:
    if state.since is None:
        raise OfferUnknown(field="procedure")
    if state.until:
        return []
    if command.effective_on < state.since:
        raise OfferOutOfOrder(field="effective_on")
    said = command.model_dump(include={"procedure", "agency", "effective_on"})
    return [OfferEnded(at=command.at, **said)]


def evolve(state: Offer, event: OfferEvent) -> Offer:
    """The offer after `event`."""
    match event:
        case OfferMade():
            # Made again while it stands, it only changes its ways.
            stands = state.since is not None and state.until is None
            since = state.since if stands else event.effective_on
            return Offer(since=since, portal=event.portal)
        case OfferEnded():
            return state.model_copy(update={"until": event.effective_on})


offer = Decider("offer", OfferEvent, Offer(), decide, evolve)
