"""Is any right spare? Each is taken away in turn, and a journey must fail for it.

`make permissions` first lets the journeys run once and notes, where the emulator enforces them,
which rights each journey's functions ask for. A right that nobody asks for is spare. Then each of
the others (`SAMPLE=20 SEED=1`: a sample) is denied while a journey runs that asked for it: it must
be refused, and the journey must fail, or leave behind a function that broke. Just before, with
every right in place, the same journey must pass on the same stack, so that only the denial can be
the reason. What is asked for but once on a stack, such as to make a key, is denied on a fresh one.

A line for each right; exit status 1 if one is not shown to be needed. What AWS alone asks for, or
nobody in an ordinary hour, is not taken away: its line says why it is there.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.grants import GRANTS, NEVER, Json
from infra.package import BUILD, ROOT
from infra.stack import LocalStack
from infra.template import DOORBELLS, QUEUES, role_of

JOURNEYS = ROOT / "tests" / "journeys"
NOTES, LOG = BUILD / "permissions.json", BUILD / "permissions.log"
PATIENCE_S, CALM_S, REST_S = 10, 90, 40
"""How long a journey waits for something when a right was refused, and when none was; how long a
stack may take to come to rest before another one is begun with."""
TAKEN = "taken"
"""The name of the policy that denies a right."""
STACKS = 3
"""How many stacks run side by side: each of them mostly waits."""
BATCH = 20
"""How many rights one stack is to lose, one after the other: it grows slower with each."""
STACK_S = 60
"""What a stack costs before the first right is taken away."""
TRIES = 4
"""How many journeys may pass without a right before it counts as spare."""
AT_ONCE = frozenset({"APIHandler", "Authorize"})
"""Functions whose answer every journey waits for; others are at work behind it."""
WAITS_S = 1.0
"""A journey that is over sooner has waited for no worker."""
LONG_S = 30.0
"""A journey that takes longer is tried after others."""
# Where AWS says so; the emulator does not ask, so whether it is needed cannot be seen there.
_STREAMS = "Lambda asks, before it calls: DynamoDB Developer Guide, policy for stream records"
_QUEUES = "Lambda asks, before it calls: SQS Developer Guide, Configuring a queue to trigger Lambda"
_FAILURES = "Lambda asks, when it gives up: Lambda Developer Guide, Retaining discarded records"
_MISSING = "S3 asks, where an object is missing: S3 API Reference, GetObject"
_LOCKED = "S3 asks, where an object is put locked: S3 API Reference, PutObjectRetention"


class Right(NamedTuple):
    """What a function may do with a thing, by the names of the template."""

    function: str
    action: str
    thing: str

    def __str__(self) -> str:
        return f"{self.function:10} {self.action:27} {self.thing}"

    @property
    def by_aws(self) -> str:
        """Why AWS alone asks for it, if so: what no code of ours calls by that name."""
        match self.action.split(":"), self.thing:
            case ["dynamodb", "DescribeStream" | "GetRecords" | "GetShardIterator"], _:
                return _STREAMS
            case ["dynamodb", "ListStreams"], "*":
                return _STREAMS
            case ["sqs", "ReceiveMessage" | "DeleteMessage" | "GetQueueAttributes"], _:
                return _QUEUES
            case ["sqs", "SendMessage"], "StreamFailuresQueue":
                return _FAILURES
            case ["s3", "ListBucket"], _:
                return _MISSING
            case ["s3", "PutObjectRetention"], _:
                return _LOCKED
        return ""


# What is needed only after a death, for want of time, after many commits, or with somebody whom the
# journeys have not got: none can wait for it. Each has a test of the code that asks.
BY_TEST = {
    Right("React", "sqs:SendMessage", "ReactQueue"): (
        "for want of time: tests/test_workers.py::"
        "test_what_there_is_no_time_for_is_carried_out_in_another_turn"
    ),
    Right("Intake", "sqs:SendMessage", "IntakeQueue"): (
        "for want of time: tests/contexts/dossiers/test_procedures.py::"
        "test_a_long_table_is_entered_in_turns_and_its_refusals_in_pages"
    ),
    **dict.fromkeys(
        (
            Right("Seal", "s3:GetObject", "LogBucket/staging/*"),
            Right("Seal", "s3:GetObject", "LogBucket/checkpoints/*"),
            Right("Seal", "s3:GetObject", "LogBucket/tile/*"),
        ),
        "after a death: tests/history/test_sealer.py::test_a_death_at_every_step",
    ),
    Right("Seal", "s3:DeleteObject", "LogBucket/tile/*.p/*"): (
        "when 256 commits have filled a tile: tests/history/test_log_adapters.py::"
        "test_only_what_is_superseded_is_removed"
    ),
    **dict.fromkeys(
        (
            Right("Seal", "s3:GetObject", "LogBucket/timestamps/*"),
            Right("Seal", "s3:PutObject", "LogBucket/timestamps/*"),
        ),
        "with a time-stamping authority: tests/history/test_publisher.py::"
        "test_each_checkpoint_is_stamped_once",
    ),
    Right("Pay", "dynamodb:GetItem", "ServiceKeysTable"): (
        "when the tax register was silent: tests/contexts/payments/test_tax_routes.py::"
        "test_a_register_that_does_not_answer_refuses_nothing_and_is_asked_again"
    ),
}


def thing_of(resource: Any) -> str:
    """A resource of `GRANTS` in words: `ContentBucket/bodies/*`."""
    match resource:
        case {"Fn::GetAtt": [name, "Arn"]}:
            return str(name)
        case {"Fn::Sub": text}:
            return str(text).replace("${", "").replace(".Arn}", "")
    return str(resource)


def rights() -> list[Right]:
    """Every right there is."""
    return [
        Right(function, action, thing_of(resource))
        for function, granted in GRANTS.items()
        for statement in granted
        for action in statement["Action"]
        for resource in statement["Resource"]
    ]


class Batch(NamedTuple):
    """Rights that are to be taken away while one journey runs again and again.

    Each has the journeys that it has not been tried with yet, that one among them. `fresh`: nothing
    has run on the stack before, so that what is done there but once is still to be done.
    """

    journey: str
    rights: dict[Right, list[str]]
    fresh: bool = False


class Plan:
    """Which right is tried with which journey: those that one cheap journey asks for go together.

    Args:
        asked: the journeys that asked for each right.
        took: how many seconds each journey took.
    """

    def __init__(self, asked: Mapping[Right, list[str]], took: Mapping[str, float]) -> None:
        self._took = took
        at_work: dict[str, set[str]] = defaultdict(set)
        for right, journeys in asked.items():
            at_work[right.function].update(_waiting(right, journeys, took))
        self._left = {}
        for right, journeys in asked.items():
            tried = sorted(_waiting(right, journeys, took), key=took.__getitem__)
            if took[tried[0]] > LONG_S:
                # What a function asks for once in its life, when it starts, is the first journey's
                # that there was. It starts anew when a right is taken from it.
                tried = sorted(at_work[right.function], key=took.__getitem__)[:2] + tried
            self._left[right] = list(dict.fromkeys(tried))[:TRIES]
        self._fresh: set[Right] = set()
        self._lock = threading.Lock()

    def next(self) -> Batch | None:
        """What is to be tried next, if anything; it is not given to anybody else."""
        with self._lock:
            if self._fresh:
                right = self._fresh.pop()
                journeys = self._left.pop(right)
                return Batch(journeys[0], {right: journeys}, fresh=True)
            wanted: dict[str, list[Right]] = defaultdict(list)
            for right, journeys in self._left.items():
                for journey in journeys:
                    wanted[journey].append(right)
            if not wanted:
                return None

            def cost(journey: str) -> float:
                return STACK_S / min(len(wanted[journey]), BATCH) + self._took[journey]

            journey = min(wanted, key=cost)
            return Batch(
                journey, {right: self._left.pop(right) for right in wanted[journey][:BATCH]}
            )

    def again(self, right: Right, journeys: list[str], *, fresh: bool = False) -> bool:
        """A right is to be tried with these journeys; False if there is none."""
        if journeys:
            with self._lock:
                self._left[right] = journeys
                if fresh:
                    self._fresh.add(right)
        return bool(journeys)


def _waiting(right: Right, journeys: list[str], took: Mapping[str, float]) -> list[str]:
    """Those of the journeys that last until a worker has begun; all of them if none does."""
    if right.function in AT_ONCE:
        return journeys
    return [journey for journey in journeys if took[journey] >= WAITS_S] or journeys


class Watch:
    """A plugin of the journeys, told by their fixture of the stack; sees what functions ask for."""

    def __init__(self) -> None:
        self.__name__ = "permissions"  # The name by which the fixture finds it.
        self.file = Path(tempfile.mkdtemp()) / "asked"
        self.file.touch()
        self._read = 0
        self._where: dict[str, list[tuple[str, str, Right]]] = {}
        self.stack: LocalStack

    def deployed(self, stack: LocalStack) -> None:
        """Learn what everything is called on this stack."""
        self.stack, iam = stack, stack.client("iam")
        roles = [role["RoleName"] for role in iam.list_roles()["Roles"]]
        for function, granted in GRANTS.items():
            [role] = [name for name in roles if f"-{role_of(function)}-" in name]
            [policy] = iam.list_role_policies(RoleName=role)["PolicyNames"]
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            document = json.loads(document) if isinstance(document, str) else document
            statements = document["Statement"]
            ours = statements[len(statements) - len(granted) - len(NEVER) : -len(NEVER)]
            self._where[role] = [
                (action, pattern, Right(function, action, thing_of(resource)))
                for statement, resolved in zip(granted, ours, strict=True)
                for action in statement["Action"]
                for resource, pattern in zip(
                    statement["Resource"], resolved["Resource"], strict=True
                )
            ]

    def places(self, right: Right) -> Iterator[tuple[str, Json]]:
        """The role and the statement that deny a right."""
        for role, granted in self._where.items():
            for action, pattern, named in granted:
                if named == right:
                    yield role, {"Effect": "Deny", "Action": action, "Resource": pattern}

    def asked(self) -> set[tuple[Right, str]]:
        """What was asked for since the last look, and how it was decided."""
        with self.file.open(encoding="utf-8") as file:
            file.seek(self._read)
            text = file.read()
            whole = text[: text.rfind("\n") + 1]
            self._read += len(whole.encode())
        return {
            (right, decision)
            for role, action, resource, decision in (
                line.split("\t") for line in set(whole.splitlines())
            )
            for granted, pattern, right in self._where.get(role, ())
            if granted == action and fnmatchcase(resource, pattern)
        }


class Recording(Watch):
    """Notes what each journey asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_by: dict[Right, list[str]] = defaultdict(list)
        self.took: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """After a journey: what was asked for since the last one."""
        self.took[report.nodeid] += report.duration
        if report.when == "teardown":
            for right in {right for right, _ in self.asked()}:
                self.asked_by[right].append(report.nodeid)


class Taking(Watch):
    """Lets one journey run again and again, and takes away one right after the other."""

    def __init__(self, batch: Batch, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._batch, self._tell = batch, tell
        self._failed = ""
        self._refused_at, self._logged = 0.0, 0

    def deployed(self, stack: LocalStack) -> None:
        """Learn what everything is called, and take away what is tried on a fresh stack."""
        super().deployed(stack)
        if self._batch.fresh:
            [right] = self._batch.rights
            self._take(right)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """How the journey ended."""
        if report.failed and not self._failed:
            lines = report.longreprtext.splitlines()
            said = next((text for text in reversed(lines) if text.startswith("E ")), "")
            self._failed = said.removeprefix("E").strip() or "it does not say why"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of each journey once. What is found out is told as lines of JSON."""
        [journey] = [item for item in session.items if item.nodeid == self._batch.journey]
        # The stack is kept for what comes next, and what only this journey's module shares is not.
        elsewhere = next(item for item in session.items if item.path != journey.path)

        def fails(right: Right, *, taken: bool) -> str:
            self._failed, began = "", time.monotonic()
            _journeys().patience_s = self._patience(right) if taken else lambda _began: CALM_S
            session.config.hook.pytest_runtest_protocol(item=journey, nextitem=elsewhere)
            if taken and not self._failed:
                self._linger(right)
            _journeys().patience_s = lambda _began: CALM_S
            failed = f"{right.function} breaks" if self._breaks(right) else self._failed
            took, how = time.monotonic() - began, "without" if taken else "with"
            _note(f"{journey.name} {how} {right}: {took:.0f} s {failed[:100]}")
            return failed

        for right in self._batch.rights:
            if not self._batch.fresh:
                if fails(right, taken=False):
                    break
                self._take(right)
            failed = fails(right, taken=True)
            if not failed and not self._refused(right):
                # Who has been at work before asks for more: the process that began anew is one now.
                failed = fails(right, taken=True)
            self._tell(json.dumps([right, self._refused(right), failed]))
            if not self._settles(right):
                _note(f"no rest after {right}")
                break
        return True

    def _refused(self, right: Right) -> bool:
        if not self._refused_at and (right, "Deny") in self.asked():
            self._refused_at = time.monotonic()
        return bool(self._refused_at)

    def _breaks(self, right: Right) -> bool:
        """Whether the function has ended in an error: no journey may leave one behind."""
        with self.stack.log.open(errors="replace") as log:
            log.seek(self._logged)
            name = self.stack.outputs()[right.function]
            return any("failed processing" in line and name in line for line in log)

    def _linger(self, right: Right) -> None:
        """The function may be at it still, though nobody waits for it any more."""
        over = time.monotonic()
        while not self._breaks(right):
            since = self._refused_at if self._refused(right) else over
            if time.monotonic() > since + PATIENCE_S:
                return
            time.sleep(0.1)

    def _patience(self, right: Right) -> Callable[[float], float]:
        """A journey waits until the right was asked for and refused, and from then on not long."""

        def patience_s(began: float) -> float:
            if not self._refused(right):
                return CALM_S
            left = max(0.0, self._refused_at - began) + PATIENCE_S
            return 0.0 if self._breaks(right) else left

        return patience_s

    def _take(self, right: Right) -> None:
        iam = self.stack.client("iam")
        for role, denial in self.places(right):
            policy = json.dumps({"Version": "2012-10-17", "Statement": [denial]})
            iam.put_role_policy(RoleName=role, PolicyName=TAKEN, PolicyDocument=policy)
        # What the function remembers from before it would not ask for: it starts anew, as it does
        # when it is changed.
        functions = self.stack.client("lambda")
        name = {"FunctionName": self.stack.outputs()[right.function]}
        same = functions.get_function_configuration(**name)["Environment"]
        functions.update_function_configuration(**name, Environment=same)
        self.asked()
        self._refused_at, self._logged = 0.0, self.stack.log.stat().st_size

    def _settles(self, right: Right) -> bool:
        """Give the right back; whether everything comes to rest then."""
        _journeys().patience_s = lambda _began: REST_S
        for role, _ in self.places(right):
            self.stack.client("iam").delete_role_policy(RoleName=role, PolicyName=TAKEN)
        sqs, s3, staging = (
            self.stack.client("sqs"),
            self.stack.client("s3"),
            self.stack.outputs()["StagingBucket"],
        )
        queues = [self.stack.outputs()[f"{name}Queue"] for name in QUEUES]
        # Wake-ups that failed stay away for minutes. They carry nothing: they are rung anew.
        for queue in queues:
            sqs.purge_queue(QueueUrl=queue)
        for found in s3.list_objects_v2(Bucket=staging).get("Contents", ()):
            s3.delete_object(Bucket=staging, Key=found["Key"])
        self.stack.ring("sweep", "Sequence")
        for worker in DOORBELLS[1:]:
            self.stack.ring("schedule", worker)

        def at_rest() -> bool:
            wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            # A lane that failed is held back for a while; the next journey has lanes of its own.
            held = self.stack.outputs()["DeliverQueue"] if right.function == "Deliver" else ""
            counts = (
                sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=wanted)["Attributes"]
                for queue in queues
                if queue != held
            )
            return not any(int(count) for each in counts for count in each.values())

        try:
            _journeys().Journey(self.stack, None, None, None).settled(delivered=False)
            _journeys().until("the queues to be empty", at_rest)
        except AssertionError:
            return False
        self._logged = self.stack.log.stat().st_size
        return True


def _note(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _journeys() -> Any:
    """How journeys wait. Their folder is on the path only when they run."""
    return import_module("journeys.journey")


def record() -> None:
    """Let all journeys run, and note who asked for what and how long each took."""
    watch = Recording()
    # One journey shows that names are heard, which takes the place where rights are noted.
    others = f"--ignore={JOURNEYS / 'test_marked_names.py'}"
    failed = pytest.main(["-q", "-m", "journey", others, str(JOURNEYS)], plugins=[watch])
    asked = [[*right, journeys] for right, journeys in watch.asked_by.items()]
    NOTES.parent.mkdir(exist_ok=True)
    NOTES.write_text(json.dumps({"asked": asked, "took": watch.took}, indent=1))
    if failed:
        sys.exit("the journeys fail with every right in place: mend that first")


def take(batch: Batch) -> None:
    """Take rights away on a stack of its own: on standard output a line of JSON for each."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # What journeys print is none of them.
    watch = Taking(batch, lambda line: print(line, file=answers))
    pytest.main(["-p", "no:terminal", "-m", "journey", str(JOURNEYS)], plugins=[watch])


class Trial:
    """Takes rights away on several stacks side by side, and says of each what failed."""

    def __init__(self, plan: Plan, total: int) -> None:
        self.unshown: list[Right] = []
        self._plan, self._total, self._done = plan, total, 0
        self._lock = threading.Lock()

    def run(self) -> None:
        """Until nothing is left to be tried."""
        with ThreadPoolExecutor(STACKS) as stacks:
            for end in [stacks.submit(self._work) for _ in range(STACKS)]:
                end.result()

    def _work(self) -> None:
        while batch := self._plan.next():
            heard = set()
            for right, refused, failed in self._answers(batch):
                heard.add(right)
                others = [each for each in batch.rights[right] if each != batch.journey]
                if refused and failed:
                    name = batch.journey.rsplit("::")[-1]
                    self._say(f"      {right}: {name} fails: {failed[:100]}")
                elif self._plan.again(right, others):
                    pass
                elif not refused and not batch.fresh:
                    self._plan.again(right, [batch.journey], fresh=True)
                else:
                    self.unshown.append(right)
                    self._say(f"SPARE {right}: no journey minds its absence")
            for right, journeys in batch.rights.items():
                if right not in heard:
                    # A journey that fails with every right in place shows nothing.
                    left = journeys if heard else [e for e in journeys if e != batch.journey]
                    if not self._plan.again(right, left):
                        self.unshown.append(right)
                        self._say(f"OPEN  {right}: its journeys fail also with it")

    def _answers(self, batch: Batch) -> Iterator[tuple[Right, bool, str]]:
        command = [sys.executable, "-m", "infra.permissions", "--take"]
        with (
            # A run in which functions broke over their denials says so at length when it ends.
            LOG.open("a") as log,
            subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            assert process.stdin
            assert process.stdout
            json.dump([batch.journey, list(batch.rights.items()), batch.fresh], process.stdin)
            process.stdin.close()
            for line in process.stdout:
                right, refused, failed = json.loads(line)
                yield Right(*right), refused, failed

    def _say(self, line: str) -> None:
        with self._lock:
            self._done += 1
            print(f"{self._done:3}/{self._total} {line}", flush=True)


def main() -> None:
    """Take rights away, all or a sample of them, and say of each what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="how many rights, drawn with the seed; else all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--noted", action="store_true", help="what the journeys asked for last time"
    )
    parser.add_argument("--take", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.take:
        journey, taken, fresh = json.load(sys.stdin)
        take(Batch(journey, {Right(*right): journeys for right, journeys in taken}, fresh))
        return
    began = time.monotonic()
    if not options.noted:
        record()
    notes = json.loads(NOTES.read_text())
    every = rights()
    asked = {Right(*right): who for *right, who in notes["asked"]}
    asked = {right: asked[right] for right in every if right in asked}
    spare, by_aws, by_test = [], 0, 0
    for right in every:
        if right in BY_TEST:
            by_test += 1
            print(f"TEST    {right}: {BY_TEST[right]}")
        elif right in asked:
            continue
        elif right.by_aws:
            by_aws += 1
            print(f"AWS     {right}: {right.by_aws}")
        else:
            spare.append(right)
            print(f"SPARE   {right}: nobody asks for it", flush=True)
    tried = [right for right in asked if right not in BY_TEST]
    if options.sample is not None:
        tried = random.Random(options.seed).sample(tried, min(options.sample, len(tried)))  # noqa: S311 -- no secret.
    trial = Trial(Plan({right: asked[right] for right in tried}, notes["took"]), len(tried))
    trial.run()
    spare += trial.unshown
    print(
        f"{len(every)} rights: {len(tried)} taken away, {by_aws} asked for by AWS alone, {by_test} "
        f"by tests, {len(spare)} not shown to be needed; "
        f"{time.monotonic() - began:.0f} s, seed {options.seed}"
    )
    sys.exit(bool(spare))


if __name__ == "__main__":
    main()
