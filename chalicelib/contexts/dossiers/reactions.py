"""What follows in dossiers: from their own events, from answers to theirs, from payments. Pure."""

from collections.abc import Iterable
from typing import Any

from chalicelib.contexts.documents.domain.events import DocumentSent
from chalicelib.contexts.dossiers.domain.commands import (
    FulfilObligation,
    Limits,
    NoteApologyDrafted,
    NoteConsultationAnswer,
    NoteDueSoon,
    NoteOverdue,
)
from chalicelib.contexts.dossiers.domain.component import NoteReuse, component
from chalicelib.contexts.dossiers.domain.consultation import (
    NoteAnswer,
    OpenConsultation,
    consultation,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import (
    ConsultationAnswered,
    DossierComponentReused,
    DossierConsultationRequested,
)
from chalicelib.contexts.dossiers.projections.which_dossiers_fall_due import Watched
from chalicelib.contexts.payments.domain.events import PaymentPaid
from chalicelib.kernel import Command, Decider, Origin
from chalicelib.working_time import Calendar

EVENTS = (
    DossierComponentReused
    | DossierConsultationRequested
    | DocumentSent
    | ConsultationAnswered
    | PaymentPaid
)


def react(
    event: EVENTS, origin: Origin, calendar: Calendar, limits: Limits
) -> Iterable[tuple[Decider[Any, Any, Any], str, Command]]:
    """A question waits for answers; an answer or a payment moves its dossier; a reuse is noted."""
    match event:
        case DossierComponentReused():
            note = NoteReuse(origin=origin, dossier=event.dossier)
            yield component, event.digitised, note
        case DossierConsultationRequested():
            opening = OpenConsultation(
                origin=origin,
                document=event.document,
                dossier=event.dossier,
                agency=event.agency,
                asked=event.asked,
            )
            yield consultation, event.document, opening
        case DocumentSent():
            asked = dict.fromkeys(each.document for each in event.official.answers)
            for id_ in asked:
                if id_:
                    answer = NoteAnswer(
                        origin=origin,
                        document=id_,
                        answerer=event.sender.code,
                        answer=event.document,
                    )
                    yield consultation, id_, answer
        case ConsultationAnswered():
            answered = NoteConsultationAnswer(
                origin=origin,
                dossier=event.dossier,
                calendar=calendar,
                limits=limits,
                document=event.document,
                answerer=event.answerer,
                answer=event.answer,
            )
            yield dossier, event.dossier, answered
        case PaymentPaid() if event.dossier:
            fulfilled = FulfilObligation(
                origin=origin,
                dossier=event.dossier,
                calendar=calendar,
                limits=limits,
                obligation=event.obligation,
                means="online",
                reference=event.payment,
            )
            yield dossier, event.dossier, fulfilled


def fall_due(
    row: Watched, origin: Origin, calendar: Calendar, limits: Limits
) -> tuple[Decider[Any, Any, Any], str, NoteDueSoon | NoteApologyDrafted | NoteOverdue]:
    """What follows when a moment of the clock has come: a warning, an apology, that it is late.

    However late we are ourselves: what is said goes by the moment, not by when the schedule rang.
    """
    kinds: dict[str | None, type[NoteDueSoon | NoteApologyDrafted | NoteOverdue]] = {
        "warning": NoteDueSoon,
        "apology": NoteApologyDrafted,
    }
    note = kinds.get(row.word(origin.at), NoteOverdue)(
        origin=origin,
        dossier=row.dossier,
        calendar=calendar,
        limits=limits,
        due_at=row.clock.due_at,
    )
    return dossier, row.dossier, note
