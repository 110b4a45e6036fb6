"""A person may be forgotten when two persons agree and no proceeding needs them."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from ballot import origin
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from specification import Given

from chalicelib.contexts.audit.domain.access import NoteRead, ReadUnnamed, access
from chalicelib.contexts.audit.domain.events import (
    AccessRead,
    SubjectErased,
    SubjectErasureApproved,
    SubjectErasureRequested,
    SubjectHoldLifted,
    SubjectHoldSet,
)
from chalicelib.contexts.audit.domain.subject import (
    ApproveErasure,
    ErasureNotRequested,
    HeldByLaw,
    HoldTooLate,
    LiftLegalHold,
    NoteErased,
    RequestErasure,
    SecondPersonNeeded,
    SetLegalHold,
    Subject,
    decide,
    evolve,
    subject,
)
from chalicelib.kernel import Refused
from chalicelib.privacy.personal import Personal

NAME = "person:demo"
AT = datetime(2026, 11, 22, 1, tzinfo=UTC)
FIRST = origin("a").model_copy(update={"at": AT, "actor": "officer:demo-1"})
SECOND = FIRST.model_copy(update={"actor": "administrator:demo-2"})
BASE = {"origin": FIRST, "subject": NAME, "by_agency": "Z01"}
SAID = {"subject": NAME, "by_agency": "Z01", "at": AT}

request = RequestErasure(**BASE, reason="demo reason")
approve = ApproveErasure(**{**BASE, "origin": SECOND})
approve_own = ApproveErasure(**BASE)
OTHER_ROLE = FIRST.model_copy(update={"actor": "administrator:demo-1"})
approve_own_otherwise = ApproveErasure(**{**BASE, "origin": OTHER_ROLE})
hold = SetLegalHold(**BASE, reference="demo-1")
lift = LiftLegalHold(**BASE, reference="demo-1")
note = NoteErased(**BASE, files=3)

requested = SubjectErasureRequested(
    **SAID, by="officer:demo-1", reason=Personal[str](subject=NAME, value="demo reason")
)
approved = SubjectErasureApproved(**SAID)
held = SubjectHoldSet(**SAID, reference="demo-1")
held_too = SubjectHoldSet(**SAID, reference="demo-2")
lifted = SubjectHoldLifted(**SAID, reference="demo-1")
erased = SubjectErased(subject=NAME, files=3, at=AT)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], request, [requested], id="anybody's erasure may be asked for"),
        pytest.param([requested], request, [], id="once is enough"),
        pytest.param([requested, approved], request, [], id="also when it is approved"),
        pytest.param([requested, approved, erased], request, [requested], id="who came back"),
        pytest.param([held], request, [requested], id="a hold does not stop the asking"),
        pytest.param([requested], approve, [approved], id="a second person agrees"),
        pytest.param([requested, approved], approve, [], id="agreeing twice changes nothing"),
        pytest.param([requested, approved, erased], approve, [], id="nor when it is done"),
        pytest.param([], approve, ErasureNotRequested, id="nobody asked"),
        pytest.param([requested], approve_own, SecondPersonNeeded, id="not by the same person"),
        pytest.param(
            [requested], approve_own_otherwise, SecondPersonNeeded, id="nor in another role"
        ),
        pytest.param([requested, held], approve, HeldByLaw, id="a proceeding needs the data"),
        pytest.param(
            [requested, held, held_too, lifted], approve, HeldByLaw, id="every hold must go"
        ),
        pytest.param([requested, held, lifted], approve, [approved], id="the hold was lifted"),
        pytest.param([], hold, [held], id="a proceeding begins"),
        pytest.param([held], hold, [], id="it is held already"),
        pytest.param([requested, approved], hold, HoldTooLate, id="too late to hold"),
        pytest.param([requested, approved, erased], hold, [held], id="what came after is held"),
        pytest.param([held], lift, [lifted], id="the proceeding is over"),
        pytest.param([], lift, [], id="nothing to lift"),
        pytest.param([requested, approved], note, [erased], id="it is done"),
        pytest.param([requested], note, [], id="not without approval"),
        pytest.param([requested, approved, erased], note, [], id="done once"),
    ],
)
def test_erasure(given, when, then):
    Given(subject, *given).when(when).then(then)


def test_an_older_stream_is_read_by_the_same_fold():
    assert subject.fold([requested, held, lifted, approved, erased]) == Subject(
        status="erased", lifted=1
    )


class SubjectLife(RuleBasedStateMachine):
    """Whatever the order, nobody is erased without two persons or against a hold."""

    def __init__(self):
        super().__init__()
        self.state = subject.initial

    @rule(
        wish=st.sampled_from([request, approve, approve_own, hold, lift, note]),
        another=st.booleans(),
    )
    def obey(self, wish, another):
        if another and isinstance(wish, SetLegalHold | LiftLegalHold):
            wish = wish.model_copy(update={"reference": "demo-2"})
        before = self.state
        with suppress(Refused):
            events = decide(wish, before)
            for event in events:
                self.state = evolve(self.state, event)
            if events and self.state.status == "approved":
                assert before.status == "requested"
                assert before.requested_by != wish.origin.actor
                assert before.holds == ()
            if events and self.state.status == "erased" and before.status != "erased":
                assert before.status == "approved"
            assert decide(wish, self.state) == []


TestSubjectLife = SubjectLife.TestCase


read = NoteRead(
    origin=FIRST,
    subject=NAME,
    role="officer",
    by_agency="Z01",
    route="GET /dossiers/{dossier_id}",
    what="/dossiers/demo",
    purpose="demo/7",
)
was_read = AccessRead(**read.model_dump(exclude={"origin"}), at=AT)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], read, [was_read], id="a read is written down"),
        pytest.param([was_read], read, [was_read], id="and so is the next one"),
        pytest.param([], read.model_copy(update={"what": ""}), ReadUnnamed, id="of nothing"),
    ],
)
def test_access(given, when, then):
    Given(access, *given).when(when).then(then, repeatable=False)
    assert access.fold([was_read, was_read]).reads == 2
