"""What keeps the invariants, switched off: each function here takes one safeguard away.

Where it can be, this is done at the call to AWS, as the safeguard is a condition or a transaction
there, whatever code makes it.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from unittest import mock
from uuid import uuid4

from botocore.exceptions import ClientError
from botocore.retries.special import RetryDDBChecksumError
from survival.calls import THROTTLED
from urllib3 import PoolManager, Retry

from chalicelib import handle, runtime, workers
from chalicelib.contexts.documents.projections.who_takes_part import Keys
from chalicelib.delivery import send, signatures
from chalicelib.delivery.deliver import Deliverer
from chalicelib.delivery.lanes import Lanes
from chalicelib.eventstore import store
from chalicelib.eventstore.store import Place
from chalicelib.history import pages
from chalicelib.history.pages import DynamoHistory, Entry, Page
from chalicelib.history.sequencer import Sequencer
from chalicelib.projector.checkpoints import REACT


@contextmanager
def no_conditions(world: Any, *tables: str) -> Iterator[None]:
    """DynamoDB writes to these tables whatever already stands there."""
    names = {runtime.table(table) for table in tables}

    def strip(params: dict[str, Any], **_: Any) -> dict[str, Any]:
        if params.get("TableName") not in names or "ConditionExpression" not in params:
            return params
        # Names and values that nothing uses any more would be refused.
        kept = {k: v for k, v in params.items() if k != "ConditionExpression"}
        for field, mark in (("ExpressionAttributeNames", "#"), ("ExpressionAttributeValues", ":")):
            used = {
                name: value
                for name, value in kept.pop(field, {}).items()
                if _uses(kept.get("UpdateExpression", ""), name)
            }
            assert all(name.startswith(mark) for name in used)
            kept |= {field: used} if used else {}
        return kept

    with world.listening("provide-client-params.dynamodb", strip):
        yield


def _uses(expression: str, name: str) -> bool:
    words = expression.replace(",", " ").replace("(", " ").replace(")", " ").split()
    return name in words


@contextmanager
def no_row_positions(world: Any) -> Iterator[None]:
    """A view's row no longer says which position made it."""

    def forget(parsed: dict[str, Any], **_: Any) -> None:
        for item in parsed.get("Responses", {}).get(runtime.table("views"), []):
            item["position"] = {"N": "0"}

    with (
        world.listening("after-call.dynamodb.BatchGetItem", forget),
        no_conditions(world, "views"),
    ):
        yield


@contextmanager
def no_transactions(world: Any) -> Iterator[None]:
    """What is meant to be written together is written one by one."""
    dynamodb = world.clients["dynamodb"]

    def one_by_one(TransactItems: Any) -> None:  # noqa: N803 -- the API's name.
        for part in TransactItems:
            ((kind, write),) = part.items()
            with suppress(dynamodb.exceptions.ConditionalCheckFailedException):
                {"Put": dynamodb.put_item, "Update": dynamodb.update_item}[kind](**write)

    with mock.patch.object(dynamodb, "transact_write_items", one_by_one):
        yield


@contextmanager
def react_moves_first(world: Any) -> Iterator[None]:
    """The checkpoint of `react` moves when it begins, not when it has done its work."""
    real = workers.react

    def move(parsed: dict[str, Any], **_: Any) -> None:
        reached = parsed.get("Item", {}).get(REACT)
        last = runtime.history().last() if reached else None
        if reached and last and int(reached["N"]) < last.next - 1:
            runtime.checkpoints().advance({REACT: last.next - 1})

    def eager(event: dict[str, Any], context: Any) -> Any:
        with world.listening("after-call.dynamodb.GetItem", move):
            return real(event, context)

    with mock.patch.object(workers, "react", eager):
        yield


@contextmanager
def markers_not_completed(_world: Any) -> Iterator[None]:
    """A sequencer does not see to the last page's markers before it trusts them."""
    with mock.patch.object(Sequencer, "_complete", return_value=None):
        yield


@contextmanager
def commands_not_remembered(_world: Any) -> Iterator[None]:
    """A command's id is not looked for in what it may have written already."""
    with mock.patch.object(handle, "_already", return_value=None):
        yield


@contextmanager
def cursor_first(_world: Any) -> Iterator[None]:
    """A lane's cursor moves before its receiver has the message."""
    real: Callable[..., Any] = Deliverer._following

    def eager(self: Deliverer, cursor: Any, owner: str, *about: Any) -> Any:
        moved = self.lanes.served(cursor, owner, self.clock())
        with mock.patch.object(Lanes, "served", return_value=moved):
            return real(self, cursor, owner, *about)

    with mock.patch.object(Deliverer, "_following", eager):
        yield


@contextmanager
def no_markers(_world: Any) -> Iterator[None]:
    """Nobody looks whether a commit has a position already."""
    with mock.patch.object(DynamoHistory, "positions", return_value={}):
        yield


@contextmanager
def no_predecessors(_world: Any) -> Iterator[None]:
    """A commit is numbered though the one before it in its stream is not."""

    def hasty(self: Sequencer, batch: list[Place]) -> list[Entry]:
        marked, hashes = self.history.positions(batch), self.store.shelf.hashes(batch)
        return [Entry(*place, hashes[place]) for place in batch if place not in marked]

    with mock.patch.object(Sequencer, "_entries", hasty):
        yield


@contextmanager
def no_sweep(_world: Any) -> Iterator[None]:
    """Nobody looks for commits that no stream announced."""
    with mock.patch.object(Sequencer, "sweep", return_value=0):
        yield


@contextmanager
def pages_not_counted(_world: Any) -> Iterator[None]:
    """Whoever reads history takes the pages that it finds."""

    def as_they_come(found: Iterator[Page], after: int) -> Iterator[Page]:
        return (page for page in found if page.next > after + 1)

    with mock.patch.object(pages, "following", as_they_come):
        yield


@contextmanager
def ten_tries(_world: Any) -> Iterator[None]:
    """A message that its receiver has not taken after ten tries is dropped, as elsewhere."""
    real: Callable[..., Any] = Lanes.postpone

    def drop(self: Lanes, cursor: Any, owner: str, due_at: Any) -> None:
        if cursor.failures < 9:
            real(self, cursor, owner, due_at)
        else:
            self.served(cursor, owner, due_at)
            self.release(cursor.lane, owner)

    with mock.patch.object(Lanes, "postpone", drop):
        yield


@contextmanager
def fresh_ids(_world: Any) -> Iterator[None]:
    """Every attempt has an id of its own."""
    real: Callable[..., Any] = Deliverer._headers

    def fresh(self: Deliverer, message: Any, *rest: Any) -> Any:
        return real(self, message.model_copy(update={"id": f"msg_{uuid4().hex}"}), *rest)

    with mock.patch.object(Deliverer, "_headers", fresh):
        yield


@contextmanager
def addresses_kept(_world: Any) -> Iterator[None]:
    """Where and how an agency is reached is looked up once."""
    book: dict[str, Any] = {}

    def kept(self: Deliverer, agency: str) -> Any:
        if agency not in book:
            book[agency] = self.addresses(agency)
        return book[agency]

    with mock.patch.object(Deliverer, "_address", kept):
        yield


@contextmanager
def newest_key_only(_world: Any) -> Iterator[None]:
    """A key is good no longer once there is another."""
    with mock.patch.object(Keys, "keys_at", lambda self, _at: self.public_keys[-1:]):
        yield


@contextmanager
def clock_alone(_world: Any) -> Iterator[None]:
    """A commit's time is what the clock says, though the one before it came later."""
    with mock.patch.object(store, "max", lambda clock, _before: clock, create=True):
        yield


@contextmanager
def no_window(_world: Any) -> Iterator[None]:
    """A signature is good whenever it was made."""
    with mock.patch.object(signatures.verify, "__defaults__", (10**9,)):
        yield


@contextmanager
def refusals_passed_over(world: Any) -> Iterator[None]:
    """A call that AWS refuses to take now counts as made, and as having found nothing."""
    with ExitStack() as stack:
        for client in world.clients.values():

            def swallow(name: str, params: Any, real: Any = client._make_api_call) -> Any:
                try:
                    return real(name, params)
                except ClientError as error:
                    if error.response["Error"]["Code"] != THROTTLED:
                        raise
                    return {"Items": [], "Responses": {}, "UnprocessedKeys": {}, "Attributes": {}}

            stack.enter_context(mock.patch.object(client, "_make_api_call", swallow))
        yield


@contextmanager
def leftovers_dropped(world: Any) -> Iterator[None]:
    """What an answer about views did not hold is taken for missing."""

    def drop(parsed: dict[str, Any], **_: Any) -> None:
        if runtime.table("views") in parsed.get("UnprocessedKeys", {}):
            parsed["UnprocessedKeys"] = {}

    # Behind the fault, which listens from within.
    for client in world.clients.values():
        client.meta.events.register_last("after-call.dynamodb.BatchGetItem", drop)
    try:
        yield
    finally:
        for client in world.clients.values():
            client.meta.events.unregister("after-call.dynamodb.BatchGetItem", drop)


@contextmanager
def no_checksums(_world: Any) -> Iterator[None]:
    """An answer is taken as it comes, whatever its checksum says."""
    with mock.patch.object(RetryDDBChecksumError, "is_retryable", return_value=False):
        yield


@contextmanager
def everything_acknowledged(_world: Any) -> Iterator[None]:
    """A wake-up is over, though the lane could not be served."""
    real: Callable[..., Any] = Deliverer.serve

    def served(self: Deliverer, *given: Any) -> bool:
        real(self, *given)
        return True

    with mock.patch.object(Deliverer, "serve", served):
        yield


@contextmanager
def nothing_final(_world: Any) -> Iterator[None]:
    """A refusal is never final: the lane waits and asks again."""
    with mock.patch.object(send, "_NOT_FINAL", range(400, 500)):
        yield


@contextmanager
def everything_may_pass(_world: Any) -> Iterator[None]:
    """Whatever fails is tried again, and nothing is set aside."""
    with mock.patch.object(runtime, "may_pass", return_value=True):
        yield


@contextmanager
def every_address_permitted(_world: Any) -> Iterator[None]:
    """No address is looked at before it is called."""
    with mock.patch.object(send, "permitted", return_value=True):
        yield


@contextmanager
def resolved_twice(_world: Any) -> Iterator[None]:
    """A name is resolved to be checked, and once more to be called."""

    def naive(host: str, port: int, timeout: Any, *, loopback: bool) -> Any:
        for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if not send.permitted(str(found[4][0]), loopback=loopback):
                raise send.AddressRefused
        return socket.create_connection((host, port), timeout)

    with mock.patch.object(send, "connect", naive):
        yield


@contextmanager
def redirects_followed(_world: Any) -> Iterator[None]:
    """Whoever is called may send us on."""
    real: Callable[..., Any] = PoolManager.request

    def follow(self: PoolManager, method: str, url: str, **given: Any) -> Any:
        return real(self, method, url, **given | {"redirect": True, "retries": Retry(2)})

    with mock.patch.object(PoolManager, "request", follow):
        yield
