"""A worker compares a settlement file with our books, and says what differs.

What it does can be done again, in whole or in part: a difference has the same name each time, and
what is known already changes nothing.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from chalicelib import files, runtime
from chalicelib.contexts.payments.configured import configuration
from chalicelib.contexts.payments.domain.events import Discrepancy, Tally
from chalicelib.contexts.payments.domain.settlement import (
    AnySettlementCommand,
    ConcludeComparison,
    NoteChunks,
    NoteDiscrepancies,
    RefuseFile,
    discrepancy_id,
    settlement,
)
from chalicelib.contexts.payments.projections import what_did_a_provider_take as taken
from chalicelib.contexts.payments.reconciliation.matching import (
    FileUnusable,
    Matching,
    Ours,
    Reading,
    batches,
)
from chalicelib.contexts.payments.reconciliation.receiving import OWNER, Job, NewFile, the_day
from chalicelib.handle import handle
from chalicelib.projector.table import current
from chalicelib.text import b64url
from chalicelib.working_time import HANOI

MAX_DISCREPANCIES = 2_000
"""More of them are no discrepancies, but the file of another day, provider or system."""
_BATCH = 400
"""Events of a commit: below the store's limit."""
_BLOCK = 1024 * 1024


def run(job: Job) -> None:
    """Read the file, compare it with our books, and say what differs; or why it cannot be used."""
    state, _ = the_day(job.provider, job.on)
    if state.status != "received" or state.sha256 != job.sha256:
        return
    reading = Reading(
        _blocks(job), job.on, configuration().settlement_columns.get(job.provider, {})
    )
    matching = Matching()
    try:
        _compare(job, reading, matching)
    except FileUnusable as fault:
        _do(job, RefuseFile, line=fault.line, why=fault.why)
    finally:
        matching.close()


def _blocks(job: Job) -> Iterator[bytes]:
    kept = NewFile(size=1, sha256=job.sha256)
    body = files.open_kept(kept, OWNER)
    while block := body.read(_BLOCK):
        yield block


def _compare(job: Job, reading: Reading, matching: Matching) -> None:
    # Asked first: what our books are read with afterwards is at least as far.
    as_of = _position()
    for _ in matching.theirs(reading):
        if chunks := reading.taken():
            _do(job, NoteChunks, chunks=chunks)
    if chunks := reading.taken():
        _do(job, NoteChunks, chunks=chunks)
    for _ in matching.ours(_ours(job)):
        pass
    if (count := matching.count()) > MAX_DISCREPANCIES:
        raise FileUnusable(0, f"{count} lines differ: it seems to be of another day or provider")
    found = list(_named(job, matching.differences()))
    for batch in batches(found, _BATCH):
        _do(job, NoteDiscrepancies, found=tuple(batch))
    _do(
        job,
        ConcludeComparison,
        lines=reading.lines,
        amount=reading.amount,
        tallies=tuple(Tally(**one._asdict()) for one in matching.tallies()),
        as_of=as_of,
        found=tuple(sorted(one.id for one in found)),
    )


def _position() -> int:
    """How far what we compare with has followed history."""
    far = current(runtime.checkpoints().item())
    return next((at for name, at in far.items() if name.startswith(f"{taken.answer.name}~")), 0)


def _ours(job: Job) -> Iterator[Ours]:
    group = taken.group_of(job.provider, job.on)
    for row in runtime.views().every(taken.answer, group):
        yield Ours(
            row.kind,
            row.reference,
            row.provider_reference,
            row.amount,
            row.standing,
            row.agency,
            row.payment,
            row.on.isoformat(),
        )


def _named(job: Job, differences: Iterable[dict[str, Any]]) -> Iterator[Discrepancy]:
    """The differences by name, with what we know of a line that is not in the day's books."""
    for batch in batches(differences, 100):
        unknown = [one["reference"] for one in batch if one["kind"] == "only_theirs"]
        keys = [taken.key_of(job.provider, reference) for reference in unknown]
        known = runtime.views().rows(taken.answer, keys)
        for one in batch:
            row = known.get(taken.key_of(job.provider, one["reference"]))
            row = row if row and row.kind == one["line"] else None
            if one["kind"] == "only_theirs" and one["their_status"] == "failed":
                if row is None or row.standing == "failed":
                    continue  # Nothing moved, and we never held that it did.
                one["kind"] = "status_diff"
            said = one | (_elsewhere(row) if row else {})
            if "since" not in said:
                said["since"] = _day(said["moved_at"])
            yield Discrepancy(id=discrepancy_id(job.provider, job.on, said), **said)


def _elsewhere(row: taken.Taken) -> dict[str, Any]:
    """What our books say of a line on another day."""
    about = {"agency": row.agency, "payment": row.payment}
    if row.standing == "done":
        return {**about, "other_day": row.on}
    return {**about, "kind": "status_diff", "our_status": row.standing, "ours": row.amount}


def _day(moment: str) -> date:
    return datetime.fromisoformat(moment).astimezone(HANOI).date()


def _do(job: Job, kind: type[AnySettlementCommand], **said: Any) -> None:
    """Carry out a command under a name made of what it says: done again, it changes nothing."""
    about: dict[str, Any] = {"provider": job.provider, "on": job.on, "sha256": job.sha256}
    wish = kind(origin=job.origin, **about, **said)
    words = wish.model_dump_json(exclude={"origin"})
    name = b64url(sha256(f"{job.origin.command_id}\n{kind.__name__}\n{words}".encode()).digest())
    told = {"command_id": name, "digest": name, "at": runtime.now()}
    origin = job.origin.model_copy(update=told)
    wish = wish.model_copy(update={"origin": origin})
    handle(runtime.event_store(), settlement, job.settlement, wish)
