"""Drains a lane: message after message, in order, until it is empty or its receiver says not now.

What a run does depends on stored state alone, so any number of wake-ups, lost, late or repeated,
lead to the same.
"""

import random
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from chalicelib.delivery.address import Address
from chalicelib.delivery.lanes import AXIS, Cursor, Lanes, LeaseLost, Pause
from chalicelib.delivery.outbox import Message, Outbox, agency_of
from chalicelib.delivery.parking import BEHIND, Abandonment, ParkedMessage, Parking
from chalicelib.delivery.send import Answer, Sender, Verdict
from chalicelib.delivery.signatures import Unauthenticated, sign_ed25519, sign_hmac, verify
from chalicelib.eventstore.store import Commit, EventStore
from chalicelib.kernel import Value

RETRY_LEAST_S, RETRY_BASE_S, RETRY_CAP_S = 0.1, 4, 3_600
"""Full jitter: the n-th wait is anything up to base * 2^(n-1) seconds, and never above the cap."""
ASKED_CAP_S = 86_400
"""The longest pause that a receiver can ask for."""
KNOWN_S = 5
"""How long a run posts to an address without looking it up again."""
_AHEAD = 10
"""Commits of a lane that are read at once, after the first: its receiver may be down."""
RECEIPT_BYTES = 4 * 1024
"""The longest answer that is kept with its signature; a longer one counts as not verified."""
GONE = "gone"
"""The reason of a pause that a 410 began."""
ABANDONED = "abandoned"
"""The reason why a message that an operator gave up never reaches its receiver."""


class NotComposed(Exception):  # noqa: N818 -- named as the fact it states.
    """No letter can be made of a message, so it is parked. The text says why."""


class Letter(Value):
    """What is posted for a message."""

    content_type: str
    body: bytes


class SignedReceipt(Value):
    """A receiver's signed word that it has a message: evidence, never required.

    The signature is over `{id}.{timestamp}.{body}`. `verified`: made lately, with a key of the
    agency's that was good then, about this very message. Only then is `body` kept (base64), at most
    `RECEIPT_BYTES` of it, so that anybody can check it again.
    """

    id: str
    timestamp: str
    signature: str
    verified: bool
    body: str = ""


class Attempt(Value):
    """One try to deliver a message. `status` 0: no answer, see `reason`.

    An operator's order to try no more stands here too, as the last word about the message.
    """

    at: datetime
    status: int
    reason: str
    duration_ms: int
    receipt: SignedReceipt | None = None
    given_up: Abandonment | None = None


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

    `addresses` says where an agency is reached, `compose` what is posted; `delivered` tells the
    context the message came from that it has arrived, `refused` that it never will, and why.
    Where the receiver fetches its messages itself (`inbox.py`), nothing is posted.
    """

    outbox: Outbox
    lanes: Lanes
    parking: Parking
    attempts: Attempts
    store: EventStore
    sender: Sender
    seed: Callable[[], bytes]
    open_secret: Callable[[Address], bytes]
    addresses: Callable[[str], Address | None]
    compose: Callable[[Message, Commit, Address], Letter]
    delivered: Callable[[Message, Commit], None]
    refused: Callable[[Message, Commit, str], None]
    clock: Callable[[], datetime]
    # Where agencies were reached a moment ago, by this run.
    _known: dict[str, tuple[datetime, Address | None]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def serve(self, lane: str, owner: str, until: datetime) -> bool:
        """Drain the lane until it is empty, its receiver fails, or it is `until`.

        False: another runner holds the lane, ring again later.
        """
        cursor = self.lanes.lease(lane, owner, self.clock())
        if cursor is None:
            return False
        self._known.pop(agency_of(lane), None)
        try:
            self._drain(cursor, owner, until)
        except LeaseLost:
            return False
        return True

    def _drain(self, cursor: Cursor, owner: str, until: datetime) -> None:
        while True:
            following = self._with_commits(self.outbox.following(cursor.lane, cursor.served))
            while self.clock() < until:
                found = None if cursor.released else next(following, None)
                if found is None and not cursor.released:
                    break
                if cursor.paused or (cursor.due_at and cursor.due_at > self.clock()):
                    self.lanes.release(cursor.lane, owner)
                    return
                moved = (
                    self._following(cursor, owner, *found)
                    if found
                    else self._released(cursor, owner)
                )
                if moved is None:
                    return
                cursor = moved
            self.lanes.release(cursor.lane, owner)
            # A message may have come between the last look and the release, its wake-up spent.
            waiting = cursor.released or cursor.served < self.outbox.head(cursor.lane)
            if not waiting or self.clock() >= until:
                return
            again = self.lanes.lease(cursor.lane, owner, self.clock())
            if again is None:
                return
            cursor = again

    def _with_commits(self, messages: Iterator[Message]) -> Iterator[tuple[Message, Commit]]:
        """Messages, each with the commit that it is about."""
        count = 1
        while some := list(islice(messages, count)):
            commits = self.store.commits([(one.stream, one.commit) for one in some])
            for message in some:
                yield message, commits[message.stream, message.commit]
            count = _AHEAD

    def _following(
        self, cursor: Cursor, owner: str, message: Message, commit: Commit
    ) -> Cursor | None:
        """Deal with the lane's next message; None if the lane has to wait."""
        if moved := self.pass_by(cursor, owner, message):
            return moved
        answer = self._attempt(message, commit)
        if answer is None:
            self.lanes.release(cursor.lane, owner)
            return None
        match answer.verdict:
            case Verdict.TAKEN:
                return self.lanes.served(cursor, owner, self.clock())
            case Verdict.REFUSED:
                return self.parking.park(cursor, owner, message, answer.refusal, self.clock())
            case _:
                self._postpone(cursor, owner, message.agency, answer)
                return None

    def pass_by(self, cursor: Cursor, owner: str, message: Message) -> Cursor | None:
        """Have the lane's next message queue behind what is parked of its case; None: nothing is.

        Raises:
            LeaseLost: see `Parking.park`.
        """
        aside = self.parking.of(cursor.lane, message.case) if cursor.parked else []
        # After a rewind what comes before it comes by again: that waits for nothing.
        if not aside or message.sequence < aside[0].sequence:
            return None
        # After a rewind a parked message comes by again: it stands where it belongs.
        if message.sequence in {parked.sequence for parked in aside}:
            return self.lanes.served(cursor, owner, self.clock())
        return self.parking.park(cursor, owner, message, BEHIND, self.clock())

    def _released(self, cursor: Cursor, owner: str) -> Cursor | None:
        """Deal with the first parked message of a released case; None if the lane has to wait."""
        case = min(cursor.released)
        aside = self.parking.of(cursor.lane, case)
        if not aside:
            return self.parking.settled(cursor, owner, case, self.clock())
        if aside[0].given_up:
            return self.give_up(cursor, owner, aside[0], aside[0].given_up)
        message = self.outbox.message(cursor.lane, aside[0].sequence)
        answer = self._attempt(message, self.commit_of(message))
        if answer is None:
            self.lanes.release(cursor.lane, owner)
            return None
        match answer.verdict:
            case Verdict.TAKEN:
                return self.parking.taken(cursor, owner, aside[0], self.clock())
            case Verdict.REFUSED:
                now = self.clock()
                return self.parking.refused(cursor, owner, aside[0], answer.refusal, now)
            case _:
                self._postpone(cursor, owner, message.agency, answer)
                return None

    def give_up(
        self, cursor: Cursor, owner: str, parked: ParkedMessage, order: Abandonment
    ) -> Cursor:
        """Carry out an operator's order: the message goes, and whoever sent it is told.

        Raises:
            LeaseLost: see `Parking.taken`.
        """
        message = self.outbox.message(cursor.lane, parked.sequence)
        last = Attempt(at=order.at, status=0, reason=ABANDONED, duration_ms=0, given_up=order)
        self.attempts.add(message.id, last)
        self.refused(message, self.commit_of(message), ABANDONED)
        return self.parking.taken(cursor, owner, parked, self.clock())

    def _postpone(self, cursor: Cursor, owner: str, agency: str, answer: Answer) -> None:
        """Give the lane back until the receiver may be asked again."""
        now = self.clock()
        if answer.verdict is Verdict.GONE:
            self.lanes.pause(agency, Pause(reason=GONE, at=now, by=AXIS))
        self.lanes.postpone(cursor, owner, now + wait(cursor.failures + 1, answer, now))

    def commit_of(self, message: Message) -> Commit:
        """The commit that a message is about."""
        place = (message.stream, message.commit)
        return self.store.commits([place])[place]

    def _address(self, agency: str) -> Address | None:
        now = self.clock()
        since, address = self._known.get(agency, (None, None))
        if since is None or now - since > timedelta(seconds=KNOWN_S):
            address = self.addresses(agency)
            self._known[agency] = now, address
        return address

    def _attempt(self, message: Message, commit: Commit) -> Answer | None:
        """Post a message and say what came of it; None if its receiver fetches it itself."""
        address = self._address(message.agency)
        if address and address.pulls:
            return None
        started = self.clock()
        if address is None:
            answer = Answer(0, "no-endpoint")
        elif address.locked:
            answer = Answer(0, "system-locked")
        else:
            try:
                letter = self.compose(message, commit, address)
            except NotComposed as failed:
                answer = Answer(0, f"not-composed: {failed}", final=True)
            else:
                headers = self._headers(message, letter, address, started)
                answer = self.sender.post(address.endpoint, headers, letter.body)
        ended = self.clock()
        self.attempts.add(
            message.id,
            Attempt(
                at=started,
                status=answer.status,
                reason=answer.reason,
                duration_ms=(ended - started) // timedelta(milliseconds=1),
                receipt=self._receipt(message, address, answer, ended),
            ),
        )
        if answer.verdict is Verdict.TAKEN:
            self.delivered(message, commit)
        elif answer.verdict is Verdict.REFUSED:
            self.refused(message, commit, answer.refusal)
        return answer

    def _receipt(
        self, message: Message, address: Address | None, answer: Answer, now: datetime
    ) -> SignedReceipt | None:
        if address is None or answer.signed is None or not answer.delivered:
            return None
        headers, body = answer.signed
        keys = [b64decode(key) for key in address.keys_at(now)]
        secrets = [self.open_secret(address)] if address.secret else []
        verified = headers["webhook-id"] == message.id and len(body) <= RECEIPT_BYTES
        try:
            verify(headers, body, keys, secrets, now)
        except Unauthenticated:
            verified = False
        return SignedReceipt(
            id=headers["webhook-id"],
            timestamp=headers["webhook-timestamp"],
            signature=headers["webhook-signature"],
            verified=verified,
            body=b64encode(body).decode() if verified else "",
        )

    def _headers(
        self, message: Message, letter: Letter, address: Address, now: datetime
    ) -> dict[str, str]:
        """Standard Webhooks headers, and the sequence number by which a receiver sees a gap.

        Whose lane it is says `lienthong-agency`: a successor also gets those of its predecessors.
        """
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
            "lienthong-agency": message.agency,
            "lienthong-lane": message.lane.rsplit("#", 1)[1],
            "lienthong-sequence": str(message.sequence),
        }


def wait(failures: int, answer: Answer, now: datetime) -> timedelta:
    """The pause after so many failures in a row: full jitter, at least what the receiver asks.

    There is no last attempt: whoever is down for weeks is still tried every hour, and the age of
    its oldest message rings an alarm. One who does not let us in is tried every half to whole hour.
    """
    most = min(RETRY_CAP_S, RETRY_BASE_S * 2 ** min(failures - 1, 20))
    least = RETRY_LEAST_S
    if answer.verdict is Verdict.SLOWLY:
        least, most = RETRY_CAP_S // 2, RETRY_CAP_S
    jitter = random.uniform(least, most)  # noqa: S311 -- spreading load, not a secret.
    return timedelta(seconds=max(jitter, min(answer.asked_s(now), ASKED_CAP_S)))
