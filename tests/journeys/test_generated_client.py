"""The axis as others' programs use it: through a client generated from the published document.

Every request but that for the bytes of a file goes through it, so what the document says wrongly,
or so that a generator cannot say it in types, fails here.
"""

import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import date
from functools import partial
from importlib import import_module
from io import BytesIO
from pkgutil import walk_packages
from uuid import uuid4

import httpx
import pytest
from journeys.journey import digest, edxml_status, number

from chalicelib.text import from_b64url
from infra import client
from infra.agency import DemoAgency

CONTENT = b"%PDF-1.7 demo: sent by the generated client"
FILE = {"name": "demo.pdf", "media_type": "application/pdf", "size": len(CONTENT)}
TIMEOUT_S = 120


TYPED = """
from uuid import uuid4

from lien_thong import AuthenticatedClient
from lien_thong.api.documents import report_status
from lien_thong.models import Problem, Receipt, StatusReport


def registered(client: AuthenticatedClient, document: str, receiver: str) -> int:
    body, key = StatusReport(code="03"), str(uuid4())
    match report_status.sync(document, receiver, client=client, body=body, idempotency_key=key):
        case Receipt(version=version):
            return version
        case Problem(code=code):
            raise ValueError(code)
        case None:
            raise ValueError
"""


class Signature(httpx.Auth):
    """Signs what an agency's system posts: its body is known only when it is written out."""

    requires_request_body = True

    def __init__(self, agency):
        self._agency = agency

    def auth_flow(self, request):
        request.headers.update(self._agency.signed(request.content))
        yield request


class Program:
    """Somebody's program: a client for one role, or for who signs, or for nobody in particular."""

    def __init__(self, journey, package, running, role=None, agency=None):
        api = import_module(f"{package.__name__}.api")
        self._names = {
            name.rsplit(".")[-1]: name
            for _, name, _ in walk_packages(api.__path__, f"{api.__name__}.")
        }
        more = {"timeout": TIMEOUT_S, "raise_on_unexpected_status": True}
        if role:
            token = journey.api.token(role, agency and agency.code)
            made = package.AuthenticatedClient(journey.api.url, token, **more)
        else:
            args = {"auth": Signature(agency)} if agency else {}
            made = package.Client(journey.api.url, httpx_args=args, **more)
        self._client = running.enter_context(made)

    def answer(self, operation, *path, **said):
        """What the operation answers, as the type that the document promises."""
        module = import_module(self._names[operation])
        return module.sync(*path, client=self._client, **said)

    def ask(self, operation, *path, **said):
        """The same of what is granted."""
        answer = self.answer(operation, *path, **said)
        assert type(answer).__name__ != "Problem", answer
        return answer

    def change(self, operation, *path, **said):
        """The same with a key, as whatever changes something needs one."""
        return self.ask(operation, *path, idempotency_key=str(uuid4()), **said)


class Axis:
    """Three agencies, entered by a client, and the program of each."""

    def __init__(self, journey, running):
        sys.path.append(str(client.built()))
        self._journey, self.types = journey, import_module(f"{client.PACKAGE}.models")
        self._program = partial(Program, journey, import_module(client.PACKAGE), running)
        self.administrator = self._program("administrator")
        self.sender, self.first, self.second = (
            self.enter(profile) for profile in ("cloudevents", "cloudevents", "edxml")
        )

    def enter(self, profile):
        """An agency of which only the client has told the axis."""
        code, journey = self._journey.unregistered(), self._journey
        agency = DemoAgency(code, f"Demo agency {code}", profile)
        journey.agencies.enter_context(agency)
        keys = self._program().ask("see_webhook_keys").keys
        agency.axis_keys = [from_b64url(key.x) for key in keys]
        new = self.types.RegisterAgencyRequest(code=code, name=agency.name, source="Demo")
        assert self.administrator.change("register_agency", body=new).version == 1
        system = self.types.SystemRequest.from_dict(agency.registration())
        self.administrator.change("register_system", code, "demo", body=system)
        return agency

    def of(self, agency):
        """The program of an agency, with its token."""
        return self._program("system", agency)

    def signed(self, agency, body):
        """What is answered to a webhook of an agency, which shows no token."""
        blank = dict.fromkeys(("webhook_id", "webhook_timestamp", "webhook_signature"), "")
        program = self._program(agency=agency)
        return program.ask("receive_webhook", agency.code, body=body, **blank)


@pytest.fixture(scope="module")
def axis(journey):
    with ExitStack() as running:
        yield Axis(journey, running)


def send(axis):
    """A document with a file goes from the sender to the two others."""
    types, portal = axis.types, axis.of(axis.sender)
    file = FILE | {"sha256": digest(CONTENT)}
    link = portal.ask("ask_for_upload", body=types.UploadIntent(**file))
    put = httpx.put(link.url, content=CONTENT, headers=link.headers.to_dict(), timeout=TIMEOUT_S)
    assert put.status_code == 200
    document = types.NewDocument(
        number=number(),
        notation="CV-DEMO",
        promulgated_on=date(2026, 3, 4),
        subject="Demo: sent by the generated client",
        receivers=[axis.first.code, axis.second.code],
        attachments=[types.NewAttachment(**file)],
    )
    return portal.change("send_document", body=document)


def test_a_document_goes_from_a_portal_to_its_receivers_and_back_come_their_statuses(journey, axis):
    types, first, second = axis.types, axis.first, axis.second
    portal, desk = axis.of(axis.sender), axis.of(first)
    sent = send(axis)
    id_ = sent.document
    # Only then: who reports another status first has never told that the copy arrived.
    journey.told(axis.sender, id_, "01", "01")

    shown = desk.ask("see_document", id_)
    assert (shown.official.subject, shown.receivers) == (
        "Demo: sent by the generated client", [first.code, second.code],
    )  # fmt: skip
    link = desk.ask("fetch_attachment", id_, digest(CONTENT))
    assert httpx.get(link.url).content == CONTENT

    body = types.StatusReport(code="03", note="Demo: registered")
    noted = desk.change("report_status", id_, first.code, body=body)
    journey.settled()
    [row] = desk.ask("list_received", seen=noted.seen).items
    assert (row.document, row.status) == (id_, "03")
    status = types.WebhookStatus(code="05", document=id_)
    event = types.WebhookEvent(specversion="1.0", type_="copy.status", data=status)
    axis.signed(first, event)
    paper = edxml_status(second, axis.sender, shown.official.reference, "06")
    last = axis.signed(second, import_module(f"{client.PACKAGE}.types").File(BytesIO(paper)))

    journey.told(axis.sender, id_, "01", "01", "03", "05", "06")
    rows = portal.ask("list_copies", id_, seen=last.seen).items
    steps = {row.receiver: [step.code for step in row.steps] for row in rows}
    assert steps == {first.code: ["01", "03", "05"], second.code: ["01", "06"]}
    copy = portal.ask("see_copy", id_, second.code)
    assert (copy.status, copy.code, copy.overdue) == ("completed", "06", False)
    message = portal.ask("list_messages", id_, first.code).items[0]
    [attempt] = portal.ask("list_attempts", message.id).attempts
    assert attempt.status == 200
    [row] = portal.ask("list_sent", receiver=second.code).items
    assert row.statuses.to_dict() == {first.code: "05", second.code: "06"}


def test_a_refusal_has_a_type_too(axis):
    types = axis.types
    body = types.StatusReport(code="03")
    path, key = ("nothing", axis.first.code), str(uuid4())
    desk = axis.of(axis.first)
    refused = desk.answer("report_status", *path, body=body, idempotency_key=key)
    assert isinstance(refused, types.Problem)
    assert (refused.status, refused.code) == (404, "copy-unknown")


def test_its_types_are_those_of_the_document(tmp_path):
    program = tmp_path / "program.py"

    def judged(text):
        program.write_text(text)
        # How the generated code is written is its generator's business.
        command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]
        command += ["--config-file=", program]
        paths = {"MYPYPATH": str(client.built()), "MYPY_CACHE_DIR": str(tmp_path)}
        done = subprocess.run(
            command, env=os.environ | paths, capture_output=True, text=True, check=False
        )
        return [line for line in done.stdout.splitlines() if "error:" in line]

    assert judged(TYPED) == []
    [said] = judged(TYPED.replace("-> int:", "-> str:"))
    assert 'got "int", expected "str"' in said
