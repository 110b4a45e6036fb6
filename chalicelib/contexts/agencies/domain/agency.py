"""One agency: its entry in the register and its systems."""

import re
from base64 import b64decode, b64encode
from datetime import date
from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from chalicelib.agency_code import CanonicalCode, canonical, parse
from chalicelib.contexts.agencies.domain.events import (
    AgencyEvent,
    AgencyRegistered,
    AgencySystemRegistered,
)
from chalicelib.kernel import Command, Conflict, Decider, Invalid, NotFound, Value
from chalicelib.privacy.personal import Personal

DOCUMENTS = "documents"
"""The kind of system that takes an agency's documents."""
MAX_SYSTEMS = 32
"""Keeps a stream short: a case, not a register."""
_KEY_BYTES = 32
_URL_CHARS = re.compile(r"[!-\[\]-~]+")


def _code_as_written(text: str) -> str:
    return parse(text).text


def _endpoint(url: str) -> str:
    """HTTPS; plain HTTP only to this very machine, which the sender checks again on connecting."""
    # Looked at first: `urlsplit` drops line breaks, and readers of URLs disagree on backslashes.
    if not _URL_CHARS.fullmatch(url):
        raise ValueError("an endpoint is written in printable ASCII without spaces")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or parts.username is not None or parts.fragment:
        raise ValueError("an endpoint is an absolute URL without user name or fragment")
    if parts.port == 0:
        raise ValueError("an endpoint has no port 0")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return url
    raise ValueError("an endpoint is reached by https")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _public_key(text: str) -> str:
    """Raw Ed25519 key in base64, also with the prefix `whpk_` of Standard Webhooks."""
    key = b64decode(text.removeprefix("whpk_"), validate=True)
    if len(key) != _KEY_BYTES:
        raise ValueError("an Ed25519 public key has 32 bytes")
    return b64encode(key).decode()


Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Token = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Endpoint = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(_endpoint)]
PublicKey = Annotated[str, StringConstraints(max_length=100), AfterValidator(_public_key)]
PublicKeys = Annotated[tuple[PublicKey, ...], Field(max_length=4)]
WrittenCode = Annotated[str, AfterValidator(_code_as_written)]


class RegisterAgency(Command):
    """Enter an agency in the register. `code` in either form."""

    code: WrittenCode
    name: Line
    name_english: Annotated[str, StringConstraints(max_length=300)] = ""
    valid_from: date | None = None
    valid_to: date | None = None
    parent: CanonicalCode | None = None
    source: Line
    note: Annotated[str, StringConstraints(max_length=1_000)] = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        return self


class RegisterSystem(Command):
    """Say how a system of the agency is reached, all of it: what is left out is no longer so."""

    code: CanonicalCode
    system: Token
    kind: Token = DOCUMENTS
    endpoint: Endpoint
    profile: Literal["cloudevents", "edxml"] = "cloudevents"
    public_keys: PublicKeys = ()
    signature: Literal["v1a", "v1"] = "v1a"
    secret: Personal[str] | None = None
    secret_print: str = ""


AgencyCommand = RegisterAgency | RegisterSystem


class Agency(Value):
    """What `decide` must remember: the entry, and each system as last registered."""

    entry: AgencyRegistered | None = None
    systems: dict[str, AgencySystemRegistered] = Field(default_factory=dict)


class AgencyAlreadyRegistered(Conflict):
    """The agency is in the register with other data."""

    code = "agency-already-registered"
    rule = "QĐ 20/2020/QĐ-TTg: one identifier, one agency"


class AgencyNotRegistered(NotFound):
    """No agency is registered under this code."""

    code = "agency-not-registered"
    rule = "QĐ 20/2020/QĐ-TTg"


class SecretMissing(Invalid):
    """Signatures of kind v1 need a shared secret."""

    code = "webhook-secret-missing"
    rule = "Standard Webhooks 1.0.0, Signature scheme"


class TooManySystems(Conflict):
    """An agency registers at most 32 systems here."""

    code = "too-many-systems"
    rule = f"At most {MAX_SYSTEMS} systems an agency"


def decide(command: AgencyCommand, state: Agency) -> list[AgencyEvent]:
    """The events `command` causes; none if it has already had its effect.

    Raises:
        AgencyAlreadyRegistered: entering an agency again with other data. The form in which its
            code is written makes no difference.
        AgencyNotRegistered: a system of nobody.
        SecretMissing: a system that wants HMAC signatures brings no secret for them.
        TooManySystems: see there.
    """
    match command:
        case RegisterAgency() if state.entry is None:
            return [_entry(command)]
        case RegisterAgency() if state.entry and _repeats(command, state.entry):
            return []
        case RegisterAgency():
            raise AgencyAlreadyRegistered
        case RegisterSystem() if state.entry is None:
            raise AgencyNotRegistered
        case RegisterSystem(signature="v1", secret=None):
            raise SecretMissing(field="/webhook_secret")
        case RegisterSystem() if command.system in state.systems and _same(
            _system(command), state.systems[command.system]
        ):
            return []
        case RegisterSystem() if (
            command.system not in state.systems and len(state.systems) >= MAX_SYSTEMS
        ):
            raise TooManySystems
        case RegisterSystem():
            return [_system(command)]


def evolve(state: Agency, event: AgencyEvent) -> Agency:
    """The agency after `event`."""
    match event:
        case AgencyRegistered():
            return state.model_copy(update={"entry": event})
        case AgencySystemRegistered():
            return state.model_copy(update={"systems": {**state.systems, event.system: event}})


def _repeats(command: RegisterAgency, entry: AgencyRegistered) -> bool:
    return _entry(command, written_as=entry.given) == entry


def _entry(command: RegisterAgency, written_as: str | None = None) -> AgencyRegistered:
    return AgencyRegistered(
        code=canonical(command.code),
        given=written_as or command.code,
        name=command.name,
        name_english=command.name_english,
        valid_from=command.valid_from,
        valid_to=command.valid_to,
        parent=command.parent,
        source=command.source,
        note=command.note,
    )


def _system(command: RegisterSystem) -> AgencySystemRegistered:
    return AgencySystemRegistered(
        code=command.code,
        system=command.system,
        kind=command.kind,
        endpoint=command.endpoint,
        profile=command.profile,
        public_keys=command.public_keys,
        signature=command.signature,
        secret=command.secret,
        secret_print=command.secret_print,
    )


def _same(one: AgencySystemRegistered, other: AgencySystemRegistered) -> bool:
    """Equal but for the sealing: a stored secret is compared by its print."""
    bare = {"secret": None}
    return one.model_copy(update=bare) == other.model_copy(update=bare)


agency = Decider("agency", AgencyEvent, Agency(), decide, evolve)
