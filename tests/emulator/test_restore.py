"""What docs/restore.md tells an operator to do, done: tables lost, restored, proven, and used."""

import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from ballot import COPY, VoteCast, origin
from journeys.journey import Journey, id_of, until

from chalicelib.eventstore.dynamodb import DynamoShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.history.sequencer import Sequencer
from infra import template
from infra.api import Api
from infra.deploy import STACK
from infra.issuer import LocalIssuer
from infra.restore import NEVER_BACKED_UP, Restore, RestoreFailed
from infra.stack import OWNER, REGION, ROOT, LocalStack

pytestmark = pytest.mark.emulator

LOST = set(template.TABLES) - set(NEVER_BACKED_UP)
FINAL = ("Events", "Counters", "Commands", "History", "Positions", "Outbox")
"""Tables that change only when something happens, not by trying or by looking."""
PAGE = (ROOT / "docs" / "restore.md").read_text()
COMMANDS = [
    shlex.split(line)
    for line in re.findall(r"^ *(python -m infra\.restore .*)$", PAGE, re.MULTILINE)
]


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


def operate(journey, step):
    """Type what the page says for this step, on this stack; what it answers, in lines."""
    [words] = [words for words in COMMANDS if words[3] == step]
    [named] = [word for word in words if word.startswith(f"{STACK}-")]
    done = subprocess.run(
        [sys.executable, *(STACK if word == named else word for word in words[1:])],
        cwd=ROOT,
        env=os.environ
        | {
            "AWS_ENDPOINT_URL": journey.stack.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": OWNER,
            "AWS_SECRET_ACCESS_KEY": OWNER,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RestoreFailed(done.stderr)
    return done.stdout.splitlines()


def kept(journey):
    return {name: set(map(repr, journey.items(name))) for name in FINAL}


def as_the_template_says(journey, name):
    """Whether a table has its stream, and is protected if it was restored."""
    found = journey.client("dynamodb").describe_table(TableName=journey.name(f"{name}Table"))
    stream = found["Table"].get("StreamSpecification", {}).get("StreamEnabled", False)
    expected = template.TABLES[name][1].get("stream", False), name in LOST
    return (stream, found["Table"]["DeletionProtectionEnabled"]) == expected


def test_the_page_has_every_step_once_and_in_order():
    assert [words[3] for words in COMMANDS] == ["backup", "plan", "tables", "verify", "resume"]


def deafen(journey):
    """Nobody is told of new commits any more."""
    mappings, which = journey.client("lambda"), {"UUID": journey.name("EventsMapping")}
    mappings.update_event_source_mapping(**which, Enabled=False)
    until(
        "it to be deaf",
        lambda: mappings.get_event_source_mapping(**which)["State"] == "Disabled",
    )


def test_tables_that_were_lost_are_restored_and_delivery_goes_on(journey):
    sender, receiver = journey.join(), journey.join()
    first = id_of(journey.send(sender, [receiver]))
    journey.told(sender, first, "01")
    journey.settled()

    # One document is not delivered yet, another one has not even a position.
    receiver.down()
    second = id_of(journey.send(sender, [receiver]))
    until("the message", lambda: any(lane.head == 2 for lane in journey.lanes.every()))
    restore = Restore(journey.client, journey.stack.outputs())
    numbered = len(journey.settled(delivered=False))
    until("everything to be sealed", lambda: restore.verify().published == numbered)
    deafen(journey)
    third = id_of(journey.send(sender, [receiver]))
    before, proven = kept(journey), operate(journey, "verify")
    assert f"{numbered} commits; checkpoint {numbered} holds" in proven[0]
    assert len(operate(journey, "backup")) == len(LOST)
    assert operate(journey, "plan") == []

    # What happens after the backup is lost with the tables: here, that the second has arrived.
    receiver.up()

    def arrived():
        journey.ring("Deliver")
        return receiver.got(second)

    until("the second document", arrived)
    lose(journey, LOST)
    plan = dict(line.split(": ") for line in operate(journey, "plan"))
    assert plan.keys() == LOST
    assert all("/backup/" in found for found in plan.values())
    told = operate(journey, "tables")
    assert [line.split()[0] for line in told[1:-2]] == list(plan)
    assert operate(journey, "verify") == proven
    assert kept(journey) == before
    assert all(as_the_template_says(journey, name) for name in template.TABLES)
    operate(journey, "resume")

    def all_told():
        # The lane waits as after any failure; the schedule would ring it within a minute.
        journey.ring("Deliver")
        return all(sender.codes(document) == ["01"] for document in (second, third))

    until("the receipts of both documents", all_told)
    # The second came again, under the id that its receiver knows it by.
    assert [m.data["document"] for m in receiver.received].count(second) == 2
    messages = dict.fromkeys((m.sequence, m.id) for m in receiver.received)
    assert [sequence for sequence, _ in messages] == [1, 2, 3]
    assert len({id_ for _, id_ in messages}) == 3
    assert not receiver.rejected
    commits = len(journey.settled())
    until("the rest to be sealed", lambda: restore.verify().published == commits)
    assert kept(journey)["History"] > before["History"]

    # A backup that is older than what was published is not taken for history.
    open_ = {"TableName": journey.name("HistoryTable"), "DeletionProtectionEnabled": False}
    journey.client("dynamodb").update_table(**open_)
    lose(journey, ["History"])
    [old] = restore.plan()
    journey.client("dynamodb").restore_table_from_backup(
        TargetTableName=old.table, BackupArn=old.backup
    )
    with pytest.raises(RestoreFailed, match="is not what checkpoint"):
        operate(journey, "verify")


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
