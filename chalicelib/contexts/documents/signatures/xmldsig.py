"""The XML signatures of an edXML message, over the bytes as they came.

Runs in the child process. A signature counts for the message only if what it was computed over is
the message, or its envelope, as we read it: one that fits some other element, carried along or
moved aside, says nothing about this message (signature wrapping).

Rule: QCVN 102:2016/BTTTT, edXMLHeader/Signature; W3C XML Signature Syntax and Processing 1.1.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from typing import Any

from asn1crypto import x509
from cryptography.x509 import load_der_x509_certificate
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidCertificate, InvalidDigest, InvalidInput, InvalidSignature
from signxml.verifier import SignatureConfiguration, XMLVerifier

from chalicelib.contexts.documents.edxml.model import NAMESPACE
from chalicelib.contexts.documents.signatures.trust import (
    Finding,
    described,
    judge,
    key_is_weak,
)

DSIG = "http://www.w3.org/2000/09/xmldsig#"
MAX_SIGNATURES = 8
MAX_REFERENCES = 8
MAX_TRANSFORMS = 4
TRANSFORMS = frozenset(
    {
        f"{DSIG}enveloped-signature",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
    }
)
"""What may be done to the message before it is hashed: nothing that computes or selects."""

_WEAK = re.compile("sha1|md5|md2|ripemd", re.IGNORECASE)
_METHODS = frozenset(
    method for method in SignatureMethod if re.match("RSA_|ECDSA_|SHA.*_RSA_MGF1", method.name)
) - {SignatureMethod.RSA_SHA1, SignatureMethod.ECDSA_SHA1}
_DIGESTS = frozenset(DigestAlgorithm) - {DigestAlgorithm.SHA1}
_ENVELOPE = f"{{{NAMESPACE}}}edXMLEnvelope"
Report = dict[str, Any]


def examine(data: bytes, anchors: list[x509.Certificate], now: datetime) -> Iterator[Report]:
    """A report of each signature in the message, in document order.

    A message is signed as it is sent, so its certificate must be valid now.
    """
    root = etree.fromstring(data, _parser())
    signatures = [
        each
        for each in root.iter(f"{{{DSIG}}}Signature", f"{{{NAMESPACE}}}Signature")
        if each.getparent() is not None
    ]
    for index, signature in enumerate(signatures):
        if index == MAX_SIGNATURES:
            yield {"verdict": "unverifiable", "reason": "too-many-signatures"}
            return
        method = _attribute(signature, "SignedInfo/SignatureMethod")
        report: Report = {"algorithm": _short(method)}
        finding = _unfit(signature) or _verify(root, signature, anchors, now, report)
        yield report | finding._asdict()


def _parser() -> Any:
    # The stream reader has let this message in, within its limits on depth, elements and text; what
    # is left to be huge is a file's base64.
    return etree.XMLParser(
        encoding="utf-8",  # Whatever it declares, as the stream reader has it.
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=True,
    )


def _attribute(signature: Any, path: str, name: str = "Algorithm") -> str:
    found = _all(signature, path)
    return str(found[0].get(name, "")) if found else ""


def _all(signature: Any, path: str) -> list[Any]:
    """The elements at `path` in the signature's own namespace, be it the right one or not."""
    namespace = etree.QName(signature).namespace
    return list(signature.findall("/".join(f"{{{namespace}}}{name}" for name in path.split("/"))))


def _short(algorithm: str) -> str:
    found = re.search("#([A-Za-z0-9-]{1,40})$", algorithm)
    return found[1].lower() if found else ""


def _unfit(signature: Any) -> Finding | None:
    """What can be said without computing anything."""
    references = _all(signature, "SignedInfo/Reference")
    digests = [_attribute(each, "DigestMethod") for each in references]
    method = _attribute(signature, "SignedInfo/SignatureMethod")
    if any(_WEAK.search(algorithm) for algorithm in (method, *digests)):
        return Finding("too_weak", "algorithm-too-weak")
    if etree.QName(signature).namespace != DSIG:
        # Moved into another namespace, it is no longer the element that was signed.
        return Finding("unverifiable", "not-in-the-signature-namespace")
    if signature.getparent().find(f"{{{DSIG}}}Signature") is not signature:
        return Finding("unverifiable", "several-at-one-place")
    if method not in {each.value for each in _METHODS}:
        # An HMAC, above all: its key would be something that everybody knows.
        return Finding("unverifiable", "algorithm-not-accepted")
    if not 0 < len(references) <= MAX_REFERENCES:
        return Finding("unverifiable", "references-not-accepted")
    for reference in references:
        uri = reference.get("URI")
        if uri is None or not re.fullmatch(r"(#[^()\s]{1,200})?", uri):
            return Finding("unverifiable", "reference-not-accepted")
        transforms = _all(reference, "Transforms/Transform")
        if len(transforms) > MAX_TRANSFORMS or any(
            each.get("Algorithm") not in TRANSFORMS for each in transforms
        ):
            return Finding("unverifiable", "transform-not-accepted")
    return None


def _verify(
    root: Any, signature: Any, anchors: list[x509.Certificate], now: datetime, report: Report
) -> Finding:
    chain = _certificates(signature)
    if not chain:
        return Finding("unverifiable", "no-certificate")
    issuers = {each.issuer.dump() for each in chain if each.self_issued is False}
    own = next((each for each in chain if each.subject.dump() not in issuers), chain[0])
    report |= described(own, Finding("unverifiable"))
    if key_is_weak(own):
        return Finding("too_weak", "key-too-weak")
    try:
        signed = XMLVerifier().verify(
            etree.tostring(root),
            x509_cert=load_der_x509_certificate(own.dump()),
            parser=_parser(),
            expect_config=SignatureConfiguration(
                location=_location(signature),
                expect_references=True,
                signature_methods=_METHODS,
                digest_algorithms=_DIGESTS,
                verification_time=now,
            ),
        )
    except InvalidDigest:
        return Finding("invalid", "digest-differs")
    except InvalidCertificate:
        return Finding("invalid", "certificate-not-valid-then")
    except InvalidSignature:
        return Finding("invalid", "signature-differs")
    except (InvalidInput, etree.DocumentInvalid):
        return Finding("unverifiable", "malformed")
    assert isinstance(signed, list)
    report["covers"] = _covered(root, signature, [each.signed_xml for each in signed])
    if not report["covers"]:
        return Finding("invalid", "covers-something-else")
    finding = judge(own, [each for each in chain if each is not own], anchors, now, now)
    report |= described(own, finding)
    return finding


def _certificates(signature: Any) -> list[x509.Certificate]:
    """Those in KeyInfo which can be read; the samples in circulation hold fragments."""
    found = []
    for element in _all(signature, "KeyInfo/X509Data/X509Certificate")[:MAX_REFERENCES]:
        try:
            certificate = x509.Certificate.load(b64decode(element.text or ""), strict=True)
            _ = certificate.native  # Its parts are read when asked for.
        except (ValueError, TypeError, KeyError):
            continue
        found.append(certificate)
    return found


def _location(signature: Any) -> str:
    """The path of the element that holds the signature, each step by its place among its likes."""
    steps: list[str] = []
    parent = signature.getparent()
    while parent.getparent() is not None:
        place = sum(1 for _ in parent.itersiblings(parent.tag, preceding=True)) + 1
        steps.append(f"{parent.tag}[{place}]/")
        parent = parent.getparent()
    return "./" + "".join(reversed(steps))


def _covered(root: Any, signature: Any, signed: list[Any]) -> str:
    """Which part of the message, as we read it, was signed: all of it, its envelope, or nothing."""
    bare = deepcopy(root)
    place = root.getroottree().getelementpath(signature)
    _remove(bare.find(place))
    contents = {_canonical(each) for each in signed if each is not None}
    if _canonical(bare) in contents:
        return "message"
    envelopes = bare.findall(_ENVELOPE)
    if len(envelopes) == 1 and _canonical(envelopes[0]) in contents:
        return "envelope"
    return ""


def _remove(element: Any) -> None:
    parent, before = element.getparent(), element.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + (element.tail or "")
    else:
        parent.text = (parent.text or "") + (element.tail or "")
    parent.remove(element)


def _canonical(element: Any) -> bytes:
    return bytes(etree.tostring(element, method="c14n", exclusive=True, with_comments=False))
