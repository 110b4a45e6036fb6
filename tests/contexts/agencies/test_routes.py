import json
from base64 import b64encode
from itertools import count
from uuid import uuid4

import pytest
import seed
from deployed import on_moto
from gateway import Gateway, caller

from app import app
from chalicelib import runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.agencies.projections import (
    how_is_an_agency_reached,
    which_agencies_did_it_succeed,
    which_units_belong_to_an_agency,
)

# Demo data: no agency is called so.
AGENCY = {"name": "Bộ Đo lường", "source": "demo data"}
KEY = b64encode(bytes(32)).decode()
SECRET = "whsec_" + b64encode(b"s" * 32).decode()
SYSTEM = {
    "endpoint": "https://one.example/in",
    "profile": "edxml",
    "public_keys": [KEY],
    "signature": "v1",
    "webhook_secret": SECRET,
}

administrator = Gateway(app, caller("administrator"))
citizen = Gateway(app, caller("citizen"))


@pytest.fixture(autouse=True, scope="module")
def deployment():
    with on_moto():
        yield


_numbers = count(1)


@pytest.fixture
def code():
    """A code that nobody has."""
    return f"Z{next(_numbers):02}"


@pytest.fixture
def entered(code):
    """The code of an agency in the register."""
    assert send("POST", "/agencies", AGENCY | {"code": code}).status == 201
    return code


def send(method, path, body, **headers):
    key = {"idempotency-key": str(uuid4())}
    return administrator.call(method, path, body, key | headers)


def test_an_agency_is_entered_and_read_under_both_forms_of_its_code(code):
    old = f"000.00.00.{code}"
    answer = send("POST", "/agencies", AGENCY | {"code": old})
    assert (answer.status, answer.headers["Location"]) == (201, f"/agencies/{code}")
    assert answer.json == {"seen": f"agency-{code}@1", "version": 1}
    for written in (code, old):
        read = citizen.call("GET", f"/agencies/{written}")
        assert (read.status, read.headers["ETag"]) == (200, '"1"')
        assert read.json == AGENCY | {
            "code": code,
            "given": old,
            "old_code": old,
            "name_english": "",
            "valid_from": None,
            "valid_to": None,
            "names": [{"name": "Bộ Đo lường", "name_english": "", "from_on": None}],
            "parent": None,
            "parents": [{"parent": None, "from_on": None}],
            "dissolved": False,
            "successor": None,
            "heirs": [],
            "note": "",
            "has_system": False,
        }


@pytest.mark.parametrize(
    ("fields", "status", "refusal"),
    [
        ({}, 201, None),
        ({"name": "Another"}, 409, "agency-already-registered"),
        ({"code": "z01"}, 422, "agency-code-invalid"),
        ({"parent": "nobody"}, 422, "agency-code-invalid"),
        ({"name": None}, 422, "invalid-request"),
        ({"valid_from": "01/07/2025"}, 422, "invalid-request"),
    ],
)
def test_entering_an_agency_that_is_there(entered, fields, status, refusal):
    answer = send("POST", "/agencies", AGENCY | {"code": entered} | fields)
    assert (answer.status, answer.json.get("code")) == (status, refusal)
    assert len(runtime.event_store().load(f"agency-{entered}")) == 1


def test_a_system_is_connected_and_its_secret_told_to_nobody(entered):
    answer = send("PUT", f"/agencies/000.00.00.{entered}/systems/egov", SYSTEM)
    assert (answer.status, answer.json) == (202, {"seen": f"agency-{entered}@2", "version": 2})
    assert "systems" not in citizen.call("GET", f"/agencies/{entered}").json
    for reader in (administrator, Gateway(app, caller("auditor"))):
        read = reader.call("GET", f"/agencies/{entered}")
        assert read.json["systems"] == [
            {
                "system": "egov",
                "kind": "documents",
                "endpoint": "https://one.example/in",
                "profile": "edxml",
                "public_keys": [KEY],
                "keys": [{"key": KEY, "not_before": None, "not_after": None}],
                "signature": "v1",
                "has_secret": True,
                "locked": False,
            }
        ]
    commit = runtime.event_store().load(f"agency-{entered}")[1]
    assert SECRET.encode() not in commit.body + commit.header
    event = how_is_an_agency_reached.answer.types["agency.system_registered"]
    address = how_is_an_agency_reached.evolve(None, event.model_validate(commit.data()[0]))
    assert runtime.open_secret(address) == b"s" * 32


def test_connecting_it_again_adds_a_commit_only_if_something_differs(entered):
    path = f"/agencies/{entered}/systems/egov"
    other = SYSTEM | {"webhook_secret": "whsec_" + b64encode(b"t" * 32).decode()}
    assert [
        send("PUT", path, body).json["version"] for body in (SYSTEM, SYSTEM, other, other, SYSTEM)
    ] == [2, 2, 3, 3, 4]


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"endpoint": None}, "invalid-request"),
        ({"webhook_secret": None}, "webhook-secret-missing"),
        ({"webhook_secret": "whsec_c2hvcnQtc2VjcmV0"}, "invalid-request"),
        ({"secret": {"subject": "x", "sealed": "y"}}, "invalid-request"),
        ({"secret_print": "x"}, "invalid-request"),
        ({"endpoint": "http://one.example"}, "invalid-request"),
    ],
)
def test_a_system_that_does_not_fit(entered, fields, refusal):
    answer = send("PUT", f"/agencies/{entered}/systems/egov", SYSTEM | fields)
    assert (answer.status, answer.json["code"]) == (422, refusal)
    assert "c2hvcnQtc2VjcmV0" not in answer.text
    assert len(runtime.event_store().load(f"agency-{entered}")) == 1


@pytest.mark.parametrize(
    ("path", "status", "refusal"),
    [
        ("/agencies/Y01/systems/egov", 404, "agency-not-registered"),
        ("/agencies/zero/systems/egov", 422, "agency-code-invalid"),
        ("/agencies/Y01/systems/EGOV", 422, "invalid-request"),
    ],
)
def test_a_system_of_nobody(path, status, refusal):
    answer = send("PUT", path, SYSTEM)
    assert (answer.status, answer.json["code"]) == (status, refusal)
    assert runtime.event_store().load("agency-Y01") == []


DECIDED = {"effective_on": "2026-07-01", "source": "demo data"}


def test_the_life_of_an_agency_stays_in_its_entry(entered):
    top = f"X{entered[1:]}"
    assert send("POST", "/agencies", AGENCY | {"code": top}).status == 201
    answers = [
        send("PUT", f"/agencies/{entered}/name", DECIDED | {"name": "Bộ Cân"}),
        send("PUT", f"/agencies/{entered}/parent", DECIDED | {"parent": f"000.00.00.{top}"}),
        send(
            "PUT",
            f"/agencies/{entered}/validity",
            {"valid_from": "2025-07-01", "valid_to": None, "source": "demo data"},
        ),
        send("PUT", f"/agencies/{entered}/dissolution", DECIDED),
        send("PUT", f"/agencies/{entered}/dissolution", DECIDED),
    ]
    assert [(a.status, a.json["version"]) for a in answers] == [
        (202, 2), (202, 3), (202, 4), (202, 5), (202, 5),
    ]  # fmt: skip
    shown = citizen.call("GET", f"/agencies/{entered}").json
    expected = {
        "name": "Bộ Cân",
        "names": [
            {"name": "Bộ Đo lường", "name_english": "", "from_on": None},
            {"name": "Bộ Cân", "name_english": "", "from_on": "2026-07-01"},
        ],
        "parent": top,
        "parents": [
            {"parent": None, "from_on": None},
            {"parent": top, "from_on": "2026-07-01"},
        ],
        "valid_from": "2025-07-01",
        "valid_to": "2026-06-30",
        "dissolved": True,
    }
    assert {name: shown[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("what", "body", "status", "refusal"),
    [
        ("name", DECIDED | {"name": ""}, 422, "invalid-request"),
        ("name", {"name": "Bộ Cân", "source": "demo data"}, 422, "invalid-request"),
        ("name", DECIDED | {"name": "Bộ Cân", "code": "Y01"}, 422, "invalid-request"),
        ("parent", DECIDED | {"parent": "W01"}, 422, "parent-unknown"),
        ("parent", DECIDED | {"parent": "nobody"}, 422, "agency-code-invalid"),
        ("parent", DECIDED | {"parent": "W02", "ancestors": []}, 422, "invalid-request"),
        ("parent", DECIDED, 422, "invalid-request"),
        ("successor", DECIDED | {"successor": "W01"}, 422, "successor-unknown"),
        ("successor", DECIDED | {"successor": "nobody"}, 422, "agency-code-invalid"),
        ("successor", DECIDED, 422, "invalid-request"),
        ("dissolution", DECIDED | {"effective_on": "0001-01-01"}, 422, "invalid-request"),
        (
            "validity",
            {"valid_from": "2026-01-02", "valid_to": "2026-01-01", "source": "demo data"},
            422,
            "invalid-request",
        ),
    ],
)
def test_a_change_that_does_not_fit(entered, what, body, status, refusal):
    answer = send("PUT", f"/agencies/{entered}/{what}", body)
    assert (answer.status, answer.json["code"]) == (status, refusal)
    assert len(runtime.event_store().load(f"agency-{entered}")) == 1


def test_no_agency_comes_under_a_unit_of_its_own_or_under_what_ended(entered):
    unit, ended = f"{entered}.05", f"{entered}.06"
    for code in (unit, ended):
        assert send("POST", "/agencies", AGENCY | {"code": code, "parent": entered}).status == 201
    assert send("PUT", f"/agencies/{ended}/dissolution", DECIDED).status == 202
    path = f"/agencies/{entered}/parent"
    assert send("PUT", path, DECIDED | {"parent": unit}).json["code"] == "hierarchy-loops"
    answer = send("PUT", f"/agencies/{unit}/parent", DECIDED | {"parent": ended})
    assert (answer.status, answer.json["code"]) == (409, "agency-ended")


def test_an_agency_sees_its_units(entered):
    parents = {f"{entered}.05": entered, f"{entered}.06": entered, f"{entered}.05.01": None}
    for code, parent in parents.items():
        assert send("POST", "/agencies", AGENCY | {"code": code, "parent": parent}).status == 201
    send("PUT", f"/agencies/{entered}.05.01/parent", DECIDED | {"parent": f"{entered}.05"})
    seen = send("PUT", f"/agencies/{entered}.06/dissolution", DECIDED).json["seen"]
    runtime.sequencer().sweep()
    runtime.projector().follow(which_units_belong_to_an_agency.answer)

    def units(code):
        answer = citizen.call("GET", f"/agencies/{code}/units?seen={seen}").json
        assert answer["stale"] is False
        return {row["code"]: (row["since_on"], row["valid_to"]) for row in answer["items"]}

    assert units(f"000.00.00.{entered}") == {
        f"{entered}.05": (None, None),
        f"{entered}.06": (None, "2026-06-30"),
    }
    assert units(f"{entered}.05") == {f"{entered}.05.01": ("2026-07-01", None)}
    assert units("W01") == {}


def test_a_merged_agency_names_its_successors_and_they_name_it(entered):
    first, last = f"V{entered[1:]}", f"U{entered[1:]}"
    for code in (first, last):
        assert send("POST", "/agencies", AGENCY | {"code": code}).status == 201

    def merge(code, successor):
        return send("PUT", f"/agencies/{code}/successor", DECIDED | {"successor": successor})

    assert merge(entered, entered).json["code"] == "succession-loops"
    assert merge(first, f"000.00.00.{last}").json["version"] == 2
    assert [merge(entered, first).json["version"] for _ in range(2)] == [2, 2]
    assert merge(last, entered).json["code"] == "succession-loops"
    assert merge(entered, last).json["code"] == "agency-ended"
    shown = citizen.call("GET", f"/agencies/{entered}").json
    assert (shown["successor"], shown["heirs"]) == (first, [first, last])
    assert shown["valid_to"] == "2026-06-30"
    assert send("PUT", f"/agencies/{last}/dissolution", DECIDED).status == 202
    other = f"T{entered[1:]}"
    assert send("POST", "/agencies", AGENCY | {"code": other}).status == 201
    assert merge(other, entered).json["code"] == "successor-dissolved"
    runtime.sequencer().sweep()
    runtime.projector().follow(which_agencies_did_it_succeed.answer)
    listed = citizen.call("GET", f"/agencies/{first}/predecessors").json["items"]
    assert [(row["code"], row["valid_to"]) for row in listed] == [(entered, "2026-06-30")]


@pytest.mark.parametrize("role", ["citizen", "officer", "system", "auditor"])
def test_only_administrators_write(role):
    other = Gateway(app, caller(role, agency="Y01"))
    changes = ["systems/egov", "name", "parent", "validity", "dissolution", "successor"]
    writes = [("POST", "/agencies"), *(("PUT", f"/agencies/Y01/{what}") for what in changes)]
    for method, path in writes:
        assert other.call(method, path, AGENCY).json["code"] == "role-not-allowed"


@pytest.mark.parametrize("written", ["Y01", "000.00.00.Y01"])
def test_an_agency_that_is_not_there(written):
    answer = citizen.call("GET", f"/agencies/{written}")
    assert (answer.status, answer.json["code"]) == (404, "agency-not-registered")


def test_the_confirmed_agencies_are_entered_once_however_often_one_asks():
    answers = []

    def post(path, body, key):
        answers.append(administrator.call("POST", path, body, {"idempotency-key": key}))

    listed = seed.seed(post)
    assert seed.seed(post) == listed == len(answers) // 2
    assert {answer.status for answer in answers} == {201}
    assert answers[:listed] == answers[listed:]
    codes = [agency["code"] for agency in json.loads(seed.AGENCIES.read_text("utf-8"))]
    assert codes == sorted({canonical(code) for code in codes})
    assert citizen.call("GET", "/agencies/G22").json["name"] == "Văn phòng Chính phủ"


@pytest.mark.parametrize(
    ("query", "refusal"),
    [("limit=0", "invalid-limit"), ("cursor=x", "invalid-cursor"), ("seen=x", "invalid-seen")],
)
def test_a_list_that_cannot_be(query, refusal):
    answer = citizen.call("GET", f"/agencies?{query}")
    assert (answer.status, answer.json["code"]) == (400, refusal)
