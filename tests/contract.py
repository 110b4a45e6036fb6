"""What the documents of the interface say of an answer, and of what we post; tests compare."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from infra import asyncapi, openapi
from infra.openapi import resolved


@cache
def document() -> dict[str, Any]:
    return json.loads(openapi.built().read_text(encoding="utf-8"))


@cache
def _validator(path: str, method: str, status: str, kind: str) -> Draft202012Validator:
    said = resolved(document(), document()["paths"][path][method]["responses"][status])
    shape = {**said["content"][kind]["schema"], "components": document()["components"]}
    return Draft202012Validator(_closed(shape) if kind != openapi.PROBLEM else shape)


def _closed(shape: Any) -> Any:
    """The same shape with no field but those it names: readers may expect more, we do not."""
    if isinstance(shape, list):
        return [_closed(part) for part in shape]
    if not isinstance(shape, dict):
        return shape
    found = {name: _closed(part) for name, part in shape.items()}
    if shape.get("type") == "object" and isinstance(shape.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found


def check(method: str, path: str, status: int, headers: Mapping[str, str], body: str) -> None:
    """That an answer of the route is one that the document promises."""
    operation = document()["paths"].get(path, {}).get(method.lower())
    if operation is None:
        return  # A route of a test's own application.
    where = f"{method} {path}"
    answers = operation["responses"]
    named = str(status) if str(status) in answers else "default"
    assert named in answers, f"{where}: {status} is not documented: {body}"
    said = resolved(document(), answers[named])
    if not body:
        return
    given = {name.lower(): value for name, value in headers.items()}
    kind = given["content-type"].split(";")[0]
    assert kind in said.get("content", {}), f"{where}: {status} as {kind} is not documented"
    if not kind.endswith("json"):
        return
    data = json.loads(body)
    if kind == openapi.PROBLEM:
        assert data["code"] in said["x-codes"], f"{where}: {data['code']} is not documented"
    for error in _validator(path, method.lower(), named, kind).iter_errors(data):
        raise AssertionError(f"{where}: {status} at {error.json_path}: {error.message}")


@cache
def _letters() -> dict[str, Draft202012Validator]:
    messages = asyncapi.document()["components"]["messages"]
    return {
        message["name"]: Draft202012Validator(message["payload"])
        for name, message in messages.items()
        if name.endswith("Message")
    }


def check_letter(headers: Mapping[str, str], body: bytes) -> None:
    """That a CloudEvent that was posted is one that the document promises."""
    Draft202012Validator(asyncapi.HEADERS).validate(dict(headers))
    event = json.loads(body)
    _letters()[event["type"]].validate(event)
