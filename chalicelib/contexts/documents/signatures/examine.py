"""Has the signatures of a document examined, and says what was found."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from chalicelib.contexts.documents.domain.events import SignatureReport

CPU_S, WAIT_S = 8, 15
"""How long all files of a document may take to examine; a caller waits behind a gateway's 29 s."""
MEMORY_BYTES = 640 * 1024 * 1024
"""Address space for it, libraries included."""
MAX_XML = 16 * 1024 * 1024
"""Bytes of the largest message whose XML signature is computed: it is held whole, several times."""
MAX_REPORTS = 50
"""Signatures reported of a document."""

_PROGRAM = """
import os, sys
sys.path[:] = sys.argv[1].split(os.pathsep)
from chalicelib.contexts.documents.signatures.child import main
main()
"""


class SignedFile(NamedTuple):
    """A file to examine; `about` is `message` or the SHA-256 (hex) of the attachment that it is."""

    about: str
    kind: Literal["xml", "pdf"]
    path: Path


def examine(
    files: Sequence[SignedFile], anchors: str, now: datetime
) -> tuple[SignatureReport, ...]:
    """What is found of the signatures in these files. Nothing in them can make this fail.

    `anchors` are the certificates (PEM) of the authorities that are trusted; `now` is the time.
    """
    reports = [_unverifiable(each, "too-large") for each in files if _too_large(each)]
    readable = [each for each in files if not _too_large(each)]
    answers = _ask(readable, anchors, now) if readable else []
    for file, answer in zip(readable, answers, strict=False):
        said = ({"about": file.about, **found} for found in answer)
        reports += [SignatureReport.model_validate(each) for each in said]
    # It ran out of time or memory over the first that it did not answer.
    reports += [_unverifiable(each, "gave-up") for each in readable[len(answers) :]]
    if len(reports) > MAX_REPORTS:
        about = reports[MAX_REPORTS - 1].about
        rest = SignatureReport(about=about, verdict="unverifiable", reason="too-many-signatures")
        reports[MAX_REPORTS - 1 :] = [rest]
    return tuple(reports)


def warnings_about(reports: Iterable[SignatureReport]) -> tuple[str, ...]:
    """A warning for each signature that does not prove what it should."""
    return tuple(
        f"signature-{report.verdict.replace('_', '-')} {report.about}"
        for report in reports
        if report.verdict != "valid"
    )


def _too_large(file: SignedFile) -> bool:
    return file.kind == "xml" and file.path.stat().st_size > MAX_XML


def _unverifiable(file: SignedFile, reason: str) -> SignatureReport:
    return SignatureReport(about=file.about, verdict="unverifiable", reason=reason)


def _ask(files: Sequence[SignedFile], anchors: str, now: datetime) -> list[list[dict[str, Any]]]:
    asked = {
        "files": [(each.kind, str(each.path)) for each in files],
        "anchors": anchors,
        "now": now.isoformat(),
        "RLIMIT_AS": MEMORY_BYTES,
        "RLIMIT_CPU": CPU_S,
    }
    # Isolated, and without environment: it has no credentials to lose.
    command = [sys.executable, "-I", "-c", _PROGRAM, os.pathsep.join(sys.path)]
    try:
        done = subprocess.run(  # noqa: S603 -- our own program; what is untrusted are its files.
            command,
            input=json.dumps(asked).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=WAIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        written = late.stdout or b""
    else:
        written = done.stdout
    # The last line may have been cut off.
    whole = written[: written.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]
