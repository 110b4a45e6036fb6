"""What a receiver refuses for good is set aside with its case; nothing else waits for it."""

import math
from datetime import timedelta
from itertools import count

import pytest
from axis import Axis
from delivery.postman import LANE, Post
from faults import Died, Life
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from receivers import receiver
from shelves import DYNAMODB, moto_rack

from chalicelib.delivery.deliver import ABANDONED
from chalicelib.delivery.lanes import LEASE_S
from chalicelib.delivery.parking import BEHIND, ParkedMessage, Parking

both = pytest.mark.parametrize("axis", DYNAMODB, indirect=True)
CASES = ("ballot-1", "ballot-2", "ballot-1x")


def seen(post):
    """What has arrived, in order."""
    return [seen for _, seen in post.arrived]


def refusing(*sequences, status=422, body=b'{"code": "type-unknown"}'):
    """A receiver that refuses some messages for good."""
    return lambda p: (
        (status, {}, body) if int(p.headers["lienthong-sequence"]) in sequences else (204, {}, b"")
    )


@both
def test_a_refused_message_is_parked_and_only_its_case_waits(post):
    post.send("ballot-1", "ballot-2", "ballot-1", "ballot-2", "ballot-1")
    post.agency.answer = refusing(1)
    assert post.serve() is True

    one, two, three, four, five = post.ids()
    assert post.got() == [one, two, four]
    assert [seen for _, seen in post.arrived] == ["ballot-2@1", "ballot-2@2"]
    assert (post.lane().served, post.lane().parked, post.lane().failures) == (5, 3, 0)
    assert post.parking.of(LANE, "ballot-1") == [
        ParkedMessage(
            lane=LANE,
            case="ballot-1",
            sequence=sequence,
            message=id_,
            type="ballot.vote_cast",
            reason=reason,
            at=post.now,
        )
        for sequence, id_, reason in (
            (1, one, "422 type-unknown"),
            (3, three, BEHIND),
            (5, five, BEHIND),
        )
    ]
    assert post.parking.of(LANE, "ballot-2") == []
    assert post.parked == [(one, "422 type-unknown")]
    (attempt,) = post.axis.attempts.of(one)
    assert (attempt.status, attempt.reason) == (422, "type-unknown")


@both
def test_a_released_case_is_delivered_in_order_before_what_follows(post):
    post.send("ballot-1", "ballot-2", "ballot-1")
    post.agency.answer = refusing(1)
    post.serve()
    before = len(post.got())
    post.send("ballot-1", "ballot-2")

    post.agency.answer = refusing()
    post.parking.release(LANE, "ballot-1")
    assert post.lane().due(post.now)
    post.serve("b")

    one, two, three, four, five = post.ids()
    assert post.got()[:before] == [one, two]
    assert post.got()[before:] == [one, three, four, five]
    assert (post.lane().parked, post.lane().released) == (0, frozenset())
    assert not post.lane().due(post.now)
    assert sorted(seen for _, seen in post.arrived) == [
        "ballot-1@1", "ballot-1@2", "ballot-1@3", "ballot-2@1", "ballot-2@2",
    ]  # fmt: skip


@both
def test_what_is_refused_again_stays_and_what_comes_meanwhile_queues_behind(post):
    post.send("ballot-1", "ballot-1", "ballot-1")
    post.agency.answer = refusing(1)
    post.serve()

    def meanwhile(sent):
        if sent.headers["lienthong-sequence"] == "1":
            post.send("ballot-1")  # While the release is under way.
        return refusing(2, status=400, body=b"no")(sent)

    post.agency.answer = meanwhile
    post.parking.release(LANE, "ballot-1")
    post.serve("b")
    reasons = [(p.sequence, p.reason) for p in post.parking.of(LANE, "ballot-1")]
    assert reasons == [(2, "400"), (3, BEHIND), (4, BEHIND)]
    assert (post.lane().parked, post.lane().released) == (3, frozenset())
    assert post.parked[-1] == (post.ids()[1], "400")


@both
def test_after_a_rewind_what_comes_before_the_parked_message_is_posted_again(post):
    post.send("ballot-1", "ballot-2", "ballot-1", "ballot-1")
    post.agency.answer = refusing(3)
    post.serve()
    post.axis.dynamodb.update_item(**post.axis.lanes.rewinding(LANE, 4, 0))
    before = len(post.got())
    post.serve("b")
    one, two, *_ = post.ids()
    assert post.got()[before:] == [one, two]
    aside = [(p.sequence, p.reason) for p in post.parking.of(LANE, "ballot-1")]
    assert aside == [(3, "422 type-unknown"), (4, BEHIND)]
    assert (post.lane().served, post.lane().parked) == (4, 2)


def test_after_a_rewind_it_may_be_refused_in_its_turn(post):
    post.send("ballot-1", "ballot-1")
    post.agency.answer = refusing(2)
    post.serve()
    post.axis.dynamodb.update_item(**post.axis.lanes.rewinding(LANE, 2, 0))
    post.agency.answer = refusing(1, 2)
    post.serve("b")
    aside = [(p.sequence, p.reason) for p in post.parking.of(LANE, "ballot-1")]
    assert aside == [(1, "422 type-unknown"), (2, "422 type-unknown")]
    post.agency.answer = refusing()
    post.parking.release(LANE, "ballot-1")
    post.serve("c")
    assert post.got()[-2:] == post.ids()
    assert post.lane().parked == 0


def test_a_release_waits_for_a_receiver_that_is_down(post):
    post.send("ballot-1", "ballot-1")
    post.agency.answer = refusing(1)
    post.serve()
    post.agency.answer = lambda _p: (503, {}, b"")
    post.parking.release(LANE, "ballot-1")
    post.serve("b")
    assert (post.lane().parked, post.lane().failures) == (2, 1)
    assert not post.lane().due(post.now)
    post.now = post.lane().due_at
    assert post.lane().due(post.now)
    post.agency.answer = refusing()
    post.serve("c")
    assert post.got()[-2:] == post.ids()
    assert (post.lane().parked, post.lane().failures) == (0, 0)


def test_to_release_what_is_not_parked_changes_nothing(post):
    post.send("ballot-1")
    post.parking.release(LANE, "ballot-1")
    post.parking.release(LANE, "ballot-9")
    post.serve()
    assert post.got() == post.ids()
    assert post.lane().released == frozenset()


def test_a_letter_that_cannot_be_written_is_parked_without_being_sent(post):
    post.unwritable.add("ballot-1")
    post.send("ballot-1", "ballot-2", "ballot-1")
    post.serve()
    one, two, three = post.ids()
    assert post.got() == [two]
    assert post.parked == [(one, "not-composed: LetterTooLarge")]
    post.unwritable.clear()
    post.parking.release(LANE, "ballot-1")
    post.serve()
    assert post.got() == [two, one, three]


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"code": "secret-document", "detail": "Nguyen Van Demo"}', "422 secret-document"),
        (b'{"code": 18}', "422 18"),
        (b'{"code": "001099012345"}', "422"),
        (b'{"code": "call-0912345678"}', "422"),
        (b'{"code": "Nguyen Van Demo"}', "422"),
        (b'{"code": "' + b"x" * 65 + b'"}', "422"),
        (b'{"code": null}', "422 None"),
        (b'["code"]', "422"),
        (b"[" * 9_000, "422"),
        (b"\xff", "422"),
        (b"", "422"),
    ],
)
def test_of_a_refusal_only_its_code_is_kept(post, body, kept):
    post.send("ballot-1")
    post.agency.answer = refusing(1, body=body)
    post.serve()
    assert [why for _, why in post.parked] == [kept]
    (attempt,) = post.axis.attempts.of(post.ids()[0])
    assert "Demo" not in attempt.model_dump_json()


def test_parked_messages_are_listed_page_by_page(post):
    post.send("ballot-1", "ballot-1x", "ballot-1", "ballot-2", "ballot-1x")
    post.agency.answer = refusing(1, 2, 4)
    post.serve()
    post.parking.release(LANE, "ballot-2")
    found, after = [], None
    for _ in range(4):
        page, after = post.parking.page(LANE, after, 2)
        found += page
        if after is None:
            break
    assert [(p.case, p.sequence, p.released) for p in found] == [
        ("ballot-1", 1, False), ("ballot-1", 3, False),
        ("ballot-1x", 2, False), ("ballot-1x", 5, False),
        ("ballot-2", 4, True),
    ]  # fmt: skip


@both
def test_a_death_at_every_call_while_parking_and_releasing(post):
    lives = [Life(math.inf)]
    post.axis.listen("before-call", lambda **_: lives[-1].step())
    for calls in count(1):
        lives.append(Life(math.inf))
        case = f"ballot-{calls}"
        post.agency.answer = lambda p, case=case: (
            (422, {}, b"") if p.body.endswith(f"{case}@1".encode()) else (200, {}, b"")
        )
        post.send(case, case)
        died = False
        for step in ("park", "release"):
            if step == "release":
                post.agency.answer = lambda _p: (200, {}, b"")
                post.parking.release(LANE, case)
            lives.append(Life(calls))
            try:
                post.serve(f"dead {step} {calls}")
            except Died:
                died = True
            lives.append(Life(math.inf))
            post.now += timedelta(seconds=LEASE_S + 1)
            assert post.serve(f"next {step} {calls}") is True
            assert len(post.parking.of(LANE, case)) == post.lane().parked
            assert post.lane().parked == (2 if step == "park" else 0)
        assert post.lane().served == len(post.ids())
        if not died:
            break
    assert calls > 8
    assert list(dict.fromkeys(seen for _, seen in post.arrived)) == [
        f"ballot-{n}@{commit}" for n in range(1, calls + 1) for commit in (1, 2)
    ]


@pytest.fixture(scope="module")
def world():
    """One axis and one receiver for all runs of the machine; each has an agency of its own."""
    with moto_rack() as rack, receiver() as agency:
        yield Axis(rack), agency


_numbers = count(1)


class Careless(Parking):
    """Forgets that the rest of a parked message's case has to wait behind it."""

    def of(self, lane, case):
        return super().of(lane, case) if case in self.lanes.cursor(lane).released else []


def machine(world):  # noqa: C901 -- a rule for each thing that may happen.
    """Sender, receiver, operator and deaths in any order: see `test_whatever_happens`."""
    axis, agency = world
    lives = [Life(math.inf)]
    axis.listen("before-call", lambda **_: lives[-1].step())
    cases = st.sampled_from("abc")

    class Delivery(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.number = next(_numbers)
            self.code = f"M{self.number}"
            self.lane = f"{self.code}#normal"
            self.post = Post(axis, agency)
            agency.posts.clear()
            agency.answer = self.answer
            self.sent = {}
            self.accepted = []
            self.refused = set()
            self.down = False
            self.meanwhile = []
            self.wrong = []

        def stream(self, case):
            return f"ballot-{self.number}{case}"

        def answer(self, sent):
            # What others do meanwhile does not take of the runner's life.
            lives.append(Life(math.inf))
            while self.meanwhile:
                self.meanwhile.pop()()
            lives.pop()
            id_ = sent.headers["webhook-id"]
            case = self.sent[id_]
            if self.down:
                return 503, {}, b""
            if case in self.refused:
                return 422, {}, b""
            if id_ not in self.accepted:
                first = next(
                    i for i, c in self.sent.items() if c == case and i not in self.accepted
                )
                if first != id_:
                    self.wrong.append((case, id_))
                self.accepted.append(id_)
            return 200, {}, b""

        @rule(several=st.lists(cases, min_size=1, max_size=4))
        def send(self, several):
            for case in several:
                self.post.send(self.stream(case), to=self.code)
                ids = self.post.ids(self.lane)
                self.sent[ids[-1]] = case
                assert len(ids) == len(self.sent)

        @rule(case=cases)
        def release(self, case):
            self.post.parking.release(self.lane, self.stream(case))

        @rule(back=st.integers(1, 4))
        def rewind(self, back):
            served = axis.lanes.cursor(self.lane).served
            if served >= back:
                axis.dynamodb.update_item(**axis.lanes.rewinding(self.lane, served, served - back))

        @rule(case=cases, what=st.sampled_from(["send", "release"]))
        def while_posting(self, case, what):
            self.meanwhile.append(
                lambda: self.send([case]) if what == "send" else self.release(case)
            )

        @rule(refused=st.sets(cases, max_size=2), down=st.sampled_from([False, False, True]))
        def serve(self, refused, down):
            self.refused, self.down = refused, down
            self.post.now += timedelta(hours=2)
            assert self.post.serve("alive", self.lane) is True

        @rule(refused=st.sets(cases, max_size=2), calls=st.integers(1, 25))
        def die(self, refused, calls):
            self.refused, self.down = refused, False
            self.post.now += timedelta(hours=2)
            lives.append(Life(calls))
            try:
                self.post.serve("dead", self.lane)
            except Died:
                pass
            finally:
                lives.append(Life(math.inf))

        @invariant()
        def order_within_a_case_holds(self):
            assert self.wrong == []

        def teardown(self):
            self.meanwhile.clear()
            for case in "abc":
                self.release(case)
            self.serve(set(), down=False)
            assert self.wrong == []
            assert sorted(self.accepted) == sorted(self.sent)
            if self.sent:
                lane = self.post.lane(self.lane)
                assert (lane.served, lane.parked, lane.released) == (len(self.sent), 0, frozenset())
            assert {id_ for id_, _ in self.post.arrived} == set(self.sent)

    return Delivery


RUN = settings(
    max_examples=20, stateful_step_count=20, phases=[Phase.generate], report_multiple_bugs=False
)


def test_whatever_happens(world):
    """No message is lost, none overtakes another of its case, whoever dies or races whom."""
    examples = settings.default.max_examples // 20
    run_state_machine_as_test(machine(world), settings=settings(RUN, max_examples=examples))


def test_without_the_queue_behind_a_parked_message_order_is_lost(axis, agency):
    post = Post(axis, agency, Careless)
    post.send("ballot-1", "ballot-1")
    post.agency.answer = refusing(1)
    post.serve()
    assert [seen for _, seen in post.arrived] == ["ballot-1@2"]


@both
def test_what_is_given_up_is_never_posted_and_its_case_goes_on(post):
    post.send("ballot-1", "ballot-2", "ballot-1")
    post.agency.answer = refusing(1)
    post.serve()
    one, two, three = post.ids()
    order = post.give_up()
    assert post.lane().due(post.now)
    post.serve("b")

    assert post.got() == [one, two, three]
    assert post.parked == [(one, "422 type-unknown"), (one, ABANDONED)]
    assert seen(post) == ["ballot-2@1", "ballot-1@2"]
    assert (post.lane().parked, post.lane().released) == (0, frozenset())
    tried, last = post.axis.attempts.of(one)
    assert (tried.status, tried.given_up) == (422, None)
    assert (last.status, last.reason, last.given_up) == (0, ABANDONED, order)
    post.send("ballot-1")
    post.serve("c")
    assert post.got() == [one, two, three, post.ids()[-1]]


def test_what_is_refused_behind_it_stays(post):
    post.send("ballot-1", "ballot-1", "ballot-1")
    post.agency.answer = refusing(1, 2)
    post.serve()
    post.give_up()
    post.serve("b")
    reasons = [(p.sequence, p.reason) for p in post.parking.of(LANE, "ballot-1")]
    assert reasons == [(2, "422 type-unknown"), (3, BEHIND)]
    assert post.lane().released == frozenset()


def test_an_order_during_the_post_that_is_refused_again_is_not_lost(post):
    post.send("ballot-1", "ballot-1")
    post.agency.answer = refusing(1)
    post.serve()
    left = ["the order"]

    def meanwhile(sent):
        if left:
            left.pop()
            post.give_up()
        return refusing(1)(sent)

    post.agency.answer = meanwhile
    post.parking.release(LANE, "ballot-1")
    assert post.serve("b") is False, "who finds itself overtaken leaves the lane to the next"
    post.now += timedelta(seconds=LEASE_S + 1)
    assert post.serve("c") is True
    one, two = post.ids()
    assert post.got() == [one, one, two]
    assert post.parked[-1] == (one, ABANDONED)
    assert post.lane().parked == 0


def test_a_death_at_every_call_while_something_is_given_up(post):
    lives = [Life(math.inf)]
    post.axis.listen("before-call", lambda **_: lives[-1].step())
    for calls in count(1):
        lives.append(Life(math.inf))
        case = f"ballot-{calls}"
        post.send(case, case)
        first = post.axis.outbox.head(LANE) - 1
        post.agency.answer = refusing(first)
        post.serve()
        post.give_up(first)
        lives.append(Life(calls))
        died = False
        try:
            post.serve(f"dead {calls}")
        except Died:
            died = True
        lives.append(Life(math.inf))
        post.now += timedelta(seconds=LEASE_S + 1)
        assert post.serve(f"next {calls}") is True
        assert (post.lane().parked, post.lane().served) == (0, first + 1)
        gone = post.axis.outbox.message(LANE, first).id
        # However often it was begun, the order stands there once.
        assert [a.reason for a in post.axis.attempts.of(gone)] == ["type-unknown", ABANDONED]
        assert (gone, ABANDONED) in post.parked
        if not died:
            break
    assert calls > 8
    assert list(dict.fromkeys(seen(post))) == [f"ballot-{n}@2" for n in range(1, calls + 1)]
