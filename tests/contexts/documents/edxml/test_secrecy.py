import unicodedata

import pytest
from contexts.documents.edxml.demo_messages import (
    HEADER,
    NS,
    PDF,
    REFERENCE,
    SUBJECT,
    Kept,
    attachment,
    document,
)

from chalicelib.contexts.documents.edxml.errors import SecretMarking
from chalicelib.contexts.documents.edxml.parse import parse

HEAD = "edXML/edXMLEnvelope/edXMLHeader/MessageHeader"


def read_with_file(header):
    kept = Kept()
    message = document(header, references=REFERENCE, attachments=attachment())
    return parse(message.encode(), kept), kept


def subject(text):
    return HEADER.replace(SUBJECT, f"<Subject>{text}</Subject>")


@pytest.mark.parametrize(
    "text",
    [
        "(MẬT) Báo cáo tình hình",
        "Báo cáo tình hình [TỐI MẬT]",
        "Báo cáo tình hình (Tuyệt mật).",
        "Độ mật: Tuyệt mật. Báo cáo tình hình",
        "Báo cáo tình hình - Ðộ mật: Mật",
        "Báo cáo tình hình (độ mật: mật)",
        "MẬT",
        "Tối mật",
        "MẬT - Báo cáo tình hình",
        "MẬT: BÁO CÁO TÌNH HÌNH",
        "MẬT\nBÁO CÁO TÌNH HÌNH",
        "MẬT Báo cáo tình hình",
        "TUYỆT  MẬT Báo cáo tình hình",
        "BÁO CÁO TÌNH HÌNH - TỐI MẬT",
        "Báo cáo tình hình MẬT",
        "[TOI MAT] Bao cao tinh hinh",
        "Do mat: mat. Bao cao tinh hinh",
        unicodedata.normalize("NFD", "(TỐI MẬT) Báo cáo"),
    ],
)
def test_a_marked_subject_is_refused_before_any_file_is_kept(text):
    kept = Kept()
    message = document(subject(text), references=REFERENCE, attachments=attachment())
    with pytest.raises(SecretMarking) as refusal:
        parse(message.encode(), kept)
    assert refusal.value.field == f"{HEAD}/Subject"
    assert kept.headers == []
    assert text not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        "V/v bảo vệ bí mật nhà nước",
        "QUY ĐỊNH VỀ BẢO VỆ BÍ MẬT NHÀ NƯỚC",
        "V/v tăng cường bảo vệ BÍ MẬT",
        "MẬT ĐỘ DÂN SỐ NĂM 2024",
        "Mật độ xây dựng tại phường 3",
        "MẬT ONG RỪNG",
        "V/v nuôi ong lấy mật",
        "V/v công khai danh mục bí mật (lần 2)",
        "V/v giải mật, thay đổi độ mật",
        "V/v thay mật khẩu",
        "Độ mật: Thường. Báo cáo",
        "Bao cao cua ong MAT",
    ],
)
def test_an_ordinary_word_is_no_marking(text):
    message, kept = read_with_file(subject(text))
    assert message.subject == text
    assert kept.files[0].data == PDF


@pytest.mark.parametrize(
    "extra",
    [
        "<OtherInfo><SphereOfPromulgation>Mật</SphereOfPromulgation></OtherInfo>",
        "<OtherInfo><TyperNotation>[TỐI MẬT]</TyperNotation></OtherInfo>",
        "<OtherInfo><SecurityLevel>Mật</SecurityLevel></OtherInfo>",
        "<OtherInfo><Do_Mat>2</Do_Mat></OtherInfo>",
    ],
)
def test_a_field_that_is_a_marking_is_refused(extra):
    with pytest.raises(SecretMarking) as refusal:
        read_with_file(HEADER + extra)
    assert refusal.value.field.startswith(f"{HEAD}/OtherInfo/")
    assert "Luật" in refusal.value.rule


def test_a_vendors_element_in_his_own_namespace_is_looked_at():
    header = HEADER + '<v:SecretLevel xmlns:v="urn:vendor">Tối mật</v:SecretLevel>'
    with pytest.raises(SecretMarking) as refusal:
        read_with_file(header)
    assert refusal.value.field == f"{HEAD}/foreign.SecretLevel"


@pytest.mark.parametrize("level", ["", "0", "Thường", "Không mật", "none"])
def test_a_level_of_not_secret_passes(level):
    message, _ = read_with_file(HEADER + f"<SecurityLevel>{level}</SecurityLevel>")
    assert len(message.attachments) == 1


def test_a_person_may_be_called_so():
    header = HEADER + "<SignerInfo><FullName>Mật</FullName></SignerInfo>"
    assert read_with_file(header)[0].signer.full_name == "Mật"


def test_a_marking_that_comes_after_the_files_is_refused_all_the_same():
    whole = document(subject("(MẬT) x"), references=REFERENCE, attachments=attachment())
    start, rest = f'<edXML xmlns="{NS}">', whole.removeprefix(f'<edXML xmlns="{NS}">')
    files = rest.index("<AttachmentEncoded>")
    turned = start + rest[files:].removesuffix("</edXML>") + rest[:files] + "</edXML>"
    with pytest.raises(SecretMarking):
        parse(turned.encode(), Kept())
