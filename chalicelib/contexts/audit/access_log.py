"""Writing down who reads about whom, before they are shown it.

A person's reads of a month stand in one stream, numbered without gaps, so that a list of them is
whole or seen not to be. Its name is an HMAC: it tells nobody whose it is, nor that last month's was
the same person's.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from hashlib import sha256
from uuid import uuid4

from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.contexts.audit.domain.access import NoteRead, access
from chalicelib.contexts.audit.domain.events import AccessRead
from chalicelib.eventstore.store import Commit
from chalicelib.handle import handle
from chalicelib.http.resource import Reading
from chalicelib.kernel import Origin
from chalicelib.text import b64url

PERSONS = "person:"
"""How the names of subjects begin whose reading is written down: not clerks, not systems."""
HISTORY = ""
"""In the place of a subject: a part of history, in which everything personal stays sealed."""
_AT_ONCE = 8


class PersonalDataRead(TypedDict):
    """Somebody was shown what is about a person: the `number`th time in that month.

    `route` is the kind of question, `what` the path that was asked for, `purpose` a reference, ""
    if none was given. `proof` is where the proof of it is fetched, once it has a `position`.
    """

    number: int
    reader: str
    role: str
    by_agency: str
    route: str
    what: str
    purpose: str
    at: datetime
    seen: str
    position: int | None
    proof: str


def write(reading: Reading) -> None:
    """One commit for each person who was read about; a citizen who reads their own leaves none.

    Raises:
        Stale: too many read about the same person at once; nothing may be shown.
    """
    caller = reading.caller
    own = runtime.subject("person", caller.subject) if caller.role == "citizen" else None
    told = [s for s in sorted(reading.subjects) if s == HISTORY or s.startswith(PERSONS)]
    wishes = [_wish(reading, subject) for subject in told if subject != own]
    if len(wishes) == 1:
        _note(wishes[0])
    elif wishes:
        with ThreadPoolExecutor(_AT_ONCE) as writers:
            list(writers.map(_note, wishes))


def reads(subject: str, month: datetime) -> tuple[str, list[PersonalDataRead]]:
    """The stream of a person's reads of a month, and all of them, first to last.

    Raises:
        Corrupt: one is missing or altered.
    """
    stream = f"{access.category}-{_id(subject, month)}"
    commits = runtime.event_store().load(stream)
    positions = runtime.history().positions([commit.place for commit in commits])
    return stream, [_shown(commit, positions.get(commit.place)) for commit in commits]


def _note(wish: NoteRead) -> None:
    about = wish.subject or wish.origin.actor
    handle(runtime.event_store(), access, _id(about, wish.at), wish)


def _wish(reading: Reading, subject: str) -> NoteRead:
    command_id = b64url(sha256(uuid4().bytes).digest())
    what = reading.path
    if subject == HISTORY and reading.query:
        what += f"?{reading.query}"
    origin = Origin(
        command_id=command_id,
        digest=runtime.fingerprint(f"{reading.route} {what}".encode()),
        actor=reading.caller.actor,
        method="jwt",
        assurance=reading.caller.assurance,
        # Not the caller's: headers are public, and theirs may stand in the dossier's as well.
        correlation=command_id,
        at=runtime.now(),
    )
    return NoteRead(
        origin=origin,
        subject=subject,
        role=reading.caller.role,
        by_agency=reading.caller.agency or "",
        route=reading.route,
        what=what,
        purpose=reading.purpose,
    )


def _id(about: str, month: datetime) -> str:
    """The name of a month of reads: of a person, or of a reader of history."""
    return runtime.subject("reads", about, f"{month:%Y-%m}").partition(":")[2]


def _shown(commit: Commit, position: int | None) -> PersonalDataRead:
    [event] = access.codec.validate_json(commit.body, extra="ignore")
    assert isinstance(event, AccessRead)
    return {
        "number": commit.number,
        "reader": commit.facts["actor"],
        "role": event.role,
        "by_agency": event.by_agency,
        "route": event.route,
        "what": event.what,
        "purpose": event.purpose,
        "at": event.at,
        "seen": commit.seen,
        "position": position,
        "proof": f"/proof/{commit.stream}/{commit.number}",
    }
