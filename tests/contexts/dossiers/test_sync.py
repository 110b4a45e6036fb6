"""What other one-stop systems tell us of the dossiers that they keep, item by item."""

from datetime import timedelta
from itertools import count
from unittest import mock
from uuid import uuid4

import pytest
from contexts.dossiers.counter import (
    AUDITOR,
    CITIZEN,
    CLERK,
    Person,
    file,
    follow,
    open_counter,
    upload,
)
from contexts.dossiers.demo_dossiers import CODE, DESK, OTHER
from deployed import on_moto

from chalicelib import runtime
from chalicelib.contexts.dossiers import codes, sync
from chalicelib.contexts.dossiers.portal_form import write_moment
from chalicelib.contexts.dossiers.shown import standing
from chalicelib.workers import project

SYSTEM = Person("system", "demo-one-stop", OTHER)
PATH = "/sync/dossiers"
NUMBERS = count(1)


@pytest.fixture(autouse=True, scope="module")
def counter():
    with on_moto():
        open_counter()
        yield


def moment(hours=0):
    """A moment of today's, hours before now."""
    return write_moment(runtime.now() - timedelta(days=1) + timedelta(hours=hours))


def new_code(agency=OTHER):
    return f"{agency}-20260601-{next(NUMBERS):07}"


def state(code, portal, hours=0, **more):
    """A message as another one-stop system writes it: numbers as text here, as numbers there."""
    return {
        "MaHoSo": code,
        "MaTTHC": CODE,
        "TenTTHC": "Thủ tục thử nghiệm",
        "ChuHoSo": "Demo Applicant",
        "LoaiDoiTuong": 0,
        "MaDoiTuong": "DEMO-7",
        "Email": "",
        "NgayTiepNhan": "",
        "TrangThaiHoSo": str(portal),
        "ThoiDiemXuLy": moment(hours),
        "KenhThucHien": "2",
        "NguoiXuLy": "what we do not know of is passed over",
    } | more


def tell(*states, person=SYSTEM, **more):
    answer = person.ask("POST", PATH, {"DanhSachHoSo": list(states)}, **more)
    assert answer.status == 207, answer.text
    return answer.json


def outcomes(*states, **more):
    return [item["outcome"] for item in tell(*states, **more)["items"]]


def seen(code):
    return AUDITOR.get(f"/dossiers/{codes.synced_id(code)}")


def test_states_are_taken_over_and_said_again_change_nothing():
    code, other = new_code(), new_code()
    states = [state(code, 2), state(other, 1), state(code, 4, 1)]
    told = tell(*states)
    assert [item["outcome"] for item in told["items"]] == ["accepted"] * 3
    assert (told["accepted"], told["refused"], told["items"][2]["index"]) == (3, 0, 2)
    assert (seen(code)["status"], seen(code)["portal"]) == ("processing", 4)
    assert seen(other)["portal"] == 1
    version = told["items"][2]["seen"]
    again = tell(*states)
    assert [item["outcome"] for item in again["items"]] == ["repeated"] * 3
    assert again["items"][2]["seen"] == version


def test_the_same_request_gets_the_same_answer():
    key, said = str(uuid4()), state(new_code(), 2)
    assert tell(said, key=key) == tell(said, key=key)


def test_a_message_alone_is_a_batch_of_one():
    answer = SYSTEM.ask("POST", PATH, state(new_code(), 2))
    assert (answer.status, answer.json["accepted"]) == (207, 1)


def test_yesterdays_state_after_todays_is_late_and_changes_nothing():
    code = new_code()
    tell(state(code, 9, 5))
    assert outcomes(state(code, 4, 1)) == ["late"]
    assert seen(code)["portal"] == 9


def test_disorder_within_a_batch_is_not_late():
    code = new_code()
    assert outcomes(state(code, 9, 5), state(code, 2, 1), state(code, 4, 3)) == ["accepted"] * 3
    assert seen(code)["portal"] == 9


def test_what_cannot_be_is_refused_by_itself_with_the_reason():
    code, good = new_code(), new_code()
    tell(state(code, 10))
    told = tell(
        state(code, 2, 3),
        state(good, 2),
        state(new_code(), 2, 48),
        state(new_code(), 11),
        state(new_code(), 2) | {"ThoiDiemXuLy": "20261301000000"},
        state("nothing", 2),
        state(new_code(), 2, NgayTiepNhan=moment(2), NgayHenTra=moment(1)),
    )
    assert [item["outcome"] for item in told["items"]] == [
        "refused", "accepted", *["refused"] * 5,
    ]  # fmt: skip
    assert [item.get("refusal") for item in told["items"]] == [
        "sync-impossible", None, "sync-from-the-future", *["invalid-request"] * 3,
        "sync-impossible",
    ]  # fmt: skip
    assert told["items"][0]["reason"] == "2 cannot follow 10"
    assert told["items"][3]["errors"][0]["field"] == "/TrangThaiHoSo"
    assert told["items"][4]["errors"][0]["field"] == "/ThoiDiemXuLy"
    assert "nothing" not in str(told["items"][5])
    assert (told["refused"], told["accepted"], seen(good)["portal"]) == (6, 1, 2)


@pytest.mark.parametrize("given", ["00010101000000", "99991231235959", "2026060112000", 1, [], {}])
def test_moments_that_are_none_are_refused(given):
    item = tell(state(new_code(), 2, NgayHenTra=given))["items"][0]
    assert (item["outcome"], item["errors"][0]["field"]) == ("refused", "/NgayHenTra")


def test_a_system_tells_of_its_own_dossiers_and_of_those_below_it():
    below = new_code(f"000.01.{OTHER}") if OTHER.count(".") else new_code(f"{OTHER}.05")
    assert outcomes(state(below, 2)) == ["accepted"]
    item = tell(state(new_code(DESK), 2))["items"][0]
    assert (item["outcome"], item["refusal"]) == ("refused", "not-your-dossier")
    assert tell(state("QQ-1", 2))["items"][0]["refusal"] == "not-your-dossier"
    # Once it is known, it stays whose it is.
    code = new_code(f"{OTHER}.06")
    tell(state(code, 2))
    lower = Person("system", "demo-lower", f"{OTHER}.06")
    assert tell(state(code, 4, 1), person=lower)["items"][0]["refusal"] == "not-your-dossier"


def test_a_dossier_that_is_kept_here_is_not_anothers_to_tell():
    code = file()["code"]
    follow()
    project({"Records": [{"body": '{"ring": "history"}'}]}, _Context)
    desk = Person("system", "demo-desk", DESK)
    assert tell(state(code, 4), person=desk)["items"][0]["refusal"] == "dossier-kept-here"


def test_who_it_is_about_is_read_by_the_agency_alone_and_is_the_same_person():
    code = new_code()
    tell(state(code, 2, SoDienThoai="0123", TrichYeuHoSo="demo"))
    assert seen(code)["applicant"] is None
    shown = SYSTEM.get(f"/dossiers/{codes.synced_id(code)}")
    assert shown["applicant"]["identity_number"] == "DEMO-7"
    assert shown["contact"]["phone"] == "0123"


def test_who_it_is_about_is_the_same_however_their_number_is_written():
    codes_ = [new_code(), new_code()]
    tell(*(state(c, 2, MaDoiTuong=n) for c, n in zip(codes_, ("DEMO-7", "demo 7"), strict=True)))
    assert len({standing(codes.synced_id(code)).subject for code in codes_}) == 1


def test_what_is_said_of_nobody_is_still_kept_under_a_key():
    code = new_code()
    tell(state(code, 2, ChuHoSo="", MaDoiTuong="", GhiChu="demo"))
    assert standing(codes.synced_id(code)).subject.startswith("person:")


def test_no_paper_is_digitised_for_it_here():
    code = new_code()
    tell(state(code, 2, ChuHoSo="", MaDoiTuong=""))
    clerk = Person("officer", "demo-clerk-2", OTHER)
    paper = {"code": "P1", "file": upload(clerk, b"demo paper of nobody")}
    path = f"/dossiers/{codes.synced_id(code)}/digitised-components"
    assert clerk.refused("POST", path, paper) == (409, "dossier-kept-elsewhere")


def test_requests_for_more_are_counted_and_not_forgotten():
    code = new_code()
    asked = [{"HoSoBoSungId": 1, "NgayBoSung": moment(1)}]
    tell(state(code, 2), state(code, 5, 1, DanhSachHoSoBoSung=asked), state(code, 4, 2))
    assert seen(code)["elsewhere"]["supplements"] == 1


def test_papers_and_fees_are_kept_without_the_names_of_files_and_not_forgotten():
    code = new_code()
    lists = {
        "TaiLieuNop": [{"MaThanhPhanHoSo": "KQ1", "TenTepDinhKem": "Demo name", "TepDinhKemId": 7}],
        "DanhSachLePhi": [
            {"MaPhiLePhi": "P1", "TenPhiLePhi": "Demo", "HinhThucThu": 4, "Gia": 5_000},
            {"MaPhiLePhi": "P2", "HinhThucThu": "x", "Gia": "5.000 đ"},
        ],
        "DanhSachGiayToKetQua": [{"TenGiayTo": "Demo", "GiayToId": "r", "MaKetQua": "KQ.1"}],
    }
    tell(state(code, 9, **lists), state(code, 10, 1))
    told = seen(code)["elsewhere"]
    paper = {"code": "KQ1", "id": "7", "digitised": None, "reused": None}
    assert told["papers"] == [paper]
    assert told["issued"] == [{"code": "KQ.1", "id": "r"}]
    assert told["fees"] == [
        {"code": "P1", "name": "Demo", "amount": 5_000, "collected": "result"},
        {"code": "P2", "name": "", "amount": None, "collected": None},
    ]


def test_papers_are_kept_as_they_stand():
    code = new_code()
    papers = [
        {"MaThanhPhanHoSo": "KQ1", "TepDinhKemId": 7, "DuocSoHoa": 1, "DuocLayTuKhoDMQG": False},
        {"MaThanhPhanHoSo": "KQ2", "TepDinhKemId": 8, "DuocSoHoa": "x", "IsDeleted": "0"},
        {"MaThanhPhanHoSo": "KQ3", "TepDinhKemId": 9, "IsDeleted": True},
    ]
    tell(state(code, 2, TaiLieuNop=papers))
    assert seen(code)["elsewhere"]["papers"] == [
        {"code": "KQ1", "id": "7", "digitised": True, "reused": False},
        {"code": "KQ2", "id": "8", "digitised": None, "reused": None},
    ]
    # All of them were taken away, which is another thing than nothing said of them.
    gone = [paper | {"IsDeleted": 1} for paper in papers]
    tell(state(code, 4, 1, TaiLieuNop=gone))
    assert seen(code)["elsewhere"]["papers"] == []


def test_a_note_is_read_by_the_agency_alone():
    code = new_code()
    tell(state(code, 2, GhiChu="Demo note"))
    assert seen(code)["elsewhere"]["note"] is None
    assert SYSTEM.get(f"/dossiers/{codes.synced_id(code)}")["elsewhere"]["note"] == "Demo note"


@pytest.mark.parametrize("given", [None, "", 0, True, "x" * 3_000, [], ["x"], [{"Gia": []}], {}])
def test_what_the_standard_leaves_open_refuses_no_message(given):
    names = ("IsDeleted", "DuongDanTaiTepTin", "DuocSoHoa", "DuocLayTuKhoDMQG")
    paper = {"MaThanhPhanHoSo": "KQ1"} | dict.fromkeys(names, given)
    names = (
        "NguoiTiepNhanBoSung", "ThongTinTiepNhan", "TrangThaiBoSung", "DanhSachGiayToBoSung",
        "DanhSachLePhiBoSung",
    )  # fmt: skip
    code = new_code()
    lists = {
        "GhiChu": given,
        "DanhSachTepDinhKemKhac": given,
        "TaiLieuNop": [paper],
        "DanhSachLePhi": [{"MaPhiLePhi": "P1", "LoaiPhiLePhi": given}],
        "DanhSachHoSoBoSung": [{"HoSoBoSungId": 1} | dict.fromkeys(names, given)],
        "DanhSachGiayToKetQua": [{"MaKetQua": "KQ.1", "DuongDanTepTinKetQua": given}],
    }
    assert outcomes(state(code, 2, **lists)) == ["accepted"]
    assert seen(code)["elsewhere"]["supplements"] == 1


def test_null_says_as_much_as_nothing():
    nothing = {"Email": None, "NgayHenTra": None, "TaiLieuNop": None, "LoaiDoiTuong": None}
    assert outcomes(state(new_code(), 2, **nothing)) == ["accepted"]


def test_states_of_one_second_may_be_sent_again():
    code = new_code()
    states = [state(code, portal, ThoiDiemXuLy=moment(1)) for portal in (1, 2)]
    states[1]["ThoiDiemXuLy"] = states[0]["ThoiDiemXuLy"]
    assert outcomes(*states) == ["accepted"] * 2
    assert outcomes(*states) == ["repeated"] * 2


def test_what_there_was_no_time_for_is_to_be_sent_again():
    states = [state(new_code(), 2) for _ in range(3)]
    began, passed = runtime.now(), count()

    def slow():
        # Nothing is as slow here as a gateway's patience is long: each look at the clock takes 9 s.
        return began + timedelta(seconds=9 * next(passed))

    with mock.patch.object(runtime, "now", slow):
        told = outcomes(*states)
    assert (told[0], told[-1]) == ("accepted", "postponed")
    wanted = [{"accepted": "repeated", "postponed": "accepted"}[each] for each in told]
    assert outcomes(*states) == wanted


def test_what_is_no_message_at_all_holds_up_no_other():
    assert outcomes("x", None, state(new_code(), 1)) == ["refused", "refused", "accepted"]


def test_a_request_has_its_bounds():
    many = {"DanhSachHoSo": [{}] * (sync.MAX_STATES + 1)}
    assert SYSTEM.refused("POST", PATH, many) == (422, "invalid-request")
    assert SYSTEM.refused("POST", PATH, {"DanhSachHoSo": []}) == (422, "invalid-request")
    assert CLERK.refused("POST", PATH, {}) == (403, "role-not-allowed")
    assert CITIZEN.refused("POST", PATH, {}) == (403, "role-not-allowed")


class _Context:
    aws_request_id = "demo"

    @staticmethod
    def get_remaining_time_in_millis():
        return 900_000
