"""Attached files: uploaded by link, checked by digest, kept by digest, fetched by link.

No file passes through a function on its way in or out, except those that an edXML message carries.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from io import RawIOBase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Self, cast

from chalicelib import files, runtime
from chalicelib.contexts.documents.domain.document import SecretDocument
from chalicelib.contexts.documents.domain.events import Attachment
from chalicelib.contexts.documents.edxml.stream import AttachmentHeader
from chalicelib.files import (
    LINK_S,
    MAX_FILE_BYTES,
    AttachmentDigestMismatch,
    AttachmentNotArrived,
    FileTooLarge,
    Staged,
    Upload,
    discard,
    open_staged,
    staged,
)

__all__ = [
    "LINK_S",
    "MAX_FILE_BYTES",
    "AttachmentDigestMismatch",
    "AttachmentNotArrived",
    "Carried",
    "FileTooLarge",
    "LinkedAttachment",
    "Staged",
    "Upload",
    "adopt",
    "check_arrived",
    "discard",
    "link",
    "open_kept",
    "open_staged",
    "staged",
    "upload",
]
FOLDER = "attachments"
"""Where the files of documents are kept."""


def upload(agency: str, attachment: Attachment, secrecy: str) -> Upload:
    """A link to upload one file with; S3 itself refuses another content or another length.

    Raises:
        SecretDocument: a level of secrecy was declared; nothing of it may be uploaded.
        FileTooLarge: over `MAX_FILE_BYTES`.
    """
    if secrecy != "none":
        raise SecretDocument(field="secrecy")
    return files.upload(agency, attachment)


def check_arrived(agency: str, attachments: Iterable[Attachment]) -> None:
    """See that every file was uploaded by this agency and is what it is said to be.

    Raises:
        AttachmentNotArrived, AttachmentDigestMismatch: naming the attachment.
    """
    attachments = list(attachments)
    fields = [f"attachments/{index}" for index in range(len(attachments))]
    files.check_arrived(agency, attachments, fields)


def adopt(agency: str, attachments: Iterable[Attachment]) -> None:
    """Keep uploaded files for good: they now belong to a document that was accepted."""
    files.adopt(agency, attachments, FOLDER)


class LinkedAttachment(files.FileLink):
    """A file of a document, what its sender says of it, and where it can be fetched."""

    name: str
    description: str


def link(attachment: Attachment) -> LinkedAttachment:
    """A kept file, with a short-lived link to it under its own name."""
    fetched = files.file_link(attachment, FOLDER, attachment.name)
    return {"name": attachment.name, "description": attachment.description, **fetched}


def open_kept(attachment: Attachment) -> BinaryIO:
    """A kept file, to be read once."""
    return files.open_kept(attachment, FOLDER)


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
                    Bucket=runtime.content_bucket(),
                    Key=files.kept(FOLDER, attachment.sha256),
                    Body=file,
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
