"""Dossiers over HTTP, for the officers who work on them, and for their agencies' systems."""

from typing import Any, TypeVar

from chalicelib import runtime
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.dossiers import codes, consulting, filing
from chalicelib.contexts.dossiers.acting import acting, carry_out, command, decided
from chalicelib.contexts.dossiers.asked import (
    Acceptance,
    Assignment,
    Completion,
    Consultation,
    Correction,
    Extension,
    Forwarding,
    Fulfilment,
    Handover,
    NewResult,
    Nothing,
    Obligation,
    Reason,
    Return,
    SupplementRequest,
)
from chalicelib.contexts.dossiers.domain.commands import (
    AcceptDossier,
    AnyDossierCommand,
    ApproveWithdrawal,
    CloseConsultation,
    CompleteDossier,
    CorrectResult,
    DeclineWithdrawal,
    ExtendDeadline,
    ForwardStep,
    FulfilObligation,
    PauseDossier,
    RaiseObligation,
    ReassignStep,
    RefuseDossier,
    RequestSupplement,
    ResumeDossier,
    ReturnResult,
    ReturnStep,
    StartProcessing,
    StopDossier,
    WithdrawResult,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import FileRef
from chalicelib.contexts.dossiers.shown import standing
from chalicelib.http.identity import Role
from chalicelib.http.resource import Answer, Receipt, Resource, accepted, ordered
from chalicelib.kernel import Invalid, Value

routes = Resource(__name__)
DESK: set[Role] = {"officer", "system"}
C = TypeVar("C", bound=AnyDossierCommand)


class StepAgencyUnknown(Invalid):
    """The agency that should have the step is not registered, or ended and has no successor."""

    code = "step-agency-unknown"


class ObligationReceipt(Receipt):
    """What raising an obligation led to: it is paid, or settled, under its id `obligation`."""

    obligation: str


@routes.put("/dossiers/{dossier_id}/acceptance", allow=DESK)
def accept_dossier(dossier_id: str) -> Answer[Receipt]:
    """Take a dossier in: receipt, appointment, and the clock runs. 202."""
    return _do(AcceptDossier, dossier_id, routes.json(Acceptance))


@routes.put("/dossiers/{dossier_id}/refusal", allow=DESK)
def refuse_dossier(dossier_id: str) -> Answer[Receipt]:
    """Do not take a dossier in, for a reason. 202."""
    return _do(RefuseDossier, dossier_id, routes.json(Reason))


@routes.post("/dossiers/{dossier_id}/supplement-requests", allow=DESK)
def request_supplement(dossier_id: str) -> Answer[Receipt]:
    """Ask the applicant for more; the clock stands still. 202."""
    return _do(RequestSupplement, dossier_id, routes.json(SupplementRequest))


@routes.put("/dossiers/{dossier_id}/processing", allow=DESK)
def start_processing(dossier_id: str) -> Answer[Receipt]:
    """Begin the work on an accepted dossier. 202."""
    return _do(StartProcessing, dossier_id)


@routes.post("/dossiers/{dossier_id}/forwardings", allow=DESK)
def forward_step(dossier_id: str) -> Answer[Receipt]:
    """Pass a dossier on from one step to a later one. 202; `step-passed` if it is elsewhere."""
    return _hand_on(ForwardStep, dossier_id, routes.json(Forwarding))


@routes.post("/dossiers/{dossier_id}/returns", allow=DESK)
def return_step(dossier_id: str) -> Answer[Receipt]:
    """Give a dossier back to an earlier step, for a reason. 202."""
    return _hand_on(ReturnStep, dossier_id, routes.json(Return))


@routes.put("/dossiers/{dossier_id}/assignment", allow=DESK)
def reassign_step(dossier_id: str) -> Answer[Receipt]:
    """Give the present step to another unit or officer. 202."""
    return _hand_on(ReassignStep, dossier_id, routes.json(Assignment))


@routes.post("/dossiers/{dossier_id}/consultations", allow=DESK)
def consult_agencies(dossier_id: str) -> Answer[Receipt]:
    """Ask other agencies by a document over the axis; the answer to it moves the dossier. 202."""
    wish = consulting.ask(routes, dossier_id, routes.json(Consultation))
    return accepted(carry_out(wish))


@routes.put("/dossiers/{dossier_id}/consultations/{document_id}/closure", allow=DESK)
def close_consultation(dossier_id: str, document_id: str) -> Answer[Receipt]:
    """Go on without the opinions that are missing. 202."""
    return _do(CloseConsultation, dossier_id, document=document_id)


@routes.post("/dossiers/{dossier_id}/obligations", allow=DESK)
def raise_obligation(dossier_id: str) -> Answer[ObligationReceipt]:
    """Have the applicant pay; the clock stands still. 202, with the obligation's id."""
    asked, origin = routes.json(Obligation), routes.origin()
    id_ = codes.new_id("obligation", origin)
    wish = command(
        routes, RaiseObligation, dossier_id, obligation=id_, **asked.model_dump(mode="json")
    )
    done = carry_out(wish)
    return ordered({"seen": done.seen, "version": done.number, "obligation": id_})


@routes.put("/dossiers/{dossier_id}/obligations/{obligation_id}/fulfilment", allow=DESK)
def fulfil_obligation(dossier_id: str, obligation_id: str) -> Answer[Receipt]:
    """Say that the desk took the money, or that it need not be paid. 202."""
    return _do(FulfilObligation, dossier_id, routes.json(Fulfilment), obligation=obligation_id)


@routes.put("/dossiers/{dossier_id}/pause", allow=DESK)
def pause_dossier(dossier_id: str) -> Answer[Receipt]:
    """Let the work and its clock stand still, for a reason. 202."""
    return _do(PauseDossier, dossier_id, routes.json(Reason))


@routes.delete("/dossiers/{dossier_id}/pause", allow=DESK)
def resume_dossier(dossier_id: str) -> Answer[Receipt]:
    """Let the work go on, to a new appointment. 202."""
    return _do(ResumeDossier, dossier_id)


@routes.put("/dossiers/{dossier_id}/extension", allow=DESK)
def extend_deadline(dossier_id: str) -> Answer[Receipt]:
    """Apologise and take more time, once. 202; `apology-too-late` within a day of the old one."""
    return _do(ExtendDeadline, dossier_id, routes.json(Extension))


@routes.put("/dossiers/{dossier_id}/withdrawal/approval", allow=DESK, step_up=True)
def approve_withdrawal(dossier_id: str) -> Answer[Receipt]:
    """Give the dossier back. 202."""
    return _do(ApproveWithdrawal, dossier_id)


@routes.put("/dossiers/{dossier_id}/withdrawal/refusal", allow=DESK)
def decline_withdrawal(dossier_id: str) -> Answer[Receipt]:
    """Do not give the dossier back, for a reason. 202."""
    return _do(DeclineWithdrawal, dossier_id, routes.json(Reason))


@routes.put("/dossiers/{dossier_id}/stop", allow=DESK)
def stop_dossier(dossier_id: str) -> Answer[Receipt]:
    """End the work without a result, for a reason. 202."""
    return _do(StopDossier, dossier_id, routes.json(Reason))


@routes.put("/dossiers/{dossier_id}/completion", allow=DESK)
def complete_dossier(dossier_id: str) -> Answer[Receipt]:
    """Say that the work is done, with its results, whose files were uploaded. 202."""
    asked = routes.json(Completion)
    return _with_results(CompleteDossier, dossier_id, asked.results, outcome=asked.outcome)


@routes.put("/dossiers/{dossier_id}/handover", allow=DESK)
def return_result(dossier_id: str) -> Answer[Receipt]:
    """Say how the applicant got the result: at the desk, by post, electronically. 202."""
    return _do(ReturnResult, dossier_id, routes.json(Handover))


@routes.put("/dossiers/{dossier_id}/recall", allow=DESK)
def withdraw_result(dossier_id: str) -> Answer[Receipt]:
    """Take a wrong result back, for a reason. 202."""
    return _do(WithdrawResult, dossier_id, routes.json(Reason))


@routes.put("/dossiers/{dossier_id}/correction", allow=DESK)
def correct_result(dossier_id: str) -> Answer[Receipt]:
    """Bring the corrected results. 202."""
    return _with_results(CorrectResult, dossier_id, routes.json(Correction).results)


def _do(kind: type[C], dossier_id: str, asked: Value | None = None, **said: Any) -> Answer[Receipt]:
    """Carry out a command with what was asked; what was left out has the command's own default."""
    given = (asked or routes.json(Nothing)).model_dump(exclude_none=True)
    return accepted(carry_out(command(routes, kind, dossier_id, **given, **said)))


def _hand_on(kind: type[C], dossier_id: str, asked: Forwarding | Assignment) -> Answer[Receipt]:
    """Carry out a command that may give the step to another agency, or to who took its place."""
    if meant := asked.to_agency or _by_procedure(dossier_id, asked):
        heir = Register(runtime.now()).heir(meant)
        if heir is None:
            raise StepAgencyUnknown(field="to_agency")
        asked = asked.model_copy(update={"to_agency": heir.code})
    return _do(kind, dossier_id, asked)


def _by_procedure(dossier_id: str, asked: Forwarding | Assignment) -> str:
    """Whose the step is that is forwarded to, if the procedure names another agency for it."""
    if not isinstance(asked, Forwarding):
        return ""
    terms = standing(dossier_id).state.terms
    return next((rule.agency for rule in terms.steps if rule.code == asked.to), "") if terms else ""


def _with_results(
    kind: type[C], dossier_id: str, asked: tuple[NewResult, ...], **said: Any
) -> Answer[Receipt]:
    """Carry out a command that brings results; their files are kept with the applicant's."""
    state = standing(dossier_id).state
    caller = routes.caller()
    found = filing.results(asked, filing.desk_of(caller), state.results)
    # In whose name is settled first: what is refused loses its uploads.
    wish = acting(command(routes, kind, dossier_id, results=found, **said))
    before = {result.file for result in state.results}
    new: list[tuple[str, FileRef]] = [
        (f"results/{index}/file", result.file)
        for index, result in enumerate(found)
        if result.file and result.file not in before
    ]
    with filing.arriving(filing.uploader(caller), state.subject, new, dossier, dossier_id, wish):
        return accepted(decided(wish))
