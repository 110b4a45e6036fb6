"""The interface described: which routes there are, and what they take and answer.

For programs as a document, for people as a page that shows it.
"""

import json
from pathlib import Path
from typing import Any

from chalice.app import Response
from typing_extensions import TypedDict

import chalicelib
from chalicelib.http.printed import HTML
from chalicelib.http.resource import JSON, PUBLIC, Answer, Resource

routes = Resource(__name__)
FRESH_S = 300
"""For how long (seconds) anybody may keep the description."""


class InterfaceDescription(TypedDict):
    """An OpenAPI document. What its parts hold, the OpenAPI Specification 3.1 says."""

    openapi: str
    info: dict[str, Any]
    tags: list[dict[str, Any]]
    paths: dict[str, Any]
    components: dict[str, Any]


@routes.get("/openapi.json", allow=PUBLIC, fresh_s=FRESH_S)
def describe_interface() -> Answer[InterfaceDescription]:
    """This interface as an OpenAPI 3.1 document: routes, roles, bodies, answers and problems."""
    return Answer(_made("openapi.json"), {"Content-Type": JSON}, status_code=200)


@routes.get("/reference", allow=PUBLIC, fresh_s=FRESH_S)
def show_interface() -> Response:
    """The same for people to read in a browser: a page with every operation and its problems."""
    made = json.loads(_made("reference.json"))
    headers: dict[str, str | list[str]] = {
        "Content-Type": HTML,
        "Content-Security-Policy": made["policy"],
        "X-Content-Type-Options": "nosniff",
    }
    return Response(made["page"], headers, status_code=200)


def _made(name: str) -> str:
    """What was made when the package was built; nothing is looked up to serve it."""
    return (Path(chalicelib.__path__[0]) / name).read_text(encoding="utf-8")
