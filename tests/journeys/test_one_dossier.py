"""A citizen's dossier from filing to result, with an opinion of another agency over the axis."""

from datetime import date

import pytest
from contexts.dossiers.demo_dossiers import TERMS
from journeys.journey import digest, until
from journeys.marks import MARK

from chalicelib.contexts.documents.domain.events import document_id

CODE = "1.000707"
NAME, REASON = f"{MARK} Applicant", f"{MARK} forgot a paper"
APPLICANT = {"name": NAME, "identity_number": f"{MARK} 0123", "address": f"{MARK} Street 1"}
CONTACT = {"email": f"{MARK}@example.org", "phone": f"{MARK} 0987", "address": f"{MARK} Street 2"}
ANSWERS = {"subject_matter": f"about {MARK}", "fields": {"why": f"{MARK} answer"}}
FORM, RESULT = b"%PDF-1.7 demo form", b"%PDF-1.7 demo result"


class Case:
    """A dossier that was filed online with an agency that can ask another one."""

    def __init__(self, journey):
        self.journey = journey
        self.desk, self.other = journey.join(), journey.join()
        terms = TERMS.model_dump(mode="json")
        body = {"code": CODE, "terms": terms}
        journey.api.call("POST", "/procedures", role="administrator", body=body)
        offer = f"/procedures/{CODE}/offers/{self.desk.code}"
        body = {"effective_on": "2026-01-01"}
        journey.api.call("PUT", offer, role="administrator", body=body)
        form = self.upload("citizen", None, FORM)
        self.said = self.ask(
            "POST",
            "/dossiers",
            {
                "procedure": CODE,
                "receiver": self.desk.code,
                "applicant": APPLICANT,
                "contact": CONTACT,
                "answers": ANSWERS,
                "components": [
                    {"code": "KQ000001", "kind": "electronic", "file": form},
                    {"code": "KQ000002", "kind": "copy"},
                ],
            },
        ).body
        self.path = f"/dossiers/{self.said['dossier']}"

    def ask(self, method, path, body=None, role="citizen", agency=None):
        return self.journey.api.call(method, path, role=role, agency=agency, body=body)

    def work(self, what, body=None, method="PUT"):
        """A wish of the desk's."""
        path = f"{self.path}/{what}"
        return self.ask(method, path, body, role="officer", agency=self.desk.code)

    def see(self):
        return self.ask("GET", self.path).body

    def upload(self, role, agency, content):
        said = {
            "media_type": "application/pdf",
            "size": len(content),
            "sha256": digest(content),
        }
        link = self.ask("POST", "/components/uploads", said, role, agency).body
        answer = self.journey.http.request(
            "PUT", link["url"], body=content, headers=link["headers"]
        )
        assert answer.status == 200
        return said


@pytest.fixture(scope="module")
def case(journey):
    return Case(journey)


def test_from_filing_to_the_result_over_the_axis(journey, case):
    case.work("acceptance")
    due = case.see()["clock"]["due_at"]
    case.work("forwardings", {"step": "receive", "to": "examine"}, "POST")
    case.work("supplement-requests", {"components": ["KQ000003"], "reason": REASON}, "POST")
    more = case.upload("citizen", None, b"%PDF-1.7 demo supplement")
    given = {"components": [{"code": "KQ000003", "kind": "electronic", "file": more}]}
    case.ask("POST", f"{case.path}/supplements", given)
    assert case.see()["clock"]["due_at"] >= due

    question = {"asked": [case.other.code], "question": "Demo: is this so?"}
    case.work("consultations", question, "POST")
    assert case.see()["status"] == "consulting"
    got = until("the question at the other agency", lambda: case.other.received)[0]
    [asked] = case.see()["consultations"]
    assert got.data["official"]["reference"] == asked["reference"]
    assert got.data["official"]["content"] == question["question"]
    assert got.data["document"] == asked["document"]
    issuer, _, number = asked["reference"].split(",")
    on = date.fromisoformat(got.data["official"]["promulgated_on"])
    assert asked["document"] == document_id(issuer, on, *number.split("/"))
    assert NAME.encode() not in got.body

    answer = journey.send(case.other, [case.desk], answers=[asked["reference"]])
    until("the answer in the dossier", lambda: case.see()["status"] == "processing")
    told = case.see()["consultations"][0]["answers"]
    assert f"/documents/{told[case.other.code]}" == answer.location

    paper = case.upload("officer", case.desk.code, RESULT)
    case.work("completion", {"results": [{"name": "Giấy thử nghiệm", "file": paper}]})
    case.work("handover", {"means": "electronic"})
    shown = case.see()
    assert (shown["status"], shown["portal"], shown["delivery"]) == ("returned", 10, "electronic")
    link = case.ask("GET", f"{case.path}/files/{paper['sha256']}").body["url"]
    assert journey.fetch(link) == RESULT


def test_nobody_else_sees_it(journey, case):
    other = case.other.code
    journey.refused(404, "dossier-unknown", journey.get, case.other, case.path)
    audited = case.ask("GET", case.path, role="auditor").body
    assert audited["applicant"] is None
    assert audited["code"] == case.said["code"]
    refused = journey.refused(
        403, "not-your-dossier", case.ask, "PUT", f"{case.path}/recall", {"reason": "Demo"},
        "officer", other,
    )  # fmt: skip
    assert refused["rule"]


def test_only_who_filed_it_reads_what_they_said(journey, case):
    shown = case.see()
    assert (shown["applicant"], shown["answers"]) == (APPLICANT, ANSWERS)
    kept = repr(journey.items("Events"))
    assert case.said["code"] in kept
    assert case.said["check_word"] not in kept
