"""An event as an auditor gets it: CloudEvents 1.0 JSON that proves itself against its commit.

The `data` of a commit's events, each written compactly, joined by commas in brackets, are the bytes
that `body_hash` in the commit's header covers. Personal values in it stay sealed.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from chalicelib.eventstore.store import Commit
from chalicelib.text import b64url

_DECODER = json.JSONDecoder()


def events(position: int | None, commit: Commit) -> Iterator[dict[str, Any]]:
    """A commit's events in order; without `lienthongposition` if history does not hold it yet.

    Where compact JSON would not give an event's exact bytes back, they stand in `data_base64`.
    """
    facts = commit.facts
    numbered = {} if position is None else {"lienthongposition": position}
    for index, (data, exact) in enumerate(_slices(commit.body)):
        same = compact(data) == exact
        yield {
            "specversion": "1.0",
            "id": f"{commit.seen}#{index}",
            "source": "/history",
            "type": data["type"],
            "subject": commit.stream,
            "time": facts["recorded_at"],
            **numbered,
            "lienthongcommit": commit.number,
            "lienthongindex": index,
            "lienthongversion": int(facts["events"][index].partition("/")[2]),
            "lienthongactor": facts["actor"],
            "lienthongmethod": facts["method"],
            "lienthongassurance": facts["assurance"],
            "lienthongcorrelation": facts["correlation"],
            "lienthongcausation": facts["causation"],
            "lienthongrelease": facts["release"],
            "lienthonghash": b64url(commit.hash),
            "datacontenttype": "application/json",
            **({"data": data} if same else {"data_base64": b64encode(exact).decode()}),
        }


def compact(data: Any) -> bytes:
    """JSON without a needless byte, in UTF-8."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def _slices(body: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Each event of a body, and the bytes it was written with."""
    text, at = body.decode(), 1
    while at < len(text):
        data, end = _DECODER.raw_decode(text, at)
        yield data, text[at:end].encode()
        at = end + 1  # Behind the comma, or the bracket.
