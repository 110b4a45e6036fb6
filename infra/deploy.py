"""Put the package into an account: upload it, show what changes, change it, read the outputs.

The same code deploys to AWS (`make deploy STAGE=…`) and to the local emulator, both by a change
set; only the clients differ.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import boto3
from botocore.exceptions import ClientError

from infra.package import PackageFailed, package
from infra.template import PARAMETERS

Clients = Callable[[str], Any]
STACK = "lien-thong"
_FAILED = ("FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")
# What is lost with one of these cannot be computed anew.
_PRECIOUS = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")


class DeployFailed(Exception):  # noqa: N818 -- reads as a sentence where it is caught.
    """CloudFormation refused the stack; the message holds its reasons."""


class Proposal(NamedTuple):
    """A change set that waits to be executed: what would happen to which resource."""

    stack: str
    name: str
    changes: list[dict[str, Any]]

    def lines(self) -> Iterator[str]:
        """The changes in words, the dangerous ones marked."""
        for change in self.changes:
            kind = change["ResourceType"]
            replaces = change.get("Replacement") in {"True", "Conditional"}
            lost = replaces or change["Action"] == "Remove"
            warning = "  !! ITS DATA DOES NOT GO WITH IT" if lost and kind in _PRECIOUS else ""
            how = " (replaced)" if replaces else ""
            yield f"{change['Action']:8} {change['LogicalResourceId']:32} {kind}{how}{warning}"


def deploy(
    client: Clients,
    folder: Path,
    bucket: str,
    parameters: Mapping[str, str],
    *,
    wait_seconds: float = 900,
) -> dict[str, str]:
    """Create or update the stack from the package in `folder`; answers with the stack's outputs.

    `bucket` exists and is where CloudFormation finds the package; `parameters` not named have
    their defaults.

    Raises:
        DeployFailed: the stack was refused, rolled back, or not ready after `wait_seconds`.
    """
    proposal = propose(client, folder, bucket, parameters, wait_seconds=wait_seconds)
    if proposal:
        return execute(client, proposal, wait_seconds=wait_seconds)
    return outputs_of(client("cloudformation"))


def propose(
    client: Clients,
    folder: Path,
    bucket: str,
    parameters: Mapping[str, str],
    stack: str = STACK,
    *,
    wait_seconds: float = 900,
) -> Proposal | None:
    """Upload the package and ask what would change; None if nothing would.

    Raises:
        DeployFailed: CloudFormation refused the template or the parameters.
    """
    s3, cloudformation = client("s3"), client("cloudformation")
    uris = {name: _upload(s3, bucket, folder / f"{name}.zip") for name in ("code", "layer")}
    template = json.loads((folder / "template.json").read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = uris["code"]
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = uris["layer"]
    # By URL: the template is longer than the 51,200 bytes that fit into the call.
    text = json.dumps(template)
    key = f"template-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
    name = f"deploy-{int(time.time() * 1000)}"
    found = _stack(cloudformation, stack)
    # A stack of which only a change set was ever made does not exist yet.
    new = found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS"
    cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        ChangeSetType="CREATE" if new else "UPDATE",
        TemplateURL=f"{s3.meta.endpoint_url}/{bucket}/{key}",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    )
    named = {"StackName": stack, "ChangeSetName": name}
    for _ in _pauses(wait_seconds):
        made = cloudformation.describe_change_set(**named)
        if made["Status"] == "FAILED":
            cloudformation.delete_change_set(**named)
            if any(reason in made.get("StatusReason", "") for reason in _UNCHANGED):
                return None
            raise DeployFailed(made.get("StatusReason", "the change set was refused"))
        if made["Status"] == "CREATE_COMPLETE":
            pages = cloudformation.get_paginator("describe_change_set").paginate(**named)
            changes = [each["ResourceChange"] for page in pages for each in page["Changes"]]
            return Proposal(stack, name, changes)
    raise DeployFailed(f"no change set after {wait_seconds:.0f} s")


def execute(client: Clients, proposal: Proposal, *, wait_seconds: float = 3600) -> dict[str, str]:
    """Let a change set happen; answers with the stack's outputs.

    Raises:
        DeployFailed: it was rolled back, or is not done after `wait_seconds`.
    """
    cloudformation = client("cloudformation")
    cloudformation.execute_change_set(StackName=proposal.stack, ChangeSetName=proposal.name)
    return _wait(cloudformation, proposal.stack, wait_seconds)


def _stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    try:
        [found] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    return dict(found)


def outputs_of(cloudformation: Any, stack: str = STACK) -> dict[str, str]:
    """Names, addresses and ids of what a stack holds, by the names of the template."""
    [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {o["OutputKey"]: o["OutputValue"] for o in found["Outputs"]}


def _upload(s3: Any, bucket: str, path: Path) -> dict[str, str]:
    """Stored under its digest, so that a new content is a new address and updates are seen."""
    body = path.read_bytes()
    key = f"{path.stem}-{hashlib.sha256(body).hexdigest()[:16]}.zip"
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError:
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    return {"Bucket": bucket, "Key": key}


def _pauses(wait_seconds: float) -> Iterator[None]:
    deadline, pause = time.monotonic() + wait_seconds, 0.1
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)
        pause = min(pause * 1.5, 5)


def _wait(cloudformation: Any, stack: str, wait_seconds: float) -> dict[str, str]:
    for _ in _pauses(wait_seconds):
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        if status.endswith(_FAILED):
            events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
            reasons = [
                f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}"
                for e in events
                if e.get("ResourceStatus", "").endswith("FAILED")
            ]
            raise DeployFailed(f"{status}\n" + "\n".join(reversed(reasons)))
        if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return outputs_of(cloudformation, stack)
    raise DeployFailed(f"not ready after {wait_seconds:.0f} s")


def _bucket(client: Clients, region: str) -> str:
    """The account's bucket for packages, made if there is none: private, and of this region."""
    s3 = client("s3")
    name = f"{STACK}-packages-{client('sts').get_caller_identity()['Account']}-{region}"
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        # The one region that may not be named.
        where = {} if region == "us-east-1" else {"LocationConstraint": region}
        s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": where} if where else {}))
        shut = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(
            Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(shut, True)
        )
    return name


def _kept(found: Mapping[str, Any] | None) -> dict[str, str]:
    """What an earlier deployment decided: it holds until another value is named."""
    parameters = found.get("Parameters", ()) if found else ()
    known = {each["ParameterKey"]: each["ParameterValue"] for each in parameters}
    return {name: value for name, value in known.items() if name in PARAMETERS}


def main() -> None:
    """Deploy a stage to the account of the environment's credentials: show, ask, change."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("stage", help="for instance test or production: a stack of its own")
    parser.add_argument("--yes", action="store_true", help="change it without asking")
    parser.add_argument("parameters", nargs="*", help="Name=value, for instance Issuer=https://…")
    # An option may stand among the parameters.
    options = parser.parse_intermixed_args()
    client, stack = cast("Clients", boto3.client), f"{STACK}-{options.stage}"
    region = client("s3").meta.region_name
    found = _stack(client("cloudformation"), stack)
    given = dict(each.split("=", 1) for each in options.parameters)
    parameters = _kept(found) | {"Stage": options.stage} | given
    if not parameters.get("Issuer"):
        sys.exit("a first deployment names whose tokens count: Issuer=https://…")
    try:
        folder = package()
        proposal = propose(client, folder, _bucket(client, region), parameters, stack)
        if proposal is None:
            print(f"nothing to change in {stack}")
            return
        print(f"{stack} in {region} would change ({len(proposal.changes)} resources):")
        for line in proposal.lines():
            print(f"  {line}")
        if not options.yes and input(f"change {stack}? (yes/no) ") != "yes":
            client("cloudformation").delete_change_set(StackName=stack, ChangeSetName=proposal.name)
            sys.exit("nothing was changed")
        outputs = execute(client, proposal)
    except (PackageFailed, DeployFailed) as failed:
        sys.exit(str(failed))
    for name, value in sorted(outputs.items()):
        print(f"{name} = {value}")


if __name__ == "__main__":
    main()
