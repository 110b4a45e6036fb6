"""The portal's payment platform, against checksums computed here from the published rules."""

import hmac
import json
import os
from dataclasses import replace
from hashlib import md5
from unittest import mock

import pytest
from contexts.payments.demo_providers import (
    INIT,
    LINES,
    MERCHANT,
    NOON,
    NOTICE,
    QUERY,
    REFERENCE,
    SECRET,
    as_json,
    begin,
    ma_xac_thuc,
    platform_answer,
    platform_ipn,
    terms,
    wish,
)
from deployed import on_moto
from receivers import receiver

from chalicelib.contexts.payments.domain.events import Checksum
from chalicelib.contexts.payments.providers import (
    NoticeUnreadable,
    ProviderCannot,
    ProviderUnavailable,
    Request,
)
from chalicelib.contexts.payments.providers.platform import Platform
from chalicelib.delivery.signatures import SignatureInvalid

PLATFORM = Platform("dvcqg", terms("platform"), SECRET)
PAGE = "https://pay.example/page/1"


@pytest.fixture(autouse=True, scope="module")
def deployment():
    with mock.patch.dict(os.environ, {"ALLOW_LOOPBACK": "1"}), on_moto():
        yield


@pytest.fixture
def gateway():
    """The platform's side, and the adapter that speaks with it."""
    with receiver() as there:
        reached = terms("platform", pay_url=f"{there.url}/init", query_url=f"{there.url}/query")
        there.answer = lambda _post: as_json({"MaLoi": "00", "UrlThanhToan": PAGE})
        yield there, Platform("dvcqg", reached, SECRET)


def read(said, provider=PLATFORM):
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return provider.read_notice(Request({}, {}, body, NOON))


def test_init_says_what_is_paid_for_and_its_checksum_is_over_the_fields_in_their_order(gateway):
    there, platform = gateway
    assert platform.begin(begin()) == (PAGE, PAGE)
    said = json.loads(there.posts[0].body)
    head = {name: said[name] for name in INIT}
    assert head == {
        "LoaiBanTin": "INIT",
        "PhienBan": "1.0.6",
        "MaDoiTac": MERCHANT,
        "MaThamChieu": REFERENCE,
        "SoTien": "200000",
        "LoaiHinhThanhToan": "PAY",
        "MaKenhThanhToan": "",
        "MaThietBi": "",
        "NgonNgu": "vi-VN",
        "MaTienTe": "VND",
        "MaNganHang": "",
        "ThongTinGiaoDich": f"Thanh toan {REFERENCE}",
        "ThoiGianGD": "20260601120000",
        "Ip": "203.0.113.7",
    }
    assert said["MaXacThuc"] == ma_xac_thuc(INIT, said)
    receipt = said["ThongTinBienLai"]
    assert (receipt["MaHoSo"], receipt["TKThuHuong"]) == ("Z01-20260601-0000001", "0000000001")
    assert (receipt["HoTenNguoiNop"], receipt["SoCMNDNguoiNop"]) == ("Demo Payer", "DEMO-1")
    assert receipt["PhiLePhi"] == [
        {
            "LoaiPhiLePhi": "1",
            "MaPhiLePhi": "P01",
            "TenPhiLePhi": "Demo fee",
            "SoTien": "120000",
        },
        {
            "LoaiPhiLePhi": "2",
            "MaPhiLePhi": "L01",
            "TenPhiLePhi": "Demo charge",
            "SoTien": "30000",
        },
    ]
    assert receipt["DSKhoanNop"] == [{"NoiDung": "Demo fine", "SoTien": "50000"}]


def test_init_of_a_payment_whose_account_and_payer_are_not_known(gateway):
    there, platform = gateway
    platform.begin(replace(begin(), payee=None, payer=None))
    receipt = json.loads(there.posts[0].body)["ThongTinBienLai"]
    assert (receipt["MaDonVi"], receipt["TKThuHuong"], receipt["HoTenNguoiNop"]) == ("Z01", "", "")


def test_the_platform_takes_a_payment_whole(gateway):
    there, platform = gateway
    with pytest.raises(ProviderCannot):
        platform.begin(begin(amount=100_000))
    with pytest.raises(ProviderCannot):
        platform.begin(begin(lines=LINES[:1]))
    assert there.posts == []


@pytest.mark.parametrize(
    "answer",
    [
        as_json({"MaLoi": "05"}),
        as_json({"MaLoi": "00"}),
        as_json({"MaLoi": "00", "UrlThanhToan": "javascript:alert(1)"}),
        as_json(["00"]),
        (200, {}, b"<html>"),
        (500, {}, b""),
    ],
)
def test_who_cannot_be_sent_to_the_platform_is_told_so(gateway, answer):
    there, platform = gateway
    there.answer = lambda _post: answer
    with pytest.raises(ProviderUnavailable):
        platform.begin(begin())


@pytest.mark.parametrize(("code", "outcome"), [("00", "paid"), ("24", "failed"), ("", "failed")])
def test_maloi_says_what_became_of_it(code, outcome):
    notice = read(platform_ipn(MaLoi=code))
    assert (notice.outcome, notice.said) == (outcome, code)
    assert (notice.transaction, notice.provider_reference) == (REFERENCE, "DVCQG0000001")
    assert notice.amount == 200_000
    if outcome == "paid":
        assert notice.paid_at.isoformat() == "2026-06-01T12:03:59+07:00"


def test_an_amount_may_be_a_number():
    said = platform_ipn(SoTien=200_000)
    assert read(said).amount == 200_000


GOOD = platform_ipn()


@pytest.mark.parametrize(
    "tampered",
    [
        *(GOOD | {name: str(value) + "0"} for name, value in GOOD.items()),
        *({n: v for n, v in GOOD.items() if n != name} for name in GOOD),
        platform_ipn(secret="another secret"),
        # What stands on one side of the joint now stands on the other.
        platform_ipn(MaThamChieu="a|b", MaGiaoDich="c"),
        [GOOD],
        b"MaLoi=00",
        b'{"MaLoi":"00","MaLoi":"01"}',
        b"\xff\xfe",
        b"",
    ],
)
def test_a_notice_that_was_altered_is_not_read(tampered):
    with pytest.raises(SignatureInvalid):
        read(tampered)


@pytest.mark.parametrize(
    "wrong",
    [
        {"SoTien": "200000.5"},
        {"SoTien": "-1"},
        {"SoTien": ""},
        {"MaTienTe": "USD"},
        {"MaDoiTac": "OTHER"},
        {"MaGiaoDich": ""},
        {"MaThamChieu": "x" * 200},
        {"ThoiGianGD": "yesterday"},
        {"ThoiGianGD": "00010101000000"},
    ],
)
def test_a_well_signed_notice_that_makes_no_sense(wrong):
    with pytest.raises(NoticeUnreadable):
        read(platform_ipn(**wrong))


def _joined(said, order):
    return "|".join(said[name] for name in order)


OTHER_ORDER = ("MaThamChieu", "MaLoi", "SoTien", "MaGiaoDich", "MaDoiTac")


@pytest.mark.parametrize(
    ("algorithm", "computed"),
    [
        ("md5", lambda text: md5(f"{text}|{SECRET}".encode(), usedforsecurity=False).hexdigest()),
        (
            "hmac-sha256",
            lambda text: hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest(),
        ),
        (
            "hmac-sha512",
            lambda text: hmac.new(SECRET.encode(), text.encode(), "sha512").hexdigest(),
        ),
    ],
)
def test_partners_compute_in_their_own_way(algorithm, computed):
    how = Checksum(algorithm=algorithm, notice=OTHER_ORDER)
    partner = Platform("dvcqg", terms("platform", checksum=how), SECRET)
    said = GOOD | {"MaXacThuc": computed(_joined(GOOD, OTHER_ORDER)).upper()}
    assert read(said, partner).outcome == "paid"
    with pytest.raises(SignatureInvalid):
        read(said)
    with pytest.raises(SignatureInvalid):
        read(said | {"SoTien": "200001"}, partner)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "paid"),
        ({"TrangThaiGD": "3"}, "unknown"),
        ({"TrangThaiGD": "4"}, "failed"),
        ({"TrangThaiGD": "2"}, None),
        ({"MaThamChieu": "another"}, None),
        ({"SoTien": "much"}, None),
        ({"MaXacThuc": "0"}, None),
    ],
)
def test_what_became_of_a_transaction(gateway, changes, outcome):
    there, platform = gateway
    answer = platform_answer(**changes) | ({"MaXacThuc": "0"} if "MaXacThuc" in changes else {})
    there.answer = lambda _post: as_json(answer)
    notice = platform.ask(REFERENCE, NOON)
    assert (notice.outcome if notice else None) == outcome
    asked = json.loads(there.posts[0].body)
    assert asked["LoaiBanTin"] == "QUERY"
    assert asked["MaXacThuc"] == ma_xac_thuc(QUERY, asked)


def test_no_answer_is_no_answer(gateway):
    there, platform = gateway
    there.answer = lambda _post: (503, {}, b"")
    assert platform.ask(REFERENCE, NOON) is None


@pytest.mark.parametrize(
    ("verdict", "code"),
    [("confirmed", "00"), ("failed", "00"), ("already", "00"), ("untrusted", "97")],
)
def test_answers_are_in_the_platforms_words(verdict, code):
    reply = PLATFORM.reply(verdict)
    assert (reply.status, reply.body["MaLoi"]) == (200, code)


@pytest.mark.parametrize(
    "verdict", ["unknown", "amount", "disputed", "untrusted", "unreadable", "broken"]
)
def test_whatever_was_not_taken_is_answered_with_anything_but_00(verdict):
    assert PLATFORM.reply(verdict).body["MaLoi"] != "00"


def test_money_is_given_back_by_hand():
    assert PLATFORM.refund(wish()) == ("failed", "", "not-offered")


def test_what_the_default_order_covers():
    assert Checksum().notice == tuple(NOTICE)
    assert Checksum().init == tuple(INIT)
