import pytest
from contexts.dossiers.demo_dossiers import DESK, ID, MONDAY, OTHER, origin
from specification import Given

from chalicelib.contexts.dossiers.domain.consultation import (
    NoteAnswer,
    OpenConsultation,
    consultation,
)
from chalicelib.contexts.dossiers.domain.events import ConsultationAnswered, ConsultationOpened

open_it = OpenConsultation(
    origin=origin(), document="doc-1", dossier=ID, agency=DESK, asked=(OTHER, "Z03")
)
opened = ConsultationOpened(
    document="doc-1", dossier=ID, agency=DESK, asked=(OTHER, "Z03"), at=MONDAY
)
answered = ConsultationAnswered(
    document="doc-1", dossier=ID, answerer=OTHER, answer="doc-2", at=MONDAY
)


def answer(by=OTHER, *in_place_of):
    return NoteAnswer(
        origin=origin(), document="doc-1", answerer=by, answer="doc-2", in_place_of=in_place_of
    )


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], open_it, [opened], id="a dossier waits for answers"),
        pytest.param([opened], open_it, [], id="opened once"),
        pytest.param([opened], answer(), [answered], id="an answer came"),
        pytest.param([opened, answered], answer(), [], id="its second answer changes nothing"),
        pytest.param(
            [opened, answered],
            answer("Z03"),
            [answered.model_copy(update={"answerer": "Z03"})],
            id="the other agency's answer",
        ),
        pytest.param([opened], answer("Z04", OTHER), [answered], id="who took its place answers"),
        pytest.param(
            [opened],
            answer("Z03", OTHER, "Z03"),
            [answered, answered.model_copy(update={"answerer": "Z03"})],
            id="who took its place was asked too",
        ),
        pytest.param([opened, answered], answer("Z04", OTHER), [], id="it had answered itself"),
        pytest.param([opened], answer("Z04", "Z05"), [], id="for one that nobody asked"),
        pytest.param([], answer("Z04", OTHER), [], id="for another, and it concerns no dossier"),
        pytest.param([], answer(), [], id="a document that concerns no dossier"),
        pytest.param([opened], answer("Z04"), [], id="an agency nobody asked"),
    ],
)
def test_consultation(given, when, then):
    Given(consultation, *given).when(when).then(then)
