"""Dossiers over HTTP: who may ask what, and what the answer says."""

from datetime import timedelta
from uuid import uuid4

import pytest
from contexts.dossiers.counter import (
    AUDITOR,
    CITIZEN,
    CLERK,
    HEAD,
    OTHERS_CLERK,
    SPECIALIST,
    STRANGER,
    UNKNOWN,
    Person,
    accepted,
    dossier_of,
    file,
    filed,
    merge,
    open_counter,
    origin,
    processing,
    upload,
)
from contexts.dossiers.demo_dossiers import DESK, OTHER
from deployed import on_moto

from chalicelib import runtime
from chalicelib.contexts.dossiers.domain.procedure import RepealProcedure, procedure
from chalicelib.handle import handle
from chalicelib.working_time import HANOI


@pytest.fixture(autouse=True, scope="module")
def counter():
    with on_moto():
        open_counter()
        yield


def today():
    return runtime.now().astimezone(HANOI).date()


class TestFiling:
    def test_a_citizen_files_and_sees_the_dossier_with_everything_they_said(self):
        form = upload(CITIZEN, b"demo form")
        answer = CITIZEN.ask("POST", "/dossiers", dossier_of(CITIZEN, form))
        assert answer.status == 201, answer.text
        said = answer.json
        assert answer.headers["Location"] == f"/dossiers/{said['dossier']}"
        assert said["code"].startswith(f"{DESK}-{today():%Y%m%d}-")
        assert len(said["check_word"]) == 8
        shown = CITIZEN.get(f"/dossiers/{said['dossier']}")
        assert shown["code"] == said["code"]
        assert (shown["status"], shown["portal"]) == ("submitted", 1)
        assert (shown["channel"], shown["access"]) == ("online", "browser")
        assert shown["applicant"]["name"] == "Demo Applicant"
        assert shown["contact"]["email"] == "demo@example.org"
        assert shown["answers"]["fields"] == {"colour": "blue"}
        assert [each["code"] for each in shown["components"]] == ["KQ000001", "KQ000002"]
        assert shown["history"][0]["type"] == "dossier.submitted"
        assert shown["answer_by"]

    def test_the_same_request_again_finds_the_same_dossier_and_needs_no_upload(self):
        key, said = str(uuid4()), dossier_of(CITIZEN)
        first = CITIZEN.do("POST", "/dossiers", said, key=key)
        again = CITIZEN.do("POST", "/dossiers", said, key=key)
        assert {name: again[name] for name in ("dossier", "code", "check_word")} == {
            name: first[name] for name in ("dossier", "code", "check_word")
        }
        changed = said | {"wanted": "post"}
        assert CITIZEN.refused("POST", "/dossiers", changed, key=key) == (
            422,
            "idempotency-key-reused",
        )

    def test_the_desk_files_for_who_stands_before_it(self):
        said = file(CLERK, channel="direct", receiver=None)
        shown = CLERK.get(f"/dossiers/{said['dossier']}")
        assert (shown["channel"], shown["access"], shown["agency"]) == ("direct", "desk", DESK)
        assert STRANGER.refused("GET", f"/dossiers/{said['dossier']}") == UNKNOWN

    def test_a_desk_that_knows_the_account_files_what_its_owner_then_sees(self):
        path = filed(CLERK, account=CITIZEN.subject)
        assert CITIZEN.get(path)["channel"] == "direct"

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            pytest.param({"receiver": None}, (422, "receiver-needed"), id="for nobody"),
            pytest.param(
                {"receiver": OTHER}, (409, "procedure-not-offered"), id="where it is not offered"
            ),
            pytest.param(
                {"procedure": "1.999999"}, (404, "procedure-unknown"), id="for no procedure"
            ),
            pytest.param({"channel": "post"}, (422, "channel-wrong"), id="by post, online"),
            pytest.param({"account": "demo"}, (422, "invalid-request"), id="for another's account"),
            pytest.param(
                {"contact": {"phone": "+84900000000", "notify": "email"}},
                (422, "invalid-request"),
                id="to be told by e-mail, without an address",
            ),
            pytest.param({"components": []}, (422, "component-missing"), id="with nothing"),
            pytest.param(
                {"components": [{"code": "KQ000001", "kind": "copy"}]},
                (422, "component-kind-wrong"),
                id="with a copy where the original is asked for",
            ),
            pytest.param(
                {"components": [{"code": "KQ000001", "kind": "electronic", "digitised": "a" * 26}]},
                (422, "component-not-reusable"),
                id="with a digitised paper that nobody has",
            ),
            pytest.param(
                {"components": [{"code": "KQ000001", "kind": "original", "calendar": {}}]},
                (422, "invalid-request"),
                id="with a field that nobody knows",
            ),
        ],
    )
    def test_what_cannot_be_filed_is_refused(self, changes, refusal):
        assert CITIZEN.refused("POST", "/dossiers", dossier_of(CITIZEN) | changes) == refusal

    def test_a_file_must_have_arrived_and_be_what_it_is_said_to_be(self):
        form = upload(CITIZEN, b"demo form that arrives")
        missing = form | {"sha256": "00" * 32}
        body = dossier_of(CITIZEN, missing)
        assert CITIZEN.refused("POST", "/dossiers", body) == (422, "attachment-not-arrived")
        shorter = dossier_of(CITIZEN, form | {"size": 1})
        assert CITIZEN.refused("POST", "/dossiers", shorter) == (422, "attachment-digest-mismatch")
        # What was refused leaves nothing behind.
        again = dossier_of(CITIZEN, form)
        assert CITIZEN.refused("POST", "/dossiers", again) == (422, "attachment-not-arrived")

    def test_a_file_must_be_of_the_type_it_is_said_to_be(self):
        wrong = (422, "attachment-type-wrong")
        body = dossier_of(CITIZEN, upload(CITIZEN, b"MZ demo program"))
        assert CITIZEN.refused("POST", "/dossiers", body) == wrong
        # What was refused leaves nothing behind.
        assert CITIZEN.refused("POST", "/dossiers", body) == (422, "attachment-not-arrived")
        path, paper = processing(), upload(SPECIALIST, b"MZ demo program, of the desk")
        done = {"results": [{"name": "Giấy thử nghiệm", "file": paper}]}
        assert SPECIALIST.refused("PUT", f"{path}/completion", done) == wrong
        assert SPECIALIST.get(path)["status"] == "processing"

    def test_what_somebody_else_uploaded_is_not_mine(self):
        form = upload(STRANGER, b"demo form of a stranger")
        body = dossier_of(CITIZEN, form)
        assert CITIZEN.refused("POST", "/dossiers", body) == (422, "attachment-not-arrived")

    def test_a_file_may_not_be_too_large(self):
        said = {"media_type": "application/pdf", "size": 20 * 1024 * 1024 + 1, "sha256": "0" * 64}
        assert CITIZEN.refused("POST", "/components/uploads", said) == (422, "component-too-large")
        body = dossier_of(CITIZEN, said)
        assert CITIZEN.refused("POST", "/dossiers", body) == (422, "component-too-large")

    def test_what_was_repealed_is_not_filed_for(self):
        code = "1.000404"
        open_counter(code=code)
        end = RepealProcedure(
            origin=origin(), code=code, decision="02/QĐ-DEMO", effective_on=today()
        )
        handle(runtime.event_store(), procedure, code, end)
        body = dossier_of(CITIZEN, procedure=code)
        assert CITIZEN.refused("POST", "/dossiers", body) == (409, "procedure-was-repealed")

    def test_what_is_offered_at_the_desk_alone_is_not_filed_online(self):
        code = "1.000405"
        open_counter(code=code, portal=False)
        body = dossier_of(CITIZEN, procedure=code)
        assert CITIZEN.refused("POST", "/dossiers", body) == (409, "procedure-not-offered")
        assert file(CLERK, procedure=code)["code"]


class TestSeeing:
    def test_nobody_elses_dossier_exists(self):
        path = filed()
        assert STRANGER.refused("GET", path) == UNKNOWN
        assert OTHERS_CLERK.refused("GET", path) == UNKNOWN
        assert CITIZEN.refused("GET", "/dossiers/nothing") == UNKNOWN
        assert CITIZEN.refused("GET", "/dossiers/a-b") == UNKNOWN

    def test_a_clerk_who_signs_in_as_a_citizen_is_one(self):
        path, at_home = filed(), Person("citizen", "demo-clerk", DESK)
        assert at_home.refused("GET", path) == UNKNOWN
        assert at_home.refused("PUT", f"{path}/withdrawal", {"reason": "Demo"}) == UNKNOWN
        assert at_home.get(filed(at_home))["channel"] == "online"

    def test_the_agency_sees_it_and_an_auditor_sees_it_without_the_person(self):
        path = filed()
        CLERK.do("PUT", f"{path}/refusal", {"reason": "Demo reason"})
        assert CLERK.get(path)["applicant"]["name"] == "Demo Applicant"
        assert CITIZEN.get(path)["history"][1]["reason"] == "Demo reason"
        shown = AUDITOR.get(path)
        assert shown["status"] == "not_accepted"
        assert shown["applicant"] is shown["contact"] is shown["answers"] is None
        assert shown["history"][1]["reason"] is None

    def test_its_files_are_fetched_by_digest_by_those_who_see_it(self):
        form = upload(CITIZEN, b"demo form to fetch")
        path = filed(form=form)
        for who in (CITIZEN, CLERK):
            assert "X-Amz-Signature" in who.get(f"{path}/files/{form['sha256']}")["url"]
        assert STRANGER.refused("GET", f"{path}/files/{form['sha256']}") == UNKNOWN
        assert CITIZEN.refused("GET", f"{path}/files/{'0' * 64}") == UNKNOWN
        assert AUDITOR.refused("GET", f"{path}/files/{form['sha256']}")[1] == "role-not-allowed"

    def test_a_persons_files_are_kept_in_one_folder_of_theirs(self):
        form = upload(CITIZEN, b"demo form to find")
        subject = runtime.subject("person", CITIZEN.subject)
        filed(form=form)
        key = f"components/{subject}/{form['sha256']}"
        kept = runtime.client("s3").get_object(Bucket="content", Key=key)["Body"].read()
        assert kept == b"demo form to find"

    def test_once_the_person_is_forgotten_it_is_blank_and_its_history_whole(self):
        person = Person("citizen", f"demo-{uuid4()}")
        path = filed(person)
        CLERK.do("PUT", f"{path}/refusal", {"reason": "Demo reason"})
        runtime.client("dynamodb").delete_item(
            TableName=runtime.table("subject_keys"),
            Key={"subject": {"S": runtime.subject("person", person.subject)}},
        )
        runtime.vault.cache_clear()  # As every process has after five minutes.
        shown = CLERK.get(path)  # Loading checks every hash.
        assert shown["applicant"] is shown["contact"] is shown["answers"] is None
        assert [told["type"] for told in shown["history"]] == [
            "dossier.submitted",
            "dossier.not_accepted",
        ]
        assert shown["history"][1]["reason"] is None


class TestWorking:
    def test_from_filing_to_the_result(self):
        path = accepted()
        shown = CITIZEN.get(path)
        assert (shown["status"], shown["step"]["unit"]) == ("accepted", "desk")
        assert shown["clock"]["due_at"] > shown["filed_at"]
        CLERK.do("POST", f"{path}/forwardings", {"step": "receive", "to": "examine"})
        wanted = {"components": ["KQ000003"], "reason": "Demo: more is needed"}
        SPECIALIST.do("POST", f"{path}/supplement-requests", wanted)
        assert CITIZEN.get(path)["asked"]["components"] == ["KQ000003"]
        more = upload(CITIZEN, b"demo supplement")
        given = {"components": [{"code": "KQ000003", "kind": "electronic", "file": more}]}
        CITIZEN.do("POST", f"{path}/supplements", given)
        shown = CLERK.get(path)
        assert [each["code"] for each in shown["components"]][-1] == "KQ000003"
        SPECIALIST.do("PUT", f"{path}/pause", {"reason": "Demo pause"})
        assert CLERK.get(path)["status"] == "paused"
        SPECIALIST.do("DELETE", f"{path}/pause")
        SPECIALIST.do("POST", f"{path}/forwardings", {"step": "examine", "to": "sign"})
        HEAD.do("POST", f"{path}/returns", {"step": "sign", "to": "examine", "reason": "Demo"})
        SPECIALIST.do("POST", f"{path}/forwardings", {"step": "examine", "to": "sign"})
        paper = upload(HEAD, b"demo result")
        done = {"results": [{"name": "Giấy thử nghiệm", "file": paper}]}
        HEAD.do("PUT", f"{path}/completion", done)
        shown = CITIZEN.get(path)
        assert (shown["status"], shown["delivery"]) == ("processed", "waiting")
        [result] = shown["results"]
        assert result["code"].startswith(f"KQ.{DESK}.")
        assert "url" in CITIZEN.get(f"{path}/files/{paper['sha256']}")
        CLERK.do("PUT", f"{path}/handover", {"means": "desk"})
        CLERK.do("PUT", f"{path}/recall", {"reason": "Demo: a slip of the pen"})
        CLERK.do("PUT", f"{path}/correction", {"results": [{"name": "Giấy đã sửa"}]})
        shown = CITIZEN.get(path)
        assert (shown["status"], shown["portal"], shown["counted_late"]) == ("processed", 9, False)
        assert shown["results"][0]["name"] == "Giấy đã sửa"

    def test_saying_it_twice_changes_nothing(self):
        path, paper = processing(), upload(SPECIALIST, b"demo result, once")
        done = {"results": [{"name": "Giấy thử nghiệm", "file": paper}]}
        first = SPECIALIST.do("PUT", f"{path}/completion", done)
        assert SPECIALIST.do("PUT", f"{path}/completion", done) == first
        assert CLERK.do("PUT", f"{path}/acceptance") == first

    def test_money_is_asked_for_and_paid_at_the_desk(self):
        path = processing()
        line = {"code": "PHI01", "name": "Phí thử nghiệm", "kind": "fee", "amount": 50_000}
        owed = SPECIALIST.do("POST", f"{path}/obligations", {"lines": [line]})["obligation"]
        shown = CITIZEN.get(path)
        assert (shown["status"], shown["financial"]) == ("payment", "due")
        assert shown["obligations"] == [
            {"obligation": owed, "lines": [line], "amount": 50_000, "means": None}
        ]
        where = f"{path}/obligations/{owed}/fulfilment"
        assert OTHERS_CLERK.refused("PUT", where, {"means": "desk"}) == (403, "not-your-dossier")
        CLERK.do("PUT", where, {"means": "desk", "reference": "DEMO-1"})
        assert CITIZEN.get(path)["obligations"][0]["means"] == "desk"
        other = f"{path}/obligations/nothing/fulfilment"
        assert CLERK.refused("PUT", other, {"means": "desk"}) == (404, "obligation-unknown")
        assert CLERK.refused("PUT", where, {"means": "online"}) == (422, "invalid-request")

    def test_it_is_asked_back_and_declined_and_asked_back_and_given(self):
        path, why = processing(), {"reason": "Demo"}
        assert STRANGER.refused("PUT", f"{path}/withdrawal", why) == UNKNOWN
        CITIZEN.do("PUT", f"{path}/withdrawal", why)
        CLERK.do("PUT", f"{path}/withdrawal/refusal", why)
        assert CITIZEN.get(path)["status"] == "processing"
        CITIZEN.do("PUT", f"{path}/withdrawal", why)
        CLERK.do("PUT", f"{path}/withdrawal/approval")
        assert CITIZEN.get(path)["status"] == "withdrawn"

    def test_what_was_processed_is_not_asked_back(self):
        path = processing()
        SPECIALIST.do("PUT", f"{path}/completion", {})
        refusal = CITIZEN.refused("PUT", f"{path}/withdrawal", {"reason": "Demo"})
        assert refusal == (409, "withdrawal-too-late")

    def test_the_rest_of_the_desks_wishes(self):
        path = accepted()
        CLERK.do("PUT", f"{path}/processing")
        CLERK.do("PUT", f"{path}/assignment", {"to_unit": "specialist", "officer": "demo-2"})
        assert CITIZEN.get(path)["step"]["officer"] == "demo-2"
        before = CITIZEN.get(path)["clock"]["due_at"]
        CLERK.do("PUT", f"{path}/extension", {"hours": 16, "reason": "Demo apology"})
        assert CITIZEN.get(path)["clock"]["due_at"] > before
        again = CLERK.refused("PUT", f"{path}/extension", {"hours": 8, "reason": "Demo"})
        assert again == (409, "deadline-already-extended")
        SPECIALIST.do("PUT", f"{path}/pause", {"reason": "Demo"})
        CLERK.do("PUT", f"{path}/stop", {"reason": "Demo"})
        assert CITIZEN.get(path)["status"] == "stopped"

    @pytest.mark.parametrize(
        ("who", "method", "what", "body", "refusal"),
        [
            pytest.param(
                OTHERS_CLERK, "PUT", "stop", {"reason": "Demo"}, "not-your-dossier",
                id="an officer of another agency",
            ),
            pytest.param(
                HEAD, "POST", "forwardings", {"step": "examine", "to": "sign"}, "not-your-step",
                id="a unit that does not have the step",
            ),
            pytest.param(
                SPECIALIST, "POST", "forwardings", {"step": "receive", "to": "sign"}, "step-passed",
                id="a step that is done",
            ),
            pytest.param(
                CLERK, "PUT", "refusal", {"reason": "Demo"}, "transition-refused",
                id="what the table forbids",
            ),
            pytest.param(
                CITIZEN, "PUT", "acceptance", {}, "role-not-allowed", id="a citizen as an officer"
            ),
            pytest.param(
                AUDITOR, "PUT", "withdrawal", {"reason": "Demo"}, "role-not-allowed",
                id="an auditor who would act",
            ),
            pytest.param(
                CLERK, "PUT", "stop", {"reason": "Demo", "limits": {}}, "invalid-request",
                id="a body that brings its own limits",
            ),
            pytest.param(
                CLERK, "PUT", "stop", {"reason": "Demo", "agency": OTHER}, "invalid-request",
                id="a body that names another desk",
            ),
        ],
    )  # fmt: skip
    def test_who_may_not_is_refused(self, who, method, what, body, refusal):
        assert who.refused(method, f"{processing()}/{what}", body)[1] == refusal

    @pytest.mark.parametrize(
        ("method", "what", "said"),
        [
            pytest.param("POST", "forwardings", {"step": "examine", "to": "sign"}, id="passed on"),
            pytest.param(
                "POST", "returns", {"step": "examine", "to": "receive", "reason": "Demo"},
                id="given back",
            ),
            pytest.param("PUT", "assignment", {}, id="given to others"),
        ],
    )  # fmt: skip
    def test_a_step_goes_to_an_agency_that_there_is(self, method, what, said):
        path = f"{processing()}/{what}"
        nobody = said | {"to_agency": "Z99"}
        assert SPECIALIST.refused(method, path, nobody) == (422, "step-agency-unknown")
        SPECIALIST.do(method, path, said | {"to_agency": OTHER})

    def test_no_obligation_is_larger_than_any_amount_is(self):
        line = {"code": "demo", "name": "Demo", "kind": "fee", "amount": 10**15}
        path = f"{processing()}/obligations"
        asked = {"lines": [line, line]}
        assert SPECIALIST.refused("POST", path, asked) == (422, "invalid-request")
        assert SPECIALIST.do("POST", path, {"lines": [line]})["obligation"]

    def test_of_two_officers_who_saw_the_same_one_is_refused(self):
        path = accepted()
        CLERK.do("PUT", f"{path}/processing", if_match='"2"')
        late = CLERK.refused("PUT", f"{path}/assignment", {"officer": "demo"}, if_match='"2"')
        assert late == (412, "precondition-failed")

    def test_a_dossier_that_is_not_there(self):
        for path in ("/dossiers/nothing/acceptance", "/dossiers/no-thing/acceptance"):
            assert CLERK.refused("PUT", path) == UNKNOWN

    def test_once_it_is_paid_at_intake_its_answer_is_due_anew(self, monkeypatch):
        path, real = filed(), runtime.now
        line = {"code": "PHI01", "name": "Phí thử nghiệm", "kind": "fee", "amount": 50_000}
        owed = CLERK.do("POST", f"{path}/obligations", {"lines": [line]})["obligation"]
        before = CITIZEN.get(path)["answer_by"]
        monkeypatch.setattr(runtime, "now", lambda: real() + timedelta(days=9))
        CLERK.do("PUT", f"{path}/obligations/{owed}/fulfilment", {"means": "desk"})
        assert CITIZEN.get(path)["answer_by"] > before

    def test_a_supplement_comes_in_time_or_not_at_all(self, monkeypatch):
        path, real = processing(), runtime.now
        gone = {"reason": "Demo", "until": (real() - timedelta(hours=1)).isoformat()}
        refusal = SPECIALIST.refused("POST", f"{path}/supplement-requests", gone)
        assert refusal == (422, "supplement-deadline-past")
        asked = gone | {"until": (real() + timedelta(hours=1)).isoformat()}
        SPECIALIST.do("POST", f"{path}/supplement-requests", asked)
        monkeypatch.setattr(runtime, "now", lambda: real() + timedelta(hours=2))
        assert CITIZEN.refused("POST", f"{path}/supplements", {}) == (409, "supplement-too-late")
        assert STRANGER.refused("POST", f"{path}/supplements", {}) == UNKNOWN


def test_who_took_an_agencys_place_acts_on_its_dossiers():
    gone, heir = "Z71", "Z72"
    clerk = Person("officer", "demo-heir", heir)
    open_counter(desk=gone, code="1.000771")
    open_counter(desk=heir, code="1.000772")
    path = filed(procedure="1.000771", receiver=gone)
    assert clerk.refused("PUT", f"{path}/acceptance") == (403, "not-your-dossier")
    assert clerk.refused("GET", path) == UNKNOWN
    merge(gone, heir)
    clerk.do("POST", f"{path}/supplement-requests", {"reason": "Demo"})
    clerk.do("POST", f"{path}/supplements", {})
    clerk.do("PUT", f"{path}/acceptance")
    clerk.do("PUT", f"{path}/processing")
    clerk.do("PUT", f"{path}/completion", {"results": [{"name": "Giấy thử nghiệm"}]})
    assert clerk.get(path)["status"] == "processed"
