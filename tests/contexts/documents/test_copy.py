import pytest
from contexts.documents.demo_documents import (
    DOCUMENT,
    LATER_ORIGIN,
    ORIGIN,
    OTHER,
    RECEIVER,
    SENDER,
    TERMS,
    amendment_agreed,
    amendment_ordered,
    amendment_refused,
    arrived,
    assigned,
    clerk,
    completed,
    opened,
    opening,
    processing_started,
    recall_agreed,
    recall_refused,
    recall_requested,
    received,
    reception_refused,
    removal_agreed,
    removal_ordered,
    removal_refused,
    revocation_agreed,
    revocation_ordered,
    revocation_refused,
)
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError
from specification import Given

from chalicelib.contexts.documents.domain.copy import (
    CODES,
    REASON_CHARS,
    RISING,
    AcceptReception,
    AgreeRecall,
    AssignCopy,
    CompleteProcessing,
    CopyUnknown,
    CopyWasRecalled,
    NoRecallPending,
    NoteArrival,
    NoteDeliveryRefused,
    NotYourCopy,
    OpenCopy,
    OrderChange,
    ReasonMissing,
    RecallPending,
    ReceptionWasRefused,
    RefuseRecall,
    RefuseReception,
    RequestRecall,
    ResendCopy,
    StartProcessing,
    StatusGoesBack,
    copy,
    decide,
)
from chalicelib.contexts.documents.domain.events import ABANDONED
from chalicelib.kernel import Refused


def open_it(**fields):
    return OpenCopy(**({"origin": ORIGIN, "opening": opening} | fields))


def note_arrival(**fields):
    return NoteArrival(**({"origin": ORIGIN, "opening": opening, "terms": TERMS} | fields))


def said(kind, agency=RECEIVER, **fields):
    return kind(**({"origin": ORIGIN, "agency": agency} | fields))


accept, assign = said(AcceptReception), said(AssignCopy)
start, complete = said(StartProcessing), said(CompleteProcessing)
refuse = said(RefuseReception, note="not for us")
ask_back = said(RequestRecall, SENDER)
give_back = said(AgreeRecall)
keep = said(RefuseRecall, note="already acted on")

order_back = OrderChange(origin=ORIGIN, change="revocation", note="issued in error", staff=clerk)

amend = OrderChange(
    origin=ORIGIN, change="amendment", edition=2, note="a slip of the pen", staff=clerk
)
amend_again = OrderChange(
    origin=ORIGIN, change="amendment", edition=3, note="a slip of the pen", staff=clerk
)
amended_again = amendment_ordered.model_copy(update={"edition": 3})
remove = OrderChange(origin=ORIGIN, change="removal", note="a slip of the pen", staff=clerk)

# Every state a copy can be in, by the shortest way there.
ABSENT = []
OPENED = [opened]
ARRIVED = [opened, arrived]
RECEIVED = [opened, arrived, received]
ASSIGNED = [*RECEIVED, assigned]
PROCESSING = [*ASSIGNED, processing_started]
COMPLETED = [*PROCESSING, completed]
REFUSED = [*ARRIVED, reception_refused]
ASKED_BACK = [*RECEIVED, recall_requested]
RECALLED = [*ASKED_BACK, recall_agreed]
KEPT = [*ASKED_BACK, recall_refused]
ORDERED_BACK = [*RECEIVED, revocation_ordered]
REVOKED = [*ORDERED_BACK, revocation_agreed]
KEPT_IN_SPITE = [*ORDERED_BACK, revocation_refused]
AMENDED = [*RECEIVED, amendment_ordered]
TAKEN = [*AMENDED, amendment_agreed]
NOT_TAKEN = [*AMENDED, amendment_refused]
DROPPED = [*RECEIVED, removal_ordered]
REMOVED = [*DROPPED, removal_agreed]
ELSEWHERE = opening.model_copy(update={"subject": "Another subject"})


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(ABSENT, open_it(), [opened], id="a copy is opened"),
        pytest.param(ABSENT, note_arrival(), [opened, arrived], id="its arrival may come first"),
        pytest.param(OPENED, note_arrival(), [arrived], id="it arrives"),
        pytest.param(ARRIVED, open_it(), [], id="it is opened once"),
        pytest.param(OPENED, open_it(opening=ELSEWHERE), [], id="whatever it is opened with"),
        pytest.param(REFUSED, open_it(), [], id="a refused copy is not opened again"),
        pytest.param(RECALLED, open_it(), [], id="nor a recalled one"),
        pytest.param(ARRIVED, note_arrival(), [], id="01 again is silent"),
        pytest.param(RECEIVED, note_arrival(), [], id="01 after 03 is silent"),
        pytest.param(COMPLETED, note_arrival(), [], id="01 after 06 is silent"),
        pytest.param(REFUSED, note_arrival(), [], id="01 after 02 is silent"),
        pytest.param(ASKED_BACK, note_arrival(), [], id="01 after 13 is silent"),
        pytest.param(RECALLED, note_arrival(), [], id="01 after 15 is silent"),
        pytest.param(
            OPENED,
            note_arrival(opening=opening.model_copy(update={"urgent": True, "sender": OTHER})),
            [arrived],
            id="a copy stays between those it was opened for",
        ),
        pytest.param(
            [opened, recall_requested],
            note_arrival(),
            [arrived],
            id="a copy asked back on its way may still arrive",
        ),
    ],
)
def test_arrival(given, when, then):
    Given(copy, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(ARRIVED, accept, [received], id="03 after 01"),
        pytest.param(OPENED, accept, [received], id="03 when 01 is late"),
        pytest.param(RECEIVED, assign, [assigned], id="04 after 03"),
        pytest.param(ASSIGNED, start, [processing_started], id="05 after 04"),
        pytest.param(RECEIVED, start, [processing_started], id="05 after 03"),
        pytest.param(PROCESSING, complete, [completed], id="06 after 05"),
        pytest.param(ARRIVED, complete, [completed], id="06 after 01"),
        pytest.param(KEPT, assign, [assigned], id="04 after a refused recall"),
        pytest.param(RECEIVED, accept, [], id="03 twice"),
        pytest.param(ASSIGNED, assign, [], id="04 twice"),
        pytest.param(PROCESSING, start, [], id="05 twice"),
        pytest.param(COMPLETED, complete, [], id="06 twice"),
        pytest.param(ASKED_BACK, accept, [], id="03 twice, though asked back"),
        pytest.param(ABSENT, accept, CopyUnknown, id="of no copy"),
        pytest.param(ARRIVED, said(AcceptReception, OTHER), NotYourCopy, id="by another agency"),
        pytest.param(ARRIVED, said(AcceptReception, SENDER), NotYourCopy, id="by its sender"),
        pytest.param(ASSIGNED, accept, StatusGoesBack, id="03 after 04"),
        pytest.param(PROCESSING, assign, StatusGoesBack, id="04 after 05"),
        pytest.param(COMPLETED, start, StatusGoesBack, id="05 after 06"),
        pytest.param(REFUSED, accept, ReceptionWasRefused, id="03 after 02"),
        pytest.param(REFUSED, complete, ReceptionWasRefused, id="06 after 02"),
        pytest.param(RECALLED, assign, CopyWasRecalled, id="04 after 15"),
        pytest.param(RECALLED, accept, CopyWasRecalled, id="03 again after 15"),
        pytest.param(ASKED_BACK, assign, RecallPending, id="04 while asked back"),
    ],
)
def test_progress(given, when, then):
    Given(copy, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(ARRIVED, refuse, [reception_refused], id="02 after 01"),
        pytest.param(OPENED, refuse, [reception_refused], id="02 when 01 is late"),
        pytest.param(
            [*ARRIVED, recall_requested, recall_refused],
            refuse,
            [reception_refused],
            id="02 after a refused recall",
        ),
        pytest.param(REFUSED, refuse, [], id="02 twice"),
        pytest.param(REFUSED, said(RefuseReception), [], id="02 twice, the second without reason"),
        pytest.param(ABSENT, refuse, CopyUnknown, id="of no copy"),
        pytest.param(
            ARRIVED, said(RefuseReception, OTHER, note="x"), NotYourCopy, id="by another agency"
        ),
        pytest.param(ARRIVED, said(RefuseReception), ReasonMissing, id="without reason"),
        pytest.param(ARRIVED, said(RefuseReception, note=" \n"), ReasonMissing, id="a blank one"),
        pytest.param(RECEIVED, refuse, StatusGoesBack, id="02 after 03"),
        pytest.param(COMPLETED, refuse, StatusGoesBack, id="02 after 06"),
        pytest.param(RECALLED, refuse, CopyWasRecalled, id="02 after 15"),
        pytest.param([*ARRIVED, recall_requested], refuse, RecallPending, id="02 while asked back"),
    ],
)
def test_reception_refused(given, when, then):
    Given(copy, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(OPENED, ask_back, [recall_requested], id="on its way"),
        pytest.param(ARRIVED, ask_back, [recall_requested], id="13 after 01"),
        pytest.param(PROCESSING, ask_back, [recall_requested], id="13 after 05"),
        pytest.param(COMPLETED, ask_back, [recall_requested], id="13 after 06"),
        pytest.param(KEPT, ask_back, [recall_requested], id="13 again after 16"),
        pytest.param(ASKED_BACK, ask_back, [], id="13 twice"),
        pytest.param(RECALLED, ask_back, [], id="13 after 15"),
        pytest.param(ABSENT, ask_back, CopyUnknown, id="of no copy"),
        pytest.param(ARRIVED, said(RequestRecall), NotYourCopy, id="by its receiver"),
        pytest.param(ARRIVED, said(RequestRecall, OTHER), NotYourCopy, id="by another agency"),
        pytest.param(REFUSED, ask_back, ReceptionWasRefused, id="13 after 02"),
    ],
)
def test_recall_requested(given, when, then):
    Given(copy, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(ASKED_BACK, give_back, [recall_agreed], id="15"),
        pytest.param(ASKED_BACK, keep, [recall_refused], id="16"),
        pytest.param(
            [opened, recall_requested], give_back, [recall_agreed], id="15 before it arrived"
        ),
        pytest.param(RECALLED, give_back, [], id="15 twice"),
        pytest.param(KEPT, keep, [], id="16 twice"),
        pytest.param([*KEPT, recall_requested], give_back, [recall_agreed], id="16, then 15"),
        pytest.param([*KEPT, recall_requested], keep, [recall_refused], id="16, asked again, 16"),
        pytest.param(ABSENT, give_back, CopyUnknown, id="of no copy"),
        pytest.param(ASKED_BACK, said(AgreeRecall, SENDER), NotYourCopy, id="by its sender"),
        pytest.param(
            ASKED_BACK, said(RefuseRecall, OTHER, note="x"), NotYourCopy, id="by another agency"
        ),
        pytest.param(ASKED_BACK, said(RefuseRecall), ReasonMissing, id="16 without reason"),
        pytest.param(RECEIVED, give_back, NoRecallPending, id="15 that nobody asked for"),
        pytest.param(RECEIVED, keep, NoRecallPending, id="16 that nobody asked for"),
        pytest.param(KEPT, give_back, NoRecallPending, id="15 after 16"),
        pytest.param(REFUSED, give_back, NoRecallPending, id="15 after 02"),
        pytest.param(RECALLED, keep, CopyWasRecalled, id="16 after 15"),
    ],
)
def test_recall_answered(given, when, then):
    Given(copy, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(OPENED, order_back, [revocation_ordered], id="on its way"),
        pytest.param(RECEIVED, order_back, [revocation_ordered], id="after 03"),
        pytest.param(COMPLETED, order_back, [revocation_ordered], id="after 06"),
        pytest.param(ASKED_BACK, order_back, [revocation_ordered], id="while asked back"),
        pytest.param(KEPT, order_back, [revocation_ordered], id="after a refused recall"),
        pytest.param(ORDERED_BACK, order_back, [], id="twice"),
        pytest.param(REVOKED, order_back, [], id="what was given back"),
        pytest.param(RECALLED, order_back, [], id="what was recalled"),
        pytest.param(REFUSED, order_back, [], id="what was never taken"),
        pytest.param(ABSENT, order_back, CopyUnknown, id="what was never opened"),
    ],
)
def test_a_revocation_reaches_the_copy(given, when, then):
    Given(copy, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(ORDERED_BACK, give_back, [revocation_agreed], id="15"),
        pytest.param(ORDERED_BACK, keep, [revocation_refused], id="16"),
        pytest.param(
            [*ASKED_BACK, revocation_ordered], give_back, [revocation_agreed], id="15 to both"
        ),
        pytest.param(
            [*ASKED_BACK, recall_refused, revocation_ordered],
            keep,
            [revocation_refused],
            id="16 again",
        ),
        pytest.param(KEPT_IN_SPITE, ask_back, [recall_requested], id="13 after 16"),
        pytest.param(KEPT_IN_SPITE, assign, [assigned], id="04 after 16"),
        pytest.param([opened, revocation_ordered], note_arrival(), [arrived], id="01 crosses it"),
        pytest.param(ORDERED_BACK, accept, [], id="03 twice"),
        pytest.param(ORDERED_BACK, ask_back, [], id="13, which the order covers"),
        pytest.param(REVOKED, give_back, [], id="15 twice"),
        pytest.param(REVOKED, ask_back, [], id="13 after 15"),
        pytest.param(KEPT_IN_SPITE, keep, [], id="16 twice"),
        pytest.param(ORDERED_BACK, said(AgreeRecall, SENDER), NotYourCopy, id="by its sender"),
        pytest.param(ORDERED_BACK, said(RefuseRecall), ReasonMissing, id="16 without reason"),
        pytest.param(ORDERED_BACK, assign, RecallPending, id="04 while ordered back"),
        pytest.param(
            [*ARRIVED, revocation_ordered], refuse, RecallPending, id="02 while ordered back"
        ),
        pytest.param(REVOKED, assign, CopyWasRecalled, id="04 after 15"),
        pytest.param(REVOKED, refuse, CopyWasRecalled, id="02 after 15"),
        pytest.param(REVOKED, keep, CopyWasRecalled, id="16 after 15"),
        pytest.param(KEPT_IN_SPITE, give_back, NoRecallPending, id="15 after 16"),
    ],
)
def test_a_revocation_is_answered(given, when, then):
    Given(copy, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(OPENED, amend, [amendment_ordered], id="on its way"),
        pytest.param(COMPLETED, amend, [amendment_ordered], id="after 06"),
        pytest.param(ASKED_BACK, amend, [amendment_ordered], id="while asked back"),
        pytest.param(AMENDED, amend_again, [amended_again], id="once more, before an answer"),
        pytest.param(TAKEN, amend_again, [amended_again], id="once more, after 15"),
        pytest.param(AMENDED, amend, [], id="twice"),
        pytest.param(TAKEN, amend, [], id="what was taken"),
        pytest.param(NOT_TAKEN, amend, [], id="what was not taken"),
        pytest.param([*AMENDED, amended_again], amend, [], id="an edition of yesterday"),
        pytest.param(ORDERED_BACK, amend, [], id="what is ordered back"),
        pytest.param(DROPPED, amend, [], id="whose receiver is dropped"),
        pytest.param(REFUSED, amend, [], id="what was never taken in"),
        pytest.param(RECALLED, amend, [], id="what was recalled"),
        pytest.param(ABSENT, amend, CopyUnknown, id="what was never opened"),
        pytest.param(AMENDED, order_back, [revocation_ordered], id="then ordered back"),
        pytest.param(RECEIVED, remove, [removal_ordered], id="its receiver is dropped"),
        pytest.param(DROPPED, remove, [], id="dropped twice"),
        pytest.param(REMOVED, remove, [], id="dropped after 15"),
        pytest.param(DROPPED, order_back, [revocation_ordered], id="dropped, then revoked"),
    ],
)
def test_an_amendment_reaches_the_copy(given, when, then):
    Given(copy, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(AMENDED, give_back, [amendment_agreed], id="15"),
        pytest.param(AMENDED, keep, [amendment_refused], id="16"),
        pytest.param(AMENDED, assign, [assigned], id="work goes on meanwhile"),
        pytest.param([*ARRIVED, amendment_ordered], refuse, [reception_refused], id="02 too"),
        pytest.param(TAKEN, assign, [assigned], id="04 after 15"),
        pytest.param(AMENDED, ask_back, [recall_requested], id="13 while it waits"),
        pytest.param(
            [*AMENDED, recall_requested],
            keep,
            [recall_refused, amendment_refused],
            id="16 to a recall as well",
        ),
        pytest.param(
            [*AMENDED, recall_requested], give_back, [recall_agreed], id="15 to a recall ends all"
        ),
        pytest.param([*AMENDED, recall_requested, recall_agreed], give_back, [], id="twice"),
        pytest.param(DROPPED, give_back, [removal_agreed], id="15 to a removal"),
        pytest.param(DROPPED, keep, [removal_refused], id="16 to a removal"),
        pytest.param(DROPPED, assign, RecallPending, id="04 while dropped"),
        pytest.param(REMOVED, assign, CopyWasRecalled, id="04 after it was removed"),
        pytest.param(TAKEN, give_back, [], id="15 twice"),
        pytest.param(NOT_TAKEN, keep, [], id="16 twice"),
        pytest.param(TAKEN, keep, NoRecallPending, id="16 after 15"),
        pytest.param(NOT_TAKEN, give_back, NoRecallPending, id="15 after 16"),
        pytest.param(AMENDED, said(RefuseRecall), ReasonMissing, id="16 without reason"),
    ],
)
def test_an_amendment_is_answered(given, when, then):
    Given(copy, *given).when(when).then(then)


def test_an_answer_to_an_amendment_leaves_the_status():
    assert copy.fold(TAKEN).status == copy.fold(NOT_TAKEN).status == "received"


def test_a_refused_revocation_leaves_the_status():
    assert copy.fold(KEPT_IN_SPITE).status == "received"
    assert not copy.fold(KEPT_IN_SPITE).asked_back


def test_a_status_keeps_what_the_reporter_said_of_it():
    report = said(
        StartProcessing,
        origin=LATER_ORIGIN,
        note="with the legal unit",
        reported_at=ORIGIN.at,
        staff=clerk,
    )
    expected = processing_started.model_copy(
        update={
            "at": LATER_ORIGIN.at,
            "note": "with the legal unit",
            "reported_at": ORIGIN.at,
            "staff": clerk,
        }
    )
    Given(copy, *RECEIVED).when(report).then([expected])


def test_a_registered_copy_has_its_arrival_number():
    registered = received.model_copy(update={"arrival_number": 7, "arrival_year": 2026})
    Given(copy, *ARRIVED).when(said(AcceptReception, number=7, year=2026)).then([registered])
    assert copy.fold([*ARRIVED, registered]).arrival == (7, 2026)
    # Events from before there were numbers have none.
    assert copy.fold(RECEIVED).arrival is None
    Given(copy, *ARRIVED, registered).when(said(AcceptReception, number=8, year=2026)).then([])


def test_an_urgent_copys_statuses_are_urgent():
    urgent = open_it(opening=opening.model_copy(update={"urgent": True}))
    events = decide(urgent, copy.initial)
    events += decide(accept, copy.fold(events))
    assert [event.urgent for event in events] == [True, True]


def test_a_refused_recall_leaves_the_status():
    assert copy.fold(KEPT).status == copy.fold(RECEIVED).status == "received"


def test_a_reason_has_its_length():
    said(RefuseReception, note="x" * REASON_CHARS)
    with pytest.raises(ValidationError):
        said(RefuseReception, note="x" * (REASON_CHARS + 1))


def test_each_status_has_the_code_of_its_event():
    for events in (
        ARRIVED,
        REFUSED,
        RECEIVED,
        ASSIGNED,
        PROCESSING,
        COMPLETED,
        RECALLED,
        REVOKED,
        REMOVED,
    ):
        assert CODES[copy.fold(events).status] == events[-1].code


REPORTERS = st.sampled_from([RECEIVER, RECEIVER, RECEIVER, RECEIVER, SENDER, OTHER])
ASKERS = st.sampled_from([SENDER, SENDER, SENDER, RECEIVER, OTHER])
NOTES = st.sampled_from(["a reason", "a reason", ""])
RESENDINGS = st.integers(0, 2)
PROGRESS = {"01": 1, "03": 2, "04": 3, "05": 4, "06": 5}
"""How far each code is."""


class CopyLife(RuleBasedStateMachine):
    """Whatever is reported in whatever order, the copy stays lawful and repetition is silence.

    The invariants read the events alone, as the other agency would.
    """

    def __init__(self):
        super().__init__()
        self.events = []

    # A rule for each wish: hypothesis then also tries lives in which some are never uttered.

    @rule()
    def is_opened(self):
        self.obey(open_it())

    @rule(origin=st.sampled_from([ORIGIN, LATER_ORIGIN]), resending=RESENDINGS)
    def arrives(self, origin, resending):
        self.obey(note_arrival(origin=origin, resending=resending))

    @rule(agency=ASKERS, edition=st.integers(1, 3))
    def is_sent_again(self, agency, edition):
        about = f"document-{DOCUMENT}@{edition}"
        sent = {"document": DOCUMENT, "about": about, "edition": edition, "subject": "Demo"}
        self.obey(ResendCopy(origin=ORIGIN, agency=agency, **sent))

    @rule(agency=REPORTERS, note=NOTES)
    def is_not_taken(self, agency, note):
        self.obey(said(RefuseReception, agency, note=note))

    @rule(agency=REPORTERS)
    def is_registered(self, agency):
        self.obey(said(AcceptReception, agency))

    @rule(agency=REPORTERS)
    def is_assigned(self, agency):
        self.obey(said(AssignCopy, agency))

    @rule(agency=REPORTERS)
    def is_worked_on(self, agency):
        self.obey(said(StartProcessing, agency))

    @rule(agency=REPORTERS)
    def is_done(self, agency):
        self.obey(said(CompleteProcessing, agency))

    @rule(agency=ASKERS)
    def is_asked_back(self, agency):
        self.obey(said(RequestRecall, agency))

    @rule(order=st.sampled_from([order_back, remove, amend, amend_again]))
    def is_changed(self, order):
        self.obey(order)

    @rule(agency=REPORTERS)
    def is_given_back(self, agency):
        self.obey(said(AgreeRecall, agency))

    @rule(agency=REPORTERS, note=NOTES)
    def is_kept(self, agency, note):
        self.obey(said(RefuseRecall, agency, note=note))

    @rule(
        what=st.sampled_from(["document", "order", "recall"]),
        about=st.sampled_from("12"),
        reason=st.sampled_from(["422", ABANDONED]),
        resending=RESENDINGS,
    )
    def is_not_delivered(self, what, about, reason, resending):
        origin = ORIGIN.model_copy(update={"causation": about})
        found = {"opening": opening, "resending": resending} if what == "document" else {}
        self.obey(NoteDeliveryRefused(origin=origin, undelivered=what, reason=reason, **found))

    def obey(self, command):
        before = copy.fold(self.events)
        try:
            events = decide(command, before)
        except Refused:
            return
        self.events += events
        after = copy.fold(self.events)
        assert decide(command, after) == []
        if isinstance(command, NoteDeliveryRefused):
            noted = {name: getattr(before, name) for name in ("undelivered", "given_up")}
            assert after.model_copy(update=noted) == before or before.opening is None
            return
        if isinstance(command, OpenCopy | NoteArrival | OrderChange):
            return
        asker = SENDER if isinstance(command, RequestRecall | ResendCopy) else RECEIVER
        assert command.agency == asker
        if isinstance(command, RefuseRecall):
            assert after.status == before.status

    @property
    def codes(self):
        """What was said since it was sent; an order counts as a wish to have the copy back."""
        again = [n for n, event in enumerate(self.events) if event.type == "copy.resent"]
        told = self.events[max(again, default=0) + 1 :]
        return [
            getattr(event, "code", "order")
            for event in told
            if getattr(event, "change", "") != "amendment"
            if event.type != "copy.delivery_refused"
        ]

    @invariant()
    def it_is_opened_once_and_first(self):
        kinds = [event.type for event in self.events]
        assert kinds.count("copy.opened") == (1 if kinds else 0)
        assert kinds[:1] in ([], ["copy.opened"])

    @invariant()
    def it_is_sent_again_after_02_or_when_it_was_given_up(self):
        refused, gone, number = False, False, 0
        for event in self.events:
            match event.type:
                case "copy.resent":
                    number += 1
                    assert refused or gone
                    assert event.number == number
                    refused = gone = False
                case "copy.reception_refused":
                    refused = True
                case "copy.delivery_refused":
                    gone = gone or (event.undelivered, event.reason) == ("document", ABANDONED)

    @invariant()
    def statuses_only_rise(self):
        steps = [PROGRESS[code] for code in self.codes if code in PROGRESS]
        assert steps == sorted(set(steps))
        status = copy.fold(self.events).status
        if steps and status in RISING:
            assert CODES[status] == max(code for code in self.codes if code in PROGRESS)

    @invariant()
    def nothing_follows_02_or_15(self):
        for last in {"02", "15"} & set(self.codes):
            assert self.codes.index(last) == len(self.codes) - 1

    @invariant()
    def what_is_refused_was_not_received(self):
        if "02" in self.codes:
            assert not {"03", "04", "05", "06"} & set(self.codes)

    @invariant()
    def a_recall_is_answered_before_anything_else_is_said(self):
        asked = False
        for code in self.codes:
            if asked:
                # The axis's own receipt may cross the wish on its way.
                assert code in {"15", "16", "01", "order"}
            else:
                assert code not in {"15", "16"}
            asked = code in {"13", "order"} or (asked and code == "01")

    @invariant()
    def an_order_is_given_once_and_answered_as_what_it_was(self):
        asked, edition = None, 0
        for event in self.events:
            match event.type:
                case "copy.change_ordered" if event.change == "amendment":
                    assert asked in {None, "amendment"}
                    assert event.edition > edition
                    asked, edition = event.change, event.edition
                case "copy.change_ordered":
                    assert asked != event.change
                    asked = event.change
                case "copy.change_agreed" | "copy.change_refused":
                    assert asked == event.change
                    asked = None
                case "copy.reception_refused":
                    asked = None
                case "copy.resent":
                    edition = event.edition
                case "copy.recall_requested" | "copy.recall_agreed" | "copy.recall_refused":
                    assert asked in {None, "amendment"}

    @invariant()
    def refusals_have_their_reasons(self):
        for event in self.events:
            if event.type in {
                "copy.reception_refused",
                "copy.recall_refused",
                "copy.change_refused",
            }:
                assert event.note == "a reason"


TestCopyLife = CopyLife.TestCase
