"""The shared vocabulary, and the specification that every decider is tested with."""

from datetime import datetime
from typing import ClassVar

import pytest
from ballot import (
    NOON,
    Ballot,
    BallotClosed,
    BallotNotOpen,
    BallotOpened,
    CloseBallot,
    OpenBallot,
    VoteCast,
    ballot,
    cast,
    origin,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from specification import Given

from chalicelib.kernel import Conflict, Decider, Forbidden, Invalid, NotFound, Refused
from chalicelib.text import b64url, from_b64url

OPEN = BallotOpened(title="Test")
VOTE = VoteCast(voter="a")


@pytest.mark.parametrize(
    ("given_", "when", "then"),
    [
        pytest.param([], OpenBallot(origin=origin("o"), title="Test"), [OPEN], id="grants"),
        pytest.param([OPEN], OpenBallot(origin=origin("o"), title="Test"), [], id="stays quiet"),
        pytest.param(
            [OPEN, VOTE], cast("k", "a", "b"), [VoteCast(voter="b")], id="grants the rest"
        ),
        pytest.param([OPEN, BallotClosed()], cast("k", "a"), BallotNotOpen, id="refuses"),
    ],
)
def test_a_specification_that_is_met(given_, when, then):
    Given(ballot, *given_).when(when).then(then)


@pytest.mark.parametrize(
    ("given_", "when", "then"),
    [
        pytest.param([], cast("k", "a"), [VoteCast(voter="b")], id="other events"),
        pytest.param([], cast("k", "a"), [], id="events instead of silence"),
        pytest.param([VOTE], cast("k", "a"), [VOTE], id="silence instead of events"),
    ],
)
def test_a_specification_that_is_not_met(given_, when, then):
    with pytest.raises(AssertionError):
        Given(ballot, *given_).when(when).then(then)


def test_a_grant_is_no_refusal():
    with pytest.raises(pytest.fail.Exception):
        Given(ballot).when(cast("k", "a")).then(BallotNotOpen)


def test_a_refusal_is_no_grant():
    with pytest.raises(BallotNotOpen):
        Given(ballot, BallotClosed()).when(cast("k", "a")).then([])


def test_a_refusal_of_the_same_kind_is_not_the_same_refusal():
    with pytest.raises(AssertionError):
        Given(ballot, BallotClosed()).when(cast("k", "a")).then(Conflict)


def test_a_decider_that_repeats_itself_is_noticed():
    def babble(_command, _state):
        return [VOTE]

    parrot = Decider("ballot", ballot.events, Ballot(), babble, ballot.evolve)

    with pytest.raises(AssertionError):
        Given(parrot).when(cast("k")).then([VOTE])
    Given(parrot).when(cast("k")).then([VOTE], repeatable=False)


def test_a_decider_that_speaks_for_another_category_is_noticed():
    stranger = Decider("dossier", ballot.events, Ballot(), ballot.decide, ballot.evolve)
    with pytest.raises(AssertionError):
        Given(stranger).when(cast("k", "a")).then([VOTE])


def test_events_ignore_what_a_newer_writer_added():
    body = b'[{"type":"ballot.opened","title":"Test","colour":"green"}]'
    assert ballot.codec.validate_json(body) == [OPEN]


def test_an_unknown_event_is_no_event():
    with pytest.raises(ValidationError, match="burnt"):
        ballot.codec.validate_json(b'[{"type":"ballot.burnt"}]')


def test_commands_know_what_they_may_be_asked():
    with pytest.raises(ValidationError, match="colour"):
        OpenBallot(origin=origin("o"), title="Test", colour="green")


def test_values_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        OPEN.title = "Other"


def test_a_wish_knows_when_it_was_made():
    assert CloseBallot(origin=origin("o")).at == NOON
    with pytest.raises(ValidationError, match="timezone"):
        origin("o").model_validate(dict(origin("o")) | {"at": datetime(2026, 1, 5)})  # noqa: DTZ001


def test_the_fold_of_nothing_is_the_beginning():
    assert ballot.fold([]) == Ballot()
    assert ballot.fold([VOTE], ballot.fold([OPEN])) == ballot.fold([OPEN, VOTE])


class TooLate(Conflict):
    """The term has ended.

    More about terms.
    """

    code: ClassVar[str] = "too-late"
    rule: ClassVar[str] = "Test Act, art. 2"


@pytest.mark.parametrize(
    ("refusal", "text", "field"),
    [
        (TooLate(), "The term has ended.", None),
        (TooLate("It ended on Monday."), "It ended on Monday.", None),
        (TooLate(field="due_at"), "The term has ended.", "due_at"),
    ],
)
def test_a_refusal_explains_itself(refusal, text, field):
    assert (str(refusal), refusal.field, refusal.code) == (text, field, "too-late")


def test_the_kinds_of_refusal_are_told_apart():
    kinds = [Invalid, NotFound, Forbidden, Conflict]
    assert all(issubclass(kind, Refused) for kind in kinds)
    assert len({kind.code for kind in kinds}) == len(kinds)


@given(st.binary())
def test_bytes_survive_as_text(data):
    text = b64url(data)
    assert from_b64url(text) == data
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_text_is_as_the_standard_writes_it():
    assert b64url(b"\xfb\xff\xfe") == "-__-"
    with pytest.raises(ValueError, match=r"padding|base64"):
        from_b64url("a")
