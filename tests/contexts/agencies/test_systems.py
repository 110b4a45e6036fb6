from base64 import b64encode
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from deployed import on_moto
from gateway import Gateway, caller

from app import app
from chalicelib import registry, runtime
from chalicelib.contexts.documents.webhook import SystemLocked, prove_sender
from chalicelib.delivery.signatures import SignatureInvalid, SignatureMissing, sign_ed25519

# Demo data: no agency is called so.
administrator = Gateway(app, caller("administrator"))
citizen = Gateway(app, caller("citizen"))
OLD, NEW = (bytes([n]) * 32 for n in (1, 2))


@pytest.fixture(autouse=True)
def deployment():
    with on_moto():
        assert send("POST", "/agencies", {"code": "Z01", "name": "One", "source": "demo"}) == 201
        system = {"endpoint": "https://one.example/in", "public_keys": [public(OLD)]}
        assert send("PUT", "/agencies/Z01/systems/egov", system) == 202
        yield


def public(seed):
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return b64encode(key.public_bytes_raw()).decode()


def send(method, path, body=None):
    """One request by an administrator; what came of it, once every view of agencies knows."""
    answer = ask(method, path, body)
    runtime.sequencer().sweep()
    for projection in registry.PROJECTIONS:
        if "agency" in projection.categories:
            runtime.projector().follow(projection)
    return answer.json.get("code") or answer.status


def ask(method, path, body=None):
    return administrator.call(method, path, body, {"idempotency-key": str(uuid4())})


def test_who_is_written_to_finds_letters_signed_by_workers_that_make_no_key():
    tables = runtime.client("dynamodb")
    for keys, count in (("service_keys", 3), ("epoch_keys", 1), ("subject_keys", 0)):
        assert tables.scan(TableName=runtime.table(keys))["Count"] == count


def prove(seed):
    now = int(runtime.now().timestamp())
    signed = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign_ed25519(seed, "msg_1", now, b"{}"),
    }
    prove_sender("Z01", signed, b"{}")


def rotate(**fields):
    return send("PUT", "/agencies/Z01/systems/egov/keys", {"public_key": public(NEW)} | fields)


def test_both_keys_prove_the_sender_while_they_overlap():
    assert rotate() == 202
    prove(OLD)
    prove(NEW)


def test_a_key_proves_the_sender_before_any_view_knows_it():
    assert ask("PUT", "/agencies/Z01/systems/egov/keys", {"public_key": public(NEW)}).status == 202
    prove(NEW)


def test_and_a_system_is_unlocked_before_any_view_knows_it():
    path = "/agencies/Z01/systems/egov/lock"
    assert send("PUT", path, {"reason": "demo"}) == 202
    assert ask("DELETE", path).status == 202
    prove(OLD)


def test_a_key_of_tomorrow_proves_nothing_today():
    tomorrow = (runtime.now() + timedelta(days=1)).isoformat()
    assert rotate(not_before=tomorrow) == 202
    prove(OLD)
    with pytest.raises(SignatureInvalid):
        prove(NEW)


def test_nor_does_a_key_that_has_retired():
    assert rotate(overlap_days=0) == 202
    prove(NEW)
    with pytest.raises(SignatureInvalid):
        prove(OLD)


def test_nothing_is_taken_from_a_locked_system_until_it_is_unlocked():
    path = "/agencies/Z01/systems/egov/lock"
    assert [send("PUT", path, {"reason": "demo"}) for _ in range(2)] == [202, 202]
    with pytest.raises(SystemLocked):
        prove(OLD)
    with pytest.raises(SignatureInvalid):
        prove(NEW)
    with pytest.raises(SignatureMissing):
        prove_sender("Z01", {}, b"{}")
    other = {"endpoint": "https://two.example/in", "public_keys": [public(NEW)]}
    assert send("PUT", "/agencies/Z01/systems/other", other) == 202
    prove(NEW)
    with pytest.raises(SystemLocked):
        prove(OLD)
    assert send("DELETE", path) == 202
    prove(OLD)


@pytest.mark.parametrize(
    ("method", "path", "body", "outcome"),
    [
        ("PUT", "other/keys", {"public_key": public(NEW)}, "system-unknown"),
        ("PUT", "other/lock", {"reason": "demo"}, "system-unknown"),
        ("DELETE", "other/lock", None, "system-unknown"),
        ("PUT", "egov/lock", {}, "invalid-request"),
        ("PUT", "egov/keys", {"public_key": "short"}, "invalid-request"),
        ("PUT", "egov/keys", {"public_key": public(NEW), "overlap_days": 91}, "invalid-request"),
    ],
)
def test_changes_that_do_not_fit(method, path, body, outcome):
    assert send(method, f"/agencies/Z01/systems/{path}", body) == outcome
    assert len(runtime.event_store().load("agency-Z01")) == 2


def test_the_register_of_systems():
    assert send("PUT", "/agencies/Z01/systems/egov/lock", {"reason": "demo"}) == 202
    (row,) = administrator.call("GET", "/systems").json["items"]
    assert (row["agency"], row["system"], row["level"], row["locked"]) == ("Z01", "egov", 1, True)
    age = runtime.now() - datetime.fromisoformat(row["connected_since"])
    assert timedelta(0) <= age < timedelta(minutes=5)
    for query, found in (("level=2", 0), ("level=1&kind=documents", 1), ("kind=archive", 0)):
        assert len(administrator.call("GET", f"/systems?{query}").json["items"]) == found
    assert citizen.call("GET", "/systems").json["code"] == "role-not-allowed"


def test_the_share_of_systems_connected_is_a_fact_of_a_position():
    assert send("POST", "/agencies", {"code": "Z02", "name": "Two", "source": "demo"}) == 201
    shown = citizen.call("GET", "/systems/summary?seen=agency-Z02@1").json
    assert shown.pop("on")
    assert shown == {
        "agencies": 2,
        "connected": 1,
        "share": 0.5,
        "levels": [{"level": 1, "kind": "Z", "agencies": 2, "connected": 1, "share": 0.5}],
        "as_of": 3,
        "stale": False,
    }


@pytest.mark.parametrize("role", ["citizen", "officer", "system", "auditor"])
def test_only_administrators_write(role):
    other = Gateway(app, caller(role, agency="Z01"))
    for method, what in (("PUT", "keys"), ("PUT", "lock"), ("DELETE", "lock")):
        answer = other.call(method, f"/agencies/Z01/systems/egov/{what}", {})
        assert answer.json["code"] == "role-not-allowed"
