"""What a dossier is after all that happened to it: a fold over its events.

It has a stage, and beside it what holds it up: a supplement asked for, money owed, a pause,
opinions awaited, a wish to withdraw it. Its status is read from both.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from chalicelib.contexts.dossiers.domain.commands import AdoptState
from chalicelib.contexts.dossiers.domain.events import (
    NEW_APPOINTMENT,
    PORTAL,
    AnyDossierEvent,
    Channel,
    Clock,
    DossierAccepted,
    DossierApologyDrafted,
    DossierComponentReused,
    DossierConsultationAnswered,
    DossierConsultationClosed,
    DossierConsultationRequested,
    DossierDeadlineExtended,
    DossierDueSoon,
    DossierNotAccepted,
    DossierObligationFulfilled,
    DossierObligationRaised,
    DossierOverdue,
    DossierPaused,
    DossierProcessed,
    DossierProcessingStarted,
    DossierResultCorrected,
    DossierResultReturned,
    DossierResultWithdrawn,
    DossierResumed,
    DossierStateAdopted,
    DossierStepForwarded,
    DossierStepReassigned,
    DossierStepReturned,
    DossierStopped,
    DossierSubmitted,
    DossierSupplementReceived,
    DossierSupplementRequested,
    DossierSyncNoted,
    DossierWithdrawalApproved,
    DossierWithdrawalDeclined,
    DossierWithdrawalRequested,
    HandedIn,
    Level,
    Result,
    ReturnMeans,
    Status,
    Step,
    Terms,
)
from chalicelib.kernel import Value

UNDER_WAY = ("accepted", "processing")
"""The stages in which the clock may run."""
TAKEN_IN = frozenset({2, 4, 9, 10})
"""Portal states that only an accepted dossier has."""
DONE = frozenset({9, 10})
"""Portal states of a dossier whose results are there."""
OVER_ELSEWHERE = DONE | {3, 8}
"""Portal states in which the work of another system has ended."""
_ADOPTED: dict[int, tuple[Status, Status]] = {
    1: ("submitted", "submitted"),
    2: ("accepted", "accepted"),
    3: ("not_accepted", "not_accepted"),
    4: ("processing", "processing"),
    5: ("intake_supplement", "supplement"),
    6: ("intake_payment", "payment"),
    7: ("intake_withdrawal", "withdrawal"),
    8: ("stopped", "stopped"),
    9: ("processed", "processed"),
    10: ("returned", "returned"),
}
"""Our status for a portal state, before the dossier was accepted and after."""


Financial = Literal["none", "due", "settled"]
"""How it stands with the applicant's obligations."""
Delivery = Literal["none", "waiting", "desk", "post", "electronic"]
"""Whether the result waits, or how it reached the applicant."""
Sync = Literal["none", "behind", "current"]
"""Whether the national portal knows the present state."""
Withdrawal = Literal["none", "asked", "declined"]
"""The applicant's wish to have the dossier back, until it is granted."""
Decision = Literal["", "granted", "declined"]
"""Whether what was asked for was granted; empty until that is decided."""


class SupplementWanted(Value):
    """What the applicant was asked to hand in, and until when."""

    components: tuple[str, ...] = ()
    until: AwareDatetime | None = None


class Dossier(Value):
    """What must be remembered of a dossier.

    `stage` is how far it has come, without what holds it up. `elsewhere` is the last word of the
    system that keeps it, if that is not ours, `heard` the portal's states that it told of that
    moment. `consultations` names for each document the agencies whose answers are missing.
    `came_from` is who had the step before. `changed_at` is when the portal last had something to
    hear, `changed_due_at` the appointment that was said then. `last_at` is its last event.
    """

    stage: Literal[
        "absent",
        "submitted",
        "not_accepted",
        "accepted",
        "processing",
        "withdrawn",
        "stopped",
        "processed",
        "returned",
        "correcting",
    ] = "absent"
    elsewhere: DossierStateAdopted | None = None
    heard: frozenset[int] = frozenset()
    dossier: str = ""
    code: str = ""
    agency: str = ""
    subject: str = ""
    procedure: str = ""
    channel: Channel | None = None
    level: Level | None = None
    terms: Terms | None = None
    step: Step | None = None
    came_from: Step | None = None
    clock: Clock | None = None
    asked: SupplementWanted | None = None
    received: tuple[HandedIn, ...] | None = None
    supplements: int = 0
    owed: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    consultations: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    paused: bool = False
    withdrawal: Withdrawal = "none"
    extended_s: int = 0
    warned_for: AwareDatetime | None = None
    drafted_for: AwareDatetime | None = None
    overdue: bool = False
    counted_late: bool = False
    processed_at: AwareDatetime | None = None
    outcome: Decision = ""
    results: tuple[Result, ...] = ()
    corrected: bool = False
    returned_by: ReturnMeans | None = None
    taken_in: bool = False
    changed_at: AwareDatetime | None = None
    changed_due_at: AwareDatetime | None = None
    synced: DossierSyncNoted | None = None
    last_at: AwareDatetime | None = None

    @property
    def status(self) -> Status:
        """Where it stands, what holds it up included. A wish to withdraw goes before the rest."""
        if self.elsewhere:
            return _ADOPTED[self.elsewhere.portal][self.taken_in]
        if self.stage == "submitted":
            held: tuple[Status, Status, Status] = (
                "intake_withdrawal",
                "intake_supplement",
                "intake_payment",
            )
        elif self.stage in UNDER_WAY:
            held = ("withdrawal", "supplement", "payment")
        else:
            return self.stage
        if self.withdrawal == "asked":
            return held[0]
        if self.asked:
            return held[1]
        if self.owed:
            return held[2]
        if self.paused:
            return "paused"
        return "consulting" if any(self.consultations.values()) else self.stage

    @property
    def portal(self) -> int | None:
        """The portal's state (TrangThaiHoSo), None before it is filed."""
        return PORTAL.get(self.status)

    @property
    def stands_still(self) -> bool:
        """Whether something stops its clock."""
        return bool(self.asked or self.owed or self.paused)

    @property
    def financial(self) -> Financial:
        """How it stands with the applicant's obligations."""
        if self.owed:
            return "due"
        return "settled" if self.settled else "none"

    @property
    def delivery(self) -> Delivery:
        """Whether the result waits, or how it reached the applicant."""
        if self.status == "processed":
            return "waiting"
        return self.returned_by or "none"

    @property
    def sync(self) -> Sync:
        """Whether the national portal knows the present state."""
        if self.changed_at is None or self.elsewhere:
            return "none"
        # Two changes may fall into one second: the moment alone does not tell them apart.
        last = self.synced
        known = (
            last
            and last.state_at >= self.changed_at
            and last.portal == self.portal
            and last.due_at in {None, self.changed_due_at}
        )
        return "current" if known else "behind"


def evolve(state: Dossier, event: AnyDossierEvent) -> Dossier:
    """The dossier after `event`."""
    after = state.model_copy(update={**_changes(state, event), "last_at": event.at})
    if after.portal != state.portal or isinstance(event, NEW_APPOINTMENT):
        changed = {"changed_at": event.at, "changed_due_at": appointment(event)}
        return after.model_copy(update=changed)
    return after


def appointment(event: AnyDossierEvent) -> datetime | None:
    """The appointment that the event says, if it says one."""
    clock: Clock | None = getattr(event, "clock", None)
    return clock.due_at if clock else None


def end_told(said: AdoptState | DossierStateAdopted) -> datetime | None:
    """When the work of another system ended, by what it says; None if it has not.

    Rule: NgayKetThucXuLy, else the moment of 9, else that of 10 (NgayTra), else that of 8 or 3.
    """
    if said.portal not in OVER_ELSEWHERE:
        return None
    returned_at = said.returned_at if said.portal == PORTAL["returned"] else None
    return said.ended_at or returned_at or said.state_at


def _changes(state: Dossier, event: AnyDossierEvent) -> dict[str, Any]:  # noqa: PLR0911, PLR0912, C901 -- one row for each event.
    clock = getattr(event, "clock", None) or state.clock
    match event:
        case DossierSubmitted():
            names = (
                "dossier",
                "code",
                "agency",
                "subject",
                "procedure",
                "channel",
                "level",
                "terms",
            )
            return {"stage": "submitted", **{name: getattr(event, name) for name in names}}
        case DossierComponentReused():
            return {}
        case DossierAccepted():
            return {"stage": "accepted", "step": event.step, "clock": clock, "taken_in": True}
        case DossierNotAccepted():
            return {"stage": "not_accepted"}
        case DossierSupplementRequested():
            return {
                "asked": SupplementWanted(components=event.components, until=event.until),
                "received": None,
                "supplements": event.number,
                "counted_late": state.counted_late or event.counted_late,
                "clock": clock,
            }
        case DossierSupplementReceived():
            return {"asked": None, "received": event.components, "clock": clock}
        case DossierProcessingStarted():
            return {"stage": "processing"}
        case DossierStepForwarded() | DossierStepReturned():
            steps = {"step": event.step, "came_from": event.from_step}
            return {"stage": "processing", "clock": clock, **steps}
        case DossierStepReassigned():
            return {"step": event.step, "came_from": event.from_step}
        case DossierConsultationRequested():
            return {"consultations": {**state.consultations, event.document: event.asked}}
        case DossierConsultationAnswered():
            asked = state.consultations.get(event.document, ())
            missing = tuple(agency for agency in asked if agency != event.answerer)
            return {"consultations": {**state.consultations, event.document: missing}}
        case DossierConsultationClosed():
            return {"consultations": {**state.consultations, event.document: ()}}
        case DossierObligationRaised():
            return {"owed": (*state.owed, event.obligation), "clock": clock}
        case DossierObligationFulfilled():
            owed = tuple(each for each in state.owed if each != event.obligation)
            return {"owed": owed, "settled": (*state.settled, event.obligation), "clock": clock}
        case DossierPaused():
            return {"paused": True, "clock": clock}
        case DossierResumed():
            return {"paused": False, "clock": clock}
        case DossierDeadlineExtended():
            return {"extended_s": event.more_s, "clock": clock}
        case DossierDueSoon():
            return {"warned_for": event.due_at}
        case DossierApologyDrafted():
            return {"drafted_for": event.due_at}
        case DossierOverdue():
            return {"overdue": True}
        case DossierWithdrawalRequested():
            return {"withdrawal": "asked"}
        case DossierWithdrawalApproved():
            return {"stage": "withdrawn", "withdrawal": "none", "clock": clock}
        case DossierWithdrawalDeclined():
            return {"withdrawal": "declined"}
        case DossierStopped():
            return {"stage": "stopped", "clock": clock}
        case DossierProcessed():
            return {
                "stage": "processed",
                "outcome": event.outcome,
                "results": event.results,
                "processed_at": event.at,
                "step": None,
                "came_from": state.step,
                "clock": clock,
            }
        case DossierResultReturned():
            return {"stage": "returned", "returned_by": event.means}
        case DossierResultWithdrawn():
            return {"stage": "correcting", "returned_by": None}
        case DossierResultCorrected():
            return {"stage": "processed", "results": event.results, "corrected": True}
        case DossierStateAdopted():
            last = state.elsewhere
            heard = state.heard if last and last.state_at == event.state_at else frozenset()
            return {
                "elsewhere": event,
                "heard": heard | {event.portal},
                "dossier": event.dossier,
                "code": event.code,
                "agency": event.agency,
                "procedure": event.procedure,
                "channel": event.channel,
                "taken_in": state.taken_in or event.portal in TAKEN_IN,
                "processed_at": state.processed_at
                or (end_told(event) if event.portal in DONE else None),
            }
        case DossierSyncNoted():
            return {"synced": event}
