"""The Lambdas behind streams and queues.

A record only wakes a worker; what it then does depends on stored state alone. So a repeated, late,
reordered or lost wake-up changes nothing: the schedule rings every minute, and the sweep finds what
no stream announced.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import Blueprint

from chalicelib import registry, runtime
from chalicelib.contexts.documents.intake import Job, take_in
from chalicelib.delivery.address import Address
from chalicelib.delivery.deliver import Deliverer, Letter, NotComposed
from chalicelib.delivery.outbox import Message
from chalicelib.delivery.standing import standings
from chalicelib.eventstore.store import Commit, Place
from chalicelib.handle import handle
from chalicelib.http.problems import refused
from chalicelib.kernel import Event, Origin, Refused
from chalicelib.text import b64url

workers = Blueprint(__name__)
log = Logger(service="lien-thong")

RESERVE_S, DELIVER_RESERVE_S = 15, 80
"""Seconds a worker keeps back from its time limit to finish what it has begun: the longest post."""
REACT = "react"
Failures = dict[str, list[dict[str, str]]]


@workers.lambda_function(name="sequence")
def sequence(event: dict[str, Any], _context: Any) -> Failures:
    """Number new commits. A record names candidates; what exists, the tables say."""
    places: list[Place] = []
    for record in event["Records"]:
        match record:
            case {"dynamodb": {"Keys": {"stream": {"S": stream}, "number": {"N": number}}}}:
                places.append((stream, int(number)))
            case {"body": body} if _ring(body) == "sweep":
                numbered = runtime.sequencer().sweep()
                log.info("swept", extra={"numbered": numbered})
            case _:
                runtime.sequencer().complete()
    runtime.sequencer().number(places)
    return _no_failures()


@workers.lambda_function(name="project")
def project(_event: dict[str, Any], _context: Any) -> Failures:
    """Bring every view and the outbox up to the end of history, then ring those who follow."""
    projector = runtime.projector()
    standings = projector.views.standings(registry.PROJECTIONS)
    for projection in registry.PROJECTIONS:
        try:
            projector.follow(projection, standings[projection.name])
        except (ClientError, BotoCoreError):
            raise
        except Exception:  # A fold that fails stalls its own question only; the alarm rings.
            log.exception("view stalled", extra={"view": projection.name})
    routings = [mail.routing for mail in registry.CORRESPONDENCE]
    grown = runtime.outbox().extend(projector.reader, routings)
    for lane in sorted(grown):
        runtime.ring_lane(lane, f"head-{runtime.outbox().head(lane)}")
    reached = projector.reader.history.last()
    if reached and runtime.checkpoints().get(REACT) < reached.next - 1:
        _ring_react(reached.next - 1)
    return _no_failures()


@workers.lambda_function(name="react")
def react(_event: dict[str, Any], context: Any) -> Failures:
    """Carry out the commands that follow from events, in history order, each once."""
    reached = runtime.checkpoints().get(REACT)
    categories = {
        type_.split(".")[0] for reaction in registry.REACTIONS for type_ in reaction.types
    }
    for stretch in runtime.reader().after(reached, lambda s: s.split("-")[0] in categories):
        for position, commit in stretch.commits:
            if context.get_remaining_time_in_millis() < RESERVE_S * 1000:
                _ring_react(position)
                return _no_failures()
            _react_to(commit)
            runtime.checkpoints().advance(REACT, position)
        runtime.checkpoints().advance(REACT, stretch.last)
    return _no_failures()


@workers.lambda_function(name="deliver")
def deliver(event: dict[str, Any], context: Any) -> Failures:
    """Serve the lanes that were rung; the schedule rings every lane that is due."""
    failures = []
    deliverer = _deliverer()
    for record in event["Records"]:
        body = json.loads(record["body"])
        if "lane" not in body:
            _ring_due_lanes()
            _measure()
            continue
        until = runtime.now() + timedelta(milliseconds=context.get_remaining_time_in_millis())
        until -= timedelta(seconds=DELIVER_RESERVE_S)
        if not deliverer.serve(body["lane"], context.aws_request_id, until):
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


@workers.lambda_function(name="intake")
def intake(event: dict[str, Any], _context: Any) -> Failures:
    """Read large edXML messages that were uploaded."""
    for record in event["Records"]:
        job = Job.model_validate_json(record["body"])
        take_in(job, lambda refusal: dict(json.loads(refused(refusal).body)))
    return _no_failures()


def _react_to(commit: Commit) -> None:
    for reaction in registry.REACTIONS:
        for index, event in _events(commit, reaction.types):
            origin = _origin(commit, f"{reaction.name}#{index}")
            for decider, id_, command in reaction.react(event, origin):
                try:
                    handle(runtime.event_store(), decider, id_, command)
                except Refused as refusal:  # The state has moved on; the wish is no longer lawful.
                    log.warning(
                        "reaction refused",
                        extra={
                            "reaction": reaction.name,
                            "about": commit.seen,
                            "code": refusal.code,
                        },
                    )


def _events(commit: Commit, types: Any) -> Iterator[tuple[int, Event]]:
    for index, data in enumerate(commit.data()):
        if kind := types.get(data["type"]):
            yield index, kind.model_validate(data, extra="ignore")


def _origin(commit: Commit, what: str) -> Origin:
    """The origin of a command that follows from a commit: the same for every repetition."""
    name = f"{commit.seen}#{what}".encode()
    return Origin(
        command_id=b64url(sha256(name).digest()),
        digest=b64url(sha256(commit.hash + name).digest()),
        actor=f"axis:{what.split('#', maxsplit=1)[0]}",
        method="reaction",
        correlation=commit.facts["correlation"],
        causation=commit.seen,
        at=runtime.now(),
    )


def _deliverer() -> Deliverer:
    return Deliverer(
        outbox=runtime.outbox(),
        lanes=runtime.lanes(),
        parking=runtime.parking(),
        attempts=runtime.attempts(),
        store=runtime.event_store(),
        sender=runtime.sender(),
        seed=runtime.signing_seed,
        open_secret=runtime.open_secret,
        addresses=registry.address,
        compose=_compose,
        delivered=_delivered,
        refused=_refused,
        clock=runtime.now,
    )


def _compose(message: Message, commit: Commit, address: Address) -> Letter:
    for mail in registry.CORRESPONDENCE:
        for index, event in _events(commit, mail.types):
            if index == message.index:
                try:
                    return mail.compose(message, commit, event, address)
                except (ClientError, BotoCoreError):
                    raise
                except Exception as error:  # A letter that fails holds up its own case only.
                    log.exception("letter not composed", extra={"message_id": message.id})
                    raise NotComposed(type(error).__name__) from error
    raise NotComposed(f"nobody writes letters about {message.type}")


def _refused(message: Message, why: str) -> None:
    """The receiver will not take a message: its case waits until an operator releases it."""
    about = {"message_id": message.id, "lane": message.lane, "reason": why}
    log.warning("message parked", extra=about)


def _delivered(message: Message, commit: Commit) -> None:
    """Tell the context whose message it was that its receiver has taken it."""
    for mail in registry.CORRESPONDENCE:
        for index, event in _events(commit, mail.types):
            if index != message.index:
                continue
            origin = _origin(commit, f"delivery#{message.id}")
            if follow := mail.delivered(message, event, origin):
                handle(runtime.event_store(), *follow)


def _ring_due_lanes() -> None:
    """Ring every lane with messages that may be tried now: retries, and lost wake-ups."""
    now = runtime.now()
    for lane in runtime.lanes().every():
        if lane.due(now):
            runtime.ring_lane(
                lane.lane, f"due-{now.isoformat()}".replace(":", "").replace("+", "-")
            )


def _measure() -> None:
    """Say how much waits in the lanes and for how long: metrics in the log (CloudWatch EMF).

    The figures without a lane are those that alarms watch; a lane has its own while it is not
    empty. Agencies' codes are public.
    """
    now = runtime.now()
    lanes = standings(runtime.lanes(), runtime.outbox(), runtime.event_store())
    for lane in lanes:
        if lane.depth or lane.parked:
            name = f"{lane.agency}#{lane.lane}"
            _emit(lane.depth, lane.oldest_s(now), lane.parked, lane=name)
    _emit(
        sum(lane.depth for lane in lanes),
        max((lane.oldest_s(now) for lane in lanes), default=0),
        sum(lane.parked for lane in lanes),
    )


def _emit(depth: int, oldest_s: int, parked: int, **dimensions: str) -> None:
    metrics = EphemeralMetrics(namespace="LienThong/Delivery", service="deliver")
    for name, value in dimensions.items():
        metrics.add_dimension(name, value)
    metrics.add_metric("OutboxDepth", MetricUnit.Count, depth)
    metrics.add_metric("OldestMessageAge", MetricUnit.Seconds, oldest_s)
    metrics.add_metric("ParkedMessages", MetricUnit.Count, parked)
    metrics.flush_metrics()


def _ring_react(position: int) -> None:
    runtime.client("sqs").send_message(
        QueueUrl=runtime.queue_url("react"),
        MessageBody=json.dumps({"ring": "history"}),
        MessageGroupId="react",
        MessageDeduplicationId=f"history-{position}",
    )


def _ring(body: str) -> str:
    """What a doorbell says; the schedule's own events say nothing."""
    said = json.loads(body)
    return str(said.get("ring", "")) if isinstance(said, dict) else ""


def _no_failures() -> Failures:
    return {"batchItemFailures": []}
