"""The doors at which providers leave their notices, and who may say what a provider is."""

import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Barrier
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from contexts.payments.demo_providers import (
    LINES,
    MERCHANT,
    NOTICE,
    SECRET,
    ma_xac_thuc,
    platform_ipn,
    vnpay_ipn,
)
from deployed import on_moto
from gateway import Gateway, caller

from app import app
from chalicelib import runtime
from chalicelib.contexts.payments.domain.commands import (
    CancelPayment,
    InitiateTransaction,
    RequestPayment,
)
from chalicelib.contexts.payments.domain.payment import payment, payment_id
from chalicelib.contexts.payments.domain.provider import ProviderIsSuspended
from chalicelib.contexts.payments.noting import note
from chalicelib.contexts.payments.projections import which_providers_are_there
from chalicelib.contexts.payments.providers import Request, adapter
from chalicelib.contexts.payments.providers_routes import NOTICE_BYTES
from chalicelib.delivery.signatures import secret_bytes, sign_hmac
from chalicelib.handle import fold, handle
from chalicelib.kernel import Origin

administrator = Gateway(app, caller("administrator"))
outside = Gateway(app)
WHSEC = "whsec_" + b64encode(b"s" * 32).decode()
REACHED = {
    "name": "Demo",
    "merchant": MERCHANT,
    "pay_url": "https://pay.example/pay",
    "return_url": "https://portal.example/",
}
_numbers = count(1)


def put(path, body, who=administrator):
    return who.call("PUT", path, body, {"idempotency-key": str(uuid4())})


def registration(kind, **changes):
    return REACHED | {"kind": kind, "secret": WHSEC if kind == "sandbox" else SECRET} | changes


@pytest.fixture(autouse=True, scope="module")
def deployment():
    with on_moto():
        for kind in ("vnpay", "platform", "sandbox"):
            assert put(f"/payment-providers/{kind}", registration(kind)).status == 202
        yield


def origin():
    key = uuid4().hex
    return Origin(
        command_id=key, digest=key, actor="system:demo", method="jwt", at=datetime.now(UTC)
    )


def begun(provider, **asked):
    """A payment of 200,000 đồng whose payer was sent to a provider: id and reference."""
    id_ = payment_id(f"demo {next(_numbers)}")
    tell = {"origin": origin(), "payment": id_}
    request = RequestPayment(
        **tell, agency="Z01", subject="person:demo", lines=LINES, amount=200_000, **asked
    )
    handle(runtime.event_store(), payment, id_, request)
    start = InitiateTransaction(
        origin=origin(), payment=id_, subject="person:demo", provider=provider
    )
    handle(runtime.event_store(), payment, id_, start)
    [reference] = state_of(id_).transactions
    return id_, reference


def state_of(id_):
    return fold(payment, runtime.event_store().load(f"payment-{id_}"))


def facts(id_):
    commits = runtime.event_store().load(f"payment-{id_}")
    return [data["type"].removeprefix("payment.") for c in commits for data in c.data()]


def ipn(query, provider="vnpay"):
    """What VNPay is answered."""
    answer = outside.call("GET", f"/payments/notices/{provider}?{urlencode(query)}")
    assert answer.status == 200
    return answer.json["RspCode"]


def test_an_ipn_is_recorded_once_and_answered_in_vnpays_words():
    id_, reference = begun("vnpay")
    assert [ipn(vnpay_ipn(vnp_TxnRef=reference)) for _ in range(3)] == ["00", "02", "02"]
    assert facts(id_) == ["requested", "transaction_initiated", "captured", "paid"]
    captured = runtime.event_store().load(f"payment-{id_}")[2]
    assert captured.data()[0]["provider_reference"] == "14000001"


def test_three_threads_with_the_same_ipn_capture_once():
    id_, reference = begun("vnpay")
    vnpay, together = adapter("vnpay"), Barrier(3)
    request = Request(vnpay_ipn(vnp_TxnRef=reference), {}, b"", datetime.now(UTC))

    def take(_):
        together.wait()
        return note(vnpay.read_notice(request), "vnpay", "notice")

    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(take, range(3))) == ["already", "already", "confirmed"]
    assert facts(id_).count("captured") == facts(id_).count("paid") == 1


@pytest.mark.parametrize(
    ("changes", "code", "then"),
    [
        ({"secret": "another secret"}, "97", []),
        ({"vnp_Amount": "100"}, "04", ["notice_disputed"]),
        ({"vnp_CurrCode": "USD"}, "99", []),
        ({"vnp_TmnCode": "OTHER"}, "99", []),
        ({"vnp_ResponseCode": "24", "vnp_TransactionStatus": "02"}, "00", ["transaction_failed"]),
    ],
)
def test_bad_notices_capture_nothing(changes, code, then):
    id_, reference = begun("vnpay")
    query = vnpay_ipn(**{"vnp_TxnRef": reference} | changes)
    assert ipn(query) == code
    assert facts(id_) == ["requested", "transaction_initiated", *then]


def test_a_wrong_amount_is_wrong_however_often_it_is_said():
    id_, reference = begun("vnpay")
    query = vnpay_ipn(vnp_TxnRef=reference, vnp_Amount="100")
    assert [ipn(query) for _ in range(3)] == ["04", "04", "04"]
    assert facts(id_).count("notice_disputed") == 1
    assert ipn(vnpay_ipn(vnp_TxnRef=reference)) == "00"


@pytest.mark.parametrize("reference", ["nothing", "", "payment-1", "a" * 26 + "001"])
def test_an_unknown_reference(reference):
    assert ipn(vnpay_ipn(vnp_TxnRef=reference)) == "01"


def test_one_provider_says_nothing_of_anothers_transaction():
    id_, reference = begun("platform")
    assert ipn(vnpay_ipn(vnp_TxnRef=reference)) == "01"
    assert facts(id_) == ["requested", "transaction_initiated"]


def test_money_for_a_cancelled_request_is_there_all_the_same():
    id_, reference = begun("vnpay")
    cancel = CancelPayment(origin=origin(), payment=id_, agency="Z01", reason="demo")
    handle(runtime.event_store(), payment, id_, cancel)
    assert ipn(vnpay_ipn(vnp_TxnRef=reference)) == "00"
    assert facts(id_)[-1] == "captured_late"


def test_what_a_suspended_provider_says_of_money_still_counts():
    id_, reference = begun("vnpay")
    path = "/payment-providers/vnpay/suspension"
    assert put(path, {"reason": "demo"}).status == 202
    try:
        assert ipn(vnpay_ipn(vnp_TxnRef=reference)) == "00"
    finally:
        resumed = administrator.call("DELETE", path, None, {"idempotency-key": str(uuid4())})
        assert resumed.status == 202
    assert "paid" in facts(id_)


def test_a_notice_that_is_too_long_is_not_even_proven():
    _, reference = begun("vnpay")
    assert ipn(vnpay_ipn(vnp_TxnRef=reference, vnp_OrderInfo="x" * NOTICE_BYTES)) == "99"


def post(provider, said, headers=None):
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    answer = outside.call("POST", f"/payments/notices/{provider}", body, headers)
    return answer.status, answer.json


def confirm(**changes):
    status, said = post("platform", platform_ipn(**changes))
    assert status == 200
    return said["MaLoi"]


def test_the_platform_is_answered_in_its_own_words():
    id_, reference = begun("platform")
    about = {"MaThamChieu": reference}
    assert confirm(**about, secret="another secret") == "97"
    assert confirm(**about, SoTien="1") == "04"
    assert confirm(**about, MaTienTe="USD") == "99"
    assert confirm(MaThamChieu="nothing") == "01"
    assert confirm(**about) == "00"
    assert confirm(**about) == "00"
    assert confirm(**about, MaGiaoDich="ANOTHER") == "02"
    assert facts(id_).count("captured") == 1
    assert post("platform", b"<xml/>")[1]["MaLoi"] == "97"
    # Its fault, and not ours: it need not send the same again.
    silent = platform_ipn(**about)
    silent = {name: said for name, said in silent.items() if name not in {"MaLoi", "MaXacThuc"}}
    silent["MaXacThuc"] = ma_xac_thuc(NOTICE, silent)
    assert "quy cách" in post("platform", silent)[1]["MoTaLoi"]
    assert post("platform", b" " * (NOTICE_BYTES + 1))[1]["MaLoi"] == "99"


def signed(said, at=None):
    body, now = json.dumps(said).encode(), int((at or datetime.now(UTC)).timestamp())
    return body, {
        "webhook-id": "demo-1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign_hmac(secret_bytes(WHSEC), "demo-1", now, body),
    }


def test_the_sandbox_is_answered_by_status():
    id_, reference = begun("sandbox")
    paid = {
        "reference": reference,
        "provider_reference": "S00000001",
        "result": "paid",
        "amount": 200_000,
        "paid_at": "2026-06-01T12:03:59+07:00",
    }
    assert post("sandbox", *signed(paid | {"amount": 1}))[0] == 422
    assert post("sandbox", *signed(paid | {"currency": "USD"}))[0] == 400
    assert post("sandbox", *signed(paid | {"reference": "nothing"}))[0] == 404
    assert post("sandbox", paid)[0] == 401
    old = datetime.now(UTC) - timedelta(minutes=6)
    assert post("sandbox", *signed(paid, old))[0] == 401
    assert post("sandbox", *signed(paid)) == (200, {"verdict": "confirmed"})
    assert post("sandbox", *signed(paid)) == (200, {"verdict": "already"})
    assert post("sandbox", *signed(paid | {"provider_reference": "S2"}))[0] == 409
    assert facts(id_).count("captured") == 1


def test_what_breaks_here_is_told_so_that_it_comes_again(caplog):
    id_, reference = begun("vnpay")
    dynamodb = runtime.client("dynamodb")
    table, query = runtime.table("events"), vnpay_ipn(vnp_TxnRef=reference)
    first = {"stream": {"S": f"payment-{id_}"}, "number": {"N": "1"}}
    lost = dynamodb.get_item(TableName=table, Key=first)["Item"]
    dynamodb.delete_item(TableName=table, Key=first)
    caplog.clear()
    assert ipn(query) == "99"
    [record] = caplog.records
    assert record.getMessage() == "a notice was not taken"
    assert (record.provider, record.error) == ("vnpay", "Corrupt")
    assert reference not in str(vars(record))
    dynamodb.put_item(TableName=table, Item=lost)
    assert ipn(query) == "00"


def test_a_provider_whose_secret_cannot_be_read_is_told_so_in_its_own_words(caplog):
    for kind, word in (("vnpay", "RspCode"), ("platform", "MaLoi"), ("sandbox", "verdict")):
        code = f"lost-{kind}"
        assert put(f"/payment-providers/{code}", registration(kind)).status == 202
        subject = {"subject": {"S": f"provider:{code}"}}
        runtime.client("dynamodb").delete_item(TableName=runtime.table("subject_keys"), Key=subject)
        runtime.vault.cache_clear()
        runtime.event_store.cache_clear()
        caplog.clear()
        method, body = ("GET", None) if kind == "vnpay" else ("POST", b"{}")
        answer = outside.call(method, f"/payments/notices/{code}", body)
        said = {"vnpay": (200, "99"), "platform": (200, "99"), "sandbox": (503, "broken")}[kind]
        assert (answer.status, answer.json[word]) == said
        [record] = caplog.records
        assert (record.getMessage(), record.provider) == ("a notice was not taken", code)


@pytest.mark.parametrize("code", ["nobody", "Not-A-Code", "x" * 40])
def test_a_provider_that_nobody_knows_has_no_door(code):
    for method in ("GET", "POST"):
        answer = outside.call(
            method, f"/payments/notices/{code}", b"{}" if method == "POST" else None
        )
        assert (answer.status, answer.json["code"]) == (404, "provider-unknown")


# Providers and payees.


def test_a_provider_is_registered_and_its_secret_told_to_nobody():
    body = registration("vnpay", minutes=30)
    answer = put("/payment-providers/other", body)
    assert (answer.status, answer.json["seen"]) == (202, "provider-other@1")
    assert put("/payment-providers/other", body).json["version"] == 1
    assert put("/payment-providers/other", body | {"secret": SECRET[::-1]}).json["version"] == 2
    for reader in (administrator, Gateway(app, caller("auditor"))):
        shown = reader.call("GET", "/payment-providers/other")
        assert (shown.status, shown.json["minutes"], shown.json["status"]) == (200, 30, "open")
        assert "secret" not in shown.text
    for commit in runtime.event_store().load("provider-other"):
        assert SECRET.encode() not in commit.body + commit.header
    assert adapter("other").secret == SECRET[::-1]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"kind": "cash"}, "invalid-request"),
        ({"pay_url": "http://pay.example/"}, "invalid-request"),
        ({"secret": "short"}, "invalid-request"),
        ({"secret": None}, "invalid-request"),
        ({"kind": "sandbox", "secret": "not the base64 of a key"}, "invalid-request"),
        ({"checksum": {"notice": ["MaLoi"]}}, "invalid-request"),
        ({"secret_print": "x"}, "invalid-request"),
    ],
)
def test_registrations_that_are_not_taken(changes, refusal):
    answer = put("/payment-providers/wrong", registration("vnpay") | changes)
    assert (answer.status, answer.json["code"]) == (422, refusal)
    assert SECRET not in answer.text


def test_what_nobody_registered_is_not_suspended_and_codes_are_checked():
    answer = put("/payment-providers/nobody/suspension", {"reason": "demo"})
    assert (answer.status, answer.json["code"]) == (404, "provider-unknown")
    assert administrator.call("GET", "/payment-providers/nobody").status == 404
    assert put("/payment-providers/NO", registration("vnpay")).status == 422


@pytest.mark.parametrize("role", ["citizen", "officer", "system", "auditor"])
def test_only_an_administrator_says_what_a_provider_or_an_account_is(role):
    who = Gateway(app, caller(role, agency="Z01"))
    assert put("/payment-providers/mine", registration("vnpay"), who).status == 403
    assert put("/payment-providers/vnpay/suspension", {"reason": "x"}, who).status == 403
    assert put("/payees/Z01/account", {}, who).status == 403


def test_an_agencys_accounts():
    account = {"account": "0000000001", "bank": "DEMOBANK", "holder": "Demo Office"}
    own = Gateway(app, caller("administrator", agency="Z07"))
    assert put("/payees/000.00.00.Z07/account", account, own).status == 202
    assert (
        put("/payees/Z07/account", account | {"use": "treasury", "account": "0002"}).status == 202
    )
    shown = Gateway(app, caller("officer", agency="Z07")).call("GET", "/payees/Z07").json
    assert shown["agency"] == {"agency": "Z07", **account}
    assert shown["treasury"]["account"] == "0002"
    refused = put("/payees/Z08/account", account, own)
    assert (refused.status, refused.json["code"]) == (403, "not-your-payee")
    assert put("/payees/Z08/account", account | {"account": "1"}).status == 422


def test_payers_choose_among_the_providers_that_are_in_use():
    citizen = Gateway(app, caller("citizen"))
    put("/payment-providers/zz-resting", registration("vnpay", name="Zz"))
    put("/payment-providers/zz-resting/suspension", {"reason": "demo"})
    runtime.sequencer().sweep()
    runtime.projector().follow(which_providers_are_there.answer)
    shown = [row["provider"] for row in citizen.call("GET", "/payment-providers").json["items"]]
    everybody = citizen.call("GET", "/payment-providers?suspended=true").json["items"]
    assert {"vnpay", "platform", "sandbox"} <= set(shown)
    assert {row["provider"] for row in everybody} - set(shown) == {"zz-resting"}
    with pytest.raises(ProviderIsSuspended):
        adapter("zz-resting", new=True)
    assert adapter("zz-resting").code == "zz-resting"
