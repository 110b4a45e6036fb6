"""A dossier as its readers see it: folded from its stream, personal values opened while answering.

What is about a person who was forgotten is blank (None); an auditor never sees it.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from chalicelib import runtime
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import (
    AnyDossierEvent,
    DossierConsultationAnswered,
    DossierConsultationRequested,
    DossierObligationFulfilled,
    DossierObligationRaised,
    DossierStateAdopted,
    DossierSubmitted,
    DossierSupplementReceived,
    HandedIn,
    Step,
)
from chalicelib.contexts.dossiers.domain.refusals import DossierUnknown
from chalicelib.contexts.dossiers.domain.state import Dossier
from chalicelib.http.personal import Opened

T = TypeVar("T")


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
            known = last.applicant or last.contact or last.summary
            return known.subject if known else ""
        return self.state.subject

    @property
    def holders(self) -> set[str]:
        """The agencies that have it, or had a step of it."""
        steps = (getattr(e, name, None) for e in self.events for name in ("from_step", "step"))
        return {self.state.agency, *(step.agency for step in steps if isinstance(step, Step))}


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


def shown(found: Standing, read: Opened) -> dict[str, Any]:
    """The dossier as data; `read` opens what is personal, or does not."""
    state = found.state
    data = {
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
        "step": state.step and state.step.model_dump(),
        "clock": state.clock and state.clock.model_dump(mode="json"),
        "overdue": state.overdue,
        "counted_late": state.counted_late,
        "supplements": state.supplements,
        "asked": state.asked and state.asked.model_dump(mode="json"),
        "withdrawal": state.withdrawal,
        "outcome": state.outcome,
        "results": [result.model_dump() for result in state.results],
        "consultations": _consultations(found),
        "obligations": _obligations(found),
        "history": [_told(event, read) for event in found.events],
    }
    return data | _filed(found, read)


def files_of(found: Standing) -> dict[str, tuple[str, Any]]:
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


def _filed(found: Standing, read: Opened) -> dict[str, Any]:
    """What was said at filing, or by the system that keeps the dossier."""
    first = found.events[0]
    if isinstance(first, DossierSubmitted):
        answers = [
            event.answers
            for event in found.events
            if isinstance(event, DossierSubmitted | DossierSupplementReceived) and event.answers
        ]
        terms = first.terms.model_dump(include={"number", "name", "field", "field_name", "limit_s"})
        return {
            "terms": terms,
            "access": first.access,
            "applicant_kind": first.applicant_kind,
            "applicant": read(first.applicant),
            "contact": read(first.contact),
            "answers": read(answers[-1]),
            "components": [each.model_dump() for each in _handed_in(found.events)],
            "wanted": first.wanted,
            "language": first.language,
            "filed_at": first.at.isoformat(),
            "answer_by": first.answer_by and first.answer_by.isoformat(),
        }
    last = found.state.elsewhere
    assert isinstance(last, DossierStateAdopted)
    moments = {"state_at", "received_at", "due_at", "ended_at", "returned_at"}
    kept = {"receipt", "unit", "procedure_name", "field", "field_name", "supplements", "on_time"}
    lists = {"papers", "fees", "issued"}
    return {
        "elsewhere": last.model_dump(mode="json", include=moments | kept | lists),
        "applicant_kind": last.applicant_kind,
        "applicant": read(last.applicant),
        "contact": read(last.contact),
    }


def _consultations(found: Standing) -> list[dict[str, Any]]:
    answers = [event for event in found.events if isinstance(event, DossierConsultationAnswered)]
    return [
        {
            "document": event.document,
            "reference": event.reference,
            "by": event.by_agency,
            "asked": list(event.asked),
            "question": event.question,
            "answers": {a.answerer: a.answer for a in answers if a.document == event.document},
            "missing": list(found.state.consultations.get(event.document, ())),
            "at": event.at.isoformat(),
        }
        for event in found.events
        if isinstance(event, DossierConsultationRequested)
    ]


def _obligations(found: Standing) -> list[dict[str, Any]]:
    paid = {
        event.obligation: event
        for event in found.events
        if isinstance(event, DossierObligationFulfilled)
    }
    shown_ones = []
    for event in found.events:
        if isinstance(event, DossierObligationRaised):
            settled = paid.get(event.obligation)
            said = event.model_dump(mode="json", include={"obligation", "lines", "amount"})
            shown_ones.append(said | {"means": settled.means if settled else None})
    return shown_ones


def _told(event: AnyDossierEvent, read: Opened) -> dict[str, Any]:
    """One line of what happened: what, when, by which desk, in how much working time."""
    said = {
        "type": event.type,
        "at": event.at.isoformat(),
        "status": event.status,
        "by_agency": event.by_agency,
        "by_unit": event.by_unit,
        "worked_s": event.worked_s,
    }
    if reason := getattr(event, "reason", None):
        said["reason"] = read(reason)
    return said
