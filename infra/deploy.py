"""Put the package into an account: upload it, create or update the one stack, read its outputs.

The same code deploys to AWS (`python -m infra.deploy --bucket B Issuer=https://…`) and to the local
emulator; only the clients differ.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.package import PackageFailed, package

Clients = Callable[[str], Any]
STACK = "lien-thong"
_FAILED = ("FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")


class DeployFailed(Exception):  # noqa: N818 -- reads as a sentence where it is caught.
    """CloudFormation refused the stack; the message holds its reasons."""


def deploy(
    client: Clients,
    folder: Path,
    bucket: str,
    parameters: Mapping[str, str],
    *,
    wait_seconds: float = 900,
) -> dict[str, str]:
    """Create or update the stack from the package in `folder`; answers with the stack's outputs.

    `bucket` exists and is where CloudFormation finds the package; `parameters` not named keep
    their defaults.

    Raises:
        DeployFailed: the stack was refused, rolled back, or not ready after `wait_seconds`.
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
    request = {
        "StackName": STACK,
        "TemplateURL": f"{s3.meta.endpoint_url}/{bucket}/{key}",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    }
    try:
        cloudformation.describe_stacks(StackName=STACK)
    except ClientError:
        cloudformation.create_stack(**request)
    else:
        try:
            cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates" not in str(error):
                raise
    return _wait(cloudformation, wait_seconds)


def _upload(s3: Any, bucket: str, path: Path) -> dict[str, str]:
    """Stored under its digest, so that a new content is a new address and updates are seen."""
    body = path.read_bytes()
    key = f"{path.stem}-{hashlib.sha256(body).hexdigest()[:16]}.zip"
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError:
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    return {"Bucket": bucket, "Key": key}


def _wait(cloudformation: Any, wait_seconds: float) -> dict[str, str]:
    deadline = time.monotonic() + wait_seconds
    pause = 0.1
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        status = stack["StackStatus"]
        if status.endswith(_FAILED):
            events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
            reasons = [
                f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}"
                for e in events
                if e.get("ResourceStatus", "").endswith("FAILED")
            ]
            raise DeployFailed(f"{status}\n" + "\n".join(reversed(reasons)))
        if status.endswith("COMPLETE"):
            return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
        time.sleep(pause)
        pause = min(pause * 1.5, 5)
    raise DeployFailed(f"not ready after {wait_seconds:.0f} s")


def main() -> None:
    """Deploy to the AWS account of the environment's credentials, and print the outputs."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--bucket", required=True, help="an existing bucket for the package")
    parser.add_argument("parameters", nargs="*", help="Name=value, for instance Issuer=https://…")
    options = parser.parse_args()
    parameters = dict(p.split("=", 1) for p in options.parameters)
    try:
        outputs = deploy(boto3.client, package(), options.bucket, parameters)
    except (PackageFailed, DeployFailed) as failed:
        sys.exit(str(failed))
    for name, value in sorted(outputs.items()):
        print(f"{name} = {value}")


if __name__ == "__main__":
    main()
