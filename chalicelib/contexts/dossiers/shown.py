"""A dossier as its readers see it: folded from its stream, personal values opened while answering.

What is about a person who was forgotten is blank (None); an auditor never sees it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple, NotRequired

from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import (
    Access,
    Answers,
    AnyDossierEvent,
    Applicant,
    ApplicantKind,
    Channel,
    Clock,
    Contact,
    Dong,
    DossierConsultationAnswered,
    DossierConsultationRequested,
    DossierObligationFulfilled,
    DossierObligationRaised,
    DossierStateAdopted,
    DossierSubmitted,
    DossierSupplementReceived,
    Due,
    FileRef,
    HandedIn,
    Level,
    Result,
    ReturnMeans,
    Status,
    Step,
    SyncedFee,
    SyncedFile,
    SyncedPaper,
)
from chalicelib.contexts.dossiers.domain.refusals import DossierUnknown
from chalicelib.contexts.dossiers.domain.state import (
    Decision,
    Delivery,
    Dossier,
    Financial,
    SupplementWanted,
    Sync,
    Withdrawal,
)
from chalicelib.http.personal import Opened


class Standing(NamedTuple):
    """A dossier with all that happened to it, and its version."""

    state: Dossier
    events: list[AnyDossierEvent]
    version: int

    @property
    def subject(self) -> str:
        """The applicant."""
        last = self.state.elsewhere
        if last:
            known = last.applicant or last.contact or last.summary or last.note
            return known.subject if known else ""
        return self.state.subject

    @property
    def holders(self) -> set[str]:
        """The agencies that have it, or had a step of it."""
        steps = (getattr(e, name, None) for e in self.events for name in ("from_step", "step"))
        return {self.state.agency, *(step.agency for step in steps if isinstance(step, Step))}


class DossierConsultation(TypedDict):
    """Other agencies are asked by `document`; `answers` are documents by the agency, if any."""

    document: str
    reference: str
    by: str
    asked: tuple[str, ...]
    question: str
    answers: dict[str, str]
    missing: tuple[str, ...]
    at: datetime


class DossierObligation(TypedDict):
    """What the applicant owes or owed, in đồng; `means` is how it was settled, None: it is not."""

    obligation: str
    lines: tuple[Due, ...]
    amount: Dong
    means: Literal["online", "desk", "waived"] | None


class DossierHappening(TypedDict):
    """What happened, when, by which desk, in how much working time (seconds) since the last.

    `reason` is what was written about it, where something was: None for who may not read it.
    """

    type: str
    at: datetime
    status: Status
    by_agency: str
    by_unit: str
    worked_s: int
    reason: NotRequired[str | None]


class DossierAnywhere(TypedDict):
    """What is known of any dossier, wherever it is kept."""

    dossier: str
    code: str
    agency: str
    status: Status
    portal: int | None
    financial: Financial
    delivery: Delivery
    sync: Sync
    procedure: str
    channel: Channel | None
    level: Level | None
    step: Step | None
    clock: Clock | None
    overdue: bool
    counted_late: bool
    supplements: int
    asked: SupplementWanted | None
    withdrawal: Withdrawal
    outcome: Decision
    results: tuple[Result, ...]
    consultations: list[DossierConsultation]
    obligations: list[DossierObligation]
    history: list[DossierHappening]
    applicant_kind: ApplicantKind
    applicant: Applicant | None
    contact: Contact | None


class DossierTerms(TypedDict):
    """The version of the procedure that the dossier was filed under; `limit_s` in working time."""

    number: int
    name: str
    field: str
    field_name: str
    limit_s: int


class FiledDossier(DossierAnywhere):
    """A dossier that was filed here. What is about its applicant is None for who may not read it.

    `answer_by` is by when the desk says whether it takes the dossier in.
    """

    terms: DossierTerms
    access: Access
    answers: Answers | None
    components: list[HandedIn]
    wanted: ReturnMeans
    language: Literal["vi", "en"]
    filed_at: datetime
    answer_by: datetime | None


class SyncedState(TypedDict):
    """The last that the system which keeps the dossier said of it, as of `state_at`.

    `note` is None for who may not read it.
    """

    state_at: datetime
    procedure_name: str
    field: str
    field_name: str
    note: str | None
    receipt: str
    received_at: datetime | None
    due_at: datetime | None
    ended_at: datetime | None
    returned_at: datetime | None
    unit: str
    supplements: int
    papers: tuple[SyncedPaper, ...]
    fees: tuple[SyncedFee, ...]
    issued: tuple[SyncedFile, ...]
    on_time: bool | None


class SyncedDossier(DossierAnywhere):
    """A dossier that a ministry's or a province's own system keeps."""

    elsewhere: SyncedState


def standing(id_: str, until: int | None = None) -> Standing:
    """A dossier as it stands, or as it stood at the commit numbered `until`.

    Raises:
        DossierUnknown: there is none.
    """
    commits = runtime.event_store().load(f"dossier-{id_}", until) if id_.isalnum() else []
    if not commits:
        raise DossierUnknown
    events: list[AnyDossierEvent] = []
    for commit in commits:
        events += dossier.codec.validate_json(commit.body, extra="ignore")
    return Standing(dossier.fold(events), events, commits[-1].number)


def shown(found: Standing, read: Opened) -> FiledDossier | SyncedDossier:
    """The dossier as data; `read` opens what is personal, or does not."""
    state, first = found.state, found.events[0]
    said = first if isinstance(first, DossierSubmitted) else state.elsewhere
    assert said is not None
    known: DossierAnywhere = {
        "dossier": state.dossier,
        "code": state.code,
        "agency": state.agency,
        "status": state.status,
        "portal": state.portal,
        "financial": state.financial,
        "delivery": state.delivery,
        "sync": state.sync,
        "procedure": state.procedure,
        "channel": state.channel,
        "level": state.level,
        "step": state.step,
        "clock": state.clock,
        "overdue": state.overdue,
        "counted_late": state.counted_late,
        "supplements": state.supplements,
        "asked": state.asked,
        "withdrawal": state.withdrawal,
        "outcome": state.outcome,
        "results": state.results,
        "consultations": _consultations(found),
        "obligations": _obligations(found.events),
        "history": [_told(event, read) for event in found.events],
        "applicant_kind": said.applicant_kind,
        "applicant": read(said.applicant),
        "contact": read(said.contact),
    }
    if isinstance(said, DossierStateAdopted):
        return {**known, "elsewhere": _elsewhere(said, read)}
    answers = [
        event.answers
        for event in found.events
        if isinstance(event, DossierSubmitted | DossierSupplementReceived) and event.answers
    ]
    answer_by: datetime | None = None
    for event in found.events:
        answer_by = getattr(event, "answer_by", None) or answer_by
    return {
        **known,
        "terms": {
            "number": said.terms.number,
            "name": said.terms.name,
            "field": said.terms.field,
            "field_name": said.terms.field_name,
            "limit_s": said.terms.limit_s,
        },
        "access": said.access,
        "answers": read(answers[-1]),
        "components": list(_handed_in(found.events)),
        "wanted": said.wanted,
        "language": said.language,
        "filed_at": said.at,
        "answer_by": answer_by,
    }


def files_of(found: Standing) -> dict[str, tuple[str, FileRef]]:
    """Every file of the dossier by its digest: the name it is fetched under, and the file."""
    found_files = {}
    for each in _handed_in(found.events):
        if each.file:
            found_files[each.file.sha256] = (each.code, each.file)
    for event in found.events:
        for result in getattr(event, "results", ()):
            if result.file:
                found_files[result.file.sha256] = (result.code, result.file)
    return found_files


def _handed_in(events: Iterable[AnyDossierEvent]) -> Iterable[HandedIn]:
    for event in events:
        if isinstance(event, DossierSubmitted | DossierSupplementReceived):
            yield from event.components


def _elsewhere(last: DossierStateAdopted, read: Opened) -> SyncedState:
    return {
        "state_at": last.state_at,
        "procedure_name": last.procedure_name,
        "field": last.field,
        "field_name": last.field_name,
        "note": read(last.note),
        "receipt": last.receipt,
        "received_at": last.received_at,
        "due_at": last.due_at,
        "ended_at": last.ended_at,
        "returned_at": last.returned_at,
        "unit": last.unit,
        "supplements": last.supplements,
        "papers": last.papers,
        "fees": last.fees,
        "issued": last.issued,
        "on_time": last.on_time,
    }


def _consultations(found: Standing) -> list[DossierConsultation]:
    answers = [event for event in found.events if isinstance(event, DossierConsultationAnswered)]
    return [
        {
            "document": event.document,
            "reference": event.reference,
            "by": event.by_agency,
            "asked": event.asked,
            "question": event.question,
            "answers": {a.answerer: a.answer for a in answers if a.document == event.document},
            "missing": found.state.consultations.get(event.document, ()),
            "at": event.at,
        }
        for event in found.events
        if isinstance(event, DossierConsultationRequested)
    ]


def _obligations(events: Iterable[AnyDossierEvent]) -> list[DossierObligation]:
    paid = {e.obligation: e.means for e in events if isinstance(e, DossierObligationFulfilled)}
    return [
        {
            "obligation": event.obligation,
            "lines": event.lines,
            "amount": event.amount,
            "means": paid.get(event.obligation),
        }
        for event in events
        if isinstance(event, DossierObligationRaised)
    ]


def _told(event: AnyDossierEvent, read: Opened) -> DossierHappening:
    said: DossierHappening = {
        "type": event.type,
        "at": event.at,
        "status": event.status,
        "by_agency": event.by_agency,
        "by_unit": event.by_unit,
        "worked_s": event.worked_s,
    }
    if reason := getattr(event, "reason", None):
        said["reason"] = read(reason)
    return said
