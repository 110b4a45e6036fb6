"""Faults at the calls to AWS, and how their clients are kept from waiting for real."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock
from zlib import crc32

import botocore.endpoint
from botocore.awsrequest import AWSResponse
from shelves import whole

from infra import template

THROTTLED = "ProvisionedThroughputExceededException"


class Throttle:
    """That share of all calls made within is refused, by seed; `refused` counts them."""

    def __init__(self, world: Any, share: float) -> None:
        self.refused = 0
        self._world, self._share = world, share
        self._chance = Random(30)  # noqa: S311 -- a test's dice.

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with _answering(self._world, self._answer):
            yield

    def _answer(self, request: Any, **_: Any) -> AWSResponse | None:
        if self._chance.random() >= self._share:
            return None
        self.refused += 1
        body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{THROTTLED}"})
        return _answer(request.url, 400, {}, body.encode())


@contextmanager
def in_part(world: Any) -> Iterator[list[str]]:
    """Answers to BatchGetItem hold half of what there is and name the rest; yields the tables."""
    halved: list[str] = []

    def halve(parsed: dict[str, Any], **_: Any) -> None:
        for table, items in parsed.get("Responses", {}).items():
            if len(items) > 1 and not parsed["UnprocessedKeys"]:
                keys = [key.split(":")[0] for key in template.TABLES[table[:-5]][0]]
                left = items[len(items) // 2 :]
                del items[len(items) // 2 :]
                asked = [{key: item[key] for key in keys} for item in left]
                parsed["UnprocessedKeys"][table] = {"Keys": asked, "ConsistentRead": True}
                halved.append(table)

    with world.listening("after-call.dynamodb.BatchGetItem", halve):
        yield halved


@contextmanager
def cut_short(world: Any, every: int) -> Iterator[list[str]]:
    """Each n-th answer of DynamoDB arrives as half of its bytes; yields the calls."""
    turn, halves = count(1), []

    def cut(request: Any, event_name: str, **about: Any) -> AWSResponse | None:
        answer = whole(request=request, event_name=event_name, **about)
        if ".dynamodb." not in event_name:
            return answer
        # The checksum is the one that DynamoDB gives, of all bytes.
        headers = dict(answer.headers) | {"x-amz-crc32": str(crc32(answer.content))}
        body = answer.content
        if next(turn) % every == 0:
            halves.append(event_name)
            body = body[: len(body) // 2]
        return _answer(request.url, answer.status_code, headers, body)

    with _answering(world, cut):
        yield halves


@contextmanager
def _answering(world: Any, answer: Callable[..., Any]) -> Iterator[None]:
    """Answer in AWS's place, and let no client wait before it asks again."""
    at_once = SimpleNamespace(sleep=lambda _s: None)
    with mock.patch.object(botocore.endpoint, "time", at_once):
        for client in world.clients.values():
            client.meta.events.register_first("before-send", answer)
        try:
            yield
        finally:
            for client in world.clients.values():
                client.meta.events.unregister("before-send", answer)


def _answer(url: str, status: int, headers: dict[str, str], body: bytes) -> AWSResponse:
    answer = AWSResponse(url, status, headers, SimpleNamespace())
    answer._content = body
    return answer
