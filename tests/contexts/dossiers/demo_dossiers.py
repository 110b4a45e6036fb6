"""Demo data, made up here: one procedure, its agencies (letter Z, which nobody has), a calendar."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count

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
    ReturnResult,
    ReturnStep,
    StopDossier,
    SubmitDossier,
    Version,
    WithdrawResult,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import (
    Applicant,
    ComponentRule,
    Contact,
    Due,
    Fee,
    FileRef,
    HandedIn,
    ProcedureTerms,
    Result,
    StepRule,
    WorkingLimit,
)
from chalicelib.kernel import Origin
from chalicelib.working_time import HANOI

CODE = "1.000001"
DESK, OTHER = "Z01", "Z02"
ID, DOSSIER_CODE, SUBJECT = "demo", "Z01-260601-0001", "person-demo"

TERMS = ProcedureTerms(
    name="Thủ tục thử nghiệm",
    field="DEMO",
    field_name="Lĩnh vực thử nghiệm",
    level="full",
    old_level=4,
    limit=WorkingLimit(amount=5, unit="days"),
    components=(
        ComponentRule(code="KQ000001", name="Đơn thử nghiệm", kinds=("electronic", "original")),
        ComponentRule(code="KQ000002", name="Bản sao thử nghiệm", kinds=("copy", "electronic")),
        ComponentRule(code="KQ000003", name="Nếu có", kinds=("electronic",), required=False),
    ),
    steps=(
        StepRule(code="receive", name="Tiếp nhận", unit="desk", share=20),
        StepRule(code="examine", name="Thẩm định", unit="specialist", share=60),
        StepRule(code="sign", name="Ký duyệt", unit="head", share=20),
    ),
    results=("Giấy thử nghiệm",),
    life_events=("demo",),
    decision="01/QĐ-DEMO",
    effective_on=date(2026, 1, 1),
)
FEE = Fee(code="PHI01", name="Phí thử nghiệm", kind="fee", amount=50_000)


def hanoi(text):
    """A moment of Hanoi's clock, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=HANOI).astimezone(UTC)


# A Monday of a week without holidays.
MONDAY = hanoi("2026-06-01T09:00:00")
DAY = timedelta(days=1)


def origin(at=MONDAY, actor="officer:demo-1", key="demo"):
    return Origin(command_id=key, digest="demo", actor=actor, method="jwt", assurance=2, at=at)


FILE = FileRef(media_type="application/pdf", size=3, sha256="00" * 32)
FORM = HandedIn(code="KQ000001", kind="electronic", file=FILE)
COPY = HandedIn(code="KQ000002", kind="copy")
RESULT = Result(code="KQ.Z01.000001", name="Giấy thử nghiệm", file=FILE)
FIXED = Result(code="KQ.Z01.000002", name="Giấy thử nghiệm đã sửa", file=FILE)
LINE = Due(code="PHI01", name="Phí thử nghiệm", kind="fee", amount=50_000)

FIELDS = {
    SubmitDossier: {
        "subject": SUBJECT,
        "code": DOSSIER_CODE,
        "receiver": DESK,
        "procedure": CODE,
        "version": Version(number=1, terms=TERMS),
        "offered": True,
        "channel": "online",
        "access": "browser",
        "applicant_kind": "citizen",
        "applicant": Applicant(name="Người thử nghiệm"),
        "contact": Contact(email="demo@example.org"),
        "components": (FORM, COPY),
    },
    RefuseDossier: {"reason": "demo"},
    RequestSupplement: {"components": ("KQ000003",), "reason": "demo"},
    ReceiveSupplement: {
        "subject": SUBJECT,
        "components": (HandedIn(code="KQ000003", kind="electronic", file=FILE),),
    },
    ConsultAgencies: {"document": "doc-1", "asked": (OTHER,)},
    NoteConsultationAnswer: {"document": "doc-1", "answerer": OTHER, "answer": "doc-2"},
    CloseConsultation: {"document": "doc-1"},
    ReassignStep: {"officer": "demo-2"},
    RaiseObligation: {"obligation": "nvtc-1", "lines": (LINE,)},
    FulfilObligation: {"obligation": "nvtc-1", "means": "online"},
    PauseDossier: {"reason": "demo"},
    ExtendDeadline: {"hours": 16, "reason": "demo"},
    RequestWithdrawal: {"subject": SUBJECT, "reason": "demo"},
    DeclineWithdrawal: {"reason": "demo"},
    StopDossier: {"reason": "demo"},
    CompleteDossier: {"results": (RESULT,)},
    ReturnResult: {"means": "desk"},
    WithdrawResult: {"reason": "demo"},
    CorrectResult: {"results": (FIXED,)},
    ReturnStep: {"reason": "demo"},
    AdoptState: {
        "agency": DESK,
        "code": DOSSIER_CODE,
        "portal": 2,
        "procedure": CODE,
        "channel": "direct",
        "applicant_kind": "citizen",
    },
}
_keys = count()


def ask(kind, state=None, at=None, **changes):
    """A command of this kind that fits the state: an hour later, from where the dossier is."""
    fields = dict(FIELDS.get(kind, {}))
    state = state or dossier.initial
    clock, step = state.clock, state.step
    given, at = at, at or (state.last_at + timedelta(hours=1) if state.last_at else MONDAY)
    if issubclass(kind, OfficerCommand):
        fields |= {"agency": step.agency if step else DESK, "unit": step.unit if step else "desk"}
    if kind in {ForwardStep, ReturnStep}:
        codes = [rule.code for rule in TERMS.steps]
        here = codes.index(step.code) if step and step.code else 1
        there = here + 1 if kind is ForwardStep else here - 1
        fields |= {"step": codes[here], "to": codes[there % len(codes)]}
    if kind in {NoteDueSoon, NoteApologyDrafted, NoteOverdue}:
        due_at = clock.due_at if clock else MONDAY + DAY
        moments = {
            NoteDueSoon: clock and clock.warn_at,
            NoteApologyDrafted: clock and clock.draft_at,
            NoteOverdue: due_at + timedelta(seconds=1),
        }
        at, fields = given or max(at, moments[kind] or at), {"due_at": due_at}
    if kind is ConsultAgencies:
        fields["document"] = f"doc-{len(state.consultations) + 1}"
    if kind in {AdoptState, NoteSync}:
        fields |= {"state_at": at}
    if kind is NoteSync:
        fields |= {"portal": state.portal or 1}
    key = f"demo-{next(_keys)}"
    return kind(**{"origin": origin(at, key=key), "dossier": ID, **fields, **changes})


def live(*kinds, state=None):
    """The events and the state after these commands; a pair brings changes to one of them."""
    events, state = [], state or dossier.initial
    for each in kinds:
        kind, changes = each if isinstance(each, tuple) else (each, {})
        told = dossier.decide(ask(kind, state, **changes), state)
        assert told, kind
        events += told
        state = dossier.fold(told, state)
    return events, state


ACCEPTED = (SubmitDossier, AcceptDossier)
PROCESSING = (*ACCEPTED, ForwardStep)
PROCESSED = (*PROCESSING, CompleteDossier)
LIVES = {
    "absent": (),
    "submitted": (SubmitDossier,),
    "intake_supplement": (SubmitDossier, RequestSupplement),
    "intake_payment": (SubmitDossier, RaiseObligation),
    "intake_withdrawal": (SubmitDossier, RequestWithdrawal),
    "not_accepted": (SubmitDossier, RefuseDossier),
    "accepted": ACCEPTED,
    "processing": PROCESSING,
    "consulting": (*PROCESSING, ConsultAgencies),
    "supplement": (*PROCESSING, RequestSupplement),
    "payment": (*PROCESSING, RaiseObligation),
    "paused": (*PROCESSING, PauseDossier),
    "withdrawal": (*PROCESSING, RequestWithdrawal),
    "withdrawn": (*PROCESSING, RequestWithdrawal, ApproveWithdrawal),
    "stopped": (*PROCESSING, StopDossier),
    "processed": PROCESSED,
    "returned": (*PROCESSED, ReturnResult),
    "correcting": (*PROCESSED, WithdrawResult),
}
"""For every status, a shortest life that leads to it."""


@cache
def state_of(status):
    """A dossier that stands there."""
    return live(*LIVES[status])[1]
