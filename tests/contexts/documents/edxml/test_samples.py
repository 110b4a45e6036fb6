"""Published messages are read to the last oddity."""

from datetime import date

import pytest
from contexts.documents.edxml.demo_messages import read
from contexts.documents.edxml.published import SAMPLES, at_hand

from chalicelib.contexts.documents.edxml.errors import EdxmlMalformed
from chalicelib.contexts.documents.edxml.model import StatusMessage

pytestmark = at_hand


@pytest.mark.parametrize(
    ("name", "operation", "receivers", "oddities"),
    [
        (
            "new",
            0,
            ["28.22.H17"],
            {
                "document-id-date-impossible",
                "organ-id-irregular",
                "issuer-not-sender",
                "code-differs-from-document-id",
                "date-differs-from-document-id",
            },
        ),
        (
            "revocation",
            1,
            ["000.00.00.H41", "000.00.00.H14", "000.00.00.G17"],
            {"date-differs-from-document-id"},
        ),
        (
            "update",
            2,
            ["000.00.00.H41", "000.00.00.H14", "000.00.00.G17"],
            {"date-differs-from-document-id", "document-id-date-impossible"},
        ),
        (
            "replacement",
            3,
            ["000.00.00.H41", "000.00.00.H14", "000.00.00.G17"],
            {"date-differs-from-document-id"},
        ),
    ],
)
def test_a_published_document(name, operation, receivers, oddities):
    message, kept = read((SAMPLES / f"edoc_{name}.edxml").read_bytes())
    assert message.operation == operation
    assert [to.organ_id for to in message.to] == receivers
    assert message.identity.promulgated_on == date(2015, 9, 30)
    assert (message.identity.number, message.identity.notation) == ("7816", "VPCP-TTĐT")
    assert message.signed
    assert message.to_places[1] == "Uy ban nhan dan cac tinh, TP"
    assert {warning.split()[0] for warning in message.warnings} == oddities
    (part,) = message.attachments
    assert (part.size, part.media_type) == (388_347, "application/msword")
    assert part.sha256 == "8385739ec4a4ed36d71eabcaead629641ffc5ffff3d487ff5c34d2f821c9f36e"
    assert (len(kept.files[0].data), kept.files[0].closed) == (388_347, True)
    assert (message.update is not None, len(message.replacements)) == (
        operation == 2,
        2 if operation == 3 else 0,
    )
    assert [each.code for each in message.response_for] == (
        ["267/VPCP-TTĐT"] if operation == 1 else []
    )


@pytest.mark.parametrize(
    ("name", "code", "sender", "addressee"),
    [
        ("acceptance_03", "03", "000.00.00.H41", "000.00.00.G22"),
        ("assignment_04", "04", "000.00.00.H41", "000.00.00.G22"),
        ("cancellation_13", "13", "000.00.00.G22", "000.00.00.H41"),
        ("change-acceptance_15", "15", "000.00.00.H41", "000.00.00.G22"),
    ],
)
def test_a_published_status(name, code, sender, addressee):
    message, _ = read((SAMPLES / f"status_{name}.edxml").read_bytes())
    assert isinstance(message, StatusMessage)
    assert (message.status_code, message.from_.organ_id) == (code, sender)
    assert message.response_for.organ_id == addressee
    assert message.response_for.promulgation_date == date(2015, 9, 30)
    assert message.timestamp.isoformat() == "2015-09-20T11:08:36+07:00"
    assert message.warnings == ()


def test_bytes_before_the_message():
    with pytest.raises(EdxmlMalformed, match="line 1, column 1"):
        read((SAMPLES / "malformed_prefix.edxml").read_bytes())
