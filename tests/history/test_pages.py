"""Pages and markers, on every backend alike."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from shelves import DYNAMODB

from chalicelib.eventstore.store import Corrupt
from chalicelib.history.pages import Entry, Page, PageTaken

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SIZES = (3, 1, 200, 2)


def page(first, size):
    """Entries of a stream each."""
    entries = (Entry(f"ballot-{n}", 1, bytes([n % 256])) for n in range(first, first + size))
    return Page(first, tuple(entries), NOW)


@pytest.fixture
def history(ledger):
    return ledger.history


@pytest.fixture
def pages(history):
    first, made = 1, []
    for size in SIZES:
        made.append(page(first, size))
        history.put(made[-1])
        first += size
    return made


def test_nothing_yet(history):
    assert history.last() is None
    assert list(history.pages(0)) == []
    assert history.positions([("ballot-1", 1)]) == {}
    assert history.positions([]) == {}


def test_a_place_is_taken_once(history, pages):
    for taken in (page(1, SIZES[0]), page(1, 2), page(4, 1)):
        with pytest.raises(PageTaken):
            history.put(taken)
    assert list(history.pages(0)) == pages
    assert history.last() == pages[-1]


def test_reading_from_any_position(history, pages):
    """A reader gets the page its position stands in, unless that is the page's last."""
    for after in [0, 1, 2, 3, 4, 5, 202, 203, 204, 205, 206, 207, 300]:
        assert list(history.pages(after)) == [p for p in pages if p.next - 1 > after]


def test_markers(history, pages):
    for made in (pages[0], pages[2], pages[2]):
        history.mark(made)
    asked = [("ballot-1", 1), ("ballot-3", 1), ("ballot-4", 1), ("ballot-1", 2)] * 2
    asked += [(f"ballot-{n}", 1) for n in range(5, 205)]

    found = history.positions(asked)

    expected = {("ballot-1", 1): 1, ("ballot-3", 1): 3}
    assert found == expected | {(f"ballot-{n}", 1): n for n in range(5, 205)}


@pytest.mark.parametrize(
    ("firsts", "after"),
    [
        pytest.param([2], 0, id="the first is missing"),
        pytest.param([1, 3], 0, id="one between is missing"),
        pytest.param([3], 1, id="the wanted one is missing"),
    ],
)
def test_a_missing_page_is_noticed(history, firsts, after):
    for first in firsts:
        history.put(page(first, 1))

    with pytest.raises(Corrupt, match="no page at position"):
        list(history.pages(after))


@pytest.mark.parametrize("after", [0, 1, 2])
def test_overlapping_pages_are_noticed(history, after):
    history.put(page(1, 5))
    history.put(page(3, 5))

    with pytest.raises(Corrupt, match="no page at position 6"):
        list(history.pages(after))


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_what_is_new_costs_two_reads_however_many_pages_there_are(axis):
    for number in range(1, 45):
        axis.history.put(page(number, 1))
    for after, found, calls in [
        (43, 1, ["Query", "Query"]),
        (43, 1, ["GetItem", "GetItem"]),
        (44, 0, ["GetItem"]),
        (24, 20, ["GetItem"] * 4 + ["Query"]),
    ]:
        axis.rack.calls.clear()
        assert len(list(axis.history.pages(after))) == found
        assert axis.rack.calls == calls


@pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
def test_the_newest_page_is_found_from_the_one_known(axis):
    other = replace(axis.history, _known={})
    for number, calls in [(1, ["Query"]), (1, ["GetItem"]), (3, ["GetItem"] * 3)]:
        for new in range(1, number + 1):
            with suppress(PageTaken):
                other.put(page(new, 1))
        axis.rack.calls.clear()
        assert axis.history.last() == page(number, 1)
        assert axis.rack.calls == calls


def test_a_reader_that_has_read_everything_finds_nothing(history, pages):
    assert list(history.pages(sum(SIZES))) == []
