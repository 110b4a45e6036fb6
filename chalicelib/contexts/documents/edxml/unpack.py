"""Takes an attached file out of its wrapping: base64, then a zip of exactly one file.

Both are undone as the text arrives, so that a file of any size costs a few buffers. The standard
library's zipfile wants to seek to the end of the archive first, hence the small reader here. The
name inside the zip never names the file: the manifest does.
"""

import binascii
import hashlib
import struct
import zlib
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from chalicelib.contexts.documents.edxml.errors import AttachmentInvalid

MAX_EXPANDED = 100 * 1024 * 1024
"""Bytes of one unpacked file."""
MAX_RATIO = 200
"""How often larger than its zip a file may be, once over `RATIO_FREE` bytes."""
RATIO_FREE = 1024 * 1024

_CHUNK = 64 * 1024
_MAX_TAIL = 128 * 1024  # A comment is at most 64 KiB, and so is a name.
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _SIZES_FOLLOW = 0x1, 0x8
_IN_ZIP64 = 0xFFFFFFFF
# Office files are zips themselves; sent without a wrapping they are taken as they are.
_PACKAGE_STARTS = (
    *(b"[Content_Types].xml", b"mimetype", b"_rels/", b"docProps/", b"customXml/"),
    *(b"word/", b"xl/", b"ppt/"),
)
_PACKAGE_ENDINGS = (
    *(b".docx", b".docm", b".xlsx", b".xlsm", b".xlsb", b".pptx", b".ppsx"),
    *(b".odt", b".ods", b".odp"),
)
_PEEK = 4096
"""Bytes of a zip's content, as packed, in which its first four come out, whatever the tables."""


class Sink(Protocol):
    """Where a file goes. `close` is called only when the whole file has arrived and is sound."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""

    def close(self) -> object:
        """The file is complete."""


class Unpacked(NamedTuple):
    """The file as people see it: its length in bytes and its digest in hex."""

    size: int
    sha256: str


class Unpacker:
    """Feeds one attachment, arriving as base64 text in pieces, to its sink.

    `open_sink` gives the sink when the first bytes are there. `name` is what the file is called, as
    far as it is known by now. `spend` is told of every byte count written, so that a limit over
    all files can be kept.

    Raises (from `feed` and `finish`):
        AttachmentInvalid: naming `field`.
    """

    def __init__(
        self,
        open_sink: Callable[[], Sink],
        field: str,
        spend: Callable[[int], None],
        name: str = "",
    ) -> None:
        self._open_sink, self._field, self._spend = open_sink, field, spend
        self._sink: Sink | None = None
        self._is_zip = name.lower().endswith(".zip")
        self._text: list[str] = []
        self._text_size = 0
        self._base64 = b""
        self._padded = False
        self._stage: Literal["head", "plain", "stored", "deflated", "tail"] = "head"
        self._buffer = bytearray()  # The head of a zip, later its tail.
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._left = 0  # Bytes of a stored file still to come.
        self._packed = self._size = self._crc = 0
        self._digest = hashlib.sha256()

    @property
    def blank(self) -> bool:
        """Whether nothing but white space has come."""
        begun = self._base64 or self._buffer or self._stage != "head"
        return not (begun or "".join(self._text).strip())

    def feed(self, text: str) -> None:
        """Take the next piece of base64, broken anywhere, with any white space in it."""
        self._text.append(text)
        self._text_size += len(text)
        if self._text_size >= _CHUNK:
            self._decode()

    def finish(self) -> Unpacked:
        """Check that the file is whole, and close the sink."""
        self._decode()
        if self._base64:
            raise self._invalid("its base64 text breaks off")
        if self._stage == "head":  # Shorter than a zip can be.
            if self._buffer.startswith((_LOCAL, _END)):
                raise self._invalid("its zip must hold exactly one file")
            self._write(bytes(self._buffer))
        elif self._stage == "tail":
            self._check_directory()
        elif self._stage != "plain":
            raise self._invalid("its zip breaks off")
        if self._sink is None:
            raise self._invalid("it is empty")
        self._sink.close()
        return Unpacked(self._size, self._digest.hexdigest())

    def _invalid(self, why: str) -> AttachmentInvalid:
        return AttachmentInvalid(f"The attached file cannot be taken: {why}.", field=self._field)

    def _decode(self) -> None:
        try:
            fresh = "".join(self._text).encode("ascii").translate(None, b" \t\r\n")
            self._text, self._text_size = [], 0
            whole = self._base64 + fresh
            cut = len(whole) - len(whole) % 4
            self._base64 = whole[cut:]
            if not cut:
                return
            if self._padded:
                raise self._invalid("text follows the end of its base64")
            self._padded = whole[cut - 1 : cut] == b"="
            data = binascii.a2b_base64(whole[:cut], strict_mode=True)
        except ValueError as error:
            raise self._invalid("its text is not base64") from error
        for start in range(0, len(data), _CHUNK):
            self._take(data[start : start + _CHUNK])

    def _take(self, data: bytes) -> None:
        if self._stage == "head":
            self._buffer += data
            data = self._open()
        self._packed += len(data)
        if self._stage == "plain":
            self._write(data)
            return
        if self._stage == "stored":
            self._write(data[: self._left])
            data, self._left = data[self._left :], max(0, self._left - len(data))
            if not self._left:
                self._stage = "tail"
        elif self._stage == "deflated":
            data = self._inflate(data)
        if self._stage == "tail":
            self._buffer += data
            if len(self._buffer) > _MAX_TAIL:
                raise self._invalid("its zip must hold exactly one file")

    def _open(self) -> bytes:
        """Read the zip's first header once it has all come; what follows it, or b"" until then."""
        head = bytes(self._buffer)
        if len(head) >= len(_LOCAL) and not head.startswith((_LOCAL, _END)):
            return self._begin("plain", head)
        if len(head) < 30:  # noqa: PLR2004 -- the fixed part of a local file header.
            return b""
        if head.startswith(_END):
            raise self._invalid("its zip must hold exactly one file")
        flags, method = struct.unpack_from("<HH", head, 6)
        packed, size, name_size, extra_size = struct.unpack_from("<IIHH", head, 18)
        start = 30 + name_size + extra_size
        if len(head) < start:
            return b""
        name = head[30 : 30 + name_size]
        if name.startswith(_PACKAGE_STARTS):
            return self._begin("plain", head)
        if self._is_zip and not _holds_a_zip(name, method, size, head[start : start + _PEEK]):
            return self._begin("plain", head)
        if flags & _ENCRYPTED:
            raise self._invalid("its zip is encrypted")
        if method == _DEFLATED:
            return self._begin("deflated", head[start:])
        if method != _STORED or flags & _SIZES_FOLLOW or _IN_ZIP64 in {packed, size}:
            raise self._invalid("its zip uses neither plain storage nor deflate")
        self._left = size
        return self._begin("stored", head[start:])

    def _begin(self, stage: Literal["plain", "stored", "deflated"], rest: bytes) -> bytes:
        self._stage, self._buffer = stage, bytearray()
        return rest

    def _inflate(self, data: bytes) -> bytes:
        """Write what `data` expands to, a buffer at a time; what lies beyond the file's end."""
        try:
            while data and not self._inflater.eof:
                self._write(self._inflater.decompress(data, _CHUNK))
                data = self._inflater.unconsumed_tail
            while not self._inflater.eof and (more := self._inflater.decompress(b"", _CHUNK)):
                self._write(more)
        except zlib.error as error:
            raise self._invalid("its zip is damaged") from error
        if self._inflater.eof:
            self._stage = "tail"
        return self._inflater.unused_data

    def _write(self, data: bytes) -> None:
        if not data:
            return
        if self._sink is None:
            self._sink = self._open_sink()
        self._size += len(data)
        if self._size > MAX_EXPANDED:
            raise self._invalid(f"unpacked it is larger than {MAX_EXPANDED} bytes")
        if self._size > RATIO_FREE and self._size > MAX_RATIO * self._packed:
            raise self._invalid(f"it expands more than {MAX_RATIO}-fold")
        self._spend(len(data))
        self._crc = zlib.crc32(data, self._crc)
        self._digest.update(data)
        self._sink.write(data)

    def _check_directory(self) -> None:
        """The zip's own list must name this one file, with this checksum and size."""
        tail = bytes(self._buffer)
        # A descriptor may stand before the list: 12 bytes, 4 more if marked, 8 more in zip64.
        at = next((n for n in (0, 12, 16, 20, 24) if tail[n : n + 4] == _CENTRAL), None)
        if at is None or len(tail) < at + 46:
            raise self._invalid("its zip must hold exactly one file, and end with a list of it")
        crc, _, size, name_size, *more = struct.unpack_from("<IIIHHH", tail, at + 16)
        name = tail[at + 46 : at + 46 + name_size]
        after = at + 46 + name_size + sum(more)
        if tail[after : after + 4] not in {_END, b"PK\x06\x06"} or name.endswith(b"/"):
            raise self._invalid("its zip must hold exactly one file")
        if crc != self._crc or size not in {self._size, _IN_ZIP64}:
            raise self._invalid("its zip is damaged")


def _holds_a_zip(name: bytes, method: int, size: int, packed: bytes) -> bool:
    """Whether the first member of a zip is a zip: else a file called .zip is no wrapping of one.

    An office file, itself a zip, is what somebody put into the file that is sent.
    """
    if name.lower().endswith(_PACKAGE_ENDINGS):
        return False
    if method == _DEFLATED:
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, len(_LOCAL)) == _LOCAL
        except zlib.error:
            return False
    return method == _STORED and size > 0 and packed.startswith(_LOCAL)
