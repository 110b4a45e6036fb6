"""Commits set aside because what should follow from them failed: their streams wait, others go on.

In table `parked`, lane `reactions`, beside the messages that agencies refused. Any number of
runners may set aside and take back: what follows from a commit is carried out once anyway.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from botocore.exceptions import ClientError
from pydantic import AwareDatetime

from chalicelib.kernel import Value

LANE = "reactions"
BEHIND = "behind"
"""The error of a commit that waits for an earlier one of its stream."""
NEWER = "newer"
"""The error of a commit whose events only a newer program knows."""


class ParkedCommit(Value):
    """A commit set aside at `since`: in `reaction` it raised `error`, or it waits (`behind`).

    `error` is the class's name alone: an error's text may quote personal data; `newer` says that
    only a newer program knows the commit's events, and takes it up by itself. `released`: an
    operator has let its stream go, and it is tried again.
    """

    stream: str
    commit: int
    position: int
    reaction: str
    error: str
    since: AwareDatetime
    released: bool = False

    @property
    def ready(self) -> bool:
        """Whether it is tried again, once it is the first of its stream."""
        # Nothing is before it any more, or this program is the newer one that it waited for.
        return self.released or self.error in {BEHIND, NEWER}


@dataclass(frozen=True)
class SetAside:
    """The commits set aside, by stream and position."""

    dynamodb: Any
    table: str

    def put(self, one: ParkedCommit) -> None:
        """Set a commit aside; one that is already stays as it is."""
        self._put(one, "attribute_not_exists(lane)")

    def again(self, one: ParkedCommit) -> None:
        """It was tried once more in vain and is no longer released; one that is gone stays so."""
        self._put(one, "attribute_exists(lane)")

    def done(self, one: ParkedCommit) -> None:
        """What should follow from it has followed."""
        self.dynamodb.delete_item(TableName=self.table, Key=_key(_place(one.stream, one.position)))

    def releasing(self, one: ParkedCommit) -> dict[str, Any]:
        """The update that releases its stream, of which it is the first."""
        return {
            "TableName": self.table,
            "Key": _key(_place(one.stream, one.position)),
            "UpdateExpression": "SET released = :r",
            "ConditionExpression": "attribute_exists(lane)",
            "ExpressionAttributeValues": {":r": {"BOOL": True}},
        }

    def first(self, stream: str) -> ParkedCommit | None:
        """The commit that a stream waits for."""
        return next(self._items(_place(stream)), None)

    def streams(self) -> Iterator[list[ParkedCommit]]:
        """Everything set aside, stream by stream, in order."""
        for _, commits in groupby(self._items(""), lambda one: one.stream):
            yield list(commits)

    def count(self) -> int:
        """How many commits are set aside."""
        return sum(1 for _ in self._items(""))

    def page(self, after: str | None, limit: int) -> tuple[list[ParkedCommit], str | None]:
        """Commits stream by stream; and where the next page begins, if there is one.

        `after` is what the page before answered.
        """
        start = {"ExclusiveStartKey": _key(after)} if after else {}
        answer = self.dynamodb.query(**self._query(""), Limit=limit, **start)
        last = answer.get("LastEvaluatedKey")
        return [_aside(item) for item in answer["Items"]], last["place"]["S"] if last else None

    def _put(self, one: ParkedCommit, condition: str) -> None:
        data = one.model_dump_json(exclude={"released"})
        item = _key(_place(one.stream, one.position)) | {"data": {"S": data}}
        try:
            self.dynamodb.put_item(TableName=self.table, Item=item, ConditionExpression=condition)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def _items(self, prefix: str) -> Iterator[ParkedCommit]:
        pages = self.dynamodb.get_paginator("query").paginate(**self._query(prefix))
        return (_aside(item) for page in pages for item in page["Items"])

    def _query(self, prefix: str) -> dict[str, Any]:
        condition, values = "lane = :l", {":l": {"S": LANE}}
        if prefix:
            condition += " AND begins_with(place, :p)"
            values[":p"] = {"S": prefix}
        return {
            "TableName": self.table,
            "ConsistentRead": True,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
        }


def _place(stream: str, position: int | None = None) -> str:
    # No stream's name holds a `#`, so none can begin like another's place.
    return f"{stream}#" + (f"{position:015}" if position is not None else "")


def _key(place: str) -> dict[str, Any]:
    return {"lane": {"S": LANE}, "place": {"S": place}}


def _aside(item: dict[str, Any]) -> ParkedCommit:
    found = ParkedCommit.model_validate_json(item["data"]["S"])
    return found.model_copy(update={"released": "released" in item})
