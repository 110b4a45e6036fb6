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


def _objects(actions: str, *prefixes: str) -> list[Statement]:
    """Rights on objects of the content bucket under `prefixes`.

    `ListBucket` comes with them because S3 answers 403 instead of 404 without it.
    """
    return [
        _allow("s3", actions, *({"Fn::Sub": f"${{ContentBucket.Arn}}/{p}/*"} for p in prefixes)),
        _allow("s3", "ListBucket", _arn("ContentBucket")),
    ]


def _log(actions: str, *names: str) -> list[Statement]:
    """Rights on files of the log that are called so; on `ListBucket` see `_objects`."""
    return [
        _allow("s3", actions, *({"Fn::Sub": f"${{LogBucket.Arn}}/{name}"} for name in names)),
        _allow("s3", "ListBucket", _arn("LogBucket")),
    ]


def _staging(actions: str) -> list[Statement]:
    return [
        _allow("s3", actions, {"Fn::Sub": "${StagingBucket.Arn}/*"}),
        _allow("s3", "ListBucket", _arn("StagingBucket")),
    ]


def _reads_queue(name: str) -> Statement:
    actions = "ReceiveMessage DeleteMessage ChangeMessageVisibility GetQueueAttributes"
    return _allow("sqs", actions, _arn(f"{name}Queue"))


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


# Handling a command: append to a stream, count, find a repeat.
_COMMANDS = [
    _table("Events", "PutItem Query BatchGetItem"),
    _table("Commands", "PutItem"),
]
# Registering a copy takes the next arrival number of its receiver's year, a receipt that of its
# series.
_NUMBERS = _table("Counters", "GetItem UpdateItem")
_PERSONAL = [
    _table("SubjectKeys", "GetItem PutItem"),
    _table("EpochKeys", "GetItem PutItem"),
    _table("ServiceKeys", "GetItem PutItem"),
    _allow("kms", "GenerateDataKey Decrypt", _arn("MasterKey")),
]
_VIEWS = [_table("Views", "BatchGetItem"), _index("Views", "by_sort")]
_LOG_FILES = ("tile/*", "checkpoints/*", "timestamps/*")

GRANTS: dict[str, list[Statement]] = {
    "APIHandler": [
        *_COMMANDS,
        _NUMBERS,
        *_PERSONAL,
        *_VIEWS,
        _table("Positions", "BatchGetItem"),
        _table("Checkpoints", "GetItem UpdateItem"),
        _table("History", "GetItem Query"),
        _table("Commands", "GetItem"),
        _table("Lanes", "GetItem Scan UpdateItem"),
        _table("Parked", "Query PutItem UpdateItem DeleteItem"),
        _table("Outbox", "GetItem Query"),
        _index("Outbox", "by_message"),
        _table("Attempts", "Query PutItem"),
        _table("Submissions", "GetItem PutItem"),
        _table("Notices", "Query"),
        _table("Log", "GetItem"),
        *_log("GetObject", *_LOG_FILES),
        _allow("kms", "GetPublicKey", _arn("LogKey")),
        *_objects("GetObject PutObject", "bodies", "attachments", "originals", "rendered"),
        *_objects("GetObject", "trust"),
        *_staging("GetObject PutObject DeleteObject"),
        # Each person's files in a folder of that person's, to be erased with them.
        *_objects("GetObject PutObject", "components"),
        # Providers' settlement files, as they came.
        *_objects("GetObject PutObject", "settlements"),
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
        _table("Events", "BatchGetItem"),
        *_objects("GetObject", "bodies"),
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
        _table("Events", "BatchGetItem"),
        _table("Log", "GetItem PutItem"),
        *_log("GetObject PutObject", *_LOG_FILES, "staging/*"),
        *_log("PutObjectRetention", *_LOG_FILES),
        # Of tiles only the parts that a whole one has superseded.
        *_log("DeleteObject", "tile/*.p/*", "staging/*"),
        *_objects("GetObject", "trust"),
        _allow("kms", "Sign GetPublicKey", _arn("LogKey")),
        *_reads_stream("History"),
        _reads_queue("Seal"),
    ],
    "React": [
        *_COMMANDS,
        _NUMBERS,
        *_PERSONAL,
        _table("History", "GetItem Query"),
        *_objects("GetObject PutObject", "bodies"),
        _table("Checkpoints", "GetItem UpdateItem"),
        _table("Parked", "Query PutItem DeleteItem"),
        *_VIEWS,
        _reads_queue("React"),
        _rings("React"),
    ],
    "Deliver": [
        *_COMMANDS,
        *_PERSONAL,
        *_VIEWS,
        _table("Lanes", "GetItem Scan UpdateItem"),
        _table("Parked", "Query PutItem DeleteItem"),
        _table("Outbox", "GetItem Query"),
        _table("Attempts", "PutItem"),
        _table("Checkpoints", "GetItem"),
        *_objects("GetObject PutObject", "bodies", "attachments", "rendered"),
        _reads_queue("Deliver"),
        _rings("Deliver"),
    ],
    "Notify": [
        *_PERSONAL,
        _table("History", "GetItem Query"),
        _table("Events", "BatchGetItem"),
        *_objects("GetObject", "bodies"),
        _table("Checkpoints", "GetItem UpdateItem"),
        _table("Notices", "PutItem"),
        _index("Notices", "by_due"),
        # SES itself lets only a verified sender send; the emulator knows no narrower resource.
        _allow("ses", "SendEmail", "*"),
        _reads_queue("Notify"),
    ],
    "Pay": [
        *_COMMANDS,
        *_PERSONAL,
        _table("Checkpoints", "GetItem"),
        _index("Views", "by_sort"),
        *_objects("GetObject PutObject", "bodies"),
        _reads_queue("Pay"),
    ],
    # The one function that may destroy keys and files of persons.
    "Erase": [
        *_COMMANDS,
        *_PERSONAL,
        _table("SubjectKeys", "UpdateItem Scan"),
        _table("EpochKeys", "DeleteItem Scan"),
        _table("Checkpoints", "GetItem"),
        _index("Views", "by_sort"),
        *_objects("GetObject PutObject", "bodies"),
        *_objects("DeleteObjectVersion DeleteObject", "components"),
        _allow("s3", "ListBucketVersions", _arn("ContentBucket")),
        _reads_queue("Erase"),
    ],
    "Intake": [
        *_COMMANDS,
        _NUMBERS,
        *_PERSONAL,
        *_VIEWS,
        _table("Commands", "GetItem"),
        _table("Checkpoints", "GetItem"),
        _table("Submissions", "GetItem PutItem"),
        *_objects("GetObject PutObject", "bodies", "attachments", "originals"),
        *_objects("GetObject", "trust", "settlements"),
        *_staging("GetObject DeleteObject"),
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
