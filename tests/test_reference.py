"""The page that shows people the interface: whole, from nowhere else, and running nothing else."""

import re
import shutil
import subprocess
from base64 import b64decode
from hashlib import sha256
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from contract import document
from gateway import Gateway
from wsgi import Server

from app import app
from infra import openapi, reference

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="Chromium is not installed: only a browser runs the reader's script"
)
SHOWN = re.compile(r'id="operations-(?!tag-)[a-z]+-([^"]+)"')


@pytest.fixture(scope="module")
def answer():
    openapi.put()
    reference.write()
    return Gateway(app).call("GET", "/reference")


def test_a_browser_may_run_only_what_is_in_the_page(answer):
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    for kind in ("script", "style"):
        [element] = re.findall(f"<{kind}>(.*?)</{kind}>", answer.text, re.DOTALL)
        [allowed] = re.findall(f"{kind}-src 'sha256-([^']+)'", policy)
        assert b64decode(allowed) == sha256(element.encode()).digest()
    head, _, _ = answer.text.partition("<script>")
    assert set(re.findall(r'(?:href|src)="([^"]*)"', head)) == {"data:,", "openapi.json"}


def test_it_may_be_kept_and_need_not_be_sent_again(answer):
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    tag = {"if-none-match": answer.headers["ETag"]}
    assert Gateway(app).call("GET", "/reference", headers=tag).status == 304


class Silent(WSGIRequestHandler):
    """Tells nobody who asked for what."""

    def log_message(self, *_args):
        pass


@pytest.fixture
def served():
    """The API behind its stage's name, as API Gateway has it; what a test may put before it."""
    api, policy = Server(), []

    def stage(environ, start):
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/api")

        def answered(status, headers):
            start(status, [(n, policy[0] if policy and "Policy" in n else v) for n, v in headers])

        return api(environ, answered)

    with make_server("127.0.0.1", 0, stage, handler_class=Silent) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/api/reference", policy
        server.shutdown()
        serving.join()


def browse(url, folder):
    """What a browser made of a page, and what it complained of."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=20000"]
    command += [f"--user-data-dir={folder / 'profile'}", url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


@needs_chromium
def test_every_operation_is_shown_and_nothing_is_complained_of(answer, served, tmp_path):
    page, said = browse(served[0], tmp_path)
    assert said == []
    asked = [one for path in document()["paths"].values() for one in path.values()]
    assert sorted(SHOWN.findall(page)) == sorted(one["operationId"] for one in asked)
    # It is for reading: nobody is asked for a token there.
    made = page.partition("<main")[2].partition("<script>")[0]
    assert "opblock-summary" in made
    assert "authorize" not in made


@needs_chromium
def test_what_is_not_in_the_page_as_it_was_made_does_not_run(answer, served, tmp_path):
    url, policy = served
    policy.append(answer.headers["Content-Security-Policy"].replace("script-src 'sha256-", "'"))
    page, said = browse(url, tmp_path)
    assert "Content Security Policy" in "".join(said)
    assert SHOWN.findall(page) == []
