"""What follows from dossiers' own events, and from documents that answer."""

from datetime import date

from contexts.documents.demo_documents import sent
from contexts.dossiers.demo_dossiers import DESK, ID, MONDAY, OTHER, SUBJECT, live, origin

from chalicelib.contexts.documents import consultations
from chalicelib.contexts.documents.domain.document import SendDocument, document
from chalicelib.contexts.documents.domain.events import Answered, document_id
from chalicelib.contexts.dossiers.domain.commands import (
    AcceptDossier,
    ConsultAgencies,
    ForwardStep,
    FulfilObligation,
    Limits,
    NoteConsultationAnswer,
    SubmitDossier,
)
from chalicelib.contexts.dossiers.domain.component import NoteReuse, component
from chalicelib.contexts.dossiers.domain.consultation import (
    NoteAnswer,
    OpenConsultation,
    consultation,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import ConsultationAnswered, DossierComponentReused
from chalicelib.contexts.dossiers.reactions import react
from chalicelib.contexts.payments.domain.events import PaymentPaid
from chalicelib.working_time import Calendar

ORIGIN = origin()
TERMS = {"calendar": Calendar(late_at="14:00"), "limits": Limits(answer_s=1)}
REFERENCE = f"{DESK},2026/06/01,17/TVLK"
DOCUMENT = document_id(DESK, date(2026, 6, 1), "17", "TVLK")
named = {
    "document": DOCUMENT,
    "reference": REFERENCE,
    "question": "Demo question",
    "names": {DESK: "Demo desk", OTHER: "Demo other"},
}


def after(event):
    return list(react(event, ORIGIN, **TERMS))


def asked():
    """A question about a dossier, which names its document."""
    lives = (SubmitDossier, AcceptDossier, ForwardStep, (ConsultAgencies, named))
    return live(*lives)[0][-1]


def test_a_question_waits_for_its_answers():
    command = OpenConsultation(
        origin=ORIGIN, document=DOCUMENT, dossier=ID, agency=DESK, asked=(OTHER,)
    )
    assert after(asked()) == [(consultation, DOCUMENT, command)]


def test_a_question_is_sent_as_a_document_under_the_name_it_was_given():
    decider, id_, command = consultations.asking(asked(), ORIGIN)
    assert (decider, id_) == (document, DOCUMENT)
    assert isinstance(command, SendDocument)
    assert command.agency == command.sender.code == DESK
    assert [(party.code, party.name) for party in command.receivers] == [(OTHER, "Demo other")]
    official = command.official
    assert (official.reference, official.number, official.notation) == (REFERENCE, "17", "TVLK")
    assert official.promulgated_on == date(2026, 6, 1)
    assert official.content == "Demo question"
    assert SUBJECT not in command.model_dump_json()


def test_a_document_that_answers_is_noted_once_for_each_that_it_answers():
    answers = tuple(
        Answered(agency=DESK, code="17/TVLK", promulgated_on=None, reference="", document=id_)
        for id_ in (DOCUMENT, DOCUMENT, "", "other")
    )
    official = sent.official.model_copy(update={"answers": answers})
    noted = after(sent.model_copy(update={"official": official}))
    assert noted == [
        (
            consultation,
            id_,
            NoteAnswer(
                origin=ORIGIN, document=id_, answerer=sent.sender.code, answer=sent.document
            ),
        )
        for id_ in (DOCUMENT, "other")
    ]
    assert after(sent) == []


def test_an_answer_moves_its_dossier_under_the_deployments_terms():
    event = ConsultationAnswered(
        document=DOCUMENT, dossier=ID, answerer=OTHER, answer="doc-2", at=MONDAY
    )
    command = NoteConsultationAnswer(
        origin=ORIGIN, dossier=ID, document=DOCUMENT, answerer=OTHER, answer="doc-2", **TERMS
    )
    assert after(event) == [(dossier, ID, command)]


def test_a_dossier_goes_on_once_its_obligation_is_paid():
    paid = PaymentPaid(
        payment="demo-payment",
        agency=DESK,
        at=MONDAY,
        dossier=ID,
        obligation="nvtc-1",
        subject=SUBJECT,
        lines=(),
        amount=50_000,
    )
    fulfilled = FulfilObligation(
        origin=ORIGIN,
        dossier=ID,
        obligation="nvtc-1",
        means="online",
        reference="demo-payment",
        **TERMS,
    )
    assert after(paid) == [(dossier, ID, fulfilled)]
    assert after(paid.model_copy(update={"dossier": "", "obligation": ""})) == []


def test_a_reuse_is_noted_with_the_paper():
    filed = live(SubmitDossier)[0][0]
    common = filed.model_dump(include=set(DossierComponentReused.model_fields) - {"type"})
    event = DossierComponentReused(
        **common | {"component": "KQ000001", "digitised": "paper-1", "subject": SUBJECT}
    )
    note = NoteReuse(origin=ORIGIN, dossier=ID)
    assert after(event) == [(component, "paper-1", note)]
