"""A dossier that waits for money, paid on a provider's page: told thrice at once, taken once."""

from io import BytesIO

import pytest
from contexts.dossiers.demo_dossiers import TERMS
from journeys.journey import digest, until
from journeys.marks import MARK
from pypdf import PdfReader

from chalicelib.working_time import HANOI
from infra.api import Api
from infra.payment_sandbox import CODE, PaymentSandbox

PROCEDURE = "1.000708"
LINES = [
    {"code": "P1", "name": "Phí thử nghiệm", "kind": "fee", "amount": 70_000},
    {"code": "L1", "name": "Lệ phí thử nghiệm", "kind": "charge", "amount": 30_000},
]
PAYER = {
    "name": f"{MARK} Payer",
    "identity_number": f"{MARK} 0456",
    "address": f"{MARK} Street 3",
}


class Waiting:
    """A dossier whose desk has asked for a fee and a charge, and the payment of both."""

    def __init__(self, journey):
        self.api, self.desk = journey.api, journey.join()
        body = {"code": PROCEDURE, "terms": TERMS.model_dump(mode="json")}
        self.api.call("POST", "/procedures", role="administrator", body=body)
        offer = f"/procedures/{PROCEDURE}/offers/{self.desk.code}"
        body = {"effective_on": "2026-01-01"}
        self.api.call("PUT", offer, role="administrator", body=body)
        form = b"%PDF-1.7 demo form"
        file = {"media_type": "application/pdf", "size": len(form), "sha256": digest(form)}
        self.api.put(self.citizen("POST", "/components/uploads", file).body, form)
        said = {
            "procedure": PROCEDURE,
            "receiver": self.desk.code,
            "applicant": PAYER,
            "components": [
                {"code": "KQ000001", "kind": "electronic", "file": file},
                {"code": "KQ000002", "kind": "copy"},
            ],
        }
        self.dossier = self.citizen("POST", "/dossiers", said).body["dossier"]
        path = f"/dossiers/{self.dossier}"
        self.officer("PUT", f"{path}/acceptance")
        self.officer("POST", f"{path}/forwardings", {"step": "receive", "to": "examine"})
        self.officer("POST", f"{path}/obligations", {"lines": LINES})
        self.payment = until("the payment", self.asked)

    def citizen(self, method, path, body=None):
        return self.api.call(method, path, role="citizen", body=body)

    def officer(self, method, path, body=None):
        return self.api.call(method, path, role="officer", agency=self.desk.code, body=body)

    def asked(self):
        asked = self.citizen("GET", "/payments").body["items"]
        return next((each["payment"] for each in asked if each["dossier"] == self.dossier), None)

    def status(self):
        return self.citizen("GET", f"/dossiers/{self.dossier}").body["status"]

    def see(self):
        return self.citizen("GET", f"/payments/{self.payment}").body


@pytest.fixture
def sandbox():
    """The provider, for one test."""
    with PaymentSandbox() as sandbox:
        yield sandbox


def test_from_the_obligation_to_two_receipts(journey, sandbox):
    case = Waiting(journey)
    assert case.status() == "payment"
    sandbox.join(journey.api)
    sandbox.times = 3
    wish = {"provider": CODE, "payer": PAYER}
    begun = case.citizen("POST", f"/payments/{case.payment}/transactions", wish).body
    page = journey.fetch(begun["url"]).decode()
    assert begun["transaction"] in page
    pressed = journey.http.request(
        "POST", begun["url"], fields={"action": "pay"}, encode_multipart=False, redirect=False
    )
    assert pressed.status == 303
    assert sandbox.sales[begun["transaction"]].answers == [200, 200, 200]
    until("the dossier to go on", lambda: case.status() == "processing")

    shown = case.see()
    assert [each["type"] for each in shown["history"]] == [
        "payment.requested",
        "payment.transaction_initiated",
        "payment.captured",
        "payment.paid",
    ]
    assert (shown["captured"], shown["left"], shown["payer"]["name"]) == (100_000, 0, PAYER["name"])
    assert shown["receipts"].keys() == {"fee", "charge"}
    for kind, id_ in shown["receipts"].items():
        receipt = until(f"the receipt of the {kind}", lambda kind=kind, id_=id_: issued(case, id_))
        assert (receipt["kind"], receipt["number"]) == (kind, 1)
        assert receipt["series"].startswith(f"{case.desk.code}-")
        link = case.citizen("GET", f"/receipts/{id_}/paper?format=pdf").body["url"]
        [sheet] = PdfReader(BytesIO(journey.fetch(link))).pages
        assert PAYER["name"] in sheet.extract_text()
        assert journey.api.call("GET", receipt["check"]).body["status"] == "issued"

    entries = case.officer("GET", "/ledger/entries").body["items"]
    assert sum(each["debit"] for each in entries) == sum(each["credit"] for each in entries)
    held = case.officer("GET", "/ledger/balances").body["accounts"]
    assert {each["account"]: each["balance"] for each in held} == {
        "provider_receivable": 100_000,
        "payer_clearing": 0,
        "revenue_fee": -70_000,
        "revenue_charge": -30_000,
    }

    give_back(journey, case, 20_000)
    journey.settled()  # The books that the file is compared with have heard of it.
    compare(journey, sandbox, sandbox.sales[begun["transaction"]].at.astimezone(HANOI).date())


def give_back(journey, case, amount):
    """One officer asks, another approves, the provider is told by itself."""

    def token(role, agency):
        return journey.issuer.token(f"demo-second-{role}-{agency}", role, agency)

    path = f"/payments/{case.payment}"
    wish = {"reason": "Demo: a part of the fee was not due", "amount": amount}
    refund = case.officer("POST", f"{path}/refunds", wish).body["refund"]
    approval = {"role": "officer", "agency": case.desk.code, "body": {}}
    agreed = Api(journey.api.url, token).call(
        "PUT", f"{path}/refunds/{refund}/approval", **approval
    )
    case.officer("GET", f"/payments?seen={agreed.seen}")
    journey.stack.ring("schedule", "Pay")

    def given():
        [shown] = case.officer("GET", path).body["refunds"]
        return shown["status"] == "settled"

    until("the refund", given)


def compare(journey, sandbox, day):
    """The provider's file of the day names the payment and the refund, and so do our books."""
    content, base = sandbox.settlement(day).encode(), f"/settlements/{CODE}/{day}"
    accountant = {"role": "administrator"}
    said = {"size": len(content), "sha256": digest(content)}
    link = journey.api.call("POST", "/settlements/uploads", body=said, **accountant).body
    journey.api.put(link, content)
    named = {"upload": digest(content), "name": f"{day}.csv"}
    journey.api.call("PUT", f"{base}/file", body=named, **accountant)

    def compared():
        shown = journey.api.get(base, **accountant)
        return shown if (shown["status"], shown["matched"]) == ("compared", 2) else None

    shown = until("the file to be compared", compared)
    assert journey.fetch(shown["file"]["url"]) == content


def issued(case, id_):
    """The receipt; a moment after the money was certain there may be none yet."""
    found = case.officer("GET", "/receipts").body["items"]
    if id_ in [each["receipt"] for each in found]:
        return case.citizen("GET", f"/receipts/{id_}").body
    return None
