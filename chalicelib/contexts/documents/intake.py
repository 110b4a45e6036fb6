"""Large edXML: uploaded by link, accepted by digest, read as a stream by a worker.

A submission is a row of a table with a life of a week, not a fact: the fact is the document or the
status it leads to. The row holds what its sender may ask: where it stands, and why it was refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import AwareDatetime

from chalicelib import runtime
from chalicelib.contexts.documents import files
from chalicelib.contexts.documents.edxml.model import StatusMessage
from chalicelib.contexts.documents.edxml.parse import parse
from chalicelib.contexts.documents.submission.as_edxml import send_edxml
from chalicelib.contexts.documents.submission.statuses import report_edxml
from chalicelib.handle import Done, IdempotencyKeyReused
from chalicelib.http.problems import Problem
from chalicelib.kernel import Origin, Refused, Value
from chalicelib.text import b64url

KEPT_S = 7 * 86_400
STUCK_S = 1_800
"""A submission that has waited for longer is given to the worker again when it is asked for."""


class Submission(Value):
    """An uploaded edXML message on its way in. `problem` says why it was refused.

    `duplicate`: another submission of the same message was accepted; `seen` is the receipt of that.
    """

    id: str
    agency: str
    sha256: str
    status: Literal["waiting", "accepted", "refused"] = "waiting"
    seen: str = ""
    duplicate: bool = False
    problem: Problem | None = None
    received_at: AwareDatetime


class Job(Value):
    """What the worker is asked: ids and digests only."""

    submission: str
    agency: str
    sha256: str
    origin: Origin


@dataclass(frozen=True)
class Submissions:
    """Submissions in table `submissions`."""

    dynamodb: Any
    table: str

    def get(self, id_: str) -> Submission | None:
        """A submission by its id."""
        answer = self.dynamodb.get_item(
            TableName=self.table, Key={"submission": {"S": id_}}, ConsistentRead=True
        )
        return (
            Submission.model_validate_json(answer["Item"]["data"]["S"])
            if "Item" in answer
            else None
        )

    def put(self, submission: Submission) -> None:
        """Keep how it stands."""
        expires = int(submission.received_at.timestamp()) + KEPT_S
        self.dynamodb.put_item(
            TableName=self.table,
            Item={
                "submission": {"S": submission.id},
                "data": {"S": submission.model_dump_json()},
                "expires": {"N": str(expires)},
            },
        )


def submissions() -> Submissions:
    """The table, from the environment."""
    return Submissions(runtime.client("dynamodb"), runtime.table("submissions"))


def submit(agency: str, sha256: str, origin: Origin) -> Submission:
    """Ask for an uploaded message to be read; the same request again finds the same submission.

    One that was refused, or that got stuck on its way, is tried again as new. A document that was
    accepted already keeps its receipt, whatever the key, and needs no upload.

    Raises:
        AttachmentNotArrived: nothing was uploaded under that digest.
        IdempotencyKeyReused: the key stands for another message.
    """
    id_ = b64url(origin.command_id.encode())[:32]
    known = submissions().get(id_)
    if known and known.status != "refused":
        if (known.agency, known.sha256) != (agency, sha256):
            raise IdempotencyKeyReused(field="Idempotency-Key")
        waited = origin.at - known.received_at
        if known.status == "accepted" or waited < timedelta(seconds=STUCK_S):
            return known
    submission = Submission(id=id_, agency=agency, sha256=sha256, received_at=origin.at)
    if first := submissions().get(_by_content(agency, sha256)):
        repeated = {"status": "accepted", "seen": first.seen, "duplicate": True}
        submission = submission.model_copy(update=repeated)
        submissions().put(submission)
        return submission
    if files.staged(agency, sha256) is None:
        raise files.AttachmentNotArrived(field="sha256")
    runtime.make_keys()
    submissions().put(submission)
    job = Job(submission=id_, agency=agency, sha256=sha256, origin=origin)
    runtime.client("sqs").send_message(
        QueueUrl=runtime.queue_url("intake"), MessageBody=job.model_dump_json()
    )
    return submission


def take_in(job: Job, problem_of: Callable[[Refused], Problem]) -> Submission:
    """Read the uploaded message and hand it over; what became of it stands in its submission.

    Run again, it does nothing new: the command is the same. A refused upload is deleted.
    """
    before = submissions().get(job.submission)
    if before is None or before.status != "waiting":
        return before or Submission(
            id=job.submission, agency=job.agency, sha256=job.sha256, received_at=job.origin.at
        )
    try:
        done, new = _hand_over(job)
    except Refused as refusal:
        after = before.model_copy(update={"status": "refused", "problem": problem_of(refusal)})
    else:
        told = {"status": "accepted", "seen": done.seen, "duplicate": done.duplicate}
        after = before.model_copy(update=told)
        if new:
            # Only a new document is the same however often it comes; an order may be given again.
            content = _by_content(job.agency, job.sha256)
            submissions().put(after.model_copy(update={"id": content}))
    submissions().put(after)
    files.discard(job.agency, [job.sha256])
    return after


def _by_content(agency: str, sha256: str) -> str:
    """Under which id the receipt of a message is found by what it says."""
    return f"{agency}/{sha256}"


def _hand_over(job: Job) -> tuple[Done, bool]:
    """Hand the message over; what it led to, and whether it was a new document."""
    measured = files.staged(job.agency, job.sha256)
    if measured is None:
        raise files.AttachmentNotArrived(field="sha256")
    if measured.sha256 != job.sha256:
        raise files.AttachmentDigestMismatch(field="sha256")
    with files.Carried() as carried:
        message = parse(carried.record(files.open_staged(job.agency, job.sha256)), carried.keep)
        if isinstance(message, StatusMessage):
            return report_edxml(message, job.agency, job.origin), False
        outcome = send_edxml(message, carried, job.agency, job.origin)
        return outcome.done, outcome.new
