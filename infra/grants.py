"""Who may touch what: the rights of each function, and what no function may ever do.

One row per function and thing, read like a sentence. Actions are what the code calls, no more: a
right that is missing here fails on the local stack too, which enforces IAM.
"""

from typing import Any

Json = dict[str, Any]
Statement = dict[str, Any]


def _allow(service: str, actions: str, *resources: Any) -> Statement:
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions.split()],
        "Resource": list(resources),
    }


def _arn(name: str) -> Json:
    return {"Fn::GetAtt": [name, "Arn"]}


def _table(name: str, actions: str) -> Statement:
    return _allow("dynamodb", actions, _arn(f"{name}Table"))


def _index(name: str, index: str) -> Statement:
    return _allow("dynamodb", "Query", {"Fn::Sub": f"${{{name}Table.Arn}}/index/{index}"})


def _objects(actions: str, *prefixes: str) -> Statement:
    """Rights on objects of the content bucket under `prefixes`."""
    return _allow("s3", actions, *({"Fn::Sub": f"${{ContentBucket.Arn}}/{p}/*"} for p in prefixes))


def _log(actions: str, *names: str) -> Statement:
    """Rights on files of the log that are called so."""
    return _allow("s3", actions, *({"Fn::Sub": f"${{LogBucket.Arn}}/{name}"} for name in names))


def _may_miss(*buckets: str) -> Statement:
    """For whom an object may rightly be missing: S3 says 403 instead of 404 without this right."""
    return _allow("s3", "ListBucket", *(_arn(f"{bucket}Bucket") for bucket in buckets))


def _staging(actions: str) -> Statement:
    return _allow("s3", actions, {"Fn::Sub": "${StagingBucket.Arn}/*"})


def _reads_queue(name: str) -> Statement:
    return _allow("sqs", "ReceiveMessage DeleteMessage GetQueueAttributes", _arn(f"{name}Queue"))


def _rings(*names: str) -> Statement:
    return _allow("sqs", "SendMessage", *(_arn(f"{name}Queue") for name in names))


def _reads_stream(name: str) -> list[Statement]:
    return [
        _allow(
            "dynamodb",
            "DescribeStream GetRecords GetShardIterator",
            # A table that is restored from a backup gets another stream.
            {"Fn::Sub": f"${{{name}Table.Arn}}/stream/*"},
        ),
        # The one right that AWS cannot narrow to a resource.
        _allow("dynamodb", "ListStreams", "*"),
        _rings("StreamFailures"),
    ]


# Handling a command: load a stream, append to it. Whoever takes requests from outside also has
# their ids remembered, so that a repeat is found.
_COMMANDS = _table("Events", "PutItem Query")
_REQUESTS = _table("Commands", "GetItem PutItem")
_COMMITS = _table("Events", "BatchGetItem")
# Registering a copy takes the next arrival number of its receiver's year, a receipt that of its
# series.
_NUMBERS = _table("Counters", "GetItem UpdateItem")
# Opening what is personal. The keys that it takes are made by who speaks with people.
_OPENS = [
    _table("SubjectKeys", "GetItem"),
    _table("EpochKeys", "GetItem"),
    _allow("kms", "Decrypt", _arn("MasterKey")),
]
# Signing letters, naming persons, recognising repeats.
_SECRETS = _table("ServiceKeys", "GetItem")
_VIEWS = [_table("Views", "BatchGetItem"), _index("Views", "by_sort")]
_LOG_FILES = ("tile/*", "checkpoints/*", "timestamps/*")

GRANTS: dict[str, list[Statement]] = {
    "APIHandler": [
        _COMMANDS,
        _REQUESTS,
        _COMMITS,
        _NUMBERS,
        *_OPENS,
        _SECRETS,
        *(_table(f"{keys}Keys", "PutItem") for keys in ("Subject", "Epoch", "Service")),
        _allow("kms", "GenerateDataKey", _arn("MasterKey")),
        *_VIEWS,
        _table("Positions", "BatchGetItem"),
        _table("Checkpoints", "GetItem UpdateItem"),
        _table("History", "GetItem Query"),
        _table("Lanes", "GetItem Scan UpdateItem"),
        _table("Parked", "Query PutItem UpdateItem DeleteItem"),
        _table("Outbox", "GetItem Query"),
        _index("Outbox", "by_message"),
        _table("Attempts", "Query PutItem"),
        _table("Submissions", "GetItem PutItem"),
        _table("Notices", "Query"),
        _table("Log", "GetItem"),
        _log("GetObject", *_LOG_FILES),
        _allow("kms", "GetPublicKey", _arn("LogKey")),
        _objects("GetObject PutObject", "bodies", "attachments", "originals", "rendered"),
        _objects("GetObject", "trust"),
        _staging("GetObject PutObject DeleteObject"),
        # Each person's files in a folder of that person's, to be erased with them.
        _objects("GetObject PutObject", "components"),
        # Providers' settlement files, as they came.
        _objects("GetObject PutObject", "settlements"),
        _may_miss("Content", "Log", "Staging"),
        _rings("Intake", "Deliver", "React"),
    ],
    "Authorize": [],
    "Sequence": [
        _table("Events", "BatchGetItem Scan"),
        _table("History", "GetItem Query PutItem"),
        _table("Positions", "BatchGetItem PutItem"),
        *_reads_stream("Events"),
        _reads_queue("Sequence"),
    ],
    "Project": [
        _table("History", "GetItem Query"),
        _COMMITS,
        _objects("GetObject", "bodies"),
        _table("Views", "BatchGetItem PutItem"),
        _table("Checkpoints", "GetItem UpdateItem"),
        _table("Lanes", "BatchGetItem GetItem PutItem"),
        _table("Outbox", "PutItem"),
        *_reads_stream("History"),
        _reads_queue("Project"),
        _rings("Deliver", "React"),
    ],
    "Seal": [
        _table("History", "GetItem Query"),
        _COMMITS,
        _table("Log", "GetItem PutItem"),
        _log("GetObject PutObject", *_LOG_FILES, "staging/*"),
        _log("PutObjectRetention", *_LOG_FILES),
        # Of tiles only the parts that a whole one has superseded.
        _log("DeleteObject", "tile/*.p/*", "staging/*"),
        _objects("GetObject", "trust"),
        _may_miss("Content", "Log"),
        _allow("kms", "Sign GetPublicKey", _arn("LogKey")),
        *_reads_stream("History"),
        _reads_queue("Seal"),
    ],
    # What follows from events is small: none of these commits is too large for its table.
    "React": [
        _COMMANDS,
        _COMMITS,
        _NUMBERS,
        _table("History", "GetItem Query"),
        _objects("GetObject", "bodies"),
        _table("Checkpoints", "GetItem UpdateItem"),
        _table("Parked", "Query PutItem DeleteItem"),
        *_VIEWS,
        _reads_queue("React"),
        _rings("React"),
    ],
    "Deliver": [
        _COMMANDS,
        _COMMITS,
        *_OPENS,
        # A letter is kept sealed also if its clerk was forgotten before it was written.
        _table("SubjectKeys", "PutItem"),
        _SECRETS,
        _table("Views", "BatchGetItem"),
        _table("Lanes", "GetItem Scan UpdateItem"),
        _table("Parked", "Query PutItem DeleteItem"),
        _table("Outbox", "GetItem Query"),
        _table("Attempts", "PutItem"),
        _table("Checkpoints", "GetItem"),
        _objects("GetObject", "bodies", "attachments"),
        _objects("GetObject PutObject", "rendered"),
        _may_miss("Content"),
        _reads_queue("Deliver"),
        _rings("Deliver"),
    ],
    "Notify": [
        *_OPENS,
        _SECRETS,
        _table("History", "GetItem Query"),
        _COMMITS,
        _objects("GetObject", "bodies"),
        _table("Checkpoints", "GetItem UpdateItem"),
        _table("Notices", "PutItem"),
        _index("Notices", "by_due"),
        # SES itself lets only a verified sender send; the emulator knows no narrower resource.
        _allow("ses", "SendEmail", "*"),
        _reads_queue("Notify"),
    ],
    "Pay": [
        _COMMANDS,
        _COMMITS,
        *_OPENS,
        _SECRETS,
        _table("Checkpoints", "GetItem"),
        _index("Views", "by_sort"),
        _reads_queue("Pay"),
    ],
    # The one function that may destroy keys and files of persons.
    "Erase": [
        _COMMANDS,
        _table("SubjectKeys", "UpdateItem Scan"),
        _table("EpochKeys", "GetItem DeleteItem Scan"),
        _allow("kms", "Decrypt", _arn("MasterKey")),
        _table("Checkpoints", "GetItem"),
        _index("Views", "by_sort"),
        _objects("DeleteObjectVersion", "components"),
        _allow("s3", "ListBucketVersions", _arn("ContentBucket")),
        _reads_queue("Erase"),
    ],
    "Intake": [
        _COMMANDS,
        _REQUESTS,
        _NUMBERS,
        *_OPENS,
        _SECRETS,
        # A clerk whom nobody has named before.
        _table("SubjectKeys", "PutItem"),
        *_VIEWS,
        _table("Checkpoints", "GetItem"),
        _table("Submissions", "GetItem PutItem"),
        _objects("GetObject PutObject", "bodies"),
        _objects("PutObject", "attachments", "originals"),
        _objects("GetObject", "trust", "settlements"),
        _staging("GetObject DeleteObject"),
        _may_miss("Content", "Staging"),
        _reads_queue("Intake"),
        # A long table is entered in several turns.
        _rings("Intake"),
    ],
}

# What was recorded stays as it was recorded: not by mistake, not through a transaction, a batch or
# PartiQL. A denial wins over every grant, also over one added later by hand.
NEVER: list[Statement] = [
    {
        "Effect": "Deny",
        "Action": [
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:PartiQLInsert",
            "dynamodb:PartiQLUpdate",
            "dynamodb:PartiQLDelete",
        ],
        "Resource": [_arn("EventsTable"), _arn("HistoryTable"), _arn("PositionsTable")],
    },
    {
        "Effect": "Deny",
        "Action": ["dynamodb:BatchWriteItem"],
        "Resource": [_arn("EventsTable"), _arn("HistoryTable"), _arn("PositionsTable")],
    },
    {
        "Effect": "Deny",
        "Action": ["dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"],
        "Resource": [_arn("LogTable")],
    },
    # An older version of what was sealed stays, whatever is put over it.
    {
        "Effect": "Deny",
        "Action": ["s3:DeleteObjectVersion", "s3:PutLifecycleConfiguration"],
        "Resource": [_arn("LogBucket"), {"Fn::Sub": "${LogBucket.Arn}/*"}],
    },
]
