"""What a receiver's system will not take: its sender hears of it, and of nothing else."""

import pytest
from contexts.documents.demo_documents import (
    ADDED,
    AT,
    DOCUMENT,
    ORIGIN,
    OTHER,
    RECEIVER,
    SENDER,
    amended,
    amendment_agreed,
    amendment_ordered,
    arrived,
    opened,
    opening,
    processing_started,
    recall_agreed,
    recall_refused,
    recall_requested,
    received,
    reception_overdue,
    reception_refused,
    revocation_agreed,
    revocation_ordered,
    revocation_refused,
    sent,
    undelivered,
)
from specification import Given

from chalicelib.contexts.documents.domain.copy import CopyUnknown, NoteDeliveryRefused, copy
from chalicelib.contexts.documents.domain.events import has_arrived
from chalicelib.contexts.documents.messages import refusal_data, refused, route
from chalicelib.contexts.documents.projections import (
    where_is_my_document,
    which_documents_came_to_my_agency,
    which_documents_did_my_agency_send,
)
from chalicelib.delivery.outbox import Message, Notice

ABOUT_IT = undelivered.about
ABOUT_ORDER = f"copy-{DOCUMENT}.{RECEIVER}@3"


def note(undelivered="document", reason="422 type-unknown", about=ABOUT_IT, opened=opening):
    return NoteDeliveryRefused(
        origin=ORIGIN.model_copy(update={"causation": about}),
        undelivered=undelivered,
        reason=reason,
        opening=opened if undelivered == "document" else None,
    )


def of(undelivered_, about=ABOUT_ORDER, reason="422 type-unknown"):
    return undelivered.model_copy(
        update={"undelivered": undelivered_, "about": about, "reason": reason}
    )


order, recall = of("order"), of("recall")
note_order, note_recall = note("order", about=ABOUT_ORDER), note("recall", about=ABOUT_ORDER)
ORDERED = [opened, arrived, received, revocation_ordered]
ASKED = [opened, arrived, recall_requested]
abandoned = undelivered.model_copy(update={"reason": "abandoned"})


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([opened], note(), [undelivered], id="a document on its way"),
        pytest.param([], note(), [opened, undelivered], id="the news may come first"),
        pytest.param(
            [opened, undelivered], note(reason="abandoned"), [abandoned], id="then it is given up"
        ),
        pytest.param([opened, recall_requested], note(), [undelivered], id="though asked back"),
        pytest.param(ORDERED, note_order, [order], id="an order"),
        pytest.param(
            [*ORDERED, of("order", "copy-x@2")], note_order, [order], id="another order after it"
        ),
        pytest.param(ASKED, note_recall, [recall], id="a wish to have it back"),
        pytest.param([opened, undelivered], note(), [], id="the same again"),
        pytest.param([*ORDERED, order], note_order, [], id="the same order again"),
        pytest.param([opened, arrived], note(), [], id="posted again, though it had arrived"),
        pytest.param([opened, reception_refused], note(), [], id="a clerk had refused it"),
        pytest.param([*ORDERED, revocation_agreed], note_order, [], id="an order that was met"),
        pytest.param([*ASKED, recall_refused], note_recall, [], id="a wish that was answered"),
        pytest.param([], note_order, CopyUnknown, id="an order about no copy"),
        pytest.param([], note(opened=None), CopyUnknown, id="of no document"),
    ],
)
def test_what_could_not_be_delivered_is_noted_once(given, when, then):
    Given(copy, *given).when(when).then(then)


SETTLED = {
    "document": [arrived, reception_refused, received, processing_started],
    "order": [revocation_agreed, revocation_refused, amendment_agreed],
    "recall": [recall_agreed, recall_refused],
}
NEVER = [
    opened,
    undelivered,
    order,
    recall,
    recall_requested,
    revocation_ordered,
    reception_overdue,
]


@pytest.mark.parametrize("what", SETTLED)
def test_what_shows_that_it_arrived_after_all(what):
    every = [*NEVER, *(event for events in SETTLED.values() for event in events)]
    assert [e for e in every if has_arrived(what, e)] == SETTLED[what]


def test_it_stands_until_then():
    assert copy.fold([opened, undelivered, recall_requested]).undelivered == undelivered
    assert copy.fold([opened, undelivered, arrived]).undelivered is None
    assert copy.fold([*ORDERED, order]).undelivered == order
    assert copy.fold([*ORDERED, order, revocation_refused]).undelivered is None


def test_it_is_no_status_of_the_receivers():
    assert copy.fold([opened, undelivered]).status == "opened"
    assert copy.fold([opened, undelivered, arrived]).status == "arrived"


# Who hears of it.


def message(agency, event):
    return Message(
        id="msg_1", agency=agency, lane=f"{agency}#normal", sequence=1, case=DOCUMENT,
        type=event.type, stream=f"document-{DOCUMENT}", commit=1, index=0, position=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("agency", "event", "what"),
    [
        (RECEIVER, sent, "document"),
        (OTHER, sent, "document"),
        (ADDED, amended, "document"),
        (RECEIVER, amendment_ordered, "order"),
        (RECEIVER, revocation_ordered, "order"),
        (RECEIVER, recall_requested, "recall"),
    ],
)
def test_a_refused_message_of_the_senders_is_noted_on_the_copy(agency, event, what):
    decider, id_, command = refused(message(agency, event), event, ORIGIN, "422 type-unknown")
    assert (decider, id_) == (copy, f"{DOCUMENT}.{agency}")
    assert (command.undelivered, command.reason) == (what, "422 type-unknown")
    assert (command.opening is not None) is (what == "document")
    if command.opening:
        assert command.opening.receiver == agency


@pytest.mark.parametrize(
    "event", [arrived, received, recall_agreed, revocation_refused, undelivered, reception_overdue]
)
def test_a_sender_is_not_told_of_what_its_own_system_refuses(event):
    assert refused(message(SENDER, event), event, ORIGIN, "422") is None


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("422", "422"),
        ("404 unknown:here", "404 unknown:here"),
        ("abandoned", "abandoned"),
        ("not-composed: LetterTooLarge", "not-composed"),
    ],
)
def test_it_is_told_the_public_reason_only(why, told):
    _, _, command = refused(message(RECEIVER, sent), sent, ORIGIN, why)
    assert command.reason == told


def test_the_sender_is_told():
    assert list(route("", undelivered)) == [Notice(agency=SENDER, case=DOCUMENT)]
    assert refusal_data(undelivered) == {
        "document": DOCUMENT,
        "sender": SENDER,
        "receiver": RECEIVER,
        "undelivered": "document",
        "about": ABOUT_IT,
        "reason": "422 type-unknown",
        "at": AT.isoformat(),
    }


# Who sees it.


def row(question, *events):
    found = None
    for event in events:
        found = question.answer.evolve(found, event)
    return found


def test_where_a_document_is_says_what_could_not_be_delivered():
    view = row(where_is_my_document, opened, undelivered)
    assert view.send_error.model_dump() == {"undelivered": "document", "reason": "422 type-unknown"}
    assert view.status == ""
    (step,) = view.steps
    assert (step.code, step.note, step.undelivered) == ("", "422 type-unknown", "document")
    later = row(where_is_my_document, opened, undelivered, arrived)
    assert (later.send_error, later.status) == (None, "01")
    assert [step.undelivered for step in later.steps] == ["document", ""]
    stays = row(where_is_my_document, opened, arrived, revocation_ordered, order)
    assert (stays.change, stays.send_error.undelivered) == ("revocation", "order")
    assert row(where_is_my_document, undelivered) is None


def test_a_senders_list_says_for_whom():
    view = row(which_documents_did_my_agency_send, sent, opened, undelivered)
    assert (view.send_errors, view.statuses) == ({RECEIVER: "document"}, {})
    both = row(
        which_documents_did_my_agency_send,
        sent,
        undelivered,
        undelivered.model_copy(update={"receiver": OTHER}),
        received,
    )
    assert (both.send_errors, both.statuses) == ({OTHER: "document"}, {RECEIVER: "03"})
    assert row(which_documents_did_my_agency_send, undelivered) is None


def test_the_receivers_list_is_as_before():
    before = row(which_documents_came_to_my_agency, opened)
    assert row(which_documents_came_to_my_agency, opened, undelivered) == before
