from datetime import date

import pytest
from contexts.documents.demo_documents import (
    ADDED,
    AT,
    DOCUMENT,
    DUE,
    LATER,
    LATER_DOCUMENT,
    OTHER,
    RECEIVER,
    REFERENCE,
    SENDER,
    amended,
    amendment_agreed,
    amendment_ordered,
    amendment_refused,
    arrived,
    assigned,
    completed,
    of_other,
    opened,
    processing_started,
    recall_agreed,
    recall_refused,
    recall_requested,
    received,
    reception_refused,
    relayed,
    replaced,
    revocation_agreed,
    revocation_ordered,
    revocation_refused,
    revoked,
    sent,
    sent_urgently,
)
from hypothesis import given as for_all
from hypothesis import strategies as st

from chalicelib.contexts.agencies.domain.events import AgencyRegistered, AgencySystemRegistered
from chalicelib.contexts.documents.domain.events import Answered
from chalicelib.contexts.documents.projections import (
    where_is_my_document,
    which_documents_answer_this_one,
    which_documents_came_to_my_agency,
    which_documents_did_my_agency_send,
    who_takes_part,
)
from chalicelib.contexts.documents.projections.where_is_my_document import CopyStep, Whereabouts
from chalicelib.contexts.documents.projections.which_documents_answer_this_one import Replies
from chalicelib.contexts.documents.projections.which_documents_came_to_my_agency import (
    ReceivedDocument,
)
from chalicelib.contexts.documents.projections.which_documents_did_my_agency_send import (
    SentDocument,
)
from chalicelib.contexts.documents.projections.who_takes_part import Keys, Participant
from chalicelib.privacy.personal import Personal

STATUSES = [
    arrived,
    reception_refused,
    received,
    assigned,
    processing_started,
    completed,
    recall_requested,
    recall_agreed,
    recall_refused,
    revocation_ordered,
    revocation_agreed,
    revocation_refused,
    amendment_ordered,
    amendment_agreed,
    amendment_refused,
]


def folded(projection, *events):
    row = None
    for event in events:
        row = projection.evolve(row, event)
    # The runner stores rows as JSON and reads them back.
    assert row is None or type(row).model_validate_json(row.model_dump_json()) == row
    return row


def at_later(event):
    return event.model_copy(update={"at": LATER})


came = ReceivedDocument(
    document=DOCUMENT,
    receiver=RECEIVER,
    sender=SENDER,
    reference=REFERENCE,
    subject="Demo document",
    urgent=False,
    sent_at=AT,
)


@pytest.mark.parametrize(
    ("events", "row"),
    [
        pytest.param([opened], came, id="on its way"),
        pytest.param(
            [opened, at_later(arrived)],
            came.model_copy(update={"status": "01", "reported_at": LATER, "due_at": DUE}),
            id="arrived",
        ),
        pytest.param(
            [opened, arrived, reception_refused],
            came.model_copy(update={"status": "02", "reported_at": AT, "due_at": DUE}),
            id="refused",
        ),
        pytest.param(
            [opened, arrived, received, completed],
            came.model_copy(update={"status": "06", "reported_at": AT, "due_at": DUE}),
            id="completed",
        ),
        pytest.param(
            [opened, received, revocation_ordered],
            came.model_copy(update={"status": "03", "reported_at": AT, "change": "revocation"}),
            id="ordered back",
        ),
        pytest.param(
            [opened, received, revocation_ordered, at_later(revocation_agreed)],
            came.model_copy(update={"status": "15", "reported_at": LATER}),
            id="given back",
        ),
        pytest.param(
            [
                opened,
                received.model_copy(update={"arrival_number": 7, "arrival_year": 2026}),
                completed,
            ],
            came.model_copy(
                update={
                    "status": "06",
                    "reported_at": AT,
                    "arrival_number": 7,
                    "arrival_year": 2026,
                }
            ),
            id="with its arrival number",
        ),
        pytest.param(
            [opened, received, amendment_ordered],
            came.model_copy(update={"status": "03", "reported_at": AT, "change": "amendment"}),
            id="another edition",
        ),
        pytest.param(
            [opened, received, amendment_ordered, at_later(amendment_agreed)],
            came.model_copy(update={"status": "03", "reported_at": LATER}),
            id="taken",
        ),
        pytest.param(
            [opened.model_copy(update={"urgent": True})],
            came.model_copy(update={"urgent": True}),
            id="urgent",
        ),
        pytest.param([received], None, id="a status of a copy nobody opened"),
    ],
)
def test_which_documents_came_to_my_agency(events, row):
    assert folded(which_documents_came_to_my_agency.answer, *events) == row


def test_a_copy_is_listed_under_the_words_of_its_last_edition():
    question = which_documents_came_to_my_agency
    row = folded(question.answer, opened, amended)
    assert row == came.model_copy(update={"subject": "Demo document, put right"})
    assert question.answer.evolve(None, amended) is None
    # Only those whom the edition concerns have it; each row is the copy's own.
    assert list(question.keys(amended)) == list(question.keys(opened))
    assert list(question.keys(opened)) == [f"copy-{DOCUMENT}.{RECEIVER}"]


def test_a_senders_document_goes_to_the_units_of_its_receivers_too():
    row = folded(which_documents_did_my_agency_send.answer, sent, relayed)
    assert row.receivers == (RECEIVER, OTHER, ADDED)
    assert which_documents_did_my_agency_send.answer.evolve(None, relayed) is None


def test_who_is_ordered_again_to_give_it_back_is_listed_once():
    row = folded(which_documents_did_my_agency_send.answer, sent, revoked, revoked)
    assert row.revoked == (RECEIVER, OTHER)


whereabouts = Whereabouts(document=DOCUMENT, receiver=RECEIVER, sender=SENDER)


@pytest.mark.parametrize(
    ("events", "row"),
    [
        pytest.param([opened], whereabouts, id="on its way"),
        pytest.param(
            [opened, arrived, recall_requested, at_later(recall_refused)],
            whereabouts.model_copy(
                update={
                    "status": "16",
                    "due_at": DUE,
                    "steps": (
                        CopyStep(code="01", at=AT),
                        CopyStep(code="13", at=AT),
                        CopyStep(code="16", at=LATER, note="already acted on"),
                    ),
                }
            ),
            id="every step in its order, with its note",
        ),
        pytest.param(
            [opened, revocation_ordered],
            whereabouts.model_copy(
                update={
                    "change": "revocation",
                    "steps": (
                        CopyStep(code="", change="revocation", note="issued in error", at=AT),
                    ),
                }
            ),
            id="ordered back",
        ),
        pytest.param(
            [opened, revocation_ordered, revocation_refused],
            whereabouts.model_copy(
                update={
                    "status": "16",
                    "steps": (
                        CopyStep(code="", change="revocation", note="issued in error", at=AT),
                        CopyStep(code="16", change="revocation", note="already acted on", at=AT),
                    ),
                }
            ),
            id="and kept",
        ),
        pytest.param(
            [opened, received, amendment_ordered, amendment_refused],
            whereabouts.model_copy(
                update={
                    "status": "03",
                    "steps": (
                        CopyStep(code="03", at=AT),
                        CopyStep(code="", change="amendment", note="a slip of the pen", at=AT),
                        CopyStep(code="16", change="amendment", note="already acted on", at=AT),
                    ),
                }
            ),
            id="another edition, not taken",
        ),
        pytest.param([arrived], None, id="a status of a copy nobody opened"),
    ],
)
def test_where_is_my_document(events, row):
    assert folded(where_is_my_document.answer, *events) == row


sent_row = SentDocument(
    document=DOCUMENT,
    sender=SENDER,
    reference=REFERENCE,
    subject="Demo document",
    promulgated_on=date(2026, 1, 2),
    priority=0,
    receivers=(RECEIVER, OTHER),
    sent_at=AT,
)


def with_statuses(**statuses):
    return sent_row.model_copy(update={"statuses": statuses})


@pytest.mark.parametrize(
    ("events", "row"),
    [
        pytest.param([sent], sent_row, id="sent"),
        pytest.param([sent_urgently], sent_row.model_copy(update={"priority": 1}), id="urgently"),
        pytest.param([sent, opened], sent_row, id="an opened copy says nothing yet"),
        pytest.param([sent, opened, arrived], with_statuses(Z02="01"), id="one has it"),
        pytest.param(
            [sent, opened, arrived, of_other(opened), of_other(arrived), received],
            with_statuses(Z02="03", Z03="01"),
            id="each receiver by itself",
        ),
        pytest.param(
            [sent, revoked],
            sent_row.model_copy(update={"revoked": (RECEIVER, OTHER)}),
            id="revoked",
        ),
        pytest.param(
            [sent, opened, received, revocation_ordered],
            with_statuses(Z02="03"),
            id="an order changes no status",
        ),
        pytest.param(
            [sent, opened, received, amended, amendment_ordered, amendment_agreed],
            with_statuses(Z02="03").model_copy(
                update={
                    "subject": "Demo document, put right",
                    "receivers": (RECEIVER, ADDED),
                    "edition": 2,
                }
            ),
            id="amended",
        ),
        pytest.param([amended], None, id="an amendment of a document nobody sent"),
        pytest.param(
            [sent, replaced],
            sent_row.model_copy(update={"replaced_by": (LATER_DOCUMENT,)}),
            id="replaced",
        ),
        pytest.param([replaced], None, id="a replacement of a document nobody sent"),
        pytest.param([revoked], None, id="a revocation of a document nobody sent"),
        pytest.param([arrived], None, id="a status of a document nobody sent"),
        pytest.param([opened], None, id="a copy of a document nobody sent"),
    ],
)
def test_which_documents_did_my_agency_send(events, row):
    assert folded(which_documents_did_my_agency_send.answer, *events) == row


@for_all(st.data())
def test_the_order_between_copies_makes_no_difference(data):
    # A copy's own events keep their order; how two copies' events lie is chance.
    rest = {
        RECEIVER: [opened, arrived, received, completed],
        OTHER: [of_other(event) for event in (opened, arrived, reception_refused)],
    }
    mixed = []
    while any(rest.values()):
        mixed.append(rest[data.draw(st.sampled_from([c for c in rest if rest[c]]))].pop(0))
    row = folded(which_documents_did_my_agency_send.answer, sent, *mixed)
    assert row == with_statuses(Z02="06", Z03="02")


@pytest.mark.parametrize("event", [sent, revoked, amended, opened, *STATUSES, of_other(received)])
def test_every_event_of_a_document_bears_on_one_row(event):
    assert which_documents_did_my_agency_send.keys(event) == [DOCUMENT]


def answering(*ids):
    answers = tuple(Answered(agency="Z02", document=id_) for id_ in ids)
    return sent.model_copy(
        update={"official": sent.official.model_copy(update={"answers": answers})}
    )


@pytest.mark.parametrize(
    ("ids", "keys"),
    [
        pytest.param((), [DOCUMENT], id="it answers nothing"),
        pytest.param(("a", "b"), [DOCUMENT, "a", "b"], id="each that it answers"),
        pytest.param(("a", "a", ""), [DOCUMENT, "a"], id="once, and if it has an id"),
    ],
)
def test_an_answer_stands_with_what_it_answers(ids, keys):
    assert which_documents_answer_this_one.keys(answering(*ids)) == keys


def test_which_documents_answer_this_one():
    later = answering("a").model_copy(update={"document": LATER_DOCUMENT, "at": LATER})
    row = folded(which_documents_answer_this_one.answer, answering("a"), later)
    assert row == Replies(documents=(DOCUMENT, LATER_DOCUMENT), last_at=LATER)


COPY_VIEWS = [where_is_my_document.answer, which_documents_came_to_my_agency.answer]
COPY_EVENTS = st.lists(st.sampled_from([opened, *STATUSES]), max_size=8)


@pytest.mark.parametrize("view", COPY_VIEWS, ids=lambda view: view.name)
def test_no_order_of_events_stops_a_view(view):
    @for_all(COPY_EVENTS)
    def told(events):
        row = folded(view, *events)
        # A copy that was opened has a row; one of which only scraps are known has none.
        assert (row is not None) == (opened in events)

    told()


@for_all(
    st.lists(
        st.sampled_from([sent, revoked, amended, opened, *STATUSES, of_other(arrived)]), max_size=8
    )
)
def test_nor_the_view_of_what_was_sent(events):
    row = folded(which_documents_did_my_agency_send.answer, *events)
    assert (row is not None) == (sent in events)


@pytest.mark.parametrize(
    ("view", "row"),
    [
        (where_is_my_document.answer, whereabouts),
        (which_documents_came_to_my_agency.answer, came),
        (which_documents_did_my_agency_send.answer, sent_row),
        (who_takes_part.answer, Participant(code="Z01", name="Demo agency one")),
    ],
)
def test_lists_are_grouped_and_ordered_by_fields_of_the_row(view, row):
    assert isinstance(row, view.row)
    assert {view.by, view.sort} <= row.model_dump().keys()


SEALED = Personal[str](subject="system:Z01:egov", sealed="c2VhbGVk", where="agency-Z01@2")
entered = AgencyRegistered(
    code="Z01", given="000.00.00.Z01", name="Demo agency one", source="demo data"
)
connected = AgencySystemRegistered(
    code="Z01",
    system="egov",
    kind="documents",
    endpoint="https://one.example/in",
    profile="cloudevents",
    public_keys=("a2V5",),
    secret=SEALED,
)
archive = connected.model_copy(update={"system": "archive", "kind": "archive", "secret": None})
participant = Participant(code="Z01", name="Demo agency one")
egov = {"egov": Keys(public_keys=("a2V5",), secret=SEALED)}


@pytest.mark.parametrize(
    ("events", "row"),
    [
        pytest.param([entered], participant, id="an agency without systems"),
        pytest.param(
            [entered, connected],
            participant.model_copy(update={"systems": egov, "mailbox": "egov"}),
            id="with one",
        ),
        pytest.param(
            [entered, connected, archive],
            participant.model_copy(
                update={
                    "systems": egov | {"archive": Keys(public_keys=("a2V5",))},
                    "mailbox": "egov",
                }
            ),
            id="with two",
        ),
        pytest.param(
            [entered, connected, connected.model_copy(update={"public_keys": ("b3RoZXI",)})],
            participant.model_copy(
                update={
                    "systems": {"egov": Keys(public_keys=("b3RoZXI",), secret=SEALED)},
                    "mailbox": "egov",
                }
            ),
            id="old keys no longer count",
        ),
        pytest.param([connected], None, id="a system of nobody"),
    ],
)
def test_who_takes_part(events, row):
    assert folded(who_takes_part.answer, *events) == row
