"""A dossier: from its filing to its result, under the statutory clock.

What may be asked where stands in `transitions.TABLE`; here stands what follows. Financial status,
delivery of the result and sync with the portal are kept apart from the status.
"""

from datetime import datetime, timedelta
from typing import Any

from chalicelib.contexts.dossiers.domain import clock as clocks
from chalicelib.contexts.dossiers.domain.acts import act, now, said
from chalicelib.contexts.dossiers.domain.adoption import adopt
from chalicelib.contexts.dossiers.domain.commands import (
    HOUR_S,
    AcceptDossier,
    AdoptState,
    AnyDossierCommand,
    ApplicantCommand,
    ApproveWithdrawal,
    CloseConsultation,
    CompleteDossier,
    ConsultAgencies,
    CorrectResult,
    DeclineWithdrawal,
    DossierCommand,
    ExtendDeadline,
    FiledCommand,
    ForwardStep,
    FulfilObligation,
    Held,
    NoteApologyDrafted,
    NoteConsultationAnswer,
    NoteDueSoon,
    NoteOverdue,
    NoteSync,
    OfficerCommand,
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
    WithdrawResult,
)
from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    Clock,
    ComponentRule,
    DossierAccepted,
    DossierApologyDrafted,
    DossierComponentReused,
    DossierConsultationAnswered,
    DossierConsultationClosed,
    DossierConsultationRequested,
    DossierDeadlineExtended,
    DossierDueSoon,
    DossierNotAccepted,
    DossierObligationFulfilled,
    DossierObligationRaised,
    DossierOverdue,
    DossierPaused,
    DossierProcessed,
    DossierProcessingStarted,
    DossierResultCorrected,
    DossierResultReturned,
    DossierResultWithdrawn,
    DossierResumed,
    DossierStepForwarded,
    DossierStepReassigned,
    DossierStepReturned,
    DossierStopped,
    DossierSubmitted,
    DossierSupplementReceived,
    DossierSupplementRequested,
    DossierSyncNoted,
    DossierWithdrawalApproved,
    DossierWithdrawalDeclined,
    DossierWithdrawalRequested,
    HandedIn,
    Step,
    StepRule,
    Terms,
)
from chalicelib.contexts.dossiers.domain.procedure import (
    WHOLE,
    ProcedureUnknown,
    ProcedureWasRepealed,
)
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
    KeptElsewhere,
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
from chalicelib.contexts.dossiers.domain.state import UNDER_WAY, Dossier, SupplementWanted, evolve
from chalicelib.contexts.dossiers.domain.transitions import outcome
from chalicelib.kernel import Decider
from chalicelib.privacy.personal import Personal

Move = ForwardStep | ReturnStep
_AT_THE_STEP = (
    RequestSupplement,
    StartProcessing,
    ForwardStep,
    ReturnStep,
    ConsultAgencies,
    CloseConsultation,
    RaiseObligation,
    PauseDossier,
    ResumeDossier,
    CompleteDossier,
)
"""What the unit does that has the present step; before there is one, the holding agency's desk."""
_OBSERVED = (NoteConsultationAnswer, NoteDueSoon, NoteApologyDrafted, NoteOverdue)
"""What merely follows from something else; where it means nothing, nothing happens."""


def decide(command: AnyDossierCommand, state: Dossier) -> list[AnyDossierEvent]:
    """The events `command` causes; none if it has already had its effect.

    An appointment that passed while the clock ran is said first, whoever comes next: it does not
    depend on the schedule that watches for it.

    Raises:
        DossierUnknown, NotYourDossier, NotYourStep, KeptElsewhere: the caller may not.
        TransitionRefused, WithdrawalTooLate: the table of transitions does not allow it.
        ProcedureUnknown, ProcedureWasRepealed, ProcedureNotOffered, ApplicantKindWrong,
        ChannelWrong, ComponentUnknown, ComponentMissing, ComponentKindWrong, ComponentNotReusable,
        DossierAlreadyFiled: it is not filed, or not handed in.
        IntakeFeeUnpaid: it is not accepted.
        SupplementDeadlinePast: nothing is asked for. SupplementTooLate: nothing is handed in.
        StepUnknown, StepOutOfOrder, StepPassed: it does not move.
        ConsultationUnknown, ObligationUnknown, ObligationEmpty: there is nothing to close or pay.
        DeadlineAlreadyExtended, ApologyTooLate: the appointment stands.
        KeptHere, SyncImpossible, SyncFromTheFuture: the synced state is not adopted.
    """
    events = _answer(command, state)
    known = state.overdue or any(isinstance(event, DossierOverdue) for event in events)
    if events and not known and clocks.missed(state.clock, now(command, state)):
        events = [_overdue(command, state), *events]
    told: list[AnyDossierEvent] = []
    for event in events:
        after = evolve(state, event)
        # The first of them accounts for the time since what happened before.
        worked = {"worked_s": 0} if told else {}
        stood = {"before": state.status, "status": after.status}
        told.append(event.model_copy(update={**stood, **worked}))
        state = after
    return told


def _answer(command: AnyDossierCommand, state: Dossier) -> list[AnyDossierEvent]:
    match command:
        case SubmitDossier():
            return _filing(command, state)
        case AdoptState():
            return adopt(command, state)
        case _ if isinstance(command, _OBSERVED) and (state.elsewhere or state.stage == "absent"):
            return []
        case _ if state.stage == "absent" and not state.elsewhere:
            raise DossierUnknown(field="dossier")
        case NoteSync() if state.elsewhere:
            return []
        case _ if state.elsewhere:
            raise KeptElsewhere
    repeats = _repeats(command, state)
    _authorise(command, state, repeats=repeats)
    if repeats:
        return []
    # Money and opinions that are still awaited are taken in whatever has happened meanwhile.
    if not isinstance(command, FulfilObligation | NoteConsultationAnswer):
        _refuse_by_table(command, state)
    return _granted(command, state)


def _granted(command: FiledCommand, state: Dossier) -> list[AnyDossierEvent]:  # noqa: PLR0911, PLR0912, C901 -- one row for each command.
    match command:
        case AcceptDossier():
            return [_acceptance(command, state)]
        case RefuseDossier():
            return [act(DossierNotAccepted, command, state, reason=_about(command, state))]
        case RequestSupplement():
            return [_supplement_request(command, state)]
        case ReceiveSupplement():
            return _supplement(command, state)
        case StartProcessing():
            return [act(DossierProcessingStarted, command, state)]
        case ForwardStep() | ReturnStep():
            return [_move(command, state)]
        case ReassignStep():
            now = state.step
            return [
                act(DossierStepReassigned, command, state, from_step=now, step=_given(command, now))
            ]
        case ConsultAgencies():
            asked = tuple(dict.fromkeys(command.asked))
            return [
                act(
                    DossierConsultationRequested,
                    command,
                    state,
                    document=command.document,
                    number=len(state.consultations) + 1,
                    asked=asked,
                    question=command.question,
                    reference=command.reference,
                    names=command.names,
                )
            ]
        case NoteConsultationAnswer():
            return [act(DossierConsultationAnswered, command, state, **said(command))]
        case CloseConsultation():
            return [_closing(command, state)]
        case RaiseObligation():
            return [_obligation(command, state)]
        case FulfilObligation():
            return [_fulfilment(command, state)]
        case PauseDossier():
            reason, clock = _about(command, state), _stopped(command, state)
            return [act(DossierPaused, command, state, reason=reason, clock=clock)]
        case ResumeDossier():
            clock = _run_on(command, state, paused=False)
            return [act(DossierResumed, command, state, clock=clock)]
        case ExtendDeadline():
            return [_extension(command, state)]
        case RequestWithdrawal():
            reason = _about(command, state)
            return [act(DossierWithdrawalRequested, command, state, reason=reason)]
        case ApproveWithdrawal():
            end = {"owed": state.owed, **_end(command, state)}
            return [act(DossierWithdrawalApproved, command, state, **end)]
        case DeclineWithdrawal():
            reason = _about(command, state)
            return [act(DossierWithdrawalDeclined, command, state, reason=reason)]
        case StopDossier():
            reason = _about(command, state)
            end = {"reason": reason, "owed": state.owed, **_end(command, state)}
            return [act(DossierStopped, command, state, **end)]
        case CompleteDossier():
            what = {"outcome": command.outcome, "results": command.results}
            return [act(DossierProcessed, command, state, **what, **_end(command, state))]
        case ReturnResult():
            how = {"means": command.means, "reference": command.reference}
            return [act(DossierResultReturned, command, state, **how)]
        case WithdrawResult():
            return [act(DossierResultWithdrawn, command, state, reason=_about(command, state))]
        case CorrectResult():
            return [act(DossierResultCorrected, command, state, results=command.results)]
        case NoteDueSoon():
            return [act(DossierDueSoon, command, state, due_at=command.due_at)]
        case NoteApologyDrafted():
            return [act(DossierApologyDrafted, command, state, due_at=command.due_at)]
        case NoteOverdue():
            return [_overdue(command, state)]
        case NoteSync():
            return [act(DossierSyncNoted, command, state, **said(command))]


# --- Who may, and what has happened already -------------------------------------------------------


def _authorise(command: DossierCommand, state: Dossier, *, repeats: bool) -> None:
    if isinstance(command, ApplicantCommand) and not command.agency:
        if command.subject != state.subject:
            raise DossierUnknown(field="dossier")
    elif isinstance(command, _AT_THE_STEP):
        desk = Step(agency=state.agency)
        if not _has(command, state.step or desk) and not (
            # Whoever passed it on asks again: their wish has come true.
            repeats and state.came_from and _has(command, state.came_from)
        ):
            raise NotYourStep(field="dossier")
    elif isinstance(command, ReassignStep):
        if command.agency not in {state.agency, state.step.agency if state.step else ""}:
            raise NotYourDossier(field="dossier")
    elif isinstance(command, OfficerCommand | ApplicantCommand | FulfilObligation):
        # What was paid online comes from the payments themselves, and names no agency.
        by_payment = isinstance(command, FulfilObligation) and command.means == "online"
        if command.agency != state.agency and not by_payment:
            raise NotYourDossier(field="dossier")


def _has(command: OfficerCommand, step: Step) -> bool:
    units = {command.unit, step.unit} - {""}
    return command.agency == step.agency and len(units) <= 1


def _refuse_by_table(command: DossierCommand, state: Dossier) -> None:
    if outcome(type(command), state.status) == "granted":
        return
    if isinstance(command, RequestWithdrawal) and state.processed_at:
        raise WithdrawalTooLate
    if isinstance(command, CloseConsultation) and command.document not in state.consultations:
        raise ConsultationUnknown(field="document")
    wish = "".join(f" {c.lower()}" if c.isupper() else c for c in type(command).__name__)
    raise TransitionRefused(f"not possible while the dossier is {state.status}:{wish}")


def _repeats(command: FiledCommand, state: Dossier) -> bool:  # noqa: PLR0911, PLR0912, C901 -- one row for each command.
    """Whether the wish has come true, or means nothing any more."""
    match command:
        case AcceptDossier():
            return state.stage in {*UNDER_WAY, "processed", "returned", "correcting"}
        case RefuseDossier():
            return state.stage == "not_accepted"
        case RequestSupplement():
            return state.asked == SupplementWanted(
                components=command.components, until=command.until
            )
        case ReceiveSupplement():
            return state.asked is None and state.received == command.components
        case StartProcessing():
            return state.stage == "processing"
        case ForwardStep() | ReturnStep():
            at, before = state.step, state.came_from
            moved = at is not None and before is not None and command.step != command.to
            return moved and (at.code, before.code) == (command.to, command.step)  # type: ignore[union-attr]
        case ReassignStep():
            return state.step == _given(command, state.step)
        case ConsultAgencies():
            return command.document in state.consultations
        case NoteConsultationAnswer():
            return command.answerer not in state.consultations.get(command.document, ())
        case CloseConsultation():
            return state.consultations.get(command.document) == ()
        case RaiseObligation():
            return command.obligation in {*state.owed, *state.settled}
        case FulfilObligation():
            return command.obligation in state.settled
        case PauseDossier():
            return state.status == "paused"
        case ResumeDossier():
            return state.status in {"processing", "consulting"}
        case ExtendDeadline():
            return state.extended_s == command.hours * HOUR_S
        case RequestWithdrawal():
            return state.withdrawal == "asked"
        case ApproveWithdrawal():
            return state.stage == "withdrawn"
        case DeclineWithdrawal():
            return state.withdrawal == "declined"
        case StopDossier():
            return state.stage == "stopped"
        case CompleteDossier():
            same = (state.outcome, state.results) == (command.outcome, command.results)
            return state.stage == "processed" and same
        case ReturnResult():
            return state.stage == "returned" and state.returned_by == command.means
        case WithdrawResult():
            return state.stage == "correcting"
        case CorrectResult():
            done = state.stage == "processed" and state.corrected
            return done and state.results == command.results
        case NoteDueSoon():
            return _no_news(command, state) or command.due_at == state.warned_for
        case NoteApologyDrafted():
            # More time is taken once: after that, an apology has nothing to offer.
            said = command.due_at == state.drafted_for or state.extended_s > 0
            return _no_news(command, state) or said
        case NoteOverdue():
            return state.overdue or not clocks.missed(state.clock, now(command, state))
        case NoteSync():
            last = state.synced
            told = (command.state_at, command.portal, command.due_at)
            return last is not None and (
                command.state_at < last.state_at
                or told == (last.state_at, last.portal, last.due_at)
            )


def _no_news(command: NoteDueSoon | NoteApologyDrafted, state: Dossier) -> bool:
    """Whether the moment to warn, or to draft, has not come or is none any more."""
    clock, at = state.clock, now(command, state)
    if clock is None or clock.runs_from is None or clock.due_at != command.due_at:
        return True
    if isinstance(command, NoteDueSoon):
        return not clock.warn_at <= at <= clock.due_at
    return at < clock.draft_at or clock.draft_at == clock.due_at


# --- Events ---------------------------------------------------------------------------------------


def _about(command: Any, state: Dossier) -> Personal[str]:
    """What was written about the applicant's case is the applicant's."""
    return Personal[str](subject=state.subject, value=command.reason)


def _filing(command: SubmitDossier, state: Dossier) -> list[AnyDossierEvent]:
    if state.stage != "absent" or state.elsewhere:
        known = (state.code, state.subject, state.procedure)
        if known == (command.code, command.subject, command.procedure):
            return []
        raise DossierAlreadyFiled(field="code")
    if command.agency and command.agency != command.receiver:
        raise NotYourDossier(field="receiver")
    if not command.agency and (command.channel != "online" or command.access == "desk"):
        raise ChannelWrong(field="channel")
    terms = _terms(command)
    if not command.offered:
        raise ProcedureNotOffered(field="procedure")
    if command.version and command.applicant_kind not in command.version.terms.applicants:
        raise ApplicantKindWrong(field="applicant_kind")
    _refuse_wrong_components(command, terms.components, command.subject)
    _refuse_missing(command.components, [c.code for c in terms.components if c.required])
    filed = Dossier(
        code=command.code,
        agency=command.receiver,
        subject=command.subject,
        procedure=command.procedure,
        channel=command.channel,
        level=terms.level,
        stage="submitted",
    )
    submitted = act(
        DossierSubmitted,
        command,
        filed,
        terms=terms,
        subject=command.subject,
        access=command.access,
        assurance=command.origin.assurance,
        applicant_kind=command.applicant_kind,
        applicant={"subject": command.subject, "value": command.applicant},
        contact={"subject": command.subject, "value": command.contact},
        answers={"subject": command.subject, "value": command.answers},
        components=command.components,
        wanted=command.wanted,
        language=command.language,
        check=command.check,
        answer_by=_answer_by(command, filed),
    )
    return [submitted, *_reuses(command, filed)]


def _terms(command: SubmitDossier) -> Terms:
    if command.version is None:
        raise ProcedureWasRepealed if command.repealed else ProcedureUnknown(field="procedure")
    terms = command.version.terms
    return Terms(
        procedure=command.procedure,
        number=command.version.number,
        limit_s=clocks.seconds(terms.limit, command.calendar),
        **{
            name: getattr(terms, name)
            for name in ("name", "field", "field_name", "level", "components", "fees", "steps")
        },
    )


def _refuse_wrong_components(
    command: SubmitDossier | ReceiveSupplement, rules: tuple[ComponentRule, ...], subject: str
) -> None:
    known = {rule.code: rule for rule in rules}
    for index, handed in enumerate(command.components):
        field = f"components/{index}"
        rule = known.get(handed.code)
        if rule is None:
            raise ComponentUnknown(f"no component {handed.code}", field=f"{field}/code")
        if handed.kind not in rule.kinds:
            raise ComponentKindWrong(f"taken as {', '.join(rule.kinds)}", field=f"{field}/kind")
        if handed.digitised:
            held = next((h for h in command.held if h.component == handed.digitised), None)
            if not _reusable(held, handed, command.consents, subject):
                raise ComponentNotReusable(field=f"{field}/digitised")
        elif handed.kind == "electronic" and handed.file is None:
            raise ComponentMissing("its file is not there", field=f"{field}/file")


def _reusable(held: Held | None, handed: HandedIn, consents: tuple[str, ...], subject: str) -> bool:
    if held is None or not held.usable:
        return False
    fits = (held.code, held.subject) == (handed.code, subject)
    return fits and held.component in consents


def _refuse_missing(handed: tuple[HandedIn, ...], needed: list[str]) -> None:
    there = {each.code for each in handed}
    if missing := [code for code in needed if code not in there]:
        raise ComponentMissing(f"missing: {', '.join(missing)}", field="components")


def _answer_by(command: DossierCommand, state: Dossier) -> datetime | None:
    """By when the desk answers, once it has all from the applicant; None if it need not any more.

    Rule: Decree 45/2020/NĐ-CP: an online filing, within 8 working hours; a supplement and a payment
    begin them anew.
    """
    if state.stage != "submitted" or state.channel != "online":
        return None
    answer_s = timedelta(seconds=command.limits.answer_s)
    return command.calendar.add(now(command, state), answer_s)


def _reuses(
    command: SubmitDossier | ReceiveSupplement, state: Dossier
) -> list[DossierComponentReused]:
    return [
        act(
            DossierComponentReused,
            command,
            state,
            component=each.code,
            digitised=each.digitised,
            subject=state.subject,
        )
        for each in command.components
        if each.digitised
    ]


def _acceptance(command: AcceptDossier, state: Dossier) -> DossierAccepted:
    assert state.terms
    due = sum(fee.amount for fee in state.terms.fees if fee.collected == "intake")
    if due and not state.settled:
        raise IntakeFeeUnpaid
    first = state.terms.steps[0] if state.terms.steps else None
    step = Step(agency=state.agency, unit=command.unit, officer=command.officer)
    if first:
        step = _step(first, command, state)
    clock = clocks.set_off(
        command.calendar,
        command.limits,
        now(command, state),
        state.terms.limit_s,
        _share(first, state.terms.limit_s),
    )
    receipt = command.receipt or state.code
    return act(DossierAccepted, command, state, receipt=receipt, step=step, clock=clock)


def _step(rule: StepRule, command: AcceptDossier | Move, state: Dossier) -> Step:
    agency, unit = rule.agency or state.agency, rule.unit
    if isinstance(command, Move):
        agency, unit = command.to_agency or agency, command.to_unit or unit
    return Step(code=rule.code, name=rule.name, agency=agency, unit=unit, officer=command.officer)


def _share(rule: StepRule | None, allowed_s: int) -> int:
    return allowed_s * rule.share // WHOLE if rule else 0


def _supplement_request(command: RequestSupplement, state: Dossier) -> DossierSupplementRequested:
    assert state.terms
    known = {rule.code for rule in state.terms.components}
    if strange := next((code for code in command.components if code not in known), None):
        raise ComponentUnknown(f"no component {strange}", field="components")
    if command.until and command.until <= now(command, state):
        raise SupplementDeadlinePast(field="until")
    number = state.supplements + 1
    return act(
        DossierSupplementRequested,
        command,
        state,
        number=number,
        components=command.components,
        reason=_about(command, state),
        until=command.until,
        counted_late=number > command.limits.free_supplements,
        clock=_stopped(command, state),
    )


def _supplement(command: ReceiveSupplement, state: Dossier) -> list[AnyDossierEvent]:
    assert state.asked
    assert state.terms
    at = now(command, state)
    if state.asked.until and at > state.asked.until:
        raise SupplementTooLate
    _refuse_wrong_components(command, state.terms.components, state.subject)
    _refuse_missing(command.components, list(state.asked.components))
    answers = command.answers and {"subject": state.subject, "value": command.answers}
    received = act(
        DossierSupplementReceived,
        command,
        state,
        components=command.components,
        answers=answers,
        clock=_run_on(command, state, asked=None),
        answer_by=_answer_by(command, state),
    )
    return [received, *_reuses(command, state)]


def _move(command: Move, state: Dossier) -> DossierStepForwarded | DossierStepReturned:
    assert state.step
    assert state.terms
    assert state.clock
    if command.step != state.step.code:
        raise StepPassed(f"it is at the step {state.step.code}", field="step")
    codes = [rule.code for rule in state.terms.steps]
    if codes:
        if command.to not in codes:
            raise StepUnknown(field="to")
        later = codes.index(command.to) > codes.index(command.step)
        if command.to == command.step or later is isinstance(command, ReturnStep):
            raise StepOutOfOrder(field="to")
        rule = state.terms.steps[codes.index(command.to)]
    else:
        # Without steps of its own the work goes as its officers say.
        unit = command.to_unit or state.step.unit or "desk"
        rule = StepRule(code=command.to, name=command.to, unit=unit, share=0)
    moved = {
        "from_step": state.step,
        "step": _step(rule, command, state),
        "clock": clocks.turn(
            state.clock,
            command.calendar,
            command.limits,
            now(command, state),
            _share(rule, state.clock.allowed_s),
        ),
    }
    if isinstance(command, ReturnStep):
        reason = _about(command, state)
        return act(DossierStepReturned, command, state, reason=reason, **moved)
    return act(DossierStepForwarded, command, state, **moved)


def _given(command: ReassignStep, step: Step | None) -> Step:
    """The present step in other hands."""
    now = step or Step(agency=command.agency)
    hands = {
        "agency": command.to_agency or now.agency,
        "unit": command.to_unit or now.unit,
        "officer": command.officer,
    }
    return now.model_copy(update=hands)


def _closing(command: CloseConsultation, state: Dossier) -> DossierConsultationClosed:
    missing = state.consultations.get(command.document)
    if missing is None:
        raise ConsultationUnknown(field="document")
    return act(
        DossierConsultationClosed, command, state, document=command.document, missing=missing
    )


def _obligation(command: RaiseObligation, state: Dossier) -> DossierObligationRaised:
    amount = sum(line.amount for line in command.lines)
    if not amount:
        raise ObligationEmpty(field="lines")
    return act(
        DossierObligationRaised,
        command,
        state,
        obligation=command.obligation,
        subject=state.subject,
        lines=command.lines,
        amount=amount,
        clock=_stopped(command, state),
    )


def _fulfilment(command: FulfilObligation, state: Dossier) -> DossierObligationFulfilled:
    if command.obligation not in state.owed:
        raise ObligationUnknown(field="obligation")
    owed = tuple(each for each in state.owed if each != command.obligation)
    return act(
        DossierObligationFulfilled,
        command,
        state,
        obligation=command.obligation,
        means=command.means,
        reference=command.reference,
        clock=_run_on(command, state, owed=owed),
        answer_by=_answer_by(command, state),
    )


def _extension(command: ExtendDeadline, state: Dossier) -> DossierDeadlineExtended:
    assert state.clock
    at = now(command, state)
    if state.extended_s:
        raise DeadlineAlreadyExtended
    if at > clocks.last_day_for_apology(state.clock.due_at, command.limits):
        raise ApologyTooLate
    more_s = command.hours * HOUR_S
    return act(
        DossierDeadlineExtended,
        command,
        state,
        reason=_about(command, state),
        more_s=more_s,
        due_before=state.clock.due_at,
        clock=clocks.lengthen(state.clock, command.calendar, command.limits, at, more_s),
    )


def _overdue(command: DossierCommand, state: Dossier) -> DossierOverdue:
    assert state.clock
    nobody = {"by": "", "by_agency": "", "by_unit": ""}
    due_at = state.clock.due_at
    return act(DossierOverdue, command, state, due_at=due_at, step=state.step, **nobody)


def _stopped(command: DossierCommand, state: Dossier) -> Clock | None:
    if state.clock is None:
        return None
    return clocks.stop(state.clock, command.calendar, now(command, state))


def _run_on(command: DossierCommand, state: Dossier, **changes: Any) -> Clock | None:
    """The clock once `changes` have come about; None if it does not run on."""
    after = state.model_copy(update=changes)
    if after.clock is None or after.stage not in UNDER_WAY or after.stands_still:
        return None
    return clocks.run(after.clock, command.calendar, command.limits, now(command, state))


def _end(command: DossierCommand, state: Dossier) -> dict[str, Any]:
    """The clock stopped for good, and whether that is in time; None if none ever ran.

    Rule: on time if NgayKetThucXuLy is not after NgayHenTra; Decision 766/QĐ-TTg of 2022: not after
    a second request for more.
    """
    if state.clock is None:
        return {"clock": None, "on_time": None}
    late = state.overdue or clocks.missed(state.clock, now(command, state)) or state.counted_late
    return {"clock": _stopped(command, state), "on_time": not late}


dossier = Decider("dossier", AnyDossierEvent, Dossier(), decide, evolve)
