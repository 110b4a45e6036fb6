"""Money on the running system, from an obligation to a closed day; each step is checked.

No money moves: the provider is the demo one, and so are all persons, agencies and debts. Accounts
are closed on the day after; nothing here waits for it, as a day's file may come whenever it is
ready.
"""

from collections.abc import Callable
from datetime import date
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

import urllib3

from chalicelib.working_time import HANOI
from infra.api import Answer, Api, Json, Problem
from infra.dossier_story import DESK, Case, publish
from infra.payment_sandbox import CODE, Faults, PaymentSandbox
from infra.stack import LocalStack
from infra.story import Story, StoryFailed
from infra.tax_register import DEBTS

LINES = [
    {"code": "P1", "name": "Phí thử nghiệm", "kind": "fee", "amount": 70_000},
    {"code": "L1", "name": "Lệ phí thử nghiệm", "kind": "charge", "amount": 30_000},
]
BACK = 20_000
"""What is given back, in đồng."""
DECISIONS = {
    "only_ours": ("another_day", "Demo: the provider says it is in its next file"),
    "amount_diff": ("provider_corrects", "Demo: the provider has mistyped it"),
    "only_theirs": ("not_ours", "Demo: it is of another merchant"),
}
FOUND = {
    "only_ours": "missing: we hold {ours:,} đồng paid, and the file does not name it",
    "amount_diff": "wrong: the file says {theirs:,} đồng, our books {ours:,}",
    "only_theirs": "extra: the file names {theirs:,} đồng, of which we know nothing",
}
FAULTS = Faults(missing=1, extra=1, wrong=1)


class People(NamedTuple):
    """Who the story is about, and where: one demo person, two officers of a desk."""

    story: Story
    stack: LocalStack
    sandbox: PaymentSandbox
    second: Api
    web: urllib3.PoolManager

    @property
    def api(self) -> Api:
        """What everybody asks but the second officer."""
        return self.story.api

    def officer(self, method: str, path: str, body: Json | None = None) -> Answer:
        """What an officer of the desk asks."""
        return self.api.call(method, path, role="officer", agency=DESK, body=body)

    def accountant(self, method: str, path: str, body: Json | None = None) -> Answer:
        """What an administrator asks who keeps the accounts."""
        return self.api.call(method, path, role="administrator", body=body)

    def citizen(self, method: str, path: str, body: Json | None = None) -> Answer:
        """What the payer asks."""
        return self.api.call(method, path, role="citizen", body=body)


def tell_payment(story: Story, stack: LocalStack, sandbox: PaymentSandbox, second: Api) -> str:
    """The whole life of a payment; answers with the path of its day's accounts.

    `second` asks as somebody else than the story's own API.

    Raises:
        StoryFailed, Problem: a step did not happen.
    """
    people = People(story, stack, sandbox, second, urllib3.PoolManager(retries=False, timeout=60))
    if people.citizen("GET", "/payments").body["items"]:
        raise StoryFailed("this state already holds payments of the demo payer: `make clean` first")
    story.join(DESK, "Demo One-Stop Desk", "cloudevents")
    publish(story)
    account = {"use": "agency", "account": "DEMO000001", "bank": "DEMO", "holder": "Demo Desk"}
    set_ = people.accountant("PUT", f"/payees/{DESK}/account", account)
    story.wrote("The desk's money goes to demo account DEMO000001", set_)

    days = {_pay(people, tax, _paid(people, tax)) for tax in _taxes(people)}
    case, money = _obligation(people)
    day = _pay(people, money, _goes_on(case), twice_at_once=True)
    if days != {day}:
        raise StoryFailed("midnight has passed in Hanoi meanwhile: tell the story again")
    _receipts(people, money)
    _balanced(people)
    _refund(people, money)
    _settle(people, day)
    _balanced(people)
    for one in people.accountant("GET", "/ledger/balances").body["accounts"]:
        side = "debit " if one["balance"] >= 0 else "credit"
        story.step(f"    {one['account']:20} {side} {abs(one['balance']):>12,}")
    return f"/settlements/{CODE}/{day}"


def _taxes(people: People) -> list[str]:
    """The payments by which a person's land and tax debts can be paid."""
    [(code, number)] = DEBTS
    asked = {"code": code, "identity_number": number}
    found = people.citizen("POST", "/payments/tax-enquiries", asked)
    people.story.wrote("The tax register was asked what the payer owes for their land", found)
    for row in found.body["rows"]:
        people.story.step(f"    {row['amount']:,} đồng, to the State Treasury")
    return [str(row["payment"]) for row in found.body["rows"]]


def _obligation(people: People) -> tuple[Case, str]:
    """A dossier that waits for money, and the payment that was asked for by itself."""
    case = Case(people.story)
    case.step("acceptance", "accepted it; the clock runs")
    case.step("forwardings", "passed it on", {"step": "receive", "to": "examine"})
    case.step(
        "obligations", "asks for a fee and a charge; the clock stands still", {"lines": LINES}
    )
    waits = case.see()

    def asked() -> str | None:
        found = people.citizen("GET", "/payments").body["items"]
        dossier = case.path.rsplit("/", 1)[1]
        return next((one["payment"] for one in found if one["dossier"] == dossier), None)

    money = people.story.until("the payment of the obligation", asked)
    people.story.step(
        f"  payment {money} was asked for by itself; the dossier is {waits['status']}"
    )
    return case, money


def _pay(
    people: People, money: str, certain: Callable[[], Any], *, twice_at_once: bool = False
) -> date:
    """The payer pays on the provider's page, which tells us thrice; answers with the day."""
    story, sandbox = people.story, people.sandbox
    payer = {"name": "Demo Applicant", "identity_number": "DEMO-1"}
    wish = {"provider": CODE, "payer": payer}
    path = f"/payments/{money}/transactions"
    begun = story.until(f"payment {money}", lambda: _unless_unknown(people, path, wish))
    url, reference = begun.body["url"], begun.body["transaction"]
    story.wrote(f"The payer goes to pay {begun.body['amount']:,} đồng at {url}", begun)
    page = people.web.request("GET", url)
    if page.status != 200 or reference not in page.data.decode():  # noqa: PLR2004 -- OK.
        raise StoryFailed("the provider has no pay page for this transaction")
    sandbox.times = 2 if twice_at_once else 1
    pressed = people.web.request(
        "POST", url, fields={"action": "pay"}, encode_multipart=False, redirect=False
    )
    if pressed.status != 303:  # noqa: PLR2004 -- See Other: back to the page.
        raise StoryFailed(f"the provider's page answered {pressed.status}")
    sale = sandbox.sales[reference]
    while len(sale.answers) < 3:  # noqa: PLR2004 -- three notices, as the story says.
        sandbox.notify(reference)
    how = "two of them at once; " if twice_at_once else ""
    story.step(f"  they pressed “Pay”; the notice came three times, {how}answers {sale.answers}")
    if set(sale.answers) != {200}:
        raise StoryFailed("a true notice was not confirmed")
    story.until("the money to be certain", certain)
    shown = people.citizen("GET", f"/payments/{money}").body
    facts = [each["type"] for each in shown["history"]]
    once = facts.count("payment.captured") == facts.count("payment.paid") == 1
    if not once or shown["captured"] != shown["amount"]:
        raise StoryFailed(f"the money was not taken down once: {facts}")
    story.step(f"  it is recorded once: {', '.join(facts)}")
    assert sale.at
    return sale.at.astimezone(HANOI).date()


def _unless_unknown(people: People, path: str, wish: Json) -> Answer | None:
    """What was asked of a payment that a reaction may only now be making."""
    try:
        return people.citizen("POST", path, wish)
    except Problem as problem:
        if problem.body.get("code") != "payment-unknown":
            raise
        return None


def _goes_on(case: Case) -> Callable[[], bool]:
    def goes_on() -> bool:
        shown = case.see()
        if shown["status"] != "processing":
            return False
        [owed] = shown["obligations"]
        case.story.step(
            f"  dossier {shown['code']} goes on by itself, its due paid {owed['means']}"
        )
        return True

    return goes_on


def _paid(people: People, money: str) -> Callable[[], bool]:
    return lambda: people.citizen("GET", f"/payments/{money}").body["status"] == "paid"


def _receipts(people: People, money: str) -> None:
    """Each kind of line has one receipt, with the next number of its series, on paper too."""
    named = people.citizen("GET", f"/payments/{money}").body["receipts"]
    if sorted(named) != ["charge", "fee"]:
        raise StoryFailed(f"there are receipts for {sorted(named)}")
    for kind, id_ in named.items():
        made = people.story.until(f"the receipt of the {kind}", partial(_receipt, people, id_))
        link = people.citizen("GET", f"/receipts/{id_}/paper?format=pdf").body["url"]
        paper = people.web.request("GET", link).data
        if not (paper.startswith(b"%PDF-") and paper.rstrip().endswith(b"%%EOF")):
            raise StoryFailed("the receipt's PDF is none")
        check = people.api.call("GET", made["check"]).body
        if (check["status"], check["amount"]) != ("issued", made["amount"]):
            raise StoryFailed("the receipt's QR code does not prove it")
        people.story.step(
            f"  receipt {made['series']} no. {made['number']} of {made['amount']:,} đồng ({kind}): "
            f"a PDF of {len(paper):,} bytes; its QR code proves it, {check['seen']}"
        )
    issued = people.officer("GET", "/receipts?limit=100").body["items"]
    given: dict[str, list[int]] = {}
    for one in issued:
        given.setdefault(one["series"], []).append(one["number"])
    for series, numbers in sorted(given.items()):
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            raise StoryFailed(f"the numbers of {series} have a gap: {sorted(numbers)}")
        people.story.step(f"  numbers given of {series}: 1 to {len(numbers)}, no gap")


def _receipt(people: People, id_: str) -> Json | None:
    try:
        return people.citizen("GET", f"/receipts/{id_}").body
    except Problem as problem:
        if problem.body.get("code") != "receipt-unknown":
            raise
        return None  # It is issued a moment after the money was certain.


def _balanced(people: People) -> None:
    """Debits equal credits, by the views as by history read from its beginning."""
    view = people.accountant("GET", "/ledger/trial-balance").body
    entries = people.accountant("GET", "/ledger/entries?limit=100").body["items"]
    last = entries[-1]["position"]
    read = people.accountant("GET", f"/ledger/trial-balance?position={last}").body
    if not (view["balanced"] and read["balanced"] and read["debit"]):
        raise StoryFailed("debits and credits are not equal")
    people.story.step(
        f"the trial balance at position {last}: debit {read['debit']:,} = "
        f"credit {read['credit']:,} đồng, difference 0"
    )
    wrong = people.accountant("GET", "/ledger/disagreements").body["items"]
    if any(one["how"] == "overdrawn" for one in wrong):
        raise StoryFailed("more was given back than there is")


def _refund(people: People, money: str) -> None:
    """One officer asks, another approves, the provider is told by itself."""
    story, path = people.story, f"/payments/{money}"
    wish: Json = {"reason": "Demo: a part of the fee was not due", "amount": BACK}
    asked = people.officer("POST", f"{path}/refunds", wish)
    story.wrote(f"An officer asks to give {BACK:,} đồng back", asked)
    approval = f"{path}/refunds/{asked.body['refund']}/approval"
    refused = _refused("same-person-approves", lambda: people.officer("PUT", approval, {}))
    story.step(f"  they cannot approve it themselves: {refused}")
    agreed = people.second.call("PUT", approval, role="officer", agency=DESK, body={})
    story.wrote("A second officer approves it", agreed)

    def settled() -> bool:
        [refund] = people.officer("GET", path).body["refunds"]
        if refund["status"] == "approved":
            # The schedule would within a minute.
            people.officer("GET", f"/payments?seen={agreed.seen}")
            people.stack.ring("schedule", "Pay")
        return bool(refund["status"] == "settled")

    story.until("the refund to be settled", settled)
    story.step("  the provider was told by itself and has given it back")

    def less() -> bool:
        found = people.officer("GET", path).body["receipts"]["fee"]
        return bool(people.officer("GET", f"/receipts/{found}").body["left"] == 70_000 - BACK)

    story.until("the receipt to say so", less)
    story.step(f"  of the fee's receipt {70_000 - BACK:,} đồng still stand")


def _settle(people: People, day: date) -> None:
    """The provider's file of the day: three faults, each found and decided; then it is closed."""
    story, base = people.story, f"/settlements/{CODE}/{day}"
    story.step(f"the provider's file of {day}, which would come tomorrow:")
    _bring(people, base, people.sandbox.settlement(day, FAULTS._replace(total=True)))
    shown = story.until("the file to be read", lambda: _once(people, base, "refused"))
    story.step(f"  one with a wrong total is refused whole: {shown['refused']['why']}")
    _bring(people, base, people.sandbox.settlement(day, FAULTS))
    shown = story.until("the file to be compared", lambda: _once(people, base, "compared"))
    story.step(f"  a better one: {shown['lines']} lines read, {shown['matched']} agree")
    found = {one["discrepancy"]["kind"]: one["discrepancy"] for one in shown["discrepancies"]}
    if sorted(found) != sorted(DECISIONS) or len(shown["discrepancies"]) != len(DECISIONS):
        raise StoryFailed(f"other differences were found than there are: {sorted(found)}")
    why = _refused("discrepancies-open", lambda: people.accountant("PUT", f"{base}/closure", {}))
    for kind, (decision, note) in DECISIONS.items():
        one = found[kind]
        story.step(f"    {one['reference']}: " + FOUND[kind].format(**one))
        path = f"{base}/discrepancies/{one['id']}/decision"
        done = people.accountant("PUT", path, {"decision": decision, "note": note})
        story.wrote(f"      decided: {decision} ({note})", done)
    story.step(f"  before that, the day could not be closed: {why}")
    story.wrote(f"  {day} is closed", people.accountant("PUT", f"{base}/closure", {}))
    other = {"decision": "written_off", "note": "Demo: on second thoughts"}
    path = f"{base}/discrepancies/{found['only_ours']['id']}/decision"
    why = _refused("settlement-day-closed", lambda: people.accountant("PUT", path, other))
    story.step(f"  and stays as it is: {why}")


def _bring(people: People, base: str, text: str) -> None:
    content = text.encode()
    digest = sha256(content).hexdigest()
    said = {"size": len(content), "sha256": digest}
    people.api.put(people.accountant("POST", "/settlements/uploads", said).body, content)
    named = {"upload": digest, "name": f"{base.rsplit('/', 1)[1]}.csv"}
    people.story.wrote("  it is uploaded", people.accountant("PUT", f"{base}/file", named))


def _once(people: People, base: str, status: str) -> Json | None:
    shown = people.accountant("GET", base).body
    if shown["status"] not in {"received", status}:
        raise StoryFailed(f"the file is {shown['status']}: {shown['refused']}")
    return shown if shown["status"] == status else None


def _refused(code: str, ask: Callable[[], Answer]) -> str:
    """What the axis says, refusing with this code."""
    try:
        ask()
    except Problem as problem:
        if problem.body.get("code") != code:
            raise
        return str(problem)
    raise StoryFailed(f"{code} was not refused")
