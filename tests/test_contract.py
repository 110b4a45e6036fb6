"""The document of the interface is lawful, served as it is, and kept by every answer."""

import json
import re
from contextlib import ExitStack

import pytest
import schemathesis
from contract import document
from deployed import on_moto
from gateway import Gateway
from hypothesis import HealthCheck, Phase, given, seed, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import checks
from wsgi import AGENCY, ROLES, Server, caller

from app import app
from chalicelib import registry
from infra import openapi, reference

KEPT = (
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
)

_NAMES = re.compile(r'"#/components/schemas/([^"]+)"')
UNSIGNED = {"GET /log/keys"}
FEW = settings(
    max_examples=1,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_it_is_an_openapi_document():
    OpenAPIV31SpecValidator(document()).validate()


def test_every_route_is_in_it_with_its_roles():
    written = {
        (method.upper(), path): operation.get("x-roles", operation.get("x-door"))
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    }
    assert written == {
        (r.method, r.path): sorted(r.allow) if isinstance(r.allow, frozenset) else r.allow.value
        for one in registry.RESOURCES
        for r in one.table
    }


def test_names_of_operations_are_not_given_twice():
    names = [o["operationId"] for path in document()["paths"].values() for o in path.values()]
    assert len(names) == len(set(names))


def test_what_a_route_takes_is_in_it():
    send = document()["paths"]["/documents"]["post"]
    schema = send["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/NewDocument"}
    named = {p.get("$ref", "").rsplit("/", 1)[-1] for p in send["parameters"]}
    assert {"Idempotency-Key", "If-Match"} <= named
    listed = {p.get("name") for p in document()["paths"]["/documents"]["get"]["parameters"]}
    assert {"limit", "cursor", "seen", "receiver", "status", "from", "to"} <= listed
    # What the route says itself is not the body's to say.
    renamed = document()["components"]["schemas"]["RenameAgencyRequest"]
    assert not {"origin", "code"} & renamed["properties"].keys()


def parameters(operation):
    return {p.get("name", p.get("$ref", "").rsplit("/", 1)[-1]) for p in operation["parameters"]}


def test_a_key_is_asked_for_where_something_changes_and_nowhere_else():
    paths = document()["paths"]
    assert "Idempotency-Key" in parameters(paths["/agencies/{code}/name"]["put"])
    for path in ("/uploads", "/webhooks/{agency}", "/public/dossier-look-ups"):
        assert "Idempotency-Key" not in parameters(paths[path]["post"])


def test_links_lead_from_what_was_made_to_what_can_be_done_with_it():
    paths = document()["paths"]
    places = {o["operationId"]: path for path, one in paths.items() for o in one.values()}
    found = {}
    for operations in paths.values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                for link in answer.get("links", {}).values():
                    names = re.findall(r"{(\w+)}", places[link["operationId"]])
                    assert link["parameters"].keys() == {f"path.{name}" for name in names}
                    found[operation["operationId"], link["operationId"]] = link["parameters"]
    filed = {"path.dossier_id": "$response.body#/dossier"}
    assert found["file_dossier", "accept_dossier"] == filed
    assert found["raise_obligation", "fulfil_obligation"] == {
        "path.dossier_id": "$request.path.dossier_id",
        "path.obligation_id": "$response.body#/obligation",
    }
    assert found["register_agency", "rename_agency"] == {"path.code": "$request.body#/code"}
    submitted = {"path.submission_id": "$response.body#/id"}
    assert found["submit_upload", "see_submission"] == submitted
    assert ("register_agency", "read_procedure") not in found


def test_what_a_view_reads_itself_is_its_body():
    forward = document()["paths"]["/dossiers/{dossier_id}/forwardings"]["post"]
    [schema] = [kind["schema"] for kind in forward["requestBody"]["content"].values()]
    assert schema == {"$ref": "#/components/schemas/Forwarding"}


def test_every_answer_in_json_has_a_shape():
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                content = openapi.resolved(document(), answer).get("content", {})
                if status.startswith("2") and "application/json" in content:
                    shape = openapi.resolved(document(), content["application/json"]["schema"])
                    named = shape.keys() & {"properties", "anyOf"}
                    assert named, f"{method} {path} says only that {status} is an object"


def referred_to(part):
    """The names of the shapes that a part of the document leads to."""
    found, new = set(), {*_NAMES.findall(json.dumps(part))}
    shapes = document()["components"]["schemas"]
    while new:
        found |= new
        new = {*_NAMES.findall(json.dumps([shapes[name] for name in new]))} - found
    return found


def test_what_is_answered_says_each_field_that_has_a_default():
    operations = [o for path in document()["paths"].values() for o in path.values()]
    asked = [{k: v for k, v in o.items() if k != "responses"} for o in operations]
    said = referred_to([o["responses"] for o in operations]) - referred_to(asked)
    assert len(said) > 100
    for name in said:
        shape = document()["components"]["schemas"][name]
        left = {k for k, v in shape.get("properties", {}).items() if "default" in v}
        assert left <= {*shape.get("required", ())}, name


def test_a_refusal_of_the_domain_is_in_it_where_it_can_be_met_and_nowhere_else():
    def codes(method, path):
        answers = document()["paths"][path][method]["responses"]
        return {
            code
            for said in answers.values()
            for code in openapi.resolved(document(), said).get("x-codes", [])
        }

    assert "agency-already-registered" in codes("post", "/agencies")
    assert "agency-already-registered" not in codes("put", "/agencies/{code}/name")
    assert "withdrawal-too-late" in codes("put", "/dossiers/{dossier_id}/withdrawal")
    assert "unauthorized" not in codes("get", "/webhook-keys")


def test_it_is_served_as_it_was_made():
    openapi.put()
    answer = Gateway(app).call("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.json == document()
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    tag = {"if-none-match": answer.headers["ETag"]}
    assert Gateway(app).call("GET", "/openapi.json", headers=tag).status == 304


@pytest.fixture(scope="module")
def server():
    # What is served from files that the package has.
    openapi.put()
    reference.write()
    with ExitStack() as stack:
        stack.enter_context(on_moto())
        administrator = Gateway(app, caller("administrator"))
        for number, code in enumerate((AGENCY, "Z02"), start=1):
            body = {"code": code, "name": f"Demo {code}", "source": "Demo"}
            key = {"idempotency-key": f"00000000-0000-4000-8000-00000000000{number}"}
            assert administrator.call("POST", "/agencies", body, key).status == 201
        yield Server()


def asker(operation):
    """Asks whatever the document allows to ask of an operation."""

    @seed(7)
    @FEW
    @given(case=operation.as_strategy())
    def ask(case):
        answer = case.call()
        # Moto's KMS has no key like the one that signs the log: see `deployed`.
        if operation.label not in UNSIGNED:
            assert answer.status_code != 500, answer.text
        case.validate_response(answer, checks=KEPT)

    return ask


def test_whatever_is_asked_the_answer_is_a_promised_one(server):
    schema = schemathesis.openapi.from_dict(document())
    schema.app = server
    failures = []
    for result in schema.get_all_operations():
        operation = result.ok()
        try:
            asker(operation)()
        except Exception as failure:  # noqa: BLE001 -- all of them are wanted, not the first.
            failures.append(f"{operation.label}: {failure}")
    assert not failures, "\n\n".join(failures)
    assert {route[:2] for route in server.asked} == ROLES.keys()
