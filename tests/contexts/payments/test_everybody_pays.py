"""Payers, banks, officers and the clock do as they like, in any order: the money always balances.

Dossiers raise obligations; payers click, twice; banks take money or not, and say so once, thrice,
late, never, or with figures that somebody changed on the way; officers ask money back and agree;
reactions are carried out late and more than once. The banks here know what they really took.
"""

import os
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import ClassVar

import pytest
from contexts.dossiers.demo_dossiers import (
    PROCESSING,
    SUBJECT,
)
from contexts.dossiers.demo_dossiers import ask as wish
from contexts.payments.demo_payments import DAY, HOUR, MINUTE, NOON, ask
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chalicelib.contexts.dossiers import reactions as dossiers
from chalicelib.contexts.dossiers.domain.commands import (
    ApproveWithdrawal,
    FulfilObligation,
    Limits,
    RaiseObligation,
    RequestWithdrawal,
    StopDossier,
)
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.payments import reactions as payments
from chalicelib.contexts.payments.domain import commands
from chalicelib.contexts.payments.domain.commands import (
    ApproveRefund,
    CancelPayment,
    ExpirePayment,
    InitiateTransaction,
    NoteFailure,
    NoteRefundFailed,
    NoteRefundPaidByHand,
    NoteRefundSettled,
    NoteSuccess,
    NoteUnknown,
    RejectRefund,
    RequestRefund,
    SubmitRefund,
)
from chalicelib.contexts.payments.domain.events import PaymentEvent
from chalicelib.contexts.payments.domain.payment import payment, payment_of_obligation
from chalicelib.contexts.payments.ledger import postings
from chalicelib.contexts.payments.receipts import reactions as receipts
from chalicelib.correspondence import events_of, origin_of
from chalicelib.eventstore.memory import MemoryShelf
from chalicelib.eventstore.store import EventStore
from chalicelib.handle import fold, handle
from chalicelib.kernel import Refused
from chalicelib.projector.projection import event_types
from chalicelib.working_time import Calendar

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
STEPS, STEPS_A_RUN = (10_000, 100) if SOAK else (1_500, 60)
DOSSIERS = 3
PROVIDERS = ("demo-one", "demo-two")
which = st.integers(0, DOSSIERS - 1)
any_of = st.integers(0, 1_000)


def seldom(*words):
    """One of these words, one time in eight; else none."""
    return st.integers(0, 8 * len(words) - 1).map(lambda n: dict(enumerate(words, 2)).get(n, ""))


REACTIONS = (
    (event_types(payments.EVENTS), lambda e, o: payments.react(e, o, commands.Limits()), None),
    (
        event_types(dossiers.EVENTS),
        lambda e, o: dossiers.react(e, o, Calendar(), Limits()),
        None,
    ),
    (event_types(receipts.EVENTS), receipts.react, receipts.numbered_in),
)


@dataclass
class Slip:
    """What a bank knows of one transaction, or of what it gave back of it."""

    provider: str
    amount: int
    reference: str
    state: str = "open"
    refunds: dict[str, int] = field(default_factory=dict)


class EverybodyPays(RuleBasedStateMachine):
    """One agency, a few dossiers and two banks."""

    steps = 0
    reactions = REACTIONS
    happened: ClassVar[Counter] = Counter()

    def __init__(self):
        super().__init__()
        self.now = NOON
        self.store = EventStore(MemoryShelf(), "demo", lambda *_: "REVNTw", lambda: self.now)
        self.bank = {}
        self.post = deque()
        self.unheard = deque()
        self.heard = []
        self.paid = Counter()
        self.balance = Counter()
        self.keys = count()
        self.ids, self.owed = [], {}
        for number in range(DOSSIERS):
            name = f"demo{number}"
            for kind in PROCESSING:
                self.tell(dossier, name, wish(kind, self.state(dossier, name), dossier=name))
            self.ids.append("")
            self.owe(number)
        self.follow(1, 100)

    # What they all stand on.

    def state(self, decider, id_):
        return fold(decider, self.store.load(f"{decider.category}-{id_}"))

    def payments(self):
        return {id_: self.state(payment, id_) for id_ in self.owed}

    def tell(self, decider, id_, command, counter=None):
        """One wish; a refusal is an answer. The same wish again must change nothing."""
        try:
            done = handle(self.store, decider, id_, command, counter=counter)
        except Refused as refusal:
            self.happened[refusal.code] += 1
            return []
        if done.commit is None:
            return []
        events = decider.codec.validate_json(done.commit.body, extra="ignore")
        if done.commit.place not in self.heard:
            self.heard.append(done.commit.place)
            self.unheard.append(done.commit)
            for event in events:
                self.book(event)
        if decider is payment and not isinstance(command, RequestRefund):
            assert payment.decide(command, self.state(payment, id_)) == [], "said twice"
        return events

    def book(self, event):
        self.happened[event.type] += 1
        if not isinstance(event, PaymentEvent):
            return
        moved = postings(event)
        assert sum(p.debit for p in moved) == sum(p.credit for p in moved), "debits = credits"
        for each in moved:
            self.balance[each.account] += each.debit - each.credit
        if event.type == "payment.paid":
            self.paid[event.payment] += 1

    def pay(self, kind, id_, **said):
        return self.tell(payment, id_, ask(kind, self.now, payment=id_, **said))

    # Dossiers and their desks.

    def owe(self, number):
        obligation = f"nvtc-{next(self.keys)}"
        name = f"demo{number}"
        command = wish(
            RaiseObligation, self.state(dossier, name), dossier=name, obligation=obligation
        )
        if self.tell(dossier, name, command):
            self.ids[number] = payment_of_obligation(name, obligation)
            self.owed[self.ids[number]] = name, obligation

    @rule(number=which)
    def raise_another(self, number):
        self.owe(number)

    @rule(number=which, means=seldom("desk", "waived"))
    def settle_at_the_desk(self, number, means):
        if not means:
            return
        state = self.state(dossier, f"demo{number}")
        for obligation in state.owed:
            said = {"obligation": obligation, "means": means, "agency": state.agency}
            self.tell(
                dossier,
                f"demo{number}",
                wish(FulfilObligation, state, dossier=f"demo{number}", **said),
            )

    @rule(number=which, how=seldom("stopped", "withdrawn"))
    def end(self, number, how):
        name = f"demo{number}"
        ways = {"stopped": (StopDossier,), "withdrawn": (RequestWithdrawal, ApproveWithdrawal)}
        kinds = ways.get(how, ())
        for kind in kinds:
            self.tell(dossier, name, wish(kind, self.state(dossier, name), dossier=name))

    # Payers and banks.

    @rule(number=which, provider=st.sampled_from(PROVIDERS), clicks=st.integers(1, 2))
    def click(self, number, provider, clicks):
        id_ = self.ids[number]
        for _ in range(clicks):
            told = self.pay(
                InitiateTransaction, id_, subject=SUBJECT, provider=provider, minutes=30
            )
            for event in told:
                reference = f"bank-{next(self.keys)}"
                self.bank[event.transaction] = Slip(provider, event.amount, reference)

    @rule(pick=any_of, outcome=st.sampled_from(["paid", "paid", "failed"]), times=st.integers(0, 3))
    def bank_decides(self, pick, outcome, times):
        """Money that was taken stays taken; a failure may still become a success."""
        slips = [name for name, slip in self.bank.items() if slip.state != "paid"]
        if slips:
            name = slips[pick % len(slips)]
            self.bank[name].state = outcome
            self.post.extend([self.notice(name)] * times)

    @rule(
        number=which,
        provider=st.sampled_from(PROVIDERS),
        times=st.integers(0, 3),
        fate=st.sampled_from(["arrives", "is late", "is tampered with"]),
    )
    def pay_it(self, number, provider, times, fate):
        """As it should be: the payer goes, the bank takes the money and says so, perhaps thrice."""
        self.click(number, provider, 1)
        id_ = self.ids[number]
        for name, slip in self.bank.items():
            if name.startswith(id_) and slip.state != "paid":
                slip.state = "paid"
                self.post.extend([self.notice(name)] * times)
        while fate != "is late" and self.post:
            self.notice_travels(0, fate)

    def notice(self, name):
        slip = self.bank[name]
        about = {"transaction": name, "provider": slip.provider, "learnt": "notice"}
        if slip.state == "paid":
            about |= {"provider_reference": slip.reference, "amount": slip.amount}
            return NoteSuccess, about | {"paid_at": self.now}
        return NoteFailure, about | {"said": "24"}

    @rule(
        pick=any_of,
        fate=st.sampled_from(["arrives", "arrives", "is lost", "is repeated", "is tampered with"]),
    )
    def notice_travels(self, pick, fate):
        """Notices arrive in any order, or not."""
        if not self.post:
            return
        self.post.rotate(pick)
        kind, said = self.post.popleft()
        if fate == "is lost":
            return
        if fate == "is repeated":
            self.post.append((kind, said))
        if fate == "is tampered with" and kind is NoteSuccess:
            # Its signature no longer holds, or the bank itself erred: it must take nothing in.
            before = self.state(payment, said["transaction"][:26]).captured
            self.pay(kind, said["transaction"][:26], **said | {"amount": said["amount"] + 1})
            assert self.state(payment, said["transaction"][:26]).captured == before
            return
        self.pay(kind, said["transaction"][:26], **said)

    @rule(pick=any_of)
    def ask_the_bank(self, pick):
        names = list(self.bank)
        if names:
            self.learn(names[pick % len(names)])

    def learn(self, name):
        slip = self.bank[name]
        kind, said = self.notice(name)
        if slip.state == "open":
            kind, said = NoteUnknown, {k: said[k] for k in ("transaction", "provider")}
        self.pay(kind, name[:26], **said | {"learnt": "query"})

    # Officers.

    @rule(number=which, now=seldom("now"))
    def cancel(self, number, now):
        if now:
            self.pay(CancelPayment, self.ids[number])

    @rule(number=which, amount=st.none() | st.integers(1, 60_000))
    def want_back(self, number, amount):
        self.pay(RequestRefund, self.ids[number], amount=amount)

    @rule(pick=any_of, kind=st.sampled_from([ApproveRefund, ApproveRefund, RejectRefund]))
    def decide_on(self, pick, kind):
        wanted = [
            (id_, refund)
            for id_, state in self.payments().items()
            for refund in state.refunds.values()
        ]
        if wanted:
            id_, refund = wanted[pick % len(wanted)]
            with suppress(Refused):
                alone = ask(kind, self.now, actor=refund.by, payment=id_, refund=refund.refund)
                told = payment.decide(alone, self.state(payment, id_))
                assert told == [], "nobody decides on their own wish"
            self.pay(kind, id_, refund=refund.refund)

    @rule(pick=any_of, outcome=st.sampled_from(["settled", "submitted", "failed", "by_hand"]))
    def give_back(self, pick, outcome):
        agreed = [
            (id_, refund)
            for id_, state in self.payments().items()
            for refund in state.refunds.values()
            if refund.status in {"approved", "submitted", "failed"}
        ]
        if not agreed:
            return
        id_, refund = agreed[pick % len(agreed)]
        if outcome == "settled":
            # The bank's own rule: one refund once, and never more than it took.
            slip = self.bank[refund.transaction]
            slip.refunds[refund.refund] = refund.amount
            assert slip.state == "paid"
            assert sum(slip.refunds.values()) <= slip.amount, "refunded <= captured"
        kinds = {
            "settled": (NoteRefundSettled, {"provider_reference": "demo"}),
            "submitted": (SubmitRefund, {}),
            "failed": (NoteRefundFailed, {"said": "99"}),
            "by_hand": (NoteRefundPaidByHand, {"reference": "demo"}),
        }
        kind, said = kinds[outcome]
        self.pay(kind, id_, refund=refund.refund, **said)

    @rule(number=which, outcome=st.sampled_from(["settled", "submitted", "failed"]), pick=any_of)
    def pay_back(self, number, outcome, pick):
        """As it should be: one officer asks, another agrees, the bank is told."""
        self.want_back(number, None)
        self.decide_on(pick, ApproveRefund)
        self.give_back(pick, outcome)

    # Time, and what follows.

    @rule(by=st.sampled_from([MINUTE, 31 * MINUTE, HOUR, DAY]))
    def time_passes(self, by):
        self.now += by
        for id_ in self.owed:
            self.pay(ExpirePayment, id_)

    @rule(times=st.integers(1, 3), commits=st.integers(1, 20))
    def follow(self, times, commits):
        for _ in range(min(commits, len(self.unheard))):
            commit = self.unheard.popleft()
            for _ in range(times):
                self.react_to(commit)

    def react_to(self, commit):
        for types, react, numbered in self.reactions:
            for index, event in events_of(commit, types):
                origin = origin_of(commit, f"demo#{index}").model_copy(update={"at": self.now})
                for decider, id_, command in react(event, origin):
                    counter = numbered(command) if numbered else None
                    self.tell(decider, id_, command, counter)

    # What must hold.

    @invariant()
    def money_balances(self):
        type(self).steps += 1
        for id_, state in self.payments().items():
            took = sum(
                slip.amount
                for name, slip in self.bank.items()
                if name.startswith(id_) and slip.state == "paid"
            )
            assert state.refunded <= state.reserved <= state.captured <= took
            for each in state.transactions.values():
                assert state.left_of(each.transaction) >= 0
            assert sum(part.amount for part in state.parts_of(10**9)) == (
                state.captured - state.reserved
            ), "what can be given back is what is there"
            assert self.paid[id_] == state.paid, "paid is said once"
            assert not state.complete, "what is complete is said to be"
        assert sum(self.balance.values()) == 0

    def teardown(self):
        """Everything that was taken becomes known; everything that follows has followed."""
        for name, slip in self.bank.items():
            if slip.state == "paid":
                self.learn(name)
        while self.unheard:
            self.follow(1, 100)
        self.money_balances()
        for name, slip in self.bank.items():
            known = self.state(payment, name[:26]).transactions[name]
            assert known.captured == (slip.amount if slip.state == "paid" else 0)
        for id_, (name, obligation) in self.owed.items():
            waits = obligation in self.state(dossier, name).owed
            paid = self.state(payment, id_).paid
            assert not (waits and paid), "no dossier waits for money that is there"
        issued = Counter()
        for place in self.heard:
            for data in self.store.commits([place])[place].data():
                if data["type"] == "receipt.issued":
                    issued[data["payment"], data["kind"]] += 1
        kinds = {(id_, line.kind) for id_ in self.paid for line in self.state(payment, id_).lines}
        assert issued == Counter(kinds), "every payment has exactly one set of receipts"


def test_the_money_balances_whatever_happens():
    number = count(1)
    while EverybodyPays.steps < STEPS:
        run_state_machine_as_test(
            seed(next(number))(EverybodyPays),
            settings=settings(max_examples=10, stateful_step_count=STEPS_A_RUN),
        )
    happened = EverybodyPays.happened
    assert {
        "payment.paid",
        "payment.captured_late",
        "payment.notice_disputed",
        "payment.transaction_unknown",
        "payment.cancelled",
        "payment.refund_settled",
        "payment.refund_paid_by_hand",
        "dossier.obligation_fulfilled",
        "receipt.issued",
    } <= happened.keys()
    print(f"\n{EverybodyPays.steps} steps: {dict(sorted(happened.items()))}")  # noqa: T201 -- asked for.


class NobodyTellsDossiers(EverybodyPays):
    """Whoever should tell dossiers of payments sleeps."""

    reactions = (REACTIONS[0], REACTIONS[2])


def test_it_sees_a_dossier_that_waits_for_money_that_is_there():
    machine = NobodyTellsDossiers()
    machine.pay_it(0, "demo-one", 1, "arrives")
    with pytest.raises(AssertionError, match="no dossier waits"):
        machine.teardown()


class ReceiptsComeTwice(EverybodyPays):
    """Whoever issues receipts names them anew each time."""

    @staticmethod
    def again(event, origin):
        for decider, id_, command in receipts.react(event, origin):
            yield decider, id_, command
            other = command.model_copy(update={"receipt": f"{id_}2"})
            yield decider, f"{id_}2", other

    reactions = (*REACTIONS[:2], (REACTIONS[2][0], again, receipts.numbered_in))


def test_it_sees_a_second_receipt():
    machine = ReceiptsComeTwice()
    machine.pay_it(0, "demo-one", 1, "arrives")
    with pytest.raises(AssertionError, match="exactly one set"):
        machine.teardown()
