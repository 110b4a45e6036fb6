"""How far each follower of history has come: one row a follower, moved forward only."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError


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
