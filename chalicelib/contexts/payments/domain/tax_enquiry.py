"""One enquiry to the tax register: what somebody owes for their dossier (nghĩa vụ tài chính)."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from chalicelib.contexts.payments.domain.commands import Limits
from chalicelib.contexts.payments.domain.events import (
    Dong,
    TaxDebt,
    TaxEnquiryAnswered,
    TaxEnquiryAsked,
    TaxEnquiryEvents,
    TaxEnquiryRefused,
    TaxEnquiryUnavailable,
    TaxOutcome,
    TaxParticulars,
)
from chalicelib.kernel import Command, Decider, NotFound, Value
from chalicelib.privacy.personal import Personal

Why = Literal["unreadable", "other_message", "unknown_status", "wrong_row", "wrong_sum"]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.\-/]{1,60}$")]
"""A dossier's code, as the register knows it."""
EnquiryStatus = Literal["asked", "answered", "refused", "unavailable"]
IdentityNumber = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{5,29}[A-Za-z0-9]$")]


class TaxEnquiryUnknown(NotFound):
    """There is no such enquiry, or none that the caller may know of."""

    code = "tax-enquiry-unknown"
    rule = "Law 91/2025/QH15: what somebody owes is nobody else's business"


class TaxEnquiry(Value):
    """What `decide` must remember, and what readers are shown.

    `why` there is no good answer yet; `known_by` is what the last bad one is known by. A register
    that was silent is asked again at `ask_at`.
    """

    status: EnquiryStatus | Literal["absent"] = "absent"
    enquiry: str = ""
    subject: str = ""
    agency: str = ""
    code: str = ""
    identity_number: Personal[str] | None = None
    payable: bool = True
    why: str = ""
    known_by: str = ""
    asked_at: AwareDatetime | None = None
    ask_at: AwareDatetime | None = None
    answer: TaxEnquiryAnswered | None = None


class AskTaxRegister(Command):
    """What is owed for the dossier with this `code`, by the person with this number?

    `payable`: `subject` can sign in and pay it.
    """

    enquiry: str
    subject: str
    payable: bool = True
    agency: str = ""
    code: Code
    identity_number: IdentityNumber
    limits: Limits = Field(default_factory=Limits, repr=False)


class NoteTaxAnswer(Command):
    """The register says: `total` is owed, row by row; `known_by` is what its answer is known by."""

    enquiry: str
    agency: str
    outcome: TaxOutcome
    rows: tuple[TaxDebt, ...]
    total: Dong
    particulars: TaxParticulars
    known_by: str


class NoteTaxAnswerBad(Command):
    """The register said what cannot be read."""

    enquiry: str
    why: Why
    known_by: str


class NoteTaxRegisterSilent(Command):
    """The register did not answer."""

    enquiry: str
    why: str
    limits: Limits = Field(default_factory=Limits, repr=False)


TaxCommand = AskTaxRegister | NoteTaxAnswer | NoteTaxAnswerBad | NoteTaxRegisterSilent


def decide(command: TaxCommand, state: TaxEnquiry) -> list[TaxEnquiryEvents]:
    """The events `command` causes; none if it has already had its effect.

    A first good answer stands; who wants to know what is owed later asks anew.

    Raises:
        TaxEnquiryUnknown: an answer to what was never asked.
    """
    match command:
        case AskTaxRegister() if state.status == "absent":
            number = Personal[str](subject=command.subject, value=command.identity_number)
            said = command.model_dump(include={"enquiry", "subject", "agency", "code", "payable"})
            ask_at = command.at + timedelta(seconds=command.limits.tax_pause_s)
            return [TaxEnquiryAsked(**said, identity_number=number, ask_at=ask_at, at=command.at)]
        case AskTaxRegister():
            return []
        case _ if state.status == "absent":
            raise TaxEnquiryUnknown
        case _ if state.status == "answered":
            return []
        case NoteTaxAnswer():
            why = _wrong(command)
            return _refused(state, command, why) if why else [_answered(state, command)]
        case NoteTaxAnswerBad():
            return _refused(state, command, command.why)
        case NoteTaxRegisterSilent() if _said_already(command, state):
            return []
        case NoteTaxRegisterSilent():
            return [_unavailable(command, state)]


def _said_already(command: NoteTaxRegisterSilent, state: TaxEnquiry) -> bool:
    same = (state.status, state.why) == ("unavailable", command.why)
    return same and (state.ask_at is None or command.at < state.ask_at)


def _unavailable(command: NoteTaxRegisterSilent, state: TaxEnquiry) -> TaxEnquiryUnavailable:
    assert state.asked_at
    again = command.limits.ask_again(state.asked_at, command.at)
    soonest = command.at + timedelta(seconds=command.limits.tax_pause_s)
    return TaxEnquiryUnavailable(
        enquiry=state.enquiry,
        subject=state.subject,
        why=command.why,
        ask_at=again and max(again, soonest),
        at=command.at,
    )


def _wrong(command: NoteTaxAnswer) -> Why | None:
    """What cannot be in an answer: a row twice or of nothing, a sum that is another."""
    rows = command.rows
    owed = command.outcome == "owed"
    if bool(rows) != owed or any(not row.amount for row in rows):
        return "wrong_row"
    if len({row.debt for row in rows}) != len(rows):
        return "wrong_row"
    return "wrong_sum" if sum(row.amount for row in rows) != command.total else None


def _answered(state: TaxEnquiry, command: NoteTaxAnswer) -> TaxEnquiryAnswered:
    particulars = None
    if command.rows:
        particulars = Personal[TaxParticulars](subject=state.subject, value=command.particulars)
    return TaxEnquiryAnswered(
        enquiry=state.enquiry,
        subject=state.subject,
        agency=command.agency,
        outcome=command.outcome,
        rows=command.rows,
        total=command.total,
        particulars=particulars,
        payable=state.payable,
        at=command.at,
    )


def _refused(
    state: TaxEnquiry, command: NoteTaxAnswer | NoteTaxAnswerBad, why: Why
) -> list[TaxEnquiryEvents]:
    """The same bad answer again says nothing new."""
    if (state.status, state.known_by) == ("refused", command.known_by):
        return []
    return [
        TaxEnquiryRefused(
            enquiry=state.enquiry,
            subject=state.subject,
            why=why,
            known_by=command.known_by,
            at=command.at,
        )
    ]


def evolve(state: TaxEnquiry, event: TaxEnquiryEvents) -> TaxEnquiry:
    """The enquiry after `event`."""
    match event:
        case TaxEnquiryAsked():
            said = event.model_dump(include={"enquiry", "subject", "agency", "code", "payable"})
            return TaxEnquiry(
                status="asked",
                identity_number=event.identity_number,
                asked_at=event.at,
                ask_at=event.ask_at,
                **said,
            )
        case TaxEnquiryAnswered():
            return state.model_copy(update={"status": "answered", "answer": event, "why": ""})
        case TaxEnquiryRefused():
            changes = {"status": "refused", "why": event.why, "known_by": event.known_by}
            return state.model_copy(update=changes)
        case TaxEnquiryUnavailable():
            changes = {"status": "unavailable", "why": event.why}
            return state.model_copy(update=changes | {"ask_at": event.ask_at})


tax_enquiry = Decider("tax_enquiry", TaxEnquiryEvents, TaxEnquiry(), decide, evolve)
