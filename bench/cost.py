"""What a document, a dossier and a payment use of AWS, counted; what a million of them would cost.

`python bench/cost.py` runs the real handlers inside this process, on moto, with one case at a time
and every worker woken after every commit: the dearest way, as nothing shares a wake-up. Every call
to AWS is counted; DynamoDB's units are worked out from the items by AWS's rules, since moto reports
one for everything. Prices stand in `PRICES`: replace them by those of your region and day. Not
counted, as moto has no Ed25519: `Seal`. Nor are: storage, data sent out, logs, idle minutes.
"""

import sys
from collections import Counter
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "infra")]

import conftest  # noqa: E402, F401 -- the path comes first; keeps real accounts out.
from botocore.client import BaseClient  # noqa: E402 -- the same.
from contexts.dossiers.demo_dossiers import PROCESSED, ask  # noqa: E402 -- the same.
from contexts.payments.demo_providers import MERCHANT, SECRET, vnpay_ipn  # noqa: E402 -- the same.
from gateway import Gateway  # noqa: E402 -- the same.
from survival.test_money import AMOUNT, waiting  # noqa: E402 -- the same.
from survival.world import world as made  # noqa: E402 -- the same.
from template import TABLES  # noqa: E402 -- the same.

from app import app  # noqa: E402 -- the same.
from chalicelib import runtime, workers  # noqa: E402 -- the same.
from chalicelib.contexts.dossiers.domain.commands import SubmitDossier  # noqa: E402 -- the same.
from chalicelib.contexts.dossiers.domain.dossier import dossier  # noqa: E402 -- the same.
from chalicelib.contexts.payments.people import person  # noqa: E402 -- the same.
from chalicelib.handle import fold, handle  # noqa: E402 -- the same.

# US dollars for a million, on demand, us-east-1, entered by hand for 2025 and NOT checked against
# AWS's price list: an assumption, to be replaced by your region's prices of the day.
PRICES = {
    "write units": 0.625,
    "read units": 0.125,
    "HTTP requests": 3.50,
    "Lambda calls": 0.20,
    "GB-seconds": 16.67,
    "SQS messages": 3 * 0.50,  # Sent, received, deleted.
    "S3 writes": 5.00,
    "S3 reads": 0.40,
    "KMS calls": 3.00,
}
CALL_S, GIGABYTES = 0.15, 1
"""Assumed: how long a call of a function takes (seconds), and its memory."""
_SIZES = {"S": lambda s: len(s.encode()), "B": len, "N": lambda n: (len(n) + 1) // 2 + 1}


def size(typed: Any) -> int:
    """A value's size by AWS's rule, as pynamodb and boto3 both write it."""
    [(kind, value)] = typed.items()
    if kind in {"BOOL", "NULL"}:
        return 1
    if kind == "L":
        return 3 + sum(1 + size(each) for each in value)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + size(each) for name, each in value.items())
    return int(_SIZES[kind](value))


def item_bytes(item: Any) -> int:
    return sum(len(name.encode()) + size(value) for name, value in item.items())


class Meter:
    """Counts what is used, while it is `on`."""

    def __init__(self) -> None:
        self.used: Counter[str] = Counter()
        self.on = False

    @contextmanager
    def watching(self) -> Any:
        """Every call to AWS, every call of a worker."""
        call, made_call = BaseClient._make_api_call, self._call  # noqa: SLF001 -- all calls pass here.
        BaseClient._make_api_call = lambda client, *named: made_call(call, client, *named)  # noqa: SLF001 -- the same.
        held = {
            name: getattr(workers, name) for name in ("sequence", "project", "react", "deliver")
        }
        for name, worker in held.items():
            setattr(workers, name, self._worker(worker))
        try:
            yield
        finally:
            BaseClient._make_api_call = call  # noqa: SLF001 -- the same.
            for name, worker in held.items():
                setattr(workers, name, worker)

    def request(self) -> None:
        """An HTTP request: the handler and, its answer not being kept, the authorizer."""
        self.used.update({"HTTP requests": 1, "Lambda calls": 2})

    def _worker(self, worker: Any) -> Any:
        def called(*arguments: Any) -> Any:
            self.used["Lambda calls"] += self.on
            return worker(*arguments)

        return called

    def _call(self, call: Any, client: Any, operation: str, params: Any) -> Any:
        answer = call(client, operation, params)
        if self.on:
            match client.meta.service_model.service_name:
                case "dynamodb":
                    self._dynamodb(operation, params, answer)
                case "s3":
                    writes = operation.startswith(("Put", "Copy", "List"))
                    self.used["S3 writes" if writes else "S3 reads"] += 1
                case "sqs":
                    self.used["SQS messages"] += operation == "SendMessage"
                case "kms":
                    self.used["KMS calls"] += 1
        return answer

    def _dynamodb(self, operation: str, params: Any, answer: Any) -> None:
        match operation:
            case "PutItem":
                self._write(params["TableName"], params["Item"])
            case "UpdateItem" | "DeleteItem":
                # Of such items none is larger than a unit: counters, cursors, checkpoints.
                self.used["write units"] += 1
            case "BatchWriteItem":
                for table, requests in params["RequestItems"].items():
                    for each in requests:
                        self._write(table, each.get("PutRequest", {}).get("Item", {}))
            case "TransactWriteItems":
                for part in params["TransactItems"]:
                    [(_, asked)] = part.items()
                    self._write(asked["TableName"], asked.get("Item", {}), times=2)
            case "GetItem":
                self._read([item_bytes(answer.get("Item", {}))], params)
            case "Query" | "Scan":
                self._read([sum(map(item_bytes, answer["Items"]))], params)
            case "BatchGetItem":
                for table, found in answer["Responses"].items():
                    asked = params["RequestItems"][table]
                    absent = len(asked["Keys"]) - len(found)
                    self._read([*map(item_bytes, found), *[0] * absent], asked)

    def _write(self, table: str, item: Any, times: int = 1) -> None:
        units = max(1, ceil(item_bytes(item) / 1024))
        self.used["write units"] += units * times
        index = TABLES[table.removesuffix("Table")][1].get("index")
        if index and {key.split(":")[0] for key in index[1]} <= item.keys():
            self.used["write units"] += units if index[2] == "ALL" else 1

    def _read(self, sizes: list[int], asked: Any) -> None:
        units = sum(max(1, ceil(each / 4096)) for each in sizes)
        self.used["read units"] += units if asked.get("ConsistentRead") else units / 2


def document(world: Any, meter: Meter) -> None:
    """One document to one receiver, who reports one status."""
    sender, receiver = world.join(), world.join()
    meter.on = True
    meter.request()
    id_ = world.send(sender, receiver)
    world.settle()
    meter.request()
    world.report(receiver, id_, "03")
    world.settle()


def a_dossier(world: Any, meter: Meter) -> None:
    """One dossier: filed, accepted, forwarded, completed; a request and a rest after each."""
    id_, state = f"demo{uuid4().hex}", dossier.initial
    meter.on = True
    for kind in PROCESSED:
        whose = {"subject": person("citizen-")} if kind is SubmitDossier else {}
        meter.request()
        done = handle(runtime.event_store(), dossier, id_, ask(kind, state, dossier=id_, **whose))
        state = fold(dossier, [done.commit], state)
        world.settle()


def payment(world: Any, meter: Meter) -> None:
    """One payment of a dossier's obligation: begun, told of by the provider, receipts made."""
    registration = {
        "name": "Demo",
        "kind": "vnpay",
        "merchant": MERCHANT,
        "pay_url": "https://pay.example/",
        "return_url": "https://portal.example/",
        "secret": SECRET,
    }
    world.administer("PUT", "/payment-providers/vnpay", registration)
    _, money = waiting(world)
    world.settle()
    meter.on = True
    meter.request()
    wish = {"provider": "vnpay", "payer": {"name": "Demo Payer"}}
    begun = world.ask("citizen", "", "POST", f"/payments/{money}/transactions", wish)
    world.settle()
    query = vnpay_ipn(vnp_TxnRef=begun.json["transaction"], vnp_Amount=str(AMOUNT * 100))
    meter.request()
    told = Gateway(app).call("GET", f"/payments/notices/vnpay?{urlencode(query)}")
    assert told.json["RspCode"] == "00", told.text
    world.settle()


def main() -> None:
    """Let each story happen once, alone; print what it used."""
    for story in (document, a_dossier, payment):
        meter = Meter()
        with made() as world, meter.watching():
            story(world, meter)
            meter.on = False
        meter.used["GB-seconds"] = meter.used["Lambda calls"] * CALL_S * GIGABYTES  # type: ignore[assignment]
        print(f"{story.__doc__}")
        total = 0.0
        for what, price in PRICES.items():
            cost = meter.used[what] * price
            total += cost
            print(f"  {what:14} {meter.used[what]:8.1f}  {cost:8.2f} USD a million")
        print(f"  {'together':14} {'':8}  {total:8.2f} USD a million\n")


if __name__ == "__main__":
    main()
