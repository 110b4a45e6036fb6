"""A document: the sender's side."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from chalicelib.agency_code import AgencyCodeInvalid, canonical
from chalicelib.contexts.documents.domain.events import (
    Attachment,
    DocumentAmended,
    DocumentEvent,
    DocumentRelayed,
    DocumentReplaced,
    DocumentRevoked,
    DocumentSent,
    Hop,
    OfficialDocument,
    Original,
    Party,
    Replaced,
    SignatureReport,
    StaffContact,
)
from chalicelib.kernel import Command, Conflict, Decider, Forbidden, Invalid, NotFound, Value
from chalicelib.privacy.personal import Personal

MAX_RECEIVERS = 500
MAX_ATTACHMENTS = 50
FIXED = frozenset({"reference", "issuer", "number", "notation", "promulgated_on", "priority"})
"""What no amendment changes: the document's name, and the lane in which it travels."""
NOT_AMENDABLE = "not-amendable"
"""The warning about what an amendment says of those, or of the paper, and the document does not."""


class Replacing(Value):
    """A document to be replaced, and what is known of it: its sender ("": none) and receivers."""

    replaced: Replaced
    sender: str
    holders: tuple[str, ...]


class SenderAct(Command):
    """What a document's sender asks. `agency` is the caller's.

    `acts_for` are the others in whose name it may ask: those whose place it took, and units below
    it. `strangers` are the codes that no agency has on that day, `locked` those whose system is.
    """

    agency: str
    document: str
    acts_for: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()

    def speaks_for(self, code: str) -> bool:
        """Whether it may be asked in this agency's name."""
        return code in (self.agency, *self.acts_for)


class SendDocument(SenderAct):
    """Hand a document over.

    `secrecy` is the level the sender declares: anything but `none` is refused. `hops` are those
    that the message names.
    """

    official: OfficialDocument
    sender: Party
    receivers: tuple[Party, ...]
    attachments: tuple[Attachment, ...] = ()
    paper_follows: bool = False
    reason: str = ""
    replaces: tuple[Replacing, ...] = ()
    hops: tuple[Hop, ...] = ()
    staff: Personal[StaffContact] | None = None
    warnings: tuple[str, ...] = ()
    signatures: tuple[SignatureReport, ...] = ()
    original: Original | None = None
    secrecy: str = "none"


class RevokeDocument(SenderAct):
    """Order the document back from `receivers`, canonical codes; none means from all of them.

    `kept_by` are those that were ordered to give it back before and refused: they are asked again.
    """

    receivers: tuple[str, ...] = ()
    kept_by: tuple[str, ...] = ()
    reason: str = ""
    staff: Personal[StaffContact] | None = None


class AmendDocument(SenderAct):
    """Change the document (`fields` of `OfficialDocument`, all `attachments`) or its receivers.

    `concerned` names those of the present receivers that a new edition goes to; none means all.
    `paper_follows` cannot be changed, but may be said.
    """

    fields: dict[str, Any] = Field(default_factory=dict)
    paper_follows: bool | None = None
    attachments: tuple[Attachment, ...] | None = None
    added: tuple[Party, ...] = ()
    dropped: tuple[str, ...] = ()
    concerned: tuple[str, ...] | None = None
    reason: str = ""
    staff: Personal[StaffContact] | None = None
    warnings: tuple[str, ...] = ()
    signatures: tuple[SignatureReport, ...] = ()
    original: Original | None = None
    secrecy: str = "none"


class RelayDocument(SenderAct):
    """Pass a document on, as a hub that has it, to `receivers`; `below` are its own units' codes.

    `hops` are those that the message names, if it came as one.
    """

    receivers: tuple[Party, ...]
    below: tuple[str, ...] = ()
    hops: tuple[Hop, ...] = ()


class NoteReplacement(Command):
    """A document was sent that replaces this one for `receivers`."""

    document: str
    by: str
    by_reference: str
    receivers: tuple[str, ...]


DocumentCommand = SendDocument | RevokeDocument | AmendDocument | RelayDocument | NoteReplacement
"""Everything that can be asked of a document."""


class Document(Value):
    """What was sent, if anything was; what stands of it now; from whom it was ordered back.

    `now` has the words, files and receivers of edition `edition`; `amended` is what led to it.
    `parties` are all its receivers, also those who were dropped. `originals` are the messages that
    led to its editions, of those that came as edXML. `relayed` is how some receivers got it.
    """

    status: Literal["absent", "sent"] = "absent"
    sent: DocumentSent | None = None
    now: DocumentSent | None = None
    edition: int = 0
    amended: DocumentAmended | None = None
    parties: tuple[Party, ...] = ()
    revoked: tuple[str, ...] = ()
    replaced: tuple[DocumentReplaced, ...] = ()
    originals: dict[int, Original] = Field(default_factory=dict)
    relayed: tuple[DocumentRelayed, ...] = ()

    def relay_to(self, receiver: str) -> DocumentRelayed | None:
        """How a hub passed the document on to this receiver, if one did."""
        found = (r for r in self.relayed if receiver in {party.code for party in r.receivers})
        return next(found, None)

    def way_to(self, receiver: str) -> tuple[Hop, ...]:
        """The systems that the document had passed when it was given to this receiver."""
        assert self.sent is not None
        if relay := self.relay_to(receiver):
            return relay.hops
        first = Hop(agency=self.sent.sender.as_given, at=self.sent.at.isoformat())
        return self.sent.hops or (first,)


class SecretDocument(Invalid):
    """State secrets do not travel on the axis."""

    code = "secret-document"
    rule = "Decision 28/2018/QĐ-TTg, art. 2; Law 117/2025/QH15 on the Protection of State Secrets"
    gateway_error = 22


class SenderUnknown(Invalid):
    """The sending agency is not registered on the axis, or its code is not good on that day."""

    code = "sender-unknown"
    rule = "Gateway error 19: sender not registered"
    gateway_error = 19


class ReceiverUnknown(Invalid):
    """A receiving agency is not registered on the axis, or ended and has no successor."""

    code = "receiver-unknown"
    rule = "Gateway error 18: receiver does not exist"
    gateway_error = 18


class SenderLocked(Forbidden):
    """The system of the sending agency is locked: nothing is taken from it."""

    code = "sender-locked"
    rule = "Gateway error 23: locked by an administrator of the axis"
    gateway_error = 23


class ReceiverLocked(Conflict):
    """The system of a receiving agency is locked: nothing is sent to it until it is unlocked."""

    code = "receiver-locked"
    rule = "Gateway error 23: receiver locked"
    gateway_error = 23


class ReceiversWrong(Invalid):
    """A document goes to at least one receiver, to each once, and not to its own sender."""

    code = "receivers-wrong"
    rule = f"At most {MAX_RECEIVERS} receivers, each once"


class TooManyAttachments(Invalid):
    """A document carries more files than the axis takes."""

    code = "too-many-attachments"
    rule = f"At most {MAX_ATTACHMENTS} attachments a document"


class NotTheSender(Forbidden):
    """An agency sends documents, and changes what it sent, in its own name only."""

    code = "not-the-sender"
    rule = "Decision 28/2018/QĐ-TTg: the sender answers for what it sends"


class RelayerHasNoCopy(Forbidden):
    """Only who received a document, and need not give it back, can pass it on."""

    code = "relayer-has-no-copy"
    rule = "QCVN 102:2016/BTTTT, TraceHeaderList: a hub passes on what it received"


class UnitNotBelow(Forbidden):
    """A hub passes documents on to units below it, and to nobody else."""

    code = "unit-not-below"
    rule = "QCVN 102:2016/BTTTT, TraceHeaderList: a hub serves its own units"


class MessageLoops(Conflict):
    """The document has passed there already."""

    code = "message-loops"
    rule = "QCVN 102:2016/BTTTT, TraceHeaderList: a message passes each system once"


class DocumentUnknown(NotFound):
    """There is no such document, or the caller has no part in it."""

    code = "document-unknown"
    rule = "QCVN 102:2016/BTTTT: a DocumentId names the document that a message is about"


class ReasonMissing(Invalid):
    """A refusal and a revocation need their reason."""

    code = "reason-missing"
    rule = "QCVN 102:2016/BTTTT: statuses 02 and 16 and BussinessDocReason carry the reason"


class NotAReceiver(Invalid):
    """The order names an agency that is no receiver of this document."""

    code = "not-a-receiver"
    rule = "QCVN 102:2016/BTTTT, To: an order reaches receivers of the document only"


class ReceiverAddedTwice(Conflict):
    """An agency becomes a receiver of a document once; one that was dropped stays dropped."""

    code = "receiver-added-twice"
    rule = "QCVN 102:2016/BTTTT, BussinessDocumentInfo/ReceiverList"


class DocumentWasRevoked(Conflict):
    """The document was ordered back from all its receivers; it can no longer be changed."""

    code = "document-was-revoked"
    rule = "QCVN 102:2016/BTTTT, BussinessDocType 1"


class DocumentAlreadySent(Conflict):
    """This issuer, date, number and notation already stand for another document."""

    code = "document-already-sent"
    rule = "QCVN 102:2016/BTTTT: a DocumentId names one document"


def decide(command: DocumentCommand, state: Document) -> list[DocumentEvent]:
    """The events `command` causes; none if it has already had its effect.

    Raises:
        SecretDocument, NotTheSender, SenderUnknown, SenderLocked, ReceiversWrong, ReceiverUnknown,
        ReceiverLocked, TooManyAttachments, MessageLoops, DocumentAlreadySent: nothing is sent. Nor
        if what it replaces is DocumentUnknown, is another's (NotTheSender), or did not go to those
        named (NotAReceiver).
        DocumentUnknown, NotTheSender, SenderLocked, NotAReceiver, ReasonMissing: nothing is
        revoked. The same, and ReceiverAddedTwice, DocumentWasRevoked: nothing is amended.
        DocumentUnknown, RelayerHasNoCopy, UnitNotBelow, MessageLoops, ReceiversWrong,
        ReceiverUnknown, ReceiverLocked: nothing is passed on.
    """
    match command:
        case SendDocument():
            return _sending(command, state)
        case RevokeDocument():
            return _revocation(command, state)
        case AmendDocument():
            return _amendment(command, state)
        case RelayDocument():
            return _relay(command, state)
        case NoteReplacement():
            return _replacement(command, state)


def _sending(command: SendDocument, state: Document) -> list[DocumentEvent]:
    _refuse_what_may_not_travel(command)
    by_hub = command.sender.code != command.agency
    receivers, succeeded = _each_once(command.receivers)
    event = DocumentSent(
        document=command.document,
        official=command.official,
        sender=command.sender,
        receivers=receivers,
        attachments=command.attachments,
        paper_follows=command.paper_follows,
        reason=command.reason,
        replaces=tuple(each.replaced for each in command.replaces),
        hops=_passed_on(command) if by_hub else command.hops,
        sent_by=command.agency if by_hub else "",
        staff=command.staff,
        warnings=(*command.warnings, *succeeded),
        signatures=command.signatures,
        original=command.original,
        at=command.at,
    )
    if state.sent is None:
        _refuse_who_is_not_there("receivers", event.receivers, command)
        _refuse_wrong_replacements(command)
        return [event]
    if differs := _difference(event, state.sent):
        raise DocumentAlreadySent(f"it was sent with another {differs}", field=differs)
    return []


def _each_once(parties: tuple[Party, ...]) -> tuple[tuple[Party, ...], tuple[str, ...]]:
    """Who gets the document: an agency that is named for itself and for those it succeeded once.

    Also a warning for each of those.
    """
    found: dict[str, Party] = {}
    for party in parties:
        before = found.get(party.code, party)
        # What the message says of the agency itself comes before what it says of another.
        named = party if not party.in_place_of else before
        both = tuple(dict.fromkeys((*before.in_place_of, *party.in_place_of)))
        found[party.code] = named.model_copy(update={"in_place_of": both})
    warnings = (f"receiver-succeeded {old} {p.code}" for p in parties for old in p.in_place_of)
    return tuple(found.values()), tuple(dict.fromkeys(warnings))


def _named(party: Party) -> set[str]:
    """The codes by which the message names this receiver."""
    own = not party.in_place_of or canonical(party.as_given) == party.code
    return {*party.in_place_of, *([party.code] if own else [])}


def _meant(codes: Iterable[str], parties: Iterable[Party]) -> tuple[str, ...]:
    """The receivers' own codes, where some are named by those whose place they took."""
    known = {old: party.code for party in parties for old in (*party.in_place_of, party.code)}
    return tuple(dict.fromkeys(known.get(code, code) for code in codes))


def _passed_on(command: SendDocument) -> tuple[Hop, ...]:
    """The trace of what a hub hands over for a unit: as the message has it, the hub last."""
    before = _without_own(command) or (Hop(agency=command.sender.as_given, at=""),)
    return (*before, Hop(agency=command.agency, at=command.at.isoformat()))


def _without_own(command: SendDocument | RelayDocument) -> tuple[Hop, ...]:
    """The message's trace without its last hop, if that is the caller's own."""
    hops = command.hops
    own = hops and _code(hops[-1]) == command.agency
    return hops[:-1] if own else hops


def _code(hop: Hop) -> str:
    try:
        return canonical(hop.agency)
    except AgencyCodeInvalid:  # Real traces also name systems that are no agencies.
        return hop.agency


def _refuse_loops(field: str, trace: Iterable[Hop], hub: str, receivers: tuple[Party, ...]) -> None:
    passed = {_code(hop) for hop in trace if hop.agency}
    if hub in passed:
        raise MessageLoops(f"it has passed {hub}", field="hops")
    for index, party in enumerate(receivers):
        if not passed.isdisjoint({party.code, *party.in_place_of}):
            raise MessageLoops(f"it has passed {party.code}", field=f"{field}/{index}")


def _refuse_who_is_not_there(field: str, receivers: tuple[Party, ...], command: SenderAct) -> None:
    for index, party in enumerate(receivers):
        if party.code in command.strangers:
            raise ReceiverUnknown(f"no agency {party.as_given}", field=f"{field}/{index}")
        if party.code in command.locked:
            raise ReceiverLocked(f"{party.code} is locked", field=f"{field}/{index}")


def _relay(command: RelayDocument, state: Document) -> list[DocumentEvent]:
    now = state.now
    if now is None:
        raise DocumentUnknown(field="document")
    held = {party.code for party in now.receivers} - set(state.revoked)
    by = next((code for code in (command.agency, *command.acts_for) if code in held), None)
    if by is None:
        raise RelayerHasNoCopy
    receivers, succeeded = _each_once(command.receivers)
    if not receivers:
        raise ReceiversWrong(field="receivers")
    way = state.way_to(by)
    first = Hop(agency=now.sender.code, at="")
    hub = Hop(agency=by, at=command.at.isoformat())
    _refuse_loops("receivers", (first, *way, *_without_own(command)), by, receivers)
    for index, party in enumerate(receivers):
        if party.code == by:
            raise MessageLoops(f"{by} has it already", field=f"receivers/{index}")
        if party.code not in command.below and party.code not in command.strangers:
            raise UnitNotBelow(f"{party.code} is no unit of {by}", field=f"receivers/{index}")
    had = {code for party in state.parties for code in (party.code, *party.in_place_of)}
    new = tuple(party for party in receivers if had.isdisjoint({party.code, *party.in_place_of}))
    if not new:
        return []
    _refuse_who_is_not_there("receivers", new, command)
    if len(now.receivers) + len(new) > MAX_RECEIVERS:
        raise ReceiversWrong(field="receivers")
    return [
        DocumentRelayed(
            document=command.document,
            by=by,
            sender=now.sender,
            reference=now.official.reference,
            subject=now.official.subject,
            urgent=now.official.priority > 0,
            receivers=new,
            hops=(*way, hub),
            warnings=succeeded,
            at=command.at,
        )
    ]


def _refuse_wrong_replacements(command: SendDocument) -> None:
    codes = {receiver.code for receiver in command.receivers}
    for index, each in enumerate(command.replaces):
        field = f"replaces/{index}"
        if not each.sender:
            raise DocumentUnknown(f"no document {each.replaced.reference}", field=field)
        if not command.speaks_for(each.sender):
            raise NotTheSender(field=field)
        _refuse_strangers(f"{field}/receivers", each.replaced.receivers, codes & {*each.holders})


def _replacement(command: NoteReplacement, state: Document) -> list[DocumentEvent]:
    if state.now is None:
        raise DocumentUnknown(field="document")
    if command.by in {event.by for event in state.replaced}:
        return []
    said = command.model_dump(exclude={"origin"})
    return [DocumentReplaced(at=command.at, **said)]


def _revocation(command: RevokeDocument, state: Document) -> list[DocumentEvent]:
    now = _own(command, state)
    receivers = tuple(party.code for party in now.receivers)
    meant = _meant(command.receivers, now.receivers)
    _refuse_strangers("receivers", meant, receivers)
    named = set(meant or receivers) - (set(state.revoked) - set(command.kept_by))
    if not named:
        return []
    if not command.reason.strip():
        raise ReasonMissing(field="reason")
    return [
        DocumentRevoked(
            document=command.document,
            sender=now.sender.code,
            receivers=tuple(code for code in receivers if code in named),
            reason=command.reason,
            staff=command.staff,
            at=command.at,
        )
    ]


def _amendment(command: AmendDocument, state: Document) -> list[DocumentEvent]:
    now = _own(command, state)
    fields = {name: value for name, value in command.fields.items() if name not in FIXED}
    official = OfficialDocument.model_validate(now.official.model_dump() | fields)
    attachments = now.attachments if command.attachments is None else command.attachments
    rewritten = (official, attachments) != (now.official, now.attachments)
    added, succeeded = _added(command, now)
    dropped = _meant(command.dropped, state.parties)
    in_vain = _in_vain(command, now)
    said = in_vain <= set(now.warnings)
    if not rewritten and said and _receivers_are_so(added, dropped, state):
        return []
    holders = [party.code for party in now.receivers if party.code not in state.revoked]
    if not holders:
        raise DocumentWasRevoked
    concerned = holders
    if command.concerned is not None:
        concerned = list(_meant(command.concerned, (*now.receivers, *added)))
    _refuse_wrong_receivers(command, state, added, dropped)
    _refuse_strangers("receivers", concerned, (p.code for p in (*now.receivers, *added)))
    if command.secrecy != "none":
        raise SecretDocument(field="secrecy")
    if len(attachments) > MAX_ATTACHMENTS:
        raise TooManyAttachments(field="attachments")
    named = set(concerned) - set(dropped)
    return [
        DocumentAmended(
            document=command.document,
            sender=now.sender,
            edition=state.edition + 1,
            official=official,
            attachments=attachments,
            added=added,
            dropped=dropped,
            concerned=tuple(code for code in holders if rewritten and code in named),
            reason=command.reason,
            staff=command.staff,
            warnings=(*command.warnings, *succeeded, *sorted(in_vain)),
            signatures=command.signatures,
            original=command.original,
            at=command.at,
        )
    ]


def _in_vain(command: AmendDocument, now: DocumentSent) -> set[str]:
    """A warning for each thing that the amendment would change and cannot.

    A reference that is written otherwise still names the document.
    """
    official = now.official.model_dump(include={*FIXED} - {"reference"})
    wished = {name: command.fields.get(name, value) for name, value in official.items()}
    found = {f"{NOT_AMENDABLE} official/{n}" for n, value in official.items() if wished[n] != value}
    if command.paper_follows not in {None, now.paper_follows}:
        found.add(f"{NOT_AMENDABLE} paper_follows")
    return found


def _added(command: AmendDocument, now: DocumentSent) -> tuple[tuple[Party, ...], tuple[str, ...]]:
    """Who is to be added: not whom the document already reaches as another one's successor."""
    added, succeeded = _each_once(command.added)
    present = {party.code for party in now.receivers}
    return tuple(p for p in added if not (p.in_place_of and p.code in present)), succeeded


def _receivers_are_so(added: tuple[Party, ...], dropped: tuple[str, ...], state: Document) -> bool:
    """Whether the receivers need no change, or the last amendment changed them in this way."""
    wished = ({party.code for party in added}, set(dropped))
    last = state.amended
    done = ({party.code for party in last.added}, set(last.dropped)) if last else None
    return wished in (done, (set(), set()))


def _refuse_wrong_receivers(
    command: AmendDocument, state: Document, added: tuple[Party, ...], dropped: tuple[str, ...]
) -> None:
    assert state.now is not None
    present = [party.code for party in state.now.receivers]
    had = {code for party in state.parties for code in (party.code, *party.in_place_of)}
    given = [party.code for party in command.added if not party.in_place_of]
    for index, party in enumerate(added):
        field = f"added/{index}"
        if party.code == state.now.sender.code:
            raise ReceiversWrong(field=field)
        if not had.isdisjoint({party.code, *party.in_place_of}) or given.count(party.code) > 1:
            raise ReceiverAddedTwice(f"{party.as_given} is or was a receiver of it", field=field)
    _refuse_who_is_not_there("added", added, command)
    _refuse_strangers("dropped", dropped, present)
    left = {*present, *(party.code for party in added)} - set(dropped)
    if not 0 < len(left) <= MAX_RECEIVERS:
        raise ReceiversWrong(field="dropped" if not left else "added")


def _refuse_strangers(field: str, named: Iterable[str], receivers: Iterable[str]) -> None:
    known = set(receivers)
    for index, code in enumerate(named):
        if code not in known:
            raise NotAReceiver(f"{code} is no receiver of it", field=f"{field}/{index}")


def _own(command: SenderAct, state: Document) -> DocumentSent:
    """The document as it stands, if the caller may act for its sender."""
    if state.now is None:
        raise DocumentUnknown(field="document")
    if not command.speaks_for(state.now.sender.code):
        raise NotTheSender(field="document")
    if command.agency in command.locked:
        raise SenderLocked(field="document")
    return state.now


def evolve(state: Document, event: DocumentEvent) -> Document:
    """The document after `event`."""
    match event:
        case DocumentSent():
            return Document(
                status="sent",
                sent=event,
                now=event,
                edition=1,
                parties=event.receivers,
                originals=_kept(1, event.original),
            )
        case DocumentRevoked():
            revoked = dict.fromkeys((*state.revoked, *event.receivers))
            return state.model_copy(update={"revoked": tuple(revoked)})
        case DocumentAmended():
            return _amended(state, event)
        case DocumentReplaced():
            return state.model_copy(update={"replaced": (*state.replaced, event)})
        case DocumentRelayed():
            present = state.now.receivers if state.now else ()
            edition = {"receivers": (*present, *event.receivers)}
            return state.model_copy(
                update={
                    "now": state.now and state.now.model_copy(update=edition),
                    "parties": (*state.parties, *event.receivers),
                    "relayed": (*state.relayed, event),
                }
            )


def _kept(
    edition: int, original: Original | None, before: dict[int, Original] | None = None
) -> dict[int, Original]:
    return (before or {}) | ({edition: original} if original else {})


def _amended(state: Document, event: DocumentAmended) -> Document:
    present = state.now.receivers if state.now else ()
    left = tuple(party for party in present if party.code not in event.dropped)
    said = {"official", "attachments", "reason", "staff", "warnings"}
    edition = {name: getattr(event, name) for name in said} | {
        "receivers": (*left, *event.added),
        "signatures": _signatures(state.now.signatures if state.now else (), event),
    }
    return state.model_copy(
        update={
            "now": state.now and state.now.model_copy(update=edition),
            "edition": event.edition,
            "amended": event,
            "parties": (*state.parties, *event.added),
            "originals": _kept(event.edition, event.original, state.originals),
        }
    )


def _signatures(
    before: tuple[SignatureReport, ...], event: DocumentAmended
) -> tuple[SignatureReport, ...]:
    """What is known of the new edition's signatures: files that stay are not examined again."""
    kept = {each.sha256 for each in event.attachments} - {each.about for each in event.signatures}
    return (*event.signatures, *(each for each in before if each.about in kept))


def _refuse_what_may_not_travel(command: SendDocument) -> None:
    if command.secrecy != "none":
        raise SecretDocument(field="secrecy")
    if not command.speaks_for(command.sender.code):
        raise NotTheSender(field="sender")
    if command.sender.code in command.strangers:
        raise SenderUnknown(f"no agency {command.sender.as_given}", field="sender")
    if not {command.agency, command.sender.code}.isdisjoint(command.locked):
        raise SenderLocked(field="sender")
    named = [code for receiver in command.receivers for code in _named(receiver)]
    if not 0 < len(named) <= MAX_RECEIVERS or len(set(named)) < len(named):
        raise ReceiversWrong(field="receivers")
    for index, receiver in enumerate(command.receivers):
        if receiver.code == command.sender.code:
            raise ReceiversWrong(field=f"receivers/{index}")
    if len(command.attachments) > MAX_ATTACHMENTS:
        raise TooManyAttachments(field="attachments")
    by_hub = command.sender.code != command.agency
    _refuse_loops(
        "receivers", _without_own(command), command.agency if by_hub else "", command.receivers
    )


def _difference(one: DocumentSent, other: DocumentSent) -> str | None:
    """The first field in which two messages are not the same document."""
    then = _essence(other)
    return next((name for name, value in _essence(one).items() if value != then[name]), None)


def _essence(sent: DocumentSent) -> dict[str, object]:
    """What makes a message this document: not when it comes, by which clerk or over which road.

    Agencies count by the codes by which they are named: names and spellings change, and so may
    successors, while a message is on its way again.
    """
    # The id of what it answers follows from the reference; older events lack it, and what is said
    # of a file.
    answers = tuple(each.model_copy(update={"document": ""}) for each in sent.official.answers)
    official = sent.official.model_copy(update={"answers": answers})
    files = tuple(each.model_copy(update={"description": ""}) for each in sent.attachments)
    return {
        "sender": sent.sender.code,
        **{f"official/{name}": value for name, value in official},
        "receivers": {code for receiver in sent.receivers for code in _named(receiver)},
        "attachments": files,
        "paper_follows": sent.paper_follows,
        "reason": sent.reason,
        "replaces": sent.replaces,
    }


document = Decider("document", DocumentEvent, Document(), decide, evolve)
