"""Tools that nobody here wrote accept our log, and reject a tampered copy of it."""

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import urllib3
from authority import Authority, needs_openssl
from logs import ORIGIN, WITNESSES, Log, signer

from chalicelib.history import timestamp
from chalicelib.history.checkpoint import Checkpoint
from chalicelib.history.merkle import Unproven, leaf_hash
from chalicelib.history.note import Note, VerifierKey, sign
from chalicelib.history.policy import Witness
from chalicelib.history.proof import Bundle, Tree
from chalicelib.history.tiles import Tile, decode_entries, encode_entries
from chalicelib.history.witness import ask

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-judges"
JUDGES = Path(__file__).resolve().parent / "judges"
OLD, SIZE, INDEX = 300, 550, 299

needs_venv = pytest.mark.skipif(
    not (VENV / ".stamp").exists(),
    reason="the independent tools are not installed: they need Python 3.12 (infra/judges.sh)",
)
GO_MODULES = Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/note")
needs_go = pytest.mark.skipif(
    not (shutil.which("go") and GO_MODULES.exists()),
    reason="Go is not installed, or golang-golang-x-mod-dev is not",
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A sealed log, three copies that somebody touched, and what a judge must be given."""
    place = tmp_path_factory.mktemp("judged")
    log = Log(place / "good")
    log.tell(OLD)
    log.seal()
    log.tell(SIZE - OLD)
    log.seal()
    (log.folder / "proof").write_text(proof(log))
    for name, touch in TOUCHED.items():
        shutil.copytree(log.folder, place / name)
        touch(place / name)
    (place / "key").write_text(f"log {log.signer.key}\n")
    keys = [str(one.key) for one in WITNESSES]
    (place / "witnesses").write_text(json.dumps({"quorum": 2, "witnesses": keys}))
    return {
        "folders": {name: str(place / name) for name in ("good", *TOUCHED)},
        "key": str(log.signer.key),
        "key_file": str(place / "key"),
        "witnesses": keys[:1],
        "witness_policy": str(place / "witnesses"),
        "old_checkpoint": str(log.folder / "checkpoints" / str(OLD)),
        "index": INDEX,
    }


def proof(log):
    """One entry's proof, as the service hands it out."""
    tree = Tree(SIZE, lambda tile: (log.folder / tile.path).read_bytes())
    return str(
        Bundle(
            INDEX,
            tuple(tree.inclusion(INDEX)),
            (log.folder / "checkpoint").read_text(),
            log.commits[INDEX].header,
        )
    )


def other_entry(folder):
    path = folder / Tile(-1, 1).path
    leaves = decode_entries(Tile(-1, 1), path.read_bytes())
    leaves[INDEX - 256] = leaves[INDEX - 256].replace(b"demo-1", b"demo-2")
    path.write_bytes(encode_entries(leaves))
    bundle = Bundle.parse((folder / "proof").read_bytes())
    altered = Bundle(bundle.index, bundle.proof, bundle.checkpoint, leaves[INDEX - 256])
    (folder / "proof").write_text(str(altered))


def other_tile(folder):
    """Consistently: the tile has the hash of an altered entry, and so has the proof."""
    other_entry(folder)
    leaf = decode_entries(Tile(-1, 1), (folder / Tile(-1, 1).path).read_bytes())[INDEX - 256]
    path = folder / Tile(0, 1).path
    content = bytearray(path.read_bytes())
    content[32 * (INDEX - 256) : 32 * (INDEX - 255)] = leaf_hash(leaf)
    path.write_bytes(content)


def other_root(folder):
    """A root that the log did not sign."""
    note = Note.parse((folder / "checkpoint").read_bytes())
    forged = Checkpoint(ORIGIN, SIZE, b"f" * 32)
    (folder / "checkpoint").write_text(str(Note(forged.text, note.signatures)))


TOUCHED = {"other-entry": other_entry, "other-tile": other_tile, "other-root": other_root}
EXPECTED = {"good": True} | dict.fromkeys(TOUCHED, False)


@needs_venv
@pytest.mark.parametrize("judge", ["aics", "scales", "with_pymerkle", "with_sigstore"])
def test_a_judge_accepts_ours_and_rejects_what_was_touched(judge, asked):
    done = subprocess.run(
        [VENV / "bin" / "python", JUDGES / f"{judge}.py"],
        input=json.dumps(asked), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == EXPECTED, done.stderr


@needs_go
def test_gos_checksum_database_accepts_ours_and_rejects_what_was_touched(asked):
    cache = ROOT / ".local" / "go-cache"
    env = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(cache)}
    folders = asked["folders"].values()
    done = subprocess.run(
        ["go", "run", JUDGES / "note.go", asked["key"], asked["old_checkpoint"],  # noqa: S607 -- found on PATH.
         str(INDEX), *folders],
        env=os.environ | env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    verdicts = [line == "accepted" for line in done.stdout.splitlines()]
    assert dict(zip(asked["folders"], verdicts, strict=True)) == EXPECTED, done.stdout


@needs_openssl
def test_openssl_accepts_a_stamp_of_our_checkpoint_and_of_no_other(asked, tmp_path):
    """And we accept what openssl stamped, for the same text alone."""
    authority = Authority(tmp_path / "authority")
    text = Note.parse((Path(asked["folders"]["good"]) / "checkpoint").read_bytes()).text
    token, ours, other = (tmp_path / name for name in ("token", "ours", "other"))
    token.write_bytes(authority.answer(timestamp.wish(text).body))
    ours.write_text(text)
    other.write_text(text.replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n"))
    assert authority.verify(token, ours)
    assert not authority.verify(token, other)
    roots = [authority.root.read_text()]
    assert timestamp.check(token.read_bytes(), text, roots)
    with pytest.raises(Unproven):
        timestamp.check(token.read_bytes(), other.read_text(), roots)


@pytest.fixture
def witness(tmp_path):
    """`aics-witness` at work on this machine, trusting our log's key."""
    program, config = VENV / "bin" / "aics-witness", tmp_path / "witness.json"

    def run(*words):
        return subprocess.run(
            [program, *words, "--config", config], capture_output=True, text=True, check=True
        ).stdout

    said = run("init", "--name", "demo.example/witness", "--listen", "127.0.0.1:0")
    [key] = [word for word in said.split() if word.startswith("demo.example/witness+")]
    run("add-log", "--origin", ORIGIN, "--vkey", str(signer().key))
    with subprocess.Popen(
        [program, "serve", "--config", config], stderr=subprocess.PIPE, text=True
    ) as serving:
        try:
            # It says where it listens before it takes the first request.
            [port, *_] = next(
                found
                for line in serving.stderr
                if (found := re.findall(r"127\.0\.0\.1:(\d+)", line))
            )
            yield Witness("w", VerifierKey.parse(key), f"http://127.0.0.1:{port}")
        finally:
            serving.terminate()
            serving.stderr.read()


@needs_venv
def test_a_witness_that_nobody_here_wrote_cosigns_and_refuses_a_fork(witness, asked, tmp_path):
    pool = urllib3.PoolManager(retries=False)

    def post(url, headers, body):
        answer = pool.request("POST", url, body=body, headers=headers)
        return SimpleNamespace(status=answer.status, body=answer.data)

    def show(folder, size, seen):
        written = (Path(folder) / "checkpoints" / str(size)).read_bytes()
        note = Note.parse(written)
        tree = Tree(size, lambda tile: (Path(folder) / tile.path).read_bytes())
        own = Note(note.text, note.signatures[:1])
        return own, ask(
            post, witness, size, own, seen, tree.consistency, datetime.now(UTC).timestamp()
        )

    good = asked["folders"]["good"]
    for size, seen in ((OLD, 0), (SIZE, OLD)):
        note, said = show(good, size, seen)
        assert said.signature
        assert not said.disagrees
        assert note.with_signatures([said.signature]).signed_by([witness.key])[witness.key]
    # The same log's key signs another history: longer, so only the proof can tell.
    fork = Log(tmp_path / "fork")
    fork.clock.now = fork.clock.now.replace(hour=5)
    fork.tell(SIZE + 10)
    fork.seal()
    _, said = show(fork.folder, SIZE + 10, SIZE)
    assert (said.signature, said.disagrees) == (None, True)
    # And the same size with another root.
    forged = sign(Checkpoint(ORIGIN, SIZE, b"f" * 32).text, signer())
    said = ask(post, witness, SIZE, forged, SIZE, lambda _old: [], 1)
    assert (said.signature, said.disagrees) == (None, True)
