"""A history of demo events, sealed as the service seals one, laid out as an auditor fetches it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.contexts.audit.cloudevents import compact, events
from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.store import Commit, EventStore
from chalicelib.history.checkpoint import Checkpoint
from chalicelib.history.merkle import Frontier, complete_root, leaf_hash
from chalicelib.history.note import WITNESS, LocalSigner, Note, cosign, sign
from chalicelib.history.tiles import ENTRIES, WIDTH, Tile, all_tiles, encode_entries, encode_hashes
from chalicelib.kernel import Event, Origin
from infra import catalogue

ORIGIN = "lien-thong/demo"
STARTED = datetime(2026, 6, 1, 2, tzinfo=UTC)


def signer(name: str = ORIGIN, seed: int = 1, kind: int = 1) -> LocalSigner:
    """A key that is the same in every run, so that what is found can be found again."""
    return LocalSigner(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), kind)


WITNESSES = [signer(f"demo.example/w{n}", n + 1, WITNESS) for n in (1, 2, 3)]
POLICY = "\n".join(
    [
        f"log {signer().key}",
        *(f"witness w{n} {one.key}" for n, one in enumerate(WITNESSES, start=1)),
        "group most 2 w1 w2 w3",
        "quorum most",
        "",
    ]
)


@dataclass
class Clock:
    """A clock that goes a second on with each look."""

    now: datetime = STARTED

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class Log:
    """A log in memory and, once sealed, in `folder`."""

    folder: Path
    signer: LocalSigner = field(default_factory=signer)
    clock: Clock = field(default_factory=Clock)
    commits: list[Commit] = field(default_factory=list)
    sealed: int = 0

    def __post_init__(self) -> None:
        self.store = EventStore(MemoryShelf(), release="demo", clock=self.clock)
        self.last: dict[str, Commit] = {}

    def add(self, stream: str, *happened: Event, **origin: Any) -> Commit:
        """One more commit at the end of history."""
        asked = {"actor": "officer:demo-1", "method": "jwt", "assurance": 2, **origin}
        command = f"demo {len(self.commits)}"
        origin_ = Origin(command_id=command, digest="demo", at=self.clock.now, **asked)
        commit = self.store.append(stream, self.last.get(stream), happened, origin_)
        self.last[stream] = commit
        self.commits.append(commit)
        return commit

    def tell(self, count: int) -> None:
        """Append `count` commits of demo events, several streams going on at once."""
        kinds = catalogue.events()
        told = [
            (type_, kinds[type_].model_validate(example))
            for type_ in TOLD
            for example in catalogue.read(catalogue.FOLDER / f"{type_}.json")["examples"][:1]
        ]
        for _ in range(count):
            at = len(self.commits)
            type_, event = told[at % len(told)]
            stream = f"{type_.split('.')[0]}-demo{at // len(told) % 7}"
            self.add(stream, *[event] * (1 + at % 3), correlation=f"case-{at % 5}")

    def seal(self, cosigned: int = 3, at: datetime | None = None) -> Checkpoint:
        """Write what is new: entries, tiles, a checkpoint that witnesses saw, events."""
        return self.write_all(self.commits, cosigned=cosigned, at=at)

    def write_all(
        self,
        commits: Iterable[Commit],
        chunk: int = 100,
        cosigned: int = 3,
        at: datetime | None = None,
    ) -> Checkpoint:
        """Write all pieces of a log of these commits, in passing; `chunk` events' files apart."""
        rows: list[list[bytes]] = [[]]
        tree, leaves, lines = Frontier(), [], []
        for commit in commits:
            leaves.append(commit.header)
            rows[0].append(leaf_hash(commit.header))
            tree.add(rows[0][-1])
            lines += [compact(one) + b"\n" for one in events(tree.size, commit)]
            if len(leaves) == WIDTH:
                self._bundle(tree.size, leaves)
            if tree.size % chunk == 0:
                self._lines(tree.size - chunk + 1, lines)
        if leaves:
            self._bundle(tree.size, leaves)
        if lines:
            self._lines(tree.size - tree.size % chunk + 1, lines)
        while len(rows[-1]) >= WIDTH:
            row, full = rows[-1], range(0, len(rows[-1]) - len(rows[-1]) % WIDTH, WIDTH)
            rows.append([complete_root(row[first : first + WIDTH]) for first in full])
        for tile in all_tiles(tree.size):
            if tile.level != ENTRIES:
                hashes = rows[tile.level][tile.start : tile.start + tile.width]
                self.write(tile.path, encode_hashes(hashes))
        checkpoint = Checkpoint(self.signer.name, tree.size, tree.root())
        self.publish(checkpoint, cosigned, at)
        self.sealed = tree.size
        return checkpoint

    def _bundle(self, size: int, leaves: list[bytes]) -> None:
        tile = Tile(ENTRIES, (size - 1) // WIDTH, len(leaves))
        self.write(tile.path, encode_entries(leaves))
        leaves.clear()

    def _lines(self, first: int, lines: list[bytes]) -> None:
        self.write(f"events/{first:012d}.jsonl", b"".join(lines))
        lines.clear()

    def publish(
        self, checkpoint: Checkpoint, cosigned: int = 3, at: datetime | None = None
    ) -> Note:
        """Sign a checkpoint, have it cosigned, and write it where it belongs."""
        seen = int((at or self.clock.now).timestamp())
        note = sign(checkpoint.text, self.signer).with_signatures(
            cosign(checkpoint.text, witness, seen) for witness in WITNESSES[:cosigned]
        )
        self.write("checkpoint", str(note).encode())
        self.write(f"checkpoints/{checkpoint.size}", str(note).encode())
        self.write("keys", f"{self.signer.key}\n".encode())
        self.write("../policy", POLICY.encode())
        return note

    def write(self, name: str, content: bytes) -> None:
        """Put a piece into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def lines(self, file: int = 1) -> list[dict[str, Any]]:
        """The exported events of a file, to be tampered with."""
        path = self.folder / "events" / f"{file:012d}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def rewrite(self, lines: list[dict[str, Any]], file: int = 1) -> None:
        """Put events back as somebody else would have them."""
        self.write(f"events/{file:012d}.jsonl", b"".join(compact(one) + b"\n" for one in lines))

    def bundle(self, number: int) -> Tile:
        """The bundle of entries of that number, as the sealed size has it."""
        return Tile(ENTRIES, number, min(WIDTH, self.sealed - number * WIDTH))


TOLD = ["document.sent", "offer.made", "copy.opened", "agency.registered", "copy.arrived"]
