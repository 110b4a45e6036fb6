"""Time stamps: somebody outside says when a checkpoint was there at the latest.

What is stamped is SHA-256 of the checkpoint's text, without signatures: it stays the same when a
witness signs later.

Rule: RFC 3161.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from chalicelib.history.merkle import Unproven

MEDIA_TYPE = "application/timestamp-query"


class Wish(NamedTuple):
    """What is sent to a time authority, and the number its answer must repeat."""

    body: bytes
    nonce: int | None


def wish(text: str) -> Wish:
    """A request to stamp a checkpoint's text."""
    # A megabyte of machine code that only this needs.
    from rfc3161_client import TimestampRequestBuilder  # noqa: PLC0415 -- see above.
    from rfc3161_client.base import HashAlgorithm  # noqa: PLC0415 -- the same.

    builder = TimestampRequestBuilder().data(text.encode()).hash_algorithm(HashAlgorithm.SHA256)
    asked = builder.build()
    return Wish(asked.as_bytes(), asked.nonce)


def check(answer: bytes, text: str, roots: Sequence[str], nonce: int | None = None) -> datetime:
    """The moment (UTC) that a time stamp states for a checkpoint's text.

    Args:
        answer: the authority's answer (DER).
        text: the checkpoint's text.
        roots: certificates (PEM) that are trusted to certify time authorities.
        nonce: the number that was asked with, if that is known.

    Raises:
        Unproven: the authority refused, stamped something else, or is nobody we trust.
    """
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 -- rarely needed.
    from rfc3161_client import (  # noqa: PLC0415 -- rarely needed.
        VerificationError,
        VerifierBuilder,
        decode_timestamp_response,
    )

    trusted = [found for pem in roots for found in load_pem_x509_certificates(pem.encode())]
    try:
        stamped = decode_timestamp_response(answer)
        VerifierBuilder(roots=trusted, nonce=nonce).build().verify(
            stamped, sha256(text.encode()).digest()
        )
        at: datetime = stamped.tst_info.gen_time
    except (ValueError, VerificationError) as error:
        raise Unproven(f"the time stamp does not hold: {error}") from None
    return at.astimezone(UTC)
