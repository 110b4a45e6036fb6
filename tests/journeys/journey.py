"""What journeys do on the deployed system. Every agency and document here is demo data."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from io import BytesIO
from itertools import chain, count

import pytest
import urllib3
from journeys.marks import LENT, MARK

from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.edxml.model import (
    AttachmentPart,
    DocumentMessage,
    Party,
    Reference,
    StaffContact,
    StatusMessage,
)
from chalicelib.contexts.documents.edxml.produce import produce_document, produce_status
from chalicelib.delivery.lanes import Lanes
from chalicelib.delivery.outbox import FOLLOWER
from chalicelib.history.pages import DynamoHistory
from chalicelib.projector.checkpoints import Checkpoints
from infra.agency import DemoAgency
from infra.api import Problem

DAY = date(2026, 3, 4)
STAFF = {
    "department": "Demo office",
    "staff": f"{MARK} Clerk",
    "email": f"{MARK}@example.org",
    "mobile": f"{MARK} 0123 456 789",
}
"""Whom to ask about a demo message: a person, so what is theirs is marked."""
PATIENCE_S = 90
"""How long anything may take: generous, for a loaded machine."""

# Under Z, where no real agency has a code: Z10 to Z98, then units under Z99.
_codes = chain(map("Z{}".format, range(10, 99)), map("Z99.{:02}".format, range(1, 100)))
_numbers = count(1)


def number():
    """A document number that nobody else uses in this run."""
    return str(next(_numbers))


def digest(content):
    return sha256(content).hexdigest()


def id_of(sent):
    """The document that an answer has created."""
    return sent.location.rsplit("/", 1)[1]


def patience_s(began):
    """How long to wait for something, once begun. Infra's `permissions` has less at times."""
    return PATIENCE_S


def until(what, look, *, times=1):
    """Look again and again until there is something to see; `times` as patiently as usual."""
    began = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - began
        assert waited < times * patience_s(began), f"waited {waited:.0f} s in vain for {what}"
        time.sleep(0.05)
    return found


@dataclass
class Journey:
    """The API as its callers see it, and the tables behind it as the owner sees them."""

    stack: object
    issuer: object
    api: object
    agencies: object
    marks: object = None
    http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=60)
    )

    def join(self, profile="cloudevents", secret="", name=""):
        """A demo agency enters, with its system. It stays up until every test has run."""
        code = self.unregistered()
        agency = DemoAgency(code, name or f"Demo agency {code}", profile, secret=secret)
        self.agencies.enter_context(agency)
        agency.join(self.api)
        return agency

    def unregistered(self):
        """The code of an agency that nobody has registered."""
        return next(_codes)

    # What an agency's own system asks.

    def get(self, agency, path):
        return self.api.get(path, agency=agency.code)

    def post(self, agency, path, body, **more):
        return self.api.call("POST", path, role="system", agency=agency.code, body=body, **more)

    def send(self, sender, receivers, *, key=None, **fields):
        """Send a demo document; `fields` come on top."""
        return self.post(sender, "/documents", document(receivers, **fields), key=key)

    def status(self, agency, id_, receiver, code, note="", **more):
        path = f"/documents/{id_}/copies/{receiver.code}/statuses"
        return self.post(agency, path, {"code": code, "note": note, "staff": STAFF}, **more)

    def upload(self, agency, content, name="demo.txt", media_type="text/plain"):
        return self.api.upload(agency.code, content, name, media_type, digest(content))

    def fetch(self, url):
        """What is behind a link."""
        answer = self.http.request("GET", url)
        assert answer.status == 200
        return answer.data

    # What has become of it.

    def told(self, agency, id_, *codes):
        """Wait until an agency has been told exactly these statuses, each once, in any order."""
        until(
            f"{' '.join(codes)} at {agency.code}",
            lambda: sorted(agency.codes(id_)) == sorted(codes),
        )

    def refused(self, status, code, ask, *arguments, **named):
        """`ask` must be refused with a problem document; it is the answer."""
        with pytest.raises(Problem) as caught:
            ask(*arguments, **named)
        problem = caught.value
        shown = (problem.status, problem.body.get("code"), problem.media_type)
        assert shown == (status, code, "application/problem+json"), problem.body
        assert problem.body["title"]
        assert problem.body["status"] == status
        return problem.body

    def client(self, service):
        return self.stack.client(service)

    def ring(self, worker):
        """Ring as the schedule does, unless its last ring is still to be answered."""
        url, counts = self.name(f"{worker}Queue"), "ApproximateNumberOfMessages"
        waiting = self.client("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=[counts, f"{counts}NotVisible"]
        )
        if set(waiting["Attributes"].values()) == {"0"}:
            self.stack.ring("schedule", worker)

    def name(self, resource):
        return self.stack.outputs()[resource]

    @property
    def history(self):
        tables = self.name("HistoryTable"), self.name("PositionsTable")
        return DynamoHistory(self.client("dynamodb"), *tables)

    @property
    def lanes(self):
        return Lanes(self.client("dynamodb"), self.name("LanesTable"))

    def items(self, table):
        """Everything in a table."""
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.name(f"{table}Table"), ConsistentRead=True)
        )
        return [item for page in pages for item in page["Items"]]

    def keys(self, bucket):
        """The key of every object of a bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.name(f"{bucket}Bucket"))
        return [one["Key"] for page in found for one in page.get("Contents", ())]

    def objects(self, bucket):
        """Every object of a bucket, by key."""
        s3, name = self.client("s3"), self.name(f"{bucket}Bucket")
        return {
            key: s3.get_object(Bucket=name, Key=key)["Body"].read() for key in self.keys(bucket)
        }

    def log(self):
        """Every line the functions have logged."""
        logs = self.client("logs")
        groups = logs.get_paginator("describe_log_groups").paginate()
        return [
            event["message"]
            for page in groups
            for group in page["logGroups"]
            for told in logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"]
            )
            for event in told["events"]
        ]

    def commits(self):
        """The address of every commit there is."""
        return {(item["stream"]["S"], item["number"]["N"]) for item in self.items("Events")}

    def settled(self, *, delivered=True, times=1):
        """Wait until nothing is under way any more, at least inside; every commit there is."""
        checkpoints = Checkpoints(self.client("dynamodb"), self.name("CheckpointsTable"))

        def still():
            before = self.commits()
            # Who follows history is at its end, and what it led to is delivered: with no commit
            # added meanwhile, nothing is left that could add one.
            followed = all(checkpoints.get(who) == len(before) for who in (FOLLOWER, "react"))
            served = not delivered or all(lane.served == lane.head for lane in self.lanes.every())
            return followed and served and self.commits() == before and before

        return until("everything to be followed and delivered", still, times=times)

    def uploaded(self):
        """The files that wait in staging; what is lent to a reader from there is none of them."""
        found = self.objects("Staging")
        return {key: content for key, content in found.items() if not key.startswith(LENT)}

    @contextmanager
    def nothing_stored(self):
        """What happens inside adds no commit and leaves no file behind."""
        before, kept = self.settled(), self.objects("Content").keys()
        waiting = self.uploaded()
        yield
        assert self.settled() == before
        assert self.objects("Content").keys() == kept
        assert self.uploaded() == waiting

    @contextmanager
    def deaf(self, mapping):
        """A worker hears no wake-up meanwhile."""
        client = self.client("lambda")
        uuid = self.name(f"{mapping}Mapping")

        def is_(state):
            return client.get_event_source_mapping(UUID=uuid)["State"] == state

        client.update_event_source_mapping(UUID=uuid, Enabled=False)
        until(f"{mapping} to be deaf", lambda: is_("Disabled"))
        try:
            yield
        finally:
            client.update_event_source_mapping(UUID=uuid, Enabled=True)
            until(f"{mapping} to hear", lambda: is_("Enabled"))


def document(receivers, **fields):
    """A demo document as JSON."""
    return {
        "number": number(),
        "notation": "CV-DEMO",
        "promulgated_on": DAY.isoformat(),
        "subject": "Demo: a document on its way",
        "receivers": [receiver.code for receiver in receivers],
        "staff": STAFF,
    } | fields


def reference(sender, number_, notation="CV-DEMO"):
    """The DocumentId of a demo document."""
    return DocumentIdentity(
        issuer=sender.code,
        promulgated_on=DAY,
        raw_date=f"{DAY:%Y/%m/%d}",
        number=number_,
        notation=notation,
    ).format()


def edxml_document(sender, receivers, *files, **fields):
    """A demo document as edXML; `files` are pairs of name and content."""
    given = {"code_number": number(), "code_notation": "CV-DEMO"}
    given |= {"staff": StaffContact(**STAFF)} | fields
    parts = tuple(
        AttachmentPart(
            content_id=f"cid:{index}",
            name=name,
            media_type="application/pdf",
            size=len(content),
            sha256=digest(content),
        )
        for index, (name, content) in enumerate(files)
    )
    message = DocumentMessage(
        from_=Party(organ_id=sender.code, name="Demo sender"),
        to=tuple(Party(organ_id=receiver.code) for receiver in receivers),
        document_id=reference(sender, given["code_number"], given["code_notation"]),
        promulgation_date=DAY,
        **{"subject": "Demo: edXML on its way", "attachments": parts} | given,
    )
    out = BytesIO()
    contents = (BytesIO(content) for _, content in files)
    produce_document(message, zip(parts, contents, strict=True), out)
    return out.getvalue()


def edxml_status(reporter, addressee, reference_, code, note=""):
    """A demo status as edXML."""
    return produce_status(
        StatusMessage(
            from_=Party(organ_id=reporter.code, name="Demo reporter"),
            response_for=Reference(
                organ_id=addressee.code,
                code=reference_.split(",")[2],
                promulgation_date=DAY,
                document_id=reference_,
            ),
            status_code=code,
            description=note,
            timestamp=datetime.now(UTC),
            staff=StaffContact(**STAFF),
        )
    )
