"""What every shelf must do: one suite, run unchanged in memory, on moto and on the emulator."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from ballot import BallotClosed, BallotOpened, VoteCast, ballot, cast, origin

from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.store import (
    CLAIM_CHECK_BYTES,
    MAX_BODY_BYTES,
    MAX_EVENTS,
    MAX_HEADER_BYTES,
    Claim,
    Claimed,
    Contended,
    Corrupt,
    EventStore,
    Lost,
    NumberTaken,
    Take,
)
from chalicelib.handle import IdempotencyKeyReused, PreconditionFailed, Stale, fold, handle
from chalicelib.text import b64url

STREAM = "ballot-1"
OPENED = BallotOpened(title="Test")


def vote(note="", voter="v"):
    return VoteCast(voter=voter, note=note)


def fill(store, count, stream=STREAM, note=""):
    """Append `count` commits of one event each."""
    commits = []
    for number in range(1, count + 1):
        last = commits[-1] if commits else None
        commits.append(store.append(stream, last, [vote(note)], origin(f"{stream}@{number}")))
    return commits


def meanwhile(store, act):
    """The same store, but `act` happens once between deciding and writing."""
    acts = [act]

    def clock():
        if acts:
            acts.pop()()
        return store.clock()

    return replace(store, clock=clock)


class LosesAnswers:
    """A shelf whose line drops right after each write."""

    def __init__(self, shelf):
        self._shelf = shelf

    def __getattr__(self, name):
        return getattr(self._shelf, name)

    def put(self, commit, take, claim):
        self._shelf.put(commit, take, claim)
        raise ConnectionError


# What is written is what is read.


def test_a_commit_comes_back_as_it_was_written(store):
    asked = origin("first")
    written = store.append(STREAM, None, [OPENED], asked)

    [read] = store.load(STREAM)

    assert (read.header, read.body, read.hash) == (written.header, written.body, written.hash)
    assert read.seen == "ballot-1@1"
    assert read.data() == [{"type": "ballot.opened", "title": "Test"}]
    facts = read.facts | {"recorded_at": "", "body_hash": ""}
    assert facts == {
        "actor": asked.actor,
        "assurance": 2,
        "body_hash": "",
        "causation": asked.causation,
        "command": asked.command_id,
        "correlation": asked.correlation,
        "digest": asked.digest,
        "events": ["ballot.opened/1"],
        "method": "jwt",
        "number": 1,
        "previous": "",
        "recorded_at": "",
        "release": "2026.1",
        "stream": STREAM,
    }


def test_what_was_never_written_is_empty(store):
    assert store.load("ballot-none") == []
    assert store.commits([("ballot-none", 1)]) == {}
    assert store.shelf.hashes([("ballot-none", 1)]) == {}
    assert list(store.shelf.every_place()) == []
    assert store.shelf.counter("none") == 0
    assert store.shelf.claim("none") is None


def test_several_events_are_one_commit(store):
    events = [OPENED, vote(voter="a"), vote(voter="b"), BallotClosed()]
    store.append(STREAM, None, events, origin("first"))

    [read] = store.load(STREAM)

    assert ballot.codec.validate_json(read.body) == events
    assert read.facts["events"] == [f"{event.type}/1" for event in events]


def test_text_survives_in_every_script(store):
    note = 'Quyết định số 15/QĐ-BNV "về việc…" \\ \x07 \u2028 𠀀'
    store.append("ballot-15/QĐ-BNV", None, [vote(note)], origin("first"))

    [read] = store.load("ballot-15/QĐ-BNV")

    assert read.data()[0]["note"] == note


def test_a_stream_may_exceed_what_one_answer_holds(store):
    written = fill(store, 30, note="n" * 60_000)

    read = store.load(STREAM)

    assert sum(len(commit.body) for commit in read) > 1_500_000
    assert [commit.hash for commit in read] == [commit.hash for commit in written]


def test_a_stream_reads_as_of_every_commit(store):
    written = fill(store, 12)

    for number in range(14):
        read = store.load(STREAM, up_to=number)
        assert [commit.hash for commit in read] == [c.hash for c in written[:number]]


def test_commits_are_found_by_place(store):
    written = {c.place: c for c in (*fill(store, 60), *fill(store, 60, "ballot-2"))}
    asked = [*written, ("ballot-1", 61), ("ballot-3", 1), ("ballot-1", 1)]

    assert {p: c.hash for p, c in store.commits(asked).items()} == {
        p: c.hash for p, c in written.items()
    }
    assert store.shelf.hashes(asked) == {p: c.hash for p, c in written.items()}
    assert sorted(store.shelf.every_place()) == sorted(written)


def test_names_that_would_collide_when_joined_do_not(store):
    fill(store, 12, "ballot-1")
    fill(store, 1, "ballot-11")
    fill(store, 1, "ballot-1-1")

    assert [len(store.load(s)) for s in ("ballot-1", "ballot-11", "ballot-1-1")] == [12, 1, 1]
    # `copy` + `x-1` and `copy-x` + `1` join to the same name; which of them it is, the dash says.
    with pytest.raises(ValueError, match="not a stream name"):
        store.append("Copy-x-1", None, [OPENED], origin("first"))


@pytest.mark.parametrize(
    "name", ["ballot", "-1", "ballot-", "9-1", "ballot-a b", "ballot-a@1", "ballot-a#1", ""]
)
def test_a_name_that_is_none_is_refused(store, name):
    with pytest.raises(ValueError, match="not a stream name"):
        store.load(name)
    with pytest.raises(ValueError, match="not a stream name"):
        store.append(name, None, [OPENED], origin("first"))


def test_recorded_at_never_goes_back(rack):
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    times = iter([noon, noon - timedelta(hours=1), noon + timedelta(seconds=1), noon])
    fill(EventStore(rack.shelf, "2026.1", clock=lambda: next(times)), 4)

    read = [commit.recorded_at for commit in EventStore(rack.shelf, "2026.1").load(STREAM)]

    later = noon + timedelta(seconds=1)
    assert read == [noon, noon, later, later]


def test_recorded_at_is_utc_wherever_the_clock_hangs(rack):
    hanoi = datetime.fromisoformat("2026-01-05T19:00:00+07:00")
    [commit] = fill(EventStore(rack.shelf, "2026.1", clock=lambda: hanoi), 1)

    assert commit.facts["recorded_at"] == "2026-01-05T12:00:00.000000+00:00"


# Limits.


def test_a_large_body_comes_back(store):
    note = "n" * (CLAIM_CHECK_BYTES + 1)
    store.append(STREAM, None, [vote(note)], origin("first"))
    store.append(STREAM, *store.load(STREAM), [vote("small")], origin("second"))

    large, small = store.load(STREAM)

    assert large.data()[0]["note"] == note
    assert small.data()[0]["note"] == "small"
    assert store.commits([large.place])[large.place].body == large.body


def test_a_large_winner_is_learnt_too(store):
    winner = store.append(STREAM, None, [vote("n" * CLAIM_CHECK_BYTES)], origin("first"))

    with pytest.raises(Lost) as lost:
        store.append(STREAM, None, [OPENED], origin("second"))

    assert lost.value.winner.body == winner.body


@pytest.mark.parametrize(
    ("events", "fields"),
    [
        pytest.param([], {}, id="no event"),
        pytest.param([OPENED] * (MAX_EVENTS + 1), {}, id="too many events"),
        pytest.param([vote("n" * MAX_BODY_BYTES)], {}, id="too large a body"),
        pytest.param([OPENED], {"actor": "a" * MAX_HEADER_BYTES}, id="too large a header"),
    ],
)
def test_a_commit_has_limits(store, events, fields):
    asked = origin("first").model_copy(update=fields)
    with pytest.raises(ValueError, match=r"limit|holds 1 to 500"):
        store.append(STREAM, None, events, asked)
    assert store.load(STREAM) == []


def test_the_largest_commit_that_is_not_checked_in_fits(store):
    room = CLAIM_CHECK_BYTES - len('[{"type":"ballot.vote_cast","voter":"v","note":""}]')
    actor = "a" * (MAX_HEADER_BYTES - 1_000)
    asked = origin("first").model_copy(update={"actor": actor})
    store.append(STREAM, None, [vote("n" * room)], asked)

    [read] = store.load(STREAM)

    assert (len(read.body), read.facts["actor"]) == (CLAIM_CHECK_BYTES, actor)


def test_a_commit_follows_one_of_its_own_stream(store):
    [other] = fill(store, 1, "ballot-2")
    with pytest.raises(ValueError, match="ballot-2@1 is not in ballot-1"):
        store.append(STREAM, other, [OPENED], origin("first"))


# Damage is noticed.


@pytest.mark.parametrize("number", [1, 3], ids=["the first", "one in the middle"])
def test_a_hole_is_noticed(rack, store, number):
    fill(store, 5)
    rack.remove((STREAM, number))

    with pytest.raises(Corrupt, match=f"ballot-1 has no commit {number}"):
        store.load(STREAM)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_altered_events_are_noticed(rack, store, number):
    fill(store, 5)
    rack.alter((STREAM, number), body=b'[{"type":"ballot.closed"}]')

    with pytest.raises(Corrupt, match="events that its header does not cover"):
        store.load(STREAM)
    with pytest.raises(Corrupt, match="events that its header does not cover"):
        store.commits([(STREAM, number)])


@pytest.mark.parametrize("number", [1, 3, 4])
def test_an_altered_header_is_noticed_by_the_next(rack, store, number):
    written = fill(store, 5)
    header = written[number - 1].header.replace(b"agency:G22", b"agency:G09")
    assert header != written[number - 1].header
    rack.alter((STREAM, number), header=header)

    with pytest.raises(Corrupt, match=f"ballot-1@{number + 1} does not follow"):
        store.load(STREAM)


def test_a_commit_altered_with_its_own_digests_is_noticed_by_the_next(rack, store):
    written = fill(store, 3)
    forged = EventStore(MemoryShelf(), "2026.1").append(
        STREAM, written[0], [vote("forged")], origin("forged")
    )
    rack.alter(forged.place, header=forged.header, body=forged.body)

    with pytest.raises(Corrupt, match="ballot-1@3 does not follow"):
        store.load(STREAM)


def test_a_commit_put_in_another_place_is_noticed(rack, store):
    written = fill(store, 3)
    rack.alter((STREAM, 2), header=written[2].header, body=written[2].body)

    with pytest.raises(Corrupt, match="ballot-1@2 holds another commit's header"):
        store.load(STREAM)
    with pytest.raises(Corrupt, match="ballot-1@2 holds another commit's header"):
        store.commits([(STREAM, 2)])


def test_a_commit_of_another_stream_is_noticed(rack, store):
    fill(store, 2)
    [_, other] = fill(store, 2, "ballot-2")
    rack.alter((STREAM, 2), header=other.header, body=other.body)

    with pytest.raises(Corrupt, match="ballot-1@2 holds another commit's header"):
        store.load(STREAM)


# Two at once.


def test_of_two_writers_one_wins_and_the_other_learns_of_it(store):
    [seen] = fill(store, 1)
    winner = store.append(STREAM, seen, [vote("a")], origin("a"))

    with pytest.raises(Lost) as lost:
        store.append(STREAM, seen, [vote("b")], origin("b"))

    assert lost.value.winner == winner
    assert [commit.hash for commit in store.load(STREAM)] == [seen.hash, winner.hash]


def test_a_stream_is_opened_once(store):
    winner = store.append(STREAM, None, [OPENED], origin("a"))

    with pytest.raises(Lost) as lost:
        store.append(STREAM, None, [OPENED], origin("b"))

    assert lost.value.winner == winner


def test_who_loses_decides_again(store):
    handle(store, ballot, "1", cast("a"))
    slow = meanwhile(store, lambda: handle(store, ballot, "1", cast("b", "b", "c")))

    done = handle(slow, ballot, "1", cast("d", "c", "d"))

    assert done.seen == "ballot-1@3"
    assert done.commit.data() == [{"type": "ballot.vote_cast", "voter": "d", "note": ""}]
    assert fold(ballot, store.load(STREAM)).voters == {"a", "b", "c", "d"}


def test_who_loses_after_naming_a_version_is_told(store):
    handle(store, ballot, "1", cast("a"))
    slow = meanwhile(store, lambda: handle(store, ballot, "1", cast("b")))

    with pytest.raises(PreconditionFailed):
        handle(slow, ballot, "1", cast("c", expected=1))

    assert fold(ballot, store.load(STREAM)).voters == {"a", "b"}


def test_fifty_writers_share_a_stream(store):
    def write(name):
        while True:
            with suppress(Stale):
                return handle(store, ballot, "1", cast(name)).number

    names = [f"writer {number}" for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        numbers = list(pool.map(write, names))

    read = store.load(STREAM)
    assert sorted(numbers) == [commit.number for commit in read] == list(range(1, 51))
    assert sorted(event["voter"] for c in read for event in c.data()) == sorted(names)
    for name, number in zip(names, numbers, strict=True):
        assert read[number - 1].data()[0]["voter"] == name


# Saying it twice changes nothing.


def test_a_repeat_gets_the_first_answer(store):
    first = handle(store, ballot, "1", cast("a"))

    assert handle(store, ballot, "1", cast("a")) == first
    assert len(store.load(STREAM)) == 1


def test_a_late_repeat_gets_the_first_answer(store):
    first = handle(store, ballot, "1", cast("a"))
    for name in "bcdef":
        handle(store, ballot, "1", cast(name))

    assert handle(store, ballot, "1", cast("a")) == first
    assert len(store.load(STREAM)) == 6


def test_a_repeat_that_names_the_old_version_gets_the_first_answer(store):
    first = handle(store, ballot, "1", cast("a", expected=0))

    assert handle(store, ballot, "1", cast("a", expected=0)) == first


def test_two_equal_requests_at_once_are_one_commit(store):
    answers = []
    slow = meanwhile(store, lambda: answers.append(handle(store, ballot, "1", cast("a"))))

    assert handle(slow, ballot, "1", cast("a")) == answers[0]
    assert len(store.load(STREAM)) == 1


def test_a_repeat_after_a_lost_answer_gets_the_original(store):
    unlucky = replace(store, shelf=LosesAnswers(store.shelf))
    with pytest.raises(ConnectionError):
        handle(unlucky, ballot, "1", cast("a"))
    [written] = store.load(STREAM)

    again = handle(store, ballot, "1", cast("a"))

    assert (again.seen, again.commit) == ("ballot-1@1", written)
    assert len(store.load(STREAM)) == 1


@pytest.mark.parametrize("later", [0, 2], ids=["at once", "after others"])
def test_a_key_cannot_stand_for_two_requests(store, later):
    handle(store, ballot, "1", cast("a"))
    for number in range(later):
        handle(store, ballot, "1", cast(f"other {number}"))

    with pytest.raises(IdempotencyKeyReused):
        handle(store, ballot, "1", cast("a", "somebody else"))

    assert len(store.load(STREAM)) == 1 + later


def test_a_key_cannot_stand_for_two_requests_at_once(store):
    slow = meanwhile(store, lambda: handle(store, ballot, "1", cast("a")))

    with pytest.raises(IdempotencyKeyReused):
        handle(slow, ballot, "1", cast("a", "somebody else"))

    assert len(store.load(STREAM)) == 1


def test_a_claimed_key_cannot_write_to_another_stream(store):
    first = handle(store, ballot, "1", cast("a"), claim=True)

    with pytest.raises(IdempotencyKeyReused):
        handle(store, ballot, "2", cast("a"), claim=True)

    assert handle(store, ballot, "1", cast("a"), claim=True) == first
    assert (len(store.load(STREAM)), store.load("ballot-2")) == (1, [])
    asked = cast("a").origin
    assert store.shelf.claim(asked.command_id) == Claim(asked.command_id, STREAM, asked.digest)


def test_two_equal_claims_at_once_are_one_commit(store):
    answers = []

    def other():
        answers.append(handle(store, ballot, "1", cast("a"), claim=True))

    assert handle(meanwhile(store, other), ballot, "1", cast("a"), claim=True) == answers[0]
    assert len(store.load(STREAM)) == 1


def test_a_claim_meets_a_claim(store):
    store.append(STREAM, None, [OPENED], origin("a"), claim=True)

    with pytest.raises(Claimed) as claimed:
        store.append("ballot-2", None, [OPENED], origin("a"), claim=True)

    asked = origin("a")
    assert claimed.value.claim == Claim(asked.command_id, STREAM, asked.digest)


# Numbers without gaps.


def test_a_number_is_taken_with_its_commit(store):
    for number in (1, 2, 3):
        store.append(f"ballot-{number}", None, [OPENED], origin("a"), take=Take("book", number))
        assert store.shelf.counter("book") == number
    assert store.shelf.counter("other book") == 0


@pytest.mark.parametrize("number", [0, 1, 2, 4], ids=["nought", "used", "used last", "too far"])
def test_a_number_that_is_not_next_takes_the_commit_with_it(store, number):
    for used in (1, 2):
        store.append(f"ballot-{used}", None, [OPENED], origin("a"), take=Take("book", used))

    with pytest.raises(NumberTaken):
        store.append("ballot-3", None, [OPENED], origin("b"), take=Take("book", number), claim=True)

    assert store.load("ballot-3") == []
    assert store.shelf.counter("book") == 2
    store.append("ballot-4", None, [OPENED], origin("b"), claim=True)


def test_a_lost_place_leaves_number_and_claim_untouched(store):
    [winner] = fill(store, 1)

    with pytest.raises(Lost) as lost:
        store.append(STREAM, None, [OPENED], origin("b"), take=Take("book", 1), claim=True)

    assert lost.value.winner == winner
    assert store.shelf.counter("book") == 0
    store.append("ballot-4", None, [OPENED], origin("b"), claim=True)


def test_a_known_claim_leaves_place_and_number_untouched(store):
    store.append(STREAM, None, [OPENED], origin("a"), claim=True)

    with pytest.raises(Claimed):
        store.append("ballot-2", None, [OPENED], origin("a"), take=Take("book", 1), claim=True)

    assert store.load("ballot-2") == []
    assert store.shelf.counter("book") == 0


def test_many_takers_leave_no_gap(store):
    def register(case):
        while True:
            number = store.shelf.counter("book") + 1
            note = f"number {number}"
            with suppress(NumberTaken, Contended):
                store.append(
                    f"ballot-{case}",
                    None,
                    [vote(note)],
                    origin(f"case {case}"),
                    take=Take("book", number),
                )
                return number

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(register, range(24)))

    assert sorted(numbers) == list(range(1, 25))
    assert store.shelf.counter("book") == 24
    for case, number in enumerate(numbers):
        [commit] = store.load(f"ballot-{case}")
        assert commit.data()[0]["note"] == f"number {number}"


def test_the_chain_links_every_commit_to_the_one_before(store):
    written = fill(store, 4)

    assert written[0].facts["previous"] == ""
    assert len({commit.hash for commit in written}) == 4
    for before, after in pairwise(store.load(STREAM)):
        assert after.facts["previous"] == b64url(before.hash)
        assert after.recorded_at >= before.recorded_at
