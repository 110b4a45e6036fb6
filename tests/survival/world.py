"""The whole axis inside one process: its routes, its workers, and agencies with their own systems.

Workers are called as Lambda calls them and live on stored state alone. Nothing runs by itself: a
test wakes, kills, repeats or forgets as it likes. In the end `check` says what must hold, however
it came about: from the stored streams alone it works out what history, every view and every lane
have to be. Every agency and document here is demo data.
"""

import json
import os
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock
from uuid import uuid4

import contract
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from deployed import on_moto
from faults import Died
from gateway import Answer, Gateway, caller
from receivers import Post, receiver

from app import app
from chalicelib import registry, runtime, workers
from chalicelib.delivery import outbox
from chalicelib.delivery.outbox import lane_of, message_id
from chalicelib.delivery.signatures import sign_ed25519, verify
from chalicelib.eventstore.store import Commit, Corrupt, Place
from chalicelib.history.pages import following
from chalicelib.kernel import Refused
from chalicelib.projector import runner
from chalicelib.projector.projection import Projection
from infra import template

DAY = "2026-03-04"
_GONE = ("reception_refused", "recall_agreed", "change_agreed")
AFTER_A_DEATH = timedelta(minutes=3)
"""When a wake-up that a dead worker held comes back; its lease has run out by then."""


class Violated(AssertionError):  # noqa: N818 -- named as the fact it states.
    """Something that must always hold does not. The text is the invariant's name."""


def must(holds: object, invariant: str) -> None:
    """An invariant, by its name."""
    if not holds:
        raise Violated(invariant)


class Got(NamedTuple):
    """A message that a system has taken."""

    lane: str
    sequence: int
    id: str
    data: dict[str, Any]


@dataclass
class System:
    """An agency's own system. It answers 401 to what the axis did not sign, lately.

    `policy` says what it answers to the rest, with these `headers`. `got` is all that it took,
    repeats as well; `acted` what it acted upon: each id once.
    """

    code: str
    url: str
    world: "World"
    seed: bytes
    policy: Callable[[Got], int] = lambda _got: 200
    got: list[Got] = field(default_factory=list)
    acted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    secrets: list[bytes] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def take(self, post: Post) -> int:
        """The answer to a post."""
        headers = {name.lower(): value for name, value in post.headers.items()}
        keys = [] if self.secrets else [self.world.axis_key]
        try:
            verify(headers, post.body, keys, self.secrets, self.world.true_time())
        except Refused as refusal:
            self.refused.append(refusal.code)
            return 401
        contract.check_letter(headers, post.body)
        message = Got(
            headers["lienthong-lane"],
            int(headers["lienthong-sequence"]),
            headers["webhook-id"],
            json.loads(post.body)["data"],
        )
        status = self.policy(message)
        if status == 200:
            self.keep(message)
        return status

    def keep(self, message: Got) -> None:
        """Take a message, and act on it if it is new."""
        self.got.append(message)
        if message.id not in self.acted:
            self.acted.append(message.id)

    def codes(self, document: str) -> list[str]:
        """The statuses it was told of a document, each once, in order."""
        told = {got.id: got.data for got in self.got}
        return [d["code"] for d in told.values() if d.get("document") == document and "code" in d]


@dataclass
class Clock:
    """The true time, so much `passed` later than it is here; a process is `off` by so much."""

    passed: timedelta = timedelta()
    off: timedelta = timedelta()

    def true_time(self) -> datetime:
        """What a good clock says (UTC)."""
        return datetime.now(UTC) + self.passed

    def now(self) -> datetime:
        """What the clock of the running process says."""
        return self.true_time() + self.off


class World:
    """A deployment on which nothing happens unless it is told to.

    `clock_of_a_process` says how far the clock of each new process is off the true time.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self.true_time, self.now = clock.true_time, clock.now
        self._clock = clock
        self.systems: dict[str, System] = {}
        self.accepted: list[str] = []
        self.given_up: set[str] = set()
        self.clock_of_a_process: Callable[[], timedelta] = timedelta
        self._announced: set[Place] = set()
        self._numbers, self._codes = count(1), count(10)
        self.clients = {
            service: runtime.client(service) for service in ("dynamodb", "s3", "sqs", "kms")
        }
        # One client for the views too, so that a fault meets every call there is.
        model: Any = runtime.views().model
        model._get_connection().connection._client = self.clients["dynamodb"]
        self.axis_key = runtime.signing_public_key()

    def later(self, by: timedelta) -> None:
        """Let time go by."""
        self._clock.passed += by

    # What people and systems ask.

    def join(self, *, secret: bytes = b"", endpoint: str = "", settle: bool = True) -> System:
        """A demo agency enters, with its system; with `settle` every view knows it."""
        code = f"Z{next(self._codes)}"
        system = System(code, f"{self.url}/{code}", self, os.urandom(32))
        self.systems[f"/{code}"] = system
        fields: dict[str, Any] = {"endpoint": endpoint or system.url}
        if secret:
            whsec = f"whsec_{b64encode(secret).decode()}"
            fields |= {"signature": "v1", "webhook_secret": whsec}
            system.secrets.append(secret)
        else:
            fields["public_keys"] = [public(system.seed)]
        self.administer("POST", "/agencies", {"code": code, "name": f"Demo {code}", "source": "x"})
        self.administer("PUT", f"/agencies/{code}/systems/demo", fields)
        if settle:
            self.settle()
        return system

    def administer(self, method: str, path: str, body: Any = None) -> Answer:
        """What an administrator asks; it must be granted."""
        return self.ask("administrator", "", method, path, body)

    def order(self, method: str, path: str, body: Any = None) -> Answer:
        """What an administrator orders that is no commit; it must be granted."""
        answer = self.try_("administrator", "", method, path, body)
        assert answer.status < 300, answer.text
        return answer

    def ask(
        self, role: str, agency: str, method: str, path: str, body: Any = None, key: str = ""
    ) -> Answer:
        """Ask under a token; a write must be granted, and is noted."""
        answer = self.try_(role, agency, method, path, body, key)
        assert answer.status < 300, answer.text
        if method != "GET":
            self.accepted.append(answer.json["seen"])
        return answer

    def try_(
        self, role: str, agency: str, method: str, path: str, body: Any = None, key: str = ""
    ) -> Answer:
        """Ask under a token, whatever may come of it."""
        self._clock.off = self.clock_of_a_process()
        gateway = Gateway(app, caller(role, f"{role}-{agency}", agency))
        return gateway.call(method, path, body, {"idempotency-key": key or str(uuid4())})

    def document(self, *receivers: System, **fields: Any) -> dict[str, Any]:
        """The body of a new demo document."""
        return {
            "number": str(next(self._numbers)),
            "notation": "CV-DEMO",
            "promulgated_on": DAY,
            "subject": "Demo: a document on its way",
            "receivers": [receiver.code for receiver in receivers],
        } | fields

    def send(self, sender: System, *receivers: System, key: str = "", **fields: Any) -> str:
        """Send a demo document; its id."""
        body = self.document(*receivers, **fields)
        answer = self.ask("system", sender.code, "POST", "/documents", body, key)
        return answer.headers["Location"].rsplit("/", 1)[1]

    def revoke(self, sender: System, document: str) -> None:
        """Order a document back from all of its receivers."""
        path = f"/documents/{document}/revocations"
        self.ask("system", sender.code, "POST", path, {"reason": "demo"})

    def report(self, receiver: System, document: str, code: str, key: str = "") -> Answer:
        """Report a status of our copy; granted or not."""
        path = f"/documents/{document}/copies/{receiver.code}/statuses"
        return self.try_("system", receiver.code, "POST", path, {"code": code}, key)

    def webhook(
        self,
        system: System,
        document: str,
        code: str,
        at: datetime,
        *,
        note: str = "",
        seed: bytes = b"",
    ) -> Answer:
        """The same by webhook, signed at a moment with the system's key, or with another."""
        event = {
            "specversion": "1.0",
            "type": "copy.status",
            "data": {"document": document, "code": code, "note": note},
        }
        body, id_, signed_at = json.dumps(event).encode(), f"demo_{uuid4()}", int(at.timestamp())
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": id_,
            "webhook-timestamp": str(signed_at),
            "webhook-signature": sign_ed25519(seed or system.seed, id_, signed_at, body),
        }
        return Gateway(app).call("POST", f"/webhooks/{system.code}", body, headers)

    # The workers, as Lambda calls them.

    def unannounced(self) -> list[Place]:
        """The commits whose stream records nobody has got."""
        places = runtime.event_store().shelf.every_place()
        return sorted(set(places) - self._announced)

    def sequence(self, *places: Place) -> None:
        """The stream announces commits."""
        self._announced |= set(places)
        records = [
            {"dynamodb": {"Keys": {"stream": {"S": stream}, "number": {"N": str(number)}}}}
            for stream, number in places
        ]
        workers.sequence({"Records": records}, self._process())

    def lose(self, *places: Place) -> None:
        """The stream never announces these."""
        self._announced |= set(places)

    def forget(self, *places: Place) -> None:
        """The stream announces these again."""
        self._announced -= set(places)

    def sweep(self) -> None:
        """The daily sweep rings."""
        record = {"messageId": "1", "body": json.dumps({"ring": "sweep"})}
        workers.sequence({"Records": [record]}, self._process())

    def project(self) -> None:
        workers.project({"Records": []}, self._process())

    def react(self) -> None:
        workers.react({"Records": []}, self._process())

    def deliver(self, *lanes: str) -> list[str]:
        """Lanes are rung; those whose wake-up is not acknowledged."""
        rung = {f"m{n}": lane for n, lane in enumerate(lanes)}
        records = [{"messageId": m, "body": json.dumps({"lane": n})} for m, n in rung.items()]
        reply = workers.deliver({"Records": records}, self._process())
        return [rung[failure["itemIdentifier"]] for failure in reply["batchItemFailures"]]

    def due(self) -> list[str]:
        """The lanes that the schedule would ring."""
        return [lane.lane for lane in runtime.lanes().every() if lane.due(self.now())]

    def lanes_wait(self) -> bool:
        """Whether anything is still to be delivered."""
        return any(lane.served < lane.head for lane in runtime.lanes().every())

    def until_next_retry(self, at_most: timedelta) -> timedelta:
        """How long nothing is due."""
        lanes = [lane for lane in runtime.lanes().every() if lane.served < lane.head]
        due = min((lane.due_at for lane in lanes if lane.due_at), default=None)
        return min(at_most, max(due - self.true_time(), timedelta())) if due else at_most

    def _process(self) -> Any:
        """The context of a new process, with a clock of its own."""
        self._clock.off = self.clock_of_a_process()
        return SimpleNamespace(
            get_remaining_time_in_millis=lambda: 900_000, aws_request_id=uuid4().hex
        )

    def settle(self, *, deliver: bool = True) -> None:
        """Let everything run until nothing is left to do now, except what must wait."""
        for _ in range(30):
            self.sequence(*self.unannounced())
            self.project()
            self.react()
            lanes = self.due() if deliver else []
            if lanes:
                if self.deliver(*lanes):
                    # What was not acknowledged comes again, not at once.
                    self.later(AFTER_A_DEATH)
            elif not self.unannounced():
                return
        raise Violated("everything comes to rest")

    # What must hold.

    def check(self, *, drained: bool = True, cases: bool = False) -> None:
        """What holds of everything once it has settled. Not `drained`: some lanes may wait.

        `cases`: messages were set aside, so that order holds within each case only.
        """
        commits = self._check_history()
        self._check_views(commits)
        self._check_lanes(commits, drained=drained, cases=cases)

    def _check_history(self) -> list[Commit]:
        store = runtime.event_store()
        stored = set(store.shelf.every_place())
        try:
            pages = list(following(iter(list(runtime.history().pages(0))), 0))
            streams = {stream: store.load(stream) for stream, _ in stored}
        except Corrupt as corrupt:
            raise Violated("no stream and no page of history has a hole") from corrupt
        must(len(stored) == sum(map(len, streams.values())), "a stream holds all of its commits")
        entries = [entry for page in pages for entry in page.entries]
        places = [entry.place for entry in entries]
        must(len(set(places)) == len(places), "no commit is numbered twice")
        must(set(places) == stored, "every commit is numbered")
        seen: Counter[str] = Counter()
        for stream, number in places:
            seen[stream] += 1
            must(number == seen[stream], "history keeps each stream's order")
        commits = [streams[stream][number - 1] for stream, number in places]
        must([e.hash for e in entries] == [c.hash for c in commits], "history names what is stored")
        markers = runtime.history().positions(places)
        must(markers == {p: n for n, p in enumerate(places, 1)}, "every marker is right")
        commands = Counter((commit.stream, commit.command) for commit in commits)
        must(set(commands.values()) <= {1}, "a command is one commit")
        for all_ in streams.values():
            times = [commit.recorded_at for commit in all_]
            must(times == sorted(times), "a stream's time does not run backwards")
        self._check_copies(commits)
        for accepted in self.accepted:
            stream, _, number = accepted.rpartition("@")
            must((stream, int(number)) in stored, "what was accepted is stored")
        return commits

    def _check_copies(self, commits: list[Commit]) -> None:
        """What a sender did has reached each copy that it concerns, once."""
        facts = Counter(
            (data["type"], commit.stream) for commit in commits for data in commit.data()
        )
        revocations = Counter(
            (data["type"], commit.stream)
            for commit in commits
            for data in commit.data()
            if data.get("change") == "revocation"
        )
        for commit in commits:
            for data in commit.data():
                if data["type"] == "document.sent":
                    for party in data["receivers"]:
                        copy = f"copy-{data['document']}.{party['code']}"
                        must(facts["copy.opened", copy] == 1, "every receiver has one copy")
                        sent = 1 + facts["copy.resent", copy]
                        must(facts["copy.arrived", copy] <= sent, "a copy arrives once")
                if data["type"] == "document.revoked":
                    for code in data["receivers"]:
                        copy = f"copy-{data['document']}.{code}"
                        gone = any(facts[f"copy.{how}", copy] for how in _GONE)
                        ordered = revocations["copy.change_ordered", copy]
                        # Who refused to give it back may be ordered to do so again.
                        kept = revocations["copy.change_refused", copy]
                        must(ordered <= 1 + kept, "an order comes again only to who refused it")
                        must(ordered or gone, "every order is carried out")

    def _check_views(self, commits: list[Commit]) -> None:
        stored = self.items("views")
        for projection in registry.PROJECTIONS:
            live = runtime.views().generations(projection).live
            rows: dict[str, tuple[int, Any]] = {}
            for position, commit in enumerate(commits, 1):
                for key, event in projection.read(commit):
                    before = rows.get(key, (0, None))[1]
                    rows[key] = position, projection.evolve(before, event)
            found = _rows(projection, live, stored)
            must(found == rows, f"every view equals a clean fold: {projection.name}")

    def rows(
        self,
        projection: Projection[Any],
        generation: int,
        stored: list[dict[str, Any]] | None = None,
    ) -> dict[str, tuple[int, Any]]:
        """What a generation of a view holds: each row with its position.

        `stored` is the views' table, where it has been read before.
        """
        return _rows(projection, generation, stored or self.items("views"))

    def _check_lanes(self, commits: list[Commit], *, drained: bool, cases: bool) -> None:
        wanted: dict[str, list[str]] = {}
        case_of: dict[str, str] = {}
        for commit in commits:
            for mail in registry.CORRESPONDENCE:
                for index, _, notice in mail.routing.notices(commit):
                    lane = lane_of(notice.agency, urgent=notice.urgent)
                    id_ = message_id(commit.stream, commit.number, index, notice.agency)
                    wanted.setdefault(lane, []).append(id_)
                    case_of[id_] = notice.case if cases else "all"
        boxes: dict[str, dict[int, str]] = {}
        for item in self.items("outbox"):
            lane = boxes.setdefault(item["lane"]["S"], {})
            lane[int(item["sequence"]["N"])] = item["message"]["S"]
        numbered = {lane: dict(enumerate(ids, 1)) for lane, ids in wanted.items()}
        must(boxes == numbered, "an outbox holds every message once, in history's order")
        aside = {item["lane"]["S"] + item["place"]["S"][-12:] for item in self.items("parked")}
        for lane in runtime.lanes().every():
            if drained:
                must(lane.served == lane.head, "every lane is drained")
            code, kind = lane.lane.split("#")
            due = [
                (sequence, id_)
                for sequence, id_ in numbered[lane.lane].items()
                if sequence <= lane.served
                and f"{lane.lane}{sequence:012}" not in aside
                and id_ not in self.given_up
            ]
            got = [(g.sequence, g.id) for g in self.systems[f"/{code}"].got if g.lane == kind]
            first = list(dict.fromkeys(got))
            must(set(due) <= set(first), "no message is lost")
            must(set(first) <= set(numbered[lane.lane].items()), "a message has one id")
            # Beyond the cursor stands at most what was taken without our hearing of it.
            for case in {case_of[id_] for _, id_ in due}:
                known = [got for got in first if got[1] not in self.given_up]
                came = [got for got in known if case_of[got[1]] == case]
                ought = [got for got in due if case_of[got[1]] == case]
                must(came[: len(ought)] == ought, "messages come in order")

    def events(self, type_: str) -> list[dict[str, Any]]:
        """All events of a type, in history's order."""
        pages = runtime.history().pages(0)
        places = [entry.place for page in pages for entry in page.entries]
        commits = runtime.event_store().commits(places)
        return [d for place in places for d in commits[place].data() if d["type"] == type_]

    def items(self, table: str) -> list[dict[str, Any]]:
        """Everything in a table."""
        pages = (
            self.clients["dynamodb"]
            .get_paginator("scan")
            .paginate(TableName=runtime.table(table), ConsistentRead=True)
        )
        return [item for page in pages for item in page["Items"]]

    # Faults at the calls to AWS.

    @contextmanager
    def listening(self, event: str, handler: Callable[..., Any]) -> Iterator[None]:
        """Have botocore call `handler` at `event`, of every service."""
        for client in self.clients.values():
            client.meta.events.register(event, handler)
        try:
            yield
        finally:
            for client in self.clients.values():
                client.meta.events.unregister(event, handler)

    def interrupted(
        self, work: Callable[[], object], call: str, table: str, between: Callable[[], object]
    ) -> None:
        """Do `work`, and something else before the first time that it makes a call on a table."""
        left = [between]

        def interrupt(params: dict[str, Any], **_: Any) -> None:
            if left and params.get("TableName") == runtime.table(table):
                left.pop()()

        with self.listening(f"provide-client-params.dynamodb.{call}", interrupt):
            work()
        assert not left

    def calls(self, work: Callable[[], object]) -> int:
        """Do `work`; how many calls to AWS it takes."""
        calls = []
        with self.listening("before-call", lambda model, **_: calls.append(model.name)):
            work()
        return len(calls)

    def dies(self, work: Callable[[], object], calls: int) -> bool:
        """Do `work` in a process that dies after so many calls to AWS; whether it came so far.

        That is the same as to die before the call that follows: AWS has seen as much.
        """
        taken = count(1)

        def before_call(context: dict[str, Any], **_: Any) -> None:
            context["taken"] = next(taken)
            # Threads of one process die together.
            if context["taken"] > calls:
                raise Died

        def after_call(context: dict[str, Any], **_: Any) -> None:
            if context["taken"] == calls:
                raise Died

        with self.listening("before-call", before_call), self.listening("after-call", after_call):
            try:
                work()
            except Died:
                # Whoever runs next knows nothing of what this process had learnt.
                runtime.outbox.cache_clear()
                runtime.sequencer.cache_clear()
                return True
        return False


@contextmanager
def world(**environment: str) -> Iterator[World]:
    """An empty axis with its clock and its agencies' systems."""
    with ExitStack() as stack:
        stack.enter_context(on_moto())
        agency = stack.enter_context(receiver())
        sqs, urls = runtime.client("sqs"), {}
        for name in template.QUEUES:
            made = sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})
            urls[f"{name.upper()}_QUEUE_URL"] = made["QueueUrl"]
        given = {"ALLOW_LOOPBACK": "1", "STAGING_BUCKET": "staging"} | environment
        stack.enter_context(mock.patch.dict(os.environ, urls | given))
        # The clock is the one thing of the outside world that the runtime asks by itself.
        clock = Clock()
        stack.enter_context(mock.patch.object(runtime, "now", clock.now))
        # One call after the other: whoever dies at the tenth has made nine.
        for side_by_side in (outbox, runner):
            stack.enter_context(mock.patch.object(side_by_side, "_WRITERS", 1))
        made_world = World(agency.url.removesuffix("/in"), clock)

        def answer(post: Post) -> tuple[int, dict[str, str], bytes]:
            system = made_world.systems[post.path]
            return system.take(post), system.headers, b""

        agency.answer = answer
        yield made_world


def public(seed: bytes) -> str:
    """The public half of an Ed25519 key, as systems are registered with it."""
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return b64encode(key.public_bytes_raw()).decode()


def _rows(
    projection: Projection[Any], generation: int, stored: list[dict[str, Any]]
) -> dict[str, tuple[int, Any]]:
    prefix = f"{projection.name}~{generation}#"
    return {
        item["key"]["S"].removeprefix(prefix): (
            int(item["position"]["N"]),
            projection.row.model_validate_json(item["data"]["S"]) if "data" in item else None,
        )
        for item in stored
        if item["key"]["S"].startswith(prefix)
    }
