"""Enter the agencies whose codes are confirmed; saying it again changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

AGENCIES = Path(__file__).parent / "seed" / "agencies.json"

Post = Callable[[str, dict[str, Any], str], object]
"""(path, body, Idempotency-Key): one POST by an administrator; raises when it is not granted."""


def seed(post: Post) -> int:
    """Register every agency of the list; returns how many there are."""
    agencies: list[dict[str, Any]] = json.loads(AGENCIES.read_text(encoding="utf-8"))
    for agency in agencies:
        # A key of its own for each content: a corrected line is a new request.
        key = uuid5(NAMESPACE_URL, f"lienthong:seed:{json.dumps(agency, sort_keys=True)}")
        post("/agencies", agency, str(key))
    return len(agencies)
