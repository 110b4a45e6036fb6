"""What happens to the data of a person: it is read, and one day it is erased.

A `subject` is the opaque name under which somebody's data are sealed; it says nothing of them.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from chalicelib.kernel import Event
from chalicelib.privacy.personal import Personal

Purpose = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/-]{0,64}$")]
"""Why somebody reads: the reference of a case, an inspection, a legal basis; "" if unsaid."""
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$")]
"""The number of the proceeding that a hold serves; it names nobody."""


class AccessRead(Event):
    """Somebody was shown what is about this person, or a part of history itself.

    `what` is the path that was asked for, `route` the kind of question; `subject` is "" where a
    part of history was read, in which everything personal stays sealed.

    Rule: Law 91/2025/QH15 on Personal Data Protection: a person may know who processes their data.
    """

    type: Literal["access.read"] = "access.read"
    subject: str
    role: str
    by_agency: str
    route: str
    what: str
    purpose: Purpose
    at: AwareDatetime


class SubjectErasureRequested(Event):
    """It was asked that this person's data be erased: by themself, or by an officer for them.

    `by` is the opaque name of who asked: somebody else must approve.

    Rule: Law 91/2025/QH15 on Personal Data Protection: a person may ask for erasure.
    """

    type: Literal["subject.erasure_requested"] = "subject.erasure_requested"
    subject: str
    by: str
    by_agency: str
    reason: Personal[str]
    at: AwareDatetime


class SubjectErasureApproved(Event):
    """A second person agreed: the key will be destroyed within minutes.

    Rule: Two persons, as it cannot be undone.
    """

    type: Literal["subject.erasure_approved"] = "subject.erasure_approved"
    subject: str
    by_agency: str
    at: AwareDatetime


class SubjectHoldSet(Event):
    """A proceeding needs this person's data: until the hold is lifted nothing may be erased.

    Rule: Law 91/2025/QH15 on Personal Data Protection: the law's exceptions to erasure.
    """

    type: Literal["subject.hold_set"] = "subject.hold_set"
    subject: str
    by_agency: str
    reference: Reference
    at: AwareDatetime


class SubjectHoldLifted(Event):
    """The proceeding no longer needs this person's data.

    Rule: Law 91/2025/QH15 on Personal Data Protection: the law's exceptions to erasure.
    """

    type: Literal["subject.hold_lifted"] = "subject.hold_lifted"
    subject: str
    by_agency: str
    reference: Reference
    at: AwareDatetime


class SubjectErased(Event):
    """The person's key and files were destroyed: what was sealed before can never be read again.

    `files` is how many versions of files were deleted.

    Rule: Law 91/2025/QH15 on Personal Data Protection: a person may ask for erasure.
    """

    type: Literal["subject.erased"] = "subject.erased"
    subject: str
    files: int
    at: AwareDatetime


SubjectEvent = Annotated[
    SubjectErasureRequested
    | SubjectErasureApproved
    | SubjectHoldSet
    | SubjectHoldLifted
    | SubjectErased,
    Field(discriminator="type"),
]
