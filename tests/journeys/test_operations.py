"""What a sender can do with a document after sending it, seen by everybody it concerns."""

from concurrent.futures import ThreadPoolExecutor

from journeys.journey import edxml_document, edxml_status, id_of, reference, until

from chalicelib.contexts.documents.edxml.model import (
    DocumentMessage,
    Reference,
    Replacement,
    UpdateInfo,
    UpdateReceiver,
)
from chalicelib.contexts.documents.edxml.parse import parse


class _Nowhere:
    def write(self, data):
        """Let it go."""

    def close(self):
        """Nothing to close."""


def orders(agency, id_):
    """The orders about a document that an agency was told of."""
    about = (m.data for m in agency.received if m.data["type"] == "copy.change_ordered")
    return [data for data in about if data["document"] == id_]


def edxml_orders(agency, operation):
    """The same for an agency that reads edXML."""
    read = [parse(m.body, lambda _header: _Nowhere()) for m in agency.received]
    documents = [m for m in read if isinstance(m, DocumentMessage)]
    return [message for message in documents if message.operation == operation]


def test_a_revocation_reaches_those_it_concerns_and_is_answered(journey):
    sender, outsider = journey.join(), journey.join()
    agrees, refuses, spared = journey.join(), journey.join("edxml"), journey.join()
    sent = journey.send(sender, [agrees, refuses, spared], number="301")
    id_ = id_of(sent)
    journey.told(sender, id_, "01", "01", "01")
    path = f"/documents/{id_}/revocations"
    order = {"reason": "issued in error", "receivers": [agrees.code, refuses.code]}

    journey.refused(403, "not-the-sender", journey.post, agrees, path, order)
    journey.refused(404, "document-unknown", journey.post, outsider, path, order)
    unknown = f"/documents/{'a' * 26}/revocations"
    journey.refused(404, "document-unknown", journey.post, sender, unknown, order)
    wrong = {"reason": "issued in error", "receivers": [outsider.code]}
    journey.refused(422, "not-a-receiver", journey.post, sender, path, wrong)

    revoked = journey.post(sender, path, order)
    assert revoked.seen == f"document-{id_}@2"
    assert journey.post(sender, path, order).seen == revoked.seen
    until("the order at both", lambda: orders(agrees, id_) and edxml_orders(refuses, 1))
    [told] = orders(agrees, id_)
    assert (told["change"], told["note"]) == ("revocation", "issued in error")
    [message] = edxml_orders(refuses, 1)
    assert message.document_id == reference(sender, "301")
    assert (message.operation_reason, message.attachments) == ("issued in error", ())
    assert [to.organ_id for to in message.to] == [refuses.code]

    journey.refused(409, "recall-pending", journey.status, agrees, id_, agrees, "03")
    answered = journey.status(agrees, id_, agrees, "15")
    refuses.post(
        journey.api, edxml_status(refuses, sender, reference(sender, "301"), "16", "published")
    )
    journey.told(sender, id_, "01", "01", "01", "15", "16")
    answers = [m.data for m in sender.received if m.data["code"] in {"15", "16"}]
    assert {(a["receiver"], a["change"]) for a in answers} == {
        (agrees.code, "revocation"),
        (refuses.code, "revocation"),
    }
    assert not orders(spared, id_)
    assert journey.get(sender, f"/documents/{id_}")["revoked"] == [agrees.code, refuses.code]
    assert journey.get(spared, f"/documents/{id_}")["revoked"] == []
    rows = journey.get(agrees, f"/copies?seen={answered.seen}")["items"]
    assert [(row["status"], row["change"]) for row in rows] == [("15", "")]
    journey.status(spared, id_, spared, "06")


def test_a_revocation_in_edxml_concerns_those_it_is_addressed_to(journey):
    sender, other = journey.join(), journey.join()
    first, second = journey.join(), journey.join()
    # Whoever has just joined is known by their key once the views are told of it.
    journey.settled()
    number = "302"
    told = edxml_document(sender, [first, second], code_number=number)
    sender.post(journey.api, told)
    order = edxml_document(
        sender,
        [second],
        ("order.pdf", b"%PDF-1.7 demo order"),
        code_number=number,
        operation=1,
        operation_reason="thu hồi",
    )
    journey.refused(403, "not-the-sender", other.post, journey.api, order)
    answer = sender.post(journey.api, order)
    assert (answer.status, answer.seen.rpartition("@")[2]) == (202, "2")
    id_ = answer.seen.removeprefix("document-").rpartition("@")[0]
    until("the order", lambda: orders(second, id_))
    assert orders(second, id_)[0]["note"] == "thu hồi"
    # The order stands behind the document that it revokes.
    assert [m.data["type"] for m in second.received] == ["document.sent", "copy.change_ordered"]
    second.report(journey.api, id_, "15")
    journey.told(sender, id_, "01", "01", "15")
    assert not orders(first, id_)
    never = edxml_document(sender, [second], code_number="399", operation=1, operation_reason="x")
    journey.refused(404, "document-unknown", sender.post, journey.api, never)


def test_an_amendment_reaches_exactly_those_it_concerns(journey):
    sender = journey.join()
    kept, reads_edxml, dropped, added = [
        journey.join(profile) for profile in ("cloudevents", "edxml", "edxml", "cloudevents")
    ]
    file = journey.upload(sender, b"demo: first edition")
    sent = journey.send(
        sender, [kept, reads_edxml, dropped], number="303", priority=1, attachments=[file]
    )
    id_ = id_of(sent)
    journey.told(sender, id_, "01", "01", "01")
    path = f"/documents/{id_}/amendments"
    twice = {"add": [kept.code]}
    journey.refused(409, "receiver-added-twice", journey.post, sender, path, twice)
    journey.refused(403, "not-the-sender", journey.post, kept, path, {"subject": "x"})
    stranger = {"add": [journey.unregistered()]}
    journey.refused(422, "receiver-unknown", journey.post, sender, path, stranger)
    missing = {"attachments": [file | {"sha256": "0" * 64}]}
    journey.refused(422, "attachment-not-arrived", journey.post, sender, path, missing)

    new = journey.upload(sender, b"demo: second edition", name="second.txt")
    change = {
        "subject": "Demo: put right",
        "attachments": [file, new],
        "add": [added.code],
        "drop": [dropped.code],
        "reason": "a slip of the pen",
    }
    amended = journey.post(sender, path, change)
    assert journey.post(sender, path, change).seen == amended.seen
    until("the document at the new one", lambda: added.got(id_))
    got = added.got(id_).data
    assert (got["edition"], got["official"]["subject"]) == (2, "Demo: put right")
    assert [file_["name"] for file_ in got["attachments"]] == ["demo.txt", "second.txt"]
    until("the order", lambda: orders(kept, id_) and edxml_orders(reads_edxml, 2))
    [order] = orders(kept, id_)
    assert (order["change"], order["edition"]) == ("amendment", 2)
    assert order["official"]["subject"] == "Demo: put right"
    [message] = edxml_orders(reads_edxml, 2)
    assert [part.name for part in message.attachments] == ["demo.txt", "second.txt"]
    assert (message.subject, message.update.document_info) == ("Demo: put right", "1")
    until("the order to the dropped one", lambda: edxml_orders(dropped, 2))
    [message] = edxml_orders(dropped, 2)
    [gone] = message.update.receivers
    assert (gone.organ_id, gone.receiver_type) == (dropped.code, "1")
    assert (message.subject, message.attachments) == ("Demo: a document on its way", ())
    # All of it by the lane that the document took.
    assert {m.lane for m in kept.received + dropped.received + added.received} == {"urgent"}

    journey.status(kept, id_, kept, "03")
    journey.status(kept, id_, kept, "15")
    told = reference(sender, "303")
    reads_edxml.post(journey.api, edxml_status(reads_edxml, sender, told, "16", "acted on"))
    dropped.post(journey.api, edxml_status(dropped, sender, told, "15"))
    journey.told(sender, id_, *["01"] * 4, "03", "15", "15", "16")
    shown = journey.get(added, f"/documents/{id_}")
    assert (shown["edition"], len(shown["attachments"])) == (2, 2)
    assert shown["receivers"] == [kept.code, reads_edxml.code, added.code]
    journey.refused(404, "document-unknown", journey.get, dropped, f"/documents/{id_}")
    own = journey.get(dropped, f"/documents/{id_}/copies/{dropped.code}")
    assert (own["status"], own["code"]) == ("removed", "15")


def test_an_update_in_edxml_adds_and_drops(journey):
    sender, kept, dropped, added = [journey.join() for _ in range(4)]
    # Whoever has just joined is known by their key once the views are told of it.
    journey.settled()
    sender.post(journey.api, edxml_document(sender, [kept, dropped], code_number="304"))
    update = UpdateInfo(
        document_info="0",
        document_receiver="1",
        receivers=(
            UpdateReceiver(organ_id=added.code, receiver_type="0"),
            UpdateReceiver(organ_id=dropped.code, receiver_type="1"),
        ),
    )

    def order(update):
        return edxml_document(
            sender, [kept, dropped, added], code_number="304", operation=2, update=update
        )

    wrong = update.model_copy(update={"receivers": (*update.receivers, update.receivers[0])})
    ask = (sender.post, journey.api)
    journey.refused(409, "receiver-added-twice", *ask, order(wrong))
    wrong = UpdateInfo(receivers=(UpdateReceiver(organ_id=added.code, receiver_type="2"),))
    journey.refused(422, "edxml-element-invalid", *ask, order(wrong))
    answer = sender.post(journey.api, order(update))
    id_ = answer.seen.removeprefix("document-").rpartition("@")[0]
    until("the document at the new one", lambda: added.got(id_))
    until("the order", lambda: orders(dropped, id_))
    assert [o["change"] for o in orders(dropped, id_)] == ["removal"]
    assert not orders(kept, id_)


def test_a_document_replaces_several_at_once_for_those_named(journey):
    sender, other = journey.join(), journey.join()
    told, reads_edxml, spared = journey.join(), journey.join("edxml"), journey.join("edxml")
    receivers = [told, reads_edxml, spared]
    old = [id_of(journey.send(sender, receivers, number=n)) for n in ("305", "306")]
    theirs = id_of(journey.send(other, receivers, number="307"))
    for id_ in old:
        journey.told(sender, id_, "01", "01", "01")
    named = [told.code, reads_edxml.code]

    def replacing(*documents, codes=named):
        return [{"document": document, "receivers": codes} for document in documents]

    ask = (journey.send, sender, receivers)
    with journey.nothing_stored():
        replaced = {"number": "308", "replaces": replacing(old[0], theirs)}
        problem = journey.refused(403, "not-the-sender", *ask, **replaced)
        assert problem["field"] == "replaces/1"
        replaced = {"number": "308", "replaces": replacing("a" * 26)}
        journey.refused(404, "document-unknown", *ask, **replaced)
        replaced = {"number": "308", "replaces": replacing(old[0], codes=[other.code])}
        journey.refused(422, "not-a-receiver", *ask, **replaced)

    sent = journey.send(sender, receivers, number="308", replaces=replacing(*old))
    id_ = id_of(sent)
    until("the document at all", lambda: all(receiver.got(id_) for receiver in receivers))
    assert [each["document"] for each in told.got(id_).data["replaces"]] == old
    [message] = edxml_orders(reads_edxml, 3)
    assert [each.document_id for each in message.replacements] == [
        reference(sender, "305"),
        reference(sender, "306"),
    ]
    assert set(message.replacements[0].organ_ids) == set(named)
    assert not edxml_orders(spared, 3)
    for document in old:
        path = f"/documents/{document}"
        until("it to be replaced", lambda path=path: journey.get(sender, path)["replaced_by"])
        assert [each["document"] for each in journey.get(told, path)["replaced_by"]] == [id_]
        assert journey.get(spared, path)["replaced_by"] == []

    body = edxml_document(
        sender,
        [told, spared],
        code_number="309",
        operation=3,
        operation_reason="thay thế",
        replacements=(
            Replacement(document_id=reference(sender, "305"), organ_ids=(told.code,)),
            Replacement(document_id=reference(sender, "305"), organ_ids=(told.code,)),
        ),
    )
    later = id_of(sender.post(journey.api, body))
    until("it to be replaced again", lambda: len(replaced_by(journey, sender, old[0])) == 2)
    assert replaced_by(journey, sender, old[0])[1]["document"] == later


def replaced_by(journey, agency, id_):
    return journey.get(agency, f"/documents/{id_}")["replaced_by"]


def test_answers_thread_documents_into_a_conversation(journey):
    asks, answers, outsider = [journey.join() for _ in range(3)]
    first = id_of(journey.send(asks, [answers, outsider], number="310"))
    journey.settled()  # The views have heard of their keys.
    told = [reference(asks, "310")]
    ask = (journey.send, answers, [asks])
    journey.refused(422, "reference-unreadable", *ask, number="311", answers=["no id"])
    reply = id_of(journey.send(answers, [asks], number="311", answers=told))
    again = edxml_document(
        asks,
        [answers],
        code_number="312",
        response_for=(Reference(organ_id=answers.code, document_id=reference(answers, "311")),),
    )
    last = id_of(asks.post(journey.api, again))

    def thread(agency, id_):
        found = journey.get(agency, f"/documents/{id_}/conversation")
        return [[each["document"] for each in found[way]] for way in ("answers", "answered_by")]

    until("the conversation", lambda: thread(asks, reply) == [[first], [last]])
    assert thread(answers, first) == [[], [reply]]
    # Who has the question does not thereby see the answer.
    assert thread(outsider, first) == [[], []]
    assert thread(asks, last) == [[reply], []]


def test_what_an_agency_registers_is_numbered_without_gaps(journey):
    sender, receiver = journey.join(), journey.join()
    ids = [id_of(journey.send(sender, [receiver], number=str(n))) for n in range(320, 324)]
    for id_ in ids:
        journey.told(sender, id_, "01")
    with ThreadPoolExecutor(len(ids)) as crowd:
        list(crowd.map(lambda id_: journey.status(receiver, id_, receiver, "03"), ids))
    journey.status(receiver, ids[0], receiver, "03")
    copies = [journey.get(receiver, f"/documents/{id_}/copies/{receiver.code}") for id_ in ids]
    assert sorted(copy["arrival_number"] for copy in copies) == [1, 2, 3, 4]
    assert len({copy["arrival_year"] for copy in copies}) == 1
