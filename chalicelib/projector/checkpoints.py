"""How far each follower of history has come: one row a follower, moved forward only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

_BATCH = 100
"""BatchGetItem's limit."""


@dataclass(frozen=True)
class Checkpoints:
    """Positions by follower's name in DynamoDB table `table`."""

    dynamodb: Any
    table: str

    def get(self, name: str) -> int:
        """The last position `name` has dealt with; 0 if it has not begun."""
        answer = self.dynamodb.get_item(
            TableName=self.table, Key={"name": {"S": name}}, ConsistentRead=True
        )
        return int(answer["Item"]["position"]["N"]) if "Item" in answer else 0

    def items(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The rows of several followers, as few calls as there can be."""
        keys = [{"name": {"S": name}} for name in names]
        found: dict[str, dict[str, Any]] = {}
        while keys:
            answer = self.dynamodb.batch_get_item(
                RequestItems={self.table: {"Keys": keys[:_BATCH], "ConsistentRead": True}}
            )
            for item in answer["Responses"].get(self.table, []):
                found[item["name"]["S"]] = item
            left = answer["UnprocessedKeys"].get(self.table, {}).get("Keys", [])
            keys = left + keys[_BATCH:]
        return found

    def advance(self, name: str, position: int) -> None:
        """Move forward to `position`; a follower that is further stays there."""
        try:
            self.dynamodb.update_item(
                TableName=self.table,
                Key={"name": {"S": name}},
                UpdateExpression="SET #p = :p",
                ConditionExpression="attribute_not_exists(#p) OR #p < :p",
                ExpressionAttributeNames={"#p": "position"},
                ExpressionAttributeValues={":p": {"N": str(position)}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
