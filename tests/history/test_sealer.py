"""Sealers that live, die and race: one root for each size, and each tree begins with the last."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from axis import ledger_in_memory
from ballot import VoteCast
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from faults import Died, Life, Puppet, Stepped
from history import rfc6962
from history.whole import check_tiles
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chalicelib.eventstore.store import Corrupt
from chalicelib.history import sealer as sealing
from chalicelib.history.checkpoint import open_checkpoint
from chalicelib.history.heads import MemoryHeads, Overtaken
from chalicelib.history.merkle import check_consistency
from chalicelib.history.note import LocalSigner
from chalicelib.history.objects import MemoryObjects, tile_reader
from chalicelib.history.proof import Tree
from chalicelib.history.sealer import Sealer
from chalicelib.history.tiles import ENTRIES, Tile, all_tiles, decode_entries

VOTE = VoteCast(voter="v")
SIGNER = LocalSigner("demo.example/log", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))


class SteppedObjects(Stepped):
    """Files that are added and removed one by one, with a step before each."""

    def add(self, files):
        """Add them in an order that nobody may mind."""
        for name in sorted(files, reverse=True):
            self._step()
            self._target.add({name: files[name]})

    def remove(self, prefix):
        """Remove them one by one."""
        for name in self._target.names(prefix, "", 1_000):
            self._step()
            self._target.remove(name)


class Log:
    """A history, and everything that a log of it needs, in memory."""

    def __init__(self):
        self.ledger = ledger_in_memory()
        self.heads, self.objects = MemoryHeads(), MemoryObjects()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.waited = []
        self._streams = count()

    def happen(self, commits, pages=1):
        """So many commits in so many pages."""
        for _ in range(pages if commits else 0):
            stream = f"ballot-{next(self._streams)}"
            self.ledger.number(*[self.ledger.append(stream, VOTE) for _ in range(commits)])

    def sealer(self, step=lambda: None):
        """A sealer, as if in a new process; it calls `step` before all that it does."""
        return Sealer(
            Stepped(self.ledger.shelf, step),
            Stepped(self.ledger.history, step),
            Stepped(self.heads, step),
            SteppedObjects(self.objects, step),
            SIGNER,
            clock=lambda: self.now,
            wait=self.waited.append,
        )

    def seal(self, step=lambda: None):
        """Run until nothing is left to do."""
        run = self.sealer(step)
        while run.seal():
            pass

    def leaves(self):
        """What the leaves must be: the headers in the order of history."""
        places = self.ledger.numbered()
        headers = self.ledger.shelf.headers(places)
        return [headers[place] for place in places]

    def check(self, *, settled=True):
        """What holds of a log whatever has happened."""
        leaves = self.leaves()
        sizes = [head.size for head in self.heads.signed]
        assert sizes == sorted(set(sizes))
        for head in self.heads.signed:
            assert head.root == rfc6962.mth(leaves[: head.size])
            checkpoint = open_checkpoint(head.note, [SIGNER.key]).checkpoint
            assert (checkpoint.size, checkpoint.root) == (head.size, head.root)
        head = self.heads.sealed()
        if head and settled:
            assert head.settled
            self.check_files(head)

    def check_files(self, head):
        """The files are those of the tree, and prove that it grew out of the one before."""
        read = {tile: self.objects.read(tile.path) for tile in all_tiles(head.size)}
        check_tiles(head.size, head.root, read.__getitem__)
        for before in self.heads.signed[-3:-1]:
            proof = Tree(head.size, tile_reader(self.objects), head.peaks).consistency(before.size)
            check_consistency(before.size, before.root, head.size, head.root, proof)


@pytest.fixture
def log():
    return Log()


def test_an_idle_log_seals_at_once_and_then_rests(log):
    assert not log.sealer().seal()
    log.happen(3)
    log.seal()
    log.seal()
    assert [head.size for head in log.heads.signed] == [3]
    assert log.waited == []
    log.check()


def test_a_busy_log_waits_for_its_second(log):
    log.happen(1)
    log.seal()
    log.now += timedelta(seconds=0.25)
    log.happen(1)
    log.seal()
    log.now += timedelta(seconds=5)
    log.happen(1)
    log.seal()
    assert log.waited == [0.75]
    # A clock that was set back waits for nothing.
    log.now -= timedelta(days=1)
    log.happen(1)
    log.seal()
    assert log.waited == [0.75]
    log.check()


def test_what_comes_while_it_waits_is_sealed_too(log):
    log.happen(1)
    log.seal()
    log.happen(1)
    run = log.sealer()
    run.wait = lambda _s: log.happen(2)
    assert run.seal()
    assert [head.size for head in log.heads.signed] == [1, 4]


def test_a_long_history_is_sealed_in_turns(log, monkeypatch):
    monkeypatch.setattr(sealing, "MAX_LEAVES", 512)
    log.happen(200, pages=6)
    log.seal()
    assert [head.size for head in log.heads.signed] == [512, 1024, 1200]
    log.check()


def test_parts_are_cleared_away_once_the_next_tile_is_full(log):
    for _ in range(8):
        log.happen(100)
        log.seal()
    parts = sorted(name for name in log.objects.files if ".p/" in name)
    # Of the tile that is being filled, and of the one before, whose readers may not be done.
    assert [name for name in parts if name.startswith("tile/0/")] == [
        "tile/0/002.p/188",
        "tile/0/002.p/88",
        "tile/0/003.p/32",
    ]
    assert not [name for name in log.objects.files if name.startswith("staging/")]
    # A part that is gone is cut out of the whole.
    read = tile_reader(log.objects)
    assert "tile/0/000.p/100" not in log.objects.files
    assert len(read(Tile(0, 0, 100))) == 3_200
    leaves = decode_entries(Tile(ENTRIES, 0, 100), read(Tile(ENTRIES, 0, 100)))
    assert leaves == log.leaves()[:100]
    log.check()


def test_a_death_at_every_step():
    """Two die, one after the other, at each step there is; a third finishes what they began."""
    for steps in count():
        log = Log()
        log.happen(254)
        log.seal()
        log.happen(4)
        survived = False
        for victim in range(2):
            with suppress(Died):
                log.seal(Life(steps).step)
                survived |= victim == 0
            log.check(settled=False)
        log.happen(1)
        log.seal()
        log.check()
        assert log.heads.sealed().size == 259
        if survived:
            break
    assert steps >= 15


@pytest.mark.parametrize("more", [0, 1, 300])
def test_two_sealers_whatever_the_first_had_done(more):
    """One stops before each step there is; another one runs; the first goes on."""
    for steps in count():
        log = Log()
        log.happen(254)
        log.seal()
        log.happen(4)
        first = Puppet(log.seal)
        for _ in range(steps):
            first.advance()
        over = first.done
        log.happen(more)
        log.seal()
        log.check()
        while not first.done:
            first.advance()
        assert first.error is None
        log.seal()
        log.check()
        assert log.heads.sealed().size == 258 + more
        if over:
            break
    assert steps >= 15


def test_a_sealer_that_is_overtaken_publishes_nothing(log):
    log.happen(2)
    slow = log.sealer()
    signed = []

    class Slow(LocalSigner):
        def sign(self, message):
            signed.append(message)
            log.happen(1)
            log.seal()
            return super().sign(message)

    slow.signer = Slow(SIGNER.name, SIGNER.private)
    assert slow.seal()
    assert len(signed) == 1
    assert [head.size for head in log.heads.signed] == [3]
    log.check()


def test_nothing_follows_a_tree_that_is_not_settled(log):
    log.happen(1)
    with suppress(Died):
        log.seal(Life(8).step)
    head = log.heads.sealed()
    assert head
    assert not head.settled
    with pytest.raises(Overtaken):
        log.heads.advance(head, head)


@pytest.mark.parametrize("name", ["tile/0/000.p/3", "tile/entries/000.p/3"])
def test_a_partial_tile_that_was_altered_is_not_built_upon(log, name):
    log.happen(3)
    log.seal()
    log.objects.files[name] = log.objects.files[name][:-1] + b"X"
    log.happen(1)
    with pytest.raises(Corrupt, match="not what was signed"):
        log.seal()
    del log.objects.files[name]
    with pytest.raises(Corrupt, match="is gone"):
        log.seal()
    assert [head.size for head in log.heads.signed] == [3]


def test_a_commit_that_was_altered_before_it_was_sealed_is_not_sealed(log):
    log.happen(2)
    first = log.ledger.numbered()[0]
    commit = log.ledger.shelf.items[first]
    log.ledger.rack.alter(first, header=commit.header + b" ")
    with pytest.raises(Corrupt, match="position 1"):
        log.seal()
    assert log.heads.signed == []


def test_a_tile_that_was_written_before_by_somebody_else_is_noticed(log):
    log.objects.files["tile/0/000.p/2"] = b"something else"
    log.happen(2)
    with pytest.raises(Corrupt, match="otherwise"):
        log.seal()


def test_what_was_staged_and_is_lost_is_not_made_up(log):
    log.happen(1)
    with suppress(Died):
        log.seal(Life(8).step)
    log.objects.files.clear()
    with pytest.raises(Corrupt, match="staged"):
        log.seal()


class SealersLife(RuleBasedStateMachine):
    """Sealers begin, go on, and die as they like, while history grows."""

    def __init__(self):
        super().__init__()
        self.log = Log()
        self.running = []
        self.checked = 0

    @rule(commits=st.integers(1, 200))
    def history_grows(self, commits):
        self.log.happen(commits)

    @rule(seconds=st.floats(-2, 5))
    def time_passes(self, seconds):
        self.log.now += timedelta(seconds=seconds)

    @precondition(lambda self: len(self.running) < 3)
    @rule()
    def one_begins(self):
        self.running.append(Puppet(self.log.seal))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), steps=st.integers(1, 12))
    def one_goes_on(self, data, steps):
        puppet = data.draw(st.sampled_from(self.running))
        for _ in range(steps):
            puppet.advance()
        if puppet.done:
            assert puppet.error is None
            self.running.remove(puppet)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def one_dies(self, data):
        puppet = data.draw(st.sampled_from(self.running))
        puppet.kill()
        self.running.remove(puppet)

    @rule()
    def one_runs_to_the_end(self):
        self.log.seal()
        assert (head := self.log.heads.sealed()) or not self.log.leaves()
        assert not head or head.size == len(self.log.leaves())

    @invariant()
    def no_size_is_signed_twice_and_none_after_a_larger_one(self):
        sizes = [head.size for head in self.log.heads.signed]
        assert sizes == sorted(set(sizes))

    @invariant()
    def the_files_are_those_of_the_newest_settled_tree(self):
        head = self.log.heads.sealed()
        if head and head.settled and head.size != self.checked:
            self.log.check_files(head)
            self.checked = head.size

    def teardown(self):
        for puppet in self.running:
            puppet.kill()
        self.log.seal()
        self.log.check()


TestSealersLife = SealersLife.TestCase
TestSealersLife.settings = settings(max_examples=20)
