"""Prove that the package is whole: import it as Lambda would, with nothing else installed.

The local emulator runs functions beside its own packages, so a dependency that is missing from the
layer could go unnoticed there.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from infra.package import PackageFailed, package
from infra.template import environment

# -I: no environment, no user packages; -S: none of the interpreter's own either.
_BARE = [sys.executable, "-I", "-S"]
_PROGRAM = """
import os, sys
sys.path[:0] = sys.argv[1:3]
os.environ.update({name: "unset" for name in sys.argv[3:]})
os.environ["AWS_DEFAULT_REGION"] = "ap-southeast-1"
import app, chalicelib.workers
# What is imported when first used is used once.
from datetime import date
from chalicelib.working_time import Calendar
assert not Calendar().is_working_day(date(2026, 9, 2)), "no public holidays in the layer"
from chalicelib.contexts.documents.signatures import pades, xmldsig
from chalicelib.paper.as_pdf import pdf
from chalicelib.paper.sheet import Prose, Sheet
from datetime import UTC, datetime
sheet = Sheet(
    title="Mẫu", after="Mẫu", agency="Cơ quan thử nghiệm", code="Z01", tracking="Z01",
    issued_at=datetime(2026, 6, 1, tzinfo=UTC), parts=(Prose(text="đ"),), signers=("", ""),
)
assert pdf(sheet).startswith(b"%PDF"), "forms cannot be printed"
from chalicelib.history import timestamp
assert timestamp.wish("demo").body, "no time stamp can be asked for"
print(len(app.app.routes))
"""


def check(folder: Path) -> int:
    """The number of paths that the packaged application serves.

    Raises:
        PackageFailed: it cannot be imported; the message ends with Python's reason.
    """
    with tempfile.TemporaryDirectory() as unpacked:
        for name in ("code", "layer"):
            with zipfile.ZipFile(folder / f"{name}.zip") as archive:
                archive.extractall(f"{unpacked}/{name}")
        paths = [f"{unpacked}/layer/python", f"{unpacked}/code"]
        done = subprocess.run(
            [*_BARE, "-c", _PROGRAM, *paths, *environment()],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=unpacked,
        )
    if done.returncode:
        raise PackageFailed(f"the package cannot be imported on its own:\n{done.stderr}")
    return int(done.stdout)


if __name__ == "__main__":
    try:
        print(f"the package stands alone and serves {check(package())} paths")
    except PackageFailed as failed:
        sys.exit(str(failed))
