import json

import pytest

from chalicelib.delivery.signatures import SignatureInvalid, Unauthenticated
from chalicelib.handle import IdempotencyKeyReused, PreconditionFailed
from chalicelib.http.problems import problem, refused, status_of
from chalicelib.http.resource import BodyTooLarge, RoleNotAllowed, UnsupportedMediaType
from chalicelib.kernel import Conflict, Forbidden, Invalid, NotFound, Refused
from chalicelib.projector.table import InvalidCursor, InvalidSeen


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Refused, 400),
        (Invalid, 422),
        (IdempotencyKeyReused, 422),
        (InvalidCursor, 400),
        (InvalidSeen, 400),
        (BodyTooLarge, 413),
        (UnsupportedMediaType, 415),
        (Unauthenticated, 401),
        (SignatureInvalid, 401),
        (Forbidden, 403),
        (RoleNotAllowed, 403),
        (NotFound, 404),
        (Conflict, 409),
        (PreconditionFailed, 412),
    ],
)
def test_each_kind_has_its_status(refusal, status):
    assert status_of(refusal()) == status
    answer = refused(refusal())
    body = json.loads(answer.body)
    assert answer.status_code == body["status"] == status
    assert body["type"] == f"urn:lienthong:problem:{refusal.code}"
    assert body["title"]
    assert body.get("rule", "") == refusal.rule


def test_what_is_not_known_is_left_out():
    body = json.loads(refused(NotFound()).body)
    assert set(body) == {"type", "title", "status", "code"}


def test_no_more_than_fifty_faults():
    faults = [{"field": f"/{n}", "message": "wrong"} for n in range(60)]
    body = json.loads(refused(Invalid("wrong"), faults).body)
    assert body["errors"][0] == {"field": "/0", "message": "wrong"}
    assert len(body["errors"]) == 50


def test_other_languages_survive():
    assert "Văn bản" in problem(400, "x", "Văn bản").body
