"""The page that shows people the interface: what `openapi.json` says, in a reader others wrote.

`python -m infra.reference [FILE]` writes it; without FILE where the package takes it from. The
reader is Swagger UI, pinned by its digest. Page, script and style sheet are one answer, so nothing
is fetched from elsewhere, and the policy that goes with it names the digests of that one script and
that one style sheet: a browser runs nothing else there.
"""

import fcntl
import json
import os
import re
import subprocess
import sys
import zipfile
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "chalicelib" / "reference.json"
PINNED = Path(__file__).with_name("reference-requirements.txt")
READER = "flask_openapi3_swagger/templates/swagger"
# Nothing is sent from the page: it is for reading, and asks nobody for a token.
_START = """
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  supportedSubmitMethods: [],
  validatorUrl: null,
  plugins: [() => ({
    wrapComponents: {authorizeBtn: () => () => null, authorizeOperationBtn: () => () => null},
  })],
});
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Liên Thông: reference</title>
<!-- Swagger UI, copyright SmartBear Software, Apache License 2.0 -->
<style>{style}</style>
</head>
<body>
<noscript>Without its script, read <a href="openapi.json">openapi.json</a>.</noscript>
<main id="reference"></main>
<script>{script}</script>
</body>
</html>
"""


class ReaderMissing(Exception):  # noqa: N818 -- reads as a sentence where it is caught.
    """The reader cannot be had from the package index, or is not the one that was pinned."""


def page() -> dict[str, str]:
    """The page, and the Content-Security-Policy it is served with.

    Raises:
        ReaderMissing: see there.
    """
    with zipfile.ZipFile(_reader()) as wheel:
        style = wheel.read(f"{READER}/css/swagger-ui.css").decode()
        script = wheel.read(f"{READER}/js/swagger-ui-bundle.js").decode() + _START
    # In its strings and patterns these would end the element; to JavaScript both are the same.
    script = re.sub("<(?=!--|/?script)", r"\\x3c", script)
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return {"policy": policy, "page": _PAGE.format(style=style, script=script)}


def _digest(element: str) -> str:
    return f"'sha256-{b64encode(sha256(element.encode()).digest()).decode()}'"


def _reader() -> Path:
    """The pinned package, fetched unless it was before."""
    pinned = sha256(PINNED.read_bytes()).hexdigest()[:16]
    folder = ROOT / "build" / "reader" / pinned
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Several test processes ask at once; one fetches it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("*.whl")):
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
            pip += ["--disable-pip-version-check", "-q", "-d", str(folder), "-r", str(PINNED)]
            done = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=300)
            if done.returncode:
                raise ReaderMissing(f"the reader of the reference page:\n{done.stderr.strip()}")
    [wheel] = folder.glob("*.whl")
    return wheel


def write(path: Path = FILE) -> None:
    """Write the page and its policy; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    working = path.with_name(f"{path.name}.{os.getpid()}.part")
    working.write_text(json.dumps(page(), ensure_ascii=False), encoding="utf-8")
    working.replace(path)


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:2]))
