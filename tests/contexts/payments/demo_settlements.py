"""Demo data, made up here: what a demo provider says of a demo day."""

from datetime import UTC, date, datetime
from itertools import count

from chalicelib.contexts.payments.domain.events import Discrepancy, Tally
from chalicelib.contexts.payments.domain.settlement import (
    Chunk,
    CloseDay,
    ConcludeComparison,
    NoteChunks,
    NoteDiscrepancies,
    ReceiveFile,
    RefuseFile,
    ResolveDiscrepancy,
    discrepancy_id,
    settlement,
)
from chalicelib.kernel import Origin

PROVIDER, ON = "demo-pay", date(2026, 6, 1)
NEXT_DAY = datetime(2026, 6, 2, 2, tzinfo=UTC)
FILE, OTHER_FILE = "1" * 64, "2" * 64
CHIEF = "administrator:demo"
CHUNK = Chunk(number=1, lines=3, amount=290_000, sha256="3" * 64)
TALLY = Tally(agency="Z01", matched=2, payments=200_000, refunds=30_000, fees=2_200)
_keys = count()


def origin(key=None, at=NEXT_DAY):
    key = key or f"demo-settlement-{next(_keys)}"
    return Origin(command_id=key, digest=key, actor=CHIEF, method="jwt", at=at)


def difference(**changes):
    """A payment of which the provider has less than we have, unless `changes` say otherwise."""
    said = {
        "kind": "amount_diff",
        "line": "payment",
        "reference": "demo-1",
        "provider_reference": "demo-ref-1",
        "agency": "Z01",
        "payment": "demo",
        "ours": 100_000,
        "theirs": 90_000,
        "fee": 1_100,
        "our_status": "done",
        "their_status": "done",
        "since": ON,
        **changes,
    }
    return Discrepancy(id=discrepancy_id(PROVIDER, ON, said), **said)


STRANGE = difference(
    kind="only_theirs", agency="", payment="", ours=0, our_status="absent", reference="demo-2"
)
LESS = difference()
FIELDS = {
    ReceiveFile: {"sha256": FILE, "name": "demo.csv", "size": 512},
    NoteChunks: {"sha256": FILE, "chunks": (CHUNK,)},
    RefuseFile: {"sha256": FILE, "line": 4, "why": "demo"},
    NoteDiscrepancies: {"sha256": FILE, "found": (LESS,)},
    ConcludeComparison: {
        "sha256": FILE, "lines": 3, "amount": 290_000, "tallies": (TALLY,), "as_of": 42,
        "found": (LESS.id,),
    },
    ResolveDiscrepancy: {
        "discrepancy": LESS.id, "decision": "provider_corrects", "note": "demo reason",
    },
    CloseDay: {},
}  # fmt: skip


def ask(kind, **changes):
    """A command of this kind."""
    given = {"origin": origin(), "provider": PROVIDER, "on": ON}
    return kind(**{**given, **FIELDS[kind], **changes})


def live(*wishes):
    """The events after these commands; a pair brings changes to one of them.

    A run that concludes has found what was noted, unless it says otherwise.
    """
    events = []
    for each in wishes:
        kind, changes = each if isinstance(each, tuple) else (each, {})
        if kind is ConcludeComparison:
            changes = {"found": tuple(sorted(settlement.fold(events).found)), **changes}
        told = settlement.decide(ask(kind, **changes), settlement.fold(events))
        assert told, kind
        events += told
    return events


READ = (ReceiveFile, NoteChunks)
COMPARED = (*READ, NoteDiscrepancies, ConcludeComparison)
DECIDED = (*COMPARED, ResolveDiscrepancy)
CLOSED = (*DECIDED, CloseDay)
