"""How fast a stream is read: loaded from memory, proven by its hashes, decoded, folded.

`python bench/fold.py` prints events per second on one core, for commits of 1, 2, 5 and 10 events.
The budget is 150,000. A commit has its own price (a header to read, two digests and a link to
check), so commits of a single event cost most.
"""

import sys
from pathlib import Path
from time import process_time

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from ballot import COPY, BallotOpened, VoteCast, ballot, origin  # noqa: E402 -- the path comes first.

from chalicelib.eventstore.memory import MemoryShelf  # noqa: E402 -- the same.
from chalicelib.eventstore.store import Commit, EventStore, verify  # noqa: E402 -- the same.
from chalicelib.handle import fold  # noqa: E402 -- the same.
from chalicelib.kernel import Decider  # noqa: E402 -- the same.

BUDGET = 150_000
EVENTS = 20_000
ROUNDS = 7


def written(events_per_commit: int) -> list[Commit]:
    """A stream of `EVENTS` events of 200 bytes."""
    store = EventStore(MemoryShelf(), release="2026.1")
    event = VoteCast(voter="voter", note="n" * 142)
    commit = None
    for number in range(EVENTS // events_per_commit):
        batch = [event] * events_per_commit
        commit = store.append(COPY, commit, batch, origin(f"command {number}"))
    return store.load(COPY)


def measure(commits: list[Commit]) -> tuple[float, float]:
    """The best of `ROUNDS`: seconds to prove the stream, and to decode and fold it."""
    # Counts only, as most states do; the ballot box of the tests keeps every voter.
    counting = Decider("ballot", ballot.events, BallotOpened(title=""), ballot.decide, _evolve)
    rounds = []
    for _ in range(ROUNDS):
        # New objects: a commit remembers what was once read of it.
        fresh = [Commit(c.stream, c.number, c.header, c.body) for c in commits]
        began = process_time()
        proven = verify(fresh, COPY)
        loaded = process_time()
        fold(counting, proven)
        rounds.append((loaded - began, process_time() - loaded))
    return min(rounds, key=sum)


def _evolve(_state: BallotOpened, event: VoteCast) -> BallotOpened:
    return BallotOpened(title=event.voter)


if __name__ == "__main__":
    print(
        f"events/commit  events/s   of budget  verify µs/commit  fold µs/event  ({EVENTS:,} events)"
    )
    for size in (1, 2, 5, 10):
        prove, rest = measure(written(size))
        rate = EVENTS / (prove + rest)
        print(
            f"{size:13}  {rate:8,.0f}  {rate / BUDGET:9.0%}  "
            f"{prove / (EVENTS / size) * 1e6:16.2f}  {rest / EVENTS * 1e6:13.2f}"
        )
