"""The interface as an OpenAPI 3.1 document, made from the routes and what their views lead to.

`python -m infra.openapi [FILE]` writes it; without FILE where the package takes it from.
Bodies and parameters are those the views read, statuses and codes those they can answer with.
Tests compare every answer they get with it, so what it says too much is harmless, and what it
leaves out fails.
"""

import ast
import copy
import fcntl
import inspect
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from types import FunctionType, ModuleType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from chalice.app import Response
from pydantic import BaseModel, TypeAdapter, create_model
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from chalicelib import registry
from chalicelib.delivery.signatures import Unauthenticated
from chalicelib.http import paging, resource
from chalicelib.http.identity import ROLES
from chalicelib.http.problems import Problem, StepUpRequired, _title, status_of
from chalicelib.http.resource import JSON, PUBLIC, SIGNED, XML, Answer, Door, Resource, Route
from chalicelib.kernel import Command, Invalid, Refused, Value
from infra.reach import Reached, reach, value_of
from infra.template import GATEWAY_ERRORS

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "chalicelib" / "openapi.json"
MAKERS = [ROOT / "pyproject.toml", *(ROOT / "infra" / f"{n}.py" for n in ("openapi", "reach"))]
"""What else the document depends on."""
PROBLEM = "application/problem+json"
OWN_PROBLEMS = {
    "internal-error": (500, "Something broke here; nothing you sent is at fault."),
    "try-again": (503, "Others are asking at the same time; nothing happened."),
}
"""The two that no refusal stands behind."""

Json = dict[str, Any]
_ABSTRACT = "refused"
_OF = re.compile(r"(\w+)_(\w+)_")
ANY = 0
"""In the place of a status: an answer in another's protocol, whose statuses are theirs."""
_SCHEMAS = "#/components/schemas/"
_REFERENCE = re.compile(f'"{_SCHEMAS}([^"]+)"')
_NAME = re.compile(r"{(\w+)}")
_BYTES: Json = {"type": "string", "format": "binary"}
"""What is not JSON, as it comes: its encoding is said in itself, or in its media type."""
_HEADERS: Json = {
    "X-Correlation-Id": {
        "description": "Names this request in logs and in what it wrote.",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The version that the answer is true at.",
        "schema": {"type": "string"},
    },
    "Location": {"description": "Where the thing is.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "What to show instead.", "schema": {"type": "string"}},
}
_PARAMETERS: Json = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "A UUID chosen once for each wish: repeating it changes nothing.",
        "schema": {
            "type": "string",
            "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        },
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The version that the caller saw; another one is refused.",
        "schema": {"type": "string", "pattern": r'^("[0-9]{1,9}"|[0-9]{1,9})$'},
    },
    "Purpose": {
        "name": "Purpose",
        "in": "header",
        "required": False,
        "description": "Why somebody's data is read: a reference that names nobody.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:/-]{0,64}$"},
    },
    "X-Correlation-Id": {
        "name": "X-Correlation-Id",
        "in": "header",
        "required": False,
        "description": "The caller's own name for this request.",
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9._:\-]{1,64}$"},
    },
}
_WEBHOOK_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_LIST_PARAMETERS: Json = {
    "limit": {"type": "integer", "minimum": 1, "maximum": paging.MAX_LIMIT},
    "cursor": {"type": "string"},
    "seen": {"type": "string"},
}


class Asked(NamedTuple):
    """What a route reads of a request: its body, and its query by name."""

    body: type[Value] | None
    given: frozenset[str]
    models: tuple[type[Value], ...]
    names: frozenset[str]
    pages: bool


def document() -> Json:
    """The whole document."""
    routes = [(one, route) for one in registry.RESOURCES for route in one.table]
    met, asked = {}, {}
    for one, route in routes:
        found = _met(one, route)
        read = asked[id(route)] = _asked(found, route)
        # What a body's fields are checked with refuses too.
        models = [model for model in (read.body, *read.models) if model]
        checks = [check for model in models for check in _checks(model)]
        met[id(route)] = _met(one, route, *checks) if checks else found
    schemas = _Schemas(
        model for one in asked.values() for model in (one.body, *one.models) if model
    )
    promised = {route.view: kind for _, route in routes if (kind := _promised(route.view))}
    answers = _Answers([Problem, *promised.values()], schemas)
    shared = _Shared()
    paths: dict[str, Json] = {}
    names: dict[str, int] = {}
    for _, route in routes:
        shape = answers.shape(promised[route.view]) if route.view in promised else None
        operation = _operation(route, met[id(route)], asked[id(route)], schemas)
        operation["responses"] = _responses(route, met[id(route)], shape, shared)
        count = names[operation["operationId"]] = names.get(operation["operationId"], 0) + 1
        if count > 1:
            operation["operationId"] += f"_{count}"
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    for _, route in routes:
        if route.method == "POST":
            _link(route, paths, schemas.components)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Liên Thông",
            "version": project["version"],
            "description": project["description"],
            "license": {"name": project["license"], "identifier": project["license"]},
        },
        "tags": [{"name": name, "description": text} for name, text in _contexts(routes).items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": f"OpenID Connect; claim `role`: {', '.join(sorted(ROLES))}.",
                },
            },
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "examples": _examples(),
            "responses": shared.components,
            "schemas": _referred_to([paths, shared.components], schemas.components),
        },
    }


def _referred_to(by: Any, shapes: Json) -> Json:
    """The shapes that something refers to: what a query is read into stands in its parameters."""
    found: set[str] = set()
    new = {*_REFERENCE.findall(json.dumps(by, default=str))}
    while new:
        found |= new
        new = {*_REFERENCE.findall(json.dumps([shapes[name] for name in new]))} - found
    return {name: shape for name, shape in shapes.items() if name in found}


def _met(one: Resource, route: Route, *more: Callable[..., Any]) -> Reached:
    told = [type(one).told] if route.method == "GET" and not isinstance(route.allow, Door) else []
    return reach(route.view, one._admit, *told, *more)  # noqa: SLF001 -- part of every answer.


def _checks(of: Any) -> Iterator[Callable[..., Any]]:
    """The functions that the fields of a model, or a type, are checked with."""
    for part in getattr(of, "__metadata__", ()):
        if callable(function := getattr(part, "func", None)):
            yield function
    if isinstance(of, type) and issubclass(of, BaseModel):
        for field in of.model_fields.values():
            for part in field.metadata:
                if callable(function := getattr(part, "func", None)):
                    yield function
            yield from _checks(field.annotation)
    for part in get_args(of):
        yield from _checks(part)


def _operation(route: Route, met: Reached, asked: Asked, schemas: "_Schemas") -> Json:
    doc = inspect.cleandoc(route.view.__doc__ or "")
    first, _, rest = doc.partition("\n\n")
    context = _context(route)
    operation: Json = {
        "operationId": route.view.__name__,
        "summary": " ".join(first.split()),
        "tags": [context],
        "parameters": [*_path(route), *_query(asked, schemas), *_headers(route, met)],
    }
    if rest:
        operation["description"] = rest
    if isinstance(route.allow, Door):
        operation["security"] = []
        operation["x-door"] = route.allow.value
    else:
        operation["security"] = [{"bearer": []}]
        operation["x-roles"] = sorted(route.allow)
    if route.step_up:
        operation["x-step-up"] = True
    if body := _body(route, met, asked, schemas):
        operation["requestBody"] = body
    return operation


def _path(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query(asked: Asked, schemas: "_Schemas") -> list[Json]:
    found: dict[str, Json] = {name: {"schema": {"type": "string"}} for name in asked.names}
    if asked.pages:
        found |= {name: {"schema": schema} for name, schema in _LIST_PARAMETERS.items()}
    for model in asked.models:
        schema = schemas.whole(model)
        for name, one in schema.get("properties", {}).items():
            if name in {"origin", *asked.given}:
                continue
            found[name] = {"schema": one, "required": name in schema.get("required", [])}
    return [{"name": name, "in": "query", **found[name]} for name in sorted(found)]


def _headers(route: Route, met: Reached) -> list[Json]:
    names = ["X-Correlation-Id"]
    # Many things have an origin; only those that ask a request for it need its headers.
    origin = any(
        isinstance(call.func, ast.Attribute) and call.func.attr in {"origin", "command"}
        for function, call in met.calls()
        if function.__module__.startswith("chalicelib.contexts.")
    )
    if not isinstance(route.allow, Door):
        if route.method == "GET":
            names.append("Purpose")
        elif origin:
            names += ["Idempotency-Key", "If-Match"]
    found: list[Json] = [{"$ref": f"#/components/parameters/{name}"} for name in names]
    if route.allow is SIGNED and met.has(Resource.signed_origin):
        found += [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
            for name in _WEBHOOK_HEADERS
        ]
    return found


def _body(route: Route, met: Reached, asked: Asked, schemas: "_Schemas") -> Json | None:
    if route.method == "GET":
        return None
    content: Json = {}
    for kind in sorted(route.takes):
        if not kind.endswith("json"):
            content[kind] = {"schema": _BYTES}
        elif asked.body:
            content[kind] = {"schema": schemas.body(asked.body, asked.given)}
        elif met.has(Resource.body) and any(
            isinstance(call.func, ast.Attribute) and call.func.attr == "body"
            for function, call in met.calls()
            if function.__module__.startswith("chalicelib.contexts.")
        ):
            content[kind] = {"schema": {"type": "object"}}
    if not content:
        return None
    needed = asked.body is not None and bool(
        schemas.whole(asked.body).keys() & {"required", "oneOf", "anyOf"}
    )
    return {"required": needed or set(content) != {JSON}, "content": content}


def _promised(view: Callable[..., Any]) -> Any:
    """The type of the JSON that a view answers, as it says itself; None if it answers none."""
    said = get_type_hints(view, include_extras=True)["return"]
    kinds = [
        get_args(one)[0]
        for one in (get_args(said) if get_origin(said) in {Union, UnionType} else [said])
        if get_origin(one) is Answer
    ]
    whole = tuple(_listed(kind) for kind in kinds)
    return Union[whole] if whole else None  # noqa: UP007 -- they are only known here.


def _listed(kind: Any) -> Any:
    """A page of a view's rows, with what each row has beside its own fields: `paging.Listed`."""
    if get_origin(kind) is not paging.Page:
        return kind
    [row] = get_args(kind)
    return paging.Page[_with_place(row)] if row in _rows() else kind  # type: ignore[misc]


@cache
def _rows() -> frozenset[type[Value]]:
    return frozenset(projection.row for projection in registry.PROJECTIONS)


@cache
def _with_place(row: type[Value]) -> type[Value]:
    more: Any = {name: (kind, ...) for name, kind in get_type_hints(paging.Listed).items()}
    return create_model(f"Listed{row.__name__}", __base__=row, __doc__=row.__doc__, **more)


def _responses(route: Route, met: Reached, shape: Json | None, shared: "_Shared") -> Json:
    found: Json = {}
    headers = {"X-Correlation-Id": {"$ref": "#/components/headers/X-Correlation-Id"}}
    granted = _granted(route, met, shape or {"type": "object"})
    if ANY in granted:
        theirs: Json = {"description": "In the caller's own protocol.", "content": granted.pop(ANY)}
        found["default"] = theirs
    for status, schema in sorted(granted.items()):
        answer: Json = {"description": HTTPStatus(status).phrase, "headers": dict(headers)}
        if schema:
            answer["content"] = schema
        if status == HTTPStatus.CREATED:
            answer["headers"]["Location"] = {"$ref": "#/components/headers/Location"}
        found[str(status)] = answer
    refused: dict[int, set[str]] = {}
    for code, status in _codes(route, met).items():
        refused.setdefault(status, set()).add(code)
    for status, codes in sorted(refused.items()):
        more = {
            401: ["WWW-Authenticate"],
            503: ["Retry-After"],
        }.get(status, [])
        problem: Json = {
            "schema": {"$ref": f"{_SCHEMAS}Problem"},
            "examples": {c: {"$ref": f"#/components/examples/{c}"} for c in sorted(codes)},
        }
        answer = {
            "description": "; ".join(f"`{code}`" for code in sorted(codes)),
            "headers": headers | {n: {"$ref": f"#/components/headers/{n}"} for n in more},
            "content": {PROBLEM: problem},
            "x-codes": sorted(codes),
        }
        if "default" in found:
            answer["content"] = found["default"]["content"] | answer["content"]
            found[str(status)] = answer
        elif str(status) in found:
            # A view may answer in its own words with a status that is also a refusal's.
            answer["content"] = found[str(status)].get("content", {}) | answer["content"]
            found[str(status)] = answer
        else:
            found[str(status)] = shared.named(status, answer)
    return found


def _link(route: Route, paths: Json, shapes: Json) -> None:
    """Say on an answer that names what was made which operations are about that.

    Those are meant of which every name in the path is known, one of them only now: a `dossier` in
    the answer is the `dossier_id` of paths, its `id` that of the path below the one asked.
    """
    operation = paths[route.path][route.method.lower()]
    sent = operation.get("requestBody", {}).get("content", {}).get(JSON, {})
    asked = {name: f"$request.path.{name}" for name in _NAME.findall(route.path)}
    for status, answer in operation["responses"].items():
        given = _fields(answer.get("content", {}).get(JSON, {}), shapes)
        new = {f"{name}_id": f"$response.body#/{name}" for name in given}
        links: Json = {}
        for path, operations in paths.items():
            below = _NAME.match(path.removeprefix(f"{route.path}/"))
            own = {}
            if below and below[1] in _fields(sent, shapes):
                own = {below[1]: f"$request.body#/{below[1]}"}
            elif below and "id" in given:
                own = {below[1]: "$response.body#/id"}
            known = new | own | asked
            names = {*_NAME.findall(path)}
            if names <= known.keys() and names - asked.keys():
                parameters = {f"path.{name}": known[name] for name in sorted(names)}
                for target in operations.values():
                    id_ = target["operationId"]
                    links[id_] = {"operationId": id_, "parameters": parameters}
        if links and status in {"201", "202"}:
            answer["links"] = links


def _fields(part: Json, shapes: Json) -> set[str]:
    """The names of the fields that an object of this shape may have."""
    shape = part.get("schema", part)
    if "$ref" in shape:
        return _fields(shapes[shape["$ref"].removeprefix(_SCHEMAS)], shapes)
    inner = [one for word in ("allOf", "anyOf", "oneOf") for one in shape.get(word, ())]
    return set(shape.get("properties", ())).union(*(_fields(one, shapes) for one in inner))


class _Shared:
    """Refusals in the same words stand in the document once."""

    def __init__(self) -> None:
        self.components: Json = {}
        self._names: dict[str, str] = {}

    def named(self, status: int, answer: Json) -> Json:
        """A reference to the answer."""
        said = json.dumps(answer, sort_keys=True)
        if said not in self._names:
            count = sum(name.startswith(f"Refused{status}") for name in self.components)
            name = self._names[said] = f"Refused{status}" + (f"No{count + 1}" if count else "")
            self.components[name] = answer
        return {"$ref": f"#/components/responses/{self._names[said]}"}


def _codes(route: Route, met: Reached) -> dict[str, int]:
    """Every problem that the route can answer with, and its status."""
    kinds = [kind for kind in met.refusals if kind.code != _ABSTRACT]
    codes = {kind.code: status_of(kind()) for kind in kinds}
    if isinstance(route.allow, Door):
        codes.pop("role-not-allowed", None)
        if route.allow is PUBLIC and not met.has(Resource.signed_origin):
            codes.pop(Unauthenticated.code, None)
    if met.has(Resource.build):
        # What `build` raises is answered as this, with the list of faults.
        codes[Invalid.code] = status_of(Invalid())
    if not route.step_up:
        codes.pop(StepUpRequired.code, None)
    if not met.has(Resource.query) and route.method == "GET":
        codes.pop("unsupported-media-type", None)
    codes |= {code: status for code, (status, _) in OWN_PROBLEMS.items()}
    for kind, code, _, status in GATEWAY_ERRORS:
        never = {"MISSING_AUTHENTICATION_TOKEN"}
        if isinstance(route.allow, Door):
            never |= {"UNAUTHORIZED", "EXPIRED_TOKEN", "ACCESS_DENIED"}
        if status and kind not in never:
            codes[code] = status
    return codes


def _granted(route: Route, met: Reached, shape: Json) -> dict[int, Json | None]:
    """The statuses that are no refusals, with what they carry."""
    found: dict[int, Json | None] = {}
    plain = {JSON: {"schema": shape}}
    if met.has(resource.created):
        found[200] = found[201] = dict(plain)
    if met.has(resource.accepted) or met.has(resource.ordered):
        found[202] = dict(plain)
    if met.has(resource.ok):
        found[200] = dict(plain)
    for status, kind in _constants(met):
        if kind and kind != JSON:
            schema = _BYTES if kind in XML else {"type": "string"}
            found[status] = (found.get(status) or {}) | {kind: {"schema": schema}}
        elif status not in found:
            found[status] = None if status in {304, 307} else dict(plain)
    if route.fresh_s:
        found[304] = None
    return found


def _constants(met: Reached) -> Iterator[tuple[int, str]]:
    """The statuses and media types that views write out."""
    for function, nodes in met.functions.items():
        if function.__module__ in {resource.__name__, "chalicelib.http.problems"}:
            continue
        kinds = [
            kind
            for node in nodes
            if isinstance(node, ast.Dict)
            for key, value in zip(node.keys, node.values, strict=True)
            if getattr(key, "value", None) == "Content-Type"
            for kind in _media_types(value, function, met)
        ]
        for node in nodes:
            match node:
                case ast.Call() if value_of(node.func, function) in (Response, Answer):
                    said = [k.value for k in node.keywords if k.arg == "status_code"]
                    # By place, after body and headers, stands a status found out on the way.
                    computed = len(node.args) > 2  # noqa: PLR2004
                    [status] = [getattr(one, "value", HTTPStatus.OK) for one in said] or [
                        ANY if computed else HTTPStatus.OK
                    ]
                    yield from ((status, kind.split(";")[0]) for kind in kinds or [""])
                case ast.Assign(
                    targets=[ast.Attribute(attr="status_code")], value=ast.Constant(value=status)
                ):
                    yield int(str(status)), ""


def _media_types(node: ast.expr, function: FunctionType, met: Reached) -> list[str]:
    found = value_of(node, function)
    if isinstance(found, str):
        return [found]
    # It is handed to a helper: whatever its callers hand it.
    given = [
        value_of(argument, caller)
        for caller, call in met.calls()
        if _named(call) == function.__name__
        for argument in call.args
    ]
    return [kind for kind in given if isinstance(kind, str) and "/" in kind] or [""]


def _asked(met: Reached, route: Route) -> Asked:
    body: type[Value] | None = None
    given: set[str] = set()
    models: list[type[Value]] = []
    names: set[str] = set()
    for function, nodes in met.functions.items():
        if function.__module__.startswith("chalicelib.contexts."):
            names |= set(_read_of_query(nodes))
    for function, call in met.calls():
        if function.__module__ == resource.__name__ or not isinstance(call.func, ast.Attribute):
            continue
        kind = value_of(call.args[0], function) if call.args else None
        model = kind if isinstance(kind, type) and issubclass(kind, Value) else None
        match call.func.attr:
            case "json" if model:
                # What the view reads itself goes before what those read that it leads to.
                body = body or model
            case "command" if model and issubclass(model, Command):
                body, given = model, {"origin", *(k.arg for k in call.keywords if k.arg)}
            case "build" if model and (route.method == "GET" or _asks_query(call)):
                models.append(model)
                given |= {k.arg for k in call.keywords if k.arg}
    return Asked(
        body,
        frozenset(given),
        tuple(models),
        frozenset(names),
        met.has(paging.page_request) and route.path != "/public/procedures/{code}",
    )


def _read_of_query(nodes: list[ast.AST]) -> Iterator[str]:
    """The names that are looked up: `query[name]`, `query.get(name)`, `f(query, name)`."""
    for node in nodes:
        words: list[ast.expr] = []
        if isinstance(node, ast.Subscript) and _is_query(node.value):
            words = [node.slice]
        elif isinstance(node, ast.Call):
            of_query = isinstance(node.func, ast.Attribute) and _is_query(node.func.value)
            if of_query or any(_is_query(argument) for argument in node.args):
                words = [one for one in node.args if not _is_query(one)][:1]
        for word in words:
            if isinstance(word, ast.Constant) and isinstance(word.value, str):
                yield word.value


def _asks_query(call: ast.Call) -> bool:
    spread = [k.value for k in call.keywords if k.arg is None]
    return any(_is_query(node) for value in spread for node in ast.walk(value))


def _is_query(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr == "query"
    return isinstance(node, ast.Name) and node.id == "query"


def _named(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", None) or getattr(call.func, "id", ""))


class _Schemas:
    """The shapes of what is asked, each once, under a short name."""

    def __init__(self, models: Iterator[type[Value]]) -> None:
        kinds = list(dict.fromkeys(models))
        top, whole = models_json_schema(
            [(kind, "validation") for kind in kinds], ref_template=f"{_SCHEMAS}{{model}}"
        )
        long = whole.get("$defs", {})
        short = _short(long)
        shapes = _tidied(_named_anew(long, short))
        self.components: Json = {short[name]: shape for name, shape in shapes.items()}
        self._names = {
            kind: short[top[kind, "validation"]["$ref"].removeprefix(_SCHEMAS)] for kind in kinds
        }

    def whole(self, kind: type[Value]) -> Json:
        """The shape of a model, written out."""
        found: Json = self.components[self._names[kind]]
        return found

    def body(self, kind: type[Value], given: frozenset[str]) -> Json:
        """The shape of a body, without what is not the caller's to say."""
        name = self._names[kind]
        if not issubclass(kind, Command):
            return {"$ref": _SCHEMAS + name}
        shape = copy.deepcopy(self.components[name])
        for one in given:
            shape["properties"].pop(one, None)
        shape["required"] = [n for n in shape.get("required", []) if n not in given]
        self.components[f"{name}Request"] = shape
        return {"$ref": f"{_SCHEMAS}{name}Request"}


class _Said(GenerateJsonSchema):
    """What is answered says all its fields: who reads it need not know what a missing one means."""

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 -- as it is called.
        if field["type"] == "typed-dict-field":
            return super().field_is_required(field, total)
        return field.get("serialization_exclude_if") is None


class _Answers:
    """The shapes of what is answered, beside those of what is asked, each once by a short name."""

    def __init__(self, kinds: Iterable[Any], asked: _Schemas) -> None:
        kinds = list(dict.fromkeys(kinds))
        found, whole = TypeAdapter.json_schemas(
            [(place, "serialization", TypeAdapter(kind)) for place, kind in enumerate(kinds)],
            ref_template=f"{_SCHEMAS}{{model}}",
            schema_generator=_Said,
        )
        long = {name: _opened(_tidied(one)) for name, one in whole.get("$defs", {}).items()}
        names = {name: _OF.sub(r"\1Of\2", short) for name, short in _short(long).items()}
        # What is answered may have more fields than what is asked: it is called by another name,
        # and with it whatever it stands in.
        taken = dict(asked.components)
        renamed = True
        while renamed:
            renamed = False
            for name, shape in long.items():
                if taken.get(names[name], shape) not in (shape, _named_anew(shape, names)):
                    names[name] += "Answer"
                    renamed = True
        asked.components |= {names[n]: _named_anew(shape, names) for n, shape in long.items()}
        self._shapes = {
            kind: _named_anew(_opened(_tidied(found[place, "serialization"])), names)
            for place, kind in enumerate(kinds)
        }

    def shape(self, kind: Any) -> Json:
        """The shape of what is promised."""
        return self._shapes[kind]


def _opened(shape: Any) -> Any:
    """A shape of an answer: who reads it must expect that fields are added to it one day."""
    if isinstance(shape, list):
        return [_opened(part) for part in shape]
    if not isinstance(shape, dict):
        return shape
    closed = shape.get("additionalProperties") is False
    return {k: _opened(v) for k, v in shape.items() if not (closed and k == "additionalProperties")}


def _named_anew(shape: Json, names: Mapping[str, str]) -> Json:
    """A shape with its references under other names."""
    text = json.dumps(shape)
    for name, better in names.items():
        text = text.replace(f'"{_SCHEMAS}{name}"', f'"{_SCHEMAS}{better}"')
    found: Json = json.loads(text)
    return found


def _tidied(shape: Any) -> Any:
    """A shape without titles that repeat names, and without defaults that nobody may say."""
    if isinstance(shape, list):
        return [_tidied(part) for part in shape]
    if not isinstance(shape, dict):
        return shape
    unsaid = {"default"} if shape.get("default") == "" else set()
    unsaid |= {"title"} if isinstance(shape.get("title"), str) else set()
    return {name: _tidied(part) for name, part in shape.items() if name not in unsaid}


def _short(names: Mapping[str, Any]) -> dict[str, str]:
    """Short names for long ones: a class's own, with its context's before it where two share it."""
    found: dict[str, str] = {}
    for name in names:
        *modules, word = name.split("__")
        where, part = "", ""
        if modules[:2] == ["chalicelib", "contexts"]:
            where, part = modules[2:4]
        short = f"{where.title()}{word}" if modules else name
        if short in found.values():
            short = f"{where.title()}{part.title().replace('_', '')}{word}"
        assert short not in found.values(), f"two shapes are called {short}"
        found[name] = short
    return found


def _examples() -> Json:
    """One problem of each code, as it is answered."""
    found: Json = {}
    for kind in _refusals(Refused):
        status = status_of(kind())
        value: Json = {"title": _title(kind), "status": status, "code": kind.code}
        value = {"type": f"urn:lienthong:problem:{kind.code}", **value}
        if kind.rule:
            value["rule"] = kind.rule
        found[kind.code] = {"value": value}
    for code, (status, title) in OWN_PROBLEMS.items():
        value = {"title": title, "status": status, "code": code}
        found[code] = {"value": {"type": f"urn:lienthong:problem:{code}", **value}}
    for _, code, title, gateway_status in GATEWAY_ERRORS:
        if gateway_status:
            value = {"type": "about:blank", "title": title, "status": gateway_status, "code": code}
            found.setdefault(code, {"value": value})
    return dict(sorted(found.items()))


def _refusals(kind: type[Refused]) -> Iterator[type[Refused]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("chalicelib."):
            yield one
        yield from _refusals(one)


def _context(route: Route) -> str:
    return route.view.__module__.split(".")[2]


def _contexts(routes: list[tuple[Resource, Route]]) -> dict[str, str]:
    names = dict.fromkeys(_context(route) for _, route in routes)
    modules: dict[str, ModuleType] = {n: sys.modules[f"chalicelib.contexts.{n}"] for n in names}
    return {name: (module.__doc__ or "").strip() for name, module in modules.items()}


def built() -> Path:
    """The document of the sources as they stand, made now unless it was made before."""
    whole = sha256()
    for path in [*sorted(ROOT.glob("chalicelib/**/*.py")), *MAKERS]:
        whole.update(path.read_bytes())
    path = ROOT / "build" / "contract" / f"openapi-{whole.hexdigest()[:16]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / "lock").open("w") as lock:
        # Several test processes ask at once; one makes it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            for old in path.parent.glob("openapi-*.json"):
                old.unlink()
            write(path)
    return path


def resolved(whole: Json, part: Json) -> Json:
    """What a reference of the document leads to; what is none leads to itself."""
    while "$ref" in part:
        found = whole
        for word in part["$ref"].removeprefix("#/").split("/"):
            found = found[word]
        part = found
    return part


def write(path: Path) -> Path:
    """Write the document; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    working = path.with_suffix(".part")
    text = json.dumps(document(), ensure_ascii=False, separators=(",", ":"), default=str)
    working.write_text(text, encoding="utf-8")
    return working.replace(path)


def put(path: Path = FILE) -> None:
    """Put it where the package takes it from; a reader never sees half of it."""
    working = path.with_name(f"{path.name}.{os.getpid()}.part")
    shutil.copyfile(built(), working)
    working.replace(path)


if __name__ == "__main__":
    put(*map(Path, sys.argv[1:]))
