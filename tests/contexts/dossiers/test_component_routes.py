"""A paper that is digitised once and used again by its owner, with consent."""

from datetime import timedelta

import pytest
from contexts.dossiers.counter import (
    CITIZEN,
    CLERK,
    OTHERS_CLERK,
    STRANGER,
    accepted,
    dossier_of,
    follow,
    open_counter,
    upload,
)
from deployed import on_moto

from chalicelib import runtime
from chalicelib.working_time import HANOI

UNKNOWN = (404, "component-not-kept")


@pytest.fixture(autouse=True, scope="module")
def counter():
    with on_moto():
        open_counter()
        yield


def digitised(**changes):
    """The id of a paper of the citizen's, digitised by the desk."""
    path, paper = accepted(), upload(CLERK, b"demo paper")
    said = {"code": "KQ000001", "file": paper} | changes
    return CLERK.do("POST", f"{path}/digitised-components", said)["component"]


def again(id_, *consents):
    """What a citizen says who hands the same paper in again."""
    handed = [
        {"code": "KQ000001", "kind": "electronic", "digitised": id_},
        {"code": "KQ000002", "kind": "copy"},
    ]
    return dossier_of(CITIZEN, components=handed, consents=list(consents))


def test_it_is_used_again_with_consent_and_the_reuse_is_an_event():
    id_ = digitised()
    assert CITIZEN.get(f"/components/{id_}")["usable"] is True
    path = f"/dossiers/{CITIZEN.do('POST', '/dossiers', again(id_, id_))['dossier']}"
    shown = CITIZEN.get(path)
    assert [told["type"] for told in shown["history"]] == [
        "dossier.submitted",
        "dossier.component_reused",
    ]
    digest = shown["components"][0]["file"]["sha256"]
    assert "url" in CLERK.get(f"{path}/files/{digest}")
    follow()
    assert CITIZEN.get(f"/components/{id_}")["used_in"] == [shown["dossier"]]


def test_without_consent_or_by_another_it_is_not():
    id_ = digitised()
    assert CITIZEN.refused("POST", "/dossiers", again(id_))[1] == "component-not-reusable"
    assert STRANGER.refused("POST", "/dossiers", again(id_, id_))[1] == "component-not-reusable"


def test_what_was_taken_out_of_use_or_has_expired_is_not_used():
    id_ = digitised()
    assert STRANGER.refused("PUT", f"/components/{id_}/withdrawal", {"reason": "Demo"})[0] == 403
    CITIZEN.do("PUT", f"/components/{id_}/withdrawal", {"reason": "Demo"})
    assert CITIZEN.get(f"/components/{id_}")["usable"] is False
    assert CITIZEN.refused("POST", "/dossiers", again(id_, id_))[1] == "component-not-reusable"
    today = runtime.now().astimezone(HANOI).date()
    late = digitised(expires_on=(today - timedelta(days=1)).isoformat())
    assert CITIZEN.refused("POST", "/dossiers", again(late, late))[1] == "component-not-reusable"


def test_only_its_owner_and_who_digitised_it_see_it():
    id_ = digitised()
    assert "url" in CLERK.get(f"/components/{id_}")["file"]
    assert OTHERS_CLERK.refused("GET", f"/components/{id_}") == UNKNOWN
    assert STRANGER.refused("GET", f"/components/{id_}") == UNKNOWN
    assert CITIZEN.refused("GET", "/components/nothing") == UNKNOWN
    why = {"reason": "Demo"}
    assert CITIZEN.refused("PUT", "/components/no-thing/withdrawal", why) == UNKNOWN


def test_only_who_has_the_dossier_digitises_for_it():
    path, paper = accepted(), upload(OTHERS_CLERK, b"demo paper of another desk")
    said = {"code": "KQ000001", "file": paper}
    refusal = OTHERS_CLERK.refused("POST", f"{path}/digitised-components", said)
    assert refusal == (404, "dossier-unknown")
