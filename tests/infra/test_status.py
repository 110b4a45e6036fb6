"""The page of `make status`."""

from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from threading import Thread

import pytest
from rich.console import Console

from infra import status

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
# Demo data: no such agency.
LANE = {
    "agency": "Z01",
    "lane": "urgent",
    "head": 12,
    "served": 7,
    "depth": 5,
    "oldest_s": 90_061,
    "parked": 2,
    "released": 0,
    "failures": 3,
    "due_at": (NOW + timedelta(minutes=5)).isoformat(),
    "paused": None,
}
ANSWER = {
    "at": NOW.isoformat(),
    "history": {"position": 40, "numbered_at": NOW.isoformat()},
    "workers": [
        {"worker": "project", "name": "outbox", "position": 38, "lag": 2, "lag_s": 61},
        {"worker": "react", "name": "react", "position": 40, "lag": 0, "lag_s": 0},
    ],
    "reactions": {"parked": 4},
    "totals": {"depth": 5, "oldest_s": 90_061, "parked": 2, "failing": 1, "paused": 0},
    "lanes": [
        LANE,
        LANE | {"agency": "Z02", "due_at": None, "paused": {"reason": "gone"}, "oldest_s": 0},
    ],
}


def page(answer):
    out = StringIO()
    status.show(answer, Console(file=out, width=120))
    return [" ".join(line.replace("│", " ").split()) for line in out.getvalue().splitlines()]


def test_the_page_shows_lags_and_lanes():
    lines = page(ANSWER)
    assert lines[0].startswith("history at position 40; 5 messages wait, the oldest for 1 day, 1")
    assert "4 commits wait for a reaction" in " ".join(lines[:3])
    assert "project outbox 38 2 0:01:01" in lines
    assert "react react 40 0 -" in lines
    assert "Z01 urgent 7 12 5 1 day, 1:01:01 2 3 in 0:05:00" in lines
    assert "Z02 urgent 7 12 5 - 2 3 gone" in lines


@pytest.mark.parametrize(("answer", "said"), [(403, "answered 403"), (None, "nobody answers at")])
def test_what_is_wrong_is_said(monkeypatch, answer, said):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Tests tell no story."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setenv("API", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("TOKEN", "demo")
    if answer:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    else:
        server.server_close()
    with pytest.raises(SystemExit, match=said):
        status.main()
    if answer:
        server.shutdown()
        server.server_close()


def test_without_a_stack_it_says_how_to_start_one(monkeypatch, tmp_path):
    monkeypatch.delenv("API", raising=False)
    monkeypatch.setattr(status, "FOLDER", tmp_path)
    with pytest.raises(SystemExit, match="make run"):
        status.main()
