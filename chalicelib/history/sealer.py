"""Seals history: each commit's header becomes a leaf of the tree, the tree's root is signed.

Any number of sealers may run at once and die anywhere. What a new tree needs is staged, the
checkpoint is signed, and the item `sealed` is swapped only if nobody was faster; then the tiles are
written, each only if it is absent. Whoever comes next first completes what a dead one left.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import chain, islice

from chalicelib.eventstore.store import Corrupt, Place, Shelf
from chalicelib.history.checkpoint import Checkpoint
from chalicelib.history.heads import Head, Heads, Overtaken
from chalicelib.history.merkle import Frontier, leaf_hash
from chalicelib.history.note import Signer, sign
from chalicelib.history.objects import STAGING, Objects, tile_reader
from chalicelib.history.pages import History
from chalicelib.history.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    decode_entries,
    decode_hashes,
    grow,
    parse_path,
    row,
)

PACE_S = 1.0
"""Seconds between two checkpoints while there is always something new; the first comes at once."""
MAX_LEAVES = 4_096
"""Commits that one checkpoint may add."""
MAX_LEAVES_BYTES = 8 * 1024 * 1024
_READ_AT_ONCE = 256


@dataclass
class Sealer:
    """Follows `history` and seals what is new. `wait` sleeps for some seconds."""

    shelf: Shelf
    history: History
    heads: Heads
    objects: Objects
    signer: Signer
    clock: Callable[[], datetime]
    wait: Callable[[float], None]
    _edges: tuple[bytes, dict[int, list[bytes]]] = field(default=(b"", {}), repr=False)

    def seal(self) -> bool:
        """Take one step, if there is one to take: complete the newest tree, or add one.

        Returns:
            Whether there may be more to do.

        Raises:
            Corrupt: a commit, a tile or what was staged is not what it was.
        """
        head = self.heads.sealed()
        if head and not head.settled:
            self._settle(head, self._staged(head))
            return True
        after = head.size if head else 0
        if not self._due(after):
            return False
        self._keep_pace(head)
        leaves = self._leaves(after)
        new, tiles, edges = self._grown(head, leaves)
        files = {tile.path: content for tile, content in tiles.items()}
        self.objects.add({_staging(new): _pack(files)})
        new = replace(new, note=str(sign(self._text(new), self.signer)))
        try:
            self.heads.advance(head, new)
        except Overtaken:
            return True
        self._edges = (new.root, edges)
        self._settle(new, files)
        return True

    def _settle(self, head: Head, files: Mapping[str, bytes]) -> None:
        """Write a tree's tiles, clear away what they supersede, and note that it is done."""
        self.objects.add(files)
        for tile in map(parse_path, files):
            # Not the parts of this very tile: who has just read the last checkpoint wants them.
            if tile.full and tile.number:
                self.objects.remove(f"{Tile(tile.level, tile.number - 1).path}.p/")
        self.heads.settle(head)
        self.objects.remove(_staging(head))

    def _staged(self, head: Head) -> dict[str, bytes]:
        packed = self.objects.read(_staging(head))
        if packed is None:
            # Another one has completed it this moment, or it is lost.
            now = self.heads.sealed()
            if now and (now.settled or now.size > head.size):
                return {}
            raise Corrupt(f"what was staged for the tree of {head.size} is gone")
        return _unpack(packed)

    def _due(self, after: int) -> bool:
        last = self.history.last()
        return last is not None and last.next - 1 > after

    def _keep_pace(self, head: Head | None) -> None:
        if head:
            left = PACE_S - (self.clock() - head.sealed_at).total_seconds()
            if 0 < left <= PACE_S:
                self.wait(left)

    def _leaves(self, after: int) -> list[bytes]:
        """The headers of the commits above a position, each the one that was numbered."""
        pages = self.history.pages(after)
        numbered = chain(*(page.entries[max(0, after + 1 - page.first) :] for page in pages))
        leaves: list[bytes] = []
        size = 0
        while size < MAX_LEAVES_BYTES and len(leaves) < MAX_LEAVES:
            entries = list(islice(numbered, _READ_AT_ONCE))
            found = self.shelf.headers([entry.place for entry in entries])
            for entry in entries:
                position = after + len(leaves) + 1
                leaves.append(_numbered(found, entry.place, entry.hash, position))
                size += len(leaves[-1])
            if len(entries) < _READ_AT_ONCE:
                break
        return leaves

    def _grown(
        self, head: Head | None, leaves: list[bytes]
    ) -> tuple[Head, dict[Tile, bytes], dict[int, list[bytes]]]:
        size = head.size if head else 0
        growth = grow(size, self._edges_of(head), leaves)
        tree = Frontier(size, list(head.peaks) if head else [])
        for leaf in leaves:
            tree.add(leaf_hash(leaf))
        new = Head(tree.size, tree.root(), tuple(tree.peaks), "", self.clock())
        return new, growth.tiles, growth.edges

    def _edges_of(self, head: Head | None) -> dict[int, list[bytes]]:
        """The contents of a tree's partial tiles, from memory or from its files."""
        if head is None:
            return {}
        root, edges = self._edges
        if root == head.root:
            return edges
        read = tile_reader(self.objects)
        edges, level = {}, ENTRIES
        while level < 0 or row(level, head.size):
            number, width = divmod(row(level, head.size), WIDTH)
            if width:
                tile = Tile(level, number, width)
                decode = decode_entries if level == ENTRIES else decode_hashes
                # Whoever is being overtaken may come when the part has gone already.
                edges[level] = decode(tile, read(tile))
            level += 1
        self._check_edges(head, edges)
        return edges

    @staticmethod
    def _check_edges(head: Head, edges: Mapping[int, list[bytes]]) -> None:
        """See that what was read is what was signed, before anything is built on it."""
        same = [leaf_hash(leaf) for leaf in edges.get(ENTRIES, ())] == edges.get(0, [])
        levels = sorted((level for level in edges if level != ENTRIES), reverse=True)
        if not same or tuple(chain(*(_peaks(edges[level]) for level in levels))) != head.peaks:
            raise Corrupt(f"the partial tiles of the tree of {head.size} are not what was signed")

    def _text(self, head: Head) -> str:
        return Checkpoint(self.signer.key.name, head.size, head.root).text


def _peaks(hashes: list[bytes]) -> list[bytes]:
    tree = Frontier()
    for hash_ in hashes:
        tree.add(hash_)
    return tree.peaks


def _numbered(found: Mapping[Place, bytes], place: Place, hash_: bytes, position: int) -> bytes:
    header = found.get(place)
    if header is None or sha256(header).digest() != hash_:
        raise Corrupt(f"position {position}: {place} is not what was numbered")
    return header


def _staging(head: Head) -> str:
    return f"{STAGING}/{head.size}-{head.root.hex()}"


def _pack(files: Mapping[str, bytes]) -> bytes:
    """Many files as one: a line that says the names and lengths, then the contents."""
    index = json.dumps([[name, len(content)] for name, content in files.items()])
    return b"".join([index.encode(), b"\n", *files.values()])


def _unpack(packed: bytes) -> dict[str, bytes]:
    index, _, contents = packed.partition(b"\n")
    files, at = {}, 0
    for name, length in json.loads(index):
        files[name] = contents[at : at + length]
        at += length
    return files
