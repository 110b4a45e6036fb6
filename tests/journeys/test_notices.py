"""Applicants of the deployed system hear of their dossiers, and print their forms."""

import json
import re

import pytest
from contexts.dossiers.demo_dossiers import TERMS
from journeys.journey import digest, until
from journeys.marks import MARK
from receivers import receiver

CODE = "1.000708"
EMAIL, NAME = f"{MARK}-2@example.org", f"{MARK} Applicant"
FORM = b"%PDF-1.7 demo form of a notice"


@pytest.fixture(scope="module")
def desk(journey):
    """An agency that takes the demo dossiers."""
    desk = journey.join()
    body = {"code": CODE, "terms": TERMS.model_dump(mode="json")}
    journey.api.call("POST", "/procedures", role="administrator", body=body)
    offer, body = f"/procedures/{CODE}/offers/{desk.code}", {"effective_on": "2026-01-01"}
    journey.api.call("PUT", offer, role="administrator", body=body)
    return desk


def file(journey, desk, **contact):
    """A dossier that is filed and accepted: its path and code."""
    said = {"media_type": "application/pdf", "size": len(FORM), "sha256": digest(FORM)}
    link = journey.api.call("POST", "/components/uploads", role="citizen", body=said).body
    journey.http.request("PUT", link["url"], body=FORM, headers=link["headers"])
    body = {
        "procedure": CODE,
        "receiver": desk.code,
        "applicant": {"name": NAME},
        "contact": contact,
        # More than a table's item holds.
        "answers": {"fields": {"demo": f"{MARK} " * 30_000}},
        "components": [
            {"code": "KQ000001", "kind": "electronic", "file": said},
            {"code": "KQ000002", "kind": "copy"},
        ],
    }
    filed = journey.api.call("POST", "/dossiers", role="citizen", body=body).body
    path = f"/dossiers/{filed['dossier']}"
    accept = {"role": "officer", "agency": desk.code, "body": {}}
    journey.api.call("PUT", f"{path}/acceptance", **accept)
    return path, filed["code"]


def told(journey, path):
    items = journey.api.get(f"{path}/notices", role="citizen")["items"]
    return [(one["type"], one["way"], one["state"]) for one in items]


def test_applicants_are_told_by_email_and_webhook(journey, desk):
    with receiver() as portal:
        by_mail, _ = file(journey, desk, email=EMAIL, notify="email")
        theirs = f"{portal.url}/{MARK}"
        by_post, _ = file(journey, desk, webhook=theirs, notify="webhook")
        journey.settled()
        journey.stack.ring("schedule", "Notify")
        for path, way in ((by_mail, "email"), (by_post, "webhook")):
            both = [("dossier.submitted", way, "sent"), ("dossier.accepted", way, "sent")]
            until(f"notices by {way}", lambda path=path, both=both: told(journey, path) == both)
        said = [json.loads(post.body)["type"] for post in portal.posts]
        assert sorted(said) == ["dossier.accepted", "dossier.submitted"]
        assert all(theirs.endswith(post.path) for post in portal.posts)


def test_an_applicant_prints_the_receipt(journey, desk):
    path, code = file(journey, desk)
    link = journey.api.get(f"{path}/forms/01?format=pdf", role="citizen")
    printed = journey.fetch(link["url"])
    assert printed.startswith(b"%PDF")
    assert re.search(rf"01-{re.escape(code)}\.pdf", link["url"])
    url = f"{journey.api.url}{path}/forms/01"
    token = {"authorization": f"Bearer {journey.api.token('citizen', None)}"}
    page = journey.http.request("GET", url, headers=token)
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert NAME in page.data.decode()
