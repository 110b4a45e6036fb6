"""What a message says, free of XML: one document with its operation, or one status.

Texts are as the sender wrote them, without the white space around them; "" where the element was
absent. Each `…_ELEMENTS` table gives, in the order of the standard, the element that holds a field.
"""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.kernel import Value

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
MAX_TEXT = 64 * 1024
"""Characters of the longest text outside attachments."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Line = Annotated[str, StringConstraints(max_length=1000)]
Prose = Annotated[str, StringConstraints(max_length=MAX_TEXT)]


class Party(Value):
    """An agency as sender or receiver; `organ_id` is its code, in either form."""

    organ_id: Id
    in_charge: Line = ""
    name: Line = ""
    address: Line = ""
    email: Line = ""
    telephone: Line = ""
    fax: Line = ""
    website: Line = ""


class StaffContact(Value):
    """The clerk who handled the message. Personal data: never log it."""

    department: Line = ""
    staff: Line = ""
    email: Line = ""
    mobile: Line = ""


class Signer(Value):
    """Who signed the document; `competence` is TM., KT., TL. or TUQ."""

    competence: Line = ""
    position: Line = ""
    full_name: Line = ""


class Reference(Value):
    """The document that a message answers. In a status message `organ_id` is the addressee."""

    organ_id: Line = ""
    code: Line = ""
    promulgation_date: date | None = None
    document_id: Line = ""


class Trace(Value):
    """An agency's system that the message passed, and when."""

    organ_id: Line = ""
    timestamp: AwareDatetime | None = None


class UpdateReceiver(Value):
    """A receiver that an update concerns; `receiver_type` is 0 or 1, as given."""

    organ_id: Id
    receiver_type: Line = ""


class UpdateInfo(Value):
    """What an update changes: the document's data, its receivers, or both ("1" = changed)."""

    document_info: Line = ""
    document_receiver: Line = ""
    receivers: tuple[UpdateReceiver, ...] = ()


class Replacement(Value):
    """An earlier document that this one replaces, and for whom."""

    document_id: Id
    organ_ids: tuple[Id, ...] = ()


class AttachmentPart(Value):
    """A file of the document. `size` (bytes) and `sha256` (hex) are those of the unpacked file.

    `content_type` is the manifest's own, application/zip by the standard; `media_type` is guessed
    from the name.
    """

    content_id: Id
    name: Id
    description: Prose = ""
    content_type: Line = ""
    media_type: str
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class DocumentMessage(Value):
    """A document on its way from one agency to others, and what is to be done with it.

    `operation`: 0 new, 1 revoke (thu hồi), 2 update (cập nhật), 3 replace (thay thế). `priority`:
    0 normal to 3 express (hỏa tốc). `attachments` are in the order in which the message carries
    them. `signed` only says that a Signature is there, nothing of its worth. `warnings` are
    oddities that do not stop the message, each `code element-path`.

    Rule: QCVN 102:2016/BTTTT; `operation` and what follows it: QĐ 28/2018/QĐ-TTg.
    """

    from_: Party
    to: Annotated[tuple[Party, ...], Field(min_length=1)]
    document_id: Id
    identity: DocumentIdentity | None = None
    code_number: Id
    code_notation: Line = ""
    promulgation_place: Line = ""
    promulgation_date: date
    type_number: Line = ""
    type_detail: Line = ""
    type_name: Line = ""
    subject: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
    content: Prose = ""
    signer: Signer | None = None
    due_date: date | None = None
    priority: Annotated[int, Field(ge=0, le=3)] = 0
    sphere: Line = ""
    typer_notation: Line = ""
    promulgation_amount: Line = ""
    page_amount: Line = ""
    direction: Line = ""
    appendixes: tuple[Prose, ...] = ()
    response_for: tuple[Reference, ...] = ()
    steering_type: Line = ""
    to_places: tuple[Prose, ...] = ()
    traces: tuple[Trace, ...] = ()
    business_document_id: Line = ""
    operation: Annotated[int, Field(ge=0, le=3)] = 0
    operation_reason: Prose = ""
    paper: Line = ""
    update: UpdateInfo | None = None
    replacements: tuple[Replacement, ...] = ()
    staff: StaffContact | None = None
    attachments: tuple[AttachmentPart, ...] = ()
    signed: bool = False
    warnings: tuple[str, ...] = ()


class StatusMessage(Value):
    """What became of a document at one agency: `status_code` "01" to "16", as received.

    Rule: QĐ 28/2018/QĐ-TTg, processing states.
    """

    from_: Party
    response_for: Reference
    staff: StaffContact | None = None
    status_code: Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-6])$")]
    description: Prose = ""
    timestamp: AwareDatetime
    warnings: tuple[str, ...] = ()


Elements = tuple[tuple[str, str], ...]

HEADER_ELEMENTS: Elements = (
    ("From", "from_"),
    ("To", "to"),
    ("DocumentId", "document_id"),
    ("Code/CodeNumber", "code_number"),
    ("Code/CodeNotation", "code_notation"),
    ("PromulgationInfo/Place", "promulgation_place"),
    ("PromulgationInfo/PromulgationDate", "promulgation_date"),
    ("DocumentType/Type", "type_number"),
    ("DocumentType/TypeDetail", "type_detail"),
    ("DocumentType/TypeName", "type_name"),
    ("Subject", "subject"),
    ("Content", "content"),
    ("SignerInfo", "signer"),
    ("DueDate", "due_date"),
    ("OtherInfo/Priority", "priority"),
    ("OtherInfo/SphereOfPromulgation", "sphere"),
    ("OtherInfo/TyperNotation", "typer_notation"),
    ("OtherInfo/PromulgationAmount", "promulgation_amount"),
    ("OtherInfo/PageAmount", "page_amount"),
    ("OtherInfo/Direction", "direction"),
    ("OtherInfo/Appendixes/Appendix", "appendixes"),
    ("ResponseFor", "response_for"),
    ("SteeringType", "steering_type"),
    ("ToPlaces/Place", "to_places"),
)
TRACE_LIST_ELEMENTS: Elements = (
    ("TraceHeader", "traces"),
    ("Bussiness/DocumentId", "business_document_id"),
    ("Bussiness/BussinessDocType", "operation"),
    ("Bussiness/BussinessDocReason", "operation_reason"),
    ("Bussiness/Paper", "paper"),
    ("Bussiness/BussinessDocumentInfo", "update"),
    ("Bussiness/ReplacementInfoList/ReplacementInfo", "replacements"),
    ("Bussiness/StaffInfo", "staff"),
)
STATUS_ELEMENTS: Elements = (
    ("From", "from_"),
    ("ResponseFor", "response_for"),
    ("StaffInfo", "staff"),
    ("StatusCode", "status_code"),
    ("Description", "description"),
    ("Timestamp", "timestamp"),
)
REFERENCE_ELEMENTS: Elements = (
    ("ContentId", "content_id"),
    ("ContentType", "content_type"),
    ("Description", "description"),
    ("AttachmentName", "name"),
)
"""Of one file in the manifest."""

_PARTY: Elements = (
    ("OrganId", "organ_id"),
    ("OrganizationInCharge", "in_charge"),
    ("OrganName", "name"),
    ("OrganAdd", "address"),
    ("Email", "email"),
    ("Telephone", "telephone"),
    ("Fax", "fax"),
    ("Website", "website"),
)
_STAFF: Elements = (
    ("Department", "department"),
    ("Staff", "staff"),
    ("Email", "email"),
    ("Mobile", "mobile"),
)
_REFERENCE: Elements = (
    ("OrganId", "organ_id"),
    ("Code", "code"),
    ("DocumentId", "document_id"),
    ("PromulgationDate", "promulgation_date"),
)
PART_ELEMENTS: Mapping[type[Value], Elements] = MappingProxyType(
    {
        Party: _PARTY,
        StaffContact: _STAFF,
        Reference: _REFERENCE,
        Signer: (
            ("Competence", "competence"),
            ("Position", "position"),
            ("FullName", "full_name"),
        ),
        Trace: (("OrganId", "organ_id"), ("Timestamp", "timestamp")),
        UpdateReceiver: (("OrganId", "organ_id"), ("ReceiverType", "receiver_type")),
        UpdateInfo: (
            ("DocumentInfo", "document_info"),
            ("DocumentReceiver", "document_receiver"),
            ("ReceiverList/Receiver", "receivers"),
        ),
        Replacement: (("DocumentId", "document_id"), ("OrganIdList/OrganId", "organ_ids")),
    }
)
"""The elements of each part of a document message."""

PARTS: Mapping[str, type[Value]] = MappingProxyType(
    {
        "From": Party,
        "To": Party,
        "SignerInfo": Signer,
        "ResponseFor": Reference,
        "TraceHeader": Trace,
        "BussinessDocumentInfo": UpdateInfo,
        "Receiver": UpdateReceiver,
        "ReplacementInfo": Replacement,
        "StaffInfo": StaffContact,
    }
)
"""Which part of a document message stands in an element."""

STATUS_PART_ELEMENTS: Mapping[type[Value], Elements] = MappingProxyType(
    {
        Party: (_PARTY[0], _PARTY[2], _PARTY[1], *_PARTY[3:]),
        StaffContact: (*_STAFF[:2], _STAFF[3], _STAFF[2]),
        Reference: (*_REFERENCE[:2], _REFERENCE[3], _REFERENCE[2]),
    }
)
"""The same in a status message, where published messages order three of the parts otherwise."""
