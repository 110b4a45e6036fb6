"""The process that reads signed files from outside: no rights, no environment, bounded in all.

It is told on standard input which files to read and answers a line of JSON for each. Whatever
happens to it, the caller has lost nothing but an answer.
"""

import json
import resource
import sys
from datetime import datetime
from pathlib import Path
from typing import Any


def main() -> None:
    """Examine the files named on standard input, within the limits named there."""
    asked = json.load(sys.stdin)
    for limit in ("RLIMIT_AS", "RLIMIT_CPU"):
        resource.setrlimit(getattr(resource, limit), (asked[limit], asked[limit]))
    for kind, path in asked["files"]:
        found = _examine(kind, Path(path), asked["anchors"], datetime.fromisoformat(asked["now"]))
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def _examine(kind: str, path: Path, bundle: str, now: datetime) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    try:
        # Each takes a while to import: a message needs no reader of PDF, nor the other way round.
        from chalicelib.contexts.documents.signatures.trust import anchors_in  # noqa: PLC0415

        anchors = anchors_in(bundle.encode())
        if kind == "pdf":
            from chalicelib.contexts.documents.signatures import pades  # noqa: PLC0415

            with path.open("rb") as file:
                found.extend(pades.examine(file, anchors, now))
        else:
            from chalicelib.contexts.documents.signatures import xmldsig  # noqa: PLC0415

            found.extend(xmldsig.examine(path.read_bytes(), anchors, now))
    except Exception:  # noqa: BLE001 -- hostile files make libraries raise anything there is.
        found.append({"verdict": "unverifiable", "reason": "unreadable"})
    return found
