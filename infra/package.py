"""Build what is deployed: the template, the code and the layer of dependencies, once per content.

`python -m infra.package` prints the folder it built: `build/package/<digest>` with `template.json`,
`code.zip` and `layer.zip`. Unchanged sources are not built again; a changed line of code takes a
second, since the layer depends on `requirements.txt` alone.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra import reference, template

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
CHALICE_STAGE = "api"
# Budget of DESIGN section 11: code and layer together, zipped.
LIMIT_BYTES = 45 * 1024 * 1024
KEPT = 3  # Older builds are removed; a deployment that is under way may still read the last ones.
# The services our code calls. botocore describes four hundred; each worker unpacks what we ship.
SERVICES = {"cloudwatch", "dynamodb", "events", "kms", "lambda", "logs", "s3", "ses", "sqs", "sts"}
# Of the public holidays of the world, those of Viet Nam. The list of countries imports them all; an
# empty one stands in its place, and the library loads the one country by its own name.
COUNTRIES = "holidays/countries/__init__.py"
HOLIDAYS = {COUNTRIES, "holidays/countries/vietnam.py", "holidays/locale/vi/LC_MESSAGES/VN.mo"}
# What pyHanko reads the system's trust list with, which we never ask; what reportlab reads text
# of unknown encoding with; its own fonts, none of which has Vietnamese letters.
UNUSED = {"oscrypto", "charset_normalizer", "reportlab/fonts"}
# reportlab imports Pillow for pictures, and our papers have none: its core is enough.
PICTURES = re.compile(
    r"PIL/_(?!imaging\.)\w+\.\S*so$"
    r"|pillow\.libs/lib(?:avif|brotli|freetype|harfbuzz|lcms2|png|sharpyuv|webp)"
)
SOURCES = (".pyi", ".pyx", ".pxd", ".c", ".h", ".hash")  # What compiled modules were made of.
MADE_BY = ("grants", "openapi", "package", "reach", "reference", "template")
MADE = {"openapi.json", "reference.json"}  # Of the other sources, when they are packaged.
CHALICE_PREFIX = "python/lib/python3.11/site-packages/"


class PackageFailed(Exception):  # noqa: N818 -- reads as a sentence where it is caught.
    """The package cannot be built; the message says why in a line or two."""


def package() -> Path:
    """The folder of the built package, built now unless it was built before.

    Safe when several processes ask at once: one builds, the others wait and share.

    Raises:
        PackageFailed: Chalice refused, or the package is larger than the budget.
    """
    with _alone():
        folder = BUILD / "package" / _digest()
        if not (folder / "template.json").exists():
            _build(folder)
        os.utime(folder)
        for old in sorted(folder.parent.iterdir(), key=lambda p: p.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(old)
        return folder


def _build(folder: Path) -> None:
    # A process of its own: the document is made of everything there is, which deploying needs not.
    describe = [sys.executable, "-m", "infra.openapi"]
    if subprocess.run(describe, cwd=ROOT, check=False, timeout=600).returncode:
        raise PackageFailed("the document of the interface cannot be made")
    try:
        reference.write()
    except reference.ReaderMissing as missing:
        raise PackageFailed(str(missing)) from missing
    out = BUILD / "chalice"
    shutil.rmtree(out, ignore_errors=True)
    # Chalice names its code cache by the files' contents without their names, so a renamed module
    # would be packaged under its old name.
    for stale in (ROOT / ".chalice" / "deployments").glob("appcode-*.zip"):
        stale.unlink()
    _run_chalice(out)
    working = folder.with_suffix(".part")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    shutil.copyfile(out / "deployment.zip", working / "code.zip")
    shutil.copyfile(_layer(out / "layer-deployment.zip"), working / "layer.zip")
    size = sum((working / name).stat().st_size for name in ("code.zip", "layer.zip"))
    if size > LIMIT_BYTES:
        raise PackageFailed(f"the package has {size:,} bytes; the limit is {LIMIT_BYTES:,}")
    whole = template.build(json.loads((out / "sam.json").read_text()))
    (working / "template.json").write_text(json.dumps(whole, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    working.rename(folder)


def _run_chalice(out: Path) -> None:
    chalice = Path(sys.executable).with_name("chalice")
    command: list[str | Path] = [chalice, "package", "--stage", CHALICE_STAGE, out]
    # Chalice wants a region even to write a template that names none; no profile may leak in.
    env = os.environ | {"AWS_DEFAULT_REGION": "ap-southeast-1", "AWS_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise PackageFailed(f"chalice package failed:\n{done.stdout}{done.stderr}".strip())


def _layer(chalice_layer: Path) -> Path:
    """Chalice's layer, lighter and found first.

    In `python/` it comes before whatever the machine that runs the function has installed (the
    local emulator's own packages); in Chalice's `python/lib/…` it would come after.
    """
    recipe = hashlib.sha256(chalice_layer.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    layer = BUILD / "layer" / f"{recipe[:16]}.zip"
    if layer.exists():
        return layer
    layer.parent.mkdir(parents=True, exist_ok=True)
    working = layer.with_suffix(".part")
    with zipfile.ZipFile(chalice_layer) as old, zipfile.ZipFile(working, "w") as new:
        for entry in old.infolist():
            name = entry.filename.removeprefix(CHALICE_PREFIX)
            if _needed(name):
                info = zipfile.ZipInfo(f"python/{name}", (1980, 1, 1, 0, 0, 0))
                info.external_attr = entry.external_attr
                data = b"" if name == COUNTRIES else old.read(entry)
                new.writestr(info, data, zipfile.ZIP_DEFLATED)
    for older in layer.parent.glob("*.zip"):
        older.unlink()
    working.rename(layer)
    return layer


def _needed(name: str) -> bool:
    parts = name.split("/")
    if parts[:2] == ["botocore", "data"] and len(parts) > 3:  # noqa: PLR2004 -- data/service/…
        return parts[2] in SERVICES
    if parts[:2] in (["holidays", part] for part in ("countries", "financial", "locale")):
        return name in HOLIDAYS
    if parts[0] in UNUSED or "/".join(parts[:2]) in UNUSED or PICTURES.match(name):
        return False
    return "__pycache__" not in parts and "tests" not in parts and not name.endswith(SOURCES)


def _digest() -> str:
    """Names and contents of everything that goes into the package."""
    whole = hashlib.sha256()
    for path in sorted(_sources()):
        whole.update(f"{path.relative_to(ROOT)}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    yield from (ROOT / "app.py", ROOT / "requirements.txt", ROOT / "pyproject.toml")
    yield from (ROOT / ".chalice").glob("*.json")
    yield reference.PINNED
    yield from (ROOT / "infra" / f"{name}.py" for name in MADE_BY)
    for path in (ROOT / "chalicelib").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.name not in MADE:
            yield path


@contextmanager
def _alone() -> Iterator[Any]:
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "package.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


if __name__ == "__main__":
    try:
        print(package())
    except PackageFailed as failed:
        sys.exit(str(failed))
