"""What callers say of dossiers: the fields of requests, with their bounds. Never a command."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from chalicelib.agency_code import CanonicalCode
from chalicelib.contexts.dossiers.domain.events import (
    Access,
    ApplicantKind,
    Channel,
    CopyKind,
    Dong,
    FeeKind,
    Line,
    Name,
    ReturnMeans,
)
from chalicelib.contexts.dossiers.domain.procedure import MAX_PARTS, Code
from chalicelib.kernel import Value
from chalicelib.working_time import Moment

MAX_NOTE = 2_000
"""Characters of a reason, a question, an address."""
MAX_ANSWERS = 500
"""Fields of a form."""
MAX_ASKED = 20
"""Agencies consulted at once."""
MAX_RESULTS = 50
Note = Annotated[str, Field(max_length=MAX_NOTE)]
Short = Annotated[str, Field(max_length=200)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9]{26}$")]
Officer = Annotated[str, Field(pattern=r"^[\x21-\x7e]{0,128}$")]
"""An officer's opaque identifier."""


class NewFile(Value):
    """A file that is uploaded, by its digest."""

    media_type: str = Field(pattern=r"^[\w.+-]{1,60}/[\w.+-]{1,80}$")
    size: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Handed(Value):
    """A component: on paper, as a file, or digitised before (the id of that)."""

    code: Name
    kind: CopyKind
    file: NewFile | None = None
    digitised: Id | None = None


class NewApplicant(Value):
    """Who asks, as entered."""

    name: Line
    identity_number: Short = ""
    address: Note = ""


class NewContact(Value):
    """How they are reached, and how they want to hear."""

    email: Short = ""
    phone: Short = ""
    address: Note = ""
    webhook: Note = ""
    notify: Literal["none", "email", "sms", "webhook"] = "none"

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        address = {"email": self.email, "sms": self.phone, "webhook": self.webhook}
        if not address.get(self.notify, "none"):
            raise ValueError(f"To be told by {self.notify} needs an address for it")
        return self


class NewAnswers(Value):
    """A filled-in form."""

    subject_matter: Note = ""
    fields: dict[str, Any] = Field(default_factory=dict, max_length=MAX_ANSWERS)


class NewDossier(Value):
    """A dossier to file. A desk says how it came (`channel`) and may name the applicant's account.

    `account` is the token subject by which the applicant will look at the dossier online.
    """

    procedure: Code
    receiver: CanonicalCode | None = None
    channel: Channel | None = None
    access: Access | None = None
    account: str = Field(default="", pattern=r"^[\x21-\x7e]{0,128}$")
    applicant_kind: ApplicantKind = "citizen"
    applicant: NewApplicant
    contact: NewContact = NewContact()
    answers: NewAnswers = NewAnswers()
    components: tuple[Handed, ...] = Field(default=(), max_length=MAX_PARTS)
    consents: tuple[Id, ...] = Field(default=(), max_length=MAX_PARTS)
    wanted: ReturnMeans = "desk"
    language: Literal["vi", "en"] = "vi"


class Supplement(Value):
    """What was asked for."""

    components: tuple[Handed, ...] = Field(default=(), max_length=MAX_PARTS)
    answers: NewAnswers | None = None
    consents: tuple[Id, ...] = Field(default=(), max_length=MAX_PARTS)


class Acceptance(Value):
    """The receipt's number, if it is not the dossier's code, and who takes the first step."""

    receipt: Short = ""
    officer: Officer = ""


class Nothing(Value):
    """A wish that says all by its route."""


class Reason(Value):
    """Why; it is about a person and is kept as such."""

    reason: Line


class SupplementRequest(Value):
    """Components, or what the reason says; `until` is the last moment for it."""

    components: tuple[Name, ...] = Field(default=(), max_length=MAX_PARTS)
    reason: Line
    until: Moment | None = None


class Forwarding(Value):
    """From which step to which; whose it becomes, if not as the procedure says."""

    step: str = Field(max_length=63)
    to: Name
    to_agency: CanonicalCode | None = None
    to_unit: Name | None = None
    officer: Officer = ""


class Return(Forwarding):
    """The same, with the reason."""

    reason: Line


class Assignment(Value):
    """Whose the present step becomes."""

    to_agency: CanonicalCode | None = None
    to_unit: Name | None = None
    officer: Officer = ""


class Consultation(Value):
    """Whom to ask, and what; the question is printed in a document and names nobody."""

    asked: tuple[CanonicalCode, ...] = Field(min_length=1, max_length=MAX_ASKED)
    question: str = Field(min_length=1, max_length=MAX_NOTE)


class NewLine(Value):
    """A line of what the applicant owes."""

    code: Name
    name: Line
    kind: FeeKind
    amount: Dong


class Obligation(Value):
    """What the applicant owes."""

    lines: tuple[NewLine, ...] = Field(min_length=1, max_length=100)


class Fulfilment(Value):
    """The desk took the money, or it need not be paid. What is paid online says so itself."""

    means: Literal["desk", "waived"]
    reference: Short = ""


class Extension(Value):
    """How much more working time, and why."""

    hours: int = Field(ge=1, le=5_000)
    reason: Line


class NewResult(Value):
    """A paper that answers the dossier; it gets a code unless it has one."""

    code: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?$")
    name: Line
    file: NewFile | None = None


class Completion(Value):
    """How it was decided, and the papers that say so."""

    outcome: Literal["granted", "declined"] = "granted"
    results: tuple[NewResult, ...] = Field(default=(), max_length=MAX_RESULTS)


class Correction(Value):
    """The corrected papers."""

    results: tuple[NewResult, ...] = Field(min_length=1, max_length=MAX_RESULTS)


class Handover(Value):
    """How the applicant got the result; the consignment's number if it was posted."""

    means: ReturnMeans
    reference: Short = ""


class Digitised(Value):
    """A paper of the applicant, digitised to be used again."""

    code: Name
    file: NewFile
    expires_on: date | None = None
