"""The Lambdas behind streams and queues.

A record only wakes a worker; what it then does depends on stored state alone. So a repeated, late,
reordered or lost wake-up changes nothing: the schedule rings every minute, and the sweep finds what
no stream announced.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from chalice.app import Blueprint

from chalicelib import registry, runtime
from chalicelib.contexts.audit import erase as forgetting
from chalicelib.contexts.documents.intake import Job, take_in
from chalicelib.contexts.dossiers import catalogue_import
from chalicelib.contexts.dossiers.notices.notify import notifier
from chalicelib.contexts.operations.followers import furthest_behind
from chalicelib.contexts.payments.asking import ask_what_is_due
from chalicelib.contexts.payments.books import disagreements
from chalicelib.contexts.payments.reconciliation import receiving
from chalicelib.correspondence import events_of, origin_of
from chalicelib.delivery.outbox import FOLLOWER as OUTBOX
from chalicelib.delivery.standing import standings
from chalicelib.eventstore.store import Commit, Place
from chalicelib.handle import handle
from chalicelib.history.reader import Newer, Positioned
from chalicelib.http.problems import Problem, blame, refused
from chalicelib.kernel import Origin, Refused
from chalicelib.projector.aside import BEHIND, NEWER, ParkedCommit
from chalicelib.projector.checkpoints import REACT, Run
from chalicelib.projector.runner import NEAR

workers = Blueprint(__name__)
log = Logger(service="lien-thong")

RESERVE_S, DELIVER_RESERVE_S = 15, 80
"""Seconds a worker keeps back from its time limit to finish what it has begun: the longest post."""
LANES_AT_ONCE = 10
"""Lanes served side by side: as many as a batch can name."""
Failures = dict[str, list[dict[str, str]]]


class Failure(NamedTuple):
    """A reaction that failed, and the class of what it raised."""

    reaction: str
    error: str


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
def project(event: dict[str, Any], context: Any) -> Failures:
    """Bring every view and the outbox up to the end of history, then ring those who follow.

    Views that are far behind are fed when the schedule rings, beside what history's own stream
    wakes, so that nobody waits for them. Then it is measured, too, how far everybody is behind.
    """
    run = Run(runtime.checkpoints())
    projector = runtime.projector(_stalls_only_itself)
    routings = [mail.routing for mail in registry.CORRESPONDENCE]
    grown: dict[str, int] = {}
    try:
        projector.follow(*registry.PROJECTIONS, run=run, within=NEAR)
        try:
            grown = runtime.outbox().extend(projector.reader, routings, run, registry.EVENTS)
        except Newer as newer:
            # A message that is left out could not take its place in its lane later.
            log.error("view stalled", extra={"view": OUTBOX, **blame(newer)})  # noqa: TRY400 -- as below.
    finally:
        run.write()
    if grown:
        runtime.ring_lanes(runtime.lanes().idle(grown), f"history-{run.at(OUTBOX)}")
    if run.at(REACT) < run.foremost:
        runtime.ring_react(f"history-{run.foremost}")
    if not any("dynamodb" in record for record in event.get("Records", ())):
        projector.follow(*registry.PROJECTIONS, over=lambda: _short_of_time(context))
        _measure_lags()
    return _no_failures()


@workers.lambda_function(name="seal")
def seal(event: dict[str, Any], context: Any) -> Failures:
    """Seal what history has gained, and show it to the world once witnesses have signed it.

    Who did not answer well is asked again when the schedule rings, which also reads anew who is
    to be asked, and measures how late proof is.
    """
    scheduled = not any("dynamodb" in record for record in event.get("Records", ()))
    if scheduled:
        runtime.publisher.cache_clear()
    again, more = scheduled, True
    while more and context.get_remaining_time_in_millis() > DELIVER_RESERVE_S * 1000:
        more = runtime.sealer().seal()
        for trouble in runtime.publisher().publish(again=again):
            about = {"who": trouble.who, "what": trouble.what}
            if trouble.disagrees:
                log.error("witness disagrees", extra=about)
            else:
                log.warning("witness silent", extra=about)
        again = False
    if scheduled:
        metrics = EphemeralMetrics(namespace="LienThong/Proof", service="seal")
        lateness = runtime.publisher().lateness()
        metrics.add_metric("UnpublishedAge", MetricUnit.Seconds, lateness.unpublished_s)
        metrics.add_metric("WitnessAge", MetricUnit.Seconds, lateness.witness_s)
        metrics.add_metric("TimeStampAge", MetricUnit.Seconds, lateness.timestamp_s)
        metrics.flush_metrics()
    return _no_failures()


@workers.lambda_function(name="react")
def react(event: dict[str, Any], context: Any) -> Failures:
    """Carry out the commands that follow from events, in history order, each once.

    When the schedule rings, those too that follow from the time alone.
    """
    run = Run(runtime.checkpoints())
    # Looked up after the checkpoint: what another run has left behind it, it had set aside before.
    waiting = _try_again(context)
    types = {type_ for reaction in registry.REACTIONS for type_ in reaction.types}
    categories = {type_.split(".")[0] for type_ in types}
    try:
        wanted = runtime.reader().after(run.at(REACT), lambda s: s.split("-")[0] in categories)
        for stretch in wanted:
            for positioned in stretch.commits:
                written = positioned.commit.types
                if types.isdisjoint(written) and written <= registry.EVENTS:
                    continue
                if _short_of_time(context):
                    runtime.ring_react(f"history-{positioned.position}")
                    return _no_failures()
                run.write()
                _follow_up(positioned, waiting)
                run.reach([REACT], positioned.position)
            run.reach([REACT], stretch.last)
            run.write()
    finally:
        run.write()
    if any(_ring(record["body"]) == "schedule" for record in event.get("Records", ())):
        _act_on_due(context)
        if wrong := disagreements(runtime.now()):
            log.error("books disagree", extra={"cases": wrong})
    return _no_failures()


@workers.lambda_function(name="deliver")
def deliver(event: dict[str, Any], context: Any) -> Failures:
    """Serve the lanes that were rung; the schedule rings every lane that is due."""
    rung = {record["messageId"]: json.loads(record["body"]) for record in event["Records"]}
    lanes = {body["lane"] for body in rung.values() if "lane" in body}
    if any("lane" not in body for body in rung.values()):
        _ring_due_lanes()
        _measure()
    if not lanes:
        return _no_failures()
    deliverer = registry.MAIL.deliverer()
    until = runtime.now() + timedelta(milliseconds=context.get_remaining_time_in_millis())
    until -= timedelta(seconds=DELIVER_RESERVE_S)

    def serve(lane: str) -> tuple[str, bool]:
        return lane, deliverer.serve(lane, context.aws_request_id, until)

    # Side by side: a receiver that is slow to answer holds up nobody else's lane.
    with ThreadPoolExecutor(LANES_AT_ONCE) as posting:
        served = dict(posting.map(serve, sorted(lanes)))
    if runtime.now() >= until:  # They may not be empty, and nobody else was rung for the rest.
        runtime.ring_lanes(lanes, f"more-{context.aws_request_id}")
    unserved = [id_ for id_, body in rung.items() if not served.get(body.get("lane"), True)]
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in unserved]}


@workers.lambda_function(name="notify")
def notify(_event: dict[str, Any], context: Any) -> Failures:
    """Tell applicants what happened to their dossiers: when the schedule rings, and once."""

    def over() -> bool:
        return _nearly_over(context)

    telling = notifier()
    telling.follow(runtime.reader(), Run(runtime.checkpoints()), over)
    telling.send(over)
    return _no_failures()


@workers.lambda_function(name="pay")
def pay(_event: dict[str, Any], context: Any) -> Failures:
    """Ask what became of transactions and tax enquiries, have refunds paid: by the schedule."""
    ask_what_is_due(_origin_at, lambda: _nearly_over(context))
    return _no_failures()


@workers.lambda_function(name="erase")
def erase(_event: dict[str, Any], context: Any) -> Failures:
    """Forget whom it was approved to forget, and wrap anew the keys that old epochs wrapped."""

    def over() -> bool:
        return _short_of_time(context)

    for stream, name in forgetting.due():
        if over():
            return _no_failures()
        try:
            forgetting.carry_out(stream, name)
        except Exception as error:  # One person is no reason to keep all others waiting.
            if runtime.may_pass(error):
                raise
            about = {"about": stream, **blame(error)}
            log.error("erasure failed", extra=about)  # noqa: TRY400 -- its text may be personal.
    if renewed := runtime.vault().keys.renew(over):
        log.info("keys wrapped anew", extra={"keys": renewed})
    return _no_failures()


@workers.lambda_function(name="intake")
def intake(event: dict[str, Any], context: Any) -> Failures:
    """Read what was uploaded: large edXML messages, tables of procedures, settlement files."""
    for record in event["Records"]:
        asked = json.loads(record["body"])
        if "settlement" in asked:
            # Imported when a file has come: what compares is used by nobody else.
            from chalicelib.contexts.payments.reconciliation import comparing  # noqa: PLC0415

            comparing.run(receiving.Job.model_validate_json(record["body"]))
            continue
        if "catalogue" in asked:
            table = catalogue_import.Job.model_validate_json(record["body"])
            catalogue_import.run(table, _problem, lambda: _short_of_time(context))
            continue
        job = Job.model_validate_json(record["body"])
        take_in(job, _problem)
    return _no_failures()


def _problem(refusal: Refused) -> Problem:
    said: Problem = json.loads(refused(refusal).body)
    return said


def _act_on_due(context: Any) -> None:
    """Carry out what follows where a due moment has passed, earliest first.

    What there is no time for is done a minute later; it makes no difference when, as the commands
    go by the moment and not by when they are carried out.
    """
    store = runtime.event_store()
    for deadline in registry.DEADLINES:
        due = runtime.views().due(deadline.projection, deadline.by, runtime.now())
        for key, seen, row in due:
            if _short_of_time(context):
                return
            origin = _origin_at(seen, deadline.name)
            about = {"deadline": deadline.name, "about": key}
            try:
                handle(store, *deadline.follow(row, origin))
            except Refused as refusal:
                log.warning("deadline refused", extra=about | {"code": refusal.code})
            except Exception as error:  # One case is no reason to hold up all others.
                if runtime.may_pass(error):
                    raise
                about |= blame(error)
                log.error("deadline failed", extra=about)  # noqa: TRY400 -- its text may be personal.


def _origin_at(seen: str, what: str) -> Origin:
    """The origin of a command that follows from a version of a stream (`stream@number`)."""
    stream, _, number = seen.rpartition("@")
    place = (stream, int(number))
    return origin_of(runtime.event_store().commits([place])[place], what)


@contextmanager
def _stalls_only_itself(view: str) -> Iterator[None]:
    """A fold that fails stalls its own question; the alarm rings."""
    try:
        yield
    except Exception as error:
        if runtime.may_pass(error):
            raise
        about = {"view": view, **blame(error)}
        log.error("view stalled", extra=about)  # noqa: TRY400 -- its text may be personal.


def _try_again(context: Any) -> set[str]:
    """Carry out what was set aside and may go on; the streams that still wait."""
    waiting = set()
    for commits in runtime.aside().streams():
        if not commits[0].ready or _short_of_time(context):
            waiting.add(commits[0].stream)
            continue
        found = runtime.event_store().commits([(one.stream, one.commit) for one in commits])
        for one in commits:
            if failure := _react_to(found[one.stream, one.commit]):
                runtime.aside().again(one.model_copy(update=failure._asdict()))
                waiting.add(one.stream)
                break
            runtime.aside().done(one)
    return waiting


def _follow_up(positioned: Positioned, waiting: set[str]) -> None:
    """Carry out what follows from a commit, or set it aside, and so what comes in its stream."""
    position, commit = positioned
    failure = Failure("", BEHIND) if commit.stream in waiting else _react_to(commit)
    if failure:
        waiting.add(commit.stream)
        one = ParkedCommit(
            stream=commit.stream,
            commit=commit.number,
            position=position,
            **failure._asdict(),
            since=runtime.now(),
        )
        runtime.aside().put(one)


def _react_to(commit: Commit) -> Failure | None:
    """Carry out what follows from a commit; if that fails, which reaction and how."""
    if strange := commit.types - registry.EVENTS:
        # What follows from it a newer program knows, which takes it up by itself.
        about = {"about": commit.seen, "error": NEWER, "events": sorted(strange)}
        log.error("reaction parked", extra=about)
        return Failure("", NEWER)
    for reaction in registry.REACTIONS:
        try:
            _carry_out(reaction, commit)
        except Exception as error:  # One case is no reason to hold up all others.
            if runtime.may_pass(error):
                raise
            about = {"about": commit.seen, "reaction": reaction.name, **blame(error)}
            log.error("reaction parked", extra=about)  # noqa: TRY400 -- its text may be personal.
            return Failure(reaction.name, type(error).__name__)
    return None


def _carry_out(reaction: registry.Reaction, commit: Commit) -> None:
    for index, event in events_of(commit, reaction.types):
        origin = origin_of(commit, f"{reaction.name}#{index}")
        for decider, id_, command in reaction.react(event, origin):
            try:
                counter = reaction.counter(command)
                handle(runtime.event_store(), decider, id_, command, counter=counter)
            except Refused as refusal:  # The state has moved on; the wish is no longer lawful.
                log.warning(
                    "reaction refused",
                    extra={
                        "reaction": reaction.name,
                        "about": commit.seen,
                        "code": refusal.code,
                    },
                )


def _short_of_time(context: Any) -> bool:
    return bool(context.get_remaining_time_in_millis() < RESERVE_S * 1000)


def _nearly_over(context: Any) -> bool:
    """The same for a worker that waits for others to answer."""
    return bool(context.get_remaining_time_in_millis() < DELIVER_RESERVE_S * 1000)


def _ring_due_lanes() -> None:
    """Ring every lane with messages that may be tried now: retries, and lost wake-ups."""
    now = runtime.now()
    due = [lane.lane for lane in runtime.lanes().every() if lane.due(now)]
    runtime.ring_lanes(due, f"due-{now.isoformat()}".replace(":", "").replace("+", "-"))


def _measure_lags() -> None:
    """Say how far each worker is behind history: metrics in the log (CloudWatch EMF)."""
    for worker, reader in furthest_behind(runtime.now()).items():
        metrics = EphemeralMetrics(namespace="LienThong/History", service=worker)
        metrics.add_metric("LagPositions", MetricUnit.Count, reader.lag)
        metrics.add_metric("Lag", MetricUnit.Seconds, reader.lag_s)
        metrics.flush_metrics()


def _measure() -> None:
    """Say how much waits in the lanes and for how long: metrics in the log (CloudWatch EMF).

    The figures without a lane are those that alarms watch: what an operator holds back is not in
    them, or it would drown all else. A lane has its own while it is not empty. Agencies' codes are
    public.
    """
    lanes = standings(runtime.lanes(), runtime.outbox(), runtime.event_store(), runtime.now())
    for lane in lanes:
        if lane.depth or lane.parked:
            name = f"{lane.agency}#{lane.lane}"
            _emit(lane.depth, lane.oldest_s, lane.parked, lane.failures, lane=name)
    watched = [lane for lane in lanes if not (lane.paused and lane.paused.ordered)]
    _emit(
        sum(lane.depth for lane in watched),
        max((lane.oldest_s for lane in watched), default=0),
        sum(lane.parked for lane in lanes),
        sum(lane.failures for lane in lanes),
    )


def _emit(depth: int, oldest_s: int, parked: int, retries: int, **dimensions: str) -> None:
    metrics = EphemeralMetrics(namespace="LienThong/Delivery", service="deliver")
    for name, value in dimensions.items():
        metrics.add_dimension(name, value)
    metrics.add_metric("OutboxDepth", MetricUnit.Count, depth)
    metrics.add_metric("OldestMessageAge", MetricUnit.Seconds, oldest_s)
    metrics.add_metric("ParkedMessages", MetricUnit.Count, parked)
    metrics.add_metric("Retries", MetricUnit.Count, retries)
    metrics.flush_metrics()


def _ring(body: str) -> str:
    """What a doorbell says; the schedule's own events say nothing."""
    said = json.loads(body)
    return str(said.get("ring", "")) if isinstance(said, dict) else ""


def _no_failures() -> Failures:
    return {"batchItemFailures": []}
