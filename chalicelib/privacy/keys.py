"""One data key a subject, in a table of its own; destroying the key destroys all that it sealed.

A subject's key is wrapped under the key of an *epoch*, a month. Epochs' keys are wrapped by KMS and
stand in a table that has no backup of any kind: once an epoch's keys are wrapped anew and its own
is deleted, whatever copy of a subject's row is left anywhere is noise. Plain keys live at most five
minutes in memory.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chalicelib.eventstore.store import utc_now
from chalicelib.privacy.opened import note
from chalicelib.privacy.personal import Erased
from chalicelib.text import b64url, from_b64url

CACHE_S = 300
"""How long a plain key may stay in memory."""
_NONCE_BYTES = 12
_GONE = "ConditionalCheckFailedException"


@dataclass
class KeyRing:
    """Keys by subject in DynamoDB table `table`, wrapped under the KMS key `master`.

    With `epochs` they are wrapped under those keys instead. `clock` counts seconds, from anywhere;
    `today` says which month it is.
    """

    dynamodb: Any
    kms: Any
    table: str
    master: str
    clock: Callable[[], float] = monotonic
    epochs: "KeyRing | None" = None
    today: Callable[[], datetime] = utc_now
    _plain: dict[str, tuple[float, bytes, bool]] = field(default_factory=dict, repr=False)

    def key(self, subject: str, *, create: bool = True) -> bytes:
        """The subject's 32-byte key; made on first use.

        Raises:
            Erased: there is none (any more) and `create` is false.
        """
        if self.remembers(subject):
            return self._plain[subject][1]
        item = self._item(subject)
        plain = self._unwrap(subject, item) if "wrapped" in item else None
        if plain is None and create:
            plain = self._create(subject, item)
        if plain is None:
            self._plain.pop(subject, None)
            raise Erased(subject)
        now = self.clock()
        self._plain = {s: k for s, k in self._plain.items() if now - k[0] < CACHE_S}
        self._plain[subject] = (now, plain, "erased_at" in item)
        return plain

    def remembers(self, subject: str) -> bool:
        """Whether the subject's key would come from memory: it may have been destroyed since."""
        cached = self._plain.get(subject)
        return cached is not None and self.clock() - cached[0] < CACHE_S

    def unlearn(self, subject: str) -> None:
        """Ask the table for the subject's key the next time."""
        self._plain.pop(subject, None)

    def renewed(self, subject: str) -> bool:
        """Whether the key just used was made after the subject had been forgotten."""
        known = self._plain.get(subject)
        return known is not None and known[2]

    def begin_epoch(self) -> None:
        """Make this epoch's key, unless there is one."""
        assert self.epochs is not None
        self.epochs.key(self._epoch())

    def known(self, subject: str) -> bool:
        """Whether there is, or was, a key of this subject."""
        return bool(self._item(subject))

    def forget(self, subject: str) -> None:
        """Destroy the subject's key. What stays says that there was one, and since when not."""
        self.dynamodb.update_item(
            TableName=self.table,
            Key={"subject": {"S": subject}},
            UpdateExpression="SET erased_at = :t REMOVE #w, epoch",
            ExpressionAttributeNames={"#w": "wrapped"},
            ExpressionAttributeValues={":t": {"S": self.today().isoformat()}},
        )
        self._plain.pop(subject, None)

    def renew(self, over: Callable[[], bool]) -> int:
        """Wrap anew what epochs before the last one wrapped, then delete those epochs' keys.

        Returns how many keys were wrapped anew. What there is no time for, as `over` says, is done
        the next time: an epoch's key is deleted only when nothing is wrapped under it any more.
        Nothing is done before somebody has made this epoch's key.
        """
        assert self.epochs is not None
        kept = {self._epoch(), _month_before(self._epoch())}
        there = self.epochs.subjects()
        old = [epoch for epoch in there if epoch not in kept]
        if not old or self._epoch() not in there:
            return 0
        renewed = 0
        for item in self._rows():
            if "wrapped" not in item or item.get("epoch", {}).get("S") in kept:
                continue
            if over():
                return renewed
            renewed += self._renew(item)
        for epoch in old:
            self.epochs.delete(epoch)
        return renewed

    def subjects(self) -> list[str]:
        """Everybody who has a row here."""
        return [item["subject"]["S"] for item in self._rows()]

    def delete(self, subject: str) -> None:
        """Delete the row itself: for keys that nobody will ask for again."""
        self.dynamodb.delete_item(TableName=self.table, Key={"subject": {"S": subject}})
        self._plain.pop(subject, None)

    def _rows(self) -> Iterator[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table, ConsistentRead=True
        )
        for page in pages:
            yield from page["Items"]

    def _renew(self, item: dict[str, Any]) -> bool:
        subject = item["subject"]["S"]
        wrapped = self._wrap(subject, self._unwrap(subject, item))
        try:
            self.dynamodb.update_item(
                TableName=self.table,
                Key={"subject": {"S": subject}},
                UpdateExpression="SET #w = :new, epoch = :epoch",
                ConditionExpression="#w = :old",
                ExpressionAttributeNames={"#w": "wrapped"},
                ExpressionAttributeValues={
                    ":new": wrapped["wrapped"],
                    ":epoch": wrapped["epoch"],
                    ":old": item["wrapped"],
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _GONE:
                raise
            return False  # Forgotten meanwhile, or wrapped anew by somebody else.
        return True

    def _epoch(self) -> str:
        return f"{self.today():%Y-%m}"

    def _item(self, subject: str) -> dict[str, Any]:
        answer = self.dynamodb.get_item(
            TableName=self.table, Key={"subject": {"S": subject}}, ConsistentRead=True
        )
        return dict(answer.get("Item", {}))

    def _create(self, subject: str, before: dict[str, Any]) -> bytes:
        if self.epochs:
            plain = os.urandom(32)
            wrapped = self._wrap(subject, plain)
        else:
            made = self.kms.generate_data_key(
                KeyId=self.master, KeySpec="AES_256", EncryptionContext={"subject": subject}
            )
            plain, wrapped = made["Plaintext"], {"wrapped": {"B": made["CiphertextBlob"]}}
        try:
            self.dynamodb.put_item(
                TableName=self.table,
                Item={**before, "subject": {"S": subject}, **wrapped},
                ConditionExpression="attribute_not_exists(#w)",
                ExpressionAttributeNames={"#w": "wrapped"},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _GONE:
                raise
            return self._unwrap(subject, error.response["Item"])
        return bytes(plain)

    def _wrap(self, subject: str, plain: bytes) -> dict[str, Any]:
        assert self.epochs is not None
        epoch, nonce = self._epoch(), os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self.epochs.key(epoch)).encrypt(nonce, plain, subject.encode())
        return {"wrapped": {"B": nonce + sealed}, "epoch": {"S": epoch}}

    def _unwrap(self, subject: str, item: dict[str, Any]) -> bytes:
        wrapped = bytes(item["wrapped"]["B"])
        if "epoch" in item:
            assert self.epochs is not None
            key = AESGCM(self.epochs.key(item["epoch"]["S"], create=False))
            return key.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], subject.encode())
        answer = self.kms.decrypt(
            KeyId=self.master,
            CiphertextBlob=wrapped,
            EncryptionContext={"subject": subject},
        )
        return bytes(answer["Plaintext"])


def _month_before(epoch: str) -> str:
    year, month = map(int, epoch.split("-"))
    return f"{year - (month == 1)}-{(month - 2) % 12 + 1:02}"


@dataclass(frozen=True)
class Vault:
    """Seals and opens personal values: AES-256-GCM, bound to their place as associated data."""

    keys: KeyRing

    def seal(self, subject: str, where: str, plain: bytes) -> str:
        """Ciphertext of `plain`, readable only with the subject's key and at `where`."""
        return b64url(self.seal_bytes(subject, where, plain))

    def open(self, subject: str, where: str, sealed: str) -> bytes:
        """What was sealed; the subject is noted among those that were read about.

        Raises:
            Erased: the key it was sealed under is gone.
            cryptography.exceptions.InvalidTag: the value was altered or moved.
        """
        return self.open_bytes(subject, where, from_b64url(sealed))

    def seal_bytes(self, subject: str, where: str, plain: bytes) -> bytes:
        """As `seal`, for whole files."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.keys.key(subject)).encrypt(nonce, plain, where.encode())

    def open_bytes(self, subject: str, where: str, sealed: bytes) -> bytes:
        """As `open`, for whole files."""
        remembered = self.keys.remembers(subject)
        key = AESGCM(self.keys.key(subject, create=False))
        try:
            plain = key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], where.encode())
        except InvalidTag:
            if remembered:
                # Forgotten and back within minutes: what is new was sealed under another key.
                self.keys.unlearn(subject)
                return self.open_bytes(subject, where, sealed)
            # Whoever came back after having been forgotten has another key than before.
            if self.keys.renewed(subject):
                raise Erased(subject) from None
            raise
        note(subject)
        return plain
