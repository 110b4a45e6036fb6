"""The signatures inside a PDF file."""

from datetime import timedelta
from io import BytesIO

import pytest
from contexts.documents.signatures import demo_pki as pki
from contexts.documents.signatures.demo_pki import (
    authority,
    plain_pdf,
    signed_pdf,
    signer,
    turned_pdf,
)

from chalicelib.contexts.documents.signatures.pades import examine
from chalicelib.contexts.documents.signatures.trust import anchors_in


def found(pdf, anchors=None, now=None):
    bundle = authority().pem if anchors is None else anchors
    # Signing reads the clock.
    moment = now or pki.NOW + timedelta(hours=1)
    return list(examine(BytesIO(pdf), anchors_in(bundle.encode()), moment))


def verdicts(pdf, **how):
    return [(each["verdict"], each["reason"]) for each in found(pdf, **how)]


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_signed_file_is_valid(kind):
    (report,) = found(signed_pdf(signer(kind)))
    assert report.pop("signed_at")
    assert report == {
        "verdict": "valid",
        "reason": "",
        "covers": "file",
        "algorithm": {"rsa": "rsassa-pkcs1v15-sha256", "ec": "ecdsa-sha256"}[kind],
        "certificate_sha256": signer(kind).fingerprint,
        "organisation": pki.ORGANISATION,
    }


def test_a_second_signature_leaves_the_first_one_valid():
    reports = found(signed_pdf(signer("ec"), signed_pdf(), "Second"))
    assert [(each["verdict"], each["covers"]) for each in reports] == [
        ("valid", "revision"),
        ("valid", "file"),
    ]


def flipped(pdf):
    place = pdf.index(b"/MediaBox")
    return pdf[:place] + b"/mediaBox" + pdf[place + 9 :]


@pytest.mark.parametrize(
    ("pdf", "expected"),
    [
        pytest.param(plain_pdf, [], id="no signature"),
        pytest.param(
            lambda: turned_pdf(signed_pdf()),
            [("invalid", "changed-after-signing")],
            id="signed, then changed",
        ),
        pytest.param(
            lambda: flipped(signed_pdf()), [("invalid", "digest-differs")], id="a byte was changed"
        ),
        pytest.param(
            lambda: signed_pdf(signer("expired")),
            [("invalid", "certificate-not-valid-then")],
            id="the certificate had expired",
        ),
        pytest.param(
            lambda: signed_pdf(signer("encipherer")),
            [("invalid", "certificate-not-for-signing")],
            id="the certificate is for something else",
        ),
        pytest.param(
            lambda: signed_pdf(signer("stranger")),
            [("unverifiable", "certificate-not-trusted")],
            id="nobody we trust vouches for the signer",
        ),
        pytest.param(
            lambda: signed_pdf(signer("weak")), [("too_weak", "key-too-weak")], id="a short key"
        ),
        pytest.param(
            lambda: signed_pdf(digest="sha1"), [("too_weak", "algorithm-too-weak")], id="SHA-1"
        ),
        pytest.param(
            lambda: plain_pdf(password="demo"),
            [("unverifiable", "encrypted")],
            id="an encrypted file",
        ),
    ],
)
def test_what_is_found(pdf, expected):
    assert verdicts(pdf()) == expected


def test_without_a_trust_anchor_nothing_is_valid():
    assert verdicts(signed_pdf(), anchors="") == [("unverifiable", "no-trust-anchor")]


def test_who_claims_to_have_signed_tomorrow_lies():
    yesterday = pki.NOW - timedelta(days=1)
    assert verdicts(signed_pdf(), now=yesterday) == [("invalid", "signed-in-the-future")]


def test_a_certificate_that_expired_since_is_no_fault():
    assert verdicts(signed_pdf(), now=pki.NOW + 2 * pki.YEAR) == [("valid", "")]
