"""Bring lost tables back from their backups, and prove that they hold what they held.

`python -m infra.restore backup NAME` backs up every table that may be; `plan` says what is missing
and what it would be made of; `tables` makes it; `verify` compares history with what was published;
`resume` lets the workers go on. docs/restore.md says when to use which. All of it works on the
stack of the environment's credentials (`AWS_ENDPOINT_URL` leads to a local one).
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain, islice
from typing import Any, NamedTuple
from uuid import uuid4

import boto3
from botocore.exceptions import ClientError

from chalicelib.eventstore.dynamodb import DynamoShelf
from chalicelib.history.checkpoint import Checkpoint, open_checkpoint
from chalicelib.history.kms import KMSSigner
from chalicelib.history.merkle import Frontier, leaf_hash
from chalicelib.history.objects import CHECKPOINTS, checkpoint_name
from chalicelib.history.pages import DynamoHistory
from infra import template
from infra.deploy import STACK, outputs_of

Clients = Callable[[str], Any]

# What stands in a table that comes later must be in one that comes earlier, or be put again without
# harm. So backups are taken from the end: whoever follows is never ahead of whom they follow, and
# a number is never given twice.
ORDER = (
    "Counters",
    "Commands",
    "Events",
    "History",
    "Positions",
    "Views",
    "Outbox",
    "Parked",
    "Lanes",
)
# A backup of keys would bring an erased person back; what AWS itself keeps for a day may.
NEVER_BACKED_UP = ("SubjectKeys", "EpochKeys")
MAPPINGS = {"EventsMapping": "Events", "HistoryMapping": "History", "HistorySealMapping": "History"}
# What a mapping is made of; the rest of `list_event_source_mappings` is its condition.
_MAPPING_FIELDS = (
    "EventSourceArn",
    "FunctionName",
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "StartingPosition",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "DestinationConfig",
    "FunctionResponseTypes",
)
_READ_AT_ONCE = 256


class RestoreFailed(Exception):  # noqa: N818 -- reads as a sentence where it is caught.
    """Something cannot be restored, or is not what it was; the message says what."""


class Missing(NamedTuple):
    """A table that is gone, and the newest backup of it; "" if there is none."""

    name: str
    table: str
    backup: str
    taken: str


class Verified(NamedTuple):
    """What history was found to be: so many commits, under this root of the published size."""

    commits: int
    published: int
    root: bytes


def mapping_request(mapping: Mapping[str, Any], source: str = "") -> dict[str, Any]:
    """What makes a mapping once more, of another source if one is given."""
    fields = {name: mapping[name] for name in _MAPPING_FIELDS if name in mapping}
    fields["EventSourceArn"] = source or fields["EventSourceArn"]
    if ":sqs:" in fields["EventSourceArn"]:
        fields.pop("StartingPosition", None)
    return fields | {"FunctionName": mapping["FunctionArn"]}


@dataclass(frozen=True)
class Restore:
    """Backups of one stack's tables; `outputs` are the stack's own, by the template's names."""

    client: Clients
    outputs: Mapping[str, str]

    def back_up(self, name: str) -> Iterator[str]:
        """Back up every table but those of persons' keys, in the order that keeps them in step."""
        early = [*ORDER, *sorted(set(template.TABLES) - {*ORDER, *NEVER_BACKED_UP})]
        for each in reversed(early):
            answer = self._dynamodb.create_backup(TableName=self._table(each), BackupName=name)
            yield f"{each}: {answer['BackupDetails']['BackupArn']}"

    def plan(self) -> list[Missing]:
        """The tables that are gone, in the order in which they are restored."""
        missing = []
        for name in [*ORDER, *(name for name in template.TABLES if name not in ORDER)]:
            try:
                self._dynamodb.describe_table(TableName=self._table(name))
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                newest = self._newest_backup(self._table(name))
                missing.append(Missing(name, self._table(name), *newest))
        return missing

    def tables(self) -> Iterator[str]:
        """Silence the workers, then make each missing table again, under its old name.

        A restored table has no stream, no protection, no recovery and forgets nothing: all of it is
        set again. So is what several backups, taken one after the other, do not agree about.

        Raises:
            RestoreFailed: a table has no backup; nothing was done.
        """
        plan = self.plan()
        if lost := [each.name for each in plan if not each.backup]:
            raise RestoreFailed(f"there is no backup of {', '.join(lost)}")
        if plan:
            yield f"{self._silence()} mappings are off, every doorbell is silent"
        for each in plan:
            self._dynamodb.restore_table_from_backup(
                TargetTableName=each.table, BackupArn=each.backup
            )
        for each in plan:  # AWS works on all of them at once; a table takes it minutes or hours.
            self._settings(each)
            yield f"{each.name} is as it was at {each.taken}"
        yield f"{self._mark()} pages of history had markers missing, {self._lift()} lanes a head"
        # Processes that still live remember how far everything was before.
        self._renew_functions()
        yield "every function begins with an empty memory"

    def verify(self) -> Verified:
        """Read history from its beginning: each commit is the one that was numbered and sealed.

        Raises:
            RestoreFailed: a commit is missing or another one, or history is not what the newest
                published checkpoint states.
        """
        published = self._published()
        tree, commits, root = Frontier(), 0, b""
        size = published.size if published else 0
        for leaf in self._leaves():
            tree.add(leaf_hash(leaf))
            commits += 1
            if commits == size:
                root = tree.root()
        if published and root != published.root:
            raise RestoreFailed(
                f"history has {commits} commits and is not what checkpoint {size} states: "
                "what was published must be restored, not numbered anew"
            )
        return Verified(commits, size, root)

    def resume(self) -> Iterator[str]:
        """Let the workers hear again, renewed streams too, and ring for what was missed.

        Raises:
            RestoreFailed: a table is still missing.
        """
        if plan := self.plan():
            raise RestoreFailed(f"still missing: {', '.join(each.name for each in plan)}")
        aws_lambda = self.client("lambda")
        streams = {table: self._stream(table) for table in MAPPINGS.values()}
        renewed = 0
        for mapping in self._mappings():
            table = self._table_of(mapping)
            if table and mapping["EventSourceArn"] != streams[table]:
                aws_lambda.delete_event_source_mapping(UUID=mapping["UUID"])
                aws_lambda.create_event_source_mapping(**mapping_request(mapping, streams[table]))
                renewed += 1
            else:
                aws_lambda.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
        yield f"{renewed} mappings made again, all others hear again"
        rings = [("Sequence", "sweep"), *((name, "schedule") for name in template.DOORBELLS[1:])]
        for worker, what in rings:
            self.client("sqs").send_message(
                QueueUrl=self.outputs[f"{worker}Queue"],
                MessageBody=f'{{"ring":"{what}","id":"{uuid4()}"}}',
                MessageGroupId="restore",
            )
        yield "the sweep and every other worker are rung"

    @property
    def _dynamodb(self) -> Any:
        return self.client("dynamodb")

    def _table(self, name: str) -> str:
        return self.outputs[f"{name}Table"]

    def _newest_backup(self, table: str) -> tuple[str, str]:
        """Of any kind: of a table that is deleted AWS keeps its last state for 35 days."""
        pages = self._dynamodb.get_paginator("list_backups").paginate(
            TableName=table, BackupType="ALL"
        )
        found = [
            (summary["BackupCreationDateTime"], summary["BackupArn"])
            for page in pages
            for summary in page["BackupSummaries"]
            if summary["BackupStatus"] == "AVAILABLE"
        ]
        if not found:
            return "", ""
        taken, arn = max(found)
        return arn, taken.isoformat(timespec="seconds")

    def _settings(self, each: Missing) -> None:
        dynamodb, (_, extra) = self._dynamodb, template.TABLES[each.name]

        def wait() -> None:
            waiter = dynamodb.get_waiter("table_exists")
            waiter.wait(TableName=each.table, WaiterConfig={"Delay": 1, "MaxAttempts": 86_400})

        wait()
        if extra.get("stream"):
            dynamodb.update_table(
                TableName=each.table,
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
            )
            wait()
        dynamodb.update_table(TableName=each.table, DeletionProtectionEnabled=True)
        wait()
        if extra.get("expires"):
            dynamodb.update_time_to_live(
                TableName=each.table,
                TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True},
            )
        if days := extra.get("recovery_days", template.RECOVERY_DAYS):
            dynamodb.update_continuous_backups(
                TableName=each.table,
                PointInTimeRecoverySpecification={
                    "PointInTimeRecoveryEnabled": True,
                    "RecoveryPeriodInDays": days,
                },
            )

    def _mappings(self) -> list[dict[str, Any]]:
        """The mappings of this stack's functions."""
        ours = {self.outputs[name] for name in template.FUNCTIONS}
        pages = self.client("lambda").get_paginator("list_event_source_mappings").paginate()
        found = [mapping for page in pages for mapping in page["EventSourceMappings"]]
        return [each for each in found if each["FunctionArn"].split(":")[6] in ours]

    def _table_of(self, mapping: Mapping[str, Any]) -> str:
        """Whose stream a mapping reads; "" if it reads a queue."""
        _, _, source = mapping["EventSourceArn"].partition(":table/")
        names = {self._table(name): name for name in MAPPINGS.values()}
        return names.get(source.split("/", maxsplit=1)[0], "")

    def _silence(self) -> int:
        mappings = self._mappings()
        for mapping in mappings:
            self.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        # AWS takes up to a minute; until then a mapping reads on, and may not be changed again.
        while any(mapping["State"] != "Disabled" for mapping in self._mappings()):
            time.sleep(1)
        # A ring that was answered without tables is tried again minutes later and holds its group
        # back until then. Doorbells carry nothing: they are thrown away, and rung anew at the end.
        sqs = self.client("sqs")
        for worker in template.DOORBELLS:
            with suppress(sqs.exceptions.PurgeQueueInProgress):
                sqs.purge_queue(QueueUrl=self.outputs[f"{worker}Queue"])
        return len(mappings)

    def _stream(self, name: str) -> str:
        found = self._dynamodb.describe_table(TableName=self._table(name))
        return str(found["Table"]["LatestStreamArn"])

    def _published(self) -> Checkpoint | None:
        """The newest checkpoint that was published: files are not lost with tables."""
        s3, bucket = self.client("s3"), self.outputs["LogBucket"]
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{CHECKPOINTS}/"
        )
        # Names are as long as each other, so the last is of the largest tree.
        names = [found["Key"] for page in pages for found in page.get("Contents", ())]
        if not names:
            return None
        note = s3.get_object(Bucket=bucket, Key=max(names))["Body"].read()
        origin = note.decode().split("\n", 1)[0]
        key = KMSSigner(self.client("kms"), self.outputs["LogKey"], origin).key
        checkpoint = open_checkpoint(note, [key]).checkpoint
        assert checkpoint_name(checkpoint.size) == max(names)
        return checkpoint

    @property
    def _history(self) -> DynamoHistory:
        return DynamoHistory(self._dynamodb, self._table("History"), self._table("Positions"))

    def _leaves(self) -> Iterator[bytes]:
        """The header of each commit, in history's order, as it was hashed when it was numbered."""
        shelf = DynamoShelf(
            self._dynamodb,
            self.client("s3"),
            self._table("Events"),
            self._table("Counters"),
            self._table("Commands"),
            self.outputs["ContentBucket"],
        )
        position = 0
        numbered = chain.from_iterable(page.entries for page in self._history.pages(0))
        while entries := list(islice(numbered, _READ_AT_ONCE)):
            found = shelf.headers([entry.place for entry in entries])
            for entry in entries:
                position += 1
                header = found.get(entry.place)
                if header is None or sha256(header).digest() != entry.hash:
                    raise RestoreFailed(
                        f"position {position}: {entry.place} is not what was numbered"
                    )
                yield header

    def _mark(self) -> int:
        """Put the markers that stand in pages alone, or commits would be numbered twice."""
        history, marked = self._history, 0
        for page in history.pages(0):
            places = [entry.place for entry in page.entries]
            if len(history.positions(places)) < len(places):
                history.mark(page)
                marked += 1
        return marked

    def _lift(self) -> int:
        """Let each lane's head be its newest message, or its next one would find no place."""
        newest: dict[str, tuple[int, int]] = {}
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table("Outbox"),
            ProjectionExpression="lane, #s, #p",
            ExpressionAttributeNames={"#s": "sequence", "#p": "position"},
        )
        for item in (item for page in pages for item in page["Items"]):
            place = int(item["sequence"]["N"]), int(item["position"]["N"])
            newest[item["lane"]["S"]] = max(place, newest.get(item["lane"]["S"], (0, 0)))
        lifted = 0
        for lane, (sequence, position) in newest.items():
            key = {"lane": {"S": lane}, "part": {"S": "head"}}
            head = {"sequence": {"N": str(sequence)}, "position": {"N": str(position)}}
            try:
                self._dynamodb.put_item(
                    TableName=self._table("Lanes"),
                    Item=key | head,
                    ConditionExpression="attribute_not_exists(lane) OR #s < :s",
                    ExpressionAttributeNames={"#s": "sequence"},
                    ExpressionAttributeValues={":s": head["sequence"]},
                )
                lifted += 1
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
        return lifted

    def _renew_functions(self) -> None:
        aws_lambda, now = self.client("lambda"), datetime.now(UTC).isoformat(timespec="seconds")
        for name in template.FUNCTIONS:
            function = self.outputs[name]
            found = aws_lambda.get_function_configuration(FunctionName=function)
            aws_lambda.update_function_configuration(
                FunctionName=function,
                Environment={"Variables": found["Environment"]["Variables"] | {"RESTORED": now}},
            )
        for name in template.FUNCTIONS:
            waiter = aws_lambda.get_waiter("function_updated_v2")
            waiter.wait(FunctionName=self.outputs[name], WaiterConfig={"Delay": 1})


def main() -> None:
    """Back up, plan, restore, verify or resume the stack of the environment's credentials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("backup", "plan", "tables", "verify", "resume"))
    parser.add_argument("name", nargs="?", help="the name of a backup")
    parser.add_argument("--stack", default=STACK)
    options = parser.parse_args()
    restore = Restore(boto3.client, outputs_of(boto3.client("cloudformation"), options.stack))
    try:
        match options.step:
            case "backup" if options.name:
                told = restore.back_up(options.name)
            case "backup":
                sys.exit("a backup needs a name")
            case "plan":
                told = (
                    f"{each.name}: {each.taken or 'NO BACKUP'} {each.backup}"
                    for each in restore.plan()
                )
            case "tables":
                told = restore.tables()
            case "verify":
                found = restore.verify()
                text = f"{found.commits} commits; checkpoint {found.published} holds"
                told = iter([f"{text}, root {found.root.hex()}"])
            case _:
                told = restore.resume()
        for line in told:
            print(line, flush=True)
    except RestoreFailed as failed:
        sys.exit(str(failed))


if __name__ == "__main__":
    main()
