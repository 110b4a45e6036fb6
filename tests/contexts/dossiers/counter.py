"""A one-stop counter inside this process: demo agencies, an offered procedure, people who ask.

Requests go through the application as the gateway hands them over; workers run when told to.
"""

from base64 import b64encode
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from uuid import uuid4

from contexts.dossiers.demo_dossiers import CODE, DESK, OTHER, TERMS
from gateway import Gateway, caller

from app import app
from chalicelib import runtime
from chalicelib.contexts.agencies.domain.agency import MergeAgency, RegisterAgency, agency
from chalicelib.contexts.dossiers.domain.offer import OfferProcedure, offer, offer_id
from chalicelib.contexts.dossiers.domain.procedure import PublishProcedure, procedure
from chalicelib.contexts.dossiers.domain.refusals import DossierUnknown
from chalicelib.handle import handle
from chalicelib.http.problems import status_of
from chalicelib.kernel import Origin
from chalicelib.workers import react, sequence
from chalicelib.working_time import HANOI

UNKNOWN = (status_of(DossierUnknown()), DossierUnknown.code)


class Context:
    """What Lambda says of a run: plenty of time."""

    aws_request_id = "demo"

    @staticmethod
    def get_remaining_time_in_millis():
        return 900_000


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    role: str
    subject: str
    agency: str = ""
    unit: str = ""

    def ask(self, method, path, body=None, *, key=None, **headers):
        """One request, as they are."""
        said = caller(self.role, self.subject, self.agency, unit=self.unit)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"idempotency-key": key or str(uuid4())} | headers
        return Gateway(app, said).call(method, path, body, given)

    def get(self, path):
        """What is at `path`, which they may see."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.text
        return answer.json

    def do(self, method, path, body=None, **more):
        """A wish that is granted."""
        answer = self.ask(method, path, body, **more)
        assert answer.status in {200, 201, 202}, answer.text
        return answer.json

    def refused(self, method, path, body=None, **more):
        """Status and code of a wish that is not."""
        answer = self.ask(method, path, body, **more)
        assert answer.headers["Content-Type"] == "application/problem+json", answer.text
        return answer.status, answer.json["code"]


CITIZEN = Person("citizen", "demo-citizen-1")
STRANGER = Person("citizen", "demo-citizen-2")
CLERK = Person("officer", "demo-clerk", DESK, "desk")
SPECIALIST = Person("officer", "demo-specialist", DESK, "specialist")
HEAD = Person("officer", "demo-head", DESK, "head")
OTHERS_CLERK = Person("officer", "demo-other", OTHER, "desk")
AUDITOR = Person("auditor", "demo-auditor")


def origin():
    """An operator's wish, a new one each time."""
    key = str(uuid4())
    return Origin(
        command_id=key, digest=key, actor="operator:demo", method="operator", at=runtime.now()
    )


def open_counter(terms=TERMS, desk=DESK, code=CODE, *, portal=True):
    """Register the demo agencies, publish the procedure, offer it."""
    store = runtime.event_store()
    for each in {desk, DESK, OTHER}:
        command = RegisterAgency(
            origin=origin(), code=each, name=f"Demo agency {each}", source="demo data"
        )
        handle(store, agency, each, command)
    published = PublishProcedure(origin=origin(), code=code, terms=terms)
    handle(store, procedure, code, published)
    made = OfferProcedure(
        origin=origin(),
        procedure=code,
        agency=desk,
        effective_on=date(2026, 1, 1),
        published=True,
        portal=portal,
    )
    handle(store, offer, offer_id(code, desk), made)


def merge(gone, heir):
    """From today on an agency takes another one's place."""
    command = MergeAgency(
        origin=origin(),
        code=gone,
        successor=heir,
        effective_on=runtime.now().astimezone(HANOI).date(),
        source="demo data",
        heirs=(heir,),
    )
    handle(runtime.event_store(), agency, gone, command)


def upload(person, content):
    """Put a file where the link that they are given leads; what a request says of it."""
    said = {
        "media_type": "application/pdf",
        "size": len(content),
        "sha256": sha256(content).hexdigest(),
    }
    answer = person.ask("POST", "/components/uploads", said)
    assert answer.status == 200, answer.text
    key = answer.json["url"].split("/staging/")[1].split("?")[0].replace("%3A", ":")
    checksum = b64encode(sha256(content).digest()).decode()
    assert answer.json["headers"]["x-amz-checksum-sha256"] == checksum
    runtime.client("s3").put_object(Bucket="staging", Key=key, Body=content)
    return said


def dossier_of(person, form=None, **changes):
    """What a demo dossier says; its form is uploaded by `person` unless it is given."""
    file = form or upload(person, b"demo form " + uuid4().bytes)
    return {
        "procedure": CODE,
        "receiver": DESK,
        "applicant": {"name": "Demo Applicant", "identity_number": "DEMO-1"},
        "contact": {"email": "demo@example.org"},
        "answers": {"subject_matter": "demo", "fields": {"colour": "blue"}},
        "components": [
            {"code": "KQ000001", "kind": "electronic", "file": file},
            {"code": "KQ000002", "kind": "copy"},
        ],
    } | changes


def file(person=CITIZEN, **changes):
    """A dossier that is filed: what the answer says."""
    return person.do("POST", "/dossiers", dossier_of(person, **changes))


def filed(person=CITIZEN, **changes):
    """The path of a dossier that is filed."""
    return f"/dossiers/{file(person, **changes)['dossier']}"


def accepted(**changes):
    """The path of a dossier that is accepted."""
    path = filed(**changes)
    CLERK.do("PUT", f"{path}/acceptance")
    return path


def processing():
    """The path of a dossier that the specialist works on."""
    path = accepted()
    CLERK.do("POST", f"{path}/forwardings", {"step": "receive", "to": "examine"})
    return path


def follow():
    """Let the workers number what happened and carry out what follows, until nothing does."""
    before = -1
    while (now := len(list(runtime.event_store().shelf.every_place()))) != before:
        before = now
        assert sequence({"Records": [{"body": '{"ring": "sweep"}'}]}, Context) == _GOOD
        assert react({"Records": [{"body": "{}"}]}, Context) == _GOOD


_GOOD = {"batchItemFailures": []}
