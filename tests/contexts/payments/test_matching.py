from collections import Counter
from datetime import date
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contexts.payments.reconciliation import matching as module
from chalicelib.contexts.payments.reconciliation.matching import (
    CHUNK_LINES,
    COLUMNS,
    MAX_LINE,
    Agreed,
    FileUnusable,
    Matching,
    Ours,
    Reading,
)

DAY = date(2026, 6, 1)
HEADER = ",".join(COLUMNS)
PAID_AT = "2026-06-01T09:15:00+07:00"


def line(name="demo-1", amount=1_000, status="paid", kind="payment", **more):
    said = {"theirs": f"p-{name}", "fee": 10, "at": PAID_AT} | more
    return f"{name},{said['theirs']},{kind},{amount},{said['fee']},{status},{said['at']}"


def file(*lines, total=None, header=HEADER):
    """A file of these lines, with its right total unless another is given."""
    sums = sum(int(one.split(",")[3]) for one in lines) if total is None else 0
    total = total or f"TOTAL,{len(lines)},{sums}"
    return "\n".join([header, *lines, total, ""]).encode()


def read(data, *, block=7, **more):
    """A reading of the bytes, a few at a time."""
    return Reading((data[at : at + block] for at in range(0, len(data), block)), DAY, **more)


def ours(name="demo-1", amount=1_000, standing="done", kind="payment", agency="Z01", theirs=None):
    return Ours(
        kind, name, theirs or f"p-{name}", amount, standing, agency, f"of-{name}", "2026-06-01"
    )


def match(lines, books):
    """What agrees, and how each line that differs does."""
    matching = Matching()
    try:
        for _ in matching.theirs(read(file(*lines), block=4_096)):
            pass
        for _ in matching.ours(books):
            pass
        found = list(matching.differences())
        assert len(found) == matching.count()
        return matching.tallies(), found
    finally:
        matching.close()


# --- Reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(file(line()), id="plain"),
        pytest.param(b"\xef\xbb\xbf" + file(line()), id="with a mark of UTF-8"),
        pytest.param(file(line()).replace(b"\n", b"\r\n"), id="as Windows ends lines"),
        pytest.param(file(line()).rstrip(b"\n"), id="without a last line end"),
        pytest.param(file(line()).replace(b"demo-1,", b'"demo-1",', 1), id="in quotation marks"),
    ],
)
def test_a_file_is_read_however_it_is_written(data):
    reading = read(data)
    [one] = list(reading)
    assert one == ("payment", "demo-1", "p-demo-1", 1_000, 10, "done", PAID_AT, 2)
    assert (reading.lines, reading.amount) == (1, 1_000)


@pytest.mark.parametrize(
    "at", ["2026-06-01 09:15:00+07", "20260601T021500Z", "2026-W23-1T09:15+07:00"]
)
def test_a_moment_is_written_as_everybody_reads_it(at):
    [one] = list(read(file(line(at=at))))
    assert one.at == PAID_AT


def test_a_provider_may_name_and_order_the_columns_otherwise():
    theirs = {"reference": "ma_tham_chieu", "amount": "so_tien"}
    names = [theirs.get(name, name) for name in COLUMNS]
    cells = line().split(",")
    header, row = (",".join(reversed(part)) for part in (names, cells))
    [one] = list(read(file(row, header=header, total="TOTAL,1,1000"), columns=theirs))
    assert (one.reference, one.amount) == ("demo-1", 1_000)


def test_chunks_tell_how_far_it_is_and_what_was_read():
    lines = [line(f"demo-{n}") for n in range(CHUNK_LINES + 1)]
    data = file(*lines)
    reading = read(data, block=4_096)
    assert len(list(reading)) == len(lines)
    first, second = reading.taken()
    assert [(c.number, c.lines, c.amount) for c in (first, second)] == [
        (1, CHUNK_LINES, CHUNK_LINES * 1_000),
        (2, 1, 1_000),
    ]
    cut = data.index(f"demo-{CHUNK_LINES},".encode())
    assert first.sha256 == sha256(data[:cut]).hexdigest()
    assert second.sha256 == sha256(data[cut:]).hexdigest()
    assert reading.taken() == ()


MOST = 10**15 - 1
ONE = line()
TWO = line("demo-2")


@pytest.mark.parametrize(
    ("data", "where", "why"),
    [
        pytest.param(file(ONE, total="TOTAL,2,1000"), 3, "the total says 2 lines", id="count"),
        pytest.param(file(ONE, total="TOTAL,1,1001"), 3, "but there are 1 and 1000", id="sum"),
        pytest.param(file(ONE, total="TOTAL,1"), 3, "not a count and a sum", id="total cut"),
        pytest.param(file(ONE, total="TOTAL,1,x"), 3, "not a count and a sum", id="no total"),
        pytest.param(file(ONE, total=TWO), 3, "not the total", id="the end is missing"),
        pytest.param(b"", 0, "not the total", id="nothing at all"),
        pytest.param(file() + ONE.encode(), 3, "behind the total", id="behind the total"),
        pytest.param(
            file(line(fee=MOST), line("demo-2", fee=MOST)), 3, "more money", id="too much in fees"
        ),
        pytest.param(
            file(line(amount=MOST), line("demo-2", MOST)), 3, "more money", id="and amounts"
        ),
        pytest.param(file(ONE).replace(b"demo-1", b"\xff\xfe"), 2, "not UTF-8", id="encoding"),
        pytest.param(file(header=f"{HEADER},note"), 1, "column 8 has no name", id="a column more"),
        pytest.param(file(header=HEADER[10:]), 1, "no column reference", id="a column less"),
        pytest.param(file(header=f"{HEADER},fee"), 1, "stands twice", id="a column twice"),
        pytest.param(file(f"{ONE},x"), 2, "8 cells stand under 7", id="a cell too many"),
        pytest.param(file(line(" ")), 2, "reference", id="no reference"),
        pytest.param(file(line(theirs="")), 2, "reference", id="no reference of theirs"),
        pytest.param(file(line(kind="gift")), 2, "kind or the status", id="unknown kind"),
        pytest.param(file(line(status="refunded")), 2, "kind or the status", id="wrong status"),
        pytest.param(
            file(line(amount="1.5"), total="TOTAL,1,1"), 2, "whole number", id="a fraction"
        ),
        pytest.param(file(line(amount=-5)), 2, "whole number", id="a negative amount"),
        pytest.param(
            file(line(amount="\N{ARABIC-INDIC DIGIT ONE}"), total="TOTAL,1,1"),
            2, "whole number", id="digits of another script",
        ),
        pytest.param(file(line(fee="")), 2, "whole number", id="no fee"),
        pytest.param(file(line(at="yesterday")), 2, "not a moment", id="no moment"),
        pytest.param(
            file(line(at="0001-01-01T00:00:00+14:00")), 2, "not a moment", id="no moment of ours"
        ),
        pytest.param(file(line(at="2026-06-01T09:15:00")), 2, "time zone", id="no time zone"),
        pytest.param(file(line(at="2026-06-03T09:15:00Z")), 2, "another day", id="another day"),
        pytest.param(file(f'{ONE}"x'), 2, "", id="a quotation mark astray"),
        pytest.param(
            file('"demo\n1",p,payment,1,1,paid,x', total="TOTAL,1,1"),
            2, "within quotation marks", id="a line end in a cell",
        ),
        pytest.param(file("x" * (MAX_LINE + 1), total="TOTAL,1,1"), 2, "too long", id="long"),
        pytest.param(file() + b"y" * (MAX_LINE + 9), 3, "too long", id="and never ends"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file(data, where, why):
    with pytest.raises(FileUnusable) as fault:
        list(read(data))
    assert (fault.value.line, why in fault.value.why) == (where, True)


def test_a_line_that_ends_soon_enough_may_come_in_one_long_block():
    data = file(*(line(f"demo-{n}") for n in range(200)))
    assert len(data) > 2 * MAX_LINE
    assert len(list(read(data, block=len(data)))) == 200


@pytest.mark.parametrize("size", [1, 2, 5_000])
def test_a_line_that_stands_twice_is_named(monkeypatch, size):
    monkeypatch.setattr(module, "_BATCH", size)
    matching = Matching()
    lines = [line("demo-1"), line("demo-2"), line("demo-1", kind="refund", status="refunded")]
    with pytest.raises(FileUnusable) as fault:
        list(matching.theirs(read(file(*lines, line("demo-2", 5)))))
    assert (fault.value.line, fault.value.why) == (5, "it is of the same as line 3")
    matching.close()


# --- Matching -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "books", "kind"),
    [
        pytest.param([line()], [ours()], None, id="it agrees"),
        pytest.param([line()], [], "only_theirs", id="only theirs"),
        pytest.param([], [ours()], "only_ours", id="only ours"),
        pytest.param([line(amount=999)], [ours()], "amount_diff", id="another amount"),
        pytest.param([line(status="failed")], [ours()], "status_diff", id="they say it failed"),
        pytest.param([line()], [ours(standing="open")], "status_diff", id="we did not know"),
        pytest.param([line()], [ours(standing="failed")], "status_diff", id="we held it failed"),
        pytest.param([line()], [ours(theirs="p-2")], "status_diff", id="under another number"),
        pytest.param([line(status="failed")], [], None, id="a failure that we do not know"),
        pytest.param([line(status="failed")], [ours(standing="open")], None, id="not yet known"),
        pytest.param([], [ours(standing="open")], None, id="nobody paid"),
        pytest.param(
            [line(kind="refund", status="refunded")], [ours(kind="refund")], None, id="a refund"
        ),
        *(
            pytest.param(
                [line(kind="refund", status="failed")], [ours(kind="refund", standing=standing)],
                kind, id=f"a refund that came back and is {standing} in our books",
            )
            for standing, kind in (
                ("open", "status_diff"), ("done", "status_diff"), ("failed", None)
            )
        ),
    ],
)  # fmt: skip
def test_a_line_against_our_books(theirs, books, kind):
    _, found = match(theirs, books)
    assert [one["kind"] for one in found] == ([kind] if kind else [])


def test_what_a_difference_says():
    [one] = match([line(amount=999)], [ours()])[1]
    assert one == {
        "kind": "amount_diff",
        "line": "payment",
        "reference": "demo-1",
        "provider_reference": "p-demo-1",
        "agency": "Z01",
        "payment": "of-demo-1",
        "ours": 1_000,
        "theirs": 999,
        "fee": 10,
        "our_status": "done",
        "their_status": "done",
        "since": "2026-06-01",
        "moved_at": PAID_AT,
    }
    [unknown] = match([line()], [])[1]
    assert not {"agency", "payment", "ours", "our_status", "since"} & unknown.keys()


def test_payments_and_refunds_are_counted_apart_and_by_agency():
    lines = [line("a"), line("b"), line("a", 400, "refunded", "refund"), line("c", 9, "failed")]
    books = [ours("a"), ours("b", agency="Z02"), ours("a", 400, kind="refund")]
    tallies, found = match(lines, books)
    assert found == []
    assert tallies == [Agreed("Z01", 2, 1_000, 400, 20), Agreed("Z02", 1, 1_000, 0, 10)]


_FATES = {
    "agrees": None,
    "lost": "only_ours",
    "invented": "only_theirs",
    "changed": "amount_diff",
    "failed": "status_diff",
}


@given(st.lists(st.sampled_from(sorted(_FATES)), max_size=60), st.randoms(use_true_random=False))
def test_every_seeded_difference_is_found_and_no_other(fates, chance):
    lines, books, expected = [], [], {}
    for number, fate in enumerate(fates):
        name, amount = f"demo-{number}", 1_000 + number
        if fate != "lost":
            wrong = amount + 1 if fate == "changed" else amount
            lines.append(line(name, wrong, "failed" if fate == "failed" else "paid"))
        if fate != "invented":
            books.append(ours(name, amount))
        if _FATES[fate]:
            expected[name] = _FATES[fate]
    chance.shuffle(lines)
    chance.shuffle(books)
    tallies, found = match(lines, books)
    assert {one["reference"]: one["kind"] for one in found} == expected
    assert sum(one.matched for one in tallies) == Counter(fates)["agrees"]
