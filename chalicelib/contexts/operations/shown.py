"""What is answered about the axis itself: how far its workers are, what waits, what was ordered."""

from datetime import datetime

from typing_extensions import TypedDict

from chalicelib.contexts.operations.followers import Follower
from chalicelib.delivery.parking import ParkedMessage
from chalicelib.delivery.standing import LaneStanding
from chalicelib.projector.aside import ParkedCommit


class HistoryEnd(TypedDict):
    """How far history reaches, and when that was numbered; 0 and None while it is empty."""

    position: int
    numbered_at: datetime | None


class ReactionTotals(TypedDict):
    """How many commits are set aside because what should follow from them failed."""

    parked: int


class DeliveryTotals(TypedDict):
    """All lanes together: messages that wait and are parked, lanes that fail and are paused.

    The oldest message has waited for `oldest_s` seconds; 0: none does.
    """

    depth: int
    oldest_s: int
    parked: int
    failing: int
    paused: int


class AxisStatus(TypedDict):
    """How the axis was doing at `at`; `rebuilds` are views that are filled anew."""

    at: datetime
    history: HistoryEnd
    workers: list[Follower]
    rebuilds: list[Follower]
    reactions: ReactionTotals
    totals: DeliveryTotals
    lanes: list[LaneStanding]


class AgencyLanes(TypedDict):
    """An agency's lanes, the urgent one first."""

    items: list[LaneStanding]


class ParkedMessages(TypedDict):
    """A page of what is set aside for an agency; `next` is the cursor of the page after it."""

    items: list[ParkedMessage]
    next: str | None


class ParkedCommits(TypedDict):
    """A page of commits whose reaction failed; `next` is the cursor of the page after it."""

    items: list[ParkedCommit]
    next: str | None


class LaneCase(TypedDict):
    """A case in a lane."""

    lane: str
    case: str


class RebuiltView(TypedDict):
    """The view that is filled anew."""

    view: str


class ReleasedStream(TypedDict):
    """The stream whose commits are tried again."""

    stream: str


class Rewind(TypedDict):
    """A lane, and the message from which on it is posted again."""

    lane: str
    to: int


class PostedAgain(TypedDict):
    """A message that a rewind would post again."""

    id: str
    sequence: int
    case: str
    type: str


class RewindRehearsal(Rewind):
    """What a rewind would do: how many `messages` it posts again, and the `first` 200 of them."""

    messages: int
    first: list[PostedAgain]
