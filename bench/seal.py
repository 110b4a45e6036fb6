"""How fast history is sealed, and how little a proof reads: in this process, without an emulator.

`python bench/seal.py` seals 100,000 commits whose headers are 1 KB, some thousands a checkpoint,
with a real Ed25519 signature each, and prints commits per second. The budget is 1,500. Then it
seals one commit at a time onto that, and counts what a proof reads: at most 5.
"""

import random
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: E402 -- the path comes first.
    Ed25519PrivateKey,
)

from chalicelib.eventstore.memory import MemoryShelf  # noqa: E402 -- the same.
from chalicelib.eventstore.store import Commit  # noqa: E402 -- the same.
from chalicelib.history.heads import MemoryHeads  # noqa: E402 -- the same.
from chalicelib.history.merkle import check_inclusion, leaf_hash  # noqa: E402 -- the same.
from chalicelib.history.note import LocalSigner  # noqa: E402 -- the same.
from chalicelib.history.objects import MemoryObjects, tile_reader  # noqa: E402 -- the same.
from chalicelib.history.pages import PAGE_ENTRIES, Entry, MemoryHistory, Page  # noqa: E402 -- the same.
from chalicelib.history.proof import Tree  # noqa: E402 -- the same.
from chalicelib.history.sealer import PACE_S, Sealer  # noqa: E402 -- the same.
from chalicelib.history.tiles import Tile  # noqa: E402 -- the same.

COMMITS, HEADER_BYTES, LONE = 100_000, 1_024, 500
BUDGET, READS = 1_500, 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Log:
    """A history in memory, and its sealer."""

    def __init__(self) -> None:
        self.shelf, self.history = MemoryShelf(), MemoryHistory()
        self.heads, self.objects = MemoryHeads(), MemoryObjects()
        signer = LocalSigner("demo.example/log", Ed25519PrivateKey.generate())
        log = (self.shelf, self.history, self.heads, self.objects)
        self.sealer = Sealer(*log, signer, lambda: NOW, lambda _seconds: None)
        self.size = 0

    def happen(self, commits: int) -> None:
        """So many commits are numbered, in one page."""
        entries: list[Entry] = []
        for position in range(self.size, self.size + commits):
            header = f"{position:012d}".encode().ljust(HEADER_BYTES, b".")
            commit = Commit(f"bench-{position}", 1, header, b"")
            self.shelf.put(commit, None, None)
            entries.append(Entry(*commit.place, sha256(header).digest()))
        self.history.put(Page(self.size + 1, tuple(entries), NOW))
        self.size += commits

    def seal(self) -> int:
        """Seal all there is; the number of checkpoints."""
        before = len(self.heads.signed)
        while self.sealer.seal():
            pass
        return len(self.heads.signed) - before


def reads(log: Log) -> int:
    """How much the proof of a commit reads, at worst: its marker, the published item, tiles."""
    head = log.heads.sealed()
    assert head
    read = tile_reader(log.objects)
    most = 0
    for index in random.sample(range(head.size), 300):
        asked: list[Tile] = []

        def counted(tile: Tile, asked: list[Tile] = asked) -> Any:
            asked.append(tile)
            return read(tile)

        proof = Tree(head.size, counted, head.peaks).inclusion(index)
        header = f"{index:012d}".encode().ljust(HEADER_BYTES, b".")
        check_inclusion(leaf_hash(header), index, head.size, proof, head.root)
        most = max(most, len(asked) + 2)
    return most


def main() -> None:
    """Measure, print, and fail when a budget is not kept."""
    log = Log()
    for _ in range(COMMITS // PAGE_ENTRIES):
        log.happen(PAGE_ENTRIES)
    began = perf_counter()
    checkpoints = log.seal()
    seconds = perf_counter() - began
    rate = COMMITS / seconds
    print(f"{COMMITS:,} commits of {HEADER_BYTES:,} bytes in {checkpoints} checkpoints:")
    print(f"  {seconds:.1f} s, {rate:,.0f} commits/s (budget {BUDGET:,})")
    # With at most one checkpoint a second that is the rate which can be sustained.
    largest = max(
        b.size - a.size for a, b in zip(log.heads.signed, log.heads.signed[1:], strict=False)
    )
    print(f"  at one checkpoint in {PACE_S:.0f} s: {largest / PACE_S:,.0f} commits/s at most")
    began = perf_counter()
    for _ in range(LONE):
        log.happen(1)
        log.seal()
    each = (perf_counter() - began) / LONE
    print(f"a lone commit onto that: {each * 1000:.1f} ms")
    most = reads(log)
    print(f"a proof reads {most} things (budget {READS})")
    if rate < BUDGET or largest / PACE_S < BUDGET or most > READS:
        sys.exit("a budget is not kept")


if __name__ == "__main__":
    main()
