from datetime import date

import pytest
from contexts.documents.demo_documents import (
    ADDED,
    DOCUMENT,
    ORIGIN,
    OTHER,
    RECEIVER,
    REFERENCE,
    SENDER,
    TERMS,
    amended,
    amendment_ordered,
    arrived,
    assigned,
    completed,
    opening,
    processing_started,
    recall_agreed,
    recall_refused,
    recall_requested,
    received,
    reception_refused,
    relayed,
    revocation_agreed,
    revocation_ordered,
    revocation_refused,
    sealed_clerk,
    sent,
    sent_in_its_place,
    sent_urgently,
)
from pydantic import TypeAdapter

from chalicelib.contexts.documents.domain.copy import NoteArrival, copy
from chalicelib.contexts.documents.messages import (
    CLOUDEVENT_BYTES,
    DocumentData,
    answer,
    delivered,
    document_data,
    order_data,
    route,
    status_data,
)
from chalicelib.delivery.outbox import Message, Notice
from chalicelib.projector.projection import event_types


def notice(agency, *, urgent=False):
    return Notice(agency=agency, case=DOCUMENT, urgent=urgent)


def urgent(event):
    return event.model_copy(update={"urgent": True})


@pytest.mark.parametrize(
    ("event", "notices"),
    [
        pytest.param(sent, [notice(RECEIVER), notice(OTHER)], id="a document: its receivers"),
        pytest.param(
            sent_urgently,
            [notice(RECEIVER, urgent=True), notice(OTHER, urgent=True)],
            id="an urgent one: by the urgent lane",
        ),
        pytest.param(arrived, [notice(SENDER)], id="01: the sender"),
        pytest.param(reception_refused, [notice(SENDER)], id="02: the sender"),
        pytest.param(received, [notice(SENDER)], id="03: the sender"),
        pytest.param(assigned, [notice(SENDER)], id="04: the sender"),
        pytest.param(processing_started, [notice(SENDER)], id="05: the sender"),
        pytest.param(completed, [notice(SENDER)], id="06: the sender"),
        pytest.param(recall_requested, [notice(RECEIVER)], id="13: the receiver"),
        pytest.param(recall_agreed, [notice(SENDER)], id="15: the sender"),
        pytest.param(recall_refused, [notice(SENDER)], id="16: the sender"),
        pytest.param(amended, [notice(ADDED)], id="an amendment: those who are added"),
        pytest.param(relayed, [notice(ADDED)], id="a hub's: its units"),
        pytest.param(urgent(relayed), [notice(ADDED, urgent=True)], id="an urgent one likewise"),
        pytest.param(amendment_ordered, [notice(RECEIVER)], id="its order: the receiver"),
        pytest.param(revocation_ordered, [notice(RECEIVER)], id="an order: the receiver"),
        pytest.param(revocation_agreed, [notice(SENDER)], id="15 to it: the sender"),
        pytest.param(revocation_refused, [notice(SENDER)], id="16 to it: the sender"),
        pytest.param(urgent(received), [notice(SENDER, urgent=True)], id="urgently back"),
        pytest.param(urgent(recall_requested), [notice(RECEIVER, urgent=True)], id="and back"),
    ],
)
def test_who_hears_of_it(event, notices):
    assert list(route("any-stream", event)) == notices


def test_a_case_keeps_its_lane_from_the_document_to_its_last_status():
    """Two lanes for one case would let a recall overtake its document."""
    lanes = {n.urgent for e in (sent_urgently, urgent(recall_requested)) for n in route("", e)}
    assert lanes == {True}


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [("document-x", True), ("copy-x.Z02", True), ("agency-Z01", False), ("copying-x", False)],
)
def test_which_streams_can_concern_anybody(stream, wanted):
    assert answer.wants(stream) is wanted


def test_an_opened_copy_is_told_to_nobody():
    assert "copy.opened" not in event_types(answer.events)


def message(agency, event):
    return Message(
        id="msg_1",
        agency=agency,
        lane=f"{agency}#normal",
        sequence=1,
        case=DOCUMENT,
        type=event.type,
        stream=f"document-{DOCUMENT}",
        commit=1,
        index=0,
        position=1,
    )


def test_a_receipt_for_a_document_means_that_its_copy_arrived():
    decider, id_, command = delivered(message(RECEIVER, sent), sent, ORIGIN, TERMS)
    assert (decider, id_) == (copy, f"{DOCUMENT}.{RECEIVER}")
    assert command == NoteArrival(origin=ORIGIN, opening=opening, terms=TERMS)
    _, id_, command = delivered(message(OTHER, sent), sent, ORIGIN, TERMS)
    assert (id_, command.opening.receiver) == (f"{DOCUMENT}.{OTHER}", OTHER)


def test_a_receipt_of_one_who_was_added_means_the_same():
    for event in (amended, relayed):
        _, id_, command = delivered(message(ADDED, event), event, ORIGIN, TERMS)
        assert (id_, command.opening.receiver) == (f"{DOCUMENT}.{ADDED}", ADDED)
        assert command.opening.sender == SENDER


@pytest.mark.parametrize("event", [arrived, recall_requested, recall_agreed, revocation_ordered])
def test_a_receipt_for_a_status_means_nothing_more(event):
    assert delivered(message(SENDER, event), event, ORIGIN, TERMS) is None


def test_what_a_receiver_is_told_of_a_document():
    told = document_data(sent.model_copy(update={"staff": sealed_clerk}))
    assert (told["document"], told["edition"]) == (DOCUMENT, 1)
    assert told["official"].promulgated_on == date(2026, 1, 2)
    assert told["sender"] == {"code": SENDER, "name": "Demo agency one"}
    assert told["receivers"] == [RECEIVER, OTHER]
    assert told["sent_at"] == ORIGIN.at
    # The clerk's contact is sealed, and opened only where the letter is written.
    assert "staff" not in told
    written = TypeAdapter(DocumentData).dump_json(told)
    assert b"c2VhbGVk" not in written
    assert len(written) < CLOUDEVENT_BYTES


def test_only_those_for_whom_it_replaces_another_are_told_so():
    for agency, told in ((RECEIVER, [DOCUMENT]), (OTHER, []), (SENDER, [DOCUMENT])):
        data = document_data(sent_in_its_place, agency=agency)
        assert [each.document for each in data["replaces"]] == told


def test_what_a_receiver_is_told_of_an_order():
    assert order_data(revocation_ordered, REFERENCE) == {
        "document": DOCUMENT,
        "reference": REFERENCE,
        "sender": SENDER,
        "receiver": RECEIVER,
        "change": "revocation",
        "note": "issued in error",
        "at": "2026-01-02T03:04:05+00:00",
    }
    assert status_data(revocation_agreed)["change"] == "revocation"


def test_what_the_other_side_is_told_of_a_status():
    note = {"note": "with the legal unit", "reported_at": ORIGIN.at, "staff": sealed_clerk}
    assert status_data(processing_started.model_copy(update=note)) == {
        "document": DOCUMENT,
        "sender": SENDER,
        "receiver": RECEIVER,
        "code": "05",
        "note": "with the legal unit",
        "reported_at": "2026-01-02T03:04:05+00:00",
        "at": "2026-01-02T03:04:05+00:00",
    }
    assert status_data(arrived)["reported_at"] is None
