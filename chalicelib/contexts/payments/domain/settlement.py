"""One provider's day: its file is read, compared with our books, differences decided, closed.

A day is a stream. What agrees leaves no event of its own: a chunk of the file has one, and so has
each difference. What a stale run of the comparison brings, after another file came, is passed over.
"""

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from chalicelib.contexts.payments.domain.events import (
    Decision,
    Discrepancy,
    Dong,
    Settled,
    SettlementChunkRead,
    SettlementDayClosed,
    SettlementDiscrepancyFound,
    SettlementDiscrepancyResolved,
    SettlementEvents,
    SettlementFileCompared,
    SettlementFileReceived,
    SettlementFileRefused,
    Tally,
    Text,
)
from chalicelib.kernel import Command, Conflict, Decider, Invalid, NotFound, Value
from chalicelib.working_time import HANOI

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[Text, StringConstraints(min_length=1)]
SettlementStatus = Literal["received", "refused", "compared", "closed"]
_IDENTITY = ("line", "reference", "kind", "ours", "theirs", "our_status", "their_status")
_ID_CHARS = 20
MAX_NOTED = 4_000
"""Differences that all runs of a comparison may note together."""


class SettlementCommand(Command):
    """A wish about the settlement of one provider's day."""

    provider: str
    on: date


class ReceiveFile(SettlementCommand):
    """Read this file of the day. `again`: compare it once more, though it was compared."""

    sha256: Digest
    name: Name
    size: Annotated[int, Field(ge=1)]
    again: bool = False


class Chunk(Value):
    """A part of the file that was read: its lines, their sum in đồng, the digest of its bytes."""

    number: int
    lines: int
    amount: Dong
    sha256: Digest


class NoteChunks(SettlementCommand):
    """So much of file `sha256` was read."""

    sha256: Digest
    chunks: tuple[Chunk, ...]


class RefuseFile(SettlementCommand):
    """File `sha256` cannot be used: `why`, at `line`."""

    sha256: Digest
    line: int
    why: Text


class NoteDiscrepancies(SettlementCommand):
    """These lines of file `sha256` differ from our books."""

    sha256: Digest
    found: tuple[Discrepancy, ...]


class ConcludeComparison(SettlementCommand):
    """File `sha256` was compared, all of it, with our books as of `as_of`.

    `found` are the ids of the differences that this run found, in order.
    """

    sha256: Digest
    lines: int
    amount: Dong
    tallies: tuple[Tally, ...]
    as_of: int
    found: tuple[str, ...]


class ResolveDiscrepancy(SettlementCommand):
    """Decide what a discrepancy is, and say why."""

    discrepancy: str
    decision: Decision
    note: Name


class CloseDay(SettlementCommand):
    """Let the day stand as it is. Our books of it last moved at history position `moved`."""

    moved: int = 0


AnySettlementCommand = (
    ReceiveFile
    | NoteChunks
    | RefuseFile
    | NoteDiscrepancies
    | ConcludeComparison
    | ResolveDiscrepancy
    | CloseDay
)
"""Everything that can be asked of a day."""


class Resolution(Value):
    """What was decided of a discrepancy, why, and by whom."""

    decision: Decision
    note: str
    by: str


class Settlement(Value):
    """A day so far: its file, what was read of it, what differs, what was decided."""

    status: SettlementStatus | Literal["absent"] = "absent"
    sha256: str = ""
    name: str = ""
    size: int = 0
    chunks: dict[int, Chunk] = Field(default_factory=dict)
    lines: int = 0
    amount: int = 0
    why: str = ""
    line: int = 0
    found: dict[str, Discrepancy] = Field(default_factory=dict)
    resolved: dict[str, Resolution] = Field(default_factory=dict)
    tallies: tuple[Tally, ...] = ()
    as_of: int = 0

    @property
    def read(self) -> int:
        """Lines of the file that were read so far."""
        return sum(chunk.lines for chunk in self.chunks.values())

    @property
    def open(self) -> list[Discrepancy]:
        """The discrepancies that nobody has decided."""
        return [one for id_, one in self.found.items() if id_ not in self.resolved]


class DayClosed(Conflict):
    """The day is closed, and a closed day is not opened again."""

    code = "settlement-day-closed"
    rule = "Đối soát: a closed day is immutable"


class DayAhead(Invalid):
    """A day that has not begun has no file."""

    code = "settlement-day-ahead"
    rule = "Đối soát: a file is of a day that was"


class ComparisonOutdated(Conflict):
    """Our books of the day have moved since it was compared: compare it again."""

    code = "settlement-comparison-outdated"
    rule = "Đối soát: what is closed is what was compared"


class NotCompared(Conflict):
    """The day's file has not been compared yet."""

    code = "settlement-not-compared"
    rule = "Đối soát: a day is compared before it is decided on"


class DiscrepanciesOpen(Conflict):
    """There are discrepancies that nobody has decided."""

    code = "discrepancies-open"
    rule = "Đối soát: a day is closed when each difference has its decision"


class DiscrepancyUnknown(NotFound):
    """The day has no such discrepancy."""

    code = "discrepancy-unknown"
    rule = "Đối soát: decisions are about differences that were found"


class DecisionDoesNotFit(Invalid):
    """Only what we do not know is none of ours; what we correct or hold open is not given up."""

    code = "decision-does-not-fit"
    rule = "Đối soát: `not_ours` is for unknown lines, `written_off` for what is lost"


def settlement_id(provider: str, on: date) -> str:
    """The id of a provider's day: `vnpay.2026-01-02`."""
    return f"{provider}.{on.isoformat()}"


def discrepancy_id(provider: str, on: date, found: Mapping[str, Any]) -> str:
    """The name of a difference: the same whenever the same is found, another if it has changed."""
    about = (found.get(name, "") for name in _IDENTITY)
    said = "\n".join((provider, on.isoformat(), *map(str, about)))
    return sha256(said.encode()).hexdigest()[:_ID_CHARS]


def decide(command: AnySettlementCommand, state: Settlement) -> list[SettlementEvents]:
    """The events `command` causes; none if it has already had its effect, or comes too late.

    Raises:
        DayClosed, DayAhead: the day is closed, or has not begun.
        NotCompared, DiscrepancyUnknown, DecisionDoesNotFit: there is nothing to decide so.
        DiscrepanciesOpen, ComparisonOutdated: the day cannot be closed yet.
    """
    match command:
        case ReceiveFile():
            return _receive(command, state)
        case ResolveDiscrepancy():
            return _resolve(command, state)
        case CloseDay():
            return _close(command, state)
        case _ if state.status != "received" or command.sha256 != state.sha256:
            return []  # Another file came meanwhile, or another run was faster.
        case NoteChunks():
            said = _about(command)
            return [
                SettlementChunkRead(**said, **chunk.model_dump())
                for chunk in command.chunks
                if chunk.number not in state.chunks
            ]
        case RefuseFile():
            return _refuse(command, command.sha256, command.line, command.why)
        case NoteDiscrepancies():
            return _note(command, state)
        case ConcludeComparison():
            return _conclude(command, state)


def _about(command: SettlementCommand) -> dict[str, Any]:
    return {"provider": command.provider, "on": command.on, "at": command.at}


def _receive(command: ReceiveFile, state: Settlement) -> list[SettlementEvents]:
    if command.on > command.at.astimezone(HANOI).date():
        raise DayAhead
    same = command.sha256 == state.sha256
    if state.status == "closed" and not same:
        raise DayClosed
    done = state.status == "closed" or (state.status == "compared" and not command.again)
    if same and (done or state.status == "received"):
        return []
    said = command.model_dump(include={"provider", "on", "sha256", "name", "size"})
    return [SettlementFileReceived(at=command.at, by=command.origin.actor, **said)]


def _refuse(command: SettlementCommand, file: str, line: int, why: str) -> list[SettlementEvents]:
    return [SettlementFileRefused(**_about(command), sha256=file, line=line, why=why)]


def _note(command: NoteDiscrepancies, state: Settlement) -> list[SettlementEvents]:
    new = [one for one in command.found if one.id not in state.found]
    if len(state.found) + len(new) > MAX_NOTED:
        return _refuse(command, command.sha256, 0, "our books kept moving: compare it once more")
    return [SettlementDiscrepancyFound(**_about(command), discrepancy=one) for one in new]


def _conclude(command: ConcludeComparison, state: Settlement) -> list[SettlementEvents]:
    """What counts is what this run found, as it is what its tallies leave out."""
    found = set(command.found)
    if not found <= state.found.keys():
        return []  # It began before the file was to be compared once more.
    names = {"sha256", "lines", "amount", "as_of"}
    return [
        SettlementFileCompared(
            **_about(command),
            **command.model_dump(include=names),
            discrepancies=len(found),
            tallies=command.tallies,
            stale=tuple(sorted(state.found.keys() - found)),
        )
    ]


def _resolve(command: ResolveDiscrepancy, state: Settlement) -> list[SettlementEvents]:
    known = state.resolved.get(command.discrepancy)
    if known and (known.decision, known.note) == (command.decision, command.note):
        return []
    if state.status == "closed":
        raise DayClosed
    if state.status != "compared":
        raise NotCompared
    found = state.found.get(command.discrepancy)
    if found is None:
        raise DiscrepancyUnknown(field="discrepancy_id")
    # What we correct has happened, or is about to; what is open may: neither can be lost as well.
    moves = found.our_status == "open" or (known and known.decision == "we_correct")
    wrong = {"not_ours": found.payment, "written_off": moves}
    if wrong.get(command.decision):
        raise DecisionDoesNotFit(field="/decision")
    decision, note, by = command.decision, command.note, command.origin.actor
    return [
        SettlementDiscrepancyResolved(
            **_about(command), discrepancy=found, decision=decision, note=note, by=by
        )
    ]


def _close(command: CloseDay, state: Settlement) -> list[SettlementEvents]:
    if state.status == "closed":
        return []
    if state.status != "compared":
        raise NotCompared
    if missing := len(state.open):
        raise DiscrepanciesOpen(f"{missing} discrepancies have no decision")
    if command.moved > state.as_of:
        raise ComparisonOutdated
    settled = _settled(state)
    return [SettlementDayClosed(**_about(command), settled=settled, by=command.origin.actor)]


def _settled(state: Settlement) -> tuple[Settled, ...]:
    """What the day settles, agency by agency: what agrees, and what was decided of the rest."""
    sums = {one.agency: Settled(**one.model_dump(exclude={"matched"})) for one in state.tallies}
    for id_, found in state.found.items():
        decision = state.resolved[id_].decision
        moved = found.theirs if found.their_status == "done" else 0
        owed = found.ours if found.our_status == "done" else 0
        if decision == "not_ours":
            continue
        so_far = sums.get(found.agency, Settled(agency=found.agency))
        lost = owed - moved if decision == "written_off" else 0
        change: dict[str, int] = {"fees": so_far.fees + (found.fee if moved else 0)}
        if found.line == "payment":
            change |= {
                "payments": so_far.payments + moved,
                "written_off": so_far.written_off + lost,
            }
        else:
            change |= {
                "refunds": so_far.refunds + moved,
                "written_off": so_far.written_off - lost,
            }
        # Validated: a sum that cannot be read back is not written.
        sums[found.agency] = Settled(**{**so_far.model_dump(), **change})
    return tuple(sums[agency] for agency in sorted(sums))


def evolve(state: Settlement, event: SettlementEvents) -> Settlement:
    """The day after `event`."""
    match event:
        case SettlementFileReceived():
            # Decisions on differences that are found again keep their force.
            return Settlement(
                status="received",
                sha256=event.sha256,
                name=event.name,
                size=event.size,
                resolved=state.resolved,
            )
        case SettlementChunkRead():
            chunk = Chunk(**event.model_dump(include=set(Chunk.model_fields)))
            return state.model_copy(update={"chunks": {**state.chunks, chunk.number: chunk}})
        case SettlementFileRefused():
            told = {"status": "refused", "why": event.why, "line": event.line, "found": {}}
            return state.model_copy(update=told)
        case SettlementDiscrepancyFound():
            one = event.discrepancy
            return state.model_copy(update={"found": {**state.found, one.id: one}})
        case SettlementFileCompared():
            names = {"lines", "amount", "as_of"}
            stale = set(event.stale)
            found = {id_: one for id_, one in state.found.items() if id_ not in stale}
            told = {"status": "compared", "tallies": event.tallies, "found": found}
            return state.model_copy(update=told | event.model_dump(include=names))
        case SettlementDiscrepancyResolved():
            said = Resolution(**event.model_dump(include=set(Resolution.model_fields)))
            return state.model_copy(
                update={"resolved": {**state.resolved, event.discrepancy.id: said}}
            )
        case SettlementDayClosed():
            return state.model_copy(update={"status": "closed"})


settlement = Decider("settlement", SettlementEvents, Settlement(), decide, evolve)
