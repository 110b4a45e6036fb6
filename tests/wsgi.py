"""The application as programs for WSGI call it: each request by a role that may send it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any
from urllib.parse import quote

from gateway import Gateway, caller

from app import app
from chalicelib import registry
from chalicelib.http.resource import Door

ROLES = {
    (route.method, route.path): () if isinstance(route.allow, Door) else tuple(sorted(route.allow))
    for one in registry.RESOURCES
    for route in one.table
}
AGENCY = "Z01"


class Server:
    """WSGI; who asks changes from request to request."""

    def __init__(self) -> None:
        self._turn: Iterator[int] = count()
        self.asked: set[tuple[str, str, int]] = set()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        # WSGI hands bytes over as Latin-1; the gateway hands paths over as they were written.
        path = quote(path.encode("latin-1"), safe="/:@")
        route = self._route(method, path)
        if route is None:
            # The API gateway's own answer.
            start("404 Not Found", [("Content-Type", "application/problem+json")])
            return [
                b'{"type":"about:blank","title":"There is no such route.","code":"route-not-found"}'
            ]
        roles = ROLES[route]
        role = roles[next(self._turn) % len(roles)] if roles else ""
        who = caller(role, agency=AGENCY if role in {"officer", "system"} else "") if role else None
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") and name not in {"HTTP_HOST", "HTTP_AUTHORIZATION"}
        }
        headers["content-type"] = environ.get("CONTENT_TYPE") or "application/json"
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else None
        query = environ.get("QUERY_STRING", "")
        answer = Gateway(app, who).call(
            method, f"{path}?{query}" if query else path, body, headers, binary=True
        )
        self.asked.add((*route, answer.status))
        given = [(name, str(value)) for name, value in answer.headers.items()]
        start(f"{answer.status} Answer", given)
        return [answer.text.encode()]

    def _route(self, method: str, path: str) -> tuple[str, str] | None:
        words = path.split("/")
        for route in ROLES:
            parts = route[1].split("/")
            if route[0] == method and len(parts) == len(words):
                fits = zip(parts, words, strict=True)
                if all(p == w or (p.startswith("{") and w) for p, w in fits):
                    return route
        return None
