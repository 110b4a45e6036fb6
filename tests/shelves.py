"""Shelves to test on, each with a way to damage what stands on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from threading import Lock
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws
from moto.core.models import botocore_stubber

from chalicelib.eventstore.dynamodb import DynamoShelf
from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.store import Commit, Place, Shelf

REGION = "ap-southeast-1"
MINISTACK = pytest.param("ministack", marks=pytest.mark.emulator)
DYNAMODB = ("moto", MINISTACK)
EVERY = ("memory", *DYNAMODB)


class MemoryRack:
    """A shelf in memory."""

    def __init__(self) -> None:
        self._shelf = MemoryShelf()
        self.shelf: Shelf = self._shelf

    def alter(self, place: Place, header: bytes | None = None, body: bytes | None = None) -> None:
        """Overwrite a stored commit, as an intruder with every right would."""
        was = self._shelf.items[place]
        self._shelf.items[place] = Commit(
            *place, was.header if header is None else header, was.body if body is None else body
        )

    def remove(self, place: Place) -> None:
        """Delete a stored commit."""
        del self._shelf.items[place]


class DynamoRack:
    """A shelf on fresh tables and a fresh bucket; `calls` holds every API call made on them."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self.dynamodb, self.s3 = client("dynamodb"), client("s3")
        unique = uuid4().hex[:12]
        tables = {
            "events": (("stream", "S"), ("number", "N")),
            "counters": (("name", "S"),),
            "commands": (("command", "S"),),
        }
        for name, keys in tables.items():
            self.dynamodb.create_table(
                TableName=f"{name}-{unique}",
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": k, "AttributeType": t} for k, t in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}
                    for (key, _), kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
            )
        self.events = f"events-{unique}"
        self.bucket = f"content-{unique}"
        self.s3.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        self.calls: list[str] = []
        self._listeners: list[tuple[Any, str, Callable[..., Any]]] = []
        self.listen("before-call", lambda model, **_: self.calls.append(model.name))
        self.shelf: Shelf = DynamoShelf(
            self.dynamodb,
            self.s3,
            events=self.events,
            counters=f"counters-{unique}",
            commands=f"commands-{unique}",
            bucket=self.bucket,
        )

    def listen(self, event: str, handler: Callable[..., Any]) -> None:
        """Have botocore call `handler` at `event` until this rack is put away."""
        for client in (self.dynamodb, self.s3):
            client.meta.events.register(event, handler)
            self._listeners.append((client, event, handler))

    def close(self) -> None:
        """Stop listening: clients are dear to make, so the next rack gets the same ones."""
        for client, event, handler in self._listeners:
            client.meta.events.unregister(event, handler)

    def item(self, place: Place) -> dict[str, Any]:
        """A stored item as DynamoDB has it."""
        answer = self.dynamodb.get_item(
            TableName=self.events, Key=self._key(place), ConsistentRead=True
        )
        return dict(answer["Item"])

    def alter(self, place: Place, header: bytes | None = None, body: bytes | None = None) -> None:
        """Overwrite a stored commit, as an intruder with every right would: its hash fits."""
        item = self.item(place)
        if header is not None:
            item |= {"header": {"B": header}, "hash": {"B": sha256(header).digest()}}
        if body is not None:
            item |= {"body": {"B": body}}
        self.dynamodb.put_item(TableName=self.events, Item=item)

    def remove(self, place: Place) -> None:
        """Delete a stored commit."""
        self.dynamodb.delete_item(TableName=self.events, Key=self._key(place))

    @staticmethod
    def _key(place: Place) -> dict[str, Any]:
        return {"stream": {"S": place[0]}, "number": {"N": str(place[1])}}


@contextmanager
def dynamo_rack(client: Callable[[str], Any]) -> Iterator[DynamoRack]:
    """A rack on the DynamoDB and the S3 that `client` knows."""
    rack = DynamoRack(client)
    try:
        yield rack
    finally:
        rack.close()


@contextmanager
def moto_rack() -> Iterator[DynamoRack]:
    """A rack on moto, inside this process."""
    with mock_aws(), dynamo_rack(_moto_client) as rack:
        yield rack


_one_at_a_time = Lock()


def whole(**call: Any) -> Any:
    """Answer a call. A table keeps each one whole; moto, asked by several threads, does not."""
    with _one_at_a_time:
        return botocore_stubber(**call)


def one_call_at_a_time(client: Any) -> Any:
    """The same client on moto, fit for threads."""
    for handler in (botocore_stubber, whole):
        client.meta.events.unregister("before-send", handler)
    client.meta.events.register("before-send", whole)
    return client


@cache
def _moto_client(service: str) -> Any:
    return one_call_at_a_time(boto3.client(service, region_name=REGION))
