"""What a receiver has not taken is sent again, and its copy begins anew."""

from datetime import timedelta

import pytest
from contexts.documents.demo_documents import (
    ABOUT,
    ADDED,
    DOCUMENT,
    DUE,
    LATER,
    LATER_ORIGIN,
    ORIGIN,
    OTHER,
    RECEIVER,
    SENDER,
    TERMS,
    amendment_ordered,
    arrived,
    completed,
    opened,
    opening,
    recall_agreed,
    recall_requested,
    received,
    reception_overdue,
    reception_refused,
    relayed,
    removal_agreed,
    removal_ordered,
    resent,
    revocation_agreed,
    revocation_ordered,
    sent,
    undelivered,
)
from specification import Given

from chalicelib.contexts.documents.domain.copy import (
    AcceptReception,
    CopyNotRefused,
    CopyUnknown,
    CopyWasRecalled,
    NoteArrival,
    NoteDeliveryRefused,
    NoteReceptionOverdue,
    OpenCopy,
    OrderChange,
    RecallPending,
    ReceptionWasRefused,
    RefuseReception,
    RequestRecall,
    ResendCopy,
    copy,
)
from chalicelib.contexts.documents.domain.document import (
    DocumentWasRevoked,
    NotAReceiver,
    NotTheSender,
    ReceiverLocked,
    ReceiverUnknown,
    SenderLocked,
    document,
)
from chalicelib.contexts.documents.domain.events import ABANDONED
from chalicelib.contexts.documents.messages import delivered, refused, route
from chalicelib.contexts.documents.projections import (
    where_is_my_document,
    which_copies_await_reception,
    which_documents_came_to_my_agency,
    which_documents_did_my_agency_send,
)
from chalicelib.contexts.documents.projections.where_is_my_document import CopyStep
from chalicelib.delivery import deliver
from chalicelib.delivery.outbox import Message, Notice


def again(**fields):
    asked = {
        "origin": ORIGIN,
        "agency": SENDER,
        "document": DOCUMENT,
        "about": ABOUT,
        "edition": 2,
        "subject": "Demo document, put right",
    }
    return ResendCopy(**(asked | fields))


def said(kind, agency=RECEIVER, **fields):
    return kind(**({"origin": ORIGIN, "agency": agency} | fields))


def arrival(resending=0, **fields):
    asked = {"origin": ORIGIN, "terms": TERMS, "resending": resending}
    first = {} if resending else {"opening": opening}
    return NoteArrival(**(asked | first | fields))


def failure(reason, resending=0):
    return NoteDeliveryRefused(
        origin=ORIGIN.model_copy(update={"causation": undelivered.about}),
        undelivered="document",
        reason=reason,
        resending=resending,
    )


abandoned = undelivered.model_copy(update={"reason": ABANDONED})
resent_twice = resent.model_copy(update={"number": 2})
REFUSED = [opened, arrived, reception_refused]
GIVEN_UP = [opened, undelivered, abandoned]
AGAIN = [*REFUSED, resent]
TWICE = [*AGAIN, arrived, reception_refused]


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(REFUSED, again(), [resent], id="after 02"),
        pytest.param([opened, reception_refused], again(), [resent], id="after 02 before 01"),
        pytest.param(GIVEN_UP, again(), [resent], id="what an operator gave up"),
        pytest.param(
            [*GIVEN_UP, amendment_ordered], again(), [resent], id="though an order waits there"
        ),
        pytest.param(
            [*GIVEN_UP, undelivered.model_copy(update={"undelivered": "order"})],
            again(),
            [resent],
            id="though an order was not delivered either",
        ),
        pytest.param(TWICE, again(), [resent_twice], id="refused again"),
        pytest.param([*AGAIN, abandoned], again(), [resent_twice], id="given up the second time"),
        pytest.param(REFUSED, again(agency=OTHER, acts_for=(SENDER,)), [resent], id="by its hub"),
        pytest.param(AGAIN, again(), [], id="twice"),
        pytest.param([*AGAIN, arrived], again(), [], id="it has arrived again"),
        pytest.param([*AGAIN, arrived, received], again(), [], id="it was received"),
        pytest.param([*AGAIN, recall_requested], again(), [], id="it is asked back now"),
        pytest.param(AGAIN, again(dropped=True, locked=(RECEIVER,)), [], id="whatever changed"),
        pytest.param([], again(), CopyUnknown, id="of no copy"),
        pytest.param(REFUSED, again(agency=RECEIVER), NotTheSender, id="by its receiver"),
        pytest.param(REFUSED, again(agency=OTHER), NotTheSender, id="by another agency"),
        pytest.param(REFUSED, again(locked=(SENDER,)), SenderLocked, id="its sender is locked"),
        pytest.param([opened], again(), CopyNotRefused, id="it is on its way"),
        pytest.param([opened, undelivered], again(), CopyNotRefused, id="an operator has it"),
        pytest.param([opened, arrived], again(), CopyNotRefused, id="it has arrived"),
        pytest.param([*GIVEN_UP, arrived], again(), CopyNotRefused, id="it arrived after all"),
        pytest.param([opened, completed], again(), CopyNotRefused, id="it is done with"),
        pytest.param(
            [opened, recall_requested, recall_agreed], again(), CopyWasRecalled, id="after 15"
        ),
        pytest.param(
            [*GIVEN_UP, revocation_ordered, revocation_agreed],
            again(),
            CopyWasRecalled,
            id="after 15 to a revocation",
        ),
        pytest.param(
            [*AGAIN, removal_ordered, removal_agreed],
            again(),
            CopyWasRecalled,
            id="sent again, then given back",
        ),
        pytest.param([*GIVEN_UP, recall_requested], again(), RecallPending, id="it is asked back"),
        pytest.param(
            [*GIVEN_UP, removal_ordered], again(), RecallPending, id="it is to be given back"
        ),
        pytest.param(REFUSED, again(dropped=True), NotAReceiver, id="its receiver was dropped"),
        pytest.param(REFUSED, again(revoked=True), DocumentWasRevoked, id="it was revoked"),
        pytest.param(
            REFUSED, again(strangers=(RECEIVER,)), ReceiverUnknown, id="nobody answers for it"
        ),
        pytest.param(REFUSED, again(locked=(RECEIVER,)), ReceiverLocked, id="it is locked"),
    ],
)
def test_a_copy_is_sent_again(given, when, then):
    Given(copy, *given).when(when).then(then)


order = OrderChange(origin=ORIGIN, change="amendment", edition=3)
ordered = amendment_ordered.model_copy(update={"edition": 3, "note": "", "staff": None})


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(AGAIN, arrival(1), [arrived], id="01"),
        pytest.param([*AGAIN, arrived], arrival(1), [], id="01 twice"),
        pytest.param(AGAIN, arrival(), [], id="01 of the first sending is late"),
        pytest.param([*TWICE, resent_twice], arrival(1), [], id="so is 01 of the second"),
        pytest.param([], arrival(1), CopyUnknown, id="01 of no copy"),
        pytest.param([*AGAIN, arrived], said(AcceptReception), [received], id="03"),
        pytest.param(AGAIN, said(AcceptReception), [received], id="03 when 01 is late"),
        pytest.param(
            [*AGAIN, arrived],
            said(AcceptReception, number=7, year=2026),
            [received.model_copy(update={"arrival_number": 7, "arrival_year": 2026})],
            id="with an arrival number, its first",
        ),
        pytest.param(
            [*AGAIN, arrived],
            said(RefuseReception, note="not for us"),
            [reception_refused],
            id="02",
        ),
        pytest.param(TWICE, said(AcceptReception), ReceptionWasRefused, id="03 after 02 again"),
        pytest.param(AGAIN, said(RequestRecall, SENDER), [recall_requested], id="13"),
        pytest.param(AGAIN, order, [ordered], id="another edition"),
        pytest.param(
            AGAIN, order.model_copy(update={"edition": 2}), [], id="the edition that was sent"
        ),
        pytest.param(AGAIN, OpenCopy(origin=ORIGIN, opening=opening), [], id="it stays open"),
        pytest.param(AGAIN, failure("422 type-unknown", 1), [undelivered], id="not delivered"),
        pytest.param(AGAIN, failure("422 type-unknown"), [], id="nor was the first sending"),
        pytest.param([*AGAIN, arrived], failure(ABANDONED, 1), [], id="given up when it was there"),
    ],
)
def test_what_happens_to_it_then(given, when, then):
    Given(copy, *given).when(when).then(then)


def test_a_second_arrival_has_its_own_time_to_be_received():
    """What happened a day later: 02 too late, and the same again after it was sent again."""
    late = [opened, arrived, reception_overdue, reception_refused, resent]
    assert (copy.fold(late).due_at, copy.fold(late).overdue) == (None, False)
    monday = ORIGIN.model_copy(update={"at": DUE + timedelta(hours=1)})
    look = NoteReceptionOverdue(origin=monday)
    Given(copy, *late).when(look).then([])
    (second,) = copy.decide(arrival(1, origin=monday), copy.fold(late))
    assert second.due_at == DUE + timedelta(days=1)
    Given(copy, *late, second).when(look).then([])
    tuesday = ORIGIN.model_copy(update={"at": second.due_at + timedelta(seconds=1)})
    missed = reception_overdue.model_copy(update={"due_at": second.due_at, "at": tuesday.at})
    Given(copy, *late, second).when(NoteReceptionOverdue(origin=tuesday)).then([missed])


def test_it_is_the_present_edition_from_then_on():
    state = copy.fold(AGAIN)
    assert (state.status, state.edition, state.resendings) == ("opened", 2, 1)
    assert state.opening == opening.model_copy(update={"subject": "Demo document, put right"})
    assert copy.fold([*GIVEN_UP, resent]).undelivered is None


def test_an_order_that_waits_for_its_answer_still_does():
    assert copy.fold([*GIVEN_UP, amendment_ordered, resent]).change == "amendment"


def test_what_an_operator_gives_up_has_one_name():
    assert deliver.ABANDONED == ABANDONED


# Who hears of it.


def message(event):
    return Message(
        id="msg_1", agency=RECEIVER, lane=f"{RECEIVER}#normal", sequence=2, case=DOCUMENT,
        type=event.type, stream=f"copy-{DOCUMENT}.{RECEIVER}", commit=4, index=0, position=9,
    )  # fmt: skip


@pytest.mark.parametrize("urgent", [False, True])
def test_its_receiver_hears_of_it_in_the_documents_lane(urgent):
    event = resent.model_copy(update={"urgent": urgent})
    assert list(route("", event)) == [Notice(agency=RECEIVER, case=DOCUMENT, urgent=urgent)]


def test_a_receipt_for_it_means_that_it_arrived_again():
    decider, id_, command = delivered(message(resent_twice), resent_twice, ORIGIN, TERMS)
    assert (decider, id_) == (copy, f"{DOCUMENT}.{RECEIVER}")
    assert command == arrival(2)


def test_that_it_was_refused_is_noted_of_this_sending():
    _, id_, command = refused(message(resent_twice), resent_twice, LATER_ORIGIN, "422: no")
    assert id_ == f"{DOCUMENT}.{RECEIVER}"
    assert (command.undelivered, command.reason, command.resending) == ("document", "422", 2)


def test_how_a_unit_got_the_document_is_known():
    state = document.fold([sent, relayed])
    assert (state.relay_to(ADDED), state.relay_to(RECEIVER)) == (relayed, None)


# Who sees it.


def row(question, *events):
    found = None
    for event in events:
        if event.type in question.answer.types:
            found = question.answer.evolve(found, event)
    return found


later = resent.model_copy(update={"at": LATER})


def test_the_receivers_list_shows_it_as_new():
    refused_row = row(which_documents_came_to_my_agency, *REFUSED)
    assert row(which_documents_came_to_my_agency, *REFUSED, later) == refused_row.model_copy(
        update={
            "status": "",
            "subject": "Demo document, put right",
            "sent_at": LATER,
            "reported_at": None,
            "due_at": None,
        }
    )
    assert row(which_documents_came_to_my_agency, *AGAIN, arrived).status == "01"
    assert row(which_documents_came_to_my_agency, resent) is None


def test_where_a_document_is_says_that_it_was_sent_again():
    view = row(where_is_my_document, *REFUSED, later)
    assert (view.status, view.due_at) == ("", None)
    assert view.steps[-1] == CopyStep(code="", resent=2, at=LATER)
    assert row(where_is_my_document, *AGAIN, arrived).status == "01"
    assert row(where_is_my_document, *GIVEN_UP, resent).send_error is None
    assert row(where_is_my_document, resent) is None


def test_an_order_that_a_refusal_ended_is_shown_no_longer():
    ended = [opened, arrived, amendment_ordered, reception_refused]
    for question in (where_is_my_document, which_documents_came_to_my_agency):
        assert row(question, *ended).change == ""


def test_the_senders_list_shows_the_status_of_the_copy_as_it_is_now():
    others = reception_refused.model_copy(update={"receiver": OTHER})
    view = row(which_documents_did_my_agency_send, sent, *REFUSED, others, resent)
    assert view.statuses == {OTHER: "02"}
    assert row(which_documents_did_my_agency_send, sent, *GIVEN_UP, resent).send_errors == {}
    assert row(which_documents_did_my_agency_send, resent) is None


def test_its_reception_is_awaited_again():
    assert row(which_copies_await_reception, *AGAIN) is None
    assert row(which_copies_await_reception, *AGAIN, arrived).due_at == DUE
