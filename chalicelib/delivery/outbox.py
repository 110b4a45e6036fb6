"""The outbox: for each agency and lane, a dense and append-only sequence of messages.

It is extended in history order from its own checkpoint and never rebuilt. A message is an address
in history (stream, commit, event) and a receiver; what is sent is made from the event when sent.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.eventstore.store import Commit
from chalicelib.history.reader import Reader
from chalicelib.kernel import Event, Value
from chalicelib.projector.checkpoints import Checkpoints, Run
from chalicelib.projector.projection import event_types
from chalicelib.text import b64url

FOLLOWER = "outbox"
MAX_MESSAGES = 99
"""Messages for one agency from one commit: what a transaction holds beside the lane's head."""
_WRITERS = 8
"""Lanes that are added to at the same time."""
_READ = 25
"""Messages of a lane that are read at once: some 8 KB, two read units."""


class Notice(Value):
    """One agency must hear of an event. The `case` keeps its messages in order and in one lane."""

    agency: str
    case: str
    urgent: bool = False


_About = tuple[Commit, list[tuple[int, str, Notice]]]
"""A commit, and which of its events (index and type) one lane must hear of."""


class Message(Value):
    """One event on its way to one agency: number `sequence` of its lane.

    `id` stays the same over every attempt; `type` is the event's.
    """

    id: str
    agency: str
    lane: str
    sequence: int
    case: str
    type: str
    stream: str
    commit: int
    index: int
    position: int


@dataclass(frozen=True)
class Routing:
    """Who must hear of the events of one union: pure, from (stream, event) to notices.

    A changed function applies from then on; what is in the outbox stays.
    """

    events: Any
    route: Callable[[str, Any], Iterable[Notice]]

    def notices(self, commit: Commit) -> Iterable[tuple[int, str, Notice]]:
        """The commit's notices, with the index and type of the event each is about."""
        kinds: dict[str, type[Event]] = event_types(self.events)
        for index, data in enumerate(commit.data()):
            if kind := kinds.get(data["type"]):
                for notice in self.route(commit.stream, kind.model_validate(data, extra="ignore")):
                    yield index, data["type"], notice

    def wants(self, stream: str) -> bool:
        """Whether the stream's events can concern anybody."""
        category = stream.split("-", 1)[0]
        return any(type_.split(".", 1)[0] == category for type_ in event_types(self.events))


def lane_of(agency: str, *, urgent: bool) -> str:
    """The name of an agency's lane: also the group of its wake-ups."""
    return f"{agency}#{'urgent' if urgent else 'normal'}"


def agency_of(lane: str) -> str:
    """Whose lane it is."""
    return lane.rsplit("#", 1)[0]


def message_id(stream: str, commit: int, index: int, agency: str) -> str:
    """The same message has the same id for ever: a hash of what it is about and for whom."""
    text = f"{stream}\n{commit}\n{index}\n{agency}"
    return "msg_" + b64url(sha256(text.encode()).digest())[:32]


@dataclass(frozen=True)
class Outbox:
    """Messages in table `outbox` (lane, sequence), each lane's head in table `lanes`."""

    dynamodb: Any
    outbox: str
    lanes: str
    checkpoints: Checkpoints
    # Heads as this process knew them last. They only move forward, and who knows an old one is
    # told so by the write's condition.
    _heads: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False, compare=False)

    def extend(
        self,
        reader: Reader,
        routings: Iterable[Routing],
        run: Run | None = None,
        known: Collection[str] | None = None,
    ) -> dict[str, int]:
        """Add what history holds beyond the outbox's checkpoint; what the lanes that grew held.

        The checkpoint is written at the end, or by who owns `run`, with all that it holds. With
        `known` it stays before the first commit with an event of another type.

        Raises:
            Newer: such a commit comes next.
        """
        routings = list(routings)
        grown: dict[str, int] = {}
        ours = run or Run(self.checkpoints)
        reached = ours.at(FOLLOWER)
        concerned = reader.after(reached, lambda s: any(r.wants(s) for r in routings), known)
        for stretch in concerned:
            lanes: dict[str, dict[int, _About]] = {}
            for position, commit in stretch.commits:
                for routing in routings:
                    for index, type_, notice in routing.notices(commit):
                        lane = lanes.setdefault(lane_of(notice.agency, urgent=notice.urgent), {})
                        _, about = lane.setdefault(position, (commit, []))
                        about.append((index, type_, notice))
            if lanes:
                # Storing messages takes a while; whoever reads a view does not wait for it.
                ours.write()
                # Side by side: each lane is a sequence of its own.
                with ThreadPoolExecutor(_WRITERS) as writers:
                    heads = list(writers.map(self._fill, lanes, lanes.values()))
                grown = dict(zip(lanes, heads, strict=True)) | grown
            ours.reach([FOLLOWER], stretch.last)
        if run is None:
            ours.write()
        return grown

    def head(self, lane: str) -> int:
        """The sequence number of the lane's newest message; 0: none yet."""
        return self._head(lane)[1]

    def message(self, lane: str, sequence: int) -> Message:
        """A message by its place in its lane."""
        answer = self.dynamodb.get_item(
            TableName=self.outbox,
            Key={"lane": {"S": lane}, "sequence": {"N": str(sequence)}},
            ConsistentRead=True,
        )
        return _message(answer["Item"])

    def following(self, lane: str, sequence: int) -> Iterator[Message]:
        """The lane's messages after this one, in order."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.outbox,
            ConsistentRead=True,
            KeyConditionExpression="lane = :l AND #s > :s",
            ExpressionAttributeNames={"#s": "sequence"},
            ExpressionAttributeValues={":l": {"S": lane}, ":s": {"N": str(sequence)}},
            PaginationConfig={"PageSize": _READ},
        )
        for page in pages:
            yield from map(_message, page["Items"])

    def find(self, id_: str) -> Message | None:
        """A message by its id."""
        answer = self.dynamodb.query(
            TableName=self.outbox,
            IndexName="by_message",
            KeyConditionExpression="message = :m",
            ExpressionAttributeValues={":m": {"S": id_}},
        )
        if not answer["Items"]:
            return None
        item = answer["Items"][0]
        return self.message(item["lane"]["S"], int(item["sequence"]["N"]))

    def _head(self, lane: str) -> tuple[int, int]:
        answer = self.dynamodb.get_item(
            TableName=self.lanes,
            Key={"lane": {"S": lane}, "part": {"S": "head"}},
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return (int(item["position"]["N"]), int(item["sequence"]["N"])) if item else (0, 0)

    def _fill(self, lane: str, commits: dict[int, _About]) -> int:
        """Add these commits' messages to a lane; its head before."""
        heads = [self._add(lane, position, *about) for position, about in commits.items()]
        return heads[0]

    def _add(
        self, lane: str, position: int, commit: Commit, about: list[tuple[int, str, Notice]]
    ) -> int:
        """Store one commit's messages for a lane and move its head, both or neither.

        Its head before, as far as this process knows: 0 if another one has stored them.
        """
        if len(about) > MAX_MESSAGES:
            raise ValueError(f"{commit.seen} has more than {MAX_MESSAGES} messages for {lane}")
        while True:
            reached, sequence = self._heads.get(lane) or self._head(lane)
            if reached >= position:
                return 0
            head = {
                "TableName": self.lanes,
                "Item": {
                    "lane": {"S": lane},
                    "part": {"S": "head"},
                    "position": {"N": str(position)},
                    "sequence": {"N": str(sequence + len(about))},
                },
                "ConditionExpression": "attribute_not_exists(#p) OR #p = :p",
                "ExpressionAttributeNames": {"#p": "position"},
                "ExpressionAttributeValues": {":p": {"N": str(reached)}},
            }
            puts = [
                {
                    "TableName": self.outbox,
                    "Item": _item(lane, sequence + offset, position, commit, *one),
                    "ConditionExpression": "attribute_not_exists(lane)",
                }
                for offset, one in enumerate(about, start=1)
            ]
            try:
                self.dynamodb.transact_write_items(
                    TransactItems=[{"Put": part} for part in (head, *puts)]
                )
            except ClientError as error:
                # Another project worker was faster: look again at what it has stored.
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                self._heads.pop(lane, None)
            else:
                self._heads[lane] = position, sequence + len(about)
                return sequence


def _item(
    lane: str, sequence: int, position: int, commit: Commit, index: int, type_: str, notice: Notice
) -> dict[str, Any]:
    return {
        "lane": {"S": lane},
        "sequence": {"N": str(sequence)},
        "message": {"S": message_id(commit.stream, commit.number, index, notice.agency)},
        "agency": {"S": notice.agency},
        "case": {"S": notice.case},
        "type": {"S": type_},
        "stream": {"S": commit.stream},
        "commit": {"N": str(commit.number)},
        "index": {"N": str(index)},
        "position": {"N": str(position)},
    }


def _message(item: dict[str, Any]) -> Message:
    values = {name: next(iter(value.values())) for name, value in item.items()}
    values["id"] = values.pop("message")
    return Message.model_validate(values)
