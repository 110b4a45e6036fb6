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
from chalicelib.contexts.agencies.projections import how_is_an_agency_reached

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
            "parent": None,
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
                "signature": "v1",
                "has_secret": True,
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


@pytest.mark.parametrize("role", ["citizen", "officer", "system", "auditor"])
def test_only_administrators_write(role):
    other = Gateway(app, caller(role, agency="Y01"))
    for method, path in (("POST", "/agencies"), ("PUT", "/agencies/Y01/systems/egov")):
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
