"""A payment: what is owed, every go at paying it, and what is given back.

One stream holds all of it, so that two providers, two clicks or two refunds can never disagree
about what is left. Money that is there is recorded, whatever was said before.
"""

import re
from base64 import b32encode
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

from chalicelib.contexts.payments.domain.commands import (
    AnyPaymentCommand,
    ApproveRefund,
    CancelPayment,
    ExpirePayment,
    InitiateTransaction,
    Note,
    NoteFailure,
    NoteRefundFailed,
    NoteRefundPaidByHand,
    NoteRefundSettled,
    NoteSuccess,
    NoteUnknown,
    PaymentCommand,
    RefundCommand,
    RejectRefund,
    RequestPayment,
    RequestRefund,
    SubmitRefund,
)
from chalicelib.contexts.payments.domain.events import (
    PaymentCancelled,
    PaymentCaptured,
    PaymentCapturedLate,
    PaymentEvent,
    PaymentEvents,
    PaymentExpired,
    PaymentNoticeDisputed,
    PaymentPaid,
    PaymentRefundApproved,
    PaymentRefundFailed,
    PaymentRefundPaidByHand,
    PaymentRefundRejected,
    PaymentRefundRequested,
    PaymentRefundSettled,
    PaymentRefundSubmitted,
    PaymentRequested,
    PaymentTransactionFailed,
    PaymentTransactionInitiated,
    PaymentTransactionUnknown,
)
from chalicelib.contexts.payments.domain.refusals import (
    AmountTooLarge,
    AmountWrong,
    CurrencyUnsupported,
    ExpiryPast,
    NotYourPayment,
    PartialNotAllowed,
    PaymentAlreadyRequested,
    PaymentHasExpired,
    PaymentIsCancelled,
    PaymentIsPaid,
    PaymentUnknown,
    RefundStandsElsewhere,
    RefundTooEarly,
    RefundTooLarge,
    RefundUnknown,
    SamePersonApproves,
    TooManyTransactions,
    TransactionUnknown,
)
from chalicelib.contexts.payments.domain.state import Payment, Refund, Transaction, evolve
from chalicelib.kernel import Decider, same_person

MAX_TRANSACTIONS = 999
"""Of one payment: so many fit into three digits."""
CURRENCY = "VND"
E = TypeVar("E", bound=PaymentEvent)

_REFERENCE = re.compile(r"([a-z2-7]{26}|[a-z2-7]{20}8[a-z2-7]{9})r?[0-9]{3}")


def payment_id(text: str) -> str:
    """The id of the payment that `text` names: 26 letters and digits, the same for the same."""
    digest = sha256(f"payment\0{text}".encode()).digest()[:16]
    return b32encode(digest).decode().rstrip("=").lower()


def payment_of_obligation(dossier: str, obligation: str) -> str:
    """The id of the payment of a dossier's obligation."""
    return payment_id(f"{dossier}\0{obligation}")


def payment_of_debt(debt: str, subject: str) -> str:
    """The id of the payment by which `subject` pays a tax debt.

    Anybody may pay a debt, each by a payment of their own; all of them begin alike. They have an 8,
    as no other id has: `paid_together`.
    """
    whose = payment_id(f"tax\0{debt}\0{subject}")[:9]
    return payment_id(f"tax\0{debt}")[:20] + "8" + whose


def paid_together(payment: str) -> str:
    """What a payment pays, or several: a name that they have in common."""
    return payment.partition("8")[0]


def payment_of(reference: str) -> str:
    """The id of the payment that a transaction's or a refund's reference belongs to; "" if none.

    A reference is the payment's id and a running number, so a provider's notice finds its stream.
    """
    found = _REFERENCE.fullmatch(reference)
    return found[1] if found else ""


def decide(command: AnyPaymentCommand, state: Payment) -> list[PaymentEvents]:
    """The events `command` causes; none if it has already had its effect.

    Whatever completes the sum says in the same breath that it is paid.

    Raises:
        PaymentUnknown, NotYourPayment, TransactionUnknown, RefundUnknown: the caller may not, or
        there is no such thing.
        AmountWrong, CurrencyUnsupported, ExpiryPast, PaymentAlreadyRequested: nothing is owed.
        PaymentIsPaid, PaymentHasExpired, PaymentIsCancelled, PartialNotAllowed, AmountTooLarge,
        TooManyTransactions: nothing is to be paid, or not so.
        RefundTooEarly, RefundTooLarge, SamePersonApproves, RefundStandsElsewhere: nothing is given
        back.
    """
    events = _answer(command, state)
    after = state
    for event in events:
        after = evolve(after, event)
    if events and after.complete:
        over = after.captured - after.reserved - after.amount
        named = ("dossier", "obligation", "subject", "payer", "payee", "lines", "amount")
        said = {name: getattr(after, name) for name in named}
        events.append(_act(PaymentPaid, command, after, **said, over=over))
    return events


def _answer(command: AnyPaymentCommand, state: Payment) -> list[PaymentEvents]:  # noqa: PLR0912 -- one row for each wish.
    match command:
        case RequestPayment():
            return _request(command, state)
        case ExpirePayment():
            return _expiry(command, state)
        case CancelPayment():
            return _cancellation(command, state)
        case _ if state.status == "absent":
            if isinstance(command, Note):
                raise TransactionUnknown(field="transaction")
            raise PaymentUnknown(field="payment")
        case InitiateTransaction():
            return _transaction(command, state)
        case NoteSuccess():
            return _success(command, state)
        case NoteFailure():
            return _failure(command, state)
        case NoteUnknown():
            return _unknown(command, state)
        case RequestRefund():
            return _refund_request(command, state)
        case ApproveRefund() | RejectRefund():
            return _refund_decision(command, state)
        case SubmitRefund() | NoteRefundSettled() | NoteRefundFailed():
            return _refund_course(command, state)
        case NoteRefundPaidByHand():
            return _refund_by_hand(command, state)


def _act(kind: type[E], command: PaymentCommand, state: Payment, **fields: Any) -> E:
    """An event of this kind, with what all of them say."""
    common = {"payment": command.payment, "agency": state.agency, "at": command.at}
    return kind(**{**common, **fields})


# --- The request ----------------------------------------------------------------------------------


def _request(command: RequestPayment, state: Payment) -> list[PaymentEvents]:
    named = ("agency", "dossier", "obligation", "subject", "lines", "amount")
    said = {name: getattr(command, name) for name in named}
    if state.status != "absent":
        if said == {name: getattr(state, name) for name in named}:
            return []
        raise PaymentAlreadyRequested(field="obligation")
    if command.currency != CURRENCY:
        raise CurrencyUnsupported(field="currency")
    if not command.amount or command.amount != sum(line.amount for line in command.lines):
        raise AmountWrong(field="amount")
    if command.expires_at and command.expires_at <= command.at:
        raise ExpiryPast(field="expires_at")
    return [
        _act(
            PaymentRequested,
            command,
            state,
            **said,
            payer=_personal(command.subject, command.payer),
            payee=command.payee,
            partial=command.partial,
            expires_at=command.expires_at,
        )
    ]


def _personal(subject: str, value: Any) -> Any:
    return {"subject": subject, "value": value} if value else None


def _over(state: Payment, at: datetime) -> bool:
    """Whether the time to pay has passed, said or not."""
    return state.expires_at is not None and at >= state.expires_at


def _expiry(command: ExpirePayment, state: Payment) -> list[PaymentEvents]:
    if state.status != "requested" or not _over(state, command.at):
        return []
    return [_act(PaymentExpired, command, state, captured=state.captured)]


def _cancellation(command: CancelPayment, state: Payment) -> list[PaymentEvents]:
    if not command.agency and state.status in {"absent", "paid"}:
        # A dossier ended whose obligation was never ours to collect, or is paid.
        return []
    _of_the_agency(command, state)
    if state.status == "cancelled":
        return []
    if state.status == "paid":
        raise PaymentIsPaid
    return [_act(PaymentCancelled, command, state, reason=command.reason, captured=state.captured)]


def _of_the_agency(command: Any, state: Payment) -> None:
    if state.status == "absent":
        raise PaymentUnknown(field="payment")
    if command.agency and command.agency != state.agency:
        raise NotYourPayment(field="payment")


# --- Transactions ---------------------------------------------------------------------------------


def _transaction(command: InitiateTransaction, state: Payment) -> list[PaymentEvents]:
    if command.subject != state.subject:
        raise PaymentUnknown(field="payment")
    if state.paid:
        raise PaymentIsPaid
    if state.status == "cancelled":
        raise PaymentIsCancelled
    if state.status == "expired" or _over(state, command.at):
        raise PaymentHasExpired
    amount = state.left if command.amount is None else command.amount
    if amount > state.left or not amount:
        raise AmountTooLarge(f"{state.left} đồng are left", field="amount")
    if amount < state.left and not state.partial:
        raise PartialNotAllowed(field="amount")
    if open_transaction(state, command.provider, amount, command.at):
        # The payer clicked twice: there is a page already.
        return []
    if len(state.transactions) >= MAX_TRANSACTIONS:
        raise TooManyTransactions
    expires_at = command.at + timedelta(minutes=command.minutes)
    if state.expires_at:
        expires_at = min(expires_at, state.expires_at)
    return [
        _act(
            PaymentTransactionInitiated,
            command,
            state,
            transaction=f"{command.payment}{len(state.transactions) + 1:03}",
            provider=command.provider,
            amount=amount,
            payer=_personal(command.subject, command.payer),
            payee=command.payee,
            expires_at=expires_at,
            ask_at=command.at + timedelta(seconds=command.limits.ask_after_s),
        )
    ]


def open_transaction(
    state: Payment, provider: str, amount: int, at: datetime
) -> Transaction | None:
    """The transaction with a provider on which `amount` can be paid now, if there is one."""
    for each in state.transactions.values():
        waits = each.status in {"initiated", "unknown"} and at < each.expires_at
        if waits and (each.provider, each.amount) == (provider, amount):
            return each
    return None


def _noted(command: Note, state: Payment) -> Transaction:
    found = state.transactions.get(command.transaction)
    if found is None or found.provider != command.provider:
        raise TransactionUnknown(field="transaction")
    return found


def _success(command: NoteSuccess, state: Payment) -> list[PaymentEvents]:
    found = _noted(command, state)
    if command.amount != found.amount:
        return _dispute(command, found, state, "amount")
    if found.status == "captured":
        if command.provider_reference == found.provider_reference:
            return []
        return _dispute(command, found, state, "other_reference")
    before = state.status if state.status != "requested" else found.status
    named = ("transaction", "provider", "provider_reference", "amount", "paid_at", "learnt")
    said = {name: getattr(command, name) for name in named}
    if before in {"initiated", "unknown"}:
        return [_act(PaymentCaptured, command, state, **said)]
    return [_act(PaymentCapturedLate, command, state, **said, before=before)]


def _failure(command: NoteFailure, state: Payment) -> list[PaymentEvents]:
    found = _noted(command, state)
    if found.status == "captured":
        return _dispute(command, found, state, "after_success")
    if found.status == "failed":
        return []
    named = ("transaction", "provider", "said", "learnt")
    said = {name: getattr(command, name) for name in named}
    return [_act(PaymentTransactionFailed, command, state, **said)]


def _dispute(
    command: NoteSuccess | NoteFailure, found: Transaction, state: Payment, why: str
) -> list[PaymentEvents]:
    said = ("", 0)
    if isinstance(command, NoteSuccess):
        said = (command.provider_reference, command.amount)
    if (*said, why) in found.disputed:
        return []
    return [
        _act(
            PaymentNoticeDisputed,
            command,
            state,
            transaction=command.transaction,
            provider=command.provider,
            provider_reference=said[0],
            amount=said[1],
            expected=found.amount,
            why=why,
            learnt=command.learnt,
        )
    ]


def _unknown(command: NoteUnknown, state: Payment) -> list[PaymentEvents]:
    found = _noted(command, state)
    if found.ask_at is None or command.at < found.ask_at:
        return []
    return [
        _act(
            PaymentTransactionUnknown,
            command,
            state,
            transaction=command.transaction,
            provider=command.provider,
            said=command.said,
            ask_at=command.limits.ask_again(found.at, command.at),
        )
    ]


# --- Refunds --------------------------------------------------------------------------------------


def _refund_request(command: RequestRefund, state: Payment) -> list[PaymentEvents]:
    _of_the_agency(command, state)
    if not command.agency and command.subject != state.subject:
        raise PaymentUnknown(field="payment")
    if state.status == "requested":
        raise RefundTooEarly
    found, amount = _of_which(command, state)
    return [
        _act(
            PaymentRefundRequested,
            command,
            state,
            refund=f"{command.payment}r{len(state.refunds) + 1:03}",
            transaction=found.transaction,
            provider=found.provider,
            amount=amount,
            parts=state.parts_of(amount),
            words=_personal(state.subject, command.reason),
            beneficiary=_personal(state.subject, command.beneficiary),
            by=command.origin.actor,
        )
    ]


def _of_which(command: RequestRefund, state: Payment) -> tuple[Transaction, int]:
    """Which transaction is given back of, and how much."""
    if command.transaction and command.transaction not in state.transactions:
        raise TransactionUnknown(field="transaction")
    names = [command.transaction] if command.transaction else reversed(state.transactions)
    for name in names:
        left = state.left_of(name)
        amount = command.amount or left
        if 0 < amount <= left:
            return state.transactions[name], amount
    raise RefundTooLarge(field="amount")


def _found(command: RefundCommand, state: Payment) -> Refund:
    found = state.refunds.get(command.refund)
    if found is None:
        raise RefundUnknown(field="refund")
    return found


def _refund_decision(command: ApproveRefund | RejectRefund, state: Payment) -> list[PaymentEvents]:
    _of_the_agency(command, state)
    found = _found(command, state)
    rejects = isinstance(command, RejectRefund)
    if found.status != "requested":
        if rejects is (found.status == "rejected"):
            return []
        raise RefundStandsElsewhere(f"it is {found.status}", field="refund")
    if same_person(command.origin.actor, found.by):
        raise SamePersonApproves
    about = {"refund": found.refund, "by": command.origin.actor}
    if isinstance(command, RejectRefund):
        return [_act(PaymentRefundRejected, command, state, **about, reason=command.reason)]
    named = ("transaction", "provider", "amount", "parts")
    said = {name: getattr(found, name) for name in named}
    return [_act(PaymentRefundApproved, command, state, **about, **said)]


def _refund_course(
    command: SubmitRefund | NoteRefundSettled | NoteRefundFailed, state: Payment
) -> list[PaymentEvents]:
    found = _found(command, state)
    about = {"refund": found.refund, "provider": found.provider}
    if found.status in {"requested", "rejected"}:
        raise RefundStandsElsewhere(f"it is {found.status}", field="refund")
    match command:
        case _ if found.status == "settled" and not found.by_hand:
            return []
        case SubmitRefund():
            if found.status in {"submitted", "settled"}:
                return []
            return [_act(PaymentRefundSubmitted, command, state, **about)]
        case NoteRefundSettled():
            # If it was paid by hand too, it was paid twice: the books will say so.
            said = {"amount": found.amount, "parts": found.parts}
            reference = command.provider_reference
            return [
                _act(
                    PaymentRefundSettled,
                    command,
                    state,
                    **about,
                    **said,
                    provider_reference=reference,
                )
            ]
        case NoteRefundFailed():
            if found.status in {"failed", "settled"}:
                return []
            return [_act(PaymentRefundFailed, command, state, **about, said=command.said)]


def _refund_by_hand(command: NoteRefundPaidByHand, state: Payment) -> list[PaymentEvents]:
    """Only what the provider could not carry out: else it would be paid twice."""
    _of_the_agency(command, state)
    found = _found(command, state)
    if found.by_hand and found.reference == command.reference:
        return []
    if found.status != "failed":
        raise RefundStandsElsewhere(f"it is {found.status}", field="refund")
    if same_person(command.origin.actor, found.by):
        raise SamePersonApproves
    about = {"refund": found.refund, "amount": found.amount, "parts": found.parts}
    reference, by = command.reference, command.origin.actor
    return [_act(PaymentRefundPaidByHand, command, state, **about, reference=reference, by=by)]


payment = Decider("payment", PaymentEvents, Payment(), decide, evolve)
