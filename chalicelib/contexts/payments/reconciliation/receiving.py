"""A settlement file arrives: uploaded by link, kept for auditors, and handed to a worker."""

from datetime import date
from typing import Annotated

from pydantic import Field

from chalicelib import files, runtime
from chalicelib.contexts.payments import providers
from chalicelib.contexts.payments.domain.settlement import (
    Digest,
    Name,
    NotCompared,
    ReceiveFile,
    Settlement,
    settlement,
    settlement_id,
)
from chalicelib.contexts.payments.projections import when_did_a_providers_day_move
from chalicelib.contexts.payments.projections.what_did_a_provider_take import group_of
from chalicelib.handle import Done, fold, handle
from chalicelib.kernel import Origin, Value

OWNER = "settlements"
"""Whose the uploaded files are, and the folder they are kept in."""
CSV = "text/csv"


class NewFile(Value):
    """The body of `POST /settlements/uploads`: the file's size in bytes and its digest."""

    size: Annotated[int, Field(ge=1)]
    sha256: Digest
    media_type: str = Field(default=CSV, pattern=f"^{CSV}$")


class Delivered(Value):
    """The body of `PUT /settlements/{provider}/{day}/file`: which upload, and its name."""

    upload: Digest
    name: Name


class Job(Value):
    """What the worker is asked: names and digests only."""

    settlement: str
    provider: str
    on: date
    sha256: str
    origin: Origin


def the_day(provider: str, on: date) -> tuple[Settlement, int]:
    """A provider's day and its version; 0: nothing has come yet."""
    stream = f"{settlement.category}-{settlement_id(provider, on)}"
    commits = runtime.event_store().load(stream)
    return fold(settlement, commits), len(commits)


def moved(provider: str, on: date) -> int:
    """The position in history at which our books of a provider's day moved last; 0: never."""
    views, question = runtime.views(), when_did_a_providers_day_move.answer
    row = f"{question.name}~{views.generations(question).live}", group_of(provider, on)
    found = views.load([row]).get(row)
    return found.position if found else 0


def receive(provider: str, on: date, asked: Delivered, origin: Origin) -> Done:
    """Take in a provider's file of a day, and have it compared.

    Raises:
        ProviderUnknown, AttachmentNotArrived: there is no such provider, or no such upload.
        DayClosed, DayAhead: the day is closed, or has not begun.
    """
    providers.known(provider)
    found = files.staged(OWNER, asked.upload)
    state, _ = the_day(provider, on)
    if found is None and state.sha256 != asked.upload:
        raise files.AttachmentNotArrived(field="/upload")
    if found:
        # Before it is named in an event, so that no event names a file that is not there.
        kept = NewFile(size=found.size, sha256=found.sha256)
        files.adopt(OWNER, [kept], OWNER)
    wish = ReceiveFile(
        origin=origin,
        provider=provider,
        on=on,
        sha256=asked.upload,
        name=asked.name,
        size=found.size if found else state.size,
    )
    return _begin(wish)


def compare_again(provider: str, on: date, origin: Origin) -> Done:
    """Compare the day's file once more with what our books hold by now.

    Raises:
        NotCompared: the day has no file.
    """
    state, _ = the_day(provider, on)
    if state.status == "absent":
        raise NotCompared
    wish = ReceiveFile(
        origin=origin,
        provider=provider,
        on=on,
        sha256=state.sha256,
        name=state.name,
        size=state.size,
        again=True,
    )
    return _begin(wish)


def _begin(wish: ReceiveFile) -> Done:
    id_ = settlement_id(wish.provider, wish.on)
    done = handle(runtime.event_store(), settlement, id_, wish)
    # Rung again for a wish that has come true: the worker may have died on it.
    job = Job(
        settlement=id_,
        provider=wish.provider,
        on=wish.on,
        sha256=wish.sha256,
        origin=wish.origin.model_copy(update={"expected": None}),
    )
    runtime.client("sqs").send_message(
        QueueUrl=runtime.queue_url("intake"), MessageBody=job.model_dump_json()
    )
    return done
