"""Land and tax obligations over HTTP: the register is asked, what is owed can then be paid."""

from datetime import date, datetime
from typing import Annotated, NotRequired
from uuid import uuid4

from pydantic import Field
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.contexts.payments.configured import configuration, limits
from chalicelib.contexts.payments.domain.events import TaxOutcome, TaxParticular
from chalicelib.contexts.payments.domain.payment import payment_of_debt
from chalicelib.contexts.payments.domain.tax_enquiry import (
    AskTaxRegister,
    Code,
    EnquiryStatus,
    IdentityNumber,
    TaxEnquiryUnknown,
    tax_enquiry,
)
from chalicelib.contexts.payments.domain.tax_enquiry import TaxEnquiry as EnquiryState
from chalicelib.contexts.payments.people import acts_for, office, person, reader
from chalicelib.contexts.payments.taxes.asking import ask_register, standing
from chalicelib.handle import Done, handle
from chalicelib.http.identity import Caller
from chalicelib.http.personal import Opened
from chalicelib.http.resource import Answer, Receipt, Resource, created, ok
from chalicelib.kernel import Conflict, Origin, Value
from chalicelib.text import from_b64url

routes = Resource(__name__)


class NewTaxEnquiry(Value):
    """Whose debts for which dossier. An officer may name the `account` that will pay them."""

    code: Code
    identity_number: IdentityNumber
    account: Annotated[str, Field(pattern=r"^[\x21-\x7e]{0,128}$")] = ""


class TaxDebtOwed(TypedDict):
    """One row of the register: `amount` đồng still to be paid of one decision, by `payment`.

    `payment` is None where an officer named no account that could pay by it. `chapter` and
    `subsection` are the budget's, `treasury` and `account` the State Treasury's office and account,
    `collector` the tax office.
    """

    decision: str
    decided_on: date | None
    chapter: str
    subsection: str
    account: str
    collector: str
    treasury: str
    amount: int
    due_on: date | None
    payment: str | None
    particulars: TaxParticular | None


class TaxEnquiry(TypedDict):
    """What the tax register was asked for dossier `code`, and what it said.

    `why` says why there is no good answer yet, `ask_at` when a register that was silent is asked
    again; `outcome`, `rows` and their `total` in đồng are the answer, once there is one.
    """

    enquiry: str
    code: str
    status: EnquiryStatus
    why: NotRequired[str]
    ask_at: NotRequired[datetime | None]
    outcome: NotRequired[TaxOutcome]
    total: NotRequired[int]
    rows: NotRequired[list[TaxDebtOwed]]


class TaxEnquiryMade(Receipt, TaxEnquiry):
    """The receipt of an enquiry, with what it came to."""


class TaxRegisterNotAsked(Conflict):
    """This deployment asks no tax register."""

    code = "tax-register-not-configured"
    rule = "Parameter Payments, tax_register"


@routes.post("/payments/tax-enquiries", allow={"citizen", "officer", "system"})
def ask_tax_register() -> Answer[TaxEnquiryMade]:
    """Ask the tax register what a person owes for a dossier. 201 with what it said.

    The person's number is in the body and nowhere else. A register that does not answer within
    seconds is asked again by itself (`ask_at`); with the same key again, one that answered what
    cannot be is too. Refuses `tax-register-not-configured`.
    """
    register = configuration().tax_register
    if register is None:
        raise TaxRegisterNotAsked
    asked, origin, caller = routes.json(NewTaxEnquiry), routes.origin(), routes.caller()
    id_ = from_b64url(origin.command_id)[:16].hex()
    command = AskTaxRegister(
        origin=origin,
        enquiry=id_,
        subject=_subject(asked, caller),
        payable=bool(caller.role == "citizen" or asked.account),
        agency=office(caller),
        code=asked.code,
        identity_number=asked.identity_number,
        limits=limits(),
    )
    done = handle(runtime.event_store(), tax_enquiry, id_, command)
    state, _ = standing(id_)
    if state.status != "answered":
        sender = runtime.sender(register.patience_s)
        done = ask_register(register, id_, _answering(origin, done), sender)
        state, _ = standing(id_)
    return created(done, f"/payments/tax-enquiries/{id_}", **_shown(state, reader(caller)))


@routes.get(
    "/payments/tax-enquiries/{enquiry_id}", allow={"citizen", "officer", "system", "auditor"}
)
def see_tax_enquiry(enquiry_id: str) -> Answer[TaxEnquiry]:
    """One enquiry, for whom it is about, the agency that asked, and an auditor, without persons."""
    caller = routes.caller()
    state, version = standing(enquiry_id)
    if caller.role == "citizen":
        theirs = person(caller.subject) == state.subject
    else:
        theirs = caller.role == "auditor" or acts_for(caller, state.agency)
    if not theirs:
        raise TaxEnquiryUnknown
    return ok(_shown(state, reader(caller)), version=version)


def _subject(asked: NewTaxEnquiry, caller: Caller) -> str:
    """Who will pay: the citizen who asks, or for whom an officer does."""
    if caller.role == "citizen":
        return person(caller.subject)
    if asked.account:
        return person(asked.account)
    return runtime.person_numbered("citizen", asked.identity_number)


def _answering(asked: Origin, done: Done) -> Origin:
    """The origin of what the register says: another wish each time, as it may be another answer."""
    key = uuid4().hex
    return Origin(
        command_id=key,
        digest=key,
        actor="register:tax",
        method="reaction",
        correlation=asked.correlation,
        causation=done.seen,
        at=runtime.now(),
    )


def _shown(state: EnquiryState, read: Opened) -> TaxEnquiry:
    """The enquiry as data; each debt with the payment by which it is paid."""
    assert state.status != "absent"
    shown: TaxEnquiry = {"enquiry": state.enquiry, "code": state.code, "status": state.status}
    answer = state.answer
    if answer is None:
        return {**shown, "why": state.why, "ask_at": state.ask_at}
    opened = read(answer.particulars)
    particulars = opened.rows if opened else (None,) * len(answer.rows)
    rows: list[TaxDebtOwed] = [
        {
            "decision": row.decision,
            "decided_on": row.decided_on,
            "chapter": row.chapter,
            "subsection": row.subsection,
            "account": row.account,
            "collector": row.collector,
            "treasury": row.treasury,
            "amount": row.amount,
            "due_on": row.due_on,
            "payment": payment_of_debt(row.debt, state.subject) if state.payable else None,
            "particulars": about,
        }
        for row, about in zip(answer.rows, particulars, strict=True)
    ]
    return {**shown, "outcome": answer.outcome, "total": answer.total, "rows": rows}
