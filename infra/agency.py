"""A demo agency's own system: a small receiver that verifies signatures, and a key to sign with.

Nothing here is a real agency. It shows what an integrator has to write.
"""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.contexts.documents.edxml.model import DocumentMessage
from chalicelib.contexts.documents.edxml.parse import parse
from chalicelib.contexts.documents.submission.identities import id_of_reference
from chalicelib.delivery.signatures import secret_bytes, sign_ed25519, sign_hmac, verify
from chalicelib.kernel import Refused
from chalicelib.text import from_b64url
from infra.api import XML, Answer, Api, Json


@dataclass(frozen=True)
class Received:
    """One message as it arrived. `sequence` counts its lane; `data` is what it says."""

    id: str
    lane: str
    sequence: int
    body: bytes
    data: dict[str, Any]
    at: datetime


@dataclass
class DemoAgency:
    """One agency with its system, on 127.0.0.1 for the length of a `with` block.

    `told` is called with every verified message. With a `secret` (`whsec_<base64>`) both sides sign
    by HMAC instead of Ed25519.
    """

    code: str
    name: str
    profile: str = "cloudevents"
    told: Callable[["DemoAgency", Received], None] = lambda _agency, _received: None
    received: list[Received] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    axis_keys: list[bytes] = field(default_factory=list)
    secret: str = ""

    def __post_init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def up(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def down(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def join(self, api: Api) -> Answer:
        """Register the agency and its system; learn the axis's keys."""
        keys = api.call("GET", "/webhook-keys").body["keys"]
        self.axis_keys = [from_b64url(key["x"]) for key in keys]
        api.register(self.code, self.name, "demo data, not a real agency")
        path = f"/agencies/{self.code}/systems/demo"
        return api.call("PUT", path, role="administrator", body=self.registration())

    def registration(self) -> Json:
        """What an administrator says of the agency's system."""
        system: Json = {
            "kind": "documents",
            "endpoint": f"http://127.0.0.1:{self.port}/inbox",
            "profile": self.profile,
        }
        if self.secret:
            system |= {"signature": "v1", "webhook_secret": self.secret}
        else:
            public = self._key.public_key().public_bytes_raw()
            system |= {"public_keys": [b64encode(public).decode()]}
        return system

    def post(
        self,
        api: Api,
        body: bytes,
        media_type: str = XML,
        id_: str = "",
        *,
        at: float | None = None,
    ) -> Answer:
        """Post a signed webhook to the axis; `at`, when it was signed, is Unix time."""
        headers = {"content-type": media_type, **self.signed(body, id_, at=at)}
        return api.call("POST", f"/webhooks/{self.code}", body=body, headers=headers)

    def signed(self, body: bytes, id_: str = "", *, at: float | None = None) -> dict[str, str]:
        """The headers that show that a body is ours."""
        id_, signed_at = id_ or f"demo_{uuid4()}", int(time.time() if at is None else at)
        if self.secret:
            signature = sign_hmac(secret_bytes(self.secret), id_, signed_at, body)
        else:
            signature = sign_ed25519(self._key.private_bytes_raw(), id_, signed_at, body)
        return {
            "webhook-id": id_,
            "webhook-timestamp": str(signed_at),
            "webhook-signature": signature,
        }

    def report(self, api: Api, document: str, code: str, note: str = "") -> Answer:
        """Report a status of our copy by signed webhook, as a CloudEvent."""
        event = {
            "specversion": "1.0",
            "id": str(uuid4()),
            "source": f"urn:demo:{self.code}",
            "type": "copy.status",
            "data": {"document": document, "code": code, "note": note},
        }
        return self.post(api, json.dumps(event).encode(), "application/cloudevents+json")

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """What the system answers to a message: 200 if the axis signed it, else 401."""
        try:
            secrets = [secret_bytes(self.secret)] if self.secret else []
            keys = [] if self.secret else self.axis_keys
            verify(headers, body, keys, secrets, datetime.now(UTC))
        except Refused as refusal:
            self.rejected.append(refusal.code)
            return 401
        message = Received(
            id=headers["webhook-id"],
            lane=headers["lienthong-lane"],
            sequence=int(headers["lienthong-sequence"]),
            body=body,
            data=_read(headers["content-type"], body),
            at=datetime.now(UTC),
        )
        self.received.append(message)
        self.told(self, message)
        return 200

    def got(self, document: str) -> Received | None:
        """The document itself, if it has come."""
        about = (m for m in self.received if m.data["type"] == "document.sent")
        return next((m for m in about if m.data["document"] == document), None)

    def codes(self, document: str) -> list[str]:
        """The statuses we were told of a document, in the order they came."""
        return [
            str(message.data["code"])
            for message in self.received
            if message.data.get("document") == document and "code" in message.data
        ]


def _read(media_type: str, body: bytes) -> dict[str, Any]:
    if "json" in media_type:
        event = json.loads(body)
        return {"type": event["type"], **event["data"]}
    files: list[_Measure] = []

    def keep(_header: Any) -> "_Measure":
        files.append(_Measure())
        return files[-1]

    message = parse(body, keep)
    if isinstance(message, DocumentMessage):
        return {
            "type": "document.sent",
            "document": id_of_reference(message.document_id),
            "reference": message.document_id,
            "files": [(part.name, part.sha256) for part in message.attachments],
        }
    return {
        "type": "status",
        "document": id_of_reference(message.response_for.document_id),
        "reference": message.response_for.document_id,
        "code": message.status_code,
        "note": message.description,
    }


class _Measure:
    """A sink that only counts: the parser has checked the digest already."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: bytes, /) -> None:
        self.size += len(data)

    def close(self) -> None:
        """Nothing to close."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


def _handler(agency: DemoAgency) -> type[BaseHTTPRequestHandler]:
    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(agency.take(headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: the terminal belongs to the story told there."""

    return Inbox
