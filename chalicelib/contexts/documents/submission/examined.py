"""What is looked at in the files of a document that is about to be accepted.

Types that are belied are refused; signatures are reported, whatever they are worth.
"""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, TypeVar

from chalicelib import runtime
from chalicelib.content_types import HEAD_BYTES, kind_of, refuse_another_type
from chalicelib.contexts.documents import files, originals
from chalicelib.contexts.documents.domain.document import AmendDocument, SendDocument
from chalicelib.contexts.documents.domain.events import Attachment, SignatureReport
from chalicelib.contexts.documents.edxml.model import DocumentMessage
from chalicelib.contexts.documents.signatures.examine import SignedFile, examine, warnings_about

MAX_FETCHED = 100 * 1024 * 1024
"""Bytes of all uploaded PDF files of a document that are fetched to look for signatures."""

_CHUNK = 1024 * 1024
_SIGNED = b"/ByteRange"
"""Stands in every signed PDF, and in the clear: it says where the signed bytes are."""

Act = TypeVar("Act", SendDocument, AmendDocument)


def examined_message(command: Act, message: DocumentMessage, carried: files.Carried) -> Act:
    """The command, with what is found of the edXML message and its files; the message is kept.

    Raises:
        AttachmentTypeWrong: a file is of another type than it says.
    """
    signed = [SignedFile("message", "xml", carried.message)] if message.signed else []
    # An update of receivers alone leaves the files as they were.
    parts = () if command.attachments is None else message.attachments
    for index, part in enumerate(parts):
        path = carried.path(index)
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            refuse_another_type(part.name, part.media_type, head, f"attachments/{index}")
            if kind_of(head) == "pdf" and _copy(file, head):
                signed.append(SignedFile(part.sha256, "pdf", path))
    clerk = command.staff.subject if command.staff else None
    original = originals.keep(command.document, carried.message, clerk)
    reports: tuple[SignatureReport, ...] = _examine(signed)
    too_large: tuple[str, ...] = () if original else (originals.NOT_KEPT,)
    return command.model_copy(
        update={
            "signatures": reports,
            "original": original,
            "warnings": (*command.warnings, *warnings_about(reports), *too_large),
        }
    )


def examined_uploads(command: Act, agency: str, attachments: Iterable[Attachment]) -> Act:
    """The command, with what is found of the files that `agency` uploaded for it.

    Raises:
        AttachmentTypeWrong: a file is of another type than it says.
    """
    signed: list[SignedFile] = []
    unread: list[SignatureReport] = []
    left = MAX_FETCHED
    with TemporaryDirectory() as folder:
        for index, attachment in enumerate(attachments):
            with closing(files.open_staged(agency, attachment.sha256)) as file:
                head = file.read(HEAD_BYTES)
                field = f"attachments/{index}"
                refuse_another_type(attachment.name, attachment.media_type, head, field)
                if kind_of(head) != "pdf":
                    continue
                left -= attachment.size
                if left < 0:
                    unread.append(_too_large(attachment))
                    continue
                path = Path(folder) / str(index)
                with path.open("wb") as local:
                    if _copy(file, head, local):
                        signed.append(SignedFile(attachment.sha256, "pdf", path))
        reports: tuple[SignatureReport, ...] = (*_examine(signed), *unread)
    warnings = (*command.warnings, *warnings_about(reports))
    return command.model_copy(update={"signatures": reports, "warnings": warnings})


def _examine(signed: list[SignedFile]) -> tuple[SignatureReport, ...]:
    return examine(signed, runtime.trust_anchors(), runtime.now()) if signed else ()


def _too_large(attachment: Attachment) -> SignatureReport:
    return SignatureReport(about=attachment.sha256, verdict="unverifiable", reason="too-large")


def _copy(source: BinaryIO, head: bytes, to: BinaryIO | None = None) -> bool:
    """Read a PDF to its end, into `to` if there is one; whether it says that it is signed."""
    found, before, chunk = False, b"", head
    while chunk:
        if to:
            to.write(chunk)
        found = found or _SIGNED in before + chunk
        before, chunk = chunk[-len(_SIGNED) :], source.read(_CHUNK)
    return found
