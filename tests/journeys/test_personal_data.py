"""A clerk's contact travels unread; an applicant sees who read about them, and is forgotten."""

import json
from copy import copy

from journeys.journey import edxml_status, id_of, reference, until
from journeys.test_one_dossier import MARKERS as APPLICANT
from journeys.test_one_dossier import Case

from chalicelib.contexts.documents.edxml.model import StaffContact as EdxmlContact
from infra import template
from infra.api import Api

NAME, MAIL = "Marker Clerk 7f3a", "marker-7f3a@example.org"
REPORTER = "Marker Reporter 7f3b"
MARKERS = (NAME, MAIL, REPORTER)


def test_nothing_on_the_way_can_read_a_clerks_name(journey):
    sender, receiver, other = journey.join(), journey.join("edxml"), journey.join()
    staff = {"department": "Demo office", "staff": NAME, "email": MAIL, "mobile": "0123 456 789"}
    subject = "Demo: a subject that anybody may read"
    with journey.deaf("Deliver"):
        sent = journey.send(sender, [receiver, other], number="5", subject=subject, staff=staff)
        id_ = id_of(sent)
        queue = until("a wake-up", lambda: wake_ups(journey, receiver))
    journey.told(sender, id_, "01", "01")
    message = edxml_status(
        receiver, sender, reference(sender, "5"), "03", staff=EdxmlContact(staff=REPORTER)
    )
    receiver.post(journey.api, message)
    journey.told(sender, id_, "01", "01", "03")

    assert NAME.encode() in receiver.received[0].body
    assert other.received[0].data["staff"] == staff
    assert sender.received[-1].data["staff"]["staff"] == REPORTER
    assert journey.get(other, f"/documents/{id_}")["staff"] == staff

    journey.settled()
    kept = {name: repr(journey.items(name)) for name in template.TABLES}
    kept |= {f"objects {key}": str(body) for key, body in journey.objects("Content").items()}
    kept["keys"] = " ".join(journey.objects("Content"))
    kept["staging"] = str(journey.objects("Staging"))
    kept["queue"] = queue
    kept["log"] = "".join(journey.log()) + journey.stack.log.read_text(errors="replace")
    assert f"rendered/{receiver.received[0].id}" in kept["keys"]
    # What may be read is found this way, so what is not found is not there.
    assert subject in kept["Events"]
    assert receiver.code in kept["queue"]
    assert "Deliver" in kept["log"]
    assert [
        (where, marker) for where, text in kept.items() for marker in MARKERS if marker in text
    ] == []


def wake_ups(journey, agency):
    """What waits in the queue, and is left there, once something in it is for this agency."""
    if not any(lane.lane.startswith(agency.code) for lane in journey.lanes.every()):
        return None  # A look counts as a delivery: not too many of them.
    answer = journey.client("sqs").receive_message(
        QueueUrl=journey.name("DeliverQueue"),
        VisibilityTimeout=0,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        AttributeNames=["All"],
    )
    found = repr(answer.get("Messages"))
    return found if agency.code in found else None


def test_an_applicant_sees_who_read_about_them_and_is_forgotten(journey):
    def token(role, agency):
        return journey.issuer.token(f"demo-forgotten-{role}-{agency}", role, agency)

    theirs = copy(journey)
    theirs.api = Api(journey.stack.api_url, token)
    case = Case(theirs)
    case.work("acceptance")
    officer = {"role": "officer", "agency": case.desk.code}
    assert case.ask("GET", case.path, **officer).body["applicant"]["name"] in APPLICANT
    [told] = case.ask("GET", "/my/accesses").body["items"]
    assert (told["by_agency"], told["what"]) == (case.desk.code, case.path)

    def files():
        return [key for key in journey.objects("Content") if key.startswith("components/")]

    before = files()
    case.ask("PUT", "/my/erasure", {"reason": "Demo: no longer needed"})
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
