"""Which adapters there are, built from the environment once a process: its only reader.

Names of tables, queues and buckets come from the stack (infra/); an AWS endpoint other than AWS's
own (`AWS_ENDPOINT_URL`) is boto3's business.
"""

import hmac
import json
import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from time import sleep
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pynamodb.exceptions import PynamoDBException

from chalicelib.delivery.address import Address
from chalicelib.delivery.deliver import Attempts
from chalicelib.delivery.lanes import Lanes
from chalicelib.delivery.orders import Orders
from chalicelib.delivery.outbox import Outbox
from chalicelib.delivery.parking import Parking
from chalicelib.delivery.send import ANSWER_S, CONNECT_S, Sender
from chalicelib.delivery.signatures import secret_bytes
from chalicelib.eventstore.dynamodb import DynamoShelf
from chalicelib.eventstore.numbers import Numbers
from chalicelib.eventstore.store import EventStore
from chalicelib.handle import Stale
from chalicelib.history.heads import DynamoHeads
from chalicelib.history.kms import KMSSigner
from chalicelib.history.objects import S3Objects
from chalicelib.history.pages import DynamoHistory
from chalicelib.history.policy import Policy
from chalicelib.history.publisher import Authority, Publisher
from chalicelib.history.reader import Reader
from chalicelib.history.sealer import Sealer
from chalicelib.history.sequencer import Sequencer
from chalicelib.privacy.keys import KeyRing, Vault
from chalicelib.projector.aside import SetAside
from chalicelib.projector.checkpoints import Checkpoints
from chalicelib.projector.runner import Projector
from chalicelib.projector.table import Views, row_model
from chalicelib.text import b64url
from chalicelib.working_time import Calendar

RELEASE = "2026.11"
"""The rules and code lists that decide; every commit names the release it was decided under."""

TRUST_ANCHORS = "trust/anchors.pem"
"""Where in the content bucket an operator puts them; no function may write there."""
LOG_POLICY, TIME_AUTHORITY = "trust/log-policy", "trust/time-authority.json"
"""The same for the witnesses of history and how many of them must sign, and for who stamps it."""

_FINGERPRINT_KEY = "request-fingerprints"
_SIGNING_KEY = "webhook-signing-1"
_SUBJECT_KEY = "subject-names"
_RINGERS = 8
"""Wake-ups sent at the same time."""
_one_at_a_time = Lock()


@dataclass(frozen=True)
class Settings:
    """What the deployment decides."""

    issuer: str
    audience: str
    stage: str
    loopback: bool
    urgent_reception_minutes: int
    step_up_max_age_s: int


@cache
def settings() -> Settings:
    """The deployment's settings."""
    return Settings(
        issuer=os.environ["ISSUER"],
        audience=os.environ["AUDIENCE"],
        stage=os.environ["STAGE"],
        loopback=os.environ.get("ALLOW_LOOPBACK") == "1",
        urgent_reception_minutes=int(os.environ.get("URGENT_RECEPTION_MINUTES", "60")),
        step_up_max_age_s=int(os.environ.get("STEP_UP_MAX_AGE_S", "900")),
    )


@cache
def calendar() -> Calendar:
    """When offices work: the law's hours and holidays, as the deployment's JSON amends them."""
    return Calendar.model_validate_json(os.environ.get("CALENDAR", "{}"))


def configured(name: str) -> str:
    """What the deployment leaves to one context, as JSON; `{}` if it says nothing."""
    return os.environ.get(name, "{}")


def now() -> datetime:
    """The time (UTC)."""
    return datetime.now(UTC)


@cache
def client(service: str) -> Any:
    """A boto3 client. S3 links are signed the way that binds headers (SigV4)."""
    config = Config(
        connect_timeout=3,
        read_timeout=20,
        # What may have been sent is not sent again: a person would read it twice.
        retries={"mode": "standard", "max_attempts": 1 if service == "ses" else 4},
        signature_version="s3v4" if service == "s3" else None,
        s3={"addressing_style": "path"} if service == "s3" else None,
    )
    with _one_at_a_time:  # Making two clients at once is what boto3 cannot do.
        return boto3.client(service, config=config)


def may_pass(error: BaseException) -> bool:
    """Whether trying again later may help: AWS did not answer well, or others were faster.

    A request that AWS calls invalid is as invalid the next time.
    """
    match error:
        case ClientError():
            return bool(error.response["Error"]["Code"] != "ValidationException")
        case PynamoDBException():
            return bool(error.cause_response_code != "ValidationException")
    return isinstance(error, (BotoCoreError, ResponseParserError, Stale))


def table(name: str) -> str:
    """The physical name of a table."""
    return os.environ[f"{name.upper()}_TABLE"]


def queue_url(name: str) -> str:
    """The address of a worker's queue."""
    return os.environ[f"{name.upper()}_QUEUE_URL"]


def content_bucket() -> str:
    """Where bodies, attachments and rendered messages are kept."""
    return os.environ["CONTENT_BUCKET"]


def staging_bucket() -> str:
    """Where uploads wait, for a day at the most."""
    return os.environ["STAGING_BUCKET"]


def trust_anchors() -> str:
    """The certificates (PEM) of the authorities whose signatures count; "" if there are none.

    Read each time, so that an operator's change counts at once.
    """
    # Whatever else an operator puts there is no certificate.
    return _trusted(TRUST_ANCHORS).decode("ascii", "replace")


def _trusted(name: str) -> bytes:
    """What an operator put into the content bucket under this name; nothing if there is nothing."""
    try:
        answer = client("s3").get_object(Bucket=content_bucket(), Key=name)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            return b""
        raise
    return bytes(answer["Body"].read())


@cache
def service_keys() -> KeyRing:
    """The deployment's own secrets."""
    return KeyRing(
        client("dynamodb"), client("kms"), table("service_keys"), os.environ["MASTER_KEY_ID"]
    )


@cache
def vault() -> Vault:
    """Seals and opens personal values."""
    dynamodb, kms, master = client("dynamodb"), client("kms"), os.environ["MASTER_KEY_ID"]
    epochs = KeyRing(dynamodb, kms, table("epoch_keys"), master)
    return Vault(KeyRing(dynamodb, kms, table("subject_keys"), master, epochs=epochs))


def make_keys() -> None:
    """Make the keys that workers use and may not make: the deployment's own, and this month's."""
    for name in (_FINGERPRINT_KEY, _SUBJECT_KEY, _SIGNING_KEY):
        service_keys().key(name)
    vault().keys.begin_epoch()


def fingerprint(data: bytes) -> str:
    """An HMAC of a request under the deployment's secret: recognises it, tells nothing about it."""
    return b64url(hmac.digest(service_keys().key(_FINGERPRINT_KEY), data, "sha256"))


def subject(kind: str, *about: str) -> str:
    """The opaque name of a person: the same for the same particulars, meaning nothing elsewhere."""
    text = "\n".join((kind, *about)).encode()
    return f"{kind}:{b64url(hmac.digest(service_keys().key(_SUBJECT_KEY), text, 'sha256'))[:22]}"


def person_numbered(kind: str, number: str) -> str:
    """The name of the applicant of a kind with this number, however it is written; "" for none."""
    bare = re.sub(r"[\s.\-]", "", number).upper()
    return subject("person", kind, bare) if bare else ""


def signing_seed() -> bytes:
    """The Ed25519 seed that signs our webhooks."""
    return service_keys().key(_SIGNING_KEY)


def signing_public_key() -> bytes:
    """The raw public key that verifies our webhooks."""
    return Ed25519PrivateKey.from_private_bytes(signing_seed()).public_key().public_bytes_raw()


def open_secret(address: Address) -> bytes:
    """The secret an agency shares with us for HMAC signatures."""
    assert address.secret is not None
    return secret_bytes(address.secret.open(vault().open))


@cache
def event_store() -> EventStore:
    """All streams."""
    shelf = DynamoShelf(
        client("dynamodb"),
        client("s3"),
        table("events"),
        table("counters"),
        table("commands"),
        content_bucket(),
    )
    return EventStore(shelf, RELEASE, vault().seal, now)


@cache
def numbers() -> Numbers:
    """Series of numbers that may be skipped."""
    return Numbers(client("dynamodb"), table("counters"))


@cache
def history() -> DynamoHistory:
    """The numbered list of all commits."""
    return DynamoHistory(client("dynamodb"), table("history"), table("positions"))


@cache
def sequencer() -> Sequencer:
    """Numbers commits."""
    return Sequencer(event_store(), history())


@cache
def log_heads() -> DynamoHeads:
    """How far history is sealed and published."""
    return DynamoHeads(client("dynamodb"), table("log"))


@cache
def log_objects() -> S3Objects:
    """The log's tiles, checkpoints and time stamps."""
    days = int(os.environ["LOG_LOCK_DAYS"])
    return S3Objects(client("s3"), os.environ["LOG_BUCKET"], days)


@cache
def log_signer() -> KMSSigner:
    """Signs checkpoints; the key bears the log's name."""
    name = os.environ.get("LOG_ORIGIN") or f"lien-thong/{settings().stage}"
    return KMSSigner(client("kms"), os.environ["LOG_KEY_ID"], name)


@cache
def sealer() -> Sealer:
    """Seals history."""
    return Sealer(
        event_store().shelf, history(), log_heads(), log_objects(), log_signer(), now, sleep
    )


@cache
def publisher() -> Publisher:
    """Publishes what is sealed, as the operator's policy wants it; forget it to read that anew."""
    policy, authority = _trusted(LOG_POLICY).decode(), _trusted(TIME_AUTHORITY)
    return Publisher(
        history(),
        log_heads(),
        log_objects(),
        Policy.parse(policy) if policy else Policy(),
        Authority.model_validate_json(authority) if authority else None,
        sender().ask,
        now,
    )


@cache
def checkpoints() -> Checkpoints:
    """How far each follower is."""
    return Checkpoints(client("dynamodb"), table("checkpoints"))


@cache
def views() -> Views:
    """The read models."""
    model = row_model(table("views"), client("dynamodb").meta.region_name)
    return Views(model, checkpoints(), history())


def reader() -> Reader:
    """A reader of history for one run."""
    return Reader(event_store(), history())


def projector(guard: Callable[[str], AbstractContextManager[Any]] = nullcontext) -> Projector:
    """Feeds views, for one run; what a fold raises goes through `guard`."""
    return Projector(views(), reader(), guard)


@cache
def outbox() -> Outbox:
    """What is on its way to agencies."""
    return Outbox(client("dynamodb"), table("outbox"), table("lanes"), checkpoints())


@cache
def lanes() -> Lanes:
    """How far each receiver has been served."""
    return Lanes(client("dynamodb"), table("lanes"))


@cache
def parking() -> Parking:
    """What is set aside until an operator releases it."""
    return Parking(client("dynamodb"), table("parked"), lanes())


@cache
def aside() -> SetAside:
    """What waits because a reaction failed."""
    return SetAside(client("dynamodb"), table("parked"))


@cache
def orders() -> Orders:
    """What operators ordered."""
    return Orders(client("dynamodb"), table("commands"))


def ring_react(why: str) -> None:
    """Wake `react`; the same reason wakes it once within five minutes."""
    client("sqs").send_message(
        QueueUrl=queue_url("react"),
        MessageBody=json.dumps({"ring": "history"}),
        MessageGroupId="react",
        MessageDeduplicationId=why,
    )


def ring_lanes(lanes: Iterable[str], why: str) -> None:
    """Wake `deliver` for these lanes; the same reason wakes it once within five minutes."""
    sqs, url = client("sqs"), queue_url("deliver")

    def ring(lane: str) -> None:
        name = lane.replace("#", "-")
        sqs.send_message(
            QueueUrl=url,
            MessageBody=json.dumps({"lane": lane}),
            MessageGroupId=name,
            MessageDeduplicationId=f"{name}-{why}",
        )

    with ThreadPoolExecutor(_RINGERS) as ringers:
        list(ringers.map(ring, lanes))


@cache
def attempts() -> Attempts:
    """Every try to deliver."""
    return Attempts(client("dynamodb"), table("attempts"))


@cache
def sender(patience_s: float = ANSWER_S) -> Sender:
    """Posts to agencies and registers; loopback is allowed in the local profile alone.

    `patience_s` is how long an answer may take in all: less where somebody waits for it.
    """
    return Sender(
        loopback=settings().loopback,
        connect_s=min(CONNECT_S, patience_s),
        read_s=patience_s,
        answer_s=patience_s,
    )
