"""Standard Webhooks signatures, for what we send and what we receive. Pure.

The signed content is `{id}.{timestamp}.{body}`; the header `webhook-signature` holds signatures
separated by spaces, `v1a,` Ed25519 or `v1,` HMAC-SHA256, each in base64.
Rule: Standard Webhooks 1.0.0, "Signature scheme" and "Webhook headers".
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from chalicelib.kernel import Refused

TOLERANCE_S = 300
"""How far a sender's clock may be off, either way."""
SECRET_BYTES = range(24, 65)
"""Lawful lengths of a shared secret."""
_MAX_SIGNATURES = 8
"""Signatures looked at in one header: room for rotating keys, not for making us work."""
_ID = re.compile(r"[A-Za-z0-9_\-:+/=@]{1,200}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class Unauthenticated(Refused):
    """Nothing proves who is asking."""

    code = "unauthenticated"


class SignatureMissing(Unauthenticated):
    """A webhook must carry webhook-id, webhook-timestamp and webhook-signature."""

    code = "signature-missing"
    rule = "Standard Webhooks 1.0.0, Webhook headers"


class SignatureInvalid(Unauthenticated):
    """No signature of this webhook was made with a key that we know for its sender."""

    code = "signature-invalid"
    rule = "Standard Webhooks 1.0.0, Verifying signatures"


class TimestampOutsideWindow(Unauthenticated):
    """The webhook was signed too long ago, or in the future."""

    code = "timestamp-outside-window"
    rule = "Standard Webhooks 1.0.0, Verifying signatures: ±5 minutes"


def sign_ed25519(private_seed: bytes, id: str, timestamp: int, body: bytes) -> str:  # noqa: A002 -- the header's name.
    """A `v1a` signature under the 32-byte seed of an Ed25519 key.

    Raises:
        ValueError: the id could be confused with the rest of the signed content.
    """
    key = Ed25519PrivateKey.from_private_bytes(private_seed)
    return "v1a," + b64encode(key.sign(_content(id, timestamp, body))).decode()


def sign_hmac(secret: bytes, id: str, timestamp: int, body: bytes) -> str:  # noqa: A002 -- the header's name.
    """A `v1` signature under a shared secret.

    Raises:
        ValueError: as for `sign_ed25519`.
    """
    return "v1," + b64encode(hmac.digest(secret, _content(id, timestamp, body), "sha256")).decode()


def verify(
    headers: Mapping[str, str],
    body: bytes,
    keys: Sequence[bytes],
    secrets: Sequence[bytes],
    now: datetime,
    tolerance_s: int = TOLERANCE_S,
) -> None:
    """Prove that a webhook was signed, and lately, with one of the sender's keys or secrets.

    `keys` are raw Ed25519 public keys (32 bytes). One good signature is enough, so keys can rotate.

    Raises:
        SignatureMissing, SignatureInvalid, TimestampOutsideWindow: it was not.
    """
    found = {name.lower(): value for name, value in headers.items()}
    try:
        id_, sent, signatures = (
            found[f"webhook-{part}"] for part in ("id", "timestamp", "signature")
        )
    except KeyError:
        raise SignatureMissing from None
    if not _ID.fullmatch(id_) or not _TIMESTAMP.fullmatch(sent):
        raise SignatureInvalid
    if abs(now.timestamp() - int(sent)) > tolerance_s:
        raise TimestampOutsideWindow(field="webhook-timestamp")
    # The sender's own spelling of the timestamp is what was signed.
    content = f"{id_}.{sent}.".encode() + body
    if not any(_proves(*given, content, keys, secrets) for given in _signatures(signatures)):
        raise SignatureInvalid


def secret_bytes(text: str) -> bytes:
    """The key behind a secret as agencies are given it, `whsec_<base64>`.

    Raises:
        ValueError: not base64, or not 24 to 64 bytes.
    """
    secret = b64decode(text.removeprefix("whsec_"), validate=True)
    if len(secret) not in SECRET_BYTES:
        raise ValueError("a webhook secret has 24 to 64 bytes")
    return secret


def _content(id_: str, timestamp: int, body: bytes) -> bytes:
    # A dot in the id would let one signature stand for another id, time and body.
    if not _ID.fullmatch(id_):
        raise ValueError("not a webhook id")
    return f"{id_}.{timestamp}.".encode() + body


def _signatures(header: str) -> Iterator[tuple[str, bytes]]:
    for given in header.split(" ")[:_MAX_SIGNATURES]:
        scheme, _, encoded = given.partition(",")
        try:
            yield scheme, b64decode(encoded, validate=True)
        except ValueError:
            continue


def _proves(
    scheme: str, signature: bytes, content: bytes, keys: Sequence[bytes], secrets: Sequence[bytes]
) -> bool:
    match scheme:
        case "v1":
            made = (hmac.digest(secret, content, "sha256") for secret in secrets)
            return any(hmac.compare_digest(signature, digest) for digest in made)
        case "v1a":
            return any(_verifies(key, signature, content) for key in keys)
        case _:
            return False


def _verifies(key: bytes, signature: bytes, content: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True
