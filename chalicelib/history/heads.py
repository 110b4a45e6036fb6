"""How far history is sealed, and how much of that is published: the log's only changing items.

`sealed` is the compare-and-swap: one tree follows the other, so no two roots are ever signed for
one size. `published` is what the world is shown; it lags behind while tiles are written or
witnesses asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Protocol

from botocore.exceptions import ClientError


@dataclass(frozen=True)
class Head:
    """A signed tree: `note` is its checkpoint, `peaks` all that it takes to grow it.

    `settled`: its tiles are all written; until then they stand in a staging object.
    """

    size: int
    root: bytes
    peaks: tuple[bytes, ...]
    note: str
    sealed_at: datetime
    settled: bool = False


@dataclass(frozen=True)
class Standing:
    """How far somebody outside (a witness, a time authority) is with us.

    `size` is what they saw last, and `at` when; `failing_since` is when they began not to answer
    well (UTC).
    """

    size: int = 0
    at: datetime | None = None
    failing_since: datetime | None = None


class Overtaken(Exception):  # noqa: N818 -- the outcome of a race, not an error.
    """Another sealer was faster. Nothing was written."""


class Heads(Protocol):
    """Where these items are kept. Reads are consistent."""

    def sealed(self) -> Head | None:
        """The newest tree that was signed."""

    def advance(self, before: Head | None, head: Head) -> None:
        """Let `head` follow `before`, whose tiles must all be written.

        Raises:
            Overtaken: `before` is no longer the newest.
        """

    def settle(self, head: Head) -> None:
        """Note that all tiles of `head` are written, if it is still the newest."""

    def published(self) -> Head | None:
        """What the world is shown; its note bears the witnesses' signatures."""

    def publish(self, head: Head) -> None:
        """Show `head` to the world, unless something newer is shown."""

    def standing(self, who: str) -> Standing:
        """How far somebody outside is."""

    def stand(self, who: str, standing: Standing) -> None:
        """Remember that."""


@dataclass(frozen=True)
class DynamoHeads:
    """Items of table `log`: `sealed`, `published`, and one for each witness and time authority."""

    dynamodb: Any
    table: str

    def sealed(self) -> Head | None:
        """The newest tree that was signed."""
        return self._head("sealed")

    def advance(self, before: Head | None, head: Head) -> None:
        """One conditional `PutItem`; see `Heads.advance`."""
        if before is None:
            done = self._put("sealed", head, "attribute_not_exists(#s)", {})
        else:
            values = {**_same(before), ":t": {"BOOL": True}}
            done = self._put("sealed", head, "#s = :s AND #r = :r AND #t = :t", values)
        if not done:
            raise Overtaken

    def settle(self, head: Head) -> None:
        """Note that all tiles of `head` are written, if it is still the newest."""
        self._put("sealed", replace(head, settled=True), "#s = :s AND #r = :r", _same(head))

    def published(self) -> Head | None:
        """What the world is shown."""
        return self._head("published")

    def publish(self, head: Head) -> None:
        """Only forward; see `Heads.publish`."""
        condition = "attribute_not_exists(#s) OR #s < :s OR (#s = :s AND #r = :r)"
        self._put("published", head, condition, _same(head))

    def standing(self, who: str) -> Standing:
        """How far somebody outside is."""
        item = self._get(f"standing {who}")
        if item is None:
            return Standing()
        at, since = (
            datetime.fromisoformat(item[name]["S"]) if name in item else None
            for name in ("at", "failing_since")
        )
        return Standing(int(item["size"]["N"]), at, since)

    def stand(self, who: str, standing: Standing) -> None:
        """Remember that."""
        item = {"name": {"S": f"standing {who}"}, "size": {"N": str(standing.size)}}
        for name, moment in (("at", standing.at), ("failing_since", standing.failing_since)):
            if moment:
                item[name] = {"S": moment.astimezone(UTC).isoformat()}
        self.dynamodb.put_item(TableName=self.table, Item=item)

    def _get(self, name: str) -> dict[str, Any] | None:
        answer = self.dynamodb.get_item(
            TableName=self.table, Key={"name": {"S": name}}, ConsistentRead=True
        )
        return answer.get("Item")  # type: ignore[no-any-return]  # boto3 has no types.

    def _head(self, name: str) -> Head | None:
        item = self._get(name)
        if item is None:
            return None
        return Head(
            size=int(item["size"]["N"]),
            root=bytes(item["root"]["B"]),
            peaks=tuple(bytes(peak["B"]) for peak in item["peaks"]["L"]),
            note=item["note"]["S"],
            sealed_at=datetime.fromisoformat(item["sealed_at"]["S"]),
            settled=item["settled"]["BOOL"],
        )

    def _put(self, name: str, head: Head, condition: str, values: Mapping[str, Any]) -> bool:
        """Write a head if `condition` holds; whether it did."""
        names = {"#s": "size", "#r": "root", "#t": "settled"}
        given = {"ExpressionAttributeValues": values} if values else {}
        try:
            self.dynamodb.put_item(
                TableName=self.table,
                Item={
                    "name": {"S": name},
                    "size": {"N": str(head.size)},
                    "root": {"B": head.root},
                    "peaks": {"L": [{"B": peak} for peak in head.peaks]},
                    "note": {"S": head.note},
                    "sealed_at": {"S": head.sealed_at.astimezone(UTC).isoformat()},
                    "settled": {"BOOL": head.settled},
                },
                ConditionExpression=condition,
                ExpressionAttributeNames={k: v for k, v in names.items() if k in condition},
                **given,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


class MemoryHeads:
    """The same in memory, for unit tests; one lock makes every step atomic."""

    def __init__(self) -> None:
        self.items: dict[str, Head] = {}
        self.standings: dict[str, Standing] = {}
        self.signed: list[Head] = []
        self._lock = Lock()

    def sealed(self) -> Head | None:
        """The newest tree that was signed."""
        return self.items.get("sealed")

    def advance(self, before: Head | None, head: Head) -> None:
        """See `Heads.advance`."""
        with self._lock:
            now = self.items.get("sealed")
            if before is None:
                fits = now is None
            else:
                fits = now is not None and now.settled and _key(now) == _key(before)
            if not fits:
                raise Overtaken
            self.items["sealed"] = head
            self.signed.append(head)

    def settle(self, head: Head) -> None:
        """See `Heads.settle`."""
        with self._lock:
            now = self.items.get("sealed")
            if now and _key(now) == _key(head):
                self.items["sealed"] = replace(now, settled=True)

    def published(self) -> Head | None:
        """What the world is shown."""
        return self.items.get("published")

    def publish(self, head: Head) -> None:
        """See `Heads.publish`."""
        with self._lock:
            now = self.items.get("published")
            if now is None or now.size < head.size or _key(now) == _key(head):
                self.items["published"] = head

    def standing(self, who: str) -> Standing:
        """How far somebody outside is."""
        return self.standings.get(who, Standing())

    def stand(self, who: str, standing: Standing) -> None:
        """Remember that."""
        self.standings[who] = standing


def _same(head: Head) -> dict[str, Any]:
    return {":s": {"N": str(head.size)}, ":r": {"B": head.root}}


def _key(head: Head) -> tuple[int, bytes]:
    return head.size, head.root
