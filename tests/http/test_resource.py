import json
import logging
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from chalice.app import Chalice, Response
from deployed import on_moto
from gateway import Gateway, caller
from pydantic import Field

from chalicelib import runtime
from chalicelib.handle import Done, PreconditionFailed, Stale, handle
from chalicelib.http.resource import (
    MAX_BODY_BYTES,
    PUBLIC,
    SIGNED,
    XML,
    Resource,
    accepted,
    created,
    ok,
)
from chalicelib.kernel import Command, Conflict, Decider, Event, NotFound, Value

KEY = "0b38ab3c-9a5f-4d29-8a06-3a1c8b8f7a11"
WRITE = {"idempotency-key": KEY}


class LampLit(Event):
    type: Literal["lamp.lit"] = "lamp.lit"
    colour: str


class Square(Value):
    shape: Literal["square"]


class Round(Value):
    shape: Literal["round"]


class LightLamp(Command):
    lamp: str
    colour: str
    wanted_at: datetime | None = None
    form: Annotated[Square | Round, Field(discriminator="shape")] | None = None
    numbers: tuple[int, ...] = ()


class Lamp(Value):
    colour: str = ""


class LampBroken(Conflict):
    """A green lamp is broken."""

    code, rule, gateway_error = "lamp-broken", "Lamp Act, art. 1", 23


class SecretOfTheView(NotFound):
    code = "secret-of-the-view"


def decide(command, state):
    if command.colour == "green":
        raise LampBroken("Lamp 7 is broken", field="/colour")
    return [] if command.colour == state.colour else [LampLit(colour=command.colour)]


lamp = Decider("lamp", LampLit, Lamp(), decide, lambda _state, event: Lamp(colour=event.colour))
routes = Resource("tests.lamps")
CRASHES = {
    "stale": Stale("lamp-1"),
    "bug": RuntimeError("Nguyễn Văn A, 001099012345"),
    "throttled": ClientError(
        {"Error": {"Code": "ProvisionedThroughputExceededException"}}, "PutItem"
    ),
    "denied": ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutItem"),
    "refused": PreconditionFailed("the version is 3, not 2", field="If-Match"),
}


@routes.put("/lamps/{lamp_id}", allow={"officer"})
def light(lamp_id: str) -> Response:
    """Light a lamp."""
    command = routes.command(LightLamp, lamp=lamp_id)
    return accepted(handle(runtime.event_store(), lamp, lamp_id, command))


@routes.post("/lamps", allow={"officer", "administrator"}, takes=XML)
def add() -> Response:
    """Answer with what was received."""
    body = {"hex": routes.body().hex(), "type": routes.media_type()}
    response = created(Done("lamp-1", 1), "/lamps/1")
    response.body = json.dumps(body)
    return response


@routes.post("/origins", allow={"officer"})
def origin() -> Response:
    """Answer with the origin."""
    return ok(routes.origin().model_dump(mode="json"))


@routes.post("/webhooks", allow=SIGNED)
def webhook() -> Response:
    """Answer with the origin of a webhook."""
    return ok(routes.signed_origin("G22:egov").model_dump(mode="json"))


@routes.delete("/lamps/{lamp_id}", allow={"officer"})
def darken(lamp_id: str) -> Response:
    """Light a lamp in black."""
    command = routes.command(LightLamp, lamp=lamp_id, colour="black")
    return accepted(handle(runtime.event_store(), lamp, lamp_id, command))


@routes.get("/crashes/{kind}", allow=PUBLIC)
def crash(kind: str) -> Response:
    """Fail."""
    raise CRASHES[kind]


@routes.get("/heaps/{size}", allow=PUBLIC)
def heap(size: str) -> Response:
    """Answer at length."""
    return ok({"query": routes.query(), "heap": '"' * int(size)})


@routes.delete("/lamps", allow={"officer", "system"}, step_up=True)
def smash() -> Response:
    """Do what cannot be undone."""
    return ok({})


@routes.get("/callers", allow=PUBLIC)
def who() -> Response:
    """Say who asks, on a route where nobody is asked."""
    return ok(routes.caller().model_dump())


app = Chalice("lamps")
app.register_blueprint(routes.blueprint)
officer = Gateway(app, caller("officer", agency="G22"))
nobody = Gateway(app)


@pytest.fixture(autouse=True, scope="module")
def deployment():
    with on_moto():
        yield


@pytest.fixture
def put():
    lamp_id = uuid4().hex

    def send(body, headers=None, gateway=officer):
        return gateway.call("PUT", f"/lamps/{lamp_id}", body, WRITE | (headers or {}))

    return send


class TestWrites:
    def test_a_write_answers_with_its_version(self, put):
        answer = put({"colour": "red"})
        assert answer.status == 202
        assert answer.json["seen"].startswith("lamp-")
        assert answer.json["seen"].endswith("@1")
        assert answer.json["version"] == 1
        assert answer.headers["ETag"] == '"1"'
        assert answer.headers["Cache-Control"] == "no-store"

    def test_a_write_without_a_body(self):
        for _ in range(2):
            answer = officer.call("DELETE", "/lamps/dark", headers=WRITE)
            assert (answer.status, answer.json["version"]) == (202, 1)

    def test_a_repeated_write_gets_the_first_answer(self, put):
        first = put({"colour": "red"})
        assert put({"colour": "red"}) == first

    def test_a_key_reused_for_another_body_is_refused(self, put):
        put({"colour": "red"})
        answer = put({"colour": "blue"})
        assert (answer.status, answer.json["code"]) == (422, "idempotency-key-reused")

    def test_the_key_of_another_caller_is_another_key(self, put):
        put({"colour": "red"})
        other = Gateway(app, caller("officer", "subject-2", agency="G22"))
        assert put({"colour": "blue"}, gateway=other).json["version"] == 2

    def test_a_stale_version_is_refused(self, put):
        put({"colour": "red"})
        fresh = {"idempotency-key": "5b1c4a55-5c3f-49fb-8a4c-7a31b43d1b2e"}
        answer = put({"colour": "blue"}, fresh | {"if-match": '"lamp-x@4"'})
        assert (answer.status, answer.json["code"]) == (412, "precondition-failed")
        assert put({"colour": "blue"}, fresh | {"if-match": '"1"'}).status == 202

    def test_a_refusal_names_its_law_and_the_gateways_number(self, put):
        answer = put({"colour": "green"})
        assert answer.status == 409
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json == {
            "type": "urn:lienthong:problem:lamp-broken",
            "title": "A green lamp is broken.",
            "status": 409,
            "code": "lamp-broken",
            "detail": "Lamp 7 is broken",
            "field": "/colour",
            "rule": "Lamp Act, art. 1",
            "gateway_error": 23,
        }


class TestOrigin:
    def test_it_is_made_of_the_token_and_the_key(self):
        answer = officer.call("POST", "/origins", {}, WRITE | {"if-match": "12"})
        made = answer.json
        assert made["actor"] == "officer:subject-1"
        assert (made["method"], made["assurance"], made["expected"]) == ("jwt", 2, 12)
        assert made["correlation"] == made["command_id"] == answer.headers["X-Correlation-Id"]
        again = officer.call("POST", "/origins", {}, {"idempotency-key": KEY.upper()}).json
        assert again["command_id"] == made["command_id"]
        assert again["digest"] == made["digest"]

    def test_the_digest_covers_method_path_and_body(self):
        seen = {
            officer.call("POST", "/origins", body, WRITE).json["digest"]
            for body in (None, {}, {"a": 1})
        }
        assert len(seen) == 3

    def test_the_callers_correlation_id_is_kept(self):
        answer = officer.call("POST", "/origins", {}, WRITE | {"x-correlation-id": "case-7"})
        assert answer.json["correlation"] == answer.headers["X-Correlation-Id"] == "case-7"

    def test_a_strange_correlation_id_is_not(self):
        headers = {"x-correlation-id": 'a"b\nc'}
        answer = nobody.call("GET", "/crashes/stale", headers=headers)
        assert answer.headers["X-Correlation-Id"] == "gateway-request-1"

    @pytest.mark.parametrize(
        ("headers", "code"),
        [
            pytest.param({}, "idempotency-key-missing", id="no key"),
            pytest.param({"idempotency-key": ""}, "idempotency-key-invalid", id="empty"),
            pytest.param({"idempotency-key": "7"}, "idempotency-key-invalid", id="not a UUID"),
            pytest.param(
                {"idempotency-key": "{" + KEY + "}"}, "idempotency-key-invalid", id="braces"
            ),
            pytest.param(
                {"idempotency-key": KEY.replace("-", "")}, "idempotency-key-invalid", id="no dashes"
            ),
            pytest.param(WRITE | {"if-match": "*"}, "if-match-invalid", id="any version"),
            pytest.param(WRITE | {"if-match": '"3'}, "if-match-invalid", id="half quoted"),
            pytest.param(WRITE | {"if-match": 'W/"3"'}, "if-match-invalid", id="weak"),
            pytest.param(WRITE | {"if-match": '"-1"'}, "if-match-invalid", id="negative"),
        ],
    )
    def test_headers_that_do_not_fit(self, headers, code):
        answer = officer.call("POST", "/origins", {}, headers)
        assert (answer.status, answer.json["code"]) == (400, code)

    def test_a_webhook_is_known_by_its_id(self):
        made = nobody.call("POST", "/webhooks", {}, {"webhook-id": "msg_1"}).json
        again = nobody.call("POST", "/webhooks", {}, {"webhook-id": "msg_1"}).json
        assert made["command_id"] == again["command_id"]
        assert (made["actor"], made["method"]) == ("system:G22:egov", "webhook")


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"{", id="cut off"),
            pytest.param(b"[]", id="a list"),
            pytest.param(b'{"colour": NaN}', id="NaN"),
            pytest.param(b'{"colour": "red", "colour": "blue"}', id="a field twice"),
            pytest.param(b'{"colour": ' + b"[" * 32 + b"]" * 32 + b"}", id="33 levels"),
            pytest.param(b"[" * 100_000, id="100,000 levels"),
            pytest.param(b'{"colour": "\\ud800"}', id="half a character"),
            pytest.param(b'{"numbers": [' + b"9" * 5_000 + b"]}", id="an endless number"),
        ],
    )
    def test_what_is_not_json(self, put, body):
        answer = put(body)
        assert (answer.status, answer.json["code"]) == (400, "invalid-json")

    def test_an_escaped_character_of_two_halves_is_one_character(self, put):
        assert put(b'{"colour": "\\ud83d\\ude00"}').status == 202

    def test_json_is_utf_8(self):
        answer = officer.call("PUT", "/lamps/7", b'{"colour": "\xff"}', WRITE, binary=True)
        assert answer.json["code"] == "invalid-json"

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            pytest.param({}, {"/colour"}, id="a field missing"),
            pytest.param({"colour": 7}, {"/colour"}, id="wrong type"),
            pytest.param({"colour": "red", "size": 1}, {"/size"}, id="unknown field"),
            pytest.param({"colour": "red", "a/b~": 1}, {"/a~1b~0"}, id="escaped"),
            pytest.param({"colour": "red", "numbers": [1, "x"]}, {"/numbers/1"}, id="in a list"),
            pytest.param({"colour": "red", "wanted_at": "x"}, {"/wanted_at"}, id="not a date"),
            pytest.param(
                {"colour": "red", "form": {"shape": "Nguyễn"}}, {"/form"}, id="unknown kind"
            ),
        ],
    )
    def test_faults_are_named_by_pointer_and_values_kept_quiet(self, put, body, fields):
        answer = put(body)
        assert (answer.status, answer.json["code"]) == (422, "invalid-request")
        assert {error["field"] for error in answer.json["errors"]} == fields
        assert "Nguyễn" not in answer.text

    @pytest.mark.parametrize("field", ["lamp", "origin"])
    def test_the_body_may_not_say_what_the_route_says(self, put, field):
        answer = put({"colour": "red", field: "8"})
        assert (answer.status, answer.json["field"]) == (422, f"/{field}")

    def test_too_large(self):
        body = b'"' + b"x" * (MAX_BODY_BYTES - 1) + b'"'
        for binary in (False, True):
            answer = officer.call("PUT", "/lamps/7", body, WRITE, binary=binary)
            assert (answer.status, answer.json["code"]) == (413, "body-too-large")

    def test_the_largest(self):
        answer = officer.call("PUT", "/lamps/7", b"x" * MAX_BODY_BYTES, WRITE, binary=True)
        assert answer.json["code"] == "invalid-json"

    def test_another_media_type(self, put):
        answer = put(b"<a/>", {"content-type": "text/xml"})
        assert (answer.status, answer.json["code"]) == (415, "unsupported-media-type")

    @pytest.mark.parametrize("media_type", [*sorted(XML), "Text/XML; charset=utf-8"])
    @pytest.mark.parametrize("binary", [False, True])
    def test_xml_reaches_the_view_as_it_was_sent(self, media_type, binary):
        body = '<?xml version="1.0"?>\r\n<a>Nguyễn</a>\n'.encode()
        headers = {"content-type": media_type}
        answer = officer.call("POST", "/lamps", body, headers, binary=binary)
        assert bytes.fromhex(answer.json["hex"]) == body
        assert (answer.status, answer.headers["Location"]) == (201, "/lamps/1")


class TestDoors:
    @pytest.mark.parametrize("role", ["citizen", "system", "auditor", "administrator"])
    def test_a_role_that_is_not_named(self, put, role):
        answer = put({"colour": "red"}, gateway=Gateway(app, caller(role)))
        assert (answer.status, answer.json["code"]) == (403, "role-not-allowed")

    def test_a_role_route_without_the_gateways_verdict(self, put):
        answer = put({"colour": "red"}, gateway=nobody)
        assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            pytest.param({}, 200, id="just now"),
            pytest.param({"authenticated": -600}, 200, id="ten minutes ago"),
            pytest.param({"authenticated": -910}, 401, id="longer ago"),
            pytest.param({"authenticated": None}, 401, id="nobody says when"),
            pytest.param({"assurance": "1"}, 401, id="not surely enough"),
            pytest.param({"assurance": "3"}, 200, id="more surely than needed"),
            pytest.param({"role": "system", "assurance": "0"}, 200, id="a system has no level"),
            pytest.param({"role": "system", "authenticated": -910}, 401, id="but an old token"),
            pytest.param({"role": "citizen", "authenticated": None}, 403, id="roles come first"),
        ],
    )
    def test_what_cannot_be_undone_needs_a_recent_login(self, changes, status):
        context = caller("officer", agency="G22") | changes
        age = context.pop("authenticated")
        if isinstance(age, int):
            context["authenticated"] = str(int(runtime.now().timestamp()) + age)
        elif age:
            context["authenticated"] = age
        answer = Gateway(app, context).call("DELETE", "/lamps")
        assert answer.status == status
        if status == 401:
            assert answer.json["code"] == "step-up-required"
            assert (answer.json["max_age"], answer.json["acr_values"]) == (900, "2")
            assert answer.headers["WWW-Authenticate"] == (
                'Bearer error="insufficient_user_authentication", max_age="900", acr_values="2"'
            )

    def test_nobody_who_is_unknown_can_log_in_again(self):
        with pytest.raises(ValueError, match="log in again"):
            Resource("x").get("/x", allow=PUBLIC, step_up=True)

    def test_nobody_is_nobody(self):
        assert nobody.call("GET", "/callers").status == 401

    def test_role_routes_have_the_authorizer_and_others_none(self):
        guarded = {
            path
            for path, methods in app.routes.items()
            for entry in methods.values()
            if entry.authorizer
        }
        assert guarded == {"/lamps/{lamp_id}", "/lamps", "/origins"}
        table = {(route.method, route.path): route.allow for route in routes.table}
        assert table["PUT", "/lamps/{lamp_id}"] == {"officer"}
        assert table["POST", "/webhooks"] is SIGNED
        assert table["GET", "/callers"] is PUBLIC
        assert all(route.view.__doc__ for route in routes.table)

    @pytest.mark.parametrize("allow", [set(), {"king"}])
    def test_a_route_must_name_roles_that_exist(self, allow):
        with pytest.raises(ValueError, match="must name the roles"):
            routes.get("/thrones", allow=allow)


class TestFailures:
    @pytest.mark.parametrize("kind", ["stale", "throttled"])
    def test_too_much_at_once(self, kind):
        answer = nobody.call("GET", f"/crashes/{kind}")
        assert (answer.status, answer.json["code"]) == (503, "try-again")
        assert int(answer.headers["Retry-After"]) >= 1

    @pytest.mark.parametrize("kind", ["bug", "denied"])
    def test_a_bug_is_said_once_and_without_data(self, kind, caplog):
        answer = nobody.call("GET", f"/crashes/{kind}", headers={"x-correlation-id": "case-7"})
        assert (answer.status, answer.json["code"]) == (500, "internal-error")
        (record,) = caplog.records
        line = logging.getLogger("lien-thong").handlers[0].format(record)
        said = json.loads(line)
        assert (said["correlation_id"], said["level"]) == ("case-7", "ERROR")
        assert said["error"] == type(CRASHES[kind]).__name__
        assert "test_resource.py" in said["at"][-1]
        assert "Nguy" not in line
        assert "001099012345" not in line + answer.text

    def test_an_answer_too_large_for_a_lambda(self):
        # A quotation mark is three bytes of what a Lambda says: \" and its own quoting of it.
        assert nobody.call("GET", "/heaps/1000000").status == 200
        assert nobody.call("GET", "/heaps/2000000").status == 500

    def test_queries_take_the_last_value(self):
        answer = nobody.call("GET", "/heaps/1?a=1&a=2&b=")
        assert answer.json["query"] == {"a": "2", "b": ""}


public = Resource("tests.public_lamps")


@public.get("/public/lamps/{lamp_id}", allow=PUBLIC, fresh_s=60)
def show(lamp_id: str) -> Response:
    """Answer with a lamp, or with none."""
    if lamp_id == "none":
        raise SecretOfTheView
    return ok({"lamp": lamp_id})


@public.get("/private/lamps", allow={"citizen"})
def list_own() -> Response:
    """Answer with nothing."""
    return ok({})


pages = Chalice("public")
pages.register_blueprint(public.blueprint)


def test_what_was_only_read_as_part_of_something_can_be_answered():
    class Wick(Value):
        trimmed_on: date

    class Lantern(Value):
        wicks: tuple[Wick, ...]

    found = Lantern.model_validate_json('{"wicks": [{"trimmed_on": "2026-06-01"}]}')
    answer = ok({"lanterns": [{"wicks": found.wicks}]})
    assert json.loads(answer.body) == {"lanterns": [{"wicks": [{"trimmed_on": "2026-06-01"}]}]}


def test_what_is_public_may_be_kept_by_anybody():
    anybody = Gateway(pages)
    first = anybody.call("GET", "/public/lamps/7")
    tag = first.headers["ETag"]
    kept = "public, max-age=60, stale-while-revalidate=60, stale-if-error=86400"
    assert (first.status, first.headers["Cache-Control"]) == (200, kept)
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert "ETag" in first.headers["Access-Control-Expose-Headers"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = anybody.call("GET", "/public/lamps/7", headers={"if-none-match": known})
        assert (again.status, again.text) == (304, "")
        assert (again.headers["ETag"], again.headers["Cache-Control"]) == (tag, kept)
        assert again.headers["X-Correlation-Id"]
    for known in ('"other"', tag.strip('"'), ""):
        assert anybody.call("GET", "/public/lamps/7", headers={"if-none-match": known}).text
    assert anybody.call("GET", "/public/lamps/8").headers["ETag"] != tag


def test_a_refusal_is_kept_by_nobody_and_a_token_opens_no_other_page():
    refused = Gateway(pages).call("GET", "/public/lamps/none", headers={"if-none-match": "*"})
    assert (refused.status, refused.headers["Cache-Control"]) == (404, "no-store")
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    own = Gateway(pages, caller("citizen")).call("GET", "/private/lamps")
    assert (own.status, own.headers["Cache-Control"]) == (200, "no-store")
    assert "Access-Control-Allow-Origin" not in own.headers


def test_what_depends_on_who_asks_cannot_be_kept():
    with pytest.raises(ValueError, match="only what is public"):
        public.get("/own", allow={"citizen"}, fresh_s=60)
