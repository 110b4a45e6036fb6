"""Dossiers that another system keeps: its messages repeat, come late, or cannot be."""

from datetime import timedelta

import pytest
from contexts.dossiers.demo_dossiers import (
    CODE,
    DAY,
    DESK,
    LIVES,
    MONDAY,
    OTHER,
    SUBJECT,
    ask,
    live,
)

from chalicelib.contexts.dossiers.domain.adoption import NEXT
from chalicelib.contexts.dossiers.domain.commands import (
    AcceptDossier,
    AdoptState,
    NoteConsultationAnswer,
    NoteOverdue,
    NoteSync,
    SubmitDossier,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import Applicant, Contact
from chalicelib.contexts.dossiers.domain.refusals import (
    DossierAlreadyFiled,
    KeptElsewhere,
    KeptHere,
    NotYourDossier,
    SyncFromTheFuture,
    SyncImpossible,
)
from chalicelib.kernel import Refused


def synced(*states, **changes):
    """The state after the portal states, an hour apart."""
    return live(*((AdoptState, {"portal": portal, **changes}) for portal in states))[1]


NOW = MONDAY + DAY
LATER = NOW + 8 * DAY


@pytest.mark.parametrize(
    ("states", "changes", "then"),
    [
        pytest.param((), {"portal": 2}, "accepted", id="a dossier is first heard of"),
        pytest.param((), {"portal": 9}, "processed", id="in whatever state"),
        pytest.param((2,), {"portal": 4}, "processing", id="it moves"),
        pytest.param((1,), {"portal": 9}, "processed", id="messages between were lost"),
        pytest.param((2, 7), {"portal": 2}, "accepted", id="a withdrawal was declined"),
        pytest.param((1,), {"portal": 5}, "intake_supplement", id="more asked for at intake"),
        pytest.param((1, 5), {"portal": 1}, "submitted", id="and handed in"),
        pytest.param((4,), {"portal": 6}, "payment", id="a payment later on"),
        pytest.param((4, 9, 10), {"portal": 4}, "processing", id="a result is corrected"),
        pytest.param((2,), {"portal": 2, "unit": "x"}, "accepted", id="the same state, more said"),
        pytest.param((2,), {"portal": 2, "state_at": MONDAY}, None, id="the same state again"),
        pytest.param((2, 4), {"portal": 2, "state_at": MONDAY}, None, id="yesterday's, today"),
        pytest.param((2, 4), {"portal": 9, "state_at": MONDAY}, None, id="late, whatever it says"),
        pytest.param((3,), {"portal": 4}, SyncImpossible, id="refused, and yet processed"),
        pytest.param((4, 8), {"portal": 9}, SyncImpossible, id="stopped, and yet processed"),
        pytest.param((4,), {"portal": 2}, SyncImpossible, id="back to intake"),
        pytest.param((2, 5), {"portal": 1}, SyncImpossible, id="accepted, then newly registered"),
        pytest.param((2, 7), {"portal": 3}, SyncImpossible, id="accepted, then not accepted"),
        pytest.param((2,), {"procedure": "1.000002"}, SyncImpossible, id="another procedure"),
        pytest.param((), {"state_at": NOW + DAY}, SyncFromTheFuture, id="of tomorrow"),
        pytest.param(
            (), {"received_at": NOW, "due_at": MONDAY}, SyncImpossible, id="due before received"
        ),
        pytest.param((2,), {"agency": OTHER}, NotYourDossier, id="told by another agency"),
    ],
)
def test_a_synced_state(states, changes, then):
    state = synced(*states)
    wish = ask(AdoptState, state, **{"at": NOW, **changes})
    if isinstance(then, type):
        with pytest.raises(Refused) as refusal:
            dossier.decide(wish, state)
        assert type(refusal.value) is then
        return
    events = dossier.decide(wish, state)
    after = dossier.fold(events, state)
    assert [event.status for event in events] == ([then] if then else [])
    assert after.status == (then or state.status)
    assert after.sync == "none"
    assert dossier.decide(wish, after) == []


def test_the_clock_of_another_system_may_be_a_little_ahead():
    soon = ask(AdoptState, at=NOW, state_at=NOW + timedelta(minutes=10))
    assert dossier.decide(soon, dossier.initial)


@pytest.mark.parametrize("states", [(1, 2), (4, 5), (9, 10), (4, 5, 4), (1, 5, 4)])
def test_states_of_one_second_follow_each_other_and_change_nothing_when_they_are_sent_again(states):
    wishes = [ask(AdoptState, at=NOW, portal=portal) for portal in states]
    state = dossier.initial
    for wish in wishes:
        state = dossier.fold(dossier.decide(wish, state), state)
    assert state.heard == set(states)
    for wish in wishes:
        assert dossier.decide(wish, state) == []
    # The next second is another one.
    later = ask(AdoptState, state, at=NOW + DAY, portal=10)
    assert dossier.fold(dossier.decide(later, state), state).heard == {10}


@pytest.mark.parametrize(
    ("changes", "on_time"),
    [
        ({"portal": 4, "due_at": NOW}, None),
        ({"portal": 4, "due_at": NOW, "ended_at": NOW + DAY}, None),
        ({"portal": 9, "due_at": NOW, "ended_at": NOW}, True),
        ({"portal": 9, "due_at": NOW, "ended_at": NOW + DAY}, False),
        ({"portal": 9, "due_at": NOW, "ended_at": NOW, "supplements": 1}, True),
        ({"portal": 9, "due_at": NOW, "ended_at": NOW, "supplements": 2}, False),
        ({"portal": 10, "due_at": NOW, "returned_at": NOW + DAY}, False),
        ({"portal": 8, "due_at": NOW, "state_at": NOW}, True),
        ({"portal": 9}, None),
    ],
)
def test_whether_it_was_in_time(changes, on_time):
    (event,) = dossier.decide(ask(AdoptState, at=NOW + DAY, **changes), dossier.initial)
    assert event.on_time is on_time


def test_what_is_said_again_later_has_not_ended_later():
    state = live((AdoptState, {"at": MONDAY, "portal": 8, "due_at": MONDAY}))[1]
    (event,) = dossier.decide(ask(AdoptState, state, at=NOW, portal=8, due_at=MONDAY), state)
    assert event.on_time is True


@pytest.mark.parametrize(
    ("told", "on_time"),
    [
        pytest.param(({"portal": 9}, {"portal": 10}), True, id="returned after the appointment"),
        pytest.param(({"portal": 9}, {"portal": 10, "returned_at": LATER}), True, id="and it says"),
        pytest.param(({"portal": 9}, {"portal": 4}, {"portal": 9}), True, id="corrected too late"),
        pytest.param(({"portal": 9, "ended_at": LATER}, {"portal": 10}), False, id="done too late"),
        pytest.param(
            ({"portal": 9, "ended_at": LATER}, {"portal": 10, "due_at": LATER + DAY}),
            False,
            id="the appointment is moved afterwards",
        ),
        pytest.param(
            ({"portal": 9, "supplements": 2}, {"portal": 10, "supplements": 2}),
            False,
            id="asked for more too often",
        ),
        pytest.param(
            ({"portal": 9, "due_at": None}, {"portal": 10}), True, id="the appointment is told last"
        ),
        pytest.param(
            ({"portal": 9, "due_at": None, "ended_at": LATER}, {"portal": 10}),
            False,
            id="the appointment that was missed is told last",
        ),
    ],
)
def test_the_first_end_is_the_one_that_is_measured(told, on_time):
    moments = (MONDAY, *(LATER + n * DAY for n in range(9)))
    wishes = (
        (AdoptState, {"at": at, "due_at": NOW, **said})
        for at, said in zip(moments, told, strict=False)
    )
    assert live(*wishes)[0][-1].on_time is on_time


def test_what_is_opened_again_has_ended_before():
    ends = ((AdoptState, {"portal": portal}) for portal in (4, 9, 10, 4, 9))
    events, state = live(*ends)
    assert [event.ended_before for event in events] == [False, False, True, True, True]
    assert state.processed_at == events[1].state_at


def test_what_it_says_of_the_applicant_is_personal():
    said = {"applicant": Applicant(name="Demo"), "contact": Contact(), "summary": "demo"}
    wish = ask(AdoptState, **said, note="demo", subject=SUBJECT)
    (event,) = dossier.decide(wish, dossier.initial)
    personal = (event.applicant, event.contact, event.summary, event.note)
    assert {each.subject for each in personal} == {SUBJECT}
    (event,) = dossier.decide(ask(AdoptState), dossier.initial)
    assert event.applicant is event.contact is event.summary is event.note is None


@pytest.mark.parametrize("status", [status for status in LIVES if status != "absent"])
def test_nobody_else_says_how_a_dossier_kept_here_stands(status):
    _, state = live(*LIVES[status])
    with pytest.raises(KeptHere):
        dossier.decide(ask(AdoptState, state), state)


def test_a_dossier_kept_elsewhere_changes_there():
    state = synced(2)
    with pytest.raises(KeptElsewhere):
        dossier.decide(ask(AcceptDossier, state), state)
    with pytest.raises(DossierAlreadyFiled):
        dossier.decide(ask(SubmitDossier, state), state)
    for kind in (NoteSync, NoteOverdue, NoteConsultationAnswer):
        assert dossier.decide(ask(kind, state), state) == []


def test_the_table_knows_every_portal_state():
    assert NEXT.keys() == set(range(1, 11))
    assert all(code in NEXT[code] for code in NEXT)
    assert synced(2).elsewhere.procedure == CODE
    assert synced(2).agency == DESK
