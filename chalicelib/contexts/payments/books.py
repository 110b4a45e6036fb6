"""The ledger read back: from its views for now and for a day, from history for a position.

Views answer at once. As of a position, history is read from its beginning, as nothing else knows
what stood there; more than `MAX_REPLAYED` commits of money are too many for one request, and are an
auditor's export to replay.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from chalicelib import runtime
from chalicelib.contexts.payments.ledger import (
    EVERYBODY,
    Balance,
    LedgerEvent,
    Posting,
    balances,
    postings,
)
from chalicelib.contexts.payments.projections import (
    do_the_books_agree,
    what_does_the_ledger_hold,
    what_moved_on_a_day,
)
from chalicelib.history.reader import Positioned
from chalicelib.kernel import Invalid, NotFound
from chalicelib.projector.projection import event_types

MAX_REPLAYED = 20_000
"""Commits that one request replays."""
PATIENCE = timedelta(minutes=10)
"""How long what follows from an event may take before books that disagree are an alarm."""
COUNTED = 1_000
"""Cases that are counted for an alarm, at most."""
_TYPES = event_types(LedgerEvent)
_CATEGORIES = frozenset(type_.partition(".")[0] for type_ in _TYPES)


class PositionNotReached(NotFound):
    """History does not reach so far yet."""

    code = "position-not-reached"


class ReplayTooLong(Invalid):
    """There is too much before this position for one request; replay an export instead."""

    code = "replay-too-long"
    rule = f"At most {MAX_REPLAYED:,} commits that move money"


class Entry(NamedTuple):
    """What one event moved, and where it stands: `seen` is stream@number, `nth` in the commit."""

    position: int
    seen: str
    nth: int
    type: str
    at: datetime
    postings: tuple[Posting, ...]


def entries(after: int, up_to: int | None = None) -> Iterator[tuple[int, list[Entry]]]:
    """Stretch by stretch of history behind `after`: how far it goes, and the entries in it."""
    for stretch in runtime.reader().after(after, _bears):
        last = stretch.last if up_to is None else min(stretch.last, up_to)
        found = [
            entry for one in stretch.commits if one.position <= last for entry in _entries(one)
        ]
        yield last, found
        if last == up_to:
            return


def _bears(stream: str) -> bool:
    return stream.partition("-")[0] in _CATEGORIES


def _entries(one: Positioned) -> Iterator[Entry]:
    for nth, data in enumerate(one.commit.data()):
        kind = _TYPES.get(data["type"])
        if kind is None:
            continue
        event = kind.model_validate(data, extra="ignore")
        if moved := postings(event):
            about = (one.commit.seen, nth, event.type, one.commit.recorded_at)
            yield Entry(one.position, *about, moved)


def held(agency: str) -> tuple[Balance, ...]:
    """What stands on an agency's accounts now, or on everybody's."""
    row = runtime.views().row(what_does_the_ledger_hold.answer, agency)
    return row.accounts if row else ()


def held_on(agency: str, on: date) -> tuple[Balance, ...]:
    """What stood there at the end of a day in Hanoi."""
    days = runtime.views().every(what_moved_on_a_day.answer, agency)
    return balances(one for day in days if day.on <= on for one in day.accounts)


def held_at(agency: str, position: int) -> tuple[Balance, ...]:
    """What stood there when history had come to `position`.

    Raises:
        PositionNotReached, ReplayTooLong: as the names say.
    """
    sums: tuple[Balance, ...] = ()
    at = count = 0
    for last, found in entries(0, position):
        at = last
        count += len({entry.position for entry in found})
        if count > MAX_REPLAYED:
            raise ReplayTooLong(field="position")
        moved = (one for entry in found for one in entry.postings)
        sums = balances((one for one in moved if agency in {EVERYBODY, one.agency}), sums)
    if at < position:
        raise PositionNotReached(f"history is at {at}", field="position")
    return sums


def disagreements(now: datetime) -> int:
    """How many payments, dossiers and ledgers have disagreed for longer than `PATIENCE`.

    A ledger that does not balance counts as one; it is counted to `COUNTED`.
    """
    every = held(EVERYBODY)
    count = int(sum(one.debit for one in every) != sum(one.credit for one in every))
    for _ in runtime.views().due(do_the_books_agree.answer, "wrong", now - PATIENCE):
        count += 1
        if count == COUNTED:
            break
    return count
