"""What is asked without anybody waiting.

Payment providers are asked what became of transactions, and to give refunds back; the tax register
what it has not answered yet.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from aws_lambda_powertools import Logger

from chalicelib import runtime
from chalicelib.contexts.payments import providers
from chalicelib.contexts.payments.domain.commands import (
    NoteRefundFailed,
    NoteRefundSettled,
    SubmitRefund,
)
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.contexts.payments.domain.refusals import (
    AnotherRefundUnderWay,
    PaymentUnknown,
    RefundStandsElsewhere,
    RefundUnknown,
)
from chalicelib.contexts.payments.domain.state import Refund
from chalicelib.contexts.payments.noting import note
from chalicelib.contexts.payments.projections import (
    which_refunds_are_to_be_paid,
    which_tax_enquiries_wait,
    which_transactions_are_open,
)
from chalicelib.contexts.payments.projections.which_tax_enquiries_wait import Waiting
from chalicelib.contexts.payments.projections.which_transactions_are_open import Open
from chalicelib.contexts.payments.providers.interface import (
    Notice,
    ProviderUnavailable,
    RefundWish,
)
from chalicelib.contexts.payments.taxes.asking import ask_again
from chalicelib.handle import Done, fold, handle
from chalicelib.http.problems import blame
from chalicelib.kernel import Origin

TOGETHER = 10
"""Asked side by side: a slow provider holds up nobody else."""
AT_ONCE = 500
"""Asked each minute, those that are due longest first."""
NO_ANSWER = "no-answer"
"""What is noted of a provider that was asked in vain: it is asked again as if it did not know."""

_PASSES = (ProviderUnavailable, AnotherRefundUnderWay)
"""Nothing is wrong here: it is only not its turn yet, or nobody is there."""

_log = Logger(service="lien-thong")
Origins = Callable[[str, str], Origin]
"""(version of a row as `stream@number`, what follows) → the origin, the same for a repetition."""


def ask_what_is_due(origins: Origins, over: Callable[[], bool]) -> None:
    """Ask about every transaction and enquiry that is due; have every approved refund paid."""
    views, now = runtime.views(), runtime.now()
    due = {
        "ask": views.due(which_transactions_are_open.answer, "due", now),
        "refund": views.due(which_refunds_are_to_be_paid.answer, "due", now),
        "tax": views.due(which_tax_enquiries_wait.answer, "due", now),
    }
    jobs = [(what, *found) for what, rows in due.items() for found in islice(rows, AT_ONCE)]
    # A provider that is down must not use up each minute's time before others have their turn.
    random.shuffle(jobs)

    def work(job: tuple[str, str, str, Any]) -> None:
        what, name, seen, row = job
        if over():
            return
        try:
            origin = origins(seen, f"{what}#{name}")
            if isinstance(row, Open):
                ask(row, origin)
            elif isinstance(row, Waiting):
                ask_again(row.enquiry, origin)
            else:
                pay_back(row.payment, row.refund, origin)
        except Exception as error:  # noqa: BLE001 -- one case is no reason to hold up all others.
            # Whatever it was, it is tried again in a minute.
            if not isinstance(error, _PASSES) and not runtime.may_pass(error):
                _log.error("provider not asked", extra={"about": name, **blame(error)})

    with ThreadPoolExecutor(TOGETHER) as asking:
        list(asking.map(work, jobs))


def ask(row: Open, origin: Origin) -> None:
    """Ask what became of a transaction, and record what its provider says.

    Raises:
        ProviderUnknown: nobody to ask is registered under the transaction's provider.
    """
    found = providers.adapter(row.provider).ask(row.transaction, row.begun_at)
    nothing = Notice(row.transaction, "", "unknown", row.amount, NO_ANSWER, None)
    noted = note(found or nothing, row.provider, "query", origin)
    if noted in {"amount", "disputed"}:
        # What it says cannot be: nothing certain is known, and it is asked again as seldom.
        note(nothing, row.provider, "query")


def pay_back(payment_id: str, refund: str, origin: Origin) -> Done:
    """Have a provider give an approved refund back, and record what it says.

    The provider is told first and the fact recorded then: a refund has one name with it, so that
    saying it twice pays it once.

    Raises:
        PaymentUnknown, RefundUnknown, RefundStandsElsewhere: there is nothing to pay back.
        AnotherRefundUnderWay: another refund of the same transaction goes first.
        ProviderUnknown, ProviderUnavailable: nobody is there to do it; nothing was recorded.
    """
    store = runtime.event_store()
    commits = store.load(f"payment-{payment_id}")
    state = fold(payment, commits)
    if not commits:
        raise PaymentUnknown
    found = state.refunds.get(refund)
    if found is None:
        raise RefundUnknown
    if found.status in {"submitted", "settled"}:
        return Done(commits[-1].stream, commits[-1].number)
    if found.status not in {"approved", "failed"}:
        raise RefundStandsElsewhere(f"it is {found.status}", field="refund")
    if state.waits(refund):
        raise AnotherRefundUnderWay
    taken = state.transactions[found.transaction]
    wish = RefundWish(
        refund=refund,
        transaction=found.transaction,
        provider_reference=taken.provider_reference,
        amount=found.amount,
        captured=taken.captured,
        begun_at=taken.at,
        by=origin.actor,
        attempt=found.failures,
    )
    said = providers.adapter(found.provider).refund(wish)
    if said is None:
        raise ProviderUnavailable
    return handle(store, payment, payment_id, _said(found, payment_id, said, origin))


def _said(
    refund: Refund, payment_id: str, said: providers.Refunded, origin: Origin
) -> SubmitRefund | NoteRefundSettled | NoteRefundFailed:
    match said.outcome:
        case "submitted":
            return SubmitRefund(origin=origin, payment=payment_id, refund=refund.refund)
        case "settled":
            return NoteRefundSettled(
                origin=origin,
                payment=payment_id,
                refund=refund.refund,
                provider_reference=said.provider_reference,
            )
        case "failed":
            return NoteRefundFailed(
                origin=origin, payment=payment_id, refund=refund.refund, said=said.said
            )
