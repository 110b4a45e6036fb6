"""From positions to commits."""

import pytest
from ballot import BallotOpened, VoteCast

from chalicelib.eventstore.store import Corrupt
from chalicelib.history.reader import Reader

VOTE = VoteCast(voter="v")


def everything(_stream):
    return True


@pytest.fixture
def commits(ledger):
    """Two pages: positions 1 to 3, and 4."""
    made = [
        ledger.append("ballot-a", BallotOpened(title="Test")),
        ledger.append("ballot-b", VOTE),
        ledger.append("ballot-a", VOTE),
    ]
    ledger.number(*made)
    return [*made, ledger.happen("ballot-b", VOTE)]


def read(ledger, after, wanted=everything):
    reader = Reader(ledger.store, ledger.history)
    return [(last, [(p, c.seen) for p, c in found]) for last, found in reader.after(after, wanted)]


def test_from_any_position(ledger, commits):
    first = [(1, "ballot-a@1"), (2, "ballot-b@1"), (3, "ballot-a@2")]
    second = (4, [(4, "ballot-b@2")])
    assert read(ledger, 0) == [(3, first), second]
    assert read(ledger, 2) == [(3, first[2:]), second]
    assert read(ledger, 3) == [second]
    assert read(ledger, 4) == []


def test_what_is_not_wanted_is_passed_over_yet_counted(ledger, commits):
    assert read(ledger, 0, lambda stream: stream == "ballot-b") == [
        (3, [(2, "ballot-b@1")]),
        (4, [(4, "ballot-b@2")]),
    ]
    assert read(ledger, 0, lambda _: False) == [(3, []), (4, [])]


def test_followers_of_one_run_share_what_was_read_and_want_different_things(ledger, commits):
    reader = Reader(ledger.store, ledger.history)
    wishes = [lambda s: s == "ballot-a", everything, lambda s: s == "ballot-b", everything]
    for wanted in wishes:
        found = [p.commit.seen for stretch in reader.after(0, wanted) for p in stretch.commits]
        assert found == [commit.seen for commit in commits if wanted(commit.stream)]


def test_a_numbered_commit_that_is_gone_is_noticed(ledger, commits):
    ledger.rack.remove(commits[1].place)
    with pytest.raises(Corrupt, match="position 2"):
        read(ledger, 0)
    assert read(ledger, 3) == [(4, [(4, "ballot-b@2")])]


def test_a_commit_that_is_not_the_one_numbered_is_noticed(ledger, commits):
    header = commits[1].header.replace(b"agency:G22", b"agency:G09")
    ledger.rack.alter(commits[1].place, header=header)
    with pytest.raises(Corrupt, match="position 2"):
        read(ledger, 0)
