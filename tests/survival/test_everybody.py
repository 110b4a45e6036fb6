"""Senders, receivers and the operator do whatever they like, in any order: both sides agree.

Four agencies send, change, take back and report, lawfully or not; their systems are up, down, full
of excuses or deaf; an operator holds, releases and rewinds lanes; workers run in any order, late,
twice or not at all, and die. In the end everybody recovers and the two sides are compared.
"""

import os
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import ClassVar
from unittest import mock
from uuid import uuid4

import pytest
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from survival.world import AFTER_A_DEATH, System, Violated, must, public
from survival.world import world as an_axis

from chalicelib import runtime
from chalicelib.contexts.documents.domain import copy

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
STEPS, STEPS_A_RUN = (5_000, 125) if SOAK else (500, 125)
AGENCIES, DOCUMENTS = 4, 6
MOODS = ("well", "well", "well", "deaf", "lost", 503, 429, 422, 422, 410)
"""What an agency's system does with a message: takes it; gives no answer; takes it and gives none;
answers with a status."""
HEALING_ROUNDS = 60

# The status table, as the processing statuses of QCVN 102:2016/BTTTT read. Nothing here is taken
# from the product.

CODES = {
    "copy.arrived": "01",
    "copy.reception_refused": "02",
    "copy.received": "03",
    "copy.assigned": "04",
    "copy.processing_started": "05",
    "copy.completed": "06",
    "copy.recall_requested": "13",
    "copy.recall_agreed": "15",
    "copy.recall_refused": "16",
    "copy.change_agreed": "15",
    "copy.change_refused": "16",
}
SHOWN = {
    "opened": "00",
    "arrived": "01",
    "reception_refused": "02",
    "received": "03",
    "assigned": "04",
    "processing": "05",
    "completed": "06",
    "recalled": "15",
    "revoked": "15",
    "removed": "15",
}
RISING = ("00", "01", "03", "04", "05", "06")
GIVE_BACK = {"revocation", "removal"}


@dataclass
class Table:
    """One copy: its status, 00 before the first; who waits for it; whether an edition waits.

    It is `lost` if the document was given up on its way; `again` are the editions sent again.
    """

    status: str = "00"
    back: str = ""
    edition: bool = False
    lost: bool = False
    again: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    editions: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, document: str, receiver: str) -> "Table | None":
        """The table's state after all that happened to a copy; None if it was never opened."""
        table = None
        for commit in runtime.event_store().load(f"copy-{document}.{receiver}"):
            for event in commit.data():
                if table is None:
                    must(event["type"] == "copy.opened", "a copy is opened first")
                    table = cls()
                else:
                    table.follow(event)
        return table

    def allows(self, code: str) -> bool:
        """Whether this status may be reported now."""
        ended = self.status in {"02", "15"}
        match code:
            case "13":
                return not ended and not self.back
            case "14" | "15" | "16":
                return bool(self.back) or self.edition
            case "02":
                return self.status in {"00", "01"} and not self.back
            case "01":
                return self.status == "00"
            case _:
                rises = self.status in RISING and RISING.index(code) > RISING.index(self.status)
                return rises and not self.back

    def allows_again(self) -> bool:
        """Whether the document may be sent again now."""
        return self.status == "02" or (self.status == "00" and self.lost and not self.back)

    def follow(self, event: dict) -> None:
        """One more event, which the table must allow."""
        if event["type"] == "copy.change_ordered":
            must(self.status not in {"02", "15"}, "nothing is ordered of a copy that is gone")
            self.orders.append(event["change"])
            if event["change"] in GIVE_BACK:
                self.back, self.edition = event["change"], False
            else:
                self.edition = True
                self.editions.append(event["edition"])
            return
        if event["type"] == "copy.resent":
            must(self.allows_again(), "only what was not taken is sent again")
            self.status, self.lost = "00", False
            self.again.append(event["edition"])
            return
        if event["type"] == "copy.delivery_refused":
            given_up = (event["undelivered"], event["reason"]) == ("document", "abandoned")
            self.lost = self.lost or given_up
            return
        if event["type"] not in CODES:
            return
        code = CODES[event["type"]]
        must(self.allows(code), "no status is reported that the table forbids")
        (self.orders if code == "13" else self.told).append(code)
        recall = event["type"].startswith("copy.recall") or event.get("change") in GIVE_BACK
        match code:
            case "13":
                self.back = "recall"
            case "15" if recall:
                self.status, self.back, self.edition = "15", "", False
            case "16" if recall:
                self.back = ""
            case "15" | "16":
                self.edition = False
            case "02":
                self.status, self.edition = "02", False
            case _:
                self.status = code


def said(table: Table | None) -> int:
    """How much was said of a copy."""
    return len(table.told) + len(table.orders) + len(table.again) if table else 0


@dataclass
class Document:
    """What its sender knows of a document: who was sent it, and the words of each edition."""

    id: str
    sender: System
    present: set[str]
    ever: set[str]
    subjects: list[str]
    revoked: set[str] = field(default_factory=set)


@dataclass
class Book:
    """What an agency knows, having acted upon each message once, in the order they came."""

    documents: Counter = field(default_factory=Counter)
    editions: dict[str, tuple[int, str]] = field(default_factory=dict)
    orders: dict[str, list[str]] = field(default_factory=dict)
    told: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, system: System) -> "Book":
        book, said = cls(), {}
        for got in system.got:
            new = got.id not in said
            must(said.setdefault(got.id, got.data) == got.data, "an id stands for one message")
            if new:
                book.act(system.code, got.data)
        return book

    def act(self, code: str, data: dict) -> None:
        id_ = data["document"]
        if "code" in data:
            if data["code"] == "13":
                self.orders.setdefault(id_, []).append("13")
            elif data["sender"] == code:
                self.told.setdefault((id_, data["receiver"]), []).append(data["code"])
            return
        if "change" in data:
            self.orders.setdefault(id_, []).append(data["change"])
        elif "official" in data:
            self.documents[id_] += 1
        if "edition" in data:
            self.editions[id_] = data["edition"], data["official"]["subject"]


def action(name, /, **details):
    """Something that somebody may do; `doc` is one of the documents there are."""
    return st.tuples(st.just(name), st.fixed_dictionaries(details))


_who, _doc, _lane = st.integers(0, AGENCIES - 1), st.integers(0, DOCUMENTS - 1), st.booleans()
_codes = st.sampled_from(["01", "02", "03", "03", "04", "05", "06", "14", "15", "16"])
_mood = st.sampled_from(MOODS)
_workers = st.sampled_from(["sequence", "project", "react", "deliver"])
_report = action("report", doc=_doc, who=_who, code=_codes, second=st.booleans())
_work = action("run_worker", name=st.sampled_from(["project", "react", "sweep"]))
_sequence = action("sequence", share=st.sampled_from([1, 1, 2, 3]), again=st.booleans())
_deliver = action("deliver", who=_who, urgent=_lane)

# One rule for all of them: hypothesis leaves out some rules in each run, and the runs are few.
_ACTIONS = [
    action(
        "send",
        order=st.permutations(range(AGENCIES)),
        count=st.integers(1, AGENCIES - 1),
        urgent=st.booleans(),
    ),
    action("replace", doc=_doc, urgent=st.booleans()),
    action("change_receivers", doc=_doc, who=_who, add=st.booleans(), drop=st.booleans()),
    action("amend", doc=_doc),
    action("revoke", doc=_doc, some=st.integers(0, 2)),
    action("recall", doc=_doc, who=_who),
    *[action("resend", doc=_doc, who=_who)] * 2,
    *[_report] * 5,
    action("meddle", doc=_doc, by=_who, to=_who),
    *[action("change_mood", who=_who, mood=_mood)] * 3,
    action("pause", who=_who),
    action("resume", who=_who),
    action("release", who=_who),
    action("give_up", who=_who),
    action("rewind", who=_who, urgent=_lane, back=st.integers(0, 5)),
    *[action("time_passes", minutes=st.sampled_from([1, 10, 60, 24 * 60]))] * 2,
    *[_sequence, _work, _deliver] * 2,
    action("restart_sequence"),
    action("die", name=_workers, call=st.integers(1, 25)),
    *[action("settle")] * 4,
]
ACTIONS = st.sampled_from(_ACTIONS).flatmap(lambda chosen: chosen)


class Everybody(RuleBasedStateMachine):
    """Agencies and operator act through the API and webhooks, workers as Lambda calls them."""

    steps = 0
    happened: ClassVar[Counter] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.world = self._open.enter_context(an_axis())
        self.sent: list[Document] = []
        self.reported: dict[tuple[str, str], list[str]] = {}
        self.waived: set[tuple[str, str]] = set()

    @initialize(urgent=st.booleans(), moods=st.tuples(*[_mood] * AGENCIES))
    def begin(self, urgent, moods):
        self.agencies = [self.world.join() for _ in range(AGENCIES)]
        # The last agency has a second system, which knows nothing of what the first one does.
        self.second = System("", "", self.world, bytes(range(32)))
        self.second.code = self.agencies[-1].code
        path = f"/agencies/{self.second.code}/systems/second"
        fields = {"endpoint": self.agencies[-1].url, "public_keys": [public(self.second.seed)]}
        self.world.administer("PUT", path, fields)
        self.world.settle()
        for who, mood in enumerate(moods):
            self.change_mood(who, mood)
        self._send(self.agencies[0], self.agencies[1:], urgent)

    def did(self, what: str, answer=None) -> None:
        """Count what has happened, and how it was answered."""
        type(self).happened[what if answer is None else f"{what} {answer.status}"] += 1

    @rule(what=ACTIONS)
    def act(self, what):
        name, details = what
        if "doc" in details:
            details |= {"doc": self.sent[details["doc"] % len(self.sent)]}
        getattr(self, name)(**details)

    # What senders do.

    def send(self, order, count, urgent):
        sender, *others = (self.agencies[n] for n in order)
        self._send(sender, others[:count], urgent)

    def replace(self, doc, urgent):
        receivers = [a for a in self.agencies if a.code in doc.present]
        self._send(doc.sender, receivers, urgent, replaces=[{"document": doc.id}])

    def _send(self, sender, receivers, urgent, **fields):
        if len(self.sent) == DOCUMENTS:
            return
        body = self.world.document(*receivers, priority=int(urgent), **fields)
        key = str(uuid4())
        answers = [
            self.world.ask("system", sender.code, "POST", "/documents", body, key) for _ in "12"
        ]
        must(answers[0].json == answers[1].json, "a command said twice is answered as once")
        id_ = answers[0].headers["Location"].rsplit("/", 1)[1]
        codes = {receiver.code for receiver in receivers}
        self.sent.append(Document(id_, sender, codes, set(codes), [body["subject"]]))
        self.did("send")

    def change_receivers(self, doc, who, add, drop):
        code = self.agencies[who].code
        added = [code] if add else []
        dropped = [sorted(doc.present)[who % len(doc.present)]] if drop else []
        answer = self._amend(doc, {"add": added, "drop": dropped, "reason": "Demo"})
        known = not (doc.present - doc.revoked)
        lawful = not ({code} & (doc.ever | {doc.sender.code})) if add else True
        lawful = lawful and bool((doc.present | set(added)) - set(dropped)) and not known
        if answer.status < 300 and (added or dropped):
            must(lawful, "receivers are changed as the law has it")
            doc.present = (doc.present | set(added)) - set(dropped)
            doc.ever |= set(added)
            doc.subjects.append(doc.subjects[-1])
        self.did("receivers", answer)

    def amend(self, doc):
        subject = f"Demo: edition {len(doc.subjects) + 1}"
        answer = self._amend(doc, {"subject": subject, "reason": "Demo"})
        if answer.status < 300:
            doc.subjects.append(subject)
        self.did("amend", answer)

    def _amend(self, doc, body):
        path = f"/documents/{doc.id}/amendments"
        return self.world.try_("system", doc.sender.code, "POST", path, body)

    def revoke(self, doc, some):
        named = sorted(doc.present)[:some]
        path, body = f"/documents/{doc.id}/revocations", {"reason": "Demo", "receivers": named}
        self.world.ask("system", doc.sender.code, "POST", path, body)
        doc.revoked |= set(named or doc.present)
        self.did("revoke")

    def recall(self, doc, who):
        self._report(doc, sorted(doc.ever)[who % len(doc.ever)], doc.sender, "13")

    def resend(self, doc, who):
        receiver = sorted(doc.ever)[who % len(doc.ever)]
        before = Table.of(doc.id, receiver)
        wanted = receiver in doc.present - doc.revoked
        granted = before is not None and wanted and before.allows_again()
        path = f"/documents/{doc.id}/copies/{receiver}/resending"
        answer = self.world.try_("system", doc.sender.code, "PUT", path)
        after = Table.of(doc.id, receiver)
        must((said(after) > said(before)) == granted, "the table decides what is sent again")
        must(not granted or after.again[-1] == len(doc.subjects), "the present edition is sent")
        self.did("resend", answer)

    # What receivers do.

    def report(self, doc, who, code, second):
        receiver = sorted(doc.ever)[who % len(doc.ever)]
        system = next(a for a in self.agencies if a.code == receiver)
        if second and receiver == self.second.code:
            system = self.second
        self._report(doc, receiver, system, code)

    def meddle(self, doc, by, to):
        """An agency reports on a copy that may not be its own."""
        if by != to:
            by, to = self.agencies[by], self.agencies[to]
            before = said(Table.of(doc.id, to.code))
            path = f"/documents/{doc.id}/copies/{to.code}/statuses"
            answer = self.world.try_("system", by.code, "POST", path, {"code": "03"})
            must(answer.status in {403, 404}, "nobody reports for another")
            must(said(Table.of(doc.id, to.code)) == before, "what is refused says nothing")

    def _report(self, doc, receiver, system, code):
        before = Table.of(doc.id, receiver)
        if before is None and receiver in doc.present and code != "01":
            before = Table()  # Who is quick opens the copy.
        granted = before is not None and before.allows(code) and code != "01"
        body = {"code": code, "note": "Demo: because"}
        path = f"/documents/{doc.id}/copies/{receiver}/statuses"
        if system is self.second:
            body["document"] = doc.id
            answer = self.world.webhook(system, doc.id, code, self.world.true_time(), note="Demo")
        else:
            answer = self.world.try_("system", system.code, "POST", path, body)
        after = Table.of(doc.id, receiver)
        must((said(after) > said(before)) == granted, "the table decides what is granted")
        must(not granted or answer.status == 202, "what is granted is said to be")
        if granted and code != "13":
            got = after.told[len(before.told) :]
            self.reported.setdefault((doc.id, receiver), []).extend(got)
        self.did(f"report {code}", answer)

    def change_mood(self, who, mood):
        self.agencies[who].policy = self.mood_of(self.agencies[who], mood)

    def mood_of(self, system, mood):
        def policy(got):
            match mood:
                case "well":
                    return self.well(system, got)
                case "deaf":
                    raise ConnectionError
                case "lost":
                    system.keep(got)
                    raise ConnectionError
                case _:
                    return mood

        return policy

    def well(self, _system, _got):
        return 200

    # What the operator does.

    def pause(self, who):
        path = f"/lanes/{self.agencies[who].code}/pause"
        self.did("pause", self._operate("PUT", path, {"reason": "Demo"}))

    def resume(self, who):
        self._operate("DELETE", f"/lanes/{self.agencies[who].code}/pause")

    def release(self, who):
        for parked in self._parked(self.agencies[who])[:1]:
            self._release(self.agencies[who], parked)

    def _release(self, agency, parked):
        path = f"/lanes/{agency.code}/parked/{parked['message']}/release"
        self.did("release", self._operate("POST", path))

    def give_up(self, who):
        """Nobody ever hears of the first message that is set aside, and its case goes on."""
        for parked in self._parked(self.agencies[who])[:1]:
            path = f"/lanes/{self.agencies[who].code}/parked/{parked['message']}/abandonment"
            self.did("give up", self._operate("POST", path, {"reason": "Demo"}))
            self.world.given_up.add(parked["message"])
            self.waived.add((self.agencies[who].code, parked["case"]))

    def rewind(self, who, urgent, back):
        code, lane = self.agencies[who].code, "urgent" if urgent else "normal"
        served = runtime.lanes().cursor(f"{code}#{lane}").served
        if served:
            body = {"lane": lane, "to": max(1, served - back)}
            self.did("rewind", self._operate("POST", f"/lanes/{code}/rewind", body))

    def _operate(self, method, path, body=None):
        answer = self.world.try_("administrator", "", method, path, body)
        assert answer.status == 202, answer.text
        return answer

    def _parked(self, agency):
        answer = self.world.try_("administrator", "", "GET", f"/lanes/{agency.code}/parked")
        return answer.json["items"]

    # What happens by itself, or does not.

    def time_passes(self, minutes):
        self.world.later(timedelta(minutes=minutes))

    def sequence(self, share, again):
        """The stream announces some of what is new, last things first, or old things again."""
        places = self.world.unannounced()[::-share]
        if again and self.sent:
            places += [(f"document-{self.sent[0].id}", 1)]
        self.world.sequence(*places)

    def restart_sequence(self):
        runtime.sequencer.cache_clear()

    def run_worker(self, name):
        getattr(self.world, name)()

    def deliver(self, who, urgent):
        self.world.deliver(f"{self.agencies[who].code}#{'urgent' if urgent else 'normal'}")

    def die(self, name, call):
        places, lanes = self.world.unannounced(), self.world.due()[:1]
        work = {"sequence": lambda: self.world.sequence(*places)}.get(name)
        work = work or (lambda: getattr(self.world, name)(*(lanes if name == "deliver" else ())))
        if self.world.dies(work, call):
            self.did(f"die {name}")
        self.world.later(AFTER_A_DEATH)

    def settle(self):
        self.world.settle()

    @invariant()
    def one_more(self):
        type(self).steps += 1

    # What must hold in the end.

    def teardown(self):
        try:
            self.recover()
            self.world.check(cases=True)
            self.agree()
        finally:
            self._open.close()

    def recover(self):
        """Everybody is well again, and an operator lets go of all that waits."""
        for agency in self.agencies:
            agency.policy = self.mood_of(agency, "well")
        for _ in range(HEALING_ROUNDS):
            for agency in self.agencies:
                self._operate("DELETE", f"/lanes/{agency.code}/pause")
                for parked in self._parked(agency):
                    self._release(agency, parked)
            self.world.later(timedelta(hours=2))
            self.world.settle()
            lanes = list(runtime.lanes().every())
            if all(lane.served == lane.head and not lane.parked for lane in lanes):
                return
        raise Violated("everything is delivered in the end")

    def agree(self):
        """What each side holds is what the axis says, and what the other side holds."""
        books = {agency.code: Book.of(agency) for agency in self.agencies}
        for doc in self.sent:
            for agency in self.agencies:
                table = Table.of(doc.id, agency.code)
                must((table is not None) == (agency.code in doc.ever), "who was sent it has a copy")
                if table is None:
                    must(not books[agency.code].documents[doc.id], "nobody else gets it")
                else:
                    self._agree(doc, agency.code, table, books)

    def _agree(self, doc, code, table, books):
        receiver, sender = books[code], books[doc.sender.code]
        if (code, doc.id) not in self.waived:
            sent = 1 + len(table.again)
            must(receiver.documents[doc.id] == sent, "a receiver gets what is sent, once")
            must(receiver.orders.get(doc.id, []) == table.orders, "a receiver hears every order")
            edition, subject = receiver.editions[doc.id]
            must(subject == doc.subjects[edition - 1], "an edition's words are its sender's")
            last = edition == max((*table.editions, *table.again), default=edition)
            must(last, "a receiver has the last edition")
        if (doc.sender.code, doc.id) not in self.waived:
            heard = sender.told.get((doc.id, code), [])
            must(heard == table.told, "a sender hears every status")
        reported = [told for told in table.told if told != "01"]
        must(self.reported.get((doc.id, code), []) == reported, "what is told was reported")
        path = f"/documents/{doc.id}/copies/{code}"
        for side in (code, doc.sender.code):
            shown = self.world.ask("system", side, "GET", path).json
            must(SHOWN[shown["status"]] == table.status, "both sides are shown the same status")


def test_both_sides_agree_whatever_happens():
    number = count(1)
    while Everybody.steps < STEPS:
        run_state_machine_as_test(
            seed(next(number))(Everybody),
            settings=settings(
                max_examples=2,
                stateful_step_count=STEPS_A_RUN,
                # What fails is shown as it is: making it smaller takes longer than all else.
                phases=[Phase.generate],
            ),
        )
    happened = Everybody.happened
    assert {"amend 202", "report 03 202", "report 03 409", "release 202"} <= happened.keys()
    print(f"\n{Everybody.steps} steps: {dict(sorted(happened.items()))}")  # noqa: T201 -- asked for.


class OneForgets(Everybody):
    """The first agency's system says thank you, and drops what it got."""

    def well(self, system, _got):
        return 204 if system is self.agencies[0] else 200


def test_it_sees_what_a_receiver_drops():
    machine = OneForgets()
    machine.begin(urgent=False, moods=("well",) * AGENCIES)
    with pytest.raises(Violated, match="no message is lost"):
        machine.teardown()


def test_it_sees_a_status_that_the_table_forbids():
    machine, real = Everybody(), copy._progress
    machine.begin(urgent=False, moods=("well",) * AGENCIES)
    (doc,) = machine.sent

    def lawless(command, state):
        return real(command, state.model_copy(update={"status": "arrived"}))

    machine.report(doc, who=0, code="05", second=False)
    with mock.patch.object(copy, "_progress", lawless), pytest.raises(Violated, match="table"):
        machine.report(doc, who=0, code="03", second=False)
    with pytest.raises(Violated, match="table"):
        machine.teardown()
