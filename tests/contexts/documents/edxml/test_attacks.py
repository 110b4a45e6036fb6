import io
import zlib
from contextlib import suppress

import pytest
from contexts.documents.edxml.demo_messages import (
    HEADER,
    NS,
    PDF,
    REFERENCE,
    SUBJECT,
    Kept,
    attachment,
    b64,
    document,
    read,
    zipped,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.contexts.documents.edxml import stream, unpack
from chalicelib.contexts.documents.edxml.errors import EdxmlError
from chalicelib.contexts.documents.edxml.parse import parse

LAUGHS = '<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">'
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def evil(doctype, subject):
    return doctype + document(HEADER.replace(SUBJECT, f"<Subject>{subject}</Subject>"))


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(evil(f"<!DOCTYPE edXML [{LAUGHS}]>", "&i;"), id="billion laughs"),
        pytest.param(
            evil('<!DOCTYPE edXML [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "&x;"),
            id="external entity",
        ),
        pytest.param(
            evil('<!DOCTYPE edXML [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>', "x"),
            id="parameter entity",
        ),
        pytest.param(
            evil('<!DOCTYPE edXML SYSTEM "http://127.0.0.1:9/x.dtd">', "x"), id="external subset"
        ),
        pytest.param(evil("<!DOCTYPE edXML>", "x"), id="a bare document type"),
        pytest.param("\ufeff" + evil("<!DOCTYPE edXML>", "x"), id="after a byte order mark"),
        pytest.param(
            document(
                HEADER + '<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="/etc/passwd"'
                ' parse="text"/>'
            ),
            id="XInclude",
        ),
    ],
)
def test_markup_that_fetches_or_grows_is_forbidden(message):
    with pytest.raises(EdxmlError) as refusal:
        read(message)
    assert refusal.value.code == "edxml-forbidden-markup"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"])
def test_another_encoding_hides_nothing(encoding):
    message = f'<?xml version="1.0" encoding="{encoding}"?>{evil("<!DOCTYPE edXML>", "x")}'
    with pytest.raises(EdxmlError) as refusal:
        read(message.encode(encoding))
    assert refusal.value.code == "edxml-malformed"


def test_a_document_type_cut_into_single_bytes_is_seen():
    class Dribble(io.BytesIO):
        def read(self, _=-1):
            return super().read(1)

    with pytest.raises(EdxmlError) as refusal:
        parse(Dribble(evil("<!DOCTYPE edXML>", "x").encode()), Kept())
    assert refusal.value.code == "edxml-forbidden-markup"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        pytest.param([("a", bytes(8 << 20))], "200-fold", id="a thousandfold"),
        pytest.param([("../../etc/passwd", PDF), ("x", PDF)], "one file", id="two files"),
    ],
)
def test_a_hostile_zip_is_refused(files, why):
    message = document(references=REFERENCE, attachments=attachment(b64(zipped(*files))))
    kept = Kept()
    with pytest.raises(EdxmlError, match=why) as refusal:
        parse(message.encode(), kept)
    assert refusal.value.code == "attachment-invalid"
    # What was written before the refusal is bounded, and never declared complete.
    assert len(kept.files[0].data) < 2 << 20
    assert not kept.files[0].closed


def test_a_zip_that_lies_about_its_size_is_refused():
    deflated = zlib.compressobj(wbits=-15)
    packed = deflated.compress(PDF * 9) + deflated.flush()
    honest = zipped(("a", PDF * 9))
    assert packed in honest
    at = honest.index(b"PK\x01\x02") + 24
    liar = honest[:at] + (1).to_bytes(4, "little") + honest[at + 4 :]
    with pytest.raises(EdxmlError, match="damaged"):
        read(document(references=REFERENCE, attachments=attachment(b64(liar))))


def test_looking_into_a_zip_for_a_zip_costs_four_bytes():
    bomb = zipped(("a.txt", bytes(8 << 20)))
    references = REFERENCE.replace("a.pdf", "a.zip")
    message = document(references=references, attachments=attachment(b64(bomb), name="a.zip"))
    _, kept = read(message)
    assert bytes(kept.files[0].data) == bomb
    wrapped = b64(zipped(("a.zip", zipped(("a.txt", b"x")) + bytes(8 << 20))))
    with pytest.raises(EdxmlError, match="200-fold"):
        read(document(references=references, attachments=attachment(wrapped, name="a.zip")))


def test_a_file_may_not_unpack_to_more_than_100_mebibytes(monkeypatch):
    monkeypatch.setattr(unpack, "MAX_EXPANDED", 5000)
    read(document(references=REFERENCE, attachments=attachment(b64(zipped(("a", b"x" * 5000))))))
    with pytest.raises(EdxmlError, match="larger than 5000"):
        read(
            document(references=REFERENCE, attachments=attachment(b64(zipped(("a", b"x" * 5001)))))
        )


def test_all_files_together_have_a_limit(monkeypatch):
    monkeypatch.setattr(stream, "MAX_EXPANDED_TOTAL", 2 * len(PDF))
    three = "".join(attachment(content_id=f"{n}") for n in range(3))
    with pytest.raises(EdxmlError) as refusal:
        read(document(attachments=three))
    assert refusal.value.code == "edxml-too-large"
    assert refusal.value.field == "edXML/AttachmentEncoded"


def test_the_whole_message_has_a_limit(monkeypatch):
    message = document().encode()
    monkeypatch.setattr(stream, "MAX_MESSAGE", len(message))
    read(message)
    with pytest.raises(EdxmlError) as refusal:
        read(message + b"\n")
    assert refusal.value.code == "edxml-too-large"


def test_the_name_inside_a_zip_is_never_used():
    content = b64(zipped(("../../etc/passwd", PDF)))
    message, kept = read(document(references=REFERENCE, attachments=attachment(content)))
    assert message.attachments[0].name == "a.pdf"
    assert kept.files[0].data == PDF


@pytest.mark.parametrize(
    ("written", "name"),
    [("../../etc/passwd", "..-..-etc-passwd"), (r"C:\x\12.pdf", "C:-x-12.pdf")],
)
def test_a_name_is_never_a_path(written, name):
    message, _ = read(
        document(
            references=REFERENCE.replace("a.pdf", written), attachments=attachment(name=written)
        )
    )
    assert message.attachments[0].name == name
    place = "edXML/edXMLEnvelope/edXMLBody/edXMLManifest/Reference/AttachmentName"
    assert message.warnings == (f"attachment-name-mended {place}",)


def test_odd_names_from_elsewhere_do_no_harm():
    strange = f'<p:ẽ-1.x xmlns:p="a b%zz"><q xmlns="">x</q></p:ẽ-1.x><y xmlns="{NS}"/>'
    found = read(document(HEADER + strange))[0]
    assert found.model_copy(update={"warnings": ()}) == read(document())[0]
    head = "edXML/edXMLEnvelope/edXMLHeader/MessageHeader"
    assert found.warnings == (f"element-not-read {head}/foreign.ẽ-1.x",)


def test_a_crowd_of_oddities_stays_cheap():
    crowd = "<To><OrganId>odd</OrganId></To>" * 8000
    message, _ = read(document(HEADER + crowd))
    assert (len(message.to), len(message.warnings)) == (8001, 100)


SOUND = document(references=REFERENCE, attachments=attachment()).encode()
EDIT = st.tuples(
    st.integers(0, len(SOUND)),
    st.integers(0, 60),
    st.binary(max_size=6)
    | st.sampled_from(
        [b"<", b"</", b"&", b"<a:b>", b'" x:y="', b"<!--", b"]]>", b"\xc4", b"<?p?>"]
    ),
)


@given(st.lists(EDIT, min_size=1, max_size=4))
@settings(max_examples=400, deadline=None)
def test_whatever_arrives_is_read_or_refused(edits):
    message = SOUND
    for at, length, new in edits:
        message = message[:at] + new + message[at + length :]
    # Any other exception than a refusal fails the test.
    with suppress(EdxmlError):
        parse(message, Kept())


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=400, deadline=None)
def test_a_damaged_zip_is_refused_or_gives_the_file(edits):
    content = bytearray(zipped(("a.pdf", PDF * 9)))
    for at, value in edits:
        content[at % len(content)] = value
    message = document(references=REFERENCE, attachments=attachment(b64(bytes(content))))
    with suppress(EdxmlError):
        _, kept = read(message)
        # Without a zip's mark at its start it is a file like any other.
        taken = PDF * 9 if content.startswith(b"PK\3\4") else bytes(content)
        assert bytes(kept.files[0].data) == taken


def test_nothing_may_follow_the_padding_even_in_another_buffer():
    unpacker = unpack.Unpacker(lambda: Kept()(None), "here", lambda _: None)
    unpacker.feed("A" * 65_532 + "QQ==")
    with pytest.raises(EdxmlError, match="follows the end"):
        unpacker.feed("A" * 65_536)
