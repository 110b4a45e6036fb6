"""A clerk's contact travels to whom it may concern and is readable nowhere on the way."""

from journeys.journey import edxml_status, id_of, reference, until

from chalicelib.contexts.documents.edxml.model import StaffContact as EdxmlContact
from infra import template

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
