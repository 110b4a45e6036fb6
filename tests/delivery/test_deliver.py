"""Messages reach a receiver in order, signed, however often somebody dies."""

import math
from base64 import b64decode
from datetime import timedelta
from itertools import count
from random import Random

import pytest
from axis import once
from ballot import VoteCast
from delivery.postman import LANE, NOW, PUBLIC, SECRET, SEED
from faults import Died, Life
from hypothesis import given
from hypothesis import strategies as st
from shelves import DYNAMODB

from chalicelib.delivery.address import Window
from chalicelib.delivery.deliver import RECEIPT_BYTES, RETRY_BASE_S, RETRY_CAP_S, wait
from chalicelib.delivery.lanes import LEASE_S, Pause
from chalicelib.delivery.send import Answer
from chalicelib.delivery.signatures import sign_ed25519, verify

both = pytest.mark.parametrize("axis", DYNAMODB, indirect=True)


@both
def test_everything_is_delivered_in_order_and_signed(post):
    post.send("ballot-1", "ballot-2", "ballot-1")

    assert post.serve() is True

    assert post.got() == post.ids()
    assert [p.headers["lienthong-sequence"] for p in post.agency.posts] == ["1", "2", "3"]
    assert [seen for _, seen in post.arrived] == ["ballot-1@1", "ballot-2@1", "ballot-1@2"]
    for sent, seen in zip(post.agency.posts, post.arrived, strict=True):
        verify(sent.headers, sent.body, [PUBLIC], [], post.now)
        assert sent.body == " ".join(seen).encode()
        assert sent.headers["content-type"] == "text/plain"
        assert sent.headers["lienthong-lane"] == "normal"
    assert (post.lane().served, post.lane().due_at) == (3, None)
    assert [a.status for a in post.axis.attempts.of(post.ids()[0])] == [200]

    assert post.serve("b") is True
    assert len(post.agency.posts) == 3


def test_an_agency_may_ask_for_a_shared_secret(post):
    post.signature = "v1"
    post.send("ballot-1")
    post.serve()
    (sent,) = post.agency.posts
    verify(sent.headers, sent.body, [], [SECRET], post.now)


@both
@pytest.mark.parametrize("status", [302, 408, 409, 425, 429, 500, 503])
def test_a_failure_stops_the_lane_and_comes_again_when_due(post, status):
    post.send("ballot-1", "ballot-2", "ballot-3")
    post.agency.answer = lambda p: (
        (status if p.headers["lienthong-sequence"] == "2" else 204),
        {},
        b"",
    )

    assert post.serve() is True
    assert post.got() == post.ids()[:2]
    lane = post.lane()
    assert (lane.served, lane.failures) == (1, 1)
    assert post.now <= lane.due_at <= post.now + timedelta(seconds=RETRY_BASE_S)

    # Somebody rings too early: nothing is sent, and the lane is free again.
    post.now = lane.due_at - timedelta(microseconds=1)
    assert post.serve("b") is True
    assert len(post.got()) == 2
    assert post.lane() == lane

    post.now = lane.due_at
    assert post.serve("c") is True
    assert (post.lane().served, post.lane().failures) == (1, 2)

    post.agency.answer = lambda _p: (200, {}, b"")
    post.now = post.lane().due_at
    post.serve("d")
    first, second, third = post.ids()
    assert post.got() == [first, second, second, second, third]
    assert [seen for _, seen in post.arrived] == ["ballot-1@1", "ballot-2@1", "ballot-3@1"]
    assert (post.lane().served, post.lane().failures, post.lane().due_at) == (3, 0, None)
    assert [a.status for a in post.axis.attempts.of(second)] == [status, status, 200]


def test_a_receiver_says_how_long_to_wait(post):
    post.send("ballot-1")
    post.agency.answer = lambda _p: (503, {"retry-after": "120"}, b"")
    post.serve()
    assert post.lane().due_at == post.now + timedelta(seconds=120)


def test_a_receiver_names_the_moment_to_come_back(post):
    post.send("ballot-1")
    post.agency.answer = lambda _p: (429, {"retry-after": "Mon, 05 Jan 2026 12:10:00 GMT"}, b"")
    post.serve()
    assert post.lane().due_at == post.now + timedelta(minutes=10)
    # One that lies in the past asks for nothing.
    post.now += timedelta(hours=1)
    post.serve()
    assert post.now <= post.lane().due_at <= post.now + timedelta(seconds=2 * RETRY_BASE_S)


@pytest.mark.parametrize("status", [401, 403])
def test_who_does_not_let_us_in_is_tried_seldom(post, status):
    post.send("ballot-1")
    post.agency.answer = lambda _p: (status, {}, b"")
    post.serve()
    pause = (post.lane().due_at - post.now).total_seconds()
    assert RETRY_CAP_S / 2 <= pause <= RETRY_CAP_S
    assert (post.lane().served, post.lane().paused) == (0, None)


@both
def test_an_agency_that_is_gone_is_left_alone_until_it_is_resumed(post):
    post.send("ballot-1", "ballot-2")
    post.axis.happen("ballot-3", VoteCast(voter="G01", note="urgent"))
    post.send("ballot-4", to="G02")
    post.agency.answer = lambda _p: (410, {}, b"")
    post.serve()
    assert post.lane().paused == Pause(reason="gone", at=post.now, by="axis")
    assert post.lane("G01#urgent").paused == post.lane().paused
    assert post.lane("G02#normal").paused is None

    post.agency.answer = lambda _p: (200, {}, b"")
    for hours in (0, 24, 240):
        post.now += timedelta(hours=hours)
        assert post.serve() is True
        assert post.serve(lane="G01#urgent") is True
    assert len(post.got()) == 1

    post.axis.lanes.resume("G01")
    assert (post.lane().paused, post.lane().failures, post.lane().due_at) == (None, 0, None)
    for lane in (LANE, "G01#urgent"):
        post.serve(lane=lane)
    assert post.got()[1:] == [*post.ids(), *post.ids("G01#urgent")]


def test_an_operators_pause_stops_a_run_after_the_message_under_way(post):
    post.send("ballot-1", "ballot-2")
    asked = Pause(reason="moving house", at=post.now, by="administrator:a")

    def meanwhile(_post):
        post.axis.lanes.pause("G01", asked)
        return 200, {}, b""

    post.agency.answer = meanwhile
    post.serve()
    assert post.got() == post.ids()[:1]
    post.axis.lanes.pause("G01", Pause(reason="gone", at=post.now, by="axis"))
    assert (post.lane().served, post.lane().paused) == (1, asked)


def test_to_resume_what_is_not_paused_changes_nothing(post):
    post.send("ballot-1")
    post.agency.answer = lambda _p: (503, {"retry-after": "60"}, b"")
    post.serve()
    before = post.lane()
    post.axis.lanes.resume("G01")
    assert post.lane() == before


def test_a_receiver_that_is_down_for_three_days(post):
    post.send("ballot-1", "ballot-2")
    post.agency.answer = lambda _p: (503, {}, b"")
    began = post.now
    while post.now < began + timedelta(hours=72):
        post.serve()
        assert post.lane().due_at - post.now <= timedelta(seconds=RETRY_CAP_S)
        # The schedule rings each minute; here every six hours will do.
        post.now += timedelta(hours=6)
        post.send("ballot-3")
    assert set(post.got()) == set(post.ids()[:1])
    tries = len(post.got())

    post.agency.answer = lambda _p: (200, {}, b"")
    post.serve()

    assert post.got()[tries:] == post.ids()
    assert len(post.axis.attempts.of(post.ids()[0])) == tries + 1


@both
def test_a_death_between_the_answer_and_the_cursor_sends_the_same_id_again(post):
    post.send("ballot-1", "ballot-2")
    life = [Life(0)]
    post.axis.listen("before-call.dynamodb.UpdateItem", lambda params, **_: moved(params, life))

    with pytest.raises(Died):
        post.serve("a")
    first, second = post.ids()
    assert post.got() == [first]
    life[0] = Life(math.inf)

    # The dead runner's lease holds the others off until it has run out.
    assert post.serve("b") is False
    post.now += timedelta(seconds=LEASE_S + 1)
    assert post.serve("b") is True
    assert post.got() == [first, first, second]
    assert post.lane().served == 2


def moved(params, life):
    """A step in a life, where the cursor is about to move."""
    if b'"SET #s = :s' in params["body"]:
        life[0].step()


@both
def test_a_death_at_every_call(post):
    lives = [Life(math.inf)]
    post.axis.listen("before-call", lambda **_: lives[-1].step())
    for calls in count(1):
        lives.append(Life(math.inf))
        post.send("ballot-1", "ballot-2")
        lives.append(Life(calls))
        died = False
        try:
            post.serve(f"dead {calls}")
        except Died:
            died = True
        lives.append(Life(math.inf))
        post.now += timedelta(seconds=LEASE_S + 1)
        assert post.serve("next") is True
        assert list(dict.fromkeys(post.got())) == post.ids()
        assert post.lane().served == len(post.ids())
        if not died:
            break
    assert calls > 8
    # Once for each message, and once more for each death at the most.
    assert len(post.got()) <= len(post.ids()) + calls
    assert [p for p, again in zip(post.got(), post.got()[1:], strict=False) if p == again]


def test_two_runners_never_serve_one_lane_at_once(post):
    post.send("ballot-1", "ballot-2")
    answers = []

    def meanwhile(_post):
        answers.append(post.serve("b"))
        return 200, {}, b""

    post.agency.answer = meanwhile
    assert post.serve("a") is True
    assert answers == [False, False]
    assert post.got() == post.ids()


def test_a_runner_that_was_too_slow_leaves_the_lane_to_its_successor(post):
    post.send("ballot-1", "ballot-2")
    answers = []

    def dawdle(_post):
        if not answers:
            answers.append(None)
            post.now += timedelta(seconds=LEASE_S + 1)
            answers.append(post.serve("b"))
        return 200, {}, b""

    post.agency.answer = dawdle
    assert post.serve("a") is False
    assert answers == [None, True]
    first, second = post.ids()
    assert post.got() == [first, first, second]
    assert post.lane().served == 2


def test_lanes_do_not_wait_for_each_other(post):
    post.send("ballot-1")
    post.axis.happen("ballot-2", VoteCast(voter="G01", note="urgent"))
    post.send("ballot-3", to="G02")
    post.agency.answer = lambda p: (
        (500 if p.headers["lienthong-lane"] == "normal" else 200),
        {},
        b"",
    )
    for lane in (LANE, "G01#urgent", "G02#normal"):
        post.serve(lane=lane)
    served = {lane.lane: lane.served for lane in post.axis.lanes.every()}
    assert served == {LANE: 0, "G01#urgent": 1, "G02#normal": 0}


@both
@pytest.mark.parametrize("where", ["before the release", "behind the release"])
def test_a_message_that_comes_while_the_lane_is_released_is_not_lost(post, where):
    """Its own wake-up found the lane taken, or was spent."""
    post.send("ballot-1")

    def released(params=None, context=None, **_):
        return params is None or b'"REMOVE #o, #u"' in params["body"]

    event = "before-call" if where == "before the release" else "after-call"
    calls = []
    post.axis.listen("before-call.dynamodb.UpdateItem", lambda params, **_: calls.append(params))
    post.axis.listen(
        f"{event}.dynamodb.UpdateItem",
        once(lambda: post.send("ballot-2"), lambda **_: released(calls[-1])),
    )
    assert post.serve() is True
    assert post.got() == post.ids()
    assert len(post.ids()) == 2
    assert post.lane().served == 2


def receipt(post, *, seed=SEED, about=None, at=None, body=b"taken", sent=None):
    """A receiver that signs its answer; the seed's public key is the one it has registered."""

    def answer(posted):
        id_ = about or posted.headers["webhook-id"]
        now = int((at or post.now).timestamp())
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(now),
            "webhook-signature": sign_ed25519(seed, id_, now, body),
        }
        return 200, headers, body if sent is None else sent

    return answer


@pytest.mark.parametrize(
    ("how", "verified"),
    [
        pytest.param({}, True, id="a receipt"),
        pytest.param({"body": b""}, True, id="of an empty answer"),
        pytest.param({"seed": bytes(32)}, False, id="with a key nobody registered"),
        pytest.param({"about": "msg_other"}, False, id="of another message"),
        pytest.param({"at": NOW - timedelta(minutes=6)}, False, id="of long ago"),
        pytest.param({"sent": b"changed"}, False, id="of another answer"),
        pytest.param({"body": b"x" * (RECEIPT_BYTES + 1)}, False, id="of a very long answer"),
    ],
)
def test_a_signed_answer_is_kept_as_evidence(post, how, verified):
    post.send("ballot-1")
    post.agency.answer = receipt(post, **how)
    post.serve()
    (attempt,) = post.axis.attempts.of(post.ids()[0])
    assert attempt.receipt.verified == verified
    assert post.lane().served == 1, "whatever becomes of the receipt, the message has arrived"
    kept = attempt.receipt
    if not verified:
        assert kept.body == ""
        return
    headers = {
        "webhook-id": kept.id,
        "webhook-timestamp": kept.timestamp,
        "webhook-signature": kept.signature,
    }
    verify(headers, b64decode(kept.body), [PUBLIC], [], post.now)


@pytest.mark.parametrize(
    ("window", "verified"),
    [
        pytest.param({"not_before": NOW}, True, id="good since now"),
        pytest.param({"not_before": NOW + timedelta(seconds=1)}, False, id="not good yet"),
        pytest.param({"not_after": NOW + timedelta(seconds=1)}, True, id="good for a second"),
        pytest.param({"not_after": NOW}, False, id="retired"),
    ],
)
def test_a_receipt_is_verified_by_a_key_that_is_good_now_only(post, window, verified):
    post.window = Window(**window)
    post.send("ballot-1")
    post.agency.answer = receipt(post)
    post.serve()
    (attempt,) = post.axis.attempts.of(post.ids()[0])
    assert attempt.receipt.verified == verified
    assert post.lane().served == 1


@pytest.mark.parametrize("left_out", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_an_answer_that_is_not_signed_is_no_receipt(post, left_out):
    post.send("ballot-1")
    signed = receipt(post)

    def answer(posted):
        status, headers, body = signed(posted)
        return status, {n: v for n, v in headers.items() if n != left_out}, body

    post.agency.answer = answer
    post.serve()
    (attempt,) = post.axis.attempts.of(post.ids()[0])
    assert (attempt.status, attempt.receipt) == (200, None)


def test_without_an_endpoint_a_message_waits(post):
    post.send("ballot-1")
    post.known = False
    assert post.serve() is True
    assert (post.lane().served, post.lane().failures) == (0, 1)
    (attempt,) = post.axis.attempts.of(post.ids()[0])
    assert (attempt.status, attempt.reason) == (0, "no-endpoint")

    post.known = True
    post.now = post.lane().due_at
    post.serve()
    assert post.got() == post.ids()


def test_to_a_locked_system_nothing_is_sent_until_it_is_unlocked(post):
    post.send("ballot-1")
    post.locks = ("system-1",)
    post.serve()
    assert (post.got(), post.lane().served, post.lane().parked) == ([], 0, 0)
    (attempt,) = post.axis.attempts.of(post.ids()[0])
    assert (attempt.status, attempt.reason) == (0, "system-locked")

    post.locks = ("system-2",)
    post.now = post.lane().due_at
    post.serve()
    assert post.got() == post.ids()


def test_a_runner_stops_in_time_and_the_next_goes_on(post):
    post.send("ballot-1", "ballot-2", "ballot-3")

    def slow(_post):
        post.now += timedelta(seconds=30)
        return 200, {}, b""

    post.agency.answer = slow
    assert post.serve(until_s=50) is True
    assert post.got() == post.ids()[:2]
    assert post.serve("b", until_s=50) is True
    assert post.got() == post.ids()


def test_an_empty_lane_is_served_by_doing_nothing(post):
    assert post.serve() is True
    assert post.agency.posts == []


@given(st.integers(1, 10_000), st.none() | st.integers(0, 10**9))
def test_waits_are_bounded(failures, asked):
    seconds = wait(failures, Answer(503, "", asked), NOW).total_seconds()
    least = min(asked or 0, 86_400)
    assert (
        least <= seconds <= max(least, min(RETRY_CAP_S, RETRY_BASE_S * 2 ** min(failures - 1, 20)))
    )


def test_waits_grow_and_are_spread(monkeypatch):
    monkeypatch.setattr("random.uniform", Random(7).uniform)  # noqa: S311 -- a test's dice.
    busy = Answer(503, "")
    early = [wait(1, busy, NOW).total_seconds() for _ in range(200)]
    late = [wait(12, busy, NOW).total_seconds() for _ in range(200)]
    assert 1 < sum(early) / 200 < 3
    assert 1_400 < sum(late) / 200 < 2_200
    assert len(set(late)) > 190
