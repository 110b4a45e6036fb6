"""The signatures inside a PDF file.

Runs in the child process. What was added to the file after it was signed is compared with the
signed state by pyHanko: another signature or its long-term proof may follow, nothing else.

Rule: ETSI EN 319 142-1 (PAdES); ISO 32000-2, 12.8.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import (
    EmbeddedPdfSignature,
    SignatureCoverageLevel,
    validate_pdf_signature,
)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from chalicelib.contexts.documents.signatures.trust import (
    Finding,
    described,
    judge,
    key_is_weak,
)

MAX_SIGNATURES = 8
_WEAK_DIGESTS = frozenset({"md2", "md5", "sha1"})
_WEAK_FORMS = frozenset({"/adbe.pkcs7.sha1", "/adbe.x509.rsa_sha1"})
Report = dict[str, Any]


def examine(file: BinaryIO, anchors: list[x509.Certificate], now: datetime) -> Iterator[Report]:
    """A report of each signature in the file, in the order in which they were put there."""
    reader = PdfFileReader(file, strict=False)
    if reader.encrypted:
        yield {"verdict": "unverifiable", "reason": "encrypted"}
        return
    for index, signature in enumerate(reader.embedded_regular_signatures):
        if index == MAX_SIGNATURES:
            yield {"verdict": "unverifiable", "reason": "too-many-signatures"}
            return
        yield _report(signature, anchors, now)


def _report(
    signature: EmbeddedPdfSignature, anchors: list[x509.Certificate], now: datetime
) -> Report:
    claimed = signature.self_reported_timestamp
    signed_at = claimed if claimed is not None and claimed.utcoffset() is not None else None
    own = signature.signer_cert
    mechanism = signature.signer_info["signature_algorithm"].signature_algo
    report: Report = {
        "algorithm": f"{mechanism}-{signature.md_algorithm}".replace("_", "-")[:40],
        "signed_at": signed_at and signed_at.isoformat(),
    }
    finding = _unfit(signature) or _integrity(signature, report)
    if finding is None:
        others = signature.other_embedded_certs
        finding = judge(own, others, anchors, signed_at or now, now)
    return report | described(own, finding) | finding._asdict()


def _unfit(signature: EmbeddedPdfSignature) -> Finding | None:
    form = str(signature.sig_object.get("/SubFilter", ""))
    if signature.md_algorithm in _WEAK_DIGESTS or form in _WEAK_FORMS:
        return Finding("too_weak", "algorithm-too-weak")
    if key_is_weak(signature.signer_cert):
        return Finding("too_weak", "key-too-weak")
    return None


def _integrity(signature: EmbeddedPdfSignature, report: Report) -> Finding | None:
    # Whom to trust is our own question (`judge`): here nobody is.
    status = validate_pdf_signature(
        signature,
        ValidationContext(trust_roots=[], allow_fetching=False),
        key_usage_settings=KeyUsageConstraints(),
    )
    if not status.intact:
        return Finding("invalid", "digest-differs")
    if not status.valid:
        return Finding("invalid", "signature-differs")
    if status.coverage < SignatureCoverageLevel.ENTIRE_REVISION:
        return Finding("invalid", "covers-something-else")
    whole = status.coverage is SignatureCoverageLevel.ENTIRE_FILE
    report["covers"] = "file" if whole else "revision"
    changed = status.modification_level is ModificationLevel.OTHER or not status.docmdp_ok
    return Finding("invalid", "changed-after-signing") if changed else None
