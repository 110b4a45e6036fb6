"""Agencies over HTTP: the register and the systems behind it."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from hashlib import sha256
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.agency_code import CanonicalCode, canonical
from chalicelib.contexts.agencies.domain.agency import (
    Agency,
    CorrectValidity,
    DissolveAgency,
    Endpoint,
    FirstDay,
    Line,
    LockSystem,
    MergeAgency,
    MoveAgency,
    PublicKeys,
    RegisterAgency,
    RegisterSystem,
    RenameAgency,
    RotateKeys,
    Token,
    UnlockSystem,
    agency,
    ancestors_of,
    heirs_of,
)
from chalicelib.contexts.agencies.domain.events import DOCUMENTS, Act, ReorganisationOrdered, Step
from chalicelib.contexts.agencies.domain.reorganisation import (
    MAX_STEPS,
    OrderReorganisation,
    RehearsedStep,
    WantedStep,
    command_of,
    rehearse,
    reorganisation,
    step_id,
)
from chalicelib.contexts.agencies.projections import (
    which_agencies_did_it_succeed,
    which_agencies_take_part,
    which_systems_are_connected,
    which_units_belong_to_an_agency,
)
from chalicelib.contexts.agencies.projections.which_agencies_did_it_succeed import Predecessor
from chalicelib.contexts.agencies.projections.which_agencies_take_part import (
    ConnectedAgencies,
    Participant,
)
from chalicelib.contexts.agencies.projections.which_systems_are_connected import System
from chalicelib.contexts.agencies.projections.which_units_belong_to_an_agency import Unit
from chalicelib.contexts.agencies.shown import AgencyEntry, entry
from chalicelib.delivery.signatures import secret_bytes
from chalicelib.eventstore.store import Commit
from chalicelib.handle import fold, handle
from chalicelib.http.identity import ROLES
from chalicelib.http.paging import Page, page_of, page_request
from chalicelib.http.resource import Answer, Receipt, Resource, accepted, created, ok
from chalicelib.kernel import NotFound, Origin, Refused, Value
from chalicelib.privacy.personal import Personal
from chalicelib.projector.checkpoints import REACT
from chalicelib.projector.projection import Projection
from chalicelib.working_time import HANOI

routes = Resource(__name__)

_ID = re.compile(r"[0-9a-f]{26}")
_ALL = 1_000
"""Rows of a page when all of a list is counted."""


class SystemRequest(Value):
    """The body of `PUT /agencies/{code}/systems/{system}`.

    `webhook_secret` (`whsec_<base64>`, 24 to 64 bytes) is kept sealed and never given out.
    """

    kind: Token = DOCUMENTS
    endpoint: Endpoint
    profile: Literal["cloudevents", "edxml"] = "cloudevents"
    public_keys: PublicKeys = ()
    signature: Literal["v1a", "v1"] = "v1a"
    webhook_secret: SecretStr | None = None

    @field_validator("webhook_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret:
            secret_bytes(secret.get_secret_value())
        return secret


class MoveRequest(Value):
    """The body of `PUT /agencies/{code}/parent`; `parent` null puts the agency at the top."""

    parent: CanonicalCode | None
    effective_on: date
    source: str
    note: str = ""


class MergeRequest(Value):
    """The body of `PUT /agencies/{code}/successor`."""

    successor: CanonicalCode
    effective_on: date
    source: str
    note: str = ""


class ReorganisationRequest(Value):
    """The body of `POST /reorganisations`: a dry run unless it is said that it is not."""

    dry_run: bool = True
    effective_on: FirstDay
    source: Line
    steps: tuple[WantedStep, ...] = Field(min_length=1, max_length=MAX_STEPS)


class ReorganisationReceipt(Receipt):
    """The receipt of a reorganisation that was ordered, with its id."""

    reorganisation: str


class Rehearsal(TypedDict):
    """What would come of a reorganisation, step by step; with `conflicts` it cannot be ordered."""

    steps: list[RehearsedStep]
    conflicts: list[RehearsedStep]


class OrderedStep(TypedDict):
    """What became of a step: it is `waiting`, `done`, `so` already, or `refused` with a problem.

    `problem` is the refusal's code, `seen` the version of the agency that came of it.
    """

    step: int
    act: Act
    code: str
    state: Literal["waiting", "done", "so", "refused"]
    problem: str | None
    seen: str | None


class OrderedReorganisation(TypedDict):
    """How far a reorganisation is: `waiting` counts the steps that have not had their turn."""

    effective_on: date
    source: str
    waiting: int
    steps: list[OrderedStep]


class ConnectionSummary(ConnectedAgencies):
    """The agencies of the day `on`, as far as the list of them is: `stale` as in any list."""

    on: date
    as_of: int
    stale: bool


class ReorganisationUnknown(NotFound):
    """There is no such reorganisation."""

    code = "reorganisation-unknown"


@routes.post("/agencies", allow={"administrator"})
def register_agency() -> Answer[Receipt]:
    """Enter an agency in the register. 201, or 409 `agency-already-registered`."""
    command = routes.command(RegisterAgency)
    code = canonical(command.code)
    return created(handle(runtime.event_store(), agency, code, command), f"/agencies/{code}")


@routes.get("/agencies", allow=set(ROLES))
def list_agencies() -> Answer[Page[Participant]]:
    """The agencies by code.

    Query: `kind` (first letter of the code), `q` (part of a code or name), paging.
    """
    query = routes.query()
    kind, text = query.get("kind"), query.get("q", "")
    asked = page_request(query)
    return page_of(
        which_agencies_take_part.answer,
        asked,
        by="all",
        keep=lambda row: (
            (kind is None or row["kind"] == kind) and which_agencies_take_part.matches(row, text)
        ),
    )


@routes.get("/agencies/{code}", allow=set(ROLES))
def read_agency(code: str) -> Answer[AgencyEntry]:
    """One agency as it stands now; `code` in either form.

    Administrators and auditors also see its systems, never their secrets.
    """
    commits = runtime.event_store().load(f"agency-{canonical(code)}")
    state = fold(agency, commits)
    systems = routes.caller().role in {"administrator", "auditor"}
    return ok(entry(state, _find, systems=systems), version=len(commits))


@routes.get("/agencies/{code}/units", allow=set(ROLES))
def list_units(code: str) -> Answer[Page[Unit]]:
    """The units directly under an agency, by code, those that ended too. Query: paging."""
    return _list(which_units_belong_to_an_agency.answer, code)


@routes.get("/agencies/{code}/predecessors", allow=set(ROLES))
def list_predecessors(code: str) -> Answer[Page[Predecessor]]:
    """The agencies that were merged into this one, by code. Query: paging."""
    return _list(which_agencies_did_it_succeed.answer, code)


@routes.put("/agencies/{code}/name", allow={"administrator"})
def rename_agency(code: str) -> Answer[Receipt]:
    """Enter a new name with its first day; the old one is kept. 202, 404, or 409."""
    return _change(code, routes.command(RenameAgency, code=canonical(code)))


@routes.put("/agencies/{code}/parent", allow={"administrator"})
def move_agency(code: str) -> Answer[Receipt]:
    """Put an agency under another one, or at the top. 202, 404, or 409 `hierarchy-loops`."""
    asked = routes.json(MoveRequest)
    command = routes.build(
        MoveAgency,
        **asked.model_dump(),
        code=canonical(code),
        origin=routes.origin(),
        ancestors=ancestors_of(asked.parent, _find),
        parent_ended=asked.parent is not None and _find(asked.parent).ended is not None,
    )
    return _change(code, command)


@routes.put("/agencies/{code}/validity", allow={"administrator"})
def correct_validity(code: str) -> Answer[Receipt]:
    """Say between which days the agency's code is good. 202, 404, or 409 `agency-ended`."""
    return _change(code, routes.command(CorrectValidity, code=canonical(code)))


@routes.put("/agencies/{code}/dissolution", allow={"administrator"})
def dissolve_agency(code: str) -> Answer[Receipt]:
    """End an agency that nobody succeeds. 202, 404, or 409 `agency-ended`."""
    return _change(code, routes.command(DissolveAgency, code=canonical(code)))


@routes.put("/agencies/{code}/successor", allow={"administrator"})
def merge_agency(code: str) -> Answer[Receipt]:
    """Merge an agency into its successor. 202, 404, or 409 `succession-loops`, `agency-ended`."""
    asked = routes.json(MergeRequest)
    heirs = heirs_of(asked.successor, _find)
    command = routes.build(
        MergeAgency,
        **asked.model_dump(),
        code=canonical(code),
        origin=routes.origin(),
        heirs=heirs,
        heir_dissolved=bool(heirs) and _find(heirs[-1]).ended == "dissolved",
    )
    return _change(code, command)


@routes.put("/agencies/{code}/systems/{system}", allow={"administrator"})
def register_system(code: str, system: str) -> Answer[Receipt]:
    """Say how a system of the agency is reached. 202, or 404 `agency-not-registered`."""
    asked = routes.json(SystemRequest)
    code = canonical(code)
    runtime.make_keys()  # What it is sent is signed, by a worker.
    secret = asked.webhook_secret.get_secret_value() if asked.webhook_secret else None
    command = routes.build(
        RegisterSystem,
        **asked.model_dump(exclude={"webhook_secret"}),
        code=code,
        system=system,
        origin=routes.origin(),
        secret=Personal[str](subject=f"system:{code}:{system}", value=secret) if secret else None,
        secret_print=runtime.fingerprint(b"webhook-secret\0" + secret.encode()) if secret else "",
    )
    return accepted(handle(runtime.event_store(), agency, code, command))


@routes.post("/reorganisations", allow={"administrator"})
def reorganise() -> Answer[Rehearsal] | Answer[ReorganisationReceipt]:
    """Rehearse a reorganisation (200, a report), or order it: 201, 409 if a step cannot be."""
    asked, origin = routes.json(ReorganisationRequest), routes.origin()
    id_ = sha256(origin.command_id.encode()).hexdigest()[:26]
    order = ReorganisationOrdered(
        reorganisation=id_,
        effective_on=asked.effective_on,
        source=asked.source,
        steps=tuple(Step(**step.model_dump()) for step in asked.steps),
    )
    order, report = rehearse(order, origin, cache(_find), _units)
    conflicts = [one for one in report if one.outcome == "conflict"]
    if asked.dry_run:
        steps = [one for one in report if one.outcome != "conflict"]
        return ok(Rehearsal(steps=steps, conflicts=conflicts))
    command = OrderReorganisation(
        origin=origin,
        conflicts=tuple(f"step {one.step}: {one.problem}" for one in conflicts),
        **order.model_dump(exclude={"type"}),
    )
    done = handle(runtime.event_store(), reorganisation, id_, command)
    return created(done, f"/reorganisations/{id_}", reorganisation=id_)


@routes.get("/reorganisations/{reorganisation_id}", allow={"administrator", "auditor"})
def see_reorganisation(reorganisation_id: str) -> Answer[OrderedReorganisation]:
    """How far a reorganisation is: what became of each step, from the agencies' own streams."""
    if not _ID.fullmatch(reorganisation_id):
        raise ReorganisationUnknown
    commits = runtime.event_store().load(f"reorganisation-{reorganisation_id}")
    order = fold(reorganisation, commits).ordered
    if order is None:
        raise ReorganisationUnknown
    place = commits[0].place
    position = runtime.history().positions([place]).get(place)
    over = position is not None and runtime.checkpoints().get(REACT) >= position
    load = cache(_commits)
    steps = [_progress(order, n, load, over=over) for n in range(1, len(order.steps) + 1)]
    shown = OrderedReorganisation(
        effective_on=order.effective_on,
        source=order.source,
        waiting=sum(step["state"] == "waiting" for step in steps),
        steps=steps,
    )
    return ok(shown, version=len(commits))


def _progress(
    order: ReorganisationOrdered, number: int, load: Callable[[str], list[Commit]], *, over: bool
) -> OrderedStep:
    """What became of a step; `over`: it had its turn, and will have no other."""
    step, own = order.steps[number - 1], step_id(order, number)
    commits = load(step.code)
    shown = OrderedStep(
        step=number, act=step.act, code=step.code, state="waiting", problem=None, seen=None
    )
    if wrote := next((commit for commit in commits if commit.command == own), None):
        return {**shown, "state": "done", "seen": wrote.seen}
    if not over:
        return shown
    try:
        events = agency.decide(command_of(order, number, _onlooker()), fold(agency, commits))
    except Refused as refusal:
        return {**shown, "state": "refused", "problem": refusal.code}
    return {**shown, "state": "refused" if events else "so"}


def _onlooker() -> Origin:
    """Somebody who only wants to know what would be decided."""
    return Origin(command_id="", digest="", actor="", method="operator", at=runtime.now())


def _units(code: str) -> Iterator[str]:
    cursor: str | None = None
    while True:
        page = runtime.views().page(
            which_units_belong_to_an_agency.answer, by=code, limit=_ALL, cursor=cursor
        )
        yield from (item["code"] for item in page.items)
        if (cursor := page.next) is None:
            return


def _commits(code: str) -> list[Commit]:
    return runtime.event_store().load(f"agency-{code}")


def _find(code: str) -> Agency:
    return fold(agency, _commits(code))


def _list(question: Projection[Any], code: str) -> Answer[Page[Any]]:
    return page_of(question, page_request(routes.query()), by=canonical(code))


def _change(code: str, command: Any) -> Answer[Receipt]:
    return accepted(handle(runtime.event_store(), agency, canonical(code), command))


@routes.put("/agencies/{code}/systems/{system}/keys", allow={"administrator"})
def rotate_keys(code: str, system: str) -> Answer[Receipt]:
    """Add a key; those before it retire after an overlap. 202, 404, 409 `too-many-keys`."""
    return _change(code, routes.command(RotateKeys, code=canonical(code), system=system))


@routes.put("/agencies/{code}/systems/{system}/lock", allow={"administrator"})
def lock_system(code: str, system: str) -> Answer[Receipt]:
    """Let a system neither send nor receive. 202, or 404 `system-unknown`."""
    return _change(code, routes.command(LockSystem, code=canonical(code), system=system))


@routes.delete("/agencies/{code}/systems/{system}/lock", allow={"administrator"})
def unlock_system(code: str, system: str) -> Answer[Receipt]:
    """Let a system send and receive again. 202, or 404 `system-unknown`."""
    return _change(code, routes.command(UnlockSystem, code=canonical(code), system=system))


@routes.get("/systems", allow={"administrator", "auditor"})
def list_systems() -> Answer[Page[System]]:
    """The systems by agency. Query: `kind` (of system), `level` (of agency), paging."""
    query = routes.query()
    asked = page_request(query)
    return page_of(
        which_systems_are_connected.answer,
        asked,
        by="all",
        keep=lambda row: (
            query.get("kind") in {None, row["kind"]}
            and query.get("level") in {None, str(row["level"])}
        ),
    )


@routes.get("/systems/summary", allow=set(ROLES))
def summarize_systems() -> Answer[ConnectionSummary]:
    """How many of today's agencies have a system connected. True at `as_of`, or a moment later."""
    seen = routes.query().get("seen")
    page = first = runtime.views().page(
        which_agencies_take_part.answer, by="all", limit=_ALL, seen=seen
    )
    rows = page.items
    while page.next:
        page = runtime.views().page(
            which_agencies_take_part.answer, by="all", limit=_ALL, cursor=page.next
        )
        rows += page.items
    today = runtime.now().astimezone(HANOI).date()
    found = which_agencies_take_part.connected(rows, today)
    return ok({**found, "on": today, "as_of": first.as_of, "stale": first.stale})
