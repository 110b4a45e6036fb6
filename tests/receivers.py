"""An agency's system on this machine: takes posts and answers as it is told."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple


class Post(NamedTuple):
    """What was posted."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answer(post)` gives status, headers and body; `posts` is all that came, in order."""

    url: str
    posts: list[Post]
    answer: Callable[[Post], tuple[int, dict[str, str], bytes]]
    connections: int = 0


def well_done(_post: Post) -> tuple[int, dict[str, str], bytes]:
    """The usual answer."""
    return 200, {}, b""


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A system that listens on loopback."""
    state = Receiver("", [], well_done)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def setup(self) -> None:
            super().setup()
            state.connections += 1

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            post = Post(self.path, dict(self.headers), self.rfile.read(length))
            state.posts.append(post)
            status, headers, body = state.answer(post)
            self.send_response(status)
            for name, value in ({"content-length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 -- the library's name; a followed redirect would come so.

        def log_message(self, *_args: Any) -> None:
            """Tests tell no story."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_args: Any) -> None:
            """Callers may hang up."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    state.url = f"http://127.0.0.1:{server.server_port}/in"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
