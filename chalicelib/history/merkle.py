"""The tree over history: one root stands for all commits up to a size, short proofs for each.

SHA-256 trees of RFC 6962. A tree of `size` leaves is a row of complete subtrees ("peaks"), one for
each bit of `size`, the largest first. A subtree is named by (level, index): it covers the leaves
from `index * 2**level`, `2**level` of them. Nothing here reads or writes anything.

Rule: RFC 6962, section 2.1; the checks are those of RFC 9162, sections 2.1.3.2 and 2.1.4.2.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
HASH_BYTES = 32

Subtree = tuple[int, int]
"""A complete subtree: level and index."""


class Unproven(Exception):  # noqa: N818 -- named as the fact it states.
    """What was to be proven does not hold: a signature, a proof, a tile or an entry is wrong."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one entry."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbours."""
    return sha256(b"\x01" + left + right).digest()


def peaks(start: int, end: int) -> list[Subtree]:
    """The complete subtrees that make up the leaves [start, end), left to right.

    `start` must be a multiple of the largest power of two in `end - start`, as it is for every
    part that a proof names.
    """
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def join(hashes: Sequence[bytes]) -> bytes:
    """The hash over a row of peaks: the small ones on the right are joined first."""
    if not hashes:
        return EMPTY_ROOT
    return reduce(lambda right, left: node_hash(left, right), reversed(hashes))


@dataclass
class Frontier:
    """A tree that only grows: its size and its peaks, which is all that adding a leaf needs."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        """Add the hash of one more entry."""
        rest = self.size
        while rest & 1:
            leaf = node_hash(self.peaks.pop(), leaf)
            rest >>= 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return join(self.peaks)


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of neighbouring hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def inclusion_parts(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose hashes prove leaf `index` in a tree of `size`, the nearest first.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no leaf {index}")
    parts, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start = middle
    return parts[::-1]


def consistency_parts(old: int, new: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose hashes prove that a tree of `new` begins with that of `old`.

    Raises:
        ValueError: not 0 < old <= new.
    """
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} cannot begin with one of {old}")
    parts, start, end, whole = [], 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start, whole = middle, False
    if not whole:
        parts.append((start, end))
    return parts[::-1]


def prove(parts: Iterable[tuple[int, int]], subtree: Callable[[int, int], bytes]) -> list[bytes]:
    """The hashes of `parts`; `subtree` gives that of a complete subtree by level and index."""
    return [join([subtree(*peak) for peak in peaks(*part)]) for part in parts]


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` (a leaf's hash) stands at `index` of the tree of `size` with `root`.

    Raises:
        Unproven: it does not.
    """
    if not 0 <= index < size:
        raise Unproven(f"a tree of {size} has no leaf {index}")
    at, last, found = index, size - 1, leaf
    for hash_ in proof:
        if last == 0:
            raise Unproven(f"leaf {index}: the proof is too long")
        if at & 1 or at == last:
            found = node_hash(hash_, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, hash_)
        at, last = at >> 1, last >> 1
    if last or found != root:
        raise Unproven(f"leaf {index} is not in the tree of {size}")


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of `new` leaves begins with the tree of `old` leaves.

    Raises:
        Unproven: it does not: something before `old` was altered, inserted or removed.
    """
    if old > new:
        raise Unproven(f"a tree of {new} cannot begin with one of {old}")
    if old in {0, new}:
        if proof or old_root != (new_root if old else EMPTY_ROOT):
            raise Unproven(f"there is another tree of {old}")
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not path:
        raise Unproven(f"no proof from {old} to {new}")
    first = second = path[0]
    for hash_ in path[1:]:
        if last == 0:
            raise Unproven(f"the proof from {old} to {new} is too long")
        if at & 1 or at == last:
            first, second = node_hash(hash_, first), node_hash(hash_, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, hash_)
        at, last = at >> 1, last >> 1
    if last or (first, second) != (old_root, new_root):
        raise Unproven(f"the tree of {new} does not begin with the tree of {old}")


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
