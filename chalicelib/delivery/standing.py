"""How the lanes stand: what waits in each, and since when."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import AwareDatetime

from chalicelib.delivery.lanes import Lane, Lanes, Pause
from chalicelib.delivery.outbox import Outbox, agency_of
from chalicelib.eventstore.store import EventStore
from chalicelib.kernel import Value


class Standing(Value):
    """A lane: `depth` messages wait, the first of them since `oldest_at`, beside the `parked` ones.

    `failures`: tries in vain since the last success; nobody tries again before `due_at`.
    """

    agency: str
    lane: str
    head: int
    served: int
    depth: int
    oldest_at: AwareDatetime | None
    parked: int
    released: int
    failures: int
    due_at: AwareDatetime | None
    paused: Pause | None

    def oldest_s(self, now: datetime) -> int:
        """Seconds for which the oldest message has waited; 0 if none does."""
        return max(0, int((now - self.oldest_at).total_seconds())) if self.oldest_at else 0


def standings(lanes: Lanes, outbox: Outbox, store: EventStore) -> list[Standing]:
    """Every lane there is, by name: a scan, and two reads for each in which something waits."""
    return _stand(lanes.every(), outbox, store)


def standing(lanes: Lanes, outbox: Outbox, store: EventStore, lane: str) -> Standing:
    """One lane, though nothing was ever sent in it."""
    return _stand([lanes.lane(lane, outbox.head(lane))], outbox, store)[0]


def _stand(found: Iterable[Lane], outbox: Outbox, store: EventStore) -> list[Standing]:
    every = list(found)
    first = {
        lane.lane: outbox.message(lane.lane, lane.served + 1)
        for lane in every
        if lane.served < lane.head
    }
    commits = store.commits([(m.stream, m.commit) for m in first.values()])
    since = {name: commits[m.stream, m.commit].recorded_at for name, m in first.items()}
    return [
        Standing(
            agency=agency_of(lane.lane),
            lane=lane.lane.rsplit("#", 1)[1],
            head=lane.head,
            served=lane.served,
            depth=lane.head - lane.served,
            oldest_at=since.get(lane.lane),
            parked=lane.parked,
            released=len(lane.released),
            failures=lane.failures,
            due_at=lane.due_at,
            paused=lane.paused,
        )
        for lane in every
    ]
