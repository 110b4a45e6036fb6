from contexts.documents.demo_documents import (
    ADDED,
    DOCUMENT,
    ORIGIN,
    OTHER,
    RECEIVER,
    amended,
    clerk,
    opening,
    relayed,
    replaced,
    revoked,
    sent,
    sent_in_its_place,
    sent_urgently,
)

from chalicelib.contexts.documents.domain.copy import OpenCopy, OrderChange, copy
from chalicelib.contexts.documents.domain.document import NoteReplacement, document
from chalicelib.contexts.documents.reactions import copy_id, react


def test_a_document_sent_opens_a_copy_for_each_receiver():
    its_own = {"receiver": OTHER, "receiver_as_given": "Z03"}
    assert list(react(sent, ORIGIN)) == [
        (copy, f"{DOCUMENT}.{RECEIVER}", OpenCopy(origin=ORIGIN, opening=opening)),
        (
            copy,
            f"{DOCUMENT}.{OTHER}",
            OpenCopy(origin=ORIGIN, opening=opening.model_copy(update=its_own)),
        ),
    ]


def test_an_urgent_documents_copies_are_urgent():
    commands = [command for _, _, command in react(sent_urgently, ORIGIN)]
    assert [command.opening.urgent for command in commands] == [True, True]


def test_a_revocation_orders_back_the_copies_it_names_and_no_other():
    order = OrderChange(origin=ORIGIN, change="revocation", note="issued in error", staff=clerk)
    assert list(react(revoked, ORIGIN)) == [
        (copy, f"{DOCUMENT}.{RECEIVER}", order),
        (copy, f"{DOCUMENT}.{OTHER}", order),
    ]
    some = revoked.model_copy(update={"receivers": (OTHER,)})
    assert list(react(some, ORIGIN)) == [(copy, f"{DOCUMENT}.{OTHER}", order)]


def test_an_amendment_reaches_added_dropped_and_present_receivers_each_in_its_way():
    said = {"origin": ORIGIN, "note": "a slip of the pen", "staff": clerk}
    its_own = {
        "receiver": ADDED,
        "receiver_as_given": "000.00.00.Z04",
        "subject": "Demo document, put right",
    }
    assert list(react(amended, ORIGIN)) == [
        (copy, f"{DOCUMENT}.{OTHER}", OrderChange(change="removal", **said)),
        (copy, f"{DOCUMENT}.{RECEIVER}", OrderChange(change="amendment", edition=2, **said)),
        (
            copy,
            f"{DOCUMENT}.{ADDED}",
            OpenCopy(origin=ORIGIN, opening=opening.model_copy(update=its_own)),
        ),
    ]


def test_what_a_hub_passes_on_opens_copies_that_answer_the_first_sender():
    its_own = {"receiver": ADDED, "receiver_as_given": "000.00.00.Z04", "urgent": True}
    urgently = relayed.model_copy(update={"urgent": True})
    opened = OpenCopy(origin=ORIGIN, opening=opening.model_copy(update=its_own))
    assert list(react(urgently, ORIGIN)) == [(copy, f"{DOCUMENT}.{ADDED}", opened)]


def test_a_document_tells_what_it_replaces():
    told = [follow for follow in react(sent_in_its_place, ORIGIN) if follow[0] is document]
    fields = replaced.model_dump(exclude={"type", "at"})
    assert told == [(document, DOCUMENT, NoteReplacement(origin=ORIGIN, **fields))]


def test_each_command_is_granted_once():
    for decider, _, command in react(sent, ORIGIN):
        events = decider.decide(command, decider.initial)
        assert [event.type for event in events] == ["copy.opened"]
        assert decider.decide(command, decider.fold(events)) == []


def test_a_copy_is_known_by_its_document_and_its_receiver():
    assert copy_id("abc", "G22.01") == "abc.G22.01"
