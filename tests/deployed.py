"""The runtime's adapters on moto, with the tables exactly as the template makes them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest import mock

import template
from moto import mock_aws
from moto.kms import models as moto_kms
from shelves import one_call_at_a_time

from chalicelib import runtime

# It makes an RSA key with every key, also with those that only wrap others: one will do.
moto_kms.generate_private_key = cache(moto_kms.generate_private_key)


def _forget() -> None:
    for adapter in vars(runtime).values():
        # Clients are dear to make and know nothing of a deployment.
        if hasattr(adapter, "cache_clear") and adapter is not runtime.client:
            adapter.cache_clear()


@contextmanager
def on_moto() -> Iterator[None]:
    """An empty deployment inside this process."""
    with mock_aws():
        environment = {"STAGE": "test", "ISSUER": "https://issuer.example", "AUDIENCE": "test"}
        # Of two threads that ask moto at once, both may be told that they were first.
        for service in ("dynamodb", "s3", "sqs", "kms"):
            one_call_at_a_time(runtime.client(service))
        dynamodb = runtime.client("dynamodb")
        for name, table in template._tables().items():
            made = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
            properties = {k: v for k, v in table["Properties"].items() if k in made}
            dynamodb.create_table(TableName=name, **properties)
        for variable, value in template.environment().items():
            if variable.endswith("_TABLE"):
                environment[variable] = value["Ref"]
        for bucket in ("content", "staging", "log"):
            environment[f"{bucket.upper()}_BUCKET"] = bucket
            runtime.client("s3").create_bucket(
                Bucket=bucket,
                CreateBucketConfiguration={"LocationConstraint": dynamodb.meta.region_name},
            )
        key = runtime.client("kms").create_key()
        environment["MASTER_KEY_ID"] = key["KeyMetadata"]["KeyId"]
        # Moto's buckets know no locks, and its KMS no Ed25519.
        environment |= {"LOG_LOCK_DAYS": "0", "LOG_KEY_ID": "none"}
        _forget()
        with mock.patch.dict(os.environ, environment):
            yield
        _forget()
