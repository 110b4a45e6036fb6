"""The package is whole, small enough, lawful CloudFormation, and built once."""

import json
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra import openapi, reference
from infra.check_package import check
from infra.package import LIMIT_BYTES, ROOT, PackageFailed, package

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def folder():
    return package()


def test_it_stands_alone(folder):
    assert check(folder) > 0


def test_a_missing_dependency_is_noticed(folder, tmp_path):
    shutil.copyfile(folder / "code.zip", tmp_path / "code.zip")
    with zipfile.ZipFile(tmp_path / "layer.zip", "w") as layer:
        layer.writestr("python/nothing.py", "")
    with pytest.raises(PackageFailed, match="No module named"):
        check(tmp_path)


def test_it_fits_the_budget(folder):
    assert sum(p.stat().st_size for p in folder.glob("*.zip")) <= LIMIT_BYTES


def test_it_carries_no_tests_infra_or_tools(folder):
    with zipfile.ZipFile(folder / "code.zip") as code:
        names = code.namelist()
        described = code.read("chalicelib/openapi.json")
        shown = json.loads(code.read("chalicelib/reference.json"))
    assert {name.split("/")[0] for name in names} == {"app.py", "chalice", "chalicelib"}
    assert described == openapi.built().read_bytes()
    assert shown == reference.page()
    with zipfile.ZipFile(folder / "layer.zip") as layer:
        packages = {name.split("/")[1] for name in layer.namelist()}
    assert not packages & {"moto", "pytest", "hypothesis", "ministack"}


def test_its_template_is_lawful(folder):
    linter = [Path(sys.executable).with_name("cfn-lint"), folder / "template.json"]
    done = subprocess.run(linter, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_asking_again_builds_nothing(folder):
    built = (folder / "template.json").stat().st_mtime_ns
    with ThreadPoolExecutor(4) as many:
        asked = [many.submit(package) for _ in range(4)]
    assert {a.result() for a in asked} == {folder}
    assert (folder / "template.json").stat().st_mtime_ns == built


def test_it_is_named_by_its_content(folder):
    assert folder.parent == ROOT / "build" / "package"
    assert len(folder.name) == 16
