"""What is posted is described: every message, every event, and nothing that is not."""

import json

import pytest
from contract import document as _routes
from jsonschema import Draft202012Validator

from chalicelib import registry
from infra import asyncapi, catalogue

WRITTEN = json.loads(asyncapi.FILE.read_text(encoding="utf-8"))
EVENTS = {path.stem: catalogue.read(path) for path in sorted(catalogue.FOLDER.glob("*.json"))}
POSTED = sorted({type_ for mail in registry.CORRESPONDENCE for type_ in mail.types})


def references(part):
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_it_is_what_the_sources_say():
    assert asyncapi.document() == WRITTEN, "run python -m infra.asyncapi"


def test_every_reference_leads_somewhere():
    found = set(references(WRITTEN))
    assert len(found) > len(EVENTS)
    for reference in found:
        part = WRITTEN
        for word in reference.removeprefix("#/").split("/"):
            part = part[word]
        assert part


def test_every_event_and_every_letter_is_in_it():
    messages = WRITTEN["components"]["messages"].values()
    facts = [m["name"] for m in messages if "schema" in m["payload"]]
    letters = [m["name"] for m in messages if "specversion" in m["payload"].get("properties", {})]
    assert sorted(facts) == sorted(EVENTS)
    assert sorted(letters) == POSTED
    for operation in WRITTEN["operations"].values():
        assert operation["action"] == "send"


@pytest.mark.parametrize("name", ["/history/events", "/inbox"])
def test_the_routes_it_speaks_of_exist(name):
    said = json.dumps(WRITTEN["channels"])
    assert name in said
    assert name in _routes()["paths"]


@pytest.mark.parametrize("type_", EVENTS)
def test_an_example_fits_its_message(type_):
    message = WRITTEN["components"]["messages"][f"{asyncapi._name(type_)}Event"]
    # Definitions are looked for from the top, as readers of the document do.
    schema = {**message["payload"]["schema"], "components": WRITTEN["components"]}
    for example in EVENTS[type_]["examples"]:
        Draft202012Validator(schema).validate(example)
