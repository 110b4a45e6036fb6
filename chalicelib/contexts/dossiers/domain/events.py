"""What can happen to a procedure, to an agency's offer of it, to a dossier and what hangs on it.

Streams: `procedure-<code>`, `offer-<code>.<agency>`, `dossier-<id>`, `consultation-<document>`,
`component-<id>`. Agency codes are canonical (`G22`). Money is in whole đồng, working time in
seconds; a dossier's moments are whole seconds, as the portal's are. What is about a person is
`Personal`, also what an officer wrote about their case.
"""

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from chalicelib.kernel import Event, Value
from chalicelib.privacy.personal import Personal

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(max_length=2_000)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
"""A short code that people choose: of a field, a component, a step, a unit."""
MAX_DONG = 10**15
Dong = Annotated[int, Field(ge=0, le=MAX_DONG)]
"""An amount in đồng, which has no smaller unit."""

CopyKind = Literal["original", "copy", "electronic"]
"""LoaiBan 0, 1, 2."""
ApplicantKind = Literal["citizen", "enterprise", "household_business"]
"""LoaiDoiTuong 0, 1, 2 of the portal's adapters."""
Channel = Literal["direct", "online", "post"]
"""KenhThucHien 1, 2, 3."""
Access = Literal["browser", "app", "kiosk", "desk"]
"""By which means the applicant reached us."""
ReturnMeans = Literal["desk", "post", "electronic"]
"""How a result reaches the applicant; HinhThuc knows 0 direct and 1 postal only."""
Level = Literal["full", "partial", "information"]
"""How far a procedure is served online; Decree 42/2022/NĐ-CP, in place of levels 4 to 1."""
Collected = Literal["intake", "supplement", "result"]
"""HinhThucThu 1, 2, 4."""
FeeKind = Literal["fee", "charge"]
"""LoaiPhiLePhi: phí, lệ phí. Partners number them differently, so nothing here does."""

# Codes of lists as the portal writes them.
COPY_KINDS: dict[CopyKind, int] = {"original": 0, "copy": 1, "electronic": 2}
APPLICANT_KINDS: dict[ApplicantKind, int] = {"citizen": 0, "enterprise": 1, "household_business": 2}
CHANNELS: dict[Channel, int] = {"direct": 1, "online": 2, "post": 3}
RETURN_MEANS: dict[ReturnMeans, int] = {"desk": 0, "post": 1, "electronic": 0}
COLLECTED: dict[Collected, int] = {"intake": 1, "supplement": 2, "result": 4}

Status = Literal[
    "absent",
    "submitted",
    "intake_supplement",
    "intake_payment",
    "intake_withdrawal",
    "not_accepted",
    "accepted",
    "processing",
    "consulting",
    "supplement",
    "payment",
    "paused",
    "withdrawal",
    "withdrawn",
    "stopped",
    "processed",
    "returned",
    "correcting",
]
"""Where a dossier stands, in our own words. `intake_…` is before it was accepted."""

PORTAL: dict[Status, int] = {
    "submitted": 1,
    "accepted": 2,
    "not_accepted": 3,
    "processing": 4,
    "consulting": 4,
    "paused": 4,
    "correcting": 4,
    "intake_supplement": 5,
    "supplement": 5,
    "intake_payment": 6,
    "payment": 6,
    "intake_withdrawal": 7,
    "withdrawal": 7,
    "withdrawn": 8,
    "stopped": 8,
    "processed": 9,
    "returned": 10,
}
"""The portal's state (TrangThaiHoSo) for each of ours: the one table that projects them."""

PortalState = Annotated[int, Field(ge=1, le=10)]
"""TrangThaiHoSo."""


# --- Procedures -----------------------------------------------------------------------------------


class ComponentRule(Value):
    """A paper that a procedure asks for, in which kinds it is taken, and whether it must be there.

    `form` is the link of the form to fill in, if there is one.
    """

    code: Name
    name: Line
    kinds: tuple[CopyKind, ...]
    required: bool = True
    form: Text = ""


class Fee(Value):
    """What a procedure costs, and when it is collected."""

    code: Name
    name: Line
    kind: FeeKind
    amount: Dong
    collected: Collected = "intake"


class StepRule(Value):
    """A step of the work: the unit that takes it, and its share of the statutory time in percent.

    `agency` is empty for a unit of the agency that offers the procedure.
    """

    code: Name
    name: Line
    unit: Name
    agency: str = ""
    share: Annotated[int, Field(ge=0, le=100)]


class Link(Value):
    """A form or a guide that can be fetched."""

    name: Line
    url: Line


class WorkingLimit(Value):
    """A statutory time, in working days or working hours, as the law words it."""

    amount: Annotated[int, Field(ge=1, le=5_000)]
    unit: Literal["hours", "days"]


class ProcedureTerms(Value):
    """All that a version of a procedure says.

    `decision` is the act that published it, `effective_on` its first day. `old_level` is the level
    1 to 4 it had before Decree 42/2022/NĐ-CP, None if it never had one. Steps are in order.
    """

    name: Line
    field: Name
    field_name: Line
    level: Level
    old_level: Annotated[int, Field(ge=1, le=4)] | None = None
    limit: WorkingLimit
    components: tuple[ComponentRule, ...] = ()
    fees: tuple[Fee, ...] = ()
    steps: tuple[StepRule, ...] = ()
    applicants: tuple[ApplicantKind, ...] = ("citizen", "enterprise", "household_business")
    results: tuple[Line, ...] = ()
    life_events: tuple[Name, ...] = ()
    forms: tuple[Link, ...] = ()
    legal_basis: tuple[Line, ...] = ()
    decision: Line
    effective_on: date


class ProcedurePublished(Event):
    """A procedure exists: what it asks for, costs and takes.

    Rule: Decree 63/2010/NĐ-CP (control of procedures): procedures are published by decision.
    """

    type: Literal["procedure.published"] = "procedure.published"
    code: str
    number: int = 1
    terms: ProcedureTerms
    at: AwareDatetime


class ProcedureAmended(Event):
    """A procedure has another version, `number`; the earlier ones stay for dossiers under them.

    Rule: Decree 63/2010/NĐ-CP (control of procedures): so are their changes.
    """

    type: Literal["procedure.amended"] = "procedure.amended"
    code: str
    number: int
    terms: ProcedureTerms
    at: AwareDatetime


class ProcedureRepealed(Event):
    """A procedure ends: from `effective_on` nobody can file for it. What was filed goes on.

    Rule: Decree 63/2010/NĐ-CP (control of procedures): so is their repeal.
    """

    type: Literal["procedure.repealed"] = "procedure.repealed"
    code: str
    decision: str
    effective_on: date
    at: AwareDatetime


ProcedureEvent = Annotated[
    ProcedurePublished | ProcedureAmended | ProcedureRepealed, Field(discriminator="type")
]
"""The events of a procedure's stream."""


class OfferMade(Event):
    """An agency takes dossiers for a procedure from `effective_on`; `portal` also through it.

    Rule: Decree 118/2025/NĐ-CP (one-stop shop); a procedure is coded for each agency offering it.
    """

    type: Literal["offer.made"] = "offer.made"
    procedure: str
    agency: str
    effective_on: date
    portal: bool = True
    at: AwareDatetime


class OfferEnded(Event):
    """An agency takes no more dossiers for a procedure from `effective_on`. Those it has go on.

    Rule: Decree 118/2025/NĐ-CP (one-stop shop); a procedure is coded for each agency offering it.
    """

    type: Literal["offer.ended"] = "offer.ended"
    procedure: str
    agency: str
    effective_on: date
    at: AwareDatetime


OfferEvent = Annotated[OfferMade | OfferEnded, Field(discriminator="type")]
"""The events of the stream of one agency's offer of one procedure."""


# --- Dossiers -------------------------------------------------------------------------------------


class Terms(Value):
    """What a dossier keeps of the procedure's version in force when it was filed."""

    procedure: str
    number: int
    name: str
    field: str
    field_name: str = ""
    level: Level
    limit_s: int
    components: tuple[ComponentRule, ...] = ()
    fees: tuple[Fee, ...] = ()
    steps: tuple[StepRule, ...] = ()


class Applicant(Value):
    """Who asks. Always carried as `Personal`.

    `identity_number` is a citizen's personal number or a business's tax code.
    """

    name: str
    identity_number: str = ""
    address: str = ""


class Contact(Value):
    """How the applicant is reached. Always carried as `Personal`.

    `notify` is how they chose to hear of what happens; `webhook` is their portal's address.
    """

    email: str = ""
    phone: str = ""
    address: str = ""
    webhook: str = ""
    notify: Literal["none", "email", "sms", "webhook"] = "none"


class Answers(Value):
    """What the applicant filled in, by the form's field names. Always carried as `Personal`."""

    subject_matter: str = ""
    fields: dict[str, Any] = Field(default_factory=dict)


class FileRef(Value):
    """A file by reference: `size` in bytes, `sha256` in hexadecimal. Its name may name a person."""

    media_type: str
    size: int
    sha256: str


class HandedIn(Value):
    """A component that came with a dossier: in which kind, and its file if it is electronic.

    `digitised` is the id of a paper that an agency digitised before, used here again.
    """

    code: str
    kind: CopyKind
    file: FileRef | None = None
    digitised: str = ""


class Result(Value):
    """A paper that answers the dossier, under its own code (`KQ.<agency>.<number>`)."""

    code: str
    name: str
    file: FileRef | None = None


class Due(Value):
    """One line of a financial obligation."""

    code: str
    name: str
    kind: FeeKind
    amount: Dong


class SyncedFile(Value):
    """A paper that another system lists: its code, its id there. Its name may name a person."""

    code: Text = ""
    id: Text = ""


class SyncedPaper(SyncedFile):
    """One that was handed in, `digitised` and `reused` as is said; None where it is not."""

    digitised: bool | None = None
    reused: bool | None = None


class SyncedFee(Value):
    """What a dossier costs, as another system lists it; None where its message says no such thing.

    Whether it is a fee or a charge is not said: partners number that differently.
    """

    code: Text = ""
    name: Text = ""
    amount: Dong | None = None
    collected: Collected | None = None


class Step(Value):
    """Who has the dossier: a step of the work, its unit (of `agency`), and an officer, if named.

    `officer` is an opaque identifier. A unit of "" is the agency as a whole.
    """

    code: str = ""
    name: str = ""
    agency: str
    unit: str = ""
    officer: str = ""


class Clock(Value):
    """The statutory clock and that of the present step, in working seconds.

    It begins at `starts_at`. `used_s` has run until `runs_from`; while that is None it stands
    still. `due_at` is the appointment; while the clock stands still, the last one given. `warn_at`
    and `draft_at` are when the desk is warned and an apology is drafted; a `draft_at` that is the
    appointment says that none could be sent, and none is drafted.
    """

    starts_at: AwareDatetime
    allowed_s: int
    used_s: int = 0
    runs_from: AwareDatetime | None = None
    due_at: AwareDatetime
    warn_at: AwareDatetime
    draft_at: AwareDatetime
    step_allowed_s: int = 0
    step_used_s: int = 0
    step_due_at: AwareDatetime | None = None


class DossierEvent(Event):
    """Something that happened to a dossier of `agency`: it stood at `before`, then at `status`.

    `procedure`, `channel` and `level` (None where it is not known) are the dossier's, for whoever
    counts. `worked_s` is the working time since what happened before it. `by` is who acted: an
    opaque identifier; `by_agency` and `by_unit` say of which desk, if it was an officer.
    """

    dossier: str
    code: str
    agency: str
    procedure: str
    channel: Channel
    level: Level | None = None
    before: Status = "absent"
    status: Status = "absent"
    worked_s: int = 0
    by: str = ""
    by_agency: str = ""
    by_unit: str = ""
    at: AwareDatetime


class DossierSubmitted(DossierEvent):
    """An applicant filed a dossier, under the version of the procedure then in force.

    `answer_by` is by when an online filing is answered. `check` is a digest of the word that opens
    the public look-up. `assurance` is how surely the applicant is known, 0 to 3. `subject` is the
    applicant's opaque identifier.
    Rule: Decree 45/2020/NĐ-CP: an online filing is answered within 8 working hours; Decree
    118/2025/NĐ-CP: directly, online or by public post.
    """

    type: Literal["dossier.submitted"] = "dossier.submitted"
    terms: Terms
    subject: str
    access: Access
    assurance: int
    applicant_kind: ApplicantKind
    applicant: Personal[Applicant]
    contact: Personal[Contact]
    answers: Personal[Answers]
    components: tuple[HandedIn, ...] = ()
    wanted: ReturnMeans = "desk"
    language: Literal["vi", "en"] = "vi"
    check: str = ""
    answer_by: AwareDatetime | None = None


class DossierComponentReused(DossierEvent):
    """A paper digitised once before stands in this dossier, with its owner's consent.

    Rule: Decree 45/2020/NĐ-CP and Decision 468/QĐ-TTg of 2021: what was digitised is not asked for
    again; Law 91/2025/QH15: with consent.
    """

    type: Literal["dossier.component_reused"] = "dossier.component_reused"
    component: str
    digitised: str
    subject: str


class DossierAccepted(DossierEvent):
    """The one-stop desk took the dossier in: receipt, appointment, and the clock runs.

    `receipt` is the receipt's number (form 01); `clock.due_at` is the appointment.
    Rule: Decree 118/2025/NĐ-CP; Circular 03/2025/TT-VPCP, form 01.
    """

    type: Literal["dossier.accepted"] = "dossier.accepted"
    receipt: str
    step: Step
    clock: Clock


class DossierNotAccepted(DossierEvent):
    """The one-stop desk did not take the dossier, for a reason. It ends here.

    Rule: Decree 118/2025/NĐ-CP; Circular 03/2025/TT-VPCP, form 03.
    """

    type: Literal["dossier.not_accepted"] = "dossier.not_accepted"
    reason: Personal[str]


class DossierSupplementRequested(DossierEvent):
    """The applicant must hand in more; the clock stands still meanwhile.

    `number` counts the requests. After the free ones, `counted_late` says that the dossier counts
    as overdue in the measurement. `until` is the last moment for it, None if none was set.
    Rule: Circular 03/2025/TT-VPCP, form 02; Decision 766/QĐ-TTg of 2022: more than one request
    counts as overdue.
    """

    type: Literal["dossier.supplement_requested"] = "dossier.supplement_requested"
    number: int
    components: tuple[str, ...] = ()
    reason: Personal[str]
    until: AwareDatetime | None = None
    counted_late: bool = False
    clock: Clock | None = None


class DossierSupplementReceived(DossierEvent):
    """The applicant handed in what was asked for; the clock goes on, to a new appointment.

    `answer_by` is by when an online filing is answered, if it is still to be.
    Rule: TrangThaiHoSo 5: the applicant's time does not count against the agency.
    """

    type: Literal["dossier.supplement_received"] = "dossier.supplement_received"
    components: tuple[HandedIn, ...] = ()
    answers: Personal[Answers] | None = None
    clock: Clock | None = None
    answer_by: AwareDatetime | None = None


class DossierProcessingStarted(DossierEvent):
    """The unit that has the first step works on the dossier.

    Rule: TrangThaiHoSo 4.
    """

    type: Literal["dossier.processing_started"] = "dossier.processing_started"


class DossierStepForwarded(DossierEvent):
    """A step is done and the dossier is with the next one.

    Rule: Circular 03/2025/TT-VPCP, form 06: who had it, received when, passed on when.
    """

    type: Literal["dossier.step_forwarded"] = "dossier.step_forwarded"
    from_step: Step
    step: Step
    clock: Clock | None = None


class DossierStepReturned(DossierEvent):
    """The dossier went back to an earlier step, for a reason.

    Rule: Circular 03/2025/TT-VPCP, form 06.
    """

    type: Literal["dossier.step_returned"] = "dossier.step_returned"
    from_step: Step
    step: Step
    reason: Personal[str]
    clock: Clock | None = None


class DossierStepReassigned(DossierEvent):
    """Another unit or officer has the present step. Its clock goes on.

    Rule: Circular 03/2025/TT-VPCP, form 06.
    """

    type: Literal["dossier.step_reassigned"] = "dossier.step_reassigned"
    from_step: Step
    step: Step


class DossierConsultationRequested(DossierEvent):
    """Other agencies are asked for their opinion by `document`, which goes over the axis.

    `reference` is the document's DocumentId, `names` what the agencies are called. `number` counts
    the consultations of this dossier. `question` is printed in the document, so it is no personal
    value and names nobody.
    Rule: Decree 118/2025/NĐ-CP (one-stop shop).
    """

    type: Literal["dossier.consultation_requested"] = "dossier.consultation_requested"
    document: str
    number: int
    asked: tuple[str, ...]
    question: str = ""
    reference: str = ""
    names: dict[str, str] = Field(default_factory=dict)


class DossierConsultationAnswered(DossierEvent):
    """An agency that was asked has answered, by the document `answer`.

    If its place was taken meanwhile, that is of its successor.
    Rule: Decision 28/2018/QĐ-TTg: the answer has the paper's legal value.
    """

    type: Literal["dossier.consultation_answered"] = "dossier.consultation_answered"
    document: str
    answerer: str
    answer: str


class DossierConsultationClosed(DossierEvent):
    """The work goes on without the opinions that are still missing.

    Rule: Decree 118/2025/NĐ-CP (one-stop shop).
    """

    type: Literal["dossier.consultation_closed"] = "dossier.consultation_closed"
    document: str
    missing: tuple[str, ...]


class DossierObligationRaised(DossierEvent):
    """The applicant (`subject`) must pay `amount` đồng; the clock stands still meanwhile.

    Rule: TrangThaiHoSo 6: time waiting for a payment does not count against the agency.
    """

    type: Literal["dossier.obligation_raised"] = "dossier.obligation_raised"
    obligation: str
    subject: str
    lines: tuple[Due, ...]
    amount: Dong
    clock: Clock | None = None


class DossierObligationFulfilled(DossierEvent):
    """The applicant has paid, or need not pay; `reference` is the payment's.

    `answer_by` is by when an online filing is answered, if it is still to be.
    Rule: TrangThaiHoSo 6: the clock goes on, to a new appointment.
    """

    version: ClassVar[int] = 2
    type: Literal["dossier.obligation_fulfilled"] = "dossier.obligation_fulfilled"
    obligation: str
    means: Literal["online", "desk", "waived"]
    reference: str = ""
    clock: Clock | None = None
    answer_by: AwareDatetime | None = None


class DossierPaused(DossierEvent):
    """The work stands still for a reason outside it, and so does the clock.

    Rule: Decree 118/2025/NĐ-CP (one-stop shop).
    """

    type: Literal["dossier.paused"] = "dossier.paused"
    reason: Personal[str]
    clock: Clock


class DossierResumed(DossierEvent):
    """The work goes on, to a new appointment.

    Rule: Decree 118/2025/NĐ-CP (one-stop shop).
    """

    type: Literal["dossier.resumed"] = "dossier.resumed"
    clock: Clock


class DossierDeadlineExtended(DossierEvent):
    """The agency apologised, gave its reason, and took `more_s` more working time, once.

    Rule: Decree 61/2018/NĐ-CP, art. 19: at least a day before the old one, once; Circular
    03/2025/TT-VPCP, form 04.
    """

    type: Literal["dossier.deadline_extended"] = "dossier.deadline_extended"
    reason: Personal[str]
    more_s: int
    due_before: AwareDatetime
    clock: Clock


class DossierDueSoon(DossierEvent):
    """The appointment `due_at` comes near, and the dossier is not done.

    Rule: Decree 118/2025/NĐ-CP (one-stop shop).
    """

    type: Literal["dossier.due_soon"] = "dossier.due_soon"
    due_at: AwareDatetime


class DossierApologyDrafted(DossierEvent):
    """A letter of apology was drafted, for the officer to send with an extension or to drop.

    Rule: Decree 61/2018/NĐ-CP, art. 19; Circular 03/2025/TT-VPCP, form 04.
    """

    type: Literal["dossier.apology_drafted"] = "dossier.apology_drafted"
    due_at: AwareDatetime


class DossierOverdue(DossierEvent):
    """The appointment `due_at` passed while the clock ran. Said once, and never taken back.

    Rule: Decision 766/QĐ-TTg of 2022, index 2.1: the share of dossiers on time.
    """

    type: Literal["dossier.overdue"] = "dossier.overdue"
    due_at: AwareDatetime
    step: Step | None = None


class DossierWithdrawalRequested(DossierEvent):
    """The applicant asks for the dossier back; the agency answers.

    Rule: TrangThaiHoSo 7.
    """

    type: Literal["dossier.withdrawal_requested"] = "dossier.withdrawal_requested"
    reason: Personal[str]


class DossierWithdrawalApproved(DossierEvent):
    """The dossier went back to the applicant. It ends here.

    `owed` are the obligations that were still to be paid, and need not be any more.
    Rule: TrangThaiHoSo 7 to 8.
    """

    version: ClassVar[int] = 2
    type: Literal["dossier.withdrawal_approved"] = "dossier.withdrawal_approved"
    owed: tuple[str, ...] = ()
    on_time: bool | None = None
    clock: Clock | None = None


class DossierWithdrawalDeclined(DossierEvent):
    """The dossier is not given back, for a reason; it goes on where it stood.

    Rule: TrangThaiHoSo 7 to the one before.
    """

    type: Literal["dossier.withdrawal_declined"] = "dossier.withdrawal_declined"
    reason: Personal[str]


class DossierStopped(DossierEvent):
    """The agency stopped the work, for a reason. The dossier ends here.

    `owed` are the obligations that were still to be paid, and need not be any more.
    Rule: TrangThaiHoSo 8; Circular 03/2025/TT-VPCP, form 05.
    """

    version: ClassVar[int] = 2
    type: Literal["dossier.stopped"] = "dossier.stopped"
    owed: tuple[str, ...] = ()
    reason: Personal[str]
    on_time: bool | None = None
    clock: Clock | None = None


class DossierProcessed(DossierEvent):
    """The work is done and its results are there: the end of the time that is measured.

    `outcome` says whether what was asked for was granted. `on_time`: by the appointment, and not
    counted late for a supplement too many.
    Rule: TrangThaiHoSo 9; on time if NgayKetThucXuLy is not after NgayHenTra.
    """

    type: Literal["dossier.processed"] = "dossier.processed"
    outcome: Literal["granted", "declined"] = "granted"
    results: tuple[Result, ...] = ()
    on_time: bool
    clock: Clock


class DossierResultReturned(DossierEvent):
    """The applicant has the result.

    Rule: TrangThaiHoSo 10; Decree 118/2025/NĐ-CP (one-stop shop).
    """

    type: Literal["dossier.result_returned"] = "dossier.result_returned"
    means: ReturnMeans
    reference: str = ""


class DossierResultWithdrawn(DossierEvent):
    """A result that was wrong was taken back to be corrected.

    Rule: Decree 118/2025/NĐ-CP (one-stop shop).
    """

    type: Literal["dossier.result_withdrawn"] = "dossier.result_withdrawn"
    reason: Personal[str]


class DossierResultCorrected(DossierEvent):
    """The corrected results are there. The first end of the work stays the one that is measured.

    Rule: Decree 118/2025/NĐ-CP (one-stop shop).
    """

    type: Literal["dossier.result_corrected"] = "dossier.result_corrected"
    results: tuple[Result, ...]


class DossierStateAdopted(DossierEvent):
    """The system that keeps this dossier told us its state, as of `state_at`.

    What the message said of the dossier is kept with it; `ended_at` is NgayKetThucXuLy. `papers`
    were handed in, `issued` are the results. `ended_before`: the work had ended once already, and
    its first end stays the one that is measured.
    Rule: Decision 29/2026/QĐ-TTg: agencies sync dossiers kept elsewhere to the portal.
    """

    version: ClassVar[int] = 3
    type: Literal["dossier.state_adopted"] = "dossier.state_adopted"
    portal: PortalState
    state_at: AwareDatetime
    procedure_name: str = ""
    field: str = ""
    field_name: str = ""
    applicant_kind: ApplicantKind
    applicant: Personal[Applicant] | None = None
    contact: Personal[Contact] | None = None
    summary: Personal[str] | None = None
    note: Personal[str] | None = None
    receipt: str = ""
    received_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    returned_at: AwareDatetime | None = None
    means: ReturnMeans = "desk"
    unit: str = ""
    supplements: int = 0
    papers: tuple[SyncedPaper, ...] = ()
    fees: tuple[SyncedFee, ...] = ()
    issued: tuple[SyncedFile, ...] = ()
    ended_before: bool = False
    on_time: bool | None = None


class DossierSyncNoted(DossierEvent):
    """The national portal has taken the dossier's state as of `state_at`.

    `due_at` is the appointment that the change said, if it said one.
    Rule: Decision 29/2026/QĐ-TTg: agencies sync the states of dossiers to the portal.
    """

    version: ClassVar[int] = 2
    type: Literal["dossier.sync_noted"] = "dossier.sync_noted"
    portal: PortalState
    state_at: AwareDatetime
    due_at: AwareDatetime | None = None


AnyDossierEvent = Annotated[
    DossierSubmitted
    | DossierComponentReused
    | DossierAccepted
    | DossierNotAccepted
    | DossierSupplementRequested
    | DossierSupplementReceived
    | DossierProcessingStarted
    | DossierStepForwarded
    | DossierStepReturned
    | DossierStepReassigned
    | DossierConsultationRequested
    | DossierConsultationAnswered
    | DossierConsultationClosed
    | DossierObligationRaised
    | DossierObligationFulfilled
    | DossierPaused
    | DossierResumed
    | DossierDeadlineExtended
    | DossierDueSoon
    | DossierApologyDrafted
    | DossierOverdue
    | DossierWithdrawalRequested
    | DossierWithdrawalApproved
    | DossierWithdrawalDeclined
    | DossierStopped
    | DossierProcessed
    | DossierResultReturned
    | DossierResultWithdrawn
    | DossierResultCorrected
    | DossierStateAdopted
    | DossierSyncNoted,
    Field(discriminator="type"),
]
"""The events of a dossier's stream."""

NEW_APPOINTMENT = (DossierDeadlineExtended, DossierResumed)
"""Events that move the appointment while the portal's state stays: the portal has to know it."""


# --- What hangs on dossiers -----------------------------------------------------------------------


class ConsultationOpened(Event):
    """The document of this stream asks other agencies about a dossier.

    Rule: Decree 118/2025/NĐ-CP (one-stop shop).
    """

    type: Literal["consultation.opened"] = "consultation.opened"
    document: str
    dossier: str
    agency: str
    asked: tuple[str, ...]
    at: AwareDatetime


class ConsultationAnswered(Event):
    """An agency that was asked answered, by the document `answer`.

    If its place was taken meanwhile, that is of its successor.
    Rule: Decision 28/2018/QĐ-TTg: the answer has the paper's legal value.
    """

    type: Literal["consultation.answered"] = "consultation.answered"
    document: str
    dossier: str
    answerer: str
    answer: str
    at: AwareDatetime


ConsultationEvent = Annotated[
    ConsultationOpened | ConsultationAnswered, Field(discriminator="type")
]
"""The events of the stream of one consulting document."""


class ComponentDigitised(Event):
    """An agency digitised a person's paper, to be used again in their later dossiers.

    `expires_on` is the first day on which the paper no longer proves anything, None if none.
    Rule: Decision 468/QĐ-TTg of 2021: papers and results are digitised once and reused.
    """

    type: Literal["component.digitised"] = "component.digitised"
    component: str
    code: str
    subject: str
    agency: str
    dossier: str = ""
    file: FileRef
    expires_on: date | None = None
    at: AwareDatetime


class ComponentReused(Event):
    """A digitised paper was used in another dossier of its owner.

    Rule: Decision 766/QĐ-TTg of 2022, index 4.3: the share of digitised papers that are reused.
    """

    type: Literal["component.reused"] = "component.reused"
    component: str
    dossier: str
    at: AwareDatetime


class ComponentWithdrawn(Event):
    """A digitised paper is no longer to be used, for a reason, or by its owner's wish.

    Rule: Law 91/2025/QH15 on the Protection of Personal Data: consent can be withdrawn.
    """

    type: Literal["component.withdrawn"] = "component.withdrawn"
    component: str
    reason: Personal[str]
    at: AwareDatetime


ComponentEvent = Annotated[
    ComponentDigitised | ComponentReused | ComponentWithdrawn, Field(discriminator="type")
]
"""The events of the stream of one digitised paper."""
