from datetime import date

import pytest
from contexts.documents.demo_documents import (
    ADDED,
    AT,
    DOCUMENT,
    LATER,
    LATER_DOCUMENT,
    LATER_ORIGIN,
    LATER_REFERENCE,
    ORIGIN,
    OTHER,
    RECEIVER,
    SENDER,
    added,
    amended,
    attachment,
    clerk,
    official,
    other,
    receiver,
    replaced,
    revoked,
    sender,
    sent,
    sent_in_its_place,
    sent_urgently,
)
from hypothesis import given as for_all
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from specification import Given

from chalicelib.agency_code import canonical
from chalicelib.contexts.documents.domain.copy import ReasonMissing
from chalicelib.contexts.documents.domain.document import (
    MAX_ATTACHMENTS,
    MAX_RECEIVERS,
    AmendDocument,
    DocumentAlreadySent,
    DocumentUnknown,
    DocumentWasRevoked,
    MessageLoops,
    NotAReceiver,
    NoteReplacement,
    NotTheSender,
    ReceiverAddedTwice,
    ReceiverLocked,
    ReceiversWrong,
    ReceiverUnknown,
    RelayDocument,
    RelayerHasNoCopy,
    Replacing,
    RevokeDocument,
    SecretDocument,
    SendDocument,
    SenderLocked,
    SenderUnknown,
    TooManyAttachments,
    UnitNotBelow,
    decide,
    document,
)
from chalicelib.contexts.documents.domain.events import (
    Answered,
    DocumentRelayed,
    Hop,
    Party,
    document_id,
)
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


def passed(agency, at=""):
    return Hop(agency=agency, at=at)


AT_TEXT, LATER_TEXT = AT.isoformat(), LATER.isoformat()
HEIR = "Z05"


def heir_of(*codes, as_given=""):
    """Who took the place of these, as a message names it."""
    return Party(code=HEIR, as_given=as_given or codes[0], in_place_of=codes)


heir = Party(code=HEIR, as_given=HEIR)
succeeded = f"receiver-succeeded {RECEIVER} {HEIR}"


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
            send(hops=(passed("", "x"), passed("Z01"))),
            [sent_with(hops=(passed("", "x"), passed("Z01")))],
            id="past a system without a name",
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
        pytest.param(
            [],
            send(receivers=(heir_of(RECEIVER), other)),
            [sent_with(receivers=(heir_of(RECEIVER), other), warnings=(succeeded,))],
            id="who took a receiver's place gets it, and it is said",
        ),
        pytest.param(
            [],
            send(receivers=(heir_of(RECEIVER), heir, heir_of(OTHER)), warnings=("w",)),
            [
                sent_with(
                    receivers=(heir.model_copy(update={"in_place_of": (RECEIVER, OTHER)}),),
                    warnings=("w", succeeded, f"receiver-succeeded {OTHER} {HEIR}"),
                )
            ],
            id="once, for itself and for all whose place it took",
        ),
        pytest.param(
            [],
            send(agency="Z09", acts_for=(SENDER,)),
            [sent_with(sent_by="Z09", hops=(passed(sender.as_given), passed("Z09", AT_TEXT)))],
            id="a hub hands it over for its unit, and is in the trace",
        ),
        pytest.param(
            [],
            send(agency="Z09", acts_for=(SENDER,), hops=(passed("Z08"), passed("Z09", "x"))),
            [sent_with(sent_by="Z09", hops=(passed("Z08"), passed("Z09", AT_TEXT)))],
            id="once, if the message says so already",
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
            send(attachments=(attachment.model_copy(update={"description": "Annex"}),)),
            id="with more said of a file",
        ),
        pytest.param(
            send(sender=sender.model_copy(update={"name": "New name"})), id="after a new name"
        ),
        pytest.param(
            send(receivers=(other, receiver.model_copy(update={"as_given": "Z02"}))),
            id="to the same receivers, written otherwise",
        ),
        pytest.param(send(receivers=(heir_of(RECEIVER), other)), id="to one that was merged since"),
        pytest.param(send(agency="Z09", acts_for=(SENDER,)), id="by its hub"),
        pytest.param(send(strangers=(OTHER,)), id="to one that was dissolved since"),
        pytest.param(send(locked=(OTHER,)), id="to one that was locked since"),
    ],
)
def test_sending_the_same_document_again_is_silent(when):
    Given(document, sent).when(when).then([])


def test_an_older_event_does_not_know_the_id_of_what_it_answers():
    answering = Answered(agency="Z02", reference="Z02,2026/01/01,5/CV-DEMO")
    then = official.model_copy(update={"answers": (answering,)})
    known = answering.model_copy(update={"document": LATER_DOCUMENT})
    now = official.model_copy(update={"answers": (known,)})
    Given(document, sent_with(official=then)).when(send(official=now)).then([])


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


@pytest.mark.parametrize(
    ("when", "field"),
    [
        (send(official=official.model_copy(update={"subject": "Another"})), "official/subject"),
        (send(receivers=(receiver, heir)), "receivers"),
        (send(paper_follows=True), "paper_follows"),
    ],
)
def test_another_document_is_told_in_what_it_differs(when, field):
    with pytest.raises(DocumentAlreadySent, match=field) as refusal:
        decide(when, document.fold([sent]))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("when", "then"),
    [
        pytest.param(send(strangers=(OTHER,)), ReceiverUnknown, id="somebody unknown"),
        pytest.param(send(locked=(OTHER,)), ReceiverLocked, id="somebody whose system is locked"),
    ],
)
def test_who_is_not_there_gets_nothing(when, then):
    Given(document).when(when).then(then)
    with pytest.raises(then) as refusal:
        decide(when, document.fold([]))
    assert refusal.value.field == "receivers/1"


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
        pytest.param(send(locked=("Z01",)), SenderLocked, "sender", id="by a locked system"),
        pytest.param(
            send(hops=(passed("000.00.00.Z03"), passed("A system"))),
            MessageLoops,
            "receivers/1",
            id="to where it has been",
        ),
        pytest.param(
            send(agency="Z09", acts_for=(SENDER,), hops=(passed("Z09"), passed("Z08"))),
            MessageLoops,
            "hops",
            id="twice by one hub",
        ),
        pytest.param(
            send(receivers=(heir_of(RECEIVER), heir_of(RECEIVER))),
            ReceiversWrong,
            "receivers",
            id="to one that was merged, twice",
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


def revoke(**fields):
    wish = {
        "origin": ORIGIN,
        "agency": SENDER,
        "document": DOCUMENT,
        "reason": "issued in error",
        "staff": clerk,
    }
    return RevokeDocument(**(wish | fields))


KEPT = revoke(kept_by=(OTHER,), origin=LATER_ORIGIN)


def test_who_refused_to_give_it_back_is_ordered_to_again():
    # The copy says who refused, and says so until the order has reached it.
    again = revoked_from(OTHER, at=LATER)
    Given(document, sent, revoked).when(KEPT).then([again], repeatable=False)
    assert document.fold([sent, revoked, again]).revoked == (RECEIVER, OTHER)


def revoked_from(*codes, **fields):
    return revoked.model_copy(update={"receivers": codes} | fields)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([sent], revoke(), [revoked], id="from all of its receivers"),
        pytest.param(
            [sent], revoke(receivers=(OTHER,)), [revoked_from(OTHER)], id="from one of them"
        ),
        pytest.param(
            [sent], revoke(receivers=(OTHER, RECEIVER)), [revoked], id="in the document's order"
        ),
        pytest.param(
            [sent, revoked_from(OTHER)],
            revoke(origin=LATER_ORIGIN),
            [revoked_from(RECEIVER, at=LATER)],
            id="then from the rest",
        ),
        pytest.param([sent, revoked], revoke(origin=LATER_ORIGIN), [], id="twice"),
        pytest.param([sent, revoked], revoke(reason="another"), [], id="for another reason"),
        pytest.param([sent, revoked], revoke(receivers=(OTHER,)), [], id="from one once more"),
        pytest.param([sent, revoked], send(), [], id="sent again afterwards: nothing new"),
        pytest.param([], revoke(), DocumentUnknown, id="what nobody sent"),
        pytest.param([sent], revoke(agency=RECEIVER), NotTheSender, id="by a receiver"),
        pytest.param([sent, revoked], revoke(agency="Z09"), NotTheSender, id="by a stranger"),
        pytest.param([sent], revoke(receivers=("Z09",)), NotAReceiver, id="from a stranger"),
        pytest.param([sent], revoke(receivers=(SENDER,)), NotAReceiver, id="from oneself"),
        pytest.param([sent], revoke(reason=" "), ReasonMissing, id="without a reason"),
        pytest.param([sent], revoke(locked=(SENDER,)), SenderLocked, id="by a locked system"),
        pytest.param(
            [sent], revoke(agency="Z09", acts_for=(SENDER,)), [revoked], id="in the sender's place"
        ),
        pytest.param(
            [sent_with(receivers=(heir_of(RECEIVER), other))],
            revoke(receivers=(RECEIVER,)),
            [revoked_from(HEIR)],
            id="from the successor of who is named",
        ),
    ],
)
def test_revocation(given, when, then):
    Given(document, *given).when(when).then(then)


PUT_RIGHT = {"subject": "Demo document, put right"}


def amend(**fields):
    wish = {
        "origin": ORIGIN,
        "agency": SENDER,
        "document": DOCUMENT,
        "fields": PUT_RIGHT,
        "added": (added,),
        "dropped": (OTHER,),
        "reason": "a slip of the pen",
        "staff": clerk,
    }
    return AmendDocument(**(wish | fields))


def amended_with(**fields):
    return amended.model_copy(update=fields)


NO_RECEIVERS = {"added": (), "dropped": ()}
ONLY_WORDS = amended_with(concerned=(RECEIVER, OTHER), **NO_RECEIVERS)
ONLY_RECEIVERS = amended_with(official=official, concerned=())
IN_VAIN = ("not-amendable official/number", "not-amendable official/priority")
NOTED = amended_with(
    official=official,
    concerned=(),
    warnings=(*IN_VAIN, "not-amendable paper_follows"),
    **NO_RECEIVERS,
)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([sent], amend(), [amended], id="words, and receivers both ways"),
        pytest.param([sent], amend(**NO_RECEIVERS), [ONLY_WORDS], id="words: all its receivers"),
        pytest.param(
            [sent],
            amend(concerned=(OTHER,), **NO_RECEIVERS),
            [amended_with(concerned=(OTHER,), **NO_RECEIVERS)],
            id="words, for one of them",
        ),
        pytest.param(
            [sent], amend(fields={}), [ONLY_RECEIVERS], id="receivers: only those it concerns"
        ),
        pytest.param(
            [sent],
            amend(concerned=()),
            [amended_with(concerned=())],
            id="words, but for those who are added only",
        ),
        pytest.param(
            [sent],
            amend(fields={}, attachments=(), **NO_RECEIVERS),
            [
                amended_with(
                    official=official,
                    attachments=(),
                    concerned=(RECEIVER, OTHER),
                    **NO_RECEIVERS,
                )
            ],
            id="files",
        ),
        pytest.param(
            [sent],
            amend(fields=PUT_RIGHT | {"number": "9", "priority": 3}, warnings=("w",)),
            [amended_with(warnings=("w", *IN_VAIN))],
            id="neither its name nor its lane",
        ),
        pytest.param(
            [sent],
            amend(fields={"number": "9", "priority": 3}, paper_follows=True, **NO_RECEIVERS),
            [NOTED],
            id="in what cannot be changed only: it is noted",
        ),
        pytest.param(
            [sent, NOTED],
            amend(fields={"number": "9", "priority": 3}, paper_follows=True, **NO_RECEIVERS),
            [],
            id="in what cannot be changed, twice",
        ),
        pytest.param(
            [sent],
            amend(
                fields={"reference": "Z01,2026-01-02,1/QĐ-DEMO"},
                paper_follows=False,
                **NO_RECEIVERS,
            ),
            [],
            id="in how its name is written",
        ),
        pytest.param(
            [sent, amended],
            amend(fields={"content": "More"}, **NO_RECEIVERS),
            [
                amended_with(
                    edition=3,
                    official=amended.official.model_copy(update={"content": "More"}),
                    concerned=(RECEIVER, ADDED),
                    **NO_RECEIVERS,
                )
            ],
            id="a third edition goes to those who are left",
        ),
        pytest.param(
            [sent, revoked_from(RECEIVER)],
            amend(**NO_RECEIVERS),
            [amended_with(concerned=(OTHER,), **NO_RECEIVERS)],
            id="not to those it was ordered back from",
        ),
        pytest.param(
            [sent, amended], revoke(), [revoked_from(RECEIVER, ADDED)], id="and then revoked"
        ),
        pytest.param([sent, amended], amend(origin=LATER_ORIGIN), [], id="twice"),
        pytest.param([sent, ONLY_WORDS], amend(**NO_RECEIVERS), [], id="words twice"),
        pytest.param([sent, ONLY_RECEIVERS], amend(fields={}), [], id="receivers twice"),
        pytest.param([sent], amend(fields={}, **NO_RECEIVERS), [], id="in nothing"),
        pytest.param(
            [sent], amend(fields={"subject": "Demo document"}, **NO_RECEIVERS), [], id="as it was"
        ),
        pytest.param([sent, amended], send(), [], id="the first edition sent again"),
        pytest.param([], amend(), DocumentUnknown, id="what nobody sent"),
        pytest.param([sent], amend(agency=RECEIVER), NotTheSender, id="by a receiver"),
        pytest.param([sent, revoked], amend(), DocumentWasRevoked, id="what was revoked"),
        pytest.param([sent], amend(secrecy="mat"), SecretDocument, id="into a secret"),
        pytest.param([sent], amend(attachments=FILES), TooManyAttachments, id="too many files"),
        pytest.param([sent], amend(added=(added, added)), ReceiverAddedTwice, id="one added twice"),
        pytest.param([sent], amend(added=(receiver,)), ReceiverAddedTwice, id="who has it"),
        pytest.param(
            [sent, amended],
            amend(fields={}, added=(other,), dropped=()),
            ReceiverAddedTwice,
            id="who was dropped",
        ),
        pytest.param([sent], amend(added=(sender,)), ReceiversWrong, id="its own sender"),
        pytest.param([sent], amend(added=(heir, heir)), ReceiverAddedTwice, id="one twice"),
        pytest.param(
            [sent],
            amend(added=(heir_of(RECEIVER),)),
            ReceiverAddedTwice,
            id="the successor of one who has it",
        ),
        pytest.param([sent], amend(locked=(ADDED,)), ReceiverLocked, id="a locked system"),
        pytest.param([sent], amend(locked=(SENDER,)), SenderLocked, id="by a locked system"),
        pytest.param([sent], amend(strangers=(ADDED,)), ReceiverUnknown, id="a stranger"),
        pytest.param([sent], amend(dropped=("Z09",)), NotAReceiver, id="drop a stranger"),
        pytest.param([sent], amend(concerned=("Z09",)), NotAReceiver, id="tell a stranger"),
        pytest.param(
            [sent],
            amend(added=(), dropped=(RECEIVER, OTHER)),
            ReceiversWrong,
            id="drop them all",
        ),
        pytest.param([sent], amend(added=MANY, dropped=()), ReceiversWrong, id="too many"),
    ],
)
def test_amendment(given, when, then):
    Given(document, *given).when(when).then(then)


SUCCEEDED = sent_with(receivers=(heir_of(RECEIVER), other))


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(
            [sent],
            amend(fields={}, added=(heir_of("Z06"),), dropped=()),
            [
                ONLY_RECEIVERS.model_copy(
                    update={
                        "added": (heir_of("Z06"),),
                        "dropped": (),
                        "warnings": (f"receiver-succeeded Z06 {HEIR}",),
                    }
                )
            ],
            id="one whose place another took",
        ),
        pytest.param(
            [SUCCEEDED],
            amend(fields={}, added=(heir_of("Z06"),), dropped=()),
            [],
            id="one whose successor has it: nothing to do",
        ),
        pytest.param(
            [SUCCEEDED],
            amend(added=(), dropped=(RECEIVER,)),
            [amended_with(added=(), dropped=(HEIR,), concerned=(OTHER,))],
            id="drop the successor of who is named",
        ),
        pytest.param(
            [SUCCEEDED],
            amend(concerned=(RECEIVER,), **NO_RECEIVERS),
            [amended_with(concerned=(HEIR,), **NO_RECEIVERS)],
            id="for the successor of who is named",
        ),
        pytest.param(
            [sent],
            amend(agency="Z09", acts_for=(SENDER,)),
            [amended],
            id="in the sender's place",
        ),
    ],
)
def test_amendment_after_a_merger(given, when, then):
    Given(document, *given).when(when).then(then)


def relay(*receivers, **fields):
    wish = {
        "origin": LATER_ORIGIN,
        "agency": RECEIVER,
        "document": DOCUMENT,
        "receivers": receivers or (added,),
        "below": (ADDED,),
    }
    return RelayDocument(**(wish | fields))


def relayed_to(*receivers, by=RECEIVER, way=None, **fields):
    way = way or (passed(sender.as_given, AT_TEXT),)
    event = {
        "document": DOCUMENT,
        "by": by,
        "sender": sender,
        "reference": official.reference,
        "subject": official.subject,
        "receivers": receivers or (added,),
        "hops": (*way, passed(by, LATER_TEXT)),
        "at": LATER,
    }
    return DocumentRelayed(**(event | fields))


unit = Party(code="Z04.1", as_given="Z04.1")
TWICE = relayed_to(
    unit,
    by=ADDED,
    way=relayed_to().hops,
)
MANY_SENT = sent_with(receivers=(receiver, *MANY[:-2]))


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([sent], relay(), [relayed_to()], id="to a unit of its own"),
        pytest.param(
            [sent_with(hops=(passed("Z08", "x"),))],
            relay(hops=(passed("Z08", "x"), passed(RECEIVER))),
            [relayed_to(way=(passed("Z08", "x"),))],
            id="the trace goes on where it was, its own hop said by the message",
        ),
        pytest.param(
            [sent, relayed_to()],
            relay(unit, agency=ADDED, below=("Z04.1",)),
            [TWICE],
            id="and from there to the unit's own",
        ),
        pytest.param([sent, relayed_to()], relay(), [], id="again"),
        pytest.param([sent], relay(other, below=(OTHER,)), [], id="to one who has it"),
        pytest.param(
            [sent, amended], relay(other, below=(OTHER,)), [], id="to one who was dropped"
        ),
        pytest.param(
            [sent_urgently], relay(), [relayed_to(urgent=True)], id="what is urgent stays urgent"
        ),
        pytest.param(
            [sent],
            relay(heir_of("Z06"), below=(HEIR,)),
            [relayed_to(heir_of("Z06"), warnings=(f"receiver-succeeded Z06 {HEIR}",))],
            id="to who took a unit's place",
        ),
        pytest.param(
            [sent],
            relay(agency="Z09", acts_for=(RECEIVER,)),
            [relayed_to()],
            id="by who took the hub's place",
        ),
        pytest.param([], relay(), DocumentUnknown, id="what nobody sent"),
        pytest.param([sent], relay(agency=SENDER), RelayerHasNoCopy, id="by its sender"),
        pytest.param([sent], relay(agency="Z09"), RelayerHasNoCopy, id="by a stranger"),
        pytest.param([sent, revoked], relay(), RelayerHasNoCopy, id="what is to be given back"),
        pytest.param(
            [sent, amended], relay(agency=OTHER), RelayerHasNoCopy, id="by who was dropped"
        ),
        pytest.param([sent], relay(below=()), UnitNotBelow, id="to no unit of its own"),
        pytest.param([sent], relay(strangers=(ADDED,)), ReceiverUnknown, id="to a stranger"),
        pytest.param([sent], relay(locked=(ADDED,)), ReceiverLocked, id="to a locked system"),
        pytest.param([sent], relay(receivers=()), ReceiversWrong, id="to nobody"),
        pytest.param(
            [MANY_SENT],
            relay(added, unit, below=(ADDED, "Z04.1")),
            ReceiversWrong,
            id="to too many",
        ),
        pytest.param([sent], relay(receiver), MessageLoops, id="to itself"),
        pytest.param([sent], relay(sender), MessageLoops, id="back to its sender"),
        pytest.param(
            [sent, relayed_to()],
            relay(receiver, agency=ADDED, below=(RECEIVER,)),
            MessageLoops,
            id="back to the hub it came by",
        ),
        pytest.param(
            [sent], relay(hops=(passed(ADDED),)), MessageLoops, id="where the message has been"
        ),
        pytest.param(
            [sent],
            relay(hops=(passed(RECEIVER), passed("Z08"))),
            MessageLoops,
            id="where it was passed on before",
        ),
    ],
)
def test_relay(given, when, then):
    Given(document, *given).when(when).then(then)


def test_who_got_it_from_a_hub_is_a_receiver():
    state = document.fold([sent, relayed_to(), TWICE])
    assert state.now.receivers == state.parties == (receiver, other, added, unit)
    assert [hop.agency for hop in state.way_to("Z04.1")] == [sender.as_given, RECEIVER, ADDED]
    assert state.sent.receivers == (receiver, other)
    everybody = revoked_from(RECEIVER, OTHER, ADDED, "Z04.1")
    Given(document, sent, relayed_to(), TWICE).when(revoke()).then([everybody])


def test_an_amended_document_stands_as_its_last_edition():
    state = document.fold([sent, amended])
    assert state.now.official.subject == "Demo document, put right"
    assert [party.code for party in state.now.receivers] == [RECEIVER, ADDED]
    assert [party.code for party in state.parties] == [RECEIVER, OTHER, ADDED]
    assert (state.edition, state.sent) == (2, sent)


def replace(**fields):
    known = {
        "replaced": sent_in_its_place.replaces[0],
        "sender": SENDER,
        "holders": (RECEIVER, OTHER),
    }
    return send(
        document=LATER_DOCUMENT,
        official=sent_in_its_place.official,
        replaces=(Replacing(**(known | fields)),),
    )


def for_receivers(*codes):
    return sent_in_its_place.replaces[0].model_copy(update={"receivers": codes})


note = NoteReplacement(
    origin=ORIGIN,
    document=DOCUMENT,
    by=LATER_DOCUMENT,
    by_reference=LATER_REFERENCE,
    receivers=(RECEIVER,),
)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], replace(), [sent_in_its_place], id="one that its receiver has"),
        pytest.param([sent_in_its_place], replace(), [], id="twice"),
        pytest.param(
            [sent_in_its_place], replace(holders=()), [], id="twice, though it was dropped since"
        ),
        pytest.param([], replace(sender=""), DocumentUnknown, id="one that nobody sent"),
        pytest.param([], replace(sender=OTHER), NotTheSender, id="another agency's"),
        pytest.param(
            [], replace(holders=(OTHER,)), NotAReceiver, id="for one who does not have it"
        ),
        pytest.param(
            [],
            replace(replaced=for_receivers("Z09"), holders=("Z09",)),
            NotAReceiver,
            id="for one who does not get the new one",
        ),
        pytest.param(
            [sent_in_its_place],
            replace(replaced=for_receivers(RECEIVER, OTHER)),
            DocumentAlreadySent,
            id="for others the second time",
        ),
        pytest.param([sent], note, [replaced], id="the old one learns of it"),
        pytest.param([sent, replaced], note, [], id="once"),
        pytest.param([], note, DocumentUnknown, id="if there is one"),
    ],
)
def test_replacement(given, when, then):
    Given(document, *given).when(when).then(then)


def test_a_replaced_document_says_by_what():
    assert document.fold([sent, replaced]).replaced == (replaced,)


def test_a_stranger_among_the_receivers_is_named():
    with pytest.raises(NotAReceiver) as refusal:
        decide(revoke(receivers=(OTHER, "Z09")), document.fold([sent]))
    assert refusal.value.field == "receivers/1"


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


REVOCATIONS = st.builds(
    revoke,
    origin=st.sampled_from([ORIGIN, LATER_ORIGIN]),
    agency=st.sampled_from([SENDER, SENDER, OTHER]),
    receivers=st.lists(st.sampled_from([RECEIVER, OTHER, "Z09"]), max_size=2).map(tuple),
    reason=st.sampled_from(["a reason", ""]),
)


AMENDMENTS = st.builds(
    amend,
    agency=st.sampled_from([SENDER, SENDER, SENDER, OTHER]),
    fields=st.sampled_from([{}, PUT_RIGHT, {"content": "More"}, {"priority": 3}]),
    paper_follows=st.sampled_from([None, True]),
    added=st.lists(st.sampled_from([added, other]), max_size=2).map(tuple),
    dropped=st.lists(st.sampled_from([RECEIVER, OTHER]), max_size=1).map(tuple),
    concerned=st.sampled_from([None, (), (RECEIVER,)]),
)


PARTIES = {party.code: party for party in (sender, receiver, other, added, unit)}
RELAYS = st.builds(
    lambda by, to: relay(PARTIES[to], agency=by, below=(*PARTIES,)),
    by=st.sampled_from([*PARTIES]),
    to=st.sampled_from([*PARTIES]),
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

    @rule(command=RELAYS)
    def pass_on(self, command):
        before = document.fold(self.events)
        try:
            self.events += decide(command, before)
        except Refused:
            return
        assert decide(command, document.fold(self.events)) == []
        assert command.agency in {p.code for p in before.now.receivers} - {*before.revoked}

    @rule(command=REVOCATIONS | AMENDMENTS)
    def change(self, command):
        before = document.fold(self.events)
        try:
            self.events += decide(command, before)
        except Refused:
            return
        assert decide(command, document.fold(self.events)) == []
        assert command.agency == before.sent.sender.code

    @invariant()
    def nobody_is_ordered_twice_or_without_having_it(self):
        orders = [event for event in self.events if event.type == "document.revoked"]
        codes = [code for event in orders for code in event.receivers]
        assert len(set(codes)) == len(codes)
        if codes:
            parties = document.fold(self.events).parties
            assert set(codes) <= {party.code for party in parties}
        assert all(event.receivers and event.reason for event in orders)

    @invariant()
    def editions_have_no_gap_and_always_somebody_to_read_them(self):
        amendments = [event for event in self.events if event.type == "document.amended"]
        assert [event.edition for event in amendments] == list(range(2, len(amendments) + 2))
        state = document.fold(self.events)
        parties = [party.code for party in state.parties]
        assert len(set(parties)) == len(parties)
        for event in amendments:
            assert not set(event.concerned) & {*event.dropped, *(p.code for p in event.added)}
        if state.now:
            assert state.now.receivers
            assert state.now.official.reference == self.events[0].official.reference

    @invariant()
    def nothing_passes_a_system_twice(self):
        for event in self.events:
            if event.type == "document.relayed":
                passed_by = [canonical(hop.agency) for hop in event.hops]
                assert len(set(passed_by)) == len(passed_by)
                assert passed_by[-1] == event.by
                assert not {party.code for party in event.receivers} & set(passed_by)

    @invariant()
    def it_is_sent_once_and_lawfully(self):
        sendings = [event for event in self.events if event.type == "document.sent"]
        assert sendings == self.events[:1]
        for event in sendings:
            codes = [party.code for party in event.receivers]
            assert codes
            assert len(set(codes)) == len(codes)
            assert event.sender.code not in codes


TestDocumentLife = DocumentLife.TestCase
