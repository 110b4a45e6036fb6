"""Every route, asked as every role, for one's own and for another's data: as the table says."""

import os
import re
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock
from uuid import uuid4

import pytest
from contexts.dossiers.counter import (
    CODE,
    DESK,
    OTHER,
    Person,
    dossier_of,
    open_counter,
    origin,
    upload,
)
from deployed import on_moto
from gateway import Gateway, caller

from app import app
from chalicelib import registry, runtime, workers
from chalicelib.contexts.documents.intake import Submission, submissions
from chalicelib.contexts.payments.domain.commands import InitiateTransaction, NoteSuccess
from chalicelib.contexts.payments.domain.payment import payment
from chalicelib.contexts.payments.domain.receipt import receipt_id
from chalicelib.contexts.payments.people import person
from chalicelib.delivery.outbox import lane_of
from chalicelib.handle import handle
from chalicelib.http.identity import ROLES
from chalicelib.http.resource import Door
from infra.template import QUEUES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "authorization.md"
COLUMNS = ("citizen", "officer", "system", "auditor", "administrator")
ROUTES = {f"{r.method} {r.path}": r for one in registry.RESOURCES for r in one.table}
THIRD = "Z03"
"""An agency that has no part in anything here."""


def table():
    """What each role reaches of each route, and whether it needs a recent login."""
    found = {}
    for line in PAGE.read_text().splitlines():
        if row := re.fullmatch(r"\| `([A-Z]+ /\S*)`( ¹)? \| (.*) \|", line):
            cells = dict(zip(COLUMNS, row[3].split(" | "), strict=True))
            assert row[1] not in found
            found[row[1]] = (cells, bool(row[2]))
    return found


TABLE = table()
CELLS = [(route, role, cell) for route, (cells, _) in TABLE.items() for role, cell in cells.items()]


def test_the_table_is_that_of_the_routes():
    assert set(COLUMNS) == ROLES
    assert TABLE.keys() == ROUTES.keys()
    for name, (cells, step_up) in TABLE.items():
        allow = ROUTES[name].allow
        assert step_up == ROUTES[name].step_up, name
        if isinstance(allow, Door):
            assert set(cells.values()) == {allow.value}, name
        else:
            assert {role for role, cell in cells.items() if cell != "never"} == allow, name
            assert set(cells.values()) <= {"never", "own", "all"}, name


def test_auditors_never_write_and_administrators_never_read_cases():
    for name, (cells, _) in TABLE.items():
        if not name.startswith("GET ") and cells["auditor"] not in {"public", "signed"}:
            assert cells["auditor"] == "never", name
    cases = r"/(documents|copies|dossiers|desk|late-dossiers|payments|receipts|components)\b"
    reached = {
        n for n, (c, _) in TABLE.items() if re.search(cases, n) and c["administrator"] == "all"
    }
    assert reached == {"GET /documents/{document_id}/copies/{receiver}/messages"}


OWNER = {
    "citizen": Person("citizen", "demo-citizen-1"),
    "officer": Person("officer", "demo-specialist", DESK, "specialist"),
    "system": Person("system", "demo-system", DESK),
    "auditor": Person("auditor", "demo-auditor"),
    "administrator": Person("administrator", "demo-administrator"),
}
STRANGER = {
    "citizen": Person("citizen", "demo-citizen-2"),
    "officer": Person("officer", "demo-other", THIRD, "specialist"),
    "system": Person("system", "demo-other-system", THIRD),
}


class Context:
    """What Lambda says of a run: plenty of time."""

    aws_request_id = "demo"

    @staticmethod
    def get_remaining_time_in_millis():
        return 900_000


@contextmanager
def queues():
    """Doorbells that ring nobody."""
    made = {}
    for name in QUEUES:
        queue = runtime.client("sqs").create_queue(
            QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"}
        )
        made[f"{name.upper()}_QUEUE_URL"] = queue["QueueUrl"]
    with mock.patch.dict(os.environ, made):
        yield


def settle():
    """Whatever follows has followed, and every view knows it."""
    sweep = {"Records": [{"body": '{"ring": "sweep"}', "messageId": "1"}]}
    for worker in (*(workers.sequence, workers.project, workers.react) * 2,):
        worker(sweep, Context)
    workers.sequence(sweep, Context)
    workers.project({"Records": []}, Context)


def a_document():
    """From the desk's agency to the other one, with what was told of it."""
    body = {
        "number": uuid4().hex[:8],
        "promulgated_on": "2026-03-04",
        "subject": "Demo: somebody's",
        "receivers": [OTHER],
    }
    answer = OWNER["system"].ask("POST", "/documents", body)
    assert answer.status == 201, answer.text
    settle()
    message = next(iter(runtime.outbox().following(lane_of(OTHER, urgent=False), 0)))
    return {"document_id": answer.headers["Location"].rsplit("/", 1)[1], "message_id": message.id}


def a_submission():
    """A large message of the desk's agency, on its way in."""
    waiting = Submission(id="a" * 26, agency=DESK, sha256="0" * 64, received_at=datetime.now(UTC))
    submissions().put(waiting)
    return {"submission_id": waiting.id}


def a_dossier():
    """Filed by the citizen, in the hands of the desk's specialist, who asks for money."""
    citizen, specialist = OWNER["citizen"], OWNER["officer"]
    clerk = Person("officer", "demo-clerk", DESK, "desk")
    form = upload(citizen, b"demo form " + uuid4().bytes)
    path = f"/dossiers/{citizen.do('POST', '/dossiers', dossier_of(citizen, form))['dossier']}"
    clerk.do("PUT", f"{path}/acceptance")
    clerk.do("POST", f"{path}/forwardings", {"step": "receive", "to": "examine"})
    paper = {"code": "P1", "file": upload(specialist, b"demo paper " + uuid4().bytes)}
    kept = specialist.do("POST", f"{path}/digitised-components", paper)
    specialist.do("POST", f"{path}/obligations", {"lines": LINES})
    settle()
    owed = specialist.get(path)["obligations"][0]
    return {
        "dossier_id": path.rsplit("/", 1)[1],
        "file": form["sha256"],
        "component_id": kept["component"],
        "obligation_id": owed["obligation"],
    }


def a_payment():
    """Paid by the citizen to the desk's agency, with a receipt; some of it is asked back."""
    citizen, cashier = OWNER["citizen"], Person("officer", "demo-cashier", DESK)
    id_ = cashier.do("POST", "/payments", {"account": citizen.subject, **MONEY})["payment"]
    wish = {"origin": origin(), "payment": id_, "provider": "demo"}
    begun = InitiateTransaction(subject=person(citizen.subject), **wish)
    [made] = handle(runtime.event_store(), payment, id_, begun).commit.data()
    taken = NoteSuccess(
        **wish | {"origin": origin()},
        transaction=made["transaction"],
        learnt="notice",
        provider_reference="P1",
        amount=AMOUNT,
        paid_at=datetime.now(UTC),
    )
    handle(runtime.event_store(), payment, id_, taken)
    citizen.do("POST", f"/payments/{id_}/refunds", {"reason": "demo", "amount": 1_000})
    settle()
    [refund] = citizen.get(f"/payments/{id_}")["refunds"]
    return {
        "payment_id": id_,
        "refund_id": refund["refund"],
        "receipt_id": receipt_id(id_, "fee"),
    }


AMOUNT = 100_000
LINES = [{"code": "P1", "name": "Demo fee", "kind": "fee", "amount": AMOUNT}]
MONEY = {"payer": {"name": "Demo Payer"}, "lines": LINES, "amount": AMOUNT}


@pytest.fixture(scope="module")
def town():
    """What is the owners', by the names that paths call it."""
    with on_moto(), queues():
        open_counter()
        third = {"code": THIRD, "name": "Demo agency without a part", "source": "demo data"}
        OWNER["administrator"].do("POST", "/agencies", third)
        settle()
        made = a_document() | a_submission() | a_dossier() | a_payment()
        yield made | {"form": "01", "receiver": OTHER, "code": CODE, "agency": DESK}


REASON = {"reason": "demo"}
BODIES = {
    "POST /documents": {
        "number": "1",
        "promulgated_on": "2026-03-04",
        "subject": "Demo",
        "sender": DESK,
        "receivers": [OTHER],
    },
    "POST /documents/{document_id}/revocations": REASON,
    "POST /documents/{document_id}/amendments": {"subject": "Demo: other words"},
    "POST /documents/{document_id}/relays": {"receivers": [OTHER]},
    "POST /documents/{document_id}/copies/{receiver}/statuses": {"code": "03"},
    "POST /dossiers/{dossier_id}/supplements": {
        "components": [{"code": "KQ000002", "kind": "copy"}]
    },
    "PUT /dossiers/{dossier_id}/refusal": REASON,
    "PUT /dossiers/{dossier_id}/withdrawal": REASON,
    "PUT /dossiers/{dossier_id}/withdrawal/refusal": REASON,
    "PUT /dossiers/{dossier_id}/pause": REASON,
    "PUT /dossiers/{dossier_id}/stop": REASON,
    "PUT /dossiers/{dossier_id}/recall": REASON,
    "PUT /dossiers/{dossier_id}/extension": REASON | {"hours": 8},
    "PUT /dossiers/{dossier_id}/handover": {"means": "desk"},
    "PUT /dossiers/{dossier_id}/correction": {"results": [{"name": "Demo result"}]},
    "PUT /dossiers/{dossier_id}/assignment": {"officer": "demo-head"},
    "PUT /dossiers/{dossier_id}/obligations/{obligation_id}/fulfilment": {"means": "desk"},
    "POST /dossiers/{dossier_id}/supplement-requests": REASON,
    "POST /dossiers/{dossier_id}/forwardings": {"step": "examine", "to": "decide"},
    "POST /dossiers/{dossier_id}/returns": REASON | {"step": "examine", "to": "receive"},
    "POST /dossiers/{dossier_id}/consultations": {"asked": [OTHER], "question": "Demo?"},
    "POST /dossiers/{dossier_id}/obligations": {"lines": LINES},
    "POST /dossiers/{dossier_id}/digitised-components": {
        "code": "P2",
        "file": {"media_type": "application/pdf", "size": 1, "sha256": "0" * 64},
    },
    "PUT /components/{component_id}/withdrawal": REASON,
    "PUT /payments/{payment_id}/cancellation": REASON,
    "POST /payments/{payment_id}/refunds": REASON | {"amount": 1_000},
    "POST /payments/{payment_id}/transactions": {"provider": "demo"},
    "PUT /payments/{payment_id}/refunds/{refund_id}/rejection": REASON,
    "PUT /payments/{payment_id}/refunds/{refund_id}/payout": {"reference": "demo-transfer"},
    "POST /receipts/{receipt_id}/replacement": REASON
    | {"payer": {"name": "Demo Payer"}, "replaces": 1},
    "PUT /receipts/{receipt_id}/cancellation": REASON,
    "PUT /procedures/{code}/offers/{agency}": {"effective_on": "2026-01-01"},
    "PUT /procedures/{code}/offers/{agency}/end": {"ends_on": "2030-01-01"},
}
# What is the caller's own by its making: there is nothing of another's that could be named.
BEGINNINGS = {
    *("POST /uploads", "POST /edxml", "POST /submissions", "POST /components/uploads"),
    *("POST /dossiers", "POST /sync/dossiers", "POST /payments", "POST /payments/tax-enquiries"),
    *("POST /inbox/acknowledgement", "PUT /my/erasure"),
}


def ask(name, who, town):
    method, path = name.split()
    names = re.findall(r"{(\w+)}", path)
    mine = town | {"sha256": town["file"]}
    return Gateway(app, caller(who.role, who.subject, who.agency, unit=who.unit)).call(
        method,
        path,
        BODIES.get(name),
        {"idempotency-key": str(uuid4())},
        params={one: mine.get(one, "0" * 26) for one in names},
    )


ROLE_ROUTES = [one for one in CELLS if one[2] in {"never", "own", "all"}]


@pytest.mark.parametrize("role", COLUMNS)
def test_a_role_comes_in_where_the_table_lets_it(town, role):
    asked = Counter()
    for name, one, cell in ROLE_ROUTES:
        if one != role or (cell != "never" and name.split()[0] != "GET"):
            continue
        answer = ask(name, OWNER[role], town)
        shut = answer.status == 403 and answer.json["code"] == "role-not-allowed"
        assert shut == (cell == "never"), (name, answer.text)
        asked[cell] += 1
    assert asked["never"]
    assert asked["all"] + asked["own"]


OWNED = [(n, r) for n, r, cell in CELLS if cell == "own" and "{" in n and r in STRANGER]
# What the owners of these reach is asked where there is such a thing: a kept message, a file, a
# closed day, an answer of the tax register, a consultation.
ELSEWHERE = {
    "GET /documents/{document_id}/original",
    "GET /documents/{document_id}/attachments/{sha256}",
    "GET /settlements/{provider}/{day}/report",
    "GET /payments/tax-enquiries/{enquiry_id}",
    "PUT /dossiers/{dossier_id}/consultations/{document_id}/closure",
}
# The document's receiver, and not its sender, may do these.
RECEIVERS = {
    "POST /documents/{document_id}/copies/{receiver}/statuses",
    "POST /documents/{document_id}/relays",
}


def refusal(answer):
    """The code of a refusal, "" of anything else."""
    return answer.json["code"] if answer.status >= 400 else ""


def owner(name, role):
    return Person(role, "demo-receiver", OTHER) if name in RECEIVERS else OWNER[role]


def test_nobody_reaches_what_is_anothers(town, capsys):
    wrong, codes = [], {}
    for name, role in OWNED:
        answer = ask(name, STRANGER[role], town)
        codes[name, role] = refusal(answer)
        reading = name.startswith("GET ")
        if answer.status not in ({404} if reading else {403, 404}) or (
            codes[name, role] == "role-not-allowed"
        ):
            wrong.append((name, role, answer.status, answer.text))
    assert wrong == []
    # Those whose it is do come in: not one of the refusals above was for another reason.
    for name, role in OWNED:
        if name not in ELSEWHERE:
            answer = ask(name, owner(name, role), town)
            if refusal(answer) == codes[name, role]:
                wrong.append((name, role, answer.status, answer.text))
    assert wrong == []
    count = Counter(cell for _, _, cell in CELLS)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(TABLE)} routes, {len(CELLS)} cells: {dict(count)}; "
            f"{len(OWNED)} of them asked for another's data and for one's own\n"
        )


LISTS = [(n, r) for n, r, cell in CELLS if cell == "own" and "{" not in n and n.startswith("GET")]


@pytest.mark.parametrize(("name", "role"), LISTS)
def test_a_list_holds_nothing_of_anothers(town, name, role):
    mine = {town[n] for n in ("document_id", "dossier_id", "payment_id", "receipt_id")}
    answer = ask(name, STRANGER[role], town)
    assert answer.status in {200, 404, 409, 422}, answer.text
    assert not [id_ for id_ in mine if id_ in answer.text]
    if role != "citizen":
        # Nor does it by another agency's name.
        route, who = ROUTES[name], STRANGER[role]
        gateway = Gateway(app, caller(who.role, who.subject, who.agency))
        asked = gateway.call("GET", f"{route.path}?agency={DESK}&month=2026-11")
        assert asked.status in {200, 403, 409, 422}, asked.text
        assert not [id_ for id_ in mine if id_ in asked.text]


@pytest.mark.parametrize("role", ["officer", "system"])
def test_nobody_speaks_for_another_agency(town, role):
    said = ask("POST /documents", STRANGER[role], town)
    assert (said.status, said.json["code"]) == (403, "not-the-sender"), said.text
