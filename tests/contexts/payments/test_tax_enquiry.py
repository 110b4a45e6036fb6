"""What the tax register is asked, what it says, and what of that can be believed."""

from datetime import UTC, date, datetime, timedelta
from functools import reduce

import pytest
from specification import Given

from chalicelib.contexts.payments.domain.events import (
    TaxDebt,
    TaxEnquiryAnswered,
    TaxEnquiryAsked,
    TaxEnquiryRefused,
    TaxEnquiryUnavailable,
    TaxParticular,
    TaxParticulars,
)
from chalicelib.contexts.payments.domain.payment import payment_of_debt
from chalicelib.contexts.payments.domain.tax_enquiry import (
    AskTaxRegister,
    NoteTaxAnswer,
    NoteTaxAnswerBad,
    NoteTaxRegisterSilent,
    TaxEnquiryUnknown,
    tax_enquiry,
)
from chalicelib.contexts.payments.projections import which_tax_enquiries_wait
from chalicelib.contexts.payments.taxes.reactions import react
from chalicelib.kernel import Origin
from chalicelib.privacy.personal import Personal

AT = datetime(2026, 6, 1, 3, tzinfo=UTC)
BY = Origin(command_id="c", digest="d", actor="demo", method="jwt", at=AT)
ABOUT = {"enquiry": "e", "subject": "person:demo", "at": AT}


def debt(name="one", amount=1_500_000, subsection="2801"):
    return TaxDebt(
        debt=name,
        decision=f"{name}/TB-CCT",
        decided_on=date(2026, 6, 1),
        chapter="757",
        subsection=subsection,
        account="7111",
        collector="DEMO",
        treasury="0000",
        amount=amount,
        due_on=None,
    )


def particulars(count):
    return TaxParticulars(rows=(TaxParticular(tax_account="DEMO-SO-1"),) * count)


def answer(*rows, total=None, outcome="owed"):
    return NoteTaxAnswer(
        origin=BY,
        enquiry="e",
        agency="Z01",
        outcome=outcome,
        rows=rows,
        total=sum(row.amount for row in rows) if total is None else total,
        particulars=particulars(len(rows)),
        known_by="p",
    )


ask = AskTaxRegister(
    origin=BY, enquiry="e", subject="person:demo", code="Z01-DEMO-0001", identity_number="DEMO-0001"
)
bad = NoteTaxAnswerBad(origin=BY, enquiry="e", why="unreadable", known_by="p")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NOBODY = {"payable": False}


def silent(after=timedelta(0), why="timeout"):
    origin = BY.model_copy(update={"at": AT + after})
    return NoteTaxRegisterSilent(origin=origin, enquiry="e", why=why)


number = Personal[str](subject="person:demo", value="DEMO-0001")
asked = TaxEnquiryAsked(**ABOUT, code="Z01-DEMO-0001", identity_number=number, ask_at=AT + MINUTE)
ROWS = (debt("one"), debt("two", 6_000_000, "1006"))
answered = TaxEnquiryAnswered(
    **ABOUT,
    agency="Z01",
    outcome="owed",
    rows=ROWS,
    total=7_500_000,
    particulars=Personal[TaxParticulars](subject="person:demo", value=particulars(2)),
)
nothing = TaxEnquiryAnswered(**ABOUT, agency="Z01", outcome="nothing_owed")
unreadable = TaxEnquiryRefused(**ABOUT, why="unreadable", known_by="p")


def unavailable(after=timedelta(0), again=MINUTE, why="timeout"):
    at, ask_at = AT + after, again and AT + again
    return TaxEnquiryUnavailable(**ABOUT | {"at": at}, why=why, ask_at=ask_at)


def refused(why):
    return TaxEnquiryRefused(**ABOUT, why=why, known_by="p")


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], ask, [asked], id="the register is asked"),
        pytest.param([asked], ask, [], id="once"),
        pytest.param([asked], answer(*ROWS), [answered], id="it says what is owed"),
        pytest.param([asked], answer(outcome="nothing_owed"), [nothing], id="or that nothing is"),
        pytest.param(
            [asked.model_copy(update=NOBODY)],
            answer(*ROWS),
            [answered.model_copy(update=NOBODY)],
            id="asked for somebody who cannot sign in",
        ),
        pytest.param(
            [],
            ask.model_copy(update=NOBODY),
            [asked.model_copy(update=NOBODY)],
            id="as an officer may ask",
        ),
        pytest.param([asked, answered], answer(debt("new")), [], id="a good answer stands"),
        pytest.param([asked, answered], silent(), [], id="and needs no other"),
        pytest.param([asked], answer(*ROWS, total=1), [refused("wrong_sum")], id="a wrong sum"),
        pytest.param(
            [asked], answer(debt(), debt()), [refused("wrong_row")], id="a row that stands twice"
        ),
        pytest.param([asked], answer(debt(amount=0)), [refused("wrong_row")], id="a row of 0"),
        pytest.param([asked], answer(), [refused("wrong_row")], id="a debt without rows"),
        pytest.param(
            [asked], answer(debt(), outcome="not_found"), [refused("wrong_row")], id="nobody's rows"
        ),
        pytest.param([asked], bad, [unreadable], id="what cannot be read is recorded"),
        pytest.param([asked, unreadable], bad, [], id="the same bad answer once"),
        pytest.param([asked, unreadable], answer(*ROWS), [answered], id="a good one comes later"),
        pytest.param([asked], silent(), [unavailable()], id="it does not answer"),
        pytest.param([asked, unavailable()], silent(), [], id="that is said once"),
        pytest.param(
            [asked, unavailable()],
            silent(why="http-503"),
            [unavailable(why="http-503")],
            id="for another reason",
        ),
        pytest.param(
            [asked, unavailable()],
            silent(MINUTE),
            [unavailable(MINUTE, 2 * MINUTE)],
            id="it is asked again after a while",
        ),
        pytest.param(
            [asked, unavailable()],
            silent(2 * DAY),
            [unavailable(2 * DAY, 3 * DAY)],
            id="after twice as long each time, to the end",
        ),
        pytest.param(
            [asked, unavailable()],
            silent(3 * DAY),
            [unavailable(3 * DAY, None)],
            id="and then no more",
        ),
        pytest.param([asked, unavailable(3 * DAY, None)], silent(4 * DAY), [], id="by itself"),
        pytest.param([asked, unavailable()], answer(*ROWS), [answered], id="it is back"),
        pytest.param([], answer(*ROWS), TaxEnquiryUnknown, id="nobody asked"),
        pytest.param([], bad, TaxEnquiryUnknown, id="nobody asked for nonsense"),
        pytest.param([], silent(), TaxEnquiryUnknown, id="nobody asked who is silent"),
    ],
)
def test_an_enquiry(given, when, then):
    Given(tax_enquiry, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("events", "ask_at"),
    [
        pytest.param([asked], AT + MINUTE, id="who asked may have died on it"),
        pytest.param([asked, unavailable(again=2 * MINUTE)], AT + 2 * MINUTE, id="it is silent"),
        pytest.param([asked, unavailable(again=None)], None, id="it is asked no more"),
        pytest.param([asked, unavailable(), answered], None, id="it has answered"),
        pytest.param([asked, unreadable], None, id="it answered what cannot be"),
    ],
)
def test_which_tax_enquiries_wait(events, ask_at):
    row = reduce(which_tax_enquiries_wait.evolve, events, None)
    assert (row and row.ask_at) == ask_at


def test_each_debt_can_be_paid_to_the_treasury_by_a_payment_of_its_own():
    followed = list(react(answered, BY))
    expected = [payment_of_debt(row.debt, "person:demo") for row in ROWS]
    assert [id_ for _, id_, _ in followed] == expected
    first = followed[0][2]
    assert (first.subject, first.agency, first.amount) == ("person:demo", "Z01", 1_500_000)
    (line,) = first.lines
    assert (line.kind, line.chapter, line.subsection) == ("tax", "757", "2801")
    assert line.name == "Lệ phí trước bạ nhà đất, one/TB-CCT"
    assert (first.payee.account, first.payee.bank) == ("7111", "0000")
    # Whoever asks again meets the same payments.
    assert [id_ for _, id_, _ in react(answered, BY)] == [id_ for _, id_, _ in followed]
    assert list(react(nothing, BY)) == []
    # Another person's payments are others; who cannot sign in is asked for none.
    others = {id_ for _, id_, _ in react(answered.model_copy(update={"subject": "other"}), BY)}
    assert others.isdisjoint(expected)
    assert list(react(answered.model_copy(update={"payable": False}), BY)) == []


def test_what_has_no_name_here_goes_by_its_number():
    other = answered.model_copy(update={"rows": (debt(subsection="9999"),)})
    ((_, _, request),) = react(other, BY)
    assert request.lines[0].name == "Tiểu mục 9999, one/TB-CCT"
