"""A deployment as the auditor's program sees one: the log's files, and the export behind links."""

import json
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "demo-token"
CHUNK = 100


class Deployment(ThreadingHTTPServer):
    """Serves a `Log`'s folder on 127.0.0.1; `asked` lists the paths that were asked for.

    Tiles are redirected to "another server" under `/store`, which must not see the token.
    """

    daemon_threads = True

    def __init__(self, log):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.log = log
        self.asked = []
        self.lost = set()
        self.purposes = set()
        self.url = f"http://127.0.0.1:{self.server_port}/api/"
        self.store = f"http://localhost:{self.server_port}/store/"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_why):
        self.shutdown()
        self.server_close()

    def chunk(self, first):
        """What the export answers: announced as the service announces it."""
        start = (first - 1) // CHUNK * CHUNK + 1
        path = self.log.folder / "events" / f"{start:012d}.jsonl"
        if start != first or not path.exists():
            return None
        content, last = path.read_bytes(), min(first + CHUNK - 1, self.log.sealed)
        return {
            "first": first,
            "last": last,
            "next": last + 1,
            "complete": last == first + CHUNK - 1,
            "as_of": self.log.sealed,
            "size": len(content),
            "sha256": sha256(content).hexdigest(),
            "url": f"{self.store}events/{path.name}?signature=secret",
        }

    def sizes(self, after):
        """The checkpoints that were kept, two at a time."""
        known = sorted(int(path.name) for path in (self.log.folder / "checkpoints").iterdir())
        known = [size for size in known if size > after]
        return {"sizes": known[:2], "more": len(known) > 2}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, parts = self.server, urlsplit(self.path)
        server.asked.append(self.path)
        _, area, name = parts.path.split("/", 2)
        token = self.headers.get("Authorization")
        if name in server.lost:
            self._answer(404)
        elif area == "store":
            # Whoever holds a link needs no token, and must not be given one.
            path = server.log.folder / name
            self._answer(400 if token else 200, path.read_bytes())
        elif name.startswith("history/export/"):
            server.purposes.add(self.headers.get("Purpose"))
            chunk = server.chunk(int(name.rpartition("/")[2]))
            if token != f"Bearer {TOKEN}":
                self._answer(403, b'{"code":"forbidden"}')
            else:
                self._answer(200 if chunk else 404, json.dumps(chunk).encode())
        elif name == "log/checkpoints":
            after = int(parse_qs(parts.query)["after"][0])
            self._answer(200, json.dumps(server.sizes(after)).encode())
        elif name == "log/keys":
            self._answer(200, (server.log.folder / "keys").read_bytes())
        elif name.startswith("tile/"):
            self._answer(307, location=server.store + name)
        else:
            path = server.log.folder / name
            self._answer(200 if path.exists() else 404, path.read_bytes() if path.exists() else b"")

    def _answer(self, status, content=b"", location=None):
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args):
        pass
