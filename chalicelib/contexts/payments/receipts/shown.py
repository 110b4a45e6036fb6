"""A receipt as its readers see it: folded from its stream, personal values opened while answering.

Its check word stands in the QR code and opens the public check: there nothing is personal.
"""

from base64 import b32encode
from hmac import compare_digest
from typing import Any, NamedTuple

from chalicelib import runtime
from chalicelib.contexts.payments.configured import configuration
from chalicelib.contexts.payments.domain.receipt import (
    Edition,
    Receipt,
    ReceiptUnknown,
    receipt,
)
from chalicelib.handle import fold
from chalicelib.http.personal import Opened
from chalicelib.text import from_b64url

_WORD_CHARS = 10


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


def checked(found: Standing, word: str) -> dict[str, Any]:
    """What anybody who holds the paper may know of it: whether it is good, and for how much.

    `seen` names the commit in which that number was given.

    Raises:
        ReceiptUnknown: the word is not of this receipt.
    """
    state = found.state
    for edition in state.editions:
        if compare_digest(check_word(state.receipt, edition).encode(), word.strip().encode()):
            replaced = edition != state.editions[-1]
            return {
                "receipt": state.receipt,
                "agency": state.agency,
                "kind": state.kind,
                "series": edition.series,
                "number": edition.number,
                "issued_at": edition.at.isoformat(),
                "status": "replaced" if replaced else state.status,
                "amount": 0 if replaced or state.status == "cancelled" else state.left,
                "seen": found.commits[edition.series, edition.number],
            }
    raise ReceiptUnknown


def shown(found: Standing, read: Opened) -> dict[str, Any]:
    """The receipt as data; `read` opens what is personal, or does not."""
    state = found.state
    names = {"receipt", "payment", "dossier", "agency", "kind", "status", "amount", "left"}
    last = state.editions[-1]
    return state.model_dump(mode="json", include=names) | {
        "series": last.series,
        "number": last.number,
        "issued_at": last.at.isoformat(),
        "payer": read(state.payer),
        "lines": [line.model_dump() for line in state.lines],
        "former": [
            {"series": each.series, "number": each.number, "issued_at": each.at.isoformat()}
            for each in state.editions[:-1]
        ],
        "check": check_link(state),
    }
