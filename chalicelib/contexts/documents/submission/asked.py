"""What an agency may ask in JSON: to send, to revoke, to amend, to report."""

from datetime import date
from typing import Annotated

from pydantic import Field

from chalicelib.contexts.documents.domain.copy import REASON_CHARS
from chalicelib.contexts.documents.domain.document import MAX_ATTACHMENTS, MAX_RECEIVERS
from chalicelib.contexts.documents.domain.events import Signer, StaffContact
from chalicelib.contexts.documents.submission.identities import MAX_REPLACED
from chalicelib.kernel import Value
from chalicelib.working_time import Moment

Sha256 = Field(pattern=r"^[0-9a-f]{64}$")
DocumentId = Annotated[str, Field(pattern=r"^[a-z0-9]{26}$")]
LINE, TEXT = 1_000, 64 * 1024
"""How long (characters) a field of one line may be, and the content."""


class NewAttachment(Value):
    """A file to be uploaded, or one that was: `size` in bytes, `sha256` in hexadecimal."""

    name: str = Field(min_length=1, max_length=255)
    media_type: str = Field(pattern=r"^[\w.+-]{1,64}/[\w.+-]{1,64}$")
    size: int = Field(gt=0)
    sha256: str = Sha256


class ReplacedDocument(Value):
    """A document to replace, by its id or DocumentId, for `receivers`: all of the new one's."""

    document: DocumentId | None = None
    reference: str = Field(default="", max_length=255)
    receivers: tuple[str, ...] = Field(default=(), max_length=MAX_RECEIVERS)


class NewDocument(Value):
    """A new document as JSON. Codes in either form; without `issuer`, the sender issued it.

    `sender` is for hubs: the unit below the caller that sends it; the caller itself if not given.
    `answers` are the DocumentIds of those that it answers.
    """

    number: str = Field(min_length=1, max_length=64, pattern=r"^[^,/\s]+$")
    notation: str = Field(default="", max_length=128, pattern=r"^[^,\s]*$")
    promulgated_on: date
    issuer: str | None = None
    sender: str | None = None
    place: str = Field(default="", max_length=LINE)
    type_abbreviation: str = Field(default="", max_length=16)
    type_name: str = Field(default="", max_length=LINE)
    subject: str = Field(min_length=1, max_length=2_000)
    content: str = Field(default="", max_length=TEXT)
    signer: Signer = Signer()
    due_on: date | None = None
    to_places: tuple[str, ...] = Field(default=(), max_length=500)
    priority: int = Field(default=0, ge=0, le=3)
    pages: str = Field(default="", max_length=16)
    receivers: tuple[str, ...] = Field(min_length=1, max_length=MAX_RECEIVERS)
    attachments: tuple[NewAttachment, ...] = Field(default=(), max_length=MAX_ATTACHMENTS)
    answers: tuple[Annotated[str, Field(max_length=255)], ...] = Field(default=(), max_length=50)
    replaces: tuple[ReplacedDocument, ...] = Field(default=(), max_length=MAX_REPLACED)
    paper_follows: bool = False
    staff: StaffContact | None = None
    secrecy: str = "none"


class Revocation(Value):
    """An order to give a document back as JSON; without `receivers` it goes to all of them."""

    reason: str = Field(min_length=1, max_length=REASON_CHARS)
    receivers: tuple[str, ...] = Field(default=(), max_length=MAX_RECEIVERS)
    staff: StaffContact | None = None


class Amendment(Value):
    """Another edition of a document, as JSON: only what changes, each field whole.

    `receivers` are those of the present receivers who get it; all of them unless it names some.
    """

    place: str = Field(default="", max_length=LINE)
    type_abbreviation: str = Field(default="", max_length=16)
    type_name: str = Field(default="", max_length=LINE)
    subject: str = Field(default="", min_length=1, max_length=2_000)
    content: str = Field(default="", max_length=TEXT)
    signer: Signer = Signer()
    due_on: date | None = None
    to_places: tuple[str, ...] = Field(default=(), max_length=500)
    pages: str = Field(default="", max_length=16)
    attachments: tuple[NewAttachment, ...] | None = Field(default=None, max_length=MAX_ATTACHMENTS)
    add: tuple[str, ...] = Field(default=(), max_length=MAX_RECEIVERS)
    drop: tuple[str, ...] = Field(default=(), max_length=MAX_RECEIVERS)
    receivers: tuple[str, ...] = Field(default=(), max_length=MAX_RECEIVERS)
    reason: str = Field(default="", max_length=REASON_CHARS)
    staff: StaffContact | None = None
    secrecy: str = "none"


class Relay(Value):
    """A document passed on by a hub to units below it, as JSON. Codes in either form."""

    receivers: tuple[str, ...] = Field(min_length=1, max_length=MAX_RECEIVERS)


class StatusReport(Value):
    """A processing status as JSON: `code` 01-06, 13, 14, 15, 16; 02 and 16 need a `note`."""

    code: str
    note: str = Field(default="", max_length=REASON_CHARS)
    reported_at: Moment | None = None
    staff: StaffContact | None = None
