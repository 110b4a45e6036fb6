"""Files: uploaded by link, checked by digest, kept by digest, fetched by link.

No file passes through a function on its way in or out. Whose an upload is, and in which folder it
is kept, its context says; what is kept for a person stands in a folder of that person's.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import BinaryIO, Protocol
from urllib.parse import quote

from botocore.exceptions import ClientError
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.kernel import Invalid, Value

MAX_FILE_BYTES = 100 * 1024 * 1024
LINK_S = 900
"""How long a link is good for."""
_CHUNK = 1024 * 1024


class File(Protocol):
    """A file by reference: `size` in bytes, `sha256` in hexadecimal."""

    @property
    def media_type(self) -> str:
        """Its media type."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def sha256(self) -> str:
        """Its digest."""


class Upload(Value):
    """Where and how to PUT one file: the headers are part of the signature. `expires_at` UTC."""

    url: str
    headers: dict[str, str]
    expires_at: datetime


class DownloadLink(TypedDict):
    """Where a file can be fetched until `expires_at` (UTC), without a token."""

    url: str
    expires_at: datetime


class FileLink(DownloadLink):
    """A file and where it can be fetched."""

    media_type: str
    size: int
    sha256: str


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


def upload(owner: str, file: File) -> Upload:
    """A link to upload one file with; S3 itself refuses another content or another length.

    Raises:
        FileTooLarge: over `MAX_FILE_BYTES`.
    """
    if file.size > MAX_FILE_BYTES:
        raise FileTooLarge(field="size")
    headers = {
        "content-length": str(file.size),
        "content-type": file.media_type,
        "x-amz-checksum-sha256": _b64(file.sha256),
    }
    url = runtime.client("s3").generate_presigned_url(
        "put_object",
        Params={
            "Bucket": runtime.staging_bucket(),
            "Key": _staged(owner, file.sha256),
            "ContentLength": file.size,
            "ContentType": file.media_type,
            "ChecksumSHA256": headers["x-amz-checksum-sha256"],
        },
        ExpiresIn=LINK_S,
    )
    return Upload(url=url, headers=headers, expires_at=_expiry())


def check_arrived(owner: str, files: Iterable[File], fields: Sequence[str]) -> None:
    """See that every file was uploaded by this owner and is what it is said to be.

    `fields` are the places in the request that name the files.

    Raises:
        AttachmentNotArrived, AttachmentDigestMismatch: naming the field.
    """
    for file, field in zip(files, fields, strict=True):
        found = staged(owner, file.sha256)
        if found is None:
            raise AttachmentNotArrived(field=field)
        if found.size != file.size or found.sha256 != file.sha256:
            raise AttachmentDigestMismatch(field=field)


class Staged(Value):
    """An uploaded file as S3 measured it."""

    size: int
    sha256: str


def staged(owner: str, digest: str) -> Staged | None:
    """What an owner has uploaded under a digest, measured and not believed."""
    s3, bucket, key = runtime.client("s3"), runtime.staging_bucket(), _staged(owner, digest)
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


def stage(owner: str, data: bytes) -> str:
    """Stage a file that came with a request, as if its owner had uploaded it; its digest."""
    digest = sha256(data).hexdigest()
    runtime.client("s3").put_object(
        Bucket=runtime.staging_bucket(), Key=_staged(owner, digest), Body=data
    )
    return digest


def open_staged(owner: str, digest: str) -> BinaryIO:
    """An uploaded file, to be read once."""
    answer = runtime.client("s3").get_object(
        Bucket=runtime.staging_bucket(), Key=_staged(owner, digest)
    )
    body: BinaryIO = answer["Body"]
    return body


def adopt(owner: str, files: Iterable[File], folder: str) -> None:
    """Keep uploaded files for good: they now belong to something that was accepted."""
    for file in files:
        runtime.client("s3").copy_object(
            Bucket=runtime.content_bucket(),
            Key=kept(folder, file.sha256),
            CopySource={"Bucket": runtime.staging_bucket(), "Key": _staged(owner, file.sha256)},
        )


def discard(owner: str, digests: Iterable[str]) -> None:
    """Empty the staging area of these uploads; what is not there is fine."""
    for digest in digests:
        runtime.client("s3").delete_object(
            Bucket=runtime.staging_bucket(), Key=_staged(owner, digest)
        )


def link(file: File, folder: str, name: str) -> DownloadLink:
    """A short-lived link to a kept file, under this name."""
    url = runtime.client("s3").generate_presigned_url(
        "get_object",
        Params={
            "Bucket": runtime.content_bucket(),
            "Key": kept(folder, file.sha256),
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(name)}",
            "ResponseContentType": file.media_type,
        },
        ExpiresIn=LINK_S,
    )
    return {"url": url, "expires_at": _expiry()}


def file_link(file: File, folder: str, name: str) -> FileLink:
    """A kept file with a short-lived link to it, under this name."""
    return {
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
        **link(file, folder, name),
    }


def lend(data: bytes, media_type: str, folder: str, name: str) -> DownloadLink:
    """A short-lived link to something made on request, which is gone after a day.

    Where uploads wait nothing has versions, so what is personal in it does not outlive that day.
    """
    key = kept(folder, sha256(data).hexdigest())
    bucket, s3 = runtime.staging_bucket(), runtime.client("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=data, ContentType=media_type)
    url = s3.generate_presigned_url(
        "get_object",
        Params={
            "Bucket": bucket,
            "Key": key,
            "ResponseContentDisposition": f"inline; filename*=UTF-8''{quote(name)}",
        },
        ExpiresIn=LINK_S,
    )
    return {"url": url, "expires_at": _expiry()}


def open_kept(file: File, folder: str) -> BinaryIO:
    """A kept file, to be read once."""
    answer = runtime.client("s3").get_object(
        Bucket=runtime.content_bucket(), Key=kept(folder, file.sha256)
    )
    body: BinaryIO = answer["Body"]
    return body


def kept(folder: str, digest: str) -> str:
    """Where a file is kept."""
    return f"{folder}/{digest}"


def _staged(owner: str, digest: str) -> str:
    return f"uploads/{owner}/{digest}"


def _b64(digest: str) -> str:
    return b64encode(bytes.fromhex(digest)).decode()


def _expiry() -> datetime:
    return runtime.now() + timedelta(seconds=LINK_S)
