"""What the demo servers of this machine have in common: how they start, answer and stop."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_POLL_S = 0.02
"""How long it may take to stop."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request, and prints nothing: what is asked may be about persons."""

    def give(
        self, status: int, body: bytes, kind: str = "", more: Mapping[str, str] | None = None
    ) -> None:
        """Send an answer; `more` are headers beside its length and its media type."""
        self.send_response(status)
        headers = {"Content-Type": kind} if kind else {}
        for name, value in (headers | dict(more or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal belongs to the story told there."""


class Serving:
    """Serves on 127.0.0.1 for the length of a `with` block; on any free port if `port` is 0."""

    def __init__(self, handler: type[Handler], port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
