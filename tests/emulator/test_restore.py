"""What docs/restore.md tells an operator to do, done: tables lost, restored, and proven."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from ballot import COPY, VoteCast, origin
from journeys.journey import Journey

from chalicelib.eventstore.dynamodb import DynamoShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.history.sequencer import Sequencer
from infra import template
from infra.api import Api
from infra.issuer import LocalIssuer
from infra.restore import NEVER_BACKED_UP, Restore, RestoreFailed
from infra.stack import LocalStack

pytestmark = pytest.mark.emulator

LOST = set(template.TABLES) - set(NEVER_BACKED_UP)


@pytest.fixture
def journey(tmp_path):
    with (
        LocalIssuer(tmp_path) as issuer,
        LocalStack(report=lambda _line: None) as stack,
        ExitStack() as agencies,
    ):
        stack.deploy(Issuer=issuer.url)

        def token(role, agency):
            return issuer.token(f"demo-{role}-{agency}", role, agency)

        yield Journey(stack, issuer, Api(stack.api_url, token), agencies)


def lose(journey, names):
    dynamodb = journey.client("dynamodb")
    for name in names:
        dynamodb.delete_table(TableName=journey.name(f"{name}Table"))


def test_what_several_backups_do_not_agree_about_is_put_right(journey):
    restore = Restore(journey.client, journey.stack.outputs())
    restore._silence()
    dynamodb = journey.client("dynamodb")
    tables = [journey.name(f"{name}Table") for name in ("Events", "Counters", "Commands")]
    shelf = DynamoShelf(dynamodb, journey.client("s3"), *tables, journey.name("ContentBucket"))
    store, last = EventStore(shelf, "demo", lambda *_: "x", lambda: datetime.now(UTC)), None
    for number in range(5):
        last = store.append(COPY, last, [VoteCast(voter=f"demo {number}")], origin(f"c{number}"))
    assert Sequencer(store, journey.history).sweep() == 5
    # A marker that was put, and a lane that grew, when their tables had been backed up already.
    marker = {"stream": {"S": last.stream}, "number": {"N": "2"}}
    dynamodb.delete_item(TableName=journey.name("PositionsTable"), Key=marker)
    message = {"lane": {"S": "Z01#normal"}, "sequence": {"N": "3"}, "position": {"N": "5"}}
    dynamodb.put_item(
        TableName=journey.name("OutboxTable"), Item=message | {"message": {"S": "demo"}}
    )
    list(restore.back_up("demo"))
    lose(journey, LOST)
    list(restore.tables())
    assert restore.verify().commits == 5
    assert journey.history.positions([(last.stream, 2)]) == {(last.stream, 2): 2}
    assert [lane.head for lane in journey.lanes.every()] == [3]
    list(restore.resume())
    found = journey.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert len(found) == len(template.QUEUES) + 3
    assert {mapping["State"] for mapping in found} == {"Enabled"}
    streams = {m["EventSourceArn"] for m in found if ":dynamodb:" in m["EventSourceArn"]}
    assert streams == {restore._stream("Events"), restore._stream("History")}

    # What nobody may change has changed all the same.
    event = {"stream": {"S": last.stream}, "number": {"N": "3"}}
    dynamodb.delete_item(TableName=journey.name("EventsTable"), Key=event)
    with pytest.raises(RestoreFailed, match="position 3"):
        restore.verify()


def test_without_a_backup_nothing_is_begun(journey):
    restore = Restore(journey.client, journey.stack.outputs())
    lose(journey, ["Attempts"])
    with pytest.raises(RestoreFailed, match="no backup of Attempts"):
        list(restore.tables())
    with pytest.raises(RestoreFailed, match="still missing: Attempts"):
        list(restore.resume())
    client = journey.client("lambda")
    states = {m["State"] for m in client.list_event_source_mappings()["EventSourceMappings"]}
    assert states == {"Enabled"}
