"""The ledger over HTTP: balances, the trial balance, entries, and where books disagree."""

from datetime import date, datetime
from itertools import groupby
from typing import Annotated, Self

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from chalicelib.agency_code import canonical
from chalicelib.contexts.payments import books
from chalicelib.contexts.payments.ledger import EVERYBODY, Account, Balance, Posting
from chalicelib.contexts.payments.people import acts_for, office
from chalicelib.contexts.payments.projections import do_the_books_agree
from chalicelib.contexts.payments.projections.do_the_books_agree import PaymentAgreement
from chalicelib.http.identity import Role
from chalicelib.http.paging import Page, listing, page_of, page_request
from chalicelib.http.resource import Answer, Resource, ok
from chalicelib.kernel import Forbidden, Value
from chalicelib.projector.table import InvalidCursor

routes = Resource(__name__)
READERS: set[Role] = {"auditor", "administrator"}
SEARCHED = 10_000
"""Positions that one page of entries looks through."""
_POSITION_DIGITS = 15


class NotYourLedger(Forbidden):
    """An officer sees the books of their own agency, and of those whose place it took."""

    code = "not-your-ledger"


class Moment(Value):
    """As of when: the end of day `on` (Hanoi), or history's `position`; now, if neither is said."""

    on: date | None = None
    position: Annotated[int, Field(ge=1, lt=10**_POSITION_DIGITS)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.on and self.position:
            raise ValueError("either on or position")
        return self


class AccountBalance(TypedDict):
    """What moved on an account, in đồng; `balance` is debit less credit."""

    account: Account
    provider: str
    debit: int
    credit: int
    balance: int


class LedgerBalances(TypedDict):
    """What stands on the accounts of `agency` (`*`: of all).

    At the end of day `on` in Hanoi, or at `position` of history; now, if neither is said.
    """

    agency: str
    on: date | None
    position: int | None
    accounts: list[AccountBalance]


class TrialBalance(TypedDict):
    """The sums of every account of all agencies, in đồng; `balanced`: debits equal credits."""

    on: date | None
    position: int | None
    accounts: list[AccountBalance]
    debit: int
    credit: int
    balanced: bool


class LedgerEntry(TypedDict):
    """One side of what an event moved, in đồng.

    The event stands at `position` of history: it is number `index` (from 0) in commit `seen`.
    """

    position: int
    seen: str
    index: int
    type: str
    at: datetime
    account: Account
    agency: str
    provider: str
    debit: int
    credit: int


class Filter(Value):
    """Which entries are wanted."""

    account: Account | None = None


@routes.get("/ledger/balances", allow={*READERS, "officer"})
def read_balances() -> Answer[LedgerBalances]:
    """What stands on an agency's accounts, or on all. Query: `agency`, and `on` or `position`.

    An officer sees those of their agency, or of one whose place it took. 404
    `position-not-reached`, 422 `replay-too-long`.
    """
    query = routes.query()
    agency = _whose(query.pop("agency", None))
    moment = routes.build(Moment, **query)
    accounts = [_shown(one) for one in _held(agency, moment)]
    return ok(
        {"agency": agency, "on": moment.on, "position": moment.position, "accounts": accounts}
    )


@routes.get("/ledger/trial-balance", allow=READERS)
def read_trial_balance() -> Answer[TrialBalance]:
    """The sums of every account of all agencies: debits equal credits. Query: as balances."""
    moment = routes.build(Moment, **routes.query())
    sums: dict[Account, Balance] = {}
    for one in _held(EVERYBODY, moment):
        so_far = sums.get(one.account, Balance(account=one.account))
        added = {"debit": so_far.debit + one.debit, "credit": so_far.credit + one.credit}
        sums[one.account] = so_far.model_copy(update=added)
    debit, credit = (sum(getattr(s, side) for s in sums.values()) for side in ("debit", "credit"))
    return ok(
        {
            "on": moment.on,
            "position": moment.position,
            "accounts": [_shown(one) for one in sums.values()],
            "debit": debit,
            "credit": credit,
            "balanced": debit == credit,
        }
    )


@routes.get("/ledger/entries", allow={*READERS, "officer"})
def list_entries() -> Answer[Page[LedgerEntry]]:
    """What moved, in history's order. Query: `account`, `agency`, `limit`, `cursor`.

    `cursor` is a position: what moved behind it. What one commit moved is never divided. An officer
    sees what is their agency's, or that of one whose place it took.
    """
    query = routes.query()
    asked, agency = page_request(query), _whose(query.get("agency"))
    account = routes.build(Filter, account=query.get("account")).account
    items, reached, more = _page(_position(asked.cursor), asked.limit, agency, account)
    return listing(items, str(reached) if more else None, reached, stale=False)


@routes.get("/ledger/disagreements", allow=READERS)
def list_disagreements() -> Answer[Page[PaymentAgreement]]:
    """Where payment, dossier and ledger disagree, the longest first. Query: paging."""
    return page_of(do_the_books_agree.answer, page_request(routes.query()), by="wrong")


def _page(
    after: int, limit: int, agency: str, account: Account | None
) -> tuple[list[LedgerEntry], int, bool]:
    """The postings behind a position, how far that goes, and whether more may follow."""
    items: list[LedgerEntry] = []
    reached = after
    for last, found in books.entries(after):
        for position, together in groupby(found, key=lambda entry: entry.position):
            shown = [
                _entry(entry, one)
                for entry in together
                for one in entry.postings
                if agency in {EVERYBODY, one.agency} and account in {None, one.account}
            ]
            if items and len(items) + len(shown) > limit:
                return items, reached, True
            items += shown
            reached = position
        reached = last
        if reached - after >= SEARCHED:
            return items, reached, True
    return items, reached, False


def _entry(entry: books.Entry, one: Posting) -> LedgerEntry:
    return {
        "position": entry.position,
        "seen": entry.seen,
        "index": entry.nth,
        "type": entry.type,
        "at": entry.at,
        "account": one.account,
        "agency": one.agency,
        "provider": one.provider,
        "debit": one.debit,
        "credit": one.credit,
    }


def _held(agency: str, moment: Moment) -> tuple[Balance, ...]:
    if moment.position:
        return books.held_at(agency, moment.position)
    return books.held_on(agency, moment.on) if moment.on else books.held(agency)


def _shown(one: Balance) -> AccountBalance:
    return {
        "account": one.account,
        "provider": one.provider,
        "debit": one.debit,
        "credit": one.credit,
        "balance": one.debit - one.credit,
    }


def _whose(agency: str | None) -> str:
    """Whose books are asked for, everybody's if nobody is named.

    Raises:
        NotYourLedger: an officer asks for another agency's.
    """
    caller = routes.caller()
    if caller.role != "officer":
        return canonical(agency) if agency else EVERYBODY
    whose = canonical(agency) if agency else office(caller)
    if not acts_for(caller, whose):
        raise NotYourLedger(field="agency")
    return whose


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= _POSITION_DIGITS):
        raise InvalidCursor(field="cursor")
    return int(cursor)
