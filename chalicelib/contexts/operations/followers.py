"""How far those who follow history are behind it."""

from datetime import datetime
from typing import Any

from chalicelib import runtime
from chalicelib.delivery.outbox import FOLLOWER
from chalicelib.history.pages import Page
from chalicelib.kernel import Value

REACT = "react"
_POINTER = "view/"


class Follower(Value):
    """A worker's reader of history: how many positions it is behind, and for how many seconds.

    `name` is `outbox`, `react`, or a view with its generation (`who_takes_part~1`).
    """

    worker: str
    name: str
    position: int
    lag: int
    lag_s: int


def followers(now: datetime) -> list[Follower]:
    """Everybody who follows history; of the views those generations that are read."""
    last = runtime.history().last()
    head = last.next - 1 if last else 0
    reached, live = _checkpoints()
    found = {FOLLOWER: 0, REACT: 0}
    for name, position in reached.items():
        view, _, generation = name.partition("~")
        if not generation or int(generation) == live.get(view, 1):
            found[name] = position
    return [
        Follower(
            worker="react" if name == REACT else "project",
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


def _checkpoints() -> tuple[dict[str, int], dict[str, int]]:
    checkpoints = runtime.checkpoints()
    reached: dict[str, int] = {}
    live: dict[str, int] = {}
    pages: Any = checkpoints.dynamodb.get_paginator("scan").paginate(
        TableName=checkpoints.table, ConsistentRead=True
    )
    for page in pages:
        for item in page["Items"]:
            name = item["name"]["S"]
            if name.startswith(_POINTER):
                live[name.removeprefix(_POINTER)] = int(item["live"]["N"])
            else:
                reached[name] = int(item["position"]["N"])
    return reached, live


def _behind_s(position: int, now: datetime) -> int:
    page = next(runtime.history().pages(position))
    return max(0, int((now - page.numbered_at).total_seconds()))
