"""The inbox over HTTP: an agency's system fetches its messages and acknowledges them.

It stands in for being posted to: the order, the numbers and the ids are those of the posts.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import Field
from pydantic_core import to_json
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.agency_code import CanonicalCode
from chalicelib.delivery.address import Address
from chalicelib.delivery.deliver import Deliverer, Letter, NotComposed
from chalicelib.delivery.inbox import Inbox
from chalicelib.delivery.lanes import LaneKind
from chalicelib.delivery.outbox import Message, agency_of
from chalicelib.http.resource import MAX_ANSWER_BYTES, Answer, Resource, ok, ordered
from chalicelib.kernel import Conflict, Forbidden, Invalid, Value

LIMIT, MAX_LIMIT = 20, 50
"""Messages of a page, each with its letter."""
ROOM_BYTES = MAX_ANSWER_BYTES - 64 * 1024
"""What a page's messages may take of an answer."""
ACKNOWLEDGE_S = 20
"""How long one acknowledgement may work: below the gateway's 29 s."""
MAX_SEQUENCE = 10**15


class NotYourInbox(Forbidden):
    """A system fetches what is for its own agency, or for one whose place that has taken."""

    code = "not-your-inbox"


class MailboxMissing(Conflict):
    """The agency has no system of kind `documents`: an administrator registers one first."""

    code = "mailbox-missing"


class MailboxLocked(Forbidden):
    """The agency's system is locked: it may neither send nor receive."""

    code = "mailbox-locked"
    rule = "Gateway error 23: receiver locked"


class AgencyPaused(Conflict):
    """An operator holds the agency's messages back, or its system said that it was gone (410)."""

    code = "agency-paused"


class AcknowledgedTooFar(Invalid):
    """Nobody can have a message that is not in the lane yet."""

    code = "acknowledged-too-far"


class InboxRequest(Value):
    """The query of `GET /inbox`.

    `after`: read on behind that number, whatever is acknowledged. `agency`: another one than the
    caller's own, whose messages come to it because it took that one's place.
    """

    lane: LaneKind = "normal"
    after: int | None = Field(default=None, ge=0, lt=MAX_SEQUENCE)
    limit: int = Field(default=LIMIT, ge=1, le=MAX_LIMIT)
    agency: CanonicalCode | None = None


class Acknowledgement(Value):
    """The body of `POST /inbox/acknowledgement`: we have all that we were shown, up to a number."""

    lane: LaneKind
    sequence: int = Field(ge=1, lt=MAX_SEQUENCE)
    agency: CanonicalCode | None = None


class Composed(TypedDict):
    """What would be posted: a CloudEvent as the object that it is, edXML as text.

    Which CloudEvents there are says the description of the messages (AsyncAPI), by their type. Both
    are null where no letter can be written.
    """

    content_type: str | None
    letter: dict[str, Any] | str | None


class InboxMessage(Composed):
    """A message that waits in a lane as number `sequence`; `position` is its place in history."""

    id: str
    sequence: int
    case: str
    type: str
    position: int


class InboxPage(TypedDict):
    """What waits in a lane behind what was `acknowledged`; `head` is its newest message.

    `next` is the `after` by which to read on without acknowledging, null when nothing follows.
    """

    agency: str
    lane: LaneKind
    acknowledged: int
    head: int
    items: list[InboxMessage]
    next: int | None


class AcknowledgedLane(TypedDict):
    """Up to where a lane is acknowledged; `done` false: say the same again for the rest."""

    lane: LaneKind
    acknowledged: int
    done: bool


def resource(deliverer: Callable[[], Deliverer]) -> Resource:
    """The inbox's routes; `deliverer` is who would post the messages otherwise."""
    routes = Resource(__name__)

    def mailbox(asked: InboxRequest | Acknowledgement) -> tuple[Inbox, Address, str]:
        """The inbox, whose it is, and the lane in it."""
        own = routes.caller().agency
        agency = asked.agency or own
        assert agency is not None, "a system is an agency's"
        post = deliverer()
        address = post.addresses(agency)
        if address is None and agency == own:
            raise MailboxMissing
        if address is None or address.agency != own:
            raise NotYourInbox(field="agency")
        if address.locked:
            raise MailboxLocked
        lane = f"{agency}#{asked.lane}"
        if post.lanes.cursor(lane).paused:
            raise AgencyPaused
        return Inbox(post), address, lane

    @routes.get("/inbox", allow={"system"})
    def fetch_messages() -> Answer[InboxPage]:
        """What waits for an agency in one lane, oldest first, each message with its letter.

        Query: `lane`, `after`, `limit`, `agency`. Nothing moves until it is acknowledged. `next` is
        the `after` by which to read on without acknowledging, null when nothing follows.
        """
        asked = routes.build(InboxRequest, **routes.query())
        inbox, address, lane = mailbox(asked)
        items: list[InboxMessage] = []
        room, following = ROOM_BYTES, None
        for message in inbox.waiting(lane, asked.after):
            item = _item(inbox.post, message, address)
            room -= _weight(item)
            if len(items) == asked.limit or (items and room < 0):
                following = items[-1]["sequence"]
                break
            items.append(item)
        page = InboxPage(
            agency=agency_of(lane),
            lane=asked.lane,
            acknowledged=runtime.lanes().cursor(lane).served,
            head=runtime.outbox().head(lane),
            items=items,
            next=following,
        )
        return ok(page)

    @routes.post("/inbox/acknowledgement", allow={"system"})
    def acknowledge_messages() -> Answer[AcknowledgedLane]:
        """Say that all that was shown of a lane up to a number is stored here. 202.

        Each message counts as arrived, as if it had been posted and answered 2xx. `done` false:
        there was no time for all of it, say the same again. Again, it changes nothing. 422
        `acknowledged-too-far`.
        """
        origin, asked = routes.origin(), routes.json(Acknowledgement)
        inbox, _, lane = mailbox(asked)
        done, served = True, runtime.lanes().cursor(lane).served
        # An old acknowledgement that comes again may not pass over what was rewound since.
        if not runtime.orders().known(origin):
            if asked.sequence > (head := runtime.outbox().head(lane)):
                raise AcknowledgedTooFar(f"the newest message is {head}", field="/sequence")
            owner = f"inbox-{origin.command_id}"
            until = runtime.now() + timedelta(seconds=ACKNOWLEDGE_S)
            served, done = inbox.acknowledge(lane, asked.sequence, owner, until)
            if done:
                runtime.orders().carry_out(origin, lane)
        return ordered(AcknowledgedLane(lane=asked.lane, acknowledged=served, done=done))

    return routes


def _item(post: Deliverer, message: Message, address: Address) -> InboxMessage:
    """A message as it is fetched."""
    shown = _shown(message, _letter(post, message, address))
    if _weight(shown) > ROOM_BYTES:
        # Its edXML has no room in any answer; a CloudEvent is small, and links to the files.
        small = address.model_copy(update={"profile": "cloudevents"})
        shown = _shown(message, _letter(post, message, small))
    return shown


def _shown(message: Message, letter: Composed) -> InboxMessage:
    return InboxMessage(
        id=message.id,
        sequence=message.sequence,
        case=message.case,
        type=message.type,
        position=message.position,
        content_type=letter["content_type"],
        letter=letter["letter"],
    )


def _letter(post: Deliverer, message: Message, address: Address) -> Composed:
    try:
        letter = post.compose(message, post.commit_of(message), address)
    except NotComposed:
        return {"content_type": None, "letter": None}
    return {"content_type": letter.content_type, "letter": _inline(letter)}


def _inline(letter: Letter) -> dict[str, Any] | str:
    text = letter.body.decode()
    return dict(json.loads(text)) if "json" in letter.content_type else text


def _weight(item: InboxMessage) -> int:
    """Bytes of an answer: Lambda wraps it in JSON once more."""
    return len(json.dumps(to_json(item).decode()))
