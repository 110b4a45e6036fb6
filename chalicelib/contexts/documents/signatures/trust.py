"""Whether a certificate may speak for somebody: by the authorities that the axis trusts.

Runs in the child process. Nothing is ever fetched, so revocation is not looked at: a certificate
counts until its last day.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from asn1crypto import pem, x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathError, ValidationError

CLOCK = timedelta(minutes=5)
"""How far a signer's clock may be ahead of ours."""
MIN_RSA_BITS, MIN_EC_BITS = 2048, 256
_MAY_SIGN = {"digital_signature", "non_repudiation"}


class Finding(NamedTuple):
    """A verdict and, unless it is `valid`, the reason for it as a code."""

    verdict: str
    reason: str = ""


def anchors_in(bundle: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file; other things in it are passed over."""
    if not pem.detect(bundle):
        return []
    parts = pem.unarmor(bundle, multiple=True)
    return [x509.Certificate.load(der) for kind, _, der in parts if kind == "CERTIFICATE"]


def key_is_weak(certificate: x509.Certificate) -> bool:
    """Whether the key is one that can be broken: RSA under 2048 bits, a curve under 256."""
    key = certificate.public_key
    if key.algorithm == "ec":
        return bool(key.bit_size < MIN_EC_BITS)
    return key.algorithm in {"rsa", "rsassa_pss", "dsa"} and bool(key.bit_size < MIN_RSA_BITS)


def judge(
    certificate: x509.Certificate,
    others: Iterable[x509.Certificate],
    anchors: list[x509.Certificate],
    signed_at: datetime,
    now: datetime,
) -> Finding:
    """What a signature that fits is worth. `signed_at` is the signer's own claim.

    Rule: Decree 23/2025/NĐ-CP; RFC 5280, section 6.
    """
    if signed_at > now + CLOCK:
        return Finding("invalid", "signed-in-the-future")
    if not certificate.not_valid_before <= signed_at <= certificate.not_valid_after:
        return Finding("invalid", "certificate-not-valid-then")
    if not anchors:
        return Finding("unverifiable", "no-trust-anchor")
    usage = certificate.key_usage_value
    if usage is not None and not usage.native & _MAY_SIGN:
        return Finding("invalid", "certificate-not-for-signing")
    context = ValidationContext(
        trust_roots=anchors, other_certs=list(others), moment=signed_at, allow_fetching=False
    )
    try:
        asyncio.run(CertificateValidator(certificate, (), context).async_validate_path())
    except (PathError, ValidationError):
        return Finding("unverifiable", "certificate-not-trusted")
    return Finding("valid")


def described(certificate: x509.Certificate, finding: Finding) -> dict[str, Any]:
    """What is told of the signer: the fingerprint, and whom a trusted authority vouches for.

    The subject's other names may hold a person's number: they are left out.
    """
    named = certificate.subject.native.get("organization_name", "")
    first = named[0] if isinstance(named, list) else named
    return {
        "certificate_sha256": certificate.sha256.hex(),
        "organisation": str(first)[:200] if finding.verdict == "valid" else "",
    }
