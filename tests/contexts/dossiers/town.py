"""A town's dossiers in simulated time: demo data of mixed fates, each seeded, through `handle`.

Streams and history are in memory; views are the projector's own, on moto. A dossier's life is
planned when it is filed; the schedule rings every four hours, unless it is switched off.
"""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count, pairwise

from axis import Axis
from contexts.dossiers.demo_dossiers import DOSSIER_CODE, MONDAY, TERMS, ask
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from shelves import moto_rack

from chalicelib.contexts.dossiers import reactions
from chalicelib.contexts.dossiers.domain.commands import (
    AcceptDossier,
    ApproveWithdrawal,
    CloseConsultation,
    CompleteDossier,
    ConsultAgencies,
    CorrectResult,
    DeclineWithdrawal,
    ExtendDeadline,
    ForwardStep,
    FulfilObligation,
    Limits,
    OfficerCommand,
    PauseDossier,
    RaiseObligation,
    ReceiveSupplement,
    RefuseDossier,
    RequestSupplement,
    RequestWithdrawal,
    ResumeDossier,
    ReturnResult,
    ReturnStep,
    StopDossier,
    SubmitDossier,
    Version,
    WithdrawResult,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.projections import (
    how_many_dossiers_were_there,
    which_dossiers_fall_due,
)
from chalicelib.correspondence import origin_of
from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.handle import fold, handle
from chalicelib.history.pages import MemoryHistory
from chalicelib.history.reader import Reader
from chalicelib.history.sequencer import Sequencer
from chalicelib.kernel import Refused
from chalicelib.projector.projection import event_types
from chalicelib.projector.runner import Projector
from chalicelib.projector.table import Views
from chalicelib.text import b64url
from chalicelib.working_time import HANOI, Calendar

AGENCIES = tuple(f"Z{n:02}" for n in range(1, 7))
PROCEDURES = tuple(f"1.{n:06}" for n in range(1, 6))
LEVELS = ("full", "partial", "information")
CHANNELS = ("online", "direct", "post")
FILED_DAYS = 20
"""Over how many days the dossiers are filed."""
RINGS = timedelta(hours=4)

_WORK = (AcceptDossier, ForwardStep)
_END = (ForwardStep, CompleteDossier, ReturnResult)
FATES = (
    (30, (*_WORK, *_END)),
    (4, (RefuseDossier,)),
    (6, (RequestSupplement, ReceiveSupplement, *_WORK, *_END)),
    (10, (*_WORK, RequestSupplement, ReceiveSupplement, *_END)),
    (4, (*_WORK, *(RequestSupplement, ReceiveSupplement) * 2, *_END)),
    (8, (*_WORK, RaiseObligation, FulfilObligation, *_END)),
    (6, (*_WORK, PauseDossier, ResumeDossier, *_END)),
    (6, (*_WORK, ConsultAgencies, CloseConsultation, *_END)),
    (5, (*_WORK, ReturnStep, ForwardStep, *_END)),
    (4, (*_WORK, ExtendDeadline, *_END)),
    (4, (*_WORK, RequestWithdrawal, ApproveWithdrawal)),
    (3, (RequestWithdrawal, ApproveWithdrawal)),
    (3, (*_WORK, RequestWithdrawal, DeclineWithdrawal, *_END)),
    (4, (*_WORK, StopDossier)),
    (4, (*_WORK, *_END, WithdrawResult, CorrectResult, ReturnResult)),
    (3, _WORK),
)
"""What can become of a filed dossier, and how often of a hundred or so."""


@dataclass(frozen=True)
class Plan:
    """What somebody will ask of a dossier, and when."""

    at: datetime
    kind: type
    changes: dict


def _seal(subject, where, plain):
    return b64url(AESGCM(bytes(32)).encrypt(bytes(12), plain, f"{subject}{where}".encode()))


def plans(number, chance):
    """The life of one demo dossier: who asks what when."""
    agency, procedure = chance.choice(AGENCIES), chance.choice(PROCEDURES)
    channel = chance.choices(CHANNELS, (6, 3, 1))[0]
    [fate] = chance.choices([f for _, f in FATES], [w for w, _ in FATES])
    # One in five is at a slow desk.
    slow = chance.random() < 0.2
    at = MONDAY + timedelta(seconds=chance.randrange(FILED_DAYS * 86_400))
    at_desk = {"agency": agency, "access": "desk"} if channel != "online" else {}
    filing = {
        "receiver": agency,
        "procedure": procedure,
        "channel": channel,
        "code": f"{DOSSIER_CODE}-{number}",
        "version": Version(
            number=1, terms=TERMS.model_copy(update={"level": chance.choice(LEVELS)})
        ),
    } | at_desk
    yield Plan(at, SubmitDossier, filing)
    for kind in fate:
        at += timedelta(seconds=chance.randrange(3_600, (72 if slow else 18) * 3_600))
        changes = {"agency": agency} if issubclass(kind, OfficerCommand) else {}
        yield Plan(at, kind, changes)


class Town:
    """All of it. With `off`, the schedule does not ring from the first to the second moment."""

    def __init__(self, views, dossiers, *, seed=1, off=None):
        self.store = EventStore(MemoryShelf(), "bench", _seal)
        self.history = MemoryHistory()
        self.sequencer = Sequencer(self.store, self.history)
        self.views = Views(views.model, views.checkpoints, self.history)
        self.refused = Counter()
        self.off = off
        self._keys = count()
        chance = random.Random(seed)  # noqa: S311 -- demo data.
        self._agenda = []
        order = count()
        for number in range(dossiers):
            life = list(plans(number, chance))
            heappush(self._agenda, (life[0].at, next(order), f"d{number}", life))
        self._order = order
        self._new = []
        self._states = {}

    def live(self):
        """Everything happens, until a month after the last act."""
        ring = MONDAY
        while self._agenda:
            at, _, id_, life = heappop(self._agenda)
            while ring <= at:
                self._schedule(ring)
                ring += RINGS
            self._act(id_, life[0])
            if life[1:]:
                heappush(self._agenda, (life[1].at, next(self._order), id_, life[1:]))
        # The schedule is on again by then, whatever happened to it.
        for _ in range(6):
            self._schedule(ring + timedelta(days=30))
        self._follow(how_many_dossiers_were_there.answer)

    def _act(self, id_, plan):
        state = self._states.get(id_, dossier.initial)
        changes = dict(plan.changes)
        if "agency" in changes and state.step:
            del changes["agency"]  # Whoever has the step acts.
        if plan.kind is ConsultAgencies:
            changes["asked"] = ("Z99",)
        command = ask(plan.kind, state, at=plan.at, dossier=id_, **changes)
        self._handle(id_, command)

    def _handle(self, id_, command):
        try:
            done = handle(self.store, dossier, id_, command)
        except Refused as refusal:
            self.refused[refusal.code] += 1
        else:
            if done.commit:
                self._new.append(done.commit.place)
                self._states[id_] = fold(dossier, [done.commit], self._states.get(id_))

    def _schedule(self, at):
        self.sequencer.number(self._new)
        self._new = []
        self._follow(which_dossiers_fall_due.answer)
        if self.off and self.off[0] <= at < self.off[1]:
            return
        for _, seen, row in list(self.views.due(which_dossiers_fall_due.answer, "due", at)):
            stream, _, number = seen.rpartition("@")
            place = stream, int(number)
            said_by = origin_of(self.store.commits([place])[place], "appointment")
            said_by = said_by.model_copy(update={"at": at})
            _, id_, command = reactions.fall_due(row, said_by, Calendar(), Limits())
            self._handle(id_, command)

    def _follow(self, question):
        Projector(self.views, Reader(self.store, self.history)).follow(question)

    def events(self):
        """Every stored event as plain data, by dossier, in order."""
        found = defaultdict(list)
        for stream, number in sorted(self.store.shelf.every_place()):
            found[stream] += self.store.shelf.items[stream, number].data()
        return found


def viewed(town):
    """What the view counts: by agency, procedure, channel, level and month."""
    found = {}
    for agency in AGENCIES:
        for month in ("2026-06", "2026-07", "2026-08", "2026-09"):
            page = partial(
                town.views.page,
                how_many_dossiers_were_there.answer,
                by=f"{agency}/{month}",
                limit=1_000,
            )
            cursor = None
            while True:
                listing = page(cursor=cursor)
                for row in listing.items:
                    place = (agency, row["procedure"], row["channel"], row["level"], month)
                    assert place not in found
                    found[place] = {n: v for n, v in row.items() if isinstance(v, int) and v}
                if (cursor := listing.next) is None:
                    break
    return found


_NAMES = {
    "submitted": "filed",
    "accepted": "accepted",
    "not_accepted": "not_accepted",
    "supplement_requested": "supplements",
    "obligation_raised": "obligations",
    "overdue": "overdue",
    "processed": "processed",
    "withdrawal_approved": "withdrawn",
    "stopped": "stopped",
    "result_returned": "returned",
}


def counted(events):
    """The same, made from the raw events by other means: whether it was on time is worked out."""
    found = defaultdict(Counter)
    for told in events.values():
        first, due_at, late = told[0], None, False
        for event in told:
            fact = event["type"].removeprefix("dossier.")
            late |= fact == "overdue" or event.get("counted_late", False)
            said = event["due_at"] if fact == "overdue" else event["at"]
            at = datetime.fromisoformat(said).astimezone(HANOI)
            place = (
                first["agency"],
                first["procedure"],
                first["channel"],
                first["terms"]["level"],
                f"{at.year}-{at.month:02}",
            )
            if fact in _NAMES:
                found[place][_NAMES[fact]] += 1
            if fact in {"processed", "withdrawal_approved", "stopped"} and due_at:
                found[place]["late" if late else "on_time"] += 1
            due_at = (event.get("clock") or {}).get("due_at", due_at)
    return {place: dict(counts) for place, counts in found.items()}


def check_lives(events):
    """Each dossier's history is of one piece: where an event leaves it, the next one finds it."""
    kinds = event_types(dossier.events)
    for told in events.values():
        assert told[0]["before"] == "absent"
        for one, other in pairwise(told):
            assert (one["status"], one["at"] <= other["at"]) == (other["before"], True)
        state = dossier.fold([kinds[e["type"]].model_validate(e) for e in told])
        assert state.status == told[-1]["status"]


def outcome(told):
    """How a dossier went, without what was said about its lateness and when."""
    notes = {"dossier.due_soon", "dossier.apology_drafted", "dossier.overdue"}
    acts = [
        (e["type"], e["at"], e["before"], e["status"], e.get("on_time"), e.get("clock"))
        for e in told
        if e["type"] not in notes
    ]
    return acts, sum(e["type"] == "dossier.overdue" for e in told)


def lived(dossiers, *, seed=1, off=None):
    """A town after all that happened."""
    with moto_rack() as rack:
        town = Town(Axis(rack).views, dossiers, seed=seed, off=off)
        town.live()
        return town, viewed(town)
