from datetime import date

import pytest
from contexts.documents.demo_documents import (
    DOCUMENT,
    LATER_ORIGIN,
    ORIGIN,
    attachment,
    clerk,
    official,
    other,
    receiver,
    sender,
    sent,
)
from hypothesis import given as for_all
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from specification import Given

from chalicelib.contexts.documents.domain.document import (
    MAX_ATTACHMENTS,
    MAX_RECEIVERS,
    DocumentAlreadySent,
    NotTheSender,
    ReceiversWrong,
    ReceiverUnknown,
    SecretDocument,
    SendDocument,
    SenderUnknown,
    TooManyAttachments,
    decide,
    document,
    document_id,
)
from chalicelib.contexts.documents.domain.events import Hop, Party
from chalicelib.kernel import Refused


def send(**fields):
    wish = {
        "origin": ORIGIN,
        "agency": sender.code,
        "document": DOCUMENT,
        "official": official,
        "sender": sender,
        "receivers": (receiver, other),
        "attachments": (attachment,),
        "staff": clerk,
    }
    return SendDocument(**(wish | fields))


def sent_with(**fields):
    return sent.model_copy(update=fields)


MANY = tuple(Party(code=f"Z9.{n}", as_given=f"Z9.{n}") for n in range(MAX_RECEIVERS + 1))
FILES = (attachment,) * (MAX_ATTACHMENTS + 1)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], send(), [sent], id="a document goes to its receivers"),
        pytest.param(
            [],
            send(receivers=(receiver,), attachments=(), staff=None),
            [sent_with(receivers=(receiver,), attachments=(), staff=None)],
            id="one receiver and no file are enough",
        ),
        pytest.param(
            [], send(receivers=MANY[:-1]), [sent_with(receivers=MANY[:-1])], id="to the most"
        ),
        pytest.param(
            [], send(attachments=FILES[:-1]), [sent_with(attachments=FILES[:-1])], id="of the most"
        ),
        pytest.param(
            [],
            send(
                hops=(Hop(agency="Z01", at="x"),), warnings=("w",), reason="r", paper_follows=True
            ),
            [
                sent_with(
                    hops=(Hop(agency="Z01", at="x"),),
                    warnings=("w",),
                    reason="r",
                    paper_follows=True,
                )
            ],
            id="what the message says of itself is kept",
        ),
        pytest.param(
            [], send(strangers=("Z99",)), [sent], id="a stranger elsewhere is no matter of ours"
        ),
    ],
)
def test_what_is_sent(given, when, then):
    Given(document, *given).when(when).then(then)


@pytest.mark.parametrize(
    "when",
    [
        pytest.param(send(), id="the same"),
        pytest.param(send(origin=LATER_ORIGIN), id="later"),
        pytest.param(send(staff=None), id="by another clerk"),
        pytest.param(send(hops=(Hop(agency="Z01", at="x"),)), id="over another road"),
        pytest.param(send(warnings=("read otherwise",)), id="read by a newer reader"),
        pytest.param(
            send(sender=sender.model_copy(update={"name": "New name"})), id="after a new name"
        ),
        pytest.param(
            send(receivers=(other, receiver.model_copy(update={"as_given": "Z02"}))),
            id="to the same receivers, written otherwise",
        ),
    ],
)
def test_sending_the_same_document_again_is_silent(when):
    Given(document, sent).when(when).then([])


@pytest.mark.parametrize(
    "when",
    [
        pytest.param(
            send(official=official.model_copy(update={"subject": "Another"})), id="content"
        ),
        pytest.param(send(attachments=()), id="files"),
        pytest.param(send(receivers=(receiver,)), id="receivers"),
        pytest.param(send(sender=other, agency=other.code, receivers=(receiver,)), id="sender"),
        pytest.param(send(paper_follows=True), id="paper"),
        pytest.param(send(reason="another"), id="reason"),
    ],
)
def test_another_document_does_not_take_its_place(when):
    Given(document, sent).when(when).then(DocumentAlreadySent)


@pytest.mark.parametrize("given", [[], [sent]], ids=["at first", "again"])
@pytest.mark.parametrize(
    ("when", "then", "field"),
    [
        pytest.param(send(secrecy="mat"), SecretDocument, "secrecy", id="a secret"),
        pytest.param(send(agency="Z02"), NotTheSender, "sender", id="in another's name"),
        pytest.param(send(strangers=("Z01",)), SenderUnknown, "sender", id="a strange sender"),
        pytest.param(send(receivers=()), ReceiversWrong, "receivers", id="to nobody"),
        pytest.param(send(receivers=MANY), ReceiversWrong, "receivers", id="to too many"),
        pytest.param(
            send(receivers=(receiver, receiver)), ReceiversWrong, "receivers", id="to one twice"
        ),
        pytest.param(
            send(receivers=(receiver, sender)), ReceiversWrong, "receivers/1", id="to oneself"
        ),
        pytest.param(
            send(strangers=("Z03",)), ReceiverUnknown, "receivers/1", id="to somebody unknown"
        ),
        pytest.param(
            send(attachments=FILES), TooManyAttachments, "attachments", id="too many files"
        ),
    ],
)
def test_what_may_not_travel(given, when, then, field):
    Given(document, *given).when(when).then(then)
    with pytest.raises(then) as refusal:
        decide(when, document.fold(given))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("code", "gateway_error"), [(SenderUnknown, 19), (ReceiverUnknown, 18), (SecretDocument, 22)]
)
def test_gateways_know_these_refusals_by_number(code, gateway_error):
    assert code.gateway_error == gateway_error


@pytest.mark.parametrize("day", [date(2015, 9, 30), "2015-09-30"])
@pytest.mark.parametrize("number", ["7816", " 7816 "])
def test_a_documents_id_is_always_the_same(day, number):
    # Ids stand in the names of streams for ever: this value may never change.
    assert document_id("G22", day, number, "VPCP-TTĐT") == "2btegcrgvo7dzgov3nldhv6mvm"


@pytest.mark.parametrize("place", ["HU\u1ebe", "HUE\u0302\u0301"])
def test_accents_may_be_typed_in_two_ways(place):
    id_ = document_id("H57", "2026-01-02", "1", f"QĐ-{place}")
    assert id_ == "xnnccm5ytjxsi6tlx6m2f22kjy"


@pytest.mark.parametrize(
    "parts",
    [
        ("G09", "2026-01-02", "15", "TT-BNV"),
        ("G09", "2026-01-02", "5", "QĐ-BNV"),
        ("G09", "2026-01-03", "15", "QĐ-BNV"),
        ("G10", "2026-01-02", "15", "QĐ-BNV"),
        ("G09", "2026-01-02", "15QĐ-BNV", ""),
        ("G09", "2026-01-02", "", "15QĐ-BNV"),
    ],
)
def test_another_notation_date_number_or_issuer_is_another_document(parts):
    assert document_id(*parts) != document_id("G09", "2026-01-02", "15", "QĐ-BNV")


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), max_size=12)


@for_all(WORDS, st.dates(), WORDS, WORDS)
def test_an_id_fits_a_streams_name(issuer, day, number, notation):
    id_ = document_id(issuer, day, number, notation)
    assert len(id_) == 26
    assert id_.isalnum()
    assert id_.islower() or id_.isdigit()


SENDERS = st.sampled_from([sender, other])
WISHES = st.builds(
    send,
    origin=st.sampled_from([ORIGIN, LATER_ORIGIN]),
    agency=st.sampled_from(["Z01", "Z03"]),
    sender=SENDERS,
    receivers=st.lists(st.sampled_from([sender, receiver, other]), max_size=3).map(tuple),
    official=st.sampled_from([official, official.model_copy(update={"subject": "Another"})]),
    hops=st.sampled_from([(), (Hop(agency="Z01", at="x"),)]),
    strangers=st.sampled_from([(), ("Z02",), ("Z01",)]),
    secrecy=st.sampled_from(["none", "none", "none", "toi_mat"]),
)


class DocumentLife(RuleBasedStateMachine):
    """Whoever sends what in whatever order: one document, sent once; repetition is silence."""

    def __init__(self):
        super().__init__()
        self.events = []

    @rule(command=WISHES)
    def obey(self, command):
        try:
            self.events += decide(command, document.fold(self.events))
        except Refused:
            return
        assert decide(command, document.fold(self.events)) == []
        # Whatever is granted or repeated was the caller's to send, and no secret.
        assert (command.agency, command.secrecy) == (command.sender.code, "none")

    @invariant()
    def it_is_sent_once_and_lawfully(self):
        assert len(self.events) <= 1
        for event in self.events:
            codes = [party.code for party in event.receivers]
            assert codes
            assert len(set(codes)) == len(codes)
            assert event.sender.code not in codes


TestDocumentLife = DocumentLife.TestCase
