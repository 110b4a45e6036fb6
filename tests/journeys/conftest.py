"""One deployed local stack for all journeys. IAM is enforced, as on AWS."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from journeys.journey import Journey
from journeys.marks import Marks

from infra.api import Api
from infra.issuer import LocalIssuer
from infra.stack import ROOT, LocalStack

HERE = Path(__file__).parent
ASKED = ROOT / "infra" / "asked.py"
SENDER = "portal@example.org"


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.journey)


@pytest.fixture(scope="session")
def journey(request, tmp_path_factory):
    """The deployed system; each test makes agencies of its own, so none sees another's.

    Infra's `permissions` watches which rights are asked for, or takes one away.
    """
    watch = request.config.pluginmanager.get_plugin("permissions")
    marks = Marks(tmp_path_factory.mktemp("marks"))
    program = (str(ASKED), str(watch.file)) if watch else marks.program
    with (
        LocalIssuer(tmp_path_factory.mktemp("issuer")) as issuer,
        LocalStack(report=lambda _line: None, program=program) as stack,
        ExitStack() as agencies,
    ):
        stack.client("ses").verify_email_identity(EmailAddress=SENDER)
        stack.deploy(Issuer=issuer.url, Dossiers=json.dumps({"email_from": SENDER}))
        if watch:
            watch.deployed(stack)

        def token(role, agency):
            return issuer.token(f"demo-{role}-{agency}", role, agency)

        shared = Journey(stack, issuer, Api(stack.api_url, token), agencies, marks)
        yield shared
        # Whatever was asked, no function broke over it.
        assert [line for line in shared.log() if '"level":"ERROR"' in line] == []
        # Whoever had a part in it, nobody is named where many can read.
        assert marks.places(shared) == {}
