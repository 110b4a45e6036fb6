"""Pages of history, and the markers that say where a commit stands.

Position 1 is the first commit ever numbered. A page is keyed by its first position; the next page's
key follows from it, so putting a page only if its key is free is the compare-and-swap that numbers
everything exactly once.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import ClientError

from chalicelib.eventstore.store import Corrupt, Place

LANE = "main"
"""The one lane of history; part of the key so that more can be added."""
PAGE_ENTRIES = 200
"""Entries in a page, at most: about 25 KB."""
_BATCH_READ, _WRITERS = 100, 8


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

    def last(self) -> Page | None:
        """The newest page."""
        answer = self.dynamodb.query(
            **self._query("#l = :l", {":l": {"S": self.lane}}),
            ScanIndexForward=False,
            Limit=1,
        )
        return _page(answer["Items"][0]) if answer["Items"] else None

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

    def pages(self, after: int) -> Iterator[Page]:
        """The pages that hold positions above `after`, in order, read consistently.

        Raises:
            Corrupt: a page is missing or two overlap.
        """
        answers = self.dynamodb.get_paginator("query").paginate(
            **self._beside("#f > :f", after), PaginationConfig={"PageSize": 20}
        )
        ahead = (_page(item) for answer in answers for item in answer["Items"])
        # The page that the position stands in: lone commits have a page each, so it is looked up.
        here = self.dynamodb.query(
            **self._beside("#f <= :f", after), ScanIndexForward=False, Limit=1
        )
        return following(chain(map(_page, here["Items"]), ahead), after)

    def _beside(self, condition: str, position: int) -> dict[str, Any]:
        values = {":l": {"S": self.lane}, ":f": {"N": str(position)}}
        return self._query(f"#l = :l AND {condition}", values, {"#f": "first"})

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
