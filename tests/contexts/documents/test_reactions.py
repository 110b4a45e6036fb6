from contexts.documents.demo_documents import (
    DOCUMENT,
    ORIGIN,
    OTHER,
    RECEIVER,
    opening,
    sent,
    sent_urgently,
)

from chalicelib.contexts.documents.domain.copy import OpenCopy, copy
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


def test_each_command_is_granted_once():
    for decider, _, command in react(sent, ORIGIN):
        events = decider.decide(command, decider.initial)
        assert [event.type for event in events] == ["copy.opened"]
        assert decider.decide(command, decider.fold(events)) == []


def test_a_copy_is_known_by_its_document_and_its_receiver():
    assert copy_id("abc", "G22.01") == "abc.G22.01"
