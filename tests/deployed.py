"""The runtime's adapters on moto, with the tables exactly as the template makes them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import boto3
import template
from moto import mock_aws

from chalicelib import runtime


def _forget() -> None:
    for adapter in vars(runtime).values():
        if hasattr(adapter, "cache_clear"):
            adapter.cache_clear()


@contextmanager
def on_moto() -> Iterator[None]:
    """An empty deployment inside this process."""
    with mock_aws():
        environment = {"STAGE": "test", "ISSUER": "https://issuer.example", "AUDIENCE": "test"}
        dynamodb = boto3.client("dynamodb")
        for name, table in template._tables().items():
            made = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
            properties = {k: v for k, v in table["Properties"].items() if k in made}
            dynamodb.create_table(TableName=name, **properties)
        for variable, value in template.environment().items():
            if variable.endswith("_TABLE"):
                environment[variable] = value["Ref"]
        for bucket in ("content", "staging"):
            environment[f"{bucket.upper()}_BUCKET"] = bucket
            boto3.client("s3").create_bucket(
                Bucket=bucket,
                CreateBucketConfiguration={"LocationConstraint": dynamodb.meta.region_name},
            )
        key = boto3.client("kms").create_key()
        environment["MASTER_KEY_ID"] = key["KeyMetadata"]["KeyId"]
        _forget()
        with mock.patch.dict(os.environ, environment):
            yield
        _forget()
