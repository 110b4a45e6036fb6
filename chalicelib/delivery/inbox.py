"""An agency's inbox: it fetches its messages itself, and moves its cursor by acknowledging them.

The order is that of the posts, and so is what an acknowledgement leads to: it holds the lane's
lease and deals with message after message as a 2xx would.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from chalicelib.delivery.deliver import Attempt, Deliverer
from chalicelib.delivery.lanes import Cursor, LeaseLost
from chalicelib.delivery.outbox import Message
from chalicelib.delivery.parking import ParkedMessage
from chalicelib.handle import Stale

PULLED = "pulled"
"""The reason of an attempt that was no post: the receiver fetched the message and said so."""


@dataclass(frozen=True)
class Inbox:
    """What waits in a lane for its receiver to fetch it; `post` is who would post it otherwise."""

    post: Deliverer

    def waiting(self, lane: str, after: int | None) -> Iterator[Message]:
        """What to fetch, oldest first: messages after `after`, or after the cursor.

        A case that was released comes first, alone, and wants its acknowledgement before anything
        else is shown. What is parked, and what would queue behind it, is left out.
        """
        cursor = self.post.lanes.cursor(lane)
        if after is None:
            for case in sorted(cursor.released):
                if aside := self._to_fetch(lane, case):
                    yield from (self.post.outbox.message(lane, p.sequence) for p in aside)
                    return
        cases: dict[str, list[ParkedMessage]] = {}
        for message in self.post.outbox.following(lane, cursor.served if after is None else after):
            if cursor.parked and message.case not in cases:
                cases[message.case] = self.post.parking.of(lane, message.case)
            aside = cases.get(message.case, [])
            if not aside or message.sequence < aside[0].sequence:
                yield message

    def acknowledge(
        self, lane: str, sequence: int, owner: str, until: datetime
    ) -> tuple[int, bool]:
        """The receiver has all that it was shown up to `sequence`: where the cursor then stands.

        And whether that is all of it; if not, as it is `until`, the same again goes on with the
        rest. An acknowledgement of what lies behind the cursor changes nothing, unless it names a
        message of a released case.

        Raises:
            Stale: somebody else is at the lane; the same again goes on with what is left.
        """
        cursor = self.post.lanes.lease(lane, owner, self.post.clock())
        if cursor is None:
            raise Stale(lane)
        try:
            done = False
            while not done and self.post.clock() < until:
                moved = self._step(cursor, owner, sequence)
                done, cursor = moved is None, moved or cursor
            self.post.lanes.release(lane, owner)
        except LeaseLost:
            raise Stale(lane) from None
        return cursor.served, done

    def _step(self, cursor: Cursor, owner: str, sequence: int) -> Cursor | None:
        """Deal with one message; None if nothing is left to do."""
        parking = self.post.parking
        for case in sorted(cursor.released):
            aside = parking.of(cursor.lane, case)
            if not aside:
                return parking.settled(cursor, owner, case, self.post.clock())
            if aside[0].given_up:
                return self.post.give_up(cursor, owner, aside[0], aside[0].given_up)
            # Only by its very number: an old acknowledgement may not take what was never shown.
            if sequence in {parked.sequence for parked in aside}:
                self._taken(self.post.outbox.message(cursor.lane, aside[0].sequence))
                return parking.taken(cursor, owner, aside[0], self.post.clock())
        if sequence <= cursor.served:
            return None
        message = self.post.outbox.message(cursor.lane, cursor.served + 1)
        if moved := self.post.pass_by(cursor, owner, message):
            return moved
        self._taken(message)
        return self.post.lanes.served(cursor, owner, self.post.clock())

    def _taken(self, message: Message) -> None:
        now = self.post.clock()
        fetched = Attempt(at=now, status=200, reason=PULLED, duration_ms=0)
        self.post.attempts.add(message.id, fetched)
        self.post.delivered(message, self.post.commit_of(message))

    def _to_fetch(self, lane: str, case: str) -> list[ParkedMessage]:
        return [parked for parked in self.post.parking.of(lane, case) if not parked.given_up]
