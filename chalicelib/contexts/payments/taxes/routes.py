"""Land and tax obligations over HTTP: the register is asked, what is owed can then be paid."""

from typing import Annotated, Any
from uuid import uuid4

from chalice.app import Response
from pydantic import Field

from chalicelib import runtime
from chalicelib.contexts.payments.configured import configuration
from chalicelib.contexts.payments.domain.tax_enquiry import (
    AskTaxRegister,
    Code,
    IdentityNumber,
    TaxEnquiry,
    TaxEnquiryUnknown,
    tax_enquiry,
)
from chalicelib.contexts.payments.people import office, person, reader
from chalicelib.contexts.payments.taxes.reactions import debt_payment
from chalicelib.contexts.payments.taxes.tax_register import ask
from chalicelib.handle import Done, fold, handle
from chalicelib.http.identity import Caller
from chalicelib.http.personal import Opened
from chalicelib.http.resource import Resource, created, ok
from chalicelib.kernel import Conflict, Origin, Value
from chalicelib.text import from_b64url

routes = Resource(__name__)


class NewTaxEnquiry(Value):
    """Whose debts for which dossier. An officer may name the `account` that will pay them."""

    code: Code
    identity_number: IdentityNumber
    account: Annotated[str, Field(pattern=r"^[\x21-\x7e]{0,128}$")] = ""


class TaxRegisterNotAsked(Conflict):
    """This deployment asks no tax register."""

    code = "tax-register-not-configured"
    rule = "Parameter Payments, tax_register"


@routes.post("/payments/tax-enquiries", allow={"citizen", "officer", "system"})
def ask_tax_register() -> Response:
    """Ask the tax register what a person owes for a dossier. 201 with what it said.

    The person's number is in the body and nowhere else. Asked again with the same key, a register
    that did not answer, or answered what cannot be, is asked again. Refuses
    `tax-register-not-configured`.
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
        agency=office(caller),
        code=asked.code,
        identity_number=asked.identity_number,
    )
    done = handle(runtime.event_store(), tax_enquiry, id_, command)
    state, _ = _standing(id_)
    if state.status != "answered":
        heard = ask(register, id_, asked.code, asked.identity_number, _answering(origin, done))
        done = handle(runtime.event_store(), tax_enquiry, id_, heard)
        state, _ = _standing(id_)
    return created(done, f"/payments/tax-enquiries/{id_}", **_shown(state, reader(caller)))


@routes.get(
    "/payments/tax-enquiries/{enquiry_id}", allow={"citizen", "officer", "system", "auditor"}
)
def see_tax_enquiry(enquiry_id: str) -> Response:
    """One enquiry, for whom it is about, the agency that asked, and an auditor, without persons."""
    caller = routes.caller()
    state, version = _standing(enquiry_id)
    theirs = {
        "citizen": person(caller.subject) == state.subject,
        "auditor": True,
    }.get(caller.role, office(caller) == state.agency)
    if not theirs:
        raise TaxEnquiryUnknown
    return ok(_shown(state, reader(caller)), version=version)


def _subject(asked: NewTaxEnquiry, caller: Caller) -> str:
    """Who will pay: the citizen who asks, or for whom an officer does."""
    if caller.role == "citizen":
        return person(caller.subject)
    if asked.account:
        return person(asked.account)
    return runtime.subject("person", "citizen", asked.identity_number)


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


def _standing(id_: str) -> tuple[TaxEnquiry, int]:
    commits = runtime.event_store().load(f"tax_enquiry-{id_}") if id_.isalnum() else []
    if not commits:
        raise TaxEnquiryUnknown
    return fold(tax_enquiry, commits), commits[-1].number


def _shown(state: TaxEnquiry, read: Opened) -> dict[str, Any]:
    """The enquiry as data; each debt with the payment by which it is paid."""
    answer = state.answer
    said: dict[str, Any] = {"enquiry": state.enquiry, "code": state.code, "status": state.status}
    if answer is None:
        return said | {"why": state.why}
    particulars = read(answer.particulars) or {"rows": [None] * len(answer.rows)}
    rows = [
        row.model_dump(mode="json", exclude={"debt"})
        | {"payment": debt_payment(row), "particulars": about}
        for row, about in zip(answer.rows, particulars["rows"], strict=True)
    ]
    return said | {"outcome": answer.outcome, "total": answer.total, "rows": rows}
