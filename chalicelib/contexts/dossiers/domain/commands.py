"""What can be asked of a dossier.

Every command brings the deployment's calendar and limits, as the decider may look nothing up. An
officer's command names the agency and the unit they act for; an applicant's names the applicant, or
the desk that enters it for them.
"""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from chalicelib.contexts.dossiers.domain.events import (
    MAX_DONG,
    Access,
    Answers,
    Applicant,
    ApplicantKind,
    Channel,
    Contact,
    Due,
    HandedIn,
    Line,
    Name,
    PortalState,
    ProcedureTerms,
    Result,
    ReturnMeans,
    SyncedFee,
    SyncedFile,
    SyncedPaper,
    Text,
)
from chalicelib.kernel import Command, Value
from chalicelib.working_time import Calendar

HOUR_S = 3_600


class Limits(Value):
    """What the rules leave to configuration, or what we could not confirm; times are working time.

    `answer_s`: an online filing is answered within it. `free_supplements`: requests for more that
    are not counted late. `apology_days`: whole days before the appointment by which an extension is
    asked. `warn_s`, `draft_s`: how long before the appointment the desk is warned and an apology is
    drafted, but never before three quarters of the time have run; an apology earlier where it could
    not be sent otherwise. `ahead_s`: how far a synced state's moment may lie in the future, in
    plain seconds.

    Rule: Decree 45/2020/NĐ-CP (8 hours); Decision 766/QĐ-TTg of 2022 (one supplement); Decree
    61/2018/NĐ-CP, art. 19 (a day before).
    """

    answer_s: int = 8 * HOUR_S
    free_supplements: int = 1
    apology_days: int = 1
    warn_s: int = 16 * HOUR_S
    draft_s: int = 12 * HOUR_S
    ahead_s: int = 600


class DossierCommand(Command):
    """A wish about the dossier with the stream id `dossier`."""

    dossier: str
    calendar: Calendar = Field(default_factory=Calendar, repr=False)
    limits: Limits = Field(default_factory=Limits, repr=False)


class OfficerCommand(DossierCommand):
    """An officer's wish; a unit of "" is the agency as a whole."""

    agency: str
    unit: str = ""


class ApplicantCommand(DossierCommand):
    """The applicant's wish, or that of `agency`'s desk, which enters it for them."""

    subject: str = ""
    agency: str = ""
    unit: str = ""


class Version(Value):
    """The version of a procedure in force on the day of filing."""

    number: int
    terms: ProcedureTerms


class Held(Value):
    """What is known of a digitised paper: its id, component, owner, and whether it still proves."""

    component: str
    code: str
    subject: str
    usable: bool


class SubmitDossier(ApplicantCommand):
    """File a dossier with `receiver`.

    What was looked up: `version` in force (None: there is none; `repealed` says that there was
    one), whether the receiver `offered` the procedure, and the digitised papers `held` that the
    components name. `consents` are the ids of those the applicant agreed to have reused.
    """

    code: str
    receiver: str
    procedure: str
    version: Version | None
    repealed: bool = False
    offered: bool
    channel: Channel
    access: Access
    applicant_kind: ApplicantKind
    applicant: Applicant = Field(repr=False)
    contact: Contact = Field(repr=False)
    answers: Answers = Field(default_factory=Answers, repr=False)
    components: tuple[HandedIn, ...] = ()
    held: tuple[Held, ...] = ()
    consents: tuple[str, ...] = ()
    wanted: ReturnMeans = "desk"
    language: Literal["vi", "en"] = "vi"
    check: str = ""


class AcceptDossier(OfficerCommand):
    """Take it in. `receipt` is the receipt's number, the dossier's code if it has none."""

    receipt: Text = ""
    officer: str = ""


class RefuseDossier(OfficerCommand):
    """Do not take it in."""

    reason: Line = Field(repr=False)


class RequestSupplement(OfficerCommand):
    """Ask for more: these components, or what `reason` says; `until` is the last moment for it."""

    components: tuple[Name, ...] = ()
    reason: Line = Field(repr=False)
    until: AwareDatetime | None = None


class ReceiveSupplement(ApplicantCommand):
    """Hand in what was asked for."""

    components: tuple[HandedIn, ...] = ()
    answers: Answers | None = Field(default=None, repr=False)
    held: tuple[Held, ...] = ()
    consents: tuple[str, ...] = ()


class StartProcessing(OfficerCommand):
    """Begin the work on an accepted dossier."""


class ForwardStep(OfficerCommand):
    """Pass the dossier from the step `step` on to the step `to`.

    Where nothing is said of its agency and unit, they are those of the procedure.
    """

    step: str
    to: str
    to_agency: str = ""
    to_unit: str = ""
    officer: str = ""


class ReturnStep(OfficerCommand):
    """Give the dossier back from the step `step` to the earlier step `to`."""

    step: str
    to: str
    to_agency: str = ""
    to_unit: str = ""
    officer: str = ""
    reason: Line = Field(repr=False)


class ReassignStep(OfficerCommand):
    """Give the present step to another unit or officer."""

    to_agency: str = ""
    to_unit: str = ""
    officer: str = ""


class ConsultAgencies(OfficerCommand):
    """Ask other agencies for their opinion, by the document `document` on the axis.

    `reference` is its DocumentId, `names` what the agencies are called, by their codes. `question`
    is printed in it and names nobody.
    """

    document: str
    reference: str = ""
    names: dict[str, str] = Field(default_factory=dict)
    question: Text = ""
    asked: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]


class NoteConsultationAnswer(DossierCommand):
    """The document `answer` answers one that asked about this dossier."""

    document: str
    answerer: str
    answer: str


class CloseConsultation(OfficerCommand):
    """Go on without the opinions that are missing."""

    document: str


class RaiseObligation(OfficerCommand):
    """Have the applicant pay the sum of `lines`."""

    obligation: str
    lines: Annotated[tuple[Due, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _payable(self) -> Self:
        if sum(line.amount for line in self.lines) > MAX_DONG:
            raise ValueError(f"An obligation is about {MAX_DONG} đồng at most")
        return self


class FulfilObligation(DossierCommand):
    """It was paid online, or the agency took the money or waives it (then `agency` says so)."""

    obligation: str
    means: Literal["online", "desk", "waived"]
    reference: Text = ""
    agency: str = ""
    unit: str = ""


class PauseDossier(OfficerCommand):
    """Let the work stand still."""

    reason: Line = Field(repr=False)


class ResumeDossier(OfficerCommand):
    """Let the work go on."""


class ExtendDeadline(OfficerCommand):
    """Apologise, and take `hours` more working hours."""

    hours: Annotated[int, Field(ge=1, le=5_000)]
    reason: Line = Field(repr=False)


class RequestWithdrawal(ApplicantCommand):
    """Ask for the dossier back."""

    reason: Line = Field(repr=False)


class ApproveWithdrawal(OfficerCommand):
    """Give the dossier back."""


class DeclineWithdrawal(OfficerCommand):
    """Do not give the dossier back."""

    reason: Line = Field(repr=False)


class StopDossier(OfficerCommand):
    """End the work without a result."""

    reason: Line = Field(repr=False)


class CompleteDossier(OfficerCommand):
    """The work is done, with these results."""

    outcome: Literal["granted", "declined"] = "granted"
    results: tuple[Result, ...] = ()


class ReturnResult(OfficerCommand):
    """The applicant has the result; `reference` is the consignment's number, if it was posted."""

    means: ReturnMeans
    reference: Text = ""


class WithdrawResult(OfficerCommand):
    """Take a wrong result back."""

    reason: Line = Field(repr=False)


class CorrectResult(OfficerCommand):
    """The corrected results are there."""

    results: Annotated[tuple[Result, ...], Field(min_length=1)]


class NoteDueSoon(DossierCommand):
    """The appointment `due_at` comes near."""

    due_at: AwareDatetime


class NoteApologyDrafted(DossierCommand):
    """It is time to have an apology ready for the appointment `due_at`."""

    due_at: AwareDatetime


class NoteOverdue(DossierCommand):
    """The appointment `due_at` has passed."""

    due_at: AwareDatetime


class AdoptState(DossierCommand):
    """Take over what the system of `agency`, which keeps this dossier, says of it."""

    agency: str
    code: str
    portal: PortalState
    state_at: AwareDatetime
    subject: str = ""
    procedure: str
    procedure_name: str = ""
    field: str = ""
    field_name: str = ""
    channel: Channel
    applicant_kind: ApplicantKind
    applicant: Applicant | None = Field(default=None, repr=False)
    contact: Contact | None = Field(default=None, repr=False)
    summary: Text = Field(default="", repr=False)
    note: Text | None = Field(default=None, repr=False)
    receipt: str = ""
    received_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    returned_at: AwareDatetime | None = None
    means: ReturnMeans = "desk"
    unit: str = ""
    supplements: Annotated[int, Field(ge=0)] = 0
    papers: tuple[SyncedPaper, ...] = ()
    fees: tuple[SyncedFee, ...] = ()
    issued: tuple[SyncedFile, ...] = ()


class NoteSync(DossierCommand):
    """The national portal has taken the state `portal` as of `state_at`, and the appointment."""

    portal: PortalState
    state_at: AwareDatetime
    due_at: AwareDatetime | None = None


FiledCommand = (
    AcceptDossier
    | RefuseDossier
    | RequestSupplement
    | ReceiveSupplement
    | StartProcessing
    | ForwardStep
    | ReturnStep
    | ReassignStep
    | ConsultAgencies
    | NoteConsultationAnswer
    | CloseConsultation
    | RaiseObligation
    | FulfilObligation
    | PauseDossier
    | ResumeDossier
    | ExtendDeadline
    | RequestWithdrawal
    | ApproveWithdrawal
    | DeclineWithdrawal
    | StopDossier
    | CompleteDossier
    | ReturnResult
    | WithdrawResult
    | CorrectResult
    | NoteDueSoon
    | NoteApologyDrafted
    | NoteOverdue
    | NoteSync
)
"""Everything that can be asked of a dossier that was filed here."""
AnyDossierCommand = SubmitDossier | FiledCommand | AdoptState
"""Everything that can be asked of a dossier."""
