"""A text and its signatures, in the form that Go's checksum database made usual.

A key is written `name+id+base64`; its id is a short digest, so that a verifier knows which key a
line asks for. A log signs the text itself (type 1); a witness signs the text behind the time at
which it saw it (type 4).

Rule: C2SP signed-note, tlog-cosignature.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chalicelib.history.merkle import Unproven

LOG, WITNESS = 0x01, 0x04
"""Types of key: one that signs a text, one that signs when it saw a text."""
MAX_SIGNATURES = 64
MAX_NOTE_BYTES = 64 * 1024

_ID, _TIME, _KEY, _SIGNATURE = 4, 8, 32, 64
_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True)
class VerifierKey:
    """A name, a type and a public key (32 bytes, raw Ed25519): whom to believe."""

    name: str
    public: bytes
    kind: int = LOG

    @property
    def id(self) -> bytes:
        """The first four bytes of the digest of the name, the type and the key."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_ID]

    def __str__(self) -> str:
        """The key as it is handed round: `name+id+base64`."""
        material = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{material}"

    @classmethod
    def parse(cls, written: str) -> "VerifierKey":
        """The key that was written so.

        Raises:
            ValueError: it is malformed, of an unknown type, or its id is another key's.
        """
        name, _, rest = written.strip().partition("+")
        id_, _, material = rest.partition("+")
        raw = _decode(material)
        if not _NAME.fullmatch(name) or len(raw) != 1 + _KEY or raw[0] not in {LOG, WITNESS}:
            raise ValueError(f"not a verifier key: {written[:200]!r}")
        key = cls(name, raw[1:], raw[0])
        if key.id.hex() != id_:
            raise ValueError(f"the id of verifier key {name} is {key.id.hex()}, not {id_[:16]}")
        return key

    def check(self, message: bytes, signature: bytes) -> None:
        """Check a raw Ed25519 signature.

        Raises:
            Unproven: it is not this key's.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            raise Unproven(f"the signature of {self.name} is wrong") from None


class Signature(NamedTuple):
    """One line below a text: who signed, with which key, and what came of it."""

    name: str
    id: bytes
    raw: bytes

    @property
    def line(self) -> str:
        """The line as it is written, without its end."""
        return f"\u2014 {self.name} {base64.b64encode(self.id + self.raw).decode()}"

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """The signature that a line holds.

        Raises:
            ValueError: it is no such line.
        """
        match line.split(" "):
            case ["\u2014", name, written] if _NAME.fullmatch(name):
                raw = _decode(written)
                if len(raw) > _ID:
                    return cls(name, raw[:_ID], raw[_ID:])
        raise ValueError(f"not a signature line: {line[:200]!r}")


class Signer(Protocol):
    """Something that holds a log's private key."""

    @property
    def key(self) -> VerifierKey:
        """The key that verifies."""

    def sign(self, message: bytes) -> bytes:
        """The raw Ed25519 signature (64 bytes) of `message`."""


@dataclass(frozen=True)
class LocalSigner:
    """A private key at hand: for tests, for witnesses and for demonstrations."""

    name: str
    private: Ed25519PrivateKey
    kind: int = LOG

    @property
    def key(self) -> VerifierKey:
        """The key that verifies."""
        return VerifierKey(self.name, self.private.public_key().public_bytes_raw(), self.kind)

    def sign(self, message: bytes) -> bytes:
        """The raw signature of `message`."""
        return self.private.sign(message)


@dataclass(frozen=True)
class Note:
    """A text that ends with a new line, and the signatures below it."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __str__(self) -> str:
        """The note as it is published."""
        return f"{self.text}\n" + "".join(f"{one.line}\n" for one in self.signatures)

    @classmethod
    def parse(cls, written: str | bytes) -> "Note":
        """The note that was written so; whose signatures are in it is another question.

        Raises:
            ValueError: it is no note.
        """
        text = written.decode() if isinstance(written, bytes) else written
        if len(text) > MAX_NOTE_BYTES or _CONTROL.search(text):
            raise ValueError("not a note: too long, or with control characters")
        body, gap, lines = text.rpartition("\n\n")
        if not gap or not lines.endswith("\n"):
            raise ValueError("not a note: no signatures below an empty line")
        signatures = tuple(Signature.parse(line) for line in lines[:-1].split("\n"))
        if len(signatures) > MAX_SIGNATURES:
            raise ValueError(f"a note with {len(signatures)} signatures")
        return cls(body + "\n", signatures)

    def signed_by(self, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int | None]:
        """Those of `keys` that signed; of a witness, when (seconds since 1970).

        Lines of other keys are passed over, also if they bear a known name.

        Raises:
            Unproven: a line that asks for one of `keys` does not verify, or stands there twice.
        """
        wanted = {(key.name, key.id): key for key in keys}
        found: dict[VerifierKey, int | None] = {}
        for one in self.signatures:
            key = wanted.get((one.name, one.id))
            if key is None:
                continue
            if key in found:
                raise Unproven(f"{key.name} signed twice")
            found[key] = _check(self.text, key, one.raw)
        return found

    def with_signatures(self, more: Iterable[Signature]) -> "Note":
        """The same note with more signatures; one that is there already is not repeated."""
        known = {(one.name, one.id) for one in self.signatures}
        new = {(one.name, one.id): one for one in more if (one.name, one.id) not in known}
        return Note(self.text, (*self.signatures, *new.values()))


def sign(text: str, signer: Signer) -> Note:
    """The text under one signature.

    Raises:
        ValueError: it does not end with a new line, or cannot be told from its signatures.
        Unproven: the signer's answer is not its key's signature.
    """
    raw = signer.sign(text.encode())
    signer.key.check(text.encode(), raw)
    note = Note(text, (Signature(signer.key.name, signer.key.id, raw),))
    if Note.parse(str(note)) != note:
        raise ValueError("not a text that can be signed")
    return note


def cosign(text: str, witness: Signer, at: int) -> Signature:
    """A witness's signature under a checkpoint's text; `at` in seconds since 1970."""
    raw = at.to_bytes(_TIME, "big") + witness.sign(_seen(text, at))
    return Signature(witness.key.name, witness.key.id, raw)


def _check(text: str, key: VerifierKey, raw: bytes) -> int | None:
    if key.kind == LOG:
        key.check(text.encode(), raw)
        return None
    if len(raw) != _TIME + _SIGNATURE:
        raise Unproven(f"the cosignature of {key.name} is malformed")
    at = int.from_bytes(raw[:_TIME], "big")
    key.check(_seen(text, at), raw[_TIME:])
    return at


def _seen(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _decode(written: str) -> bytes:
    try:
        return base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"not base64: {written[:80]!r}") from None
