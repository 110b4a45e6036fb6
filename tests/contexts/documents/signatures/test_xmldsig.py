"""The XML signature of a message: what it is worth, and what it cannot be made to say."""

import re
from datetime import timedelta

import pytest
from contexts.documents.edxml import demo_messages as demo
from contexts.documents.edxml.demo_messages import NS
from contexts.documents.signatures import demo_pki as pki
from contexts.documents.signatures.demo_pki import DSIG, MESSAGE, authority, signed_message, signer

from chalicelib.contexts.documents.signatures.trust import anchors_in
from chalicelib.contexts.documents.signatures.xmldsig import MAX_SIGNATURES, examine


def found(message, anchors=None, now=pki.NOW):
    bundle = authority().pem if anchors is None else anchors
    return list(examine(message, anchors_in(bundle.encode()), now))


def verdict(message, **how):
    (report,) = found(message, **how)
    return report["verdict"], report["reason"]


def changed(message, old, new):
    assert old in message
    return message.replace(old, new, 1)


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_signature_over_the_message_is_valid(kind):
    (report,) = found(signed_message(signer(kind)))
    assert report == {
        "verdict": "valid",
        "reason": "",
        "covers": "message",
        "algorithm": {"rsa": "rsa-sha256", "ec": "ecdsa-sha256"}[kind],
        "certificate_sha256": signer(kind).fingerprint,
        "organisation": pki.ORGANISATION,
    }


def test_what_it_calls_its_encoding_changes_nothing():
    declared = b'<?xml version="1.0" encoding="utf-16"?>'
    assert verdict(declared + signed_message().removeprefix(b'<?xml version="1.0"?>')) == (
        "valid",
        "",
    )


def test_nothing_else_of_the_certificates_subject_is_told():
    assert "Person" not in str(found(signed_message()))
    assert "000000000001" not in str(found(signed_message()))


def with_id(message=MESSAGE):
    return changed(message, b"<edXMLEnvelope>", b'<edXMLEnvelope Id="all">')


def test_a_signature_over_the_envelope_says_so():
    signed = signed_message(message=with_id(), uri="#all")
    (report,) = found(signed)
    assert (report["verdict"], report["covers"]) == ("valid", "envelope")
    # Its files are not part of what was signed.
    other = demo.b64(demo.zipped(("a.pdf", b"%PDF-1.7 another")))
    content = re.search(rb"<ContentTransferEncoded>([^<]*)<", signed)[1]
    assert verdict(changed(signed, content, other.encode())) == ("valid", "")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(
            lambda: changed(signed_message(), b"<CodeNumber>12<", b"<CodeNumber>13<"),
            ("invalid", "digest-differs"),
            id="a word of it was changed",
        ),
        pytest.param(
            lambda: changed(signed_message(), b"</edXML>", b"<Extra/></edXML>"),
            ("invalid", "digest-differs"),
            id="something was added",
        ),
        pytest.param(
            lambda: re.sub(rb"(<ds:DigestValue>)....", rb"\1AAAA", signed_message()),
            ("invalid", "signature-differs"),
            id="what was signed was changed",
        ),
        pytest.param(
            lambda: signed_message(signer("expired")),
            ("invalid", "certificate-not-valid-then"),
            id="the certificate has expired",
        ),
        pytest.param(
            lambda: signed_message(signer("encipherer")),
            ("invalid", "certificate-not-for-signing"),
            id="the certificate is for something else",
        ),
        pytest.param(
            lambda: signed_message(signer("stranger")),
            ("unverifiable", "certificate-not-trusted"),
            id="nobody we trust vouches for the signer",
        ),
        pytest.param(
            lambda: signed_message(signer("weak")),
            ("too_weak", "key-too-weak"),
            id="a short key",
        ),
        pytest.param(
            lambda: changed(signed_message(), b"2001/04/xmlenc#sha256", b"2000/09/xmldsig#sha1"),
            ("too_weak", "algorithm-too-weak"),
            id="SHA-1 of what is signed",
        ),
        pytest.param(
            lambda: changed(
                signed_message(), b"2001/04/xmldsig-more#rsa-sha256", b"2000/09/xmldsig#rsa-sha1"
            ),
            ("too_weak", "algorithm-too-weak"),
            id="a signature over SHA-1",
        ),
        pytest.param(
            lambda: (
                signed_message()
                .replace(f' xmlns="{DSIG}"'.encode(), f' xmlns="{NS}"'.encode())
                .replace(b"ds:", b"")
            ),
            ("unverifiable", "not-in-the-signature-namespace"),
            id="in the namespace of the message",
        ),
        pytest.param(
            lambda: re.sub(rb"<X509Data>.*</X509Data>", b"", signed_message(), flags=re.DOTALL),
            ("unverifiable", "no-certificate"),
            id="no certificate",
        ),
        pytest.param(
            lambda: MESSAGE,
            ("unverifiable", "algorithm-not-accepted"),
            id="an empty Signature",
        ),
    ],
)
def test_what_does_not_prove_it(message, expected):
    assert verdict(message()) == expected


def test_without_a_trust_anchor_nothing_is_valid():
    assert verdict(signed_message(), anchors="") == ("unverifiable", "no-trust-anchor")
    assert verdict(signed_message(), anchors="no certificate") == (
        "unverifiable",
        "no-trust-anchor",
    )


def test_a_certificate_counts_only_on_its_days():
    late = pki.NOW + 2 * pki.YEAR
    assert verdict(signed_message(), now=late) == ("invalid", "certificate-not-valid-then")
    assert verdict(signed_message(), now=pki.NOW + timedelta(days=1)) == ("valid", "")


def wrapped():
    """The signed envelope is moved aside, and another one stands in its place."""
    signed = signed_message(message=with_id(), uri="#all")
    envelope = re.search(rb"<edXMLEnvelope .*</edXMLEnvelope>", signed, re.DOTALL)[0]
    aside = re.sub(rb"<Signature .*</Signature>", b"", envelope, flags=re.DOTALL)
    false = changed(changed(envelope, b' Id="all"', b""), b"<CodeNumber>12<", b"<CodeNumber>99<")
    message = changed(signed, envelope, false)
    return changed(message, b"</edXML>", b"<Aside>" + aside + b"</Aside></edXML>")


def twice_named():
    """Two elements have the id that the signature names."""
    signed = signed_message(message=with_id(), uri="#all")
    return changed(signed, b"</edXML>", b'<Other Id="all"/></edXML>')


def part_only():
    """A signature over a harmless part of the message."""
    return signed_message(
        message=changed(MESSAGE, b"<MessageHeader>", b'<MessageHeader Id="all">'), uri="#all"
    )


XSLT = (
    b'<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116">'
    b'<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0">'
    b'<xsl:template match="/"><xsl:copy-of select="document(\'file:///etc/passwd\')"/>'
    b"</xsl:template></xsl:stylesheet></ds:Transform>"
)
TRANSFORM = f'<ds:Transform Algorithm="{pki.EXC_C14N}"/>'.encode()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(wrapped, ("invalid", "covers-something-else"), id="a wrapped signature"),
        pytest.param(part_only, ("invalid", "covers-something-else"), id="a part is signed"),
        pytest.param(twice_named, ("unverifiable", "malformed"), id="an id that is there twice"),
        pytest.param(
            lambda: changed(signed_message(), TRANSFORM, XSLT + TRANSFORM),
            ("unverifiable", "transform-not-accepted"),
            id="a stylesheet",
        ),
        pytest.param(
            lambda: changed(signed_message(), TRANSFORM, TRANSFORM * 1000),
            ("unverifiable", "transform-not-accepted"),
            id="a thousand transforms",
        ),
        pytest.param(
            lambda: changed(signed_message(), b'URI=""', b'URI="file:///etc/passwd"'),
            ("unverifiable", "reference-not-accepted"),
            id="a file is referred to",
        ),
        pytest.param(
            lambda: changed(signed_message(), b'URI=""', b'URI="http://127.0.0.1:9/x"'),
            ("unverifiable", "reference-not-accepted"),
            id="an address is referred to",
        ),
        pytest.param(
            lambda: changed(signed_message(), b'URI=""', b'URI="#xpointer(/)"'),
            ("unverifiable", "reference-not-accepted"),
            id="an XPointer",
        ),
        pytest.param(
            lambda: re.sub(
                rb"(<ds:Reference .*?</ds:Reference>)",
                rb"\1" * 9,
                signed_message(),
                flags=re.DOTALL,
            ),
            ("unverifiable", "references-not-accepted"),
            id="too many references",
        ),
        pytest.param(
            lambda: changed(signed_message(), b"#rsa-sha256", b"#hmac-sha256"),
            ("unverifiable", "algorithm-not-accepted"),
            id="an HMAC under what everybody knows",
        ),
        pytest.param(
            lambda: changed(signed_message(), b"#rsa-sha256", b"#ecdsa-sha256"),
            ("unverifiable", "malformed"),
            id="the algorithm of another kind of key",
        ),
    ],
)
def test_what_an_attacker_may_try(message, expected):
    assert verdict(message()) == expected


def test_of_several_signatures_at_one_place_the_first_is_examined():
    signed = signed_message()
    second = re.search(rb"<Signature .*</Signature>", signed, re.DOTALL)[0]
    reports = found(changed(signed, b"</edXMLHeader>", second + b"</edXMLHeader>"))
    assert [(each["verdict"], each["reason"]) for each in reports] == [
        ("invalid", "digest-differs"),
        ("unverifiable", "several-at-one-place"),
    ]


def test_no_more_than_a_few_signatures_are_looked_at():
    many = b'<Signature xmlns="%b"/>' % DSIG.encode() * 50
    reports = found(changed(MESSAGE, b"</edXML>", many + b"</edXML>"))
    assert len(reports) == MAX_SIGNATURES + 1
    assert reports[-1]["reason"] == "too-many-signatures"


def test_a_message_without_signature_has_no_report():
    assert found(demo.document().encode()) == []
