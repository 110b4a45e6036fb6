"""A clerk's contact travels unread; an applicant sees who read about them, and is forgotten."""

import json
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime

from journeys.journey import STAFF, edxml_status, id_of, number, reference, until
from journeys.marks import MARK
from journeys.test_one_dossier import NAME, Case

from chalicelib.eventstore.store import utc_now
from chalicelib.privacy.keys import KeyRing
from infra.api import Api

LONG_AGO = datetime(2020, 1, 31, tzinfo=UTC)


def test_a_clerks_name_is_read_at_either_end(journey):
    sender, receiver, other = journey.join(), journey.join("edxml"), journey.join()
    id_ = id_of(journey.send(sender, [receiver, other], number="5"))
    journey.told(sender, id_, "01", "01")
    receiver.post(journey.api, edxml_status(receiver, sender, reference(sender, "5"), "03"))
    journey.told(sender, id_, "01", "01", "03")
    assert STAFF["staff"].encode() in receiver.received[0].body
    assert f"rendered/{receiver.received[0].id}" in journey.objects("Content")
    assert other.received[0].data["staff"] == STAFF
    assert sender.received[-1].data["staff"] == STAFF
    assert journey.get(other, f"/documents/{id_}")["staff"] == STAFF


def test_an_applicant_sees_who_read_about_them_and_is_forgotten(journey):
    person = f"demo-forgotten-{number()}"

    def token(role, agency):
        return journey.issuer.token(f"{person}-{role}-{agency}", role, agency)

    theirs = copy(journey)
    theirs.api = Api(journey.stack.api_url, token)
    case = Case(theirs)
    case.work("acceptance")
    officer = {"role": "officer", "agency": case.desk.code}
    assert case.ask("GET", case.path, **officer).body["applicant"]["name"] == NAME
    [told] = case.ask("GET", "/my/accesses").body["items"]
    assert (told["by_agency"], told["what"]) == (case.desk.code, case.path)

    def files():
        return [key for key in journey.objects("Content") if key.startswith("components/")]

    before = files()
    case.ask("PUT", "/my/erasure", {"reason": f"{MARK} wants to be forgotten"})
    subject = case.ask("GET", "/my/erasure").body["subject"]
    assert [key for key in before if f"/{subject}/" in key]
    asked = f"/subjects/{subject}/erasure"
    case.ask("PUT", f"{asked}/approval", role="administrator")
    journey.settled()
    journey.stack.ring("schedule", "Erase")

    def status():
        return case.ask("GET", asked, role="auditor").body["status"] == "erased"

    until("the erasure", status)
    assert set(files()) == {key for key in before if f"/{subject}/" not in key}
    journey.settled()
    export = case.ask("GET", "/history/export/1", role="auditor").body
    told = [json.loads(line) for line in journey.fetch(export["url"]).splitlines()]
    assert told[0]["lienthongposition"] == 1
    stream = journey.api.call("GET", f"/history/streams/subject-{subject}", role="auditor").body
    assert [event["type"].partition(".")[2] for event in stream["items"]] == [
        "erasure_requested", "erasure_approved", "erased",
    ]  # fmt: skip


def keys(journey, today=utc_now):
    """The keys of persons, as somebody has them for whom it is that day."""
    services = journey.client("dynamodb"), journey.client("kms")
    tables = (journey.name(f"{name}KeysTable") for name in ("Subject", "Epoch"))
    rings = [KeyRing(*services, table, journey.name("MasterKey")) for table in tables]
    return replace(rings[0], epochs=rings[1], today=today)


def test_keys_that_an_old_month_wrapped_are_wrapped_anew_and_the_months_is_gone(journey):
    journey.join()
    person, now = f"demo:{number()}", keys(journey)
    key = keys(journey, lambda: LONG_AGO).key(person)
    assert f"{LONG_AGO:%Y-%m}" in now.epochs.subjects()
    journey.stack.ring("schedule", "Erase")
    until("the old key to be gone", lambda: f"{LONG_AGO:%Y-%m}" not in now.epochs.subjects())
    assert now.key(person, create=False) == key


def test_a_letter_does_not_name_a_clerk_who_was_forgotten_before_it_was_written(journey):
    sender, receiver = journey.join(), journey.join("edxml")
    with journey.deaf("Deliver"):
        sent = journey.send(sender, [receiver])
        [commit] = [
            json.loads(item["body"]["B"])
            for item in journey.items("Events")
            if item["stream"]["S"] == f"document-{id_of(sent)}"
        ]
        keys(journey).forget(commit[0]["staff"]["subject"])
    [letter] = until("the letter", lambda: receiver.received)
    assert b"Demo: a document on its way" in letter.body
    assert MARK.encode() not in letter.body
