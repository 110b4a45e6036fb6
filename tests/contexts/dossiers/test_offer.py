from datetime import date

import pytest
from contexts.dossiers.demo_dossiers import CODE, DESK, MONDAY, origin
from specification import Given

from chalicelib.contexts.dossiers.domain.events import OfferEnded, OfferMade
from chalicelib.contexts.dossiers.domain.offer import (
    CeaseOffering,
    OfferOutOfOrder,
    OfferProcedure,
    OfferUnknown,
    offer,
    offer_id,
)
from chalicelib.contexts.dossiers.domain.procedure import ProcedureUnknown, ProcedureWasRepealed

JANUARY, MARCH, JUNE = date(2026, 1, 1), date(2026, 3, 1), date(2026, 6, 1)


def make(day=JANUARY, **more):
    known = {"published": True, **more}
    return OfferProcedure(
        origin=origin(), procedure=CODE, agency=DESK, effective_on=day, **known
    )  # fmt: skip


def end(day=MARCH):
    return CeaseOffering(origin=origin(), procedure=CODE, agency=DESK, effective_on=day)


made = OfferMade(procedure=CODE, agency=DESK, effective_on=JANUARY, at=MONDAY)
unlisted = made.model_copy(update={"portal": False, "effective_on": MARCH})
ended = OfferEnded(procedure=CODE, agency=DESK, effective_on=MARCH, at=MONDAY)
again = made.model_copy(update={"effective_on": JUNE})
ended_again = ended.model_copy(update={"effective_on": date(2026, 7, 1)})


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], make(), [made], id="an agency offers a procedure"),
        pytest.param([made], make(), [], id="offering it twice changes nothing"),
        pytest.param([made], make(JUNE), [], id="it stands already"),
        pytest.param([made], make(MARCH, portal=False), [unlisted], id="not on the portal"),
        pytest.param([made, ended], make(JUNE), [again], id="offered again later"),
        pytest.param([made, ended], make(JANUARY), OfferOutOfOrder, id="again before its end"),
        pytest.param([], make(published=False), ProcedureUnknown, id="never published"),
        pytest.param([], make(repealed=True), ProcedureWasRepealed, id="repealed"),
        pytest.param([made], end(), [ended], id="an agency ceases"),
        pytest.param([made, ended], end(), [], id="ceasing twice changes nothing"),
        pytest.param([], end(), OfferUnknown, id="ceasing what was never offered"),
        pytest.param([again], end(MARCH), OfferOutOfOrder, id="ceasing before it begins"),
    ],
)
def test_offer(given, when, then):
    Given(offer, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "day", "stands"),
    [
        ([], JUNE, False),
        ([made], date(2025, 12, 31), False),
        ([made], JANUARY, True),
        ([made, unlisted], date(2026, 2, 1), True),
        ([made, ended], date(2026, 2, 28), True),
        ([made, ended], MARCH, False),
        ([made, ended, again], date(2026, 5, 31), False),
        ([made, ended, again], JUNE, True),
        # An end that is still to come stays one when it is offered again.
        ([made, ended, again], date(2026, 2, 28), True),
        ([made, ended, again], MARCH, False),
        ([made, ended, again, ended_again], date(2026, 2, 28), True),
        ([made, ended, again, ended_again], date(2026, 7, 1), False),
    ],
)
def test_when_dossiers_are_taken(given, day, stands):
    assert offer.fold(given).stands_on(day) is stands


def test_each_period_has_its_own_ways():
    desk_only = again.model_copy(update={"portal": False})
    state = offer.fold([made, ended, desk_only])
    assert state.stands_on(JANUARY, online=True)
    assert not state.stands_on(JUNE, online=True)
    assert state.stands_on(JUNE)


def test_an_offer_is_named_as_the_portal_names_it():
    assert offer_id("1.010708", "H56") == "1.010708.H56"
