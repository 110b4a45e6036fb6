"""How the running stack is doing, as a page on the terminal: `make status`."""

import os
import sys
from datetime import datetime, timedelta

import urllib3
from rich.console import Console
from rich.table import Table

from infra.api import Json
from infra.issuer import FOLDER, sign, signing_key

TIMEOUT_S = 10


def main() -> None:
    """Ask the stack that runs, or the one at $API with the token in $TOKEN, and print the page."""
    try:
        url = os.environ.get("API") or (FOLDER / "api").read_text()
        token = os.environ.get("TOKEN") or sign(
            signing_key(FOLDER),
            (FOLDER / "url").read_text(),
            "status",
            "auditor",
            None,
            ttl_seconds=60,
            acr="2",
        )
    except FileNotFoundError:
        sys.exit("no stack has run here yet: start `make run` first, or set API and TOKEN")
    headers = {"authorization": f"Bearer {token}"}
    try:
        answer = urllib3.request(
            "GET", f"{url}/status", headers=headers, timeout=TIMEOUT_S, retries=False
        )
    except urllib3.exceptions.HTTPError as error:
        sys.exit(f"nobody answers at {url} ({type(error).__name__}): is `make run` up?")
    if answer.status != 200:  # noqa: PLR2004 -- OK.
        sys.exit(f"{url}/status answered {answer.status}: {answer.data.decode()[:500]}")
    show(answer.json(), Console())


def show(status: Json, console: Console) -> None:
    """Print the page."""
    history, totals = status["history"], status["totals"]
    console.print(
        f"history at position {history['position']}; {totals['depth']} messages wait,"
        f" the oldest for {_time(totals['oldest_s'])}; {totals['parked']} are parked,"
        f" {totals['failing']} lanes fail, {totals['paused']} are paused;"
        f" {status['reactions']['parked']} commits wait for a reaction"
    )
    console.print(_workers(status["workers"]))
    console.print(_lanes(status["lanes"], datetime.fromisoformat(status["at"])))


def _workers(workers: list[Json]) -> Table:
    table = Table("worker", "reads for", "position", "behind", "for", title="who follows history")
    for one in workers:
        reached, behind = str(one["position"]), str(one["lag"])
        table.add_row(one["worker"], one["name"], reached, behind, _time(one["lag_s"]))
    return table


def _lanes(lanes: list[Json], now: datetime) -> Table:
    table = Table(
        "agency", "lane", "sent", "of", "wait", "oldest", "parked", "failures", "next", "paused",
        title="lanes",
    )  # fmt: skip
    for lane in lanes:
        due = datetime.fromisoformat(lane["due_at"]) - now if lane["due_at"] else timedelta()
        table.add_row(
            lane["agency"],
            lane["lane"],
            str(lane["served"]),
            str(lane["head"]),
            str(lane["depth"]),
            _time(lane["oldest_s"]),
            str(lane["parked"]),
            str(lane["failures"]),
            f"in {_time(int(due.total_seconds()))}" if due > timedelta() else "",
            (lane["paused"] or {}).get("reason", ""),
        )
    return table


def _time(seconds: int) -> str:
    """`90061` → `1 day, 1:01:01`; nothing for none."""
    return str(timedelta(seconds=seconds)) if seconds else "-"


if __name__ == "__main__":
    main()
