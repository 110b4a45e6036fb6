"""A person's data over HTTP: who read them, and having them erased, by two persons."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.contexts.audit import access_log
from chalicelib.contexts.audit.access_log import PersonalDataRead
from chalicelib.contexts.audit.domain.events import SubjectErasureRequested
from chalicelib.contexts.audit.domain.subject import (
    AnySubjectCommand,
    ApproveErasure,
    LiftLegalHold,
    RequestErasure,
    SetLegalHold,
    Status,
    subject,
)
from chalicelib.handle import fold, handle
from chalicelib.http.identity import Caller
from chalicelib.http.resource import Answer, Receipt, Resource, accepted, ok
from chalicelib.kernel import Invalid, NotFound, Value
from chalicelib.privacy.personal import Erased

routes = Resource(__name__)

_SUBJECT = re.compile(r"(person|staff):[A-Za-z0-9_-]{22}")
_MONTH = re.compile(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])")
Words = Annotated[str, Field(min_length=1, max_length=500)]


class SubjectUnknown(NotFound):
    """Nothing personal was ever kept of anybody by this name."""

    code = "subject-unknown"


class SubjectUnclear(Invalid):
    """Name the person in one way: by `subject`, by `account`, or by identity number."""

    code = "subject-unclear"


class InvalidMonth(Invalid):
    """A month is written 2026-11."""

    code = "invalid-month"
    rule = "ISO 8601"


class Reasoned(Value):
    """The body of a person's own request; the words are sealed and erased with the rest."""

    reason: Words = "-"


class RequestedFor(Value):
    """The body of a request for somebody: who, in one of three ways, and why.

    `account` is the subject of the tokens they sign in with; a number is that by which a desk
    entered their dossier.
    """

    subject: str | None = Field(default=None, max_length=64)
    account: str | None = Field(default=None, min_length=1, max_length=128)
    applicant_kind: Literal["citizen", "enterprise", "household_business"] = "citizen"
    identity_number: str | None = Field(default=None, min_length=1, max_length=200)
    reason: Words


class LegalHold(Value):
    """The path of a hold."""

    reference: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$")


class Month(Value):
    """The query of `GET /my/accesses`."""

    month: str | None = None


class MonthOfReads(TypedDict):
    """Who read what about the caller in a month, all of it, as `stream` numbers it."""

    month: str
    stream: str
    items: list[PersonalDataRead]


class ErasureStatus(TypedDict):
    """Where the erasure of a person's data stands, and which proceedings hold it up.

    `requested_by` is the opaque name of who asked, "" if nobody did or it is done; `lifted` is how
    many holds were lifted. `reason` is None for whom it is not meant, and when it is erased.
    """

    subject: str
    status: Status
    requested_by: str
    requested_at: datetime | None
    reason: str | None
    holds: tuple[str, ...]
    lifted: int


@routes.get("/my/accesses", allow={"citizen"})
def list_my_accesses() -> Answer[MonthOfReads]:
    """Who read what about the caller in a month, when, for what purpose: all of it, in order."""
    asked = routes.build(Month, **routes.query())
    month = _month(asked.month)
    stream, items = access_log.reads(_own(routes.caller()), month)
    return ok({"month": f"{month:%Y-%m}", "stream": stream, "items": items}, version=len(items))


@routes.get("/my/erasure", allow={"citizen"})
def see_my_erasure() -> Answer[ErasureStatus]:
    """Where the erasure of the caller's own data stands."""
    return _standing(_own(routes.caller()))


@routes.put("/my/erasure", allow={"citizen"}, step_up=True)
def request_my_erasure() -> Answer[Receipt]:
    """Ask for the erasure of one's own data. 202; 404 `subject-unknown`."""
    name = _own(routes.caller())
    return _decided(RequestErasure, name, reason=routes.json(Reasoned).reason)


@routes.post("/erasures", allow={"officer", "administrator"}, step_up=True)
def request_erasure() -> Answer[Receipt]:
    """Ask for the erasure of somebody's data, for them. 202; `Location` says where it stands."""
    asked = routes.json(RequestedFor)
    name = _named(asked)
    response = _decided(RequestErasure, name, reason=asked.reason)
    response.headers["Location"] = f"/subjects/{name}/erasure"
    return response


@routes.get("/subjects/{name}/erasure", allow={"administrator", "auditor"})
def see_erasure(name: str) -> Answer[ErasureStatus]:
    """Where somebody's erasure stands, and what holds it up."""
    return _standing(name)


@routes.put("/subjects/{name}/erasure/approval", allow={"administrator"}, step_up=True)
def approve_erasure(name: str) -> Answer[Receipt]:
    """Agree to an erasure that somebody else asked for. 202; it is carried out within minutes.

    Refuses `erasure-not-requested`, `second-person-needed`, `held-by-law`.
    """
    return _decided(ApproveErasure, name)


@routes.put("/subjects/{name}/holds/{reference}", allow={"administrator"})
def set_hold(name: str, reference: str) -> Answer[Receipt]:
    """Keep somebody's data for a proceeding. 202; 409 `hold-too-late`."""
    return _decided(SetLegalHold, name, reference=_reference(reference))


@routes.delete("/subjects/{name}/holds/{reference}", allow={"administrator"}, step_up=True)
def lift_hold(name: str, reference: str) -> Answer[Receipt]:
    """Let go of them. 202."""
    return _decided(LiftLegalHold, name, reference=_reference(reference))


def _decided(kind: type[AnySubjectCommand], name: str, **said: str) -> Answer[Receipt]:
    name = _known(name)
    agency = routes.caller().agency or ""
    origin = routes.origin()
    command = routes.build(kind, origin=origin, subject=name, by_agency=agency, **said)
    return accepted(handle(runtime.event_store(), subject, name, command))


def _standing(name: str) -> Answer[ErasureStatus]:
    name = _known(name)
    commits = runtime.event_store().load(f"{subject.category}-{name}")
    state = fold(subject, commits)
    asked = [
        event
        for commit in commits
        for event in subject.codec.validate_json(commit.body, extra="ignore")
        if isinstance(event, SubjectErasureRequested)
    ]
    data: ErasureStatus = {
        "subject": name,
        "status": state.status,
        "requested_by": state.requested_by,
        "requested_at": asked[-1].at if asked else None,
        "reason": _reason(asked[-1]) if asked and routes.caller().role != "auditor" else None,
        "holds": state.holds,
        "lifted": state.lifted,
    }
    return ok(data, version=commits[-1].number if commits else 0)


def _reason(event: SubjectErasureRequested) -> str | None:
    try:
        return event.reason.open(runtime.vault().open)
    except Erased:
        return None


def _named(asked: RequestedFor) -> str:
    ways = [asked.subject, asked.account, asked.identity_number]
    if sum(way is not None for way in ways) != 1:
        raise SubjectUnclear
    if asked.account:
        return runtime.subject("person", asked.account)
    if asked.identity_number:
        return runtime.person_numbered(asked.applicant_kind, asked.identity_number)
    return asked.subject or ""


def _known(name: str) -> str:
    name = name.replace("%3A", ":").replace("%3a", ":")
    if not _SUBJECT.fullmatch(name) or not runtime.vault().keys.known(name):
        raise SubjectUnknown
    return name


def _own(caller: Caller) -> str:
    return runtime.subject("person", caller.subject)


def _reference(text: str) -> str:
    return routes.build(LegalHold, reference=text).reference


def _month(text: str | None) -> datetime:
    if text is None:
        return runtime.now()
    if not _MONTH.fullmatch(text):
        raise InvalidMonth(field="month")
    return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
