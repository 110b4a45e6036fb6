"""What the national portal hears of dossiers that are kept here. Pure.

Each time a dossier's portal state (TrangThaiHoSo) or its appointment (NgayHenTra) changes, the
portal's agency is told, in the form of `portal_form`. What another system keeps is told here, not
by us.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from chalicelib.contexts.dossiers.domain.commands import NoteSync
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import (
    APPLICANT_KINDS,
    CHANNELS,
    COLLECTED,
    NEW_APPOINTMENT,
    PORTAL,
    RETURN_MEANS,
    Answers,
    AnyDossierEvent,
    Applicant,
    Contact,
    DossierAccepted,
    DossierResultReturned,
    DossierStateAdopted,
    DossierSubmitted,
    DossierSupplementReceived,
    DossierSupplementRequested,
    HandedIn,
)
from chalicelib.contexts.dossiers.domain.state import Dossier, appointment
from chalicelib.contexts.dossiers.portal_form import (
    Charge,
    DossierMessage,
    Given,
    Paper,
    SupplementAsked,
)
from chalicelib.delivery.outbox import Message, Notice
from chalicelib.kernel import Decider, Origin, Value
from chalicelib.privacy.personal import Personal

Told = AnyDossierEvent
"""The events that the portal may have to hear of: any may be the one that moves its state."""

MESSAGE_BYTES = 20 * 1024
"""A message stays small: lists that make it larger are left out, and named in `left_out`."""
ENDS = (9, 10, 8, 3)
"""The portal's states that end the work; the first of these that the dossier had is its end."""


class Opened(Value):
    """What is personal in a dossier, as far as it can still be read: the forgotten stay blank."""

    applicant: Applicant = Applicant(name="")
    contact: Contact = Contact()
    answers: Answers = Answers()
    reasons: tuple[str, ...] = ()
    note: str = ""


def route(event: AnyDossierEvent, portal: str) -> Iterable[Notice]:
    """The portal's agency, if there is one, hears of an event that changed what it shows."""
    if not portal or isinstance(event, DossierStateAdopted):
        return
    moved = isinstance(event, NEW_APPOINTMENT)
    if moved or PORTAL.get(event.status) != PORTAL.get(event.before):
        yield Notice(agency=portal, case=event.dossier)


def delivered(
    event: AnyDossierEvent, origin: Origin, **terms: Any
) -> tuple[Decider[Any, Any, Any], str, NoteSync]:
    """What it means that the portal has taken a message: it knows that state."""
    command = NoteSync(
        origin=origin,
        dossier=event.dossier,
        portal=PORTAL[event.status],
        state_at=event.at,
        due_at=appointment(event),
        **terms,
    )
    return dossier, event.dossier, command


def refused(_message: Message, _event: AnyDossierEvent, _origin: Origin, _why: str) -> None:
    """What it means that it will not: an operator sees it, and the dossier's sync stays behind."""


def personal(
    event: AnyDossierEvent, events: Iterable[AnyDossierEvent]
) -> dict[str, list[Personal[Any]]]:
    """What the message says that is personal, by the names of `Opened`; of several the last.

    A note is why it came to `event`; why more is asked for stands with the request.
    """
    found: dict[str, list[Personal[Any]]] = {"reasons": []}
    why = getattr(event, "reason", None)
    if why and not isinstance(event, DossierSupplementRequested):
        found["note"] = [why]
    for each in events:
        if isinstance(each, DossierSubmitted):
            found |= {"applicant": [each.applicant], "contact": [each.contact]}
        if isinstance(each, DossierSubmitted | DossierSupplementReceived) and each.answers:
            found["answers"] = [each.answers]
        if isinstance(each, DossierSupplementRequested):
            found["reasons"].append(each.reason)
    return found


def told(
    event: AnyDossierEvent, state: Dossier, events: list[AnyDossierEvent], read: Opened
) -> DossierMessage:
    """What the portal is told: the dossier (`state`, `events`) as `event` made it."""
    filed = next(each for each in events if isinstance(each, DossierSubmitted))
    accepted = next((each for each in events if isinstance(each, DossierAccepted)), None)
    returned = [each for each in events if isinstance(each, DossierResultReturned)]
    portal = PORTAL[event.status]
    means = returned[-1].means if returned else filed.wanted
    return DossierMessage(
        code=state.code,
        procedure=state.procedure,
        procedure_name=filed.terms.name,
        field=filed.terms.field,
        field_name=filed.terms.field_name,
        receipt=accepted.receipt if accepted else "",
        name=read.applicant.name,
        kind=APPLICANT_KINDS[filed.applicant_kind],
        identity_number=read.applicant.identity_number,
        email=read.contact.email,
        phone=read.contact.phone,
        summary=read.answers.subject_matter,
        received_at=accepted.at if accepted else None,
        due_at=state.clock.due_at if state.clock else None,
        portal=portal,
        state_at=event.at,
        returned_at=returned[-1].at if returned and portal == PORTAL["returned"] else None,
        ended_at=_ended_at(events, portal),
        means=RETURN_MEANS[means],
        unit=(state.step and state.step.unit) or state.agency,
        note=read.note,
        channel=CHANNELS[filed.channel],
        papers=tuple(
            _paper(paper, filed)
            for event in events
            if isinstance(event, DossierSubmitted | DossierSupplementReceived)
            for paper in event.components
        ),
        charges=tuple(
            Charge(
                code=fee.code,
                name=fee.name,
                collected=str(COLLECTED[fee.collected]),
                amount=str(fee.amount),
            )
            for fee in filed.terms.fees
        ),
        supplements=_supplements(events, filed, read.reasons),
        results=tuple(
            Given(name=each.name, id=each.file.sha256 if each.file else "", code=each.code)
            for each in state.results
        ),
    )


def _ended_at(events: Iterable[AnyDossierEvent], portal: int) -> datetime | None:
    """When the work ended, if it has; a result that is corrected does not move it."""
    if portal not in ENDS:
        return None
    began: dict[int | None, datetime] = {}
    for event in events:
        began.setdefault(PORTAL.get(event.status), event.at)
    return next(began[end] for end in ENDS if end in began)


def _paper(paper: HandedIn, filed: DossierSubmitted) -> Paper:
    return Paper(
        code=paper.code,
        name=_name(paper.code, filed),
        id=paper.file.sha256 if paper.file else "",
        deleted="0",
        digitised="1" if paper.file else "0",
        reused="1" if paper.digitised else "0",
    )


def _name(code: str, filed: DossierSubmitted) -> str:
    return next((rule.name for rule in filed.terms.components if rule.code == code), "")


def _supplements(
    events: Iterable[AnyDossierEvent], filed: DossierSubmitted, reasons: tuple[str, ...]
) -> tuple[SupplementAsked, ...]:
    found: list[SupplementAsked] = []
    for event in events:
        if isinstance(event, DossierSupplementRequested):
            asked = SupplementAsked(
                id=str(event.number),
                by=event.by_unit,
                what=reasons[len(found)] if len(found) < len(reasons) else None,
                asked_at=event.at,
                met="0",
                papers=tuple(Paper(code=c, name=_name(c, filed)) for c in event.components),
                due_before=event.clock.due_at if event.clock else None,
            )
            found.append(asked)
        if isinstance(event, DossierSupplementReceived) and found:
            met = {
                "received_by": event.by_unit or None,
                "received_at": event.at,
                "met": "1",
                "papers": tuple(_paper(paper, filed) for paper in event.components),
                "due_after": event.clock.due_at if event.clock else None,
            }
            found[-1] = found[-1].model_copy(update=met)
    return tuple(found)
