"""What an operator orders, each order carried out once however often it is sent."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.eventstore.dynamodb import COMMAND_DAYS
from chalicelib.handle import IdempotencyKeyReused, Stale
from chalicelib.kernel import Origin


@dataclass(frozen=True)
class Orders:
    """The ids of orders, in table `commands` beside those of other commands."""

    dynamodb: Any
    table: str

    def known(self, origin: Origin) -> bool:
        """Whether this very order was carried out before.

        Raises:
            IdempotencyKeyReused: its key stands for another one.
        """
        answer = self.dynamodb.get_item(
            TableName=self.table, Key={"command": {"S": origin.command_id}}, ConsistentRead=True
        )
        if "Item" not in answer:
            return False
        if answer["Item"]["digest"]["S"] != origin.digest:
            raise IdempotencyKeyReused(field="Idempotency-Key")
        return True

    def carry_out(self, origin: Origin, about: str, *updates: dict[str, Any]) -> None:
        """Do the updates and remember the order, all or nothing; one known is not done again.

        Raises:
            IdempotencyKeyReused: see `known`.
            Stale: what an update stands on has changed meanwhile; nothing happened.
        """
        expires = int((origin.at + timedelta(days=COMMAND_DAYS)).timestamp())
        remember = {
            "TableName": self.table,
            "Item": {
                "command": {"S": origin.command_id},
                "digest": {"S": origin.digest},
                "stream": {"S": about},
                "expires": {"N": str(expires)},
            },
            "ConditionExpression": "attribute_not_exists(command)",
        }
        try:
            self.dynamodb.transact_write_items(
                TransactItems=[{"Put": remember}, *({"Update": each} for each in updates)]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            if not self.known(origin):
                raise Stale(about) from None
