"""Drains a lane: message after message, in order, until it is empty or its receiver says not now.

What a run does depends on stored state alone, so any number of wake-ups, lost, late or repeated,
lead to the same.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.delivery.address import Address
from chalicelib.delivery.lanes import Cursor, Lanes, LeaseLost
from chalicelib.delivery.outbox import Message, Outbox
from chalicelib.delivery.send import Answer, Sender
from chalicelib.delivery.signatures import sign_ed25519, sign_hmac
from chalicelib.eventstore.store import Commit, EventStore
from chalicelib.kernel import Value

RETRY_BASE_S, RETRY_CAP_S = 4, 3_600
"""Full jitter: the n-th wait is anything up to base * 2^(n-1) seconds, and never above the cap."""


class NotComposed(Exception):  # noqa: N818 -- named as the fact it states.
    """No letter can be made of a message; it waits, and its lane with it. The text says why."""


class Letter(Value):
    """What is posted for a message."""

    content_type: str
    body: bytes


class Attempt(Value):
    """One try to deliver a message. `status` 0: no answer, see `reason`."""

    at: datetime
    status: int
    reason: str
    duration_ms: int


@dataclass(frozen=True)
class Attempts:
    """The log of tries, in table `attempts` (message, attempt: milliseconds since 1970)."""

    dynamodb: Any
    table: str

    def add(self, message: str, attempt: Attempt) -> None:
        """Keep one try."""
        self.dynamodb.put_item(
            TableName=self.table,
            Item={
                "message": {"S": message},
                "attempt": {"N": str(int(attempt.at.timestamp() * 1000))},
                "data": {"S": attempt.model_dump_json()},
            },
        )

    def of(self, message: str) -> list[Attempt]:
        """A message's tries, first to last."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="message = :m",
            ExpressionAttributeValues={":m": {"S": message}},
        )
        return [
            Attempt.model_validate_json(item["data"]["S"])
            for page in pages
            for item in page["Items"]
        ]


@dataclass(frozen=True)
class Deliverer:
    """Serves lanes.

    `addresses` says where an agency is reached, `compose` what is posted, `delivered` tells the
    context the message came from that it has arrived.
    """

    outbox: Outbox
    lanes: Lanes
    attempts: Attempts
    store: EventStore
    sender: Sender
    seed: Callable[[], bytes]
    open_secret: Callable[[Address], bytes]
    addresses: Callable[[str], Address | None]
    compose: Callable[[Message, Commit, Address], Letter]
    delivered: Callable[[Message, Commit], None]
    clock: Callable[[], datetime]

    def serve(self, lane: str, owner: str, until: datetime) -> bool:
        """Drain the lane until it is empty, its receiver fails, or it is `until`.

        False: another runner holds the lane, ring again later.
        """
        cursor = self.lanes.lease(lane, owner, self.clock())
        if cursor is None:
            return False
        try:
            self._drain(cursor, owner, until)
        except LeaseLost:
            return False
        return True

    def _drain(self, cursor: Cursor, owner: str, until: datetime) -> None:
        while True:
            head = self.outbox.head(cursor.lane)
            while cursor.served < head and self.clock() < until:
                now = self.clock()
                if cursor.due_at and cursor.due_at > now:
                    self.lanes.release(cursor.lane, owner)
                    return
                message = self.outbox.message(cursor.lane, cursor.served + 1)
                answer = self._attempt(message)
                if not answer.delivered:
                    due_at = self.clock() + wait(cursor.failures + 1, answer.retry_after_s)
                    self.lanes.postpone(cursor, owner, due_at)
                    return
                cursor = self.lanes.served(cursor, owner, self.clock())
            self.lanes.release(cursor.lane, owner)
            # A message may have come between the last look and the release, its wake-up spent.
            if cursor.served >= self.outbox.head(cursor.lane) or self.clock() >= until:
                return
            again = self.lanes.lease(cursor.lane, owner, self.clock())
            if again is None:
                return
            cursor = again

    def _attempt(self, message: Message) -> Answer:
        place = (message.stream, message.commit)
        commit = self.store.commits([place])[place]
        started = self.clock()
        address = self.addresses(message.agency)
        if address is None:
            answer = Answer(0, "no-endpoint")
        else:
            try:
                letter = self.compose(message, commit, address)
            except NotComposed as failed:
                answer = Answer(0, f"not-composed: {failed}")
            else:
                headers = self._headers(message, letter, address, started)
                answer = self.sender.post(address.endpoint, headers, letter.body)
        took = self.clock() - started
        self.attempts.add(
            message.id,
            Attempt(
                at=started,
                status=answer.status,
                reason=answer.reason,
                duration_ms=took // timedelta(milliseconds=1),
            ),
        )
        if answer.delivered:
            self.delivered(message, commit)
        return answer

    def _headers(
        self, message: Message, letter: Letter, address: Address, now: datetime
    ) -> dict[str, str]:
        """Standard Webhooks headers, and the sequence number by which a receiver sees a gap."""
        timestamp = int(now.timestamp())
        if address.signature == "v1":
            signature = sign_hmac(self.open_secret(address), message.id, timestamp, letter.body)
        else:
            signature = sign_ed25519(self.seed(), message.id, timestamp, letter.body)
        return {
            "content-type": letter.content_type,
            "user-agent": "lien-thong",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
            "lienthong-lane": message.lane.rsplit("#", 1)[1],
            "lienthong-sequence": str(message.sequence),
        }


def wait(failures: int, retry_after_s: int | None) -> timedelta:
    """The pause after so many failures in a row: full jitter, at least what the receiver asks."""
    most = min(RETRY_CAP_S, RETRY_BASE_S * 2 ** min(failures - 1, 20))
    jitter = random.uniform(0, most)  # noqa: S311 -- spreading load, not a secret.
    return timedelta(seconds=max(jitter, min(retry_after_s or 0, 86_400)))
