"""What follows for receipts from what happens to payments. Pure."""

from collections.abc import Iterable
from typing import Any

from chalicelib.contexts.payments.domain.events import (
    PaymentPaid,
    PaymentRefundPaidByHand,
    PaymentRefundSettled,
)
from chalicelib.contexts.payments.domain.receipt import (
    IssueReceipt,
    NoteRefund,
    ReceiptCommand,
    counter,
    receipt,
    receipt_id,
    series,
)
from chalicelib.kernel import Command, Decider, Origin

EVENTS = PaymentPaid | PaymentRefundSettled | PaymentRefundPaidByHand


def react(
    event: EVENTS, origin: Origin
) -> Iterable[tuple[Decider[Any, Any, Any], str, ReceiptCommand]]:
    """One receipt for each kind of line of what was paid; what is given back is taken off it.

    Rule: one receipt for phí, another for lệ phí; what was paid too much has none.
    """
    match event:
        case PaymentPaid():
            for kind in dict.fromkeys(line.kind for line in event.lines if line.amount):
                id_ = receipt_id(event.payment, kind)
                issue = IssueReceipt(
                    origin=origin,
                    receipt=id_,
                    payment=event.payment,
                    dossier=event.dossier,
                    agency=event.agency,
                    kind=kind,
                    series=series(event.agency, kind, origin.at),
                    subject=event.subject,
                    payer=event.payer,
                    lines=tuple(line for line in event.lines if line.kind == kind),
                )
                yield receipt, id_, issue
        case PaymentRefundSettled() | PaymentRefundPaidByHand():
            returned: dict[Any, int] = {}
            for part in event.parts:
                returned[part.kind] = returned.get(part.kind, 0) + part.amount
            for kind, amount in returned.items():
                if kind == "overpaid":
                    continue
                id_ = receipt_id(event.payment, kind)
                note = NoteRefund(origin=origin, receipt=id_, refund=event.refund, returned=amount)
                yield receipt, id_, note


def numbered_in(command: Command) -> str | None:
    """The counter that gives a command its number: receipts are numbered without gaps."""
    return counter(command.series) if isinstance(command, IssueReceipt) else None
