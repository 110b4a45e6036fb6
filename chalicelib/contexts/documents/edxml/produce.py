"""Writes messages that other software following the standard can read.

Names, namespaces and the order of elements are those of published messages; dates are
`yyyy/MM/dd`; every file is a zip of one, in base64. The same input gives the same bytes. There is
no Signature: the agencies' keys are not ours.
"""

import base64
import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from io import BytesIO, RawIOBase
from typing import Any, BinaryIO

from lxml import etree

from chalicelib.contexts.documents.edxml.dates import write_date, write_moment
from chalicelib.contexts.documents.edxml.model import (
    HEADER_ELEMENTS,
    NAMESPACE,
    PART_ELEMENTS,
    REFERENCE_ELEMENTS,
    STATUS_ELEMENTS,
    STATUS_PART_ELEMENTS,
    TRACE_LIST_ELEMENTS,
    AttachmentPart,
    DocumentMessage,
    Elements,
    StatusMessage,
)
from chalicelib.kernel import Value

_CHUNK = 48 * 1024  # A multiple of 3, so that pieces of base64 join without padding.
_AS_ZIP = {"content_type": "application/zip"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def produce_document(
    message: DocumentMessage, attachments: Iterable[tuple[AttachmentPart, BinaryIO]], out: BinaryIO
) -> None:
    """Write the document with its files, each read once from where it stands; nothing is seeked.

    The manifest is that of `message.attachments`, so `attachments` must be the same in the same
    order.

    Raises:
        ValueError: the files are not those of the message; what was written must be discarded.
    """
    envelope = _envelope()
    header = _add(envelope, "edXMLHeader")
    _fill(_add(header, "MessageHeader"), message, HEADER_ELEMENTS, PART_ELEMENTS)
    _fill(_add(header, "TraceHeaderList"), message, TRACE_LIST_ELEMENTS, PART_ELEMENTS)
    manifest = _add(_add(envelope, "edXMLBody"), "edXMLManifest")
    manifest.set("version", "1.0")
    for part in message.attachments:
        reference = _add(manifest, "Reference")
        _fill(reference, part.model_copy(update=_AS_ZIP), REFERENCE_ELEMENTS, PART_ELEMENTS)
    with _message(out, envelope) as xml:
        written = []
        if message.attachments:
            with xml.element(_name("AttachmentEncoded")):
                for part, file in attachments:
                    _write_attachment(xml, part, file)
                    written.append(part)
    if tuple(written) != message.attachments:
        raise ValueError("the files are not those that the message lists")


def produce_status(message: StatusMessage) -> bytes:
    """The status message as UTF-8 bytes."""
    envelope = _envelope()
    header = _add(_add(envelope, "edXMLHeader"), "MessageHeader")
    _fill(header, message, STATUS_ELEMENTS, STATUS_PART_ELEMENTS)
    out = BytesIO()
    with _message(out, envelope):
        pass
    return out.getvalue()


@contextmanager
def _message(out: BinaryIO, envelope: Any) -> Iterator[Any]:
    """Write root and envelope; what the caller adds to the XML follows the envelope."""
    out.write(b'<?xml version="1.0" encoding="UTF-8"?>\n')
    with (
        etree.xmlfile(out, encoding="utf-8") as xml,
        xml.element(_name("edXML"), nsmap={None: NAMESPACE}),
    ):
        xml.write("\n")
        xml.write(envelope, pretty_print=True)
        yield xml
    out.write(b"\n")


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


def _clean(text: str) -> str:
    """XML has no way to write control characters, which texts not from XML may hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _envelope() -> Any:
    return etree.Element(_name("edXMLEnvelope"), nsmap={"edXML": NAMESPACE})


def _add(parent: Any, local: str, text: str | None = None) -> Any:
    child = etree.SubElement(parent, _name(local))
    child.text = text and _clean(text)
    return child


def _fill(
    element: Any, value: Value, rows: Elements, parts: Mapping[type[Value], Elements]
) -> None:
    """Put a value's fields into their elements; what is empty gets none."""
    for path, field in rows:
        content = getattr(value, field)
        for each in content if isinstance(content, tuple) else (content,):
            *outer, last = path.split("/")
            if each is None or each == "":
                continue
            parent = element
            for name in outer:  # Neighbours share the elements around them.
                again = len(parent) and parent[-1].tag == _name(name)
                parent = parent[-1] if again else _add(parent, name)
            if isinstance(each, Value):
                _fill(_add(parent, last), each, parts[type(each)], parts)
            else:
                _add(parent, last, _written(each))


def _written(value: str | int | date | datetime) -> str:
    match value:
        case datetime():
            return write_moment(value)
        case date():
            return write_date(value)
        case _:
            return str(value)


def _write_attachment(xml: Any, part: AttachmentPart, file: BinaryIO) -> None:
    with xml.element(_name("Attachment")):
        for local, text in (
            ("ContentId", part.content_id),
            ("AttachmentName", part.name),
            ("Description", part.description),
            ("ContentType", _AS_ZIP["content_type"]),
        ):
            with xml.element(_name(local)):
                xml.write(_clean(text))
        with xml.element(_name("ContentTransferEncoded"), nsmap={"edXML": NAMESPACE}):
            digest = _write_zip(xml, part.name, file)
    if digest != part.sha256:
        raise ValueError("a file is not the one whose digest the message carries")


def _write_zip(xml: Any, name: str, file: BinaryIO) -> str:
    """Write the file as a base64 zip of one member; its SHA-256 in hex."""
    digest = hashlib.sha256()
    encoded = _Base64(xml)
    # A fixed time and system, or the same file would give other bytes tomorrow.
    member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    member.compress_type, member.create_system = zipfile.ZIP_DEFLATED, 3
    with zipfile.ZipFile(encoded, "w") as archive, archive.open(member, "w") as into:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            into.write(chunk)
    encoded.finish()
    return digest.hexdigest()


class _Base64(RawIOBase):
    """Where the zip is written: an unseekable file that passes on base64 to the XML."""

    def __init__(self, xml: Any) -> None:
        self._xml, self._rest = xml, b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        whole = self._rest + bytes(data)
        cut = len(whole) - len(whole) % 3
        self._rest = whole[cut:]
        if cut:
            self._xml.write(base64.b64encode(whole[:cut]).decode())
        return len(data)

    def finish(self) -> None:
        if self._rest:
            self._xml.write(base64.b64encode(self._rest).decode())
