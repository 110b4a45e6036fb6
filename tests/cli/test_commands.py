"""Reading a history: what happened, what stood when, what changed, and what it means."""

import json
from dataclasses import replace
from hashlib import sha256
from types import SimpleNamespace

import pytest
from logs import Log
from typer.testing import CliRunner

from chalicelib.history.code import MAX_DIGITS, decode_code, encode_code
from chalicelib.history.note import Note
from chalicelib.history.proof import Bundle, Tree
from chalicelib.history.tiles import Tile
from chalicelib.paper.qr import modules_of_digits
from infra import catalogue
from lienthong import explore
from lienthong.main import app

SIZE = 550


def correlation(commit):
    return commit.facts["correlation"]


def places(done):
    return [(one["subject"], one["lienthongcommit"], one["type"]) for one in done.data]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        pytest.param([], lambda _c, _e: True, id="all"),
        pytest.param(["--stream", "copy-demo3"], lambda c, _e: c.stream == "copy-demo3", id="one"),
        pytest.param(["--type", "copy.opened"], lambda _c, e: "opened" in e["type"], id="type"),
        pytest.param(["--case", "case-2"], lambda c, _e: correlation(c) == "case-2", id="case"),
        pytest.param(["--actor", "nobody"], lambda _c, _e: False, id="an actor who did nothing"),
        pytest.param(["--agency", "Z09"], lambda _c, _e: False, id="an agency named nowhere"),
        pytest.param(
            ["--since", "2026-06-01T09:05:00+07:00", "--until", "2026-06-01T02:06:00+00:00"],
            lambda c, _e: "T02:05:00" <= c.facts["recorded_at"][10:19] <= "T02:06:00",
            id="time",
        ),
    ],
)  # fmt: skip
def test_replay_tells_what_was_asked_for(log, lienthong, options, wanted):
    expected = [
        (commit.stream, commit.number, event["type"])
        for commit in log.commits
        for event in commit.data()
        if wanted(commit, event)
    ]
    done = lienthong("replay", log.folder, "--json", *options)
    assert (done.exit, places(done) if done.data else []) == (0, expected)


def test_replay_keeps_to_positions_and_limits(log, lienthong):
    done = lienthong("replay", log.folder, "--json", "--since", 257, "--until", 258)
    assert {one["lienthongposition"] for one in done.data} == {257, 258}
    done = lienthong("replay", log.folder, "--limit", 2)
    assert [line.split()[0] for line in done.text.splitlines()] == ["1", "2"]


def test_an_agencys_events_are_what_it_did_and_what_names_it(log, lienthong):
    log.add("copy-own", *_events(log, 2), actor="system:Z02")
    log.seal()
    done = lienthong("replay", log.folder, "--json", "--agency", "Z02", "--type", "copy.opened")
    assert done.data[-1]["lienthongactor"] == "system:Z02"
    assert len(done.data) > 1


@pytest.mark.parametrize("at", ["yesterday", "2026-06-01T02:00:00", "-1"])
def test_a_moment_is_a_position_or_a_time_with_its_zone(log, lienthong, at):
    done = lienthong("show", log.folder, "copy-demo1", "--as-of", at)
    assert (done.exit, "cannot check" in done.error or "No such option" in done.error) == (2, True)


def test_a_stream_is_shown_as_it_stood(log, lienthong):
    [first, later] = [n for n, c in enumerate(log.commits, 1) if c.stream == "copy-demo1"][:2]
    before = lienthong("show", log.folder, "copy-demo1", "--as-of", first, "--json").data[0]
    at = log.commits[later - 1].facts["recorded_at"]
    after = lienthong("show", log.folder, "copy-demo1", "--as-of", at, "--json").data[0]
    assert (before["number"], before["position"], after["position"]) == (1, first, later)
    assert (before["state"]["status"], after["state"]["status"]) == ("opened", "arrived")
    last = lienthong("show", log.folder, "copy-demo1", "--json").data[0]
    assert last["number"] == log.last["copy-demo1"].number
    assert "position" in lienthong("show", log.folder, "copy-demo1").text


def test_what_was_not_there_is_said(log, lienthong):
    show = lambda *words: lienthong("show", log.folder, *words).error  # noqa: E731 -- said thrice.
    assert "no stream copy-nobody" in show("copy-nobody")
    assert f"ends at position {SIZE}" in show("copy-demo1", "--as-of", SIZE + 1)
    assert "had not begun" in show("copy-demo1", "--as-of", 1)
    assert "no commit" in lienthong("explain", log.folder, "copy-demo1@999").error
    assert "has no event" in lienthong("explain", log.folder, "copy-demo1@1#9").error
    assert "not 551" in lienthong("explain", log.folder, SIZE + 1).error


def test_what_changed_is_told(log, lienthong):
    [first, later] = [n for n, c in enumerate(log.commits, 1) if c.stream == "copy-demo1"][:2]
    done = lienthong("diff", log.folder, "copy-demo1", first, later, "--json").data[0]
    assert {"field": "/status", "before": "opened", "after": "arrived"} in done["changed"]
    assert [one["type"] for one in done["events"]] == ["copy.arrived"] * len(done["events"])
    begun = lienthong("diff", log.folder, "copy-demo1", 1, first, "--json").data[0]
    assert {one["before"] for one in begun["changed"]} == {None}
    assert "/status" in lienthong("diff", log.folder, "copy-demo1", first, later).text


def test_an_event_is_explained_and_proven(log, lienthong):
    done = lienthong("explain", log.folder, "document-demo0@1#0").text
    assert catalogue.read(catalogue.FOLDER / "document.sent.json")["meaning"][:40] in done
    assert "proven by" in done
    assert "sealed: personal data of staff-demo-1" in done
    by_position = lienthong("explain", log.folder, 1, "--json").data[0]
    assert by_position["header"] == log.commits[0].facts
    assert len(by_position["proof"]) == 10


def test_a_case_is_drawn_as_what_followed_from_what(log, lienthong):
    first = log.add("document-case", *_events(log, 0), correlation="a case")
    second = log.add("copy-case", *_events(log, 2), correlation="a case", causation=first.seen)
    log.add("copy-case", *_events(log, 4), correlation="a case", causation=second.seen)
    log.add("copy-other", *_events(log, 2), correlation="a case", causation="copy-else@1")
    log.seal()
    text = lienthong("explain", log.folder, "copy-case@1").text
    drawn = text[text.index("case a case") :].splitlines()
    assert [line.split()[-4 if "position" in line else 0] for line in drawn] == [
        "case", "document-case@1", "copy-case@1", "copy-case@2", "copy-other@1",
    ]  # fmt: skip
    assert [len(line) - len(line.lstrip("│├└─ ")) for line in drawn] == [0, 4, 8, 12, 4]
    told = lienthong("explain", log.folder, "copy-case@1", "--json").data[0]["case"]
    assert told[first.seen] == ["copy-case@1"]


def test_a_proof_that_fails_is_wrong(log, lienthong):
    path = log.folder / Tile(0, 1).path
    path.write_bytes(bytes(len(path.read_bytes())))
    done = lienthong("explain", log.folder, 300)
    assert (done.exit, done.error.startswith("wrong")) == (1, True)


def test_what_is_called_proven_was_checked(log, lienthong):
    """The events too, which the proof alone does not cover."""
    lines = log.lines(201)
    line = next(one for one in lines if one["lienthongposition"] == 207)
    log.rewrite([one | {"lienthongactor": "x"} if one is line else one for one in lines], 201)
    done = lienthong("explain", log.folder, 207)
    assert (done.exit, "position 207" in done.error, done.text) == (1, True, "")
    line["data"]["agency"] = "Z09"
    log.rewrite(lines, 201)
    done = lienthong("explain", log.folder, 207)
    assert (done.exit, "position 207" in done.error, done.text) == (1, True, "")
    assert lienthong("explain", log.folder, 206).exit == 0


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("explain", 1), id="explain"),
        pytest.param(("replay",), id="replay"),
        pytest.param(("show", "copy-demo1"), id="show"),
    ],
)
def test_reading_asks_for_the_quorum(log, lienthong, words):
    note = Note.parse((log.folder / "checkpoint").read_bytes())
    log.write("checkpoint", str(Note(note.text, note.signatures[:2])).encode())
    command, *more = words
    policy = log.folder.parent / "policy"
    done = lienthong(command, log.folder, *more, "--policy", policy)
    assert (done.exit, "quorum" in done.error) == (1, True)
    assert lienthong(command, log.folder, *more).exit == 0


def test_a_type_is_no_path(tmp_path):
    (tmp_path / "outside.json").write_text('{"meaning": "nobody said so"}')
    assert explore.meaning(str(tmp_path / "outside")) == {}
    assert explore.meaning("document.sent")


@pytest.fixture
def proof(log):
    """A proof of the commit at position 300, with its entry, as the service gives it."""
    tree = Tree(SIZE, lambda tile: (log.folder / tile.path).read_bytes())
    note = (log.folder / "checkpoint").read_text()
    return Bundle(299, tuple(tree.inclusion(299)), note, log.commits[299].header)


@pytest.fixture
def receipt():
    """Runs the program on what a citizen holds."""

    def run(*words):
        done = CliRunner().invoke(app, ["receipt", "verify", *map(str, words)])
        data = json.loads(done.stdout) if "--json" in words and done.stdout else None
        return SimpleNamespace(exit=done.exit_code, text=done.stdout, error=done.stderr, data=data)

    return run


def test_a_proof_is_checked_without_the_history(log, receipt, proof, tmp_path):
    file, policy = tmp_path / "file.tlog-proof", tmp_path / "policy"
    file.write_text(str(proof))
    done = receipt(file, "--policy", policy, "--json")
    assert done.exit == 0
    assert done.data["header"] == log.commits[299].facts
    assert (done.data["position"], done.data["size"]) == (300, SIZE)
    assert f"{log.commits[299].seen}, recorded" in receipt(file, "--policy", policy).text
    # Nobody's key: nothing can be said.
    assert receipt(file).exit == 2


@pytest.mark.parametrize(
    ("fields", "exit_"),
    [
        pytest.param({"index": 300}, 1, id="another place"),
        pytest.param({"extra": b"{}"}, 1, id="another entry"),
        pytest.param({"extra": b""}, 1, id="no entry"),
        pytest.param({"proof": ()}, 1, id="no hashes"),
        pytest.param({"checkpoint": "none\n"}, 2, id="no checkpoint"),
    ],
)
def test_a_proof_of_something_else_is_refused(receipt, proof, tmp_path, fields, exit_):
    file = tmp_path / "file.tlog-proof"
    file.write_text(str(replace(proof, **fields)))
    assert receipt(file, "--policy", tmp_path / "policy").exit == exit_


def test_a_proof_asks_for_the_quorum(receipt, proof, tmp_path):
    file = tmp_path / "file.tlog-proof"
    note = Note.parse(proof.checkpoint)
    alone = replace(proof, checkpoint=str(Note(note.text, note.signatures[:2])))
    file.write_text(str(alone))
    done = receipt(file, "--policy", tmp_path / "policy")
    assert (done.exit, "quorum" in done.error) == (1, True)


def test_a_proof_is_checked_as_the_text_of_its_qr_code(log, receipt, proof, tmp_path):
    policy, file = tmp_path / "policy", tmp_path / "code.txt"
    digits = encode_code(proof)
    assert digits.isdecimal()
    file.write_text(f"{digits[:2000]}\n{digits[2000:]}\n")
    for given in (digits, f"https://portal.example/check#{digits}", file):
        done = receipt(given, "--policy", policy, "--json")
        assert (done.exit, done.data["header"]) == (0, log.commits[299].facts)


def test_a_picture_of_a_code_is_not_its_text(log, receipt, tmp_path):
    file = tmp_path / "code.png"
    file.write_bytes(b"\x89PNG\r\n")
    done = receipt(file, "--policy", tmp_path / "policy")
    assert (done.exit, "no proof of a commit" in done.error) == (2, True)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda digits: digits[:-20], id="cut off"),
        pytest.param(lambda digits: digits[:-1], id="a digit short"),
        pytest.param(lambda digits: digits + "00000", id="something behind it"),
        pytest.param(lambda digits: "9" * 17 + digits[17:], id="more than seven bytes hold"),
        pytest.param(lambda digits: digits.replace("1", "\u0661"), id="digits of another script"),
        pytest.param(lambda digits: digits + "0" * MAX_DIGITS, id="more than a code holds"),
        pytest.param(lambda _: "0" * 300, id="nothing of ours"),
    ],
)
def test_a_code_that_was_not_read_right_is_refused(receipt, proof, tmp_path, spoil):
    done = receipt(spoil(encode_code(proof)), "--policy", tmp_path / "policy")
    assert done.exit == 2
    assert "no proof of a commit" in done.error


def test_a_code_holds_the_proofs_of_a_billion_commits(proof):
    """With three witnesses: beyond that the route says that the proof is too long."""
    long = replace(proof, proof=tuple(sha256(bytes([n])).digest() for n in range(30)))
    assert len(Note.parse(long.checkpoint).signatures) == 4
    digits = encode_code(long)
    assert decode_code(digits) == long
    assert len(digits) < MAX_DIGITS
    assert len(modules_of_digits(digits)) <= 17 + 4 * 35


def test_a_missing_piece_is_found_while_reading(log, lienthong):
    (log.folder / log.bundle(1).path).unlink()
    done = lienthong("replay", log.folder)
    assert (done.exit, "position 257" in done.error) == (1, True)


def test_events_that_are_missing_are_found_while_reading(log, lienthong):
    files = sorted((log.folder / "events").iterdir())
    log.rewrite(log.lines(201)[:-1], 201)
    done = lienthong("show", log.folder, "copy-demo1")
    assert (done.exit, "events are here" in done.error) == (1, True)
    files[2].unlink()
    done = lienthong("replay", log.folder)
    assert (done.exit, "position 201" in done.error) == (1, True)
    files[0].unlink()
    done = lienthong("explain", log.folder, 3)
    assert (done.exit, "positions 1 to 100 are missing" in done.error) == (1, True)
    for file in files[1:]:
        file.unlink(missing_ok=True)
    done = lienthong("explain", log.folder, 3)
    assert (done.exit, "no events" in done.error) == (2, True)


@pytest.mark.parametrize("since", [1, 207])
def test_a_line_that_is_no_event_is_found_while_reading(log, lienthong, since):
    path = log.folder / "events" / f"{201:012d}.jsonl"
    mark = b'"lienthongposition":207,'
    path.write_bytes(
        b"\n".join(b"{}" if mark in line else line for line in path.read_bytes().splitlines())
    )
    done = lienthong("replay", log.folder, "--since", since)
    assert (done.exit, "position 207" in done.error) == (1, True)
    assert lienthong("replay", log.folder, "--until", 205).exit == 0


@pytest.mark.parametrize("option", ["--limit", "--since"])
def test_less_than_nothing_is_not_asked_for(log, lienthong, option):
    assert lienthong("replay", log.folder, option, -1).exit == 2


def test_a_checkpoint_that_is_none_is_not_read_by(log, lienthong):
    log.write("checkpoint", b"nothing")
    assert lienthong("replay", log.folder).exit == 2


def test_who_was_forgotten_is_said(tmp_path, lienthong):
    log = Log(tmp_path / "log")
    log.tell(1)
    kind = catalogue.events()["subject.erased"]
    example = catalogue.read(catalogue.FOLDER / "subject.erased.json")["examples"][0]
    erased = log.add("subject-staff-demo-1", kind.model_validate(example))
    log.seal()
    report = lienthong("verify", log.folder, "--json").data[0]
    assert report["erased"] == [{"subject": "staff-demo-1", "by": erased.seen, "position": 2}]
    assert "staff-demo-1" in lienthong("verify", log.folder).text
    shown = lienthong("explain", log.folder, 1).text
    assert f"erased by commit {erased.seen}, position 2" in shown
    assert "sealed" not in shown
    # Who comes back has a new key.
    told = log.commits[0].data()[0]
    told["staff"]["where"] = "document-again@1"
    log.add("document-again", catalogue.events()["document.sent"].model_validate(told))
    log.seal()
    assert "sealed: personal data of staff-demo-1" in lienthong("explain", log.folder, 3).text
    assert "sealed: personal" in lienthong("show", log.folder, "document-again").text
    assert "erased by" in lienthong("show", log.folder, "document-demo0").text


def test_every_stream_can_be_shown():
    assert explore.deciders().keys() == {one.category for one in catalogue.deciders().values()}


def _events(log, index):
    kinds = catalogue.events()
    return [kinds[event["type"]].model_validate(event) for event in log.commits[index].data()[:1]]
