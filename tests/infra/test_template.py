"""The template holds what Chalice leaves out, and what no reviewer should have to look for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contexts.operations import followers
from chalicelib.delivery.outbox import FOLLOWER
from chalicelib.projector.checkpoints import NOTIFY, REACT
from infra import template
from infra.grants import GRANTS

APPEND_ONLY = {"EventsTable", "HistoryTable", "PositionsTable"}
UNSAVED = {"EpochKeysTable"}


def function(name: str) -> dict[str, Any]:
    return {"Type": "AWS::Serverless::Function", "Properties": {"Handler": f"app.{name}"}}


def role() -> dict[str, Any]:
    logs = {"Effect": "Allow", "Action": ["logs:PutLogEvents"], "Resource": "arn:*:logs:*:*:*"}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"Policies": [{"PolicyDocument": {"Statement": [logs]}}]},
    }


@pytest.fixture(scope="module")
def chalice() -> dict[str, Any]:
    """What Chalice writes, cut down to what we build on."""
    roles = [
        "ApiHandler",
        "Authorize",
        "Sequence",
        "Project",
        "Seal",
        "React",
        "Deliver",
        "Notify",
        "Pay",
        "Erase",
        "Intake",
    ]
    return {
        "Outputs": {"RestAPIId": {"Value": {"Ref": "RestAPI"}}},
        "Resources": {
            **{name: function(name) for name in ("APIHandler", *roles[1:])},
            **{f"{name}Role": role() for name in roles},
            "ApiHandlerLogGroup": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": {"Fn::Sub": "/aws/lambda/${ApiHandler}"}},
            },
            "RestAPI": {
                "Type": "AWS::Serverless::Api",
                "Properties": {"EndpointConfiguration": "REGIONAL"},
            },
        },
    }


@pytest.fixture(scope="module")
def built(chalice: dict[str, Any]) -> dict[str, Any]:
    return template.build(chalice)


def of_type(built: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    resources = built["Resources"].items()
    return {name: r["Properties"] for name, r in resources if r["Type"] == kind}


def statements(built: dict[str, Any], function_name: str) -> list[dict[str, Any]]:
    name = "ApiHandler" if function_name == "APIHandler" else function_name
    policies = built["Resources"][f"{name}Role"]["Properties"]["Policies"]
    return [s for policy in policies for s in policy["PolicyDocument"]["Statement"]]


def named(resource: Any) -> str:
    """The logical name that an ARN expression is about."""
    text = json.dumps(resource)
    return re.findall(r'(?:GetAtt": \["|\$\{)(\w+)', text)[0] if resource != "*" else "*"


def test_chalices_template_is_not_changed_in_place(chalice, built):
    assert "Parameters" not in chalice
    assert "Environment" not in chalice["Resources"]["Sequence"]["Properties"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"Newcomer": function("newcomer")}, id="a function nobody granted anything"),
        pytest.param({"React": {"Type": "AWS::SNS::Topic"}}, id="rights of a function that left"),
    ],
)
def test_functions_and_grants_must_agree(chalice, change):
    with pytest.raises(ValueError, match=r"Newcomer|React"):
        template.build(chalice | {"Resources": chalice["Resources"] | change})


def test_every_mapping_answers_for_single_records(built):
    mappings = of_type(built, "AWS::Lambda::EventSourceMapping")
    assert len(mappings) == 12
    for mapping in mappings.values():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_stream_mappings_lose_nothing(built):
    mappings = of_type(built, "AWS::Lambda::EventSourceMapping").values()
    streams = [m for m in mappings if "StreamArn" in json.dumps(m["EventSourceArn"])]
    assert {named(m["EventSourceArn"]) for m in streams} == {"EventsTable", "HistoryTable"}
    for mapping in streams:
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["MaximumRetryAttempts"] == 10
        assert named(mapping["DestinationConfig"]["OnFailure"]["Destination"]) in of_type(
            built, "AWS::SQS::Queue"
        )


def test_no_stream_has_more_than_two_readers(built):
    mappings = of_type(built, "AWS::Lambda::EventSourceMapping").values()
    sources = [json.dumps(m["EventSourceArn"]) for m in mappings]
    assert max(sources.count(s) for s in sources) <= 2


def test_every_queue_that_is_read_puts_poison_aside(built):
    queues = of_type(built, "AWS::SQS::Queue")
    for name in template.QUEUES:
        dead = named(queues[f"{name}Queue"]["RedrivePolicy"]["deadLetterTargetArn"])
        assert queues[dead].get("FifoQueue") == queues[f"{name}Queue"].get("FifoQueue")


def test_every_place_for_poison_has_an_alarm(built):
    watched = {
        named(alarm["Dimensions"][0]["Value"])
        for alarm in of_type(built, "AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "AWS/SQS"
    }
    aside = {n for n in of_type(built, "AWS::SQS::Queue") if "Dead" in n or "Failures" in n}
    assert watched == aside


def test_what_a_worker_logs_for_a_person_has_an_alarm(built):
    telling, asking = "contexts/dossiers/notices/notify", "contexts/payments/asking"
    names = ("workers", "correspondence", telling, asking)
    sources = [Path(f"chalicelib/{name}.py") for name in names]
    said = "".join(source.read_text(encoding="utf-8") for source in sources)
    filters = of_type(built, "AWS::Logs::MetricFilter")
    watched = {
        alarm["MetricName"]
        for alarm in of_type(built, "AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "LienThong"
    }
    assert watched == set(template.LOG_ALARMS) == {n.removesuffix("Filter") for n in filters}
    for _function, message in template.LOG_ALARMS.values():
        assert f'"{message}"' in said


def test_what_waits_too_long_or_is_too_much_has_an_alarm(built):
    measured = Path("chalicelib/workers.py").read_text(encoding="utf-8")
    watched = {
        alarm["MetricName"]: alarm
        for alarm in of_type(built, "AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "LienThong/Delivery"
    }
    assert watched.keys() == {"OldestMessageAge", "OutboxDepth"}
    for name, alarm in watched.items():
        assert f'add_metric("{name}"' in measured
        assert alarm["Dimensions"] == [{"Name": "service", "Value": "deliver"}]
        assert alarm["TreatMissingData"] == "breaching"


def test_proof_that_is_late_has_an_alarm(built):
    measured = Path("chalicelib/workers.py").read_text(encoding="utf-8")
    watched = {
        alarm["MetricName"]: alarm
        for alarm in of_type(built, "AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "LienThong/Proof"
    }
    assert watched.keys() == {"UnpublishedAge", "WitnessAge", "TimeStampAge"}
    for name, alarm in watched.items():
        assert f'add_metric("{name}"' in measured
        assert alarm["Dimensions"] == [{"Name": "service", "Value": "seal"}]
        assert alarm["Threshold"] == {"Ref": "ProofDelaySeconds"}
        assert alarm["TreatMissingData"] == "breaching"


def test_a_worker_that_is_far_behind_history_has_an_alarm(built):
    watched = {
        alarm["Dimensions"][0]["Value"]: alarm
        for alarm in of_type(built, "AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "LienThong/History"
    }
    assert watched.keys() == {followers.worker_of(name) for name in (FOLLOWER, REACT, NOTIFY)}
    for alarm in watched.values():
        assert (alarm["MetricName"], alarm["TreatMissingData"]) == ("Lag", "breaching")


def test_only_the_sealer_signs_and_nobody_removes_what_is_sealed(built):
    signers = {
        name for name, granted in GRANTS.items() for s in granted if "kms:Sign" in s["Action"]
    }
    assert signers == {"Seal"}
    key = built["Resources"]["LogKey"]["Properties"]
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    for name in template.FUNCTIONS:
        allowed = {
            resource["Fn::Sub"]
            for s in statements(built, name)
            if s["Effect"] == "Allow" and "s3:DeleteObject" in s["Action"]
            for resource in s["Resource"]
            if named(resource) == "LogBucket"
        }
        kept = {"${LogBucket.Arn}/tile/*.p/*", "${LogBucket.Arn}/staging/*"}
        assert allowed == (kept if name == "Seal" else set())
        denied = [s for s in statements(built, name) if s["Effect"] == "Deny"]
        actions = {a for s in denied for a in s["Action"] if "LogTable" in json.dumps(s)}
        assert {"dynamodb:UpdateItem", "dynamodb:DeleteItem"} <= actions


def test_a_wake_up_is_hidden_at_least_as_long_as_its_worker_may_run(built):
    limits = dict.fromkeys(template.DOORBELLS, 60)
    limits |= {"Deliver": 120, "Seal": 120, "Notify": 120, "Pay": 120, "Intake": 300}
    for name, seconds in limits.items():
        queue = built["Resources"][f"{name}Queue"]["Properties"]
        assert queue["VisibilityTimeout"] >= seconds


def test_the_schedule_rings_every_doorbell_each_time_anew(built):
    rules = of_type(built, "AWS::Events::Rule")
    targets = [
        target
        for rule in rules.values()
        if rule["ScheduleExpression"] == "rate(1 minute)"
        for target in rule["Targets"]
    ]
    assert all(len(rule["Targets"]) <= 5 for rule in rules.values())
    assert {named(t["Arn"]) for t in targets} == {f"{n}Queue" for n in template.DOORBELLS}
    for target in [t for rule in rules.values() for t in rule["Targets"]]:
        assert "Input" not in target, "a constant text is dropped as a repeat"
        assert target["SqsParameters"] == {"MessageGroupId": "schedule"}
        made = target["InputTransformer"]["InputTemplate"].replace("<id>", '"x"')
        assert json.loads(made)["ring"] in {"schedule", "sweep"}
    policy = built["Resources"]["DoorbellPolicy"]["Properties"]
    allowed = policy["PolicyDocument"]["Statement"][0]
    assert {q["Ref"] for q in policy["Queues"]} == {named(t["Arn"]) for t in targets}
    assert {named(r) for r in allowed["Condition"]["ArnEquals"]["aws:SourceArn"]} == set(rules)


@pytest.mark.parametrize("name", template.FUNCTIONS)
def test_a_function_has_rights_of_its_own_on_named_things(built, name):
    granted = [s for s in statements(built, name) if s["Effect"] == "Allow"][1:]
    for statement in granted:
        assert "*" not in "".join(statement["Action"])
        for resource in statement["Resource"]:
            # The sender of e-mails is verified outside the stack.
            if statement["Action"] not in (["dynamodb:ListStreams"], ["ses:SendEmail"]):
                assert named(resource) in built["Resources"]
                assert not json.dumps(resource).endswith(':*"')


def test_rights_are_not_shared(built):
    grants = {n: json.dumps(statements(built, n), sort_keys=True) for n in template.FUNCTIONS}
    assert len(set(grants.values())) == len(grants)


@pytest.mark.parametrize("name", template.FUNCTIONS)
@pytest.mark.parametrize("action", ["UpdateItem", "DeleteItem", "PartiQLUpdate", "PartiQLDelete"])
def test_no_function_may_change_what_was_recorded(built, name, action):
    denied: set[str] = set()
    for statement in statements(built, name):
        if f"dynamodb:{action}" in statement["Action"]:
            tables = {named(r) for r in statement["Resource"]}
            if statement["Effect"] == "Deny":
                denied |= tables
            else:
                assert not tables & APPEND_ONLY
    assert denied >= APPEND_ONLY


@pytest.mark.parametrize("name", template.FUNCTIONS)
def test_no_function_may_batch_write_commits_or_pages(built, name):
    denied = {
        named(r)
        for s in statements(built, name)
        if s["Effect"] == "Deny" and "dynamodb:BatchWriteItem" in s["Action"]
        for r in s["Resource"]
    }
    assert denied >= {"EventsTable", "HistoryTable"}


def test_only_the_sequencer_writes_history():
    writers = {
        name
        for name, granted in GRANTS.items()
        for s in granted
        if "dynamodb:PutItem" in s["Action"] and named(s["Resource"][0]) == "HistoryTable"
    }
    assert writers == {"Sequence"}


@pytest.mark.parametrize("table", ["SubjectKeysTable", "EpochKeysTable"])
def test_only_one_function_destroys_keys_of_persons(table):
    destroying = {f"dynamodb:{action}" for action in ("UpdateItem", "DeleteItem", "BatchWriteItem")}
    may = {
        name
        for name, granted in GRANTS.items()
        for s in granted
        if table in map(named, s["Resource"]) and destroying & set(s["Action"])
    }
    assert may == {"Erase"}


def test_only_one_function_deletes_what_is_kept():
    may = {
        name
        for name, granted in GRANTS.items()
        for s in granted
        if "s3:DeleteObjectVersion" in s["Action"]
    }
    assert may == {"Erase"}


def test_the_authorizer_may_only_log():
    assert GRANTS["Authorize"] == []


def test_every_table_can_be_restored_and_is_kept(built):
    for name, table in of_type(built, "AWS::DynamoDB::Table").items():
        recovery = table["PointInTimeRecoverySpecification"]
        days = 1 if name == "SubjectKeysTable" else 35
        on = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days}
        # What wraps the keys of persons must die when it is deleted.
        assert recovery == ({"PointInTimeRecoveryEnabled": False} if name in UNSAVED else on)
        assert table["SSESpecification"] == {"SSEEnabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert built["Resources"][name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize(
    "name", ["CommandsTable", "ViewsTable", "SubmissionsTable", "NoticesTable"]
)
def test_what_may_be_forgotten_expires(built, name):
    expiry = built["Resources"][name]["Properties"]["TimeToLiveSpecification"]
    assert expiry == {"AttributeName": "expires", "Enabled": True}


def test_what_must_not_be_forgotten_never_expires(built):
    tables = of_type(built, "AWS::DynamoDB::Table")
    expiring = {name for name, t in tables.items() if "TimeToLiveSpecification" in t}
    assert expiring == {"CommandsTable", "ViewsTable", "SubmissionsTable", "NoticesTable"}


def test_index_names_are_long_enough_for_dynamodb(built):
    for table in of_type(built, "AWS::DynamoDB::Table").values():
        for index in table.get("GlobalSecondaryIndexes", []):
            assert len(index["IndexName"]) >= 3


def test_staging_forgets_within_a_day_and_content_keeps_versions(built):
    buckets = of_type(built, "AWS::S3::Bucket")
    assert "VersioningConfiguration" not in buckets["StagingBucket"]
    rule = buckets["StagingBucket"]["LifecycleConfiguration"]["Rules"][0]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 1)
    assert buckets["ContentBucket"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert buckets["LogBucket"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert buckets["LogBucket"]["ObjectLockEnabled"] is True
    for bucket in buckets.values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4


def test_the_gateways_own_errors_are_problem_details(built):
    answers = built["Resources"]["RestAPI"]["Properties"]["GatewayResponses"]
    assert set(answers) >= {
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "UNAUTHORIZED",
        "ACCESS_DENIED",
        "EXPIRED_TOKEN",
        "MISSING_AUTHENTICATION_TOKEN",
        "THROTTLED",
        "REQUEST_TOO_LARGE",
    }
    for answer in answers.values():
        headers = answer["ResponseParameters"]["Headers"]
        assert headers["Content-Type"] == "'application/problem+json'"
        problem = json.loads(answer["ResponseTemplates"]["application/json"])
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", problem["code"])
        assert str(problem.get("status", "")) == answer.get("StatusCode", "")


def test_every_function_learns_every_name(built):
    resources, parameters = built["Resources"], built["Parameters"]
    for name in template.FUNCTIONS:
        variables = resources[name]["Properties"]["Environment"]["Variables"]
        for value in variables.values():
            assert value["Ref"] in resources or value["Ref"] in parameters
        assert variables["SUBJECT_KEYS_TABLE"] == {"Ref": "SubjectKeysTable"}


def test_the_log_group_of_the_api_names_the_function_that_exists(built):
    group = built["Resources"]["ApiHandlerLogGroup"]["Properties"]["LogGroupName"]
    assert group == {"Fn::Sub": "/aws/lambda/${APIHandler}"}


def test_nothing_local_is_on_by_default(built):
    defaults = {name: p["Default"] for name, p in built["Parameters"].items()}
    assert defaults["AllowLoopback"] == "0"
    assert defaults["DeletionProtection"] == "on"


def test_a_browsers_question_is_answered_where_there_is_an_answer():
    headers = {"method.response.header.Access-Control-Allow-Origin": "'*'"}
    asked = {"responses": {"default": {"statusCode": "200", "responseParameters": headers}}}
    paths = {
        "/public": {"get": {}, "options": {"x-amazon-apigateway-integration": asked}},
        "/private": {"get": {}},
    }
    api = {"Properties": {"DefinitionBody": {"paths": paths}}}
    assert template.preflights({"Resources": {"RestAPI": api}}) == {"/public": headers}


def alarms(built: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return of_type(built, "AWS::CloudWatch::Alarm")


def test_the_runbook_has_a_section_for_each_alarm_and_for_nothing_else(built):
    text = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text()
    sections = re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert sorted(name for name, _ in sections) == sorted(alarms(built))
    for name, section in sections:
        said = re.findall(r"^- \*\*(.+?):\*\* \S", section, re.MULTILINE)
        assert said == ["Means", "Look", "Do", "Over when"], name
        description = alarms(built)[name]["AlarmDescription"]
        assert description.endswith(f"docs/runbook.md#{name.lower()}")


def test_the_dashboard_shows_every_alarm_function_queue_and_table(built):
    [dashboard] = of_type(built, "AWS::CloudWatch::Dashboard").values()
    text = dashboard["DashboardBody"]["Fn::Sub"]
    for name in re.findall(r"\$\{(\w+)(?:\.\w+)?\}", text):
        assert name in built["Resources"], name
    first, *charts = json.loads(text)["widgets"]
    assert first["properties"]["alarms"] == [f"${{{name}.Arn}}" for name in alarms(built)]
    drawn = [metric for chart in charts for metric in chart["properties"]["metrics"]]
    named = {metric[-1]["label"] for metric in drawn if isinstance(metric[-1], dict)}
    assert named == {*template.FUNCTIONS, *template.QUEUES, *template.TABLES}
    # Every figure that has an alarm can be looked at.
    measured = {(metric[0], metric[1]) for metric in drawn}
    for name, alarm in alarms(built).items():
        if alarm["Namespace"] != "AWS/SQS":
            assert (alarm["Namespace"], alarm["MetricName"]) in measured, name
    places = [(c["x"], c["y"]) for c in (first, *charts)]
    assert len(set(places)) == len(places)
