"""docs/auditing.md: its ten commands work as they are written, and its tables say what is so."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from logserver import TOKEN, Deployment

from infra import package
from lienthong import examine, verify

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "auditing.md").read_text()
COMMANDS = re.findall(r"^```sh\n(.*?)\n```", PAGE, re.DOTALL | re.MULTILINE)
FOREIGN = {"boto3", "botocore", "chalice", "aws_lambda_powertools", "pynamodb", "lxml", "moto"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """What an auditor has to begin with: the sources, alone."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("cli", "chalicelib", "events"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def shell(clone):
    """Runs a command there. pip takes what it would fetch from what this Python has."""
    env = {
        "PATH": f"{clone}/installed/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{clone}/installed",
        "PIP_TARGET": f"{clone}/installed",
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        # pip reads this one the other way round: no isolation.
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }

    def run(command, **more):
        return subprocess.run(
            ["bash", "-euc", command],  # noqa: S607 -- found on PATH.
            cwd=clone, env=env | more, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_the_ten_commands_lead_from_nothing_to_a_verified_export(log, clone, shell):
    assert len(COMMANDS) == 10
    (clone / "token").write_text(TOKEN)
    shutil.copy(log.folder.parent / "policy", clone / "policy")
    said = {}
    with Deployment(log) as deployment:
        for command in COMMANDS:
            done = shell(command, URL=deployment.url)
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            said[command.split()[2]] = done.stdout
    assert deployment.purposes == {"DEMO-INSPECTION-1", None}
    assert "550 commits" in said["verify"]
    assert len(said["replay"].splitlines()) == 5
    assert "copy-demo1@" in said["show"]
    assert "/status" in said["diff"]
    assert "proven by" in said["explain"]

    # What was installed needs nothing of AWS, and nothing of the sources.
    (clone / "chalicelib").rename(clone / "moved")
    code = (
        "import sys; from lienthong.explore import deciders, meaning; import lienthong.main;"
        "print(len(deciders()), meaning('copy.received')['rule']);"
        f"print({FOREIGN!r} & {{name.partition('.')[0] for name in sys.modules}})"
    )
    done = shell(f'python3 -c "{code}"')
    (clone / "moved").rename(clone / "chalicelib")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"


def test_it_needs_what_it_says_it_needs():
    """One virtualenv holds them all, so no two lists may ask for different versions."""

    def pins(path):
        lines = (ROOT / path).read_text().splitlines()
        return dict(line.lower().split("==") for line in lines if "==" in line)

    own = pins("cli/requirements.txt")
    for others in (pins("requirements.txt"), pins("tests/requirements.txt")):
        shared = own.keys() & others.keys()
        assert shared
        assert [name for name in shared if own[name] != others[name]] == []


def test_it_is_no_part_of_the_lambda_package():
    assert not [path for path in package._sources() if path.is_relative_to(ROOT / "cli")]


def test_every_kind_of_finding_is_listed():
    section = PAGE.split("## What `verify`")[1].split("\n## ")[0]
    listed = set(re.findall(r"^\| `([a-z-]+)` \| ", section, re.MULTILINE))
    sources = "".join(Path(module.__file__).read_text() for module in (verify, examine))
    assert set(re.findall(r'(?:wrong|Finding)\(\s*"([a-z-]+)"', sources)) == listed
    assert f"At most {verify.MAX_FINDINGS} findings" in PAGE
    assert f"`--late` seconds ({verify.LATE.seconds})" in PAGE
