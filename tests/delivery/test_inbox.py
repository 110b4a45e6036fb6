"""A receiver that fetches its messages gets what it would have been posted, in the same order."""

import math
from datetime import timedelta
from itertools import count

import pytest
from delivery.postman import LANE
from delivery.test_parking import refusing
from faults import Died, Life
from shelves import DYNAMODB

from chalicelib.delivery.deliver import ABANDONED
from chalicelib.delivery.inbox import PULLED, Inbox
from chalicelib.delivery.lanes import LEASE_S
from chalicelib.delivery.parking import BEHIND
from chalicelib.delivery.standing import standing
from chalicelib.handle import Stale

both = pytest.mark.parametrize("axis", DYNAMODB, indirect=True)


@pytest.fixture
def inbox(post):
    """The inbox of an agency that fetches its messages."""
    post.pulls = True
    return Inbox(post.deliverer)


def shown(inbox, after=None):
    """The numbers of what there is to fetch."""
    return [message.sequence for message in inbox.waiting(LANE, after)]


def acknowledge(post, inbox, sequence, owner="a", minutes=1):
    return inbox.acknowledge(LANE, sequence, owner, post.now + timedelta(minutes=minutes))


def seen(post):
    return [seen for _, seen in post.arrived]


@both
def test_nothing_is_posted_to_whoever_fetches_and_that_is_no_failure(post, inbox):
    post.send("ballot-1", "ballot-2")
    assert post.serve() is True
    assert post.serve("b") is True
    assert post.got() == []
    assert post.axis.attempts.of(post.ids()[0]) == []
    assert (post.lane().served, post.lane().failures, post.lane().due_at) == (0, 0, None)
    stand = standing(post.axis.lanes, post.axis.outbox, post.axis.store, LANE, post.now)
    assert stand.depth == 2
    assert stand.oldest_at is not None

    post.pulls = False
    post.serve("c")
    assert post.got() == post.ids()


@both
def test_what_is_acknowledged_counts_as_delivered_once(post, inbox):
    post.send("ballot-1", "ballot-2", "ballot-1", "ballot-3")
    assert shown(inbox) == [1, 2, 3, 4]
    assert acknowledge(post, inbox, 2) == (2, True)
    assert seen(post) == ["ballot-1@1", "ballot-2@1"]
    (attempt,) = post.axis.attempts.of(post.ids()[1])
    assert (attempt.status, attempt.reason, attempt.at) == (200, PULLED, post.now)
    assert shown(inbox) == [3, 4]
    for again in (2, 1):
        assert acknowledge(post, inbox, again) == (2, True)
    assert len(post.arrived) == 2
    assert acknowledge(post, inbox, 4, "b") == (4, True)
    assert seen(post) == ["ballot-1@1", "ballot-2@1", "ballot-1@2", "ballot-3@1"]
    assert shown(inbox) == []
    assert post.serve("c") is True
    assert post.got() == []


def test_to_read_on_is_not_to_acknowledge(post, inbox):
    post.send("ballot-1", "ballot-2", "ballot-3")
    acknowledge(post, inbox, 1)
    assert shown(inbox, after=2) == [3]
    assert shown(inbox, after=0) == [1, 2, 3]
    assert shown(inbox, after=3) == shown(inbox, after=7) == []
    assert shown(inbox) == [2, 3]


def parked_before(post):
    """Case 1 is parked, as it was refused when it was posted; case 2 waits."""
    post.pulls = False
    post.send("ballot-1", "ballot-2", "ballot-1")
    post.agency.answer = refusing(1)
    post.serve()
    post.pulls = True
    post.send("ballot-2", "ballot-1", "ballot-2")


@both
def test_a_parked_case_is_left_out_in_order(post, inbox):
    parked_before(post)
    assert shown(inbox) == [4, 6]
    assert shown(inbox, after=0) == [2, 4, 6]
    assert acknowledge(post, inbox, 6) == (6, True)
    aside = [(p.sequence, p.reason) for p in post.parking.of(LANE, "ballot-1")]
    assert aside == [(1, "422 type-unknown"), (3, BEHIND), (5, BEHIND)]
    assert seen(post) == ["ballot-2@1", "ballot-2@2", "ballot-2@3"]


@both
def test_after_a_rewind_what_is_shown_is_what_is_acknowledged(post, inbox):
    post.pulls = False
    post.send("ballot-1", "ballot-2", "ballot-1")
    post.agency.answer = refusing(3)
    post.serve()
    post.pulls = True
    post.axis.dynamodb.update_item(**post.axis.lanes.rewinding(LANE, 3, 0))
    assert shown(inbox) == [1, 2]
    assert acknowledge(post, inbox, 2) == (2, True)
    assert seen(post)[2:] == ["ballot-1@1", "ballot-2@1"]
    assert post.axis.attempts.of(post.ids()[0])[-1].reason == PULLED
    aside = [(p.sequence, p.reason) for p in post.parking.of(LANE, "ballot-1")]
    assert aside == [(3, "422 type-unknown")]


@both
def test_a_released_case_comes_first_and_alone(post, inbox):
    parked_before(post)
    post.parking.release(LANE, "ballot-1")
    assert post.serve() is True
    assert shown(inbox) == [1, 3]
    # An old acknowledgement, or one of what was read further on, takes nothing of it.
    acknowledge(post, inbox, 2)
    assert shown(inbox) == [1, 3]
    assert acknowledge(post, inbox, 1) == (3, True)
    assert shown(inbox) == [3]
    assert acknowledge(post, inbox, 3) == (3, True)
    assert shown(inbox) == [4, 5, 6]
    acknowledge(post, inbox, 6)
    assert seen(post) == [
        "ballot-2@1", "ballot-1@1", "ballot-1@2", "ballot-2@2", "ballot-1@3", "ballot-2@3",
    ]  # fmt: skip
    assert (post.lane().parked, post.lane().released) == (0, frozenset())


def test_what_is_given_up_is_not_shown_and_its_case_goes_on(post, inbox):
    parked_before(post)
    order = post.give_up()
    assert shown(inbox) == [3]
    assert acknowledge(post, inbox, 3) == (3, True)
    assert seen(post) == ["ballot-2@1", "ballot-1@2"]
    assert post.parked[-1] == (post.ids()[0], ABANDONED)
    assert post.axis.attempts.of(post.ids()[0])[-1].given_up == order
    assert shown(inbox) == [4, 5, 6]


def test_a_runner_carries_out_that_something_is_given_up_though_it_posts_nothing(post, inbox):
    parked_before(post)
    post.give_up()
    assert post.serve() is True
    assert [p.sequence for p in post.parking.of(LANE, "ballot-1")] == [3]
    assert shown(inbox) == [3]


def test_two_never_move_a_lane_at_once(post, inbox):
    post.send("ballot-1", "ballot-2")
    post.axis.lanes.lease(LANE, "runner", post.now)
    with pytest.raises(Stale):
        acknowledge(post, inbox, 2)
    assert post.arrived == []
    post.now += timedelta(seconds=LEASE_S + 1)
    assert acknowledge(post, inbox, 2) == (2, True)


def test_what_was_rewound_meanwhile_is_not_passed_over(post, inbox):
    post.send("ballot-1", "ballot-2")
    acknowledge(post, inbox, 1)
    rewind = post.axis.lanes.rewinding(LANE, 1, 0)
    told = post.deliverer.delivered

    def meanwhile(*about):
        told(*about)
        post.axis.dynamodb.update_item(**rewind)

    object.__setattr__(inbox.post, "delivered", meanwhile)
    with pytest.raises(Stale):
        acknowledge(post, inbox, 2)
    assert post.lane().served == 0


def test_a_long_acknowledgement_is_made_in_several(post, inbox):
    post.send("ballot-1", "ballot-2", "ballot-3")
    told = post.deliverer.delivered

    def slow(*about):
        told(*about)
        post.now += timedelta(seconds=40)

    object.__setattr__(inbox.post, "delivered", slow)
    assert acknowledge(post, inbox, 3) == (2, False)
    # The lane is free for anybody.
    assert acknowledge(post, inbox, 3, "b") == (3, True)
    assert seen(post) == ["ballot-1@1", "ballot-2@1", "ballot-3@1"]


@both
def test_a_death_at_every_call_of_an_acknowledgement(post, inbox):
    lives = [Life(math.inf)]
    post.axis.listen("before-call", lambda **_: lives[-1].step())
    for calls in count(1):
        lives.append(Life(math.inf))
        post.send("ballot-1", "ballot-2")
        head = len(post.ids())
        lives.append(Life(calls))
        died = False
        try:
            acknowledge(post, inbox, head, "the same request")
        except Died:
            died = True
        lives.append(Life(math.inf))
        assert acknowledge(post, inbox, head, "the same request") == (head, True)
        assert list(dict.fromkeys(id_ for id_, _ in post.arrived)) == post.ids()
        if not died:
            break
    assert calls > 8
