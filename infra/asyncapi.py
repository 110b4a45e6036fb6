"""What we send without being asked, as an AsyncAPI 3 document: messages to agencies, and events.

`python -m infra.asyncapi [FILE]` writes `docs/asyncapi.json`. Events are those of the catalogue
(`events/`), messages those the contexts write letters about (`registry.CORRESPONDENCE`).
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from chalicelib import registry
from chalicelib.contexts.documents.letters import CLOUDEVENT_TYPE, EDXML_TYPE
from infra import catalogue

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "asyncapi.json"
Json = dict[str, Any]
_TEXT: Json = {"type": "string"}
HEADERS: Json = {
    "type": "object",
    "properties": {
        "content-type": _TEXT,
        "user-agent": {"const": "lien-thong"},
        "webhook-id": {"type": "string", "description": "The same for every attempt."},
        "webhook-timestamp": {"type": "string", "pattern": "^[0-9]+$"},
        "webhook-signature": {"type": "string", "pattern": "^v1a?,"},
        "lienthong-agency": {"type": "string", "description": "Whose lane the message is of."},
        "lienthong-lane": {"enum": ["urgent", "normal"]},
        "lienthong-sequence": {"type": "string", "description": "Its number in the lane: no gaps."},
    },
    "required": ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"],
}
"""Standard Webhooks 1.0.0, and where the message stands in its receiver's lane."""


def envelope(type_: str) -> Json:
    """The body of a message of this type: a CloudEvent 1.0 in JSON."""
    return {
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "minLength": 1},
            "source": {"const": "urn:lienthong:axis"},
            "type": {"const": type_},
            "subject": {"type": "string", "description": "The case."},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "position": {"type": "integer", "description": "Its place in history."},
            "data": {"type": "object"},
        },
        "required": ["specversion", "id", "source", "type", "subject", "time", "position", "data"],
    }


def document() -> Json:
    """The whole document."""
    events = {path.stem: catalogue.read(path) for path in sorted(catalogue.FOLDER.glob("*.json"))}
    sent = sorted({type_ for mail in registry.CORRESPONDENCE for type_ in mail.types})
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    messages: Json = {f"{_name(type_)}Event": _event(file) for type_, file in events.items()}
    for type_ in sent:
        messages[f"{_name(type_)}Message"] = {
            "name": type_,
            "summary": events[type_]["meaning"],
            "contentType": CLOUDEVENT_TYPE,
            "headers": {"$ref": "#/components/schemas/WebhookHeaders"},
            "payload": envelope(type_),
        }
    messages["EdXMLMessage"] = {
        "name": "edxml",
        "summary": "A document or a status as edXML, to systems of that profile.",
        "contentType": EDXML_TYPE,
        "headers": {"$ref": "#/components/schemas/WebhookHeaders"},
        "payload": {"type": "string"},
    }
    letters = [*(f"{_name(type_)}Message" for type_ in sent), "EdXMLMessage"]
    facts = [f"{_name(type_)}Event" for type_ in events]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Liên Thông",
            "version": project["version"],
            "description": "What the axis posts to the systems of agencies, and the events behind.",
            "license": {"name": project["license"]},
        },
        "defaultContentType": "application/json",
        "channels": {
            "webhook": _channel(
                "{endpoint}",
                "The address that the receiving agency's system is registered with. What is posted "
                "there in order can also be fetched: GET /inbox.",
                letters,
                {"endpoint": {"description": "The system's HTTPS address."}},
            ),
            "history": _channel(
                "/history/events",
                "Every event there is, in the order of history, for auditors: GET /history/events.",
                facts,
            ),
        },
        "operations": {
            "postMessage": _send("webhook", letters, "Post a message to an agency's system."),
            "writeEvent": _send("history", facts, "Append an event to history."),
        },
        "components": {"messages": messages, "schemas": {"WebhookHeaders": HEADERS}},
    }


def _name(type_: str) -> str:
    return "".join(word.title() for word in type_.replace(".", "_").split("_"))


def _event(file: Json) -> Json:
    # A definition is looked for from the top of the whole document.
    place = f"#/components/messages/{_name(file['type'])}Event/payload/schema/$defs/"
    schema = json.loads(json.dumps(file["schema"]).replace('"#/$defs/', f'"{place}'))
    del schema["$schema"]
    return {
        "name": file["type"],
        "summary": file["meaning"],
        "description": f"Rule: {file['rule']}",
        "contentType": "application/json",
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": schema,
        },
        "x-version": file["version"],
    }


def _channel(address: str, text: str, messages: list[str], parameters: Json | None = None) -> Json:
    found: Json = {
        "address": address,
        "description": text,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }
    return found | ({"parameters": parameters} if parameters else {})


def _send(channel: str, messages: list[str], summary: str) -> Json:
    return {
        "action": "send",
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def written() -> str:
    """The document as its file holds it."""
    return json.dumps(document(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    (Path(sys.argv[1]) if sys.argv[1:] else FILE).write_text(written(), encoding="utf-8")
