"""Attached files: uploaded by link, checked by digest, kept by digest, fetched by link.

No file passes through a function on its way in or out, except those that an edXML message carries.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime, timedelta
from hashlib import sha256
from io import RawIOBase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Self, cast
from urllib.parse import quote

from botocore.exceptions import ClientError

from chalicelib import runtime
from chalicelib.contexts.documents.domain.document import SecretDocument
from chalicelib.contexts.documents.domain.events import Attachment
from chalicelib.contexts.documents.edxml.stream import AttachmentHeader
from chalicelib.kernel import Invalid, Value

MAX_FILE_BYTES = 100 * 1024 * 1024
LINK_S = 900
"""How long a link is good for."""
_CHUNK = 1024 * 1024


class Upload(Value):
    """Where and how to PUT one file: the headers are part of the signature. `expires_at` UTC."""

    url: str
    headers: dict[str, str]
    expires_at: datetime


class FileTooLarge(Invalid):
    """A file is larger than the axis carries."""

    code = "file-too-large"
    rule = f"At most {MAX_FILE_BYTES // 1024 // 1024} MiB a file"


class AttachmentNotArrived(Invalid):
    """This file has not been uploaded, or its upload has expired."""

    code = "attachment-not-arrived"
    rule = "A document is accepted only when every file of it is here"


class AttachmentDigestMismatch(Invalid):
    """What was uploaded is not the file that the document names."""

    code = "attachment-digest-mismatch"
    rule = "FIPS 180-4: SHA-256 of the file, in hexadecimal; size in bytes"


def upload(agency: str, attachment: Attachment, secrecy: str) -> Upload:
    """A link to upload one file with; S3 itself refuses another content or another length.

    Raises:
        SecretDocument: a level of secrecy was declared; nothing of it may be uploaded.
        FileTooLarge: over `MAX_FILE_BYTES`.
    """
    if secrecy != "none":
        raise SecretDocument(field="secrecy")
    if attachment.size > MAX_FILE_BYTES:
        raise FileTooLarge(field="size")
    headers = {
        "content-length": str(attachment.size),
        "content-type": attachment.media_type,
        "x-amz-checksum-sha256": _b64(attachment.sha256),
    }
    url = runtime.client("s3").generate_presigned_url(
        "put_object",
        Params={
            "Bucket": runtime.staging_bucket(),
            "Key": _staged(agency, attachment.sha256),
            "ContentLength": attachment.size,
            "ContentType": attachment.media_type,
            "ChecksumSHA256": headers["x-amz-checksum-sha256"],
        },
        ExpiresIn=LINK_S,
    )
    return Upload(url=url, headers=headers, expires_at=_expiry())


def check_arrived(agency: str, attachments: Iterable[Attachment]) -> None:
    """See that every file was uploaded by this agency and is what it is said to be.

    Raises:
        AttachmentNotArrived, AttachmentDigestMismatch: naming the attachment.
    """
    for index, attachment in enumerate(attachments):
        field = f"attachments/{index}"
        found = staged(agency, attachment.sha256)
        if found is None:
            raise AttachmentNotArrived(field=field)
        if found.size != attachment.size or found.sha256 != attachment.sha256:
            raise AttachmentDigestMismatch(field=field)


class Staged(Value):
    """An uploaded file as S3 measured it."""

    size: int
    sha256: str


def staged(agency: str, digest: str) -> Staged | None:
    """What an agency has uploaded under a digest, measured and not believed."""
    s3, bucket, key = runtime.client("s3"), runtime.staging_bucket(), _staged(agency, digest)
    try:
        head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
            return None
        raise
    if runtime.settings().stage != "local" and "ChecksumSHA256" in head:
        # AWS computed this itself when the object was put.
        return Staged(size=head["ContentLength"], sha256=b64decode(head["ChecksumSHA256"]).hex())
    measured = sha256()
    for chunk in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(_CHUNK):
        measured.update(chunk)
    return Staged(size=head["ContentLength"], sha256=measured.hexdigest())


def open_staged(agency: str, digest: str) -> BinaryIO:
    """An uploaded file, to be read once."""
    answer = runtime.client("s3").get_object(
        Bucket=runtime.staging_bucket(), Key=_staged(agency, digest)
    )
    body: BinaryIO = answer["Body"]
    return body


def adopt(agency: str, attachments: Iterable[Attachment]) -> None:
    """Keep uploaded files for good: they now belong to a document that was accepted."""
    for attachment in attachments:
        runtime.client("s3").copy_object(
            Bucket=runtime.content_bucket(),
            Key=_kept(attachment.sha256),
            CopySource={
                "Bucket": runtime.staging_bucket(),
                "Key": _staged(agency, attachment.sha256),
            },
        )


def discard(agency: str, digests: Iterable[str]) -> None:
    """Empty the staging area of these uploads; what is not there is fine."""
    for digest in digests:
        runtime.client("s3").delete_object(
            Bucket=runtime.staging_bucket(), Key=_staged(agency, digest)
        )


def link(attachment: Attachment) -> dict[str, str]:
    """A short-lived link to a kept file, under its own name."""
    url = runtime.client("s3").generate_presigned_url(
        "get_object",
        Params={
            "Bucket": runtime.content_bucket(),
            "Key": _kept(attachment.sha256),
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(attachment.name)}",
            "ResponseContentType": attachment.media_type,
        },
        ExpiresIn=LINK_S,
    )
    return {"url": url, "expires_at": _expiry().isoformat()}


def open_kept(attachment: Attachment) -> BinaryIO:
    """A kept file, to be read once."""
    answer = runtime.client("s3").get_object(
        Bucket=runtime.content_bucket(), Key=_kept(attachment.sha256)
    )
    body: BinaryIO = answer["Body"]
    return body


class Carried:
    """One edXML message and the files inside it, on local disk until the document is accepted."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._folder = Path(self._open.enter_context(TemporaryDirectory()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def keep(self, header: AttachmentHeader) -> Any:
        """A place for the file whose content begins; its own name never becomes a path."""
        return self.path(header.index).open("wb")

    @property
    def message(self) -> Path:
        """Where the message itself is, byte by byte, once all of what `record` gave is read."""
        return self._folder / "message"

    def record(self, source: BinaryIO) -> BinaryIO:
        """The same source; what is read from it is written to `message`."""
        # Unbuffered, so that all that was read can be read there too.
        to = self._open.enter_context(self.message.open("wb", buffering=0))
        return cast("BinaryIO", _Recording(source, to))

    def store(self, attachments: Iterable[Attachment]) -> None:
        """Keep the files for good."""
        for index, attachment in enumerate(attachments):
            with self.path(index).open("rb") as file:
                runtime.client("s3").put_object(
                    Bucket=runtime.content_bucket(), Key=_kept(attachment.sha256), Body=file
                )

    def path(self, index: int) -> Path:
        """Where a file of the message is, by its place among them."""
        return self._folder / str(index)


class _Recording:
    """Reads from `source` and writes down what it reads."""

    def __init__(self, source: BinaryIO, to: RawIOBase) -> None:
        self._source, self._to = source, to

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._to.write(data)
        return data


def _staged(agency: str, digest: str) -> str:
    return f"uploads/{agency}/{digest}"


def _kept(digest: str) -> str:
    return f"attachments/{digest}"


def _b64(digest: str) -> str:
    return b64encode(bytes.fromhex(digest)).decode()


def _expiry() -> datetime:
    return runtime.now() + timedelta(seconds=LINK_S)
