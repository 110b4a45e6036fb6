"""What every test stands on: no network but this machine's own, no real account, one emulator."""

import os
import sys
from functools import cache
from ipaddress import ip_address
from pathlib import Path

os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "ap-southeast-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
    os.environ.pop(name, None)

import pytest  # noqa: E402 -- botocore and hypothesis read the environment when imported.
from axis import Axis  # noqa: E402 -- the same.
from hypothesis import settings  # noqa: E402 -- the same.
from moto.backend_index import backend_url_patterns  # noqa: E402 -- the same.
from moto.core.config import default_user_config  # noqa: E402 -- the same.
from shelves import dynamo_rack, moto_rack  # noqa: E402 -- the same.
from stack import ROOT, LocalStack  # noqa: E402 -- the same.

from infra.package import SERVICES  # noqa: E402 -- the same.

# moto is asked a hundred thousand times. It would look through the addresses of all services for
# each call, list them for each deployment, and have boto3 read the descriptions of ours anew.
backend_url_patterns[:] = [known for known in backend_url_patterns if known[0] in SERVICES]
default_user_config["core"]["reset_boto3_session"] = False

settings.register_profile(
    "check", derandomize=True, database=None, deadline=None, stateful_step_count=30
)
settings.register_profile(
    "soak", database=None, deadline=None, max_examples=2_000, stateful_step_count=200
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "check"))


def pytest_collection_modifyitems(items):
    """The longest first, so that no process is left alone with one when all others are done."""
    items.sort(key=lambda item: "test_everybody.py" not in item.nodeid)


def _only_this_machine(event, args):
    """An audit hook, so that no library can open a socket around it."""
    if event in {"socket.connect", "socket.sendto"}:
        address = args[1]
        # Anything but a tuple is a Unix socket.
        host = address[0] if isinstance(address, tuple) else "localhost"
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host in {None, "", "localhost"}:
        return
    try:
        # Looking up an address that is already in digits asks nobody.
        if event == "socket.getaddrinfo" or ip_address(host).is_loopback:
            ip_address(host)
            return
    except ValueError:
        pass
    raise PermissionError(f"a test reached for {host}")


sys.addaudithook(_only_this_machine)


@pytest.fixture(scope="session")
def emulator():
    """The local emulator, empty: one for each test process.

    `MINISTACK_BIN` may name the folder of its virtualenv's programs.
    """
    programs = Path(os.environ.get("MINISTACK_BIN", ROOT / ".venv-ministack" / "bin"))
    with LocalStack(report=lambda _line: None, emulator=programs / "python") as stack:
        yield stack


@pytest.fixture(scope="session")
def emulator_client(emulator):
    """The emulator's clients, one for each service."""
    return cache(emulator.client)


@pytest.fixture(params=["moto"])
def axis(request):
    """Everything that follows history, on fresh tables; `MINISTACK` as well where asked for."""
    if request.param == "moto":
        with moto_rack() as rack:
            yield Axis(rack)
    else:
        with dynamo_rack(request.getfixturevalue("emulator_client")) as rack:
            yield Axis(rack)
