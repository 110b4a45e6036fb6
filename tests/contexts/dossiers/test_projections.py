"""What the views of dossiers answer: folds, then the same through the application."""

import json
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace

import pytest
from contexts.dossiers.counter import (
    AUDITOR,
    CITIZEN,
    CLERK,
    HEAD,
    OTHERS_CLERK,
    SPECIALIST,
    STRANGER,
    Person,
    accepted,
    file,
    filed,
    merge,
    open_counter,
    processing,
)
from contexts.dossiers.counter import origin as said_now
from contexts.dossiers.demo_dossiers import (
    CODE,
    DESK,
    ID,
    LIVES,
    MONDAY,
    OTHER,
    PROCESSED,
    PROCESSING,
    SUBJECT,
    TERMS,
    ask,
    hanoi,
    live,
    origin,
)
from deployed import on_moto
from gateway import Gateway
from hypothesis import given as for_all
from hypothesis import strategies as st

from app import app
from chalicelib import registry, runtime, workers
from chalicelib.contexts.agencies.domain.agency import RegisterAgency, agency
from chalicelib.contexts.dossiers import questions, reactions
from chalicelib.contexts.dossiers.control_sheet import control_sheet
from chalicelib.contexts.dossiers.domain.clock import last_day_for_apology
from chalicelib.contexts.dossiers.domain.commands import (
    AcceptDossier,
    AdoptState,
    ApproveWithdrawal,
    CompleteDossier,
    CorrectResult,
    ExtendDeadline,
    ForwardStep,
    FulfilObligation,
    Limits,
    NoteApologyDrafted,
    NoteDueSoon,
    NoteOverdue,
    NoteSync,
    PauseDossier,
    RaiseObligation,
    ReassignStep,
    ReceiveSupplement,
    RequestSupplement,
    RequestWithdrawal,
    ResumeDossier,
    ReturnResult,
    ReturnStep,
    SubmitDossier,
    Version,
    WithdrawResult,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import WorkingLimit
from chalicelib.contexts.dossiers.projections import (
    how_many_dossiers_were_there,
    what_is_late,
    what_waits_at_my_desk,
    which_dossiers_are_mine,
    which_dossiers_are_registered,
    which_dossiers_fall_due,
)
from chalicelib.handle import handle
from chalicelib.working_time import Calendar

CALENDAR = Calendar()
HOUR = timedelta(hours=1)
FIRST_HOUR_S = 3_600
DUE = live(*LIVES["accepted"])[1].clock.due_at


def folded(question, *kinds):
    """The row after these commands; the runner stores it as JSON and reads it back."""
    row = None
    for event in live(*kinds)[0]:
        row = question.evolve(row, written(event))
        assert row is None or type(row).model_validate_json(row.model_dump_json()) == row
    return row


def written(event):
    """The event as the store gives it back: what is personal is sealed."""
    seal = {"where": "demo", "seal": lambda *_: "sealed"}
    return type(event).model_validate_json(event.model_dump_json(context=seal))


def at(moment, *kinds):
    """The same commands, the first of them then."""
    first, *rest = kinds
    return ((first, {"at": moment}), *rest)


# What waits at my desk?

RETURNED = (*PROCESSED, ReturnResult)


@pytest.mark.parametrize(
    ("kinds", "where"),
    [
        pytest.param([SubmitDossier], (DESK, ""), id="filed"),
        pytest.param([SubmitDossier, RequestSupplement], (None, ""), id="the applicant has it"),
        pytest.param(LIVES["accepted"], (DESK, "desk"), id="accepted"),
        pytest.param(PROCESSING, (DESK, "specialist"), id="forwarded"),
        pytest.param((*PROCESSING, ReturnStep), (DESK, "desk"), id="given back"),
        pytest.param(
            (*PROCESSING, (ReassignStep, {"to_agency": OTHER, "to_unit": "lab"})),
            (OTHER, "lab"),
            id="in other hands",
        ),
        pytest.param((*PROCESSING, PauseDossier), (DESK, "specialist"), id="paused"),
        pytest.param((*PROCESSING, RaiseObligation), (None, "specialist"), id="to be paid"),
        pytest.param(PROCESSED, (DESK, ""), id="the result waits"),
        pytest.param(RETURNED, (None, ""), id="returned"),
        pytest.param((*RETURNED, WithdrawResult), (DESK, ""), id="to be corrected"),
    ],
)
def test_a_dossier_waits_at_the_desk_that_has_it(kinds, where):
    row = folded(what_waits_at_my_desk, *kinds)
    assert (row.at, row.unit) == where
    assert row.procedure_name == TERMS.name


@pytest.mark.parametrize("status", ["not_accepted", "withdrawn", "stopped"])
def test_what_is_over_waits_nowhere(status):
    assert folded(what_waits_at_my_desk, *LIVES[status]) is None
    assert folded(what_waits_at_my_desk, *LIVES[status], NoteSync) is None


def test_what_another_system_keeps_waits_at_its_own_desks():
    assert folded(what_waits_at_my_desk, AdoptState) is None


def test_a_desk_is_to_be_done_by_the_end_of_its_step():
    row = folded(what_waits_at_my_desk, *PROCESSING)
    assert row.due_at == row.clock.step_due_at < row.clock.due_at
    filed_row = folded(what_waits_at_my_desk, SubmitDossier)
    assert filed_row.due_at == filed_row.answer_by == MONDAY + timedelta(days=1)
    assert folded(what_waits_at_my_desk, *PROCESSED).due_at == DUE


def test_a_dossier_that_comes_back_from_its_applicant_waits_since_then():
    events, state = live(*PROCESSING, RequestSupplement, ReceiveSupplement)
    row = folded(what_waits_at_my_desk, *PROCESSING, RequestSupplement, ReceiveSupplement)
    assert row.waits_since == events[-1].at == state.last_at
    assert folded(what_waits_at_my_desk, *PROCESSING, PauseDossier).waits_since == events[2].at


# What is late?

AT_THE_DESK = (SubmitDossier, {"channel": "direct", "access": "desk", "agency": DESK})


@pytest.mark.parametrize(
    ("kinds", "listed", "answer_by"),
    [
        pytest.param([], DESK, "2026-06-02T09:00:00", id="filed online"),
        pytest.param([RequestWithdrawal], DESK, "2026-06-02T09:00:00", id="asked back"),
        pytest.param([RaiseObligation], None, "2026-06-02T09:00:00", id="to be paid"),
        pytest.param([RequestSupplement], None, "2026-06-02T09:00:00", id="to be completed"),
        pytest.param(
            [RaiseObligation, FulfilObligation], DESK, "2026-06-02T11:00:00", id="paid: anew"
        ),
        pytest.param(
            [RequestSupplement, ReceiveSupplement],
            DESK,
            "2026-06-02T11:00:00",
            id="completed: anew",
        ),
    ],
)
def test_an_online_filing_is_late_once_it_should_be_answered(kinds, listed, answer_by):
    row = folded(what_is_late, SubmitDossier, *kinds)
    assert (row.at_agency, row.late_at, row.due_at) == (listed, hanoi(answer_by), None)
    assert row.step_due_at == row.late_at
    assert folded(what_waits_at_my_desk, SubmitDossier, *kinds).due_at == row.late_at


def test_what_was_answered_is_late_by_its_clock_alone():
    row = folded(what_is_late, *LIVES["accepted"])
    assert row.step_due_at == row.clock.step_due_at
    assert folded(what_is_late, *LIVES["not_accepted"]) is None


@pytest.mark.parametrize(
    ("kinds", "listed"),
    [
        pytest.param(LIVES["accepted"], DESK, id="its clock runs"),
        pytest.param((*PROCESSING, PauseDossier), None, id="its clock stands still"),
        pytest.param((*PROCESSING, NoteOverdue), DESK, id="overdue"),
        pytest.param((*PROCESSING, NoteOverdue, PauseDossier), DESK, id="overdue, then paused"),
        pytest.param([(AdoptState, {"due_at": DUE})], DESK, id="kept elsewhere"),
        pytest.param(
            [(AdoptState, {"due_at": DUE, "portal": 5})], None, id="kept elsewhere, supplement"
        ),
    ],
)
def test_what_may_be_late_is_listed(kinds, listed):
    assert folded(what_is_late, *kinds).at_agency == listed


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param([AT_THE_DESK], id="handed in at the desk, no clock yet"),
        pytest.param(
            [AT_THE_DESK, RequestSupplement, ReceiveSupplement], id="nor after a supplement"
        ),
        pytest.param([AdoptState], id="no appointment told"),
        pytest.param(PROCESSED, id="processed"),
        pytest.param((*PROCESSED, WithdrawResult), id="being corrected"),
    ],
)
def test_what_cannot_be_late_is_not(kinds):
    assert folded(what_is_late, *kinds) is None


# Deadlines.


def next_word(row, moment):
    """What the schedule would have said of the row at that moment."""
    decider, id_, note = reactions.fall_due(row, origin(moment), CALENDAR, Limits())
    assert (decider, id_) == (dossier, ID)
    return note


def minute_by_minute(kinds, moments):
    """The schedule rings at these moments: the kinds of what was said."""
    events, state = live(*kinds)
    row = None
    for event in events:
        row = which_dossiers_fall_due.evolve(row, written(event))
    said = []
    for moment in moments:
        for _ in range(3):  # One word a minute, until nothing is left to say.
            if row and row.listed and row.act_at <= moment:
                new = dossier.decide(next_word(row, moment), state)
                said += [type(event).__name__ for event in new]
                state = dossier.fold(new, state)
                for event in new:
                    row = which_dossiers_fall_due.evolve(row, written(event))
    return said, row


def test_a_warning_an_apology_and_that_it_is_late_are_said_once_each_in_time():
    moments = [MONDAY + n * HOUR for n in range(24 * 14)]
    said, row = minute_by_minute(PROCESSING, moments)
    assert said == ["DossierDueSoon", "DossierApologyDrafted", "DossierOverdue"]
    assert row.listed is None


def test_after_the_schedule_was_off_what_is_left_to_say_is_said():
    said, row = minute_by_minute(PROCESSING, [DUE + timedelta(days=3)])
    assert said == ["DossierOverdue", "DossierApologyDrafted"]
    assert row.listed is None
    # Somebody acted meanwhile, and what they did said that it is late.
    late = (*PROCESSING, (ForwardStep, {"at": DUE + timedelta(days=1)}))
    assert minute_by_minute(late, [DUE + timedelta(days=3)])[0] == ["DossierApologyDrafted"]


@pytest.mark.parametrize("days", range(1, 7))
@pytest.mark.parametrize("hour", [9, 11, 14, 16])
def test_an_apology_is_drafted_while_it_can_be_sent_or_never(days, hour):
    terms = TERMS.model_copy(update={"limit": WorkingLimit(amount=days, unit="days")})
    life = (
        (SubmitDossier, {"version": Version(number=1, terms=terms)}),
        (AcceptDossier, {"at": MONDAY.replace(hour=hour - 7)}),
        ForwardStep,
    )
    _, state = live(*life)
    last = last_day_for_apology(state.clock.due_at, Limits())
    minutes = [state.last_at + n * HOUR for n in range(24 * 12)]
    said, row = minute_by_minute(life, minutes)
    assert row.listed is None
    assert set(said) - {"DossierApologyDrafted"} == {"DossierDueSoon", "DossierOverdue"}
    drafted = "DossierApologyDrafted" in said
    assert drafted is (state.clock.draft_at < state.clock.due_at)
    # Of two days and more there is always a day on which it can be sent.
    assert drafted or days == 1
    if drafted:
        draft = (NoteApologyDrafted, {"at": state.clock.draft_at})
        assert live(draft, (ExtendDeadline, {"at": last}), state=live(*life)[1])


def test_no_second_apology_is_drafted_as_time_is_taken_once():
    extended = (*PROCESSING, NoteApologyDrafted, ExtendDeadline)
    _, state = live(*extended)
    said, row = minute_by_minute(extended, [state.last_at + n * HOUR for n in range(24 * 14)])
    assert said == ["DossierDueSoon", "DossierOverdue"]
    assert row.listed is None
    assert dossier.decide(ask(NoteApologyDrafted, state), state) == []


def test_nobody_is_warned_while_the_clock_stands_still_and_again_of_a_new_appointment():
    assert minute_by_minute((*PROCESSING, PauseDossier), [DUE + timedelta(days=30)])[0] == []
    extended = (*PROCESSING, NoteDueSoon, (ExtendDeadline, {"at": DUE - timedelta(days=2)}))
    state = live(*extended)[1]
    assert state.clock.due_at > DUE
    said, _ = minute_by_minute(extended, [state.clock.warn_at, state.clock.due_at + HOUR])
    assert said[0] == "DossierDueSoon"


@pytest.mark.parametrize("kinds", [[SubmitDossier], [AdoptState], PROCESSED])
def test_what_has_no_running_clock_falls_due_never(kinds):
    assert folded(which_dossiers_fall_due, *kinds) is None


def test_too_early_nothing_is_said():
    row = folded(which_dossiers_fall_due, *PROCESSING)
    assert row.word(MONDAY) is None
    assert isinstance(next_word(row, MONDAY), NoteOverdue)
    assert dossier.decide(next_word(row, MONDAY), live(*PROCESSING)[1]) == []
    assert isinstance(next_word(row, row.clock.draft_at), NoteDueSoon)
    warned = folded(which_dossiers_fall_due, *PROCESSING, NoteDueSoon)
    assert isinstance(next_word(warned, row.clock.draft_at), NoteApologyDrafted)


# The register, and whose dossiers they are.


def test_the_register_says_when_what_happened():
    events, _ = live(*RETURNED)
    row = folded(which_dossiers_are_registered, *RETURNED)
    moments = [event.at for event in events]
    assert [row.filed_at, row.accepted_at, row.ended_at, row.returned_at] == [
        moments[0],
        moments[1],
        moments[3],
        moments[4],
    ]
    assert (row.on_time, row.late, row.returned_by, row.status) == (True, False, "desk", "returned")
    assert (row.receipt, row.procedure_name) == (row.code, TERMS.name)
    assert row.applicant.sealed == "sealed"


def test_a_correction_ends_the_work_no_second_time():
    corrected = (*PROCESSED, WithdrawResult, CorrectResult)
    row, before = (folded(which_dossiers_are_registered, *k) for k in (corrected, PROCESSED))
    assert (row.ended_at, row.on_time) == (before.ended_at, True)


def test_two_supplements_count_as_late():
    twice = (*PROCESSING, RequestSupplement, ReceiveSupplement, RequestSupplement)
    assert folded(which_dossiers_are_registered, *twice).late
    assert folded(what_waits_at_my_desk, *twice).late
    assert not folded(which_dossiers_are_registered, *twice[:-1]).late


TOLD = {
    "due_at": DUE,
    "received_at": MONDAY,
    "receipt": "R1",
    "procedure_name": "Demo",
    "summary": "demo",
    "subject": SUBJECT,
}


def test_the_register_keeps_what_the_system_said_that_keeps_the_dossier():
    row = folded(
        which_dossiers_are_registered,
        (AdoptState, TOLD),
        (AdoptState, {"portal": 10, "ended_at": DUE, "returned_at": DUE + HOUR, "due_at": DUE}),
    )
    assert (row.filed_at, row.receipt, row.procedure_name) == (MONDAY, "R1", "Demo")
    assert (row.ended_at, row.on_time, row.returned_at) == (DUE, True, DUE + HOUR)
    open_one = folded(which_dossiers_are_registered, (AdoptState, TOLD))
    assert (open_one.ended_at, open_one.returned_by) == (None, None)


def test_the_register_keeps_the_first_end_of_what_another_system_keeps():
    def row(*moments):
        told = zip((9, 10), moments, strict=True)
        states = ((AdoptState, {"portal": p, "at": at, "due_at": DUE}) for p, at in told)
        found = folded(which_dossiers_are_registered, *states)
        return found.ended_at, found.on_time, found.late

    after = DUE + timedelta(days=8)
    assert row(DUE, after) == (DUE, True, False)
    # It was late, and is listed so.
    assert row(after, after + HOUR) == (after, False, True)
    # What was written down before the first end was kept is read so too.
    events, _ = live((AdoptState, {"portal": 9, "at": DUE, "due_at": DUE}))
    wrong = events[0].model_copy(update={"portal": 10, "status": "returned", "on_time": False})
    kept = which_dossiers_are_registered.evolve(
        folded(
            which_dossiers_are_registered, (AdoptState, {"portal": 9, "at": DUE, "due_at": DUE})
        ),
        written(wrong),
    )
    assert (kept.status, kept.on_time, kept.late) == ("returned", True, False)


def test_mine_are_those_filed_by_me_wherever_they_are_kept():
    row = folded(which_dossiers_are_mine, *PROCESSING, NoteDueSoon)
    assert (row.subject, row.due_at, row.status) == (SUBJECT, DUE, "processing")
    assert row.changed_at == live(*PROCESSING)[1].last_at
    elsewhere = folded(which_dossiers_are_mine, (AdoptState, TOLD), (AdoptState, {"portal": 4}))
    assert elsewhere.subject == SUBJECT
    assert (elsewhere.filed_at, elsewhere.due_at) == (MONDAY, DUE)
    assert folded(which_dossiers_are_mine, AdoptState).subject is None


# The control sheet.


def sheet(*kinds, hours=0):
    events, state = live(*kinds)
    return control_sheet(events, CALENDAR, state.last_at + hours * HOUR)


def test_each_hour_is_somebodys():
    found = sheet(*PROCESSING, RequestSupplement, ReceiveSupplement, PauseDossier, ResumeDossier)
    told = [(stay.doing, stay.unit, stay.worked_s) for stay in found.stays]
    # From nine o'clock every hour something happens; nobody works from twelve to one.
    assert told == [
        ("intake", "", FIRST_HOUR_S),
        ("step", "desk", FIRST_HOUR_S),
        ("step", "specialist", FIRST_HOUR_S),
        ("applicant", "", 0),
        ("step", "specialist", FIRST_HOUR_S),
        ("paused", "", FIRST_HOUR_S),
        ("step", "specialist", 0),
    ]
    assert found.by_agency == {DESK: 4 * FIRST_HOUR_S}
    assert (found.applicant_s, found.paused_s, found.whole_s) == (
        0,
        FIRST_HOUR_S,
        5 * FIRST_HOUR_S,
    )


def test_a_step_is_held_to_its_own_time():
    on_time, late = (
        sheet(*LIVES["accepted"], (ForwardStep, {"at": MONDAY + days})).stays[1]
        for days in (timedelta(hours=2), timedelta(days=4))
    )
    assert (on_time.on_time, late.on_time) == (True, False)
    assert on_time.due_at == late.due_at


def test_the_time_since_the_last_event_is_its_holders_too():
    assert sheet(*PROCESSING, hours=0).stays[-1].worked_s == 0
    assert sheet(*PROCESSING, hours=24).stays[-1].worked_s == 8 * FIRST_HOUR_S
    assert sheet(*RETURNED, hours=24).whole_s == sheet(*RETURNED).whole_s


@pytest.mark.parametrize("status", [status for status in LIVES if status != "absent"])
def test_the_parts_add_up_to_the_whole(status):
    events, state = live(*LIVES[status])
    found = control_sheet(events, CALENDAR, state.last_at)
    others = found.applicant_s + found.paused_s + found.over_s
    assert sum(found.by_agency.values()) + others == found.whole_s
    assert found.whole_s == sum(stay.worked_s for stay in found.stays)
    worked = CALENDAR.between(events[0].at, state.last_at).total_seconds()
    assert found.whole_s == round(worked)


# Counts.


def counts(*lives):
    """The rows that the lives lead to, by key."""
    rows = {}
    for kinds in lives:
        for event in live(*kinds)[0]:
            for key in how_many_dossiers_were_there.keys(event):
                rows[key] = how_many_dossiers_were_there.evolve(rows.get(key), written(event))
    return rows


def test_each_event_counts_in_its_month():
    # Filed and accepted in the last hours of June, done and returned the morning after.
    late = hanoi("2026-06-30T16:00:00")
    done = late + timedelta(hours=17)
    life = (*at(late, *PROCESSING), (CompleteDossier, {"at": done}), ReturnResult)
    rows = counts(life, RETURNED)
    june, july = (rows[f"{DESK}/2026-{month}/{CODE}/online/full"] for month in ("06", "07"))
    assert (june.filed, june.accepted, june.processed, june.returned) == (2, 2, 1, 1)
    assert (july.filed, july.accepted, july.processed, july.returned) == (0, 0, 1, 1)
    assert (june.on_time, july.on_time) == (1, 1)
    assert june.period == f"{DESK}/2026-06"


@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        pytest.param(LIVES["not_accepted"], {"not_accepted": 1}, id="not accepted"),
        pytest.param(
            (*PROCESSING, NoteOverdue, CompleteDossier),
            {"accepted": 1, "overdue": 1, "processed": 1, "late": 1},
            id="late",
        ),
        pytest.param(
            (*PROCESSING, RequestWithdrawal, ApproveWithdrawal),
            {"accepted": 1, "withdrawn": 1, "on_time": 1},
            id="withdrawn",
        ),
        pytest.param(
            (SubmitDossier, RequestWithdrawal, ApproveWithdrawal), {"withdrawn": 1}, id="at intake"
        ),
        pytest.param(
            (*PROCESSING, RaiseObligation, FulfilObligation),
            {"accepted": 1, "obligations": 1},
            id="paid",
        ),
        pytest.param(
            (*RETURNED, WithdrawResult, CorrectResult, ReturnResult),
            {"accepted": 1, "processed": 1, "on_time": 1, "returned": 2},
            id="corrected",
        ),
        pytest.param(
            [(AdoptState, {"portal": 10, "ended_at": MONDAY, "due_at": DUE})],
            {"accepted": 1, "processed": 1, "on_time": 1, "returned": 1},
            id="kept elsewhere, told at its end",
        ),
        pytest.param(
            [AdoptState, (AdoptState, {"portal": 5}), (AdoptState, {"portal": 9})],
            {"accepted": 1, "processed": 1},
            id="kept elsewhere, told step by step",
        ),
        pytest.param(
            [(AdoptState, {"portal": portal}) for portal in (9, 4, 9, 10)],
            {"accepted": 1, "processed": 1, "returned": 1},
            id="kept elsewhere, opened again",
        ),
        pytest.param(
            [(AdoptState, {"portal": portal, "due_at": DUE}) for portal in (9, 4, 8)],
            {"accepted": 1, "processed": 1, "on_time": 1, "stopped": 1},
            id="kept elsewhere, opened again and stopped",
        ),
        pytest.param(
            [(AdoptState, {"portal": 1}), (AdoptState, {"portal": 3})],
            {"not_accepted": 1},
            id="kept elsewhere, not accepted",
        ),
    ],
)
def test_what_is_counted(kinds, count):
    [row] = counts(kinds).values()
    said = {name: n for name, n in row if isinstance(n, int) and n}
    assert said == {"filed": 1} | count


@for_all(st.lists(st.sampled_from(sorted(LIVES)), max_size=12))
def test_counts_are_those_of_the_events(statuses):
    rows = counts(*(LIVES[status] for status in statuses))
    told = Counter(event.type for status in statuses for event in live(*LIVES[status])[0])
    for name, type_ in (("filed", "submitted"), ("accepted", "accepted"), ("returned",) * 2):
        sought = "result_returned" if type_ == "returned" else type_
        assert sum(getattr(row, name) for row in rows.values()) == told[f"dossier.{sought}"]


# Through the application.


@pytest.fixture(scope="module")
def counter():
    with on_moto():
        open_counter()
        yield


QUESTIONS = [
    projection for projection in registry.PROJECTIONS if "dossier.submitted" in projection.types
]


def settle():
    """The views are brought up to now."""
    sweep = {"Records": [{"body": json.dumps({"ring": "sweep"})}]}
    workers.sequence(sweep, SimpleNamespace())
    runtime.projector().follow(*QUESTIONS)


def look_up(code, word):
    body = {"code": code, "check_word": word}
    return Gateway(app).call("POST", "/public/dossier-look-ups", body)


def ids(items):
    return [f"/dossiers/{item['dossier']}" for item in items]


@pytest.mark.usefixtures("counter")
def test_whoever_has_the_word_sees_where_it_is_and_nobodys_name():
    said = file()
    settle()
    path = f"/dossiers/{said['dossier']}"
    CLERK.do("PUT", f"{path}/acceptance")
    found = look_up(f" {said['code'].lower()}", said["check_word"].upper() + " ")
    assert found.status == 200
    # Folded when asked: the view need not have heard of it.
    assert (found.json["status"], found.json["portal"]) == ("accepted", 2)
    assert [line["status"] for line in found.json["history"]] == ["submitted", "accepted"]
    for personal in ("Demo Applicant", "DEMO-1", "demo@example.org", "citizen", "blue"):
        assert personal not in found.text
    wrong, unknown = look_up(said["code"], "wrong"), look_up("Z01-0", said["check_word"])
    assert wrong.status == unknown.status == 404
    told = [{k: v for k, v in one.json.items() if k != "correlation"} for one in (wrong, unknown)]
    assert told[0] == told[1]


@pytest.mark.usefixtures("counter")
def test_what_the_applicant_is_asked_for_is_said_by_its_name():
    said = file()
    settle()
    path = f"/dossiers/{said['dossier']}"
    CLERK.do(
        "POST", f"{path}/supplement-requests", {"components": ["KQ000003"], "reason": "secret"}
    )
    found = look_up(said["code"], said["check_word"])
    assert found.json["asked"] == {
        "number": 1,
        "components": [{"code": "KQ000003", "name": "Nếu có"}],
        "until": None,
    }
    assert "secret" not in found.text


@pytest.mark.usefixtures("counter")
def test_people_find_their_own_dossiers_and_no_others():
    first, second = filed(), filed()
    settle()
    assert {first, second} <= set(ids(CITIZEN.get("/my-dossiers")["items"]))
    assert not {first, second} & set(ids(STRANGER.get("/my-dossiers")["items"]))
    assert CLERK.refused("GET", "/my-dossiers") == (403, "role-not-allowed")


@pytest.mark.usefixtures("counter")
def test_a_desk_sees_its_own_and_what_any_unit_may_take():
    new, working = filed(), processing()
    settle()

    def desk(person, query=""):
        return set(ids(person.get(f"/desk?limit=200{query}")["items"]))

    assert new in desk(CLERK)
    assert working not in desk(CLERK)
    assert {new, working} <= desk(SPECIALIST)
    assert working not in desk(HEAD)
    assert {new, working} <= desk(Person("system", "demo-system", DESK))
    assert new not in desk(SPECIALIST, "&status=processing")
    assert not {new, working} & desk(OTHERS_CLERK)
    due = [item["due_at"] for item in SPECIALIST.get("/desk?limit=200")["items"]]
    assert due == sorted(due)


@pytest.mark.usefixtures("counter")
def test_the_register_is_the_agencys_own():
    path = accepted(applicant={"name": "Demo Registered"})
    settle()
    [entry] = [
        item
        for item in CLERK.get("/dossiers?limit=200&status=accepted&channel=online")["items"]
        if f"/dossiers/{item['dossier']}" == path
    ]
    assert (entry["applicant"], entry["procedure_name"]) == ("Demo Registered", TERMS.name)
    read = AUDITOR.get(f"/dossiers?agency={DESK}&limit=200")["items"]
    assert path in ids(read)
    assert {item["applicant"] for item in read} == {None}
    assert ids(CLERK.get("/dossiers?to=2020-01-01")["items"]) == []
    assert path in ids(CLERK.get("/dossiers?from=2020-01-01&limit=200")["items"])
    assert ids(CLERK.get("/dossiers?late=true&procedure=1.999999")["items"]) == []
    assert OTHERS_CLERK.refused("GET", f"/dossiers?agency={DESK}") == (403, "not-your-dossier")
    assert AUDITOR.refused("GET", "/dossiers") == (422, "invalid-request")
    assert CLERK.refused("GET", "/dossiers?channel=smoke") == (422, "invalid-request")


@pytest.mark.usefixtures("counter")
def test_a_forgotten_person_is_blank_in_the_register():
    path = filed(Person("citizen", "demo-forgotten"))
    settle()
    runtime.client("dynamodb").delete_item(
        TableName=runtime.table("subject_keys"),
        Key={"subject": {"S": runtime.subject("person", "demo-forgotten")}},
    )
    runtime.vault().keys._plain.clear()
    [entry] = [
        item
        for item in CLERK.get("/dossiers?limit=200")["items"]
        if f"/dossiers/{item['dossier']}" == path
    ]
    assert entry["applicant"] is None


@pytest.mark.usefixtures("counter")
def test_the_control_sheet_is_for_whoever_sees_the_dossier():
    path = processing()
    for person in (CITIZEN, SPECIALIST, AUDITOR):
        found = person.get(f"{path}/control-sheet")
        assert [stay["doing"] for stay in found["stays"]] == ["intake", "step", "step"]
    assert STRANGER.refused("GET", f"{path}/control-sheet") == (404, "dossier-unknown")


@pytest.mark.usefixtures("counter")
def test_what_another_system_keeps_stands_in_the_register_and_has_no_sheet_here():
    told = ask(AdoptState, dossier="adopted1", code="Z01-DEMO-ADOPTED")
    handle(runtime.event_store(), dossier, "adopted1", told)
    settle()
    [entry] = [
        item for item in CLERK.get("/dossiers?limit=200")["items"] if item["dossier"] == "adopted1"
    ]
    assert (entry["code"], entry["applicant"], entry["status"]) == (told.code, None, "accepted")
    refused = CLERK.refused("GET", "/dossiers/adopted1/control-sheet")
    assert refused == (409, "dossier-kept-elsewhere")


@pytest.mark.usefixtures("counter")
def test_whoever_took_an_agencys_place_reads_its_register():
    gone, path = "Z78", filed()
    entry = RegisterAgency(origin=said_now(), code=gone, name="Demo gone", source="demo data")
    handle(runtime.event_store(), agency, gone, entry)
    merge(gone, DESK)
    settle()
    assert CLERK.get(f"/dossiers?agency={gone}")["items"] == []
    assert path in ids(CLERK.get(f"/dossiers?agency={DESK}&limit=200")["items"])
    others = OTHERS_CLERK.refused("GET", f"/late-dossiers?agency={gone}")
    assert others == (403, "not-your-dossier")


@pytest.mark.usefixtures("counter")
def test_counts_of_a_period(monkeypatch):
    month = f"{runtime.now() + timedelta(hours=7):%Y-%m}"
    asked = f"/dossier-counts?from={month}&to={month}"
    settle()
    before = CLERK.get(asked)["total"]["filed"]
    path = processing()
    SPECIALIST.do("POST", f"{path}/forwardings", {"step": "examine", "to": "sign"})
    HEAD.do("PUT", f"{path}/completion", {"results": []})
    settle()
    found = CLERK.get(f"{asked}&procedure={CODE}&channel=online&level=full")
    assert found["total"]["filed"] == before + 1
    assert found["total"]["processed"] == found["total"]["on_time"] >= 1
    assert found["total"]["on_time_rate"] == 1.0
    assert [item["month"] for item in found["items"]] == [month]
    none = CLERK.get("/dossier-counts?from=2020-01&to=2021-12")
    assert (none["items"], none["total"].pop("on_time_rate")) == ([], None)
    assert set(none["total"].values()) == {0}
    monkeypatch.setattr(questions, "MAX_COUNTS", 0)
    assert CLERK.refused("GET", asked) == (422, "invalid-request")
    for query in ("from=2026-01&to=2025-12", "from=2000-01&to=2026-12", "from=x&to=y", ""):
        assert CLERK.refused("GET", f"/dossier-counts?{query}") == (422, "invalid-request")


@pytest.mark.usefixtures("counter")
def test_what_is_late_is_so_whether_or_not_the_schedule_said_it(monkeypatch):
    path, unanswered = processing(), file()["dossier"]
    settle()
    real = runtime.now
    assert path not in ids(CLERK.get("/late-dossiers?limit=200")["items"])
    monkeypatch.setattr(runtime, "now", lambda: real() + timedelta(days=40))
    found = CLERK.get("/late-dossiers?limit=200")
    [item] = [item for item in found["items"] if f"/dossiers/{item['dossier']}" == path]
    assert (item["late"], item["overdue"]) == (True, False)
    # So is what was filed online and has had no answer.
    [item] = [item for item in found["items"] if item["dossier"] == unanswered]
    assert (item["late"], item["late_at"]) == (False, item["step_due_at"])
    assert sum(one["step_late"] for one in found["by_step"] if not one["step"]) >= 1
    [step] = [one for one in found["by_step"] if one["step"] == "examine"]
    assert step["late"] == step["step_late"] >= 1
    assert found["complete"]
    # The schedule rings: what it says of each is in its history.
    minute = {"Records": [{"messageId": "1", "body": json.dumps({"ring": "schedule"})}]}
    plenty = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000, aws_request_id="demo")
    workers.react(minute, plenty)
    settle()
    workers.react(minute, plenty)
    said = [line["type"] for line in CLERK.get(path)["history"]]
    assert said[-2:] == ["dossier.overdue", "dossier.apology_drafted"]
    assert said.count("dossier.overdue") == 1
