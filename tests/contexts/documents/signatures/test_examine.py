"""Files from outside are examined by a process that can do no harm, whatever they hold."""

from datetime import timedelta

import pytest
from contexts.documents.edxml.published import SAMPLES, at_hand
from contexts.documents.signatures import demo_pki as pki
from contexts.documents.signatures.demo_pki import MESSAGE, authority, signed_message, signed_pdf

from chalicelib.contexts.documents.domain.events import SignatureReport
from chalicelib.contexts.documents.signatures import examine as module
from chalicelib.contexts.documents.signatures.examine import SignedFile, examine, warnings_about

DIGEST = "0" * 64


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However busy this machine is: what bounds an examination is its processor time."""
    monkeypatch.setattr(module, "WAIT_S", 600)


@pytest.fixture
def found(tmp_path):
    """What is found of a message, of PDF files, or of both."""

    def find(message=None, *pdfs):
        signed = []
        for index, (about, kind, content) in enumerate(
            [("message", "xml", message), *((DIGEST, "pdf", pdf) for pdf in pdfs)]
        ):
            if content is not None:
                path = tmp_path / str(index)
                path.write_bytes(content)
                signed.append(SignedFile(about, kind, path))
        moment = pki.NOW + timedelta(hours=1)
        reports = examine(signed, authority().pem, moment)
        return [(each.about, each.verdict, each.reason) for each in reports]

    return find


def test_a_message_and_its_files(found):
    assert found(signed_message(), signed_pdf(), signed_pdf()) == [
        ("message", "valid", ""),
        (DIGEST, "valid", ""),
        (DIGEST, "valid", ""),
    ]


def costly():
    """To write this in canonical form, each element's name spaces are compared with all others."""
    spaces = " ".join(f'xmlns:a{index}="urn:{index}"' for index in range(60_000)).encode()
    many = MESSAGE.replace(b"<edXMLEnvelope>", b"<edXMLEnvelope " + spaces + b">")
    many = many.replace(b"<Subject>", b"<Extra/>" * 15_000 + b"<Subject>")
    signature = signed_message().partition(b"<Signature")[2].partition(b"</Signature>")[0]
    empty = f'<Signature xmlns="{pki.DSIG}" Id="placeholder"/>'.encode()
    assert empty in many
    return many.replace(empty, b"<Signature" + signature + b"</Signature>")


def test_what_takes_too_long_is_given_up(found, monkeypatch):
    monkeypatch.setattr(module, "CPU_S", 2)
    gave_up = ("unverifiable", "gave-up")
    assert found(costly(), signed_pdf()) == [("message", *gave_up), (DIGEST, *gave_up)]


def test_what_asks_for_too_much_memory_is_given_up(found, monkeypatch):
    monkeypatch.setattr(module, "MEMORY_BYTES", 64 * 1024 * 1024)
    ((_, verdict, _),) = found(None, signed_pdf())
    assert verdict == "unverifiable"


@pytest.mark.parametrize(
    ("message", "pdfs", "expected"),
    [
        pytest.param(b"<edXML", (), [("message", "unverifiable", "unreadable")], id="broken XML"),
        pytest.param(
            b'<!DOCTYPE edXML [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
            + signed_message().replace(b"<Subject>", b"<Subject>&x;"),
            (),
            [("message", "unverifiable", "unreadable")],
            id="an entity",
        ),
        pytest.param(
            None,
            (b"%PDF-1.7 /ByteRange", signed_pdf()[:-600], signed_pdf()),
            [
                (DIGEST, "unverifiable", "unreadable"),
                (DIGEST, "unverifiable", "unreadable"),
                (DIGEST, "valid", ""),
            ],
            id="broken files and a sound one",
        ),
    ],
)
def test_what_cannot_be_read_says_so(found, message, pdfs, expected):
    assert found(message, *pdfs) == expected


def test_a_message_too_large_to_compute_says_so(found, monkeypatch):
    monkeypatch.setattr(module, "MAX_XML", len(signed_message()) - 1)
    assert found(signed_message()) == [("message", "unverifiable", "too-large")]


def test_what_is_left_out_of_a_long_report_is_not_silently_trusted(found, monkeypatch):
    monkeypatch.setattr(module, "MAX_REPORTS", 2)
    assert found(None, signed_pdf(), signed_pdf()) == [(DIGEST, "valid", "")] * 2
    assert found(None, signed_pdf(), signed_pdf(), signed_pdf()) == [
        (DIGEST, "valid", ""),
        (DIGEST, "unverifiable", "too-many-signatures"),
    ]


def test_a_warning_for_each_that_is_not_valid():
    reports = [
        SignatureReport(about="message", verdict="too_weak", reason="key-too-weak"),
        SignatureReport(about=DIGEST, verdict="valid"),
    ]
    assert warnings_about(reports) == ("signature-too-weak message",)


@at_hand
@pytest.mark.parametrize("name", ["new", "revocation", "update", "replacement"])
def test_a_published_signature_is_too_weak(found, name):
    message = (SAMPLES / f"edoc_{name}.edxml").read_bytes()
    assert found(message) == [("message", "too_weak", "algorithm-too-weak")]
