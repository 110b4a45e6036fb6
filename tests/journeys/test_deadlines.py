"""A copy that nobody receives in time is found by the schedule, and its sender is told."""

from datetime import UTC, datetime, timedelta

from journeys.journey import id_of, until

from chalicelib.contexts.documents.domain.copy import NoteArrival, Opening, ReceptionTerms, copy
from chalicelib.eventstore.dynamodb import DynamoShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.handle import handle
from chalicelib.kernel import Origin

LONG_AGO = datetime.now(UTC) - timedelta(days=30)


def arrived_long_ago(journey, sender, receiver):
    """A copy that has waited for a month: what the axis would have recorded, had it run then."""
    tables = (journey.name(f"{name}Table") for name in ("Events", "Counters", "Commands"))
    clients = journey.client("dynamodb"), journey.client("s3")
    store = EventStore(DynamoShelf(*clients, *tables, journey.name("ContentBucket")), "demo")
    document = f"demo{sender.code}".lower()
    opening = Opening(
        document=document,
        sender=sender.code,
        receiver=receiver.code,
        urgent=False,
        reference=f"{sender.code},2026/01/02,1/CV-DEMO",
        subject="Demo: a document that waits",
        sender_as_given=sender.code,
        receiver_as_given=receiver.code,
    )
    origin = Origin(
        command_id=document, digest=document, actor="demo", method="operator", at=LONG_AGO
    )
    command = NoteArrival(origin=origin, opening=opening, terms=ReceptionTerms())
    handle(store, copy, f"{document}.{receiver.code}", command)
    return document


def test_a_late_reception_is_found_and_told(journey):
    sender, receiver = journey.join(), journey.join()
    fresh = id_of(journey.send(sender, [receiver]))
    journey.told(sender, fresh, "01")
    late = arrived_long_ago(journey, sender, receiver)
    journey.told(sender, late, "01")

    journey.settled()  # Its view has heard of it.
    journey.stack.ring("schedule", "React")

    def told():
        return [m for m in sender.received if "due_at" in m.data]

    [message] = until("the sender to be told", told)
    assert message.data["document"] == late
    assert message.data["receiver"] == receiver.code
    [item] = journey.get(receiver, "/copies?overdue=true")["items"]
    assert item["document"] == late
    # What has just come has its own time, by the calendar of the deployed package.
    copy_now = journey.get(receiver, f"/documents/{fresh}/copies/{receiver.code}")
    assert datetime.fromisoformat(copy_now["due_at"]) > datetime.now(UTC)
    assert not copy_now["overdue"]
    journey.settled()
    assert len(told()) == 1
