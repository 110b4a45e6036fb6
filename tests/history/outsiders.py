"""A demo witness by the book, who remembers what it signed."""

from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.history.checkpoint import open_checkpoint
from chalicelib.history.merkle import EMPTY_ROOT, Unproven, check_consistency
from chalicelib.history.note import WITNESS, LocalSigner, VerifierKey, cosign
from chalicelib.history.proof import decode_proof


class Reply(NamedTuple):
    """What an outsider answers."""

    status: int
    body: bytes = b""


@dataclass
class DemoWitness:
    """Signs a tree that grew out of the one it signed before (C2SP tlog-witness)."""

    log: VerifierKey
    number: int = 1
    at: int = 1_767_225_600
    size: int = 0
    root: bytes = EMPTY_ROOT
    asked: list[bytes] = field(default_factory=list)

    @property
    def signer(self) -> LocalSigner:
        """Its key."""
        private = Ed25519PrivateKey.from_private_bytes(bytes([100 + self.number]) * 32)
        return LocalSigner(f"demo.example/w{self.number}", private, WITNESS)

    def add_checkpoint(self, body: bytes) -> Reply:
        """Answer one `add-checkpoint`."""
        self.asked.append(body)
        head, _, note = body.decode().partition("\n\n")
        old, *lines = head.split("\n")
        if not old.startswith("old "):
            return Reply(400)
        try:
            opened = open_checkpoint(note, [self.log])
        except Unproven:
            return Reply(403)
        claimed, seen = int(old.removeprefix("old ")), opened.checkpoint
        if claimed > seen.size:
            return Reply(400)
        if claimed != self.size or (claimed == seen.size and seen.root != self.root):
            return Reply(409, f"{self.size}\n".encode())
        try:
            proof = decode_proof(lines)
            if self.size:
                check_consistency(self.size, self.root, seen.size, seen.root, proof)
        except Unproven:
            return Reply(422)
        self.size, self.root = seen.size, seen.root
        return Reply(200, f"{cosign(opened.note.text, self.signer, self.at).line}\n".encode())
