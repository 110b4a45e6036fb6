from datetime import UTC, date, datetime

import pytest
from contexts.documents.edxml.demo_messages import (
    CODE,
    HEADER,
    NS,
    PDF,
    REFERENCE,
    STATUS,
    SUBJECT,
    TO,
    attachment,
    b64,
    document,
    read,
    status,
    zipped,
)

from chalicelib.contexts.documents.edxml.dates import read_date, read_moment
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity

HEAD = "edXML/edXMLEnvelope/edXMLHeader/MessageHeader"
PLAIN = read(document())[0]


@pytest.mark.parametrize(
    "text",
    [
        "2018/09/28",
        "2018/9/28",
        "2018-09-28",
        "28/09/2018",
        "28-09-2018",
        "2018/09/28 00:00:00",
        "28/09/2018 23:59",
        " 2018-09-28T23:59:59.999+07:00 ",
    ],
)
def test_a_date_may_be_written_so(text):
    assert read_date(text) == date(2018, 9, 28)


@pytest.mark.parametrize(
    "text",
    ["", "2018", "2018/02/30", "2018/09-28", "0000/01/01", "2018/09/28 24:00", "x2018/09/28"],
)
def test_a_date_may_not_be_written_so(text):
    assert read_date(text) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2015/09/20 11:08:36", datetime(2015, 9, 20, 4, 8, 36, tzinfo=UTC)),
        ("2015-09-20T11:08:36Z", datetime(2015, 9, 20, 11, 8, 36, tzinfo=UTC)),
        ("2015-09-20T11:08:36.5-0130", datetime(2015, 9, 20, 12, 38, 36, tzinfo=UTC)),
        ("20/09/2015", datetime(2015, 9, 19, 17, 0, 0, tzinfo=UTC)),
        ("2015-09-20T11:08:36+99:00", None),
    ],
)
def test_a_moment_without_a_zone_is_hanois(text, moment):
    assert read_moment(text) == moment


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        (
            "000.00.00.G22,2015/09/30,7816/VPCP-TTĐT",
            ("000.00.00.G22", date(2015, 9, 30), "2015/09/30", "7816", "VPCP-TTĐT"),
        ),
        (
            "G22, 2015-09-30 ,12a/QĐ/TW-B",
            ("G22", date(2015, 9, 30), "2015-09-30", "12a", "QĐ/TW-B"),
        ),
        ("G22,2014/02/30,1/A,B", ("G22", None, "2014/02/30", "1", "A,B")),
        ("G22,2014/02/03,15", ("G22", date(2014, 2, 3), "2014/02/03", "15", "")),
        ("G22,7816/VPCP", None),
        ("G22,2014/02/03,/VPCP", None),
        (",,", None),
    ],
)
def test_an_identity(text, identity):
    found = DocumentIdentity.parse(text)
    if identity is None:
        assert found is None
    else:
        assert tuple(found.model_dump().values()) == identity
        assert DocumentIdentity.parse(found.format()) == found


def test_the_smallest_document():
    assert PLAIN.from_.name == "Bộ Thử nghiệm"
    assert [to.organ_id for to in PLAIN.to] == ["000.00.01.H98"]
    assert PLAIN.identity.format() == PLAIN.document_id == "G99,2024/05/06,12/BTN-VP"
    assert (PLAIN.operation, PLAIN.priority, PLAIN.promulgation_date) == (0, 0, date(2024, 5, 6))
    assert (PLAIN.warnings, PLAIN.attachments, PLAIN.signed) == ((), (), False)


def prefixed(message, prefix):
    renamed = message.replace("</", f"</{prefix}:").replace("<", f"<{prefix}:")
    renamed = renamed.replace(f"<{prefix}:/{prefix}:", f"</{prefix}:")
    return renamed.replace(f'xmlns="{NS}"', f'xmlns:{prefix}="{NS}"')


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(prefixed(document(), "edXML"), id="the usual prefix everywhere"),
        pytest.param(prefixed(document(), "ns0"), id="another prefix"),
        pytest.param("\ufeff" + document(), id="a byte order mark"),
        pytest.param('<?xml version="1.0" encoding="utf-8" ?>\n' + document(), id="declared"),
        pytest.param(document().replace("><", ">\r\n\t<"), id="spread over lines"),
        pytest.param(document().replace("edXMLManifest", "Manifest"), id="a shorter manifest"),
        pytest.param(
            document(SUBJECT + CODE + HEADER.replace(SUBJECT, "").replace(CODE, "")),
            id="another order",
        ),
        pytest.param(document(HEADER.replace(CODE, "<Code> 12 / BTN-VP </Code>")), id="one code"),
        pytest.param(document(HEADER.replace("G99</", "\n G99 <!-- x --></")), id="white space"),
        pytest.param(document(HEADER.replace("chạy", "<![CDATA[chạy]]>")), id="CDATA"),
        pytest.param(document(HEADER.replace(">2024/05/06", ">06/05/2024 07:00:00")), id="a date"),
        pytest.param(document(HEADER.replace("chạy", "&#x63;h&#7841;y")), id="by number"),
    ],
)
def test_what_varies_without_meaning_anything(message):
    assert read(message)[0] == PLAIN


@pytest.mark.parametrize(
    ("message", "warning"),
    [
        (
            document(traces=""),
            "bussiness-missing edXML/edXMLEnvelope/edXMLHeader/TraceHeaderList/Bussiness",
        ),
        (
            document(HEADER.replace("000.00.01.H98", "28.22.H17")),
            f"organ-id-irregular {HEAD}/To/OrganId",
        ),
        (document(HEADER.replace(">12<", ">13<")), f"code-differs-from-document-id {HEAD}/Code"),
        (document(HEADER.replace("G99,", "G98,")), f"issuer-not-sender {HEAD}/DocumentId"),
        (
            document(HEADER.replace("G99,2024/05", "G99,2024/06")),
            f"date-differs-from-document-id {HEAD}/PromulgationInfo/PromulgationDate",
        ),
        (
            document(HEADER.replace("G99,2024/05/06", "G99,2024/02/30")),
            f"document-id-date-impossible {HEAD}/DocumentId",
        ),
        (
            document(HEADER.replace("G99,2024/05/06,", "")),
            f"document-id-irregular {HEAD}/DocumentId",
        ),
        (document(HEADER + "<DueDate>mai</DueDate>"), f"date-unreadable {HEAD}/DueDate"),
        (status(STATUS.replace("03<", "3<")), f"status-code-padded {HEAD}/StatusCode"),
    ],
)
def test_an_oddity_is_noted_and_does_not_stop_the_message(message, warning):
    assert read(message)[0].warnings == (warning,)


def test_a_second_receiver_is_named_by_its_number():
    odd = TO.replace("000.00.01.H98", "odd")
    message, _ = read(document(HEADER.replace(TO, TO + odd)))
    assert message.warnings == (f"organ-id-irregular {HEAD}/To[2]/OrganId",)


@pytest.mark.parametrize("code", ["01", "06", "12", "13", "14", "15", "16"])
def test_a_status_is_kept_as_sent(code):
    assert read(status(STATUS.replace("03<", f"{code}<")))[0].status_code == code


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(status(name="Header"), id="a header by its short name"),
        pytest.param(
            status(name="Header").replace("<edXMLHeader>", "").replace("</edXMLHeader>", ""),
            id="right under the envelope",
        ),
        pytest.param(
            status(STATUS.replace("12/BTN-VP</Code>", f"{CODE[6:]}")), id="a code in two elements"
        ),
    ],
)
def test_a_status_message_varies(message):
    found = read(message)[0]
    assert found == read(status())[0]
    assert found.response_for.code == "12/BTN-VP"
    assert found.timestamp == datetime(2024, 5, 7, 1, 9, 10, tzinfo=UTC)


def test_an_update_names_its_receivers_in_one_list_or_in_many():
    def update(receivers):
        return document(
            traces="<TraceHeaderList><Bussiness><BussinessDocType>2</BussinessDocType>"
            f"<BussinessDocumentInfo><DocumentReceiver>1</DocumentReceiver>{receivers}"
            "</BussinessDocumentInfo></Bussiness></TraceHeaderList>"
        )

    each = "<OrganId>H98</OrganId><ReceiverType>1</ReceiverType>"
    one, _ = read(update(f"<ReceiverList><Receiver>{each}</Receiver></ReceiverList>"))
    many, _ = read(update(f"<ReceiverList>{each}</ReceiverList>"))
    assert one == many
    assert one.update.receivers[0].organ_id == "H98"
    assert one.update.document_receiver == "1"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b64(PDF), PDF, id="not zipped"),
        pytest.param(b64(b"%P"), b"%P", id="shorter than a zip's mark"),
        pytest.param(b64(zipped(("x", PDF), method=0)), PDF, id="stored in the zip"),
        pytest.param("\r\n".join(b64(zipped(("x", PDF)))), PDF, id="broken into lines"),
        pytest.param(b64(zipped(("đề án.pdf", PDF * 20000))), PDF * 20000, id="several buffers"),
        pytest.param(
            b64(zipped(("[Content_Types].xml", b"1"), ("word/document.xml", b"2"))),
            zipped(("[Content_Types].xml", b"1"), ("word/document.xml", b"2")),
            id="an office file without its zip",
        ),
    ],
)
def test_a_file_comes_out_as_people_see_it(content, expected):
    message, kept = read(document(references=REFERENCE, attachments=attachment(content)))
    assert bytes(kept.files[0].data) == expected
    assert kept.files[0].closed
    assert message.attachments[0].size == len(expected)
    assert message.attachments[0].media_type == "application/pdf"


def test_files_are_in_the_order_in_which_they_came():
    references = REFERENCE + REFERENCE.replace("cid:1", "2").replace("a.pdf", "b.docx")
    files = attachment(content_id="&lt;2&gt;") + attachment(content_id="1")
    message, kept = read(document(references=references, attachments=files))
    assert [part.name for part in message.attachments] == ["b.docx", "a.pdf"]
    assert [header.index for header in kept.headers] == [0, 1]
    assert message.attachments[0].media_type.endswith("wordprocessingml.document")


def test_a_signature_is_seen_in_either_namespace():
    plain = document(traces="<Signature><SignedInfo/></Signature>")
    dsig = document(traces='<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>')
    assert read(plain)[0].signed
    assert read(dsig)[0].signed
