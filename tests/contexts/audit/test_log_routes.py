"""The log's routes: what anybody may fetch, and the answers to what is not there."""

from hashlib import sha256
from urllib.parse import quote

import boto3
import pytest
from ballot import ballot, cast
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from deployed import on_moto
from gateway import Gateway
from paper import scanned_svg

from app import app
from chalicelib import runtime
from chalicelib.handle import handle
from chalicelib.history.checkpoint import open_checkpoint
from chalicelib.history.code import decode_code
from chalicelib.history.merkle import Unproven, check_consistency
from chalicelib.history.note import LocalSigner
from chalicelib.history.objects import timestamp_name
from chalicelib.history.policy import Policy
from chalicelib.history.proof import Bundle, decode_proof
from chalicelib.history.publisher import Publisher
from chalicelib.history.sealer import Sealer

SIGNER = LocalSigner("demo.example/log", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
anybody = Gateway(app)
STREAM = "ballot-a"
LONG = "".join(sha256(bytes([n])).hexdigest() for n in range(150))
"""Somebody whose name is so long that a commit's proof fits into no QR code."""


def happen(*voters, **by):
    """Votes are cast and numbered."""
    for voter in voters:
        vote = cast(voter)
        vote = vote.model_copy(update={"origin": vote.origin.model_copy(update=by)})
        done = handle(runtime.event_store(), ballot, "a", vote)
        runtime.sequencer().number([(done.stream, done.number)])


def seal():
    """Seal and publish what has been numbered."""
    shelf, heads = runtime.event_store().shelf, runtime.log_heads()
    log = (runtime.history(), heads, runtime.log_objects())
    sealer = Sealer(shelf, *log, SIGNER, runtime.now, lambda _s: None)
    while sealer.seal():
        pass
    assert Publisher(*log, Policy(), None, no_post, runtime.now).publish(again=False) == []


def no_post(*_asked):
    raise AssertionError("there is nobody to ask")


@pytest.fixture(scope="module")
def log():
    """Five votes, sealed in two steps, and a sixth that is not sealed yet."""
    with on_moto():
        assert anybody.call("GET", "/checkpoint").json["code"] == "not-sealed-yet"
        assert anybody.call("GET", "/log/checkpoints").json == {"sizes": [], "more": False}
        happen("a", "b")
        happen("c", actor=LONG)
        seal()
        happen("d", "e")
        seal()
        happen("f")
        handle(runtime.event_store(), ballot, "a", cast("g"))
        yield


def get(path, status=200):
    answer = anybody.call("GET", path)
    assert answer.status == status, answer.text
    return answer


def believed(text):
    return open_checkpoint(text, [SIGNER.key]).checkpoint


def test_the_newest_checkpoint_may_be_kept_for_a_moment_only(log):
    answer = get("/checkpoint")
    assert believed(answer.text).size == 5
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"].startswith("public, max-age=2,")


def test_old_checkpoints_are_found_by_their_size(log):
    assert get("/log/checkpoints").json == {"sizes": [3, 5], "more": False}
    assert get("/log/checkpoints?after=3").json == {"sizes": [5], "more": False}
    assert believed(get("/checkpoints/3").text).size == 3
    assert get("/checkpoints/4", 404).json["code"] == "log-file-unknown"
    for path in ("/checkpoints/x", "/checkpoints/-1", "/log/checkpoints?after=x"):
        assert get(path, 422).json["code"] == "invalid-request"


@pytest.mark.parametrize("number", [1, 4, 5])
def test_a_commit_is_proven_with_its_header_or_without(log, number):
    bare = Bundle.parse(get(f"/proof/{STREAM}/{number}").text)
    whole = Bundle.parse(get(f"/proof/{quote(STREAM)}/{number}?entry=true").text)
    assert (bare.index, bare.extra) == (number - 1, b"")
    (commit,) = runtime.event_store().commits([(STREAM, number)]).values()
    assert whole.extra == commit.header
    assert bare.check([SIGNER.key], leaf=commit.header).checkpoint.size == 5
    assert whole.check([SIGNER.key]).checkpoint.size == 5
    with pytest.raises(Unproven):
        bare.check([SIGNER.key], leaf=commit.header + b" ")


def test_a_citizen_gets_the_proof_as_a_qr_code(log):
    path = f"/proof/{STREAM}/4/code"
    whole = Bundle.parse(get(f"/proof/{STREAM}/4?entry=true").text)
    digits = get(f"{path}?format=text").text
    assert decode_code(digits) == whole
    answer = get(path)
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Cache-Control"].startswith("public, max-age=300,")
    assert scanned_svg(answer.text) == [digits.strip()]


def test_a_proof_that_fits_into_no_code_is_refused(log):
    assert get(f"/proof/{STREAM}/3/code", 422).json["code"] == "proof-too-long"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/proof/{STREAM}/6", 404, "not-sealed-yet"),  # Numbered, not sealed.
        (f"/proof/{STREAM}/7", 404, "not-sealed-yet"),  # Committed, not numbered.
        (f"/proof/{STREAM}/8", 404, "not-in-log"),
        ("/proof/ballot-never/1", 404, "not-in-log"),
        ("/proof/nonsense%20here/1", 404, "not-in-log"),
        (f"/proof/{STREAM}/0", 422, "invalid-request"),
        (f"/proof/{STREAM}/x", 422, "invalid-request"),
        (f"/proof/{STREAM}/8/code", 404, "not-in-log"),
        (f"/proof/{STREAM}/6/code?format=text", 404, "not-sealed-yet"),
        (f"/proof/{STREAM}/1/code?format=png", 422, "invalid-request"),
        (f"/proof/{STREAM}/1?entry=perhaps", 422, "invalid-request"),
        (f"/proof/{STREAM}/1?commit=2", 422, "invalid-request"),
        ("/consistency?from=3&to=6", 404, "not-sealed-yet"),
        ("/consistency?from=4&to=3", 404, "not-sealed-yet"),
        ("/consistency", 422, "invalid-request"),
        ("/tile/0/000", 404, "log-file-unknown"),
        ("/tile/0/000.p/4", 404, "log-file-unknown"),
        ("/tile/0/0", 404, "log-file-unknown"),
        ("/tile/zero/000", 404, "log-file-unknown"),
        ("/tile/0/x001/x002/003.p/9", 404, "log-file-unknown"),
        ("/timestamps/5.tsr", 404, "log-file-unknown"),
        ("/timestamps/five", 422, "invalid-request"),
    ],
)
def test_what_is_not_there_is_a_problem(log, path, status, code):
    assert get(path, status).json["code"] == code


def test_history_is_proven_to_grow_between_any_two_sizes(log):
    roots = {size: believed(get(f"/checkpoints/{size}").text).root for size in (3, 5)}
    for path in ("/consistency?from=3&to=5", "/consistency?from=3"):
        proof = decode_proof(get(path).text.splitlines())
        check_consistency(3, roots[3], 5, roots[5], proof)
    assert get("/consistency?from=0&to=4").text == ""
    # Sizes that no checkpoint has are as good.
    between = decode_proof(get("/consistency?from=3&to=4").text.splitlines())
    assert len(between) == 3


@pytest.mark.parametrize("path", ["/tile/0/000.p/5", "/tile/entries/000.p/3"])
def test_a_tile_is_fetched_by_a_link(log, path):
    answer = get(path, 307)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert f"{path}?" in answer.headers["Location"]
    assert answer.text == ""


def test_a_time_stamp_is_fetched_by_a_link(log):
    runtime.log_objects().add({timestamp_name(3): b"stamp"})
    location = get("/timestamps/3.tsr", 307).headers["Location"]
    assert "timestamps/000000000003.tsr?" in location
    found = boto3.client("s3").get_object(Bucket="log", Key=timestamp_name(3))
    assert found["Body"].read() == b"stamp"
