"""A small client of the axis: what a portal does, with a token for whoever is asked for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import urllib3

from infra.issuer import Role

Json = dict[str, Any]
XML = "application/edxml+xml"
TIMEOUT_S = 120.0
"""For how long an answer is waited for: on a busy machine the first ones need a minute."""


class Problem(Exception):  # noqa: N818 -- the name of what RFC 9457 defines.
    """The axis refused; `body` is its problem document, `media_type` what it says it is."""

    def __init__(self, status: int, body: Json, media_type: str = "") -> None:
        """Say the problem in one line."""
        self.status, self.body, self.media_type = status, body, media_type
        parts = [f"{status} {body.get('code', '?')}: {body.get('detail') or body.get('title')}"]
        parts += [f"{name}: {body[name]}" for name in ("field", "rule") if name in body]
        super().__init__("; ".join(parts))


@dataclass(frozen=True)
class Answer:
    """A granted request."""

    status: int
    headers: dict[str, str]
    body: Json

    @property
    def seen(self) -> str:
        """The version a write led to."""
        return str(self.body["seen"])

    @property
    def location(self) -> str:
        """Where the new thing is."""
        return self.headers["location"]


class Api:
    """Calls the API at `url`. `token(role, agency)` gives a bearer token."""

    def __init__(self, url: str, token: Callable[[Role, str | None], str]) -> None:
        self.url = url
        self.token = token
        self._http = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S, maxsize=16)

    def call(
        self,
        method: str,
        path: str,
        *,
        role: Role | None = None,
        agency: str | None = None,
        body: Json | bytes | None = None,
        key: str | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """One request; writes get an Idempotency-Key, a new one unless `key` is given.

        `headers` come on top; None leaves one out that would be sent.

        Raises:
            Problem: it was refused.
        """
        kind = XML if isinstance(body, bytes) else "application/json"
        sent: dict[str, str | None] = {"content-type": kind}
        if role:
            sent["authorization"] = f"Bearer {self.token(role, agency)}"
        if method != "GET":
            sent["idempotency-key"] = key or str(uuid4())
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        given = {name: value for name, value in (sent | dict(headers or {})).items() if value}
        answer = self._http.request(method, self.url + path, body=raw, headers=given)
        found = json.loads(answer.data or b"{}")
        if answer.status >= 400:  # noqa: PLR2004 -- HTTP's refusals.
            raise Problem(answer.status, found, answer.headers.get("content-type", ""))
        return Answer(
            answer.status, {name.lower(): value for name, value in answer.headers.items()}, found
        )

    def get(self, path: str, *, role: Role = "system", agency: str | None = None) -> Json:
        """What is at `path`."""
        return self.call("GET", path, role=role, agency=agency).body

    def register(self, code: str, name: str, source: str) -> Answer:
        """Register an agency, as an administrator."""
        body = {"code": code, "name": name, "source": source}
        return self.call("POST", "/agencies", role="administrator", body=body)

    def upload(self, agency: str, content: bytes, name: str, media_type: str, sha256: str) -> Json:
        """Upload a file by link; what a document says of it."""
        said = {"name": name, "media_type": media_type, "size": len(content), "sha256": sha256}
        link = self.call("POST", "/uploads", role="system", agency=agency, body=said).body
        self.put(link, content)
        return said

    def put(self, link: Json, content: bytes) -> None:
        """Put a file where a link leads, with the headers that must go with it."""
        answer = self._http.request("PUT", link["url"], body=content, headers=link["headers"])
        if answer.status != 200:  # noqa: PLR2004 -- OK.
            raise Problem(answer.status, {"code": "upload-refused", "title": "S3 refused the file"})
