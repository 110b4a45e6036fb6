"""A program and the one before it, rolled forward and back over one store.

The newer one knows a type of event more, and a field more of another. What the older one meets of
that it passes over or leaves, loudly; once the newer one is back, nothing is missing.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from random import Random
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args
from unittest import mock

import boto3
import pytest
from ballot import (
    BallotClosed,
    BallotEvent,
    BallotNotOpen,
    BallotOpened,
    CastVotes,
    CloseBallot,
    OpenBallot,
    VoteCast,
    ballot,
    origin,
)
from deployed import on_moto
from pydantic import Field, ValidationError, create_model

from chalicelib import registry, runtime, workers
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.notices import notify
from chalicelib.correspondence import Correspondence
from chalicelib.delivery.outbox import FOLLOWER, Notice, Routing
from chalicelib.handle import handle
from chalicelib.kernel import Command, Decider, Event, Value
from chalicelib.projector.aside import NEWER
from chalicelib.projector.checkpoints import NOTIFY
from chalicelib.projector.projection import Projection, event_types

AWAKE = SimpleNamespace(get_remaining_time_in_millis=lambda: 600_000)
BY_SCHEDULE = {"Records": [{"body": '{"ring": "schedule"}'}]}
DAY = date(2026, 1, 5)
LANE = "Z01#normal"  # Demo data: no such agency.


class OpenedSomewhere(BallotOpened):
    """The newer program says where as well."""

    version: ClassVar[int] = 2
    place: str = ""


class Postponed(Event):
    """Only the newer program knows that this can happen."""

    type: Literal["ballot.postponed"] = "ballot.postponed"
    until: date


class PostponeBallot(Command):
    """Postpone it, however often."""


NewerEvent = Annotated[
    OpenedSomewhere | VoteCast | BallotClosed | Postponed, Field(discriminator="type")
]


def decide(command, state):
    match command:
        case PostponeBallot():
            return [Postponed(until=DAY)]
        case OpenBallot() if state.status == "absent":
            return [OpenedSomewhere(title=command.title, place="Z01")]
        case _:
            return ballot.decide(command, state)


def evolve(state, event):
    return state if isinstance(event, Postponed) else ballot.evolve(state, event)


class Box(Value):
    """A ballot as the older program lists it."""

    everywhere: Literal["all"] = "all"
    title: str = ""
    votes: int = 0


class NewerBox(Box):
    """The same as the newer one does."""

    place: str = ""
    until: date | None = None


def box(kind):
    def fold(row, event):
        row = row or kind()
        match event:
            case OpenedSomewhere():
                return row.model_copy(update={"title": event.title, "place": event.place})
            case BallotOpened():
                return row.model_copy(update={"title": event.title})
            case VoteCast():
                return row.model_copy(update={"votes": row.votes + 1})
            case Postponed():
                return row.model_copy(update={"until": event.until})
            case BallotClosed():
                return None

    fold.__module__ = "boxes"  # A question is named as the module of its fold.
    return fold


class Tally(Value):
    """How often somebody has voted: both programs ask that alike."""

    everywhere: Literal["all"] = "all"
    votes: int


def count(row, event):
    return Tally(votes=(row.votes if row else 0) + 1)


count.__module__ = "tally"
tally = Projection(Tally, VoteCast, count, "everywhere", "votes", keys=lambda e: [e.voter])


class Program(NamedTuple):
    """What one release makes of ballots."""

    decider: Decider[Any, Any, Any]
    boxes: Projection[Any]
    noted: Any
    told: Any

    def install(self, monkeypatch):
        """From now on it is this one that runs."""
        types = frozenset(event_types(self.decider.events))
        noting = registry.Reaction("note-in-diary", event_types(self.noted), into_diary)
        telling = Correspondence(event_types(self.told), self.routing, None, None, None)
        monkeypatch.setattr(registry, "EVENTS", KNOWN | types)
        monkeypatch.setattr(registry, "PROJECTIONS", [self.boxes, tally])
        monkeypatch.setattr(registry, "REACTIONS", [noting])
        monkeypatch.setattr(registry, "DEADLINES", [])
        monkeypatch.setattr(registry, "CORRESPONDENCE", [telling])

    @property
    def routing(self):
        return Routing(self.told, lambda stream, _event: [Notice(agency="Z01", case=stream)])


def into_diary(_event, asked):
    yield ballot, "diary", CastVotes(origin=asked, voters=(asked.causation,))


KNOWN, PROJECTIONS = registry.EVENTS, registry.PROJECTIONS
SAY_FORMS = """
import json
from chalicelib import registry
print(json.dumps({one.name: one.form for one in registry.PROJECTIONS}))
"""
OLDER = Program(
    ballot,
    Projection(Box, BallotEvent, box(Box), by="everywhere", sort="votes"),
    BallotClosed,
    VoteCast,
)
NEWER_ONE = Program(
    replace(ballot, events=NewerEvent, decide=decide, evolve=evolve),
    Projection(NewerBox, NewerEvent, box(NewerBox), by="everywhere", sort="votes"),
    BallotClosed | Postponed,
    VoteCast | Postponed,
)


class Store:
    """One store, and the program that runs over it."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch
        self.asked = 0
        self.roll(OLDER)

    def roll(self, program):
        """Deploy a program: its processes are new ones."""
        self.program = program
        program.install(self.monkeypatch)
        runtime.views()._signed.clear()

    def ask(self, kind, id_, **fields):
        """A command, and what it wrote numbered."""
        self.asked += 1
        wish = kind(origin=origin(f"{self.asked}"), **fields)
        done = handle(runtime.event_store(), self.program.decider, id_, wish)
        runtime.sequencer().sweep()
        return done

    def work(self):
        """Every worker's turn, as the schedule gives it."""
        workers.project(BY_SCHEDULE, AWAKE)
        workers.react(BY_SCHEDULE, AWAKE)
        runtime.sequencer().sweep()

    def commits(self):
        """All of history, in order."""
        places = [e.place for page in runtime.history().pages(0) for e in page.entries]
        found = runtime.event_store().commits(places)
        return [found[place] for place in places]

    def rows(self, projection):
        return {
            item["id"]: projection.stored(runtime.views().model.get(key).data)
            for key, item in self._keys(projection)
        }

    def _keys(self, projection):
        live = runtime.views().generations(projection).live
        page = runtime.views().page(projection, by="all", limit=200)
        return [(f"{projection.name}~{live}#{item['id']}", item) for item in page.items]

    def check(self):
        """Every view is a clean fold, every message stands in its place, each reaction once."""
        commits = self.commits()
        for projection in registry.PROJECTIONS:
            rows = {}
            for commit in commits:
                for key, event in projection.read(commit):
                    rows[key] = projection.evolve(rows.get(key), event)
            clean = {key: row for key, row in rows.items() if row is not None}
            assert self.rows(projection) == clean, projection.name
        head = runtime.outbox().head(LANE)
        lane = [runtime.outbox().message(LANE, n) for n in range(1, head + 1)]
        assert [(m.stream, m.commit, m.index) for m in lane] == [
            (commit.stream, commit.number, index)
            for commit in commits
            for index, _, _ in self.program.routing.notices(commit)
        ]
        noted = [c.seen for c in commits if event_types(self.program.noted).keys() & c.types]
        diary = [e["voter"] for c in commits if c.stream == "ballot-diary" for e in c.data()]
        assert sorted(diary) == sorted(noted)
        assert list(runtime.aside().streams()) == []


@pytest.fixture
def store(monkeypatch):
    with on_moto():
        urls = {
            f"{name.upper()}_QUEUE_URL": boto3.client("sqs").create_queue(
                QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"}
            )["QueueUrl"]
            for name in ("react", "deliver")
        }
        with mock.patch.dict(os.environ, urls):
            yield Store(monkeypatch)


def test_what_the_older_program_does_not_know_waits_for_the_newer_one(store, caplog):
    store.ask(OpenBallot, "1", title="One")
    store.work()
    store.roll(NEWER_ONE)
    store.work()
    store.ask(OpenBallot, "2", title="Two")
    store.ask(PostponeBallot, "1")
    store.roll(OLDER)
    store.ask(CastVotes, "2", voters=("a",))
    store.ask(CloseBallot, "2")
    store.work()

    # What it knows of goes on: the stream with a field more too.
    assert store.rows(OLDER.boxes) == {"ballot-1": Box(title="One")}
    assert store.rows(tally)["a"] == Tally(votes=1)
    # What it does not know it decides nothing about.
    with pytest.raises(ValidationError):
        store.ask(CastVotes, "1", voters=("b",))
    # Nobody is told past it, nothing that should follow is forgotten, and it is said loudly.
    assert runtime.checkpoints().get(FOLLOWER) == 2
    assert runtime.outbox().head(LANE) == 0
    [[parked]] = runtime.aside().streams()
    assert (parked.stream, parked.commit, parked.error) == ("ballot-1", 2, NEWER)
    assert {"view stalled", "reaction parked"} <= {said.message for said in caplog.records}

    store.roll(NEWER_ONE)
    store.work()
    store.work()

    store.check()
    assert store.rows(NEWER_ONE.boxes)["ballot-1"] == NewerBox(title="One", until=DAY)
    # What both ask alike was not filled anew.
    assert runtime.views().generations(tally).fed == [1]


def test_a_field_that_was_passed_over_is_made_good(store):
    store.roll(NEWER_ONE)
    store.ask(OpenBallot, "1", title="One")
    store.roll(OLDER)
    store.work()
    assert store.rows(OLDER.boxes) == {"ballot-1": Box(title="One")}
    store.work()
    assert runtime.views().generations(OLDER.boxes).fed == [1]

    store.roll(NEWER_ONE)
    for _ in range(3):
        store.work()

    store.check()
    assert store.rows(NEWER_ONE.boxes) == {"ballot-1": NewerBox(title="One", place="Z01")}
    assert runtime.views().generations(NEWER_ONE.boxes).fed == [2, 1]


def test_the_older_program_reads_the_rows_of_the_newer_one(store, caplog):
    store.roll(NEWER_ONE)
    store.ask(OpenBallot, "1", title="One")
    store.work()
    store.roll(OLDER)
    assert runtime.views().row(OLDER.boxes, "ballot-1") == Box(title="One")
    store.ask(CastVotes, "1", voters=("a",))
    store.work()
    assert runtime.views().row(OLDER.boxes, "ballot-1") == Box(title="One", votes=1)
    assert "view stalled" not in caplog.text


@pytest.mark.parametrize("seed", range(4))
def test_in_whatever_order_they_come_and_go_nothing_is_missing(store, seed):
    chance = Random(seed)  # noqa: S311 -- a schedule, not a secret.
    for _ in range(30):
        match chance.choice(["forward", "back", "work", "work", "open", "vote", "close", "late"]):
            case "forward":
                store.roll(NEWER_ONE)
            case "back":
                store.roll(OLDER)
            case "work":
                store.work()
            case wish:
                kind, fields = {
                    "open": (OpenBallot, {"title": "A title"}),
                    "vote": (CastVotes, {"voters": (chance.choice("abc"),)}),
                    "close": (CloseBallot, {}),
                    "late": (PostponeBallot, {}),
                }[wish]
                if kind is PostponeBallot:
                    store.roll(NEWER_ONE)
                asked_of = chance.choice("123")
                try:
                    store.ask(kind, asked_of, **fields)
                except (BallotNotOpen, ValidationError):
                    continue
    store.roll(NEWER_ONE)
    for _ in range(4):
        store.work()
    store.check()


def row(**inside):
    """A row's class, always of one name."""
    place = create_model("Place", __base__=Value, code=(str, ...), **inside)
    return create_model("Row", __base__=Value, places=(tuple[place, ...], ()))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        pytest.param((row(), BallotEvent), (row(), BallotEvent), True, id="nothing more"),
        pytest.param((Box, BallotEvent), (NewerBox, BallotEvent), False, id="a field of its row"),
        pytest.param((Box, BallotOpened), (Box, OpenedSomewhere), False, id="a version it reads"),
        pytest.param((Box, VoteCast), (Box, VoteCast | BallotClosed), False, id="a type it reads"),
        pytest.param((row(), VoteCast), (row(name=(str, "")), VoteCast), False, id="a field in it"),
    ],
)
def test_a_question_has_another_form_with(one, other, alike):
    first, second = (
        Projection(kind, events, None, by="", sort="").form for kind, events in (one, other)
    )
    assert (first == second) == alike


def test_a_form_is_the_same_in_every_process():
    """And stands still while nothing but names change: each new one fills its view anew."""
    command = [sys.executable, "-c", SAY_FORMS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {p.name: p.form for p in PROJECTIONS}


class Delegated(Event):
    """A dossier's event of a release to come."""

    type: Literal["dossier.delegated"] = "dossier.delegated"


def test_nobody_is_told_past_what_only_a_newer_program_knows(store, monkeypatch, caplog):
    runtime.event_store().append("dossier-1", None, [Delegated()], origin("newer"))
    runtime.sequencer().sweep()
    workers.notify({}, AWAKE)
    assert runtime.checkpoints().get(NOTIFY) == 0
    assert "notice failed" in {said.message for said in caplog.records}
    newer = Annotated[Delegated | get_args(dossier.events)[0], Field(discriminator="type")]
    monkeypatch.setattr(notify, "dossier", replace(dossier, events=newer))
    workers.notify({}, AWAKE)
    assert runtime.checkpoints().get(NOTIFY) == 1
