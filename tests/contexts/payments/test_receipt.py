"""Receipts: one for each kind of line of what was paid, numbered without gaps."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from specification import Given

from chalicelib.contexts.payments.domain.events import (
    Line,
    Part,
    Payer,
    PaymentPaid,
    PaymentRefundPaidByHand,
    PaymentRefundSettled,
    ReceiptAdjusted,
    ReceiptCancelled,
    ReceiptIssued,
    ReceiptReplaced,
)
from chalicelib.contexts.payments.domain.receipt import (
    CancelReceipt,
    IssueReceipt,
    NoteRefund,
    NotYourReceipt,
    Receipt,
    ReceiptIsCancelled,
    ReceiptIsReplaced,
    ReceiptLinesWrong,
    ReceiptUnknown,
    ReplaceReceipt,
    counter,
    receipt,
    receipt_id,
    series,
)
from chalicelib.contexts.payments.projections.which_receipts_were_issued import (
    IssuedReceipt,
    answer,
)
from chalicelib.contexts.payments.receipts.reactions import numbered_in, react
from chalicelib.kernel import Origin, Refused
from chalicelib.privacy.personal import Personal

AT = datetime(2026, 6, 1, 3, tzinfo=UTC)
LATER = AT + timedelta(days=300)
PAYMENT, AGENCY, SUBJECT = "demopayment", "Z01", "person:demo"
ID = receipt_id(PAYMENT, "fee")
SERIES = "Z01-P-2026"
LINES = (
    Line(code="D1", name="Demo fee one", kind="fee", amount=70_000),
    Line(code="D2", name="Demo fee two", kind="fee", amount=50_000),
)
CHARGE = Line(code="D3", name="Demo charge", kind="charge", amount=30_000)
NOTHING = Line(code="D4", name="Demo fine", kind="fine", amount=0)
PAYER = Personal[Payer](subject=SUBJECT, value=Payer(name="Demo Payer"))


def by(at=AT, actor="officer:demo"):
    return Origin(command_id="c", digest="d", actor=actor, method="jwt", at=at)


def personal(text):
    return Personal[str](subject=SUBJECT, value=text)


def issue(**changes):
    said = {
        "origin": by(),
        "receipt": ID,
        "payment": PAYMENT,
        "dossier": "",
        "agency": AGENCY,
        "kind": "fee",
        "series": SERIES,
        "number": 7,
        "subject": SUBJECT,
        "payer": PAYER,
        "lines": LINES,
    }
    return IssueReceipt(**said | changes)


def replace(**changes):
    said = {
        "origin": by(LATER),
        "receipt": ID,
        "agency": AGENCY,
        "replaces": 7,
        "series": "Z01-P-2027",
        "number": 1,
        "payer": Payer(name="Demo Payer, rightly"),
        "reason": "demo",
    }
    return ReplaceReceipt(**said | changes)


def cancel(**changes):
    return CancelReceipt(origin=by(), receipt=ID, **{"agency": AGENCY, "reason": "demo"} | changes)


def refund(returned, id_="r1"):
    return NoteRefund(origin=by(), receipt=ID, refund=id_, returned=returned)


issued = ReceiptIssued(
    receipt=ID,
    agency=AGENCY,
    at=AT,
    payment=PAYMENT,
    dossier="",
    kind="fee",
    series=SERIES,
    number=7,
    subject=SUBJECT,
    payer=PAYER,
    lines=LINES,
    amount=120_000,
)
adjusted = ReceiptAdjusted(
    receipt=ID, agency=AGENCY, at=AT, refund="r1", returned=20_000, left=100_000
)
refunded = ReceiptCancelled(receipt=ID, agency=AGENCY, at=AT, refund="r1")
refunded_rest = ReceiptCancelled(receipt=ID, agency=AGENCY, at=AT, refund="r2")
cancelled = ReceiptCancelled(receipt=ID, agency=AGENCY, at=AT, reason=personal("demo"))
replaced = ReceiptReplaced(
    receipt=ID,
    agency=AGENCY,
    at=LATER,
    kind="fee",
    old_series=SERIES,
    old_number=7,
    series="Z01-P-2027",
    number=1,
    payer=Personal[Payer](subject=SUBJECT, value=Payer(name="Demo Payer, rightly")),
    lines=LINES,
    amount=120_000,
    reason=personal("demo"),
)
OTHER_LINES = (Line(code="D5", name="Demo fee, rightly named", kind="fee", amount=120_000),)
LESS = (Line(code="D5", name="Demo fee", kind="fee", amount=100_000),)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], issue(), [issued], id="what was paid is receipted"),
        pytest.param([issued], issue(number=8), [], id="and once only"),
        pytest.param([issued, cancelled], issue(number=8), [], id="also if it was taken back"),
        pytest.param([issued], refund(20_000), [adjusted], id="a refund in part adjusts it"),
        pytest.param([issued, adjusted], refund(20_000), [], id="each refund counts once"),
        pytest.param([issued], refund(120_000), [refunded], id="a refund of all cancels it"),
        pytest.param(
            [issued, adjusted], refund(100_000, "r2"), [refunded_rest], id="the rest cancels it"
        ),
        pytest.param([issued], refund(0), [], id="nothing given back changes nothing"),
        pytest.param([], refund(20_000), [], id="what is not receipted needs no adjustment"),
        pytest.param([issued, cancelled], refund(1), [], id="nor what was taken back"),
        pytest.param([issued], cancel(), [cancelled], id="a mistake is taken back"),
        pytest.param([issued, refunded], cancel(), [], id="what is cancelled stays so"),
        pytest.param([], cancel(), ReceiptUnknown, id="nothing to take back"),
        pytest.param([issued], cancel(agency="Z02"), NotYourReceipt, id="another agency's"),
        pytest.param([], replace(), ReceiptUnknown, id="nothing to replace"),
        pytest.param([issued], replace(agency="Z02"), NotYourReceipt, id="not theirs to replace"),
        pytest.param([issued, cancelled], replace(), ReceiptIsCancelled, id="it is no longer good"),
        pytest.param([issued, replaced], replace(), ReceiptIsReplaced, id="it was replaced before"),
        pytest.param([issued], replace(payer=None), [], id="nothing to correct needs no number"),
        pytest.param([issued], replace(lines=LESS), ReceiptLinesWrong, id="the sum is what it is"),
        pytest.param([issued], replace(lines=(CHARGE,)), ReceiptLinesWrong, id="so is the kind"),
    ],
)
def test_a_receipt(given, when, then):
    Given(receipt, *given).when(when).then(then)


@pytest.mark.parametrize(
    ("given", "when", "changes"),
    [
        pytest.param([issued], replace(), {}, id="a wrong name is put right"),
        pytest.param(
            [issued],
            replace(lines=OTHER_LINES, payer=None),
            {"lines": OTHER_LINES, "payer": PAYER},
            id="a wrong line is put right",
        ),
        pytest.param(
            [issued, adjusted],
            replace(lines=LESS),
            {"lines": LESS, "amount": 100_000},
            id="what was given back is left out",
        ),
    ],
)
def test_a_replacement_names_the_number_it_stands_for(given, when, changes):
    then = [replaced.model_copy(update=changes)]
    Given(receipt, *given).when(when).then(then, repeatable=False)
    # Said again, by another request, it meets what it did.
    Given(receipt, *given, *then).when(when).then(ReceiptIsReplaced)


def test_a_refund_of_what_was_replaced_is_taken_off_the_new_number():
    when = refund(20_000)
    Given(receipt, issued, replaced).when(when).then([adjusted])


def test_a_series_is_an_agencys_of_one_kind_and_one_year_of_hanoi():
    new_year = datetime(2026, 12, 31, 17, tzinfo=UTC)
    assert series("Z01", "charge", new_year - timedelta(seconds=1)) == "Z01-LP-2026"
    assert series("Z01", "charge", new_year) == "Z01-LP-2027"
    assert counter("Z01-LP-2027") == "receipt/Z01-LP-2027"


# What follows from payments.

paid = PaymentPaid(
    payment=PAYMENT,
    agency=AGENCY,
    at=AT,
    dossier="",
    obligation="",
    subject=SUBJECT,
    payer=PAYER,
    lines=(LINES[0], CHARGE, LINES[1], NOTHING),
    amount=150_000,
    over=5_000,
)


def test_each_kind_that_was_paid_has_a_receipt_of_its_own():
    followed = [command for _, _, command in react(paid, by())]
    assert [(c.kind, c.lines) for c in followed] == [("fee", LINES), ("charge", (CHARGE,))]
    assert [id_ for _, id_, _ in react(paid, by())] == [ID, receipt_id(PAYMENT, "charge")]
    assert [numbered_in(c) for c in followed] == ["receipt/Z01-P-2026", "receipt/Z01-LP-2026"]
    assert followed[0] == issue(number=0)


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        pytest.param(
            PaymentRefundSettled,
            {"provider": "demo", "provider_reference": "p"},
            id="by a provider",
        ),
        pytest.param(PaymentRefundPaidByHand, {"reference": "t", "by": "demo"}, id="by hand"),
    ],
)
def test_what_is_given_back_is_taken_off_the_receipts_of_its_kinds(kind, how):
    parts = (
        Part(kind="overpaid", amount=5_000),
        Part(kind="fee", amount=70_000),
        Part(kind="fee", amount=50_000),
        Part(kind="charge", amount=1_000),
    )
    settled = kind(
        payment=PAYMENT, agency=AGENCY, at=AT, refund="r1", amount=126_000, parts=parts, **how
    )
    followed = [command for _, _, command in react(settled, by())]
    assert followed[0] == refund(120_000)
    assert [c.returned for c in followed] == [120_000, 1_000]
    assert [numbered_in(c) for c in followed] == [None, None]


def test_the_list_shows_the_good_number_and_those_before_it():
    row = None
    for event in (issued, replaced, adjusted):
        row = answer.evolve(row, event)
    assert row == IssuedReceipt(
        receipt=ID,
        payment=PAYMENT,
        dossier="",
        agency=AGENCY,
        kind="fee",
        series="Z01-P-2027",
        number=1,
        former=("Z01-P-2026/7",),
        amount=120_000,
        left=100_000,
        issued_at=AT,
    )
    assert answer.evolve(row, refunded_rest).left == 0
    assert answer.evolve(row, cancelled).status == "cancelled"
    assert answer.evolve(None, cancelled) is None


class ReceiptLife(RuleBasedStateMachine):
    """However replacements, refunds and cancellations meet, a receipt says what is left."""

    def __init__(self):
        super().__init__()
        self.state, self.events, self.number = Receipt(), [], 0
        self.given_back = 0

    def ask(self, command):
        with suppress(Refused):
            events = receipt.decide(command, self.state)
            self.state = receipt.fold(events, self.state)
            self.events += events
            return events
        return []

    def numbered(self, command):
        # As `handle` does: the number is used up by what is written, and only by that.
        self.number += len(self.ask(command.model_copy(update={"number": self.number + 1})))

    @rule()
    def be_issued(self):
        self.numbered(issue())
        assert receipt.decide(issue(number=99), self.state) == []

    @rule(back=st.integers(0, 3), lines=st.sampled_from([None, LINES, OTHER_LINES, LESS]))
    def be_replaced(self, back, lines):
        self.numbered(replace(replaces=self.number - back, lines=lines, series=SERIES))

    @rule(returned=st.sampled_from([1_000, 20_000, 120_000]), id_=st.sampled_from("abcdef"))
    def be_refunded(self, returned, id_):
        command = refund(returned, id_)
        for event in self.ask(command):
            self.given_back += getattr(event, "returned", self.left_before)
        assert receipt.decide(command, self.state) == []

    @rule()
    def be_cancelled(self):
        self.ask(cancel())

    @invariant()
    def says_what_is_left(self):
        self.left_before = self.state.left
        if self.state.status != "absent":
            assert self.state.left == 120_000 - self.given_back
            assert sum(line.amount for line in self.state.lines) == self.state.amount
            assert self.state.left <= self.state.amount

    @invariant()
    def numbers_have_no_gap_and_are_not_given_twice(self):
        numbers = [event.number for event in self.events if hasattr(event, "number")]
        assert numbers == list(range(1, self.number + 1))
        assert [edition.number for edition in self.state.editions] == numbers

    @invariant()
    def cancelled_is_the_end(self):
        ends = [e for e in self.events if isinstance(e, ReceiptCancelled)]
        assert len(ends) == (self.state.status == "cancelled")
        assert not ends or self.events[-1] is ends[0]


TestReceiptLife = ReceiptLife.TestCase
