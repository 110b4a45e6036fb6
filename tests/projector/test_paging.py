"""Lists: every row exactly once, however the pages fall; how current they are."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from axis import once
from ballot import BallotEvent, BallotOpened, VoteCast
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shelves import DYNAMODB

from chalicelib.kernel import Value
from chalicelib.projector import table
from chalicelib.projector.projection import Projection
from chalicelib.projector.table import EXAMINED, InvalidCursor, InvalidSeen
from chalicelib.text import b64url, from_b64url

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
both = pytest.mark.parametrize("axis", DYNAMODB, indirect=True)


class Card(Value):
    """Something listed."""

    drawer: str | None
    rank: int
    red: bool = False


def evolve(row, event):
    return Card(drawer="top", rank=(row.rank if row else 0) + 1)


cards = Projection(Card, BallotEvent, evolve, by="drawer", sort="rank")
VIEW = f"{cards.name}~1"


def put(axis, key, position=1, **fields):
    axis.views.save(cards, VIEW, key, Card(**fields), (position, f"{key}@1", NOW))


def pages(axis, drawer, limit, **how):
    """A list, page by page."""
    cursor = None
    while True:
        page = axis.views.page(cards, by=drawer, limit=limit, cursor=cursor, **how)
        assert len(page.items) <= limit
        yield page.items
        cursor = page.next
        if cursor is None:
            return


def page_from(axis, drawers, cursor):
    """All that is behind a cursor."""
    while cursor is not None:
        page = axis.views.page(cards, by=drawers, limit=2, cursor=cursor)
        yield from page.items
        cursor = page.next


@both
@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_of_every_size(axis, newest_first):
    """Ties in the order, the exact boundary of a page, a row in no list, another list."""
    for number in range(45):
        put(axis, f"ballot-{number}", drawer="top", rank=number // 2)
    put(axis, "ballot-none", drawer=None, rank=3)
    put(axis, "ballot-other", drawer="to", rank=3)
    for limit in (1, 5, 9, 20, 44, 45, 46, 200):
        found = list(pages(axis, "top", limit, newest_first=newest_first))
        rows = [item for page in found for item in page]
        assert len(rows) == 45
        assert {row["id"] for row in rows} == {f"ballot-{n}" for n in range(45)}
        ranks = [row["rank"] for row in rows]
        assert ranks == sorted(ranks, reverse=newest_first)
        assert {len(page) for page in found[: 45 // limit]} <= {limit}


def test_any_rows_any_filter_any_page_size(axis):
    drawers = iter(range(10**6))

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(
        rows=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=50),
        limit=st.integers(1, 25),
        newest_first=st.booleans(),
        red=st.sampled_from([True, False, None]),
    )
    def check(rows, limit, newest_first, red):
        drawer = f"drawer {next(drawers)}"
        for number, (rank, colour) in enumerate(rows):
            put(axis, f"{drawer}#{number}", drawer=drawer, rank=rank, red=colour)
        keep = None if red is None else (lambda item: item["red"] is red)
        found = [
            item["id"]
            for page in pages(axis, drawer, limit, newest_first=newest_first, keep=keep)
            for item in page
        ]
        expected = {
            f"{drawer}#{n}" for n, (_, colour) in enumerate(rows) if red is None or colour is red
        }
        assert len(found) == len(expected)
        assert set(found) == expected

    check()


def test_lists_of_several_groups_are_one(axis):
    """Whatever is equal in which group, and however small the pages."""
    towns = iter(range(10**6))

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(
        rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40),
        asked=st.sets(st.sampled_from("abcd"), min_size=1),
        limit=st.integers(1, 9),
        newest_first=st.booleans(),
    )
    def check(rows, asked, limit, newest_first):
        town = f"town {next(towns)} "
        for number, (drawer, rank) in enumerate(rows):
            put(axis, f"{town}#{number}", drawer=town + drawer, rank=rank)
        drawers = [town + drawer for drawer in asked]
        found = [
            item for page in pages(axis, drawers, limit, newest_first=newest_first) for item in page
        ]
        wanted = [(f"{town}#{n}", rank) for n, (drawer, rank) in enumerate(rows) if drawer in asked]
        assert sorted((item["id"], item["rank"]) for item in found) == sorted(wanted)
        ranks = [item["rank"] for item in found]
        assert ranks == sorted(ranks, reverse=newest_first)

    check()


def test_a_group_that_joins_a_list_between_two_pages_hides_nothing(axis):
    for number in range(6):
        put(axis, f"ballot-{number}", drawer="bt"[number % 2], rank=number // 3)
    first = axis.views.page(cards, by="t", limit=1)
    rest = list(page_from(axis, ["b", "t"], first.next))
    assert {item["id"] for item in [*first.items, *rest]} == {f"ballot-{n}" for n in range(6)}


def test_rows_that_go_and_come_between_two_pages(axis):
    """The row a cursor points at is deleted: the next page goes on behind where it was."""
    for number in range(9):
        put(axis, f"ballot-{number}", drawer="top", rank=number)
    first = axis.views.page(cards, by="top", limit=3)
    axis.views.save(cards, VIEW, "ballot-2", None, (2, "ballot-2@2", NOW))
    put(axis, "ballot-9", drawer="top", rank=9)

    second = axis.views.page(cards, by="top", limit=20, cursor=first.next)

    assert [item["rank"] for item in first.items] == [0, 1, 2]
    assert [item["rank"] for item in second.items] == [3, 4, 5, 6, 7, 8, 9]


def test_a_filter_that_keeps_little_answers_with_a_cursor(axis):
    """It looks at so many rows and no more, and says where to go on."""
    for number in range(EXAMINED + 5):
        item = {"key": f"{VIEW}#ballot-{number}", "by": f"{VIEW}#top", "sort": f"{number:015d}"}
        item |= {"data": Card(drawer="top", rank=number).model_dump_json()}
        item |= {"seen": "ballot-1@1", "updated_at": NOW.isoformat()}
        values = {name: {"S": value} for name, value in item.items()} | {"position": {"N": "1"}}
        axis.dynamodb.put_item(TableName=axis.table("Views"), Item=values)

    found = list(pages(axis, "top", 10, keep=lambda item: item["rank"] >= EXAMINED))

    assert [len(page) for page in found] == [0, 5]


@both
def test_cursors_that_were_not_given_out_here(axis):
    for number in range(3):
        put(axis, f"ballot-{number}", drawer="top", rank=number)
    good = axis.views.page(cards, by="top", limit=1).next
    view, key, sort = json.loads(from_b64url(good))
    forged = [
        ["another~1", key, sort],
        [f"{cards.name}~2", key, sort],
        [f"{cards.name}~x", key, sort],
        [view, key],
        [view, key, sort, ""],
        [view, key, sort, "top", "top"],
        [view, key, sort, 7],
        [view, "", sort],
        [view, key, ""],
        [view, key, {"N": "1"}],
        [view, None, sort],
        [view, key, "x" * 1_025],
        [[view], key, sort],
        {"view": view},
        7,
        None,
    ]
    texts = ["", "x", "é", "=", good[:-2], *(b64url(json.dumps(f).encode()) for f in forged)]
    for text in texts:
        with pytest.raises(InvalidCursor):
            axis.views.page(cards, by="top", limit=1, cursor=text)

    # One for another list does no harm: it says only where to begin in this one.
    assert axis.views.page(cards, by="bottom", limit=1, cursor=good).items == []


def test_any_cursor_is_read_or_refused(axis):
    put(axis, "ballot-1", drawer="top", rank=1)
    parts = st.text(max_size=3) | st.integers() | st.none() | st.just(VIEW)

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(st.text(max_size=40) | st.lists(parts, max_size=4).map(json.dumps))
    def check(text):
        with suppress(InvalidCursor):
            axis.views.page(cards, by="top", limit=1, cursor=text)
        with suppress(InvalidCursor):
            axis.views.page(
                cards, by="top", limit=1, cursor=b64url(text.encode(errors="surrogatepass"))
            )

    check()


def test_the_cursor_of_a_dropped_generation_is_refused(axis):
    for number in range(3):
        axis.happen(f"ballot-{number}", BallotOpened(title="Test"))
    axis.follow(cards)
    cursor = axis.views.page(cards, by="top", limit=1).next
    axis.views.rebuild(cards)
    axis.follow(cards)
    assert axis.views.page(cards, by="top", limit=1, cursor=cursor).items
    # A day passes: the moment until which the old one is fed lies behind.
    axis.dynamodb.update_item(
        **axis.checkpoints.place,
        UpdateExpression="SET #v.retired.#g = :past",
        ExpressionAttributeNames={"#v": f"view/{cards.name}", "#g": "1"},
        ExpressionAttributeValues={":past": {"N": "1"}},
    )

    with pytest.raises(InvalidCursor):
        axis.views.page(cards, by="top", limit=1, cursor=cursor)


def test_a_list_says_up_to_which_position_it_is_true(axis):
    assert axis.views.page(cards, by="top", limit=9).as_of == 0
    axis.happen("ballot-1", VoteCast(voter="a"))
    axis.happen("ballot-1", VoteCast(voter="a"))
    axis.follow(cards)

    page = axis.views.page(cards, by="top", limit=9, seen="ballot-1@2")

    assert (page.as_of, page.stale) == (2, False)
    assert page.items[0]["rank"] == 2
    assert axis.views.page(cards, by="top", limit=9, seen="ballot-1@0").stale is False


@both
def test_a_list_waits_for_what_its_caller_has_seen(axis, monkeypatch):
    """The commit is written and neither numbered nor in the view when the caller asks."""
    monkeypatch.setattr(table, "WAIT_S", 600)
    written = axis.append("ballot-1", VoteCast(voter="a"))

    def catch_up():
        axis.number(written)
        axis.follow(cards)

    axis.listen("before-call.dynamodb.BatchGetItem", once(catch_up))
    page = axis.views.page(cards, by="top", limit=9, seen=written.seen)

    assert (page.as_of, page.stale) == (1, False)
    assert len(page.items) == 1


def test_a_list_that_waited_in_vain_says_so(axis):
    axis.happen("ballot-1", VoteCast(voter="a"))
    axis.follow(cards)
    axis.happen("ballot-1", VoteCast(voter="a"))

    page = axis.views.page(cards, by="top", limit=9, seen="ballot-1@2")

    assert (page.as_of, page.stale) == (1, True)
    assert len(page.items) == 1


@pytest.mark.parametrize(
    "seen",
    [
        "",
        "@1",
        "ballot-1",
        "ballot-1@",
        "ballot-1@-1",
        "ballot-1@x",
        "ballot-1@٣",
        "ballot-1@" + "9" * 5_000,
        "ballot-1@" + "9" * 39,
        "ballot@1",
        f"ballot-{'x' * 2_100}@1",
        "ballot-1@1@1",
    ],
)
def test_a_version_that_none_is(axis, seen):
    with pytest.raises(InvalidSeen):
        axis.views.page(cards, by="top", limit=9, seen=seen)
