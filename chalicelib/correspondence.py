"""The contexts' mail: who hears of what, how it is written, and what comes of it.

A context's `messages.py` says so purely; here it is carried out, for whoever posts a message and
for whoever lets its receiver fetch it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from aws_lambda_powertools import Logger

from chalicelib import runtime
from chalicelib.delivery.address import Address
from chalicelib.delivery.deliver import ABANDONED, Deliverer, Letter, NotComposed
from chalicelib.delivery.outbox import Message, Routing
from chalicelib.eventstore.store import Commit
from chalicelib.handle import handle
from chalicelib.kernel import Command, Decider, Event, Origin
from chalicelib.text import b64url

_log = Logger(service="lien-thong")

Follow = tuple[Decider[Any, Any, Any], str, Command]
"""A command that follows from an event: whose it is, of which id, and what."""


class Correspondence(NamedTuple):
    """One context's mail: who hears of what, what is posted, what a receipt or a refusal means."""

    types: Mapping[str, type[Event]]
    routing: Routing
    compose: Callable[[Message, Commit, Any, Address], Letter]
    delivered: Callable[[Message, Any, Origin], Follow | None]
    refused: Callable[[Message, Any, Origin, str], Follow | None]


@dataclass(frozen=True)
class Mail:
    """All contexts' mail; `addresses` says where an agency is reached."""

    correspondence: Sequence[Correspondence]
    addresses: Callable[[str], Address | None]

    def deliverer(self) -> Deliverer:
        """Who posts it."""
        return Deliverer(
            outbox=runtime.outbox(),
            lanes=runtime.lanes(),
            parking=runtime.parking(),
            attempts=runtime.attempts(),
            store=runtime.event_store(),
            sender=runtime.sender(),
            seed=runtime.signing_seed,
            open_secret=runtime.open_secret,
            addresses=self.addresses,
            compose=self._compose,
            delivered=self._delivered,
            refused=self._refused,
            clock=runtime.now,
        )

    def _compose(self, message: Message, commit: Commit, address: Address) -> Letter:
        for mail, event in self._about(message, commit):
            try:
                return mail.compose(message, commit, event, address)
            except Exception as error:  # A letter that fails holds up its own case only.
                if runtime.may_pass(error):
                    raise
                _log.exception("letter not composed", extra={"message_id": message.id})
                raise NotComposed(type(error).__name__) from error
        raise NotComposed(f"nobody writes letters about {message.type}")

    def _delivered(self, message: Message, commit: Commit) -> None:
        """Tell the context whose message it was that its receiver has taken it."""
        for mail, event in self._about(message, commit):
            origin = origin_of(commit, f"delivery#{message.id}")
            self._follow(mail.delivered(message, event, origin))

    def _refused(self, message: Message, commit: Commit, why: str) -> None:
        """Tell the context that its receiver never will, and a person that its case waits."""
        for mail, event in self._about(message, commit):
            # Refused again for another reason is another fact; for the same one it is not.
            origin = origin_of(commit, f"delivery#{message.id}#{why}")
            self._follow(mail.refused(message, event, origin, why))
        said = "message abandoned" if why == ABANDONED else "message parked"
        about = {"message_id": message.id, "lane": message.lane, "reason": why}
        _log.warning(said, extra=about)

    def _about(self, message: Message, commit: Commit) -> Iterator[tuple[Correspondence, Event]]:
        for mail in self.correspondence:
            for index, event in events_of(commit, mail.types):
                if index == message.index:
                    yield mail, event

    @staticmethod
    def _follow(follow: Follow | None) -> None:
        if follow:
            handle(runtime.event_store(), *follow)


def events_of(commit: Commit, types: Mapping[str, type[Event]]) -> Iterator[tuple[int, Event]]:
    """Those of a commit's events that are of these types, with their place in it."""
    for index, data in enumerate(commit.data()):
        if kind := types.get(data["type"]):
            yield index, kind.model_validate(data, extra="ignore")


def origin_of(commit: Commit, what: str) -> Origin:
    """The origin of a command that follows from a commit: the same for every repetition."""
    name = f"{commit.seen}#{what}".encode()
    return Origin(
        command_id=b64url(sha256(name).digest()),
        digest=b64url(sha256(commit.hash + name).digest()),
        actor=f"axis:{what.split('#', maxsplit=1)[0]}",
        method="reaction",
        correlation=commit.facts["correlation"],
        causation=commit.seen,
        at=runtime.now(),
    )
