"""Ten minutes of hard work: is everything delivered, in order, once, while a view is rebuilt?

2,000 documents go through the deployed local stack from 95 demo agencies, as many as take part in
the national axis, to three others each. Ten of the agencies are down for the middle third. On the
way an operator rebuilds the list of what agencies sent, and others go on reading it. Prints what
happens and, in the end, throughput and the time from HTTP to view; fails if anything is missing.
"""

import argparse
import os
import random
import statistics
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chalicelib.history.pages import DynamoHistory
from chalicelib.projector.checkpoints import Checkpoints, positions
from infra.agency import DemoAgency
from infra.api import Api, Json
from infra.issuer import LocalIssuer, Role
from infra.stack import LocalStack, stop_on_signals

AGENCIES, DOCUMENTS, RECEIVERS, DOWN = 95, 2_000, 3, 10
PER_S = 6.0
"""Documents handed over in a second."""
CLERKS = 4
"""Who hand over at the same time."""
URGENT = 0.1
"""The share of documents that take the urgent lane."""
WITHIN_S = 600
"""How long all of it may take, from the first document to the last receipt noted."""
REPORT_S, LOOK_S, READ_S = 15.0, 0.5, 1.0
VIEW = "which_documents_did_my_agency_send"
SEED = 20_260_101


class Missing(Exception):  # noqa: N818 -- named as the fact it states.
    """Something did not happen as it should have."""


def must(holds: object, what: str) -> None:
    if not holds:
        raise Missing(what)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--agencies", type=int, default=AGENCIES)
    parser.add_argument("--down", type=int, default=DOWN)
    parser.add_argument("--per-s", type=float, default=PER_S)
    parser.add_argument("--within-s", type=int, default=WITHIN_S)
    options = parser.parse_args()
    stop_on_signals()
    with (
        TemporaryDirectory() as folder,
        LocalIssuer(Path(folder)) as issuer,
        LocalStack() as stack,
        ExitStack() as systems,
    ):
        stack.deploy(Issuer=issuer.url)

        @cache
        def token(role: Role, agency: str | None) -> str:
            return issuer.token(f"demo-{role}-{agency}", role, agency)

        agencies = [
            systems.enter_context(DemoAgency(code(n), f"Demo agency {n + 1}"))
            for n in range(options.agencies)
        ]
        try:
            Soak(stack, Api(stack.api_url, token), agencies, options).run()
        except Missing as missing:
            sys.exit(f"missing: {missing}")


def code(n: int) -> str:
    """A code under Z, where no real agency has one."""
    return f"Z{n + 10}" if n < 90 else f"Z99.{n - 80}"  # noqa: PLR2004 -- Z10 to Z99.


class Soak:
    def __init__(
        self, stack: LocalStack, api: Api, agencies: list[DemoAgency], options: argparse.Namespace
    ) -> None:
        outputs, self._dynamodb = stack.outputs(), stack.client("dynamodb")
        self._stack, self._api, self._agencies, self._options = stack, api, agencies, options
        self._history = DynamoHistory(
            self._dynamodb, outputs["HistoryTable"], outputs["PositionsTable"]
        )
        self._checkpoints = Checkpoints(stack.client("dynamodb"), outputs["CheckpointsTable"])
        self._views = outputs["ViewsTable"]
        self._dice = random.Random(SEED)  # noqa: S311 -- a bench's dice.
        self._work = [self._document(n) for n in range(options.documents)]
        self._sent: dict[str, tuple[DemoAgency, Json, float]] = {}
        self._item: dict[str, Any] = {}
        self._seen: list[tuple[int, float]] = []
        self._lists = 0
        self._failed: list[str] = []
        self._over = threading.Event()
        self._began = time.monotonic()

    def run(self) -> None:
        """All of it; raises `Missing` if something is."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda agency: agency.join(self._api), self._agencies))
        self._say(f"{len(self._agencies)} demo agencies have joined")
        self._until("every view to know them", lambda: self._behind() == 0)
        self._began = time.monotonic()
        workers = (self._watch, self._read, self._hand_over, self._trouble)
        threads = [threading.Thread(target=self._note_failure, args=(w,)) for w in workers]
        for thread in threads:
            thread.start()
        try:
            self._until("everything to be delivered", self._delivered)
            took = time.monotonic() - self._began
            self._until("every view to know it", lambda: self._behind() == 0)
            self._until("both versions of the view", lambda: self._generation() > 1)
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        self._say("all is delivered; checking it")
        self._check()
        self._print(took)

    # What happens at the same time.

    def _hand_over(self) -> None:
        with ThreadPoolExecutor(CLERKS) as clerks:
            list(clerks.map(self._send, range(len(self._work))))

    def _send(self, n: int) -> None:
        self._over.wait(max(0.0, self._began + n / self._options.per_s - time.monotonic()))
        if self._over.is_set():
            return
        sender, body = self._work[n]
        began = time.monotonic()
        sent = self._api.call("POST", "/documents", role="system", agency=sender.code, body=body)
        self._sent[sent.location.rsplit("/", 1)[1]] = sender, body, began

    def _trouble(self) -> None:
        """Some agencies go down for the middle third; in the midst of it a view is rebuilt."""
        count, unlucky = len(self._work), self._agencies[: self._options.down]
        self._pass(count / 3)
        with ThreadPoolExecutor(len(unlucky) or 1) as pool:
            list(pool.map(DemoAgency.down, unlucky))
        self._say(f"{len(unlucky)} agencies are down")
        self._pass(count / 2)
        self._api.call("POST", f"/views/{VIEW}/rebuild", role="administrator")
        self._say(f"{VIEW} is being rebuilt")
        self._pass(count * 2 / 3)
        for agency in unlucky:
            agency.up()
        self._say("they are up again")

    def _pass(self, documents: float) -> None:
        while len(self._sent) < documents and not self._over.wait(LOOK_S):
            pass

    def _watch(self) -> None:
        """How far the view that is read has come, and when; the two versions when it changes."""
        while not self._over.wait(LOOK_S):
            before, self._item = self._generation(), self._checkpoints.item()
            at, position = time.monotonic(), positions(self._item).get(self._view(), 0)
            if not self._seen or position > self._seen[-1][0]:
                self._seen.append((position, at))
            if self._generation() > before >= 1:
                both = [positions(self._item)[self._view(back)] for back in (0, 1)]
                same, moved = self._compare(min(both))
                self._say(
                    f"the new version is read from position {both[0]} on: {same} rows are equal in"
                    f" both, {moved} have changed since"
                )

    def _read(self) -> None:
        """Agencies look at what they sent, and never see less than before."""
        latest = 0
        while not self._over.wait(READ_S):
            agency = self._dice.choice(self._agencies)
            found = self._api.get("/documents?limit=20", agency=agency.code)
            must(found["as_of"] >= latest, "a list goes back")
            latest, self._lists = found["as_of"], self._lists + 1

    def _note_failure(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- whatever it was, the run has failed.
            self._failed.append(f"{work.__name__.strip('_')}: {type(error).__name__} {error}")

    # Where things stand.

    def _document(self, n: int) -> tuple[DemoAgency, Json]:
        sender, *receivers = self._dice.sample(self._agencies, 1 + RECEIVERS)
        return sender, {
            "number": str(n + 1),
            "notation": "CV-DEMO",
            "promulgated_on": "2026-01-05",
            "type_abbreviation": "CV",
            "type_name": "Công văn",
            "subject": f"Demo: document {n + 1} of the soak",
            "signer": {"position": "Demo signer", "full_name": "Demo Person"},
            "receivers": [receiver.code for receiver in receivers],
            "priority": int(self._dice.random() < URGENT),
        }

    def _delivered(self) -> bool:
        return self._counts() == (len(self._work),) + 2 * (len(self._work) * RECEIVERS,)

    def _counts(self) -> tuple[int, int, int]:
        """Documents handed over, copies that arrived, receipts that came back to senders."""
        came = [m.data["type"] == "document.sent" for a in self._agencies for m in a.received]
        return len(self._sent), sum(came), len(came) - sum(came)

    def _behind(self) -> int:
        last, item = self._history.last(), self._checkpoints.item()
        return (last.next - 1 if last else 0) - positions(item).get(self._view(), 0)

    def _generation(self) -> int:
        pointer = self._item.get(f"view/{VIEW}")
        return int(pointer["M"]["live"]["N"]) if pointer else 1

    def _view(self, back: int = 0) -> str:
        return f"{VIEW}~{self._generation() - back}"

    def _until(self, what: str, look: Callable[[], bool]) -> None:
        told = time.monotonic()
        while not look():
            must(not self._failed, "; ".join(self._failed))
            must(time.monotonic() < self._began + self._options.within_s, self._late(what))
            if self._sent and time.monotonic() > told + REPORT_S:
                told = time.monotonic()
                self._say("{} documents sent, {} copies arrived, {} noted".format(*self._counts()))
            time.sleep(LOOK_S)

    def _late(self, what: str) -> str:
        sent, came, noted = self._counts()
        copies = len(self._work) * RECEIVERS
        return (
            f"waited {self._options.within_s} s in vain for {what}: {sent} of {len(self._work)}"
            f" documents sent, {came} of {copies} copies arrived, {noted} of {copies} noted"
        )

    def _compare(self, until: int) -> tuple[int, int]:
        """Rows that are equal in both versions, and those written again after position `until`."""
        rows: tuple[dict[str, Any], dict[str, Any]] = {}, {}
        prefixes = [f"{self._view(back)}#" for back in (0, 1)]
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._views)
        for page in pages:
            for item in page["Items"]:
                for found, prefix in zip(rows, prefixes, strict=True):
                    if (key := item["key"]["S"]).startswith(prefix):
                        found[key.removeprefix(prefix)] = {
                            name: item[name] for name in ("data", "seen", "position")
                        }
        same = moved = 0
        for key in rows[0].keys() | rows[1].keys():
            both = [found.get(key) for found in rows]
            if any(row and int(row["position"]["N"]) > until for row in both):
                moved += 1
            else:
                must(both[0] == both[1], f"row {key} is not the same in both versions")
                same += 1
        return same, moved

    # What must hold in the end.

    def _check(self) -> None:
        must(not self._failed, "; ".join(self._failed))
        for agency in self._agencies:
            must(not agency.rejected, f"{agency.code} could not verify {agency.rejected[:3]}")
            ids = [message.id for message in agency.received]
            must(len(ids) == len(set(ids)), f"{agency.code} got a message twice")
            for lane in ("urgent", "normal"):
                came = [m.sequence for m in agency.received if m.lane == lane]
                must(came == [*range(1, len(came) + 1)], f"{agency.code} misses some of {lane}")
        by_code = {agency.code: agency for agency in self._agencies}
        for id_, (sender, body, _) in self._sent.items():
            told = sender.codes(id_)
            must(told == ["01"] * RECEIVERS, f"{sender.code} was told {told} of {id_}")
            for code in body["receivers"]:
                must(by_code[code].got(id_), f"{code} has no {id_}")
        status = self._api.get("/status", role="auditor")
        waiting = {name: status["totals"][name] for name in ("depth", "parked", "failing")}
        must(not any(waiting.values()), f"the outbox is not empty: {waiting}")
        same, moved = self._compare(sys.maxsize)
        must(same == len(self._work) and not moved, f"{same} rows of {len(self._work)} documents")
        self._say(f"every lane dense and verified, outbox drained, {same} rows equal in both")

    def _print(self, took: float) -> None:
        places = {(f"document-{id_}", 1): began for id_, (_, _, began) in self._sent.items()}
        at = self._history.positions(list(places))
        reached = [position for position, _ in self._seen]
        waits = [
            self._seen[bisect_left(reached, at[place])][1] - began
            for place, began in places.items()
        ]
        last = self._history.last()
        commits = last.next - 1 if last else 0
        _, copies, noted = self._counts()
        self._say(
            f"{len(self._work)} documents, {copies} copies, {noted} receipts, {commits} commits in"
            f" {took:.0f} s: {copies / took:.1f} copies/s, {commits / took:.0f} commits/s,"
            f" {(copies + noted) / took:.1f} posts/s"
        )
        cuts = statistics.quantiles(waits, n=100)
        self._say(
            f"HTTP to view: p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms;"
            f" {self._lists} lists read, none failed; load of the machine {os.getloadavg()[0]:.1f}"
        )

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    main()
