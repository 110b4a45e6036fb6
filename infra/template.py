"""The one CloudFormation template: what `chalice package` knows, and everything it does not.

Chalice describes the functions and the REST API. This module adds tables, buckets, queues,
schedules, mappings, alarms and the rights of each function, and gives every function the names of
all of them as environment variables. It is data in, data out: nothing here talks to AWS.
"""

import json
from copy import deepcopy
from typing import Any

from infra.grants import GRANTS, NEVER

Json = dict[str, Any]

PARAMETERS: Json = {
    "Stage": {"Type": "String", "Default": "production"},
    "Issuer": {"Type": "String", "Default": ""},
    "Audience": {"Type": "String", "Default": "lien-thong"},
    "AllowLoopback": {"Type": "String", "Default": "0", "AllowedValues": ["0", "1"]},
    # JSON: limits, codes by agency; see contexts/dossiers/configured.py.
    "Dossiers": {"Type": "String", "Default": "{}"},
    # JSON: limits; see contexts/payments/configured.py.
    "Payments": {"Type": "String", "Default": "{}"},
    # JSON: opening hours, weekend, days off and days worked by decree; see working_time.Calendar.
    "Calendar": {"Type": "String", "Default": "{}"},
    "UrgentReceptionMinutes": {"Type": "Number", "Default": "60"},
    "StepUpSeconds": {"Type": "Number", "Default": "900", "MinValue": 60},
    # The log's name in checkpoints; `lien-thong/<stage>` if empty.
    "LogOrigin": {"Type": "String", "Default": ""},
    # How long nobody, not even the account's owner, can remove a tile or a checkpoint.
    "LogLockDays": {"Type": "Number", "Default": "3650"},
    # How long proof may be late before somebody should look.
    "ProofDelaySeconds": {"Type": "Number", "Default": "900"},
    "DeletionProtection": {"Type": "String", "Default": "on", "AllowedValues": ["on", "off"]},
}

# Name: keys as `attribute:type` (hash, then range), and what else the table needs.
TABLES: dict[str, tuple[tuple[str, ...], Json]] = {
    "Events": (("stream:S", "number:N"), {"stream": True}),
    "History": (("lane:S", "first:N"), {"stream": True}),
    "Positions": (("stream:S", "number:N"), {}),
    "Log": (("name:S",), {}),
    "Counters": (("name:S",), {}),
    "Commands": (("command:S",), {"expires": True}),
    "Views": (("key:S",), {"expires": True, "index": ("by_sort", ("by:S", "sort:S"), "ALL")}),
    "Checkpoints": (("name:S",), {}),
    "Outbox": (
        ("lane:S", "sequence:N"),
        {"index": ("by_message", ("message:S",), "KEYS_ONLY")},
    ),
    "Lanes": (("lane:S", "part:S"), {}),
    "Parked": (("lane:S", "place:S"), {}),
    "Attempts": (("message:S", "attempt:N"), {}),
    # Erasing a person deletes their key; after one day no backup can bring it back.
    "SubjectKeys": (("subject:S",), {"recovery_days": 1}),
    # What wraps those keys: without any backup, so that a deleted epoch is gone at once.
    "EpochKeys": (("subject:S",), {"recovery_days": 0}),
    "ServiceKeys": (("subject:S",), {}),
    "Submissions": (("submission:S",), {"expires": True}),
    # What applicants were told; what waits to be told also by when it is due.
    "Notices": (
        ("stream:S", "place:S"),
        {"expires": True, "index": ("by_due", ("waiting:S", "due:S"), "ALL")},
    ),
}
RECOVERY_DAYS = 35  # The longest DynamoDB offers.

# A doorbell is FIFO, so that one group (a lane) wakes one worker at a time.
_TARGETS = 5  # Of one rule, at most: EventBridge.
DOORBELLS = ("Sequence", "Project", "Seal", "React", "Deliver", "Notify", "Pay", "Erase")
# Each queue: how often a wake-up is tried before it is put aside, and for how many seconds a worker
# keeps it from the others. AWS wants the latter to be no shorter than the function's timeout.
QUEUES = {
    **dict.fromkeys(DOORBELLS, (20, 90)),
    **dict.fromkeys(("Deliver", "Seal", "Notify", "Pay"), (20, 150)),
    "Intake": (5, 360),
}
FUNCTIONS = tuple(GRANTS)

# Errors made by the gateway itself: response type, public code, title, status. The types without a
# status keep the one the gateway chose.
GATEWAY_ERRORS: tuple[tuple[str, str, str, int | None], ...] = (
    ("DEFAULT_4XX", "gateway-refused", "The request was refused before it was read.", None),
    ("DEFAULT_5XX", "gateway-error", "The service failed; try again later.", None),
    ("UNAUTHORIZED", "unauthorized", "A valid bearer token is required.", 401),
    ("EXPIRED_TOKEN", "expired-token", "The token has expired.", 401),
    ("ACCESS_DENIED", "forbidden", "The caller may not do this.", 403),
    ("MISSING_AUTHENTICATION_TOKEN", "route-not-found", "There is no such route.", 404),
    (
        "REQUEST_TOO_LARGE",
        "request-too-large",
        "The request is larger than the gateway takes.",
        413,
    ),
    ("THROTTLED", "throttled", "Too many requests; slow down.", 429),
)

_REF_STAGE = {"Ref": "Stage"}
_KEEP = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}


def build(chalice_template: Json) -> Json:
    """The whole template, from the one that Chalice wrote.

    Raises:
        ValueError: a function without a row in `grants.GRANTS`, or a row without a function.
    """
    template = deepcopy(chalice_template)
    resources: Json = template["Resources"]
    found = {n for n, r in resources.items() if r["Type"] == "AWS::Serverless::Function"}
    if found != set(FUNCTIONS):
        raise ValueError(f"functions and grants differ: {sorted(found ^ set(FUNCTIONS))}")
    for name in FUNCTIONS:
        resources[name]["Properties"]["Environment"] = {"Variables": environment()}
        role = resources[role_of(name)]["Properties"]
        role["Policies"][0]["PolicyDocument"]["Statement"] += deepcopy([*GRANTS[name], *NEVER])
    # Chalice renames this function after it has written the log group that names it.
    resources["ApiHandlerLogGroup"]["Properties"]["LogGroupName"] = {
        "Fn::Sub": "/aws/lambda/${APIHandler}"
    }
    api = resources["RestAPI"]["Properties"]
    api["EndpointConfiguration"] = {"Type": api["EndpointConfiguration"]}
    api["GatewayResponses"] = {kind: _for_sam(answer) for kind, answer in gateway_answers().items()}
    resources |= _tables() | _buckets() | _queues() | _schedules() | _mappings()
    resources |= _alarms() | _log_alarms() | _measured_alarms()
    for name in (alarms := alarm_names(resources)):
        # Whoever is woken knows where it stands what to do.
        properties = resources[name]["Properties"]
        properties["AlarmDescription"] += f" What to do: docs/runbook.md#{name.lower()}"
    resources["Dashboard"] = _dashboard(alarms)
    resources["MasterKey"] = _master_key()
    resources["LogKey"] = _log_key()
    template["Parameters"] = deepcopy(PARAMETERS)
    template["Conditions"] = {"Protected": {"Fn::Equals": [{"Ref": "DeletionProtection"}, "on"]}}
    template["Outputs"] |= {
        **{name: {"Value": {"Ref": name}} for name in (*FUNCTIONS, *_outputs())},
        **{
            f"{name}Arn": {"Value": {"Fn::GetAtt": [name, "Arn"]}}
            for name in resources
            if resources[name]["Type"] == "AWS::SQS::Queue"
        },
    }
    return template


def environment() -> Json:
    """What every function is told about its surroundings, by name."""
    return {
        **{f"{_shout(name)}_TABLE": {"Ref": f"{name}Table"} for name in TABLES},
        **{f"{_shout(name)}_QUEUE_URL": {"Ref": f"{name}Queue"} for name in QUEUES},
        "CONTENT_BUCKET": {"Ref": "ContentBucket"},
        "STAGING_BUCKET": {"Ref": "StagingBucket"},
        "LOG_BUCKET": {"Ref": "LogBucket"},
        "LOG_KEY_ID": {"Ref": "LogKey"},
        "LOG_ORIGIN": {"Ref": "LogOrigin"},
        "LOG_LOCK_DAYS": {"Ref": "LogLockDays"},
        "MASTER_KEY_ID": {"Ref": "MasterKey"},
        "STAGE": _REF_STAGE,
        "ISSUER": {"Ref": "Issuer"},
        "AUDIENCE": {"Ref": "Audience"},
        "ALLOW_LOOPBACK": {"Ref": "AllowLoopback"},
        "DOSSIERS": {"Ref": "Dossiers"},
        "PAYMENTS": {"Ref": "Payments"},
        "CALENDAR": {"Ref": "Calendar"},
        "URGENT_RECEPTION_MINUTES": {"Ref": "UrgentReceptionMinutes"},
        "STEP_UP_MAX_AGE_S": {"Ref": "StepUpSeconds"},
    }


def gateway_answers() -> dict[str, Json]:
    """The gateway's own errors as problem details, in the words of `PutGatewayResponse`.

    The template's key must be `application/json`; only the header can say `problem+json`.
    """
    answers: dict[str, Json] = {}
    for kind, code, title, status in GATEWAY_ERRORS:
        shown = f'"status":{status},' if status else ""
        body = f'{{"type":"about:blank","title":"{title}",{shown}"code":"{code}"}}'
        answers[kind] = {
            "responseParameters": {
                "gatewayresponse.header.Content-Type": "'application/problem+json'",
                # A page that reads what is public must also see why it cannot.
                "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
            },
            "responseTemplates": {"application/json": body},
            **({"statusCode": str(status)} if status else {}),
        }
    return answers


def preflights(built: Json) -> dict[str, Json]:
    """By path, the headers of the answer to a browser that asks whether a page may read this."""
    paths = built["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    asked = {path: found["options"] for path, found in paths.items() if "options" in found}
    return {
        path: option["x-amazon-apigateway-integration"]["responses"]["default"][
            "responseParameters"
        ]
        for path, option in asked.items()
    }


def _for_sam(answer: Json) -> Json:
    prefix = "gatewayresponse.header."
    headers = {k.removeprefix(prefix): v for k, v in answer["responseParameters"].items()}
    sam = {
        "ResponseParameters": {"Headers": headers},
        "ResponseTemplates": answer["responseTemplates"],
    }
    return sam | ({"StatusCode": answer["statusCode"]} if "statusCode" in answer else {})


def _tables() -> Json:
    tables = {}
    for name, (keys, extra) in TABLES.items():
        index = extra.get("index")
        attributes = dict(k.split(":") for k in (*keys, *(index[1] if index else ())))
        properties: Json = {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": n, "AttributeType": t} for n, t in attributes.items()
            ],
            "KeySchema": _key_schema(keys),
            "SSESpecification": {"SSEEnabled": True},
            "DeletionProtectionEnabled": {"Fn::If": ["Protected", True, False]},
            "PointInTimeRecoverySpecification": _recovery(
                extra.get("recovery_days", RECOVERY_DAYS)
            ),
        }
        if extra.get("stream"):
            properties["StreamSpecification"] = {"StreamViewType": "KEYS_ONLY"}
        if extra.get("expires"):
            properties["TimeToLiveSpecification"] = {"AttributeName": "expires", "Enabled": True}
        if index:
            properties["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": index[0],
                    "KeySchema": _key_schema(index[1]),
                    "Projection": {"ProjectionType": index[2]},
                }
            ]
        tables[f"{name}Table"] = {"Type": "AWS::DynamoDB::Table", "Properties": properties, **_KEEP}
    return tables


def _recovery(days: int) -> Json:
    if not days:
        return {"PointInTimeRecoveryEnabled": False}
    return {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days}


def _key_schema(keys: tuple[str, ...]) -> list[Json]:
    kinds = zip(keys, ("HASH", "RANGE"), strict=False)
    return [{"AttributeName": key.split(":")[0], "KeyType": kind} for key, kind in kinds]


def _buckets() -> Json:
    private = {
        "PublicAccessBlockConfiguration": dict.fromkeys(
            ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"),
            True,
        )
    }
    day = {"Status": "Enabled", "ExpirationInDays": 1}
    day |= {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    return {
        "ContentBucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {**private, "VersioningConfiguration": {"Status": "Enabled"}},
            **_KEEP,
        },
        # Nothing of a refused submission may survive, so no versions, and a day at most.
        "StagingBucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {**private, "LifecycleConfiguration": {"Rules": [day]}},
        },
        # Tiles and checkpoints are put under a lock of their own. What a newer tile supersedes, and
        # what was staged for a tree that another one overtook, goes away.
        "LogBucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                **private,
                "VersioningConfiguration": {"Status": "Enabled"},
                "ObjectLockEnabled": True,
                "LifecycleConfiguration": {
                    "Rules": [
                        {
                            "Status": "Enabled",
                            "Prefix": "staging/",
                            "ExpirationInDays": RECOVERY_DAYS,
                        },
                        {
                            "Status": "Enabled",
                            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                        },
                    ]
                },
            },
            **_KEEP,
        },
    }


def _master_key() -> Json:
    return _key("Wraps the keys of persons and services.", EnableKeyRotation=True)


def _log_key() -> Json:
    return _key(
        "Signs the checkpoints of history.",
        KeySpec="ECC_NIST_EDWARDS25519",
        KeyUsage="SIGN_VERIFY",
    )


def _key(description: str, **more: Any) -> Json:
    root = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    return {
        "Type": "AWS::KMS::Key",
        "Properties": {
            "Description": description,
            **more,
            "KeyPolicy": {
                "Version": "2012-10-17",
                # Hands the decision to IAM, as AWS's own default policy does.
                "Statement": [
                    {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
                ],
            },
        },
        **_KEEP,
    }


def _queues() -> Json:
    queues: Json = {"StreamFailuresQueue": _queue({"MessageRetentionPeriod": 14 * 86_400})}
    for name, (tries, hidden) in QUEUES.items():
        fifo: Json = {"FifoQueue": True} if name in DOORBELLS else {}
        dead = f"{name}DeadQueue"
        queues[dead] = _queue({"MessageRetentionPeriod": 14 * 86_400, **fifo})
        redrive = {
            "deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]},
            "maxReceiveCount": tries,
        }
        dedup: Json = {"ContentBasedDeduplication": True} if fifo else {}
        queues[f"{name}Queue"] = _queue(
            {"VisibilityTimeout": hidden, "RedrivePolicy": redrive, **fifo, **dedup}
        )
    return queues


def _queue(properties: Json) -> Json:
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {"SqsManagedSseEnabled": True, **properties},
    }


def _schedules() -> Json:
    # The event's own id makes every ring a new message: a constant text would be dropped as a
    # repeat for five minutes.
    def ring(name: str, what: str) -> Json:
        return {
            "Id": name,
            "Arn": {"Fn::GetAtt": [f"{name}Queue", "Arn"]},
            "SqsParameters": {"MessageGroupId": "schedule"},
            "InputTransformer": {
                "InputPathsMap": {"id": "$.id"},
                "InputTemplate": f'{{"ring":"{what}","id":<id>}}',
            },
        }

    rules = {
        **{
            f"MinuteRule{start // _TARGETS + 1}": (
                "rate(1 minute)",
                [ring(name, "schedule") for name in DOORBELLS[start : start + _TARGETS]],
            )
            for start in range(0, len(DOORBELLS), _TARGETS)
        },
        "DailyRule": ("rate(1 day)", [ring("Sequence", "sweep")]),
    }
    schedules: Json = {
        name: {
            "Type": "AWS::Events::Rule",
            "Properties": {"ScheduleExpression": when, "State": "ENABLED", "Targets": targets},
        }
        for name, (when, targets) in rules.items()
    }
    schedules["DoorbellPolicy"] = {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [{"Ref": f"{name}Queue"} for name in DOORBELLS],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sqs:SendMessage",
                        "Resource": [{"Fn::GetAtt": [f"{n}Queue", "Arn"]} for n in DOORBELLS],
                        "Condition": {
                            "ArnEquals": {
                                "aws:SourceArn": [{"Fn::GetAtt": [r, "Arn"]} for r in rules]
                            }
                        },
                    }
                ],
            },
        },
    }
    return schedules


def _mappings() -> Json:
    mappings: Json = {}
    readers = (
        ("Events", "Events", "Sequence"),
        ("History", "History", "Project"),
        ("HistorySeal", "History", "Seal"),
    )
    for name, table, function in readers:
        mappings[f"{name}Mapping"] = _mapping(
            function,
            {"Fn::GetAtt": [f"{table}Table", "StreamArn"]},
            {
                "BatchSize": 1_000,
                "MaximumBatchingWindowInSeconds": 0,
                "StartingPosition": "TRIM_HORIZON",
                "BisectBatchOnFunctionError": True,
                "MaximumRetryAttempts": 10,
                "DestinationConfig": {
                    "OnFailure": {"Destination": {"Fn::GetAtt": ["StreamFailuresQueue", "Arn"]}}
                },
            },
        )
    for name in QUEUES:
        source = {"Fn::GetAtt": [f"{name}Queue", "Arn"]}
        batch = {"BatchSize": 1 if name == "Intake" else 10}
        mappings[f"{name}Mapping"] = _mapping(name, source, batch)
    return mappings


def _mapping(function: str, source: Json, properties: Json) -> Json:
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        # Without its role's rights in place AWS refuses to create the mapping.
        "DependsOn": [role_of(function)],
        "Properties": {
            "FunctionName": {"Ref": function},
            "EventSourceArn": source,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            **properties,
        },
    }


def _alarms() -> Json:
    """One alarm per queue of things put aside: a single message is one too many."""
    return {
        f"{name}Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmDescription": f"Something was put aside in {name}.",
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": [name, "QueueName"]}}],
                "Statistic": "Maximum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 0,
                "ComparisonOperator": "GreaterThanThreshold",
                "TreatMissingData": "notBreaching",
            },
        }
        for name in ("StreamFailuresQueue", *(f"{n}DeadQueue" for n in QUEUES))
    }


# What a worker says in its log when it goes on without something that then needs a person.
LOG_ALARMS = {
    "ViewStalled": ("Project", "view stalled"),
    "ReactionRefused": ("React", "reaction refused"),
    "ReactionParked": ("React", "reaction parked"),
    "BooksDisagree": ("React", "books disagree"),
    "DeadlineRefused": ("React", "deadline refused"),
    "DeadlineFailed": ("React", "deadline failed"),
    "LetterNotComposed": ("Deliver", "letter not composed"),
    "LetterNotFetched": ("ApiHandler", "letter not composed"),
    "MessageParked": ("Deliver", "message parked"),
    "NoticeFailed": ("Notify", "notice failed"),
    "ErasureFailed": ("Erase", "erasure failed"),
    "WitnessDisagrees": ("Seal", "witness disagrees"),
    "ProviderNotAsked": ("Pay", "provider not asked"),
}


def _log_alarms() -> Json:
    """One metric and one alarm for each such message."""
    made: Json = {}
    for name, (function, message) in LOG_ALARMS.items():
        made[f"{name}Filter"] = {
            "Type": "AWS::Logs::MetricFilter",
            "Properties": {
                "LogGroupName": {"Ref": f"{function}LogGroup"},
                "FilterPattern": f'{{ $.message = "{message}" }}',
                "MetricTransformations": [
                    {"MetricName": name, "MetricNamespace": "LienThong", "MetricValue": "1"}
                ],
            },
        }
        made[f"{name}Alarm"] = {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmDescription": f"{function} says: {message}.",
                "Namespace": "LienThong",
                "MetricName": name,
                "Statistic": "Sum",
                "Period": 300,
                "EvaluationPeriods": 1,
                "Threshold": 0,
                "ComparisonOperator": "GreaterThanThreshold",
                "TreatMissingData": "notBreaching",
            },
        }
    return made


# What `deliver` measures each minute over all lanes, and above which figure somebody should look:
# half a working day, as a night's maintenance is usual, and more than a busy day leaves behind.
DELIVERY_ALARMS = {"OldestMessageAge": 4 * 3600, "OutboxDepth": 5_000}


# What `seal` measures each minute (seconds): since when there are commits that no published
# checkpoint covers, a witness has not answered well, a time authority has not.
PROOF_METRICS = ("UnpublishedAge", "WitnessAge", "TimeStampAge")
FOLLOWERS = ("project", "react", "notify")
"""Workers that keep checkpoints; `project` measures each minute how far they are behind."""
LAG_S = 600
"""How far a worker may be behind history before somebody should look."""


def _measured_alarms() -> Json:
    """An alarm for each figure that a worker measures each minute.

    Also when nothing is measured at all, as then that worker does nothing else either.
    """
    delivery = {
        f"{name}Alarm": _measured("Delivery", name, "deliver", most, 3)
        for name, most in DELIVERY_ALARMS.items()
    }
    proof = {
        f"{name}Alarm": _measured("Proof", name, "seal", {"Ref": "ProofDelaySeconds"}, 1)
        for name in PROOF_METRICS
    }
    history = {
        f"{name.capitalize()}LagAlarm": _measured("History", "Lag", name, LAG_S, 3)
        for name in FOLLOWERS
    }
    return delivery | proof | history


def _measured(namespace: str, metric: str, service: str, most: int | Json, periods: int) -> Json:
    limit = most if isinstance(most, int) else "its limit"
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": f"{metric} of {service} is above {limit}, or not measured.",
            "Namespace": f"LienThong/{namespace}",
            "MetricName": metric,
            "Dimensions": [{"Name": "service", "Value": service}],
            "Statistic": "Maximum",
            "Period": 300,
            "EvaluationPeriods": periods,
            "Threshold": most,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "breaching",
        },
    }


def alarm_names(resources: Json) -> list[str]:
    """Every alarm there is."""
    return [n for n, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"]


_LOG_READERS = ("Sequence", "Project", "Seal")
"""Functions that a table's stream wakes."""


def _dashboard(alarms: list[str]) -> Json:
    """One page: what rings, who asks, who is behind, what waits, what it costs."""
    doorbells = {name: f"${{{name}Queue.QueueName}}" for name in QUEUES}
    functions = {name: f"${{{name}}}" for name in FUNCTIONS}

    def each(namespace: str, metric: str, dimension: str, named: Json) -> list[list[Any]]:
        return [[namespace, metric, dimension, id_, {"label": n}] for n, id_ in named.items()]

    api = ("AWS/ApiGateway", "ApiName", "lien-thong")
    charts: list[tuple[str, str, list[list[Any]]]] = [
        (
            "Requests and refusals",
            "Sum",
            [[api[0], m, *api[1:]] for m in ("Count", "4XXError", "5XXError")],
        ),
        ("How long an answer takes (ms)", "p99", [[api[0], "Latency", *api[1:]]]),
        ("Functions: errors", "Sum", each("AWS/Lambda", "Errors", "FunctionName", functions)),
        (
            "Functions: duration (ms)",
            "p99",
            each("AWS/Lambda", "Duration", "FunctionName", functions),
        ),
        ("Functions: throttled", "Sum", each("AWS/Lambda", "Throttles", "FunctionName", functions)),
        (
            "How far readers are behind their stream (ms)",
            "Maximum",
            each(
                "AWS/Lambda", "IteratorAge", "FunctionName", {n: functions[n] for n in _LOG_READERS}
            ),
        ),
        (
            "Doorbells: age of the oldest (s)",
            "Maximum",
            each("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", doorbells),
        ),
        (
            "Commands: somebody was faster",
            "Sum",
            [["LienThong/Commands", "Conflicts", "service", "commands"]],
        ),
        (
            "Workers: how far behind history (s)",
            "Maximum",
            [["LienThong/History", "Lag", "service", name] for name in FOLLOWERS],
        ),
        (
            "Delivery: what waits",
            "Maximum",
            [
                ["LienThong/Delivery", m, "service", "deliver"]
                for m in (*DELIVERY_ALARMS, "ParkedMessages", "Retries")
            ],
        ),
        (
            "Proof: how late (s)",
            "Maximum",
            [["LienThong/Proof", m, "service", "seal"] for m in PROOF_METRICS],
        ),
        ("What workers set aside", "Sum", [["LienThong", name] for name in LOG_ALARMS]),
        (
            "Tables: write units",
            "Sum",
            each(
                "AWS/DynamoDB",
                "ConsumedWriteCapacityUnits",
                "TableName",
                {name: f"${{{name}Table}}" for name in TABLES},
            ),
        ),
    ]
    widgets: list[Json] = [
        {
            "type": "alarm",
            "x": 0,
            "y": 0,
            "width": 24,
            "height": 4,
            "properties": {"title": "Alarms", "alarms": [f"${{{name}.Arn}}" for name in alarms]},
        }
    ]
    for index, (title, statistic, metrics) in enumerate(charts):
        widgets.append(
            {
                "type": "metric",
                "x": index % 2 * 12,
                "y": 4 + index // 2 * 6,
                "width": 12,
                "height": 6,
                "properties": {
                    "title": title,
                    "stat": statistic,
                    "period": 60,
                    "region": "${AWS::Region}",
                    "metrics": metrics,
                },
            }
        )
    # Named by CloudFormation: two stages in one account do not share it.
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardBody": {"Fn::Sub": json.dumps({"widgets": widgets})}},
    }


def _outputs() -> list[str]:
    return [*_tables(), *_buckets(), *_queues(), *_mappings(), "MasterKey", "LogKey"]


def role_of(function: str) -> str:
    """The name of a function's role, as Chalice gives it."""
    return f"{'ApiHandler' if function == 'APIHandler' else function}Role"


def _shout(name: str) -> str:
    """`SubjectKeys` → `SUBJECT_KEYS`."""
    return "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(name)).upper()
