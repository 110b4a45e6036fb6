"""The ways a notice reaches its applicant: e-mail, their portal's webhook, a gateway for SMS.

All three are one function: (letter) → what became of it. None says anything of the person to a
log.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.contexts.dossiers.domain.events import Contact
from chalicelib.contexts.dossiers.notices.ledger import Way
from chalicelib.contexts.dossiers.notices.wording import Text
from chalicelib.delivery.send import Sender, Verdict
from chalicelib.delivery.signatures import sign_ed25519

_NOT_TAKEN = frozenset({429, 503})
"""Answers by which a receiver says that it has done nothing with a request (RFC 9110, RFC 6585)."""
_THROTTLED = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException"})


class Fate(Enum):
    """What became of a letter."""

    SENT = "somebody has taken it"
    NOT_YET = "it surely did not go out; another time it may"
    FAILED = "it will not go out, or nobody knows whether it did"


class Outcome(NamedTuple):
    """What became of a letter, and why, as one word."""

    fate: Fate
    why: str = ""


class Letter(NamedTuple):
    """A notice ready to be sent: `id` is the same for ever, `about` what a machine reads of it."""

    id: str
    to: Contact
    text: Text
    about: dict[str, Any]


Send = Callable[[Letter], Outcome]


@dataclass(frozen=True)
class Poster:
    """Posts signed JSON to who reads it by machine. `loopback`: plain HTTP to this machine too."""

    sender: Sender
    seed: Callable[[], bytes]
    clock: Callable[[], datetime]
    loopback: bool

    def post(self, id_: str, url: str, data: dict[str, Any], media_type: str) -> Outcome:
        """Post once, signed as Standard Webhooks are."""
        parts = urlsplit(url)
        if parts.scheme != "https" and not (self.loopback and parts.scheme == "http"):
            return Outcome(Fate.FAILED, "not-https")
        body = json.dumps(data, ensure_ascii=False).encode()
        at = int(self.clock().timestamp())
        headers = {
            "content-type": media_type,
            "webhook-id": id_,
            "webhook-timestamp": str(at),
            "webhook-signature": sign_ed25519(self.seed(), id_, at, body),
        }
        answer = self.sender.post(url, headers, body)
        if answer.verdict is Verdict.TAKEN:
            return Outcome(Fate.SENT)
        why = str(answer.status) if answer.status else answer.reason
        return Outcome(Fate.NOT_YET if answer.status in _NOT_TAKEN else Fate.FAILED, why)


def email(ses: Any, sender: str) -> Send:
    """By e-mail through SES, from an address that it has verified."""

    def send(letter: Letter) -> Outcome:
        if not letter.to.email:
            return Outcome(Fate.FAILED, "no-address")
        try:
            ses.send_email(
                Source=sender,
                Destination={"ToAddresses": [letter.to.email]},
                Message={
                    "Subject": {"Data": letter.text.title, "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": letter.text.body, "Charset": "UTF-8"}},
                },
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return Outcome(Fate.NOT_YET if code in _THROTTLED else Fate.FAILED, code)
        except BotoCoreError as error:
            return Outcome(Fate.FAILED, type(error).__name__)
        return Outcome(Fate.SENT)

    return send


def webhook(poster: Poster) -> Send:
    """To the portal that the applicant named, as a CloudEvent."""

    def send(letter: Letter) -> Outcome:
        if not letter.to.webhook:
            return Outcome(Fate.FAILED, "no-address")
        event = {"specversion": "1.0", "id": letter.id, **letter.about}
        event["datacontenttype"] = "application/json"
        event["data"] = {**letter.about["data"], **letter.text.model_dump()}
        return poster.post(letter.id, letter.to.webhook, event, "application/cloudevents+json")

    return send


def sms(poster: Poster, gateway: str) -> Send:
    """By SMS, through the gateway that the deployment names: the title alone."""

    def send(letter: Letter) -> Outcome:
        if not letter.to.phone:
            return Outcome(Fate.FAILED, "no-address")
        message = {"id": letter.id, "to": letter.to.phone, "text": letter.text.title}
        return poster.post(letter.id, gateway, message, "application/json")

    return send


Ways = dict[Way, Send]
"""The ways that the deployment has."""
