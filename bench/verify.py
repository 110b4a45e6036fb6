"""How fast an auditor proves a history offline: a folder of commits of 1 KB, checked in full.

`python bench/verify.py` makes the folder (demo data, ten commits a stream), verifies it as
`lienthong audit verify` does, and prints seconds, processor seconds and the most memory that all
its processes took together. The budget is 1,000,000 events in 60 s and 1.5 GB. `--events N` makes
it smaller, `--folder F` keeps it.
"""

import argparse
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "cli")]

import orjson  # noqa: E402 -- the path comes first.
from logs import Log  # noqa: E402 -- the same.

from chalicelib.eventstore.store import Commit  # noqa: E402 -- the same.
from chalicelib.text import b64url  # noqa: E402 -- the same.

BUDGET_S, BUDGET_BYTES = 60, 1.5e9
STREAM_COMMITS = 10
STARTED = datetime(2026, 6, 1, tzinfo=UTC)
EVENT = {
    "type": "copy.arrived",
    "document": "demo",
    "receiver": "Z02",
    "note": "Demo data. " * 20,
    "at": "2026-06-01T00:00:00Z",
}


def commits(count: int) -> Iterator[Commit]:
    """`count` commits of one event, of as many streams at a time as there are in all."""
    streams = max(1, count // STREAM_COMMITS)
    body = orjson.dumps([EVENT])
    previous = [""] * streams
    for index in range(count):
        stream = index % streams
        facts = {
            "actor": "system:Z02", "assurance": 2, "body_hash": b64url(sha256(body).digest()),
            "causation": "", "command": f"{index:043d}", "correlation": f"document-demo{stream}",
            "digest": f"{index:043d}", "events": ["copy.arrived/1"], "method": "webhook",
            "number": index // streams + 1, "previous": previous[stream],
            "recorded_at": (STARTED + timedelta(milliseconds=index)).isoformat(
                timespec="microseconds"
            ),
            "release": "demo", "stream": f"copy-demo{stream}.Z02",
        }  # fmt: skip
        header = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
        commit = Commit(str(facts["stream"]), index // streams + 1, header, body)
        previous[stream] = b64url(commit.hash)
        yield commit


def make(folder: Path, count: int) -> None:
    """The folder, as it is fetched."""
    log = Log(folder)
    log.clock.now = STARTED + timedelta(milliseconds=count)
    log.write_all(commits(count), 1_000)


def most_memory(pid: int, done: threading.Event) -> list[int]:
    """Watch a process and its children: bytes of memory, the most last."""
    seen = [0]

    def watch() -> None:
        while not done.wait(0.2):
            listed = subprocess.run(
                ["ps", "-o", "rss=", "--pid", str(pid), "--ppid", str(pid)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            seen.append(max(seen[-1], 1024 * sum(map(int, listed.stdout.split()))))

    threading.Thread(target=watch, daemon=True).start()
    return seen


def measure(folder: Path) -> tuple[dict[str, Any], float, float, int]:
    """What verifying a folder says; seconds, processor seconds, bytes of memory."""
    done = threading.Event()
    before, began = processor_s(), perf_counter()
    command = [sys.executable, "-m", "lienthong", "audit", "verify", str(folder), "--json"]
    policy = ["--policy", str(folder.parent / "policy")]
    with subprocess.Popen(
        [*command, *policy], stdout=subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": f"{ROOT}:cli"}
    ) as running:
        seen = most_memory(running.pid, done)
        answer, _ = running.communicate()
    took = perf_counter() - began
    done.set()
    return orjson.loads(answer), took, processor_s() - before, seen[-1]


def processor_s() -> float:
    """What finished children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with TemporaryDirectory() as made:
        folder = (asked.folder or Path(made)) / "log"
        began = perf_counter()
        if not (folder / "checkpoint").exists():
            make(folder, asked.events)
            print(f"made in {perf_counter() - began:.0f} s")
        told, took, worked, memory = measure(folder)
    print(
        f"{told['events']:,} events in {told['streams']:,} streams: holds={told['holds']}, "
        f"{took:.1f} s of {BUDGET_S} ({worked:.1f} s of processors), "
        f"{memory / 1e9:.2f} GB of {BUDGET_BYTES / 1e9:.1f}"
    )


if __name__ == "__main__":
    main()
