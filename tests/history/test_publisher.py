"""What the world is shown, and those outside who sign it: well, late, wrongly or not at all."""

from datetime import UTC, timedelta

import pytest
from authority import Authority, needs_openssl
from history.outsiders import DemoWitness, Reply
from history.test_sealer import SIGNER, Log

from chalicelib.eventstore.store import EventStore
from chalicelib.history import timestamp
from chalicelib.history.checkpoint import open_checkpoint
from chalicelib.history.merkle import Unproven, leaf_hash
from chalicelib.history.note import Note, cosign
from chalicelib.history.objects import MemoryObjects, checkpoint_name, timestamp_name
from chalicelib.history.policy import Policy
from chalicelib.history.publisher import Authority as Known
from chalicelib.history.publisher import Publisher


class Town:
    """A log, three demo witnesses and a demo time authority, who may be away."""

    def __init__(self, *, quorum="none", authority=None, every_s=0):
        self.log = Log()
        ledger = self.log.ledger
        ledger.store = EventStore(ledger.shelf, release="2026.1", clock=lambda: self.log.now)
        self.witnesses = {f"w{n}": DemoWitness(SIGNER.key, n) for n in (1, 2, 3)}
        self.answers = {}
        self.asked = []
        lines = [
            f"witness {name} {one.signer.key} https://{name}.example/"
            for name, one in self.witnesses.items()
        ]
        policy = Policy.parse("\n".join([*lines, "group two 2 w1 w2 w3", f"quorum {quorum}"]))
        self.authority = authority
        wanted = authority and Known(
            url="https://time.example", certificates=root_of(authority), every_s=every_s
        )
        log = self.log
        self.publisher = Publisher(
            log.ledger.history,
            log.heads,
            log.objects,
            policy,
            wanted,
            self.post,
            lambda: log.now,
        )

    def post(self, url, _headers, body):
        """The network."""
        self.asked.append(url)
        name = url.removeprefix("https://").split(".")[0]
        if name in self.answers:
            answer = self.answers[name]
            return answer(body) if callable(answer) else answer
        if name == "time":
            return Reply(200, self.authority.answer(body))
        assert url.endswith(".example/add-checkpoint")
        return self.witnesses[name].add_checkpoint(body)

    def grow(self, commits=1):
        """Something happens and is sealed."""
        self.log.now += timedelta(seconds=5)
        self.log.happen(commits)
        self.log.seal()

    def publish(self, *, again=False):
        return self.publisher.publish(again=again)

    def shown(self):
        """The published checkpoint, believed: its size and who saw it."""
        head = self.log.heads.published()
        if head is None:
            return 0, set()
        keys = {one.signer.key: name for name, one in self.witnesses.items()}
        opened = open_checkpoint(head.note, [SIGNER.key], keys)
        assert (opened.checkpoint.size, opened.checkpoint.root) == (head.size, head.root)
        return head.size, {keys[key] for key in opened.seen}


def root_of(authority):
    """The certificate that its stamps are traced to (PEM)."""
    return authority.root.read_text()


ALL = {"w1", "w2", "w3"}
AWAY = Reply(0)


def test_nothing_is_shown_before_anything_is_sealed():
    town = Town()
    assert town.publish() == []
    assert town.shown() == (0, set())
    assert town.publisher.lateness() == (0, 0, 0)


def test_witnesses_sign_each_tree_once_and_it_is_kept():
    town = Town(quorum="two")
    for size in (1, 4):
        town.grow(commits=1 if size == 1 else 3)
        assert town.publish() == []
        assert town.publish(again=True) == []
        assert town.shown() == (size, ALL)
        kept = town.log.objects.read(checkpoint_name(size)).decode()
        assert kept == town.log.heads.published().note
    assert [len(one.asked) for one in town.witnesses.values()] == [2, 2, 2]
    assert town.witnesses["w1"].asked[1].startswith(b"old 1\n")


def test_proof_waits_for_the_quorum_and_only_proof():
    town = Town(quorum="two")
    town.answers = {"w1": AWAY, "w2": Reply(503)}
    town.grow()
    assert [(t.who, t.what, t.disagrees) for t in town.publish()] == [
        ("w1", "did not answer", False),
        ("w2", "answered 503", False),
    ]
    assert town.shown() == (0, set())
    # Who was away is not asked again at once, but when the schedule rings.
    town.asked.clear()
    town.grow()
    assert town.publish() == []
    assert town.asked == ["https://w3.example/add-checkpoint"]
    assert town.publisher.lateness() == (5, 5, 0)
    del town.answers["w1"]
    assert [t.who for t in town.publish(again=True)] == ["w2"]
    assert town.shown()[0] == 2
    assert {"w1"} <= town.shown()[1]
    assert town.publisher.lateness() == (0, 5, 0)
    # It signs later what is shown already; the alarm ends.
    town.answers.clear()
    assert town.publish(again=True) == []
    assert town.shown() == (2, ALL)
    assert town.publisher.lateness() == (0, 0, 0)


def test_a_witness_that_saw_more_or_less_than_we_remember_is_caught_up_with():
    town = Town(quorum="w1")
    town.grow(3)
    town.publish()
    town.grow(2)
    town.log.heads.standings.clear()
    assert town.publish() == []
    assert town.shown() == (5, ALL)
    assert [body[:6] for body in town.witnesses["w1"].asked[1:]] == [b"old 0\n", b"old 3\n"]


def fork(town):
    """The same log key has signed another tree of one leaf."""
    root = leaf_hash(b"another history")
    return town.witnesses["w1"].__dict__.update(size=1, root=root)


def test_a_witness_that_was_shown_a_fork_does_not_sign_and_that_is_told():
    town = Town(quorum="two")
    fork(town)
    town.grow()
    (trouble,) = town.publish()
    assert (trouble.who, trouble.disagrees) == ("w1", True)
    town.grow()
    (trouble,) = town.publish(again=True)
    assert (trouble.who, trouble.disagrees) == ("w1", True)
    assert town.shown() == (2, {"w2", "w3"})


def test_a_witness_that_says_it_saw_more_than_there_is_disagrees():
    town = Town()
    town.answers["w1"] = Reply(409, b"7\n")
    town.grow()
    (trouble,) = town.publish()
    assert (trouble.what, trouble.disagrees) == ("saw 7 commits, we have 1", True)


def test_a_witness_that_another_run_of_ours_has_shown_more_is_no_trouble():
    town = Town()

    def faster(_body):
        town.grow(6)
        return Reply(409, b"7\n")

    town.answers["w1"] = faster
    town.grow()
    assert town.publish() == []


def cosigned(town, text):
    """The witness signs something else than it was shown: a fork, say."""
    return Reply(200, f"{cosign(text, town.witnesses['w1'].signer, 1).line}\n".encode())


def renamed(town, body):
    """Another key's signature, however good, is nobody's."""
    return town.witnesses["w2"].add_checkpoint(body)


def from_the_future(town, body):
    town.witnesses["w1"].at = int(town.log.now.timestamp()) + 3_600
    return town.witnesses["w1"].add_checkpoint(body)


@pytest.mark.parametrize(
    ("answer", "disagrees"),
    [
        (lambda town, _body: cosigned(town, "lien-thong/other\n1\nAAAA\n"), True),
        (lambda _town, _body: Reply(200, b"\xff\xfe"), False),
        (lambda _town, _body: Reply(200, "— w1 nonsense\n".encode()), False),
        (lambda _town, _body: Reply(200, b""), False),
        (renamed, False),
        (from_the_future, False),
        (lambda _town, _body: Reply(409, b"nonsense"), True),
        (lambda _town, _body: Reply(422), True),
        (lambda _town, _body: Reply(404), False),
    ],
)
def test_what_a_witness_says_is_not_believed_without_its_signature(answer, disagrees):
    town = Town(quorum="w1")
    town.answers["w1"] = lambda body: answer(town, body)
    town.grow()
    (trouble,) = town.publish()
    assert (trouble.who, trouble.disagrees) == ("w1", disagrees)
    assert town.shown() == (0, set())


def test_two_who_publish_at_once_show_one_checkpoint():
    town = Town()
    town.grow()

    def slow(body):
        del town.answers["w1"]
        town.witnesses["w1"].at += 1
        assert town.publish() == []
        return town.witnesses["w1"].add_checkpoint(body)

    town.answers["w1"] = slow
    town.publish()
    assert town.shown() == (1, ALL)
    assert open_checkpoint(town.log.objects.read(checkpoint_name(1)), [SIGNER.key])


def test_a_tree_that_is_not_settled_is_not_shown():
    town = Town()
    town.grow()
    town.publish()
    town.log.happen(1)
    head = town.log.heads.sealed()
    town.log.heads.advance(head, head.__class__(2, head.root, head.peaks, head.note, town.log.now))
    assert town.publish() == []
    assert town.shown() == (1, ALL)


# Time stamps.


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@needs_openssl
def test_each_checkpoint_is_stamped_once(authority):
    town = Town(authority=authority)
    for size in (1, 2):
        town.grow()
        assert town.publish() == []
        assert town.publish(again=True) == []
        answer = town.log.objects.read(timestamp_name(size))
        text = Note.parse(town.log.heads.published().note).text
        assert timestamp.check(answer, text, [root_of(authority)]).tzinfo == UTC
        with pytest.raises(Unproven):
            timestamp.check(answer, text + "x", [root_of(authority)])
        with pytest.raises(Unproven):
            timestamp.check(answer, text, [root_of(authority)], nonce=1)
        with pytest.raises(Unproven):
            timestamp.check(answer[:-1], text, [root_of(authority)])
    assert town.asked.count("https://time.example") == 2


@needs_openssl
def test_a_stamp_by_somebody_else_is_not_kept(authority, tmp_path):
    town = Town(authority=authority)
    another = Authority(tmp_path)
    town.answers["time"] = lambda query: Reply(200, another.answer(query))
    town.grow()
    (trouble,) = town.publish()
    assert trouble.who == "authority"
    assert "does not hold" in trouble.what
    assert town.log.objects.read(timestamp_name(1)) is None


@needs_openssl
def test_an_authority_that_is_away_is_asked_when_the_schedule_rings(authority):
    town = Town(authority=authority)
    town.answers["time"] = AWAY
    town.grow()
    assert [(t.who, t.what) for t in town.publish()] == [("authority", "did not answer")]
    assert town.publish() == []
    town.log.now += timedelta(seconds=70)
    assert town.publisher.lateness() == (0, 0, 70)
    # What was shown is not held up by it.
    assert town.shown() == (1, ALL)
    town.answers.clear()
    assert town.publish(again=True) == []
    assert town.publisher.lateness() == (0, 0, 0)
    assert timestamp_name(1) in town.log.objects.files


@needs_openssl
def test_stamps_may_be_asked_for_seldom(authority):
    town = Town(authority=authority, every_s=60)
    for _ in range(4):
        town.grow()
        town.publish()
    assert town.asked.count("https://time.example") == 1
    town.log.now += timedelta(seconds=60)
    town.publish()
    stamps = [name for name in town.log.objects.files if name.startswith("timestamps/")]
    assert stamps == [timestamp_name(1), timestamp_name(4)]


def test_what_is_final_is_told_from_what_is_not():
    objects = MemoryObjects()
    objects.add(dict.fromkeys(("tile/0/000", "tile/0/000.p/1", "staging/1-aa"), b""))
    objects.remove("")
    assert list(objects.files) == ["tile/0/000"]
