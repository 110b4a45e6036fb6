"""How a wish becomes a commit: `handle` and `check` on a shelf in memory."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from ballot import Ballot, BallotNotOpen, CloseBallot, OpenBallot, ballot, cast, origin
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.handle import (
    ATTEMPTS,
    Done,
    IdempotencyKeyReused,
    PreconditionFailed,
    Stale,
    check,
    fold,
    handle,
)
from chalicelib.kernel import Refused

STREAM = "ballot-1"


@pytest.fixture
def store():
    return EventStore(MemoryShelf(), release="2026.1")


def close(key="close"):
    return CloseBallot(origin=origin(key))


def test_a_grant_names_the_version_to_wait_for(store):
    done = handle(store, ballot, "1", cast("a", "a", "b"))

    assert (done.stream, done.number, done.seen) == (STREAM, 1, "ballot-1@1")
    assert store.load(STREAM) == [done.commit]
    assert [event["voter"] for event in done.commit.data()] == ["a", "b"]


def test_a_wish_that_has_come_true_writes_nothing(store):
    handle(store, ballot, "1", cast("a"))

    assert handle(store, ballot, "1", cast("again", "a")) == Done(STREAM, 1)
    assert len(store.load(STREAM)) == 1


def test_a_wish_that_wrote_nothing_is_decided_afresh(store):
    opens = OpenBallot(origin=origin("late", "first"), title="Test")
    handle(store, ballot, "1", cast("a"))
    assert handle(store, ballot, "1", opens).commit is None

    # The same key may now say something else: nothing is remembered of it.
    other = cast("late", "b").model_copy(update={"origin": origin("late", "second")})
    assert handle(store, ballot, "1", other).number == 2


def test_an_empty_stream_is_at_version_nought(store):
    assert handle(store, ballot, "1", cast("a").model_copy(update={"voters": ()})) == Done(
        STREAM, 0
    )


def test_a_refusal_leaves_nothing(store):
    handle(store, ballot, "1", close())
    before = dict(store.shelf.items)

    for _ in range(2):
        with pytest.raises(BallotNotOpen):
            handle(store, ballot, "1", cast("a"), claim=True)

    assert store.shelf.items == before
    assert store.shelf.claims == {}


@pytest.mark.parametrize(("expected", "granted"), [(None, True), (1, True), (0, False), (2, False)])
def test_if_match_names_the_version_that_was_seen(store, expected, granted):
    handle(store, ballot, "1", cast("a"))
    command = cast("b", expected=expected)

    if granted:
        assert handle(store, ballot, "1", command).number == 2
        return
    with pytest.raises(PreconditionFailed, match=f"the version is 1, not {expected}") as refusal:
        handle(store, ballot, "1", command)
    assert refusal.value.field == "If-Match"
    assert len(store.load(STREAM)) == 1


def test_who_is_always_overtaken_is_asked_to_come_back(store):
    overtaken = []

    def clock():
        overtaken.append(1)
        handle(store, ballot, "1", cast(f"faster {len(overtaken)}"))
        return store.clock()

    with pytest.raises(Stale, match="ballot-1"):
        handle(replace(store, clock=clock), ballot, "1", cast("slow"))

    assert len(store.load(STREAM)) == len(overtaken) == ATTEMPTS
    assert "slow" not in fold(ballot, store.load(STREAM)).voters


def test_who_is_overtaken_by_a_refusal_is_refused(store):
    closed = []

    def clock():
        if not closed:
            closed.append(handle(store, ballot, "1", close()))
        return store.clock()

    with pytest.raises(BallotNotOpen):
        handle(replace(store, clock=clock), ballot, "1", cast("slow"))


def test_who_is_overtaken_by_the_same_wish_stays_quiet(store, capsys):
    first = []

    def clock():
        if not first:
            first.append(handle(store, ballot, "1", cast("faster", "a")))
        return store.clock()

    done = handle(replace(store, clock=clock), ballot, "1", cast("slow", "a"))

    assert done == Done(STREAM, 1)
    [said] = map(json.loads, capsys.readouterr().out.splitlines())
    assert said["Conflicts"] == [1]
    assert STREAM not in json.dumps(said)


def test_another_release_reads_what_an_older_one_wrote(store):
    handle(store, ballot, "1", cast("a"))
    newer = replace(store, release="2026.2")
    handle(newer, ballot, "1", cast("b"))

    assert [c.facts["release"] for c in newer.load(STREAM)] == ["2026.1", "2026.2"]


def test_folding_goes_on_from_a_state(store):
    for name in "abc":
        handle(store, ballot, "1", cast(name))
    commits = store.load(STREAM)

    assert fold(ballot, []) == Ballot()
    assert fold(ballot, commits[1:], fold(ballot, commits[:1])) == fold(ballot, commits)


# Asking first.


def test_checking_foretells_and_writes_nothing(store):
    assert check(store, ballot, "1", cast("a")) is True
    assert store.shelf.items == {}

    handle(store, ballot, "1", cast("a"))

    assert check(store, ballot, "1", cast("a")) is False
    assert check(store, ballot, "1", cast("again", "a")) is False
    assert check(store, ballot, "1", cast("b")) is True


def test_checking_finds_a_claim_that_handling_would_meet(store):
    handle(store, ballot, "1", cast("a"), claim=True)

    assert check(store, ballot, "1", cast("a"), claim=True) is False
    assert check(store, ballot, "2", cast("b"), claim=True) is True
    assert check(store, ballot, "2", cast("a")) is True
    with pytest.raises(IdempotencyKeyReused):
        check(store, ballot, "2", cast("a"), claim=True)


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        pytest.param(cast("b"), BallotNotOpen, id="the decider's"),
        pytest.param(cast("b", expected=1), PreconditionFailed, id="the version's"),
        pytest.param(cast("a", "somebody else"), IdempotencyKeyReused, id="the key's"),
    ],
)
def test_checking_refuses_as_handling_would(store, command, refusal):
    handle(store, ballot, "1", cast("a"))
    handle(store, ballot, "1", close())

    for ask in (check, handle):
        with pytest.raises(refusal):
            ask(store, ballot, "1", command)


class Voting(RuleBasedStateMachine):
    """Whatever the order, a key is one commit at most, and repeating it repeats its answer."""

    def __init__(self):
        super().__init__()
        self.store = EventStore(MemoryShelf(), release="2026.1")
        self.written = {}

    @rule(
        key=st.sampled_from("abcdef"),
        voters=st.lists(st.sampled_from("xyz"), min_size=1, max_size=2, unique=True),
    )
    def vote(self, key, voters):
        self.ask(cast(key, *voters))

    @rule(key=st.sampled_from("fg"))
    def close(self, key):
        self.ask(CloseBallot(origin=origin(key)))

    def ask(self, command):
        known = self.written.get(command.origin.command_id)
        with suppress(Refused):
            done = handle(self.store, ballot, "1", command)
            if known:
                assert done == known
            elif done.commit:
                self.written[command.origin.command_id] = done

    @invariant()
    def the_stream_is_what_was_answered(self):
        commits = self.store.load(STREAM)
        assert commits == [done.commit for done in self.written.values()]
        assert [commit.number for commit in commits] == list(range(1, len(commits) + 1))


TestVoting = Voting.TestCase
