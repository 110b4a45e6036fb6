"""What a sequencer that lives does."""

import pytest
from ballot import BallotOpened, VoteCast

from chalicelib.eventstore.store import Corrupt
from chalicelib.history.pages import PAGE_ENTRIES, Entry, Page
from chalicelib.history.sequencer import Sequencer

VOTE = VoteCast(voter="v")


@pytest.fixture
def sequencer(ledger):
    return Sequencer(ledger.store, ledger.history)


def commits(ledger, *streams):
    """One commit for each mention of a stream; their places."""
    return [ledger.append(stream, VOTE).place for stream in streams]


def test_commits_are_numbered_in_the_order_they_are_announced(ledger, sequencer):
    places = commits(ledger, "ballot-b", "ballot-a", "ballot-c", "ballot-a")

    assert sequencer.number(places[2:]) == 3
    assert sequencer.number(places) == 1

    assert ledger.numbered() == [places[2], places[1], places[3], places[0]]
    ledger.check()


def test_a_page_says_when_it_was_made_and_what_it_holds(ledger, sequencer):
    commit = ledger.append("ballot-a", BallotOpened(title="Test"))
    sequencer.number([commit.place])

    (page,) = ledger.history.pages(0)

    assert (page.first, page.next) == (1, 2)
    assert page.entries == (("ballot-a", 1, commit.hash),)
    assert page.numbered_at >= commit.recorded_at
    assert ledger.history.last() == page


def test_predecessors_that_nobody_announced_go_first(ledger, sequencer):
    places = commits(ledger, *["ballot-a"] * 4, "ballot-b")

    assert sequencer.number([places[3], places[4], places[1]]) == 5

    assert ledger.numbered() == places
    ledger.check()


def test_a_numbered_predecessor_is_not_numbered_again(ledger, sequencer):
    places = commits(ledger, *["ballot-a"] * 3)
    sequencer.number(places[:1])

    assert sequencer.number([places[2]]) == 2

    assert ledger.numbered() == places


def test_a_commit_is_numbered_once_however_often_it_is_announced(ledger, sequencer):
    (place,) = commits(ledger, "ballot-a")

    assert sequencer.number([place, place]) == 1
    assert sequencer.number([place, place]) == 0
    assert Sequencer(ledger.store, ledger.history).number([place]) == 0

    assert ledger.numbered() == [place]


def test_what_was_announced_falsely_is_ignored(ledger, sequencer):
    places = commits(ledger, "ballot-a")

    assert sequencer.number([("ballot-a", 2), ("ballot-none", 3), *places]) == 1
    assert sequencer.number([("ballot-none", 1)]) == 0

    assert ledger.numbered() == places
    ledger.check()


def test_a_false_announcement_does_not_hold_up_a_later_truth(ledger, sequencer):
    commits(ledger, "ballot-a")
    sequencer.number([("ballot-a", 2)])
    commits(ledger, "ballot-a")

    sequencer.number([("ballot-a", 2)])

    assert ledger.numbered() == [("ballot-a", 1), ("ballot-a", 2)]


def test_a_stream_with_a_hole_is_left_out_alone_and_loudly(ledger, sequencer):
    places = commits(ledger, *["ballot-a"] * 3, "ballot-b")
    ledger.rack.remove(places[1])

    for _ in range(2):
        with pytest.raises(Corrupt, match="ballot-a"):
            sequencer.number([places[2], places[3]])
        assert places[3] in ledger.numbered()
        assert places[2] not in ledger.numbered()
    ledger.check()
    assert sequencer.number(commits(ledger, "ballot-b")) == 1


def test_a_hole_far_from_its_end_is_found(ledger, sequencer):
    """Nothing behind a missing commit may be numbered, were it announced in another batch."""
    places = commits(ledger, *["ballot-a"] * 5)
    ledger.rack.remove(places[1])

    with pytest.raises(Corrupt, match="ballot-a"):
        sequencer.number(places)
    with pytest.raises(Corrupt, match="ballot-a"):
        sequencer.number([places[4]])

    assert set(ledger.numbered()) <= {places[0]}
    ledger.check()


def test_more_commits_than_a_page_holds(ledger, sequencer):
    streams = [f"ballot-{n}" for n in range(PAGE_ENTRIES + 5)]
    places = commits(ledger, *streams)

    assert sequencer.number(places) == len(places)

    assert [len(page.entries) for page in ledger.history.pages(0)] == [PAGE_ENTRIES, 5]
    assert ledger.numbered() == places
    ledger.check()


def test_more_predecessors_than_a_page_holds(ledger, sequencer):
    places = commits(ledger, *["ballot-a"] * (PAGE_ENTRIES + 5))

    assert sequencer.number(places[-1:]) == len(places)

    assert ledger.numbered() == places
    ledger.check()


def test_the_sweep_finds_what_nobody_announced(ledger, sequencer):
    places = commits(ledger, "ballot-a", "ballot-a", "ballot-b", "ballot-a")
    sequencer.number(places[:1])

    assert sequencer.sweep() == 3
    assert sequencer.sweep() == 0

    assert set(ledger.numbered()) == set(places)
    ledger.check()


def test_the_sweep_of_nothing(sequencer, ledger):
    assert sequencer.sweep() == 0
    assert ledger.history.last() is None


@pytest.mark.parametrize("heal", ["complete", "number", "sweep"])
def test_markers_left_out_by_a_death_are_put_by_the_next(ledger, sequencer, heal):
    places = commits(ledger, "ballot-a", "ballot-a", "ballot-b")
    sequencer.number(places[:2])
    (made,) = ledger.store.load("ballot-b")
    page = Page(3, (Entry(*made.place, made.hash),), made.recorded_at)
    ledger.history.put(page)  # Somebody died before putting the marker.
    assert ledger.history.positions(places[2:]) == {}

    {
        "complete": sequencer.complete,
        "number": lambda: sequencer.number(places),
        "sweep": sequencer.sweep,
    }[heal]()

    assert ledger.numbered() == places
    ledger.check()


def test_a_sequencer_that_lost_the_race_for_a_page_starts_over(ledger, sequencer):
    ours, theirs = commits(ledger, "ballot-a", "ballot-b")
    rival = Sequencer(ledger.store, ledger.history)

    class Overtaken:
        """The store's own shelf, whose first reader is overtaken."""

        def __init__(self):
            self.shelf = self
            self.clock = ledger.store.clock

        def hashes(self, places):
            if ledger.history.last() is None:
                rival.number([theirs, ours])
            return ledger.shelf.hashes(places)

    late = Sequencer(Overtaken(), ledger.history)

    assert late.number([ours]) == 0
    assert ledger.numbered() == [theirs, ours]
    ledger.check()
