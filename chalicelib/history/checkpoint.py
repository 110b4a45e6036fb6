"""What the log states and signs: at this size, history has this root.

Rule: C2SP tlog-checkpoint.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.history.merkle import HASH_BYTES, Unproven
from chalicelib.history.note import LOG, Note, VerifierKey

_SIZE = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)


@dataclass(frozen=True)
class Checkpoint:
    """The log's name (`origin`), how many commits it holds, and the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint a signed text states. Lines of extension are passed over.

        Raises:
            ValueError: it is no checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not _SIZE.fullmatch(lines[1]):  # noqa: PLR2004 -- three lines and what follows the last end.
            raise ValueError("not a checkpoint")
        root = base64.b64decode(lines[2], validate=True)
        if len(root) != HASH_BYTES or base64.b64encode(root).decode() != lines[2]:
            raise ValueError("not a checkpoint: the root is no SHA-256 in base64")
        return cls(lines[0], int(lines[1]), root)


@dataclass(frozen=True)
class Opened:
    """A checkpoint whose signatures were checked; `seen` is when each witness saw it (seconds)."""

    checkpoint: Checkpoint
    note: Note
    seen: dict[VerifierKey, int]


def open_checkpoint(
    written: str | bytes, log_keys: Iterable[VerifierKey], witnesses: Iterable[VerifierKey] = ()
) -> Opened:
    """Read a signed checkpoint and believe it.

    Raises:
        Unproven: no key of the log signed it, its origin is another's, or a signature is wrong.
        ValueError: it is no signed checkpoint.
    """
    note = Note.parse(written)
    checkpoint = Checkpoint.parse(note.text)
    signed = note.signed_by([*log_keys, *witnesses])
    if not any(key.kind == LOG and key.name == checkpoint.origin for key in signed):
        raise Unproven(f"no known key of {checkpoint.origin} signed this checkpoint")
    return Opened(checkpoint, note, {key: at for key, at in signed.items() if at is not None})
