"""The demo provider, both sides of it: our adapter and the little server that runs beside it."""

import csv
import json
import os
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
import urllib3
from contexts.payments.demo_providers import NOON, REFERENCE, begin, terms, wish
from deployed import on_moto
from payment_sandbox import COLUMNS, Faults, PaymentSandbox
from receivers import receiver

from chalicelib.contexts.payments.providers import (
    NoticeUnreadable,
    ProviderUnavailable,
    Refunded,
    Request,
)
from chalicelib.contexts.payments.providers.sandbox import Sandbox
from chalicelib.contexts.payments.reconciliation.matching import (
    FileUnusable,
    Matching,
    Ours,
    Reading,
)
from chalicelib.delivery.signatures import (
    SignatureInvalid,
    SignatureMissing,
    TimestampOutsideWindow,
)
from chalicelib.working_time import HANOI

OTHER = "whsec_" + b64encode(b"o" * 32).decode()
http = urllib3.PoolManager(retries=False)


@pytest.fixture(autouse=True, scope="module")
def deployment():
    with mock.patch.dict(os.environ, {"ALLOW_LOOPBACK": "1"}), on_moto():
        yield


def soon(**changes):
    now = datetime.now(UTC)
    return begin(at=now, expires_at=now + timedelta(minutes=15), **changes)


@pytest.fixture
def there():
    """The provider, and a door that takes its notices."""
    with receiver() as door, PaymentSandbox(notify_url="http://127.0.0.1", late_s=0.01) as sandbox:
        sandbox.notify_url, sandbox.door = door.url, door
        yield sandbox


@pytest.fixture
def ours(there):
    """Our side of it."""
    return adapter(there)


def adapter(there, secret=None):
    said = there.registration()
    urls = {name: said[name] for name in ("pay_url", "query_url", "refund_url", "merchant")}
    return Sandbox("sandbox", terms("sandbox", **urls), secret or there.secret)


def notices(there, ours):
    """What its notices say, read as we read them."""
    for post in there.door.posts:
        headers = {name.lower(): value for name, value in post.headers.items()}
        yield ours.read_notice(Request({}, headers, post.body, datetime.now(UTC)))


def test_a_payment_is_begun_once_and_has_a_page(there, ours):
    redirect = ours.begin(soon())
    assert redirect == ours.begin(soon())
    assert redirect.url == f"{there.url}/pay/{REFERENCE}"
    with pytest.raises(ProviderUnavailable):
        ours.begin(soon(amount=1))
    page = http.request("GET", redirect.url)
    assert page.status == 200
    text = page.data.decode()
    for shown in (
        "DEMO",
        "200.000 ₫",
        "Demo fee",
        "120.000 ₫",
        "Demo payment",
        REFERENCE,
        "Vanish",
    ):
        assert shown in text


def test_what_the_page_shows_is_text_and_no_markup(there, ours):
    ours.begin(soon(subject="<script>alert(1)</script>"))
    assert "<script>" not in there.page(REFERENCE)


def press(there, action, reference=REFERENCE):
    body = f"action={action}".encode()
    return http.request("POST", f"{there.url}/pay/{reference}", body=body, redirect=False).status


def test_paying_on_the_page_is_told_at_once_and_known_to_who_asks(there, ours):
    ours.begin(soon())
    assert ours.ask(REFERENCE, NOON).outcome == "unknown"
    assert press(there, "pay") == 303
    [notice] = notices(there, ours)
    assert (notice.outcome, notice.amount, notice.transaction) == ("paid", 200_000, REFERENCE)
    asked = ours.ask(REFERENCE, NOON)
    assert (asked.provider_reference, asked.paid_at) == (notice.provider_reference, notice.paid_at)
    assert "Thanh toán hỏng" not in there.page(REFERENCE)


def test_failing(there, ours):
    ours.begin(soon())
    press(there, "fail")
    [notice] = notices(there, ours)
    assert (notice.outcome, notice.said, notice.paid_at) == ("failed", "insufficient-funds", None)
    assert ours.ask(REFERENCE, NOON).outcome == "failed"
    assert "insufficient-funds" in there.page(REFERENCE)


def test_paying_late_is_first_said_to_have_failed(there, ours):
    ours.begin(soon())
    press(there, "late")
    [timer] = there._late
    timer.join()
    assert [notice.outcome for notice in notices(there, ours)] == ["failed", "paid"]


def test_vanishing_tells_nobody_until_it_is_asked(there, ours):
    ours.begin(soon())
    press(there, "vanish")
    assert there.door.posts == []
    assert ours.ask(REFERENCE, NOON).outcome == "paid"


def test_telling_three_times_at_once(there, ours):
    ours.begin(soon())
    assert there.act(REFERENCE, "pay", times=3) == [200, 200, 200]
    assert len({notice.provider_reference for notice in notices(there, ours)}) == 1


def test_a_notice_that_is_altered_on_its_way_is_not_read(there, ours):
    ours.begin(soon())
    there.act(REFERENCE, "vanish")
    there.tamper(REFERENCE, amount=1)
    with pytest.raises(SignatureInvalid):
        list(notices(there, ours))


def test_a_notice_that_is_not_true_is_signed_as_well(there, ours):
    ours.begin(soon())
    there.act(REFERENCE, "vanish")
    there.lie(REFERENCE, amount=1)
    assert [notice.amount for notice in notices(there, ours)] == [1]


@pytest.mark.parametrize(
    "said",
    [
        {"currency": "USD"},
        {"amount": -1},
        {"amount": 1.5},
        {"provider_reference": ""},
        {"paid_at": "9999-12-31T23:59:59-12:00"},
        {"more": "than was agreed"},
    ],
)
def test_a_well_signed_notice_that_makes_no_sense(there, ours, said):
    ours.begin(soon())
    there.act(REFERENCE, "vanish")
    there.lie(REFERENCE, **said)
    with pytest.raises(NoticeUnreadable):
        list(notices(there, ours))


def test_a_notice_is_good_for_five_minutes_and_needs_its_headers(there, ours):
    body = b"{}"
    headers = there.signed(body)
    later = datetime.now(UTC) + timedelta(minutes=6)
    with pytest.raises(TimestampOutsideWindow):
        ours.read_notice(Request({}, headers, body, later))
    with pytest.raises(SignatureMissing):
        ours.read_notice(Request({}, {}, body, later))


def test_questions_and_answers_are_signed_both_ways(there):
    stranger = adapter(there, OTHER)
    with pytest.raises(ProviderUnavailable):
        stranger.begin(soon())
    assert stranger.ask(REFERENCE, NOON) is None
    assert stranger.refund(wish()) is None
    assert there.sales == {}


@pytest.mark.parametrize(
    "said", [{"reference": "another", "result": "paid"}, {"reference": REFERENCE, "result": "paid"}]
)
def test_an_answer_about_something_else_or_nothing_is_none(there, ours, said):
    there.query = lambda _asked: (200, said)
    assert ours.ask(REFERENCE, NOON) is None


def test_money_is_given_back_once_and_never_more_than_was_paid(there, ours):
    assert ours.refund(wish()) == Refunded("failed", "", "not-paid")
    ours.begin(soon())
    there.act(REFERENCE, "vanish")
    part = replace(wish(), amount=150_000)
    first = ours.refund(part)
    assert first.outcome == "settled"
    assert ours.refund(part) == first
    assert ours.refund(replace(part, refund="another")).said == "more-than-paid"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/pay/nothing", 404),
        ("GET", "/settlement/today", 404),
        ("POST", "/nowhere", 401),
        ("POST", "/pay/nothing", 401),
    ],
)
def test_what_it_does_not_know(there, method, path, status):
    assert http.request(method, there.url + path, body=b"{}").status == status


def test_buttons_there_are_none_of_and_questions_that_are_none(there, ours):
    ours.begin(soon())
    assert press(there, "steal") == 400
    body = b"[]"
    asked = http.request("POST", f"{there.url}/query", body=body, headers=there.signed(body))
    assert asked.status == 400
    nowhere = http.request("POST", f"{there.url}/else", body=body, headers=there.signed(body))
    assert nowhere.status == 404


def test_after_its_time_a_payment_cannot_be_made(there, ours):
    ours.begin(begin(expires_at=NOON - timedelta(days=365)))
    assert "hết hạn" in there.page(REFERENCE)
    there.act(REFERENCE, "pay")
    assert [notice.outcome for notice in notices(there, ours)] == ["unknown"]


def lines(text):
    head, *rows, total = csv.reader(text.splitlines())
    assert tuple(head) == COLUMNS
    return rows, total


def a_day(there, ours):
    for number in range(1, 5):
        reference = f"abcdefghijklmnopqrstuvwxyz{number:03}"
        ours.begin(soon(transaction=reference))
        there.act(reference, "fail" if number == 4 else "vanish")
    ours.refund(replace(wish(), amount=50_000))
    return datetime.now(UTC).astimezone(HANOI).date()


def test_the_days_file_has_each_payment_and_refund_and_their_sum(there, ours):
    today = a_day(there, ours)
    text = http.request("GET", f"{there.url}/settlement/{today}").data.decode()
    rows, total = lines(text)
    assert [row[2] for row in rows] == ["payment", "refund", "payment", "payment"]
    assert total == ["TOTAL", "4", "650000"]
    assert {row[5] for row in rows} == {"paid", "refunded"}
    assert all(datetime.fromisoformat(row[6]).utcoffset() == timedelta(hours=7) for row in rows)
    assert lines(there.settlement(today - timedelta(days=1))) == ([], ["TOTAL", "0", "0"])


def test_the_days_file_can_be_wrong_in_every_way(there, ours):
    today = a_day(there, ours)
    right, _ = lines(there.settlement(today))
    wrong, total = lines(there.settlement(today, Faults(missing=1, extra=1, wrong=1)))
    before = {row[0]: row for row in right if row[2] == "payment"}
    after = {row[0]: row for row in wrong if row[2] == "payment"}
    assert len(before.keys() - after.keys()) == len(after.keys() - before.keys()) == 1
    altered = [key for key in before.keys() & after.keys() if before[key] != after[key]]
    assert len(altered) == 1
    assert total == ["TOTAL", str(len(wrong)), str(sum(int(row[3]) for row in wrong))]
    _, total = lines(there.settlement(today, Faults(total=True)))
    assert total == ["TOTAL", "4", "650001"]


def test_reconciliation_reads_the_days_file_and_finds_what_is_wrong(there, ours):
    today = a_day(there, ours)
    right = Reading([there.settlement(today).encode()], today)
    books = [
        Ours(
            one.kind, one.reference, one.provider_reference, one.amount, one.standing,
            "Z01", "demo", str(today),
        )
        for one in right
    ]  # fmt: skip
    wrong = there.settlement(today, Faults(missing=1, extra=1, wrong=1))
    matching = Matching()
    for steps in (matching.theirs(Reading([wrong.encode()], today)), matching.ours(books)):
        assert list(steps) == [4]
    found = sorted(one["kind"] for one in matching.differences())
    matching.close()
    assert found == ["amount_diff", "only_ours", "only_theirs"]
    with pytest.raises(FileUnusable):
        list(Reading([there.settlement(today, Faults(total=True)).encode()], today))


def test_where_nobody_listens_nobody_is_told(ours, there):
    ours.begin(soon())
    there.notify_url = ""
    assert there.act(REFERENCE, "pay") == []
    there.notify_url = "http://127.0.0.1:1/"
    assert there.notify(REFERENCE) == [0]
    assert json.dumps(there.sales[REFERENCE].said())
