"""Messages set aside: what a receiver refused for good, and all that follows it in its case.

Only the runner that holds a lane puts messages here or takes them out, each time in one
transaction with the lane's cursor. So the order within a case needs no lock of its own: where
anything of a case is here, all that follows comes here too; an operator merely marks the case as
released.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError
from pydantic import AwareDatetime

from chalicelib.delivery.lanes import LEASE_S, Cursor, Lanes, LeaseLost, moment
from chalicelib.delivery.outbox import Message
from chalicelib.kernel import Value

BEHIND = "behind"
"""The reason of a message that waits for an earlier one of its case."""


class Abandonment(Value):
    """An operator's order to try a message no more, with the reason, in words for others."""

    reason: str
    at: AwareDatetime
    by: str


class ParkedMessage(Value):
    """A message set aside at `at`. `reason` is the refusal (`422 code`), `not-composed`, `behind`.

    `released`: an operator has let its case go, and it will be posted when its turn comes; unless
    it is `given_up`: then it goes, and its case goes on with what waits behind it.
    """

    lane: str
    case: str
    sequence: int
    message: str
    type: str
    reason: str
    at: AwareDatetime
    given_up: Abandonment | None = None
    released: bool = False


@dataclass(frozen=True)
class Parking:
    """Parked messages in table `parked` (lane, place: case and sequence number)."""

    dynamodb: Any
    table: str
    lanes: Lanes

    def of(self, lane: str, case: str) -> list[ParkedMessage]:
        """A case's parked messages, in order."""
        return [_parked(item) for item in self._items(lane, _case(case))]

    def park(
        self, cursor: Cursor, owner: str, message: Message, reason: str, now: datetime
    ) -> Cursor:
        """Set the lane's next message aside and move past it.

        Raises:
            LeaseLost: somebody else holds the lane or has moved it; nothing was written.
        """
        parked = ParkedMessage(
            lane=message.lane,
            case=message.case,
            sequence=message.sequence,
            message=message.id,
            type=message.type,
            reason=reason,
            at=now,
        )
        put = self._put(parked) | {"ConditionExpression": "attribute_not_exists(lane)"}
        return self._write(
            {"Put": put}, cursor, owner, now, "SET #s = :s, #u = :u ADD #k :k REMOVE #f, #d",
            {"#s": "served", "#k": "parked"},
            {":s": {"N": str(cursor.served + 1)}, ":k": {"N": "1"}},
        )  # fmt: skip

    def taken(self, cursor: Cursor, owner: str, parked: ParkedMessage, now: datetime) -> Cursor:
        """The receiver has it after all, or it was given up.

        Raises:
            LeaseLost: see `park`.
        """
        delete = {
            "TableName": self.table,
            "Key": _key(parked),
            "ConditionExpression": "attribute_exists(lane)",
        }
        return self._write(
            {"Delete": delete}, cursor, owner, now, "SET #u = :u ADD #k :k REMOVE #f, #d",
            {"#k": "parked"}, {":k": {"N": "-1"}},
        )  # fmt: skip

    def refused(
        self, cursor: Cursor, owner: str, parked: ParkedMessage, reason: str, now: datetime
    ) -> Cursor:
        """The receiver refuses it again: it stays, and its case is no longer released.

        Raises:
            LeaseLost: see `park`.
        """
        put = self._put(parked.model_copy(update={"reason": reason}))
        # Given up while it was posted: the order stands, and the next run carries it out.
        put["ConditionExpression"] = "attribute_not_exists(given_up)"
        return self._write(
            {"Put": put}, cursor, owner, now, "SET #u = :u REMOVE #f, #d DELETE #r :r",
            {"#r": "released"}, {":r": {"SS": [parked.case]}},
        )  # fmt: skip

    def settled(self, cursor: Cursor, owner: str, case: str, now: datetime) -> Cursor:
        """Nothing of a released case is left here.

        Raises:
            LeaseLost: see `park`.
        """
        return self._write(
            None, cursor, owner, now, "SET #u = :u DELETE #r :r",
            {"#r": "released"}, {":r": {"SS": [case]}},
        )  # fmt: skip

    def release(self, lane: str, case: str) -> None:
        """Let a case go: the lane's runner posts what is parked of it, in order."""
        self.dynamodb.update_item(**self.releasing(lane, case))

    def releasing(self, lane: str, case: str) -> dict[str, Any]:
        """The update behind `release`."""
        return {
            **self._cursor(lane),
            "UpdateExpression": "ADD #r :r",
            "ExpressionAttributeNames": {"#r": "released"},
            "ExpressionAttributeValues": {":r": {"SS": [case]}},
        }

    def giving_up(self, parked: ParkedMessage, order: Abandonment) -> list[dict[str, Any]]:
        """The updates by which the first of a case is given up, and its case let go."""
        mark = {
            "TableName": self.table,
            "Key": _key(parked),
            "UpdateExpression": "SET given_up = :g",
            "ConditionExpression": "attribute_exists(lane)",
            "ExpressionAttributeValues": {":g": {"S": order.model_dump_json()}},
        }
        return [mark, self.releasing(parked.lane, parked.case)]

    def page(
        self, lane: str, after: str | None, limit: int
    ) -> tuple[list[ParkedMessage], str | None]:
        """Parked messages of a lane, case by case; and where the next page begins, if there is one.

        `after` is what the page before answered.
        """
        answer = self.dynamodb.query(
            **self._query(lane, ""),
            Limit=limit,
            **(
                {"ExclusiveStartKey": {"lane": {"S": lane}, "place": {"S": after}}} if after else {}
            ),
        )
        released = self.lanes.cursor(lane).released
        found = [_parked(item) for item in answer["Items"]]
        shown = [p.model_copy(update={"released": p.case in released}) for p in found]
        last = answer.get("LastEvaluatedKey")
        return shown, last["place"]["S"] if last else None

    def _put(self, parked: ParkedMessage) -> dict[str, Any]:
        data = parked.model_dump_json(exclude={"given_up", "released"})
        return {"TableName": self.table, "Item": _key(parked) | {"data": {"S": data}}}

    def _cursor(self, lane: str) -> dict[str, Any]:
        return {
            "TableName": self.lanes.table,
            "Key": {"lane": {"S": lane}, "part": {"S": "cursor"}},
        }

    def _write(
        self,
        also: dict[str, Any] | None,
        cursor: Cursor,
        owner: str,
        now: datetime,
        update: str,
        names: dict[str, str],
        values: dict[str, Any],
    ) -> Cursor:
        """Both or neither: the cursor's update and what goes with it, while we hold the lane."""
        until = moment(now + timedelta(seconds=LEASE_S))
        used = {"#f": "failures", "#d": "due_at"} if "#f" in update else {}
        moved = {
            **self._cursor(cursor.lane),
            "UpdateExpression": update,
            "ConditionExpression": "#o = :o AND (attribute_not_exists(#b) OR #b = :b)",
            "ExpressionAttributeNames": {
                "#o": "owner", "#u": "until", "#b": "served", **used, **names,
            },
            "ExpressionAttributeValues": {
                ":o": {"S": owner}, ":u": {"S": until}, ":b": {"N": str(cursor.served)}, **values,
            },
        }  # fmt: skip
        parts: Iterable[dict[str, Any]] = [{"Update": moved}, *([also] if also else [])]
        try:
            self.dynamodb.transact_write_items(TransactItems=parts)
        except ClientError as error:
            if error.response["Error"]["Code"] == "TransactionCanceledException":
                raise LeaseLost(cursor.lane) from None
            raise
        return self.lanes.cursor(cursor.lane)

    def _items(self, lane: str, prefix: str) -> Iterator[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("query").paginate(**self._query(lane, prefix))
        for page in pages:
            yield from page["Items"]

    def _query(self, lane: str, prefix: str) -> dict[str, Any]:
        values = {":l": {"S": lane}}
        condition = "lane = :l"
        if prefix:
            condition += " AND begins_with(place, :p)"
            values[":p"] = {"S": prefix}
        return {
            "TableName": self.table,
            "ConsistentRead": True,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
        }


def _case(case: str) -> str:
    # Quoted, so that no case's name can begin like another's place.
    return quote(case, safe="") + "#"


def _key(parked: ParkedMessage) -> dict[str, Any]:
    place = f"{_case(parked.case)}{parked.sequence:012}"
    return {"lane": {"S": parked.lane}, "place": {"S": place}}


def _parked(item: dict[str, Any]) -> ParkedMessage:
    parked = ParkedMessage.model_validate_json(item["data"]["S"])
    if "given_up" not in item:
        return parked
    order = Abandonment.model_validate_json(item["given_up"]["S"])
    return parked.model_copy(update={"given_up": order})
