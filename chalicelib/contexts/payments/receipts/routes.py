"""Receipts over HTTP: for who paid, for the agency that issued them, and for who checks one."""

from typing import Annotated

from chalice.app import Response
from pydantic import Field, StringConstraints

from chalicelib import files, runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.payments.domain.events import Dong, Line, LineKind, Payer
from chalicelib.contexts.payments.domain.receipt import (
    CancelReceipt,
    NotYourReceipt,
    ReceiptUnknown,
    ReplaceReceipt,
    Said,
    counter,
    receipt,
    series,
)
from chalicelib.contexts.payments.people import (
    acts_for,
    in_name_of,
    office,
    person,
    reader,
)
from chalicelib.contexts.payments.projections import which_receipts_were_issued
from chalicelib.contexts.payments.projections.which_receipts_were_issued import IssuedReceipt
from chalicelib.contexts.payments.receipts.shown import (
    PaymentReceipt,
    ReceiptCheck,
    Standing,
    check_link,
    checked,
    shown,
    shown_to_anybody,
    standing,
)
from chalicelib.contexts.payments.receipts.wording import sheet
from chalicelib.handle import handle
from chalicelib.http.identity import Caller, Role
from chalicelib.http.paging import Page, page_of, page_request
from chalicelib.http.printed import Wanted, printed
from chalicelib.http.resource import PUBLIC, Answer, Receipt, Resource, accepted, ok
from chalicelib.kernel import Value

routes = Resource(__name__)
READERS: set[Role] = {"citizen", "officer", "system", "auditor"}
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class NewLine(Value):
    """A line as it should have been; its kind is the receipt's."""

    code: Short
    name: Short
    amount: Dong
    chapter: Short = ""
    subsection: Short = ""


class NewPayer(Value):
    """Who paid, as they should have been named."""

    name: Annotated[Short, StringConstraints(min_length=1)]
    identity_number: Short = ""
    address: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class Replacement(Value):
    """What a receipt should have said in place of number `replaces`, and what was wrong."""

    replaces: int
    lines: Annotated[tuple[NewLine, ...], Field(min_length=1, max_length=100)] | None = None
    payer: NewPayer | None = None
    reason: Said


class Cancellation(Value):
    """Why a receipt should never have been issued."""

    reason: Said


class InList(Value):
    """Which receipts: of an agency, of one kind."""

    agency: str = ""
    kind: LineKind | None = None


@routes.get("/receipts", allow={"officer", "system", "auditor"})
def list_receipts() -> Answer[Page[IssuedReceipt]]:
    """The receipts of an agency, newest first; nothing in them is personal.

    Query: `agency` (an auditor's any, else the caller's own or one whose place it took), `kind`,
    `limit`, `cursor`, `seen`.
    """
    query, caller = routes.query(), routes.caller()
    asked = page_request(query)
    wanted = routes.build(InList, **{k: v for k, v in query.items() if k in InList.model_fields})
    agency = canonical(wanted.agency) if wanted.agency else office(caller)
    if caller.role != "auditor" and not acts_for(caller, agency):
        raise NotYourReceipt(field="agency")
    return page_of(
        which_receipts_were_issued.answer,
        asked,
        by=agency,
        keep=(lambda row: row["kind"] == wanted.kind) if wanted.kind else None,
        newest_first=True,
    )


@routes.get("/receipts/{receipt_id}", allow=READERS)
def see_receipt(receipt_id: str) -> Answer[PaymentReceipt]:
    """One receipt, always current; an auditor does not see who paid."""
    caller = routes.caller()
    found = _seen_by(caller, receipt_id)
    return ok(shown(found, reader(caller)), version=found.version)


@routes.get("/receipts/{receipt_id}/paper", allow=READERS)
def print_receipt(receipt_id: str) -> Answer[files.DownloadLink] | Response:
    """The receipt on paper: a page of HTML, or with `format=pdf` a link to a PDF, gone in a day."""
    wanted, caller = routes.build(Wanted, **routes.query()), routes.caller()
    found = _seen_by(caller, receipt_id)
    state, last = found.state, found.state.editions[-1]
    made = sheet(state, _name(state.agency), reader(caller), check_link(state))
    return printed(made, wanted, f"receipts/{receipt_id}", f"{last.series}-{last.number}")


@routes.get("/receipts/{receipt_id}/check", allow=PUBLIC)
def check_receipt(receipt_id: str) -> Answer[ReceiptCheck]:
    """Whether a paper is good, and for how much, for whoever holds it; nothing in it is personal.

    Query: `code`, the word in its QR code. `status` is `issued`, `replaced` or `cancelled`; `seen`
    names the commit that anybody can have proven. A wrong word and an unknown receipt are answered
    alike.
    """
    found = standing(receipt_id)
    edition = checked(found, routes.query().get("code", ""))
    return ok(shown_to_anybody(found, edition, _name(found.state.agency)))


@routes.post("/receipts/{receipt_id}/replacement", allow={"officer", "system"})
def replace_receipt(receipt_id: str) -> Answer[Receipt]:
    """Have a new number say what the present one said wrong. 202.

    The sum stays what was paid and not given back. Refuses `not-your-receipt`,
    `receipt-lines-wrong`, `receipt-replaced`, `receipt-cancelled`.
    """
    asked, origin = routes.json(Replacement), routes.origin()
    state = standing(receipt_id).state
    lines = None
    if asked.lines:
        lines = tuple(Line(kind=state.kind, **each.model_dump()) for each in asked.lines)
    command = ReplaceReceipt(
        origin=origin,
        receipt=receipt_id,
        agency=in_name_of(routes.caller(), state.agency),
        replaces=asked.replaces,
        series=series(state.agency, state.kind, origin.at),
        lines=lines,
        payer=Payer(**asked.payer.model_dump()) if asked.payer else None,
        reason=asked.reason,
    )
    return accepted(
        handle(runtime.event_store(), receipt, receipt_id, command, counter=counter(command.series))
    )


@routes.put("/receipts/{receipt_id}/cancellation", allow={"officer", "system"})
def cancel_receipt(receipt_id: str) -> Answer[Receipt]:
    """Take a receipt back that should never have been issued; its number stays used. 202.

    Refuses `not-your-receipt`.
    """
    asked = routes.json(Cancellation)
    state = standing(receipt_id).state
    command = CancelReceipt(
        origin=routes.origin(),
        receipt=receipt_id,
        agency=in_name_of(routes.caller(), state.agency),
        reason=asked.reason,
    )
    return accepted(handle(runtime.event_store(), receipt, receipt_id, command))


def _seen_by(caller: Caller, id_: str) -> Standing:
    """The receipt, if the caller paid it, acts for who issued it, or audits.

    Raises:
        ReceiptUnknown: there is none, or none of the caller's business.
    """
    found = standing(id_)
    if caller.role == "citizen":
        theirs = person(caller.subject) == found.state.subject
    else:
        theirs = caller.role == "auditor" or acts_for(caller, found.state.agency)
    if not theirs:
        raise ReceiptUnknown
    return found


def _name(code: str) -> str:
    """What the agency is called now; its code if nobody has said."""
    return Register(runtime.now()).name(code) or code
