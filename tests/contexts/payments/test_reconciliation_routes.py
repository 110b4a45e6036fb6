"""A provider's day from its file to its closing, and the ledger, over HTTP."""

import csv
import io
import json
import os
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import count
from types import SimpleNamespace
from unittest import mock

import boto3
import pytest
from contexts.dossiers.counter import Person, follow
from contexts.payments.demo_payments import ask, origin
from contexts.payments.demo_providers import SECRET, terms
from deployed import on_moto

from chalicelib import files, runtime, workers
from chalicelib.contexts.payments import books, ledger_routes
from chalicelib.contexts.payments.domain.commands import (
    ApproveRefund,
    InitiateTransaction,
    NoteFailure,
    NoteSuccess,
    RequestPayment,
    RequestRefund,
    SubmitRefund,
)
from chalicelib.contexts.payments.domain.events import Discrepancy, Line
from chalicelib.contexts.payments.domain.payment import payment, payment_of_obligation
from chalicelib.contexts.payments.domain.provider import RegisterProvider, provider
from chalicelib.contexts.payments.domain.settlement import NoteDiscrepancies, settlement
from chalicelib.contexts.payments.projections import (
    do_the_books_agree,
    how_did_a_day_settle,
    what_did_a_provider_take,
    what_does_the_ledger_hold,
    what_moved_on_a_day,
    when_did_a_providers_day_move,
    which_payments_await_an_agency,
)
from chalicelib.contexts.payments.reconciliation import comparing, receiving
from chalicelib.contexts.payments.reconciliation.matching import COLUMNS
from chalicelib.handle import fold, handle
from chalicelib.privacy.personal import Personal
from chalicelib.working_time import HANOI

ADMINISTRATOR = Person("administrator", "demo-chief")
AUDITOR = Person("auditor", "demo-auditor")
OFFICER = Person("officer", "demo-clerk", "Z01")
OTHERS = Person("officer", "demo-other", "Z02")
CITIZEN = Person("citizen", "demo-payer")
PROVIDER = "demo-pay"
FEE = Line(code="PHI01", name="Phí thử nghiệm", kind="fee", amount=70_000)
VIEWS = [
    what_did_a_provider_take.answer,
    how_did_a_day_settle.answer,
    what_does_the_ledger_hold.answer,
    what_moved_on_a_day.answer,
    do_the_books_agree.answer,
    when_did_a_providers_day_move.answer,
    which_payments_await_an_agency.answer,
]
FIRST = date(2026, 6, 1)
_numbers, _days = count(1), count()
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000, aws_request_id="demo")


@pytest.fixture(autouse=True, scope="module")
def deployment():
    with on_moto():
        queue = boto3.client("sqs").create_queue(QueueName="intake")["QueueUrl"]
        columns = {"demo-other": {"amount": "so_tien"}}
        said = {
            "INTAKE_QUEUE_URL": queue,
            "PAYMENTS": json.dumps({"settlement_columns": columns}),
        }
        with mock.patch.dict(os.environ, said):
            for code in (PROVIDER, "demo-other"):
                registered = RegisterProvider(
                    origin=origin(),
                    provider=code,
                    terms=terms("vnpay").model_dump(),
                    secret=Personal[str](subject=f"provider:{code}", value=SECRET),
                    secret_print="demo",
                )
                handle(runtime.event_store(), provider, code, registered)
            yield queue


@pytest.fixture
def day():
    """A day on which nothing has happened yet."""
    return FIRST + timedelta(days=7 * next(_days))


def pay(day, *, agency="Z01", outcome="paid", amount=FEE.amount, by=PROVIDER):
    """A payment of that day; its transaction's reference."""
    id_ = payment_of_obligation("", f"demo-{next(_numbers)}")
    at = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    reference = f"{id_}001"
    line = FEE.model_copy(update={"amount": amount})
    about = {"payment": id_, "at": at}
    owed = {"agency": agency, "dossier": "", "obligation": "", "lines": (line,), "amount": amount}
    wishes = [ask(RequestPayment, **about, **owed), ask(InitiateTransaction, **about, provider=by)]
    told = {"transaction": reference, "provider": by}
    if outcome == "paid":
        paid = {"provider_reference": f"p-{reference}", "amount": amount, "paid_at": at}
        wishes.append(ask(NoteSuccess, **about, **told, **paid))
    if outcome == "failed":
        wishes.append(ask(NoteFailure, **about, **told))
    for wish in wishes:
        handle(runtime.event_store(), payment, id_, wish)
    return reference


def line(day, reference, amount=FEE.amount, status="paid"):
    return f"{reference},p-{reference},payment,{amount},1100,{status},{day}T12:00:00+07:00"


def file(*lines, columns=COLUMNS):
    total = sum(int(one.split(",")[3]) for one in lines)
    return "\n".join([",".join(columns), *lines, f"TOTAL,{len(lines)},{total}", ""]).encode()


def catch_up():
    follow()
    runtime.projector().follow(*VIEWS)


def bring(day, data, *, by=PROVIDER):
    """Upload a file and have it compared."""
    digest = files.stage(receiving.OWNER, data)
    body = {"upload": digest, "name": "demo.csv"}
    done = ADMINISTRATOR.do("PUT", f"/settlements/{by}/{day}/file", body)
    work()
    return done


def work():
    """The worker carries out what it was asked."""
    sqs, queue = runtime.client("sqs"), runtime.queue_url("intake")
    while asked := sqs.receive_message(QueueUrl=queue).get("Messages"):
        for one in asked:
            record = {"messageId": "1", "body": one["Body"]}
            assert workers.intake({"Records": [record]}, CONTEXT) == {"batchItemFailures": []}
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
    catch_up()


def decide(day, one, decision="we_correct", by=ADMINISTRATOR, **more):
    path = f"/settlements/{PROVIDER}/{day}/discrepancies/{one['id']}/decision"
    return by.ask("PUT", path, {"decision": decision, "note": "demo reason"}, **more)


def open_ones(day):
    shown = AUDITOR.get(f"/settlements/{PROVIDER}/{day}")["discrepancies"]
    return [one["discrepancy"] for one in shown if one["resolution"] is None]


def test_a_day_from_its_file_to_its_closing(day):
    good, missing, wrong, asked, cancelled = (
        pay(day), pay(day), pay(day, agency="Z02"), pay(day, outcome="open"),
        pay(day, outcome="failed"),
    )  # fmt: skip
    catch_up()
    data = file(
        line(day, good),
        line(day, wrong, 60_000),
        line(day, asked),
        line(day, "demo-stranger"),
        line(day, cancelled, status="failed"),
    )
    bring(day, data)
    path = f"/settlements/{PROVIDER}/{day}"
    shown = AUDITOR.get(path)
    assert (shown["status"], shown["lines"], shown["matched"], shown["open"]) == (
        "compared",
        5,
        1,
        4,
    )
    assert shown["read"] == {"lines": 5, "chunks": 1}
    assert shown["file"]["sha256"] == sha256(data).hexdigest()
    assert "X-Amz-Signature" in shown["file"]["url"]
    kinds = {one["reference"]: one["kind"] for one in open_ones(day)}
    assert kinds == {
        missing: "only_ours", wrong: "amount_diff", asked: "status_diff",
        "demo-stranger": "only_theirs",
    }  # fmt: skip
    # Not closed while anything is undecided; each decision is somebody's.
    assert ADMINISTRATOR.refused("PUT", f"{path}/closure") == (409, "discrepancies-open")
    named = {one["reference"]: one for one in open_ones(day)}
    assert decide(day, named[wrong], "not_ours").json["code"] == "decision-does-not-fit"
    for reference, decision in (
        (missing, "another_day"),
        (wrong, "written_off"),
        (asked, "we_correct"),
        ("demo-stranger", "not_ours"),
    ):
        assert decide(day, named[reference], decision).status == 202
    work()
    # What we correct, and had begun, has happened.
    state = fold(payment, runtime.event_store().load(f"payment-{asked[:-3]}"))
    assert (state.status, state.transactions[asked].captured) == ("paid", FEE.amount)
    ADMINISTRATOR.do("PUT", f"{path}/closure")
    assert decide(day, named[wrong]).json["code"] == "settlement-day-closed"
    again = {"upload": files.stage(receiving.OWNER, file(line(day, good))), "name": "x"}
    refused = ADMINISTRATOR.refused("PUT", f"{path}/file", again)
    assert refused == (409, "settlement-day-closed")
    catch_up()
    closed = AUDITOR.get(path)
    assert (closed["status"], closed["open"]) == ("closed", 0)
    assert {one["resolution"]["by"] for one in closed["discrepancies"]} == {
        "administrator:demo-chief"
    }
    found = AUDITOR.get(f"/settlements?provider={PROVIDER}&status=closed")["items"]
    assert [(one["on"], one["discrepancies"], one["open"]) for one in found] == [(str(day), 4, 0)]


def test_a_second_run_of_the_worker_changes_nothing(day, deployment):
    pay(day)
    catch_up()
    path = f"/settlements/{PROVIDER}/{day}"
    digest = files.stage(receiving.OWNER, file(line(day, "demo-stranger")))
    ADMINISTRATOR.do("PUT", f"{path}/file", {"upload": digest, "name": "demo.csv"})
    comparing.run(asked(deployment))
    before = runtime.event_store().load(f"settlement-{PROVIDER}.{day}")
    ADMINISTRATOR.do("PUT", f"{path}/file", {"upload": digest, "name": "demo.csv"})
    comparing.run(asked(deployment))
    assert runtime.event_store().load(f"settlement-{PROVIDER}.{day}") == before
    # A run that found one of two differences and died is followed by one that finds both.
    ADMINISTRATOR.do("PUT", f"{path}/comparison")
    job = asked(deployment)
    first = receiving.the_day(PROVIDER, day)[0]
    assert first.status == "received"
    found = fold(settlement, before).found
    some = tuple(found.values())[:1]
    died = NoteDiscrepancies(origin=origin(), provider=PROVIDER, on=day, sha256=digest, found=some)
    handle(runtime.event_store(), settlement, job.settlement, died)
    comparing.run(job)
    after = receiving.the_day(PROVIDER, day)[0]
    assert (after.status, after.found.keys()) == ("compared", found.keys())
    later = runtime.event_store().load(f"settlement-{PROVIDER}.{day}")[len(before) :]
    types = [data["type"] for commit in later for data in commit.data()]
    assert types.count("settlement.discrepancy_found") == len(found) == 2


def asked(queue):
    """What the worker was asked last."""
    jobs = []
    while found := runtime.client("sqs").receive_message(QueueUrl=queue).get("Messages"):
        jobs += [one["Body"] for one in found]
        for one in found:
            handle_ = one["ReceiptHandle"]
            runtime.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=handle_)
    return receiving.Job.model_validate_json(jobs[-1])


def test_a_second_comparison_finds_what_has_come_since(day):
    reference = pay(day, outcome="open")
    catch_up()
    bring(day, file(line(day, reference)))
    [one] = open_ones(day)
    assert (one["kind"], one["our_status"], one["agency"]) == ("status_diff", "open", "Z01")
    handle(
        runtime.event_store(), payment, reference[:-3],
        ask(NoteSuccess, payment=reference[:-3], transaction=reference, provider=PROVIDER,
            provider_reference=f"p-{reference}", amount=FEE.amount,
            paid_at=datetime(day.year, day.month, day.day, 5, tzinfo=UTC)),
    )  # fmt: skip
    catch_up()
    path = f"/settlements/{PROVIDER}/{day}"
    ADMINISTRATOR.do("PUT", f"{path}/comparison")
    work()
    shown = AUDITOR.get(path)
    assert (shown["status"], shown["matched"], shown["discrepancies"]) == ("compared", 1, [])


def capture(day, reference):
    """The provider tells late that a transaction of that day was paid."""
    id_, at = reference[:-3], datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    said = {"transaction": reference, "provider": PROVIDER, "amount": FEE.amount, "paid_at": at}
    wish = ask(NoteSuccess, payment=id_, provider_reference=f"p-{reference}", **said)
    handle(runtime.event_store(), payment, id_, wish)
    catch_up()


def moved(day, account="settled_cash"):
    """What a day's closing has moved on an account."""
    on = f"/ledger/entries?account={account}&cursor={_before(day)}"
    return [(one["debit"], one["credit"]) for one in AUDITOR.get(on)["items"]]


def test_what_a_run_that_died_has_found_settles_nothing(day, deployment):
    reference, path = pay(day, outcome="open"), f"/settlements/{PROVIDER}/{day}"
    catch_up()
    bring(day, file(line(day, reference)))
    ADMINISTRATOR.do("PUT", f"{path}/comparison")
    job = asked(deployment)
    # It notes what the run before has found, and dies; then the provider tells, late.
    died = {"provider": PROVIDER, "on": day, "sha256": job.sha256, "found": tuple(_found(day))}
    handle(
        runtime.event_store(), settlement, job.settlement,
        NoteDiscrepancies(origin=origin(), **died),
    )  # fmt: skip
    assert len(open_ones(day)) == 1
    capture(day, reference)
    comparing.run(job)
    catch_up()
    shown = AUDITOR.get(path)
    assert (shown["status"], shown["matched"], shown["discrepancies"]) == ("compared", 1, [])
    days = AUDITOR.get(f"/settlements?provider={PROVIDER}")["items"]
    [listed] = [one for one in days if one["on"] == str(day)]
    assert (listed["status"], listed["discrepancies"], listed["open"]) == ("compared", 0, 0)
    ADMINISTRATOR.do("PUT", f"{path}/closure")
    catch_up()
    assert moved(day) == [(FEE.amount, 0), (0, 1_100)]


def _found(day):
    """Every difference that was ever noted of a day."""
    commits = runtime.event_store().load(f"settlement-{PROVIDER}.{day}")
    events = [one for commit in commits for one in commit.data()]
    return [
        Discrepancy.model_validate(one["discrepancy"])
        for one in events
        if one["type"] == "settlement.discrepancy_found"
    ]


def test_what_our_books_learn_after_the_comparison_is_compared_before_the_day_is_closed(day):
    reference, path = pay(day, outcome="open"), f"/settlements/{PROVIDER}/{day}"
    catch_up()
    bring(day, file())
    assert open_ones(day) == []
    capture(day, reference)
    outdated = ADMINISTRATOR.refused("PUT", f"{path}/closure")
    assert outdated == (409, "settlement-comparison-outdated")
    ADMINISTRATOR.do("PUT", f"{path}/comparison")
    work()
    [one] = open_ones(day)
    assert (one["kind"], one["reference"]) == ("only_ours", reference)
    assert decide(day, one, "another_day").status == 202
    ADMINISTRATOR.do("PUT", f"{path}/closure")


def test_a_day_that_has_not_begun_has_no_file():
    today = runtime.now().astimezone(HANOI).date()
    digest = files.stage(receiving.OWNER, file())
    body = {"upload": digest, "name": "demo.csv"}
    path = f"/settlements/{PROVIDER}/{today + timedelta(days=1)}/file"
    assert ADMINISTRATOR.refused("PUT", path, body) == (422, "settlement-day-ahead")


def test_fees_beyond_measure_are_no_fees(day):
    lines = [line(day, name).replace(",1100,", f",{10**15 - 1},") for name in ("demo-a", "demo-b")]
    bring(day, file(*lines))
    shown = AUDITOR.get(f"/settlements/{PROVIDER}/{day}")
    assert (shown["status"], shown["refused"]["line"]) == ("refused", 3)


def test_a_moment_may_be_written_otherwise_on_a_line_that_differs(day):
    bring(day, file(line(day, "demo-a").replace("T12:00:00+07:00", " 12:00:00+07")))
    [one] = open_ones(day)
    assert one["moved_at"] == f"{day}T12:00:00+07:00"


def test_what_is_corrected_is_not_given_up_as_well(day):
    reference = pay(day, outcome="open")
    catch_up()
    bring(day, file(line(day, reference)))
    [one] = open_ones(day)
    assert decide(day, one, "written_off").json["code"] == "decision-does-not-fit"
    assert decide(day, one).status == 202
    assert decide(day, one, "written_off").json["code"] == "decision-does-not-fit"


def test_a_refund_that_the_bank_sends_back_a_second_time_is_found_again(day):
    reference = pay(day)
    id_, refund = reference[:-3], f"{reference[:-3]}r001"
    at = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
    told = {"payment": id_, "at": at}

    def do(kind, **said):
        handle(runtime.event_store(), payment, id_, ask(kind, **told, **said))
        catch_up()

    def came_back(on):
        cells = [refund, "p", "refund", str(FEE.amount), "0", "failed", f"{on}T12:00:00+07:00"]
        bring(on, file(",".join(cells)))
        [one] = open_ones(on)
        assert (one["kind"], one["our_status"], one["reference"]) == ("status_diff", "open", refund)
        assert decide(on, one).status == 202
        work()
        [mine] = [
            item
            for item in OFFICER.get("/payments?attention=true&limit=200")["items"]
            if item["payment"] == id_
        ]
        assert mine["failed"] == [refund]

    do(RequestRefund, transaction=reference, amount=FEE.amount, agency="Z01")
    do(ApproveRefund, refund=refund, agency="Z01")
    do(SubmitRefund, refund=refund)
    came_back(day + timedelta(days=1))
    do(SubmitRefund, refund=refund)
    assert id_ not in {
        item["payment"] for item in OFFICER.get("/payments?attention=true&limit=200")["items"]
    }
    came_back(day + timedelta(days=3))


def test_a_line_that_we_hold_on_another_day_says_so(day):
    reference = pay(day)
    catch_up()
    following = day + timedelta(days=1)
    bring(following, file(line(following, reference)))
    [one] = open_ones(following)
    assert (one["kind"], one["other_day"], one["agency"]) == ("only_theirs", str(day), "Z01")
    # It was theirs a day later than ours: its money settles there, once.
    assert decide(following, one, "another_day").status == 202
    assert decide(following, one, "not_ours").json["code"] == "decision-does-not-fit"
    ADMINISTRATOR.do("PUT", f"/settlements/{PROVIDER}/{following}/closure")
    catch_up()
    on = f"/ledger/entries?agency=Z01&account=settled_cash&cursor={_before(following)}"
    moved = [(one["debit"], one["credit"]) for one in AUDITOR.get(on)["items"]]
    assert moved == [(FEE.amount, 0), (0, 1_100)]


@pytest.mark.parametrize("later", [0, 1], ids=["the same day", "a day later"])
def test_a_refund_that_the_bank_sent_back_is_submitted_again_or_paid_by_hand(day, later):
    reference = pay(day)
    id_ = reference[:-3]
    at = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
    refund = f"{id_}r001"
    told = {"payment": id_, "at": at}
    for wish in (
        ask(RequestRefund, **told, transaction=reference, amount=FEE.amount, agency="Z01"),
        ask(ApproveRefund, **told, refund=refund, agency="Z01"),
        ask(SubmitRefund, **told, refund=refund),
    ):
        handle(runtime.event_store(), payment, id_, wish)
    catch_up()
    on = day + timedelta(days=later)
    cells = [refund, "p-refund", "refund", str(FEE.amount), "0", "failed", f"{on}T12:00:00+07:00"]
    stranger = ["demo-unknown", *cells[1:]]
    bring(on, file(",".join(cells), ",".join(stranger), *(line(on, reference),) * (not later)))
    [one] = open_ones(on)
    assert (one["kind"], one["our_status"], one["their_status"], one["reference"]) == (
        "status_diff", "open", "failed", refund,
    )  # fmt: skip
    assert decide(on, one).status == 202
    work()
    state = fold(payment, runtime.event_store().load(f"payment-{id_}"))
    assert state.refunds[refund].status == "failed"
    catch_up()
    # What has failed for both is no difference any more.
    ADMINISTRATOR.do("PUT", f"/settlements/{PROVIDER}/{on}/comparison")
    work()
    assert AUDITOR.get(f"/settlements/{PROVIDER}/{on}")["discrepancies"] == []


def _before(day):
    """The position before a day's stream began."""
    stream = f"settlement-{PROVIDER}.{day}"
    return runtime.history().positions([(stream, 1)])[stream, 1] - 1


@pytest.mark.parametrize(
    ("data", "line_number", "why"),
    [
        (lambda day: file(line(day, "a"), line(day, "a")), 3, "it is of the same as line 2"),
        (lambda day: file(line(day, "a")).replace(b"TOTAL,1", b"TOTAL,9"), 3, "9 lines"),
        (lambda day: file(line(day, "a")).replace(b"p-a", b"\xff"), 2, "UTF-8"),
        (lambda day: file(line(day, "a"), columns=(*COLUMNS, "note")), 1, "column 8"),
        (lambda day: file(*(line(day, f"a{n}") for n in range(2_001))), 0, "2001 lines differ"),
    ],
    ids=["a line twice", "a wrong total", "broken encoding", "an unknown column", "another's file"],
)
def test_a_file_that_cannot_be_used_is_refused_whole(day, data, line_number, why):
    bring(day, data(day))
    path = f"/settlements/{PROVIDER}/{day}"
    shown = AUDITOR.get(path)
    assert (shown["status"], shown["refused"]["line"]) == ("refused", line_number)
    assert why in shown["refused"]["why"]
    assert (shown["discrepancies"], shown["matched"], shown["lines"]) == ([], 0, 0)
    assert ADMINISTRATOR.refused("PUT", f"{path}/closure") == (409, "settlement-not-compared")
    # The right file takes its place.
    bring(day, file())
    assert AUDITOR.get(path)["status"] == "compared"


def test_a_provider_with_columns_of_its_own(day):
    reference = pay(day, by="demo-other")
    catch_up()
    names = ["so_tien" if name == "amount" else name for name in COLUMNS]
    bring(day, file(line(day, reference), columns=names), by="demo-other")
    assert AUDITOR.get(f"/settlements/demo-other/{day}")["matched"] == 1


def test_reports_for_everybody_and_for_one_agency(day):
    mine, theirs = pay(day), pay(day, agency="Z02")
    catch_up()
    bring(day, file(line(day, mine), line(day, theirs, 1_000), line(day, "=demo-formula")))
    path = f"/settlements/{PROVIDER}/{day}/report"
    whole = AUDITOR.get(path)
    assert [(one["agency"], one["matched"], one["open"]) for one in whole["agencies"]] == [
        ("", 0, 1), ("Z01", 1, 0), ("Z02", 0, 1),
    ]  # fmt: skip
    assert len(whole["days"]) == 30
    assert whole["days"][-1]["on"] == str(day)
    own = OFFICER.get(path)
    assert [one["agency"] for one in own["agencies"]] == ["Z01"]
    assert (own["differences"], own["days"], own["amount"]) == ([], [], FEE.amount)
    assert [one["discrepancy"]["agency"] for one in OTHERS.get(path)["differences"]] == ["Z02"]
    assert OTHERS.get(path)["agencies"] == AUDITOR.get(f"{path}?agency=Z02")["agencies"]
    assert OFFICER.refused("GET", f"{path}?agency=Z02") == (404, "settlement-unknown")
    table = AUDITOR.ask("GET", f"{path}?form=csv")
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.text.removeprefix("\ufeff"))))
    assert [(row["agency"], row["payments"], row["amount_diff"]) for row in rows] == [
        ("", "0", "0"), ("Z01", "70000", "0"), ("Z02", "0", "1"),
    ]  # fmt: skip
    lines = AUDITOR.ask("GET", f"{path}?form=discrepancies").text
    rows = list(csv.DictReader(io.StringIO(lines.removeprefix("\ufeff"))))
    assert {row["reference"] for row in rows} == {theirs, "'=demo-formula"}
    page = AUDITOR.ask("GET", f"{path}?form=html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.text.count("<svg") == 2
    assert page.text.count("<g>") == 60
    assert "<script" not in page.text
    assert "70.000" in page.text
    assert AUDITOR.ask("GET", f"{path}?form=pdf").status == 422


@pytest.mark.parametrize(
    ("by", "method", "path", "body", "expected"),
    [
        (OFFICER, "PUT", "/settlements/demo-pay/2026-01-01/file", {}, (403, "role-not-allowed")),
        (CITIZEN, "GET", "/settlements", None, (403, "role-not-allowed")),
        (AUDITOR, "GET", "/settlements/demo-pay/2020-01-01", None, (404, "settlement-unknown")),
        (AUDITOR, "GET", "/settlements/demo-pay/x", None, (404, "settlement-unknown")),
        (OFFICER, "GET", "/settlements/demo-pay/2020-01-01/report", None,
         (404, "settlement-unknown")),
        (ADMINISTRATOR, "PUT", "/settlements/nobody/2026-01-01/file",
         {"upload": "0" * 64, "name": "x"}, (404, "provider-unknown")),
        (ADMINISTRATOR, "PUT", "/settlements/demo-pay/2026-01-01/file",
         {"upload": "0" * 64, "name": "x"}, (422, "attachment-not-arrived")),
        (ADMINISTRATOR, "PUT", "/settlements/demo-pay/2026-01-01/file",
         {"upload": "x", "name": "x"}, (422, "invalid-request")),
        (ADMINISTRATOR, "PUT", "/settlements/demo-pay/2020-01-01/comparison", None,
         (409, "settlement-not-compared")),
        (ADMINISTRATOR, "PUT", "/settlements/demo-pay/2020-01-01/discrepancies/x/decision",
         {"decision": "we_correct", "note": "x"}, (409, "settlement-not-compared")),
        (ADMINISTRATOR, "POST", "/settlements/uploads",
         {"size": 200_000_000, "sha256": "0" * 64}, (422, "file-too-large")),
        (OFFICER, "GET", "/ledger/balances?agency=Z02", None, (403, "not-your-ledger")),
        (OFFICER, "GET", "/ledger/trial-balance", None, (403, "role-not-allowed")),
        (AUDITOR, "GET", "/ledger/balances?position=999999", None,
         (404, "position-not-reached")),
        (AUDITOR, "GET", "/ledger/balances?position=1&on=2026-01-01", None,
         (422, "invalid-request")),
        (AUDITOR, "GET", "/ledger/entries?account=cash", None, (422, "invalid-request")),
        (AUDITOR, "GET", "/ledger/entries?cursor=x", None, (400, "invalid-cursor")),
    ],
)  # fmt: skip
def test_what_is_refused(by, method, path, body, expected):
    assert by.refused(method, path, body) == expected


def test_a_link_to_upload_with():
    link = ADMINISTRATOR.do("POST", "/settlements/uploads", {"size": 10, "sha256": "0" * 64})
    assert link["headers"]["content-type"] == "text/csv"


# --- The ledger -----------------------------------------------------------------------------------


def balances(shown):
    return {(one["account"], one["provider"]): one["balance"] for one in shown["accounts"]}


def test_balances_now_on_a_day_and_at_a_position(day, monkeypatch):
    pay(day, agency="Z05", amount=10_000)
    catch_up()
    following = day + timedelta(days=1)
    pay(following, agency="Z05", amount=5_000)
    catch_up()
    path = "/ledger/balances?agency=000.00.00.Z05"
    now = {("provider_receivable", PROVIDER): 15_000, ("revenue_fee", ""): -15_000}
    now["payer_clearing", ""] = 0
    assert balances(AUDITOR.get(path)) == now
    assert balances(AUDITOR.get(f"{path}&on={following}")) == now
    first = {account: balance * 2 // 3 for account, balance in now.items()}
    assert balances(AUDITOR.get(f"{path}&on={day}")) == first
    assert AUDITOR.get(f"{path}&on={day - timedelta(days=1)}")["accounts"] == []
    moved = AUDITOR.get("/ledger/entries?agency=Z05")["items"]
    one = ["payment.captured"] * 2 + ["payment.paid"] * 2
    assert [each["type"] for each in moved] == one * 2
    at = moved[3]["position"]
    assert balances(AUDITOR.get(f"{path}&position={at}")) == first
    assert AUDITOR.get(f"{path}&position={at - 1}")["accounts"] == []
    assert balances(AUDITOR.get(f"{path}&position={moved[-1]['position']}")) == now
    own = Person("officer", "demo-5", "Z05").get("/ledger/balances")
    assert (own["agency"], balances(own)) == ("Z05", now)
    monkeypatch.setattr(books, "MAX_REPLAYED", 1)
    last = moved[-1]["position"]
    refused = AUDITOR.refused("GET", f"/ledger/balances?position={last}")
    assert refused == (422, "replay-too-long")


def test_the_trial_balance_is_zero_at_every_position(day):
    pay(day)
    catch_up()
    now = AUDITOR.get("/ledger/trial-balance")
    assert now["balanced"]
    assert now["debit"] == now["credit"] > 0
    positions = {one["position"] for one in AUDITOR.get("/ledger/entries?limit=200")["items"]}
    for position in sorted(positions)[::4]:
        found = AUDITOR.get(f"/ledger/trial-balance?position={position}")
        assert found["balanced"]
    names = [one["account"] for one in now["accounts"]]
    assert len(names) == len(set(names))


def test_entries_come_page_by_page_and_no_commit_is_divided(day, monkeypatch):
    for _ in range(2):
        pay(day)
    catch_up()
    whole = AUDITOR.get("/ledger/entries?limit=200")
    pages, cursor = [], ""
    for _ in range(100):
        page = AUDITOR.get(f"/ledger/entries?limit=3{cursor}")
        pages += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert pages[: len(whole["items"])] == whole["items"]
    by_position = {one["position"] for one in page["items"]}
    assert all(one["position"] not in by_position for one in pages[: -len(page["items"])])
    monkeypatch.setattr(ledger_routes, "SEARCHED", 1)
    few = AUDITOR.get("/ledger/entries?account=settled_cash")
    assert few["next"]


def test_books_that_disagree_are_listed_and_ring_an_alarm(monkeypatch, caplog):
    id_ = payment_of_obligation("demo-dossier", f"demo-{next(_numbers)}")
    at = runtime.now() - timedelta(hours=1)
    about = {"payment": id_, "at": at}
    told = {"dossier": "demo-dossier", "obligation": "demo", "lines": (FEE,), "amount": FEE.amount}
    paid = {"transaction": f"{id_}001", "amount": FEE.amount, "paid_at": at}
    for wish in (
        ask(RequestPayment, **about, **told),
        ask(InitiateTransaction, **about),
        ask(NoteSuccess, **about, **paid),
    ):
        handle(runtime.event_store(), payment, id_, wish)
    runtime.sequencer().sweep()
    assert books.disagreements(runtime.now()) == 0
    runtime.projector().follow(*VIEWS)
    shown = AUDITOR.get("/ledger/disagreements")["items"]
    assert [(one["payment"], one["how"]) for one in shown] == [(id_, "paid_not_fulfilled")]
    workers.react({"Records": [{"body": '{"ring": "schedule"}'}]}, CONTEXT)
    [alarm] = [said for said in caplog.records if said.message == "books disagree"]
    assert alarm.cases == 1
    # What happened a moment ago may still be on its way.
    assert books.disagreements(at + books.PATIENCE - timedelta(seconds=1)) == 0
    monkeypatch.setattr(books, "COUNTED", 1)
    assert books.disagreements(runtime.now()) == 1
