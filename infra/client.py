"""A typed Python client of the interface, generated from its document.

`python -m infra.client FOLDER` puts the package `lien_thong` there; it needs httpx and attrs. The
generator is openapi-python-client, which lives in a virtualenv of its own: see the Makefile.
"""

import fcntl
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from chalicelib.http.resource import XML
from infra import openapi
from infra.openapi import ROOT

PACKAGE = "lien_thong"
GENERATOR = ROOT / ".venv-client" / "bin" / "openapi-python-client"
SETTINGS = {
    "package_name_override": PACKAGE,
    # Nobody reads it: it is not written as people like it.
    "post_hooks": [],
    "literal_enums": True,
    # What it does not know goes as it is: bytes, and a drawing as the text that it is.
    "content_type_overrides": {
        **dict.fromkeys([*XML, "text/csv"], "application/octet-stream"),
        "image/svg+xml": "text/plain",
    },
}


class NotGenerated(Exception):  # noqa: N818 -- named as the fact it states.
    """The generator does not understand the document, or is not installed; the text says why."""


def built() -> Path:
    """The folder that holds the package for the document as it stands, made now unless it is there.

    Raises:
        NotGenerated: as it says.
    """
    document = openapi.built()
    folder = document.with_name(document.stem.replace("openapi", "client"))
    with (document.parent / "client.lock").open("w") as lock:
        # Several test processes ask at once; one makes it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for old in document.parent.glob("client-*"):
                shutil.rmtree(old)
            working = Path(tempfile.mkdtemp(dir=document.parent, prefix="client-"))
            generate(document, working / PACKAGE)
            working.rename(folder)
    return folder


def generate(document: Path, package: Path) -> None:
    """Make the package of a document.

    Raises:
        NotGenerated: as it says.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as settings:
        json.dump(SETTINGS, settings)
        settings.flush()
        command: list[str | Path] = [GENERATOR, "generate", "--meta", "none", "--path", document]
        command += ["--output-path", package, "--config", settings.name, "--fail-on-warning"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise NotGenerated("it is not installed: run `make setup`") from error
    if done.returncode:
        raise NotGenerated(done.stdout + done.stderr)


if __name__ == "__main__":
    shutil.copytree(built(), Path(sys.argv[1]), dirs_exist_ok=True)
