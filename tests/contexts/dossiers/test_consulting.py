"""Another agency's opinion comes over the axis: a document asks, its answer moves the dossier."""

from uuid import uuid4

import pytest
from contexts.dossiers.counter import (
    AUDITOR,
    CITIZEN,
    CLERK,
    OTHERS_CLERK,
    SPECIALIST,
    Person,
    follow,
    merge,
    open_counter,
    origin,
    processing,
)
from contexts.dossiers.demo_dossiers import DESK, OTHER, live
from contexts.dossiers.demo_dossiers import origin as said_by
from deployed import on_moto

from chalicelib import runtime
from chalicelib.contexts.agencies.domain.agency import RegisterAgency, agency
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.documents import consultations
from chalicelib.contexts.documents.domain.events import document_id
from chalicelib.contexts.dossiers.domain.commands import (
    AcceptDossier,
    ConsultAgencies,
    ForwardStep,
    SubmitDossier,
)
from chalicelib.handle import handle
from chalicelib.working_time import HANOI

THIRD = "Z03"
QUESTION = {"asked": [OTHER], "question": "Demo: is this so?"}


@pytest.fixture(autouse=True, scope="module")
def counter():
    with on_moto():
        open_counter()
        open_counter(desk=THIRD, code="1.000003")
        yield


def consulting(**changes):
    """The path of a dossier about which another agency is asked, and what it shows of that."""
    path = processing()
    SPECIALIST.do("POST", f"{path}/consultations", QUESTION | changes)
    [shown] = CITIZEN.get(path)["consultations"]
    return path, shown


def register(code, **fields):
    """An agency in the register."""
    entry = RegisterAgency(
        origin=origin(), code=code, name=f"Demo {code}", source="demo data", **fields
    )
    handle(runtime.event_store(), agency, code, entry)


def answer(code, reference):
    """The agency sends a document that answers the one so named."""
    body = {
        "number": str(uuid4().int)[:9],
        "notation": "CV-DEMO",
        "promulgated_on": "2026-06-02",
        "subject": "Demo: it is so",
        "receivers": [DESK],
        "answers": [reference],
    }
    sender = Person("system", f"demo-{code}", code)
    return sender.ask("POST", "/documents", body).headers["Location"].removeprefix("/documents/")


def test_a_question_goes_over_the_axis_as_a_document_and_its_answer_moves_the_dossier():
    path, asked = consulting()
    assert CITIZEN.get(path)["status"] == "consulting"
    follow()
    on = runtime.now().astimezone(HANOI).date()
    number = asked["reference"].split(",")[2].removesuffix("/TVLK")
    assert asked["document"] == document_id(DESK, on, number, "TVLK")
    sent = OTHERS_CLERK.get(f"/documents/{asked['document']}")
    assert sent["official"]["reference"] == asked["reference"]
    assert sent["official"]["content"] == QUESTION["question"]
    assert CITIZEN.get(path)["code"] in sent["official"]["subject"]
    assert sent["sender"] == {"code": DESK, "name": f"Demo agency {DESK}"}
    copy = OTHERS_CLERK.get(f"/documents/{asked['document']}/copies/{OTHER}")
    assert copy["status"] == "opened"
    replied = answer(OTHER, asked["reference"])
    follow()
    shown = CITIZEN.get(path)
    assert shown["status"] == "processing"
    assert shown["consultations"][0]["answers"] == {OTHER: replied}
    assert shown["consultations"][0]["missing"] == []
    again = answer(OTHER, asked["reference"])
    follow()
    assert again != replied
    assert CITIZEN.get(path) == shown


def test_the_applicants_name_is_in_no_document():
    path, asked = consulting()
    follow()
    sent = CLERK.ask("GET", f"/documents/{asked['document']}").text
    assert CITIZEN.get(path)["applicant"]["name"] not in sent


def test_all_who_were_asked_must_answer_or_the_desk_goes_on():
    path, asked = consulting(asked=[OTHER, THIRD])
    follow()
    answer(THIRD, asked["reference"])
    follow()
    assert CITIZEN.get(path)["consultations"][0]["missing"] == [OTHER]
    assert CITIZEN.get(path)["status"] == "consulting"
    where = f"{path}/consultations/{asked['document']}/closure"
    SPECIALIST.do("PUT", where)
    assert CITIZEN.get(path)["status"] == "processing"


def test_an_answer_of_somebody_else_moves_nothing():
    path, asked = consulting()
    follow()
    answer(THIRD, asked["reference"])
    follow()
    assert CITIZEN.get(path)["status"] == "consulting"


def test_a_merged_agency_is_asked_through_its_successor():
    gone = "Z74"
    register(gone)
    merge(gone, OTHER)
    _, asked = consulting(asked=[gone, OTHER])
    assert asked["asked"] == [OTHER]


def test_the_successor_answers_for_who_was_asked_and_merged_then():
    gone, also, heir = "Z81", "Z82", "Z83"
    for code in (gone, also, heir):
        register(code)
    path, asked = consulting(asked=[gone, OTHER, also])
    follow()
    answer(heir, asked["reference"])
    follow()
    assert CITIZEN.get(path)["consultations"][0]["missing"] == [gone, OTHER, also]
    merge(gone, heir)
    merge(also, heir)
    replied = answer(heir, asked["reference"])
    follow()
    [shown] = CITIZEN.get(path)["consultations"]
    assert shown["missing"] == [OTHER]
    assert shown["answers"] == {gone: replied, also: replied}
    answer(OTHER, asked["reference"])
    follow()
    assert CITIZEN.get(path)["status"] == "processing"


def test_saying_it_twice_asks_once():
    path, key = processing(), str(uuid4())
    for _ in range(2):
        SPECIALIST.do("POST", f"{path}/consultations", QUESTION, key=key)
    assert len(CITIZEN.get(path)["consultations"]) == 1
    SPECIALIST.do("POST", f"{path}/consultations", QUESTION)
    assert len(CITIZEN.get(path)["consultations"]) == 2


@pytest.mark.parametrize(
    ("who", "changes", "refusal"),
    [
        pytest.param(SPECIALIST, {"asked": ["Z99"]}, (422, "asked-agency-unknown"), id="nobody"),
        pytest.param(SPECIALIST, {"asked": [DESK]}, (422, "asks-itself"), id="itself"),
        pytest.param(SPECIALIST, {"asked": []}, (422, "invalid-request"), id="none"),
        pytest.param(
            SPECIALIST, {"question": "Độ mật: Tối mật"}, (422, "question-secret"), id="a secret"
        ),
        pytest.param(CLERK, {}, (403, "not-your-step"), id="who does not have the step"),
        pytest.param(
            Person("officer", "demo", "Z98"), {}, (409, "asker-unknown"), id="for nobody we know"
        ),
        pytest.param(AUDITOR, {}, (403, "role-not-allowed"), id="an auditor"),
    ],
)
def test_what_is_not_asked(who, changes, refusal):
    body = QUESTION | changes
    assert who.refused("POST", f"{processing()}/consultations", body) == refusal


def test_an_early_event_that_names_no_document_sends_none():
    events, _ = live(SubmitDossier, AcceptDossier, ForwardStep, ConsultAgencies)
    assert consultations.asking(events[-1], said_by()) is None


def test_the_register_knows_who_is_there_on_the_day():
    register("Z75", valid_from="2999-01-01")
    register("Z76", valid_to="2020-01-01")
    today = Register(runtime.now())
    assert today.heir(OTHER).name == f"Demo agency {OTHER}"
    assert [today.heir(code) for code in ("Z75", "Z76", "Z77")] == [None, None, None]
