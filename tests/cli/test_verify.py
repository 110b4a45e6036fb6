"""Whatever somebody does to a history, the auditor finds it, and is told where."""

import base64
import json
from datetime import timedelta
from functools import partial
from hashlib import sha256

import pytest
from authority import Authority, needs_openssl
from logs import STARTED, WITNESSES, Log, signer

from chalicelib.contexts.audit.cloudevents import compact
from chalicelib.eventstore.store import Commit
from chalicelib.history import timestamp
from chalicelib.history.checkpoint import Checkpoint
from chalicelib.history.note import WITNESS, Note, cosign, sign
from chalicelib.history.tiles import WIDTH, Tile, decode_entries, encode_entries
from chalicelib.text import b64url
from infra import catalogue
from lienthong import verify as verifying

OLD, SIZE = 150, 550


def check(log, lienthong, *more):
    done = lienthong(
        "verify", log.folder, "--policy", log.folder.parent / "policy", "--json", *more
    )
    return done.exit, done.data[0]


def found(report):
    return {(one["kind"], one["position"]) for one in report["findings"]}


def test_what_was_not_touched_holds(log, lienthong):
    exit_, report = check(log, lienthong, "--from", log.folder / "checkpoints" / str(OLD))
    assert (exit_, report["holds"], report["findings"]) == (0, True, [])
    assert (report["size"], report["commits"], report["bracketed"]) == (SIZE, SIZE, SIZE)
    assert report["events"] == sum(len(commit.data()) for commit in log.commits)
    assert report["streams"] == len({commit.stream for commit in log.commits})
    assert (report["witnesses"], report["quorum"]) == (["w1", "w2", "w3"], "most")


def test_several_processes_find_the_same(log, lienthong, monkeypatch):
    monkeypatch.setattr(verifying, "_IN_PROCESS", 0)
    body_changed(log)
    _, alone = check(log, lienthong, "--jobs", 1)
    _, together = check(log, lienthong, "--jobs", 2)
    assert together == alone
    assert found(alone) == {("body", 207)}


# What is done to the folder, by somebody without the log's key.


def entry_changed(log):
    """Another actor in the entry at position 300."""
    tile = log.bundle(299 // WIDTH)
    path = log.folder / tile.path
    leaves = decode_entries(tile, path.read_bytes())
    at = 299 - tile.start
    leaves[at] = leaves[at].replace(b"officer:demo-1", b"officer:demo-2")
    path.write_bytes(encode_entries(leaves))


def entry_twice_in_one(log):
    """A header that says two things."""
    tile = log.bundle(0)
    path = log.folder / tile.path
    leaves = decode_entries(tile, path.read_bytes())
    leaves[9] = leaves[9].replace(b'{"actor"', b'{"actor":"officer:demo-2","actor"')
    path.write_bytes(encode_entries(leaves))


def bundle_cut(log):
    path = log.folder / log.bundle(1).path
    path.write_bytes(path.read_bytes()[:-1])


def bundle_gone(log):
    (log.folder / log.bundle(2).path).unlink()


def tile_changed(log):
    path = log.folder / Tile(0, 1).path
    content = bytearray(path.read_bytes())
    content[32 * 10] ^= 1
    path.write_bytes(content)


def upper_tile_changed(log):
    path = log.folder / Tile(1, 0, 2).path
    content = bytearray(path.read_bytes())
    content[32] ^= 1
    path.write_bytes(content)


def tile_gone(log):
    (log.folder / Tile(0, 0).path).unlink()


def tile_cut(log):
    path = log.folder / Tile(0, 2, SIZE - 512).path
    path.write_bytes(path.read_bytes()[:-32])


def checkpoint_changed(log):
    path = log.folder / "checkpoint"
    path.write_text(path.read_text().replace(f"\n{SIZE}\n", f"\n{SIZE - 1}\n", 1))


def saved_checkpoint_changed(log):
    path = log.folder / "checkpoints" / str(OLD)
    path.write_text(path.read_text().replace(f"\n{OLD}\n", "\n149\n", 1))


def checkpoint_in_anothers_place(log):
    (log.folder / "checkpoints" / "100").write_bytes(
        (log.folder / "checkpoints" / str(OLD)).read_bytes()
    )


def body_changed(log):
    lines = log.lines(201)
    [line] = [one for one in lines if one["id"] == f"{log.commits[206].seen}#0"]
    line["data"]["added"] = "Demo"
    log.rewrite(lines, 201)


def told_otherwise(name, value, log):
    """An attribute of the event at position 207."""
    lines = log.lines(201)
    next(one for one in lines if one["lienthongposition"] == 207)[name] = value
    log.rewrite(lines, 201)


def data_beside_its_bytes(log):
    """The bytes are what was recorded; what is read is not."""
    lines = log.lines(201)
    line = next(one for one in lines if one["lienthongposition"] == 207)
    line["data_base64"] = base64.b64encode(compact(line["data"])).decode()
    line["data"] = {"type": line["type"], "forged": True}
    log.rewrite(lines, 201)


def data_twice(log):
    path = log.folder / "events" / f"{201:012d}.jsonl"
    forged = b'"data":{"type":"offer.made"},"data":{'
    path.write_bytes(path.read_bytes().replace(b'"data":{', forged, 1))


def export_ends_early(log):
    log.rewrite([one for one in log.lines(501) if one["lienthongposition"] <= 540], 501)


def last_file_gone(log):
    (log.folder / "events" / f"{501:012d}.jsonl").unlink()


def file_gone_between(log):
    (log.folder / "events" / f"{201:012d}.jsonl").unlink()


def first_file_gone(log):
    (log.folder / "events" / f"{1:012d}.jsonl").unlink()


def one_event_of_a_commit_left_out(log):
    log.rewrite([one for one in log.lines(1) if one["id"] != f"{log.commits[1].seen}#1"], 1)


def event_again_at_the_end(log):
    log.rewrite([*log.lines(501), log.lines(1)[0]], 501)


def event_behind_the_end(log):
    again = log.lines(1)[0] | {"lienthongposition": SIZE + 1}
    log.rewrite([*log.lines(501), again], 501)


def file_behind_the_end(log):
    log.rewrite([log.lines(1)[0] | {"lienthongposition": SIZE + 1}], SIZE + 1)


def event_behind_an_empty_line(log):
    path = log.folder / "events" / f"{501:012d}.jsonl"
    forged = log.lines(1)[0] | {"lienthongposition": SIZE + 1}
    path.write_bytes(path.read_bytes() + b"\n" + compact(forged) + b"\n")


def events_swapped(log):
    lines = log.lines(1)
    first, second = (
        next(n for n, one in enumerate(lines) if one["lienthongposition"] == at) for at in (20, 21)
    )
    lines[first], lines[second] = lines[second], lines[first]
    log.rewrite(lines, 1)


def line_is_no_event(log):
    path = log.folder / "events" / f"{401:012d}.jsonl"
    path.write_bytes(b"{}\n" + path.read_bytes())


def line_between_is_no_event(log):
    path = log.folder / "events" / f"{201:012d}.jsonl"
    mark = b'"lienthongposition":207,'
    lines = [b"{}" if mark in line else line for line in path.read_bytes().splitlines()]
    path.write_bytes(b"\n".join(lines))


def data_nested_too_deep(log):
    body = b'{"type":"copy.opened","deep":%s}' % (b"[" * 900 + b"]" * 900)
    lines = log.lines(201)
    line = next(one for one in lines if one["lienthongposition"] == 207)
    del line["data"]
    line["data_base64"] = base64.b64encode(body).decode()
    log.rewrite(lines, 201)


def entry_nested_too_deep(log):
    tile = log.bundle(1)
    path = log.folder / tile.path
    leaves = decode_entries(tile, path.read_bytes())
    leaves[299 - tile.start] = b'{"a":' + b"[" * 300 + b"]" * 300 + b"}"
    path.write_bytes(encode_entries(leaves))


def size_of_so_many_digits(log):
    path = log.folder / "checkpoints" / str(OLD)
    path.write_text(path.read_text().replace(f"\n{OLD}\n", f"\n{'1' * 5_000}\n", 1))


def seen_at(second, log):
    """One witness says so of the newest checkpoint."""
    note = Note.parse((log.folder / "checkpoint").read_bytes())
    told = cosign(note.text, WITNESSES[2], second)
    log.write("checkpoint", str(Note(note.text, (*note.signatures[:3], told))).encode())


def cosigned_by_a_wrong_key(log):
    """The line of a witness that is needed, by somebody else's key."""
    note = Note.parse((log.folder / "checkpoint").read_bytes())
    other = signer(WITNESSES[0].name, 99, WITNESS)
    forged = cosign(note.text, other, int(log.clock.now.timestamp()))._replace(
        id=WITNESSES[0].key.id
    )
    log.write("checkpoint", str(Note(note.text, (note.signatures[0], forged))).encode())


def cosigned_by_strangers(log):
    note = Note.parse((log.folder / "checkpoint").read_bytes())
    strangers = [
        cosign(note.text, signer(f"demo.example/x{n}", 90 + n, WITNESS), 1) for n in (1, 2)
    ]
    own = Note(note.text, note.signatures[:1])
    log.write("checkpoint", str(own.with_signatures(strangers)).encode())


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        pytest.param(
            entry_changed,
            {("tile", 257), ("tile", 300), ("event", 300), ("chain", 333), ("root", 151)},
            id="entry",
        ),
        pytest.param(
            entry_twice_in_one,
            {("entry", 10), ("tile", 1), ("tile", 10), ("chain", 43), ("root", 1)},
            id="entry that can be read in two ways",
        ),
        pytest.param(
            entry_nested_too_deep,
            {("entry", 300), ("tile", 257), ("tile", 300), ("chain", 333), ("root", 151)},
            id="entry nested too deep",
        ),
        pytest.param(bundle_cut, {("entry", 257)}, id="bundle cut off"),
        pytest.param(bundle_gone, {("entry", 513)}, id="bundle gone"),
        pytest.param(tile_changed, {("tile", 267)}, id="tile"),
        pytest.param(upper_tile_changed, {("tile", 257)}, id="tile of tiles"),
        pytest.param(tile_gone, {("tile", 1)}, id="tile gone"),
        pytest.param(tile_cut, {("tile", 513)}, id="tile cut off"),
        pytest.param(checkpoint_changed, {("checkpoint", SIZE - 1)}, id="checkpoint"),
        pytest.param(saved_checkpoint_changed, {("checkpoint", 149)}, id="saved checkpoint"),
        pytest.param(
            checkpoint_in_anothers_place, {("checkpoint", 100)}, id="checkpoint out of place"
        ),
        pytest.param(size_of_so_many_digits, {("checkpoint", None)}, id="5,000 digits"),
        *(
            pytest.param(partial(seen_at, second), {("time-stamp", SIZE)}, id=f"seen at {second}")
            for second in (253_402_300_799, 10**12, 2**62)
        ),
        pytest.param(body_changed, {("body", 207)}, id="body"),
        *(
            pytest.param(partial(told_otherwise, name, value), {("event", 207)}, id=f"its {name}")
            for name, value in {
                "lienthongactor": "x",
                "lienthongassurance": 2.0,
                "source": "/forged",
                "specversion": "2.0",
                "datacontenttype": "text/plain",
                "forged": "nobody said so",
            }.items()
        ),
        pytest.param(data_beside_its_bytes, {("event", 207)}, id="data beside its bytes"),
        pytest.param(data_twice, {("event", 201)}, id="data twice"),
        pytest.param(data_nested_too_deep, {("event", 207)}, id="data nested too deep"),
        pytest.param(export_ends_early, {("missing", 541)}, id="export ends early"),
        pytest.param(last_file_gone, {("missing", 501)}, id="the export's last file"),
        pytest.param(file_gone_between, {("missing", 201)}, id="a file between"),
        pytest.param(first_file_gone, {("missing", 1)}, id="the first file"),
        pytest.param(one_event_of_a_commit_left_out, {("body", 2)}, id="one event of a commit"),
        pytest.param(event_again_at_the_end, {("extra", 1)}, id="an event again at the end"),
        pytest.param(event_behind_the_end, {("extra", SIZE + 1)}, id="an event behind the end"),
        pytest.param(file_behind_the_end, {("extra", SIZE + 1)}, id="a file behind the end"),
        pytest.param(events_swapped, {("missing", 20), ("extra", 20)}, id="events swapped"),
        pytest.param(line_is_no_event, {("event", 401)}, id="a line that is no event"),
        pytest.param(line_between_is_no_event, {("event", 207)}, id="such a line between others"),
        pytest.param(
            event_behind_an_empty_line, {("event", SIZE)}, id="an event behind an empty line"
        ),
        pytest.param(
            cosigned_by_a_wrong_key, {("checkpoint", SIZE)}, id="cosignature by a wrong key"
        ),
        pytest.param(cosigned_by_strangers, {("quorum", SIZE)}, id="cosigned by strangers"),
    ],
)
def test_a_touched_folder_is_found_with_the_position(log, lienthong, tamper, expected):
    tamper(log)
    exit_, report = check(log, lienthong)
    assert exit_ == 1
    assert found(report) == expected


@pytest.mark.parametrize(
    ("body", "as_bytes"),
    [
        pytest.param(b'[{"type":"copy.opened","n":1e+16}]', False, id="numbers as Python has them"),
        pytest.param(b'[{"type":"copy.opened","n":1e16}]', True, id="numbers as nobody has them"),
        pytest.param(b'[{"type":"copy.opened","n":%d}]' % 2**70, False, id="very large numbers"),
        pytest.param('[{"type":"copy.opened","n":"Đã mở"}]'.encode(), False, id="letters"),
        pytest.param(rb'[{"type":"copy.opened","n":"\u0110"}]', True, id="letters as numbers"),
    ],
)
def test_events_are_bound_by_their_bytes(log, lienthong, body, as_bytes):
    """Whatever JSON writes in two ways: what is exported are the bytes that were hashed."""
    last = log.commits[-1]
    covered = b64url(sha256(body).digest())
    header = rewritten(last, body_hash=covered, events=["copy.opened/1"]).header
    log.commits[-1] = Commit(last.stream, last.number, header, body)
    (log.folder / "checkpoints" / str(SIZE)).unlink()
    sealed_again(log)
    assert ("data_base64" in log.lines(501)[-1]) == as_bytes
    assert check(log, lienthong)[0] == 0
    path = log.folder / "events" / f"{501:012d}.jsonl"
    path.write_bytes(
        path.read_bytes()
        .replace(b"1e+16", b"1e+17")
        .replace("Đã".encode(), b"Da")
        .replace(b"%d" % 2**70, b"%d" % (2**70 + 1))
    )
    if not as_bytes:
        assert found(check(log, lienthong)[1]) == {("body", SIZE)}


# What the operator does, who holds the log's key, and has witnesses who saw it before.


def rewritten(commit, **facts):
    """The commit with another header, as its writer could have made it."""
    header = json.dumps(
        commit.facts | facts, separators=(",", ":"), sort_keys=True, ensure_ascii=False
    ).encode()
    return Commit(commit.stream, commit.number, header, commit.body)


def sealed_again(log):
    """Tiles, checkpoint and export made anew from what the commits are now."""
    for old in (log.folder / "events").glob("*"):
        old.unlink()
    log.seal()


def test_a_commit_that_does_not_follow_is_found(log, lienthong):
    log.commits[400] = rewritten(log.commits[400], previous="A" * 43)
    (log.folder / "checkpoints" / str(SIZE)).unlink()
    sealed_again(log)
    exit_, report = check(log, lienthong)
    assert exit_ == 1
    # The commit itself, and the next one of its stream, which follows the one that was.
    assert min(position for kind, position in found(report) if kind == "chain") == 401


def test_a_commit_put_in_again_at_the_end_is_found(log, lienthong):
    log.commits.append(log.commits[3])
    sealed_again(log)
    exit_, report = check(log, lienthong)
    assert exit_ == 1
    assert found(report) == {("chain", SIZE + 1), ("back-dated", SIZE + 1)}


def test_a_commit_left_out_is_found(log, lienthong):
    """Nothing of the folder contradicts itself but the stream that now has a hole."""
    del log.commits[399]
    (log.folder / "checkpoints" / str(SIZE)).unlink()
    sealed_again(log)
    exit_, report = check(log, lienthong)
    assert exit_ == 1
    assert min(position for kind, position in found(report) if kind == "chain") > 400


def test_a_history_rewritten_before_a_kept_checkpoint_is_found(log, lienthong, tmp_path):
    kept = tmp_path / "kept"
    kept.write_bytes((log.folder / "checkpoint").read_bytes())
    # The last commit of its stream, so that no chain breaks.
    last = max(range(SIZE), key=lambda n: log.commits[n].number)
    log.commits[last] = rewritten(log.commits[last], actor="officer:demo-2")
    log.tell(10)
    for old in (log.folder / "checkpoints").glob("*"):
        old.unlink()
    sealed_again(log)
    assert check(log, lienthong)[0] == 0
    exit_, report = check(log, lienthong, "--from", kept)
    assert exit_ == 1
    assert found(report) == {("root", 1)}
    assert f"positions 1 to {SIZE}" in report["findings"][0]["detail"]


def test_a_header_that_makes_no_sense_is_found(log, lienthong):
    """By a log that seals anything: each is signed, and none may stop the auditor's program."""
    senseless = [
        {"recorded_at": 7},
        {"recorded_at": "yesterday"},
        {"recorded_at": "2026-W05-1T02:00:00.000000+00:00"},
        {"recorded_at": "2026-06-01T02:99:99.000000+00:00"},
        {"number": "1"},
        {"events": "copy.opened/1"},
        {"events": ["copy.opened/one"]},
        {"stream": None},
    ]
    for at, facts in enumerate(senseless, start=201):
        log.commits[at] = rewritten(log.commits[at], **facts)
    log.commits[300] = Commit("x", 1, b"[" * 5_000, b"[]")
    leaves = [commit.header for commit in log.commits]
    for number in range(3):
        tile = log.bundle(number)
        part = leaves[tile.start : tile.start + tile.width]
        log.write(tile.path, encode_entries(part))
    exit_, report = check(log, lienthong)
    assert exit_ == 1
    entries = {position for kind, position in found(report) if kind == "entry"}
    assert entries == {*range(202, 210), 301}
    done = lienthong("replay", log.folder, "--since", 202)
    assert (done.exit, "position 202" in done.error) == (1, True)


def test_an_erasure_under_another_name_is_found(log, lienthong):
    """The header says that something else happened, and so does the export."""
    body = b'[{"type":"subject.erased","reason":"demo"}]'
    log.add("subject-demo", *decided(log))
    covered = b64url(sha256(body).digest())
    last = rewritten(log.commits[-1], body_hash=covered)
    log.commits[-1] = Commit(last.stream, last.number, last.header, body)
    sealed_again(log)
    log.rewrite([*log.lines(501)[:-1], log.lines(501)[-1] | {"type": "document.sent"}], 501)
    exit_, report = check(log, lienthong)
    assert (exit_, found(report)) == (1, {("event", SIZE + 1)})
    assert "subject.erased" in report["findings"][0]["detail"]


def test_two_checkpoints_of_one_size_are_found(log, lienthong, tmp_path):
    kept = tmp_path / "kept"
    kept.write_bytes((log.folder / "checkpoint").read_bytes())
    log.publish(Checkpoint(log.signer.name, SIZE, b"f" * 32))
    log.write("checkpoint", kept.read_bytes())
    exit_, report = check(log, lienthong)
    assert exit_ == 1
    assert found(report) == {("fork", SIZE)}


def test_a_log_that_shrank_is_found(log, lienthong, tmp_path):
    kept = tmp_path / "kept"
    kept.write_bytes((log.folder / "checkpoint").read_bytes())
    del log.commits[500:]
    (log.folder / "checkpoints" / str(SIZE)).unlink()
    sealed_again(log)
    exit_, report = check(log, lienthong, "--from", kept)
    assert exit_ == 1
    assert found(report) == {("shrunk", 501)}


def test_a_clock_set_back_is_found(log, lienthong):
    log.clock.now -= timedelta(hours=1)
    log.add("document-late", *decided(log))
    log.seal(at=STARTED + timedelta(hours=1))
    exit_, report = check(log, lienthong)
    assert exit_ == 1
    assert found(report) == {("back-dated", SIZE + 1)}
    # As long as this is within what numbering and sealing may take, nobody can tell.
    assert check(log, lienthong, "--late", 3_700)[0] == 0


def test_a_clock_set_back_within_a_stream_is_found(log, lienthong):
    at = next(n for n in range(OLD, SIZE) if log.commits[n].number > 3)
    log.commits[at] = rewritten(
        log.commits[at], recorded_at=STARTED.isoformat(timespec="microseconds")
    )
    (log.folder / "checkpoints" / str(SIZE)).unlink()
    sealed_again(log)
    assert ("clock", at + 1) in found(check(log, lienthong)[1])


def test_a_time_still_to_come_is_found(log, lienthong):
    seen = log.clock.now
    log.clock.now += timedelta(hours=1)
    log.add("document-early", *decided(log))
    log.seal(at=seen)
    assert found(check(log, lienthong)[1]) == {("post-dated", SIZE + 1)}


def test_a_checkpoint_seen_before_the_one_it_extends_is_found(log, lienthong):
    log.seal(at=STARTED)
    assert ("time-stamp", SIZE) in found(check(log, lienthong)[1])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({0: 0, 1: 0}, {1: 0, 2: 0}, set(), id="one clock for all"),
        pytest.param({1: 0, 2: 0}, {0: -5, 1: 1}, set(), id="clocks some seconds apart"),
        pytest.param(
            {1: 0, 2: 0},
            {0: -600, 1: 1},
            {("time-stamp", SIZE + 1), ("post-dated", SIZE + 1)},
            id="minutes apart",
        ),
        pytest.param(
            {0: 0, 1: 0}, {0: -1, 2: 0}, {("time-stamp", SIZE + 1)}, id="a clock set back"
        ),
    ],
)
def test_witnesses_clocks_may_differ(log, lienthong, first, second, expected):
    """Seconds before or after the true time, by witness; not all of them always answer."""
    cosigned(log, first)
    log.tell(1)
    sealed_again(log)
    log.clock.now -= timedelta(seconds=1)
    cosigned(log, second)
    exit_, report = check(log, lienthong)
    assert (exit_, found(report)) == (1 if expected else 0, expected)


def cosigned(log, seconds):
    """The newest checkpoint as these witnesses saw it, each by their own clock."""
    text = Note.parse((log.folder / "checkpoint").read_bytes()).text
    now = int(log.clock.now.timestamp())
    note = sign(text, log.signer).with_signatures(
        cosign(text, WITNESSES[n], now + off) for n, off in seconds.items()
    )
    for name in ("checkpoint", f"checkpoints/{text.split()[1]}"):
        log.write(name, str(note).encode())


def test_the_time_of_a_kept_checkpoint_counts(log, lienthong, tmp_path):
    """Whoever withholds the other checkpoints cannot back-date behind the one that was kept."""
    kept, seen = tmp_path / "kept", log.clock.now
    kept.write_bytes((log.folder / "checkpoint").read_bytes())
    log.clock.now = STARTED - timedelta(days=30)
    log.add("document-late", *decided(log))
    for old in (log.folder / "checkpoints").glob("*"):
        old.unlink()
    log.seal(at=seen + timedelta(days=90))
    exit_, report = check(log, lienthong)
    assert (exit_, "back-dating was not looked for" in report["notes"][0]) == (0, True)
    exit_, report = check(log, lienthong, "--from", kept)
    assert (exit_, report["notes"]) == (1, [])
    assert found(report) == {("back-dated", SIZE + 1)}


def test_the_time_of_a_kept_checkpoint_counts_beside_a_later_one(log, lienthong, tmp_path):
    """Witnesses sign the same one again; that it was seen before stays true."""
    kept, seen = tmp_path / "kept", log.clock.now
    log.clock.now += timedelta(hours=1)
    log.add("document-early", *decided(log))
    checkpoint = log.seal(at=seen)
    kept.write_bytes((log.folder / "checkpoint").read_bytes())
    log.publish(checkpoint, at=seen + timedelta(hours=2))
    assert check(log, lienthong)[0] == 0
    assert found(check(log, lienthong, "--from", kept)[1]) == {("post-dated", SIZE + 1)}


def decided(log):
    """Events of a decider, as some commit has them."""
    kind = catalogue.events()["document.sent"]
    return [kind.model_validate(log.commits[0].data()[0])]


# What cannot be checked.


def without_checkpoint(log):
    (log.folder / "checkpoint").unlink()


def without_events(log):
    for path in (log.folder / "events").glob("*"):
        path.unlink()


def half_fetched(log):
    log.write("unfinished", b"")


def with_a_policy_nobody_reads(log):
    log.write("../policy", b"quorum nobody\n")


def with_certificates_that_are_none(log):
    log.write("../authority", b"nobody")


def with_a_witness_for_a_log(log):
    log.write("../policy", f"log {WITNESSES[0].key}\nquorum none\n".encode())


@pytest.mark.parametrize(
    "spoil",
    [
        without_checkpoint,
        without_events,
        half_fetched,
        with_a_policy_nobody_reads,
        with_certificates_that_are_none,
        with_a_witness_for_a_log,
    ],
)
def test_what_cannot_be_checked_is_not_called_wrong(log, lienthong, spoil):
    spoil(log)
    policy, authority = log.folder.parent / "policy", log.folder.parent / "authority"
    certificates = ["--tsa", authority] if authority.exists() else []
    done = lienthong("verify", log.folder, "--policy", policy, *certificates)
    assert done.exit == 2
    assert done.error.startswith("cannot check")


def test_a_missing_kept_checkpoint_is_not_passed_over(log, lienthong):
    done = lienthong("verify", log.folder, "--from", log.folder / "nothing")
    assert (done.exit, "cannot be read" in done.error) == (2, True)


def test_keys_that_came_with_the_folder_are_pointed_out(log, lienthong):
    done = lienthong("verify", log.folder)
    assert done.exit == 0
    assert "came with the folder" in done.text
    own = log.folder.parent / "own"
    own.write_text(f"# the log's key\n{signer().key}\n")
    assert "came with the folder" not in lienthong("verify", log.folder, "--key", own).text
    own.write_text(str(signer(seed=7).key))
    assert lienthong("verify", log.folder, "--key", own).exit == 1


def test_an_empty_history_holds(tmp_path, lienthong):
    log = Log(tmp_path / "log")
    log.seal()
    assert check(log, lienthong)[0] == 0
    log.publish(Checkpoint(log.signer.name, 0, b"0" * 32))
    exit_, report = check(log, lienthong)
    assert (exit_, found(report)) == (1, {("root", None)})


def test_another_logs_checkpoint_is_not_taken_for_this_ones(log, lienthong, tmp_path):
    other = Log(tmp_path / "other" / "log", signer=signer("other/demo", 8))
    other.tell(3)
    other.seal()
    policy = log.folder.parent / "policy"
    policy.write_text(f"log {other.signer.key}\n{policy.read_text()}")
    exit_, report = check(log, lienthong, "--from", other.folder / "checkpoint")
    assert (exit_, found(report)) == (1, {("checkpoint", 3)})


def test_so_many_faults_are_counted(log, lienthong):
    log.write("keys", b"")
    lines = log.lines(1)
    for line in lines:
        line["time"] = "never"
    log.rewrite(lines)
    _, report = check(log, lienthong)
    assert report["found"] == 100
    assert len(report["findings"]) == verifying.MAX_FINDINGS
    text = lienthong("verify", log.folder, "--policy", log.folder.parent / "policy").text
    assert f"and {100 - verifying.MAX_FINDINGS} more" in text
    assert "position 1 (event)" in text


@pytest.fixture
def stamped(log, tmp_path):
    """The history with time stamps on both of its checkpoints."""
    authority = Authority(tmp_path / "authority")
    for size in (OLD, SIZE):
        text = Note.parse((log.folder / "checkpoints" / str(size)).read_bytes()).text
        token = authority.answer(timestamp.wish(text).body)
        log.write(f"timestamps/{size}.tsr", token)
    return authority


@needs_openssl
def test_time_stamps_are_checked_by_the_authoritys_certificate(log, lienthong, stamped):
    # The demo history says it is of the past; without witnesses only the stamps bound it from
    # above, and what came after the first stamp says it was before it.
    verified = ("verify", log.folder, "--tsa", stamped.root, "--json")
    report = lienthong(*verified, "--late", 10**9).data[0]
    assert (report["holds"], report["stamped"], report["bracketed"]) == (True, 2, SIZE)
    assert found(lienthong(*verified).data[0]) >= {("back-dated", OLD + 1)}
    (log.folder / f"timestamps/{OLD}.tsr").write_bytes(
        (log.folder / f"timestamps/{SIZE}.tsr").read_bytes()
    )
    assert found(lienthong(*verified).data[0]) == {("time-stamp", OLD)}
    # Nobody's stamps without a certificate: they are not looked at.
    assert lienthong("verify", log.folder, "--json").data[0]["stamped"] == 0
    for stamp in (log.folder / "timestamps").glob("*"):
        stamp.unlink()
    assert any("that --tsa could check" in note for note in lienthong(*verified).data[0]["notes"])
