"""What happened is sealed by the deployed stack, and anybody can prove it from what they fetch."""

from urllib.parse import quote

from history.whole import check_tiles
from journeys.journey import id_of, until

from chalicelib.history.checkpoint import open_checkpoint
from chalicelib.history.merkle import check_consistency
from chalicelib.history.note import VerifierKey
from chalicelib.history.proof import Bundle, decode_proof
from chalicelib.history.tiles import ENTRIES, all_tiles, decode_entries


def test_what_a_document_went_through_is_sealed_and_can_be_proven(journey):
    def fetch(path, status=200):
        answer = journey.http.request("GET", f"{journey.stack.api_url}{path}")
        assert answer.status == status, (path, answer.status, answer.data[:300])
        return answer

    def file(path):
        """A file of the log, behind its link."""
        answer = fetch(path, 307)
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        kept = journey.http.request("GET", answer.headers["Location"])
        assert kept.status == 200
        assert "immutable" in kept.headers["Cache-Control"]
        return kept.data

    sender, receiver = journey.join(), journey.join()
    document = id_of(journey.send(sender, [receiver]))
    journey.told(sender, document, "01")
    stream = f"copy-{document}.{receiver.code}"

    def proof(commit):
        url = f"{journey.stack.api_url}/proof/{quote(stream)}/{commit}?entry=true"
        answer = journey.http.request("GET", url)
        return Bundle.parse(answer.data) if answer.status == 200 else None

    key = VerifierKey.parse(fetch("/log/keys").data.decode())
    first = until("the proof of the first commit", lambda: proof(1))
    old = first.check([key]).checkpoint
    assert key.name == old.origin == "lien-thong/local"
    assert f'"stream":"{stream}"'.encode() in first.extra

    # Something else happens; the log grows out of what it was.
    journey.status(receiver, document, receiver, "03")
    second = until("the proof of the next commit", lambda: proof(3))
    new = second.check([key]).checkpoint
    assert new.size > old.size
    lines = fetch(f"/consistency?from={old.size}&to={new.size}").data.decode().splitlines()
    check_consistency(old.size, old.root, new.size, new.root, decode_proof(lines))

    # All of it, from files alone.
    latest = open_checkpoint(fetch("/checkpoint").data, [key]).checkpoint
    tiles = {tile: file(f"/{tile.path}") for tile in all_tiles(latest.size)}
    check_tiles(latest.size, latest.root, tiles.__getitem__)
    bundles = [tile for tile in tiles if tile.level == ENTRIES]
    leaves = [leaf for tile in bundles for leaf in decode_entries(tile, tiles[tile])]
    assert leaves[first.index] == first.extra
    assert leaves[second.index] == second.extra
    kept = fetch(f"/checkpoints/{old.size}").data
    assert open_checkpoint(kept, [key]).checkpoint == old

    # What is not there.
    for path, code in (
        (f"/proof/{quote(stream)}/99", "not-in-log"),
        ("/proof/copy-never.Z99/1", "not-in-log"),
        ("/consistency?from=1&to=999999999", "not-sealed-yet"),
        ("/tile/0/x001/000", "log-file-unknown"),
        ("/tile/0/7", "log-file-unknown"),
        ("/checkpoints/999999999", "log-file-unknown"),
        (f"/timestamps/{old.size}.tsr", "log-file-unknown"),
    ):
        assert f'"code":"{code}"' in fetch(path, 404).data.decode().replace(" ", "")
