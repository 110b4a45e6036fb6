"""Each lane's cursor: how far its receiver is served, who is at it, and when to try again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

LEASE_S = 90
"""How long a runner may hold a lane without a sign of life: longer than one post may take."""


@dataclass(frozen=True)
class Cursor:
    """A leased lane: `served` is the last sequence number dealt with, `failures` tries since."""

    lane: str
    served: int
    failures: int
    due_at: datetime | None


@dataclass(frozen=True)
class Lane:
    """How a lane stands: `head` is its newest message, `served` the last one dealt with."""

    lane: str
    head: int
    served: int
    failures: int
    due_at: datetime | None


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
                    ":u": {"S": _text(now + timedelta(seconds=LEASE_S))},
                    ":now": {"S": _text(now)},
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
        following = Cursor(cursor.lane, cursor.served + 1, 0, None)
        self._update(
            cursor.lane,
            "SET #s = :s, #u = :u REMOVE #f, #d",
            "#o = :o AND (attribute_not_exists(#s) OR #s = :b)",
            {"#o": "owner", "#u": "until", "#s": "served", "#f": "failures", "#d": "due_at"},
            {
                ":o": {"S": owner},
                ":u": {"S": _text(now + timedelta(seconds=LEASE_S))},
                ":s": {"N": str(following.served)},
                ":b": {"N": str(cursor.served)},
            },
        )
        return following

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
                ":d": {"S": _text(due_at)},
            },
        )

    def release(self, lane: str, owner: str) -> None:
        """Give the lane back.

        Raises:
            LeaseLost: see `served`.
        """
        names = {"#o": "owner", "#u": "until"}
        self._update(lane, "REMOVE #o, #u", "#o = :o", names, {":o": {"S": owner}})

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
        self, lane: str, update: str, condition: str, names: dict[str, str], values: dict[str, Any]
    ) -> Any:
        try:
            return self.dynamodb.update_item(
                TableName=self.table,
                Key={"lane": {"S": lane}, "part": {"S": "cursor"}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise LeaseLost(lane) from None
            raise


def _progress(item: dict[str, Any]) -> tuple[int, int, datetime | None]:
    due_at = datetime.fromisoformat(item["due_at"]["S"]) if "due_at" in item else None
    return (
        int(item.get("served", {"N": "0"})["N"]),
        int(item.get("failures", {"N": "0"})["N"]),
        due_at,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
