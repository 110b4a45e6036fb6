"""History as it was: which events happened, and what stood then.

Nothing here opens a personal value: what is sealed stays sealed.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Annotated, Any, NamedTuple

from pydantic import AwareDatetime, BeforeValidator, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from chalicelib import files, runtime
from chalicelib.agency_code import CanonicalCode
from chalicelib.contexts.audit.cloudevents import RecordedAt, RecordedEvent, compact, events
from chalicelib.eventstore.store import Commit, Corrupt, check_stream
from chalicelib.handle import fold
from chalicelib.history.pages import Entry
from chalicelib.http.paging import DEFAULT_LIMIT, MAX_LIMIT
from chalicelib.http.resource import MAX_ANSWER_BYTES
from chalicelib.kernel import Decider, Invalid, NotFound, Value
from chalicelib.text import b64url

EXAMINED = 1_000
"""Commits that one request reads in search of what it was asked for."""
PASSED_OVER = 20_000
"""Positions that one request passes over, by the names of their streams alone."""
ROOM_BYTES = MAX_ANSWER_BYTES - 256 * 1024
"""What a page's events may take of an answer."""
CHUNK_POSITIONS = 1_000
CHUNK_BYTES = 16 * 1024 * 1024
"""A chunk of the export ends with the commit that reaches this."""
LATE = timedelta(days=2)
"""How much later than it was recorded a commit may be numbered: the daily sweep finds the last."""
SKEW = timedelta(minutes=5)
"""How far two functions' clocks may differ."""
_BATCH = 25
"""Commits read at once: each may be 5 MiB."""
MAX_POSITION = 10**15

Deciders = Mapping[str, Decider[Any, Any, Any]]
Wanted = Callable[[str], bool]


class StreamUnknown(NotFound):
    """There is no such stream, and there never was."""

    code = "stream-unknown"


class StreamNotBegun(NotFound):
    """The stream exists, but nothing had happened in it yet."""

    code = "stream-not-begun"


class PositionNotThereYet(NotFound):
    """History is not as long as that."""

    code = "position-not-there-yet"


class InvalidMoment(Invalid):
    """A moment is a position of history, or a time with its zone: 2026-11-22T08:00:00+07:00."""

    code = "invalid-moment"
    rule = "RFC 3339"


class AnswerTooLarge(Invalid):
    """What was asked for is larger than an answer may be: the export holds it."""

    code = "answer-too-large"
    rule = f"At most {MAX_ANSWER_BYTES // 1024 // 1024} MiB an answer"


def _written(text: str) -> str:
    """A time as RFC 3339 has it, and no number, which would be read as seconds since 1970."""
    if "T" not in text:
        raise ValueError("write a time with its zone: 2026-11-22T08:00:00+07:00")
    # A plus sign that nobody escaped arrives as a space.
    return text.replace(" ", "+")


Time = Annotated[AwareDatetime, BeforeValidator(_written)]


class Search(Value):
    """The query of `GET /history/events`: everything that is given must hold.

    `after` is a position. `from` and `to` are compared with `recorded_at`. `agency` finds what its
    systems did and every event that names it.
    """

    after: int = Field(default=0, ge=0, lt=MAX_POSITION)
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    actor: str = Field(default="", max_length=200)
    agency: CanonicalCode | None = None
    type: str = Field(default="", max_length=100)
    since: Time | None = Field(default=None, alias="from")
    until: Time | None = Field(default=None, alias="to")

    def stream(self, stream: str) -> bool:
        """Whether an event that is sought can stand in a stream, by its name."""
        return not self.type or stream.partition("-")[0] == self.type.partition(".")[0]

    def commit(self, commit: Commit) -> bool:
        """Whether an event that is sought can stand in a commit."""
        if self.actor and commit.facts["actor"] != self.actor:
            return False
        at = commit.recorded_at
        return (self.since is None or self.since <= at) and (self.until is None or at <= self.until)

    def event(self, event: RecordedEvent) -> bool:
        """Whether an event is one of those sought."""
        if self.type and event["type"] != self.type:
            return False
        return self.agency is None or _names(event, self.agency)


class HistoryPage(TypedDict):
    """Events in order, and `next`, behind which to go on: None at the end, which is at `as_of`.

    Both are positions of history, or, where one stream is read, numbers of its commits.
    """

    items: list[RecordedEvent]
    next: int | None
    as_of: int


class StreamState(TypedDict):
    """What its decider remembered of a stream after a commit, which was recorded at `as_of`.

    `hash` is the commit's; `position` its place in history, None if it has none yet.
    """

    stream: str
    commit: int
    as_of: RecordedAt
    position: int | None
    hash: str
    # Each decider remembers what its rules need: documents one thing, payments another.
    state: dict[str, Any]


class StreamMoment(TypedDict):
    """After which commit, recorded when; 0 and None if the stream had not begun."""

    commit: int
    as_of: RecordedAt | None


class ChangedField(TypedDict):
    """A field (JSON pointer, RFC 6901) of a state that differs; None where it is not there."""

    field: str
    before: Any
    after: Any


_Between = TypedDict("_Between", {"from": StreamMoment, "to": StreamMoment})


class StreamDifferences(_Between):
    """What changed in a stream between two moments: the fields, and the events that did it."""

    stream: str
    changed: list[ChangedField]
    events: list[RecordedEvent]


class ExportChunk(files.DownloadLink):
    """A part of the export, positions `first` to `last` of history, behind a link.

    `complete` says that it never changes; `next` is the `first` of the one after it. `size` (bytes)
    and `sha256` (hexadecimal) are the file's.
    """

    first: int
    last: int
    next: int
    complete: bool
    as_of: int
    size: int
    sha256: str


class Numbered(NamedTuple):
    """A commit where history has it; `commit` is None if its stream was not wanted."""

    position: int
    numbered_at: datetime
    commit: Commit | None


def end() -> int:
    """The last position there is."""
    last = runtime.history().last()
    return last.next - 1 if last else 0


def search(asked: Search) -> HistoryPage:
    """The events sought behind a position, as far as one request may look.

    Raises:
        PositionNotThereYet: there is no such position to read on from.
    """
    as_of = _there(asked.after)
    after = asked.after
    if asked.since:
        after = max(after, _numbered_before(asked.since, as_of))
    page = _Gathered()
    read = at = 0
    for position, numbered_at, commit in walk(after, asked.stream):
        if position > as_of or (asked.until and numbered_at - LATE > asked.until):
            return {"items": page.items, "next": None, "as_of": as_of}
        if commit and asked.commit(commit):
            sought = [event for event in events(position, commit) if asked.event(event)]
            if not page.take(sought):
                return {"items": page.items, "next": position - 1, "as_of": as_of}
        read += commit is not None
        at = position
        enough = len(page.items) >= asked.limit or read >= EXAMINED
        if enough or position - after >= PASSED_OVER:
            return {"items": page.items, "next": at if at < as_of else None, "as_of": as_of}
    return {"items": page.items, "next": None, "as_of": as_of}


def stream_page(stream: str, after: int, limit: int) -> HistoryPage:
    """A stream's events behind commit number `after`; `as_of` and `next` are commit numbers.

    Raises:
        StreamUnknown: there is none.
        Corrupt: the stream contradicts itself.
    """
    commits = load(stream)
    positions = runtime.history().positions([commit.place for commit in commits])
    page, last = _Gathered(), commits[-1].number
    for commit in commits[after:]:
        if not page.take(list(events(positions.get(commit.place), commit))):
            return {"items": page.items, "next": commit.number - 1, "as_of": last}
        if len(page.items) >= limit:
            return {
                "items": page.items,
                "next": commit.number if commit.number < last else None,
                "as_of": last,
            }
    return {"items": page.items, "next": None, "as_of": last}


class _Gathered:
    """Events for an answer: whole commits, while there is room."""

    def __init__(self) -> None:
        self.items: list[RecordedEvent] = []
        self.room = ROOM_BYTES

    def take(self, sought: list[RecordedEvent]) -> bool:
        """Add a commit's events; False if there is no room for them behind others.

        What is too large even for a page of its own comes without its data.
        """
        size = _size(sought)
        if size > self.room and not self.items:
            for event in sought:
                event.pop("data", None)
                event.pop("data_base64", None)
                event["lienthongtoolarge"] = True
            size = _size(sought)
        if size > self.room:
            return False
        self.items += sought
        self.room -= size
        return True


class Chunk(NamedTuple):
    """A part of the export: positions `first` to `last`, which `complete` says never changes."""

    first: int
    last: int
    complete: bool
    as_of: int
    data: bytes


def chunk(first: int) -> Chunk:
    """The export from position `first` on: one line of JSON an event.

    It ends after `CHUNK_POSITIONS`, or with the commit that reaches `CHUNK_BYTES`: where, only
    history decides, so a complete one is the same whenever it is asked for.

    Raises:
        PositionNotThereYet: history ends before it.
    """
    as_of = _there(first)
    lines: list[bytes] = []
    size, last, most = 0, first - 1, first + CHUNK_POSITIONS - 1
    for position, _, commit in walk(first - 1, lambda _stream: True):
        if position > as_of:
            break
        assert commit is not None
        for event in events(position, commit):
            line = compact(event) + b"\n"
            lines.append(line)
            size += len(line)
        last = position
        if size >= CHUNK_BYTES or position >= most:
            break
    complete = size >= CHUNK_BYTES or last == most
    return Chunk(first, last, complete, as_of, b"".join(lines))


def export(first: int) -> ExportChunk:
    """A chunk of the export behind a link; see `chunk`."""
    made = chunk(first)
    name = f"{first:012}.jsonl"
    return {
        "first": made.first,
        "last": made.last,
        "next": made.last + 1,
        "complete": made.complete,
        "as_of": made.as_of,
        "size": len(made.data),
        "sha256": sha256(made.data).hexdigest(),
        **files.lend(made.data, "application/jsonl", "exports", name),
    }


def state(deciders: Deciders, stream: str, at: str | None) -> StreamState:
    """What its decider remembered of a stream as of a moment, now if none is given.

    Raises:
        StreamUnknown, StreamNotBegun, PositionNotThereYet, InvalidMoment: as the names say.
    """
    commits = load(stream)
    then = _until(commits, at) if at else commits
    return _standing(deciders, then)


def differences(
    deciders: Deciders, stream: str, before: str, after: str | None
) -> StreamDifferences:
    """What changed in a stream between two moments: its events, and each field that differs.

    A stream that had not begun at the first moment began as nothing.

    Raises:
        StreamUnknown, StreamNotBegun, PositionNotThereYet, InvalidMoment: as the names say.
    """
    commits = load(stream)
    then = _until(commits, before, begun=False)
    now = _until(commits, after) if after else commits
    if len(now) < len(then):
        raise InvalidMoment("The second moment comes before the first", field="to")
    old = _standing(deciders, then) if then else None
    new = _standing(deciders, now)
    between = now[len(then) :]
    positions = runtime.history().positions([commit.place for commit in between])
    was = dict(_leaves(old["state"])) if old else {}
    is_ = dict(_leaves(new["state"]))
    return {
        "stream": stream,
        "from": {"commit": old["commit"] if old else 0, "as_of": old["as_of"] if old else None},
        "to": {"commit": new["commit"], "as_of": new["as_of"]},
        "changed": [
            {"field": field, "before": was.get(field), "after": is_.get(field)}
            for field in sorted(was.keys() | is_.keys())
            if was.get(field, ...) != is_.get(field, ...)
        ],
        "events": [
            event for commit in between for event in events(positions.get(commit.place), commit)
        ],
    }


def load(stream: str) -> list[Commit]:
    """All of a stream.

    Raises:
        StreamUnknown: there is none.
    """
    try:
        commits = runtime.event_store().load(check_stream(stream))
    except ValueError:
        raise StreamUnknown from None
    if not commits:
        raise StreamUnknown
    return commits


def walk(after: int, wanted: Wanted) -> Iterator[Numbered]:
    """History behind a position; commits of streams that are wanted are read, a few at a time.

    Raises:
        Corrupt: a numbered commit is missing or is not the one that was numbered.
    """
    entries = (
        (page.first + offset, page.numbered_at, entry)
        for page in runtime.history().pages(after)
        for offset, entry in enumerate(page.entries)
        if page.first + offset > after
    )
    while some := list(islice(entries, _BATCH)):
        yield from _read(some, wanted)


def _read(some: Sequence[tuple[int, datetime, Entry]], wanted: Wanted) -> Iterator[Numbered]:
    places = [entry.place for _, _, entry in some if wanted(entry.stream)]
    found = runtime.event_store().commits(places) if places else {}
    for position, numbered_at, entry in some:
        commit = found.get(entry.place)
        if wanted(entry.stream) and (commit is None or commit.hash != entry.hash):
            raise Corrupt(f"position {position}: {entry.place} is not what was numbered")
        yield Numbered(position, numbered_at, commit)


def _there(position: int) -> int:
    """The last position there is, if this one is."""
    as_of = end()
    if position > as_of:
        raise PositionNotThereYet(f"history ends at position {as_of}")
    return as_of


def _numbered_before(moment: datetime, last: int) -> int:
    """The position before the first page that can hold what was recorded then, or later."""
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        page = next(iter(runtime.history().pages(middle)))
        if page.numbered_at + SKEW < moment:
            low = page.next - 1
        else:
            high = page.first - 1
    return low


def _until(commits: list[Commit], at: str, *, begun: bool = True) -> list[Commit]:
    """A stream as it was at a moment: as of a position, or a time."""
    moment = _moment(at)
    if isinstance(moment, int):
        _there(moment)
        positions = runtime.history().positions([commit.place for commit in commits])
        then = [c for c in commits if positions.get(c.place, MAX_POSITION) <= moment]
    else:
        then = [commit for commit in commits if commit.recorded_at <= moment]
    if begun and not then:
        raise StreamNotBegun
    return then


def _moment(text: str) -> int | datetime:
    if text.isascii() and text.isdecimal() and len(text) < len(str(MAX_POSITION)):
        return int(text)
    try:
        return _TIME.validate_python(text)
    except ValidationError:
        raise InvalidMoment from None


_TIME: TypeAdapter[datetime] = TypeAdapter(Time)


def _standing(deciders: Deciders, commits: list[Commit]) -> StreamState:
    last = commits[-1]
    decider = deciders[last.stream.partition("-")[0]]
    return {
        "stream": last.stream,
        "commit": last.number,
        "as_of": last.facts["recorded_at"],
        "position": runtime.history().positions([last.place]).get(last.place),
        "hash": b64url(last.hash),
        "state": fold(decider, commits).model_dump(mode="json"),
    }


def _leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that holds no other one, by its place (JSON pointer, RFC 6901)."""
    if not isinstance(value, dict | list) or not value:
        yield pointer, value
        return
    inner: Iterable[tuple[Any, Any]] = (
        value.items() if isinstance(value, dict) else enumerate(value)
    )
    for key, held in inner:
        step = str(key).replace("~", "~0").replace("/", "~1")
        yield from _leaves(held, f"{pointer}/{step}")


def _names(event: RecordedEvent, agency: str) -> bool:
    """Whether an agency's system did it, or it names the agency as the whole of some value."""
    return event["lienthongactor"] == f"system:{agency}" or any(
        value == agency for _, value in _leaves(event.get("data"))
    )


def _size(sought: list[RecordedEvent]) -> int:
    """Bytes of an answer: Lambda wraps it in JSON, where a quotation mark takes two."""
    return len(json.dumps(b",".join(map(compact, sought)).decode()))
