"""Each lane's cursor: how far its receiver is served, who is at it, and when to try again.

An agency's lanes can be paused, by an operator or because its system answered that it is gone;
nobody serves them then until an operator resumes them.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from botocore.exceptions import ClientError
from pydantic import AwareDatetime

from chalicelib.kernel import Value

LEASE_S = 90
"""How long a runner may hold a lane without a sign of life: longer than one post may take."""
_BATCH = 100
"""Cursors that are read at once: the most DynamoDB takes."""


LaneKind = Literal["urgent", "normal"]
KINDS: tuple[LaneKind, ...] = ("urgent", "normal")
"""Each agency has a lane of either kind."""


AXIS = "axis"
"""Who began a pause that no operator did."""


class Pause(Value):
    """Why nothing is posted to an agency: `reason` is `gone` (it answered 410) or an operator's.

    `by` is the operator as commits know them, or `axis`.
    """

    reason: str
    at: AwareDatetime
    by: str

    @property
    def ordered(self) -> bool:
        """Whether an operator ordered it, and so knows of what waits."""
        return self.by != AXIS


@dataclass(frozen=True)
class Cursor:
    """A leased lane: `served` is the last sequence number dealt with, `failures` tries since.

    `parked` messages are set aside; those of `released` cases are posted before any other.
    """

    lane: str
    served: int
    failures: int
    due_at: datetime | None
    paused: Pause | None = None
    parked: int = 0
    released: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Lane:
    """How a lane stands: `head` is its newest message, `served` the last one dealt with."""

    lane: str
    head: int
    served: int
    failures: int
    due_at: datetime | None
    paused: Pause | None = None
    parked: int = 0
    released: frozenset[str] = frozenset()

    def due(self, now: datetime) -> bool:
        """Whether there is something to post that may be posted now."""
        waiting = self.served < self.head or bool(self.released)
        return waiting and not self.paused and (self.due_at is None or self.due_at <= now)


class LeaseLost(Exception):  # noqa: N818 -- the outcome of a race, not an error.
    """Another runner has taken the lane over; what it stored is the truth."""


@dataclass(frozen=True)
class Lanes:
    """Cursors in table `lanes`, part `cursor`, beside the heads that the outbox writes."""

    dynamodb: Any
    table: str

    def lease(self, lane: str, owner: str, now: datetime) -> Cursor | None:
        """Take the lane for `LEASE_S`; None while another runner holds it."""
        try:
            answer = self._update(
                lane,
                "SET #o = :o, #u = :u",
                "attribute_not_exists(#o) OR #o = :o OR #u < :now",
                {"#o": "owner", "#u": "until"},
                {
                    ":o": {"S": owner},
                    ":u": {"S": moment(now + timedelta(seconds=LEASE_S))},
                    ":now": {"S": moment(now)},
                },
            )
        except LeaseLost:
            return None
        item = answer["Attributes"]
        return Cursor(lane, *_progress(item))

    def served(self, cursor: Cursor, owner: str, now: datetime) -> Cursor:
        """Move past the next message and prolong the lease.

        Raises:
            LeaseLost: somebody else holds the lane or has moved it.
        """
        answer = self._update(
            cursor.lane,
            "SET #s = :s, #u = :u REMOVE #f, #d",
            "#o = :o AND (attribute_not_exists(#s) OR #s = :b)",
            {"#o": "owner", "#u": "until", "#s": "served", "#f": "failures", "#d": "due_at"},
            {
                ":o": {"S": owner},
                ":u": {"S": moment(now + timedelta(seconds=LEASE_S))},
                ":s": {"N": str(cursor.served + 1)},
                ":b": {"N": str(cursor.served)},
            },
        )
        # A pause that came meanwhile is in the answer.
        return Cursor(cursor.lane, *_progress(answer["Attributes"]))

    def postpone(self, cursor: Cursor, owner: str, due_at: datetime) -> None:
        """Give the lane back; nobody tries again before `due_at`.

        Raises:
            LeaseLost: see `served`.
        """
        self._update(
            cursor.lane,
            "SET #f = :f, #d = :d REMOVE #o, #u",
            "#o = :o",
            {"#o": "owner", "#u": "until", "#f": "failures", "#d": "due_at"},
            {
                ":o": {"S": owner},
                ":f": {"N": str(cursor.failures + 1)},
                ":d": {"S": moment(due_at)},
            },
        )

    def release(self, lane: str, owner: str) -> None:
        """Give the lane back.

        Raises:
            LeaseLost: see `served`.
        """
        names = {"#o": "owner", "#u": "until"}
        self._update(lane, "REMOVE #o, #u", "#o = :o", names, {":o": {"S": owner}})

    def pause(self, agency: str, pause: Pause) -> None:
        """Hold both lanes of an agency; a pause that stands already keeps its reason."""
        for lane in lanes_of(agency):
            self._update(
                lane,
                "SET #p = if_not_exists(#p, :p)",
                None,
                {"#p": "paused"},
                {":p": {"S": pause.model_dump_json()}},
            )

    def resume(self, agency: str) -> None:
        """Let both lanes go on, at once."""
        names = {"#p": "paused", "#f": "failures", "#d": "due_at"}
        for lane in lanes_of(agency):
            # Without a pause there is nothing to end, and a retry keeps its time.
            with suppress(LeaseLost):
                self._update(lane, "REMOVE #p, #f, #d", "attribute_exists(#p)", names, {})

    def cursor(self, lane: str) -> Cursor:
        """How a lane stands."""
        answer = self.dynamodb.get_item(
            TableName=self.table,
            Key={"lane": {"S": lane}, "part": {"S": "cursor"}},
            ConsistentRead=True,
        )
        return Cursor(lane, *_progress(answer.get("Item", {})))

    def idle(self, heads: Mapping[str, int]) -> list[str]:
        """Those lanes of which all up to these heads was dealt with: nobody is on their way to it.

        A runner that is at one of the others looks at its head again before it leaves.
        """
        found: dict[str, int] = {}
        lanes = sorted(heads)
        for start in range(0, len(lanes), _BATCH):
            keys = [
                {"lane": {"S": lane}, "part": {"S": "cursor"}}
                for lane in lanes[start : start + _BATCH]
            ]
            while keys:
                answer = self.dynamodb.batch_get_item(
                    RequestItems={self.table: {"Keys": keys, "ConsistentRead": True}}
                )
                for item in answer["Responses"].get(self.table, []):
                    found[item["lane"]["S"]] = _progress(item)[0]
                keys = answer["UnprocessedKeys"].get(self.table, {}).get("Keys", [])
        return [lane for lane in lanes if found.get(lane, 0) >= heads[lane]]

    def lane(self, lane: str, head: int) -> Lane:
        """How a lane with this newest message stands."""
        found = self.cursor(lane)
        return Lane(
            lane, head, found.served, found.failures, found.due_at,
            found.paused, found.parked, found.released,
        )  # fmt: skip

    def rewinding(self, lane: str, served: int, to: int) -> dict[str, Any]:
        """The update that moves a cursor from `served` back to `to`.

        A runner at work finds its cursor moved and leaves the lane to the next.
        """
        return {
            "TableName": self.table,
            "Key": {"lane": {"S": lane}, "part": {"S": "cursor"}},
            "UpdateExpression": "SET #s = :t REMOVE #f, #d",
            "ConditionExpression": "#s = :s",
            "ExpressionAttributeNames": {"#s": "served", "#f": "failures", "#d": "due_at"},
            "ExpressionAttributeValues": {":s": {"N": str(served)}, ":t": {"N": str(to)}},
        }

    def every(self) -> Iterator[Lane]:
        """Every lane there is: two small items each, a few hundred agencies."""
        heads: dict[str, int] = {}
        cursors: dict[str, dict[str, Any]] = {}
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table, ConsistentRead=True
        )
        for page in pages:
            for item in page["Items"]:
                if item["part"]["S"] == "head":
                    heads[item["lane"]["S"]] = int(item["sequence"]["N"])
                else:
                    cursors[item["lane"]["S"]] = item
        for lane, head in sorted(heads.items()):
            yield Lane(lane, head, *_progress(cursors.get(lane, {})))

    def _update(
        self,
        lane: str,
        update: str,
        condition: str | None,
        names: dict[str, str],
        values: dict[str, Any],
    ) -> Any:
        given = {"ConditionExpression": condition, "ExpressionAttributeValues": values}
        try:
            return self.dynamodb.update_item(
                TableName=self.table,
                Key={"lane": {"S": lane}, "part": {"S": "cursor"}},
                UpdateExpression=update,
                ExpressionAttributeNames=names,
                ReturnValues="ALL_NEW",
                **{name: value for name, value in given.items() if value},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise LeaseLost(lane) from None
            raise


def lanes_of(agency: str) -> list[str]:
    """The names of an agency's lanes."""
    return [f"{agency}#{kind}" for kind in KINDS]


_Progress = tuple[int, int, datetime | None, Pause | None, int, frozenset[str]]


def _progress(item: dict[str, Any]) -> _Progress:
    due_at = datetime.fromisoformat(item["due_at"]["S"]) if "due_at" in item else None
    return (
        int(item.get("served", {"N": "0"})["N"]),
        int(item.get("failures", {"N": "0"})["N"]),
        due_at,
        Pause.model_validate_json(item["paused"]["S"]) if "paused" in item else None,
        int(item.get("parked", {"N": "0"})["N"]),
        frozenset(item.get("released", {"SS": []})["SS"]),
    )


def moment(at: datetime) -> str:
    """A moment as the tables hold it: text that sorts by time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
