"""edXML messages kept as they came: what the sender said, byte by byte, as evidence.

Each is sealed under the key of the clerk whom it names, or under one of its own: forgetting the
clerk makes it unreadable, and the history still proves that it was there.
"""

from hashlib import sha256
from pathlib import Path

from chalicelib import runtime
from chalicelib.contexts.documents.domain.events import Original
from chalicelib.http.resource import MAX_ANSWER_BYTES, fits
from chalicelib.kernel import Invalid, NotFound
from chalicelib.privacy.personal import Erased

MAX_KEPT = 50 * 1024 * 1024
"""Bytes of the largest message that is kept: it is sealed in one piece."""
NOT_KEPT = "original-not-kept message"
"""The warning about a larger one."""


class OriginalUnknown(NotFound):
    """No message is kept of this edition: it came as JSON, or its message was over 50 MiB."""

    code = "original-unknown"


class OriginalErased(NotFound):
    """The message can never be read again: a person whom it names has been forgotten."""

    code = "original-erased"
    rule = "Law 91/2025/QH15 on Personal Data Protection"


class OriginalTooLarge(Invalid):
    """The message is kept, but it is larger than an answer may be."""

    code = "original-too-large"
    rule = f"At most {MAX_ANSWER_BYTES // 1024 // 1024} MiB an answer"


def keep(document: str, message: Path, subject: str | None) -> Original | None:
    """Seal the message and keep it; None if it is larger than `MAX_KEPT`.

    `subject` is the person whom it names, if any: its key then is the one to destroy.
    """
    size = message.stat().st_size
    if size > MAX_KEPT:
        return None
    owner = subject or runtime.subject("message", document)
    sealed = runtime.vault().seal_bytes(owner, _where(document), message.read_bytes())
    digest = sha256(sealed).hexdigest()
    runtime.client("s3").put_object(
        Bucket=runtime.content_bucket(), Key=f"originals/{digest}", Body=sealed
    )
    return Original(sha256=digest, size=size, subject=owner)


def read(document: str, original: Original) -> str:
    """The message as it came.

    Raises:
        OriginalTooLarge: over `MAX_ANSWER_BYTES`, as Lambda counts them.
        OriginalErased: the key is gone.
    """
    if original.size > MAX_ANSWER_BYTES:
        raise OriginalTooLarge
    answer = runtime.client("s3").get_object(
        Bucket=runtime.content_bucket(), Key=f"originals/{original.sha256}"
    )
    try:
        opened = runtime.vault().open_bytes(
            original.subject, _where(document), answer["Body"].read()
        )
    except Erased:
        raise OriginalErased from None
    message = opened.decode()
    if not fits(message):
        raise OriginalTooLarge
    return message


def _where(document: str) -> str:
    return f"original-{document}"
