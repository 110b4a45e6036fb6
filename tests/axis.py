"""The axis's adapters on fresh tables, made as the stack defines them."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from ballot import origin
from shelves import REGION, DynamoRack, MemoryRack

from chalicelib.delivery.deliver import Attempts
from chalicelib.delivery.lanes import Lanes
from chalicelib.delivery.outbox import Outbox
from chalicelib.eventstore.store import Commit, EventStore, Place, Shelf
from chalicelib.history.pages import DynamoHistory, History, MemoryHistory
from chalicelib.history.reader import Reader
from chalicelib.history.sequencer import Sequencer
from chalicelib.kernel import Event
from chalicelib.projector.checkpoints import Checkpoints
from chalicelib.projector.projection import Projection
from chalicelib.projector.runner import Projector
from chalicelib.projector.table import Views, row_model
from infra import template

_TABLE_FIELDS = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


class Ledger:
    """Streams of ballots, and their history."""

    def __init__(self, rack: MemoryRack | DynamoRack, history: History) -> None:
        self.rack = rack
        self.shelf: Shelf = rack.shelf
        self.store = EventStore(self.shelf, release="2026.1")
        self.history = history
        self._last: dict[str, Commit] = {}

    def append(self, stream: str, *events: Event) -> Commit:
        """Something happens; history does not hold it yet."""
        before = self._last.get(stream)
        asked = origin(f"{stream} {before.number if before else 0}")
        self._last[stream] = self.store.append(stream, before, events, asked)
        return self._last[stream]

    def number(self, *commits: Commit) -> None:
        """History takes them in, in one page."""
        Sequencer(self.store, self.history).number([commit.place for commit in commits])

    def happen(self, stream: str, *events: Event) -> Commit:
        """Something happens, and is numbered in a page of its own."""
        commit = self.append(stream, *events)
        self.number(commit)
        return commit

    def numbered(self) -> list[Place]:
        """All of history, in order."""
        return [entry.place for page in self.history.pages(0) for entry in page.entries]

    def check(self, *, marked: bool = True) -> None:
        """What holds of history whatever has happened.

        No gap (`pages` proves it), no duplicate, each stream dense and in order, every hash the
        stored one, every marker right; every page but the last has all of its markers, and with
        `marked` the last one too.
        """
        pages = list(self.history.pages(0))
        entries = [entry for page in pages for entry in page.entries]
        places = [entry.place for entry in entries]
        assert len(set(places)) == len(places)
        count: Counter[str] = Counter()
        for stream, number in places:
            count[stream] += 1
            assert number == count[stream]
        assert {e.place: e.hash for e in entries} == self.shelf.hashes(places)
        markers = self.history.positions(places)
        assert markers.items() <= {p: n for n, p in enumerate(places, start=1)}.items()
        due = pages if marked else pages[:-1]
        assert markers.keys() >= {entry.place for page in due for entry in page.entries}


class Axis(Ledger):
    """Everything that follows history, on DynamoDB."""

    def __init__(self, rack: DynamoRack) -> None:
        self.dynamodb = rack.dynamodb
        unique = uuid4().hex[:12]
        tables: dict[str, Any] = template._tables()
        self.tables = {name: f"{name}-{unique}" for name in tables}
        for name, resource in tables.items():
            fields = {k: v for k, v in resource["Properties"].items() if k in _TABLE_FIELDS}
            self.dynamodb.create_table(TableName=self.tables[name], **fields)
        super().__init__(
            rack, DynamoHistory(self.dynamodb, self.table("History"), self.table("Positions"))
        )
        self.rack: DynamoRack = rack
        self.checkpoints = Checkpoints(self.dynamodb, self.table("Checkpoints"))
        self.model: Any = row_model(self.table("Views"), REGION)
        # One client for all: it is dear to make, and knows where the emulator is.
        self.model._get_connection().connection._client = self.dynamodb
        self.views = Views(self.model, self.checkpoints, self.history)
        self.outbox = Outbox(
            self.dynamodb, self.table("Outbox"), self.table("Lanes"), self.checkpoints
        )
        self.lanes = Lanes(self.dynamodb, self.table("Lanes"))
        self.attempts = Attempts(self.dynamodb, self.table("Attempts"))

    def table(self, name: str) -> str:
        """A table's physical name."""
        return self.tables[f"{name}Table"]

    def reader(self) -> Reader:
        """A reader for one run."""
        return Reader(self.store, self.history)

    def follow(self, projection: Projection[Any]) -> int:
        """One run of the projector."""
        return Projector(self.views, self.reader()).follow(projection)[projection.name]

    def listen(self, event: str, handler: Callable[..., Any]) -> None:
        """Have botocore call `handler` at `event`."""
        self.rack.listen(event, handler)


def ledger_in_memory() -> Ledger:
    """Streams and history in memory."""
    return Ledger(MemoryRack(), MemoryHistory())


def once(handler: Callable[[], Any], when: Callable[..., bool] = lambda **_: True) -> Any:
    """A botocore handler that does something the first time that `when` holds."""
    left = [handler]

    def act(**event: Any) -> None:
        # An answer other than None would stand in for AWS's.
        if left and when(**event):
            left.pop()()

    return act
