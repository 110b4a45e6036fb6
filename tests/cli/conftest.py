"""A sealed history in a folder, and the auditor's program on it."""

import json
import shutil
from types import SimpleNamespace

import pytest
from logs import Log
from typer.testing import CliRunner

from lienthong.main import app

OLD, SIZE = 150, 550
"""Sizes of the two checkpoints of the history."""


@pytest.fixture(scope="session")
def sealed(tmp_path_factory):
    """The history as it was sealed; tests work on copies."""
    log = Log(tmp_path_factory.mktemp("sealed") / "log")
    log.tell(OLD)
    log.seal()
    log.tell(SIZE - OLD)
    log.seal()
    return log


@pytest.fixture
def log(sealed, tmp_path):
    """A copy of it, with all that is needed to go on with it."""
    shutil.copytree(sealed.folder.parent, tmp_path, dirs_exist_ok=True)
    copy = Log(tmp_path / "log")
    copy.commits = [*sealed.commits]
    copy.last = {commit.stream: commit for commit in sealed.commits}
    copy.clock.now = sealed.clock.now
    copy.sealed = sealed.sealed
    return copy


@pytest.fixture
def lienthong():
    """Runs the program; `data` is its answer, if that is JSON."""

    def run(*words):
        done = CliRunner().invoke(app, ["audit", *map(str, words)], catch_exceptions=False)
        lines = done.stdout.splitlines()
        data = [json.loads(line) for line in lines] if "--json" in words and lines else None
        return SimpleNamespace(exit=done.exit_code, text=done.stdout, error=done.stderr, data=data)

    return run
