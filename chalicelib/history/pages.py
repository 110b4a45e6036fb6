"""Pages of history, and the markers that say where a commit stands.

Position 1 is the first commit ever numbered. A page is keyed by its first position; the next page's
key follows from it, so putting a page only if its key is free is the compare-and-swap that numbers
everything exactly once.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import ClientError

from chalicelib.eventstore.store import Corrupt, Place

LANE = "main"
"""The one lane of history; part of the key so that more can be added."""
PAGE_ENTRIES = 200
"""Entries in a page, at most: about 25 KB."""
_BATCH_READ, _WRITERS = 100, 8
_ONE_BY_ONE = 4
"""Pages read by their key before the rest is asked for in one go: who keeps up finds one or two."""
_LOOK = 16
"""Every how many-th time the pages are listed instead: what is missing or overlaps is seen then."""


class Entry(NamedTuple):
    """One numbered commit."""

    stream: str
    number: int
    hash: bytes

    @property
    def place(self) -> Place:
        """Its address in the event store."""
        return self.stream, self.number


@dataclass(frozen=True)
class Page:
    """Consecutive entries; the first has position `first`. `numbered_at` is when (UTC)."""

    first: int
    entries: tuple[Entry, ...]
    numbered_at: datetime

    @property
    def next(self) -> int:
        """The key of the page after this one."""
        return self.first + len(self.entries)


class PageTaken(Exception):  # noqa: N818 -- the outcome of a race, not an error.
    """Another sequencer put this page first."""


class History(Protocol):
    """Where pages and markers are kept. Reads are consistent."""

    def last(self) -> Page | None:
        """The newest page."""

    def put(self, page: Page) -> None:
        """Add a page.

        Raises:
            PageTaken: its place is not free; nothing was written.
        """

    def pages(self, after: int) -> Iterator[Page]:
        """The pages that hold positions above `after`, in order."""

    def positions(self, places: Sequence[Place]) -> dict[Place, int]:
        """The positions of those of `places` that have a marker."""

    def mark(self, page: Page) -> None:
        """Put the markers of a page's entries (idempotent)."""


@dataclass(frozen=True)
class DynamoHistory:
    """Pages in table `history`, markers in table `positions`; neither ever changes."""

    dynamodb: Any
    history: str
    positions_table: str
    lane: str = LANE
    # The newest page this process knows, as pages never change and what follows one is found by
    # its key; and how often it has read.
    _known: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def last(self) -> Page | None:
        """The newest page."""
        known: Page | None = self._known.get("page")
        ahead = list(islice(self._by_key(known.next), _ONE_BY_ONE)) if known else []
        if known is None or len(ahead) == _ONE_BY_ONE:
            answer = self.dynamodb.query(
                **self._query("#l = :l", {":l": {"S": self.lane}}),
                ScanIndexForward=False,
                Limit=1,
            )
            ahead = [_page(item) for item in answer["Items"]]
        newest = ahead[-1] if ahead else known
        self._remember(newest)
        return newest

    def put(self, page: Page) -> None:
        """Add a page; see `History.put`."""
        entries = [
            {"L": [{"S": e.stream}, {"N": str(e.number)}, {"B": e.hash}]} for e in page.entries
        ]
        try:
            self.dynamodb.put_item(
                TableName=self.history,
                Item={
                    "lane": {"S": self.lane},
                    "first": {"N": str(page.first)},
                    "entries": {"L": entries},
                    "numbered_at": {"S": page.numbered_at.astimezone(UTC).isoformat()},
                },
                ConditionExpression="attribute_not_exists(#l)",
                ExpressionAttributeNames={"#l": "lane"},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise PageTaken from None
            raise
        self._remember(page)

    def pages(self, after: int) -> Iterator[Page]:
        """The pages that hold positions above `after`, in order, read consistently.

        Raises:
            Corrupt: a page is missing or two overlap.
        """
        looks = self._known.get("reads", 0) % _LOOK == 0
        self._known["reads"] = self._known.get("reads", 0) + 1
        return following(self._listed(after) if looks else self._walked(after), after)

    def _walked(self, after: int) -> Iterator[Page]:
        known: Page | None = self._known.get("page")
        ends = after == 0 or (known is not None and known.next == after + 1)
        found, reached = 0, after
        for page in islice(self._by_key(after + 1), _ONE_BY_ONE):
            found, reached = found + 1, page.next - 1
            self._remember(page)
            yield page
        if not found and not ends:
            yield from self._listed(after)
        elif found == _ONE_BY_ONE or (known and known.next - 1 > reached):
            # There is more: many pages, or one is missing before those we know.
            yield from self._beyond(reached)

    def _listed(self, after: int) -> Iterator[Page]:
        # The page that the position stands in: lone commits have a page each, so it is looked up.
        here = self.dynamodb.query(
            **self._beside("#f <= :f", after), ScanIndexForward=False, Limit=1
        )
        for page in map(_page, here["Items"]):
            self._remember(page)
            yield page
        yield from self._beyond(after)

    def _beyond(self, position: int) -> Iterator[Page]:
        answers = self.dynamodb.get_paginator("query").paginate(
            **self._beside("#f > :f", position), PaginationConfig={"PageSize": 20}
        )
        for page in (_page(item) for answer in answers for item in answer["Items"]):
            self._remember(page)
            yield page

    def _beside(self, condition: str, position: int) -> dict[str, Any]:
        values = {":l": {"S": self.lane}, ":f": {"N": str(position)}}
        return self._query(f"#l = :l AND {condition}", values, {"#f": "first"})

    def _by_key(self, first: int) -> Iterator[Page]:
        """The page with this key and those that follow it, one by one."""
        while True:
            answer = self.dynamodb.get_item(
                TableName=self.history,
                Key={"lane": {"S": self.lane}, "first": {"N": str(first)}},
                ConsistentRead=True,
            )
            if "Item" not in answer:
                return
            page = _page(answer["Item"])
            first = page.next
            yield page

    def _remember(self, page: Page | None) -> None:
        known: Page | None = self._known.get("page")
        if page and (known is None or known.first < page.first):
            self._known["page"] = page

    def positions(self, places: Sequence[Place]) -> dict[Place, int]:
        """The positions of those of `places` that have a marker."""
        found: dict[Place, int] = {}
        unique = list(dict.fromkeys(places))
        for start in range(0, len(unique), _BATCH_READ):
            keys = [
                {"stream": {"S": stream}, "number": {"N": str(number)}}
                for stream, number in unique[start : start + _BATCH_READ]
            ]
            while keys:
                answer = self.dynamodb.batch_get_item(
                    RequestItems={self.positions_table: {"Keys": keys, "ConsistentRead": True}}
                )
                for item in answer["Responses"].get(self.positions_table, []):
                    place = item["stream"]["S"], int(item["number"]["N"])
                    found[place] = int(item["position"]["N"])
                keys = answer["UnprocessedKeys"].get(self.positions_table, {}).get("Keys", [])
        return found

    def mark(self, page: Page) -> None:
        """Put the markers of a page's entries: always the same values, so repeating is harmless."""
        items = [
            {
                "stream": {"S": entry.stream},
                "number": {"N": str(entry.number)},
                "position": {"N": str(page.first + offset)},
            }
            for offset, entry in enumerate(page.entries)
        ]
        # Not one batch: the right to write batches is also the right to delete.
        with ThreadPoolExecutor(_WRITERS) as writers:
            list(writers.map(self._put_marker, items))

    def _put_marker(self, item: dict[str, Any]) -> None:
        self.dynamodb.put_item(TableName=self.positions_table, Item=item)

    def _query(
        self, condition: str, values: dict[str, Any], names: dict[str, str] | None = None
    ) -> dict[str, Any]:
        return {
            "TableName": self.history,
            "ConsistentRead": True,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#l": "lane"} | (names or {}),
            "ExpressionAttributeValues": values,
        }


class MemoryHistory:
    """Pages and markers in dictionaries, for unit tests."""

    def __init__(self) -> None:
        self.book: dict[int, Page] = {}
        self.markers: dict[Place, int] = {}

    def last(self) -> Page | None:
        """The newest page."""
        return self.book[max(self.book)] if self.book else None

    def put(self, page: Page) -> None:
        """Add a page; `setdefault` is atomic under the interpreter's lock."""
        if self.book.setdefault(page.first, page) is not page:
            raise PageTaken

    def pages(self, after: int) -> Iterator[Page]:
        """The pages that hold positions above `after`, in order."""
        return following(iter([self.book[first] for first in sorted(self.book)]), after)

    def positions(self, places: Sequence[Place]) -> dict[Place, int]:
        """The positions of those of `places` that have a marker."""
        return {place: self.markers[place] for place in places if place in self.markers}

    def mark(self, page: Page) -> None:
        """Put the markers of a page's entries."""
        for offset, entry in enumerate(page.entries):
            self.markers[entry.place] = page.first + offset


def following(pages: Iterator[Page], after: int) -> Iterator[Page]:
    """Those of `pages` that hold positions above `after`, proven contiguous.

    Raises:
        Corrupt: a page is missing or two overlap.
    """
    expected: int | None = None
    for page in pages:
        if page.next <= after + 1:
            continue
        if page.first != expected and (expected is not None or page.first > after + 1):
            raise Corrupt(f"history has no page at position {expected or after + 1}")
        expected = page.next
        yield page


def _page(item: dict[str, Any]) -> Page:
    entries = tuple(
        Entry(stream["S"], int(number["N"]), bytes(hash_["B"]))
        for stream, number, hash_ in (entry["L"] for entry in item["entries"]["L"])
    )
    return Page(int(item["first"]["N"]), entries, datetime.fromisoformat(item["numbered_at"]["S"]))
