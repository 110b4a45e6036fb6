"""What a file says it is, against how it begins."""

import pytest
from contexts.documents.edxml.demo_messages import zipped

from chalicelib.content_types import (
    AttachmentTypeWrong,
    kind_of,
    refuse_another_type,
    type_of,
)

PDF, PNG, RTF = b"%PDF-1.7 demo", b"\x89PNG\r\n\x1a\n demo", rb"{\rtf1 demo}"
OLD_WORD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 demo"
PACKAGE = zipped(("[Content_Types].xml", b"<x/>"))
PLAIN = "application/octet-stream"


@pytest.mark.parametrize(
    ("name", "media_type", "content"),
    [
        pytest.param("a.pdf", "application/pdf", PDF, id="a PDF"),
        pytest.param("a.pdf", PLAIN, b"\n\n" + PDF, id="a PDF after some white space"),
        pytest.param("a.docx", type_of("a.docx"), PACKAGE, id="a package"),
        pytest.param("a.docx", PLAIN, OLD_WORD, id="a package with a password"),
        pytest.param("a.doc", "application/msword", RTF, id="RTF under the old ending"),
        pytest.param("a.doc", "application/msword", PACKAGE, id="a package under the old ending"),
        pytest.param("a.xls", PLAIN, b"<?xml version='1.0'?>", id="a table as XML"),
        pytest.param("a.zip", "application/zip", b"PK\x03\x04" + PDF, id="a PDF stored in a zip"),
        pytest.param("a.txt", "text/plain", PDF, id="a text that begins like a PDF"),
        pytest.param("a.pdf", "application/pdf", b"demo", id="of no known type"),
        pytest.param("a", PLAIN, PNG, id="that claims nothing"),
    ],
)
def test_a_file_is_taken(name, media_type, content):
    refuse_another_type(name, media_type, content, "attachments/0")


@pytest.mark.parametrize(
    ("name", "media_type", "content"),
    [
        pytest.param("a.pdf", PLAIN, PNG, id="a picture, by its name a PDF"),
        pytest.param("a", "Application/PDF", PNG, id="a picture, by its type a PDF"),
        pytest.param("a.png", "application/pdf", PNG, id="that claims two types"),
        pytest.param("a.pdf", "application/pdf", b"MZ demo", id="a program"),
        pytest.param("a.pdf", "application/pdf", b"\x7fELF demo", id="another program"),
        pytest.param("a.docx", PLAIN, PDF, id="a PDF as office file"),
        pytest.param("a.xml", "application/xml", PACKAGE, id="a package as XML"),
        pytest.param("a.jpg", "image/jpeg", PACKAGE, id="a package as picture"),
    ],
)
def test_a_file_of_another_type_is_refused(name, media_type, content):
    with pytest.raises(AttachmentTypeWrong) as refusal:
        refuse_another_type(name, media_type, content, "attachments/0")
    assert refusal.value.field == "attachments/0"


def test_what_nobody_knows_is_no_kind():
    assert kind_of(b"demo") is None
    assert kind_of(b"") is None
