"""The operator's view over HTTP: who is behind, which lanes wait; pause, release, rewind."""

from typing import TypeVar

from aws_lambda_powertools import Logger
from pydantic import Field

from chalicelib import runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.operations.followers import followers, newest, rebuilds
from chalicelib.contexts.operations.shown import (
    AgencyLanes,
    AxisStatus,
    LaneCase,
    ParkedCommits,
    ParkedMessages,
    PostedAgain,
    RebuiltView,
    ReleasedStream,
    Rewind,
    RewindRehearsal,
)
from chalicelib.delivery.lanes import LaneKind, Pause, lanes_of
from chalicelib.delivery.outbox import Message
from chalicelib.delivery.parking import Abandonment, ParkedMessage
from chalicelib.delivery.standing import standing, standings
from chalicelib.eventstore.store import check_stream
from chalicelib.http.paging import page_request
from chalicelib.http.resource import Answer, Resource, ok, ordered
from chalicelib.kernel import Conflict, Invalid, NotFound, Origin, Value
from chalicelib.projector.aside import LANE as REACTIONS
from chalicelib.projector.table import questions
from chalicelib.text import b64url, from_b64url

routes = Resource(__name__)
_log = Logger(service="lien-thong")

SHOWN = 200
"""Messages that a dry run names."""
_PLACE_CHARS = 600
T = TypeVar("T")


class MessageNotParked(NotFound):
    """No such message of this agency is set aside."""

    code = "message-not-parked"


class NotFirstOfItsCase(Conflict):
    """The message waits behind another one of its case: release or give up that one first."""

    code = "not-first-of-its-case"


class ReactionNotParked(NotFound):
    """Nothing of this stream waits for a reaction that failed."""

    code = "reaction-not-parked"


class ViewUnknown(NotFound):
    """There is no such view."""

    code = "view-unknown"


class ViewBeingRebuilt(Conflict):
    """A new version of this view is being filled; it is read as soon as it has caught up."""

    code = "view-being-rebuilt"


class RewindOutOfRange(Invalid):
    """A lane is rewound to a message that was dealt with: from 1 to the cursor."""

    code = "rewind-out-of-range"


class InvalidPlace(Invalid):
    """`cursor` must be the `next` of an earlier page of parked messages."""

    code = "invalid-place"


class Reasoned(Value):
    """The body of a pause and of an abandonment: why, in words for other operators."""

    reason: str = Field(min_length=1, max_length=200)


class RewindRequest(Value):
    """The body of `POST /lanes/{agency}/rewind`: post again from message number `to` on."""

    lane: LaneKind
    to: int = Field(ge=1, lt=10**15)
    dry_run: bool = False


@routes.get("/status", allow={"administrator", "auditor"})
def see_status() -> Answer[AxisStatus]:
    """How the axis is doing: each worker's lag, and every lane with what waits in it."""
    now, page = runtime.now(), newest()
    lanes = standings(runtime.lanes(), runtime.outbox(), runtime.event_store(), now)
    return ok(
        {
            "at": now,
            "history": {
                "position": page.next - 1 if page else 0,
                "numbered_at": page.numbered_at if page else None,
            },
            "workers": followers(now),
            "rebuilds": rebuilds(now),
            "reactions": {"parked": runtime.aside().count()},
            "totals": {
                "depth": sum(lane.depth for lane in lanes),
                "oldest_s": max((lane.oldest_s for lane in lanes), default=0),
                "parked": sum(lane.parked for lane in lanes),
                "failing": sum(lane.failures > 0 for lane in lanes),
                "paused": sum(lane.paused is not None for lane in lanes),
            },
            "lanes": lanes,
        }
    )


@routes.get("/lanes/{agency}", allow={"administrator", "auditor"})
def see_lanes(agency: str) -> Answer[AgencyLanes]:
    """An agency's two lanes."""
    return ok(_lanes(canonical(agency)))


@routes.put("/lanes/{agency}/pause", allow={"administrator"})
def pause_agency(agency: str) -> Answer[AgencyLanes]:
    """Post nothing to an agency until it is resumed. 202; a pause that stands keeps its reason."""
    origin, asked, code = routes.origin(), routes.json(Reasoned), canonical(agency)
    runtime.lanes().pause(code, Pause(reason=asked.reason, at=origin.at, by=origin.actor))
    return _done("agency paused", origin, code, _lanes(code))


@routes.delete("/lanes/{agency}/pause", allow={"administrator"})
def resume_agency(agency: str) -> Answer[AgencyLanes]:
    """Post to the agency again, at once, whoever or whatever paused it. 202."""
    origin, code = routes.origin(), canonical(agency)
    runtime.lanes().resume(code)
    for lane in lanes_of(code):
        runtime.ring_lanes([lane], f"resume-{origin.command_id}")
    return _done("agency resumed", origin, code, _lanes(code))


@routes.get("/lanes/{agency}/parked", allow={"administrator", "auditor"})
def list_parked(agency: str) -> Answer[ParkedMessages]:
    """What is set aside for an agency, case by case. Query: `limit`, `cursor`."""
    asked, names = page_request(routes.query()), lanes_of(canonical(agency))
    lane, after = _place(asked.cursor, names) if asked.cursor else (names[0], None)
    items: list[ParkedMessage] = []
    while True:
        found, after = runtime.parking().page(lane, after, asked.limit - len(items))
        items += found
        if len(items) == asked.limit or (after is None and lane == names[-1]):
            break
        if after is None:
            lane = names[-1]
    if after is None and lane != names[-1]:
        lane, after = names[-1], ""
    following = None if after is None else b64url(f"{lane}\n{after}".encode())
    return ok({"items": items, "next": following})


@routes.post("/lanes/{agency}/parked/{message}/release", allow={"administrator"})
def release_case(agency: str, message: str) -> Answer[LaneCase]:
    """Post a parked message and all that waits behind it in its case. 202.

    404 `message-not-parked`. Other cases, and the lane's pause or next try, stay as they are.
    """
    origin, code = routes.origin(), canonical(agency)
    found = _message(code, message)
    if not runtime.orders().known(origin):
        _aside(found)
        update = runtime.parking().releasing(found.lane, found.case)
        runtime.orders().carry_out(origin, found.lane, update)
    runtime.ring_lanes([found.lane], f"release-{origin.command_id}")
    return _done("case released", origin, found.lane, LaneCase(lane=found.lane, case=found.case))


@routes.post("/lanes/{agency}/parked/{message}/abandonment", allow={"administrator"})
def give_up_message(agency: str, message: str) -> Answer[LaneCase]:
    """Try a parked message no more, for a reason: its case goes on with what waits behind it. 202.

    It must be the first of its case (409 `not-first-of-its-case`). Its sender is told, and the
    order is kept among its attempts. 404 `message-not-parked`.
    """
    origin, asked, code = routes.origin(), routes.json(Reasoned), canonical(agency)
    found = _message(code, message)
    if not runtime.orders().known(origin):
        first, *_ = _aside(found)
        if first.message != found.id:
            raise NotFirstOfItsCase
        order = Abandonment(reason=asked.reason, at=origin.at, by=origin.actor)
        updates = runtime.parking().giving_up(first, order)
        runtime.orders().carry_out(origin, found.lane, *updates)
    runtime.ring_lanes([found.lane], f"abandonment-{origin.command_id}")
    return _done("message given up", origin, found.id, LaneCase(lane=found.lane, case=found.case))


@routes.post("/views/{name}/rebuild", allow={"administrator"})
def rebuild_view(name: str) -> Answer[RebuiltView]:
    """Fill a view anew from the first position, beside the one that is read until then. 202.

    `GET /status` shows how far it is. 404 `view-unknown`, 409 `view-being-rebuilt`.
    """
    origin = routes.origin()
    if not runtime.orders().known(origin):
        if name not in questions(runtime.checkpoints().item()):
            raise ViewUnknown
        _, update = runtime.views().rebuilding(name)
        if update is None:
            raise ViewBeingRebuilt
        runtime.orders().carry_out(origin, f"view/{name}", update)
    return _done("view rebuilt", origin, name, RebuiltView(view=name))


@routes.post("/lanes/{agency}/rewind", allow={"administrator"})
def rewind_lane(agency: str) -> Answer[Rewind] | Answer[RewindRehearsal]:
    """Post a lane again from an earlier message on, under the same ids. 202; 200 for a dry run.

    `dry_run` says how many messages that is, and which the first 200 are. 422
    `rewind-out-of-range`.
    """
    origin, asked = routes.origin(), routes.json(RewindRequest)
    lane = f"{canonical(agency)}#{asked.lane}"
    answer = Rewind(lane=lane, to=asked.to)
    if not asked.dry_run and runtime.orders().known(origin):
        return _done("lane rewound", origin, lane, answer)
    served = runtime.lanes().cursor(lane).served
    if asked.to > served:
        raise RewindOutOfRange(f"the cursor stands at {served}", field="/to")
    if asked.dry_run:
        last = min(served, asked.to + SHOWN - 1)
        again = [_named(runtime.outbox().message(lane, n)) for n in range(asked.to, last + 1)]
        return ok(RewindRehearsal(**answer, messages=served - asked.to + 1, first=again))
    runtime.orders().carry_out(origin, lane, runtime.lanes().rewinding(lane, served, asked.to - 1))
    runtime.ring_lanes([lane], f"rewind-{origin.command_id}")
    return _done("lane rewound", origin, lane, answer)


@routes.get("/reactions/parked", allow={"administrator", "auditor"})
def list_parked_reactions() -> Answer[ParkedCommits]:
    """Commits whose reaction failed, and those that wait behind them. Query: `limit`, `cursor`."""
    asked = page_request(routes.query())
    after = _place(asked.cursor, [REACTIONS])[1] if asked.cursor else None
    found, after = runtime.aside().page(after, asked.limit)
    following = None if after is None else b64url(f"{REACTIONS}\n{after}".encode())
    return ok({"items": found, "next": following})


@routes.post("/reactions/parked/{stream}/release", allow={"administrator"})
def release_reactions(stream: str) -> Answer[ReleasedStream]:
    """Carry out what failed, and all that waits behind it in its stream, in order. 202.

    404 `reaction-not-parked`. What fails again stays.
    """
    origin = routes.origin()
    try:
        check_stream(stream)
    except ValueError:
        raise ReactionNotParked from None
    if not runtime.orders().known(origin):
        first = runtime.aside().first(stream)
        if first is None:
            raise ReactionNotParked
        runtime.orders().carry_out(origin, stream, runtime.aside().releasing(first))
    runtime.ring_react(f"release-{origin.command_id}")
    return _done("reactions released", origin, stream, ReleasedStream(stream=stream))


def _message(agency: str, id_: str) -> Message:
    found = runtime.outbox().find(id_)
    if found is None or found.agency != agency:
        raise MessageNotParked
    return found


def _aside(message: Message) -> list[ParkedMessage]:
    """What is parked of a message's case, if the message is."""
    aside = runtime.parking().of(message.lane, message.case)
    if message.id not in {parked.message for parked in aside}:
        raise MessageNotParked
    return aside


def _lanes(agency: str) -> AgencyLanes:
    with_what, now = (runtime.lanes(), runtime.outbox(), runtime.event_store()), runtime.now()
    return {"items": [standing(*with_what, lane, now) for lane in lanes_of(agency)]}


def _named(message: Message) -> PostedAgain:
    return PostedAgain(
        id=message.id, sequence=message.sequence, case=message.case, type=message.type
    )


def _place(cursor: str, lanes: list[str]) -> tuple[str, str | None]:
    try:
        lane, _, place = from_b64url(cursor).decode().partition("\n")
    except ValueError:
        raise InvalidPlace(field="cursor") from None
    if lane not in lanes or len(place) > _PLACE_CHARS:
        raise InvalidPlace(field="cursor")
    return lane, place or None


def _done(what: str, origin: Origin, about: str, data: T) -> Answer[T]:
    """202; the log says who did it."""
    _log.info(what, extra={"about": about, "by": origin.actor, "order": origin.command_id})
    return ordered(data)
