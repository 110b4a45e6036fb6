"""Is any right spare? Each is taken away in turn, and a journey must fail for it.

`make permissions` first lets the journeys run once and notes, where the emulator enforces them,
which rights each journey's functions ask for. A right that nobody asks for is spare. Then every
right (`SAMPLE=20 SEED=1`: a sample) is denied on a fresh stack, and a journey that asked for it
runs: it must fail. One line for each right; exit status 1 if one is spare.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.grants import GRANTS, NEVER
from infra.package import BUILD, ROOT
from infra.stack import LocalStack
from infra.template import role_of

JOURNEYS = ROOT / "tests" / "journeys"
NOTES = BUILD / "permissions.json"
PATIENCE_S = 20
"""How long a journey waits for what no longer comes."""
# What Lambda asks for itself, with the function's role, before it calls the function. The emulator
# does not ask, AWS does: "Using AWS Lambda with Amazon SQS" and "… with DynamoDB", execution role.
BY_LAMBDA = {
    f"{service}:{action}"
    for service, actions in (
        ("sqs", "ReceiveMessage DeleteMessage GetQueueAttributes ChangeMessageVisibility"),
        ("dynamodb", "DescribeStream GetRecords GetShardIterator ListStreams"),
    )
    for action in actions.split()
}
ON_FAILURE = ("sqs:SendMessage", "StreamFailuresQueue")


class Right(NamedTuple):
    """What a function may do with a thing, by the names of the template."""

    function: str
    action: str
    thing: str

    def __str__(self) -> str:
        return f"{self.function:10} {self.action:32} {self.thing}"

    @property
    def by_lambda(self) -> bool:
        """Whether Lambda itself uses it, on AWS."""
        return self.action in BY_LAMBDA or (self.action, self.thing) == ON_FAILURE


def thing_of(resource: Any) -> str:
    """A resource of `GRANTS` in words: `ContentBucket/bodies/*`."""
    match resource:
        case {"Fn::GetAtt": [name, "Arn"]}:
            return str(name)
        case {"Fn::Sub": text}:
            return str(text).replace("${", "").replace(".Arn}", "")
    return str(resource)


def rights() -> list[Right]:
    """Every right there is, each once."""
    found = (
        Right(function, action, thing_of(resource))
        for function, granted in GRANTS.items()
        for statement in granted
        for action in statement["Action"]
        for resource in statement["Resource"]
    )
    return list(dict.fromkeys(found))


class Watch:
    """A plugin of the journeys: notes what each asks for, or denies one right to all of them."""

    def __init__(self, taken: Right | None = None) -> None:
        self.taken = taken
        self.asked_by: dict[Right, list[str]] = defaultdict(list)
        self.took: dict[str, float] = {}
        self.failed = ""
        self.denied = 0
        folder = Path(tempfile.mkdtemp())
        self.file = folder / "asked"
        self.file.touch()
        self._read = 0
        self._where: dict[str, list[tuple[str, str, Right]]] = {}

    def deployed(self, stack: LocalStack) -> None:
        """Learn what everything is called on this stack, and take away what is to be taken."""
        iam = stack.client("iam")
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
            for action, pattern, right in self._where[role]:
                if right == self.taken:
                    denial = {"Effect": "Deny", "Action": action, "Resource": pattern}
                    whole = {"Version": "2012-10-17", "Statement": [denial]}
                    iam.put_role_policy(
                        RoleName=role, PolicyName="taken", PolicyDocument=json.dumps(whole)
                    )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """After a journey: what was asked for since the last one, and how it ended."""
        self.took[report.nodeid] = self.took.get(report.nodeid, 0) + report.duration
        if report.failed and not self.failed:
            lines = report.longreprtext.splitlines()
            self.failed = next((text for text in reversed(lines) if text.startswith("E ")), "E")
        if report.when != "teardown":
            return
        for right, decision in self._new():
            if report.nodeid not in self.asked_by[right]:
                self.asked_by[right].append(report.nodeid)
            self.denied += decision == "Deny" and right == self.taken

    def _new(self) -> Iterator[tuple[Right, str]]:
        with self.file.open(encoding="utf-8") as file:
            file.seek(self._read)
            lines = set(file.read().splitlines())
            self._read = file.tell()
        for line in lines:
            role, action, resource, decision = line.split("\t")
            for granted, pattern, right in self._where.get(role, ()):
                if granted == action and fnmatchcase(resource, pattern):
                    yield right, decision


def record() -> dict[str, Any]:
    """Let all journeys run; who asked for what, and how long each took."""
    watch = Watch()
    status = _run(watch, "-m", "journey", str(JOURNEYS))
    if status:
        sys.exit("the journeys fail with every right in place: mend that first")
    return {
        "asked": [
            [*right, sorted(who, key=watch.took.__getitem__)]
            for right, who in watch.asked_by.items()
        ],
        "took": watch.took,
    }


def _run(watch: Watch, *arguments: str) -> int:
    class Registers:
        """Gives the watch the name that the journeys' fixture looks for."""

        @staticmethod
        def pytest_configure(config: pytest.Config) -> None:
            config.pluginmanager.register(watch, "permissions")

    return int(pytest.main(["-q", *arguments], plugins=[Registers()]))


def take(right: Right, journey: str) -> int:
    """Deny a right on a stack of its own and let a journey run; prints what failed."""
    watch = Watch(right)
    sys.path[:0] = [str(ROOT / "tests")]
    from journeys import journey as journeys  # type: ignore[import-not-found]  # noqa: PLC0415

    # Nobody waits as long for what cannot come.
    journeys.until.__defaults__ = (PATIENCE_S,)
    status = _run(watch, "-p", "no:terminal", journey)
    print(watch.failed.removeprefix("E").strip() if status else "", flush=True)
    return int(status)


def main() -> None:
    """Take rights away, all or a sample of them, and say of each what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="how many rights, drawn with the seed; else all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--take", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.take:
        *right, journey = options.take
        sys.exit(take(Right(*right), journey))
    say = partial(print, flush=True)
    began = time.monotonic()
    notes = record()
    NOTES.parent.mkdir(exist_ok=True)
    NOTES.write_text(json.dumps(notes, indent=1))
    asked = {Right(*right): who for *right, who in notes["asked"]}
    every = rights()
    spare = [right for right in every if right not in asked and not right.by_lambda]
    for right in spare:
        say(f"SPARE {right}: nobody asks for it")
    kept = [right for right in every if right.by_lambda and right not in asked]
    say(f"{len(kept)} rights are asked for by Lambda itself, on AWS alone: not taken away")
    tried = [right for right in every if right in asked]
    if options.sample is not None:
        tried = random.Random(options.seed).sample(tried, min(options.sample, len(tried)))  # noqa: S311 -- no secret.
    for right in tried:
        for journey in asked[right][:3]:
            command = [sys.executable, "-m", "infra.permissions", "--take", *right, journey]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                break
        if done.returncode:
            why = (done.stdout.strip().splitlines() or [""])[-1]
            say(f"      {right}: {journey.rsplit('::')[-1]} fails: {why[:100]}")
        else:
            spare.append(right)
            say(f"SPARE {right}: asked for, and no journey minds its absence")
    say(
        f"{len(tried)} of {len(every)} rights taken away, {len(spare)} spare, "
        f"{time.monotonic() - began:.0f} s, seed {options.seed}"
    )
    sys.exit(bool(spare))


if __name__ == "__main__":
    main()
