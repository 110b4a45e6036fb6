"""How far those who follow history are behind it."""

from datetime import datetime

from chalicelib import runtime
from chalicelib.delivery.outbox import FOLLOWER
from chalicelib.history.pages import Page
from chalicelib.kernel import Value
from chalicelib.projector.checkpoints import NOTIFY, REACT
from chalicelib.projector.table import building, current


class Follower(Value):
    """A worker's reader of history: how many positions it is behind, and for how many seconds.

    `name` is `outbox`, `react`, `notify`, or a view with its generation (`who_takes_part~1`).
    """

    worker: str
    name: str
    position: int
    lag: int
    lag_s: int


def followers(now: datetime) -> list[Follower]:
    """Everybody who follows history; of the views those generations that are read."""
    found = {FOLLOWER: 0, REACT: 0, NOTIFY: 0} | current(runtime.checkpoints().item())
    return _followers(found, now)


def rebuilds(now: datetime) -> list[Follower]:
    """The views that are being rebuilt."""
    return _followers(building(runtime.checkpoints().item()), now)


def _followers(found: dict[str, int], now: datetime) -> list[Follower]:
    last = runtime.history().last()
    head = last.next - 1 if last else 0
    return [
        Follower(
            worker=name if name in {REACT, NOTIFY} else "project",
            name=name,
            position=position,
            lag=head - position,
            lag_s=_behind_s(position, now) if position < head else 0,
        )
        for name, position in sorted(found.items())
    ]


def newest() -> Page | None:
    """The page of history that `sequence` wrote last."""
    return runtime.history().last()


def _behind_s(position: int, now: datetime) -> int:
    page = next(runtime.history().pages(position))
    return max(0, int((now - page.numbered_at).total_seconds()))
