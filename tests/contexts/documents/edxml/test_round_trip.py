import hashlib
import io
import zipfile
from base64 import b64decode
from datetime import UTC, date, datetime

import pytest
from contexts.documents.edxml.demo_messages import NS, Kept, read
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.edxml.model import (
    AttachmentPart,
    DocumentMessage,
    Party,
    Reference,
    Replacement,
    Signer,
    StaffContact,
    StatusMessage,
    Trace,
    UpdateInfo,
    UpdateReceiver,
)
from chalicelib.contexts.documents.edxml.parse import parse
from chalicelib.contexts.documents.edxml.produce import produce_document, produce_status

FILE = b"%PDF-1.7 demo" * 5000
PART = AttachmentPart(
    content_id="cid:1",
    name="Đề án.pdf",
    description="bản ký",
    content_type="application/zip",
    media_type="application/pdf",
    size=len(FILE),
    sha256=hashlib.sha256(FILE).hexdigest(),
)
STAFF = StaffContact(department="Văn thư", staff="Trần Thử", email="t@x.vn", mobile="0900")
DOCUMENT = DocumentMessage(
    from_=Party(organ_id="G99", in_charge="Bộ Thử", name="Vụ Thử", address="1 <Phố> & Ngõ"),
    to=(Party(organ_id="H98", name="Tỉnh Thử"), Party(organ_id="H97.01")),
    document_id="G99,2024/05/06,12/BTN-VP",
    identity=DocumentIdentity.parse("G99,2024/05/06,12/BTN-VP"),
    code_number="12",
    code_notation="BTN-VP",
    promulgation_place="Hà Nội",
    promulgation_date=date(2024, 5, 6),
    type_number="1",
    type_detail="0",
    type_name="Công văn",
    subject='V/v "thử" <nghiệm> & kết nối',
    content="Hai\ndòng",
    signer=Signer(competence="TM.", position="Vụ trưởng", full_name="Lê Thử"),
    due_date=date(2024, 6, 7),
    priority=3,
    sphere="Thử nghiệm",
    typer_notation="LT",
    promulgation_amount="2",
    page_amount="22",
    direction="false",
    appendixes=("Phụ lục 1", "Phụ lục 2"),
    response_for=(
        Reference(organ_id="H98", code="3/UBND", promulgation_date=date(2024, 1, 2)),
        Reference(organ_id="H97", document_id="H97,2024/01/03,4/UBND"),
    ),
    steering_type="1",
    to_places=("Như trên", "Lưu: VT"),
    traces=(
        Trace(organ_id="G99", timestamp=datetime(2024, 5, 6, 17, 30, tzinfo=UTC)),
        Trace(organ_id="G98"),
    ),
    operation_reason="Văn bản mới",
    paper="0",
    staff=STAFF,
    attachments=(PART,),
)
STATUS = StatusMessage(
    from_=Party(organ_id="H98", name="Tỉnh Thử", in_charge="UBND Tỉnh Thử"),
    response_for=Reference(organ_id="G99", code="12/BTN-VP", document_id=DOCUMENT.document_id),
    staff=STAFF,
    status_code="02",
    description="Gửi nhầm nơi nhận",
    timestamp=datetime(2024, 5, 6, 17, 30, 1, tzinfo=UTC),
)


def produced(message, *files):
    out = io.BytesIO()
    streams = [io.BytesIO(file) for file in files]
    produce_document(message, list(zip(message.attachments, streams, strict=True)), out)
    return out.getvalue()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="a new document"),
        pytest.param({"operation": 1, "operation_reason": "Thu hồi"}, id="a revocation"),
        pytest.param(
            {
                "operation": 2,
                "business_document_id": "G99,2024/01/01,1/X",
                "update": UpdateInfo(
                    document_info="1",
                    document_receiver="1",
                    receivers=(
                        UpdateReceiver(organ_id="H98", receiver_type="0"),
                        UpdateReceiver(organ_id="H97", receiver_type="1"),
                    ),
                ),
            },
            id="an update",
        ),
        pytest.param(
            {
                "operation": 3,
                "replacements": (
                    Replacement(document_id="G99,2024/01/01,1/X", organ_ids=("H98", "H97")),
                    Replacement(document_id="G99,2024/01/01,2/X"),
                ),
            },
            id="a replacement",
        ),
    ],
)
def test_a_document_comes_back_as_it_went(changes):
    message = DOCUMENT.model_copy(update=changes)
    back, kept = read(produced(message, FILE))
    assert back == message
    assert [bytes(file.data) for file in kept.files] == [FILE]


def test_a_status_comes_back_as_it_went():
    assert read(produce_status(STATUS))[0] == STATUS


def test_a_document_without_files_has_no_place_for_them():
    message = DOCUMENT.model_copy(update={"attachments": ()})
    assert b"AttachmentEncoded" not in produced(message)
    assert read(produced(message))[0] == message


def test_the_same_input_gives_the_same_bytes():
    assert produced(DOCUMENT, FILE) == produced(DOCUMENT, FILE)
    assert produce_status(STATUS) == produce_status(STATUS)


def test_other_software_finds_the_standards_names():
    text = produced(DOCUMENT, FILE).decode()
    assert text.startswith(f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{NS}">\n')
    assert f'<edXML:edXMLEnvelope xmlns:edXML="{NS}">' in text
    assert "<AttachmentEncoded><Attachment><ContentId>cid:1</ContentId>" in text
    assert "<edXML:Timestamp>2024/05/07 00:30:00</edXML:Timestamp>" in text
    assert "<edXML:DueDate>2024/06/07</edXML:DueDate>" in text
    root = etree.fromstring(text.encode())
    header = root.find(f"{{{NS}}}edXMLEnvelope/{{{NS}}}edXMLHeader/{{{NS}}}MessageHeader")
    assert [etree.QName(child).localname for child in header] == [
        *("From", "To", "To", "DocumentId", "Code", "PromulgationInfo", "DocumentType", "Subject"),
        *("Content", "SignerInfo", "DueDate", "OtherInfo", "ResponseFor", "ResponseFor"),
        *("SteeringType", "ToPlaces"),
    ]
    content = root.findtext(f".//{{{NS}}}ContentTransferEncoded")
    with zipfile.ZipFile(io.BytesIO(b64decode(content))) as archive:
        assert archive.namelist() == ["Đề án.pdf"]
        assert archive.read("Đề án.pdf") == FILE


def test_a_status_is_ordered_as_published_messages_are():
    root = etree.fromstring(produce_status(STATUS))
    names = [etree.QName(element).localname for element in root.iter()]
    assert root[0].prefix == "edXML"
    assert names == [
        *("edXML", "edXMLEnvelope", "edXMLHeader", "MessageHeader"),
        *("From", "OrganId", "OrganName", "OrganizationInCharge"),
        *("ResponseFor", "OrganId", "Code", "DocumentId"),
        *("StaffInfo", "Department", "Staff", "Mobile", "Email"),
        *("StatusCode", "Description", "Timestamp"),
    ]


def test_files_that_are_not_the_messages_are_not_passed_off_as_them():
    with pytest.raises(ValueError, match="digest"):
        produced(DOCUMENT, FILE + b"!")
    with pytest.raises(ValueError, match="lists"):
        produce_document(DOCUMENT, [], io.BytesIO())


def test_a_control_character_cannot_break_a_message():
    message = DOCUMENT.model_copy(update={"subject": "a\x00b\x0bc\ufffe"})
    assert read(produced(message, FILE))[0].subject == "a\ufffdb\ufffdc\ufffd"


# XML folds other line ends into \n, and white space around a text means nothing.
TEXT = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=40
).map(str.strip)
NAME = TEXT.filter(bool)
DAY = st.dates()
MOMENT = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 -- hypothesis adds the zone.
    max_value=datetime(2999, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
ORGAN = st.from_regex(r"[GH][0-9]{2}(\.[0-9A-Z]{2}){0,2}", fullmatch=True)
# Slashes in the name would be mended; a marking in a field would be refused: neither comes back.
FILENAME = st.from_regex(r"[a-zđ0-9]{1,9}\.(pdf|docx|bin)", fullmatch=True)
TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "bin": "application/octet-stream",
}


def party(text):
    return st.builds(Party, organ_id=ORGAN, in_charge=text, name=text, email=text, fax=text)


@given(
    data=st.data(),
    changes=st.fixed_dictionaries(
        {
            "from_": party(TEXT),
            "to": st.lists(party(TEXT), min_size=1, max_size=3).map(tuple),
            "code_notation": TEXT,
            "promulgation_date": DAY,
            "subject": NAME,
            "content": TEXT,
            "signer": st.none() | st.builds(Signer, competence=TEXT, full_name=TEXT),
            "due_date": st.none() | DAY,
            "priority": st.integers(0, 3),
            "operation": st.integers(0, 3),
            "appendixes": st.lists(NAME, max_size=2).map(tuple),
            "traces": st.lists(st.builds(Trace, organ_id=ORGAN, timestamp=MOMENT), max_size=2).map(
                tuple
            ),
            "staff": st.none() | st.builds(StaffContact, staff=TEXT, mobile=TEXT),
        }
    ),
    files=st.lists(st.tuples(FILENAME, st.binary(min_size=1, max_size=300)), max_size=2),
)
@settings(max_examples=60, deadline=None)
def test_any_document_comes_back(data, changes, files):
    parts = tuple(
        PART.model_copy(
            update={
                "content_id": f"cid:{number}",
                "name": name,
                "media_type": TYPES[name.rpartition(".")[2]],
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        )
        for number, (name, content) in enumerate(files)
    )
    message = DOCUMENT.model_copy(update={**changes, "attachments": parts})
    out = produced(message, *(content for _, content in files))
    kept = Kept()
    # Broken anywhere, the stream reads the same.
    step = data.draw(st.integers(1, 5000))
    back = parse(Stepping(out, step), kept)
    assert back.model_copy(update={"warnings": ()}) == message
    assert [bytes(file.data) for file in kept.files] == [content for _, content in files]


class Stepping(io.BytesIO):
    def __init__(self, data, step):
        super().__init__(data)
        self._step = step

    def read(self, _=-1):
        return super().read(self._step)


@given(
    st.builds(
        StatusMessage,
        from_=party(TEXT),
        response_for=st.builds(
            Reference, organ_id=ORGAN, promulgation_date=st.none() | DAY, document_id=TEXT
        ),
        staff=st.none() | st.builds(StaffContact, department=TEXT, email=TEXT),
        status_code=st.integers(1, 16).map("{:02}".format),
        description=TEXT,
        timestamp=MOMENT,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_status_comes_back(message):
    back, _ = read(produce_status(message))
    assert back.model_copy(update={"warnings": ()}) == message
