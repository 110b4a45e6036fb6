"""Shows the world what was sealed, once those outside have signed that they saw it."""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from chalicelib.history import timestamp, witness
from chalicelib.history.heads import Head, Heads, Standing
from chalicelib.history.merkle import Unproven
from chalicelib.history.note import Note, Signature, VerifierKey
from chalicelib.history.objects import Objects, checkpoint_name, tile_reader, timestamp_name
from chalicelib.history.pages import History
from chalicelib.history.policy import Policy, Witness
from chalicelib.history.proof import Tree
from chalicelib.kernel import Value

_OK = 200
AUTHORITY = "authority"


class Authority(Value):
    """A time authority: its address, and the certificates (PEM) that its own is traced to.

    `every_s`: checkpoints that come sooner (seconds) after one that was stamped are not stamped.
    """

    url: str
    certificates: str
    every_s: int = 0


class Trouble(NamedTuple):
    """Somebody outside did not do what was asked; `disagrees`: they contradict our history."""

    who: str
    what: str
    disagrees: bool


class Lateness(NamedTuple):
    """For how long (seconds) there has been something that is not yet proven to the world."""

    unpublished_s: float
    witness_s: float
    timestamp_s: float


@dataclass
class Publisher:
    """Publishes trees that are sealed and settled."""

    history: History
    heads: Heads
    objects: Objects
    policy: Policy
    authority: Authority | None
    post: witness.Post
    clock: Callable[[], datetime]

    def publish(self, *, again: bool) -> list[Trouble]:
        """Ask the witnesses to sign the newest tree, and show it if that is enough of them.

        Whoever did not answer well the last time is asked only with `again`, so that one who is
        down does not hold up the others.

        Returns:
            What went wrong outside.
        """
        head, shown = self.heads.sealed(), self.heads.published()
        if head is None or not head.settled or (shown and shown.size == head.size):
            head = shown
        if head is None:
            return []
        note = Note.parse(head.note)
        signatures, troubles = self._ask(head, note, again=again)
        whole = note.with_signatures(signatures)
        is_new = shown is None or shown.size < head.size
        if (is_new or signatures) and self.policy.satisfied(self._signed(whole)):
            # Kept for ever with the signatures it is first shown with, then shown.
            self.objects.keep(checkpoint_name(head.size), str(whole).encode())
            self.heads.publish(replace(head, note=str(whole)))
        return troubles + self._stamp(again=again)

    def lateness(self) -> Lateness:
        """How late we are now."""
        now = self.clock()
        shown = self.heads.published()
        first = next(self.history.pages(shown.size if shown else 0), None)
        standings = [self.heads.standing(str(one.key)) for one in self.policy.witnesses]
        authority = [self.heads.standing(AUTHORITY)] if self.authority else []
        return Lateness(
            _since(now, [first.numbered_at if first else None]),
            _since(now, [one.failing_since for one in standings]),
            _since(now, [one.failing_since for one in authority]),
        )

    def _signed(self, note: Note) -> AbstractSet[VerifierKey]:
        return note.signed_by(one.key for one in self.policy.witnesses).keys()

    def _ask(self, head: Head, note: Note, *, again: bool) -> tuple[list[Signature], list[Trouble]]:
        signed = self._signed(note)
        tree = Tree(head.size, tile_reader(self.objects), head.peaks)
        asked = []
        for one in self.policy.witnesses:
            standing = self.heads.standing(str(one.key))
            if one.url and one.key not in signed and (again or not standing.failing_since):
                asked.append((one, standing))
        if not asked:
            return [], []

        def ask(one: Witness, standing: Standing) -> witness.Said:
            now = self.clock().timestamp()
            return witness.ask(
                self.post, one, head.size, note, standing.size, tree.consistency, now
            )

        # Side by side: the slowest decides how long it takes, not their number.
        with ThreadPoolExecutor(len(asked)) as asking:
            said = list(asking.map(ask, *zip(*asked, strict=True)))
        troubles = []
        for (one, standing), answer in zip(asked, said, strict=True):
            if answer.saw and self._has(answer.saw):
                continue  # Another run of ours was faster, and showed it more than we have here.
            size = head.size if answer.signature else standing.size
            self._note(str(one.key), standing, size, well=answer.signature is not None)
            if answer.signature is None:
                troubles.append(Trouble(one.name, answer.fault, answer.disagrees))
        return [answer.signature for answer in said if answer.signature], troubles

    def _has(self, size: int) -> bool:
        head = self.heads.sealed()
        return head is not None and head.size >= size

    def _stamp(self, *, again: bool) -> list[Trouble]:
        """Have the newest checkpoint stamped, unless it is or it is too soon."""
        shown, authority = self.heads.published(), self.authority
        if authority is None or shown is None:
            return []
        standing = self.heads.standing(AUTHORITY)
        soon = standing.at and _since(self.clock(), [standing.at]) < authority.every_s
        if standing.size >= shown.size or soon or (standing.failing_since and not again):
            return []
        text = Note.parse(shown.note).text
        asked = timestamp.wish(text)
        reply = self.post(authority.url, {"content-type": timestamp.MEDIA_TYPE}, asked.body)
        fault = "" if reply.status == _OK else witness.not_well(reply.status)
        if not fault:
            try:
                timestamp.check(reply.body, text, [authority.certificates], asked.nonce)
                self.objects.keep(timestamp_name(shown.size), reply.body)
            except Unproven as error:
                fault = str(error)
        self._note(AUTHORITY, standing, standing.size if fault else shown.size, well=not fault)
        return [Trouble(AUTHORITY, fault, disagrees=False)] if fault else []

    def _note(self, who: str, standing: Standing, size: int, *, well: bool) -> None:
        """Remember how somebody outside did."""
        now = self.clock()
        if well:
            self.heads.stand(who, Standing(size, now))
        else:
            since = standing.failing_since or now
            self.heads.stand(who, replace(standing, failing_since=since))


def _since(now: datetime, moments: Iterable[datetime | None]) -> float:
    """Seconds since the earliest of these moments; 0 if there is none."""
    return max([(now - moment).total_seconds() for moment in moments if moment], default=0.0)
