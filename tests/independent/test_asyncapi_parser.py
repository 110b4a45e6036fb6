"""The AsyncAPI project's own parser accepts our document, and finds fault with a broken one.

It reads the document and the payloads of letters. The schemas of events are in another dialect of
JSON Schema, which it passes over: `tests/test_catalogue.py` checks those.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from infra import asyncapi

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / ".venv-judges-node"
JUDGE = Path(__file__).resolve().parent / "judges" / "asyncapi.cjs"
NODE = shutil.which("node")


def no_title(document):
    del document["info"]["title"]


def no_channel(document):
    document["operations"]["postMessage"]["channel"]["$ref"] = "#/channels/pigeon"


def no_such_action(document):
    document["operations"]["writeEvent"]["action"] = "shout"


def no_such_type(document):
    document["components"]["messages"]["DocumentSentMessage"]["payload"]["type"] = "word"


def no_such_message(document):
    document["operations"]["writeEvent"]["messages"].append({"$ref": "#/components/messages/Demo"})


pytestmark = pytest.mark.skipif(
    not NODE or not (INSTALLED / ".stamp").exists(),
    reason="AsyncAPI's own parser is not installed: it needs npm (infra/judges.sh)",
)
BROKEN = (no_title, no_channel, no_such_action, no_such_type, no_such_message)


@pytest.fixture(scope="module")
def said():
    """What the parser says of our document, and of copies that somebody broke."""
    asked = {"ours": asyncapi.FILE.read_text(encoding="utf-8")}
    for spoil in BROKEN:
        document = json.loads(asked["ours"])
        spoil(document)
        asked[spoil.__name__] = json.dumps(document)
    done = subprocess.run(
        [NODE, JUDGE], input=json.dumps(asked), capture_output=True, text=True, check=False,
        env=os.environ | {"NODE_PATH": str(INSTALLED / "node_modules")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_accepts_our_document(said):
    assert said["ours"] == []


@pytest.mark.parametrize("spoil", BROKEN, ids=lambda spoil: spoil.__name__)
def test_it_finds_what_somebody_broke(said, spoil):
    assert said[spoil.__name__]
