"""Payments over HTTP, with the demo provider beside: who may ask what, and what comes of it."""

import json
import os
from datetime import timedelta
from unittest import mock
from uuid import uuid4

import pytest
from contexts.dossiers.counter import CITIZEN as APPLICANT
from contexts.dossiers.counter import (
    SPECIALIST,
    Context,
    Person,
    follow,
    open_counter,
    origin,
    processing,
)
from contexts.payments.demo_payments import payment_of_obligation
from deployed import on_moto
from gateway import Gateway, caller
from payment_sandbox import CODE, PaymentSandbox

from app import app
from chalicelib import runtime, workers
from chalicelib.contexts.payments.domain.commands import NoteRefundSettled, SubmitRefund
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.contexts.payments.projections import (
    which_payments_are_asked_of_me,
    which_payments_await_an_agency,
    which_payments_expire,
    which_receipts_were_issued,
    which_refunds_are_to_be_paid,
    which_transactions_are_open,
)
from chalicelib.handle import handle
from chalicelib.working_time import HANOI

AGENCY = "Z01"
PAYER, STRANGER = Person("citizen", "demo-payer"), Person("citizen", "demo-stranger")
CLERK, HEAD = Person("officer", "demo-cashier", AGENCY), Person("officer", "demo-head", AGENCY)
OTHERS_CLERK = Person("officer", "demo-other", "Z02")
AUDITOR = Person("auditor", "demo-auditor")
ADMINISTRATOR = Person("administrator", "demo-administrator")
UNKNOWN, NOT_YOURS = (404, "payment-unknown"), (403, "not-your-payment")
LINES = [
    {"code": "P1", "name": "Demo fee", "kind": "fee", "amount": 70_000},
    {"code": "L1", "name": "Demo charge", "kind": "charge", "amount": 30_000},
]
OWED = 100_000
QUESTIONS = (
    which_payments_are_asked_of_me.answer,
    which_payments_await_an_agency.answer,
    which_payments_expire.answer,
    which_transactions_are_open.answer,
    which_refunds_are_to_be_paid.answer,
)
AT_ONCE = json.dumps({"limits": {"ask_after_s": 0}})


@pytest.fixture(autouse=True, scope="module")
def bank():
    """The demo provider, asked as soon as a payer has gone there."""
    environment = {"ALLOW_LOOPBACK": "1", "PAYMENTS": AT_ONCE}
    with mock.patch.dict(os.environ, environment), on_moto(), PaymentSandbox() as sandbox:
        open_counter()
        ADMINISTRATOR.do("PUT", f"/payment-providers/{CODE}", sandbox.registration())
        yield sandbox


def wanted(**changes):
    return {
        "account": PAYER.subject,
        "payer": {"name": "Demo Payer", "identity_number": "DEMO-1"},
        "lines": LINES,
        "amount": OWED,
    } | changes


def asked(**changes):
    """The path of a payment that an agency asked for."""
    return f"/payments/{CLERK.do('POST', '/payments', wanted(**changes))['payment']}"


def go(path, person=PAYER, **more):
    return person.do("POST", f"{path}/transactions", {"provider": CODE} | more)


def paid(bank, **changes):
    """The path of a payment that is paid, and its transaction."""
    path = asked(**changes)
    reference = go(path)["transaction"]
    bank.act(reference, "vanish")
    minute()
    return path, reference


def catch_up():
    """What follows has followed, and the views know it."""
    follow()
    runtime.projector().follow(*QUESTIONS)


def minute():
    """The schedule rings `pay`."""
    catch_up()
    workers.pay({"Records": []}, Context)


def items(person, path="/payments"):
    catch_up()
    return {f"/payments/{item['payment']}": item for item in person.get(path)["items"]}


class TestAsking:
    def test_who_owes_and_who_is_owed_see_it_and_nobody_else(self):
        path = asked()
        shown = PAYER.get(path)
        assert (shown["status"], shown["amount"], shown["left"]) == ("requested", OWED, OWED)
        assert shown["payer"]["name"] == CLERK.get(path)["payer"]["name"] == "Demo Payer"
        assert AUDITOR.get(path)["payer"] is None
        for other in (STRANGER, OTHERS_CLERK):
            assert other.refused("GET", path) == UNKNOWN
        assert PAYER.refused("GET", "/payments/demo-1") == UNKNOWN
        assert path in items(PAYER)
        assert path in items(CLERK)
        assert path in items(AUDITOR, f"/payments?agency={AGENCY}&status=requested")
        assert path not in items(CLERK, "/payments?status=paid")
        assert path not in items(STRANGER)
        assert path not in items(OTHERS_CLERK)
        assert "person:" not in json.dumps(items(PAYER)[path])

    def test_whose_list_it_is(self):
        assert CLERK.refused("GET", "/payments?agency=Z02") == NOT_YOURS
        assert AUDITOR.refused("GET", "/payments") == (422, "invalid-request")

    def test_the_same_request_again_is_the_same_payment(self):
        key = str(uuid4())
        first, again = (CLERK.do("POST", "/payments", wanted(), key=key) for _ in range(2))
        assert first["payment"] == again["payment"]
        other = wanted(amount=1)
        assert CLERK.refused("POST", "/payments", other, key=key)[1] == "idempotency-key-reused"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"amount": OWED + 1}, "amount-wrong"),
            ({"currency": "USD"}, "currency-unsupported"),
            ({"amount": 100_000.5}, "invalid-request"),
            ({"amount": "100000"}, "invalid-request"),
            ({"amount": -1}, "invalid-request"),
            ({"lines": []}, "invalid-request"),
            ({"lines": [LINES[0] | {"kind": "gift"}]}, "invalid-request"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "expiry-past"),
            ({"expires_at": "9999-12-31T23:59:59-12:00"}, "invalid-request"),
            ({"status": "paid"}, "invalid-request"),
        ],
    )
    def test_what_cannot_be_asked(self, changes, code):
        assert CLERK.refused("POST", "/payments", wanted(**changes)) == (422, code)


class TestPaying:
    def test_a_double_click_leads_to_one_page(self, bank):
        path = asked()
        first, second = go(path), go(path)
        assert first["transaction"] == second["transaction"]
        assert first["url"] == second["url"] == f"{bank.url}/pay/{first['transaction']}"
        assert first["amount"] == OWED
        assert first["qr_text"]
        assert first["expires_at"] > runtime.now().isoformat()

    def test_once_it_is_paid_there_is_no_page_any_more(self, bank):
        path, key = asked(), str(uuid4())
        first = PAYER.do("POST", f"{path}/transactions", {"provider": CODE}, key=key)
        bank.act(first["transaction"], "vanish")
        minute()
        again = PAYER.do("POST", f"{path}/transactions", {"provider": CODE}, key=key)
        assert (again["transaction"], again["url"]) == (first["transaction"], None)
        refused = PAYER.refused("POST", f"{path}/transactions", {"provider": CODE})
        assert refused == (409, "payment-already-paid")
        shown = PAYER.get(path)
        assert (shown["status"], shown["captured"], shown["left"]) == ("paid", OWED, 0)
        assert shown["receipts"].keys() == {"fee", "charge"}
        assert [each["status"] for each in shown["transactions"]] == ["captured"]

    def test_what_a_provider_does_not_know_yet_is_asked_again_later(self):
        path = asked()
        go(path)
        minute()
        [begun] = PAYER.get(path)["transactions"]
        assert begun["status"] == "unknown"
        assert [each["type"] for each in PAYER.get(path)["history"]][-1] == (
            "payment.transaction_unknown"
        )

    def test_an_answer_that_cannot_be_is_taken_down_and_asked_for_again_later(self, bank):
        path = asked()
        reference = go(path)["transaction"]
        bank.act(reference, "vanish")
        bank.sales[reference].asked["amount"] = 1
        minute()
        shown = PAYER.get(path)
        assert [each["type"].removeprefix("payment.") for each in shown["history"]][2:] == [
            "notice_disputed",
            "transaction_unknown",
        ]
        assert (shown["captured"], shown["transactions"][0]["disputed"]) == (0, 1)
        assert path in items(CLERK, "/payments?attention=true")

    def test_a_failure_is_heard_and_another_go_pays(self, bank):
        path = asked()
        bank.act(go(path)["transaction"], "fail")
        minute()
        second = go(path)["transaction"]
        bank.act(second, "vanish")
        minute()
        shown = PAYER.get(path)
        assert [each["status"] for each in shown["transactions"]] == ["failed", "captured"]
        assert shown["status"] == "paid"

    def test_who_cannot_pay(self):
        path = asked()
        body = {"provider": CODE}
        assert STRANGER.refused("POST", f"{path}/transactions", body) == UNKNOWN
        assert CLERK.refused("POST", f"{path}/transactions", body)[1] == "role-not-allowed"
        nobody = PAYER.refused("POST", f"{path}/transactions", {"provider": "nobody"})
        assert nobody == (404, "provider-unknown")
        part = PAYER.refused("POST", f"{path}/transactions", body | {"amount": 1})
        assert part == (409, "partial-not-allowed")

    def test_a_provider_that_answers_nothing_leaves_a_transaction_that_can_be_begun_again(
        self, bank
    ):
        path, key = asked(), str(uuid4())
        bank.secret, good = "whsec_" + "AAAA" * 8, bank.secret
        try:
            refused = PAYER.refused("POST", f"{path}/transactions", {"provider": CODE}, key=key)
            assert refused[1] == "provider-unavailable"
        finally:
            bank.secret = good
        assert PAYER.do("POST", f"{path}/transactions", {"provider": CODE}, key=key)["url"]
        assert len(PAYER.get(path)["transactions"]) == 1

    def test_a_dossier_goes_on_by_itself(self, bank):
        dossier = processing()
        line = {"code": "PHI01", "name": "Demo fee", "kind": "fee", "amount": 5_000}
        said = SPECIALIST.do("POST", f"{dossier}/obligations", {"lines": [line]})
        follow()
        id_ = payment_of_obligation(dossier.rsplit("/", 1)[1], said["obligation"])
        begun = go(f"/payments/{id_}", APPLICANT, payer={"name": "Demo Applicant"})
        assert APPLICANT.get(dossier)["status"] == "payment"
        bank.act(begun["transaction"], "vanish")
        minute()
        follow()
        shown = APPLICANT.get(dossier)
        assert shown["status"] == "processing"
        assert [each["means"] for each in shown["obligations"]] == ["online"]


class TestEnding:
    def test_cancelling(self):
        path = asked()
        reason = {"reason": "demo"}
        assert OTHERS_CLERK.refused("PUT", f"{path}/cancellation", reason) == NOT_YOURS
        version = PAYER.ask("GET", path).headers["ETag"]
        assert CLERK.refused("PUT", f"{path}/cancellation", reason, if_match='"7"') == (
            412,
            "precondition-failed",
        )
        CLERK.do("PUT", f"{path}/cancellation", reason, if_match=version)
        assert PAYER.get(path)["status"] == "cancelled"
        refused = PAYER.refused("POST", f"{path}/transactions", {"provider": CODE})
        assert refused == (409, "payment-cancelled")
        assert CLERK.refused("PUT", "/payments/demo-1/cancellation", reason) == UNKNOWN

    def test_the_time_to_pay_ends_by_the_schedule(self):
        until = runtime.now() + timedelta(hours=1)
        path = asked(expires_at=until.isoformat())
        catch_up()
        with mock.patch.object(runtime, "now", return_value=until):
            workers.react({"Records": [{"body": '{"ring": "schedule"}'}]}, Context)
        assert PAYER.get(path)["status"] == "expired"


class TestGivingBack:
    def test_two_officers_give_back_and_the_provider_is_told_by_itself(self, bank):
        path, reference = paid(bank)
        said = {"reason": "demo", "amount": 80_000}
        refund = f"{path}/refunds/{CLERK.do('POST', f'{path}/refunds', said)['refund']}"
        assert items(CLERK, "/payments?attention=true")[path]["undecided"]
        assert CLERK.refused("PUT", f"{refund}/approval") == (403, "same-person-approves")
        assert OTHERS_CLERK.refused("PUT", f"{refund}/approval") == NOT_YOURS
        assert HEAD.refused("PUT", f"{path}/refunds/demo/approval") == (404, "refund-unknown")
        HEAD.do("PUT", f"{refund}/approval")
        minute()
        shown = PAYER.get(path)
        assert (shown["refunded"], shown["refund_status"]) == (80_000, "partly_refunded")
        [each] = shown["refunds"]
        assert each["parts"] == [
            {"kind": "fee", "amount": 70_000},
            {"kind": "charge", "amount": 10_000},
        ]
        assert list(bank.sales[reference].refunds) == [each["refund"]]
        rest = {"reason": "demo", "amount": 20_001}
        assert PAYER.refused("POST", f"{path}/refunds", rest) == (409, "refund-too-large")
        assert path not in items(CLERK, "/payments?attention=true")
        # Told twice, it is given back once.
        HEAD.do("PUT", f"{refund}/submission")
        assert PAYER.get(path)["refunded"] == 80_000

    def test_the_payer_asks_and_is_refused(self, bank):
        path, _ = paid(bank)
        account = {"name": "Demo Payer", "account": "0000", "bank": "DEMO"}
        said = {"reason": "demo", "beneficiary": account}
        id_ = PAYER.do("POST", f"{path}/refunds", said)["refund"]
        for reader, read in ((PAYER, (account, "demo")), (AUDITOR, (None, None))):
            [shown] = reader.get(path)["refunds"]
            assert (shown["beneficiary"], shown["reason"]) == read
        CLERK.do("PUT", f"{path}/refunds/{id_}/rejection", {"reason": "demo"})
        assert PAYER.get(path)["refunds"][0]["status"] == "rejected"
        late = CLERK.refused("PUT", f"{path}/refunds/{id_}/approval")
        assert late == (409, "refund-transition-refused")

    def test_what_a_provider_cannot_give_back_is_tried_again_when_an_officer_says_so(self, bank):
        path, reference = paid(bank)
        id_ = CLERK.do("POST", f"{path}/refunds", {"reason": "demo"})["refund"]
        submission = f"{path}/refunds/{id_}/submission"
        early = HEAD.refused("PUT", submission)
        assert early == (409, "refund-transition-refused")
        HEAD.do("PUT", f"{path}/refunds/{id_}/approval")
        bank.sales[reference].state = "failed"
        minute()
        assert PAYER.get(path)["refunds"][0]["status"] == "failed"
        assert items(CLERK, "/payments?attention=true")[path]["failed"] == [id_]
        bank.sales[reference].state = "paid"
        assert OTHERS_CLERK.refused("PUT", submission) == NOT_YOURS
        unknown = f"{path}/refunds/demo/submission"
        assert HEAD.refused("PUT", unknown) == (404, "refund-unknown")
        HEAD.do("PUT", submission)
        shown = PAYER.get(path)
        assert (shown["refunds"][0]["status"], shown["refund_status"]) == ("settled", "refunded")

    def test_what_a_provider_cannot_give_back_is_paid_by_hand(self, bank):
        path, reference = paid(bank)
        id_ = CLERK.do("POST", f"{path}/refunds", {"reason": "demo"})["refund"]
        payout, said = f"{path}/refunds/{id_}/payout", {"reference": "DEMO-TRANSFER/1"}
        HEAD.do("PUT", f"{path}/refunds/{id_}/approval")
        early = HEAD.refused("PUT", payout, said)
        assert early == (409, "refund-transition-refused")
        bank.sales[reference].state = "failed"
        minute()
        assert CLERK.refused("PUT", payout, said) == (403, "same-person-approves")
        assert OTHERS_CLERK.refused("PUT", payout, said) == NOT_YOURS
        assert HEAD.refused("PUT", payout, {"reference": "đ"}) == (422, "invalid-request")
        HEAD.do("PUT", payout, said)
        HEAD.do("PUT", payout, said)
        shown = PAYER.get(path)
        [each] = shown["refunds"]
        assert (each["status"], each["by_hand"]) == ("settled", True)
        assert (each["reference"], shown["refund_status"]) == (said["reference"], "refunded")
        assert path not in items(CLERK, "/payments?attention=true")
        assert {CLERK.get(f"/receipts/{one}")["left"] for one in shown["receipts"].values()} == {0}

    def test_of_a_transaction_one_refund_goes_at_a_time(self, bank, caplog):
        path, reference = paid(bank)
        said = {"reason": "demo", "amount": 20_000}
        ids = [CLERK.do("POST", f"{path}/refunds", said)["refund"] for _ in range(2)]
        for id_ in ids:
            HEAD.do("PUT", f"{path}/refunds/{id_}/approval")
        about = {"origin": origin(), "payment": path.rsplit("/", 1)[1], "refund": ids[0]}
        handle(runtime.event_store(), payment, about["payment"], SubmitRefund(**about))
        caplog.clear()
        minute()
        # It is not its turn yet: that is nobody's fault, and an officer is told so.
        assert list(bank.sales[reference].refunds) == []
        assert "provider not asked" not in caplog.messages
        refused = HEAD.refused("PUT", f"{path}/refunds/{ids[1]}/submission")
        assert refused == (409, "refund-under-way")
        settled = NoteRefundSettled(**about | {"origin": origin()}, provider_reference="demo")
        handle(runtime.event_store(), payment, about["payment"], settled)
        minute()
        assert list(bank.sales[reference].refunds) == [ids[1]]
        assert PAYER.get(path)["refunded"] == 40_000

    def test_a_provider_that_answers_nothing_is_told_again(self, bank):
        path, _ = paid(bank)
        id_ = CLERK.do("POST", f"{path}/refunds", {"reason": "demo"})["refund"]
        HEAD.do("PUT", f"{path}/refunds/{id_}/approval")
        bank.secret, good = "whsec_" + "AAAA" * 8, bank.secret
        try:
            refused = HEAD.refused("PUT", f"{path}/refunds/{id_}/submission")
            assert refused[1] == "provider-unavailable"
            minute()
        finally:
            bank.secret = good
        assert PAYER.get(path)["refunds"][0]["status"] == "approved"
        minute()
        assert PAYER.get(path)["refunds"][0]["status"] == "settled"


def test_a_transaction_whose_provider_is_gone_is_a_matter_for_a_person(bank, caplog):
    path = asked()
    go(path)
    catch_up()
    places = [p for p in runtime.event_store().shelf.every_place() if p[0] == f"provider-{CODE}"]
    assert places
    # Somebody has laid hands on the provider's stream.
    key = {"stream": {"S": places[0][0]}, "number": {"N": "1"}}
    table = runtime.table("events")
    kept = runtime.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    runtime.client("dynamodb").delete_item(TableName=table, Key=key)
    try:
        workers.pay({"Records": []}, Context)
    finally:
        runtime.client("dynamodb").put_item(TableName=table, Item=kept)
    assert "provider not asked" in caplog.messages
    assert [each["status"] for each in PAYER.get(path)["transactions"]] == ["initiated"]


def test_a_worker_that_is_short_of_time_asks_nobody(bank):
    class Late(Context):
        @staticmethod
        def get_remaining_time_in_millis():
            return 1_000

    path = asked()
    bank.act(go(path)["transaction"], "vanish")
    catch_up()
    workers.pay({"Records": []}, Late)
    assert PAYER.get(path)["status"] == "requested"
    minute()
    assert PAYER.get(path)["status"] == "paid"


def test_a_token_is_needed():
    answer = Gateway(app, caller("citizen", "demo")).call("POST", "/payments", wanted())
    assert answer.json["code"] == "role-not-allowed"


GONE, HEIR = "Z71", "Z72"


@pytest.fixture(scope="module")
def before(bank):
    """The path of what was paid to an agency that was merged since, and of its receipt."""
    for code in (GONE, HEIR):
        entry = {"code": code, "name": f"Demo agency {code}", "source": "demo data"}
        ADMINISTRATOR.do("POST", "/agencies", entry)
    clerk = Person("officer", "demo-former", GONE)
    path = f"/payments/{clerk.do('POST', '/payments', wanted())['payment']}"
    bank.act(go(path)["transaction"], "vanish")
    minute()
    catch_up()
    today = runtime.now().astimezone(HANOI).date().isoformat()
    merged = {"successor": HEIR, "effective_on": today, "source": "demo data"}
    ADMINISTRATOR.do("PUT", f"/agencies/{GONE}/successor", merged)
    runtime.projector().follow(which_receipts_were_issued.answer)
    return path, f"/receipts/{PAYER.get(path)['receipts']['fee']}"


class TestSuccession:
    """An agency that was merged is answered for by the one that took its place."""

    officer = Person("officer", "demo-heir", HEIR)
    second = Person("officer", "demo-heir-2", HEIR)

    def test_it_sees_what_was_its_predecessors(self, before):
        path, receipt = before
        officer = self.officer
        for where in (path, receipt, f"{receipt}/paper"):
            assert officer.ask("GET", where).status == 200
        assert path in items(officer, f"/payments?agency={GONE}")
        assert path not in items(officer)
        listed = officer.get(f"/receipts?agency={GONE}")["items"]
        assert receipt in {f"/receipts/{row['receipt']}" for row in listed}
        assert officer.get(f"/ledger/balances?agency={GONE}")["agency"] == GONE
        assert officer.get(f"/payees/{GONE}") == {"agency": None, "treasury": None}
        assert CLERK.refused("GET", path) == UNKNOWN
        assert CLERK.refused("GET", receipt) == (404, "receipt-unknown")
        assert CLERK.refused("GET", f"/receipts?agency={GONE}") == (403, "not-your-receipt")
        assert CLERK.refused("GET", f"/payees/{GONE}") == (404, "payee-unknown")

    def test_it_acts_in_its_predecessors_name(self, before):
        path, receipt = before
        officer, second = self.officer, self.second
        said = {"reason": "demo", "amount": 10_000}
        assert CLERK.refused("POST", f"{path}/refunds", said) == NOT_YOURS
        refund = f"{path}/refunds/{officer.do('POST', f'{path}/refunds', said)['refund']}"
        assert CLERK.refused("PUT", f"{refund}/rejection", {"reason": "demo"}) == NOT_YOURS
        second.do("PUT", f"{refund}/approval")
        assert CLERK.refused("PUT", f"{refund}/submission") == NOT_YOURS
        officer.do("PUT", f"{refund}/submission")
        [given] = PAYER.get(path)["refunds"]
        assert (given["status"], given["by_hand"]) == ("settled", False)
        assert given["reference"].startswith("R")
        number = officer.get(receipt)["number"]
        anew = {"replaces": number, "payer": {"name": "Demo Payer Two"}, "reason": "demo"}
        officer.do("POST", f"{receipt}/replacement", anew)
        officer.do("PUT", f"{receipt}/cancellation", {"reason": "demo"})
        assert officer.get(receipt)["status"] == "cancelled"
        assert officer.refused("PUT", f"{path}/cancellation", {"reason": "demo"}) == (
            409,
            "payment-already-paid",
        )

    def test_who_has_ended_reaches_nothing_of_who_took_its_place(self, before):
        former = Person("officer", "demo-former", GONE)
        assert former.refused("GET", f"/payments?agency={HEIR}") == NOT_YOURS
        assert former.get(before[0])["agency"] == GONE
