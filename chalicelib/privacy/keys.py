"""One data key a subject, wrapped by KMS, in a table of its own.

Destroying the row destroys everything sealed under it. Plain keys live at most five minutes in
memory.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chalicelib.privacy.personal import Erased
from chalicelib.text import b64url, from_b64url

CACHE_S = 300
"""How long a plain key may stay in memory."""
_NONCE_BYTES = 12


@dataclass
class KeyRing:
    """Keys by subject in DynamoDB table `table`, wrapped under the KMS key `master`.

    `clock` counts seconds, from anywhere.
    """

    dynamodb: Any
    kms: Any
    table: str
    master: str
    clock: Callable[[], float] = monotonic
    _plain: dict[str, tuple[float, bytes]] = field(default_factory=dict, repr=False)

    def key(self, subject: str, *, create: bool = True) -> bytes:
        """The subject's 32-byte key; made on first use.

        Raises:
            Erased: there is none (any more) and `create` is false.
        """
        cached = self._plain.get(subject)
        if cached and self.clock() - cached[0] < CACHE_S:
            return cached[1]
        plain = self._load(subject) or (self._create(subject) if create else None)
        if plain is None:
            self._plain.pop(subject, None)
            raise Erased(subject)
        now = self.clock()
        self._plain = {s: k for s, k in self._plain.items() if now - k[0] < CACHE_S}
        self._plain[subject] = (now, plain)
        return plain

    def _load(self, subject: str) -> bytes | None:
        answer = self.dynamodb.get_item(
            TableName=self.table, Key={"subject": {"S": subject}}, ConsistentRead=True
        )
        return self._unwrap(subject, answer["Item"]) if "Item" in answer else None

    def _create(self, subject: str) -> bytes:
        made = self.kms.generate_data_key(
            KeyId=self.master, KeySpec="AES_256", EncryptionContext={"subject": subject}
        )
        try:
            self.dynamodb.put_item(
                TableName=self.table,
                Item={"subject": {"S": subject}, "wrapped": {"B": made["CiphertextBlob"]}},
                ConditionExpression="attribute_not_exists(subject)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return self._unwrap(subject, error.response["Item"])
        return bytes(made["Plaintext"])

    def _unwrap(self, subject: str, item: dict[str, Any]) -> bytes:
        answer = self.kms.decrypt(
            KeyId=self.master,
            CiphertextBlob=bytes(item["wrapped"]["B"]),
            EncryptionContext={"subject": subject},
        )
        return bytes(answer["Plaintext"])


@dataclass(frozen=True)
class Vault:
    """Seals and opens personal values: AES-256-GCM, bound to their place as associated data."""

    keys: KeyRing

    def seal(self, subject: str, where: str, plain: bytes) -> str:
        """Ciphertext of `plain`, readable only with the subject's key and at `where`."""
        return b64url(self.seal_bytes(subject, where, plain))

    def open(self, subject: str, where: str, sealed: str) -> bytes:
        """What was sealed.

        Raises:
            Erased: the subject's key is gone.
            cryptography.exceptions.InvalidTag: the value was altered or moved.
        """
        return self.open_bytes(subject, where, from_b64url(sealed))

    def seal_bytes(self, subject: str, where: str, plain: bytes) -> bytes:
        """As `seal`, for whole files."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.keys.key(subject)).encrypt(nonce, plain, where.encode())

    def open_bytes(self, subject: str, where: str, sealed: bytes) -> bytes:
        """As `open`, for whole files."""
        key = AESGCM(self.keys.key(subject, create=False))
        return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], where.encode())
