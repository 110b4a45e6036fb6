import pytest
from contexts.documents.edxml.demo_messages import (
    CODE,
    DATED,
    DOCUMENT_ID,
    FROM,
    HEADER,
    NS,
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

from chalicelib.contexts.documents.edxml import stream
from chalicelib.contexts.documents.edxml.errors import EdxmlError
from chalicelib.kernel import Refused

ENVELOPE = "edXML/edXMLEnvelope"
HEAD = f"{ENVELOPE}/edXMLHeader/MessageHeader"
CONTENT = "edXML/AttachmentEncoded/Attachment/ContentTransferEncoded"
REVOKE = "<BussinessDocType>1</BussinessDocType>"


def header(old, new):
    assert old in HEADER
    return document(HEADER.replace(old, new))


def answer(old, new):
    assert old in STATUS
    return status(STATUS.replace(old, new))


def with_file(content):
    return document(references=REFERENCE, attachments=attachment(content))


def case(message, code, field, label):
    return pytest.param(message, code, field, id=label)


@pytest.mark.parametrize(
    ("message", "code", "field"),
    [
        case("", "edxml-malformed", None, "nothing at all"),
        case("1212" + document(), "edxml-malformed", None, "bytes before the message"),
        case(document()[:-5], "edxml-malformed", None, "the end is cut off"),
        case(document() + "<a/>", "edxml-malformed", None, "two roots"),
        case(document(SUBJECT + "&nbsp;"), "edxml-malformed", None, "an entity nobody declared"),
        case(header("chạy", "ch\0y"), "edxml-malformed", None, "a NUL"),
        case(document().encode() + b"\xff", "edxml-malformed", None, "bytes that are no UTF-8"),
        case(
            '<?xml version="1.0" encoding="ISO-8859-1"?>' + document(),
            "edxml-malformed",
            None,
            "another encoding declared",
        ),
        case(document().replace("<Code>", "<x:Code>"), "edxml-malformed", None, "unknown prefix"),
        case("<edXML/>", "edxml-not-qcvn-102", "edXML", "no namespace"),
        case(document().replace(NS, NS + "3"), "edxml-not-qcvn-102", "edXML", "other namespace"),
        case(f'<a xmlns="{NS}"/>', "edxml-not-qcvn-102", "edXML", "another root"),
        case(f'<edXML xmlns="{NS}"/>', "edxml-not-qcvn-102", ENVELOPE, "no envelope"),
        case(
            f'<edXML xmlns="{NS}"><edXMLEnvelope xmlns="urn:x"/></edXML>',
            "edxml-not-qcvn-102",
            ENVELOPE,
            "an envelope of another standard",
        ),
        case(
            f'<edXML xmlns="{NS}"><edXMLEnvelope xmlns=""/></edXML>',
            "edxml-not-qcvn-102",
            ENVELOPE,
            "an envelope of no standard",
        ),
        case(
            f'<edXML xmlns="{NS}"><edXMLEnvelope/></edXML>',
            "edxml-not-qcvn-102",
            f"{ENVELOPE}/edXMLHeader",
            "no header",
        ),
        case(
            f'<edXML xmlns="{NS}"><edXMLEnvelope><edXMLHeader/></edXMLEnvelope></edXML>',
            "edxml-not-qcvn-102",
            HEAD,
            "no message header",
        ),
        case(header(FROM, ""), "edxml-element-missing", f"{HEAD}/From", "no sender"),
        case(header("G99</", "</"), "edxml-element-missing", f"{HEAD}/From/OrganId", "empty id"),
        case(header(TO, ""), "edxml-element-missing", f"{HEAD}/To", "no receiver"),
        case(
            header(TO, TO + "<To><OrganName>x</OrganName></To>"),
            "edxml-element-missing",
            f"{HEAD}/To[2]/OrganId",
            "second receiver without id",
        ),
        case(header(DOCUMENT_ID, ""), "edxml-element-missing", f"{HEAD}/DocumentId", "no id"),
        case(header(CODE, ""), "edxml-element-missing", f"{HEAD}/Code/CodeNumber", "no number"),
        case(
            header(DATED, ""),
            "edxml-element-missing",
            f"{HEAD}/PromulgationInfo/PromulgationDate",
            "no date",
        ),
        case(header(SUBJECT, ""), "edxml-element-missing", f"{HEAD}/Subject", "no subject"),
        case(
            header("<PromulgationDate>2024/05/06", "<PromulgationDate>2024/02/30"),
            "edxml-element-invalid",
            f"{HEAD}/PromulgationInfo/PromulgationDate",
            "30 February",
        ),
        case(header(SUBJECT, SUBJECT * 2), "edxml-element-invalid", f"{HEAD}/Subject[2]", "twice"),
        case(
            header(SUBJECT, SUBJECT + "<OtherInfo><Priority>4</Priority></OtherInfo>"),
            "edxml-element-invalid",
            f"{HEAD}/OtherInfo/Priority",
            "priority 4",
        ),
        case(
            header("Bộ Thử nghiệm", "x" * 1001),
            "edxml-element-invalid",
            f"{HEAD}/From/OrganName",
            "a name of 1001 characters",
        ),
        case(
            document(traces=TRACES.replace(">0<", ">44<")),
            "edxml-element-invalid",
            f"{ENVELOPE}/edXMLHeader/TraceHeaderList/Bussiness/BussinessDocType",
            "an operation that never travels",
        ),
        case(
            document(HEADER + REVOKE, traces=""),
            "edxml-element-invalid",
            f"{HEAD}/BussinessDocType",
            "an order in the header",
        ),
        case(
            document(
                traces=f"<TraceHeaderList><TraceHeader>{REVOKE}</TraceHeader></TraceHeaderList>"
            ),
            "edxml-element-invalid",
            f"{ENVELOPE}/edXMLHeader/TraceHeaderList/TraceHeader/BussinessDocType",
            "an order in a trace",
        ),
        case(
            document(traces=f"{TRACES}<Business>{REVOKE}</Business>".replace("Buss", "Bus")),
            "edxml-element-invalid",
            f"{ENVELOPE}/edXMLHeader/Bussiness/BussinessDocType",
            "an order beside the traces",
        ),
        case(
            document(
                traces=TRACES.replace("<TraceHeaderList>", '<TraceHeaderList xmlns="">').replace(
                    ">0<", ">1<"
                )
            ),
            "edxml-element-invalid",
            f"{ENVELOPE}/edXMLHeader/foreign.TraceHeaderList/foreign.Bussiness/foreign.BussinessDocType",
            "an order in no namespace",
        ),
        case(answer("03<", "17<"), "edxml-element-invalid", f"{HEAD}/StatusCode", "status 17"),
        case(answer("03<", "<"), "edxml-element-missing", f"{HEAD}/StatusCode", "empty status"),
        case(
            answer("<Timestamp>2024/05/07 08:09:10</Timestamp>", ""),
            "edxml-element-missing",
            f"{HEAD}/Timestamp",
            "no moment",
        ),
        *(
            case(
                answer("2024/05/07 08:09:10", moment),
                "edxml-element-invalid",
                f"{HEAD}/Timestamp",
                moment,
            )
            for moment in ("0001-01-01T00:00:00", "1899/12/30 00:00:00", "9999/12/31 23:59:59")
        ),
        case(answer("08:09", "25:09"), "edxml-element-invalid", f"{HEAD}/Timestamp", "25 o'clock"),
        case(
            answer("ResponseFor>", "Other>"),
            "edxml-element-missing",
            f"{HEAD}/ResponseFor",
            "answers nothing",
        ),
        case(
            document(references=REFERENCE),
            "attachment-missing",
            f"{ENVELOPE}/edXMLBody/edXMLManifest/Reference/ContentId",
            "listed, not sent",
        ),
        case(
            document(references=REFERENCE, attachments=attachment(content_id="cid:2")),
            "attachment-missing",
            f"{ENVELOPE}/edXMLBody/edXMLManifest/Reference/ContentId",
            "sent under another id",
        ),
        case(
            document(attachments=attachment()),
            "attachment-invalid",
            "edXML/AttachmentEncoded/Attachment/ContentId",
            "sent, not listed",
        ),
        case(
            document(
                references=REFERENCE,
                attachments="<Attachment><ContentId>cid:1</ContentId></Attachment>",
            ),
            "attachment-missing",
            CONTENT,
            "listed without content",
        ),
        case(
            document(references=REFERENCE * 2, attachments=attachment()),
            "attachment-invalid",
            f"{ENVELOPE}/edXMLBody/edXMLManifest/Reference[2]/ContentId",
            "one id listed twice",
        ),
        case(
            document(references=REFERENCE, attachments=attachment(content_id="")),
            "edxml-element-missing",
            "edXML/AttachmentEncoded/Attachment/ContentId",
            "an attachment without id",
        ),
        case(
            document().replace(
                "</edXML>",
                f'<AttachmentEncoded xmlns="">{attachment()}</AttachmentEncoded></edXML>',
            ),
            "attachment-invalid",
            "edXML/foreign.AttachmentEncoded/foreign.Attachment/foreign.ContentTransferEncoded",
            "a file in no namespace",
        ),
        case(
            document().replace(
                "</edXMLEnvelope>",
                f"<AttachmentEncoded>{attachment()}</AttachmentEncoded></edXMLEnvelope>",
            ),
            "attachment-invalid",
            f"{ENVELOPE}/AttachmentEncoded/Attachment/ContentTransferEncoded",
            "a file in the envelope",
        ),
        case(
            document(
                references='<Reference xmlns:x="http://www.w3.org/1999/xlink" x:href="cid:1"/>'
            ),
            "edxml-element-missing",
            f"{ENVELOPE}/edXMLBody/edXMLManifest/Reference/ContentId",
            "a file by a link",
        ),
        case(
            document(attachments=attachment("", content_id="")),
            "edxml-element-missing",
            "edXML/AttachmentEncoded/Attachment/ContentId",
            "an attachment of a name only",
        ),
        case(
            document(
                references=REFERENCE.replace("a.pdf", ".."), attachments=attachment(name="..")
            ),
            "edxml-element-missing",
            f"{ENVELOPE}/edXMLBody/edXMLManifest/Reference/AttachmentName",
            "a name that is a folder",
        ),
        case(with_file("!!!!"), "attachment-invalid", CONTENT, "no base64"),
        case(with_file("Ệ" * 4), "attachment-invalid", CONTENT, "no ASCII"),
        case(with_file("JVBERi0"), "attachment-invalid", CONTENT, "base64 broken off"),
        case(with_file("QQ==QQ=="), "attachment-invalid", CONTENT, "text after the padding"),
        case(with_file(""), "attachment-invalid", CONTENT, "empty"),
        case(with_file("<b/>"), "attachment-invalid", CONTENT, "an element in the content"),
        case(
            with_file(b64(zipped(("a", b"1"), ("b", b"2")))),
            "attachment-invalid",
            CONTENT,
            "two files in the zip",
        ),
        case(with_file(b64(zipped())), "attachment-invalid", CONTENT, "no file in the zip"),
        case(with_file(b64(zipped(("d/", b"")))), "attachment-invalid", CONTENT, "only a folder"),
        case(
            with_file(b64(zipped(("a", b"1" * 99))[:-60])),
            "attachment-invalid",
            CONTENT,
            "the zip's list cut off",
        ),
        case(
            with_file(b64(zipped(("a", bytes(range(256)) * 9))[:120])),
            "attachment-invalid",
            CONTENT,
            "the zip broken off",
        ),
        case(
            with_file(b64(zipped(("a", b"12345"), method=0).replace(b"12345", b"12354"))),
            "attachment-invalid",
            CONTENT,
            "the zip's checksum is another",
        ),
        case(
            with_file(b64(b"PK\3\4\x14\0\1\0\x08\0" + bytes(8) + zipped(("a", b"1"))[18:])),
            "attachment-invalid",
            CONTENT,
            "the zip is encrypted",
        ),
        case(
            with_file(b64(zipped(("a", b"1" * 99), method=12))),
            "attachment-invalid",
            CONTENT,
            "the zip is compressed by bzip2",
        ),
        case(
            status().replace(
                "</edXML>", f"<AttachmentEncoded>{attachment()}</AttachmentEncoded></edXML>"
            ),
            "attachment-invalid",
            "edXML/AttachmentEncoded/Attachment",
            "a status with a file",
        ),
    ],
)
def test_a_refusal_names_the_element(message, code, field):
    with pytest.raises(EdxmlError) as refusal:
        read(message)
    assert (refusal.value.code, refusal.value.field) == (code, field)
    assert str(refusal.value)


def test_a_malformed_message_is_told_by_line_and_column():
    with pytest.raises(EdxmlError, match="line 2, column 3"):
        read("\n <" + document())


def test_every_refusal_has_its_own_code_and_a_rule():
    kinds = [EdxmlError, *EdxmlError.__subclasses__()]
    assert len(kinds) == 11
    assert len({kind.code for kind in kinds} | {Refused.code}) == len(kinds) + 1
    assert all(kind.rule for kind in kinds)


@pytest.mark.parametrize(
    ("message", "code", "field"),
    [
        case(
            document(HEADER + f"<Content>{'x' * (stream.MAX_TEXT + 1)}</Content>"),
            "edxml-too-large",
            f"{HEAD}/Content",
            "a long text",
        ),
        case(
            document(HEADER + f"<ToPlaces>{'<Place/>' * stream.MAX_ELEMENTS}</ToPlaces>"),
            "edxml-too-large",
            None,
            "many elements",
        ),
        case(
            document(HEADER + "<Other>" + ("<T>" + "x" * 60_000 + "</T>") * 70 + "</Other>"),
            "edxml-too-large",
            f"{HEAD}/Other/T[70]",
            "many long texts",
        ),
        case(
            document(traces="<Signature>" + ("<T>" + "x" * 60_000 + "</T>") * 70 + "</Signature>"),
            "edxml-too-large",
            f"{ENVELOPE}/edXMLHeader/Signature/T[70]",
            "many long texts of a signature",
        ),
        case(
            document(HEADER + f'<Other a="{"x" * 5_000_000}"/>'),
            "edxml-too-large",
            HEAD,
            "a long attribute",
        ),
        case(
            document(HEADER + f'<Other a="{"x" * 20_000_000}"/>'),
            "edxml-too-large",
            HEAD,
            "an attribute that is refused before it is whole",
        ),
        case(
            document(HEADER + f"<!--{'x' * 5_000_000}-->"),
            "edxml-too-large",
            HEAD,
            "a long comment",
        ),
        case(
            document(HEADER + "<Other " + " ".join(f"a{n}=''" for n in range(500_000)) + "/>"),
            "edxml-too-large",
            HEAD,
            "many attributes",
        ),
        case(
            document(attachments="".join(attachment(content_id=str(n)) for n in range(51))),
            "edxml-too-large",
            "edXML/AttachmentEncoded/Attachment[51]",
            "51 files",
        ),
    ],
)
def test_a_limit_is_kept(message, code, field):
    with pytest.raises(EdxmlError) as refusal:
        read(message)
    assert (refusal.value.code, refusal.value.field) == (code, field)


def test_the_deepest_message_is_32_elements_deep():
    def nested(depth):
        around = 4  # edXML, envelope, header, message header
        return document(HEADER + "<D>" * (depth - around) + "</D>" * (depth - around))

    read(nested(32))
    with pytest.raises(EdxmlError) as refusal:
        read(nested(33))
    assert refusal.value.code == "edxml-too-deep"
    assert refusal.value.field.startswith(f"{HEAD}/D/D")
