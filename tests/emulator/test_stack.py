"""The deployed local stack: what unit tests of the template cannot see."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from infra import template
from infra.package import ROOT
from infra.stack import REGION, LocalStack, StackFailed

pytestmark = pytest.mark.emulator


def quiet(_line: str) -> None:
    """Tests tell no story."""


@pytest.fixture(scope="module")
def stack():
    with LocalStack(report=quiet) as running:
        running.deploy(Issuer="http://127.0.0.1:9")
        yield running


def ask(url, headers=None):
    request = urllib.request.Request(url, headers=headers or {})  # noqa: S310 -- loopback.
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- loopback.
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def test_an_unknown_route_is_a_problem(stack):
    status, kind, body = ask(f"{stack.api_url}/no/such/route")
    assert (status, kind) == (404, "application/problem+json")
    assert json.loads(body)["code"] == "route-not-found"


def test_every_table_that_forgets_does(stack):
    dynamodb = stack.client("dynamodb")
    for name, (_, extra) in template.TABLES.items():
        found = dynamodb.describe_time_to_live(TableName=stack.outputs()[f"{name}Table"])
        expected = "ENABLED" if extra.get("expires") else "DISABLED"
        assert found["TimeToLiveDescription"]["TimeToLiveStatus"] == expected


def mappings(stack):
    found = stack.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    varies = {"UUID", "LastModified", "EventSourceMappingArn", "LastProcessingResult"}
    told = [{k: str(v) for k, v in m.items() if k not in varies} for m in found]
    return sorted(told, key=lambda m: m["EventSourceArn"])


def test_renewed_mappings_are_the_same_mappings(stack):
    before = mappings(stack)
    assert len(before) == len(template.QUEUES) + 3
    stack.renew_mappings()
    keep = ("EventSourceArn", "FunctionArn", "BatchSize", "FunctionResponseTypes", "State")
    assert [[m[k] for k in keep] for m in mappings(stack)] == [[m[k] for k in keep] for m in before]
    streams = [m for m in mappings(stack) if ":dynamodb:" in m["EventSourceArn"]]
    assert {m["StartingPosition"] for m in streams} == {"TRIM_HORIZON"}
    assert all("StreamFailures" in m["DestinationConfig"] for m in streams)


def test_deploying_again_changes_no_name(stack):
    before = dict(stack.outputs())
    assert stack.deploy(Issuer="http://127.0.0.1:10") == before


def acting_as(stack, function):
    """A DynamoDB client with the rights of one function, and no others."""
    account = stack.client("sts").get_caller_identity()["Account"]
    name = "ApiHandler" if function == "APIHandler" else function
    roles = [r["RoleName"] for r in stack.client("iam").list_roles()["Roles"]]
    role = next(r for r in roles if f"-{name}Role-" in r)
    arn = f"arn:aws:iam::{account}:role/{role}"
    session = stack.client("sts").assume_role(RoleArn=arn, RoleSessionName="tests")
    keys = session["Credentials"]
    return boto3.client(
        "dynamodb",
        endpoint_url=stack.endpoint,
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def changes(table):
    """Every way DynamoDB offers to alter or remove one item."""
    key = {"stream": {"S": "document-x"}, "number": {"N": "1"}}
    name = {"TableName": table, "Key": key}
    where = "WHERE stream='document-x' AND number=1"
    altered = f'UPDATE "{table}" SET a=1 {where}'  # noqa: S608 -- our own table.
    removed = f'DELETE FROM "{table}" {where}'  # noqa: S608 -- our own table.
    update = {"UpdateExpression": "SET a=:a", "ExpressionAttributeValues": {":a": {"S": "b"}}}
    return {
        "update": ("update_item", name | update),
        "delete": ("delete_item", name),
        "batch": ("batch_write_item", {"RequestItems": {table: [{"DeleteRequest": {"Key": key}}]}}),
        "transaction update": (
            "transact_write_items",
            {"TransactItems": [{"Update": name | update}]},
        ),
        "transaction delete": ("transact_write_items", {"TransactItems": [{"Delete": name}]}),
        "statement update": ("execute_statement", {"Statement": altered}),
        "statement delete": ("execute_statement", {"Statement": removed}),
    }


@pytest.mark.parametrize("function", template.FUNCTIONS)
def test_no_function_can_change_a_commit(stack, function):
    table = stack.outputs()["EventsTable"]
    commit = {"stream": {"S": "document-x"}, "number": {"N": "1"}}
    stack.client("dynamodb").put_item(TableName=table, Item=commit)
    role = acting_as(stack, function)
    for way, (call, arguments) in changes(table).items():
        with pytest.raises(ClientError) as refused:
            getattr(role, call)(**arguments)
        assert "not authorized" in str(refused.value), way
    found = stack.client("dynamodb").get_item(TableName=table, Key=commit)
    assert found["Item"] == commit


def test_the_api_can_add_a_commit_and_claim_its_command_in_one_transaction(stack):
    names = stack.outputs()
    commit = {"stream": {"S": "document-y"}, "number": {"N": "1"}}
    put = {
        "TableName": names["EventsTable"],
        "Item": commit,
        "ConditionExpression": "attribute_not_exists(#stream)",
        "ExpressionAttributeNames": {"#stream": "stream"},  # A reserved word.
    }
    claim = {"TableName": names["CommandsTable"], "Item": {"command": {"S": "one"}}}
    both = [{"Put": put}, {"Put": claim}]
    acting_as(stack, "APIHandler").transact_write_items(TransactItems=both)
    found = stack.client("dynamodb").get_item(TableName=names["EventsTable"], Key=commit)
    assert found["Item"] == commit
    with pytest.raises(ClientError, match="not authorized"):
        acting_as(stack, "Sequence").transact_write_items(TransactItems=both)


def test_strangers_are_refused(stack):
    stranger = boto3.client(
        "dynamodb",
        endpoint_url=stack.endpoint,
        region_name=REGION,
        aws_access_key_id="AKIASTRANGER12345678",
        aws_secret_access_key="guessed",
    )
    with pytest.raises(ClientError, match="UnrecognizedClient"):
        stranger.list_tables()


def test_a_port_in_use_is_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackFailed, match=f"^port {port} is in use[^\n]*$"):
            LocalStack(port, report=quiet).start()


def test_a_missing_emulator_is_said_in_one_line(tmp_path):
    with pytest.raises(StackFailed, match="not installed"):
        LocalStack(report=quiet, emulator=tmp_path / "python").start()


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_nothing_is_left_after_a_stop():
    with LocalStack(report=quiet) as running:
        port, log = running.port, running.log
        assert listening(port)
    assert not listening(port)
    assert not log.parent.exists()


def test_state_survives_a_restart_and_has_one_user_at_a_time(tmp_path):
    state = tmp_path / "state"
    with LocalStack(state_dir=state, persist=True, report=quiet) as first:
        names = first.deploy()
        item = {"name": {"S": "kept"}}
        first.client("dynamodb").put_item(TableName=names["CountersTable"], Item=item)
        place = {"Bucket": names["ContentBucket"], "Key": "bodies/kept"}
        first.client("s3").put_object(**place, Body=b"kept")
        with pytest.raises(StackFailed, match="another local stack"):
            LocalStack(state_dir=state, persist=True, report=quiet).start()
    with LocalStack(state_dir=state, persist=True, report=quiet) as second:
        assert second.deploy()["CountersTable"] == names["CountersTable"]
        second.renew_mappings()
        found = second.client("dynamodb").get_item(TableName=names["CountersTable"], Key=item)
        assert found["Item"] == item
        assert second.client("s3").get_object(**place)["Body"].read() == b"kept"
        assert len(mappings(second)) == len(template.QUEUES) + 3


PROGRAM = """
import time
from infra.stack import REGION, LocalStack, stop_on_signals
stop_on_signals()
with LocalStack(report=lambda line: None) as stack:
    print(stack.port, stack.log.parent, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("number", "tidy"),
    [
        pytest.param(signal.SIGTERM, True, id="asked to stop"),
        pytest.param(signal.SIGINT, True, id="interrupted"),
        pytest.param(signal.SIGKILL, False, id="killed"),
    ],
)
def test_the_emulator_ends_with_its_parent(number, tidy):
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with parent:
        port, folder = parent.stdout.readline().split()
        assert listening(int(port))
        os.kill(parent.pid, number)
    deadline = time.monotonic() + 20
    while listening(int(port)):
        assert time.monotonic() < deadline
    if not tidy:  # Whoever starts next cleans up after the dead.
        with LocalStack(report=quiet):
            pass
    assert not Path(folder).exists()


def command_line(stack, *arguments, answer=""):
    """`python -m infra.deploy` against the stack's emulator, with what is typed at its question."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_ACCESS_KEY_ID": "owner",
        "AWS_SECRET_ACCESS_KEY": "owner",
        "AWS_DEFAULT_REGION": REGION,
    }
    done = subprocess.run(
        [sys.executable, "-m", "infra.deploy", "demo", *arguments],
        input=answer, capture_output=True, text=True, check=False, env=environment, cwd=ROOT,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_stage_is_deployed_from_the_command_line(stack):
    """Shown before it is changed, changed only when allowed, and no more than was asked for."""
    cloudformation, issuer = stack.client("cloudformation"), "Issuer=http://127.0.0.1:9"

    failed, _, why = command_line(stack, "--yes")
    assert failed
    assert "Issuer=" in why

    failed, shown, why = command_line(stack, issuer, answer="no\n")
    assert failed
    assert "nothing was changed" in why
    assert "Add      EventsTable" in shown
    resources = cloudformation.describe_stack_resources(StackName="lien-thong-demo")
    assert resources["StackResources"] == []

    failed, shown, why = command_line(stack, "--yes", issuer, "DeletionProtection=off")
    assert not failed, why
    names = dict(line.split(" = ", 1) for line in shown.splitlines() if " = " in line)
    assert names["EventsTable"] != stack.outputs()["EventsTable"]

    failed, shown, _ = command_line(stack, "--yes")
    assert not failed
    assert "nothing to change in lien-thong-demo" in shown

    failed, shown, why = command_line(stack, "UrgentReceptionMinutes=30", answer="yes\n")
    assert not failed, why
    assert "Modify   APIHandler" in shown
    assert "Add " not in shown
    [found] = cloudformation.describe_stacks(StackName="lien-thong-demo")["Stacks"]
    decided = {one["ParameterKey"]: one["ParameterValue"] for one in found["Parameters"]}
    assert decided["UrgentReceptionMinutes"] == "30"
    assert f"Issuer={decided['Issuer']}" == issuer
    assert decided["DeletionProtection"] == "off"
