"""Fetching: everything once, over HTTPS, so that it may be stopped and gone on with."""

import json

import pytest
from logs import signer
from logserver import TOKEN, Deployment

from chalicelib.eventstore.store import Commit
from lienthong.fetching import Source
from lienthong.folder import CannotCheck

SIZE = 550


@pytest.fixture
def deployment(log):
    with Deployment(log) as running:
        yield running


@pytest.fixture
def fetch(deployment, lienthong, tmp_path):
    def run(*more, token=TOKEN):
        tokens = tmp_path / "token"
        tokens.write_text(f"{token}\n")
        deployment.asked.clear()
        folder = tmp_path / "fetched"
        return lienthong("fetch", deployment.url, folder, "--token-file", tokens, *more)

    return run


def holds(lienthong, tmp_path):
    done = lienthong("verify", tmp_path / "fetched", "--policy", tmp_path / "policy", "--json")
    return done.data[0]["holds"], done.data[0]["size"], done.data[0]["checkpoints"]


def test_what_is_fetched_is_what_was_sealed(fetch, log, lienthong, tmp_path):
    done = fetch("--json")
    assert (done.exit, done.data) == (0, [{"folder": str(tmp_path / "fetched"), "size": SIZE}])
    assert holds(lienthong, tmp_path) == (True, SIZE, 2)
    for piece in ("checkpoint", "checkpoints/150", "keys", "events/000000000501.jsonl"):
        assert (tmp_path / "fetched" / piece).read_bytes() == (log.folder / piece).read_bytes()


def test_only_what_is_new_is_fetched_again(fetch, log, deployment, lienthong, tmp_path):
    fetch()
    log.tell(300)
    log.seal()
    assert fetch().exit == 0
    assert holds(lienthong, tmp_path) == (True, SIZE + 300, 3)
    asked = {path.split("?")[0] for path in deployment.asked if path.startswith("/store/")}
    assert asked == {
        f"/store/{name}"
        for name in (
            # The last file of events may have grown.
            *(f"events/{first:012d}.jsonl" for first in (501, 601, 701, 801)),
            *("tile/entries/002", "tile/entries/003.p/82", "tile/0/002", "tile/0/003.p/82"),
            "tile/1/000.p/3",
        )
    }
    # Partial tiles that larger ones have replaced are gone.
    assert not list((tmp_path / "fetched").rglob("002.p/*"))


def test_a_fetch_that_broke_off_is_gone_on_with(fetch, deployment, lienthong, tmp_path):
    deployment.lost.add("events/000000000401.jsonl")
    assert fetch().exit == 2
    verified = lienthong("verify", tmp_path / "fetched")
    assert (verified.exit, "fetch it again" in verified.error) == (2, True)
    deployment.lost.clear()
    assert fetch().exit == 0
    assert "/store/events/000000000201.jsonl" not in {p.split("?")[0] for p in deployment.asked}
    assert holds(lienthong, tmp_path)[0]


def test_what_history_gained_since_the_checkpoint_waits_for_the_next(
    fetch, log, deployment, lienthong, tmp_path
):
    checkpoint = (log.folder / "checkpoint").read_bytes()
    log.tell(20)
    log.seal()
    log.write("checkpoint", checkpoint)
    (log.folder / "checkpoints" / str(SIZE + 20)).unlink()
    assert fetch().exit == 0
    assert holds(lienthong, tmp_path) == (True, SIZE, 2)


def test_a_part_of_a_tile_that_a_whole_one_has_superseded_is_cut_from_it(
    fetch, log, deployment, lienthong, tmp_path
):
    checkpoint = (log.folder / "checkpoint").read_bytes()
    log.tell(300)
    log.seal()
    log.write("checkpoint", checkpoint)
    (log.folder / "checkpoints" / str(SIZE + 300)).unlink()
    deployment.lost.update({"tile/entries/002.p/38", "tile/0/002.p/38"})
    assert fetch("--purpose", "DEMO-1").exit == 0
    assert holds(lienthong, tmp_path) == (True, SIZE, 2)
    assert deployment.purposes == {"DEMO-1"}


def another_history(log, at, more=0):
    """The operator makes it anew: somebody else did what stands at position `at`."""
    commit = log.commits[at - 1]
    facts = commit.facts | {"actor": "officer:demo-2"}
    header = json.dumps(facts, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    log.commits[at - 1] = Commit(commit.stream, commit.number, header, commit.body)
    log.tell(more)
    for old in [*(log.folder / "events").glob("*"), *(log.folder / "checkpoints").glob("*")]:
        old.unlink()
    log.seal()


def pieces(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("more", [0, 10, 300])
def test_nothing_of_another_history_takes_the_place_of_the_first(
    fetch, log, lienthong, tmp_path, more
):
    fetch()
    folder = tmp_path / "fetched"
    before, true = pieces(folder), log.commits[540:550]
    another_history(log, 541, more)
    fork = folder / f"checkpoints/{SIZE + more}.fork"
    after = before | {fork: (log.folder / "checkpoint").read_bytes()}
    for again in (545, 550):
        done = fetch()
        assert (done.exit, f"position {541 if more else SIZE}:" in done.error) == (1, True)
        assert pieces(folder) == after
        assert holds(lienthong, tmp_path)[:2] == (True, SIZE)
        # What is served next may be no evidence: the first is kept.
        another_history(log, again)
    done = lienthong("verify", folder, "--policy", tmp_path / "policy", "--from", fork, "--json")
    assert done.data[0]["findings"][0]["kind"] == ("shrunk" if more else "fork")
    # Served as before, it is gone on with.
    log.commits[540:550] = true
    log.seal()
    assert fetch().exit == 0
    assert holds(lienthong, tmp_path)[:2] == (True, SIZE + more)


def test_a_fork_before_what_grows_is_found_by_both_checkpoints(fetch, log, lienthong, tmp_path):
    """Nothing of it is fetched again, so nothing is lost."""
    fetch()
    another_history(log, 541 - 256, 10)
    assert fetch().exit == 0
    assert holds(lienthong, tmp_path)[0] is False
    assert (tmp_path / "fetched" / f"checkpoints/{SIZE}").exists()


def test_a_log_that_shrank_is_not_fetched(fetch, log, tmp_path):
    fetch()
    before = pieces(tmp_path / "fetched")
    del log.commits[540:]
    (log.folder / f"checkpoints/{SIZE}").unlink()
    log.seal()
    done = fetch()
    assert (done.exit, "position 541:" in done.error) == (1, True)
    assert pieces(tmp_path / "fetched") == before


@pytest.mark.parametrize(
    ("change", "position"),
    [
        pytest.param(lambda lines: lines[:-1], SIZE, id="that ends earlier"),
        pytest.param(
            lambda lines: [
                line | {"data": line["data"] | {"more": 1}} if n == 0 else line
                for n, line in enumerate(lines)
            ],
            501,
            id="that says something else",
        ),
    ],
)
def test_an_export_that_does_not_begin_as_it_did_is_not_taken(
    fetch, log, lienthong, tmp_path, change, position
):
    fetch()
    before = pieces(tmp_path / "fetched")
    log.rewrite(change(log.lines(501)), 501)
    done = fetch()
    assert (done.exit, f"position {position}:" in done.error) == (1, True)
    assert pieces(tmp_path / "fetched").items() >= before.items()
    assert holds(lienthong, tmp_path)[0]


def test_a_key_may_come_and_none_may_go(fetch, log, tmp_path):
    fetch()
    first, second = f"{signer().key}\n", f"{signer(seed=7).key}\n"
    keys = tmp_path / "fetched" / "keys"
    log.write("keys", f"{second}{first}".encode())
    assert (fetch().exit, keys.read_text()) == (0, f"{second}{first}")
    log.write("keys", second.encode())
    done = fetch()
    assert (done.exit, "not served any more" in done.error) == (1, True)
    assert keys.read_text() == f"{second}{first}"


def test_a_checkpoint_that_came_meanwhile_waits_for_the_next(fetch, log, lienthong, tmp_path):
    checkpoint = (log.folder / "checkpoint").read_bytes()
    log.tell(20)
    log.seal()
    log.write("checkpoint", checkpoint)
    assert fetch().exit == 0
    assert holds(lienthong, tmp_path) == (True, SIZE, 2)


def test_a_missing_tile_is_said(fetch, deployment):
    deployment.lost.add("tile/0/001")
    done = fetch()
    assert (done.exit, "has no tile/0/001" in done.error) == (2, True)


def test_a_log_that_lists_no_checkpoints_is_fetched(fetch, deployment, lienthong, tmp_path):
    deployment.lost.add("log/checkpoints")
    assert fetch().exit == 0
    assert holds(lienthong, tmp_path) == (True, SIZE, 1)


def test_a_wrong_token_is_said(fetch):
    done = fetch(token="another")
    assert done.exit == 2
    assert "403" in done.error


def another_export(deployment, content):
    original = deployment.chunk
    deployment.chunk = lambda first: original(first) | content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param({"sha256": "0" * 64}, "not what was announced", id="altered on the way"),
        pytest.param({"first": 7}, "is of 7", id="from another position"),
        pytest.param({"next": 1}, "is of 1", id="that leads nowhere"),
        pytest.param({"next": "../1"}, "next", id="that leads astray"),
        pytest.param({"url": None}, "url", id="without a link"),
        pytest.param({"url": "http://demo.example/x"}, "only https", id="by an open road"),
        pytest.param({"url": "https://[demo"}, "no address", id="by none"),
    ],
)
def test_an_export_that_contradicts_itself_is_refused(fetch, deployment, content, said):
    another_export(deployment, content)
    done = fetch()
    assert (done.exit, said in done.error) == (2, True)


def test_a_checkpoint_that_is_none_is_refused(fetch, log):
    log.write("checkpoint", b"<html>")
    done = fetch()
    assert (done.exit, "none" in done.error) == (2, True)


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([1], id="no object"),
        pytest.param({"sizes": [1]}, id="half of it"),
        pytest.param({"sizes": ["../../outside"], "more": False}, id="a name outside the folder"),
        pytest.param({"sizes": [], "more": True}, id="no end"),
        pytest.param({"sizes": [1], "more": True}, id="in a circle"),
    ],
)
def test_a_list_of_checkpoints_that_is_none_is_refused(fetch, deployment, sizes):
    deployment.sizes = lambda _after: sizes
    done = fetch()
    assert (done.exit, "log/checkpoints" in done.error) == (2, True)


def test_what_a_server_says_commands_no_terminal(fetch, deployment):
    another_export(deployment, {"url": "http://demo.example/\x1b[2J"})
    done = fetch()
    assert "demo.example" in done.error
    assert "\x1b" not in done.error


def test_a_token_is_not_sent_in_the_clear():
    with pytest.raises(CannotCheck):
        Source("http://demo.example/api", "secret")
    assert "secret" not in repr(Source("https://demo.example/api", "secret"))


def test_a_server_that_is_not_there_is_said(lienthong, tmp_path, deployment):
    deployment.shutdown()
    deployment.server_close()
    done = lienthong("fetch", deployment.url, tmp_path / "fetched")
    assert done.exit == 2
    assert json.dumps(done.error).startswith('"cannot check')
