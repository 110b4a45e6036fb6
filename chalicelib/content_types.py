"""Whether a file is of the type that it is said to be: by its first bytes.

Only contradictions count. A file whose beginning nobody knows is taken at its word.
"""

import mimetypes
from typing import NamedTuple

from chalicelib.kernel import Invalid

HEAD_BYTES = 1024
"""How much of a file is looked at; a PDF may begin anywhere within it."""


class AttachmentTypeWrong(Invalid):
    """The file is of another type than its name or its media type says."""

    code = "attachment-type-wrong"
    rule = "The receiver opens a file as what it is said to be"


class _Kind(NamedTuple):
    """A family of formats: how its files begin, and the media types that such a file may claim."""

    begins: tuple[bytes, ...]
    media_types: tuple[str, ...]


# Office programs open each other's formats under old endings: .doc may be RTF, XML or a package,
# and a package with a password is a compound file.
_OFFICE = (
    "application/msword",
    "application/vnd.ms-",
    "application/vnd.openxmlformats-",
    "application/vnd.oasis.opendocument.",
)
_KINDS = {
    "png": _Kind((b"\x89PNG\r\n\x1a\n",), ("image/png",)),
    "jpeg": _Kind((b"\xff\xd8\xff",), ("image/jpeg", "image/jpg")),
    "gif": _Kind((b"GIF87a", b"GIF89a"), ("image/gif",)),
    "tiff": _Kind((b"II*\0", b"MM\0*"), ("image/tiff",)),
    "zip": _Kind(
        (b"PK\x03\x04", b"PK\x05\x06"),
        ("application/zip", "application/x-zip-compressed", *_OFFICE),
    ),
    "rar": _Kind((b"Rar!\x1a\x07",), ("application/vnd.rar", "application/x-rar")),
    "7z": _Kind((b"7z\xbc\xaf\x27\x1c",), ("application/x-7z-compressed",)),
    "compound": _Kind((b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",), _OFFICE),
    "rtf": _Kind((rb"{\rtf",), ("application/rtf", "text/rtf", "application/msword")),
    "xml": _Kind(
        (b"<?xml", b"\xef\xbb\xbf<?xml"),
        ("application/xml", "text/xml", "image/svg+xml", *_OFFICE),
    ),
    "program": _Kind(
        (b"MZ", b"\x7fELF"), ("application/x-msdownload", "application/x-msdos-program")
    ),
    "pdf": _Kind((b"%PDF-",), ("application/pdf",)),
}
_CLAIMABLE = tuple({claim for kind in _KINDS.values() for claim in kind.media_types})
# The system's own list of types differs from machine to machine; Python's is the same everywhere.
_TYPES = mimetypes.MimeTypes()
for _ending, _type in {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".rtf": "application/rtf",
    ".edxml": "application/xml",
}.items():
    _TYPES.add_type(_type, _ending)


def refuse_another_type(name: str, media_type: str, head: bytes, field: str) -> None:
    """See that what a file claims to be, by name or by media type, is not belied by its beginning.

    Raises:
        AttachmentTypeWrong: its content is of another known type.
    """
    found = kind_of(head)
    if found is None:
        return
    allowed = _KINDS[found].media_types
    for claim in (media_type.lower(), type_of(name)):
        if claim.startswith(_CLAIMABLE) and not claim.startswith(allowed):
            raise AttachmentTypeWrong(f"It says {claim} and is {found}", field=field)


def type_of(name: str) -> str:
    """The media type of files that are called so, "" if the name says nothing."""
    return _TYPES.guess_type(name)[0] or ""


def kind_of(head: bytes) -> str | None:
    """The family of formats that files with this beginning belong to, if it is a known one."""
    for name, kind in _KINDS.items():
        if head.startswith(kind.begins):
            return name
    return "pdf" if b"%PDF-" in head else None
