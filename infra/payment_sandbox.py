"""A demo payment provider on this machine: pay page, signed notices, queries, refunds, settlement.

No money moves. It can do what real providers do on their bad days: fail, be late, say a thing many
times and at once, say it altered, and vanish with the money. `sandbox.py` is our side of it.
"""

import csv
import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from io import StringIO
from itertools import count
from secrets import token_bytes
from types import TracebackType
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import urllib3
from urllib3.exceptions import HTTPError

from chalicelib.delivery.signatures import (
    Unauthenticated,
    secret_bytes,
    sign_hmac,
    verify,
)
from chalicelib.working_time import HANOI
from infra.api import Answer, Api, Json
from infra.pay_page import ACTIONS, pay_page
from infra.serving import Handler, Serving

CODE, MERCHANT = "sandbox", "DEMO-MERCHANT"
FEE = 1_000
"""What the demo provider keeps of each payment in đồng, whatever its size: not anybody's tariff."""
LATE_S = 20.0
"""After how many seconds a late notice comes by itself."""
MAX_BYTES = 64 * 1024
COLUMNS = ("reference", "provider_reference", "kind", "amount", "fee", "status", "paid_at")

State = Literal["open", "paid", "failed"]


class Faults(NamedTuple):
    """What is wrong with a settlement file: how many payments are missing, invented, altered.

    `total`: its last line does not fit the rest.
    """

    missing: int = 0
    extra: int = 0
    wrong: int = 0
    total: bool = False


@dataclass
class Sale:
    """One transaction as the provider knows it."""

    asked: Json
    state: State = "open"
    code: str = ""
    provider_reference: str = ""
    at: datetime | None = None
    refunds: dict[str, Json] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)

    @property
    def reference(self) -> str:
        """What the merchant calls it."""
        return str(self.asked["reference"])

    @property
    def expired(self) -> bool:
        """Nobody has paid, and now nobody can."""
        over = datetime.fromisoformat(self.asked["expires_at"]) < datetime.now(UTC)
        return self.state == "open" and over

    def said(self) -> Json:
        """What is said of it, in a notice as in an answer."""
        return {
            "reference": self.reference,
            "provider_reference": self.provider_reference,
            "result": "pending" if self.state == "open" else self.state,
            "amount": self.asked["amount"],
            "currency": "VND",
            "code": self.code,
            "paid_at": self.at.isoformat() if self.at and self.state == "paid" else None,
        }


@dataclass
class PaymentSandbox(Serving):
    """The provider, on 127.0.0.1 for the length of a `with` block.

    `notify_url` is where its notices go; nobody is told while it is empty. `times` is how often it
    says at once what a button of its pay page has done.
    """

    secret: str = ""
    notify_url: str = ""
    port: int = 0
    late_s: float = LATE_S
    times: int = 1
    sales: dict[str, Sale] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.secret = self.secret or "whsec_" + b64encode(token_bytes(32)).decode()
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._late: list[threading.Timer] = []
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(60), maxsize=8)
        super().__init__(_handler(self), self.port)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for timer in self._late:
            timer.cancel()
        super().__exit__(kind, error, trace)

    def join(self, api: Api, return_url: str = "https://portal.example/") -> Answer:
        """Have it registered as a provider of the axis at `api`, and learn where notices go."""
        self.notify_url = f"{api.url}/payments/notices/{CODE}"
        return api.call(
            "PUT",
            f"/payment-providers/{CODE}",
            role="administrator",
            body=self.registration(return_url),
        )

    def registration(self, return_url: str = "https://portal.example/") -> Json:
        """What an administrator says of it."""
        return {
            "name": "Demo provider",
            "kind": "sandbox",
            "merchant": MERCHANT,
            "pay_url": f"{self.url}/pay",
            "query_url": f"{self.url}/query",
            "refund_url": f"{self.url}/refund",
            "return_url": return_url,
            "secret": self.secret,
        }

    # What a payer does.

    def act(self, reference: str, action: str, *, times: int = 1) -> list[int]:
        """Do what a button of the pay page does; the statuses the notice was answered with.

        With more than one of `times`, the notices are sent at once.
        """
        sale = self.sales[reference]
        with self._lock:
            if sale.state == "open" and not sale.expired:
                self._settle(sale, "failed" if action == "fail" else "paid")
        if action == "vanish":
            return []
        if action == "late":
            failed = sale.said() | {"result": "failed", "code": "timeout", "paid_at": None}
            answers = self._send(sale, failed, times)
            self._late.append(threading.Timer(self.late_s, self.notify, (reference,)))
            self._late[-1].daemon = True
            self._late[-1].start()
            return answers
        return self.notify(reference, times=times)

    def notify(self, reference: str, *, times: int = 1) -> list[int]:
        """Tell, perhaps again, what became of a transaction."""
        sale = self.sales[reference]
        return self._send(sale, sale.said(), times)

    def tamper(self, reference: str, /, **changes: Any) -> list[int]:
        """Send a notice that was altered on its way, after it had been signed."""
        sale = self.sales[reference]
        return self._send(sale, sale.said(), 1, {"amount": 1} | changes)

    def lie(self, reference: str, /, **changes: Any) -> list[int]:
        """Send a well signed notice that is not true."""
        sale = self.sales[reference]
        return self._send(sale, sale.said() | changes, 1)

    # What the merchant asks.

    def begin(self, asked: Json) -> tuple[int, Json]:
        """Take a payment to be made, once for each reference."""
        with self._lock:
            sale = self.sales.setdefault(str(asked["reference"]), Sale(asked))
        if sale.asked["amount"] != asked["amount"]:
            return 409, {"code": "another-amount"}
        return 200, {"url": f"{self.url}/pay/{sale.reference}"}

    def query(self, asked: Json) -> tuple[int, Json]:
        """Say what became of a transaction; of one never heard of, that it is pending."""
        sale = self.sales.get(str(asked["reference"]))
        unknown = {"reference": asked["reference"], "result": "pending", "code": "not-found"}
        return 200, sale.said() if sale else unknown

    def refund(self, asked: Json) -> tuple[int, Json]:
        """Give money back, once for each refund, never more than was paid."""
        sale = self.sales.get(str(asked["reference"]))
        said: Json = {"refund": asked["refund"], "result": "failed", "code": "not-paid"}
        if sale is None or sale.state != "paid":
            return 200, said
        with self._lock:
            known = sale.refunds.get(asked["refund"])
            back = sum(one["amount"] for one in sale.refunds.values())
            if known is None and back + asked["amount"] > sale.asked["amount"]:
                return 200, said | {"code": "more-than-paid"}
            if known is None:
                number = f"R{next(self._numbers):08}"
                known = {"amount": asked["amount"], "number": number, "at": datetime.now(UTC)}
                sale.refunds[asked["refund"]] = known
        return 200, said | {"result": "refunded", "provider_reference": known["number"], "code": ""}

    def settlement(self, day: date, faults: Faults = Faults()) -> str:  # noqa: B008 -- it is frozen.
        """The day's file (CSV): each payment and refund of that day in Hanoi, and a total line."""
        rows = list(self._rows(day))
        payments = [row for row in rows if row[2] == "payment"]
        for row in payments[: faults.missing]:
            rows.remove(row)
        for row in payments[faults.missing : faults.missing + faults.wrong]:
            rows[rows.index(row)] = (*row[:3], row[3] + 1_000, *row[4:])
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=HANOI).isoformat()
        for number in range(faults.extra):
            extra = (f"demo{number:03}", f"X{number:08}", "payment", 50_000, FEE, "paid", noon)
            rows.append(extra)
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([COLUMNS, *rows])
        whole = sum(row[3] for row in rows) + (1 if faults.total else 0)
        writer.writerow(("TOTAL", len(rows), whole))
        return text.getvalue()

    def _rows(self, day: date) -> Iterator[tuple[str, str, str, int, int, str, str]]:
        for sale in list(self.sales.values()):
            own, amount = sale.provider_reference, sale.asked["amount"]
            if sale.at and sale.state == "paid" and sale.at.astimezone(HANOI).date() == day:
                at = sale.at.astimezone(HANOI).isoformat()
                yield sale.reference, own, "payment", amount, FEE, "paid", at
            for name, one in sale.refunds.items():
                at = one["at"].astimezone(HANOI)
                if at.date() == day:
                    back = one["amount"]
                    yield name, one["number"], "refund", back, 0, "refunded", at.isoformat()

    def _settle(self, sale: Sale, state: State) -> None:
        sale.state, sale.at = state, datetime.now(UTC)
        sale.provider_reference = f"S{next(self._numbers):08}"
        sale.code = "00" if state == "paid" else "insufficient-funds"

    def _send(self, sale: Sale, said: Json, times: int, altered: Json | None = None) -> list[int]:
        if not self.notify_url:
            return []
        body = json.dumps(said).encode()
        headers = self.signed(body)
        if altered:
            body = json.dumps(said | altered).encode()

        def post(_: int) -> int:
            try:
                answer = self._http.request("POST", self.notify_url, body=body, headers=headers)
            except HTTPError:
                return 0  # Nobody is there; who asks later will be told.
            return answer.status

        with ThreadPoolExecutor(times) as threads:
            answers = list(threads.map(post, range(times)))
        sale.answers += answers
        return answers

    def signed(self, body: bytes) -> dict[str, str]:
        """The headers that go with a body of ours."""
        id_, now = uuid4().hex, int(time.time())
        return {
            "content-type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(now),
            "webhook-signature": sign_hmac(secret_bytes(self.secret), id_, now, body),
        }

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Json]:
        """What a merchant's signed question is answered with."""
        try:
            verify(headers, body, [], [secret_bytes(self.secret)], datetime.now(UTC))
        except Unauthenticated as refusal:
            return 401, {"code": refusal.code}
        doors = {"/pay": self.begin, "/query": self.query, "/refund": self.refund}
        if path not in doors:
            return 404, {"code": "not-found"}
        try:
            return doors[path](json.loads(body))
        except (KeyError, TypeError, ValueError):
            return 400, {"code": "unreadable"}

    def page(self, reference: str) -> str | None:
        """The pay page of a transaction; None if there is no such one."""
        sale = self.sales.get(reference)
        if sale is None:
            return None
        until = datetime.fromisoformat(sale.asked["expires_at"]).astimezone(HANOI)
        shown = sale.asked | {"until": f"{until:%H:%M %d/%m/%Y}"}
        failed = sale.code if sale.state == "failed" else ""
        return pay_page(shown, "expired" if sale.expired else sale.state, failed)


def _handler(sandbox: PaymentSandbox) -> type[Handler]:
    class Desk(Handler):
        def do_GET(self) -> None:  # noqa: N802 -- `http.server` names it.
            path = urlsplit(self.path).path
            if page := sandbox.page(path.removeprefix("/pay/")):
                self.give(200, page.encode(), "text/html; charset=utf-8")
            elif path.startswith("/settlement/"):
                self._give_settlement(path.removeprefix("/settlement/"))
            else:
                self.give(404, b"not found", "text/plain")

        def do_POST(self) -> None:  # noqa: N802 -- `http.server` names it.
            length = int(self.headers.get("Content-Length", 0))
            if length > MAX_BYTES:
                self.give(413, b"too much", "text/plain")
                return
            body, path = self.rfile.read(length), urlsplit(self.path).path
            reference = path.removeprefix("/pay/")
            if reference in sandbox.sales:
                self._press(reference, parse_qs(body.decode()).get("action", [""])[-1])
                return
            status, said = sandbox.answer(path, dict(self.headers.items()), body)
            answer = json.dumps(said).encode()
            self.give(status, answer, more=sandbox.signed(answer))

        def _press(self, reference: str, action: str) -> None:
            if action not in ACTIONS:
                self.give(400, b"no such button", "text/plain")
                return
            sandbox.act(reference, action, times=sandbox.times)
            # So that reloading the page does not press the button again.
            self.give(303, b"", "text/plain", {"location": f"/pay/{reference}"})

        def _give_settlement(self, day: str) -> None:
            try:
                text = sandbox.settlement(date.fromisoformat(day))
            except ValueError:
                self.give(404, b"not a day", "text/plain")
                return
            self.give(200, text.encode(), "text/csv; charset=utf-8")

    return Desk
