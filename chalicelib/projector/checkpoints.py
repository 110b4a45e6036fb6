"""How far each follower of history has come: one item for all, each moved forward only.

Followers that stand at one position are moved together, in one write. The item also says which
generation of each view is read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

REACT = "react"
"""The follower that carries out what follows from events."""
NOTIFY = "notify"
"""The follower that tells applicants what happened."""
_TOGETHER = 50
"""Followers moved in one update: an expression has 4 KB at most."""


@dataclass(frozen=True)
class Checkpoints:
    """Positions by follower's name, in one item of DynamoDB table `table`."""

    dynamodb: Any
    table: str

    @property
    def place(self) -> dict[str, Any]:
        """Where the item is, as DynamoDB's calls want it."""
        return {"TableName": self.table, "Key": {"name": {"S": "followers"}}}

    def item(self) -> dict[str, Any]:
        """The item as it is now."""
        answer = self.dynamodb.get_item(**self.place, ConsistentRead=True)
        item: dict[str, Any] = answer.get("Item", {})
        return item

    def forms(self) -> dict[str, set[str]]:
        """In which forms each generation of a view was fed, as far as anybody has signed."""
        answer = self.dynamodb.get_item(**self._forms, ConsistentRead=True)
        return {view: set(v["SS"]) for view, v in answer.get("Item", {}).items() if "SS" in v}

    def sign(self, fresh: Mapping[str, str], gone: Iterable[str]) -> None:
        """Add to each view the form that it is fed in from now on; forget those that are gone."""
        numbered, names = list(enumerate(fresh.items())), list(enumerate(gone))
        parts = []
        if numbered:
            parts.append("ADD " + ", ".join(f"#a{n} :a{n}" for n, _ in numbered))
        if names:
            parts.append("REMOVE " + ", ".join(f"#r{n}" for n, _ in names))
        if parts:
            forms = {f":a{n}": {"SS": [form]} for n, (_, form) in numbered}
            self.dynamodb.update_item(
                **self._forms,
                UpdateExpression=" ".join(parts),
                ExpressionAttributeNames={f"#a{n}": view for n, (view, _) in numbered}
                | {f"#r{n}": view for n, view in names},
                **({"ExpressionAttributeValues": forms} if forms else {}),
            )

    @property
    def _forms(self) -> dict[str, Any]:
        # An item of its own: it is read once a minute, the positions' written at every turn.
        return {"TableName": self.table, "Key": {"name": {"S": "forms"}}}

    def get(self, name: str) -> int:
        """The last position `name` has dealt with; 0 if it has not begun."""
        return positions(self.item()).get(name, 0)

    def advance(self, moves: Mapping[str, int]) -> None:
        """Move each follower forward to its position; one that is further stays there."""
        left = dict(moves)
        while left:
            names = list(islice(left, _TOGETHER))
            try:
                self.dynamodb.update_item(**self.place, **_update([(n, left[n]) for n in names]))
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                # Another run has moved some of them further: at least one goes, so this ends.
                now = positions(self.item())
                left = {name: at for name, at in left.items() if now.get(name, 0) < at}
            else:
                left = {name: at for name, at in left.items() if name not in names}


@dataclass
class Run:
    """One run of a worker: where the followers were when it began, and how far it brings them.

    What is reached is written by `write`: before slow work, and at the end.
    """

    checkpoints: Checkpoints
    item: dict[str, Any] = field(init=False, repr=False)
    _reached: dict[str, int] = field(init=False, repr=False)
    _unwritten: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Look where everybody is."""
        self.item = self.checkpoints.item()
        self._reached = positions(self.item)

    def at(self, name: str) -> int:
        """Where a follower is."""
        return self._reached.get(name, 0)

    @property
    def foremost(self) -> int:
        """The last position that anybody has dealt with."""
        return max(self._reached.values(), default=0)

    def reach(self, names: Iterable[str], position: int) -> None:
        """They have dealt with everything up to `position`."""
        moves = dict.fromkeys(names, position)
        self._reached |= moves
        self._unwritten |= moves

    def write(self) -> None:
        """Keep what was reached."""
        unwritten, self._unwritten = self._unwritten, {}
        self.checkpoints.advance(unwritten)


def positions(item: Mapping[str, Any]) -> dict[str, int]:
    """Every follower's position."""
    return {name: int(value["N"]) for name, value in item.items() if "N" in value}


def _update(moves: Iterable[tuple[str, int]]) -> dict[str, Any]:
    numbered = list(enumerate(moves))
    return {
        "UpdateExpression": "SET " + ", ".join(f"#{n} = :{n}" for n, _ in numbered),
        "ConditionExpression": " AND ".join(
            f"(attribute_not_exists(#{n}) OR #{n} < :{n})" for n, _ in numbered
        ),
        "ExpressionAttributeNames": {f"#{n}": name for n, (name, _) in numbered},
        "ExpressionAttributeValues": {f":{n}": {"N": str(at)} for n, (_, at) in numbered},
    }
