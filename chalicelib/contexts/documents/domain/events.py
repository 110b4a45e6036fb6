"""What can happen to a document and to each receiver's copy of it.

A document's stream (`document-<id>`) holds its sender's acts, a copy's (`copy-<id>.<receiver>`) one
receiver's. Codes are those of QCVN 102:2016/BTTTT; agency codes are canonical (`G22`) unless they
say `as_given`.
"""

import base64
import unicodedata
from datetime import date
from hashlib import sha256
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from chalicelib.kernel import Event, Value
from chalicelib.privacy.personal import Personal


def document_id(issuer: str, promulgated_on: date | str, number: str, notation: str) -> str:
    """The id of the document that these four name: 26 letters and digits, always the same ones.

    15/QĐ-BNV is not 15/TT-BNV: the notation is part of it. `issuer` is canonical.
    """
    parts = [issuer, str(promulgated_on), number, notation]
    text = "\n".join(unicodedata.normalize("NFC", part.strip()) for part in parts)
    return base64.b32encode(sha256(text.encode()).digest()[:16]).decode().rstrip("=").lower()


class Party(Value):
    """An agency as the message names it: its code, canonical and as given, and its office.

    `in_place_of` are the agencies it took the place of that the message names; `as_given` is then
    the code of one of those, unless the message names the agency itself as well.
    """

    code: str
    as_given: str
    name: str = ""
    in_charge: str = ""
    address: str = ""
    email: str = ""
    telephone: str = ""
    fax: str = ""
    website: str = ""
    in_place_of: tuple[str, ...] = ()


class StaffContact(Value):
    """The clerk to ask about a message. Always carried as `Personal`."""

    department: str = ""
    staff: str = ""
    email: str = ""
    mobile: str = ""


class Signer(Value):
    """Who signed, and in which capacity: an official act, kept for ever."""

    competence: str = ""
    position: str = ""
    full_name: str = ""


class Attachment(Value):
    """A file of the document, by reference: `size` in bytes, `sha256` in hexadecimal.

    `description` is what the sender says of it.
    """

    name: str
    media_type: str
    size: int
    sha256: str
    description: str = ""


class SignatureReport(Value):
    """What was found of one electronic signature when the document came in.

    `about` is `message` or the SHA-256 of the attachment that holds it. `covers` is what was
    signed: the whole `message`, its `envelope` without the files, a `file`, or an earlier
    `revision` of it.
    `reason` says why it is not `valid`. `organisation` is the signer's as a trusted authority
    certified it, "" unless the signature is valid. `signed_at` is the signer's own claim.
    """

    about: str
    verdict: Literal["valid", "invalid", "unverifiable", "too_weak"]
    reason: str = ""
    covers: str = ""
    algorithm: str = ""
    certificate_sha256: str = ""
    organisation: str = ""
    signed_at: AwareDatetime | None = None


class Original(Value):
    """The edXML message as it came, kept sealed: evidence of what the sender said.

    `sha256` (hex) is that of the sealed bytes, `size` (bytes) that of the message; the key of
    `subject` opens it.
    """

    sha256: str
    size: int
    subject: str


class Answered(Value):
    """A document that this one answers. `document` is its id here, "" if `reference` gives none."""

    agency: str
    code: str = ""
    promulgated_on: date | None = None
    reference: str = ""
    document: str = ""


class Hop(Value):
    """A system the message has passed. `at` is the message's own text."""

    agency: str
    at: str


class OfficialDocument(Value):
    """The document itself, as its issuer promulgated it.

    `reference` is the DocumentId as given (`000.00.00.G22,2015/09/30,7816/VPCP-TTĐT`); `number` and
    `notation` are the code as printed. `priority`: 0 normal, 1 urgent, 2 very urgent, 3 express.
    """

    reference: str
    issuer: str
    number: str
    notation: str
    promulgated_on: date
    place: str = ""
    type_abbreviation: str = ""
    type_name: str = ""
    type_number: str = ""
    type_detail: str = ""
    subject: str
    content: str = ""
    signer: Signer = Signer()
    due_on: date | None = None
    to_places: tuple[str, ...] = ()
    steering_type: str = ""
    priority: int = 0
    sphere: str = ""
    typist: str = ""
    copies_issued: str = ""
    pages: str = ""
    direction: str = ""
    appendixes: tuple[str, ...] = ()
    answers: tuple[Answered, ...] = ()


class Replaced(Value):
    """An earlier document of the same sender, which a new one replaces for these receivers."""

    document: str
    reference: str
    receivers: tuple[str, ...]


class DocumentSent(Event):
    """An agency handed a document to the axis for its receivers.

    `sent_by` is the hub that handed it over for the sender, a unit below it; "": the sender itself.

    Rule: Decision 28/2018/QĐ-TTg: a document signed and sent this way has the paper's legal value.
    """

    version = 4
    type: Literal["document.sent"] = "document.sent"
    document: str
    official: OfficialDocument
    sender: Party
    receivers: tuple[Party, ...]
    attachments: tuple[Attachment, ...] = ()
    paper_follows: bool = False
    reason: str = ""
    replaces: tuple[Replaced, ...] = ()
    hops: tuple[Hop, ...] = ()
    sent_by: str = ""
    staff: Personal[StaffContact] | None = None
    warnings: tuple[str, ...] = ()
    signatures: tuple[SignatureReport, ...] = ()
    original: Original | None = None
    at: AwareDatetime


class DocumentRevoked(Event):
    """The sender orders the document back from these receivers; `reason` says why.

    Rule: QCVN 102:2016/BTTTT, BussinessDocType 1; Decision 28/2018/QĐ-TTg.
    """

    type: Literal["document.revoked"] = "document.revoked"
    document: str
    sender: str
    receivers: tuple[str, ...]
    reason: str
    staff: Personal[StaffContact] | None = None
    at: AwareDatetime


class DocumentAmended(Event):
    """The sender changed the document or its receivers: from now on edition `edition` stands.

    `official` and `attachments` are those of the new edition, whole. `added` receivers get it as a
    new document, `dropped` ones must give theirs back, `concerned` ones have another edition.

    Rule: QCVN 102:2016/BTTTT, BussinessDocType 2; Decision 28/2018/QĐ-TTg.
    """

    version = 3
    type: Literal["document.amended"] = "document.amended"
    document: str
    sender: Party
    edition: int
    official: OfficialDocument
    attachments: tuple[Attachment, ...] = ()
    added: tuple[Party, ...] = ()
    dropped: tuple[str, ...] = ()
    concerned: tuple[str, ...] = ()
    reason: str = ""
    staff: Personal[StaffContact] | None = None
    warnings: tuple[str, ...] = ()
    signatures: tuple[SignatureReport, ...] = ()
    original: Original | None = None
    at: AwareDatetime


class DocumentReplaced(Event):
    """A later document of the same sender, `by`, takes this one's place for these receivers.

    Rule: QCVN 102:2016/BTTTT, BussinessDocType 3; Decision 28/2018/QĐ-TTg.
    """

    type: Literal["document.replaced"] = "document.replaced"
    document: str
    by: str
    by_reference: str
    receivers: tuple[str, ...]
    at: AwareDatetime


class DocumentRelayed(Event):
    """A hub that has the document passed it on to units of its own; each answers the first sender.

    `by` is the hub, `hops` all the systems that the document has passed, the hub last.

    Rule: QCVN 102:2016/BTTTT, TraceHeaderList.
    """

    type: Literal["document.relayed"] = "document.relayed"
    document: str
    by: str
    sender: Party
    reference: str
    subject: str
    urgent: bool = False
    receivers: tuple[Party, ...]
    hops: tuple[Hop, ...]
    warnings: tuple[str, ...] = ()
    at: AwareDatetime


DocumentEvent = Annotated[
    DocumentSent | DocumentRevoked | DocumentAmended | DocumentReplaced | DocumentRelayed,
    Field(discriminator="type"),
]
"""The events of a document's stream."""

Change = Literal["revocation", "amendment", "removal"]
"""What a sender orders of a copy: to give it back as the document is revoked (BussinessDocType 1),
to take another edition in its place, or to give it back as its receiver was dropped (both 2)."""


class CopyEvent(Event):
    """Something that happened to one receiver's copy; `at` is when the axis learnt of it (UTC)."""

    document: str
    sender: str
    receiver: str
    urgent: bool = False
    at: AwareDatetime


class CopyOpened(CopyEvent):
    """A receiver's copy exists; it is on its way.

    Rule: QCVN 102:2016/BTTTT, MessageHeader/To: a document may go to many, and each answers.
    """

    type: Literal["copy.opened"] = "copy.opened"
    reference: str
    subject: str
    sender_as_given: str
    receiver_as_given: str


Undelivered = Literal["document", "order", "recall"]
"""What could not be delivered: the document itself, an order about it, or a wish to have it back
(status 13)."""


class CopyDeliveryRefused(CopyEvent):
    """The receiver's system will not take what the sender sent; nobody there has seen it.

    It is no status of the receiver's. `about` is the commit (`stream@number`) whose message was
    refused. `reason` is the system's answer, an HTTP status with the public code it gave
    (`422 type-unknown`), or the axis's own: `not-composed`, `abandoned` (an operator gave it up).
    Unless it is abandoned an operator may yet have it posted again.

    Rule: RFC 9110, section 15.5: a 4xx speaks of what was sent. QCVN 102:2016/BTTTT has no status
    for it.
    """

    type: Literal["copy.delivery_refused"] = "copy.delivery_refused"
    undelivered: Undelivered
    about: str
    reason: str


ABANDONED = "abandoned"
"""The reason why what an operator gave up is not delivered: it never will be."""


class CopyResent(CopyEvent):
    """The sender sends its document again, as it stands now, to who had not taken it.

    The copy begins anew: it is on its way, arrives, and has its time to be received, once more.
    `about` is the document as it is sent (`stream@number`), of edition `edition` under this
    `subject`; `number` counts the times this copy was sent again.

    Rule: QCVN 102:2016/BTTTT, processing status 02; that a new sending follows it is our reading.
    """

    type: Literal["copy.resent"] = "copy.resent"
    number: int
    about: str
    edition: int
    subject: str


class CopyStatus(CopyEvent):
    """A processing status. `note` and `reported_at` are the reporting agency's own."""

    code: ClassVar[str]
    note: str = ""
    reported_at: AwareDatetime | None = None
    staff: Personal[StaffContact] | None = None


class CopyArrived(CopyStatus):
    """Status 01: the copy is in the receiver's system; no clerk has acted yet.

    `due_at` is the last moment to receive, refuse or give it back, by the working time and the
    terms of that day; None on copies that arrived before there were any.

    Rule: QCVN 102:2016/BTTTT, processing status 01.
    """

    version = 2
    type: Literal["copy.arrived"] = "copy.arrived"
    code = "01"
    due_at: AwareDatetime | None = None


class CopyReceptionOverdue(CopyEvent):
    """The receiver let the time to receive its copy pass: it did nothing with it until `due_at`.

    It is said once of a copy, or of each time it was sent, at the latest when the receiver does
    act. It is no status of the receiver's: the copy stays arrived (01).

    Rule: Decree 30/2020/NĐ-CP, art. 23: what comes in is passed on the same day, at the latest the
    next working day; what is urgent at once.
    """

    type: Literal["copy.reception_overdue"] = "copy.reception_overdue"
    due_at: AwareDatetime


class CopyReceptionRefused(CopyStatus):
    """Status 02: the receiver does not take the copy; `note` is its reason.

    Rule: QCVN 102:2016/BTTTT, processing status 02.
    """

    type: Literal["copy.reception_refused"] = "copy.reception_refused"
    code = "02"


class CopyReceived(CopyStatus):
    """Status 03: the copy is registered in the receiver's book of incoming documents.

    `arrival_number` counts what the receiver registered here in `arrival_year`, without gaps.

    Rule: QCVN 102:2016/BTTTT, processing status 03; Decree 30/2020/NĐ-CP, art. 22: one series of
    arrival numbers for each calendar year.
    """

    version = 2
    type: Literal["copy.received"] = "copy.received"
    code = "03"
    arrival_number: int | None = None
    arrival_year: int | None = None


class CopyAssigned(CopyStatus):
    """Status 04: a unit or an officer has been given the copy.

    Rule: QCVN 102:2016/BTTTT, processing status 04.
    """

    type: Literal["copy.assigned"] = "copy.assigned"
    code = "04"


class CopyProcessingStarted(CopyStatus):
    """Status 05: the copy is being worked on.

    Rule: QCVN 102:2016/BTTTT, processing status 05.
    """

    type: Literal["copy.processing_started"] = "copy.processing_started"
    code = "05"


class CopyCompleted(CopyStatus):
    """Status 06: the work that the copy asked for is done.

    Rule: QCVN 102:2016/BTTTT, processing status 06.
    """

    type: Literal["copy.completed"] = "copy.completed"
    code = "06"


class CopyRecallRequested(CopyStatus):
    """Status 13: the sender asks for this copy back.

    Rule: QCVN 102:2016/BTTTT, processing status 13.
    """

    type: Literal["copy.recall_requested"] = "copy.recall_requested"
    code = "13"


class CopyRecallAgreed(CopyStatus):
    """Status 15: the receiver gave the copy back and removed it from its book.

    Rule: QCVN 102:2016/BTTTT, processing status 15; Decision 28/2018/QĐ-TTg: the receiver removes
    a recalled document and confirms it.
    """

    type: Literal["copy.recall_agreed"] = "copy.recall_agreed"
    code = "15"


class CopyRecallRefused(CopyStatus):
    """Status 16: the receiver keeps the copy; `note` is its reason.

    Rule: QCVN 102:2016/BTTTT, processing status 16.
    """

    type: Literal["copy.recall_refused"] = "copy.recall_refused"
    code = "16"


class CopyChangeOrdered(CopyEvent):
    """The sender's order about its document reaches this copy; the receiver answers 15 or 16.

    It is no recall (13): that is a wish about one copy, this an order about the document.
    `edition` is the one to take; 0 where the copy is to be given back.

    Rule: QCVN 102:2016/BTTTT, BussinessDocType 1 and 2.
    """

    type: Literal["copy.change_ordered"] = "copy.change_ordered"
    change: Change
    edition: int = 0
    note: str = ""
    staff: Personal[StaffContact] | None = None


class CopyChangeAgreed(CopyStatus):
    """Status 15 to an order: the receiver has carried it out.

    Rule: QCVN 102:2016/BTTTT, processing status 15.
    """

    type: Literal["copy.change_agreed"] = "copy.change_agreed"
    code = "15"
    change: Change


class CopyChangeRefused(CopyStatus):
    """Status 16 to an order: the receiver does not carry it out; `note` is its reason.

    Rule: QCVN 102:2016/BTTTT, processing status 16.
    """

    type: Literal["copy.change_refused"] = "copy.change_refused"
    code = "16"
    change: Change


AnyCopyStatus = (
    CopyArrived
    | CopyReceptionRefused
    | CopyReceived
    | CopyAssigned
    | CopyProcessingStarted
    | CopyCompleted
    | CopyRecallRequested
    | CopyRecallAgreed
    | CopyRecallRefused
    | CopyChangeAgreed
    | CopyChangeRefused
)
AnyCopyEvent = Annotated[
    CopyOpened
    | CopyResent
    | CopyDeliveryRefused
    | CopyReceptionOverdue
    | AnyCopyStatus
    | CopyChangeOrdered,
    Field(discriminator="type"),
]


def has_acted(event: AnyCopyEvent) -> bool:
    """Whether the receiver has the copy in hand with `event`, or no longer has it at all."""
    match event:
        case CopyReceived() | CopyAssigned() | CopyProcessingStarted() | CopyCompleted():
            return True
        case CopyReceptionRefused() | CopyRecallAgreed():
            return True
        case CopyChangeAgreed():
            return event.change != "amendment"
        case _:
            return False


def has_arrived(what: Undelivered, event: AnyCopyEvent) -> bool:
    """Whether `event` shows that what could not be delivered reached its receiver after all.

    Or that it is no longer to: the document is on its way anew.
    """
    match event:
        case CopyRecallAgreed() | CopyRecallRefused():
            return what == "recall"
        case CopyChangeAgreed() | CopyChangeRefused():
            return what == "order"
        case CopyOpened() | CopyDeliveryRefused() | CopyRecallRequested() | CopyChangeOrdered():
            return False
        case CopyReceptionOverdue():
            return False  # It had arrived before.
        case _:
            return what == "document"
