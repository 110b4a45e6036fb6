"""The log's items and files where they really stand: DynamoDB and S3, with the memory beside."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from axis import Axis
from botocore.exceptions import ClientError
from shelves import EVERY, dynamo_rack, moto_rack

from chalicelib.eventstore.store import Corrupt
from chalicelib.history.heads import DynamoHeads, Head, MemoryHeads, Overtaken, Standing
from chalicelib.history.objects import MemoryObjects, S3Objects

NOW = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


def head(size, root=b"r", note="note\n", *, settled=False):
    return Head(size, root * 32, (b"p" * 32, b"q" * 32), note, NOW, settled)


@pytest.fixture(params=EVERY)
def kept(request):
    """Heads and files."""
    match request.param:
        case "memory":
            yield MemoryHeads(), MemoryObjects()
        case "moto":
            with moto_rack() as rack:
                yield on(Axis(rack), rack)
        case "ministack":
            with dynamo_rack(request.getfixturevalue("emulator_client")) as rack:
                yield on(Axis(rack), rack)


def on(axis, rack):
    return DynamoHeads(axis.dynamodb, axis.table("Log")), S3Objects(rack.s3, rack.bucket, 0)


def test_one_tree_follows_the_other(kept):
    heads, _ = kept
    assert heads.sealed() is None
    first, second = head(3), head(5, b"s")
    heads.advance(None, first)
    assert heads.sealed() == first
    for before in (None, first):  # It is taken; its tiles are not written.
        with pytest.raises(Overtaken):
            heads.advance(before, second)
    heads.settle(replace(first, root=b"x" * 32))
    assert heads.sealed() == first
    heads.settle(first)
    assert heads.sealed() == replace(first, settled=True)
    for before in (head(3, b"x"), head(2)):
        with pytest.raises(Overtaken):
            heads.advance(before, second)
    heads.advance(first, second)
    heads.settle(first)
    assert heads.sealed() == second


def test_what_is_shown_only_grows(kept):
    heads, _ = kept
    assert heads.published() is None
    heads.publish(head(3, note="a\n"))
    heads.publish(head(3, note="b\n"))
    heads.publish(head(3, b"x", note="c\n"))
    heads.publish(head(2))
    assert heads.published() == head(3, note="b\n")
    heads.publish(head(4))
    assert heads.published() == head(4)
    assert heads.sealed() is None


def test_how_outsiders_stand_is_remembered(kept):
    heads, _ = kept
    assert heads.standing("w") == Standing()
    for standing in (Standing(3, NOW), Standing(3, NOW, NOW), Standing(failing_since=NOW)):
        heads.stand("w", standing)
        assert heads.standing("w") == standing
    assert heads.standing("v") == Standing()


def test_a_file_is_written_once(kept):
    _, objects = kept
    assert objects.read("tile/0/000") is None
    objects.add({"tile/0/000": b"a", "tile/0/001.p/3": b"b"})
    objects.add({"tile/0/000": b"a"})
    with pytest.raises(Corrupt, match="tile/0/000"):
        objects.add({"tile/0/002": b"c", "tile/0/000": b"x"})
    assert objects.keep("tile/0/000", b"x") == b"a"
    assert objects.keep("tile/0/003", b"d") == b"d"
    assert objects.read("tile/0/000") == b"a"


def test_only_what_is_superseded_is_removed(kept):
    _, objects = kept
    names = ["checkpoints/000000000010", "checkpoints/000000000009", "tile/0/000.p/9"]
    objects.add(dict.fromkeys([*names, "staging/9-aa"], b""))
    assert objects.names("checkpoints/", "checkpoints/000000000009", 9) == names[:1]
    assert objects.names("checkpoints/", "", 1) == names[1:2]
    for prefix in ("", "tile/0/000.p/", "tile/0/000.p/"):
        objects.remove(prefix)
    assert objects.names("", "", 9) == sorted(names[:2])


def test_a_link_leads_to_a_file_that_is_there():
    with moto_rack() as rack:
        objects = S3Objects(rack.s3, rack.bucket, 0)
        objects.add({"tile/0/000": b"a"})
        assert objects.link("tile/0/001", 60) is None
        assert "tile/0/000?" in objects.link("tile/0/000", 60)
        answer = rack.s3.get_object(Bucket=rack.bucket, Key="tile/0/000")
        assert answer["CacheControl"] == "public, max-age=31536000, immutable"
        nowhere = S3Objects(rack.s3, "no-such-bucket", 0)
        with pytest.raises(ClientError):
            nowhere.read("tile/0/000")
        with pytest.raises(ClientError):
            nowhere.add({"tile/0/000": b"a"})


@pytest.mark.emulator
def test_what_is_final_cannot_be_removed_by_its_owner(emulator_client):
    s3 = emulator_client("s3")
    bucket = f"locked-{datetime.now(UTC):%H%M%S%f}"
    s3.create_bucket(
        Bucket=bucket,
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name},
    )
    objects = S3Objects(s3, bucket, 1)
    objects.add({"tile/0/000": b"a", "tile/0/001.p/1": b"b"})
    version = s3.head_object(Bucket=bucket, Key="tile/0/000")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key="tile/0/000", VersionId=version)
    assert objects.read("tile/0/000") == b"a"
    objects.remove("tile/0/001.p/")
    assert objects.read("tile/0/001.p/1") is None
