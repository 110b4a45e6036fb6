from datetime import date

import pytest
from contexts.dossiers.demo_dossiers import DESK, FILE, ID, MONDAY, OTHER, SUBJECT, origin
from specification import Given

from chalicelib.contexts.dossiers.domain.component import (
    ComponentIdTaken,
    ComponentNotKept,
    DigitiseComponent,
    NoteReuse,
    NotYourComponent,
    WithdrawComponent,
    component,
)
from chalicelib.contexts.dossiers.domain.events import (
    ComponentDigitised,
    ComponentReused,
    ComponentWithdrawn,
)
from chalicelib.privacy.personal import Personal

PAPER = {
    "component": "paper-1",
    "code": "KQ000002",
    "subject": SUBJECT,
    "agency": DESK,
    "file": FILE,
    "expires_on": date(2026, 12, 31),
}
digitised = ComponentDigitised(**PAPER, at=MONDAY)
reused = ComponentReused(component="paper-1", dossier=ID, at=MONDAY)
withdrawn = ComponentWithdrawn(
    component="paper-1", reason=Personal[str](subject=SUBJECT, value="demo"), at=MONDAY
)


def digitise(**changes):
    return DigitiseComponent(origin=origin(), **PAPER | changes)


def reuse():
    return NoteReuse(origin=origin(), dossier=ID)


def withdraw(**who):
    return WithdrawComponent(origin=origin(), reason="demo", **who)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], digitise(), [digitised], id="a paper is digitised"),
        pytest.param([digitised], digitise(), [], id="digitised already"),
        pytest.param([digitised], digitise(code="KQ000001"), ComponentIdTaken, id="id taken"),
        pytest.param([digitised], reuse(), [reused], id="used again"),
        pytest.param([digitised, reused], reuse(), [], id="used once in a dossier"),
        pytest.param([], reuse(), [], id="nothing to use again"),
        pytest.param([digitised], withdraw(subject=SUBJECT), [withdrawn], id="its owner's wish"),
        pytest.param([digitised], withdraw(agency=DESK), [withdrawn], id="its agency's"),
        pytest.param([digitised, withdrawn], withdraw(agency=DESK), [], id="withdrawn once"),
        pytest.param([], withdraw(agency=DESK), ComponentNotKept, id="nothing to withdraw"),
        pytest.param([digitised], withdraw(agency=OTHER), NotYourComponent, id="another agency"),
        pytest.param([digitised], withdraw(subject="x"), NotYourComponent, id="another person"),
    ],
)
def test_component(given, when, then):
    Given(component, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "day", "usable"),
    [
        ([], date(2026, 6, 1), False),
        ([digitised], date(2026, 12, 30), True),
        ([digitised], date(2026, 12, 31), False),
        ([digitised.model_copy(update={"expires_on": None})], date(2099, 1, 1), True),
        ([digitised, reused, withdrawn], date(2026, 6, 1), False),
    ],
)
def test_whether_it_may_be_used(given, day, usable):
    assert component.fold(given).usable_on(day) is usable
