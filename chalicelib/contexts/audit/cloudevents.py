"""An event as an auditor gets it: CloudEvents 1.0 JSON that proves itself against its commit.

The `data` of a commit's events, each written compactly, joined by commas in brackets, are the bytes
that `body_hash` in the commit's header covers. Personal values in it stay sealed.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from chalicelib.eventstore.store import Commit
from chalicelib.kernel import Method
from chalicelib.text import b64url

RecordedAt = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A commit's `recorded_at` (UTC), in the words of its header."""

_DECODER = json.JSONDecoder()


class _Numbered(TypedDict):
    """What a commit has once history holds it."""

    lienthongposition: NotRequired[int]


class _Data(TypedDict):
    """An event as it was written down, unless it is too large."""

    # What stands in it, its type says: a file of the catalogue for each.
    data: NotRequired[dict[str, Any]]
    data_base64: NotRequired[str]
    lienthongtoolarge: NotRequired[bool]


class RecordedEvent(_Numbered, _Data):
    """An event of history as CloudEvents 1.0 JSON; `id` is `stream@commit#index`.

    `subject` is its stream, `lienthongposition` the place of its commit in history, if it has one
    yet; the others are as in the commit's header. `data` is the event as stored, what is personal
    in it sealed; its bytes stand in `data_base64` where compact JSON would not give them back.
    `lienthongtoolarge`: it is larger than an answer may be, and only the export has it.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: RecordedAt
    lienthongcommit: int
    lienthongindex: int
    lienthongversion: int
    lienthongactor: str
    lienthongmethod: Method
    lienthongassurance: int
    lienthongcorrelation: str
    lienthongcausation: str
    lienthongrelease: str
    lienthonghash: str
    datacontenttype: str


def events(position: int | None, commit: Commit) -> Iterator[RecordedEvent]:
    """A commit's events in order; without `lienthongposition` if history does not hold it yet.

    Where compact JSON would not give an event's exact bytes back, they stand in `data_base64`.
    """
    facts = commit.facts
    numbered: _Numbered = {} if position is None else {"lienthongposition": position}
    for index, (data, exact) in enumerate(_slices(commit.body)):
        written: _Data = (
            {"data": data} if compact(data) == exact else {"data_base64": b64encode(exact).decode()}
        )
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
            **written,
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
