"""What only a shelf on DynamoDB can get wrong: calls, pages, bodies in S3, lost answers."""

from hashlib import sha256
from types import SimpleNamespace

import pytest
from ballot import BallotOpened, VoteCast, ballot, cast, origin
from botocore.exceptions import ClientError
from shelves import DYNAMODB

from chalicelib.eventstore.store import (
    CLAIM_CHECK_BYTES,
    MAX_HEADER_BYTES,
    Contended,
    Corrupt,
    Lost,
    Take,
)
from chalicelib.handle import Stale, handle

pytestmark = pytest.mark.parametrize("rack", DYNAMODB, indirect=True)

STREAM = "ballot-1"
LARGE = VoteCast(voter="v", note="n" * CLAIM_CHECK_BYTES)


def refuse(code, **more):
    """A botocore handler that answers in DynamoDB's place, with an error."""
    answer = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {}, **more}
    return lambda **_: (SimpleNamespace(status_code=400), answer)


def once(handler):
    """Only the first time."""
    handlers = [handler]
    return lambda **event: handlers.pop()(**event) if handlers else None


def test_a_command_is_one_query_and_one_put(rack, store):
    handle(store, ballot, "1", cast("a"))
    assert rack.calls == ["Query", "PutItem"]


def test_a_conflict_is_learnt_without_a_read(rack, store):
    winner = store.append(STREAM, None, [BallotOpened(title="Test")], origin("a"))
    rack.calls.clear()

    with pytest.raises(Lost) as lost:
        store.append(STREAM, None, [BallotOpened(title="Test")], origin("b"))

    assert rack.calls == ["PutItem"]
    assert lost.value.winner == winner


def test_a_lost_race_costs_one_more_put_and_no_read(rack, store):
    def overtake(**_):
        rack.calls.clear()
        handle(store, ballot, "1", cast("b"))
        rack.calls.clear()

    rack.listen("before-parameter-build.dynamodb.PutItem", once(overtake))

    assert handle(store, ballot, "1", cast("a")).number == 2
    assert rack.calls == ["PutItem", "PutItem"]


def test_a_long_stream_is_read_in_pages(rack, store):
    last = None
    for number in range(30):
        event = VoteCast(voter="v", note="n" * 60_000)
        last = store.append(STREAM, last, [event], origin(str(number)))
    rack.calls.clear()

    assert len(store.load(STREAM)) == 30
    assert rack.calls == ["Query", "Query"]


def test_many_places_are_read_a_hundred_at_a_time(rack, store):
    rack.calls.clear()
    assert store.commits([(STREAM, number) for number in range(1, 202)]) == {}
    assert rack.calls == ["BatchGetItem"] * 3


def test_places_that_were_not_processed_are_asked_for_again(rack, store):
    places = {store.append(f"ballot-{n}", None, [LARGE], origin(str(n))).place for n in range(3)}

    def hold_back(parsed, **_):
        held = parsed["Responses"][rack.events].pop()
        keys = [{name: held[name] for name in ("stream", "number")}]
        parsed["UnprocessedKeys"] = {rack.events: {"Keys": keys}}

    rack.listen("after-call.dynamodb.BatchGetItem", once(hold_back))
    rack.calls.clear()

    assert set(store.commits(list(places))) == places
    assert rack.calls.count("BatchGetItem") == 2


def test_a_large_body_stands_in_the_bucket_by_its_digest(rack, store):
    commit = store.append(STREAM, None, [LARGE], origin("a"))

    item = rack.item(commit.place)
    key = f"bodies/{sha256(commit.body).hexdigest()}"
    assert item["body_at"]["S"] == key
    assert "body" not in item
    assert rack.s3.get_object(Bucket=rack.bucket, Key=key)["Body"].read() == commit.body


def test_a_large_body_that_is_gone_is_noticed(rack, store):
    commit = store.append(STREAM, None, [LARGE], origin("a"))
    rack.s3.delete_object(Bucket=rack.bucket, Key=rack.item(commit.place)["body_at"]["S"])

    with pytest.raises(Corrupt, match="is gone"):
        store.load(STREAM)


def test_a_large_body_that_was_exchanged_is_noticed(rack, store):
    commit = store.append(STREAM, None, [LARGE], origin("a"))
    key = rack.item(commit.place)["body_at"]["S"]
    rack.s3.put_object(Bucket=rack.bucket, Key=key, Body=b"[]")

    with pytest.raises(Corrupt, match="events that its header does not cover"):
        store.load(STREAM)


def test_a_header_that_its_stored_hash_does_not_cover_is_noticed(rack, store):
    commit = store.append(STREAM, None, [BallotOpened(title="Test")], origin("a"))
    header = commit.header.replace(b"agency:G22", b"agency:G09")
    item = rack.item(commit.place) | {"header": {"B": header}}
    rack.dynamodb.put_item(TableName=rack.events, Item=item)

    with pytest.raises(Corrupt, match="a header that its hash does not cover"):
        store.load(STREAM)
    with pytest.raises(Corrupt, match="a header that its hash does not cover"):
        store.append(STREAM, None, [BallotOpened(title="Test")], origin("b"))


def test_the_largest_item_fits(rack, store):
    room = CLAIM_CHECK_BYTES - len('[{"type":"ballot.vote_cast","voter":"v","note":""}]')
    actor = "a" * (MAX_HEADER_BYTES - 2_000)
    stream = f"ballot-{'ộ' * 200}"
    commit = store.append(
        stream,
        None,
        [VoteCast(voter="v", note="n" * room)],
        origin("a").model_copy(update={"actor": actor}),
    )

    assert "body" in rack.item(commit.place)
    assert store.load(stream) == [commit]


def test_an_answer_lost_on_the_way_is_asked_for_again_and_is_the_original(rack, store):
    # botocore repeats the request by itself; the repeat meets the commit of the first one.
    rack.listen("needs-retry.dynamodb.PutItem", once(lambda **_: 0))
    sent = []
    rack.listen("before-send.dynamodb.PutItem", lambda **_: sent.append(1))

    done = handle(store, ballot, "1", cast("a"))

    assert (len(sent), done.seen) == (2, "ballot-1@1")
    assert store.load(STREAM) == [done.commit]


@pytest.mark.parametrize("claim", [False, True], ids=["a put", "a transaction"])
def test_a_transaction_in_the_way_is_waited_out(rack, store, claim):
    handle(store, ballot, "1", cast("b"))
    conflict = {"Code": "TransactionConflict"}
    rack.listen("before-call.dynamodb.PutItem", once(refuse("TransactionConflictException")))
    rack.listen(
        "before-call.dynamodb.TransactWriteItems",
        once(
            refuse("TransactionCanceledException", CancellationReasons=[conflict, {"Code": "None"}])
        ),
    )

    assert handle(store, ballot, "1", cast("a"), claim=claim).number == 2


def test_contention_without_end_is_stale(rack, store):
    rack.listen("before-call.dynamodb.PutItem", refuse("TransactionConflictException"))

    with pytest.raises(Contended):
        store.append(STREAM, None, [BallotOpened(title="Test")], origin("a"))
    with pytest.raises(Stale):
        handle(store, ballot, "1", cast("a"))

    assert store.load(STREAM) == []


@pytest.mark.parametrize(
    ("operation", "error", "more"),
    [
        ("PutItem", "AccessDeniedException", {}),
        ("TransactWriteItems", "AccessDeniedException", {}),
        (
            "TransactWriteItems",
            "TransactionCanceledException",
            {"CancellationReasons": [{"Code": "ThrottlingError"}, {"Code": "None"}]},
        ),
    ],
)
def test_what_is_no_race_is_raised(rack, store, operation, error, more):
    rack.listen(f"before-call.dynamodb.{operation}", refuse(error, **more))

    take = Take("book", 1) if operation == "TransactWriteItems" else None
    with pytest.raises(ClientError, match=error):
        store.append(STREAM, None, [BallotOpened(title="Test")], origin("a"), take=take)


def test_what_is_no_missing_body_is_raised(rack, store):
    store.append(STREAM, None, [LARGE], origin("a"))
    rack.listen("before-call.s3.GetObject", refuse("AccessDenied"))

    with pytest.raises(ClientError, match="AccessDenied"):
        store.load(STREAM)
