"""The statistics are those of the events, to the unit; and who acts at once loses nothing."""

import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from contexts.dossiers.demo_dossiers import MONDAY, PROCESSING, ask
from contexts.dossiers.town import _seal, check_lives, counted, lived, outcome

from chalicelib.contexts.dossiers.domain.commands import (
    CompleteDossier,
    ConsultAgencies,
    ForwardStep,
    PauseDossier,
    RaiseObligation,
    RequestSupplement,
    ResumeDossier,
    ReturnStep,
    StopDossier,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.handle import fold, handle
from chalicelib.http.problems import status_of
from chalicelib.kernel import Refused

DOSSIERS = 60
OFF = (MONDAY + timedelta(days=9), MONDAY + timedelta(days=12))


@pytest.fixture(scope="module")
def always_on():
    return lived(DOSSIERS)


def test_the_view_counts_what_the_events_say(always_on):
    town, view = always_on
    events = town.events()
    assert len(events) == DOSSIERS
    check_lives(events)
    assert view == counted(events)
    # Most fates came about as they were planned.
    assert town.refused.total() < DOSSIERS // 4


def test_three_days_without_the_schedule_change_no_outcome(always_on):
    town, view = always_on
    other, other_view = lived(DOSSIERS, off=OFF)
    before, after = ({k: outcome(v) for k, v in t.events().items()} for t in (town, other))
    assert before == after
    assert view == other_view
    # It was off indeed: what was said of lateness, and when, is not the same.
    assert town.events() != other.events()


DOSSIERS_RACED, ACTIONS = 20, 200
ACTS = (
    ForwardStep,
    ReturnStep,
    PauseDossier,
    ResumeDossier,
    RaiseObligation,
    RequestSupplement,
    ConsultAgencies,
    CompleteDossier,
    StopDossier,
)


def test_officers_who_act_at_once_leave_a_lawful_history():
    store = EventStore(MemoryShelf(), "race", _seal)
    for number in range(DOSSIERS_RACED):
        for kind in PROCESSING:
            state = fold(dossier, store.load(f"dossier-d{number}"))
            handle(store, dossier, f"d{number}", ask(kind, state, dossier=f"d{number}"))
    chance = random.Random(1)  # noqa: S311 -- demo data.
    wishes = []
    for number in range(ACTIONS):
        id_ = f"d{number % DOSSIERS_RACED}"
        commits = store.load(f"dossier-{id_}")
        wish = ask(chance.choice(ACTS), fold(dossier, commits), dossier=id_)
        # Every other one says which version it saw: the one before anybody acted.
        expected = commits[-1].number if number % 2 else None
        said_by = wish.origin.model_copy(update={"expected": expected})
        wishes.append(wish.model_copy(update={"origin": said_by}))

    def act(wish):
        try:
            return 202 if handle(store, dossier, wish.dossier, wish).commit else 200
        except Refused as refusal:
            return status_of(refusal)

    # Threads take turns at every few instructions, so that they do meet.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(16) as officers:
            answers = Counter(officers.map(act, wishes))
    finally:
        sys.setswitchinterval(interval)
    assert answers.total() == ACTIONS
    # 403: the step that was theirs has moved on to somebody else.
    assert answers.keys() <= {200, 202, 403, 409, 412}
    assert answers[202] >= DOSSIERS_RACED
    assert answers[409]
    assert answers[412]
    events = {}
    for number in range(DOSSIERS_RACED):
        # Loading proves that no commit is missing and that each stands on the one before.
        commits = store.load(f"dossier-d{number}")
        events[number] = [event for commit in commits for event in commit.data()]
    check_lives(events)
    granted = sum(len(store.load(f"dossier-d{n}")) for n in range(DOSSIERS_RACED))
    assert granted == DOSSIERS_RACED * len(PROCESSING) + answers[202]
