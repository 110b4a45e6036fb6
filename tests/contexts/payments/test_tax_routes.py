"""The tax register over HTTP: asked by guarded posts, believed only where it makes sense."""

import json
import os
from threading import Event
from unittest import mock
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from contexts.dossiers.counter import Context, Person, follow, origin
from contexts.payments.demo_providers import SECRET, terms, vnpay_ipn
from deployed import on_moto
from gateway import Gateway
from receivers import receiver
from tax_register import DEBTS, TaxRegister, answer

from app import app
from chalicelib import runtime, workers
from chalicelib.contexts.payments.domain.commands import Limits
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.contexts.payments.domain.tax_enquiry import AskTaxRegister, tax_enquiry
from chalicelib.contexts.payments.people import person
from chalicelib.contexts.payments.projections import (
    do_the_books_agree,
    which_tax_enquiries_wait,
)
from chalicelib.handle import fold, handle

CODE, NUMBER = next(iter(DEBTS))
PATH = "/payments/tax-enquiries"
ASKED = {"code": CODE, "identity_number": NUMBER}
CITIZEN = Person("citizen", "demo-tax-payer")
STRANGER = Person("citizen", "demo-stranger")
CLERK = Person("officer", "demo-clerk", "Z02")
OTHERS_CLERK = Person("officer", "demo-other", "Z03")
AUDITOR = Person("auditor", "demo-auditor")
UNKNOWN = (404, "tax-enquiry-unknown")
GOOD = answer(DEBTS, {"MA_HS": CODE, "SO_CMT": NUMBER})


@pytest.fixture(autouse=True, scope="module")
def backbone():
    with on_moto():
        yield


def asking(url, **more):
    """A deployment that asks the register at `url`, and again as soon as it can."""
    register = {"url": url, "agency": "Z01"} | more
    chosen = {"tax_register": register, "limits": {"tax_pause_s": 0}}
    local = {"PAYMENTS": json.dumps(chosen), "ALLOW_LOOPBACK": "1"}
    runtime.settings.cache_clear()
    runtime.sender.cache_clear()
    return mock.patch.dict(os.environ, local)


@pytest.fixture
def register():
    with TaxRegister() as running, asking(running.url):
        yield


@pytest.fixture
def strange():
    """A register that answers whatever it is told to."""
    with receiver() as system, asking(system.url):
        yield system


def says(system, said, status=200):
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    system.answer = lambda _post: (status, {}, body)


def minute():
    """The schedule rings `pay`."""
    follow()
    runtime.projector().follow(which_tax_enquiries_wait.answer)
    workers.pay({"Records": []}, Context)


def paid_by(id_):
    return fold(payment, runtime.event_store().load(f"payment-{id_}"))


def test_what_is_owed_can_be_paid(register):
    found = CITIZEN.ask("POST", PATH, ASKED)
    assert found.status == 201
    assert NUMBER not in found.text
    said = found.json
    assert (said["status"], said["outcome"], said["total"]) == ("answered", "owed", 7_500_000)
    assert [row["subsection"] for row in said["rows"]] == ["2801", "1006"]
    assert said["rows"][0]["particulars"] == {
        "tax_account": "DEMO-SO-1",
        "sheet": "1",
        "parcel": "2",
    }
    assert (said["rows"][0]["decided_on"], said["rows"][0]["due_on"]) == (
        "2026-06-01",
        "2026-06-30",
    )
    follow()
    asked = [paid_by(row["payment"]) for row in said["rows"]]
    assert [one.amount for one in asked] == [1_500_000, 6_000_000]
    assert asked[0].payee.bank == "0000"
    # Asked anew, what is owed is the same.
    again = CITIZEN.do("POST", PATH, ASKED)
    assert [row["payment"] for row in again["rows"]] == [row["payment"] for row in said["rows"]]
    follow()
    assert len(runtime.event_store().load(f"payment-{said['rows'][0]['payment']}")) == 1


def test_who_sees_an_enquiry(register):
    place = CITIZEN.ask("POST", PATH, ASKED).headers["Location"]
    assert CITIZEN.get(place)["rows"][0]["particulars"]["tax_account"] == "DEMO-SO-1"
    assert AUDITOR.get(place)["rows"][0]["particulars"] is None
    for other in (STRANGER, CLERK):
        assert other.refused("GET", place) == UNKNOWN
    theirs = CLERK.ask("POST", PATH, ASKED).headers["Location"]
    assert CLERK.get(theirs)["status"] == "answered"
    assert OTHERS_CLERK.refused("GET", theirs) == UNKNOWN
    assert CLERK.refused("GET", f"{PATH}/nothing") == UNKNOWN
    for_them = CLERK.ask("POST", PATH, ASKED | {"account": CITIZEN.subject}).headers["Location"]
    assert CITIZEN.get(for_them)["status"] == "answered"


def pay(who, path):
    """They pay with a provider, which tells us so."""
    begun = who.do("POST", f"{path}/transactions", {"provider": "demo"})
    amount = f"{begun['amount'] * 100}"
    ipn = vnpay_ipn(
        vnp_TxnRef=begun["transaction"], vnp_Amount=amount, vnp_TransactionNo=begun["transaction"]
    )
    told = Gateway(app).call("GET", f"/payments/notices/demo?{urlencode(ipn)}")
    assert told.json["RspCode"] == "00"


def test_whoever_asks_first_the_person_concerned_can_pay(register):
    wanted = terms("vnpay").model_dump(exclude_unset=True) | {"secret": SECRET}
    Person("administrator", "demo-chief").do("PUT", "/payment-providers/demo", wanted)
    # An officer who names nobody that can sign in asks nobody for money.
    shown = CLERK.do("POST", PATH, ASKED)
    assert [row["payment"] for row in shown["rows"]] == [None, None]
    paths = {}
    for who, asked in ((STRANGER, ASKED), (CITIZEN, ASKED)):
        row = who.do("POST", PATH, asked)["rows"][0]
        paths[who] = f"/payments/{row['payment']}"
    for_them = CLERK.do("POST", PATH, ASKED | {"account": CITIZEN.subject})["rows"][0]
    assert f"/payments/{for_them['payment']}" == paths[CITIZEN]
    follow()
    assert STRANGER.refused("GET", paths[CITIZEN]) == (404, "payment-unknown")
    for who, path in paths.items():
        pay(who, path)
        assert who.get(path)["status"] == "paid"
        follow()
        runtime.projector().follow(do_the_books_agree.answer)
        wrong = AUDITOR.get("/ledger/disagreements")["items"]
        expected = [] if who is STRANGER else [(for_them["payment"], "paid_twice")]
        assert [(one["payment"], one["how"]) for one in wrong] == expected


def test_who_is_not_found_owes_nothing_here(register):
    said = CITIZEN.do("POST", PATH, ASKED | {"identity_number": "DEMO-000000002"})
    assert (said["outcome"], said["total"], said["rows"]) == ("not_found", 0, [])


ROW = DEBTS[CODE, NUMBER][0]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        pytest.param(b"<xml/>", "unreadable", id="not JSON"),
        pytest.param(b"[]", "unreadable", id="no message"),
        pytest.param(GOOD | {"TRAN_CODE": "05012"}, "other_message", id="another message"),
        pytest.param(GOOD | {"TRANGTHAI": "99"}, "unknown_status", id="an unknown TRANGTHAI"),
        pytest.param(GOOD | {"TRANGTHAI": None}, "unknown_status", id="no TRANGTHAI"),
        pytest.param(GOOD | {"TONG_SO_CON_PHAI_NOP": 1}, "wrong_sum", id="a wrong sum"),
        pytest.param(GOOD | {"TONG_SO_CON_PHAI_NOP": "x"}, "wrong_sum", id="no sum"),
        pytest.param(GOOD | {"DS_SO_THUE": [ROW, ROW]}, "wrong_row", id="a row that stands twice"),
        pytest.param(GOOD | {"DS_SO_THUE": "x"}, "wrong_row", id="no rows"),
        pytest.param(
            GOOD | {"DS_SO_THUE": [ROW | {"HAN_NOP": "31/02/2026"}]}, "wrong_row", id="no such day"
        ),
        pytest.param(
            GOOD | {"DS_SO_THUE": [ROW | {"SO_CON_PHAI_NOP": -1}]}, "wrong_row", id="a credit"
        ),
    ],
)
def test_a_bad_answer_is_refused_and_recorded(strange, said, why):
    says(strange, said)
    key = str(uuid4())
    found = CITIZEN.do("POST", PATH, ASKED, key=key)
    assert (found["status"], found["why"]) == ("refused", why)
    assert "rows" not in found
    # The same question again asks again: the register may have been mended.
    says(strange, GOOD)
    assert CITIZEN.do("POST", PATH, ASKED, key=key)["status"] == "answered"
    assert CITIZEN.do("POST", PATH, ASKED, key=key)["status"] == "answered"
    assert len(strange.posts) == 2


def test_a_register_that_does_not_answer_refuses_nothing_and_is_asked_again(strange):
    says(strange, b"", status=503)
    found = CITIZEN.do("POST", PATH, ASKED)
    assert (found["status"], found["why"]) == ("unavailable", "http-503")
    assert found["ask_at"]
    says(strange, GOOD)
    minute()
    said = CITIZEN.get(f"{PATH}/{found['enquiry']}")
    assert (said["status"], said["total"]) == ("answered", 7_500_000)
    minute()
    assert len(strange.posts) == 2


def test_if_who_asked_died_on_it_it_is_asked_all_the_same(strange):
    says(strange, GOOD)
    wish = AskTaxRegister(
        origin=origin(),
        enquiry="demo",
        subject=person(CITIZEN.subject),
        **ASKED,
        limits=Limits(tax_pause_s=0),
    )
    handle(runtime.event_store(), tax_enquiry, "demo", wish)
    minute()
    assert CITIZEN.get(f"{PATH}/demo")["status"] == "answered"


def test_nobody_is_asked_about_who_was_forgotten(strange):
    says(strange, b"", status=503)
    who = Person("citizen", "demo-forgotten")
    found = who.do("POST", PATH, ASKED)
    runtime.client("dynamodb").delete_item(
        TableName=runtime.table("subject_keys"), Key={"subject": {"S": person(who.subject)}}
    )
    runtime.vault.cache_clear()
    runtime.event_store.cache_clear()
    minute()
    assert len(strange.posts) == 1
    assert who.get(f"{PATH}/{found['enquiry']}")["why"] == "person-forgotten"


def test_who_asks_does_not_wait_for_long(strange):
    over = Event()
    strange.answer = lambda _post: (over.wait(), (200, {}, b""))[1]
    with asking(strange.url, patience_s=0.2):
        found = CITIZEN.do("POST", PATH, ASKED)
    over.set()
    assert found["status"] == "unavailable"
    assert found["ask_at"]


def test_a_deployment_that_asks_no_register_any_more_asks_nobody(strange):
    says(strange, b"", status=503)
    found = CITIZEN.do("POST", PATH, ASKED)
    with mock.patch.dict(os.environ, {"PAYMENTS": "{}"}):
        minute()
    assert len(strange.posts) == 1
    assert CITIZEN.get(f"{PATH}/{found['enquiry']}")["status"] == "unavailable"


def test_the_question_is_what_is_configured_and_its_body_alone_names_the_person(strange):
    says(strange, GOOD)
    CITIZEN.do("POST", PATH, ASKED)
    (post,) = strange.posts
    assert json.loads(post.body) == {
        "TRAN_CODE": "05010",
        "TYPE": "00109",
        "MA_HS": CODE,
        "SO_CMT": NUMBER,
    }
    assert NUMBER not in post.path + str(post.headers)


def test_nobody_asks_without_a_register():
    refused = CITIZEN.refused("POST", PATH, ASKED)
    assert refused == (409, "tax-register-not-configured")


def test_a_person_is_the_same_however_their_number_is_written(register):
    first, again = (
        CLERK.do("POST", PATH, ASKED | {"identity_number": number})["enquiry"]
        for number in (NUMBER, NUMBER.replace("-", "").lower())
    )
    events = runtime.event_store()
    whose = [fold(tax_enquiry, events.load(f"tax_enquiry-{id_}")) for id_ in (first, again)]
    assert whose[0].subject == whose[1].subject != ""


@pytest.mark.parametrize("number", ["1'--", "------"])
def test_a_number_is_a_number(register, number):
    refused = CITIZEN.refused("POST", PATH, {"code": CODE, "identity_number": number})
    assert refused == (422, "invalid-request")
