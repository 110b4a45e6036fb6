import json
import os
from datetime import timedelta
from hashlib import sha256
from itertools import count
from types import SimpleNamespace
from unittest import mock
from uuid import uuid4

import boto3
import pytest
from contexts.dossiers.demo_dossiers import TERMS
from deployed import on_moto
from gateway import Gateway, caller

from app import app
from chalicelib import files, runtime, workers
from chalicelib.contexts.dossiers import catalogue, catalogue_import, public
from chalicelib.contexts.dossiers.catalogue import Catalogue
from chalicelib.contexts.dossiers.projections import (
    what_changed_in_the_catalogue,
    what_is_an_agency_called,
    which_agencies_offer_a_procedure,
    which_procedures_are_there,
    which_procedures_does_an_agency_offer,
)
from chalicelib.http.resource import MAX_BODY_BYTES

administrator = Gateway(app, caller("administrator"))
officer = Gateway(app, caller("officer", agency="Z01"))
citizen = Gateway(app, caller("citizen"))
anybody = Gateway(app)
VIEWS = [
    which_procedures_are_there.answer,
    what_changed_in_the_catalogue.answer,
    which_agencies_offer_a_procedure.answer,
    which_procedures_does_an_agency_offer.answer,
    what_is_an_agency_called.answer,
]
terms = TERMS.model_dump(mode="json")
JANUARY, FAR = "2026-01-01", "2099-01-01"
FOREIGN = "1." + "\N{ARABIC-INDIC DIGIT ONE}" * 6
_numbers = count(100_000)


@pytest.fixture(autouse=True, scope="module")
def deployment():
    with on_moto():
        queue = boto3.client("sqs").create_queue(QueueName="intake")["QueueUrl"]
        with mock.patch.dict(os.environ, {"INTAKE_QUEUE_URL": queue}):
            # Demo data: no agency is called so.
            for code in ("Z01", "Z02"):
                body = {"code": code, "name": f"Cơ quan {code}", "source": "demo data"}
                assert send("POST", "/agencies", body).status == 201
            yield queue


@pytest.fixture
def code():
    """A code that no procedure has."""
    return f"1.{next(_numbers)}"


@pytest.fixture
def published(code):
    """The code of a procedure."""
    assert send("POST", "/procedures", {"code": code, "terms": terms}).status == 201
    return code


def send(method, path, body, by=administrator, **headers):
    return by.call(method, path, body, {"idempotency-key": str(uuid4())} | headers)


def follow():
    """Bring the views up to date, and let the process see it at once."""
    runtime.sequencer().sweep()
    for projection in VIEWS:
        runtime.projector().follow(projection)
    catalogue._held.cache_clear()


# --- Publishing and offering ----------------------------------------------------------------------


def test_versions_follow_one_another(published):
    path = f"/procedures/{published}"
    second = terms | {"effective_on": FAR, "name": "Tên mới"}
    assert send("POST", f"{path}/versions", {"terms": second}).status == 202
    read = citizen.call("GET", path)
    assert (read.status, read.headers["ETag"]) == (200, '"2"')
    assert (read.json["number"], read.json["in_force"]) == (2, 1)
    assert read.json["terms"]["name"] == "Tên mới"
    assert [version["effective_on"] for version in read.json["versions"]] == [JANUARY, FAR]
    first = citizen.call("GET", f"{path}?version=1").json
    assert (first["number"], first["terms"]) == (1, terms)
    for wrong in ("0", "3", "x", "\N{ARABIC-INDIC DIGIT TWO}"):
        answer = citizen.call("GET", f"{path}?version={wrong}")
        assert (answer.status, answer.json["code"]) == (404, "version-unknown")


def test_a_repealed_procedure_is_read_as_such(published):
    path = f"/procedures/{published}"
    end = {"decision": "02/QĐ-DEMO", "effective_on": "2026-02-01"}
    assert send("PUT", f"{path}/repeal", end).status == 202
    assert citizen.call("GET", path).json["repealed"] == end
    answer = send("POST", f"{path}/versions", {"terms": terms | {"name": "x"}})
    assert (answer.status, answer.json["code"]) == (409, "procedure-was-repealed")


@pytest.mark.parametrize(
    ("method", "path", "body", "by", "status", "refusal"),
    [
        (
            "POST", "/procedures", {"code": "9", "terms": terms},
            administrator, 422, "invalid-request",
        ),
        (
            "POST", "/procedures", {"code": FOREIGN, "terms": terms},
            administrator, 422, "invalid-request",
        ),
        (
            "POST", "/procedures", {"code": "1.999999", "terms": terms},
            officer, 403, "role-not-allowed",
        ),
        (
            "POST", "/procedures/1.999999/versions", {"terms": terms},
            administrator, 404, "procedure-unknown",
        ),
        (
            "PUT", "/procedures/1.999999/offers/Z01", {"effective_on": JANUARY},
            officer, 404, "procedure-unknown",
        ),
        (
            "PUT", "/procedures/not a code!/offers/Z01", {"effective_on": JANUARY},
            officer, 404, "path-unknown",
        ),
        (
            "PUT", "/procedures/1.999999/offers/Z01/end", {"effective_on": JANUARY},
            officer, 404, "offer-unknown",
        ),
        (
            "PUT", "/procedures/1.999999/offers/Z02", {"effective_on": JANUARY},
            officer, 403, "not-your-offer",
        ),
        (
            "PUT", "/procedures/1.999999/offers/Z02/end", {"effective_on": JANUARY},
            officer, 403, "not-your-offer",
        ),
        (
            "PUT", "/procedures/1.999999/offers/Z09", {"effective_on": JANUARY},
            administrator, 422, "offering-agency-unknown",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(method, path, body, by, status, refusal):
    answer = send(method, path, body, by)
    assert (answer.status, answer.json["code"]) == (status, refusal)


def test_an_unknown_procedure_is_not_found():
    for reader, path, code in [
        (citizen, "/procedures/1.999999", "procedure-unknown"),
        (citizen, "/procedures/not-a-code", "procedure-unknown"),
        (anybody, "/public/procedures/1.999999", "procedure-unknown"),
        (anybody, "/public/procedures/not a code!", "path-unknown"),
        (anybody, f"/public/procedures/{'x' * 3000}/agencies", "path-unknown"),
    ]:
        answer = reader.call("GET", path)
        assert (answer.status, answer.json["code"]) == (404, code)
        assert answer.headers["Cache-Control"] == "no-store"


# --- Looking up -----------------------------------------------------------------------------------


def test_anybody_finds_a_procedure_and_who_offers_it(published):
    path = f"/procedures/{published}"
    for agency in ("Z01", "000.00.00.Z02"):
        assert send("PUT", f"{path}/offers/{agency}", {"effective_on": JANUARY}).status == 202
    assert send("PUT", f"{path}/offers/Z02/end", {"effective_on": FAR}).status == 202
    follow()
    found = anybody.call("GET", f"/public/procedures?q=thu%20tuc%20{published}")
    (item,) = found.json["items"]
    assert (item["code"], item["name"], item["number"]) == (published, TERMS.name, 1)
    shown = anybody.call("GET", f"/public/procedures/{published}").json
    assert (shown["status"], shown["number"], shown["ends_on"]) == ("in_force", 1, None)
    for part in ("components", "fees", "limit", "forms", "results"):
        assert shown[part] == terms[part]
    assert "steps" not in shown
    assert shown["offered_by"] == {
        "items": [
            {"agency": "Z01", "name": "Cơ quan Z01", "online": True, "until": None},
            {"agency": "Z02", "name": "Cơ quan Z02", "online": True, "until": FAR},
        ],
        "next": None,
    }
    first = anybody.call("GET", f"/public/procedures/{published}/agencies?limit=1").json
    assert [one["agency"] for one in first["items"]] == ["Z01"]
    rest = f"/public/procedures/{published}/agencies?limit=1&cursor={first['next']}"
    assert [one["agency"] for one in anybody.call("GET", rest).json["items"]] == ["Z02"]
    for agency, codes in (("Z01", [published]), ("Z09", [])):
        listed = anybody.call("GET", f"/public/procedures?agency={agency}").json["items"]
        assert [one["code"] for one in listed if one["code"] == published] == codes


def test_what_is_not_yet_or_no_longer_in_force(code):
    body = {"code": code, "terms": terms | {"effective_on": FAR}}
    assert send("POST", "/procedures", body).status == 201
    follow()
    assert anybody.call("GET", f"/public/procedures?q={code}").json["items"] == []
    assert anybody.call("GET", f"/public/procedures/{code}").json["status"] == "announced"
    end = {"decision": "02/QĐ-DEMO", "effective_on": FAR}
    assert send("PUT", f"/procedures/{code}/repeal", end).status == 202
    assert anybody.call("GET", f"/public/procedures/{code}").json["ends_on"] == FAR


def test_the_next_version_is_announced_and_the_repealed_shown_as_such(published):
    path = f"/procedures/{published}"
    second = {"terms": terms | {"effective_on": FAR}}
    assert send("POST", f"{path}/versions", second).status == 202
    assert anybody.call("GET", f"/public{path}").json["changes_on"] == FAR


def test_a_repealed_procedure_is_found_by_its_code_alone(published):
    end = {"decision": "02/QĐ-DEMO", "effective_on": "2026-02-01"}
    assert send("PUT", f"/procedures/{published}/repeal", end).status == 202
    follow()
    assert anybody.call("GET", f"/public/procedures?q={published}").json["items"] == []
    shown = anybody.call("GET", f"/public/procedures/{published}").json
    assert (shown["status"], shown["number"]) == ("repealed", 1)
    assert (shown["ends_on"], shown["repealed_by"]) == ("2026-02-01", "02/QĐ-DEMO")


def test_page_after_page_gives_each_once():
    fields = {"field": "PAGES", "life_events": ["paging"]}
    codes = {f"2.{next(_numbers)}" for _ in range(7)}
    for code in codes:
        assert send("POST", "/procedures", {"code": code, "terms": terms | fields}).status == 201
    follow()
    seen, cursor = [], ""
    while cursor is not None:
        path = f"/public/procedures?field=PAGES&life_event=paging&limit=3{cursor}"
        page = anybody.call("GET", path).json
        seen += [item["code"] for item in page["items"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert seen == sorted(codes)
    counted = anybody.call("GET", "/public/catalogue").json
    named = {"field": "PAGES", "name": TERMS.field_name, "procedures": 7}
    assert named in counted["fields"]
    assert {"life_event": "paging", "procedures": 7} in counted["life_events"]
    assert counted["procedures"] == sum(field["procedures"] for field in counted["fields"])


@pytest.mark.parametrize(
    ("query", "status", "refusal"),
    [
        ("cursor=x", 400, "invalid-cursor"),
        ("cursor=WzFd", 400, "invalid-cursor"),
        ("limit=0", 400, "invalid-limit"),
        (f"q={'x' * 201}", 422, "invalid-request"),
        ("agency=nobody", 422, "agency-code-invalid"),
    ],
)
def test_wrong_questions(query, status, refusal):
    answer = anybody.call("GET", f"/public/procedures?{query}")
    assert (answer.status, answer.json["code"]) == (status, refusal)


def test_answers_may_be_kept_and_are_named(published):
    path = f"/public/procedures/{published}"
    first = anybody.call("GET", path)
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert first.headers["Cache-Control"].startswith(f"public, max-age={public.FRESH_S}, ")
    tag = first.headers["ETag"]
    again = anybody.call("GET", path, headers={"if-none-match": f'"x", W/{tag}'})
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag)
    assert again.headers["Access-Control-Allow-Origin"] == "*"
    end = {"decision": "02/QĐ-DEMO", "effective_on": FAR}
    assert send("PUT", f"/procedures/{published}/repeal", end).status == 202
    changed = anybody.call("GET", path, headers={"if-none-match": tag})
    assert (changed.status, changed.json["ends_on"]) == (200, FAR)


class Calls:
    """Calls of DynamoDB while it is watched."""

    def __init__(self):
        self.made = []
        runtime.client("dynamodb").meta.events.register("before-call", self._note)
        self._views = runtime.views().model._get_connection().connection.client
        self._views.meta.events.register("before-call", self._note)

    def _note(self, model, **_):
        self.made.append(model.name)

    def take(self):
        taken, self.made = self.made, []
        return taken


def test_only_what_changed_is_read_again(published):
    follow()
    clock = SimpleNamespace(now=0.0)
    held = Catalogue(runtime.views(), lambda: clock.now)
    today = public._today()
    assert published in {one.code for one in held.on(today)}
    calls = Calls()
    assert published in {one.code for one in held.on(today)}
    assert calls.take() == []
    clock.now += catalogue.FRESH_S
    list(held.on(today))
    unchanged = calls.take()
    end = {"decision": "02/QĐ-DEMO", "effective_on": "2026-02-01"}
    assert send("PUT", f"/procedures/{published}/repeal", end).status == 202
    follow()
    calls.take()
    assert published in {one.code for one in held.on(today)}
    clock.now += catalogue.FRESH_S
    assert published not in {one.code for one in held.on(today)}
    # A few reads of one item each; the parts in one batch.
    assert len(unchanged) <= 3
    assert len(calls.take()) <= len(unchanged) + 2


def test_a_part_that_was_read_too_early_is_read_again(published):
    runtime.sequencer().sweep()
    clock = SimpleNamespace(now=0.0)
    held = Catalogue(runtime.views(), lambda: clock.now)
    today = public._today()
    # The count of changes is ahead of the part that they made.
    runtime.projector().follow(what_changed_in_the_catalogue.answer)
    assert published not in {one.code for one in held.on(today)}
    follow()
    clock.now += catalogue.FRESH_S
    assert published in {one.code for one in held.on(today)}


def test_a_rebuilt_view_is_read_anew(published):
    follow()
    clock = SimpleNamespace(now=0.0)
    held = Catalogue(runtime.views(), lambda: clock.now)
    list(held.on(public._today()))
    before = dict(held._parts)
    runtime.views().rebuild(which_procedures_are_there.answer)
    follow()
    clock.now += catalogue.FRESH_S
    list(held.on(public._today()))
    assert held._parts == before
    assert all(held._parts[name] is not part for name, part in before.items())


# --- Importing ------------------------------------------------------------------------------------

HEADER = "action;code;agency;effective_on;decision;name;field;field_name;level;limit;steps\n"


def line(code, name="Thủ tục thử nghiệm", action="", share="100"):
    said = (action, code, "", JANUARY, "01/QĐ-DEMO", name, "DEMO", "x", "full", "5 days")
    return ";".join([*said, f"one|Một|desk|{share}"]) + "\n"


def offer_line(code, agency, action="offer"):
    return f"{action};{code};{agency};{JANUARY};;;;;;;\n"


def hand_in(text, key=None, kind="text/csv"):
    headers = {"content-type": kind, "idempotency-key": key or str(uuid4())}
    data = text if isinstance(text, bytes) else text.encode()
    return administrator.call("POST", "/procedures/imports", data, headers)


def work(queue, minutes=5):
    """The worker takes what is in the queue; how many jobs that were."""
    taken = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    for message in taken.get("Messages", ()):
        boto3.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        event = {"Records": [{"messageId": "1", "body": message["Body"]}]}
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: minutes * 60_000)
        assert workers.intake(event, context) == {"batchItemFailures": []}
    return len(taken.get("Messages", ()))


def read(location):
    return administrator.call("GET", location).json


def counts(found):
    return [found[name] for name in ("status", "rows", "done", "entered", "unchanged", "refused")]


def test_rows_in_order_are_entered_and_the_others_listed(deployment, published):
    new = f"1.{next(_numbers)}"
    text = (
        HEADER
        + line(new)
        + line("9.9")
        + offer_line(new, "Z01")
        + offer_line(new, "Z77")
        + line(new, name="Tên mới", share="99")
        + line(published, action="publish")
        + "offer;1.000001\n"
        + line(new)
        + offer_line(f"1.{next(_numbers)}", "Z01", "cease")
    )
    answer = hand_in(text)
    assert (answer.status, counts(answer.json)) == (202, ["waiting", 9, 0, 0, 0, 0])
    location = answer.headers["Location"]
    assert read(location)["status"] == "waiting"
    assert work(deployment) == 1
    assert counts(read(location)) == ["finished", 9, 9, 2, 1, 6]
    page = read(f"{location}/refusals")
    shown = [(one["row"], one["line"], one["code"], one["field"]) for one in page["items"]]
    assert shown == [
        (2, 3, "invalid-request", "/code"),
        (4, 5, "offering-agency-unknown", "/agency"),
        (5, 6, "terms-wrong", "/terms/steps"),
        (6, 7, "procedure-already-published", "/code"),
        (7, 8, "invalid-request", ""),
        (9, 10, "offer-unknown", "/procedure"),
    ]
    assert page["items"][2]["reason"] == "the shares add up to 99"
    assert page["next"] is None
    assert citizen.call("GET", f"/procedures/{new}").json["number"] == 1


def test_a_table_entered_again_changes_nothing(deployment):
    code = f"1.{next(_numbers)}"
    text, key = HEADER + line(code) + offer_line(code, "Z01"), str(uuid4())
    first = hand_in(text, key)
    assert hand_in(text, key).headers["Location"] == first.headers["Location"]
    assert work(deployment) == 1
    location = first.headers["Location"]
    finished = read(location)
    assert counts(finished) == ["finished", 2, 2, 2, 0, 0]
    assert hand_in(text, key).json == finished
    assert work(deployment) == 0
    other = hand_in(text + line("9"), key)
    assert (other.status, other.json["code"]) == (422, "idempotency-key-reused")
    again = hand_in(text).headers["Location"]
    work(deployment)
    assert counts(read(again)) == ["finished", 2, 2, 0, 2, 0]


def test_a_job_delivered_twice_gives_the_same_report(deployment):
    code = f"1.{next(_numbers)}"
    location = hand_in(HEADER + line(code) + line(code, name="x")).headers["Location"]
    message = boto3.client("sqs").receive_message(QueueUrl=deployment)["Messages"][0]
    job = catalogue_import.Job.model_validate_json(message["Body"])
    before = catalogue_import.find(job.catalogue)
    catalogue_import.run(job, dict, lambda: False)
    report = read(location)
    assert counts(report) == ["finished", 2, 2, 2, 0, 0]
    catalogue_import.run(job, dict, lambda: False)
    assert read(location) == report
    # It died before it could note how far it was.
    catalogue_import.imports().put(before)
    catalogue_import.run(job, dict, lambda: False)
    assert counts(read(location)) == counts(report)
    assert len(runtime.event_store().load(f"procedure-{code}")) == 2
    boto3.client("sqs").delete_message(QueueUrl=deployment, ReceiptHandle=message["ReceiptHandle"])


def test_a_long_table_is_entered_in_turns_and_its_refusals_in_pages(deployment):
    batch = catalogue_import.BATCH
    location = hand_in("code\n" + "x\n" * (batch + 20)).headers["Location"]
    assert work(deployment, minutes=0) == 1
    assert counts(read(location))[:3] == ["waiting", batch + 20, 0]
    assert work(deployment) == 1
    assert counts(read(location)) == ["finished", batch + 20, batch + 20, 0, 0, batch + 20]
    seen, cursor = [], ""
    while cursor is not None:
        page = read(f"{location}/refusals?limit=50{cursor}")
        assert len(page["items"]) <= 50
        seen += [one["row"] for one in page["items"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert seen == list(range(1, batch + 21))
    wrong = administrator.call("GET", f"{location}/refusals?cursor=-1")
    assert (wrong.status, wrong.json["code"]) == (400, "invalid-cursor")


def test_an_import_that_got_stuck_is_given_to_the_worker_again(deployment):
    key, text = str(uuid4()), HEADER + line(f"1.{next(_numbers)}")
    location = hand_in(text, key).headers["Location"]
    boto3.client("sqs").purge_queue(QueueUrl=deployment)
    hand_in(text, key)
    assert work(deployment) == 0
    found = catalogue_import.find(location.rsplit("/", 1)[1])
    late = runtime.now() - timedelta(seconds=catalogue_import.STUCK_S + 1)
    catalogue_import.imports().put(found.model_copy(update={"moved_at": late}))
    hand_in(text, key)
    assert work(deployment) == 1
    assert read(location)["status"] == "finished"


def test_what_cannot_be_read_is_refused_at_once():
    # The gateway takes text only, and puts a character of its own for what is none.
    answer = hand_in(b"code\n\xff".decode(errors="replace"))
    assert (answer.status, answer.json["code"]) == (422, "table-unreadable")
    assert answer.json["detail"] == "byte 5 is not UTF-8"
    answer = hand_in("<table/>", kind="text/html")
    assert (answer.status, answer.json["code"]) == (415, "unsupported-media-type")


def test_json_rows_are_entered(deployment):
    code = f"1.{next(_numbers)}"
    rows = [
        {"action": "publish", "code": code, "terms": terms},
        {"action": "amend", "code": code, "terms": terms | {"name": "Tên mới"}},
        {"action": "offer", "code": code, "agency": "Z01", "effective_on": JANUARY},
        {"action": "cease", "code": code, "agency": "Z01", "effective_on": FAR},
        {"action": "repeal", "code": code, "decision": "x", "effective_on": FAR},
        {"action": "promise", "code": code},
        "x",
    ]
    answer = send("POST", "/procedures/imports", {"rows": rows})
    assert work(deployment) == 1
    location = answer.headers["Location"]
    assert counts(read(location)) == ["finished", 7, 7, 5, 0, 2]
    refused = read(f"{location}/refusals")["items"]
    assert [(one["row"], one["field"]) for one in refused] == [(6, "/action"), (7, "")]
    assert "promise" not in json.dumps(refused)


@pytest.mark.parametrize("body", [{}, {"rows": [], "upload": "0" * 64}, {"rows": 1}])
def test_a_request_names_one_table(body):
    answer = send("POST", "/procedures/imports", body)
    assert (answer.status, answer.json["code"]) == (422, "invalid-request")


def test_a_large_table_is_uploaded(deployment):
    code = f"1.{next(_numbers)}"
    data = (HEADER + line(code) + line(code, name="x" * 501)).encode()
    digest = sha256(data).hexdigest()
    asked = {"media_type": "text/csv", "size": len(data), "sha256": digest}
    link = send("POST", "/procedures/imports/uploads", asked)
    assert link.json["headers"]["content-length"] == str(len(data))
    missing = send("POST", "/procedures/imports", {"upload": digest})
    assert (missing.status, missing.json["code"]) == (422, "attachment-not-arrived")
    # What the link would do: moto takes no PUT from outside.
    files.stage(catalogue_import.OWNER, data)
    answer = send("POST", "/procedures/imports", {"upload": digest})
    assert (answer.status, answer.json["rows"]) == (202, None)
    assert work(deployment) == 1
    assert counts(read(answer.headers["Location"])) == ["finished", 2, 2, 1, 0, 1]


def test_an_uploaded_table_that_cannot_be_read_is_refused_whole(deployment):
    digest = files.stage(catalogue_import.OWNER, b"\xff")
    location = send("POST", "/procedures/imports", {"upload": digest}).headers["Location"]
    assert work(deployment) == 1
    found = read(location)
    assert (found["status"], found["problem"]["code"]) == ("refused", "table-unreadable")
    gone = send("POST", "/procedures/imports", {"upload": digest, "format": "json"})
    boto3.client("s3").delete_object(
        Bucket=runtime.staging_bucket(), Key=f"uploads/{catalogue_import.OWNER}/{digest}"
    )
    assert work(deployment) == 1
    assert read(gone.headers["Location"])["problem"]["code"] == "attachment-not-arrived"


def test_too_much_is_refused():
    size = catalogue_import.MAX_BYTES + 1
    asked = {"media_type": "text/csv", "size": size, "sha256": "0" * 64}
    answer = send("POST", "/procedures/imports/uploads", asked)
    assert (answer.status, answer.json["code"]) == (422, "table-too-large")
    digest = files.stage(catalogue_import.OWNER, b" " * size)
    answer = send("POST", "/procedures/imports", {"upload": digest})
    assert (answer.status, answer.json["code"]) == (422, "table-too-large")
    answer = hand_in(b" " * (MAX_BODY_BYTES + 1))
    assert (answer.status, answer.json["code"]) == (413, "body-too-large")


def test_an_unknown_import_is_not_found():
    for path in ("/procedures/imports/x", "/procedures/imports/x/refusals"):
        answer = administrator.call("GET", path)
        assert (answer.status, answer.json["code"]) == (404, "import-unknown")
