"""Agencies over HTTP: the register and the systems behind it."""

from typing import Any, Literal

from chalice.app import Response
from pydantic import SecretStr, field_validator

from chalicelib import runtime
from chalicelib.agency_code import canonical, parse
from chalicelib.contexts.agencies.domain.agency import (
    DOCUMENTS,
    Agency,
    AgencyNotRegistered,
    Endpoint,
    PublicKeys,
    RegisterAgency,
    RegisterSystem,
    Token,
    agency,
)
from chalicelib.contexts.agencies.domain.events import AgencySystemRegistered
from chalicelib.contexts.agencies.projections import which_agencies_take_part
from chalicelib.delivery.signatures import secret_bytes
from chalicelib.handle import fold, handle
from chalicelib.http.identity import ROLES
from chalicelib.http.paging import listing, page_request
from chalicelib.http.resource import Resource, accepted, created, ok
from chalicelib.kernel import Value
from chalicelib.privacy.personal import Personal

routes = Resource(__name__)


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


@routes.post("/agencies", allow={"administrator"})
def register_agency() -> Response:
    """Enter an agency in the register. 201, or 409 `agency-already-registered`."""
    command = routes.command(RegisterAgency)
    code = canonical(command.code)
    return created(handle(runtime.event_store(), agency, code, command), f"/agencies/{code}")


@routes.get("/agencies", allow=set(ROLES))
def list_agencies() -> Response:
    """The agencies by code.

    Query: `kind` (first letter of the code), `q` (part of a code or name), paging.
    """
    query = routes.query()
    kind, text = query.get("kind"), query.get("q", "")
    asked = page_request(query)
    page = runtime.views().page(
        which_agencies_take_part.answer,
        by="all",
        limit=asked.limit,
        cursor=asked.cursor,
        seen=asked.seen,
        keep=lambda row: (
            (kind is None or row["kind"] == kind) and which_agencies_take_part.matches(row, text)
        ),
    )
    return listing(page.items, page.next, page.as_of, stale=page.stale)


@routes.get("/agencies/{code}", allow=set(ROLES))
def read_agency(code: str) -> Response:
    """One agency as it stands now; `code` in either form.

    Administrators and auditors also see its systems, never their secrets.
    """
    commits = runtime.event_store().load(f"agency-{canonical(code)}")
    state = fold(agency, commits)
    show_systems = routes.caller().role in {"administrator", "auditor"}
    return ok(_entry(state, show_systems=show_systems), version=len(commits))


@routes.put("/agencies/{code}/systems/{system}", allow={"administrator"})
def register_system(code: str, system: str) -> Response:
    """Say how a system of the agency is reached. 202, or 404 `agency-not-registered`."""
    asked = routes.json(SystemRequest)
    code = canonical(code)
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


def _entry(state: Agency, *, show_systems: bool) -> dict[str, Any]:
    if state.entry is None:
        raise AgencyNotRegistered
    shown = state.entry.model_dump(exclude={"type"})
    shown["old_code"] = parse(state.entry.given).to_old()
    shown["has_system"] = bool(state.systems)
    if show_systems:
        shown["systems"] = [_system(state.systems[name]) for name in sorted(state.systems)]
    return shown


def _system(system: AgencySystemRegistered) -> dict[str, Any]:
    shown = system.model_dump(exclude={"type", "code", "secret", "secret_print"})
    return {**shown, "has_secret": system.secret is not None}
