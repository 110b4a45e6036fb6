"""Payments over HTTP: asked for by agencies, paid by their payers, given back by two officers."""

from datetime import datetime
from typing import Any, NotRequired, TypeVar

from chalicelib import runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.payments import asking, providers
from chalicelib.contexts.payments.asked import (
    NewPayment,
    NewRefund,
    NewTransaction,
    Reason,
    TransferMade,
)
from chalicelib.contexts.payments.configured import limits
from chalicelib.contexts.payments.domain.commands import (
    AnyPaymentCommand,
    ApproveRefund,
    CancelPayment,
    InitiateTransaction,
    NoteRefundPaidByHand,
    RejectRefund,
    RequestPayment,
    RequestRefund,
)
from chalicelib.contexts.payments.domain.events import Payee, Payer
from chalicelib.contexts.payments.domain.payee import payee as payees
from chalicelib.contexts.payments.domain.payment import (
    open_transaction,
    payment,
    payment_id,
)
from chalicelib.contexts.payments.domain.refusals import NotYourPayment, PaymentUnknown
from chalicelib.contexts.payments.domain.state import Payment as PaymentState
from chalicelib.contexts.payments.domain.state import PaymentStatus, Transaction
from chalicelib.contexts.payments.people import (
    acts_for,
    in_name_of,
    office,
    person,
    reader,
)
from chalicelib.contexts.payments.projections import (
    which_payments_are_asked_of_me,
    which_payments_await_an_agency,
)
from chalicelib.contexts.payments.shown import Payment, seen_by, shown, standing
from chalicelib.handle import Done, Stale, fold, handle
from chalicelib.http.identity import Role
from chalicelib.http.paging import Listed, Page, page_of, page_request
from chalicelib.http.personal import opened
from chalicelib.http.resource import Answer, Receipt, Resource, accepted, created, ok
from chalicelib.kernel import Invalid, Value

routes = Resource(__name__)
DESK: set[Role] = {"officer", "system"}
C = TypeVar("C", bound=AnyPaymentCommand)


class PaymentAsked(Receipt):
    """The receipt of a request, with the id of its `payment`."""

    payment: str


class ListedPayment(Listed):
    """A payment in the list of its payer or its agency; amounts in đồng.

    Its agency is told what it has to look into: `undecided` are the refunds that nobody has decided
    on, `failed` those that a provider could not carry out, `disputed` the transactions of which a
    notice said what cannot be.
    """

    payment: str
    agency: str
    dossier: str
    obligation: str
    status: PaymentStatus
    amount: int
    captured: int
    refunded: int
    expires_at: datetime | None
    requested_at: datetime
    undecided: NotRequired[list[str]]
    failed: NotRequired[list[str]]
    disputed: NotRequired[list[str]]


class TransactionBegun(Receipt):
    """The receipt of a `transaction` of `amount` đồng that can be paid until `expires_at`.

    `url` is where the payer's browser goes, `qr_text` what a QR code shows instead; both are None
    once there is nothing to pay on it any more.
    """

    transaction: str
    amount: int
    url: str | None
    qr_text: str | None
    expires_at: datetime


class RefundAsked(Receipt):
    """The receipt of a request for money back, with the id of its `refund`."""

    refund: str


@routes.post("/payments", allow=DESK)
def request_payment() -> Answer[PaymentAsked]:
    """Ask somebody to pay the caller's agency: 201 with the `payment`'s id."""
    asked, origin, agency = routes.json(NewPayment), routes.origin(), office(routes.caller())
    id_ = payment_id(origin.command_id)
    said = asked.model_dump(exclude={"account"})
    wish = routes.build(
        RequestPayment,
        origin=origin,
        payment=id_,
        agency=agency,
        subject=person(asked.account),
        **said,
    )
    done = handle(runtime.event_store(), payment, id_, wish)
    return created(done, f"/payments/{id_}", payment=id_)


@routes.get("/payments", allow={"citizen", "officer", "system", "auditor"})
def list_payments() -> Answer[Page[ListedPayment]]:
    """The caller's own payments, or those owed to an agency, newest first.

    Query: `agency` (an auditor's any, else the caller's own or one whose place it took), `status`,
    `attention` (`true`: with something to decide or look into), `limit`, `cursor`, `seen`.
    """
    caller, query = routes.caller(), routes.query()
    if caller.role == "citizen":
        question, by = which_payments_are_asked_of_me.answer, person(caller.subject)
    else:
        question, by = which_payments_await_an_agency.answer, _agency()

    def keep(item: dict[str, Any]) -> bool:
        open_ends = [item.get(name) for name in ("undecided", "failed", "disputed")]
        return query.get("status") in {None, item["status"]} and (
            query.get("attention") != "true" or any(open_ends)
        )

    def show(item: dict[str, Any]) -> dict[str, Any]:
        return {name: item[name] for name in item if name != "subject"}

    return page_of(question, page_request(query), by=by, keep=keep, newest_first=True, show=show)


@routes.get("/payments/{payment_id}", allow={"citizen", "officer", "system", "auditor"})
def see_payment(payment_id: str) -> Answer[Payment]:
    """One payment, always current, with its transactions and refunds: for payer, payee, auditor."""
    caller = routes.caller()
    found = seen_by(caller, payment_id)
    return ok(shown(found, reader(caller)), version=found.version)


@routes.post("/payments/{payment_id}/transactions", allow={"citizen"})
def begin_transaction(payment_id: str) -> Answer[TransactionBegun]:
    """Go and pay: 201 with where the payer's browser goes (`url`) and what a QR code shows.

    Who asks again while the provider's page is open is sent to the same one; both are None once
    there is nothing to pay on it any more.
    """
    asked, caller, origin = routes.json(NewTransaction), routes.caller(), routes.origin()
    found = seen_by(caller, payment_id)
    provider = providers.adapter(asked.provider, new=True)
    wish = routes.build(
        InitiateTransaction,
        origin=origin,
        payment=payment_id,
        subject=person(caller.subject),
        provider=asked.provider,
        amount=asked.amount,
        payer=_payer(asked),
        payee=found.state.payee or _account(found.state),
        minutes=provider.terms.minutes,
        limits=limits(),
    )
    done = handle(runtime.event_store(), payment, payment_id, wish)
    state = standing(payment_id).state
    begun = _begun(done, state, wish)
    url, qr_text = None, None
    if open_transaction(state, begun.provider, begun.amount, origin.at) == begun:
        redirect = provider.begin(_said(begun, state))
        url, qr_text = redirect.url, redirect.qr_text
    return created(
        done,
        f"/payments/{payment_id}",
        transaction=begun.transaction,
        amount=begun.amount,
        url=url,
        qr_text=qr_text,
        expires_at=begun.expires_at,
    )


@routes.put("/payments/{payment_id}/cancellation", allow=DESK)
def cancel_payment(payment_id: str) -> Answer[Receipt]:
    """Say that it need not be paid. 202; refuses `payment-already-paid`."""
    asked = routes.json(Reason)
    return accepted(
        _do(CancelPayment, payment_id, agency=_payee_of(payment_id), reason=asked.reason)
    )


@routes.post("/payments/{payment_id}/refunds", allow={"citizen", "officer", "system"})
def request_refund(payment_id: str) -> Answer[RefundAsked]:
    """Ask for money back: 201 with the `refund`'s id. Another person decides on it."""
    caller, said = routes.caller(), routes.json(NewRefund).model_dump()
    if caller.role == "citizen":
        who = {"subject": person(caller.subject)}
    else:
        who = {"agency": _payee_of(payment_id)}
    done = _do(RequestRefund, payment_id, **who, **said)
    assert done.commit
    [refund] = [data["refund"] for data in done.commit.data() if "refund" in data]
    return created(done, f"/payments/{payment_id}", refund=refund)


@routes.put("/payments/{payment_id}/refunds/{refund_id}/approval", allow={"officer"}, step_up=True)
def approve_refund(payment_id: str, refund_id: str) -> Answer[Receipt]:
    """Agree to a refund that somebody else asked for. 202; the provider is told by itself."""
    routes.json(Nothing)
    agency = _payee_of(payment_id)
    return accepted(_do(ApproveRefund, payment_id, refund=refund_id, agency=agency))


@routes.put("/payments/{payment_id}/refunds/{refund_id}/rejection", allow={"officer"})
def reject_refund(payment_id: str, refund_id: str) -> Answer[Receipt]:
    """Do not agree to a refund that somebody else asked for, for a reason. 202."""
    reason = routes.json(Reason).reason
    wish = {"refund": refund_id, "agency": _payee_of(payment_id), "reason": reason}
    return accepted(_do(RejectRefund, payment_id, **wish))


@routes.put(
    "/payments/{payment_id}/refunds/{refund_id}/submission", allow={"officer"}, step_up=True
)
def submit_refund(payment_id: str, refund_id: str) -> Answer[Receipt]:
    """Tell the provider again of a refund that it could not carry out. 202."""
    routes.json(Nothing)
    origin = routes.origin()
    if not acts_for(routes.caller(), standing(payment_id).state.agency):
        raise NotYourPayment(field="payment")
    return accepted(asking.pay_back(payment_id, refund_id, origin))


@routes.put("/payments/{payment_id}/refunds/{refund_id}/payout", allow={"officer"}, step_up=True)
def note_refund_paid_by_hand(payment_id: str, refund_id: str) -> Answer[Receipt]:
    """Say that the agency paid a refund itself, as the provider could not. 202.

    Another officer says so than who asked for it. Refuses `refund-transition-refused` unless the
    provider has said that it cannot.
    """
    reference = routes.json(TransferMade).reference
    wish = {"refund": refund_id, "agency": _payee_of(payment_id), "reference": reference}
    return accepted(_do(NoteRefundPaidByHand, payment_id, **wish))


class Nothing(Value):
    """A wish that says all by its route."""


def _do(kind: type[C], payment_id: str, **said: Any) -> Done:
    if not payment_id.isalnum():
        raise PaymentUnknown
    wish = routes.build(kind, origin=routes.origin(), payment=payment_id, **said)
    return handle(runtime.event_store(), payment, payment_id, wish)


def _payee_of(payment_id: str) -> str:
    """The payment's agency, if the caller acts for it; else their own, which will be refused."""
    return in_name_of(routes.caller(), standing(payment_id).state.agency)


def _agency() -> str:
    """The agency that is asked about: the caller's own, one it took the place of; an auditor's any.

    Raises:
        NotYourPayment: it is another's. Invalid: an auditor named none.
    """
    caller, asked = routes.caller(), routes.query().get("agency")
    agency = canonical(asked) if asked else office(caller)
    if not agency:
        raise Invalid("Say of which agency", field="agency")
    if caller.role != "auditor" and not acts_for(caller, agency):
        raise NotYourPayment("The agency itself and auditors see this", field="agency")
    return agency


def _account(state: PaymentState) -> Payee | None:
    """The account that the payment's agency has said its money goes to."""
    accounts = fold(payees, runtime.event_store().load(f"payee-{state.agency}"))
    return accounts.of(state.lines)


def _payer(asked: NewTransaction) -> Payer | None:
    return Payer(**asked.payer.model_dump()) if asked.payer else None


def _begun(done: Done, state: PaymentState, wish: InitiateTransaction) -> Transaction:
    """The transaction that the wish led to, now or the first time, or that was there."""
    if done.commit:
        return state.transactions[done.commit.data()[0]["transaction"]]
    amount = state.left if wish.amount is None else wish.amount
    found = open_transaction(state, wish.provider, amount, wish.at)
    if found is None:
        # Something became of it between the two looks; the next one will say what.
        raise Stale(done.stream)
    return found


def _said(begun: Transaction, state: PaymentState) -> providers.Begin:
    """What the provider is told."""
    return providers.Begin(
        transaction=begun.transaction,
        amount=begun.amount,
        subject=f"Thanh toan {state.dossier or state.payment}",
        lines=state.lines,
        agency=state.agency,
        at=begun.at,
        expires_at=begun.expires_at,
        ip=str(routes.request.context.get("identity", {}).get("sourceIp", "")),
        dossier=state.dossier,
        payee=state.payee,
        payer=opened(state.payer),
    )
