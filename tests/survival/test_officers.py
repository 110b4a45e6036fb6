"""Two hundred officers at once on twenty dossiers; and views that are rebuilt while they work."""

import json
import random
from collections import Counter
from datetime import timedelta
from itertools import cycle

import boto3
import pytest
from contexts.dossiers.counter import CITIZEN, CLERK, Context, Person, open_counter
from contexts.dossiers.demo_dossiers import CODE, DESK, LINE
from contexts.dossiers.town import check_lives
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from survival import safeguards
from survival.world import Violated, must
from survival.world import world as made

from chalicelib import registry, runtime, workers
from chalicelib.contexts.dossiers.notices.wording import WORDS
from chalicelib.projector.checkpoints import positions
from chalicelib.working_time import HANOI

DOSSIERS = 20
WHY = {"reason": "Demo"}
ON = {"step": "receive", "to": "examine"}
WISHES = (
    ("POST", "supplement-requests", {"components": ["KQ000003"], **WHY}),
    ("POST", "forwardings", {"step": "examine", "to": "sign"}),
    ("POST", "returns", {"step": "examine", "to": "receive", **WHY}),
    ("POST", "obligations", {"lines": [LINE.model_dump()]}),
    ("PUT", "assignment", {"officer": "demo-2"}),
    ("PUT", "assignment", {"to_unit": "head"}),
    ("PUT", "pause", WHY),
    ("PUT", "extension", {"hours": 16, **WHY}),
    ("PUT", "completion", {}),
    ("PUT", "stop", WHY),
)
"""What ten officers may each ask of a dossier that is being examined: any one, but not all."""


def officer(number):
    """Somebody who may act for every unit of the agency."""
    return Person("officer", f"demo-officer-{number}", DESK)


def filed(**contact):
    """The path of a dossier that came on paper."""
    body = {
        "procedure": CODE,
        "receiver": DESK,
        "applicant": {"name": "Demo Applicant"},
        "contact": contact,
        "components": [
            {"code": "KQ000001", "kind": "original"},
            {"code": "KQ000002", "kind": "copy"},
        ],
    }
    return f"/dossiers/{CITIZEN.do('POST', '/dossiers', body)['dossier']}"


def examined():
    """The path of a dossier that is being examined."""
    path = filed()
    CLERK.do("PUT", f"{path}/acceptance")
    CLERK.do("POST", f"{path}/forwardings", ON)
    return path


def commits(path):
    """Everything written about a dossier; loading it proves that nothing is missing."""
    return runtime.event_store().load(f"dossier-{path.removeprefix('/dossiers/')}")


def at_once(world, path, seed):
    """Ten officers act on a dossier: all of them have read it before the first one writes.

    Every other one names the version that they saw. Answers, with whether they did; the first is
    that of the first to write.
    """
    seen = f'"{len(commits(path))}"'
    wishes = random.Random(seed).sample(WISHES, len(WISHES))  # noqa: S311 -- who comes when.
    answers = []

    def act(turn):
        method, what, body = wishes[turn]
        named = {"if_match": seen} if turn % 2 else {}

        def ask():
            answer = officer(turn).ask(method, f"{path}/{what}", body, **named)
            answers.append((answer, bool(named)))

        if turn + 1 < len(wishes):
            # Whoever is about to write waits until those have acted who read after them.
            world.interrupted(ask, "PutItem", "events", lambda: act(turn + 1))
        else:
            ask()

    act(0)
    return answers


def race(world, dossiers):
    """Officers race on each of so many dossiers; how they were answered."""
    open_counter()
    told = Counter()
    for number in range(dossiers):
        path = examined()
        before = len(commits(path))
        (first, _), *others = at_once(world, path, number)
        assert first.status == 202, first.text
        told.update([202])
        granted = {first.json["version"]}
        for answer, named in others:
            told.update([answer.status])
            if answer.status == 202:
                granted.add(answer.json["version"])
            must(answer.status in {202, 409, 412}, "whoever comes too late is told so")
            must((answer.status == 412) == named, "who named a version acts on that one or not")
        written = [commit.number for commit in commits(path)]
        must(written == [*range(1, len(written) + 1)], "a history has no gap")
        must(granted == {*written[before:]}, "what is granted is written, and nothing else")
        check_lives({path: [event for commit in commits(path) for event in commit.data()]})
    world.settle()
    world.check()
    return told


def test_two_hundred_officers_race_on_twenty_dossiers(world):
    told = race(world, DOSSIERS)
    assert told.total() == 200
    assert told.keys() == {202, 409, 412}
    assert told[202] < 200 - DOSSIERS


def test_they_would_write_over_one_another_without_the_condition(world):
    with (
        safeguards.no_conditions(world, "events"),
        pytest.raises(Violated, match="named a version"),
    ):
        race(world, 1)


# Views.

PORTAL, SENDER = "Z10", "portal@example.org"
QUESTIONS = [p for p in registry.PROJECTIONS if ".dossiers." in p.evolve.__module__]
LIFE = (
    ("PUT", "acceptance", {}),
    ("POST", "forwardings", ON),
    ("PUT", "pause", WHY),
    ("DELETE", "pause", None),
    ("POST", "forwardings", {"step": "examine", "to": "sign"}),
    ("PUT", "completion", {}),
    ("PUT", "handover", {"means": "desk"}),
)


def mailed():
    return ses_backends[DEFAULT_ACCOUNT_ID]["ap-southeast-1"].sent_messages


class Office:
    """Dossiers that go their way, one act at a time, while their readers look on."""

    def __init__(self, world, dossiers):
        open_counter()
        self.world = world
        self.paths = [filed(email="demo@example.org", notify="email") for _ in range(dossiers)]
        self.acts = [(path, *act) for act in reversed(LIFE) for path in self.paths]
        self._codes = {commits(path)[0].data()[0]["code"] for path in self.paths}
        self._read_at = Counter()
        lists = (self.register, self.mine, self.counts, self.desk, self.late)
        self._looks = cycle(lists)
        self.settle()

    def settle(self):
        """Everything that follows happens, and applicants are told."""
        self.world.settle()
        workers.notify({"Records": []}, Context)

    def go_on(self):
        """One more act, which history soon knows of; then everybody looks."""
        path, method, what, body = self.acts.pop()
        officer(0).do(method, f"{path}/{what}", body)
        self.world.sequence(*self.world.unannounced())
        next(self._looks)()

    def finish(self):
        """All that is left to do."""
        while self.acts:
            self.go_on()
        self.settle()

    # What readers ask: no request fails, and nobody sees less than before.

    def register(self):
        self._whole(CLERK, "/dossiers")

    def mine(self):
        self._whole(CITIZEN, "/my-dossiers")

    def counts(self):
        at = runtime.now().astimezone(HANOI)
        asked = f"from={at - timedelta(days=1):%Y-%m}&to={at:%Y-%m}"  # Begun a month ago, perhaps.
        filed = CLERK.get(f"/dossier-counts?{asked}")["total"]["filed"]
        must(filed == len(self.paths), "every dossier counts once")

    def desk(self):
        self._listed("/desk", CLERK.get("/desk"))

    def late(self):
        must(CLERK.get("/late-dossiers")["complete"], "what is late is listed")

    def _whole(self, reader, where):
        found = reader.get(f"{where}?limit=100")
        must({each["code"] for each in found["items"]} == self._codes, "no dossier is missing")
        self._listed(where, found)

    def _listed(self, where, found):
        must(found["as_of"] >= self._read_at[where], "no list goes back")
        self._read_at[where] = found["as_of"]


def both(world, question):
    """The rows of the first two generations of a view that neither has written again since."""
    reached = positions(runtime.checkpoints().item())
    until = min(reached[f"{question.name}~{generation}"] for generation in (1, 2))
    stored = world.items("views")
    rows = [world.rows(question, generation, stored) for generation in (1, 2)]
    moved = {k for found in rows for k, (position, _) in found.items() if position > until}
    return [{k: row for k, row in found.items() if k not in moved} for found in rows]


def rebuilt(world, office):
    """Every view of dossiers is rebuilt; before each row that is written the office goes on."""
    switched = {}
    for question in QUESTIONS:
        world.order("POST", f"/views/{question.name}/rebuild")

    def meanwhile(params, **_):
        if params["TableName"] == runtime.table("views") and office.acts:
            office.go_on()

    def compare(params, **_):
        pointed = params.get("ExpressionAttributeNames", {}).get("#v")
        for question in QUESTIONS:
            if pointed == f"view/{question.name}":
                one, other = both(world, question)
                switched[question.name] = len(one)
                must(one == other, "at the switch both versions are equal")

    with (
        world.listening("provide-client-params.dynamodb.PutItem", meanwhile),
        world.listening("provide-client-params.dynamodb.UpdateItem", compare),
    ):
        world.project()
    assert switched.keys() == {question.name for question in QUESTIONS}
    assert all(runtime.views().generations(question).live == 2 for question in QUESTIONS)


def test_views_are_rebuilt_while_dossiers_move():
    chosen = {"portal": PORTAL, "email_from": SENDER}
    with made(DOSSIERS=json.dumps(chosen)) as world:
        boto3.client("ses").verify_email_identity(EmailAddress=SENDER)
        portal = world.join()
        office = Office(world, 3)
        rebuilt(world, office)
        office.finish()
        world.check()
        stored = world.items("views")
        for question in QUESTIONS:
            assert world.rows(question, 1, stored) == world.rows(question, 2, stored)
        told = [data for path in office.paths for each in commits(path) for data in each.data()]
        assert len(mailed()) == sum(event["type"] in WORDS for event in told)
        assert len({got.id for got in portal.got}) == len(portal.got)
