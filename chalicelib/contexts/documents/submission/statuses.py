"""How a processing status enters the axis, as JSON, by webhook or as edXML."""

from hashlib import sha256
from typing import get_args

from chalicelib import runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.documents.domain.copy import (
    AcceptReception,
    AgreeRecall,
    AssignCopy,
    CompleteProcessing,
    Copy,
    CopyCommand,
    CopyUnknown,
    NotYourCopy,
    OpenCopy,
    RefuseRecall,
    RefuseReception,
    Report,
    RequestRecall,
    StartProcessing,
    copy,
)
from chalicelib.contexts.documents.domain.events import AnyCopyStatus, Party
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.edxml.model import StatusMessage
from chalicelib.contexts.documents.reactions import copy_id, opening
from chalicelib.contexts.documents.register import Register
from chalicelib.contexts.documents.submission.asked import StatusReport
from chalicelib.contexts.documents.submission.identities import (
    ReferenceUnreadable,
    id_of,
    named_by,
)
from chalicelib.contexts.documents.submission.orders import receipt, standing, whole
from chalicelib.contexts.documents.submission.parties import same_staff, sealed_staff
from chalicelib.handle import Done, fold, handle
from chalicelib.kernel import Invalid, Origin
from chalicelib.text import b64url
from chalicelib.working_time import HANOI


class StatusCodeUnknown(Invalid):
    """This is not a processing status that an agency reports."""

    code = "status-code-unknown"
    rule = "QCVN 102:2016/BTTTT, processing statuses 01-06, 13, 14, 15, 16"


class ReporterWrong(Invalid):
    """A status names another agency than the one that sends it."""

    code = "reporter-wrong"
    rule = "QCVN 102:2016/BTTTT: From names the agency that reports"


_COMMANDS: dict[str, type[Report]] = {
    "02": RefuseReception,
    "03": AcceptReception,
    "04": AssignCopy,
    "05": StartProcessing,
    "06": CompleteProcessing,
    "13": RequestRecall,
    # 14 was read in one system only and means what 15 means; it is taken and never sent.
    "14": AgreeRecall,
    "15": AgreeRecall,
    "16": RefuseRecall,
}


def report(
    asked: StatusReport,
    id_: str,
    receiver: str,
    agency: str,
    origin: Origin,
    *,
    claim: bool = False,
) -> Done:
    """Take a status of one receiver's copy, reported by `agency`. A repeated 01 is silent.

    Who took a receiver's place, or the sender's, reports in its stead, and so does the hub of a
    unit; what a receiver's successor registers gets a number of its own book. `claim` where the
    body, and not the address of the request, names the copy: see `handle`.

    Raises:
        Refused: see `copy.decide`; `StatusCodeUnknown`.
    """
    if asked.code != "01" and asked.code not in _COMMANDS:
        raise StatusCodeUnknown(field="code")
    register = Register(origin.at)
    opened: OpenCopy | None = None
    try:
        return _report(asked, id_, receiver, agency, origin, claim=claim)
    except CopyUnknown:
        # A quick receiver may answer before the reaction to the document has opened its copy.
        opened = _unopened(id_, receiver, origin, register)
        if opened is None:
            raise
        receiver = opened.opening.receiver
        state = copy.fold(copy.decide(opened, copy.initial))
    except NotYourCopy:  # It may speak for somebody whose it is.
        state = fold(copy, runtime.event_store().load(f"copy-{copy_id(id_, receiver)}"))
    assert state.opening is not None
    acts_for = register.acts_for(agency, state.opening.sender, state.opening.receiver)
    if opened:
        # What is refused leaves nothing behind, not even the copy that it is about.
        _refuse(asked, state, agency, acts_for, origin)
        handle(runtime.event_store(), copy, copy_id(id_, receiver), opened)
    book = register.heir(receiver) or receiver
    return _report(asked, id_, receiver, agency, origin, claim=claim, acts_for=acts_for, book=book)


def _report(
    asked: StatusReport,
    id_: str,
    receiver: str,
    agency: str,
    origin: Origin,
    *,
    claim: bool,
    acts_for: tuple[str, ...] = (),
    book: str = "",
) -> Done:
    """Put the status to the receiver's copy; `book` is whose arrival numbers it takes."""
    if asked.code == "01":
        return _noted_arrival(id_, receiver, (agency, *acts_for))
    command = _command(asked, agency, acts_for, origin)
    year = command.year if isinstance(command, AcceptReception) else None
    counter = f"arrivals-{book or receiver}-{year}" if year else None
    id_ = copy_id(id_, receiver)
    done = handle(runtime.event_store(), copy, id_, command, claim=claim, counter=counter)
    return receipt(done, *_said_by(asked.code))


def _command(
    asked: StatusReport, agency: str, acts_for: tuple[str, ...], origin: Origin
) -> CopyCommand:
    more = {"year": origin.at.astimezone(HANOI).year} if asked.code == "03" else {}
    command: CopyCommand = _COMMANDS[asked.code](  # type: ignore[assignment]
        origin=origin,
        agency=agency,
        acts_for=acts_for,
        note=asked.note,
        reported_at=asked.reported_at,
        staff=sealed_staff(agency, asked.staff),
        **more,
    )
    return command


def _refuse(
    asked: StatusReport, state: Copy, agency: str, acts_for: tuple[str, ...], origin: Origin
) -> None:
    """Refuse what the copy would refuse, and write nothing."""
    if asked.code != "01":
        copy.decide(_command(asked, agency, acts_for, origin), state)
    elif state.opening is None or state.opening.receiver not in (agency, *acts_for):
        raise NotYourCopy


def _said_by(code: str) -> list[str]:
    """The types of the events that say this status; 14 is 15."""
    said = "15" if code == "14" else code
    return [
        kind.model_fields["type"].default for kind in get_args(AnyCopyStatus) if kind.code == said
    ]


def report_edxml(message: StatusMessage, agency: str, origin: Origin) -> Done:
    """Take a status that came as edXML.

    Its From must be the reporting agency, or one in whose name it may act. 13 comes from the
    document's sender and addresses the receiver whose copy it wants back; every other status comes
    from the receiver.

    Raises:
        Refused: see `report`; `ReferenceUnreadable`, `ReporterWrong`, `EdxmlElementInvalid`.
    """
    reporter = canonical(message.from_.organ_id)
    if reporter != agency and not Register(origin.at).acts_for(agency, reporter):
        raise ReporterWrong(field="From/OrganId")
    recall = message.status_code == "13"
    answered = message.response_for
    # The document's sender names its document, and everybody else answers that sender.
    issuer = message.from_.organ_id if recall else answered.organ_id
    identity = DocumentIdentity.parse(answered.document_id) or named_by(
        issuer, answered.promulgation_date, answered.code
    )
    if identity is None:
        raise ReferenceUnreadable(field="DocumentId")
    receiver = canonical(answered.organ_id) if recall else reporter
    asked = StatusReport(
        code=message.status_code,
        note=whole(message.description, "Description"),
        reported_at=message.timestamp,
        staff=same_staff(message.staff),
    )
    return report(asked, id_of(identity), receiver, agency, origin, claim=True)


def _unopened(id_: str, receiver: str, origin: Origin, register: Register) -> OpenCopy | None:
    """What opens the receiver's copy, if the document was sent to it."""
    event = standing(id_).now
    party = _held_by(receiver, event.receivers, register) if event else None
    if event is None or party is None:
        return None
    # A command of its own: the report's id must stay free for the report.
    own = b64url(sha256(f"{origin.command_id}#open".encode()).digest())
    return OpenCopy(
        origin=origin.model_copy(update={"command_id": own, "expected": None}),
        opening=opening(event, party),
    )


def _held_by(code: str, receivers: tuple[Party, ...], register: Register) -> Party | None:
    """The receiver that is meant: the agency, who took its place, or the one whose place it took.

    Who took the place of several must say whose copy it means.
    """
    for party in receivers:
        if code in (party.code, *party.in_place_of):
            return party
    succeeded = register.succeeded(code, (party.code for party in receivers))
    if len(succeeded) > 1:
        raise CopyUnknown(f"say whose copy: {', '.join(succeeded[:10])}", field="receiver")
    return next((party for party in receivers if party.code in succeeded), None)


def _noted_arrival(id_: str, receiver: str, agencies: tuple[str, ...]) -> Done:
    """The copy as it is: the axis notes the arrival itself when it delivers."""
    stream = f"copy-{copy_id(id_, receiver)}"
    commits = runtime.event_store().load(stream)
    state = fold(copy, commits)
    if state.opening is None:
        raise CopyUnknown
    if state.opening.receiver not in agencies:
        raise NotYourCopy
    return Done(stream, len(commits))
