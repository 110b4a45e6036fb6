"""A receiver that refused a document gets it again, as it is by then."""

import pytest
from contexts.documents.edxml.demo_messages import read
from contexts.documents.mail import letter
from survival.world import world

from chalicelib import runtime


@pytest.fixture(scope="module")
def axis():
    with world() as made:
        yield made


@pytest.fixture(scope="module")
def parties(axis):
    entered = [axis.join(settle=False) for _ in range(3)]
    axis.settle()
    return entered


def path_to(document, receiver):
    return f"/documents/{document}/copies/{receiver.code}"


def resend(axis, sender, document, receiver, key=""):
    path = f"{path_to(document, receiver)}/resending"
    return axis.try_("system", sender.code, "PUT", path, key=key)


def say(axis, agency, document, receiver, code):
    body = {"code": code, "note": "demo: because"}
    path = f"{path_to(document, receiver)}/statuses"
    answer = axis.try_("system", agency.code, "POST", path, body)
    axis.settle()
    return answer


def refused(axis, sender, *receivers, **fields):
    """A document that its first receiver has refused."""
    document = axis.send(sender, *receivers, **fields)
    axis.settle()
    assert say(axis, receivers[0], document, receivers[0], "02").status == 202
    return document


def amend(axis, sender, document, **changes):
    axis.ask("system", sender.code, "POST", f"/documents/{document}/amendments", changes)


def row(axis, agency, path, document):
    axis.settle()
    items = axis.ask("system", agency.code, "GET", path).json["items"]
    return next(item for item in items if item["document"] == document)


def test_who_refused_a_wrong_document_gets_it_put_right(axis, parties):
    sender, receiver, other = parties
    document = refused(axis, sender, receiver, other)
    assert axis.report(receiver, document, "03").json["code"] == "reception-was-refused"
    amend(axis, sender, document, subject="Demo: put right")
    axis.settle()
    assert [got.data["edition"] for got in receiver.got] == [1], "nothing follows by itself"

    key = "0" * 8 + "-0000-4000-8000-000000000001"
    done = resend(axis, sender, document, receiver, key)
    assert done.status == 202
    assert resend(axis, sender, document, receiver, key).json == done.json
    again = resend(axis, sender, document, receiver)
    assert (again.status, again.json) == (202, done.json | {"duplicate": True})
    axis.settle()
    first, second = receiver.got
    assert (first.data["edition"], second.data["edition"]) == (1, 2)
    assert (second.data["official"]["subject"], second.data["resent"]) == ("Demo: put right", 1)
    assert second.data["receivers"] == [receiver.code, other.code]
    assert "resent" not in first.data
    message = runtime.outbox().message(f"{receiver.code}#normal", second.sequence)
    in_edxml = read(letter(message, receiver))[0]
    assert (in_edxml.operation, in_edxml.subject) == (0, "Demo: put right")

    # Everybody sees it as a copy that has arrived, and it goes on from there.
    shown = row(axis, receiver, "/copies", document)
    assert (shown["status"], shown["subject"]) == ("01", "Demo: put right")
    statuses = {receiver.code: "01", other.code: "01"}
    assert row(axis, sender, "/documents", document)["statuses"] == statuses
    copies = axis.ask("system", sender.code, "GET", f"/documents/{document}/copies").json["items"]
    (own,) = (copy for copy in copies if copy["receiver"] == receiver.code)
    steps = [(step["code"], step["resent"]) for step in own["steps"]]
    assert steps == [("01", None), ("02", None), ("", 2), ("01", None)]
    assert say(axis, receiver, document, receiver, "03").status == 202
    registered = axis.ask("system", receiver.code, "GET", path_to(document, receiver)).json
    assert (registered["arrival_number"], registered["code"]) == (1, "03")
    assert sender.codes(document) == ["01", "01", "02", "01", "03"]
    assert resend(axis, sender, document, receiver).json["duplicate"]
    axis.check()


def test_it_may_be_refused_and_sent_again_more_than_once(axis, parties):
    sender, receiver, _ = parties
    document = refused(axis, sender, receiver)
    before = len(receiver.got)
    for number in (1, 2):
        assert resend(axis, sender, document, receiver).status == 202
        axis.settle()
        assert receiver.got[-1].data["resent"] == number
        assert say(axis, receiver, document, receiver, "02").status == 202
    assert len(receiver.got) == before + 2
    axis.check()


def test_what_an_operator_gave_up_is_sent_again(axis, parties):
    sender, receiver, _ = parties
    receiver.policy = lambda _got: 422
    document = axis.send(sender, receiver)
    axis.settle()
    assert resend(axis, sender, document, receiver).json["code"] == "copy-not-refused"
    lane = f"/lanes/{receiver.code}/parked"
    (parked,) = axis.ask("auditor", "", "GET", lane).json["items"]
    axis.order("POST", f"{lane}/{parked['message']}/abandonment", {"reason": "demo"})
    axis.given_up.add(parked["message"])
    receiver.policy = lambda _got: 200
    axis.settle()
    assert resend(axis, sender, document, receiver).status == 202
    axis.settle()
    assert receiver.got[-1].data["document"] == document
    shown = axis.ask("system", sender.code, "GET", path_to(document, receiver)).json
    assert (shown["code"], shown["undelivered"]) == ("01", None)
    axis.check(cases=True)


def test_what_is_not_to_be_sent_again_is_refused(axis, parties):
    sender, receiver, other = parties
    document = refused(axis, sender, receiver, other)
    for by, to, status, code in (
        (sender, other, 409, "copy-not-refused"),
        (receiver, receiver, 403, "not-the-sender"),
        (sender, sender, 404, "copy-unknown"),
    ):
        answer = resend(axis, by, document, to)
        assert (answer.status, answer.json["code"]) == (status, code)
    stranger = axis.join()
    assert resend(axis, stranger, document, receiver).json["code"] == "document-unknown"
    lock = f"/agencies/{receiver.code}/systems/demo/lock"
    axis.administer("PUT", lock, {"reason": "demo"})
    axis.settle()
    assert resend(axis, sender, document, receiver).json["code"] == "receiver-locked"
    axis.administer("DELETE", lock)
    axis.settle()
    amend(axis, sender, document, drop=[receiver.code])
    assert resend(axis, sender, document, receiver).json["code"] == "not-a-receiver"
    revoked = refused(axis, sender, receiver)
    axis.revoke(sender, revoked)
    assert resend(axis, sender, revoked, receiver).json["code"] == "document-was-revoked"
    axis.settle()
    axis.check(cases=True)


def test_a_unit_gets_it_again_by_the_way_it_came(axis):
    sender, hub, unit = (axis.join(settle=False) for _ in range(3))
    place = {"parent": hub.code, "effective_on": "2026-01-01", "source": "demo"}
    axis.administer("PUT", f"/agencies/{unit.code}/parent", place)
    axis.settle()
    document = axis.send(sender, hub)
    axis.settle()
    relay = {"receivers": [unit.code]}
    axis.ask("system", hub.code, "POST", f"/documents/{document}/relays", relay)
    axis.settle()
    assert say(axis, unit, document, unit, "02").status == 202
    assert resend(axis, hub, document, unit).json["code"] == "not-the-sender"
    assert resend(axis, sender, document, unit).status == 202
    axis.settle()
    first, second = unit.got
    for part in ("hops", "receivers", "sender"):
        assert second.data[part] == first.data[part]
    axis.check(cases=True)


@pytest.mark.parametrize("order", ["revocation", "amendment"])
def test_an_order_given_meanwhile_reaches_the_copy(axis, parties, order):
    """It comes when the document was looked up and the copy is refused still."""
    sender, receiver, _ = parties
    document = refused(axis, sender, receiver)
    answers = []

    def meanwhile():
        if order == "revocation":
            axis.revoke(sender, document)
        else:
            amend(axis, sender, document, subject="Demo: put right")
        axis.settle()

    def work():
        answers.append(resend(axis, sender, document, receiver))

    axis.interrupted(work, "PutItem", "Events", meanwhile)
    assert answers[0].status == 202
    axis.settle()
    told = [got.data.get("change", "document") for got in receiver.got]
    assert told[-2:] == ["document", order]
    changes = [e for e in axis.events("copy.change_ordered") if e["document"] == document]
    assert [e["change"] for e in changes] == [order]
    assert receiver.got[-2].data["edition"] == 1
    shown = axis.ask("system", receiver.code, "GET", path_to(document, receiver)).json
    assert shown["change"] == order
    axis.check(cases=True)
