"""One receipt (biên lai): what an agency confirms was paid of one kind of line of one payment.

Its number can change, when it is replaced; its stream cannot, so that a refund and a replacement
that meet are decided one after the other.
"""

from base64 import b32encode
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from chalicelib.contexts.payments.domain.events import (
    Dong,
    Line,
    LineKind,
    Payer,
    ReceiptAdjusted,
    ReceiptCancelled,
    ReceiptEvents,
    ReceiptIssued,
    ReceiptReplaced,
)
from chalicelib.kernel import Command, Conflict, Decider, Forbidden, Invalid, NotFound, Value
from chalicelib.privacy.personal import Personal
from chalicelib.working_time import HANOI

_LETTERS: dict[LineKind, str] = {"fee": "P", "charge": "LP", "fine": "TP", "tax": "T"}
"""Phí, lệ phí, tiền phạt, thuế: the letters of a series."""
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
ReceiptStatus = Literal["issued", "cancelled"]


class ReceiptUnknown(NotFound):
    """There is no such receipt, or none that the caller may know of."""

    code = "receipt-unknown"
    rule = "Law 91/2025/QH15: what somebody pays is nobody else's business"


class NotYourReceipt(Forbidden):
    """Only the agency that issued a receipt replaces or cancels it."""

    code = "not-your-receipt"
    rule = "Who issued a receipt answers for it"


class ReceiptIsCancelled(Conflict):
    """A cancelled receipt is not replaced."""

    code = "receipt-cancelled"
    rule = "[R] issued, adjusted, replaced or cancelled; cancelled is the end"


class ReceiptIsReplaced(Conflict):
    """Another number stands in place of this one already."""

    code = "receipt-replaced"
    rule = "[R] one number stands in place of another"


class ReceiptLinesWrong(Invalid):
    """The lines are not of the receipt's kind, or their sum is not what was paid and not refunded.

    A replacement corrects what a receipt says; money moves by payments and refunds.
    """

    code = "receipt-lines-wrong"
    rule = "A receipt confirms what was paid, no more and no less"


class Edition(Value):
    """A receipt under one of its numbers, issued `at`."""

    series: str
    number: int
    at: datetime


class Receipt(Value):
    """What `decide` must remember, and what readers are shown.

    `editions` are its numbers, the last one is good. `left` is what was paid and not given back.
    `settled` are the refunds it has heard of.
    """

    status: ReceiptStatus | Literal["absent"] = "absent"
    receipt: str = ""
    payment: str = ""
    dossier: str = ""
    agency: str = ""
    kind: LineKind = "fee"
    subject: str = ""
    payer: Personal[Payer] | None = None
    lines: tuple[Line, ...] = ()
    amount: Dong = 0
    left: Dong = 0
    editions: tuple[Edition, ...] = ()
    settled: frozenset[str] = frozenset()


class IssueReceipt(Command):
    """Confirm what was paid, under the next `number` of `series`."""

    receipt: str
    payment: str
    dossier: str
    agency: str
    kind: LineKind
    series: str
    number: int = 0
    subject: str
    payer: Personal[Payer] | None
    lines: tuple[Line, ...]


class ReplaceReceipt(Command):
    """Have a new number stand in place of `replaces`: other `lines` or `payer`, None as before.

    Naming the number it replaces, a wish that comes twice does not use up two.
    """

    receipt: str
    agency: str
    replaces: int
    series: str
    number: int = 0
    lines: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)] | None = None
    payer: Payer | None = None
    reason: Said


class CancelReceipt(Command):
    """Take a receipt back that should never have been issued."""

    receipt: str
    agency: str
    reason: Said


class NoteRefund(Command):
    """`returned` of this kind of line was given back by `refund`."""

    receipt: str
    refund: str
    returned: Dong


ReceiptCommand = IssueReceipt | ReplaceReceipt | CancelReceipt | NoteRefund


def receipt_id(payment: str, kind: LineKind) -> str:
    """The id of the receipt for this kind of line of a payment: 26 letters and digits."""
    digest = sha256(f"receipt\0{payment}\0{kind}".encode()).digest()[:16]
    return b32encode(digest).decode().rstrip("=").lower()


def series(agency: str, kind: LineKind, at: datetime) -> str:
    """The series that a receipt issued at that moment is numbered in: `Z01-P-2026`."""
    return f"{agency}-{_LETTERS[kind]}-{at.astimezone(HANOI):%Y}"


def counter(of: str) -> str:
    """The name of a series' counter."""
    return f"receipt/{of}"


def decide(command: ReceiptCommand, state: Receipt) -> list[ReceiptEvents]:
    """The events `command` causes; none if it has already had its effect.

    Raises:
        ReceiptUnknown: replacing or cancelling what was never issued.
        NotYourReceipt: another agency's.
        ReceiptIsCancelled, ReceiptIsReplaced: replacing what is no longer good.
        ReceiptLinesWrong: a replacement that says another kind or sum.
    """
    match command:
        case IssueReceipt() if state.status == "absent":
            kept = command.model_dump(exclude={"origin", "payer", "lines"})
            total = sum(line.amount for line in command.lines)
            return [
                ReceiptIssued(
                    **kept, payer=command.payer, lines=command.lines, amount=total, at=command.at
                )
            ]
        case IssueReceipt():
            return []
        case NoteRefund():
            return _refund(command, state)
        case _ if state.status == "absent":
            raise ReceiptUnknown
        case _ if command.agency != state.agency:
            raise NotYourReceipt
        case ReplaceReceipt():
            return _replace(command, state)
        case CancelReceipt() if state.status == "cancelled":
            return []
        case CancelReceipt():
            reason = Personal[str](subject=state.subject, value=command.reason)
            return [
                ReceiptCancelled(
                    receipt=state.receipt, agency=state.agency, reason=reason, at=command.at
                )
            ]


def _refund(command: NoteRefund, state: Receipt) -> list[ReceiptEvents]:
    """A refund of everything cancels, one of a part adjusts; of what is not receipted, nothing."""
    if state.status != "issued" or command.refund in state.settled or not command.returned:
        return []
    left = max(0, state.left - command.returned)
    id_, agency, refund, at = state.receipt, state.agency, command.refund, command.at
    if not left:
        return [ReceiptCancelled(receipt=id_, agency=agency, refund=refund, at=at)]
    returned = command.returned
    return [
        ReceiptAdjusted(
            receipt=id_, agency=agency, refund=refund, returned=returned, left=left, at=at
        )
    ]


def _replace(command: ReplaceReceipt, state: Receipt) -> list[ReceiptEvents]:
    """A new number for what is said otherwise; what is said already needs none."""
    last = state.editions[-1]
    if state.status == "cancelled":
        raise ReceiptIsCancelled
    if command.replaces != last.number:
        raise ReceiptIsReplaced(field="replaces")
    if command.lines is None and command.payer is None:
        return []
    lines = state.lines if command.lines is None else command.lines
    payer = state.payer
    if command.payer:
        payer = Personal[Payer](subject=state.subject, value=command.payer)
    if any(line.kind != state.kind for line in lines) or _sum(lines) != state.left:
        raise ReceiptLinesWrong(field="lines")
    return [
        ReceiptReplaced(
            receipt=state.receipt,
            agency=state.agency,
            kind=state.kind,
            old_series=last.series,
            old_number=last.number,
            series=command.series,
            number=command.number,
            payer=payer,
            lines=lines,
            amount=state.left,
            reason=Personal[str](subject=state.subject, value=command.reason),
            at=command.at,
        )
    ]


def _sum(lines: Iterable[Line]) -> int:
    return sum(line.amount for line in lines)


def evolve(state: Receipt, event: ReceiptEvents) -> Receipt:
    """The receipt after `event`."""
    match event:
        case ReceiptIssued():
            return Receipt(
                status="issued",
                left=event.amount,
                editions=(Edition(series=event.series, number=event.number, at=event.at),),
                payer=event.payer,
                lines=event.lines,
                **event.model_dump(
                    include={
                        *("receipt", "payment", "dossier", "agency", "kind", "subject", "amount"),
                    }
                ),
            )
        case ReceiptReplaced():
            edition = Edition(series=event.series, number=event.number, at=event.at)
            changes = {"payer": event.payer, "lines": event.lines, "amount": event.amount}
            return state.model_copy(
                update=changes | {"left": event.amount, "editions": (*state.editions, edition)}
            )
        case ReceiptAdjusted():
            settled = state.settled | {event.refund}
            return state.model_copy(update={"left": event.left, "settled": settled})
        case ReceiptCancelled():
            settled = state.settled | ({event.refund} if event.refund else set())
            left = 0 if event.refund else state.left
            return state.model_copy(
                update={"status": "cancelled", "left": left, "settled": settled}
            )


receipt = Decider("receipt", ReceiptEvents, Receipt(), decide, evolve)
