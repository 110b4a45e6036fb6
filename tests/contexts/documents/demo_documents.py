"""DEMO DATA: an invented document from one invented agency to two others."""

from datetime import UTC, date, datetime, timedelta

from chalicelib.contexts.documents.domain.copy import Opening, ReceptionTerms
from chalicelib.contexts.documents.domain.events import (
    Attachment,
    CopyArrived,
    CopyAssigned,
    CopyChangeAgreed,
    CopyChangeOrdered,
    CopyChangeRefused,
    CopyCompleted,
    CopyDeliveryRefused,
    CopyOpened,
    CopyProcessingStarted,
    CopyRecallAgreed,
    CopyRecallRefused,
    CopyRecallRequested,
    CopyReceived,
    CopyReceptionOverdue,
    CopyReceptionRefused,
    CopyResent,
    DocumentAmended,
    DocumentRelayed,
    DocumentReplaced,
    DocumentRevoked,
    DocumentSent,
    Hop,
    OfficialDocument,
    Party,
    Replaced,
    StaffContact,
    document_id,
)
from chalicelib.kernel import Origin
from chalicelib.privacy.personal import Personal

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = datetime(2026, 1, 3, tzinfo=UTC)
ORIGIN = Origin(command_id="c1", digest="d1", actor="officer:1", method="jwt", at=AT)
LATER_ORIGIN = Origin(command_id="c2", digest="d2", actor="officer:2", method="jwt", at=LATER)

SENDER, RECEIVER, OTHER = "Z01", "Z02", "Z03"
DOCUMENT = document_id(SENDER, date(2026, 1, 2), "1", "QĐ-DEMO")
REFERENCE = "000.00.00.Z01,2026/01/02,1/QĐ-DEMO"

official = OfficialDocument(
    reference=REFERENCE,
    issuer=SENDER,
    number="1",
    notation="QĐ-DEMO",
    promulgated_on=date(2026, 1, 2),
    subject="Demo document",
)
sender = Party(code=SENDER, as_given="000.00.00.Z01", name="Demo agency one")
receiver = Party(code=RECEIVER, as_given="000.00.00.Z02", name="Demo agency two")
other = Party(code=OTHER, as_given="Z03", name="Demo agency three")
attachment = Attachment(name="demo.pdf", media_type="application/pdf", size=4, sha256="0" * 64)
clerk = Personal[StaffContact](subject="staff-1", value=StaffContact(staff="Demo Clerk"))
sealed_clerk = Personal[StaffContact](subject="staff-1", sealed="c2VhbGVk", where="copy-demo@1")

sent = DocumentSent(
    document=DOCUMENT,
    official=official,
    sender=sender,
    receivers=(receiver, other),
    attachments=(attachment,),
    staff=clerk,
    at=AT,
)
urgently = official.model_copy(update={"priority": 1})
sent_urgently = sent.model_copy(update={"official": urgently})

revoked = DocumentRevoked(
    document=DOCUMENT,
    sender=SENDER,
    receivers=(RECEIVER, OTHER),
    reason="issued in error",
    staff=clerk,
    at=AT,
)

ADDED = "Z04"
added = Party(code=ADDED, as_given="000.00.00.Z04", name="Demo agency four")
amended = DocumentAmended(
    document=DOCUMENT,
    sender=sender,
    edition=2,
    official=official.model_copy(update={"subject": "Demo document, put right"}),
    attachments=(attachment,),
    added=(added,),
    dropped=(OTHER,),
    concerned=(RECEIVER,),
    reason="a slip of the pen",
    staff=clerk,
    at=AT,
)

LATER_DOCUMENT = document_id(SENDER, date(2026, 1, 3), "2", "QĐ-DEMO")
LATER_REFERENCE = "000.00.00.Z01,2026/01/03,2/QĐ-DEMO"
replaced = DocumentReplaced(
    document=DOCUMENT,
    by=LATER_DOCUMENT,
    by_reference=LATER_REFERENCE,
    receivers=(RECEIVER,),
    at=AT,
)
sent_in_its_place = sent.model_copy(
    update={
        "document": LATER_DOCUMENT,
        "official": official.model_copy(update={"reference": LATER_REFERENCE}),
        "replaces": (Replaced(document=DOCUMENT, reference=REFERENCE, receivers=(RECEIVER,)),),
    }
)
"""A later document, which takes the first one's place at one receiver."""

relayed = DocumentRelayed(
    document=DOCUMENT,
    by=RECEIVER,
    sender=sender,
    reference=REFERENCE,
    subject="Demo document",
    receivers=(added,),
    hops=(
        Hop(agency="000.00.00.Z01", at=AT.isoformat()),
        Hop(agency=RECEIVER, at=AT.isoformat()),
    ),
    at=AT,
)
"""The first receiver is a hub, and the agency that is added elsewhere a unit of its own."""

opening = Opening(
    document=DOCUMENT,
    sender=SENDER,
    receiver=RECEIVER,
    urgent=False,
    reference=REFERENCE,
    subject="Demo document",
    sender_as_given="000.00.00.Z01",
    receiver_as_given="000.00.00.Z02",
)
opened = CopyOpened(at=AT, **opening.model_dump())
_BETWEEN = {"document": DOCUMENT, "sender": SENDER, "receiver": RECEIVER, "at": AT}
TERMS = ReceptionTerms()
DUE = datetime(2026, 1, 5, 10, tzinfo=UTC)
"""It arrives on a Friday morning: the next working day is Monday, until 17:00 in Hanoi."""
arrived = CopyArrived(due_at=DUE, **_BETWEEN)
reception_overdue = CopyReceptionOverdue(
    due_at=DUE, **(_BETWEEN | {"at": DUE + timedelta(seconds=1)})
)
reception_refused = CopyReceptionRefused(note="not for us", **_BETWEEN)
ABOUT = f"document-{DOCUMENT}@2"
resent = CopyResent(
    number=1, about=ABOUT, edition=2, subject="Demo document, put right", **_BETWEEN
)
received = CopyReceived(**_BETWEEN)
assigned = CopyAssigned(**_BETWEEN)
processing_started = CopyProcessingStarted(**_BETWEEN)
completed = CopyCompleted(**_BETWEEN)
recall_requested = CopyRecallRequested(**_BETWEEN)
recall_agreed = CopyRecallAgreed(**_BETWEEN)
recall_refused = CopyRecallRefused(note="already acted on", **_BETWEEN)
revocation_ordered = CopyChangeOrdered(
    change="revocation", note="issued in error", staff=clerk, **_BETWEEN
)
undelivered = CopyDeliveryRefused(
    undelivered="document", about=f"document-{DOCUMENT}@1", reason="422 type-unknown", **_BETWEEN
)
revocation_agreed = CopyChangeAgreed(change="revocation", **_BETWEEN)
revocation_refused = CopyChangeRefused(change="revocation", note="already acted on", **_BETWEEN)
amendment_ordered = CopyChangeOrdered(
    change="amendment", edition=2, note="a slip of the pen", staff=clerk, **_BETWEEN
)
amendment_agreed = CopyChangeAgreed(change="amendment", **_BETWEEN)
amendment_refused = CopyChangeRefused(change="amendment", note="already acted on", **_BETWEEN)
removal_ordered = CopyChangeOrdered(
    change="removal", note="a slip of the pen", staff=clerk, **_BETWEEN
)
removal_agreed = CopyChangeAgreed(change="removal", **_BETWEEN)
removal_refused = CopyChangeRefused(change="removal", note="already acted on", **_BETWEEN)
"""What befell the first receiver's copy."""


def of_other(event):
    """The same, of the other receiver's copy."""
    return event.model_copy(update={"receiver": OTHER})
