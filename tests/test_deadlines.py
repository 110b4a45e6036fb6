"""Deadlines act by themselves: whenever the schedule rings, however often, also after days."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from survival.world import world as made

from chalicelib import registry, runtime, workers
from chalicelib.contexts.documents import letters
from chalicelib.contexts.documents.domain.events import CopyReceptionOverdue
from chalicelib.contexts.documents.edxml.parse import parse

# Longer than any holidays: whatever day it is today, the time to receive has passed.
A_FORTNIGHT = timedelta(days=14)
PLENTY_MS, A_LITTLE_MS = 900_000, 1_000


@pytest.fixture
def world():
    with made() as world:
        yield world


def minute(*remaining_ms):
    """The schedule rings `react`, which has so much time left each time it looks; then plenty."""
    left = list(remaining_ms)
    context = SimpleNamespace(
        get_remaining_time_in_millis=lambda: left.pop(0) if left else PLENTY_MS,
        aws_request_id="demo",
    )
    body = json.dumps({"ring": "schedule", "id": "demo"})
    workers.react({"Records": [{"messageId": "1", "body": body}]}, context)


def sent_and_arrived(world, sender, *receivers, **fields):
    document = world.send(sender, *receivers, **fields)
    world.settle()
    return document


def facts(document, receiver):
    """What happened to a copy, in order; of what is overdue, since when."""
    commits = runtime.event_store().load(f"copy-{document}.{receiver.code}")
    events = [event for commit in commits for event in commit.data()]
    kinds = [event["type"].removeprefix("copy.") for event in events]
    since = {e["due_at"] for e in events if e["type"].endswith(("overdue", "arrived"))}
    assert len(since) == 1, "what is overdue is so since it was due"
    return kinds


def items(world, path, agency):
    return world.ask("system", agency.code, "GET", path).json["items"]


def test_what_is_not_received_in_time_is_said_once_and_told_to_its_sender(world):
    sender, slow, quick = world.join(), world.join(), world.join()
    document = sent_and_arrived(world, sender, slow, quick)
    world.report(quick, document, "03")
    world.settle()
    minute()
    assert facts(document, slow) == ["opened", "arrived"]

    world.later(A_FORTNIGHT)
    minute()
    minute()  # The view has not even heard of it yet.
    world.settle()
    minute()
    world.settle()

    assert facts(document, slow) == ["opened", "arrived", "reception_overdue"]
    assert facts(document, quick) == ["opened", "arrived", "received"]
    told = [got.data for got in sender.got if "due_at" in got.data]
    assert [(one["document"], one["receiver"]) for one in told] == [(document, slow.code)]
    assert [i["document"] for i in items(world, "/copies?overdue=true", slow)] == [document]
    assert items(world, "/copies?overdue=true", quick) == []
    [late] = items(world, "/documents?overdue=true", sender)
    assert late["overdue"] == [slow.code]
    world.check()


def test_it_makes_no_difference_that_the_schedule_was_off_for_days(world):
    sender, watched, unwatched = world.join(), world.join(), world.join()
    document = sent_and_arrived(world, sender, watched, unwatched)
    world.later(A_FORTNIGHT)
    world.report(unwatched, document, "03")
    minute()
    world.report(watched, document, "03")
    world.settle()
    minute()
    world.settle()
    same = ["opened", "arrived", "reception_overdue", "received"]
    assert facts(document, watched) == facts(document, unwatched) == same
    # Both are told in the order in which it is true.
    told = [
        (got.data["receiver"], got.data.get("code", "overdue"))
        for got in sender.got
        if got.data.get("receiver")
    ]
    for receiver in (watched, unwatched):
        assert [what for who, what in told if who == receiver.code] == ["01", "overdue", "03"]
    assert items(world, "/documents?overdue=true", sender) == []
    world.check()


def test_what_there_is_no_time_for_is_done_a_minute_later_earliest_first(world):
    sender, receiver = world.join(), world.join()
    documents = [sent_and_arrived(world, sender, receiver) for _ in range(2)]
    urgent = sent_and_arrived(world, sender, receiver, priority=1)
    world.later(A_FORTNIGHT)
    by_time = [urgent, *documents]

    def said():
        return [one for one in by_time if "reception_overdue" in facts(one, receiver)]

    minute(PLENTY_MS, A_LITTLE_MS)
    assert said() == [urgent]
    minute()
    assert said() == by_time


def test_a_case_that_fails_holds_up_no_other(world):
    sender, broken, whole = world.join(), world.join(), world.join()
    # The urgent one falls due first.
    first = sent_and_arrived(world, sender, broken, priority=1)
    document = sent_and_arrived(world, sender, whole)
    world.later(A_FORTNIGHT)
    # Somebody has laid hands on the first copy's stream: nothing more can be decided on it.
    key = {"stream": {"S": f"copy-{first}.{broken.code}"}, "number": {"N": "1"}}
    world.clients["dynamodb"].delete_item(TableName=runtime.table("events"), Key=key)
    minute()
    assert "reception_overdue" in facts(document, whole)


def test_a_legacy_system_is_told_by_a_status_it_knows(world):
    sender, receiver = world.join(), world.join()
    document = sent_and_arrived(world, sender, receiver)
    world.later(A_FORTNIGHT)
    minute()
    world.settle()
    lane = f"{sender.code}#normal"
    message = runtime.outbox().message(lane, runtime.outbox().head(lane))
    assert message.type == "copy.reception_overdue"
    place = (message.stream, message.commit)
    commit = runtime.event_store().commits([place])[place]
    event = CopyReceptionOverdue.model_validate(commit.data()[message.index])
    address = registry.address(sender.code).model_copy(update={"profile": "edxml"})

    letter = letters.compose(message, commit, event, address)

    status = parse(letter.body, lambda *_: None)
    assert status.status_code == "01"
    assert status.description.startswith(letters.OVERDUE)
    assert status.from_.organ_id == receiver.code
    assert document
