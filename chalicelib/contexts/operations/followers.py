"""How far those who follow history are behind it."""

from datetime import datetime

from chalicelib import runtime
from chalicelib.delivery.outbox import FOLLOWER
from chalicelib.history.pages import Page
from chalicelib.kernel import Value
from chalicelib.projector.checkpoints import NOTIFY, REACT
from chalicelib.projector.table import building, current

SEALED, PUBLISHED = "sealed", "published"
_WORKERS = {REACT: "react", NOTIFY: "notify", SEALED: "seal", PUBLISHED: "seal"}
"""Whose followers they are; all others are `project`'s."""


class Follower(Value):
    """A worker's reader of history: how many positions it is behind, and for how many seconds.

    `name` is `outbox`, `react`, `notify`, or a view with its generation (`who_takes_part~1`); of
    the worker `seal` it is `sealed` (what is signed) or `published` (what the world is shown).
    """

    worker: str
    name: str
    position: int
    lag: int
    lag_s: int


def followers(now: datetime) -> list[Follower]:
    """Everybody who follows history; of the views those generations that are read."""
    heads = runtime.log_heads()
    proven = {SEALED: heads.sealed(), PUBLISHED: heads.published()}
    # A tree's size is the last position in it.
    sizes = {name: head.size if head else 0 for name, head in proven.items()}
    return _followers(_checkpoints() | sizes, now)


def furthest_behind(now: datetime) -> dict[str, Follower]:
    """Of each worker that keeps checkpoints, by its name, the reader that is furthest behind."""
    found = sorted(_followers(_checkpoints(), now), key=lambda one: one.lag)
    return {one.worker: one for one in found}


def rebuilds(now: datetime) -> list[Follower]:
    """The views that are being rebuilt."""
    return _followers(building(runtime.checkpoints().item()), now)


def _checkpoints() -> dict[str, int]:
    return {FOLLOWER: 0, REACT: 0, NOTIFY: 0} | current(runtime.checkpoints().item())


def _followers(found: dict[str, int], now: datetime) -> list[Follower]:
    last = runtime.history().last()
    head = last.next - 1 if last else 0
    return [
        Follower(
            worker=worker_of(name),
            name=name,
            position=position,
            lag=head - position,
            lag_s=_behind_s(position, now) if position < head else 0,
        )
        for name, position in sorted(found.items())
    ]


def worker_of(name: str) -> str:
    """Whose reader of that name it is."""
    return _WORKERS.get(name, "project")


def newest() -> Page | None:
    """The page of history that `sequence` wrote last."""
    return runtime.history().last()


def _behind_s(position: int, now: datetime) -> int:
    page = next(runtime.history().pages(position))
    return max(0, int((now - page.numbered_at).total_seconds()))
