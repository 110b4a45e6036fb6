"""The tree cut into tiles: files that never change, of which anyone can make any proof.

A tile of level 0 holds the hashes of 256 neighbouring leaves; one of level L + 1 the roots of 256
full tiles of level L. A bundle of entries holds the leaves themselves. The last one of each row is
partial until 256 are there; its path says how many it holds.

Rule: C2SP tlog-tiles.
"""

import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from chalicelib.history.merkle import HASH_BYTES, Unproven, complete_root, leaf_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
ENTRIES = -1
"""The level of the bundles that hold the leaves themselves."""

_PATH = re.compile(
    r"tile/(entries|0|[1-9]\d?)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII
)
_LEVELS = 64


class Tile(NamedTuple):
    """Which tile: its level (`ENTRIES` for a bundle), its number there, how many it holds."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is found, below the log's address: `tile/0/x001/234.p/56`."""
        digits = f"{self.number:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{level}/{name}{'' if self.full else f'.p/{self.width}'}"

    @property
    def full(self) -> bool:
        """Whether it will never grow."""
        return self.width == WIDTH

    @property
    def start(self) -> int:
        """How many hashes (or entries) stand before it in its row."""
        return self.number * WIDTH


def parse_path(path: str) -> Tile:
    """The tile that stands at a path; only the one way to write it is understood.

    Raises:
        ValueError: it is no tile's path.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError(f"not the path of a tile: {path[:80]!r}")
    level, groups, width = found.groups()
    tile = Tile(
        ENTRIES if level == "entries" else int(level),
        int(groups.replace("x", "").replace("/", "")),
        int(width) if width else WIDTH,
    )
    if tile.path != path or tile.level >= _LEVELS or (width and tile.full):
        raise ValueError(f"not the path of a tile: {path[:80]!r}")
    return tile


def row(level: int, size: int) -> int:
    """How many hashes (or entries) the tiles of a level hold together in a tree of `size`."""
    return size >> (HEIGHT * max(level, 0))


def tiles_of(level: int, size: int, since: int = 0) -> Iterator[Tile]:
    """The tiles of a level that a tree of `size` has and one of `since` had not."""
    had, has = row(level, since), row(level, size)
    if had == has:
        return
    for number in range(had // WIDTH, -(-has // WIDTH)):
        yield Tile(level, number, min(WIDTH, has - number * WIDTH))


def all_tiles(size: int, since: int = 0) -> Iterator[Tile]:
    """Every tile, bundles first, that a tree of `size` has and one of `since` had not."""
    level = ENTRIES
    while level < 0 or row(level, size):
        yield from tiles_of(level, size, since)
        level += 1


def encode_hashes(hashes: Sequence[bytes]) -> bytes:
    """A tile's content."""
    return b"".join(hashes)


def decode_hashes(tile: Tile, content: bytes) -> list[bytes]:
    """The hashes in a tile.

    Raises:
        Unproven: it is not as long as its path says.
    """
    if len(content) != tile.width * HASH_BYTES:
        raise Unproven(f"{tile.path} is {len(content)} bytes, not {tile.width * HASH_BYTES}")
    return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]


def encode_entries(leaves: Sequence[bytes]) -> bytes:
    """A bundle's content: each leaf behind its length in two bytes, the high one first."""
    return b"".join(struct.pack(">H", len(leaf)) + leaf for leaf in leaves)


def decode_entries(tile: Tile, content: bytes) -> list[bytes]:
    """The leaves in a bundle.

    Raises:
        Unproven: it is cut off, or holds another number of leaves than its path says.
    """
    leaves: list[bytes] = []
    at = 0
    while at < len(content):
        end = at + 2 + int.from_bytes(content[at : at + 2], "big")
        if at + 2 > len(content) or end > len(content):
            raise Unproven(f"{tile.path} is cut off in leaf {tile.start + len(leaves)}")
        leaves.append(content[at + 2 : end])
        at = end
    if len(leaves) != tile.width:
        raise Unproven(f"{tile.path} holds {len(leaves)} leaves, not {tile.width}")
    return leaves


class Growth(NamedTuple):
    """What adding leaves makes: the tiles to write, and the hashes in those still partial."""

    tiles: dict[Tile, bytes]
    edges: dict[int, list[bytes]]


def grow(size: int, edges: Mapping[int, list[bytes]], leaves: Sequence[bytes]) -> Growth:
    """Add leaves to a tree of `size`; `edges` are the contents of its partial tiles by level."""
    tiles: dict[Tile, bytes] = {}
    after: dict[int, list[bytes]] = {}
    level, added = ENTRIES, list(leaves)
    while added:
        rows = [*edges.get(level, ()), *added]
        number = row(level, size) // WIDTH
        above = []
        encode = encode_entries if level == ENTRIES else encode_hashes
        for start in range(0, len(rows), WIDTH):
            part = rows[start : start + WIDTH]
            tile = Tile(level, number + start // WIDTH, len(part))
            tiles[tile] = encode(part)
            if tile.full and level != ENTRIES:
                above.append(complete_root(part))
        after[level] = rows[len(rows) - len(rows) % WIDTH :]
        added = [leaf_hash(leaf) for leaf in leaves] if level == ENTRIES else above
        level += 1
    return Growth(tiles, {**edges, **after})


class Subtrees:
    """The hashes of complete subtrees, out of the tiles of a tree of `size`.

    `read` gives a tile's content. Each tile is read once.
    """

    def __init__(self, size: int, read: Callable[[Tile], bytes]) -> None:
        """Read nothing yet."""
        self.size = size
        self._read = read
        self._known: dict[Tile, list[bytes]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """The hash of the subtree at (level, index).

        Raises:
            Unproven: the tile that should hold it is malformed.
        """
        row_level, height = divmod(level, HEIGHT)
        first = index << height
        number = first // WIDTH
        width = min(WIDTH, row(row_level, self.size) - number * WIDTH)
        tile = Tile(row_level, number, width)
        if tile not in self._known:
            self._known[tile] = decode_hashes(tile, self._read(tile))
        at = first - tile.start
        return complete_root(self._known[tile][at : at + (1 << height)])
