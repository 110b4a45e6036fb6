"""How the lanes stand: what waits in each, and since when."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import AwareDatetime

from chalicelib.delivery.lanes import Lane, Lanes, Pause
from chalicelib.delivery.outbox import Outbox, agency_of
from chalicelib.eventstore.store import EventStore
from chalicelib.kernel import Value


class LaneStanding(Value):
    """A lane: of `head` messages `served` were dealt with, `depth` wait, `parked` are set aside.

    The oldest waits since `oldest_at`, for `oldest_s` seconds (0: none does). `released` cases are
    posted again. `failures`: tries in vain since the last success; nobody tries again before
    `due_at`.
    """

    agency: str
    lane: str
    head: int
    served: int
    depth: int
    oldest_at: AwareDatetime | None
    oldest_s: int
    parked: int
    released: int
    failures: int
    due_at: AwareDatetime | None
    paused: Pause | None


def standings(lanes: Lanes, outbox: Outbox, store: EventStore, now: datetime) -> list[LaneStanding]:
    """Every lane there is, by name: a scan, and two reads for each in which something waits."""
    return _stand(lanes.every(), outbox, store, now)


def standing(
    lanes: Lanes, outbox: Outbox, store: EventStore, lane: str, now: datetime
) -> LaneStanding:
    """One lane, though nothing was ever sent in it."""
    return _stand([lanes.lane(lane, outbox.head(lane))], outbox, store, now)[0]


def _stand(
    found: Iterable[Lane], outbox: Outbox, store: EventStore, now: datetime
) -> list[LaneStanding]:
    every = list(found)
    first = {
        lane.lane: outbox.message(lane.lane, lane.served + 1)
        for lane in every
        if lane.served < lane.head
    }
    commits = store.commits([(m.stream, m.commit) for m in first.values()])
    since = {name: commits[m.stream, m.commit].recorded_at for name, m in first.items()}
    return [
        LaneStanding(
            agency=agency_of(lane.lane),
            lane=lane.lane.rsplit("#", 1)[1],
            head=lane.head,
            served=lane.served,
            depth=lane.head - lane.served,
            oldest_at=since.get(lane.lane),
            oldest_s=_waited_s(since.get(lane.lane), now),
            parked=lane.parked,
            released=len(lane.released),
            failures=lane.failures,
            due_at=lane.due_at,
            paused=lane.paused,
        )
        for lane in every
    ]


def _waited_s(since: datetime | None, now: datetime) -> int:
    return max(0, int((now - since).total_seconds())) if since else 0
