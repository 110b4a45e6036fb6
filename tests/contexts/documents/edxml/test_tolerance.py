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
    TRACES,
    attachment,
    b64,
    document,
    read,
    status,
    zipped,
)

from chalicelib.contexts.documents.edxml.dates import read_date, read_moment
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.edxml.model import MAX_TEXT

HEAD = "edXML/edXMLEnvelope/edXMLHeader/MessageHeader"
BUSINESS = "edXML/edXMLEnvelope/edXMLHeader/TraceHeaderList/Bussiness"
DOC_TYPE_0 = "<BussinessDocType>0</BussinessDocType>"
PLAIN = read(document())[0]


def business(inside):
    return document(traces=TRACES.replace(DOC_TYPE_0, inside))


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
        "2018-09-28+07:00",
        "2018-09-28Z",
        "28/09/2018 12:00:00 AM",
        "28/09/2018 8:09:10\u202fCH",
        "28/09/2018 13:00 PM",
        " 2018-09-28T23:59:59.999+07:00 ",
    ],
)
def test_a_date_may_be_written_so(text):
    assert read_date(text) == date(2018, 9, 28)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2018", "2018/02/30", "2018/09-28", "0000/01/01", "2018/09/28 24:00", "x2018/09/28"),
        *("2018/09/28 AM", "2018/09/28 13:00 AM", "2018/09/28 24:00 PM", "2018-09-28+99:00"),
    ],
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
        ("20/09/2015 11:08:36 PM", datetime(2015, 9, 20, 16, 8, 36, tzinfo=UTC)),
        ("20/09/2015 12:08:36 SA", datetime(2015, 9, 19, 17, 8, 36, tzinfo=UTC)),
        ("20/09/2015 12:08:36 CH", datetime(2015, 9, 20, 5, 8, 36, tzinfo=UTC)),
        ("2015-09-20Z", datetime(2015, 9, 20, tzinfo=UTC)),
        ("1900-01-01T00:00:00Z", datetime(1900, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("1899/12/30 00:00:00", None),
        ("9999-12-31T23:59:59Z", None),
        ("2015-09-20T11:08:36+99:00", None),
    ],
)
def test_a_moment_without_a_zone_is_hanois(text, moment):
    assert read_moment(text) == moment


def test_a_day_may_be_of_any_time():
    assert read_date("0001-01-01T00:00:00") == date(1, 1, 1)


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
        (
            "G22,2015-09-30+07:00,12/QĐ",
            ("G22", date(2015, 9, 30), "2015-09-30+07:00", "12", "QĐ"),
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
        pytest.param(document(HEADER.replace("Date>2024/05/06", "Date>2024-05-06+07:00")), id="xs"),
        pytest.param('<?xml version="1.0" encoding="utf-16"?>' + document(), id="called UTF-16"),
        pytest.param('<?xml version="1.0" encoding="US-ASCII"?>' + document(), id="called ASCII"),
        pytest.param(document(traces=TRACES.replace("Bussiness", "Business")), id="as in English"),
        pytest.param(document(HEADER.replace(TO, f"<To/>{TO}<To><OrganId/></To>")), id="empty To"),
        pytest.param(
            document(HEADER + "<ResponseFor><OrganId/><Code/><DocumentId/></ResponseFor>"),
            id="an empty ResponseFor",
        ),
        pytest.param(
            document(traces=TRACES.replace("<Bussiness>", "<TraceHeader/><Bussiness>")),
            id="an empty TraceHeader",
        ),
        pytest.param(
            business(
                "<BussinessDocType>0</BussinessDocType><ReplacementInfoList><ReplacementInfo>"
                "<DocumentId/><OrganIdList><OrganId/></OrganIdList></ReplacementInfo>"
                "</ReplacementInfoList>"
            ),
            id="an empty ReplacementInfo",
        ),
        pytest.param(
            document(
                references="<Reference><ContentId/><AttachmentName/></Reference>",
                attachments="<Attachment><ContentId/><ContentTransferEncoded> "
                "</ContentTransferEncoded></Attachment>",
            ),
            id="an empty Reference and its Attachment",
        ),
        pytest.param(
            document(HEADER + '<v:Extra xmlns:v="urn:v"/>'), id="an empty element of none"
        ),
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
        (business(""), f"bussiness-missing {BUSINESS}/BussinessDocType"),
        (
            business("<BussinessDocType/><BussinessDocumentInfo/>"),
            f"bussiness-missing {BUSINESS}/BussinessDocType",
        ),
        (
            document(
                traces=TRACES.replace(
                    "<Bussiness>",
                    "<TraceHeader><Timestamp>0001-01-01</Timestamp></TraceHeader><Bussiness>",
                )
            ),
            "date-unreadable edXML/edXMLEnvelope/edXMLHeader/TraceHeaderList/TraceHeader/Timestamp",
        ),
        (
            document(HEADER + "<OtherInfo><Codes><Code>X</Code><Code>Y</Code></Codes></OtherInfo>"),
            f"element-not-read {HEAD}/OtherInfo/Codes",
        ),
        (
            document(HEADER + "<SignerInfo>TM.<FullName>x</FullName></SignerInfo>"),
            f"element-not-read {HEAD}/SignerInfo",
        ),
        (
            document(after='<v:Extra xmlns:v="urn:v">x</v:Extra>'),
            "element-not-read edXML/foreign.Extra",
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


def test_an_order_may_be_spelled_as_in_english():
    given = (
        "<BussinessDocType>2</BussinessDocType><BussinessDocReason>x</BussinessDocReason>"
        "<BussinessDocumentInfo><DocumentInfo>0</DocumentInfo></BussinessDocumentInfo>"
    )
    message, _ = read(business(given))
    assert (message.operation, message.operation_reason) == (2, "x")
    assert message.update.document_info == "0"
    english = document(traces=TRACES.replace(DOC_TYPE_0, given).replace("Bussiness", "Business"))
    assert read(english)[0] == message


def test_a_vendors_business_in_a_trace_is_a_new_document():
    inside = (
        "<TraceHeader><OrganId>G99</OrganId><Business><Paper>0</Paper></Business></TraceHeader>"
    )
    message, _ = read(document(traces=f"<TraceHeaderList>{inside}</TraceHeaderList>"))
    traces = "edXML/edXMLEnvelope/edXMLHeader/TraceHeaderList"
    assert (message.operation, message.warnings) == (
        0,
        (
            f"bussiness-missing {traces}/Bussiness",
            f"element-not-read {traces}/TraceHeader/Bussiness",
        ),
    )


def test_an_operation_elsewhere_that_says_new_says_nothing():
    message, _ = read(document(HEADER + DOC_TYPE_0, traces=""))
    assert (message.operation, len(message.warnings)) == (0, 2)


def test_lists_may_be_one_text():
    lists = "<OtherInfo><Appendixes>Phụ lục I</Appendixes></OtherInfo><ToPlaces>Như trên</ToPlaces>"
    message, _ = read(document(HEADER + lists))
    assert (message.appendixes, message.to_places) == (("Phụ lục I",), ("Như trên",))
    assert message.warnings == ()


def test_an_empty_receiver_of_an_update_is_none():
    message, _ = read(
        business(
            "<BussinessDocType>2</BussinessDocType><BussinessDocumentInfo><DocumentInfo>1"
            "</DocumentInfo><ReceiverList><Receiver><OrganId/><ReceiverType/></Receiver>"
            "</ReceiverList></BussinessDocumentInfo>"
        )
    )
    assert message.update.receivers == ()


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


ZIPPED = zipped(("a.csv", b"a;b\n1;2\n"))
OFFICE = zipped(("[Content_Types].xml", b"1"), ("word/document.xml", b"2"))
TWO = zipped(("1.txt", b"1"), ("2.txt", b"2"))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("a.zip", ZIPPED, ZIPPED, id="a zip of one file, as it is"),
        pytest.param("a.ZIP", zipped(("a.csv", b"1")), zipped(("a.csv", b"1")), id="a small one"),
        pytest.param("a.zip", TWO, TWO, id="a zip of two"),
        pytest.param("a.zip", zipped(("a.zip", ZIPPED)), ZIPPED, id="a zip in its wrapping"),
        pytest.param("a.zip", zipped(("x", TWO)), TWO, id="a zip of two in its wrapping"),
        pytest.param(
            "a.zip", zipped(("x", ZIPPED), method=0), ZIPPED, id="a zip stored in its wrapping"
        ),
        pytest.param(
            "a.zip",
            zipped(("d/", b""), ("d/a", b"1")),
            zipped(("d/", b""), ("d/a", b"1")),
            id="a zip of a folder",
        ),
        pytest.param(
            "a.zip",
            zipped(("a.docx", OFFICE)),
            zipped(("a.docx", OFFICE)),
            id="an office file in a zip",
        ),
        pytest.param(
            "a.docx", zipped(("a.docx", OFFICE)), OFFICE, id="an office file in its wrapping"
        ),
        pytest.param(
            "a.pptx",
            zipped(("ppt/a.xml", b"1"), ("b", b"2")),
            zipped(("ppt/a.xml", b"1"), ("b", b"2")),
            id="slides without their zip",
        ),
        pytest.param(
            "a.docx",
            zipped(("customXml/a.xml", b"1"), ("b", b"2")),
            zipped(("customXml/a.xml", b"1"), ("b", b"2")),
            id="an office file that begins with an annex",
        ),
    ],
)
@pytest.mark.parametrize("where", ["both", "manifest", "attachment"])
def test_a_zip_may_be_the_file_or_around_it(name, content, expected, where):
    listed = name if where != "attachment" else ""
    own = name if where != "manifest" else ""
    message, kept = read(
        document(
            references=REFERENCE.replace("a.pdf", listed),
            attachments=attachment(b64(content), name=own),
        )
    )
    assert (message.attachments[0].name, bytes(kept.files[0].data)) == (name, expected)
    assert message.attachments[0].size == len(expected)


def test_a_file_is_described_in_the_manifest_or_beside_it():
    described = "<Description>Phụ lục I</Description>"
    beside = attachment().replace("<AttachmentName>", f"{described}<AttachmentName>")
    listed = REFERENCE.replace("<AttachmentName>", f"{described}<AttachmentName>")
    for references, files in ((listed, attachment()), (REFERENCE, beside)):
        message, _ = read(document(references=references, attachments=files))
        assert (message.attachments[0].description, message.warnings) == ("Phụ lục I", ())


def test_an_empty_attachment_takes_no_others_place():
    empty = "<Attachment><ContentId/><ContentTransferEncoded/></Attachment>"
    message, kept = read(document(references=REFERENCE, attachments=empty + attachment()))
    assert ([each.index for each in kept.headers], len(message.attachments)) == ([0], 1)


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


def test_a_signature_may_be_long():
    revoked = f"<Object><CRL>{'A' * (MAX_TEXT + 1)}</CRL></Object>"
    signature = f'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">{revoked}</Signature>'
    message, _ = read(document(HEADER, traces=TRACES + signature))
    assert (message.signed, message.warnings) == (True, ())
    assert message.model_copy(update={"signed": False}) == PLAIN
