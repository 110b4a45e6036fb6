"""AWS throttles three calls in ten, then all, then none: nothing is lost, and everything drains.

Fault 5 of `docs/faults.md`. Between the functions and their tables and queues stands a proxy that
answers as AWS does when it asks its callers to slow down.
"""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import urllib3
from journeys.journey import document, id_of, until

from chalicelib.delivery.outbox import message_id
from infra import template
from infra.api import Problem
from infra.stack import free_port

COUNT, CLERKS = 6, 3
PATIENCE = 40
REFUSALS = (
    ("dynamodb", "ProvisionedThroughputExceededException"),
    ("sqs", "ThrottlingException"),
)


class Weather:
    """The proxy: how much of what the functions ask is refused."""

    def __init__(self, url):
        self.url = url
        self._http = urllib3.PoolManager(retries=False, timeout=10)

    def throttle(self, share):
        rules = [
            {"service": service, "probability": share, "error": {"code": code}}
            for service, code in REFUSALS
            if share
        ]
        answer = self._ask("POST", "rules", json.dumps(rules))
        assert len(answer) == len(rules)

    def refused(self):
        """How many calls have been."""
        return self._ask("GET", "stats")["requests"]["faulted"]

    def healthy(self):
        try:
            return self._ask("GET", "health")["status"] == "ok"
        except urllib3.exceptions.HTTPError:
            return False

    def _ask(self, method, what, body=None):
        return json.loads(self._http.request(method, f"{self.url}/_microburst/{what}", body).data)


@contextmanager
def proxy(upstream):
    port = free_port()
    program = Path(__file__).with_name("proxy.py")
    command = [sys.executable, program, "--upstream", upstream, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        weather = Weather(f"http://127.0.0.1:{port}")
        until("the proxy", weather.healthy)
        yield weather
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def weather(journey):
    """Fine, until a test says otherwise. Once there, the proxy stays until every test has run."""
    with proxy(journey.stack.endpoint) as weather:
        functions = journey.client("lambda")
        for name in template.FUNCTIONS:
            function = journey.name(name)
            found = functions.get_function_configuration(FunctionName=function)["Environment"]
            # Services by name: links to S3 are signed for the host that they name.
            there = {f"AWS_ENDPOINT_URL_{service.upper()}": weather.url for service, _ in REFUSALS}
            functions.update_function_configuration(
                FunctionName=function, Environment={"Variables": found["Variables"] | there}
            )
        yield weather
        weather.throttle(0)


def send(journey, sender, receiver):
    """Hand a document over as clients do; what came of each time it was asked."""
    key, body, seen = str(uuid4()), document([receiver]), []
    while len(seen) < PATIENCE:
        try:
            return journey.post(sender, "/documents", body, key=key), seen
        except Problem as problem:
            seen.append(problem.status)
    pytest.fail("a patient caller is not heard")


def test_nothing_is_lost_while_aws_throttles(journey, weather, capsys):
    sender, receiver = journey.join(), journey.join()
    send(journey, sender, receiver)
    journey.settled()
    began = [time.monotonic()]
    weather.throttle(0.3)
    with ThreadPoolExecutor(CLERKS) as clerks:
        answers = list(clerks.map(lambda _: send(journey, sender, receiver), range(COUNT)))
    some = weather.refused()
    weather.throttle(1)
    journey.refused(503, "try-again", journey.send, sender, [receiver])
    # 502 and 504 are the gateway's own, when a function takes too long over its retries.
    assert {status for _, seen in answers for status in seen} <= {502, 503, 504}
    all_ = weather.refused()
    began.append(time.monotonic())
    assert some
    assert all_ > some
    weather.throttle(0)

    # A wake-up that failed comes back after its time-out, a minute and a half. They carry nothing,
    # so they are thrown away here and rung anew, as the schedule would.
    for worker in template.DOORBELLS:
        journey.client("sqs").purge_queue(QueueUrl=journey.name(f"{worker}Queue"))
    journey.stack.ring("sweep", "Sequence")
    for worker in template.DOORBELLS[1:]:
        journey.stack.ring("schedule", worker)
    # A lane whose wake-up was lost is rung by the schedule; what came late is in it by now.
    # Whoever was at work on it then holds it until his lease runs out; who finds it held comes back
    # as late again.
    journey.settled(times=3)
    journey.stack.ring("schedule", "Deliver")
    until(
        "everything to drain",
        lambda: len({got.id for got in receiver.received}) == COUNT + 1,
        times=3,
    )
    journey.settled()
    began.append(time.monotonic())
    ids = [id_of(answer) for answer, _ in answers]
    assert len(set(ids)) == COUNT
    streams = [f"document-{id_}" for id_ in ids]
    assert journey.commits() >= {(stream, "1") for stream in streams}
    got = list(dict.fromkeys((m.sequence, m.id) for m in receiver.received))
    assert [sequence for sequence, _ in got] == list(range(1, COUNT + 2))
    expected = {message_id(stream, 1, 0, receiver.code) for stream in streams}
    assert expected < {id_ for _, id_ in got}
    for id_ in ids:
        journey.told(sender, id_, "01")
    assert not receiver.rejected
    with capsys.disabled():
        print(  # noqa: T201 -- the figures are what this test is asked for.
            f"\nthrottling: {some} calls refused at 30 %, {all_ - some} more at 100 %;"
            f" {COUNT} documents, drained {began[2] - began[1]:.0f} s after it healed;"
            f" {sum(len(seen) for _, seen in answers)} answers of 5xx",
            end="",
        )
