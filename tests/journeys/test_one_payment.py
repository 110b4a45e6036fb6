"""A dossier that waits for money, paid on a provider's page: told thrice at once, taken once."""

from io import BytesIO

from contexts.dossiers.demo_dossiers import TERMS
from journeys.journey import digest, until
from pypdf import PdfReader

from infra.payment_sandbox import CODE, PaymentSandbox

PROCEDURE = "1.000708"
LINES = [
    {"code": "P1", "name": "Phí thử nghiệm", "kind": "fee", "amount": 70_000},
    {"code": "L1", "name": "Lệ phí thử nghiệm", "kind": "charge", "amount": 30_000},
]
PAYER = {"name": "Marker Payer 5c2a", "identity_number": "Marker 0456 5c2a"}


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


def test_from_the_obligation_to_two_receipts(journey):
    case = Waiting(journey)
    assert case.status() == "payment"
    with PaymentSandbox() as sandbox:
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


def issued(case, id_):
    """The receipt; a moment after the money was certain there may be none yet."""
    found = case.officer("GET", "/receipts").body["items"]
    if id_ in [each["receipt"] for each in found]:
        return case.citizen("GET", f"/receipts/{id_}").body
    return None
