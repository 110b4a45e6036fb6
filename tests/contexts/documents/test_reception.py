"""Reception overdue: what a receiver has not acted on in time, whoever watched the clock."""

from datetime import UTC, date, datetime, timedelta

import pytest
from contexts.documents.demo_documents import (
    AT,
    DOCUMENT,
    DUE,
    ORIGIN,
    RECEIVER,
    SENDER,
    TERMS,
    amendment_agreed,
    amendment_ordered,
    arrived,
    assigned,
    completed,
    opened,
    opening,
    processing_started,
    recall_agreed,
    recall_refused,
    recall_requested,
    received,
    reception_overdue,
    reception_refused,
    removal_ordered,
    removal_refused,
    revocation_agreed,
    revocation_ordered,
    revocation_refused,
    sent,
    undelivered,
)
from hypothesis import given
from hypothesis import strategies as st
from specification import Given

from chalicelib.contexts.documents import messages
from chalicelib.contexts.documents.domain.copy import (
    AcceptReception,
    AgreeRecall,
    AssignCopy,
    NoteArrival,
    NoteReceptionOverdue,
    NotYourCopy,
    OpenCopy,
    OrderChange,
    RecallPending,
    ReceptionTerms,
    RefuseRecall,
    RefuseReception,
    RequestRecall,
    copy,
)
from chalicelib.contexts.documents.domain.events import CopyReceptionOverdue
from chalicelib.contexts.documents.projections import where_is_my_document as where_is_it
from chalicelib.contexts.documents.projections import which_copies_await_reception as awaited
from chalicelib.contexts.documents.projections import (
    which_documents_came_to_my_agency as came_to_me,
)
from chalicelib.contexts.documents.projections import (
    which_documents_did_my_agency_send as sent_by_me,
)
from chalicelib.contexts.documents.reactions import copy_id
from chalicelib.contexts.documents.reactions import reception_overdue as follow
from chalicelib.kernel import Refused
from chalicelib.working_time import Calendar

SECOND = timedelta(seconds=1)
LATE = DUE + SECOND


def by(at):
    return ORIGIN.model_copy(update={"at": at, "command_id": at.isoformat()})


def said(kind, at=LATE, agency=RECEIVER, **fields):
    return kind(origin=by(at), agency=agency, **fields)


def look(at):
    return NoteReceptionOverdue(origin=by(at))


def late(event):
    return event.model_copy(update={"at": LATE})


accept, assign = said(AcceptReception), said(AssignCopy)
refuse = said(RefuseReception, note="not for us")
ask_back = said(RequestRecall, agency=SENDER)
order_back = OrderChange(origin=by(LATE), change="revocation", note="issued in error")
ordered_back = late(revocation_ordered).model_copy(update={"staff": None})
ARRIVED = [opened, arrived]
SAID = [*ARRIVED, reception_overdue]
order_undelivered = undelivered.model_copy(update={"undelivered": "order"})
without_a_clock = arrived.model_copy(update={"due_at": None})


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(ARRIVED, look(LATE), [reception_overdue], id="the time has passed"),
        pytest.param(ARRIVED, look(DUE), [], id="the last moment is in time"),
        pytest.param(SAID, look(LATE), [], id="it is said once"),
        pytest.param([], look(LATE), [], id="there is no such copy"),
        pytest.param([opened], look(LATE), [], id="it is still on its way"),
        pytest.param(
            [opened, without_a_clock], look(LATE), [], id="it came before there was a term"
        ),
        pytest.param([*ARRIVED, received], look(LATE), [], id="it was received"),
        pytest.param([*ARRIVED, completed], look(LATE), [], id="all was done at once"),
        pytest.param([*ARRIVED, reception_refused], look(LATE), [], id="it was refused"),
        pytest.param([*ARRIVED, recall_requested], look(LATE), [], id="it is asked back"),
        pytest.param([*ARRIVED, revocation_ordered], look(LATE), [], id="it is ordered back"),
        pytest.param([*ARRIVED, recall_requested, recall_agreed], look(LATE), [], id="given back"),
        pytest.param(
            [*ARRIVED, recall_requested, recall_refused],
            look(LATE),
            [reception_overdue],
            id="kept, and not received either",
        ),
        pytest.param(
            [*ARRIVED, amendment_ordered],
            look(LATE),
            [reception_overdue],
            id="another edition stops no clock",
        ),
        pytest.param(
            [*ARRIVED, amendment_ordered, order_undelivered],
            look(LATE),
            [reception_overdue],
            id="nor does one that its system would not take",
        ),
        # Nobody watched: it is said when something happens, before it happens.
        pytest.param(ARRIVED, accept, [reception_overdue, late(received)], id="received too late"),
        pytest.param(ARRIVED, assign, [reception_overdue, late(assigned)], id="assigned too late"),
        pytest.param(
            ARRIVED, refuse, [reception_overdue, late(reception_refused)], id="refused too late"
        ),
        pytest.param(
            ARRIVED, ask_back, [reception_overdue, late(recall_requested)], id="asked back too late"
        ),
        pytest.param(
            ARRIVED, order_back, [reception_overdue, ordered_back], id="ordered back too late"
        ),
        pytest.param(SAID, accept, [late(received)], id="received after it was said"),
        pytest.param(
            ARRIVED,
            said(AcceptReception, DUE),
            [received.model_copy(update={"at": DUE})],
            id="in time",
        ),
        pytest.param(
            [*ARRIVED, recall_requested],
            said(AgreeRecall),
            [late(recall_agreed)],
            id="given back late, as it was asked back in time",
        ),
        pytest.param(
            ARRIVED,
            OpenCopy(origin=by(LATE), opening=opening),
            [],
            id="what changes nothing says none",
        ),
        pytest.param(
            ARRIVED, said(AcceptReception, agency="Z09"), NotYourCopy, id="nor a stranger"
        ),
        pytest.param([*ARRIVED, recall_requested], accept, RecallPending, id="nor what is refused"),
    ],
)
def test_reception_overdue(given, when, then):
    Given(copy, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("arrives", "urgent", "due"),
    [
        pytest.param("2026-03-02T01:00Z", False, "2026-03-03T10:00Z", id="the next working day"),
        pytest.param("2026-03-06T01:00Z", False, "2026-03-09T10:00Z", id="over the weekend"),
        pytest.param("2026-03-02T16:59Z", False, "2026-03-03T10:00Z", id="late on Monday in Hanoi"),
        pytest.param("2026-03-02T17:00Z", False, "2026-03-04T10:00Z", id="it is Tuesday in Hanoi"),
        pytest.param("2026-02-13T08:00Z", False, "2026-02-23T10:00Z", id="over Tết"),
        pytest.param("2026-03-02T01:00Z", True, "2026-03-02T02:00Z", id="urgent: a working hour"),
        pytest.param("2026-03-02T12:00Z", True, "2026-03-03T02:00Z", id="urgent, in the evening"),
    ],
)
def test_the_term_of_reception(arrives, urgent, due):
    at = datetime.fromisoformat(arrives)
    command = NoteArrival(
        origin=by(at), opening=opening.model_copy(update={"urgent": urgent}), terms=TERMS
    )
    [_, event] = copy.decide(command, copy.initial)
    assert event.due_at == datetime.fromisoformat(due)


def test_the_term_is_the_deployments():
    terms = ReceptionTerms(
        calendar=Calendar(days_off={date(2026, 1, 5): "demo"}), urgent_minutes=30
    )
    assert terms.due(AT, urgent=False) == DUE + timedelta(days=1)
    assert terms.due(AT, urgent=True) == AT + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("happened", "waits"),
    [
        pytest.param([arrived], True, id="it has arrived"),
        pytest.param([without_a_clock], False, id="it has no term"),
        pytest.param([arrived, received], False, id="it was received"),
        pytest.param([arrived, assigned, processing_started, completed], False, id="it was done"),
        pytest.param([arrived, reception_refused], False, id="it was refused"),
        pytest.param([arrived, reception_overdue], False, id="it was said to be late"),
        pytest.param([arrived, recall_requested], False, id="it is asked back"),
        pytest.param([recall_requested, arrived], False, id="it was asked back on its way"),
        pytest.param([recall_requested, arrived, recall_refused], True, id="and is kept"),
        pytest.param([arrived, recall_requested, recall_agreed], False, id="it was given back"),
        pytest.param([arrived, revocation_ordered], False, id="it is ordered back"),
        pytest.param([arrived, revocation_ordered, revocation_refused], True, id="and is kept"),
        pytest.param([arrived, revocation_ordered, revocation_agreed], False, id="or was given"),
        pytest.param([arrived, removal_ordered, removal_refused], True, id="dropped, and kept"),
        pytest.param([arrived, recall_requested, removal_ordered], False, id="asked, then ordered"),
        pytest.param([arrived, amendment_ordered, amendment_agreed], True, id="another edition"),
        pytest.param([arrived, received, recall_requested, recall_refused], False, id="received"),
    ],
)
def test_whose_clock_runs(happened, waits):
    row = None
    for event in happened:
        row = awaited.evolve(row, event)
    assert (row.listed if row else None) == ("due" if waits else None)
    # What is due in the view is what the decider would call late, and no more.
    assert bool(copy.decide(look(LATE), copy.fold([opened, *happened]))) is waits
    if waits:
        assert row.due_at == DUE
        decider, id_, command = follow(row, by(LATE))
        assert (decider, id_) == (copy, copy_id(row.document, row.receiver))
        assert isinstance(command, NoteReceptionOverdue)


@pytest.mark.parametrize(
    ("happened", "waits"),
    [
        pytest.param([], False, id="it has time left"),
        pytest.param([reception_overdue], True, id="its time has passed"),
        pytest.param([reception_overdue, recall_requested], True, id="asked back after that"),
        pytest.param([reception_overdue, amendment_ordered, amendment_agreed], True, id="renewed"),
        pytest.param([reception_overdue, received], False, id="received late"),
        pytest.param([reception_overdue, completed], False, id="done late"),
        pytest.param([reception_overdue, reception_refused], False, id="refused late"),
        pytest.param([reception_overdue, recall_requested, recall_agreed], False, id="given back"),
        pytest.param(
            [reception_overdue, revocation_ordered, revocation_agreed], False, id="revoked"
        ),
    ],
)
def test_who_sees_that_it_is_late(happened, waits):
    views = (came_to_me.answer, where_is_it.answer, sent_by_me.answer)
    received_row, whereabouts, sent_row = None, None, None
    for event in (sent, opened, arrived, *happened):
        rows = received_row, whereabouts, sent_row
        received_row, whereabouts, sent_row = (
            view.evolve(row, event) if event.type in view.types else row
            for view, row in zip(views, rows, strict=True)
        )
    assert received_row.overdue is whereabouts.overdue is waits
    assert sent_row.overdue == ((RECEIVER,) if waits else ())
    assert received_row.due_at == whereabouts.due_at == DUE
    # It is no status, and stays in the history of the copy.
    assert sent_row.statuses.get(RECEIVER) == whereabouts.status == received_row.status
    missed = [step.due_at for step in whereabouts.steps if step.due_at]
    assert missed == [DUE for event in happened if event is reception_overdue]


def test_the_sender_is_told_and_nobody_else():
    [notice] = messages.route("copy-x", reception_overdue)
    assert (notice.agency, notice.case, notice.urgent) == (SENDER, DOCUMENT, False)
    assert messages.overdue_data(reception_overdue) == {
        "document": DOCUMENT,
        "sender": SENDER,
        "receiver": RECEIVER,
        "due_at": "2026-01-05T10:00:00+00:00",
        "at": "2026-01-05T10:00:01+00:00",
    }


ACTS = st.sampled_from(
    [
        lambda at: said(AcceptReception, at),
        lambda at: said(AssignCopy, at),
        lambda at: said(RefuseReception, at, note="not for us"),
        lambda at: said(RequestRecall, at, SENDER),
        lambda at: said(AgreeRecall, at),
        lambda at: said(RefuseRecall, at, note="already acted on"),
        lambda at: OrderChange(origin=by(at), change="removal"),
        lambda at: OrderChange(origin=by(at), change="amendment", edition=2),
    ]
)
HOURS = st.integers(0, 120).map(lambda hours: AT + timedelta(hours=hours))


def live(acts, looks):
    """A copy's events, when these things are asked of it and the schedule looks at these times."""
    asked = [act(at) for at, act in acts] + [look(at) for at in looks]
    events = [opened, arrived]
    for command in sorted(asked, key=lambda command: command.at):
        try:
            events += copy.decide(command, copy.fold(events))
        except Refused:
            continue
    return [event for event in events if not isinstance(event, CopyReceptionOverdue)], [
        event for event in events if isinstance(event, CopyReceptionOverdue)
    ]


@given(st.lists(st.tuples(HOURS, ACTS), max_size=6), st.lists(HOURS, max_size=3))
def test_it_makes_no_difference_when_the_schedule_looked(acts, looks):
    end = datetime(2026, 2, 1, tzinfo=UTC)
    others, overdue = live(acts, [*looks, end])
    others_after_days, overdue_after_days = live(acts, [end])
    assert others == others_after_days
    assert [e.due_at for e in overdue] == [e.due_at for e in overdue_after_days]
    assert len(overdue) <= 1
