"""A shelf on DynamoDB: table `events` (stream, number), with `counters`, `commands` and a bucket.

There is no update and no delete of a commit here, and IAM gives nobody the right to one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from time import time
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.eventstore.store import (
    CLAIM_CHECK_BYTES,
    Claim,
    Claimed,
    Commit,
    Contended,
    Corrupt,
    Lost,
    NumberTaken,
    Place,
    Take,
)

BATCH = 100
"""BatchGetItem's limit."""
COMMAND_DAYS = 90
"""How long a command id is remembered across streams; within its own stream it is for ever."""


@dataclass(frozen=True)
class DynamoShelf:
    """Commits in DynamoDB; bodies over `CLAIM_CHECK_BYTES` in S3 under `bodies/<digest>`."""

    dynamodb: Any
    s3: Any
    events: str
    counters: str
    commands: str
    bucket: str

    def put(self, commit: Commit, take: Take | None, claim: Claim | None) -> None:
        """One conditional `PutItem`, or one transaction with the counter and the claim.

        A conflict costs no read: DynamoDB hands back the item that stands in the way.
        """
        put = {
            "TableName": self.events,
            "Item": self._item(commit),
            "ConditionExpression": "attribute_not_exists(#s)",
            "ExpressionAttributeNames": {"#s": "stream"},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if take is None and claim is None:
            try:
                self.dynamodb.put_item(**put)
            except ClientError as error:
                match error.response["Error"]["Code"]:
                    case "ConditionalCheckFailedException":
                        raise Lost(self._commit(error.response["Item"])) from None
                    case "TransactionConflictException":
                        raise Contended from None
                raise
            return
        parts: list[tuple[str, dict[str, Any]]] = [("Put", put)]
        if claim:
            parts.append(("Put", self._claim_put(claim)))
        if take:
            parts.append(("Update", self._take_update(take)))
        try:
            self.dynamodb.transact_write_items(
                TransactItems=[{operation: part} for operation, part in parts]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            self._explain(error, claim)

    def _explain(self, error: ClientError, claim: Claim | None) -> None:
        """Turn a cancelled transaction into the outcome that caused it."""
        reasons = error.response["CancellationReasons"]
        failed = [reason.get("Code") == "ConditionalCheckFailed" for reason in reasons]
        if failed[0]:
            raise Lost(self._commit(reasons[0]["Item"])) from None
        if claim and failed[1]:
            raise Claimed(_claim(reasons[1]["Item"])) from None
        if any(failed):
            raise NumberTaken from None
        if any(reason.get("Code") == "TransactionConflict" for reason in reasons):
            raise Contended from None
        raise error

    def _claim_put(self, claim: Claim) -> dict[str, Any]:
        return {
            "TableName": self.commands,
            "Item": {
                "command": {"S": claim.command},
                "stream": {"S": claim.stream},
                "digest": {"S": claim.digest},
                "expires": {"N": str(int(time()) + COMMAND_DAYS * 86_400)},
            },
            "ConditionExpression": "attribute_not_exists(command)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _take_update(self, take: Take) -> dict[str, Any]:
        values = {":n": {"N": str(take.number)}, ":before": {"N": str(take.number - 1)}}
        first = take.number == 1
        return {
            "TableName": self.counters,
            "Key": {"name": {"S": take.name}},
            "UpdateExpression": "SET #v = :n",
            "ConditionExpression": "attribute_not_exists(#v)" if first else "#v = :before",
            "ExpressionAttributeNames": {"#v": "value"},
            "ExpressionAttributeValues": {":n": values[":n"]} if first else values,
        }

    def stream(self, stream: str, after: int, up_to: int | None) -> Iterable[Commit]:
        """A stream in order, read consistently, however many pages it fills."""
        bounds = {":s": {"S": stream}, ":a": {"N": str(after + 1)}}
        condition = "#s = :s AND #n >= :a"
        if up_to is not None:
            if up_to <= after:
                return  # DynamoDB refuses a range that ends before it begins.
            bounds[":b"] = {"N": str(up_to)}
            condition = "#s = :s AND #n BETWEEN :a AND :b"
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.events,
            ConsistentRead=True,
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#s": "stream", "#n": "number"},
            ExpressionAttributeValues=bounds,
        )
        for page in pages:
            for item in page["Items"]:
                yield self._commit(item)

    def commits(self, places: Sequence[Place]) -> dict[Place, Commit]:
        """Those of `places` that exist."""
        return {
            commit.place: commit for item in self._get(places) for commit in [self._commit(item)]
        }

    def hashes(self, places: Sequence[Place]) -> dict[Place, bytes]:
        """The stored hashes of those of `places` that exist; bodies are not carried over."""
        items = self._get(
            places,
            ProjectionExpression="#s, #n, #h",
            ExpressionAttributeNames={"#s": "stream", "#n": "number", "#h": "hash"},
        )
        return {_place(item): bytes(item["hash"]["B"]) for item in items}

    def headers(self, places: Sequence[Place]) -> dict[Place, bytes]:
        """The headers of those of `places` that exist; bodies are not carried over."""
        items = self._get(
            places,
            ProjectionExpression="#s, #n, header",
            ExpressionAttributeNames={"#s": "stream", "#n": "number"},
        )
        return {_place(item): bytes(item["header"]["B"]) for item in items}

    def _get(self, places: Sequence[Place], **what: Any) -> Iterator[dict[str, Any]]:
        unique = list(dict.fromkeys(places))
        for start in range(0, len(unique), BATCH):
            keys = [_key(place) for place in unique[start : start + BATCH]]
            while keys:
                answer = self.dynamodb.batch_get_item(
                    RequestItems={self.events: {"Keys": keys, "ConsistentRead": True, **what}}
                )
                yield from answer["Responses"].get(self.events, [])
                keys = answer["UnprocessedKeys"].get(self.events, {}).get("Keys", [])

    def every_place(self) -> Iterator[Place]:
        """Every commit there is: a scan."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.events,
            ConsistentRead=True,
            ProjectionExpression="#s, #n",
            ExpressionAttributeNames={"#s": "stream", "#n": "number"},
        )
        for page in pages:
            yield from map(_place, page["Items"])

    def counter(self, name: str) -> int:
        """The last number taken from a counter."""
        answer = self.dynamodb.get_item(
            TableName=self.counters, Key={"name": {"S": name}}, ConsistentRead=True
        )
        return int(answer["Item"]["value"]["N"]) if "Item" in answer else 0

    def claim(self, command: str) -> Claim | None:
        """What a claimed command id has done."""
        answer = self.dynamodb.get_item(
            TableName=self.commands, Key={"command": {"S": command}}, ConsistentRead=True
        )
        return _claim(answer["Item"]) if "Item" in answer else None

    def _item(self, commit: Commit) -> dict[str, Any]:
        item = {
            **_key(commit.place),
            "header": {"B": commit.header},
            "hash": {"B": commit.hash},
        }
        if len(commit.body) <= CLAIM_CHECK_BYTES:
            return item | {"body": {"B": commit.body}}
        key = f"bodies/{sha256(commit.body).hexdigest()}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=commit.body)
        return item | {"body_at": {"S": key}}

    def _commit(self, item: dict[str, Any]) -> Commit:
        body = bytes(item["body"]["B"]) if "body" in item else self._body(item["body_at"]["S"])
        commit = Commit(*_place(item), bytes(item["header"]["B"]), body)
        if commit.hash != bytes(item["hash"]["B"]):
            raise Corrupt(f"{commit.seen} has a header that its hash does not cover")
        return commit

    def _body(self, key: str) -> bytes:
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            raise Corrupt(f"{key} is gone") from None
        return bytes(answer["Body"].read())


def _key(place: Place) -> dict[str, Any]:
    return {"stream": {"S": place[0]}, "number": {"N": str(place[1])}}


def _place(item: dict[str, Any]) -> Place:
    return item["stream"]["S"], int(item["number"]["N"])


def _claim(item: dict[str, Any]) -> Claim:
    return Claim(item["command"]["S"], item["stream"]["S"], item["digest"]["S"])
