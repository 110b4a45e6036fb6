"""How the catalogue changes: in the same way for one request and for a row of an import."""

from datetime import date, datetime, time

from pydantic import TypeAdapter, ValidationError

from chalicelib import runtime
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.dossiers.domain.offer import (
    CeaseOffering,
    OfferProcedure,
    offer,
    offer_id,
)
from chalicelib.contexts.dossiers.domain.procedure import (
    AmendProcedure,
    Code,
    Procedure,
    ProcedureCommand,
    ProcedureUnknown,
    PublishProcedure,
    procedure,
)
from chalicelib.handle import Done, fold, handle
from chalicelib.kernel import Invalid, Origin
from chalicelib.working_time import HANOI

_CODE: TypeAdapter[str] = TypeAdapter(Code)


class OfferingAgencyUnknown(Invalid):
    """The agency that should offer the procedure is not in the register on that day."""

    code = "offering-agency-unknown"


def check_code(code: str) -> None:
    """See that this can be a procedure's code.

    Raises:
        ProcedureUnknown: it cannot, so there is no such procedure.
    """
    try:
        _CODE.validate_python(code)
    except ValidationError:
        raise ProcedureUnknown(field="code") from None


def the_procedure(code: str) -> tuple[Procedure, int]:
    """A procedure as it stands now, and its version number as a stream.

    Raises:
        ProcedureUnknown: there can be none of that code.
    """
    check_code(code)
    commits = runtime.event_store().load(f"procedure-{code}")
    return fold(procedure, commits), len(commits)


def change(command: ProcedureCommand) -> Done:
    """Publish, amend or repeal."""
    return handle(runtime.event_store(), procedure, command.code, command)


def enter(command: PublishProcedure) -> Done:
    """Publish what is not there yet, else amend it."""
    state, _ = the_procedure(command.code)
    if not state.versions:
        return change(command)
    return change(AmendProcedure(origin=command.origin, code=command.code, terms=command.terms))


def make_offer(
    origin: Origin, code: str, agency: str, effective_on: date, *, portal: bool, register: Register
) -> Done:
    """Have an agency take dossiers for a procedure; `register` is that of the offer's first day.

    Raises:
        OfferingAgencyUnknown, and what the offer's decider refuses.
    """
    found = register.heir(agency)
    if found is None or found.code != agency:
        raise OfferingAgencyUnknown(field="agency")
    state, _ = the_procedure(code)
    command = OfferProcedure(
        origin=origin,
        procedure=code,
        agency=agency,
        effective_on=effective_on,
        portal=portal,
        published=state.number_on(effective_on) is not None,
        repealed=state.ended_on(effective_on),
    )
    return handle(runtime.event_store(), offer, offer_id(code, agency), command)


def register_on(day: date) -> Register:
    """The agencies on a day."""
    return Register(datetime.combine(day, time(12), HANOI))


def cease_offer(command: CeaseOffering) -> Done:
    """Have an agency take no more dossiers for a procedure."""
    id_ = offer_id(command.procedure, command.agency)
    return handle(runtime.event_store(), offer, id_, command)
