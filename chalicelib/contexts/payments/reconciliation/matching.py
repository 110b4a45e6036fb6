"""A provider's settlement file against our books, line by line, however long both are.

Nothing is held in memory but a cache of bounded size: both sides go into a temporary database on
disk that nobody else sees, and are joined there. The file is read as a stream; a fault in it says
at which line, and then none of it counts.
"""

import csv
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from chalicelib.contexts.payments.domain.settlement import Chunk
from chalicelib.working_time import HANOI, in_our_times

COLUMNS = (
    "reference",
    "provider_reference",
    "kind",
    "amount",
    "fee",
    "status",
    "paid_at",
)
"""The columns of a file, by our names; a provider may use its own, and another order."""
TOTAL = "TOTAL"
"""How the last line begins: then the count of the lines, and the sum of their amounts."""
CHUNK_LINES = 5_000
"""Lines of a file between two notes of how far it was read."""
MAX_LINE = 2_000
"""Bytes of a line, at most."""
CACHE_KIB = 64 * 1024
"""What the database keeps in memory; the rest is on disk."""
_STANDINGS = {"paid": "done", "refunded": "done", "failed": "failed"}
_KINDS = {"payment": {"paid", "failed"}, "refund": {"refunded", "failed"}}
_AMOUNT = re.compile(r"[0-9]{1,15}")
_WORD = re.compile(r"[!-~]{1,100}")
_BATCH = 5_000
MAX_SUM = 10**15
"""Đồng that all lines, or all fees, may come to: more cannot be recorded (`Dong`)."""
_NEAR = timedelta(days=1)
"""How far from its day a line may be dated: clocks of two houses differ around midnight."""
_TOTAL_CELLS = 3


class FileUnusable(Exception):  # noqa: N818 -- named as the fact it states.
    """The settlement file cannot be used, and none of it counts."""

    def __init__(self, line: int, why: str) -> None:
        """Say why, and at which line; 0 is no line in particular."""
        super().__init__(f"line {line}: {why}" if line else why)
        self.line, self.why = line, why


class Theirs(NamedTuple):
    """A line of the file: amounts in đồng, `at` when it moved, `line` where it stands."""

    kind: str
    reference: str
    provider_reference: str
    amount: int
    fee: int
    standing: str
    at: str
    line: int


class Ours(NamedTuple):
    """What our books say of a payment or a refund."""

    kind: str
    reference: str
    provider_reference: str
    amount: int
    standing: str
    agency: str
    payment: str
    on: str


class Agreed(NamedTuple):
    """What agrees of an agency's lines: how many, and how many đồng."""

    agency: str
    matched: int
    payments: int
    refunds: int
    fees: int


T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in their order, `size` at a time."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


@dataclass
class Reading:
    """One pass through a file that comes in blocks of bytes. `columns`: our name → the file's.

    Iterating gives the lines; `lines`, `amount` and `fees` are so far's count and sums (đồng).
    `chunks` are those read whole and not yet taken by `taken`.
    """

    blocks: Iterable[bytes]
    day: date
    columns: Mapping[str, str] = field(default_factory=dict)
    lines: int = 0
    amount: int = 0
    fees: int = 0
    _chunks: list[Chunk] = field(default_factory=list)
    _number: int = 0
    _hasher: Any = field(default_factory=sha256)
    _before: tuple[int, int] = (0, 0)

    def taken(self) -> tuple[Chunk, ...]:
        """The chunks that were read since this was last asked."""
        chunks, self._chunks = tuple(self._chunks), []
        return chunks

    def __iter__(self) -> Iterator[Theirs]:
        """The lines, one by one.

        Raises:
            FileUnusable: naming the line at fault.
        """
        rows = csv.reader(self._texts(), strict=True)
        csv.field_size_limit(MAX_LINE)
        number = 0
        order: list[int] = []
        total: list[str] | None = None
        while True:
            number += 1
            try:
                row = next(rows, None)
            except csv.Error as error:
                raise FileUnusable(number, str(error)) from None
            if row is None:
                break
            if rows.line_num != number:
                raise FileUnusable(number, "a line ends within quotation marks")
            if total is not None:
                raise FileUnusable(number, "there is a line behind the total")
            if not order:
                order = self._order(row)
            elif row and row[0] == TOTAL:
                total = row
            else:
                yield self._line(row, order, number)
                if self.lines % CHUNK_LINES == 0:
                    self._chunk()
        self._check_total(total, number - 1)
        if self.lines > self._before[0]:
            self._chunk()

    def _texts(self) -> Iterator[str]:
        rest, number = b"", 0
        for block in self.blocks:
            *whole, rest = (rest + block).split(b"\n")
            if len(rest) > MAX_LINE:
                raise FileUnusable(number + len(whole) + 1, "the line is too long")
            for raw in whole:
                number += 1
                yield self._text(raw, number)
        if rest:
            yield self._text(rest, number + 1)

    def _text(self, raw: bytes, number: int) -> str:
        if len(raw) > MAX_LINE:
            raise FileUnusable(number, "the line is too long")
        self._hasher.update(raw)
        self._hasher.update(b"\n")
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            return raw.decode().removesuffix("\r")
        except UnicodeDecodeError:
            raise FileUnusable(number, "it is not UTF-8") from None

    def _order(self, header: list[str]) -> list[int]:
        """Where in a row each of our columns stands."""
        names = [self.columns.get(name, name) for name in COLUMNS]
        given = [name.strip() for name in header]
        for name in given:
            if name not in names:
                # What stands there may be anything, so it is not repeated: only which it is.
                raise FileUnusable(1, f"column {given.index(name) + 1} has no name that is known")
        if len(set(given)) != len(given):
            raise FileUnusable(1, "a column stands twice")
        if missing := [name for name in names if name not in given]:
            raise FileUnusable(1, f"there is no column {missing[0]}")
        return [given.index(name) for name in names]

    def _line(self, row: list[str], order: list[int], number: int) -> Theirs:
        if len(row) != len(order):
            raise FileUnusable(number, f"{len(row)} cells stand under {len(order)} columns")
        reference, theirs, kind, amount, fee, status, paid_at = [row[at] for at in order]
        if not (_WORD.fullmatch(reference) and _WORD.fullmatch(theirs)):
            raise FileUnusable(number, "a reference is missing, or is none")
        if status not in _KINDS.get(kind, ()):
            raise FileUnusable(number, "the kind or the status is not one that is known")
        if not (_AMOUNT.fullmatch(amount) and _AMOUNT.fullmatch(fee)):
            raise FileUnusable(number, "an amount is not a whole number of đồng")
        try:
            at = in_our_times(datetime.fromisoformat(paid_at))
        except ValueError:
            raise FileUnusable(number, "paid_at is not a moment") from None
        if at.tzinfo is None:
            raise FileUnusable(number, "paid_at does not say in which time zone")
        if abs(at.astimezone(HANOI).date() - self.day) > _NEAR:
            raise FileUnusable(number, "the line is of another day")
        self.lines += 1
        self.amount += int(amount)
        self.fees += int(fee)
        if max(self.amount, self.fees) > MAX_SUM:
            raise FileUnusable(number, "the lines so far are more money than can be")
        return Theirs(
            kind,
            reference,
            theirs,
            int(amount),
            int(fee),
            _STANDINGS[status],
            at.astimezone(HANOI).isoformat(),
            number,
        )

    def _chunk(self) -> None:
        lines, amount = self._before
        self._number += 1
        self._chunks.append(
            Chunk(
                number=self._number,
                lines=self.lines - lines,
                amount=self.amount - amount,
                sha256=self._hasher.hexdigest(),
            )
        )
        self._before, self._hasher = (self.lines, self.amount), sha256()

    def _check_total(self, total: list[str] | None, number: int) -> None:
        if total is None:
            raise FileUnusable(number, "the last line is not the total")
        if len(total) != _TOTAL_CELLS or not all(_AMOUNT.fullmatch(cell) for cell in total[1:]):
            raise FileUnusable(number, "the total is not a count and a sum")
        if (int(total[1]), int(total[2])) != (self.lines, self.amount):
            raise FileUnusable(
                number,
                f"the total says {int(total[1])} lines and {int(total[2])} đồng, "
                f"but there are {self.lines} and {self.amount}",
            )


_TABLES = """
CREATE TABLE theirs (kind TEXT, reference TEXT, provider_reference TEXT, amount INTEGER,
  fee INTEGER, standing TEXT, at TEXT, line INTEGER, PRIMARY KEY (kind, reference)) WITHOUT ROWID;
CREATE TABLE ours (kind TEXT, reference TEXT, provider_reference TEXT, amount INTEGER,
  standing TEXT, agency TEXT, payment TEXT, day TEXT, PRIMARY KEY (kind, reference)) WITHOUT ROWID;
"""
_AGREES = """t.standing = 'done' AND o.standing = 'done' AND t.amount = o.amount
  AND t.provider_reference = o.provider_reference"""
_THEIRS = f"""
SELECT CASE WHEN o.kind IS NULL THEN 'only_theirs'
            WHEN t.standing = o.standing AND t.amount != o.amount THEN 'amount_diff'
            ELSE 'status_diff' END AS difference,
  t.kind AS line, t.reference, t.provider_reference, o.agency, o.payment,
  o.amount AS ours, t.amount AS theirs, t.fee, o.standing AS our_status,
  t.standing AS their_status, t.at AS moved_at, o.day AS since
FROM theirs t LEFT JOIN ours o ON o.kind = t.kind AND o.reference = t.reference
WHERE CASE WHEN t.standing = 'done' THEN o.kind IS NULL OR NOT ({_AGREES})
           WHEN t.kind = 'payment' THEN o.standing = 'done'
           ELSE o.kind IS NULL OR o.standing != 'failed' END
ORDER BY t.kind, t.reference
"""  # noqa: S608 -- put together of what stands here.
_OURS = """
SELECT 'only_ours' AS difference, o.kind AS line, o.reference, o.provider_reference, o.agency,
  o.payment, o.amount AS ours, 0 AS theirs, 0 AS fee, o.standing AS our_status,
  'absent' AS their_status, o.day AS since
FROM ours o LEFT JOIN theirs t ON t.kind = o.kind AND t.reference = o.reference
WHERE o.standing = 'done' AND t.kind IS NULL ORDER BY o.kind, o.reference
"""
_TALLIES = f"""
SELECT o.agency, COUNT(*), SUM(CASE t.kind WHEN 'payment' THEN t.amount ELSE 0 END),
  SUM(CASE t.kind WHEN 'refund' THEN t.amount ELSE 0 END), SUM(t.fee)
FROM theirs t JOIN ours o ON o.kind = t.kind AND o.reference = t.reference
WHERE {_AGREES} GROUP BY o.agency ORDER BY o.agency
"""  # noqa: S608 -- the same.


class Matching:
    """Both sides of a day, each put in once, then compared. Close it, or its disk space stays."""

    def __init__(self) -> None:
        # A database without a name is a temporary file that goes with the connection.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(
            f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=FILE; "
            f"PRAGMA cache_size=-{CACHE_KIB};{_TABLES}"
        )
        # One transaction that is never committed: a commit for each line would be the slow part.
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Give the disk space back."""
        self._db.close()

    def theirs(self, lines: Iterable[Theirs]) -> Iterator[int]:
        """Put the file's lines in, telling now and then how many there are.

        Raises:
            FileUnusable: as reading it, or a line stands twice.
        """
        count = 0
        for batch in batches(lines, _BATCH):
            try:
                self._db.executemany("INSERT INTO theirs VALUES (?,?,?,?,?,?,?,?)", batch)
            except sqlite3.IntegrityError:
                self._name_the_duplicate(batch)
            count += len(batch)
            yield count

    def _name_the_duplicate(self, batch: list[Theirs]) -> None:
        first: dict[tuple[str, str], int] = {}
        for one in batch:
            key = one.kind, one.reference
            kept = self._db.execute(
                "SELECT line FROM theirs WHERE kind = ? AND reference = ?", key
            ).fetchone()
            known = first.setdefault(key, kept["line"] if kept else one.line)
            if known != one.line:
                raise FileUnusable(one.line, f"it is of the same as line {known}")

    def ours(self, rows: Iterable[Ours]) -> Iterator[int]:
        """Put our books' rows in, telling now and then how many there are."""
        count = 0
        for batch in batches(rows, _BATCH):
            self._db.executemany("INSERT INTO ours VALUES (?,?,?,?,?,?,?,?)", batch)
            count += len(batch)
            yield count

    def tallies(self) -> list[Agreed]:
        """What agrees, by agency: the money has moved in both books, as much, under one number."""
        return [Agreed(*row) for row in self._db.execute(_TALLIES)]

    def count(self) -> int:
        """How many lines differ."""
        both = f"SELECT (SELECT COUNT(*) FROM ({_THEIRS})) + (SELECT COUNT(*) FROM ({_OURS}))"  # noqa: S608 -- the same.
        return int(self._db.execute(both).fetchone()[0])

    def differences(self) -> Iterator[dict[str, Any]]:
        """The lines that differ, always in the same order.

        A payment that moved no money differs only from one of ours that did; a refund that did not
        differs from one that we hold to be under way as well: nobody else tells us that it came
        back. Where we know nothing, what would be ours is left out.
        """
        for query in (_THEIRS, _OURS):
            for row in self._db.execute(query):
                said = {name: row[name] for name in row.keys() if row[name] is not None}  # noqa: SIM118 -- a Row's iterator gives values.
                yield {"kind": said.pop("difference"), **said}
