"""What a receiver's system refuses reaches the sender; it loses nothing, and nothing goes round."""

import pytest
from survival.world import world as made

from chalicelib.contexts.documents import letters


@pytest.fixture
def world():
    with made() as world:
        yield world


@pytest.fixture
def sender(world):
    return world.join()


@pytest.fixture
def receiver(world):
    """Its system refuses documents and orders for good."""
    system = world.join()
    system.policy = lambda got: 422
    return system


def told(system, type_="document"):
    """What a sender was told of that could not be delivered."""
    found = [got.data for got in system.got if "undelivered" in got.data]
    return [(data["undelivered"], data["reason"]) for data in found]


def parked(world, system):
    path = f"/lanes/{system.code}/parked"
    return world.ask("administrator", "", "GET", path).json["items"]


def order(world, system, message, what, body=None):
    path = f"/lanes/{system.code}/parked/{message}/{what}"
    assert world.try_("administrator", "", "POST", path, body).status == 202
    world.settle()


def copies(world, system, document):
    answer = world.ask("system", system.code, "GET", f"/documents/{document}/copies")
    return {item["receiver"]: item for item in answer.json["items"]}


def test_a_refused_document_is_told_to_its_sender_once_and_clears(world, sender, receiver, caplog):
    other = world.join()
    document = world.send(sender, receiver, other)
    world.settle()
    assert told(sender) == [("document", "422")]
    row = copies(world, sender, document)
    assert row[receiver.code]["send_error"] == {"undelivered": "document", "reason": "422"}
    assert (row[receiver.code]["status"], row[other.code]["status"]) == ("", "01")
    path = f"/documents/{document}/copies/{receiver.code}"
    copy = world.ask("system", sender.code, "GET", path).json
    assert (copy["status"], copy["undelivered"]["reason"]) == ("opened", "422")
    assert "message parked" in caplog.messages

    # Refused again for the same reason: nothing new.
    (waiting,) = parked(world, receiver)
    order(world, receiver, waiting["message"], "release")
    assert len(told(sender)) == 1
    receiver.policy = lambda got: 200
    order(world, receiver, waiting["message"], "release")
    row = copies(world, sender, document)[receiver.code]
    assert (row["send_error"], row["status"]) == (None, "01")
    sent = world.ask("system", sender.code, "GET", "/documents").json["items"]
    assert sent[0]["send_errors"] == {}
    assert world.ask("system", sender.code, "GET", path).json["undelivered"] is None
    world.check()


def test_an_order_that_is_refused_is_told_and_the_one_given_up_too(world, sender, receiver, caplog):
    receiver.policy = lambda got: 422 if "change" in got.data else 200
    document = world.send(sender, receiver)
    world.settle()
    world.revoke(sender, document)
    world.settle()
    assert told(sender) == [("order", "422")]
    (waiting,) = parked(world, receiver)
    caplog.clear()
    order(world, receiver, waiting["message"], "abandonment", {"reason": "their system is old"})
    assert told(sender) == [("order", "422"), ("order", "abandoned")]
    assert "message parked" not in caplog.messages
    (logged,) = [record for record in caplog.records if record.message == "message abandoned"]
    assert logged.message_id == waiting["message"]
    # The receiver may yet answer it by another road.
    assert world.report(receiver, document, "15").status == 202
    world.settle()
    row = copies(world, sender, document)[receiver.code]
    assert (row["send_error"], row["status"], row["change"]) == (None, "15", "")
    path = f"/messages/{waiting['message']}/attempts"
    *_, last = world.ask("administrator", "", "GET", path).json["attempts"]
    assert last["given_up"]["reason"] == "their system is old"


def test_a_sender_that_refuses_everything_is_told_once(world, sender, receiver):
    sender.policy = lambda got: 400
    world.send(sender, receiver)
    world.settle()
    assert len(world.events("copy.delivery_refused")) == 1
    assert [item["type"] for item in parked(world, sender)] == ["copy.delivery_refused"]


def test_a_legacy_sender_is_told_with_a_status_it_knows(world, sender, receiver):
    document = world.send(sender, receiver)
    path = f"/agencies/{sender.code}/systems/demo"
    world.administer("PUT", path, {"endpoint": "", "profile": "edxml"})
    world.settle(deliver=False)
    world.deliver(f"{receiver.code}#normal")
    receiver.policy = lambda got: 200
    (waiting,) = parked(world, receiver)
    path = f"/lanes/{receiver.code}/parked/{waiting['message']}/abandonment"
    assert world.try_("administrator", "", "POST", path, {"reason": "demo"}).status == 202
    world.revoke(sender, document)
    receiver.policy = lambda got: 422
    world.settle(deliver=False)
    world.deliver(f"{receiver.code}#normal")
    world.settle(deliver=False)
    items = world.ask("system", sender.code, "GET", "/inbox").json["items"]
    codes = [item["letter"].partition("<edXML:StatusCode>")[2][:2] for item in items]
    assert codes == ["02", "02", "16"]
    assert f"{letters.NOT_TAKEN}: 422" in items[0]["letter"]
    assert f"{letters.NOT_TAKEN}: abandoned" in items[1]["letter"]
    assert receiver.code in items[0]["letter"]


def test_a_letter_that_cannot_be_written_is_told_too(world, sender, receiver, monkeypatch):
    def broken(*_):
        raise ValueError("Demo Citizen")

    monkeypatch.setattr(letters, "document_data", broken)
    world.send(sender, receiver)
    world.settle()
    assert told(sender) == [("document", "not-composed")]
