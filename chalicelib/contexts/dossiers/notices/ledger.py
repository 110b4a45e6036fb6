"""What was told to applicants, and what is still to be told: one row for each notice.

A row goes from `waiting` to `sending` and from there to `sent` or `failed`; only what surely did
not go out waits again. One that stays `sending` belonged to a worker that died: whether it went
out nobody knows, so it is not sent again. A row names no person and no address.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from botocore.exceptions import ClientError
from pydantic import AwareDatetime

from chalicelib import runtime
from chalicelib.delivery.lanes import moment
from chalicelib.kernel import Value

Way = Literal["email", "sms", "webhook"]
State = Literal["waiting", "sending", "sent", "failed"]
KEPT = timedelta(days=400)
"""How long it is known what was told: a year, and some."""
INDEX = "by_due"


class Notice(Value):
    """One event to be told to the applicant of its dossier, by the way they chose.

    The event is number `index` of its commit and happened at `at`. `tries` counts how often it was
    sent in vain, `changed_at` is when its state changed, `reason` why it failed, as one word.
    """

    stream: str
    commit: int
    index: int
    type: str
    at: AwareDatetime
    way: Way
    state: State = "waiting"
    tries: int = 0
    reason: str = ""
    changed_at: AwareDatetime

    @property
    def place(self) -> str:
        """Its place among the notices of its dossier."""
        return f"{self.commit:09}#{self.index:03}"


@dataclass(frozen=True)
class Ledger:
    """The notices, in DynamoDB table `table`; those that wait also by when they are due."""

    dynamodb: Any
    table: str

    def put(self, notice: Notice) -> None:
        """Write down what is to be told; what is written down already stays as it is."""
        self._write(notice, "attribute_not_exists(#stream)", {"#stream": "stream"}, {})

    def begin(self, notice: Notice, now: datetime) -> Notice | None:
        """Say that it is being sent now; None if somebody else has said so."""
        begun = notice.model_copy(update={"state": "sending", "changed_at": now})
        return begun if self._change(notice, begun) else None

    def end(self, begun: Notice, now: datetime, state: Literal["sent", "failed"], why: str) -> None:
        """Say what came of it."""
        update = {"state": state, "reason": why, "changed_at": now}
        self._change(begun, begun.model_copy(update=update))

    def again(self, begun: Notice, now: datetime, due: datetime, why: str) -> None:
        """It surely did not go out: it waits until `due`."""
        update = {"state": "waiting", "tries": begun.tries + 1, "reason": why, "changed_at": now}
        self._change(begun, begun.model_copy(update=update), due)

    def due(self, now: datetime, limit: int) -> list[Notice]:
        """Notices that wait to be sent, those due first; perhaps not the newest."""
        answer = self.dynamodb.query(
            TableName=self.table,
            IndexName=INDEX,
            Limit=limit,
            KeyConditionExpression="waiting = :w AND due <= :n",
            ExpressionAttributeValues={":w": {"S": "waiting"}, ":n": {"S": moment(now)}},
        )
        return [_notice(item) for item in answer["Items"]]

    def about(self, stream: str) -> Iterator[Notice]:
        """What was told of one dossier, in the order it happened."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="#stream = :s",
            ExpressionAttributeNames={"#stream": "stream"},
            ExpressionAttributeValues={":s": {"S": stream}},
        )
        return (_notice(item) for page in pages for item in page["Items"])

    def _change(self, before: Notice, after: Notice, due: datetime | None = None) -> bool:
        """Write `after` if the row is still as it was `before`."""
        return self._write(
            after,
            "#state = :state AND tries = :tries",
            {"#state": "state"},
            {":state": {"S": before.state}, ":tries": {"N": str(before.tries)}},
            due,
        )

    def _write(
        self,
        notice: Notice,
        condition: str,
        names: dict[str, str],
        values: dict[str, Any],
        due: datetime | None = None,
    ) -> bool:
        item = {
            "stream": {"S": notice.stream},
            "place": {"S": notice.place},
            "state": {"S": notice.state},
            "tries": {"N": str(notice.tries)},
            "data": {"S": notice.model_dump_json()},
            "expires": {"N": str(int((notice.at + KEPT).timestamp()))},
        }
        if notice.state == "waiting":
            # Only what waits is in the index.
            item |= {"waiting": {"S": "waiting"}, "due": {"S": moment(due or notice.changed_at)}}
        given = {"ExpressionAttributeValues": values} if values else {}
        try:
            self.dynamodb.put_item(
                TableName=self.table,
                Item=item,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                **given,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


def _notice(item: dict[str, Any]) -> Notice:
    return Notice.model_validate_json(item["data"]["S"])


def ledger() -> Ledger:
    """The deployment's notices."""
    return Ledger(runtime.client("dynamodb"), runtime.table("notices"))
