"""One receiver's copy of a document: from its opening to its completion, refusal or recall.

The receiver's statuses rise; they may skip steps, as its system does. A recall stands beside them:
while one is asked, nothing but its answer is taken (and the axis's own receipt, if the copy was
still on its way), and a refused recall leaves the status as it was. So does the order to give the
copy back because its document was revoked or its receiver dropped; it takes the place of a recall
that still waits. Another edition of the document stops nothing: work goes on meanwhile.

What the receiver refused (02), or an operator gave up, the sender may send again. The copy then
begins anew: statuses rise from the beginning, and its second arrival has its own time to be
received. It has used up no arrival number, as nothing that is refused is registered: the 03 after
it takes the next one. What still comes of the sending before, by the axis, is passed over.
"""

from datetime import timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from chalicelib.contexts.documents.domain.document import (
    DocumentWasRevoked,
    NotAReceiver,
    NotTheSender,
    ReasonMissing,
    ReceiverLocked,
    ReceiverUnknown,
    SenderAct,
    SenderLocked,
)
from chalicelib.contexts.documents.domain.events import (
    ABANDONED,
    AnyCopyEvent,
    AnyCopyStatus,
    Change,
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
    StaffContact,
    Undelivered,
    has_arrived,
)
from chalicelib.kernel import Command, Conflict, Decider, Forbidden, NotFound, Value
from chalicelib.privacy.personal import Personal
from chalicelib.working_time import HANOI, Calendar

REASON_CHARS = 1_000
"""How long a reason may be."""

Status = Literal[
    "absent",
    "opened",
    "arrived",
    "received",
    "assigned",
    "processing",
    "completed",
    "reception_refused",
    "recalled",
    "revoked",
    "removed",
]
RISING: tuple[Status, ...] = (
    "absent",
    "opened",
    "arrived",
    "received",
    "assigned",
    "processing",
    "completed",
)
CODES: dict[Status, str] = {
    "arrived": "01",
    "reception_refused": "02",
    "received": "03",
    "assigned": "04",
    "processing": "05",
    "completed": "06",
    "recalled": "15",
    "revoked": "15",
    "removed": "15",
}
GIVEN_BACK: dict[Change, Status] = {"revocation": "revoked", "removal": "removed"}
"""Where a copy ends whose receiver agrees to give it back."""
ENDED: frozenset[Status] = frozenset({"reception_refused", "recalled", *GIVEN_BACK.values()})
"""The receiver no longer has the copy."""


class Opening(Value):
    """What a copy is a copy of, and between whom."""

    document: str
    sender: str
    receiver: str
    urgent: bool
    reference: str
    subject: str
    sender_as_given: str
    receiver_as_given: str


class OpenCopy(Command):
    """A document was sent: its receiver has a copy from now on."""

    opening: Opening


class ReceptionTerms(Value):
    """How long a receiver has for a copy that arrived, in the working time of `calendar`.

    Until the end of the next working day; of an urgent one `urgent_minutes`.

    Rule: Decree 30/2020/NĐ-CP, art. 23. It says "at once" of what is urgent and gives no number:
    the minutes are the deployment's.
    """

    calendar: Calendar = Field(default_factory=Calendar)
    urgent_minutes: int = Field(default=60, gt=0)

    def due(self, arrived_at: AwareDatetime, *, urgent: bool) -> AwareDatetime:
        """The last moment to act on a copy (UTC)."""
        if urgent:
            return self.calendar.add(arrived_at, timedelta(minutes=self.urgent_minutes))
        day = self.calendar.next_working_day(arrived_at.astimezone(HANOI).date())
        return self.calendar.end_of_day(day)


class NoteArrival(Command):
    """The receiver's system has taken the message. Opens the copy if that has not happened yet.

    `resending` is the one whose message it is; 0: the first sending, which brings an `opening`.
    """

    opening: Opening | None = None
    terms: ReceptionTerms
    resending: int = 0


class NoteReceptionOverdue(Command):
    """The time to receive the copy has passed, if it has."""


class NoteDeliveryRefused(Command):
    """The receiver's system will not take a message of the sender's, for a reason (a public code).

    `opening` and `resending` come with the document itself, as in `NoteArrival`.
    """

    undelivered: Undelivered
    reason: str
    opening: Opening | None = None
    resending: int = 0


class Report(Command):
    """What every status report brings; `agency` reports it.

    `acts_for` are the others in whose name it may: those whose place it took, units below it.
    """

    agency: str
    acts_for: tuple[str, ...] = ()
    note: str = Field(default="", max_length=REASON_CHARS)
    reported_at: AwareDatetime | None = None
    staff: Personal[StaffContact] | None = None

    def speaks_for(self, code: str) -> bool:
        """Whether it may be reported in this agency's name."""
        return code in (self.agency, *self.acts_for)


class RefuseReception(Report):
    """Status 02, with a reason."""


class AcceptReception(Report):
    """Status 03: registered in the book, as arrival `number` of `year`."""

    number: int | None = None
    year: int | None = None


class AssignCopy(Report):
    """Status 04."""


class StartProcessing(Report):
    """Status 05."""


class CompleteProcessing(Report):
    """Status 06."""


class RequestRecall(Report):
    """Status 13, by the sender."""


class AgreeRecall(Report):
    """Status 15 (or 14)."""


class RefuseRecall(Report):
    """Status 16, with a reason."""


class OrderChange(Command):
    """The sender's order about the document, as far as it concerns this copy."""

    change: Change
    edition: int = 0
    note: str = ""
    staff: Personal[StaffContact] | None = None


class ResendCopy(SenderAct):
    """Send the document again to a receiver that has not taken it.

    `about` is the version of the document (`stream@number`) as which it is sent, of edition
    `edition` under this `subject`. It may have been `dropped` from the receivers since, or the
    document `revoked` from it. `strangers` and `locked` have the receiver's code if nobody answers
    for it on that day, and if the system of who does is locked.
    """

    about: str
    edition: int
    subject: str
    dropped: bool = False
    revoked: bool = False


Progress = AcceptReception | AssignCopy | StartProcessing | CompleteProcessing
CopyCommand = (
    OpenCopy
    | NoteArrival
    | NoteReceptionOverdue
    | NoteDeliveryRefused
    | RefuseReception
    | Progress
    | RequestRecall
    | ResendCopy
    | OrderChange
    | AgreeRecall
    | RefuseRecall
)
"""Everything that can be asked of a copy."""


class Copy(Value):
    """How far the copy has come, whether its sender wants it back, and which order waits.

    `settled` is the answer to the last order that was answered, `edition` the last one ordered,
    `arrival` the number and the year under which the receiver registered it. `undelivered` is what
    the receiver's system would not take last, and why, until it is seen to have arrived after all.
    `due_at` is the last moment to receive it, `overdue` whether that passed, as has been said.
    `resendings` counts how often it was sent again; `given_up`: an operator gave up the last time.
    """

    status: Status = "absent"
    recall: Literal["none", "asked", "refused"] = "none"
    change: Change | None = None
    edition: int = 0
    arrival: tuple[int, int] | None = None
    settled: Literal["none", "agreed", "refused"] = "none"
    undelivered: CopyDeliveryRefused | None = None
    opening: Opening | None = None
    due_at: AwareDatetime | None = None
    overdue: bool = False
    resendings: int = 0
    given_up: bool = False

    @property
    def not_taken(self) -> bool:
        """Whether the receiver never will have the copy, unless it is sent again."""
        return self.status == "reception_refused" or (self.status == "opened" and self.given_up)

    @property
    def asked_back(self) -> bool:
        """Whether the sender waits for the copy to come back."""
        return self.recall == "asked" or self.change in GIVEN_BACK


class CopyUnknown(NotFound):
    """This agency never was a receiver of this document."""

    code = "copy-unknown"
    rule = "QCVN 102:2016/BTTTT: a status answers a document that was sent"


class NotYourCopy(Forbidden):
    """Only the receiver reports on its copy, and only the sender asks for it back."""

    code = "not-your-copy"
    rule = (
        "QCVN 102:2016/BTTTT, processing statuses: 01-06, 15, 16 by the receiver, 13 by the sender"
    )


class StatusGoesBack(Conflict):
    """A copy's status rises; this one lies behind what was already reported."""

    code = "status-goes-back"
    rule = "QCVN 102:2016/BTTTT, processing statuses 01 to 06"


class ReceptionWasRefused(Conflict):
    """The receiver has refused this copy; only sending it again changes that."""

    code = "reception-was-refused"
    rule = "QCVN 102:2016/BTTTT, processing status 02"


class CopyNotRefused(Conflict):
    """Only what its receiver refused (02), or an operator gave up, can be sent again."""

    code = "copy-not-refused"
    rule = "QCVN 102:2016/BTTTT, processing status 02"


class CopyWasRecalled(Conflict):
    """The copy went back to its sender."""

    code = "copy-was-recalled"
    rule = "Decision 28/2018/QĐ-TTg: a recalled document is removed by its receiver"


class RecallPending(Conflict):
    """The sender asks for the copy back: answer that first, with 15 or 16."""

    code = "recall-pending"
    rule = "QCVN 102:2016/BTTTT, processing statuses 13, 15, 16"


class NoRecallPending(Conflict):
    """Nobody asks for this copy back, and no order waits for an answer."""

    code = "no-recall-pending"
    rule = "QCVN 102:2016/BTTTT, processing statuses 13, 15, 16"


def decide(command: CopyCommand, state: Copy) -> list[AnyCopyEvent]:
    """The events `command` causes; none if it has already had its effect.

    Raises:
        CopyUnknown: the copy was never opened.
        NotYourCopy: the wrong agency reports.
        ReasonMissing: statuses 02 and 16 without a note.
        StatusGoesBack, ReceptionWasRefused, CopyWasRecalled, RecallPending, NoRecallPending: the
            state table does not allow it.
        NotTheSender, SenderLocked, CopyNotRefused, CopyWasRecalled, RecallPending, NotAReceiver,
            DocumentWasRevoked, ReceiverUnknown, ReceiverLocked: nothing is sent again.
    """
    answer = _answer(command, state)
    if answer or isinstance(command, NoteReceptionOverdue):
        # Said before anything else happens, so that it is said whether or not somebody watched.
        return [*_overdue(command, state), *answer]
    return []


def _answer(command: CopyCommand, state: Copy) -> list[AnyCopyEvent]:
    match command:
        case OpenCopy():
            return [_opened(command.at, command.opening)] if state.status == "absent" else []
        case NoteArrival():
            return _arrival(command, state)
        case NoteReceptionOverdue():
            return []
        case NoteDeliveryRefused():
            return _undelivered(command, state)
        case RefuseReception():
            return _refusal(command, state)
        case AcceptReception() | AssignCopy() | StartProcessing() | CompleteProcessing():
            return _progress(command, state)
        case RequestRecall():
            return _recall(command, state)
        case ResendCopy():
            return _resending(command, state)
        case OrderChange():
            return _order(command, state)
        case AgreeRecall() | RefuseRecall():
            return _recall_answer(command, state)


def _opened(at: AwareDatetime, opening: Opening) -> CopyOpened:
    return CopyOpened(at=at, **opening.model_dump())


def _arrival(command: NoteArrival, state: Copy) -> list[AnyCopyEvent]:
    opening = state.opening or command.opening
    if opening is None:
        raise CopyUnknown
    due_at = command.terms.due(command.at, urgent=opening.urgent)
    arrived = CopyArrived(at=command.at, due_at=due_at, **_between(opening))
    if state.status == "absent":
        return [_opened(command.at, opening), arrived]
    # What was sent before it was sent again may come by once more, as after a rewind.
    late = command.resending != state.resendings
    return [arrived] if state.status == "opened" and not late else []


def _undelivered(command: NoteDeliveryRefused, state: Copy) -> list[AnyCopyEvent]:
    opening = state.opening or command.opening
    if opening is None:
        raise CopyUnknown
    late = command.resending != state.resendings
    waits = {
        "document": state.status in {"absent", "opened"} and not late,
        "order": state.change is not None,
        "recall": state.recall == "asked",
    }
    refused = CopyDeliveryRefused(
        undelivered=command.undelivered,
        about=command.origin.causation,
        reason=command.reason,
        at=command.at,
        **_between(opening),
    )
    known = state.undelivered and state.undelivered.model_copy(update={"at": command.at})
    # What was answered by another road has arrived, whatever became of this message.
    if known == refused or not waits[command.undelivered]:
        return []
    if state.status == "absent":
        return [_opened(command.at, opening), refused]
    return [refused]


def _overdue(command: CopyCommand, state: Copy) -> list[AnyCopyEvent]:
    """That it is late, if it is and nobody has said so. Who is asked for it back need not act."""
    if state.opening is None or state.due_at is None or command.at <= state.due_at:
        return []
    if state.status != "arrived" or state.asked_back or state.overdue:
        return []
    between = _between(state.opening)
    return [CopyReceptionOverdue(at=command.at, due_at=state.due_at, **between)]


def _refusal(command: RefuseReception, state: Copy) -> list[AnyCopyEvent]:
    opening = _receivers(command, state)
    if state.status == "reception_refused":
        return []
    if state.status in ENDED:
        raise CopyWasRecalled
    if state.asked_back:
        raise RecallPending
    if state.status not in {"opened", "arrived"}:
        raise StatusGoesBack(f"the copy is {state.status}; it can no longer be refused")
    return [_status(CopyReceptionRefused, command, opening, reason=True)]


_PROGRESS: dict[type[Command], tuple[Status, type[AnyCopyStatus]]] = {
    AcceptReception: ("received", CopyReceived),
    AssignCopy: ("assigned", CopyAssigned),
    StartProcessing: ("processing", CopyProcessingStarted),
    CompleteProcessing: ("completed", CopyCompleted),
}


def _progress(command: Progress, state: Copy) -> list[AnyCopyEvent]:
    opening = _receivers(command, state)
    status, event = _PROGRESS[type(command)]
    if state.status == status:
        return []
    if state.status == "reception_refused":
        raise ReceptionWasRefused
    if state.status in ENDED:
        raise CopyWasRecalled
    if state.asked_back:
        raise RecallPending
    if RISING.index(status) < RISING.index(state.status):
        raise StatusGoesBack(f"the copy is {state.status} already")
    more: dict[str, Any] = {}
    if isinstance(command, AcceptReception):
        more = {"arrival_number": command.number, "arrival_year": command.year}
    return [_status(event, command, opening, **more)]


def _recall(command: RequestRecall, state: Copy) -> list[AnyCopyEvent]:
    opening = _known(state)
    if not command.speaks_for(opening.sender):
        raise NotYourCopy
    if state.status == "reception_refused":
        raise ReceptionWasRefused
    if state.status in ENDED or state.asked_back:
        return []
    return [_status(CopyRecallRequested, command, opening)]


def _resending(command: ResendCopy, state: Copy) -> list[AnyCopyEvent]:
    opening = _known(state)
    if not command.speaks_for(opening.sender):
        raise NotTheSender
    if command.agency in command.locked:
        raise SenderLocked
    if not state.not_taken:
        if state.status in ENDED:
            raise CopyWasRecalled
        if state.resendings:
            return []
        raise CopyNotRefused
    if state.asked_back:
        raise RecallPending
    if command.dropped:
        raise NotAReceiver(f"{opening.receiver} was dropped", field="receiver")
    if command.revoked:
        raise DocumentWasRevoked(f"it was ordered back from {opening.receiver}")
    if opening.receiver in command.strangers:
        raise ReceiverUnknown(f"nobody answers for {opening.receiver}", field="receiver")
    if opening.receiver in command.locked:
        raise ReceiverLocked(f"{opening.receiver} is locked", field="receiver")
    return [
        CopyResent(
            number=state.resendings + 1,
            about=command.about,
            edition=command.edition,
            subject=command.subject,
            at=command.at,
            **_between(opening),
        )
    ]


def _order(command: OrderChange, state: Copy) -> list[AnyCopyEvent]:
    opening = _known(state)
    if state.status in ENDED:
        return []
    if command.change == "amendment":
        # What is to be given back needs no other edition.
        known = command.edition <= state.edition or state.change in GIVEN_BACK
    else:
        known = state.change == command.change
    if known:
        return []
    event = CopyChangeOrdered(
        change=command.change,
        edition=command.edition,
        note=command.note,
        staff=command.staff,
        at=command.at,
        **_between(opening),
    )
    return [event]


def _recall_answer(command: AgreeRecall | RefuseRecall, state: Copy) -> list[AnyCopyEvent]:
    opening = _receivers(command, state)
    agreed = isinstance(command, AgreeRecall)
    # One answer answers all that waits, or its repetition would answer the rest.
    answers: list[AnyCopyEvent] = []
    if state.recall == "asked":
        event = CopyRecallAgreed if agreed else CopyRecallRefused
        answers.append(_status(event, command, opening, reason=not agreed))
    if state.change is not None and not (answers and agreed):
        change = CopyChangeAgreed if agreed else CopyChangeRefused
        answers.append(_status(change, command, opening, reason=not agreed, change=state.change))
    if answers:
        return answers
    ended = state.status in ENDED and state.status != "reception_refused"
    if agreed and (ended or state.settled == "agreed"):
        return []
    if not agreed and "refused" in {state.recall, state.settled} and not ended:
        return []
    raise CopyWasRecalled if ended else NoRecallPending


def _known(state: Copy) -> Opening:
    if state.opening is None:
        raise CopyUnknown
    return state.opening


def _receivers(command: Report, state: Copy) -> Opening:
    opening = _known(state)
    if not command.speaks_for(opening.receiver):
        raise NotYourCopy
    return opening


def _between(opening: Opening) -> dict[str, Any]:
    return opening.model_dump(include={"document", "sender", "receiver", "urgent"})


def _status(
    event: type[AnyCopyStatus],
    command: Report,
    opening: Opening,
    *,
    reason: bool = False,
    **more: Any,
) -> AnyCopyStatus:
    if reason and not command.note.strip():
        raise ReasonMissing(field="note")
    return event(
        at=command.at,
        note=command.note,
        reported_at=command.reported_at,
        staff=command.staff,
        **_between(opening),
        **more,
    )


def evolve(state: Copy, event: AnyCopyEvent) -> Copy:
    """The copy after `event`."""
    after = _evolve(state, event)
    if state.undelivered and has_arrived(state.undelivered.undelivered, event):
        return after.model_copy(update={"undelivered": None})
    return after


def _evolve(state: Copy, event: AnyCopyEvent) -> Copy:  # noqa: C901, PLR0911, PLR0912 -- a row each.
    match event:
        case CopyOpened():
            fields = Opening.model_fields.keys()
            return Copy(status="opened", opening=Opening(**event.model_dump(include=set(fields))))
        case CopyArrived():
            return _moved(state, "arrived").model_copy(update={"due_at": event.due_at})
        case CopyReceptionOverdue():
            return state.model_copy(update={"overdue": True})
        case CopyResent():
            return _anew(state, event)
        case CopyDeliveryRefused():
            gone = event.undelivered == "document" and event.reason == ABANDONED
            refused = {"undelivered": event, "given_up": state.given_up or gone}
            return state.model_copy(update=refused)
        case CopyReceptionRefused():
            return _moved(state, "reception_refused").model_copy(update={"change": None})
        case CopyReceived():
            arrival = (event.arrival_number, event.arrival_year)
            known = {"arrival": None if None in arrival else arrival}
            return _moved(state, "received").model_copy(update=known)
        case CopyAssigned():
            return _moved(state, "assigned")
        case CopyProcessingStarted():
            return _moved(state, "processing")
        case CopyCompleted():
            return _moved(state, "completed")
        case CopyRecallRequested() | CopyRecallRefused():
            asked = isinstance(event, CopyRecallRequested)
            return state.model_copy(update={"recall": "asked" if asked else "refused"})
        case CopyRecallAgreed():
            return state.model_copy(update={"status": "recalled", "recall": "none", "change": None})
        case CopyChangeOrdered():
            # To give it back is ordered: a recall that waits is answered with that.
            recall = "none" if event.change in GIVEN_BACK else state.recall
            edition = max(state.edition, event.edition)
            ordered = {"change": event.change, "edition": edition, "settled": "none"}
            return state.model_copy(update=ordered | {"recall": recall})
        case CopyChangeAgreed():
            status = GIVEN_BACK.get(event.change, state.status)
            return state.model_copy(update={"status": status, "change": None, "settled": "agreed"})
        case CopyChangeRefused():
            return state.model_copy(update={"change": None, "settled": "refused"})


def _anew(state: Copy, event: CopyResent) -> Copy:
    """The copy that is sent again; an order that waits for its answer still does."""
    again = {
        "status": "opened",
        "opening": state.opening and state.opening.model_copy(update={"subject": event.subject}),
        "edition": event.edition,
        "due_at": None,
        "overdue": False,
        "resendings": event.number,
        "given_up": False,
    }
    return state.model_copy(update=again)


def _moved(state: Copy, status: Status) -> Copy:
    return state.model_copy(update={"status": status})


copy = Decider("copy", AnyCopyEvent, Copy(), decide, evolve)
