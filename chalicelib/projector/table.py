"""The views' table: every row of every projection, in every generation that is fed.

Row keys begin with `question~generation#`. A rebuild fills the next generation beside the live one
and moves a pointer when it has caught up; the old one is fed for a day more, so that a reader's
page cursor stays good.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from time import monotonic, sleep, time
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from pydantic_core import from_json, to_json
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import PutError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from chalicelib.eventstore.store import check_stream
from chalicelib.history.pages import History
from chalicelib.kernel import Invalid, Value
from chalicelib.projector.checkpoints import Checkpoints, positions
from chalicelib.projector.projection import Projection
from chalicelib.text import b64url, from_b64url

TOMBSTONE_S = 7 * 86_400
"""How long a deleted row's position is remembered against stale writers."""
RETIRED_S = 86_400
"""How long a replaced generation is still fed."""
KNOWN_S = 10.0
"""How long single rows are read from a generation without asking whether it was replaced."""
WAIT_S = 2.0
"""How long a list waits for a version its caller has seen."""
EXAMINED = 1_000
"""Rows a filtered list looks at before it answers with what it has and a cursor."""
_POLL_S = 0.04
_POINTER = "view/"
_NUMBER = re.compile(r"[0-9]{1,15}")
_KEY = 1_024
"""Bytes of a sort key, at most (DynamoDB's limit); no row's key is longer either."""


class InvalidCursor(Invalid):
    """This page cursor was not given out here, or is too old."""

    code = "invalid-cursor"
    rule = "Cursors come from `next` and live a day longer than the view they were made for."


class InvalidSeen(Invalid):
    """`seen` must be a version that a write answered with: stream@number."""

    code = "invalid-seen"


class Stored(NamedTuple):
    """A row as stored: its data (None: deleted) and the position that made it."""

    data: str | None
    position: int


class Listing(NamedTuple):
    """A page of a list, true up to position `as_of`; `next` is the cursor behind it.

    `stale` says that the version the caller has seen is not in it yet.
    """

    items: list[dict[str, Any]]
    next: str | None
    as_of: int
    stale: bool


class _Place(NamedTuple):
    """Where a page of a list ended: at this row, in the order of its group."""

    key: str
    sort: str
    group: str


class _Rows:
    """Stored rows of several groups in one order; of equal ones those of the first group first."""

    def __init__(self, groups: list[Any], *, newest_first: bool) -> None:
        self._groups = groups
        self._first = max if newest_first else min
        self._heads = [next(group, None) for group in groups]
        self._at: int | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._at is not None:
            self._heads[self._at] = next(self._groups[self._at], None)
        there = [(n, head) for n, head in enumerate(self._heads) if head is not None]
        if not there:
            raise StopIteration
        self._at, row = self._first(there, key=lambda head: head[1].sort)
        return row

    @property
    def more(self) -> bool:
        """Whether there may be rows behind the last one."""
        if self._at is None:
            return False
        others = (head for n, head in enumerate(self._heads) if n != self._at)
        return bool(self._groups[self._at].last_evaluated_key) or any(
            head is not None for head in others
        )


class Generations(NamedTuple):
    """A projection's generations: which is read, which is being filled, which still are fed."""

    live: int
    building: int | None
    retired: dict[int, int]

    @property
    def fed(self) -> list[int]:
        """Every generation the projector keeps current."""
        now = time()
        kept = [number for number, until in self.retired.items() if until > now]
        return [self.live, *([self.building] if self.building else []), *kept]


def _generations(item: Mapping[str, Any], question: str) -> Generations:
    if (pointer := item.get(f"{_POINTER}{question}")) is None:
        return Generations(1, None, {})
    found = pointer["M"]
    building = int(found["building"]["N"]) if "building" in found else None
    retired = {int(g): int(until["N"]) for g, until in found["retired"]["M"].items()}
    return Generations(int(found["live"]["N"]), building, retired)


def current(item: Mapping[str, Any]) -> dict[str, int]:
    """How far every follower is by the checkpoints' item; of views those generations that are read.

    A view is named with its generation: `who_takes_part~1`.
    """
    found = {}
    for name, position in positions(item).items():
        question, _, generation = name.partition("~")
        if not generation or int(generation) == _generations(item, question).live:
            found[name] = position
    return found


def questions(item: Mapping[str, Any]) -> set[str]:
    """Every question that is answered, by the checkpoints' item."""
    return {name.partition("~")[0] for name in positions(item) if "~" in name}


def building(item: Mapping[str, Any]) -> dict[str, int]:
    """How far every generation is that is being filled, by the checkpoints' item."""
    reached = positions(item)
    found = {question: _generations(item, question).building for question in questions(item)}
    views = [f"{question}~{number}" for question, number in found.items() if number]
    return {view: reached.get(view, 0) for view in views}


def row_model(table: str, region: str) -> type[Model]:
    """The one pynamodb model, bound to a table."""

    class By(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]  # pynamodb is untyped here.
        """Rows by group, in order; a deleted row is in no group."""

        class Meta:
            index_name = "by_sort"
            projection = AllProjection()

        by = UnicodeAttribute(hash_key=True)
        sort = UnicodeAttribute(range_key=True)

    class StoredRow(Model):
        """One row of one projection."""

        class Meta:
            table_name = table

        key = UnicodeAttribute(hash_key=True)
        by = UnicodeAttribute(null=True)
        sort = UnicodeAttribute(null=True)
        data = UnicodeAttribute(null=True)
        seen = UnicodeAttribute()
        updated_at = UnicodeAttribute()
        position = NumberAttribute()
        expires = NumberAttribute(null=True)
        index = By()

    StoredRow.Meta.region = region  # type: ignore[attr-defined]  # pynamodb reads it from Meta.
    return StoredRow


@dataclass(frozen=True)
class Views:
    """Reads and writes rows; knows each projection's generations."""

    model: Any
    checkpoints: Checkpoints
    history: History
    _known: dict[str, tuple[int, float]] = field(default_factory=dict, repr=False, compare=False)
    _signed: set[str] = field(default_factory=set, repr=False, compare=False)

    def generations(
        self, projection: Projection[Any], item: Mapping[str, Any] | None = None
    ) -> Generations:
        """What is read and what is fed; by the checkpoints' `item`, for who has it at hand."""
        known = self.checkpoints.item() if item is None else item
        return _generations(known, projection.name)

    def rebuild(self, projection: Projection[Any]) -> int:
        """Begin to fill a new generation from the first position; returns its number."""
        generation, update = self.rebuilding(projection.name)
        if update:
            self._point(update)
        return generation

    def rebuilding(self, question: str) -> tuple[int, dict[str, Any] | None]:
        """The generation that is filled next, and the update behind `rebuild`; None if it is."""
        now = _generations(self.checkpoints.item(), question)
        if now.building:
            return now.building, None
        following = max([now.live, *now.retired]) + 1
        return following, self._pointing(question, now, now._replace(building=following))

    def switch(self, projection: Projection[Any]) -> None:
        """Read from the new generation from now on, if it is as far; feed the old one for a day."""
        now = self.generations(projection)
        if now.building:
            retired = {g: until for g, until in now.retired.items() if until > time()}
            retired[now.live] = int(time()) + RETIRED_S
            after = Generations(now.building, None, retired)
            self._point(self._pointing(projection.name, now, after))

    def _pointing(self, question: str, before: Generations, now: Generations) -> dict[str, Any]:
        """The update that makes `before` into `now`."""
        pointer: dict[str, Any] = {
            "live": {"N": str(now.live)},
            "retired": {"M": {str(g): {"N": str(until)} for g, until in now.retired.items()}},
        }
        if now.building:
            pointer["building"] = {"N": str(now.building)}
        update, condition = "SET #v = :v", "(attribute_not_exists(#v) OR #v.#l = :l)"
        names = {"#v": f"{_POINTER}{question}", "#l": "live"}
        if now.live != before.live:
            # Both positions are in this item, so no reader is ever taken back.
            condition += " AND (attribute_not_exists(#b) OR #n >= #b)"
            names |= {
                "#b": f"{question}~{before.live}",
                "#n": f"{question}~{now.live}",
            }
        if dropped := before.retired.keys() - now.retired.keys():
            update += " REMOVE " + ", ".join(f"#r{generation}" for generation in sorted(dropped))
            names |= {f"#r{generation}": f"{question}~{generation}" for generation in dropped}
        return {
            **self.checkpoints.place,
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {
                ":v": {"M": pointer},
                ":l": {"N": str(before.live)},
            },
        }

    def _point(self, update: dict[str, Any]) -> None:
        try:
            self.checkpoints.dynamodb.update_item(**update)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def sign(
        self, projections: Iterable[Projection[Any]], item: Mapping[str, Any], *, again: bool
    ) -> None:
        """Note in which form this program feeds its views, and fill anew what another has fed.

        To be called before anything is fed; `item` is the checkpoints'. What this process has
        signed it does not look at again, unless it is asked to.
        """
        found = [(projection, _generations(item, projection.name)) for projection in projections]
        forms = {f"{p.name}~{number}": p.form for p, now in found for number in now.fed}
        if not again and forms.keys() <= self._signed:
            return
        signed = self.checkpoints.forms()
        for projection, now in found:
            others = signed.get(f"{projection.name}~{now.live}", set()) - {projection.form}
            if others and not now.building:
                self.rebuild(projection)
        ours = {projection.name for projection, _ in found}
        gone = {view for view in signed.keys() - forms.keys() if view.partition("~")[0] in ours}
        fresh = {view: form for view, form in forms.items() if form not in signed.get(view, set())}
        self.checkpoints.sign(fresh, gone)
        self._signed.update(forms)

    def load(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """The stored rows among `wanted`, each (view, key), read consistently.

        A view is `question~generation`; rows of many views are read together.
        """
        found = self.model.batch_get(
            [f"{view}#{key}" for view, key in wanted], consistent_read=True
        )
        return {_address(item.key): Stored(item.data, int(item.position)) for item in found}

    def save(
        self,
        projection: Projection[Any],
        view: str,
        key: str,
        row: Value | None,
        made: tuple[int, str, datetime],
    ) -> None:
        """Write a row with the (position, version, time) that made it, if no later one is there."""
        position, seen, updated_at = made
        item = self.model(
            f"{view}#{key}", seen=seen, updated_at=_text(updated_at), position=position
        )
        if row is None:
            item.expires = int(time()) + TOMBSTONE_S
        else:
            item.data = row.model_dump_json()
            if (group := getattr(row, projection.by)) is not None:
                item.by = f"{view}#{group}"
                item.sort = _text(getattr(row, projection.sort))
        fresh = self.model.position.does_not_exist() | (self.model.position < position)
        try:
            item.save(condition=fresh)
        except PutError as error:
            if error.cause_response_code != "ConditionalCheckFailedException":
                raise

    def _live(self, projection: Projection[Any]) -> int:
        """The generation that is read, or was a moment ago: one that was replaced is still fed."""
        live, until = self._known.get(projection.name, (0, 0.0))
        if monotonic() >= until:
            live = self.generations(projection).live
            self._known[projection.name] = live, monotonic() + KNOWN_S
        return live

    def row(self, projection: Projection[Any], key: str) -> Any:
        """One row of the live generation, or None."""
        return self.rows(projection, [key]).get(key)

    def rows(self, projection: Projection[Any], keys: Iterable[str]) -> dict[str, Any]:
        """Those rows of the live generation that exist."""
        found = self.together((projection, key) for key in keys)
        return {key: row for (_, key), row in found.items()}

    def together(self, wanted: Iterable[tuple[Projection[Any], str]]) -> dict[tuple[str, str], Any]:
        """Rows of several questions in one read, by (question, key); those that exist."""
        wanted = list(wanted)
        questions = {p.name: p for p, _ in wanted}
        live = {name: f"{name}~{self._live(p)}" for name, p in questions.items()}
        stored = self.load((live[p.name], key) for p, key in wanted)
        found = {(p.name, key): stored.get((live[p.name], key)) for p, key in wanted}
        return {
            (name, key): questions[name].stored(row.data)
            for (name, key), row in found.items()
            if row is not None and row.data is not None
        }

    def due(
        self, projection: Projection[Any], by: str, until: datetime
    ) -> Iterator[tuple[str, str, Any]]:
        """The live rows grouped under `by` whose moment has come, earliest first.

        Of each its key, the version (`stream@number`) that made it, and the row. They are read as
        they are asked for, and may already be dealt with: a view follows.
        """
        view = f"{projection.name}~{self.generations(projection).live}"
        for found in self.model.index.query(f"{view}#{by}", self.model.sort <= _text(until)):
            yield _address(found.key)[1], found.seen, projection.stored(found.data)

    def every(self, projection: Projection[Any], by: str) -> Iterator[Any]:
        """All live rows grouped under `by`, in order, read as they are asked for."""
        view = f"{projection.name}~{self.generations(projection).live}"
        for found in self.model.index.query(f"{view}#{by}"):
            yield projection.stored(found.data)

    def page(
        self,
        projection: Projection[Any],
        *,
        by: str | list[str],
        limit: int,
        cursor: str | None = None,
        seen: str | None = None,
        keep: Callable[[dict[str, Any]], bool] | None = None,
        newest_first: bool = False,
    ) -> Listing:
        """A page of the rows grouped under `by`, those that `keep` accepts.

        Those of several groups are in one order; where it does not tell them apart, group by group.
        Waits up to `WAIT_S` until the view holds version `seen`.

        Raises:
            InvalidCursor, InvalidSeen: see there.
        """
        item = self.checkpoints.item()
        generations = self.generations(projection, item)
        groups = [by] if isinstance(by, str) else sorted(by)
        view, start = self._cursor(projection, generations, groups, cursor)
        as_of, stale = self._await(view, seen, positions(item).get(view, 0))
        items: list[dict[str, Any]] = []
        rows = _Rows(
            [
                self.model.index.query(
                    f"{view}#{group}",
                    **self._behind(view, group, start, newest_first=newest_first),
                    scan_index_forward=not newest_first,
                    page_size=min(200, max(limit, 20)),
                    limit=EXAMINED,
                )
                for group in groups
            ],
            newest_first=newest_first,
        )
        for found in islice(rows, EXAMINED):
            row = {
                "id": _address(found.key)[1],
                **from_json(found.data),
                "seen": found.seen,
                "updated_at": found.updated_at,
            }
            if keep is None or keep(row):
                items.append(row)
            if len(items) == limit:
                break
        # Behind the last row of everything there is one empty look more, never a missing row.
        next_ = _cursor_text(found, several=len(groups) > 1) if rows.more else None
        return Listing(items, next_, as_of, stale)

    def _behind(
        self, view: str, group: str, start: _Place | None, *, newest_first: bool
    ) -> dict[str, Any]:
        """How to ask for the rows of a group that come after a row, be it of another group."""
        if start is None:
            return {}
        if group != start.group:
            # Of its equals those of later groups are still to come, those of earlier ones are not.
            order = (operator.lt, operator.le) if newest_first else (operator.gt, operator.ge)
            compare = order[group > start.group]
            return {"range_key_condition": compare(self.model.sort, start.sort)}
        key = {"key": f"{view}#{start.key}", "by": f"{view}#{group}", "sort": start.sort}
        return {"last_evaluated_key": {name: {"S": value} for name, value in key.items()}}

    def _cursor(
        self,
        projection: Projection[Any],
        generations: Generations,
        groups: list[str],
        cursor: str | None,
    ) -> tuple[str, _Place | None]:
        if cursor is None:
            return f"{projection.name}~{generations.live}", None
        try:
            view, key, sort, *group = from_json(from_b64url(cursor))
        except (ValueError, TypeError):
            raise InvalidCursor(field="cursor") from None
        fed = view in [f"{projection.name}~{generation}" for generation in generations.fed]
        # DynamoDB refuses a start outside the list, or one whose parts are empty or too long.
        if (
            not fed
            or group[1:]
            or not all(
                isinstance(t, str) and 0 < len(t.encode()) <= _KEY for t in (key, sort, *group)
            )
        ):
            raise InvalidCursor(field="cursor")
        # One that names no group was made for one; of several now none of its equals is left out.
        [own] = group or (groups if len(groups) == 1 else [""])
        return view, _Place(key, sort, own)

    def _await(self, view: str, seen: str | None, as_of: int) -> tuple[int, bool]:
        """How far the view is, and whether it still lacks what the caller has seen."""
        if seen is None:
            return as_of, False
        stream, _, number = seen.rpartition("@")
        try:
            check_stream(stream)
        except ValueError:
            raise InvalidSeen(field="seen") from None
        if not _NUMBER.fullmatch(number):
            raise InvalidSeen(field="seen")
        if int(number) == 0:
            return as_of, False
        place = (stream, int(number))
        deadline = monotonic() + WAIT_S
        position: int | None = None
        while True:
            position = position or self.history.positions([place]).get(place)
            if position is not None and as_of >= position:
                return as_of, False
            if monotonic() > deadline:
                return as_of, True
            sleep(_POLL_S)
            as_of = self.checkpoints.get(view)


def _address(key: str) -> tuple[str, str]:
    """The view and the row's own key in a stored key."""
    view, _, own = key.partition("#")
    return view, own


def _cursor_text(behind: Any, *, several: bool) -> str:
    view, key = _address(behind.key)
    group = [_address(behind.by)[1]] if several else []
    return b64url(to_json([view, key, behind.sort, *group]))


def _text(value: Any) -> str:
    """A value as text that sorts as the value does."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:015d}" if isinstance(value, int) else str(value)
