from contextlib import suppress
from datetime import date, timedelta

import pytest
from contexts.payments import demo_payments as demo
from contexts.payments.demo_settlements import (
    CHIEF,
    CHUNK,
    CLOSED,
    COMPARED,
    DECIDED,
    FILE,
    LESS,
    NEXT_DAY,
    ON,
    OTHER_FILE,
    PROVIDER,
    READ,
    STRANGE,
    TALLY,
    ask,
    difference,
    live,
)
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError
from specification import Given

from chalicelib.contexts.payments.domain.commands import (
    NoteFailure,
    NoteRefundFailed,
    NoteRefundSettled,
    NoteSuccess,
    SubmitRefund,
)
from chalicelib.contexts.payments.domain.events import (
    PaymentCaptured,
    Settled,
    SettlementChunkRead,
    SettlementDayClosed,
    SettlementDiscrepancyFound,
    SettlementDiscrepancyResolved,
    SettlementFileCompared,
    SettlementFileReceived,
    SettlementFileRefused,
)
from chalicelib.contexts.payments.domain.settlement import (
    MAX_NOTED,
    CloseDay,
    ComparisonOutdated,
    ConcludeComparison,
    DayAhead,
    DayClosed,
    DecisionDoesNotFit,
    DiscrepanciesOpen,
    DiscrepancyUnknown,
    NotCompared,
    NoteChunks,
    NoteDiscrepancies,
    ReceiveFile,
    RefuseFile,
    ResolveDiscrepancy,
    discrepancy_id,
    settlement,
    settlement_id,
)
from chalicelib.contexts.payments.projections import (
    how_did_a_day_settle,
    what_did_a_provider_take,
    when_did_a_providers_day_move,
)
from chalicelib.contexts.payments.reconciliation.reactions import react
from chalicelib.kernel import Refused

SAID = {"provider": PROVIDER, "on": ON, "at": NEXT_DAY}
received = SettlementFileReceived(**SAID, sha256=FILE, name="demo.csv", size=512, by=CHIEF)
another = received.model_copy(update={"sha256": OTHER_FILE})
chunk = SettlementChunkRead(**SAID, **CHUNK.model_dump())
refused = SettlementFileRefused(**SAID, sha256=FILE, line=4, why="demo")
found = SettlementDiscrepancyFound(**SAID, discrepancy=LESS)
compared = SettlementFileCompared(
    **SAID, sha256=FILE, lines=3, amount=290_000, discrepancies=1, tallies=(TALLY,), as_of=42
)
resolved = SettlementDiscrepancyResolved(
    **SAID, discrepancy=LESS, decision="provider_corrects", note="demo reason", by=CHIEF
)
elsewise = resolved.model_copy(update={"decision": "written_off"})
closed = SettlementDayClosed(
    **SAID,
    by=CHIEF,
    settled=(Settled(agency="Z01", payments=290_000, refunds=30_000, fees=3_300),),
)
REFUSED = (*READ, RefuseFile)
UNCLEAR = (*READ, (NoteDiscrepancies, {"found": (STRANGE,)}), ConcludeComparison)
TWICE = (*READ, (NoteDiscrepancies, {"found": (STRANGE,)}), NoteDiscrepancies)
"""A run found one thing and died, the next one finds another."""
OPEN = difference(kind="status_diff", our_status="open", theirs=100_000, reference="demo-3")
BEGUN_THERE = (*READ, (NoteDiscrepancies, {"found": (OPEN,)}), ConcludeComparison)
MANY = tuple(difference(reference=f"demo-many-{n}") for n in range(MAX_NOTED))


MOVING = "our books kept moving: compare it once more"
TODAY, AHEAD = date(2026, 6, 2), date(2026, 6, 3)


def new(kind, **changes):
    """A command about the other file."""
    return ask(kind, sha256=OTHER_FILE, **changes)


def about(one, decision="not_ours"):
    return ask(ResolveDiscrepancy, discrepancy=one.id, decision=decision)


@pytest.mark.parametrize(
    ("lived", "when", "then"),
    [
        pytest.param((), ask(ReceiveFile), [received], id="a file comes"),
        pytest.param(READ, ask(ReceiveFile), [], id="it is being read already"),
        pytest.param(READ, ask(ReceiveFile, again=True), [], id="and is asked for once more"),
        pytest.param(READ, new(ReceiveFile), [another], id="another file takes its place"),
        pytest.param(COMPARED, ask(ReceiveFile), [], id="it was compared already"),
        pytest.param(COMPARED, ask(ReceiveFile, again=True), [received], id="compared once more"),
        pytest.param(COMPARED, new(ReceiveFile), [another], id="a corrected file"),
        pytest.param(REFUSED, ask(ReceiveFile), [received], id="a refused file is tried again"),
        pytest.param(CLOSED, ask(ReceiveFile, again=True), [], id="a closed day stays as it is"),
        pytest.param(CLOSED, new(ReceiveFile), DayClosed, id="a corrected file after closing"),
        pytest.param((ReceiveFile,), ask(NoteChunks), [chunk], id="a chunk is read"),
        pytest.param(READ, ask(NoteChunks), [], id="a second run reads the same chunk"),
        pytest.param((), ask(NoteChunks), [], id="a chunk of no file"),
        pytest.param(READ, new(NoteChunks), [], id="a chunk of a file that was replaced"),
        pytest.param(READ, ask(RefuseFile), [refused], id="a file is refused"),
        pytest.param(REFUSED, ask(RefuseFile), [], id="it is refused once"),
        pytest.param(COMPARED, ask(RefuseFile), [], id="a stale run refuses what was compared"),
        pytest.param(READ, ask(NoteDiscrepancies), [found], id="a line differs"),
        pytest.param(
            (*READ, NoteDiscrepancies), ask(NoteDiscrepancies), [], id="a second run finds itself"
        ),
        pytest.param(REFUSED, ask(NoteDiscrepancies), [], id="nothing of a refused file counts"),
        pytest.param(
            (*READ, NoteDiscrepancies), ask(ConcludeComparison), [compared], id="all is compared"
        ),
        pytest.param(COMPARED, ask(ConcludeComparison), [], id="it is compared once"),
        pytest.param(
            TWICE,
            ask(ConcludeComparison),
            [compared.model_copy(update={"stale": (STRANGE.id,)})],
            id="what only a run that died has found counts no more",
        ),
        pytest.param(
            READ, ask(ConcludeComparison), [], id="a run from before it was asked for once more"
        ),
        pytest.param(
            (*READ, (NoteDiscrepancies, {"found": MANY})),
            ask(NoteDiscrepancies),
            [refused.model_copy(update={"line": 0, "why": MOVING})],
            id="runs that find ever more",
        ),
        pytest.param(
            (*READ, (NoteDiscrepancies, {"found": MANY})),
            ask(NoteDiscrepancies, found=MANY),
            [],
            id="as much as may be",
        ),
        pytest.param((), ask(ReceiveFile, on=AHEAD), DayAhead, id="the file of a day to come"),
        pytest.param(
            (),
            ask(ReceiveFile, on=TODAY),
            [received.model_copy(update={"on": TODAY})],
            id="today's",
        ),
        pytest.param(COMPARED, ask(ResolveDiscrepancy), [resolved], id="a decision"),
        pytest.param(DECIDED, ask(ResolveDiscrepancy), [], id="the same decision again"),
        pytest.param(
            DECIDED,
            ask(ResolveDiscrepancy, decision="written_off"),
            [elsewise],
            id="decided anew before the day is closed",
        ),
        pytest.param(CLOSED, ask(ResolveDiscrepancy), [], id="as it was decided"),
        pytest.param(CLOSED, about(LESS, "written_off"), DayClosed, id="decided after closing"),
        pytest.param(READ, ask(ResolveDiscrepancy), NotCompared, id="decided before comparing"),
        pytest.param(
            COMPARED,
            ask(ResolveDiscrepancy, discrepancy="demo"),
            DiscrepancyUnknown,
            id="no such discrepancy",
        ),
        pytest.param(COMPARED, about(LESS), DecisionDoesNotFit, id="ours is not none of ours"),
        pytest.param(
            (*COMPARED, (ResolveDiscrepancy, {"decision": "we_correct"})),
            about(LESS, "written_off"),
            DecisionDoesNotFit,
            id="what was corrected is not given up",
        ),
        pytest.param(
            BEGUN_THERE, about(OPEN, "written_off"), DecisionDoesNotFit, id="nor what is open"
        ),
        pytest.param(
            DECIDED, ask(CloseDay, moved=43), ComparisonOutdated, id="our books have moved since"
        ),
        pytest.param(DECIDED, ask(CloseDay, moved=42), [closed], id="and before that"),
        pytest.param(DECIDED, ask(CloseDay), [closed], id="a day is closed"),
        pytest.param(CLOSED, ask(CloseDay), [], id="it is closed once"),
        pytest.param(COMPARED, ask(CloseDay), DiscrepanciesOpen, id="something is undecided"),
        pytest.param(READ, ask(CloseDay), NotCompared, id="closed before comparing"),
        pytest.param((), ask(CloseDay), NotCompared, id="a day of which nothing came"),
    ],
)
def test_a_day(lived, when, then):
    Given(settlement, *live(*lived)).when(when).then(then)


def test_decisions_outlive_a_second_comparison_of_what_has_not_changed():
    events = live(*DECIDED, (ReceiveFile, {"again": True}), NoteDiscrepancies, ConcludeComparison)
    assert settlement.fold(events).open == []
    changed = difference(theirs=95_000)
    events = live(
        *DECIDED,
        (ReceiveFile, {"again": True}),
        (NoteDiscrepancies, {"found": (changed,)}),
        ConcludeComparison,
    )
    assert settlement.fold(events).open == [changed]


def test_how_far_a_file_is_read():
    second = CHUNK.model_copy(update={"number": 2, "lines": 4})
    state = settlement.fold(live(*READ, (NoteChunks, {"chunks": (second,)})))
    assert state.read == 7
    assert settlement.fold(live(*REFUSED)).why == "demo"
    refused_later = settlement.fold(live(*TWICE, RefuseFile))
    assert (refused_later.status, refused_later.open) == ("refused", [])


@pytest.mark.parametrize(
    ("one", "decision", "settled"),
    [
        pytest.param(
            LESS, "written_off", {"payments": 290_000, "fees": 3_300, "written_off": 10_000},
            id="the rest is given up",
        ),
        pytest.param(
            LESS, "we_correct", {"payments": 290_000, "fees": 3_300}, id="what they say has moved"
        ),
        pytest.param(
            difference(line="refund"),
            "written_off",
            {"refunds": 120_000, "fees": 3_300, "written_off": -10_000},
            id="less was given back than we thought",
        ),
        pytest.param(
            difference(kind="only_ours", theirs=0, fee=0, their_status="absent"),
            "another_day", {}, id="it will come another day",
        ),
        pytest.param(
            difference(kind="status_diff", their_status="failed"),
            "written_off", {"written_off": 100_000}, id="they say that nothing moved",
        ),
        pytest.param(STRANGE, "not_ours", {}, id="money that is none of ours"),
    ],
)  # fmt: skip
def test_what_a_closed_day_settles(one, decision, settled):
    resolve = (ResolveDiscrepancy, {"discrepancy": one.id, "decision": decision})
    noted = (NoteDiscrepancies, {"found": (one,)})
    *_, day = live(*READ, noted, ConcludeComparison, resolve, CloseDay)
    expected = {"agency": "Z01", "payments": 200_000, "refunds": 30_000, "fees": 2_200}
    assert day.settled == (Settled(**expected | settled),)


def test_a_run_that_died_settles_nothing():
    resolve = (ResolveDiscrepancy, {"discrepancy": LESS.id, "decision": "we_correct"})
    *_, day = live(*TWICE, (ConcludeComparison, {"found": (LESS.id,)}), resolve, CloseDay)
    [settled] = day.settled
    assert (settled.agency, settled.payments) == ("Z01", 290_000)


def test_a_sum_that_could_not_be_read_back_is_not_written():
    far = [difference(reference=name, fee=10**15) for name in ("demo-a", "demo-b")]
    resolve = [(ResolveDiscrepancy, {"discrepancy": one.id}) for one in far]
    noted = (NoteDiscrepancies, {"found": tuple(far)})
    events = live(*READ, noted, ConcludeComparison, *resolve)
    with pytest.raises(ValidationError):
        settlement.decide(ask(CloseDay), settlement.fold(events))


def test_money_of_which_we_know_nothing_is_settled_as_nobodys():
    resolve = (ResolveDiscrepancy, {"discrepancy": STRANGE.id, "decision": "we_correct"})
    *_, day = live(*UNCLEAR, resolve, CloseDay)
    assert day.settled[0] == Settled(agency="", payments=90_000, fees=1_100)


def test_a_difference_has_one_name_while_it_is_the_same():
    assert difference().id == LESS.id == difference(agency="Z02").id
    said = {"line": "payment", "reference": "demo-1", "kind": "only_ours"}
    assert discrepancy_id(PROVIDER, ON, said) != LESS.id
    assert difference(theirs=1).id != LESS.id
    assert settlement_id(PROVIDER, ON) == "demo-pay.2026-06-01"


# --- What our books say, and what follows from a decision -----------------------------------------


def taken(*events):
    """What our books have of each transaction and refund: how it stands, how much, on which day."""
    rows = {}
    for event in events:
        if isinstance(event, what_did_a_provider_take.Happened):
            [key] = what_did_a_provider_take.keys(event)
            rows[key] = what_did_a_provider_take.evolve(rows.get(key), event)
    return {key: (one.kind, one.standing, one.amount, str(one.on)) for key, one in rows.items()}


LATER = demo.NOON + timedelta(days=1)
PAYMENT, REFUND = f"demo-pay/{demo.ONE}", f"demo-pay/{demo.R1}"
FAILED = (*demo.BEGUN, NoteFailure)


@pytest.mark.parametrize(
    ("lived", "expected"),
    [
        pytest.param(
            demo.BEGUN, {PAYMENT: ("payment", "open", demo.OWED, "2026-06-01")}, id="begun"
        ),
        pytest.param(demo.PAID, {PAYMENT: ("payment", "done", demo.OWED, "2026-06-01")}, id="paid"),
        pytest.param(
            (*demo.BEGUN, (NoteSuccess, {"at": LATER, "paid_at": LATER})),
            {PAYMENT: ("payment", "done", demo.OWED, "2026-06-02")},
            id="on the day on which it was paid",
        ),
        pytest.param(
            FAILED, {PAYMENT: ("payment", "failed", demo.OWED, "2026-06-01")}, id="failed"
        ),
        pytest.param(
            (*FAILED, NoteSuccess),
            {PAYMENT: ("payment", "done", demo.OWED, "2026-06-01")},
            id="paid after all",
        ),
        pytest.param(
            demo.TOLD,
            {
                PAYMENT: ("payment", "done", demo.OWED, "2026-06-01"),
                REFUND: ("refund", "open", demo.OWED, "2026-06-01"),
            },
            id="to be given back",
        ),
        pytest.param(
            (*demo.TOLD, (NoteRefundSettled, {"at": LATER})),
            {
                PAYMENT: ("payment", "done", demo.OWED, "2026-06-01"),
                REFUND: ("refund", "done", demo.OWED, "2026-06-02"),
            },
            id="given back on the day on which we learnt of it",
        ),
        pytest.param(
            (*demo.TOLD, NoteRefundFailed),
            {
                PAYMENT: ("payment", "done", demo.OWED, "2026-06-01"),
                REFUND: ("refund", "failed", demo.OWED, "2026-06-01"),
            },
            id="not given back",
        ),
        pytest.param(
            (*demo.UNPAID, (SubmitRefund, {"at": LATER})),
            {
                PAYMENT: ("payment", "done", demo.OWED, "2026-06-01"),
                REFUND: ("refund", "open", demo.OWED, "2026-06-02"),
            },
            id="submitted once more",
        ),
    ],
)
def test_what_our_books_say_of_a_providers_day(lived, expected):
    assert taken(*demo.live(*lived)) == expected


def test_what_a_view_that_begins_late_does_not_know_is_not_under_way():
    submitted = demo.live(*demo.TOLD)[-1]
    assert what_did_a_provider_take.evolve(None, submitted) is None


@pytest.mark.parametrize(
    ("lived", "days"),
    [
        pytest.param(demo.BEGUN, [], id="begun"),
        pytest.param(demo.PAID, ["2026-06-01"], id="paid"),
        pytest.param(
            (*demo.BEGUN, (NoteSuccess, {"learnt": "settlement"})), [], id="what a day has told us"
        ),
        pytest.param(
            (*demo.TOLD, (NoteRefundSettled, {"at": LATER})),
            ["2026-06-01", "2026-06-02"],
            id="given back",
        ),
    ],
)
def test_when_did_a_providers_day_move(lived, days):
    question = when_did_a_providers_day_move
    events = [one for one in demo.live(*lived) if isinstance(one, question.Happened)]
    assert [key for one in events for key in question.keys(one)] == [
        f"demo-pay#{day}" for day in days
    ]
    assert {str(question.evolve(None, one).on) for one in events if question.keys(one)} == {*days}


def test_money_that_has_moved_stays_moved():
    *_, failed = demo.live(*FAILED)
    paid = [one for one in demo.live(*demo.PAID) if isinstance(one, PaymentCaptured)]
    assert taken(*paid, failed)[PAYMENT][1] == "done"


BEGUN = difference(kind="status_diff", our_status="open", reference=demo.ONE, payment=demo.ID)
GIVEN = difference(
    kind="status_diff", our_status="open", line="refund", reference=demo.R1, payment=demo.ID
)


@pytest.mark.parametrize(
    ("one", "decision", "wish"),
    [
        pytest.param(BEGUN, "we_correct", NoteSuccess, id="what we had begun has happened"),
        pytest.param(GIVEN, "we_correct", NoteRefundSettled, id="and so has a refund"),
        pytest.param(BEGUN, "provider_corrects", None, id="the provider is to put it right"),
        pytest.param(LESS, "we_correct", None, id="an amount is corrected by a person"),
        pytest.param(STRANGE, "we_correct", None, id="of which we know nothing"),
        pytest.param(
            BEGUN.model_copy(update={"their_status": "failed"}), "we_correct", None,
            id="of which nothing has moved",
        ),
        pytest.param(
            GIVEN.model_copy(update={"their_status": "failed"}), "we_correct", NoteRefundFailed,
            id="a refund came back",
        ),
    ],
)  # fmt: skip
def test_what_follows_from_a_decision(one, decision, wish):
    event = resolved.model_copy(update={"discrepancy": one, "decision": decision})
    found = [command for _, _, command in react(event, demo.origin())]
    assert [type(command) for command in found] == ([wish] if wish else [])
    for command in found:
        assert command.payment == demo.ID
        if not isinstance(command, NoteRefundFailed):
            assert command.provider_reference == "demo-ref-1"


@pytest.mark.parametrize(
    ("lived", "status", "matched", "open_"),
    [
        pytest.param(READ, "received", 0, 0, id="being read"),
        pytest.param(REFUSED, "refused", 0, 0, id="refused"),
        pytest.param(COMPARED, "compared", 2, 1, id="compared"),
        pytest.param(DECIDED, "compared", 2, 0, id="decided"),
        pytest.param(
            (*DECIDED, (ReceiveFile, {"again": True}), NoteDiscrepancies), "received", 0, 0,
            id="a decision outlives a second comparison",
        ),
        pytest.param(CLOSED, "closed", 2, 0, id="closed"),
        pytest.param(
            (*TWICE, (ConcludeComparison, {"found": (LESS.id,)})), "compared", 2, 1,
            id="what only a run that died has found",
        ),
        pytest.param((*TWICE, RefuseFile), "refused", 0, 0, id="nothing of it counts"),
    ],
)  # fmt: skip
def test_how_did_a_day_settle(lived, status, matched, open_):
    row = None
    for event in live(*lived):
        row = how_did_a_day_settle.evolve(row, event)
    assert (row.status, row.matched, row.open) == (status, matched, open_)


WISHES = [
    (ReceiveFile, {}),
    (ReceiveFile, {"again": True}),
    (ReceiveFile, {"sha256": OTHER_FILE}),
    (NoteChunks, {}),
    (NoteChunks, {"sha256": OTHER_FILE}),
    (RefuseFile, {}),
    (NoteDiscrepancies, {}),
    (NoteDiscrepancies, {"sha256": OTHER_FILE, "found": (STRANGE,)}),
    (ConcludeComparison, {}),
    (ConcludeComparison, {"found": ()}),
    (ConcludeComparison, {"sha256": OTHER_FILE, "found": (STRANGE.id,)}),
    (ResolveDiscrepancy, {}),
    (ResolveDiscrepancy, {"discrepancy": STRANGE.id, "decision": "not_ours"}),
    (CloseDay, {}),
]


class SettlementLife(RuleBasedStateMachine):
    """Whatever is asked in whatever order: a closed day is closed, a repetition is silence."""

    def __init__(self):
        super().__init__()
        self.events = []

    @rule(wish=st.sampled_from(WISHES))
    def obey(self, wish):
        kind, changes = wish
        command = ask(kind, **changes)
        with suppress(Refused):
            before = settlement.fold(self.events)
            self.events += settlement.decide(command, before)
            after = settlement.fold(self.events)
            assert settlement.decide(command, after) == []
            assert before.status != "closed" or after == before

    @invariant()
    def nothing_is_closed_undecided(self):
        state = settlement.fold(self.events)
        assert state.status != "closed" or not state.open


TestSettlementLife = SettlementLife.TestCase
