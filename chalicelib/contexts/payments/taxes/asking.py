"""The tax register is asked: once while somebody waits, and then again by itself."""

from chalicelib import runtime
from chalicelib.contexts.payments.configured import TaxRegister, configuration, limits
from chalicelib.contexts.payments.domain.tax_enquiry import (
    NoteTaxRegisterSilent,
    TaxEnquiry,
    TaxEnquiryUnknown,
    tax_enquiry,
)
from chalicelib.contexts.payments.taxes.tax_register import ask
from chalicelib.delivery.send import Sender
from chalicelib.handle import Done, fold, handle
from chalicelib.http.personal import opened
from chalicelib.kernel import Origin

FORGOTTEN = "person-forgotten"
"""Why nobody is asked any more: the number of who was forgotten is known no longer."""


def standing(id_: str) -> tuple[TaxEnquiry, int]:
    """An enquiry as it stands, and its version.

    Raises:
        TaxEnquiryUnknown: there is none.
    """
    commits = runtime.event_store().load(f"tax_enquiry-{id_}") if id_.isalnum() else []
    if not commits:
        raise TaxEnquiryUnknown
    return fold(tax_enquiry, commits), commits[-1].number


def ask_register(register: TaxRegister, id_: str, origin: Origin, sender: Sender) -> Done:
    """Ask what is owed, and record what the register says, or that it says nothing."""
    state, _ = standing(id_)
    number = opened(state.identity_number)
    if number is None:
        heard = NoteTaxRegisterSilent(origin=origin, enquiry=id_, why=FORGOTTEN, limits=limits())
        return handle(runtime.event_store(), tax_enquiry, id_, heard)
    said = ask(register, id_, state.code, number, origin, sender)
    return handle(runtime.event_store(), tax_enquiry, id_, said)


def ask_again(id_: str, origin: Origin) -> None:
    """Ask a register that has not answered, if this deployment still asks one."""
    if register := configuration().tax_register:
        ask_register(register, id_, origin, runtime.sender())
