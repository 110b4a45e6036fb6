from contextlib import suppress
from datetime import date

import pytest
from contexts.dossiers.demo_dossiers import CODE, FEE, MONDAY, TERMS, origin
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError
from specification import Given

from chalicelib.contexts.dossiers.domain.events import (
    ProcedureAmended,
    ProcedurePublished,
    ProcedureRepealed,
)
from chalicelib.contexts.dossiers.domain.procedure import (
    MAX_PARTS,
    AmendProcedure,
    Procedure,
    ProcedureAlreadyPublished,
    ProcedureUnknown,
    ProcedureWasRepealed,
    PublishProcedure,
    RepealProcedure,
    TermsWrong,
    VersionsOutOfOrder,
    decide,
    procedure,
)
from chalicelib.kernel import Refused


def terms(**changes):
    return TERMS.model_copy(update=changes)


def publish(now=TERMS):
    return PublishProcedure(origin=origin(), code=CODE, terms=now)


def amend(now):
    return AmendProcedure(origin=origin(), code=CODE, terms=now)


def repeal(day=date(2026, 6, 1)):
    return RepealProcedure(origin=origin(), code=CODE, decision="03/QĐ-DEMO", effective_on=day)


SECOND = terms(fees=(FEE,), decision="02/QĐ-DEMO", effective_on=date(2026, 3, 1))
THIRD = terms(name="Tên khác", decision="04/QĐ-DEMO", effective_on=date(2026, 3, 1))
published = ProcedurePublished(code=CODE, terms=TERMS, at=MONDAY)
amended = ProcedureAmended(code=CODE, number=2, terms=SECOND, at=MONDAY)
repealed = ProcedureRepealed(
    code=CODE, decision="03/QĐ-DEMO", effective_on=date(2026, 6, 1), at=MONDAY
)
STEP, COMPONENT = TERMS.steps[0], TERMS.components[0]


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], publish(), [published], id="a procedure is published"),
        pytest.param([published], publish(), [], id="publishing it again changes nothing"),
        pytest.param([published], publish(SECOND), ProcedureAlreadyPublished, id="code taken"),
        pytest.param(
            [], publish(terms(steps=(STEP,))), TermsWrong, id="shares that do not add up to 100"
        ),
        pytest.param(
            [], publish(terms(components=(COMPONENT, COMPONENT))), TermsWrong, id="a code twice"
        ),
        pytest.param(
            [],
            publish(terms(components=(COMPONENT.model_copy(update={"kinds": ()}),))),
            TermsWrong,
            id="a component that is taken in no kind",
        ),
        pytest.param(
            [],
            publish(
                terms(
                    fees=tuple(
                        FEE.model_copy(update={"code": f"P{n}"}) for n in range(MAX_PARTS + 1)
                    )
                )
            ),
            TermsWrong,
            id="too many fees",
        ),
        pytest.param([published], amend(SECOND), [amended], id="a second version"),
        pytest.param([published], amend(TERMS), [], id="amending nothing"),
        pytest.param([published, amended], amend(SECOND), [], id="amending twice"),
        pytest.param(
            [published, amended],
            amend(THIRD),
            [amended.model_copy(update={"number": 3, "terms": THIRD})],
            id="two versions of one day: the later one stands",
        ),
        pytest.param([], amend(SECOND), ProcedureUnknown, id="amending what was never published"),
        pytest.param([published, repealed], amend(SECOND), ProcedureWasRepealed, id="repealed"),
        pytest.param([published], amend(terms(steps=(STEP,))), TermsWrong, id="amended wrongly"),
        pytest.param(
            [published, amended],
            amend(terms(name="Cũ", effective_on=date(2026, 2, 1))),
            VersionsOutOfOrder,
            id="a version before the last one",
        ),
        pytest.param([published], repeal(), [repealed], id="a procedure is repealed"),
        pytest.param([published, repealed], repeal(), [], id="repealing twice changes nothing"),
        pytest.param([], repeal(), ProcedureUnknown, id="repealing what was never published"),
        pytest.param(
            [published, repealed],
            repeal(date(2026, 7, 1)),
            ProcedureWasRepealed,
            id="repealing from another day",
        ),
        pytest.param(
            [published, amended],
            repeal(date(2026, 2, 1)),
            VersionsOutOfOrder,
            id="repealed before its last version began",
        ),
    ],
)
def test_procedure(given, when, then):
    Given(procedure, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "day", "number", "ended"),
    [
        ([], date(2026, 6, 1), None, False),
        ([published], date(2025, 12, 31), None, False),
        ([published], date(2026, 1, 1), 1, False),
        ([published, amended], date(2026, 2, 28), 1, False),
        ([published, amended], date(2026, 3, 1), 2, False),
        ([published, amended, repealed], date(2026, 5, 31), 2, False),
        ([published, amended, repealed], date(2026, 6, 1), None, True),
    ],
)
def test_the_version_in_force(given, day, number, ended):
    state = procedure.fold(given)
    assert state.number_on(day) == number
    assert state.ended_on(day) is ended


def test_where_it_stands():
    statuses = [
        procedure.fold([published, amended, repealed][:n]).status for n in (0, 1, 2, 3)
    ]  # fmt: skip
    assert statuses == ["absent", "published", "published", "repealed"]


@pytest.mark.parametrize("code", ["4.000001", "1.00001", "1.0000010", "x", "1-000001"])
def test_a_code_is_of_the_national_form(code):
    with pytest.raises(ValidationError):
        PublishProcedure(origin=origin(), code=code, terms=TERMS)


class ProcedureLife(RuleBasedStateMachine):
    """Earlier versions stay, at most one is in force on a day, and repetition is silence."""

    def __init__(self):
        super().__init__()
        self.events = []
        self.before = Procedure()

    @rule(
        command=st.sampled_from(
            [publish(), publish(SECOND), amend(TERMS), amend(SECOND), amend(THIRD), repeal()]
        )
    )
    def obey(self, command):
        with suppress(Refused):
            self.events += decide(command, procedure.fold(self.events))
            assert decide(command, procedure.fold(self.events)) == []

    @invariant()
    def versions_stay(self):
        state = procedure.fold(self.events)
        assert state.versions[: len(self.before.versions)] == self.before.versions
        days = [version.effective_on for version in state.versions]
        assert days == sorted(days)
        self.before = state


TestProcedureLife = ProcedureLife.TestCase
