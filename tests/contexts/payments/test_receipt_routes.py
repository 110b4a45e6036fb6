"""From the money to the paper: receipts over HTTP, checked by whoever holds one."""

import io
from datetime import UTC, datetime
from uuid import uuid4

import pypdf
import pytest
from contexts.dossiers.counter import Person, follow, origin
from deployed import on_moto
from gateway import Gateway
from paper import printed, scanned

from app import app
from chalicelib import runtime
from chalicelib.contexts.agencies.domain.agency import RegisterAgency, agency
from chalicelib.contexts.payments.domain.commands import (
    InitiateTransaction,
    NoteSuccess,
    RequestPayment,
)
from chalicelib.contexts.payments.domain.events import Line, Part, Payer, PaymentRefundSettled
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.contexts.payments.domain.receipt import receipt_id
from chalicelib.contexts.payments.people import person
from chalicelib.contexts.payments.projections import which_receipts_were_issued
from chalicelib.contexts.payments.receipts.reactions import react
from chalicelib.handle import handle

AGENCY = "Z01"
NAME, NUMBER = "Demo Payer", "DEMO-000000001"
PAYER = Person("citizen", "demo-payer")
STRANGER = Person("citizen", "demo-stranger")
CLERK = Person("officer", "demo-cashier", AGENCY)
SYSTEM = Person("system", "demo-system", AGENCY)
OTHERS_CLERK = Person("officer", "demo-other", "Z02")
AUDITOR = Person("auditor", "demo-auditor")
UNKNOWN = (404, "receipt-unknown")
LINES = (
    Line(code="D1", name="Demo fee", kind="fee", amount=120_000),
    Line(code="D2", name="Demo charge", kind="charge", amount=30_000),
)


@pytest.fixture(autouse=True, scope="module")
def office():
    with on_moto():
        for code in (AGENCY, "Z02"):
            registered = RegisterAgency(
                origin=origin(), code=code, name=f"Demo agency {code}", source="demo data"
            )
            handle(runtime.event_store(), agency, code, registered)
        yield


def paid():
    """The id of a payment that was asked for and paid."""
    store, id_ = runtime.event_store(), uuid4().hex[:26]
    subject, name = person(PAYER.subject), Payer(name=NAME, identity_number=NUMBER)
    asked = RequestPayment(
        origin=origin(),
        payment=id_,
        agency=AGENCY,
        subject=subject,
        payer=name,
        lines=LINES,
        amount=150_000,
    )
    handle(store, payment, id_, asked)
    begun = InitiateTransaction(
        origin=origin(), payment=id_, subject=subject, provider="demo", payer=name
    )
    data = handle(store, payment, id_, begun).commit.data()
    success = NoteSuccess(
        origin=origin(),
        payment=id_,
        transaction=data[0]["transaction"],
        provider="demo",
        learnt="notice",
        provider_reference="P1",
        amount=150_000,
        paid_at=datetime.now(UTC),
    )
    handle(store, payment, id_, success)
    follow()
    return id_


@pytest.fixture(scope="module")
def path():
    return f"/receipts/{receipt_id(paid(), 'fee')}"


def fresh(kind="fee"):
    return f"/receipts/{receipt_id(paid(), kind)}"


def check(link):
    """What anybody who scanned the code is told."""
    return Gateway(app).call("GET", link)


def test_who_paid_who_issued_it_and_who_audits_see_it(path):
    for reader in (PAYER, CLERK, SYSTEM, AUDITOR):
        found = reader.get(path)
        named = {"name": NAME, "identity_number": NUMBER, "address": ""}
        assert found["payer"] == (None if reader is AUDITOR else named)
        assert (found["kind"], found["status"], found["amount"]) == ("fee", "issued", 120_000)
        assert [line["code"] for line in found["lines"]] == ["D1"]
    for other in (STRANGER, OTHERS_CLERK):
        assert other.refused("GET", path) == UNKNOWN
        assert other.refused("GET", f"{path}/paper") == UNKNOWN
    assert CLERK.refused("GET", "/receipts/nothing") == UNKNOWN
    assert CLERK.refused("GET", "/receipts/a-b") == UNKNOWN


def test_each_payment_has_one_set_and_numbers_have_no_gaps():
    before = CLERK.get(fresh("charge"))["number"]
    receipts = [CLERK.get(fresh(kind)) for kind in ("charge", "charge")]
    numbers = [receipt["number"] for receipt in receipts]
    assert numbers == [before + 1, before + 2]
    counter = f"receipt/{receipts[-1]['series']}"
    counted = runtime.event_store().shelf.counter(counter)
    # A wake-up that comes again uses up nothing.
    follow()
    assert counted >= numbers[-1]
    assert counted == runtime.event_store().shelf.counter(counter)


def test_the_page_and_the_pdf_say_the_same_and_lead_to_the_check(path):
    page = PAYER.ask("GET", f"{path}/paper")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    found = PAYER.get(f"{path}/paper?format=pdf")
    key = found["url"].split("/staging/")[1].partition("?")[0]
    data = runtime.client("s3").get_object(Bucket="staging", Key=key)["Body"].read()
    assert NAME not in found["url"]
    assert len(pypdf.PdfReader(io.BytesIO(data)).pages) == 1
    for said in (NAME, NUMBER, "Demo agency Z01", "Một trăm hai mươi nghìn đồng", "120.000 đồng"):
        assert said in page.text
        assert said.replace(" ", "") in printed(data)
    (link,) = scanned(data)
    assert link == PAYER.get(path)["check"]
    assert check(link).json["status"] == "issued"


def test_an_auditor_reads_the_paper_without_who_paid(path):
    text = AUDITOR.ask("GET", f"{path}/paper").text
    assert "120.000" in text
    assert NAME not in text
    assert NUMBER not in text


def test_anybody_with_the_paper_learns_that_it_is_good_and_not_whose_it_is(path):
    answer = check(PAYER.get(path)["check"])
    said = answer.json
    assert (said["status"], said["amount"], said["kind"]) == ("issued", 120_000, "fee")
    assert said["agency_name"] == "Demo agency Z01"
    stream, _, number = said["seen"].rpartition("@")
    commit = runtime.event_store().commits([(stream, int(number))])[stream, int(number)]
    assert commit.data()[0]["number"] == said["number"]
    for personal in (NAME, NUMBER, "person:"):
        assert personal not in answer.text


@pytest.mark.parametrize("code", ["", "?code=", "?code=aaaaaaaaaa", "?code=đ"])
def test_a_wrong_word_and_a_wrong_receipt_are_answered_alike(path, code):
    answers = [check(f"{path}/check{code}"), check(f"/receipts/nothing/check{code}")]
    assert [(a.status, a.json["code"]) for a in answers] == [UNKNOWN, UNKNOWN]


def test_a_wrong_name_is_put_right_under_a_new_number():
    path = fresh()
    old = CLERK.get(path)
    asked = {"replaces": old["number"], "payer": {"name": "Demo Payer the Second"}, "reason": "x"}
    assert OTHERS_CLERK.refused("POST", f"{path}/replacement", asked) == (403, "not-your-receipt")
    key = str(uuid4())
    CLERK.do("POST", f"{path}/replacement", asked, key=key)
    CLERK.do("POST", f"{path}/replacement", asked, key=key)
    refused = CLERK.refused("POST", f"{path}/replacement", asked)
    assert refused == (409, "receipt-replaced")
    new = CLERK.get(path)
    assert new["number"] == old["number"] + 1
    assert new["payer"]["name"] == "Demo Payer the Second"
    assert [former["number"] for former in new["former"]] == [old["number"]]
    assert check(old["check"]).json["status"] == "replaced"
    assert check(old["check"]).json["amount"] == 0
    assert check(new["check"]).json["status"] == "issued"
    assert check(new["check"]).json["seen"] != check(old["check"]).json["seen"]
    text = CLERK.ask("GET", f"{path}/paper").text
    assert f"số {old['number']:07}" in text
    assert "Demo Payer the Second" in text


def test_lines_are_put_right_but_not_their_sum():
    path = fresh()
    number = CLERK.get(path)["number"]
    line = {"code": "D9", "name": "Demo fee, rightly named", "amount": 120_000}
    asked = {"replaces": number, "reason": "demo", "lines": [line | {"amount": 1}]}
    refused = CLERK.refused("POST", f"{path}/replacement", asked)
    assert refused == (422, "receipt-lines-wrong")
    CLERK.do("POST", f"{path}/replacement", asked | {"lines": [line]})
    assert CLERK.get(path)["lines"][0]["code"] == "D9"
    assert CLERK.get(path)["payer"]["name"] == NAME


def test_a_mistake_is_taken_back_and_the_paper_says_so():
    path = fresh()
    link = CLERK.get(path)["check"]
    asked = {"reason": "demo"}
    refused = OTHERS_CLERK.refused("PUT", f"{path}/cancellation", asked)
    assert refused == (403, "not-your-receipt")
    CLERK.do("PUT", f"{path}/cancellation", asked)
    CLERK.do("PUT", f"{path}/cancellation", asked)
    assert CLERK.get(path)["status"] == "cancelled"
    assert (check(link).json["status"], check(link).json["amount"]) == ("cancelled", 0)
    assert "ĐÃ HỦY" in CLERK.ask("GET", f"{path}/paper").text


def test_the_paper_of_what_was_given_back_in_part_says_what_is_left():
    path = fresh()
    found = CLERK.get(path)
    settled = PaymentRefundSettled(
        payment=found["payment"],
        agency=AGENCY,
        at=datetime.now(UTC),
        refund="demo-refund",
        provider="demo",
        provider_reference="R1",
        amount=20_000,
        parts=(Part(kind="fee", amount=20_000),),
    )
    for follow_up in react(settled, origin()):
        handle(runtime.event_store(), *follow_up)
    assert CLERK.get(path)["left"] == 100_000
    text = CLERK.ask("GET", f"{path}/paper").text
    assert "Đã hoàn trả" in text
    assert "100.000 đồng (Một trăm nghìn đồng)" in text
    assert check(found["check"]).json["amount"] == 100_000


def test_an_agency_lists_its_own_and_an_auditor_anybodys():
    path = fresh()
    runtime.projector().follow(which_receipts_were_issued.answer)
    newest = CLERK.get("/receipts?kind=fee&limit=1")["items"]
    assert [f"/receipts/{row['receipt']}" for row in newest] == [path]
    assert {row["kind"] for row in CLERK.get("/receipts")["items"]} == {"fee", "charge"}
    assert AUDITOR.get("/receipts?agency=Z01&kind=fee&limit=1")["items"] == newest
    assert OTHERS_CLERK.get("/receipts")["items"] == []
    refused = OTHERS_CLERK.refused("GET", "/receipts?agency=Z01")
    assert refused == (403, "not-your-receipt")
    assert PAYER.refused("GET", "/receipts") == (403, "role-not-allowed")
    assert NAME not in CLERK.ask("GET", "/receipts").text


def test_who_was_forgotten_is_blank_on_paper():
    path = fresh()
    subject = person(PAYER.subject)
    runtime.client("dynamodb").delete_item(
        TableName=runtime.table("subject_keys"), Key={"subject": {"S": subject}}
    )
    runtime.vault.cache_clear()
    runtime.event_store.cache_clear()
    assert CLERK.get(path)["payer"] is None
    assert "Người nộp tiền" in CLERK.ask("GET", f"{path}/paper").text
    assert NAME not in CLERK.ask("GET", f"{path}/paper").text
