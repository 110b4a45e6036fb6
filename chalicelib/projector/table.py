"""The views' table: every row of every projection, in every generation that is fed.

Row keys begin with `question~generation#`. A rebuild fills the next generation beside the live one
and moves a pointer when it has caught up; the old one is fed for a day more, so that a reader's
page cursor stays good.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
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
from chalicelib.projector.checkpoints import Checkpoints
from chalicelib.projector.projection import Projection
from chalicelib.text import b64url, from_b64url

TOMBSTONE_S = 7 * 86_400
"""How long a deleted row's position is remembered against stale writers."""
RETIRED_S = 86_400
"""How long a replaced generation is still fed."""
WAIT_S = 2.0
"""How long a list waits for a version its caller has seen."""
EXAMINED = 1_000
"""Rows a filtered list looks at before it answers with what it has and a cursor."""
_POLL_S = 0.04
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


class Standing(NamedTuple):
    """A projection's generations, and the position that each fed one has reached."""

    generations: Generations
    reached: dict[int, int]


def _generations(item: dict[str, Any] | None) -> Generations:
    if item is None:
        return Generations(1, None, {})
    building = int(item["building"]["N"]) if "building" in item else None
    retired = {int(g): int(until["N"]) for g, until in item["retired"]["M"].items()}
    return Generations(int(item["live"]["N"]), building, retired)


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

    def generations(self, projection: Projection[Any]) -> Generations:
        """What is read and what is fed."""
        answer = self.checkpoints.dynamodb.get_item(
            TableName=self.checkpoints.table,
            Key={"name": {"S": f"view/{projection.name}"}},
            ConsistentRead=True,
        )
        return _generations(answer.get("Item"))

    def standings(self, projections: Iterable[Projection[Any]]) -> dict[str, Standing]:
        """Where every fed generation of each projection is, by question, in two calls for all."""
        names = [projection.name for projection in projections]
        pointers = self.checkpoints.items(f"view/{name}" for name in names)
        generations = {name: _generations(pointers.get(f"view/{name}")) for name in names}
        items = self.checkpoints.items(
            f"{name}~{generation}" for name in names for generation in generations[name].fed
        )
        reached = {view: int(item["position"]["N"]) for view, item in items.items()}
        return {
            name: Standing(found, {g: reached.get(f"{name}~{g}", 0) for g in found.fed})
            for name, found in generations.items()
        }

    def rebuild(self, projection: Projection[Any]) -> int:
        """Begin to fill a new generation from the first position; returns its number."""
        now = self.generations(projection)
        if now.building:
            return now.building
        following = max([now.live, *now.retired]) + 1
        self._point(projection, now, Generations(now.live, following, now.retired))
        return following

    def switch(self, projection: Projection[Any]) -> None:
        """Read from the new generation from now on; feed the old one for a day."""
        now = self.generations(projection)
        if now.building:
            retired = {g: until for g, until in now.retired.items() if until > time()}
            retired[now.live] = int(time()) + RETIRED_S
            self._point(projection, now, Generations(now.building, None, retired))

    def _point(self, projection: Projection[Any], before: Generations, now: Generations) -> None:
        item: dict[str, Any] = {
            "name": {"S": f"view/{projection.name}"},
            "live": {"N": str(now.live)},
            "retired": {"M": {str(g): {"N": str(until)} for g, until in now.retired.items()}},
        }
        if now.building:
            item["building"] = {"N": str(now.building)}
        try:
            self.checkpoints.dynamodb.put_item(
                TableName=self.checkpoints.table,
                Item=item,
                ConditionExpression="attribute_not_exists(#n) OR #l = :l",
                ExpressionAttributeNames={"#n": "name", "#l": "live"},
                ExpressionAttributeValues={":l": {"N": str(before.live)}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def load(self, view: str, keys: Iterable[str]) -> dict[str, Stored]:
        """The stored rows of `view` (question~generation) among `keys`, read consistently."""
        wanted = [f"{view}#{key}" for key in keys]
        return {
            item.key.split("#", 1)[1]: Stored(item.data, int(item.position))
            for item in self.model.batch_get(wanted, consistent_read=True)
        }

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

    def row(self, projection: Projection[Any], key: str) -> Any:
        """One row of the live generation, or None."""
        return self.rows(projection, [key]).get(key)

    def rows(self, projection: Projection[Any], keys: Iterable[str]) -> dict[str, Any]:
        """Those rows of the live generation that exist."""
        view = f"{projection.name}~{self.generations(projection).live}"
        return {
            key: projection.row.model_validate_json(stored.data)
            for key, stored in self.load(view, dict.fromkeys(keys)).items()
            if stored.data is not None
        }

    def page(
        self,
        projection: Projection[Any],
        *,
        by: str,
        limit: int,
        cursor: str | None = None,
        seen: str | None = None,
        keep: Callable[[dict[str, Any]], bool] | None = None,
        newest_first: bool = False,
    ) -> Listing:
        """A page of the rows grouped under `by`, those that `keep` accepts.

        Waits up to `WAIT_S` until the view holds version `seen`.

        Raises:
            InvalidCursor, InvalidSeen: see there.
        """
        generations = self.generations(projection)
        view, start = self._cursor(projection, generations, by, cursor)
        as_of, stale = self._await(view, seen)
        items: list[dict[str, Any]] = []
        answer = self.model.index.query(
            f"{view}#{by}",
            scan_index_forward=not newest_first,
            last_evaluated_key=start,
            page_size=min(200, max(limit, 20)),
            limit=EXAMINED,
        )
        for found in answer:
            item = {
                "id": found.key.split("#", 1)[1],
                **from_json(found.data),
                "seen": found.seen,
                "updated_at": found.updated_at,
            }
            if keep is None or keep(item):
                items.append(item)
            if len(items) == limit:
                break
        # Behind the last row of everything there is one empty look more, never a missing row.
        behind = answer.last_evaluated_key
        return Listing(items, _cursor_text(view, behind) if behind else None, as_of, stale)

    def _cursor(
        self, projection: Projection[Any], generations: Generations, by: str, cursor: str | None
    ) -> tuple[str, Any]:
        if cursor is None:
            return f"{projection.name}~{generations.live}", None
        try:
            view, key, sort = from_json(from_b64url(cursor))
        except (ValueError, TypeError):
            raise InvalidCursor(field="cursor") from None
        fed = view in [f"{projection.name}~{generation}" for generation in generations.fed]
        # DynamoDB refuses a start outside the list, or one whose parts are empty or too long.
        if not fed or not all(
            isinstance(t, str) and 0 < len(t.encode()) <= _KEY for t in (key, sort)
        ):
            raise InvalidCursor(field="cursor")
        start = {"key": f"{view}#{key}", "by": f"{view}#{by}", "sort": sort}
        return view, {name: {"S": value} for name, value in start.items()}

    def _await(self, view: str, seen: str | None) -> tuple[int, bool]:
        """How far the view is, and whether it still lacks what the caller has seen."""
        if seen is None:
            return self.checkpoints.get(view), False
        stream, _, number = seen.rpartition("@")
        try:
            check_stream(stream)
        except ValueError:
            raise InvalidSeen(field="seen") from None
        if not _NUMBER.fullmatch(number):
            raise InvalidSeen(field="seen")
        if int(number) == 0:
            return self.checkpoints.get(view), False
        place = (stream, int(number))
        deadline = monotonic() + WAIT_S
        position: int | None = None
        while True:
            as_of = self.checkpoints.get(view)
            position = position or self.history.positions([place]).get(place)
            if position is not None and as_of >= position:
                return as_of, False
            if monotonic() > deadline:
                return as_of, True
            sleep(_POLL_S)


def _cursor_text(view: str, behind: Any) -> str:
    return b64url(to_json([view, behind["key"]["S"].split("#", 1)[1], behind["sort"]["S"]]))


def _text(value: Any) -> str:
    """A value as text that sorts as the value does."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:015d}" if isinstance(value, int) else str(value)
