"""VNPay: what we send and believe, against checksums computed here from the published rules."""

import json
import os
from collections import Counter
from dataclasses import replace
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import pytest
from contexts.payments import demo_payments as money
from contexts.payments.demo_providers import (
    MERCHANT,
    NOON,
    REFERENCE,
    SECRET,
    as_json,
    begin,
    sha512,
    terms,
    vnpay_answer,
    vnpay_ipn,
    wish,
)
from deployed import on_moto
from receivers import receiver

from chalicelib import runtime
from chalicelib.contexts.payments.asking import pay_back
from chalicelib.contexts.payments.domain.commands import (
    ApproveRefund,
    NoteRefundFailed,
    NoteRefundSettled,
    RequestRefund,
)
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.contexts.payments.domain.provider import RegisterProvider, provider
from chalicelib.contexts.payments.domain.refusals import AnotherRefundUnderWay
from chalicelib.contexts.payments.providers import NoticeUnreadable, Refunded, Request
from chalicelib.contexts.payments.providers.vnpay import VNPay
from chalicelib.delivery.signatures import SignatureInvalid
from chalicelib.handle import fold, handle
from chalicelib.privacy.personal import Personal

VNPAY = VNPay("vnpay", terms("vnpay"), SECRET)


@pytest.fixture(autouse=True, scope="module")
def deployment():
    with mock.patch.dict(os.environ, {"ALLOW_LOOPBACK": "1"}), on_moto():
        yield


@pytest.fixture
def gateway():
    """VNPay's side of the JSON commands, and the adapter that speaks with it."""
    with receiver() as there:
        reached = terms("vnpay", query_url=f"{there.url}/api", refund_url=f"{there.url}/api")
        yield there, VNPay("vnpay", reached, SECRET)


def read(query, provider=VNPAY):
    return provider.read_notice(Request(query, {}, b"", NOON))


def test_the_address_to_pay_at_is_signed_over_its_sorted_parameters():
    redirect = VNPAY.begin(begin())
    assert redirect.url == redirect.qr_text
    parts = urlsplit(redirect.url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://pay.example/pay.html"
    signed, _, checksum = parts.query.partition("&vnp_SecureHash=")
    # By hand: what VNPay's own paper shows, each value URL-encoded, a blank as "+".
    assert signed == (
        "vnp_Amount=20000000&vnp_Command=pay&vnp_CreateDate=20260601120000&vnp_CurrCode=VND"
        "&vnp_ExpireDate=20260601121500&vnp_IpAddr=203.0.113.7&vnp_Locale=vn"
        f"&vnp_OrderInfo=Thanh+toan+{REFERENCE}&vnp_OrderType=other"
        "&vnp_ReturnUrl=https%3A%2F%2Fportal.example%2Fback%3Ffrom%3Dpay"
        f"&vnp_TmnCode={MERCHANT}&vnp_TxnRef={REFERENCE}&vnp_Version=2.1.0"
    )
    assert checksum == sha512(signed)


def test_the_same_payment_begun_again_has_the_same_address_and_names_nobody():
    first, again = VNPAY.begin(begin()), VNPAY.begin(begin())
    assert first == again
    assert "Payer" not in first.url
    other = VNPay("vnpay", terms("vnpay", pay_url="https://pay.example/?a=1"), SECRET)
    assert dict(parse_qsl(urlsplit(other.begin(begin()).url).query))["a"] == "1"


def test_a_good_notice_says_what_was_paid():
    notice = read(vnpay_ipn())
    assert (notice.transaction, notice.provider_reference) == (REFERENCE, "14000001")
    assert (notice.outcome, notice.amount, notice.said) == ("paid", 200_000, "00")
    assert notice.paid_at.isoformat() == "2026-06-01T12:03:59+07:00"


def test_letters_with_marks_and_blanks_are_signed_as_they_are_encoded():
    info = "Thanh toán phí & lệ phí, 100% + 1"
    assert read(vnpay_ipn(vnp_OrderInfo=info)).outcome == "paid"


@pytest.mark.parametrize(
    ("code", "state", "outcome"),
    [
        ("00", "00", "paid"),
        ("24", "02", "failed"),
        ("00", "02", "failed"),
        ("51", "00", "failed"),
        ("00", "01", "unknown"),
        ("07", "00", "unknown"),
        ("00", "07", "unknown"),
        ("00", "04", "unknown"),
    ],
)
def test_both_codes_must_say_success(code, state, outcome):
    notice = read(vnpay_ipn(vnp_ResponseCode=code, vnp_TransactionStatus=state))
    assert notice.outcome == outcome
    assert (notice.paid_at is not None) == (outcome == "paid")


GOOD = vnpay_ipn()


@pytest.mark.parametrize(
    "tampered",
    [
        *(GOOD | {name: value + "0"} for name, value in GOOD.items()),
        *({n: v for n, v in GOOD.items() if n != name} for name in GOOD),
        GOOD | {"vnp_Extra": "1"},
        GOOD | {"vnp_SecureHash": ""},
        GOOD | {"vnp_SecureHash": "é"},
        vnpay_ipn(secret="another secret"),
        {},
    ],
)
def test_a_notice_that_was_altered_is_not_read(tampered):
    with pytest.raises(SignatureInvalid):
        read(tampered)


def test_the_checksum_may_be_in_capitals_and_its_type_and_strange_parameters_are_not_signed():
    loud = GOOD | {"vnp_SecureHash": GOOD["vnp_SecureHash"].upper()}
    assert read(loud | {"vnp_SecureHashType": "HMACSHA512", "utm": "x"}) == read(GOOD)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vnp_Amount": "20000001"},
        {"vnp_Amount": "-100"},
        {"vnp_Amount": "200.000"},
        {"vnp_Amount": "٢٠٠٠"},
        {"vnp_Amount": "9" * 40},
        {"vnp_Amount": None},
        {"vnp_PayDate": "20261301000000"},
        {"vnp_PayDate": "01/06/2026"},
        {"vnp_PayDate": "00010101000000"},
        {"vnp_TxnRef": None},
        {"vnp_TxnRef": "x" * 200},
        {"vnp_TransactionNo": ""},
        {"vnp_TransactionStatus": None},
        {"vnp_TmnCode": "OTHER"},
        {"vnp_CurrCode": "USD"},
    ],
)
def test_a_well_signed_notice_that_makes_no_sense(wrong):
    with pytest.raises(NoticeUnreadable):
        read(vnpay_ipn(**wrong))


def test_a_notice_without_a_day_was_paid_when_it_came():
    assert read(vnpay_ipn(vnp_PayDate=None)).paid_at == NOON


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ("confirmed", "00"),
        ("failed", "00"),
        ("already", "02"),
        ("disputed", "02"),
        ("unknown", "01"),
        ("amount", "04"),
        ("untrusted", "97"),
        ("unreadable", "99"),
        ("broken", "99"),
    ],
)
def test_answers_are_in_vnpays_words(verdict, code):
    reply = VNPAY.reply(verdict)
    assert (reply.status, reply.body["RspCode"]) == (200, code)


def answering(there, **changes):
    there.answer = lambda post: as_json(vnpay_answer(json.loads(post.body), **changes))


def test_a_question_is_signed_in_the_published_order_and_its_answer_believed(gateway):
    there, vnpay = gateway
    answering(there)
    notice = vnpay.ask(REFERENCE, NOON)
    assert (notice.outcome, notice.amount) == ("paid", 200_000)
    asked = json.loads(there.posts[0].body)
    order = [
        "vnp_RequestId",
        "vnp_Version",
        "vnp_Command",
        "vnp_TmnCode",
        "vnp_TxnRef",
        "vnp_TransactionDate",
        "vnp_CreateDate",
        "vnp_IpAddr",
        "vnp_OrderInfo",
    ]
    assert asked["vnp_SecureHash"] == sha512("|".join(asked[name] for name in order))
    assert asked.keys() == {*order, "vnp_SecureHash"}
    assert asked["vnp_TransactionDate"] == "20260601120000"
    assert asked["vnp_Command"] == "querydr"


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"vnp_TransactionStatus": "01"}, "unknown"),
        ({"vnp_TransactionStatus": "02"}, "failed"),
        ({"vnp_ResponseCode": "91"}, "unknown"),
        ({"vnp_ResponseCode": "97"}, None),
        ({"vnp_TxnRef": "another"}, None),
        ({"vnp_TmnCode": "OTHER"}, None),
        ({"vnp_Message": "a|b"}, None),
        ({"vnp_Amount": 150}, None),
        ({"secret": "another secret"}, None),
    ],
)
def test_what_an_answer_may_say(gateway, changes, outcome):
    there, vnpay = gateway
    answering(there, **changes)
    notice = vnpay.ask(REFERENCE, NOON)
    assert (notice.outcome if notice else None) == outcome


@pytest.mark.parametrize(
    "answer", [(500, {}, b"{}"), (200, {}, b"[]"), (200, {}, b"not json"), (302, {}, b"")]
)
def test_no_answer_is_no_answer(gateway, answer):
    there, vnpay = gateway
    there.answer = lambda _post: answer
    assert vnpay.ask(REFERENCE, NOON) is None
    assert vnpay.refund(wish()) is None


def test_who_has_no_address_for_questions_asks_nobody():
    assert VNPAY.ask(REFERENCE, NOON) is None


@pytest.mark.parametrize(
    ("changes", "refunded"),
    [
        ({}, Refunded("submitted", "14000001", "00")),
        ({"vnp_ResponseCode": "94"}, Refunded("submitted", "14000001", "94")),
        ({"vnp_ResponseCode": "95"}, Refunded("failed", "", "95")),
        ({"secret": "another secret"}, None),
    ],
)
def test_a_refund_is_passed_on_to_the_bank(gateway, changes, refunded):
    there, vnpay = gateway
    answering(there, **changes)
    assert vnpay.refund(wish()) == refunded
    asked = json.loads(there.posts[0].body)
    order = [
        "vnp_RequestId",
        "vnp_Version",
        "vnp_Command",
        "vnp_TmnCode",
        "vnp_TransactionType",
        "vnp_TxnRef",
        "vnp_Amount",
        "vnp_TransactionNo",
        "vnp_TransactionDate",
        "vnp_CreateBy",
        "vnp_CreateDate",
        "vnp_IpAddr",
        "vnp_OrderInfo",
    ]
    assert asked["vnp_SecureHash"] == sha512("|".join(asked[name] for name in order))
    assert (asked["vnp_TransactionType"], asked["vnp_Amount"]) == ("02", "20000000")


def test_a_part_is_said_to_be_one_and_the_same_refund_is_the_same_request(gateway):
    there, vnpay = gateway
    answering(there)
    part = replace(wish(), amount=50_000)
    for one in (part, part, replace(part, attempt=1), wish(refund="another")):
        vnpay.refund(one)
    first, again, later, other = (json.loads(post.body) for post in there.posts)
    assert (first["vnp_TransactionType"], first["vnp_Amount"]) == ("03", "5000000")
    assert first["vnp_RequestId"] == again["vnp_RequestId"] != other["vnp_RequestId"]
    # What has failed is asked for anew, and not taken for the same.
    assert first["vnp_RequestId"] != later["vnp_RequestId"]


@pytest.fixture
def registered(gateway):
    """The same as a provider that payments are made with, and what VNPay holds of refunds."""
    there, vnpay = gateway
    held = Counter()

    def refund(post):
        asked = json.loads(post.body)
        code = "94" if asked["vnp_RequestId"] in held or asked["vnp_TxnRef"] in held else "00"
        if code == "00":
            held.update((asked["vnp_RequestId"], asked["vnp_TxnRef"], asked["vnp_OrderInfo"]))
        return as_json(vnpay_answer(asked, vnp_ResponseCode=code))

    there.answer = refund
    secret = Personal[str](subject="provider:demo-pay", value=SECRET)
    wanted = RegisterProvider(
        origin=money.origin(), provider=money.PROVIDER, terms=vnpay.terms.model_dump(),
        secret=secret, secret_print="demo",
    )  # fmt: skip
    handle(runtime.event_store(), provider, money.PROVIDER, wanted)
    return held


def test_of_a_transaction_one_refund_goes_at_a_time_and_a_failed_one_goes_anew(registered):
    def do(kind, **changes):
        handle(runtime.event_store(), payment, money.ID, money.ask(kind, **changes))

    def back(refund):
        pay_back(money.ID, refund, money.origin())
        state = fold(payment, runtime.event_store().load(f"payment-{money.ID}"))
        return {id_: each.status for id_, each in state.refunds.items()}

    for kind in (*money.PAID, *(RequestRefund,) * 2):
        do(kind, **{"amount": 20_000} if kind is RequestRefund else {})
    first, second = money.R1, money.R2
    for refund in (first, second):
        do(ApproveRefund, refund=refund)
    with pytest.raises(AnotherRefundUnderWay):
        back(second)
    assert back(first) == {first: "submitted", second: "approved"}
    with pytest.raises(AnotherRefundUnderWay):
        back(second)
    # It came back, and VNPay has nothing in hand; the other goes first then.
    do(NoteRefundFailed)
    del registered[money.ONE]
    with pytest.raises(AnotherRefundUnderWay):
        back(first)
    assert back(second) == {first: "failed", second: "submitted"}
    do(NoteRefundSettled, refund=second)
    del registered[money.ONE]
    assert back(first) == {first: "submitted", second: "settled"}
    assert registered[f"Hoan tien {first}"] == 2
