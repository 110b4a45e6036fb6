"""Keys, notes, checkpoints, proofs in a file and policies: the forms are C2SP's, to the byte."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from history import rfc6962

from chalicelib.history.checkpoint import Checkpoint, open_checkpoint
from chalicelib.history.merkle import Unproven
from chalicelib.history.note import (
    LOG,
    WITNESS,
    LocalSigner,
    Note,
    Signature,
    VerifierKey,
    cosign,
    sign,
)
from chalicelib.history.policy import Policy
from chalicelib.history.proof import Bundle, decode_proof, encode_proof

# The example of Go's package sumdb/note, which these forms come from.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann \
x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""


def signer(name, number=1, kind=LOG):
    return LocalSigner(name, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32), kind)


LOG_SIGNER = signer("demo.example/log")
WITNESS_SIGNER = signer("demo.example/witness", 2, WITNESS)
LEAVES = [b"one", b"two", b"three"]
CHECKPOINT = Checkpoint("demo.example/log", 3, rfc6962.mth(LEAVES))
NOTE = sign(CHECKPOINT.text, LOG_SIGNER)


def test_a_note_that_others_signed_is_understood():
    key = VerifierKey.parse(PETER)
    assert str(key) == PETER
    note = Note.parse(PETERS_NOTE)
    assert str(note) == PETERS_NOTE
    assert note.signed_by([key]) == {key: None}
    with pytest.raises(Unproven):
        Note(note.text.replace("you", "we", 1), note.signatures).signed_by([key])


@pytest.mark.parametrize(
    "written",
    [
        "",
        "PeterNeumann",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("+ARpc", "+BRpc"),
        PETER[:-4],
        PETER.replace("PeterNeumann", "Peter Neumann"),
    ],
)
def test_a_malformed_key_is_refused(written):
    with pytest.raises(ValueError, match=r"key|base64"):
        VerifierKey.parse(written)


@pytest.mark.parametrize(
    "written",
    [
        "text\n",
        "text\n\n",
        "text\n\n— name AAAAAAA=",
        "text\n\n- name AAAAAAA=\n",
        "text\n\n— name AAAA\n",
        "text\n\n— name A*AAAAA=\n",
        "text\n\n— na+me AAAAAAA=\n",
        "te\0xt\n\n— name AAAAAAA=\n",
        "text\n\n" + "— name AAAAAAA=\n" * 65,
    ],
)
def test_what_is_no_note_is_refused(written):
    with pytest.raises(ValueError, match=r"note|signature|base64"):
        Note.parse(written)


def test_lines_of_unknown_keys_are_passed_over_and_known_ones_count_once():
    foreign = Signature("demo.example/log", b"\0\0\0\0", b"nothing")
    note = NOTE.with_signatures([foreign, *NOTE.signatures])
    assert note.signatures == (*NOTE.signatures, foreign)
    assert note.signed_by([LOG_SIGNER.key]) == {LOG_SIGNER.key: None}
    with pytest.raises(Unproven, match="twice"):
        Note(NOTE.text, NOTE.signatures * 2).signed_by([LOG_SIGNER.key])


def test_a_text_that_cannot_be_told_from_its_signatures_is_not_signed():
    with pytest.raises(ValueError, match=r"note|signed"):
        sign("no end", LOG_SIGNER)


def test_a_signer_with_another_key_is_noticed():
    class Wrong(LocalSigner):
        key = signer("demo.example/log", 9).key

    with pytest.raises(Unproven):
        sign(CHECKPOINT.text, Wrong(LOG_SIGNER.name, LOG_SIGNER.private))


def test_a_checkpoint_says_origin_size_and_root():
    root = base64.b64encode(CHECKPOINT.root).decode()
    assert CHECKPOINT.text == f"demo.example/log\n3\n{root}\n"
    assert Checkpoint.parse(CHECKPOINT.text) == CHECKPOINT
    assert Checkpoint.parse(CHECKPOINT.text + "an extension\n") == CHECKPOINT
    opened = open_checkpoint(str(NOTE), [LOG_SIGNER.key])
    assert (opened.checkpoint, opened.seen) == (CHECKPOINT, {})


@pytest.mark.parametrize(
    "text",
    [
        "demo.example/log\n3\n",
        CHECKPOINT.text[:-1],
        CHECKPOINT.text.replace("\n3\n", "\n03\n"),
        CHECKPOINT.text.replace("\n3\n", "\n-3\n"),
        "\n3\n" + CHECKPOINT.text.split("\n")[2] + "\n",
        "demo.example/log\n3\nAAAA\n",
        CHECKPOINT.text + "\n\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(ValueError, match=r"checkpoint|base64"):
        Checkpoint.parse(text)


def test_a_witness_says_when_it_saw_a_checkpoint():
    whole = NOTE.with_signatures([cosign(NOTE.text, WITNESS_SIGNER, 1_700_000_000)])
    opened = open_checkpoint(str(whole), [LOG_SIGNER.key], [WITNESS_SIGNER.key])
    assert opened.seen == {WITNESS_SIGNER.key: 1_700_000_000}
    # Another time, or another text, under the same signature.
    later = whole.signatures[1]
    moved = Signature(later.name, later.id, b"\0" * 7 + b"\1" + later.raw[8:])
    short = Signature(later.name, later.id, later.raw[:-1])
    for line in (moved, short, cosign("another\n", WITNESS_SIGNER, 1_700_000_000)):
        with pytest.raises(Unproven):
            open_checkpoint(
                str(NOTE.with_signatures([line])), [LOG_SIGNER.key], [WITNESS_SIGNER.key]
            )


def test_only_the_log_itself_states_its_checkpoint():
    for others in ([], [signer("demo.example/log", 7).key], [signer("other.example", 1).key]):
        with pytest.raises(Unproven, match="no known key"):
            open_checkpoint(str(NOTE), others)
    foreign = sign(CHECKPOINT.text, signer("other.example", 3))
    with pytest.raises(Unproven, match="no known key"):
        open_checkpoint(str(foreign), [signer("other.example", 3).key])


# The file that carries a proof.


def bundle(**fields):
    given = {"index": 1, "proof": tuple(rfc6962.path(1, LEAVES)), "checkpoint": str(NOTE)}
    return Bundle(**given | {"extra": b"two"} | fields)


def test_a_proof_in_a_file_reads_as_the_standard_says():
    hashes = encode_proof(rfc6962.path(1, LEAVES))
    assert str(bundle()) == f"c2sp.org/tlog-proof@v1\nextra dHdv\nindex 1\n{hashes}\n{NOTE}"
    assert str(bundle(extra=b"")) == f"c2sp.org/tlog-proof@v1\nindex 1\n{hashes}\n{NOTE}"
    for one in (bundle(), bundle(extra=b""), bundle(proof=(), index=0)):
        assert Bundle.parse(str(one)) == one
        assert Bundle.parse(str(one).encode()) == one
    assert bundle().check([LOG_SIGNER.key]).checkpoint == CHECKPOINT
    assert bundle(extra=b"").check([LOG_SIGNER.key], leaf=b"two").checkpoint.size == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"extra": b"three"},
        {"index": 2},
        {"index": 3},
        {"proof": ()},
        {"proof": tuple(rfc6962.path(0, LEAVES))},
        {"checkpoint": str(sign(CHECKPOINT.text, signer("demo.example/log", 9)))},
    ],
)
def test_a_proof_of_something_else_does_not_hold(wrong):
    with pytest.raises(Unproven):
        bundle(**wrong).check([LOG_SIGNER.key])


@pytest.mark.parametrize(
    "damage",
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ("index 1\n", ""),
        ("index 1", "index 01"),
        ("extra dHdv", "extra dHd"),
        ("\n\n", "\nAAAA\n\n"),
    ],
)
def test_a_malformed_file_is_refused(damage):
    with pytest.raises(ValueError, match=r"proof|padding|base64"):
        Bundle.parse(str(bundle()).replace(*damage, 1))


def test_a_proof_is_not_longer_than_any_tree_needs():
    with pytest.raises(ValueError, match="too many"):
        decode_proof(["A" * 43 + "="] * 64)


# Policies.


def policy(*lines):
    return Policy.parse("\n".join(lines))


W1, W2, W3 = (signer(f"demo.example/w{n}", n + 10, WITNESS).key for n in range(3))
GROUPED = policy(
    "# A demo policy",
    f"log {LOG_SIGNER.key} https://log.example",
    f"witness a {W1} https://a.example/",
    f"witness b {W2}",
    f"  witness c\t{W3}  ",
    "",
    "group two 2 a b c",
    "group some any two c",
    "group every all a b",
    "quorum two",
)


@pytest.mark.parametrize(
    ("quorum", "signed", "enough"),
    [
        ("two", {W1}, False),
        ("two", {W1, W3}, True),
        ("some", {W3}, True),
        ("some", {W1}, False),
        ("every", {W1, W3}, False),
        ("every", {W1, W2}, True),
        ("a", {W1}, True),
        ("a", {W2}, False),
        ("none", set(), True),
    ],
)
def test_a_quorum_is_counted(quorum, signed, enough):
    changed = Policy(GROUPED.logs, GROUPED.witnesses, GROUPED.groups, quorum)
    assert changed.satisfied(signed) is enough
    assert (GROUPED.quorum, GROUPED.witnesses[0].url) == ("two", "https://a.example/")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("quorum a",),
        ("quorum none", "quorum none"),
        (f"witness a {LOG_SIGNER.key}", "quorum a"),
        (f"log {W1}", "quorum none"),
        (f"witness none {W1}", "quorum none"),
        (f"witness a {W1}", f"witness b {W1}", "quorum a"),
        (f"witness a {W1}", f"witness a {W2}", "quorum a"),
        (f"witness a {W1}", "group g 2 a", "quorum g"),
        (f"witness a {W1}", "group g 0 a", "quorum g"),
        (f"witness a {W1}", "group g many a", "quorum g"),
        (f"witness a {W1}", "group g any a a", "quorum g"),
        (f"witness a {W1}", "group g any b", "quorum g"),
        ("group g any none", "quorum g"),
        ("log", "quorum none"),
        ("mirror x", "quorum none"),
    ],
)
def test_a_policy_that_is_not_understood_is_refused(lines):
    with pytest.raises(ValueError, match=r"policy|key"):
        policy(*lines)
