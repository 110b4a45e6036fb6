"""Forms and notices over HTTP, and the worker that tells applicants."""

import io
import json
import os
from unittest import mock
from uuid import uuid4

import boto3
import pypdf
import pytest
from contexts.dossiers.counter import (
    AUDITOR,
    CITIZEN,
    CLERK,
    OTHERS_CLERK,
    STRANGER,
    UNKNOWN,
    Context,
    accepted,
    file,
    follow,
    open_counter,
)
from contexts.dossiers.demo_dossiers import ask
from deployed import on_moto
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from receivers import receiver

from chalicelib import runtime
from chalicelib.contexts.dossiers.codes import check_word
from chalicelib.contexts.dossiers.domain.commands import AdoptState
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.projections import which_procedures_are_there
from chalicelib.handle import handle
from chalicelib.registry import PROJECTIONS
from chalicelib.workers import notify

PAGE = "https://portal.example/tra-cuu?ma="
SENDER = "portal@example.org"


@pytest.fixture(autouse=True, scope="module")
def gateway():
    """The counter, and a gateway for short messages on this machine."""
    with on_moto(), receiver() as system:
        chosen = {"tracking_url": PAGE, "email_from": SENDER, "sms_gateway": system.url}
        local = {"DOSSIERS": json.dumps(chosen), "ALLOW_LOOPBACK": "1"}
        with mock.patch.dict(os.environ, local):
            boto3.client("ses").verify_email_identity(EmailAddress=SENDER)
            open_counter()
            yield system


@pytest.fixture(scope="module")
def path():
    return accepted()


def mailed():
    return ses_backends[DEFAULT_ACCOUNT_ID]["ap-southeast-1"].sent_messages


def tell():
    follow()
    assert notify({"Records": [{"body": '{"ring": "schedule"}'}]}, Context) == {
        "batchItemFailures": []
    }


# Forms.


def test_an_applicant_and_the_desk_read_the_receipt(path):
    word = check_word(path.rsplit("/", 1)[1])
    for reader in (CITIZEN, CLERK):
        answer = reader.ask("GET", f"{path}/forms/01")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Cache-Control"] == "no-store"
        for said in ("Demo Applicant", "Demo agency Z01", "Giấy tiếp nhận hồ sơ", word):
            assert said in answer.text


def test_an_auditor_reads_it_without_what_is_personal(path):
    answer = AUDITOR.ask("GET", f"{path}/forms/01")
    assert answer.status == 200
    for said in ("Demo Applicant", "demo@example.org", check_word(path.rsplit("/", 1)[1])):
        assert said not in answer.text


def test_a_pdf_comes_by_a_link_to_where_nothing_stays(path):
    found = CITIZEN.get(f"{path}/forms/01?format=pdf")
    assert found.keys() == {"url", "expires_at"}
    link, _, asked = found["url"].partition("?")
    assert "/staging/forms/" in link
    assert "Demo" not in found["url"]
    assert "01-Z01-" in asked
    key = link.split("/staging/")[1]
    kept = runtime.client("s3").get_object(Bucket="staging", Key=key)
    assert kept["ContentType"] == "application/pdf"
    said = pypdf.PdfReader(io.BytesIO(kept["Body"].read())).pages[0].extract_text()
    assert "Demo Applicant" in said
    again = CITIZEN.get(f"{path}/forms/01?format=pdf")
    assert again["url"].partition("?")[0] == link, "the same form is the same file"


def test_the_control_sheet_names_who_had_it(path):
    assert "Tiếp nhận hồ sơ" in CLERK.ask("GET", f"{path}/forms/06").text


def test_whose_it_is_not_learns_nothing(path):
    for reader in (STRANGER, OTHERS_CLERK):
        for form in ("01", "07"):
            assert reader.refused("GET", f"{path}/forms/{form}") == UNKNOWN
        assert reader.refused("GET", f"{path}/notices") == UNKNOWN


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        pytest.param("07", (404, "form-unknown"), id="a list is no form"),
        pytest.param("03", (409, "form-not-issued"), id="it was accepted"),
        pytest.param("01?format=docx", (422, "invalid-request"), id="another shape"),
        pytest.param("01?size=A3", (422, "invalid-request"), id="another wish"),
    ],
)
def test_what_is_not_there_is_refused(path, form, refusal):
    assert CLERK.refused("GET", f"{path}/forms/{form}") == refusal


def test_forms_of_a_dossier_kept_elsewhere_are_printed_there():
    id_ = uuid4().hex
    wish = ask(AdoptState, at=runtime.now(), dossier=id_)
    handle(runtime.event_store(), dossier, id_, wish)
    refusal = CLERK.refused("GET", f"/dossiers/{id_}/forms/01")
    assert refusal == (409, "dossier-kept-elsewhere")


def test_once_the_applicant_is_forgotten_the_form_is_blank():
    path = accepted(person=CLERK, channel="direct", applicant={"name": "Demo Forgotten"})
    assert "Demo Forgotten" in CLERK.ask("GET", f"{path}/forms/01").text
    subject = runtime.event_store().load(path[1:].replace("dossiers/", "dossier-"))[0].data()[0]
    runtime.client("dynamodb").delete_item(
        TableName=runtime.table("subject_keys"), Key={"subject": {"S": subject["subject"]}}
    )
    runtime.vault().keys._plain.clear()
    answer = CLERK.ask("GET", f"{path}/forms/01")
    assert answer.status == 200
    assert "Demo Forgotten" not in answer.text


# Notices.


def test_the_worker_tells_what_happened_and_says_so(gateway):
    mailed().clear()
    said = file(contact={"email": "demo@example.org", "notify": "email"}, language="en")
    path = f"/dossiers/{said['dossier']}"
    CLERK.do("PUT", f"{path}/acceptance")
    tell()
    assert sorted(mail.subject.split(", due")[0] for mail in mailed()) == [
        f"Dossier {said['code']} has been accepted",
        f"Dossier {said['code']} has been filed",
    ]
    assert all(mail.body.endswith(PAGE + said["code"]) for mail in mailed())
    for reader in (CITIZEN, CLERK, AUDITOR):
        items = reader.get(f"{path}/notices")["items"]
        assert [(one["type"], one["way"], one["state"]) for one in items] == [
            ("dossier.submitted", "email", "sent"),
            ("dossier.accepted", "email", "sent"),
        ]
        assert "demo@example.org" not in json.dumps(items)


def test_a_telephone_hears_through_the_gateway(gateway):
    gateway.posts.clear()
    said = file(contact={"phone": "+84900000000", "notify": "sms"})
    tell()
    (post,) = gateway.posts
    assert json.loads(post.body)["text"] == f"Hồ sơ {said['code']} đã được nộp"


def test_a_view_that_is_rebuilt_tells_nobody_anything(gateway):
    mailed().clear()
    file(contact={"email": "demo@example.org", "notify": "email"})
    tell()
    assert len(mailed()) == 1
    views, answer = runtime.views(), which_procedures_are_there.answer
    views.rebuild(answer)
    runtime.projector().follow(*PROJECTIONS)
    assert views.generations(answer, runtime.checkpoints().item()).live == 2
    tell()
    assert len(mailed()) == 1
