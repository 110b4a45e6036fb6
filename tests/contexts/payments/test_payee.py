from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from specification import Given

from chalicelib.contexts.payments.domain.events import Line, Payee, PayeeAccountSet
from chalicelib.contexts.payments.domain.payee import PayeeAccounts, SetPayeeAccount, payee
from chalicelib.kernel import Origin

NOW = datetime(2026, 6, 1, 3, tzinfo=UTC)
ORIGIN = Origin(command_id="c", digest="d", actor="administrator:demo", method="jwt", at=NOW)
# Demo data: no such accounts.
FIRST = {"account": "0000000001", "bank": "DEMOBANK", "holder": "Demo Ministry"}
SECOND = FIRST | {"account": "0000000002"}


def ask(use="agency", account=None):
    return SetPayeeAccount(origin=ORIGIN, agency="Z01", use=use, **account or FIRST)


def was_set(use="agency", account=None):
    to = Payee(agency="Z01", **account or FIRST)
    return PayeeAccountSet(agency="Z01", use=use, payee=to, at=NOW)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], ask(), [was_set()], id="an account is named"),
        pytest.param([was_set()], ask(), [], id="naming it again changes nothing"),
        pytest.param([was_set()], ask(account=SECOND), [was_set(account=SECOND)], id="another"),
        pytest.param(
            [was_set()], ask("treasury"), [was_set("treasury")], id="the same for the treasury"
        ),
    ],
)
def test_payee(given, when, then):
    Given(payee, *given).when(when).then(then)


def line(kind):
    return Line(code="X", name="Demo", kind=kind, amount=1)


@pytest.mark.parametrize(
    ("kinds", "account"),
    [
        (["fee", "charge"], "0000000001"),
        (["fine"], "0000000002"),
        (["tax"], "0000000002"),
        (["fee", "tax"], "0000000002"),
    ],
)
def test_fines_and_taxes_go_to_the_treasury(kinds, account):
    state = payee.fold([was_set(), was_set("treasury", SECOND)])
    assert state.of(tuple(map(line, kinds))).account == account


def test_where_nobody_has_said_there_is_no_account():
    assert PayeeAccounts().of((line("fee"),)) is None
    assert payee.fold([was_set()]).of((line("tax"),)) is None


@pytest.mark.parametrize("wrong", [{"account": "1"}, {"bank": "DEMO BANK"}, {"holder": " "}])
def test_accounts_that_are_not_taken(wrong):
    with pytest.raises(ValidationError):
        ask(account=FIRST | wrong)
