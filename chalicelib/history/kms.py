"""Signs with a key that nobody can take away: it is made in KMS and never leaves it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chalicelib.history.note import VerifierKey

_RAW_KEY = 32


@dataclass(frozen=True)
class KMSSigner:
    """An Ed25519 key of KMS (`ECC_NIST_EDWARDS25519`) that signs for the log called `name`."""

    kms: Any
    key_id: str
    name: str

    @cached_property
    def key(self) -> VerifierKey:
        """The key that verifies, asked for once a process."""
        answer = self.kms.get_public_key(KeyId=self.key_id)
        # SubjectPublicKeyInfo of Ed25519 (RFC 8410) ends with the key itself.
        return VerifierKey(self.name, bytes(answer["PublicKey"])[-_RAW_KEY:])

    def sign(self, message: bytes) -> bytes:
        """The raw signature (64 bytes) of a message of at most 4 KiB."""
        answer = self.kms.sign(
            KeyId=self.key_id,
            Message=message,
            MessageType="RAW",
            SigningAlgorithm="ED25519_SHA_512",
        )
        return bytes(answer["Signature"])
