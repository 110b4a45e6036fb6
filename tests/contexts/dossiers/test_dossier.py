"""Dossiers kept here. The table of transitions has its own tests; here is what follows."""

from contextlib import suppress
from datetime import timedelta

import pytest
from contexts.dossiers.demo_dossiers import (
    ACCEPTED,
    COPY,
    DAY,
    DESK,
    FEE,
    FILE,
    FIXED,
    FORM,
    ID,
    LINE,
    LIVES,
    MONDAY,
    OTHER,
    PROCESSED,
    PROCESSING,
    RESULT,
    SUBJECT,
    TERMS,
    ask,
    hanoi,
    live,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic_core import to_json

from chalicelib.contexts.dossiers.domain import clock as clocks
from chalicelib.contexts.dossiers.domain.commands import (
    AcceptDossier,
    AdoptState,
    ApproveWithdrawal,
    CloseConsultation,
    CompleteDossier,
    ConsultAgencies,
    CorrectResult,
    DeclineWithdrawal,
    ExtendDeadline,
    ForwardStep,
    FulfilObligation,
    Held,
    Limits,
    NoteApologyDrafted,
    NoteConsultationAnswer,
    NoteDueSoon,
    NoteOverdue,
    NoteSync,
    PauseDossier,
    RaiseObligation,
    ReassignStep,
    ReceiveSupplement,
    RefuseDossier,
    RequestSupplement,
    RequestWithdrawal,
    ResumeDossier,
    ReturnResult,
    ReturnStep,
    StartProcessing,
    StopDossier,
    SubmitDossier,
    Version,
    WithdrawResult,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import MAX_DONG, HandedIn, Step, WorkingLimit
from chalicelib.contexts.dossiers.domain.procedure import ProcedureUnknown, ProcedureWasRepealed
from chalicelib.contexts.dossiers.domain.refusals import (
    ApologyTooLate,
    ApplicantKindWrong,
    ChannelWrong,
    ComponentKindWrong,
    ComponentMissing,
    ComponentNotReusable,
    ComponentUnknown,
    ConsultationUnknown,
    DeadlineAlreadyExtended,
    DossierAlreadyFiled,
    DossierUnknown,
    IntakeFeeUnpaid,
    NotYourDossier,
    NotYourStep,
    ObligationEmpty,
    ObligationUnknown,
    ProcedureNotOffered,
    StepOutOfOrder,
    StepPassed,
    StepUnknown,
    SupplementDeadlinePast,
    SupplementTooLate,
    TransitionRefused,
    WithdrawalTooLate,
)
from chalicelib.contexts.dossiers.domain.transitions import COMMANDS, TABLE
from chalicelib.kernel import Refused
from chalicelib.working_time import Calendar

NO_STEPS = Version(number=1, terms=TERMS.model_copy(update={"steps": ()}))
WITH_FEE = Version(number=1, terms=TERMS.model_copy(update={"fees": (FEE,)}))
SAME_DAY = Version(
    number=1, terms=TERMS.model_copy(update={"limit": WorkingLimit(amount=8, unit="hours")})
)
FREELY = (SubmitDossier, {"version": NO_STEPS}), AcceptDossier
REUSED = HandedIn(code="KQ000002", kind="electronic", digitised="paper-1")
HELD = Held(component="paper-1", code="KQ000002", subject=SUBJECT, usable=True)
REUSE = {"components": (FORM, REUSED), "held": (HELD,), "consents": ("paper-1",)}
AT_DESK = {"subject": "", "agency": DESK, "unit": "desk"}
EXAMINE = Step(code="examine", name="Thẩm định", agency=DESK, unit="specialist")
RECEIVE = Step(code="receive", name="Tiếp nhận", agency=DESK, unit="desk")
LATE = MONDAY + 30 * DAY


def filed(**changes):
    return [(SubmitDossier, changes)]


def held(**changes):
    return REUSE | {"held": (HELD.model_copy(update=changes),)}


@pytest.mark.parametrize(
    ("life", "when", "changes", "then"),
    [
        # Filing.
        pytest.param(
            (), SubmitDossier, {},
            [("dossier.submitted", {
                "agency": DESK, "subject": SUBJECT, "assurance": 2, "channel": "online",
                "answer_by": hanoi("2026-06-02T09:00:00"), "status": "submitted", "worked_s": 0,
            })],
            id="a citizen files online, and is answered within 8 working hours",
        ),
        pytest.param(
            (), SubmitDossier, {"channel": "post", "access": "desk", "agency": DESK},
            [("dossier.submitted", {"answer_by": None, "by_agency": DESK, "channel": "post"})],
            id="what came by post is entered by the desk",
        ),
        pytest.param(
            (), SubmitDossier, REUSE,
            [("dossier.submitted", {}),
             ("dossier.component_reused", {"digitised": "paper-1", "component": "KQ000002"})],
            id="a digitised paper is used again",
        ),
        pytest.param(
            LIVES["submitted"], SubmitDossier, {"code": "another"}, DossierAlreadyFiled,
            id="the id is taken",
        ),
        pytest.param(
            (), SubmitDossier, {"version": None}, ProcedureUnknown, id="no version in force"
        ),
        pytest.param(
            (), SubmitDossier, {"version": None, "repealed": True}, ProcedureWasRepealed,
            id="a repealed procedure",
        ),
        pytest.param(
            (), SubmitDossier, {"offered": False}, ProcedureNotOffered, id="not offered here"
        ),
        pytest.param(
            (), SubmitDossier, {"version": Version(number=1, terms=TERMS.model_copy(
                update={"applicants": ("enterprise",)}))},
            ApplicantKindWrong, id="not for citizens",
        ),
        pytest.param(
            (), SubmitDossier, {"agency": OTHER}, NotYourDossier, id="entered by another agency"
        ),
        pytest.param(
            (), SubmitDossier, {"channel": "direct"}, ChannelWrong, id="direct, but by nobody"
        ),
        pytest.param(
            (), SubmitDossier, {"access": "desk"}, ChannelWrong, id="at a desk, but by nobody"
        ),
        pytest.param(
            (), SubmitDossier, {"components": (FORM,)}, ComponentMissing, id="a paper is missing"
        ),
        pytest.param(
            (), SubmitDossier, {"components": (FORM.model_copy(update={"file": None}), COPY)},
            ComponentMissing, id="an electronic paper without its file",
        ),
        pytest.param(
            (), SubmitDossier, {"components": (FORM, COPY.model_copy(update={"kind": "original"}))},
            ComponentKindWrong, id="a paper of the wrong kind",
        ),
        pytest.param(
            (), SubmitDossier, {"components": (FORM, COPY.model_copy(update={"code": "other"}))},
            ComponentUnknown, id="a paper nobody asks for",
        ),
        *(
            pytest.param((), SubmitDossier, changes, ComponentNotReusable, id=f"reuse: {name}")
            for name, changes in {
                "without consent": REUSE | {"consents": ()},
                "of somebody else": held(subject="another"),
                "of another kind": held(code="KQ000001"),
                "expired": held(usable=False),
                "of nothing known": REUSE | {"held": ()},
            }.items()
        ),
        # Intake.
        pytest.param(
            LIVES["submitted"], AcceptDossier, {},
            [("dossier.accepted", {
                "status": "accepted", "receipt": "Z01-260601-0001", "step": RECEIVE,
                "worked_s": 3600, "by": "officer:demo-1", "by_agency": DESK, "by_unit": "desk",
            })],
            id="taken in, with receipt and appointment",
        ),
        pytest.param(
            filed(version=NO_STEPS), AcceptDossier, {"receipt": "7", "officer": "demo-2"},
            [("dossier.accepted", {
                "receipt": "7", "step": Step(agency=DESK, unit="desk", officer="demo-2")
            })],
            id="a procedure without steps stays with the desk",
        ),
        pytest.param(
            LIVES["submitted"], AcceptDossier, {"agency": OTHER}, NotYourDossier,
            id="taken in by another agency",
        ),
        pytest.param(filed(version=WITH_FEE), AcceptDossier, {}, IntakeFeeUnpaid, id="fee unpaid"),
        pytest.param(
            [*filed(version=WITH_FEE), RaiseObligation, FulfilObligation], AcceptDossier, {},
            [("dossier.accepted", {})], id="fee paid",
        ),
        pytest.param((), AcceptDossier, {}, DossierUnknown, id="nothing to take in"),
        pytest.param(
            LIVES["submitted"], RefuseDossier, {},
            [("dossier.not_accepted", {"status": "not_accepted"})], id="not taken in",
        ),
        pytest.param(
            LIVES["submitted"], RefuseDossier, {"agency": OTHER}, NotYourDossier,
            id="refused by another agency",
        ),
        # Supplements.
        pytest.param(
            LIVES["submitted"], RequestSupplement, {},
            [("dossier.supplement_requested", {
                "number": 1, "counted_late": False, "clock": None, "status": "intake_supplement",
            })],
            id="more is asked for before it is taken in",
        ),
        pytest.param(
            [*PROCESSING, RequestSupplement, ReceiveSupplement], RequestSupplement, {},
            [("dossier.supplement_requested", {"number": 2, "counted_late": True})],
            id="asked a second time it counts as late",
        ),
        pytest.param(
            [*PROCESSING, RequestSupplement, ReceiveSupplement], RequestSupplement,
            {"limits": Limits(free_supplements=2)},
            [("dossier.supplement_requested", {"number": 2, "counted_late": False})],
            id="unless the deployment allows two",
        ),
        pytest.param(
            PROCESSING, RequestSupplement, {"components": ("other",)}, ComponentUnknown,
            id="asking for what the procedure does not know",
        ),
        pytest.param(
            PROCESSING, RequestSupplement, {"at": MONDAY, "until": MONDAY},
            SupplementDeadlinePast, id="asking for it by a moment that is gone",
        ),
        pytest.param(
            LIVES["supplement"], RequestSupplement, {"components": ("KQ000001",)},
            TransitionRefused, id="another request while one is open",
        ),
        pytest.param(
            PROCESSING, RequestSupplement, {"unit": "head"}, NotYourStep, id="by another unit"
        ),
        pytest.param(
            [*filed(**AT_DESK, channel="direct", access="desk"), RequestSupplement],
            ReceiveSupplement, AT_DESK,
            [("dossier.supplement_received", {"status": "submitted", "answer_by": None})],
            id="handed in at intake at the desk: no online filing, no answer due",
        ),
        pytest.param(
            LIVES["intake_supplement"], ReceiveSupplement, {},
            [("dossier.supplement_received", {
                "status": "submitted", "clock": None,
                "answer_by": hanoi("2026-06-02T11:00:00"),
            })],
            id="handed in at intake: the desk's answer is due anew",
        ),
        pytest.param(
            LIVES["supplement"], ReceiveSupplement, AT_DESK,
            [("dossier.supplement_received", {"status": "processing", "by_agency": DESK})],
            id="handed in at the desk",
        ),
        pytest.param(
            [*PROCESSING, (RequestSupplement, {"components": ()})], ReceiveSupplement,
            {"components": (REUSED,), "held": (HELD,), "consents": ("paper-1",)},
            [("dossier.supplement_received", {}), ("dossier.component_reused", {"worked_s": 0})],
            id="handed in by using a digitised paper again",
        ),
        pytest.param(
            [*PROCESSING, (RequestSupplement, {"until": MONDAY + DAY})], ReceiveSupplement,
            {"at": MONDAY + DAY}, [("dossier.supplement_received", {})],
            id="handed in at the last moment",
        ),
        pytest.param(
            [*PROCESSING, (RequestSupplement, {"until": MONDAY + DAY})], ReceiveSupplement,
            {"at": MONDAY + DAY + timedelta(seconds=1)}, SupplementTooLate, id="handed in late",
        ),
        pytest.param(
            LIVES["supplement"], ReceiveSupplement, {"components": (FORM,)}, ComponentMissing,
            id="something else is handed in",
        ),
        pytest.param(
            LIVES["supplement"], ReceiveSupplement, {"subject": "another"}, DossierUnknown,
            id="handed in by somebody else",
        ),
        pytest.param(
            LIVES["supplement"], ReceiveSupplement, {"agency": OTHER}, NotYourDossier,
            id="handed in at another agency's desk",
        ),
        pytest.param(
            PROCESSING, ReceiveSupplement, {}, TransitionRefused, id="nothing was asked for"
        ),
        # Steps.
        pytest.param(
            ACCEPTED, StartProcessing, {},
            [("dossier.processing_started", {"status": "processing"})], id="work begins",
        ),
        pytest.param(
            ACCEPTED, StartProcessing, {"agency": OTHER}, NotYourStep, id="work of another agency"
        ),
        pytest.param(
            ACCEPTED, ForwardStep, {},
            [("dossier.step_forwarded", {
                "from_step": RECEIVE, "step": EXAMINE, "status": "processing"})],
            id="passed on",
        ),
        pytest.param(
            ACCEPTED, ForwardStep, {"to_agency": OTHER, "to_unit": "u", "officer": "o"},
            [("dossier.step_forwarded", {"step": EXAMINE.model_copy(
                update={"agency": OTHER, "unit": "u", "officer": "o"})})],
            id="passed on to another agency's officer",
        ),
        pytest.param(
            PROCESSING, ForwardStep, {"step": "receive", "to": "examine", "unit": "desk"}, [],
            id="passed on already",
        ),
        pytest.param(
            PROCESSING, ForwardStep, {"step": "receive", "to": "sign"}, StepPassed,
            id="passed on from where it is no more",
        ),
        pytest.param(
            PROCESSING, ForwardStep, {"step": "receive", "to": "sign", "unit": "desk"},
            NotYourStep, id="passed on by who had it before",
        ),
        pytest.param(PROCESSING, ForwardStep, {"to": "nowhere"}, StepUnknown, id="no such step"),
        pytest.param(PROCESSING, ForwardStep, {"to": "receive"}, StepOutOfOrder, id="back"),
        pytest.param(PROCESSING, ForwardStep, {"to": "examine"}, StepOutOfOrder, id="nowhere"),
        pytest.param(
            FREELY, ForwardStep, {"step": "", "to": "x"},
            [("dossier.step_forwarded", {
                "step": Step(code="x", name="x", agency=DESK, unit="desk")})],
            id="without steps it goes as officers say",
        ),
        pytest.param(
            PROCESSING, ReturnStep, {},
            [("dossier.step_returned", {"from_step": EXAMINE, "step": RECEIVE})],
            id="given back",
        ),
        pytest.param(
            [*PROCESSING, ReturnStep], ReturnStep,
            {"step": "examine", "to": "receive", "unit": "specialist"}, [],
            id="given back already",
        ),
        pytest.param(PROCESSING, ReturnStep, {"to": "sign"}, StepOutOfOrder, id="back to a later"),
        pytest.param(ACCEPTED, ReturnStep, {}, TransitionRefused, id="no step to give back to"),
        pytest.param(
            PROCESSING, ReassignStep, {},
            [("dossier.step_reassigned", {
                "from_step": EXAMINE, "step": EXAMINE.model_copy(update={"officer": "demo-2"})})],
            id="another officer has it",
        ),
        pytest.param(
            [*PROCESSING, ReassignStep], ReassignStep, {}, [], id="the officer has it already"
        ),
        pytest.param(
            PROCESSING, ReassignStep, {"agency": OTHER}, NotYourDossier,
            id="reassigned by another agency",
        ),
        # Opinions.
        pytest.param(
            PROCESSING, ConsultAgencies, {"asked": (OTHER, "Z03", OTHER)},
            [("dossier.consultation_requested", {
                "asked": (OTHER, "Z03"), "status": "consulting"})],
            id="two agencies are asked",
        ),
        pytest.param(
            LIVES["consulting"], ConsultAgencies, {"document": "doc-1"}, [], id="asked already"
        ),
        pytest.param(ACCEPTED, ConsultAgencies, {}, TransitionRefused, id="asked too early"),
        pytest.param(
            LIVES["consulting"], NoteConsultationAnswer, {},
            [("dossier.consultation_answered", {"answer": "doc-2", "status": "processing"})],
            id="the answer moves the dossier",
        ),
        pytest.param(
            [*PROCESSING, (ConsultAgencies, {"asked": (OTHER, "Z03")})], NoteConsultationAnswer, {},
            [("dossier.consultation_answered", {"status": "consulting"})], id="one of two answers",
        ),
        pytest.param(
            [*LIVES["consulting"], RequestSupplement], NoteConsultationAnswer, {},
            [("dossier.consultation_answered", {"status": "supplement"})],
            id="an answer while the applicant is asked for more",
        ),
        pytest.param(
            LIVES["consulting"], NoteConsultationAnswer, {"answerer": "Z03"}, [],
            id="an answer nobody asked for",
        ),
        pytest.param(
            LIVES["consulting"], CloseConsultation, {},
            [("dossier.consultation_closed", {"missing": (OTHER,), "status": "processing"})],
            id="going on without the answer",
        ),
        pytest.param(
            [*LIVES["consulting"], CloseConsultation], CloseConsultation, {}, [],
            id="closed already",
        ),
        pytest.param(
            LIVES["consulting"], CloseConsultation, {"document": "other"}, ConsultationUnknown,
            id="closing what was never asked",
        ),
        pytest.param(
            PROCESSING, CloseConsultation, {}, ConsultationUnknown, id="nothing was ever asked"
        ),
        pytest.param(
            [*LIVES["consulting"], RequestSupplement], CloseConsultation, {}, TransitionRefused,
            id="not while the applicant is asked for more",
        ),
        pytest.param(
            LIVES["consulting"], CompleteDossier, {}, TransitionRefused,
            id="no result while opinions are awaited",
        ),
        # Money.
        pytest.param(
            PROCESSING, RaiseObligation, {"lines": (LINE, LINE)},
            [("dossier.obligation_raised", {"amount": 100_000, "status": "payment"})],
            id="the applicant must pay",
        ),
        pytest.param(
            LIVES["payment"], RaiseObligation, {}, [], id="raised already"
        ),
        pytest.param(
            LIVES["payment"], RaiseObligation, {"obligation": "nvtc-2"}, TransitionRefused,
            id="one at a time",
        ),
        pytest.param(
            PROCESSING, RaiseObligation, {"lines": (LINE.model_copy(update={"amount": 0}),)},
            ObligationEmpty, id="about nothing",
        ),
        pytest.param(
            LIVES["payment"], FulfilObligation, {"reference": "demo"},
            [("dossier.obligation_fulfilled", {
                "means": "online", "status": "processing", "answer_by": None})],
            id="paid online",
        ),
        pytest.param(
            LIVES["intake_payment"], FulfilObligation, {"means": "waived", "agency": DESK},
            [("dossier.obligation_fulfilled", {
                "clock": None, "status": "submitted",
                "answer_by": hanoi("2026-06-02T11:00:00"),
            })],
            id="waived at intake: the desk's answer is due anew",
        ),
        pytest.param(
            LIVES["payment"], FulfilObligation, {"means": "desk", "agency": OTHER}, NotYourDossier,
            id="cash taken by another agency",
        ),
        pytest.param(
            [*LIVES["payment"], RequestWithdrawal], FulfilObligation, {},
            [("dossier.obligation_fulfilled", {"status": "withdrawal"})],
            id="paid while a withdrawal is asked",
        ),
        pytest.param(
            [*LIVES["payment"], StopDossier], FulfilObligation, {},
            [("dossier.obligation_fulfilled", {"status": "stopped", "clock": None})],
            id="paid after all has ended: the money is known of",
        ),
        pytest.param(
            [*LIVES["payment"], FulfilObligation], FulfilObligation, {}, [], id="paid already"
        ),
        pytest.param(
            LIVES["payment"], FulfilObligation, {"obligation": "x"}, ObligationUnknown,
            id="paying what is not owed",
        ),
        # Pauses and extensions.
        pytest.param(
            PROCESSING, PauseDossier, {}, [("dossier.paused", {"status": "paused"})], id="paused"
        ),
        pytest.param(
            PROCESSING, PauseDossier, {"agency": OTHER}, NotYourStep, id="paused by another agency"
        ),
        pytest.param(
            LIVES["paused"], ResumeDossier, {}, [("dossier.resumed", {"status": "processing"})],
            id="resumed",
        ),
        pytest.param(
            LIVES["supplement"], ResumeDossier, {}, TransitionRefused, id="it was not paused"
        ),
        pytest.param(
            PROCESSING, ExtendDeadline, {},
            [("dossier.deadline_extended", {
                "more_s": 57_600, "due_before": hanoi("2026-06-08T10:00:00")})],
            id="extended, with an apology",
        ),
        pytest.param([*PROCESSING, ExtendDeadline], ExtendDeadline, {}, [], id="extended so"),
        pytest.param(
            [*PROCESSING, ExtendDeadline], ExtendDeadline, {"hours": 8}, DeadlineAlreadyExtended,
            id="extended twice",
        ),
        pytest.param(
            PROCESSING, ExtendDeadline, {"at": hanoi("2026-06-07T23:59:59")},
            [("dossier.deadline_extended", {})], id="extended on the last day for it",
        ),
        pytest.param(
            PROCESSING, ExtendDeadline, {"at": hanoi("2026-06-08T00:00:00")}, ApologyTooLate,
            id="extended on the very day",
        ),
        pytest.param(
            PROCESSING, ExtendDeadline, {"agency": OTHER}, NotYourDossier, id="not yours to extend"
        ),
        # Withdrawal and stop.
        pytest.param(
            LIVES["supplement"], RequestWithdrawal, {},
            [("dossier.withdrawal_requested", {"status": "withdrawal"})], id="a wish to withdraw",
        ),
        pytest.param(
            LIVES["submitted"], RequestWithdrawal, {"subject": "x"}, DossierUnknown,
            id="somebody else's wish",
        ),
        pytest.param(
            PROCESSED, RequestWithdrawal, {}, WithdrawalTooLate, id="too late to withdraw"
        ),
        pytest.param(
            LIVES["stopped"], RequestWithdrawal, {}, TransitionRefused, id="it was stopped"
        ),
        pytest.param(
            LIVES["withdrawal"], ApproveWithdrawal, {},
            [("dossier.withdrawal_approved", {"on_time": True, "status": "withdrawn"})],
            id="given back to the applicant",
        ),
        pytest.param(
            LIVES["intake_withdrawal"], ApproveWithdrawal, {},
            [("dossier.withdrawal_approved", {"on_time": None, "clock": None})],
            id="given back before any clock ran",
        ),
        pytest.param(
            PROCESSING, ApproveWithdrawal, {}, TransitionRefused, id="nobody asked for it back"
        ),
        pytest.param(
            [*LIVES["supplement"], RequestWithdrawal], DeclineWithdrawal, {},
            [("dossier.withdrawal_declined", {"status": "supplement"})],
            id="declined: back to where it was",
        ),
        pytest.param(
            [*LIVES["withdrawal"], DeclineWithdrawal], DeclineWithdrawal, {}, [],
            id="declined already",
        ),
        pytest.param(
            [*LIVES["withdrawal"], DeclineWithdrawal], RequestWithdrawal, {},
            [("dossier.withdrawal_requested", {})], id="asked again",
        ),
        pytest.param(
            PROCESSING, DeclineWithdrawal, {}, TransitionRefused, id="nothing to decline"
        ),
        pytest.param(
            LIVES["supplement"], StopDossier, {},
            [("dossier.stopped", {"on_time": True, "status": "stopped"})], id="stopped",
        ),
        pytest.param(
            PROCESSING, StopDossier, {"agency": OTHER}, NotYourDossier, id="not yours to stop"
        ),
        # Results.
        pytest.param(
            PROCESSING, CompleteDossier, {},
            [("dossier.processed", {
                "on_time": True, "results": (RESULT,), "status": "processed",
                "outcome": "granted"})],
            id="done in time",
        ),
        pytest.param(
            PROCESSED, CompleteDossier, {"unit": "specialist"}, [], id="done already"
        ),
        pytest.param(
            PROCESSED, CompleteDossier, {"outcome": "declined"}, TransitionRefused,
            id="done otherwise",
        ),
        pytest.param(
            [*PROCESSING, RequestSupplement, ReceiveSupplement, RequestSupplement,
             (ReceiveSupplement, {"components": (REUSED, FORM, HandedIn(
                 code="KQ000003", kind="electronic", file=FILE)),
                 "held": (HELD,), "consents": ("paper-1",)})],
            CompleteDossier, {}, [("dossier.processed", {"on_time": False})],
            id="a second supplement is late whatever the date",
        ),
        pytest.param(
            PROCESSING, CompleteDossier, {"at": LATE},
            [("dossier.overdue", {
                "due_at": hanoi("2026-06-08T10:00:00"), "step": EXAMINE, "by": "",
                "status": "processing"}),
             ("dossier.processed", {"on_time": False, "worked_s": 0})],
            id="done late, and said so though no schedule ran",
        ),
        pytest.param(
            PROCESSED, ReturnResult, {"means": "post", "reference": "demo"},
            [("dossier.result_returned", {"means": "post", "status": "returned"})],
            id="posted to the applicant",
        ),
        pytest.param(
            LIVES["returned"], ReturnResult, {"means": "post"}, TransitionRefused,
            id="handed over and then posted",
        ),
        pytest.param(
            PROCESSED, ReturnResult, {"agency": OTHER}, NotYourDossier, id="another's result"
        ),
        pytest.param(
            LIVES["returned"], WithdrawResult, {},
            [("dossier.result_withdrawn", {"status": "correcting"})], id="a wrong result",
        ),
        pytest.param(PROCESSING, WithdrawResult, {}, TransitionRefused, id="no result yet"),
        pytest.param(
            LIVES["correcting"], CorrectResult, {},
            [("dossier.result_corrected", {"results": (FIXED,), "status": "processed"})],
            id="corrected",
        ),
        pytest.param(
            [*LIVES["correcting"], CorrectResult], CorrectResult, {}, [], id="corrected already"
        ),
        pytest.param(PROCESSED, CorrectResult, {}, TransitionRefused, id="nothing to correct"),
        # What the schedule sees.
        pytest.param(
            PROCESSING, NoteDueSoon, {},
            [("dossier.due_soon", {"due_at": hanoi("2026-06-08T10:00:00")})], id="due soon",
        ),
        pytest.param(
            PROCESSING, NoteDueSoon, {"at": hanoi("2026-06-04T11:59:59")}, [], id="not so soon"
        ),
        pytest.param(
            PROCESSING, NoteDueSoon, {"due_at": MONDAY}, [], id="of an appointment that was moved"
        ),
        pytest.param([*PROCESSING, NoteDueSoon], NoteDueSoon, {}, [], id="warned once"),
        pytest.param(PROCESSING, NoteDueSoon, {"at": LATE}, [], id="no warning after the fact"),
        pytest.param(
            PROCESSING, NoteApologyDrafted, {}, [("dossier.apology_drafted", {})], id="drafted"
        ),
        pytest.param(
            [*PROCESSING, NoteApologyDrafted], NoteApologyDrafted, {}, [], id="drafted once"
        ),
        pytest.param(
            PROCESSING, NoteApologyDrafted, {"at": LATE},
            [("dossier.overdue", {}), ("dossier.apology_drafted", {})],
            id="drafted though the schedule was off",
        ),
        pytest.param(
            PROCESSING, NoteOverdue, {}, [("dossier.overdue", {"step": EXAMINE})], id="overdue"
        ),
        pytest.param(
            PROCESSING, NoteOverdue, {"at": hanoi("2026-06-08T10:00:00")}, [],
            id="in time at the last second",
        ),
        pytest.param([*PROCESSING, NoteOverdue], NoteOverdue, {}, [], id="overdue once"),
        pytest.param(
            LIVES["supplement"], NoteOverdue, {"at": LATE}, [],
            id="not overdue while the applicant is asked for more",
        ),
        # Sync.
        pytest.param(
            PROCESSING, NoteSync, {}, [("dossier.sync_noted", {"portal": 4})], id="synced"
        ),
        pytest.param([*PROCESSING, NoteSync], NoteSync, {"state_at": MONDAY}, [], id="known"),
        pytest.param(
            [*PROCESSING, (NoteSync, {"state_at": MONDAY})], NoteSync, {"state_at": MONDAY}, [],
            id="synced once",
        ),
        pytest.param(
            [*PROCESSING, (NoteSync, {"state_at": MONDAY, "portal": 2})], NoteSync,
            {"state_at": MONDAY}, [("dossier.sync_noted", {"portal": 4})],
            id="another state of the same second",
        ),
        pytest.param((), NoteSync, {}, DossierUnknown, id="nothing to sync"),
    ],
)  # fmt: skip
def test_dossier(life, when, changes, then):
    _, state = live(*life)
    wish = ask(when, state, **changes)
    if isinstance(then, type):
        with pytest.raises(Refused) as refusal:
            dossier.decide(wish, state)
        assert type(refusal.value) is then
        return
    events = dossier.decide(wish, state)
    assert [event.type for event in events] == [type_ for type_, _ in then]
    for event, (_, fields) in zip(events, then, strict=True):
        assert {name: getattr(event, name) for name in fields} == fields
        assert event.dossier == ID
    assert dossier.decide(wish, dossier.fold(events, state)) == []


def due(*life):
    return live(*life)[1].clock.due_at


def test_the_appointment_is_the_statutory_time_later():
    # Accepted on Monday at ten; five working days.
    assert due(*ACCEPTED) == hanoi("2026-06-08T10:00:00")
    # Over the holidays of the second of September 2026, and a day off of this year's decree.
    late_august = {"at": hanoi("2026-08-28T09:00:00")}
    assert due((SubmitDossier, late_august), AcceptDossier) == hanoi("2026-09-09T10:00:00")
    decreed = Calendar(days_off={hanoi("2026-09-03T09:00:00").date(): "demo decree"})
    with_decree = (AcceptDossier, {"calendar": decreed})
    assert due((SubmitDossier, late_august), with_decree) == hanoi("2026-09-10T10:00:00")


@pytest.mark.parametrize(
    ("version", "at", "due_at"),
    [
        (SAME_DAY, "2026-06-01T14:59:59", "2026-06-02T14:59:59"),
        (SAME_DAY, "2026-06-01T15:00:00", "2026-06-02T17:00:00"),
        (SAME_DAY, "2026-06-05T16:00:00", "2026-06-08T17:00:00"),
        (Version(number=1, terms=TERMS), "2026-06-01T15:00:00", "2026-06-08T15:00:00"),
    ],
)
def test_a_late_hour_counts_from_the_next_working_day_where_the_answer_is_due_at_once(
    version, at, due_at
):
    life = ((SubmitDossier, {"version": version}), (AcceptDossier, {"at": hanoi(at)}))
    assert due(*life) == hanoi(due_at)


def test_a_clock_that_has_not_begun_is_neither_stopped_nor_hurried():
    evening = hanoi("2026-06-01T16:00:00")
    taken_in = ((SubmitDossier, {"version": SAME_DAY}), (AcceptDossier, {"at": evening}))
    before = due(*taken_in)
    hurry = (ForwardStep, {"at": hanoi("2026-06-01T16:10:00")})
    pause = (PauseDossier, {"at": hanoi("2026-06-01T16:20:00")})
    resume = (ResumeDossier, {"at": hanoi("2026-06-01T16:30:00")})
    _, state = live(*taken_in, hurry, pause, resume)
    assert state.clock.due_at == before == hanoi("2026-06-02T17:00:00")
    assert state.clock.used_s == 0
    assert state.clock.runs_from == hanoi("2026-06-02T08:00:00")


def test_the_first_supplement_is_never_overdue_however_long_it_takes():
    _, state = live(*LIVES["supplement"], (ReceiveSupplement, {"at": LATE}), CompleteDossier)
    assert not state.overdue
    assert not state.counted_late
    events, _ = live(*LIVES["supplement"], (ReceiveSupplement, {"at": LATE}), CompleteDossier)
    assert events[-1].on_time


def test_the_due_date_is_computed_anew_when_the_clock_runs_on():
    # One hour had run when the applicant was asked; they answered nine days and an hour later.
    _, asked = live(*LIVES["supplement"])
    assert asked.clock.runs_from is None
    assert asked.clock.used_s == 7_200
    _, state = live((ReceiveSupplement, {"at": hanoi("2026-06-15T13:00:00")}), state=asked)
    assert state.clock.due_at == hanoi("2026-06-22T10:00:00")


def test_a_missed_appointment_stays_missed():
    overdue = (PauseDossier, {"at": LATE})
    _, state = live(*PROCESSING, overdue, (ResumeDossier, {"at": LATE + DAY}))
    assert state.overdue
    assert state.clock.due_at == hanoi("2026-06-08T10:00:00")
    events, _ = live(CompleteDossier, state=state)
    assert [event.type for event in events] == ["dossier.processed"]
    assert not events[0].on_time


def test_each_step_has_its_share_of_the_time():
    _, state = live(*ACCEPTED)
    assert state.clock.step_due_at == hanoi("2026-06-02T10:00:00")  # 20 % of five days.
    _, state = live(ForwardStep, state=state)
    assert state.clock.step_due_at == hanoi("2026-06-04T11:00:00")  # 60 %.
    _, state = live((ExtendDeadline, {"hours": 8}), state=state)
    assert state.clock.step_due_at == hanoi("2026-06-05T11:00:00")
    assert state.clock.due_at == hanoi("2026-06-09T10:00:00")
    _, state = live(*FREELY, (ForwardStep, {"step": "", "to": "x"}), ExtendDeadline)
    assert state.clock.step_due_at is None


def test_the_working_time_between_events_adds_up():
    life = (*LIVES["supplement"], (ReceiveSupplement, {"at": LATE}), CompleteDossier)
    events, _ = live(*life)
    whole = Calendar().between(events[0].at, events[-1].at)
    assert sum(event.worked_s for event in events) == whole.total_seconds()


def test_moments_are_whole_seconds_and_never_go_back():
    _, state = live(*ACCEPTED)
    early = MONDAY - DAY + timedelta(microseconds=5)
    (event,) = dossier.decide(ask(StartProcessing, state, at=early), state)
    assert event.at == state.last_at
    (event,) = dossier.decide(ask(SubmitDossier, at=MONDAY + timedelta(microseconds=7)), live()[1])
    assert event.at == MONDAY


def test_what_stands_beside_the_status():
    def beside(*life):
        _, state = live(*life)
        return state.financial, state.delivery, state.sync

    assert beside() == ("none", "none", "none")
    assert beside(*LIVES["payment"]) == ("due", "none", "behind")
    assert beside(*LIVES["payment"], FulfilObligation, NoteSync) == ("settled", "none", "current")
    at_once = (SubmitDossier, (NoteSync, {"state_at": MONDAY}), (AcceptDossier, {"at": MONDAY}))
    assert beside(*at_once) == ("none", "none", "behind")
    # In one second, and in one state of the portal's: the appointment tells them apart.
    _, forwarded = live(*PROCESSING)
    first = {"state_at": forwarded.last_at, "due_at": forwarded.clock.due_at}
    longer = (*PROCESSING, (ExtendDeadline, {"at": forwarded.last_at}))
    _, extended = live(*longer)
    second = first | {"due_at": extended.clock.due_at}
    assert beside(*longer, (NoteSync, first)) == ("none", "none", "behind")
    both = (*longer, (NoteSync, first), (NoteSync, second))
    assert beside(*both) == ("none", "none", "current")
    assert beside(*PROCESSED) == ("none", "waiting", "behind")
    assert beside(*PROCESSED, (ReturnResult, {"means": "post"})) == ("none", "post", "behind")
    assert beside(*LIVES["returned"], WithdrawResult) == ("none", "none", "behind")


def test_an_obligation_is_a_sum_that_can_be_paid():
    most = LINE.model_copy(update={"amount": MAX_DONG})
    assert ask(RaiseObligation, lines=(most,)).lines == (most,)
    with pytest.raises(ValueError, match="at most"):
        ask(RaiseObligation, lines=(most, LINE))


def test_what_is_about_the_applicant_is_personal():
    events, _ = live(*LIVES["supplement"])
    submitted, asked = events[0], events[-1]
    for value in (submitted.applicant, submitted.contact, submitted.answers, asked.reason):
        assert value.subject == SUBJECT
        with pytest.raises(ValueError, match="sealed"):
            value.model_dump()
    assert "Người" not in repr(submitted)
    assert "Người" not in repr(ask(SubmitDossier))
    assert "demo@example.org" not in repr(ask(SubmitDossier))


def test_a_wish_by_the_wrong_actor_changes_nothing_in_any_state():
    stranger = {"agency": OTHER, "unit": ""}
    for status, life in LIVES.items():
        _, state = live(*life)
        for kind in COMMANDS:
            fields = kind.model_fields
            if "agency" not in fields or kind in {SubmitDossier, AdoptState}:
                continue
            wish = ask(kind, state, **stranger, **({"subject": ""} if "subject" in fields else {}))
            if kind is FulfilObligation:
                wish = wish.model_copy(update={"means": "desk"})
            with suppress(Refused):
                assert dossier.decide(wish, state) == [], (status, kind)


MINUTES = st.integers(0, 60 * 24) | st.integers(0, 60 * 24 * 10)
ENDS = {AdoptState, RefuseDossier, ApproveWithdrawal, StopDossier, CompleteDossier}


class DossierLife(RuleBasedStateMachine):
    """Whatever the order of wishes, the dossier stays lawful and its clock is just."""

    def __init__(self):
        super().__init__()
        self.state, self.at = dossier.initial, MONDAY
        self.stretches = timedelta()
        self.calendar = Calendar()

    @rule(kind=st.sampled_from([k for k in COMMANDS if k is not AdoptState]), minutes=MINUTES)
    def obey(self, kind, minutes):
        self.at += timedelta(minutes=minutes)
        before = self.state
        wish = ask(kind, before, at=self.at)
        with suppress(Refused):
            told = dossier.decide(wish, before)
            for event in told:
                self.state = dossier.fold([event], self.state)
                assert event.status == self.state.status
            assert dossier.decide(wish, self.state) == []
            if told:
                self.watch(before, told)

    @rule(data=st.data(), minutes=MINUTES)
    def go_on(self, data, minutes):
        """What the table grants and what ends nothing: lives get long."""
        status = self.state.status
        kinds = [k for k in COMMANDS if status in TABLE[k].granted and k not in ENDS]
        if kinds:
            self.obey(data.draw(st.sampled_from(kinds)), minutes)

    def watch(self, before, told):
        clock, was = self.state.clock, before.clock
        if was is None or clock is None:
            return
        if was.runs_from is not None and (clock.runs_from != was.runs_from):
            end = told[-1].at
            self.stretches += max(timedelta(), self.calendar.between(was.runs_from, end))
        # Standing still, or anything else, never brings the appointment forward.
        assert clock.due_at >= was.due_at
        assert clock.used_s >= was.used_s
        assert self.state.overdue >= before.overdue

    @invariant()
    def what_has_run_is_the_sum_of_its_stretches(self):
        clock = self.state.clock
        if clock:
            assert timedelta(seconds=clock.used_s) == self.stretches

    @invariant()
    def the_appointment_is_what_is_left(self):
        clock = self.state.clock
        if clock and clock.runs_from and clock.used_s < clock.allowed_s:
            left = self.calendar.between(clock.runs_from, clock.due_at)
            assert left == timedelta(seconds=clock.allowed_s - clock.used_s)

    @invariant()
    def the_clock_runs_when_nothing_holds_it(self):
        state = self.state
        if state.clock:
            under_way = state.stage in {"accepted", "processing"}
            assert (state.clock.runs_from is not None) == (under_way and not state.stands_still)


TestDossierLife = DossierLife.TestCase
TestDossierLife.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.mark.parametrize("pauses", [[], [(1, 2)], [(1, 30), (2, 90)], [(7, 3), (1, 1), (40, 500)]])
def test_any_sequence_of_pauses_is_the_sum_of_running_time(pauses):
    calendar = Calendar()
    _, state = live(*PROCESSING)
    started, at, ran = state.clock.runs_from, state.last_at, timedelta(hours=1)
    for runs_h, pauses_h in pauses:
        pause = at + timedelta(hours=runs_h)
        ran += calendar.between(started, pause)
        at = started = pause + timedelta(hours=pauses_h)
        _, state = live((PauseDossier, {"at": pause}), (ResumeDossier, {"at": at}), state=state)
    ran_in_all = timedelta(seconds=state.clock.used_s)
    assert ran_in_all == ran if pauses else ran_in_all == timedelta(hours=1)


@given(
    st.integers(1, 12),
    st.integers(0, 60 * 24 * 21),
    st.lists(st.tuples(st.integers(0, 60 * 50), st.integers(0, 60 * 50)), max_size=4),
)
def test_a_draft_is_always_early_enough_to_be_sent(days, begins, stretches):
    calendar, limits, at = Calendar(), Limits(), MONDAY + timedelta(minutes=begins)
    allowed_s = clocks.seconds(WorkingLimit(amount=days, unit="days"), calendar)
    clock = clocks.set_off(calendar, limits, at, allowed_s, 0)
    for runs, rests in [(0, 0), *stretches]:
        clock = clocks.stop(clock, calendar, at := at + timedelta(minutes=runs))
        clock = clocks.run(clock, calendar, limits, at := at + timedelta(minutes=rests))
        last = clocks.last_day_for_apology(clock.due_at, limits)
        # A draft at the appointment is none: nothing could be sent from the beginning on.
        none = clock.draft_at == clock.due_at
        assert clock.runs_from > last if none else clock.draft_at <= last


@pytest.mark.parametrize("status", LIVES)
def test_a_life_that_was_stored_is_lived_on(status):
    events, lived = live(*LIVES[status])
    stored = to_json(events, context={"seal": lambda *_: "REVNTw", "where": "demo@1"})
    read = dossier.codec.validate_json(stored)
    state = dossier.fold(read)
    assert state == lived
    for kind in COMMANDS:
        wish = ask(kind, lived)
        with suppress(Refused):
            assert len(dossier.decide(wish, state)) == len(dossier.decide(wish, lived))
