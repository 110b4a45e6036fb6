"""A receipt as its readers see it: folded from its stream, personal values opened while answering.

Its check word stands in the QR code and opens the public check: there nothing is personal.
"""

from base64 import b32encode
from datetime import datetime
from hmac import compare_digest
from typing import Literal, NamedTuple

from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.contexts.payments.configured import configuration
from chalicelib.contexts.payments.domain.events import Line, LineKind, Payer
from chalicelib.contexts.payments.domain.receipt import (
    Edition,
    Receipt,
    ReceiptStatus,
    ReceiptUnknown,
    receipt,
)
from chalicelib.handle import fold
from chalicelib.http.personal import Opened
from chalicelib.text import from_b64url

_WORD_CHARS = 10


class FormerReceipt(TypedDict):
    """A number of a receipt that another one has replaced."""

    series: str
    number: int
    issued_at: datetime


class PaymentReceipt(TypedDict):
    """What an agency confirms was paid, in đồng, under its present number.

    `left` is what was paid and not given back, `former` are the numbers before this one. `check` is
    where anybody can check it.
    """

    receipt: str
    payment: str
    dossier: str
    agency: str
    kind: LineKind
    status: ReceiptStatus
    amount: int
    left: int
    series: str
    number: int
    issued_at: datetime
    payer: Payer | None
    lines: tuple[Line, ...]
    former: list[FormerReceipt]
    check: str


class ReceiptCheck(TypedDict):
    """What anybody who holds a paper may know of it: whether it is good, and for how many đồng.

    `seen` names the commit in which its number was given.
    """

    receipt: str
    agency: str
    agency_name: str
    kind: LineKind
    series: str
    number: int
    issued_at: datetime
    status: ReceiptStatus | Literal["replaced"]
    amount: int
    seen: str


class Standing(NamedTuple):
    """A receipt with its version, and the commit in which each of its numbers was given."""

    state: Receipt
    version: int
    commits: dict[tuple[str, int], str]


def standing(id_: str) -> Standing:
    """A receipt as it stands.

    Raises:
        ReceiptUnknown: there is none.
    """
    commits = runtime.event_store().load(f"receipt-{id_}") if id_.isalnum() else []
    if not commits:
        raise ReceiptUnknown
    given = {
        (data["series"], data["number"]): commit.seen
        for commit in commits
        for data in commit.data()
        if "number" in data
    }
    return Standing(fold(receipt, commits), commits[-1].number, given)


def check_word(id_: str, edition: Edition) -> str:
    """The word that opens the public check of a receipt under one of its numbers."""
    said = f"receipt-word\0{id_}\0{edition.series}\0{edition.number}".encode()
    return b32encode(from_b64url(runtime.fingerprint(said))).decode().lower()[:_WORD_CHARS]


def check_link(state: Receipt) -> str:
    """Where anybody can check the receipt under its present number: what its QR code says."""
    word = check_word(state.receipt, state.editions[-1])
    return f"{configuration().receipt_check_url}/receipts/{state.receipt}/check?code={word}"


def checked(found: Standing, word: str) -> Edition:
    """Which of the receipt's papers this word is on.

    Raises:
        ReceiptUnknown: the word is not of this receipt.
    """
    for edition in found.state.editions:
        good = check_word(found.state.receipt, edition)
        if compare_digest(good.encode(), word.strip().encode()):
            return edition
    raise ReceiptUnknown


def shown_to_anybody(found: Standing, edition: Edition, agency_name: str) -> ReceiptCheck:
    """What anybody who holds a paper of the receipt may know of it."""
    state = found.state
    assert state.status != "absent"
    replaced = edition != state.editions[-1]
    return {
        "receipt": state.receipt,
        "agency": state.agency,
        "agency_name": agency_name,
        "kind": state.kind,
        "series": edition.series,
        "number": edition.number,
        "issued_at": edition.at,
        "status": "replaced" if replaced else state.status,
        "amount": 0 if replaced or state.status == "cancelled" else state.left,
        "seen": found.commits[edition.series, edition.number],
    }


def shown(found: Standing, read: Opened) -> PaymentReceipt:
    """The receipt as data; `read` opens what is personal, or does not."""
    state = found.state
    assert state.status != "absent"
    last = state.editions[-1]
    return {
        "receipt": state.receipt,
        "payment": state.payment,
        "dossier": state.dossier,
        "agency": state.agency,
        "kind": state.kind,
        "status": state.status,
        "amount": state.amount,
        "left": state.left,
        "series": last.series,
        "number": last.number,
        "issued_at": last.at,
        "payer": read(state.payer),
        "lines": state.lines,
        "former": [
            {"series": each.series, "number": each.number, "issued_at": each.at}
            for each in state.editions[:-1]
        ],
        "check": check_link(state),
    }
