"""Proofs made of tiles, and the little file that carries one to whoever wants to check it offline.

Rule: C2SP tlog-proof (`Bundle`); RFC 6962, sections 2.1.1 and 2.1.2 (the hashes in it).
"""

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chalicelib.history.checkpoint import Opened, open_checkpoint
from chalicelib.history.merkle import (
    HASH_BYTES,
    check_inclusion,
    consistency_parts,
    inclusion_parts,
    leaf_hash,
    peaks,
    prove,
)
from chalicelib.history.note import VerifierKey
from chalicelib.history.tiles import Subtrees, Tile

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PROOF_HASHES = 63

Read = Callable[[Tile], bytes]
"""Gives a tile's content."""

_INDEX = re.compile(r"index (0|[1-9]\d{0,18})", re.ASCII)


@dataclass(frozen=True)
class Tree:
    """A tree of `size`, proven from its tiles. `ends`, if known, are its peaks: fewer reads."""

    size: int
    read: Read
    ends: tuple[bytes, ...] = ()

    def inclusion(self, index: int) -> list[bytes]:
        """The hashes that prove leaf `index`, the nearest first.

        Raises:
            ValueError: there is no such leaf.
        """
        return prove(inclusion_parts(index, self.size), self._subtree())

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """The hashes that prove that this tree begins with the one of `old` leaves.

        With `new`: that the tree of so many leaves, which this one begins with, does.

        Raises:
            ValueError: there is no such tree.
        """
        size = self.size if new is None else new
        if size > self.size:
            raise ValueError(f"a tree of {self.size} cannot begin with one of {size}")
        return prove(consistency_parts(old, size), self._subtree()) if old else []

    def _subtree(self) -> Callable[[int, int], bytes]:
        known = dict(zip(peaks(0, self.size), self.ends, strict=False))
        from_tiles = Subtrees(self.size, self.read)

        def subtree(level: int, index: int) -> bytes:
            return known.get((level, index)) or from_tiles(level, index)

        return subtree


@dataclass(frozen=True)
class Bundle:
    """Everything needed to prove one commit offline: where it stands, the hashes, the checkpoint.

    `extra` is the leaf itself, the commit's header, so that whoever has the file needs nothing
    else; it is believed only because it hashes to what is proven.
    """

    index: int
    proof: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    def __str__(self) -> str:
        """The file's content."""
        lines = [HEADER]
        if self.extra:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(hash_).decode() for hash_ in self.proof]
        return "\n".join(lines) + "\n\n" + self.checkpoint

    @classmethod
    def parse(cls, written: str | bytes) -> "Bundle":
        """The proof in a file.

        Raises:
            ValueError: it is no such file.
        """
        text = written.decode() if isinstance(written, bytes) else written
        head, _, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if lines.pop(0) != HEADER:
            raise ValueError("not a proof of a transparency log")
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = base64.b64decode(lines.pop(0).removeprefix("extra "), validate=True)
        found = _INDEX.fullmatch(lines.pop(0)) if lines else None
        if found is None:
            raise ValueError("a proof without the index of its entry")
        return cls(int(found[1]), decode_proof(lines), checkpoint, extra)

    def check(
        self,
        log_keys: Iterable[VerifierKey],
        witnesses: Iterable[VerifierKey] = (),
        leaf: bytes | None = None,
    ) -> Opened:
        """Check that `leaf` (or else the one enclosed) stands in the log; the checkpoint proven.

        Raises:
            Unproven: it does not, or no known key signed.
            ValueError: the checkpoint is malformed.
        """
        opened = open_checkpoint(self.checkpoint, log_keys, witnesses)
        signed = opened.checkpoint
        entry = leaf_hash(self.extra if leaf is None else leaf)
        check_inclusion(entry, self.index, signed.size, self.proof, signed.root)
        return opened


def encode_proof(hashes: Iterable[bytes]) -> str:
    """Hashes as lines of base64, each with its end."""
    return "".join(f"{base64.b64encode(hash_).decode()}\n" for hash_ in hashes)


def decode_proof(lines: Sequence[str]) -> tuple[bytes, ...]:
    """The hashes in such lines.

    Raises:
        ValueError: a line is no hash, or there are more than any tree needs.
    """
    hashes = tuple(base64.b64decode(line, validate=True) for line in lines)
    if len(hashes) > MAX_PROOF_HASHES or any(len(hash_) != HASH_BYTES for hash_ in hashes):
        raise ValueError("not a proof: a line that is no SHA-256, or too many of them")
    return hashes
