"""What the national portal hears of the dossiers that are kept here, in its own field names."""

import json
from datetime import timedelta

import pytest
from contexts.dossiers.counter import CITIZEN, CLERK, SPECIALIST, open_counter
from contexts.dossiers.demo_dossiers import (
    CODE,
    COPY,
    DESK,
    DOSSIER_CODE,
    FEE,
    FILE,
    FORM,
    ID,
    LIVES,
    MONDAY,
    PROCESSED,
    PROCESSING,
    RESULT,
    SUBJECT,
    TERMS,
    live,
)
from survival.world import world as made

from chalicelib import runtime
from chalicelib.contexts.dossiers.domain.commands import (
    AdoptState,
    CorrectResult,
    ExtendDeadline,
    Held,
    NoteSync,
    PauseDossier,
    ReceiveSupplement,
    RequestSupplement,
    ResumeDossier,
    ReturnResult,
    SubmitDossier,
    Version,
    WithdrawResult,
)
from chalicelib.contexts.dossiers.domain.events import PORTAL as STATES
from chalicelib.contexts.dossiers.domain.events import (
    Applicant,
    ComponentRule,
    Contact,
    HandedIn,
)
from chalicelib.contexts.dossiers.messages import MESSAGE_BYTES, Opened, personal, route, told
from chalicelib.contexts.dossiers.portal_form import DossierMessage, read_moment, write_moment
from chalicelib.delivery.outbox import Notice

PORTAL = "Z10"
"""The first agency that joins the demo world is its national portal."""
READ = Opened(
    applicant=Applicant(name="Người thử nghiệm", identity_number="DEMO-1"),
    contact=Contact(email="demo@example.org", phone="0123"),
    reasons=("demo",),
)


@pytest.fixture
def world():
    with made(DOSSIERS=json.dumps({"portal": PORTAL})) as world:
        yield world


def heard(*kinds):
    """The portal's states that the portal hears of in this life."""
    events, _ = live(*kinds)
    found = [(event, list(route(event, PORTAL))) for event in events]
    assert all(notices in ([], [Notice(agency=PORTAL, case=ID)]) for _, notices in found)
    return [STATES[event.status] for event, notices in found if notices]


def said(*kinds):
    """What the portal is told of the last thing that happened."""
    events, state = live(*kinds)
    return told(events[-1], state, events, READ).written()


@pytest.mark.parametrize(
    ("kinds", "states"),
    [
        pytest.param(LIVES["not_accepted"], [1, 3], id="not accepted"),
        pytest.param(PROCESSING, [1, 2, 4], id="accepted and worked on"),
        pytest.param((*PROCESSING, PauseDossier), [1, 2, 4], id="a pause is still 4"),
        pytest.param(
            (*PROCESSING, PauseDossier, ResumeDossier),
            [1, 2, 4, 4],
            id="a new appointment",
        ),
        pytest.param((*PROCESSING, ExtendDeadline), [1, 2, 4, 4], id="more time is taken"),
        pytest.param(
            (*PROCESSING, RequestSupplement, ReceiveSupplement), [1, 2, 4, 5, 4], id="a supplement"
        ),
        pytest.param(LIVES["withdrawn"], [1, 2, 4, 7, 8], id="withdrawn"),
        pytest.param(LIVES["returned"], [1, 2, 4, 9, 10], id="to the end"),
        pytest.param(
            (*LIVES["returned"], WithdrawResult, CorrectResult),
            [1, 2, 4, 9, 10, 4, 9],
            id="a result that was wrong",
        ),
    ],
)
def test_each_change_of_state_is_told_once(kinds, states):
    assert heard(*kinds) == states


@pytest.mark.parametrize("status", sorted(LIVES))
def test_where_there_is_no_portal_nobody_is_told(status):
    assert [n for event in live(*LIVES[status])[0] for n in route(event, "")] == []


def test_what_another_system_keeps_is_not_ours_to_tell():
    assert heard((AdoptState, {"portal": 4})) == []


def test_a_message_says_all_that_the_portal_asks_for():
    fee = FEE.model_copy(update={"collected": "result"})
    terms = Version(number=1, terms=TERMS.model_copy(update={"fees": (fee,)}))
    kinds = ((SubmitDossier, {"version": terms}), *PROCESSED[1:], ReturnResult)
    message = said(*kinds)
    _, state = live(*kinds)
    assert message == {
        "MaHoSo": DOSSIER_CODE,
        "MaTTHC": CODE,
        "TenTTHC": TERMS.name,
        "MaLinhVuc": TERMS.field,
        "TenLinhVuc": TERMS.field_name,
        "SoBienNhan": DOSSIER_CODE,
        "ChuHoSo": "Người thử nghiệm",
        "LoaiDoiTuong": 0,
        "MaDoiTuong": "DEMO-1",
        "Email": "demo@example.org",
        "SoDienThoai": "0123",
        "TrichYeuHoSo": "",
        "NgayTiepNhan": "20260601100000",
        "NgayHenTra": write_moment(state.clock.due_at),
        "TrangThaiHoSo": 10,
        "ThoiDiemXuLy": "20260601130000",
        "NgayTra": "20260601130000",
        "NgayKetThucXuLy": "20260601120000",
        "HinhThuc": 0,
        "DonViXuLy": DESK,
        "GhiChu": "",
        "KenhThucHien": 2,
        "TaiLieuNop": [
            {
                "MaThanhPhanHoSo": "KQ000001",
                "TenTepDinhKem": "Đơn thử nghiệm",
                "TepDinhKemId": "00" * 32,
                "IsDeleted": "0",
                "DuocSoHoa": "1",
                "DuocLayTuKhoDMQG": "0",
            },
            {
                "MaThanhPhanHoSo": "KQ000002",
                "TenTepDinhKem": "Bản sao thử nghiệm",
                "TepDinhKemId": "",
                "IsDeleted": "0",
                "DuocSoHoa": "0",
                "DuocLayTuKhoDMQG": "0",
            },
        ],
        "DanhSachLePhi": [
            {
                "MaPhiLePhi": "PHI01",
                "TenPhiLePhi": "Phí thử nghiệm",
                "HinhThucThu": "4",
                "Gia": "50000",
            }
        ],
        "DanhSachHoSoBoSung": [],
        "DanhSachGiayToKetQua": [
            {"TenGiayTo": RESULT.name, "GiayToId": RESULT.file.sha256, "MaKetQua": RESULT.code}
        ],
    }


def test_it_is_the_form_in_which_we_are_told():
    message = said(*PROCESSING, RequestSupplement, ReceiveSupplement)
    assert DossierMessage.model_validate(message).written() == message


def test_a_supplement_comes_with_both_appointments():
    late = (ReceiveSupplement, {"at": MONDAY + timedelta(days=2)})
    message = said(*PROCESSING, RequestSupplement, late)
    [asked] = message["DanhSachHoSoBoSung"]
    assert (asked["HoSoBoSungId"], asked["NoiDungBoSung"]) == ("1", "demo")
    assert asked["NgayHenTraMoi"] == message["NgayHenTra"] > asked["NgayHenTraTruoc"]
    assert asked["NgayTiepNhanBoSung"] > asked["NgayBoSung"]


def test_a_supplement_comes_with_what_was_asked_for_and_then_with_what_came():
    [asked] = said(*PROCESSING, RequestSupplement)["DanhSachHoSoBoSung"]
    [paper] = asked["DanhSachGiayToBoSung"]
    named = {"MaThanhPhanHoSo": "KQ000003", "TenTepDinhKem": "Nếu có"}
    assert paper == named | {"TepDinhKemId": ""}
    assert asked["TrangThaiBoSung"] == "0"
    assert "NguoiTiepNhanBoSung" not in asked
    at_desk = (ReceiveSupplement, {"subject": "", "agency": DESK, "unit": "desk"})
    [met] = said(*PROCESSING, RequestSupplement, at_desk)["DanhSachHoSoBoSung"]
    [paper] = met["DanhSachGiayToBoSung"]
    file = {"TepDinhKemId": FILE.sha256, "DuocSoHoa": "1"}
    assert paper == named | file | {"IsDeleted": "0", "DuocLayTuKhoDMQG": "0"}
    assert (met["TrangThaiBoSung"], met["NguoiTiepNhanBoSung"]) == ("1", "desk")


@pytest.mark.parametrize(
    ("paper", "flags"),
    [
        pytest.param(FORM, ("1", "0"), id="a new file"),
        pytest.param(FORM.model_copy(update={"digitised": "p"}), ("1", "1"), id="used again"),
        pytest.param(HandedIn(code="KQ000001", kind="original"), ("0", "0"), id="on paper"),
    ],
)
def test_what_is_digitised_and_what_is_used_again_are_told_apart(paper, flags):
    held = Held(component="p", code="KQ000001", subject=SUBJECT, usable=True)
    filing = {"components": (paper, COPY), "held": (held,), "consents": ("p",)}
    events, state = live((SubmitDossier, filing))
    first = told(events[0], state, events, READ).written()["TaiLieuNop"][0]
    assert (first["DuocSoHoa"], first["DuocLayTuKhoDMQG"]) == flags


@pytest.mark.parametrize(
    ("kinds", "note"),
    [
        pytest.param(LIVES["not_accepted"], "demo", id="not accepted"),
        pytest.param((*PROCESSING, ExtendDeadline), "demo", id="extended"),
        pytest.param(LIVES["stopped"], "demo", id="stopped"),
        pytest.param((*PROCESSING, RequestSupplement), None, id="said with the request"),
        pytest.param((*LIVES["stopped"], NoteSync), None, id="nothing to say"),
    ],
)
def test_why_it_came_so_is_the_note(kinds, note):
    events, _ = live(*kinds)
    found = personal(events[-1], events).get("note")
    assert (found and found[0].value) == note
    read = READ.model_copy(update={"note": "demo"})
    events, state = live(*LIVES["stopped"])
    assert told(events[-1], state, events, read).written()["GhiChu"] == "demo"


def test_an_end_that_was_corrected_stays_the_first():
    first = said(*PROCESSED)["NgayKetThucXuLy"]
    assert said(*PROCESSED, WithdrawResult, CorrectResult)["NgayKetThucXuLy"] == first
    assert "NgayKetThucXuLy" not in said(*PROCESSED, WithdrawResult)
    assert said(*LIVES["stopped"])["NgayKetThucXuLy"] == said(*LIVES["stopped"])["ThoiDiemXuLy"]


def test_what_is_personal_is_the_last_that_was_said():
    events, _ = live(*PROCESSING, RequestSupplement, ReceiveSupplement)
    found = personal(events[-1], events)
    assert {name: len(values) for name, values in found.items()} == {
        "applicant": 1, "contact": 1, "answers": 1, "reasons": 1,
    }  # fmt: skip


STANDARD = """
    MaHoSo MaTTHC TenTTHC MaLinhVuc TenLinhVuc SoBienNhan ChuHoSo LoaiDoiTuong MaDoiTuong Email
    SoDienThoai TrichYeuHoSo NgayTiepNhan NgayHenTra TrangThaiHoSo NgayTra NgayKetThucXuLy HinhThuc
    DonViXuLy GhiChu KenhThucHien TaiLieuNop TepDinhKemId TenTepDinhKem IsDeleted MaThanhPhanHoSo
    DuongDanTaiTepTin DuocSoHoa DuocLayTuKhoDMQG DanhSachLePhi TenPhiLePhi MaPhiLePhi HinhThucThu
    Gia LoaiPhiLePhi DanhSachTepDinhKemKhac DanhSachHoSoBoSung HoSoBoSungId NguoiYeuCauBoSung
    NoiDungBoSung NgayBoSung NguoiTiepNhanBoSung ThongTinTiepNhan NgayTiepNhanBoSung TrangThaiBoSung
    DanhSachGiayToBoSung DanhSachLePhiBoSung NgayHenTraTruoc NgayHenTraMoi DanhSachGiayToKetQua
    TenGiayTo GiayToId MaKetQua DuongDanTepTinKetQua
"""
"""Every field of the standard's message (DongBoHoSoMC)."""


def test_every_field_of_the_standard_is_read_and_none_is_lost():
    paper = {
        "MaThanhPhanHoSo": "KQ1", "TenTepDinhKem": "Demo", "TepDinhKemId": "7", "IsDeleted": "0",
        "DuongDanTaiTepTin": "https://demo.example/7", "DuocSoHoa": "1", "DuocLayTuKhoDMQG": "1",
    }  # fmt: skip
    charge = {
        "MaPhiLePhi": "P1", "TenPhiLePhi": "Demo", "HinhThucThu": "1", "Gia": "5000",
        "LoaiPhiLePhi": "2",
    }  # fmt: skip
    asked = {
        "HoSoBoSungId": "1", "NguoiYeuCauBoSung": "Demo", "NoiDungBoSung": "demo",
        "NgayBoSung": "20260601100000", "NguoiTiepNhanBoSung": "Demo", "ThongTinTiepNhan": "demo",
        "NgayTiepNhanBoSung": "20260602100000", "TrangThaiBoSung": "1",
        "DanhSachGiayToBoSung": [paper], "DanhSachLePhiBoSung": [charge],
        "NgayHenTraTruoc": "20260608100000", "NgayHenTraMoi": "20260609100000",
    }  # fmt: skip
    result = {
        "TenGiayTo": "Demo", "GiayToId": "8", "MaKetQua": "KQ.1",
        "DuongDanTepTinKetQua": "https://demo.example/8",
    }  # fmt: skip
    message = said(*PROCESSED, ReturnResult) | {
        "GhiChu": "demo",
        "TaiLieuNop": [paper],
        "DanhSachLePhi": [charge],
        "DanhSachTepDinhKemKhac": [paper],
        "DanhSachHoSoBoSung": [asked],
        "DanhSachGiayToKetQua": [result],
    }
    assert DossierMessage.model_validate(message).written() == message
    parts = (message, paper, charge, asked, result)
    assert {name for part in parts for name in part} - {"ThoiDiemXuLy"} == set(STANDARD.split())


def test_moments_are_hanois_to_the_second():
    assert write_moment(MONDAY) == "20260601090000"
    assert read_moment("20260601090000") == MONDAY
    assert read_moment("") is None


# With everything between.


PAPERS = ({"code": "KQ000001", "kind": "original"}, {"code": "KQ000002", "kind": "copy"})


def start(world, terms=TERMS, papers=PAPERS):
    """The portal joins; a dossier is filed on paper, and its path."""
    portal = world.join()
    assert portal.code == PORTAL
    open_counter(terms)
    body = {
        "procedure": CODE,
        "receiver": DESK,
        "applicant": {"name": "Demo Applicant", "identity_number": "DEMO-1"},
        "answers": {"subject_matter": "demo"},
        "components": list(papers),
    }
    said = CITIZEN.do("POST", "/dossiers", body)
    world.settle()
    return portal, f"/dossiers/{said['dossier']}"


def states(portal):
    return [got.data["TrangThaiHoSo"] for got in portal.got]


def test_the_portal_knows_each_state_and_the_dossier_knows_that_it_does(world):
    portal, path = start(world)
    assert (states(portal), CITIZEN.get(path)["sync"]) == ([1], "current")
    assert portal.got[0].data["ChuHoSo"] == "Demo Applicant"
    CLERK.do("PUT", f"{path}/acceptance")
    assert CITIZEN.get(path)["sync"] == "behind"
    CLERK.do("POST", f"{path}/forwardings", {"step": "receive", "to": "examine"})
    SPECIALIST.do("PUT", f"{path}/pause", {"reason": "demo"})
    world.settle()
    assert (states(portal), CITIZEN.get(path)["sync"]) == ([1, 2, 4], "current")
    assert CITIZEN.get(path)["status"] == "paused"
    # That the portal knows is a fact, and no change that it would have to hear of.
    world.settle()
    assert states(portal) == [1, 2, 4]
    # Moments are told to the second: a pause that ended within it would be no news to the portal.
    world.later(timedelta(hours=1))
    SPECIALIST.do("DELETE", f"{path}/pause")
    assert CITIZEN.get(path)["sync"] == "behind"
    world.settle()
    assert (states(portal), CITIZEN.get(path)["sync"]) == ([1, 2, 4, 4], "current")
    world.check()


def test_a_portal_that_is_down_holds_nothing_up_and_then_hears_all_in_order(world):
    portal, path = start(world)
    portal.policy = lambda _got: 503
    CLERK.do("PUT", f"{path}/acceptance")
    CLERK.do("POST", f"{path}/forwardings", {"step": "receive", "to": "examine"})
    world.settle()
    assert (CITIZEN.get(path)["status"], CITIZEN.get(path)["sync"]) == ("processing", "behind")
    portal.policy = lambda _got: 200
    world.later(timedelta(hours=1))
    world.settle()
    # Each says how the dossier stood then, not how it stands when it was sent.
    assert states(portal) == [1, 2, 4]
    assert "NgayHenTra" in portal.got[1].data
    assert CITIZEN.get(path)["sync"] == "current"
    world.check()


def test_who_was_forgotten_stays_blank(world):
    portal, path = start(world)
    subject = runtime.subject("person", CITIZEN.subject)
    key = {"subject": {"S": subject}}
    runtime.client("dynamodb").delete_item(TableName=runtime.table("subject_keys"), Key=key)
    runtime.vault.cache_clear()
    CLERK.do("PUT", f"{path}/acceptance")
    world.settle()
    told = portal.got[1].data
    assert (told["ChuHoSo"], told["TrichYeuHoSo"], told["TrangThaiHoSo"]) == ("", "", 2)


def test_what_would_make_a_message_too_large_is_left_out_and_named(world):
    rules = tuple(
        ComponentRule(code=f"KQ{n:06}", name="thử nghiệm " * 40, kinds=("copy",))
        for n in range(1, 61)
    )
    papers = [{"code": rule.code, "kind": "copy"} for rule in rules]
    portal, _ = start(world, TERMS.model_copy(update={"components": rules}), papers)
    told = portal.got[0].data
    assert told["left_out"] == ["TaiLieuNop"]
    assert "TaiLieuNop" not in told
    assert told["MaHoSo"]
    assert len(json.dumps(told)) < MESSAGE_BYTES


def test_without_a_portal_nothing_is_posted():
    with made() as world:
        portal, path = start(world)
        assert (portal.got, CITIZEN.get(path)["sync"]) == ([], "behind")
