"""One agency: its entry in the register, its life from there on, and its systems."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from chalicelib.agency_code import CanonicalCode, canonical, parse
from chalicelib.contexts.agencies.domain.events import (
    DOCUMENTS,
    AgencyDissolved,
    AgencyEvent,
    AgencyMerged,
    AgencyMoved,
    AgencyRegistered,
    AgencyRenamed,
    AgencySystemKeysRotated,
    AgencySystemLocked,
    AgencySystemRegistered,
    AgencySystemUnlocked,
    AgencyValidityCorrected,
    KeyWindow,
)
from chalicelib.kernel import Command, Conflict, Decider, Invalid, NotFound, Value
from chalicelib.privacy.personal import Personal

MAX_SYSTEMS = 32
"""Keeps a stream short: a case, not a register."""
MAX_KEYS = 4
"""Keys of a system at a time: the new one, those that retire, and one to spare."""
OVERLAP_DAYS, MAX_OVERLAP_DAYS = 7, 90
"""How long an old key is good beside the new one, unless another time is asked for."""
MAX_AHEAD = timedelta(days=366)
_KEY_BYTES = 32
_DAY = timedelta(days=1)
_URL_CHARS = re.compile(r"[!-\[\]-~]+")


def _code_as_written(text: str) -> str:
    return parse(text).text


def _endpoint(url: str) -> str:
    """HTTPS; plain HTTP only to this very machine, which the sender checks again on connecting.

    Empty: nothing is posted to the system, it fetches what is for it.
    """
    if not url:
        return url
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
PublicKeys = Annotated[tuple[PublicKey, ...], Field(max_length=MAX_KEYS)]
WrittenCode = Annotated[str, AfterValidator(_code_as_written)]
Note = Annotated[str, StringConstraints(max_length=1_000)]
FirstDay = Annotated[date, Field(gt=date.min)]
"""A day that has a day before it."""


def _in_order(valid_from: date | None, valid_to: date | None) -> None:
    if valid_from and valid_to and valid_to < valid_from:
        raise ValueError("valid_to is before valid_from")


class RegisterAgency(Command):
    """Enter an agency in the register. `code` in either form."""

    code: WrittenCode
    name: Line
    name_english: Annotated[str, StringConstraints(max_length=300)] = ""
    valid_from: date | None = None
    valid_to: date | None = None
    parent: CanonicalCode | None = None
    source: Line
    note: Note = ""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _in_order(self.valid_from, self.valid_to)
        return self


class RotateKeys(Command):
    """Have a system sign with another key from `not_before` on (from now, if it is not said).

    The keys before it are good for `overlap_days` more: messages under way are signed with them.
    """

    code: CanonicalCode
    system: Token
    public_key: PublicKey
    not_before: AwareDatetime | None = None
    overlap_days: Annotated[int, Field(ge=0, le=MAX_OVERLAP_DAYS)] = OVERLAP_DAYS

    @model_validator(mode="after")
    def _soon(self) -> Self:
        if self.not_before and self.not_before > self.at + MAX_AHEAD:
            raise ValueError("not_before is more than a year ahead")
        return self


class LockSystem(Command):
    """Let a system of the agency neither send nor receive, for a reason."""

    code: CanonicalCode
    system: Token
    reason: Line


class UnlockSystem(Command):
    """Let a system of the agency send and receive again."""

    code: CanonicalCode
    system: Token


class RenameAgency(Command):
    """Enter the name an agency bears from `effective_on`; its names before are kept."""

    code: CanonicalCode
    name: Line
    name_english: Annotated[str, StringConstraints(max_length=300)] = ""
    effective_on: FirstDay
    source: Line
    note: Note = ""


class MoveAgency(Command):
    """Put an agency under another one from `effective_on`, or under none.

    `ancestors` is what the register says: the new parent, its parent and so on, empty if there is
    no such parent; `parent_ended` whether it was merged or dissolved.
    """

    code: CanonicalCode
    parent: CanonicalCode | None
    effective_on: FirstDay
    source: Line
    note: Note = ""
    ancestors: tuple[str, ...] = ()
    parent_ended: bool = False


class CorrectValidity(Command):
    """Say between which days (both within) an agency's code is good, as far as is known."""

    code: CanonicalCode
    valid_from: date | None
    valid_to: date | None
    source: Line
    note: Note = ""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _in_order(self.valid_from, self.valid_to)
        return self


class DissolveAgency(Command):
    """End an agency that nobody succeeds; `effective_on` is the first day without it."""

    code: CanonicalCode
    effective_on: FirstDay
    source: Line
    note: Note = ""


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


class MergeAgency(Command):
    """End an agency that another one succeeds from `effective_on`.

    `heirs` is what the register says: the successor, its own successor and so on, empty if there is
    no such agency; `heir_dissolved` whether the last of them was dissolved.
    """

    code: CanonicalCode
    successor: CanonicalCode
    effective_on: FirstDay
    source: Line
    note: Note = ""
    heirs: tuple[str, ...] = ()
    heir_dissolved: bool = False


Life = RenameAgency | MoveAgency | CorrectValidity | DissolveAgency | MergeAgency
"""What may become of an agency that is in the register."""
SystemChange = RegisterSystem | RotateKeys | LockSystem | UnlockSystem
"""What may become of a system of such an agency."""
AgencyCommand = RegisterAgency | Life | SystemChange


class AgencyName(Value):
    """A name, and its first day; None: from the beginning, or from a day nobody knows."""

    name: str
    name_english: str
    from_on: date | None


class AgencyParent(Value):
    """The agency another one belongs to (None: it stands at the top), and the first such day."""

    parent: str | None
    from_on: date | None


class Agency(Value):
    """What `decide` must remember: the entry, what became of it, each system as last registered.

    `keys` are all a system has or had since they were last replaced; `locked` says of each system
    that ever was locked whether it is.
    `names` and `parents` are in order, the latest last. `valid_to` is the last good day.
    """

    entry: AgencyRegistered | None = None
    names: tuple[AgencyName, ...] = ()
    parents: tuple[AgencyParent, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    ended: Literal["dissolved", "merged"] | None = None
    successor: str | None = None
    systems: dict[str, AgencySystemRegistered] = Field(default_factory=dict)
    keys: dict[str, tuple[KeyWindow, ...]] = Field(default_factory=dict)
    locked: dict[str, bool] = Field(default_factory=dict)

    @property
    def parent(self) -> str | None:
        """The agency it belongs to, as far as is entered."""
        return self.parents[-1].parent if self.parents else None


Find = Callable[[str], Agency]
"""The agency of a canonical code; an empty one for a code that nobody has."""


def ancestors_of(code: str | None, find: Find) -> tuple[str, ...]:
    """`code`, the agency it belongs to, and so on up; empty if nobody has this code."""
    return _line(code, find, lambda state: state.parent)


def heirs_of(code: str | None, find: Find) -> tuple[str, ...]:
    """`code`, the agency that succeeded it, and so on; empty if nobody has this code."""
    return _line(code, find, lambda state: state.successor)


def _line(
    code: str | None, find: Find, following: Callable[[Agency], str | None]
) -> tuple[str, ...]:
    """Two changes made at the same moment can close a ring: it is walked once."""
    found: list[str] = []
    while code is not None and code not in found:
        state = find(code)
        if state.entry is None:
            break
        found.append(code)
        code = following(state)
    return tuple(found)


class AgencyAlreadyRegistered(Conflict):
    """The agency is in the register with other data."""

    code = "agency-already-registered"
    rule = "QĐ 20/2020/QĐ-TTg: one identifier, one agency"


class AgencyNotRegistered(NotFound):
    """No agency is registered under this code."""

    code = "agency-not-registered"
    rule = "QĐ 20/2020/QĐ-TTg"


class AgencyEnded(Conflict):
    """The agency was merged or dissolved; nothing becomes of it any more."""

    code = "agency-ended"
    rule = "QĐ 20/2020/QĐ-TTg: the code of an agency that ended is closed"


class HistoryGoesBack(Conflict):
    """Names and places of an agency are entered in the order of their days."""

    code = "agency-history-goes-back"
    rule = "QĐ 20/2020/QĐ-TTg: one name and one place a day"


class ParentUnknown(Invalid):
    """The agency it should belong to is not registered."""

    code = "parent-unknown"
    rule = "QĐ 20/2020/QĐ-TTg: a unit stands under a registered agency"


class HierarchyLoops(Conflict):
    """An agency cannot belong to itself, nor to one of its own units."""

    code = "hierarchy-loops"
    rule = "QĐ 20/2020/QĐ-TTg: identifiers name levels, from the top down"


class EndsBeforeItBegins(Invalid):
    """An agency cannot end before its first day is over."""

    code = "ends-before-it-begins"
    rule = "An agency is valid for at least a day"


class SuccessorUnknown(Invalid):
    """The agency that should succeed it is not registered."""

    code = "successor-unknown"
    rule = "QĐ 20/2020/QĐ-TTg: a registered agency takes the place of another"


class SuccessionLoops(Conflict):
    """An agency cannot succeed itself, nor those that it has succeeded."""

    code = "succession-loops"
    rule = "A chain of successors ends with an agency that lives"


class SuccessorDissolved(Conflict):
    """The agency that should succeed it was dissolved."""

    code = "successor-dissolved"
    rule = "A chain of successors ends with an agency that lives"


class SecretMissing(Invalid):
    """Signatures of kind v1 need a shared secret."""

    code = "webhook-secret-missing"
    rule = "Standard Webhooks 1.0.0, Signature scheme"


class SystemUnknown(NotFound):
    """The agency has no such system."""

    code = "system-unknown"
    rule = "A system is registered before it is locked or its keys are rotated"


class KeyAlreadyRegistered(Conflict):
    """The system has this key already, from another moment on."""

    code = "key-already-registered"
    rule = "A key is good from one moment on"


class TooManyKeys(Conflict):
    """A system has at most 4 keys at a time."""

    code = "too-many-keys"
    rule = f"At most {MAX_KEYS} keys a system; wait until one has retired"


class TooManySystems(Conflict):
    """An agency registers at most 32 systems here."""

    code = "too-many-systems"
    rule = f"At most {MAX_SYSTEMS} systems an agency"


def decide(command: AgencyCommand, state: Agency) -> list[AgencyEvent]:
    """The events `command` causes; none if it has already had its effect.

    Raises:
        AgencyAlreadyRegistered: entering an agency again with other data. The form in which its
            code is written makes no difference.
        AgencyNotRegistered: anything else about nobody.
        AgencyEnded: renaming, moving, dissolving what was merged or dissolved, opening its validity
            again, or moving an agency under it.
        HistoryGoesBack: a name or a place older than the last one.
        ParentUnknown, HierarchyLoops, EndsBeforeItBegins: see there.
        SuccessorUnknown, SuccessionLoops, SuccessorDissolved: see there.
        SecretMissing: a system that wants HMAC signatures brings no secret for them.
        TooManySystems, SystemUnknown, KeyAlreadyRegistered, TooManyKeys: see there.
    """
    match command:
        case RegisterAgency() if state.entry is None:
            return [_entry(command)]
        case RegisterAgency() if state.entry and _repeats(command, state.entry):
            return []
        case RegisterAgency():
            raise AgencyAlreadyRegistered
        case _ if state.entry is None:
            raise AgencyNotRegistered
        case RegisterSystem() | RotateKeys() | LockSystem() | UnlockSystem():
            return _decide_system(command, state)
        case RenameAgency() | MoveAgency() | CorrectValidity() | DissolveAgency() | MergeAgency():
            return _decide_life(command, state)


def _decide_life(command: Life, state: Agency) -> list[AgencyEvent]:
    match command:
        case RenameAgency() if _bears(command, state):
            return []
        case MoveAgency() if state.parents and state.parent == command.parent:
            return []
        case CorrectValidity() if _validity(command) == (state.valid_from, state.valid_to):
            return []
        case CorrectValidity(valid_to=None) if state.ended:
            raise AgencyEnded
        case CorrectValidity():
            return [AgencyValidityCorrected(**_said(command))]
        case DissolveAgency() if state.ended == "dissolved" and _ends(command, state):
            return []
        case MergeAgency() if state.successor == command.successor and _ends(command, state):
            return []
        case _ if state.ended:
            raise AgencyEnded
        case RenameAgency():
            _follows(command.effective_on, state.names)
            return [AgencyRenamed(**_said(command))]
        case MoveAgency():
            return _moved(command, state)
        case DissolveAgency():
            _outlives_its_first_day(command.effective_on, state)
            return [AgencyDissolved(**_said(command))]
        case MergeAgency():
            return _merged(command, state)


def _decide_system(command: SystemChange, state: Agency) -> list[AgencyEvent]:
    match command:
        case RegisterSystem(signature="v1", secret=None):
            raise SecretMissing(field="/webhook_secret")
        case RegisterSystem() if _is_so(command, state):
            return []
        case RegisterSystem() if (
            command.system not in state.systems and len(state.systems) >= MAX_SYSTEMS
        ):
            raise TooManySystems
        case RegisterSystem():
            return [_system(command)]
        case _ if command.system not in state.systems:
            raise SystemUnknown
        case RotateKeys():
            return _rotated(command, state.keys[command.system])
        case LockSystem() if state.locked.get(command.system):
            return []
        case LockSystem():
            return [AgencySystemLocked(**_said(command), at=command.at)]
        case UnlockSystem() if not state.locked.get(command.system):
            return []
        case UnlockSystem():
            return [AgencySystemUnlocked(**_said(command), at=command.at)]


def evolve(state: Agency, event: AgencyEvent) -> Agency:
    """The agency after `event`."""
    return state.model_copy(update=_change(state, event))


def _change(state: Agency, event: AgencyEvent) -> dict[str, object]:
    match event:
        case AgencyRegistered():
            first = AgencyName(
                name=event.name, name_english=event.name_english, from_on=event.valid_from
            )
            return {
                "entry": event,
                "names": (first,),
                "parents": (AgencyParent(parent=event.parent, from_on=event.valid_from),),
                "valid_from": event.valid_from,
                "valid_to": event.valid_to,
            }
        case AgencyRenamed():
            name = AgencyName(
                name=event.name, name_english=event.name_english, from_on=event.effective_on
            )
            return {"names": (*state.names, name)}
        case AgencyMoved():
            place = AgencyParent(parent=event.parent, from_on=event.effective_on)
            return {"parents": (*state.parents, place)}
        case AgencyValidityCorrected():
            return {"valid_from": event.valid_from, "valid_to": event.valid_to}
        case AgencyDissolved():
            return {"ended": "dissolved", "valid_to": event.last_day}
        case AgencyMerged():
            successor = {"successor": event.successor}
            return {"ended": "merged", "valid_to": event.last_day, **successor}
        case AgencySystemRegistered():
            known = {window.key: window for window in state.keys.get(event.system, ())}
            named = dict.fromkeys(event.public_keys)
            keys = tuple(known.get(key) or KeyWindow(key=key) for key in named)
            return {
                "systems": {**state.systems, event.system: event},
                "keys": {**state.keys, event.system: keys},
            }
        case AgencySystemKeysRotated():
            return {"keys": {**state.keys, event.system: event.keys}}
        case AgencySystemLocked():
            return {"locked": {**state.locked, event.system: True}}
        case AgencySystemUnlocked():
            return {"locked": {**state.locked, event.system: False}}


def _said(command: Command, *facts: str) -> dict[str, Any]:
    """What the command says, without its origin and what was looked up for it."""
    return command.model_dump(exclude={"origin", *facts})


def _bears(command: RenameAgency, state: Agency) -> bool:
    latest = state.names[-1]
    return (latest.name, latest.name_english) == (command.name, command.name_english)


def _moved(command: MoveAgency, state: Agency) -> list[AgencyEvent]:
    if command.parent and not command.ancestors:
        raise ParentUnknown(field="/parent")
    if command.code in command.ancestors:
        raise HierarchyLoops(field="/parent")
    if command.parent_ended:
        raise AgencyEnded("The agency it should belong to has ended", field="/parent")
    _follows(command.effective_on, state.parents)
    return [AgencyMoved(**_said(command, "ancestors", "parent_ended"))]


def _merged(command: MergeAgency, state: Agency) -> list[AgencyEvent]:
    if command.code == command.successor or command.code in command.heirs:
        raise SuccessionLoops(field="/successor")
    if not command.heirs:
        raise SuccessorUnknown(field="/successor")
    if command.heir_dissolved:
        raise SuccessorDissolved(field="/successor")
    _outlives_its_first_day(command.effective_on, state)
    return [AgencyMerged(**_said(command, "heirs", "heir_dissolved"))]


def _follows(day: date, history: Sequence[AgencyName | AgencyParent]) -> None:
    latest = history[-1].from_on
    if latest is not None and day < latest:
        raise HistoryGoesBack(field="/effective_on")


def _validity(command: CorrectValidity) -> tuple[date | None, date | None]:
    return command.valid_from, command.valid_to


def _ends(command: DissolveAgency | MergeAgency, state: Agency) -> bool:
    return state.valid_to == command.effective_on - _DAY


def _outlives_its_first_day(effective_on: date, state: Agency) -> None:
    if state.valid_from and effective_on <= state.valid_from:
        raise EndsBeforeItBegins(field="/effective_on")


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
        at=command.at,
    )


def _is_so(command: RegisterSystem, state: Agency) -> bool:
    """Whether the system is as the command says; a sealed secret is compared by its print."""
    if command.system not in state.systems:
        return False
    keys = {window.key for window in state.keys[command.system]}
    bare = {"secret": None, "public_keys": (), "at": None}
    one, other = _system(command), state.systems[command.system]
    same = one.model_copy(update=bare) == other.model_copy(update=bare)
    return same and keys == set(command.public_keys)


def _rotated(command: RotateKeys, keys: tuple[KeyWindow, ...]) -> list[AgencyEvent]:
    now = command.at
    left = tuple(window for window in keys if window.not_after is None or window.not_after > now)
    known = next((window for window in left if window.key == command.public_key), None)
    if known and command.not_before not in {None, known.not_before}:
        raise KeyAlreadyRegistered(field="/not_before")
    begins = known.not_before if known else command.not_before or now
    ends = max(begins or now, now) + timedelta(days=command.overlap_days)
    old = [window for window in left if window.key != command.public_key]
    new = KeyWindow(key=command.public_key, not_before=begins)
    after = (*(_retired(window, ends) for window in old), new)
    if after == left:
        return []
    if len(after) > MAX_KEYS:
        raise TooManyKeys
    return [AgencySystemKeysRotated(code=command.code, system=command.system, keys=after, at=now)]


def _retired(window: KeyWindow, ends: datetime) -> KeyWindow:
    """A key that retires earlier already does so still."""
    return window.model_copy(update={"not_after": min(window.not_after or ends, ends)})


agency = Decider("agency", AgencyEvent, Agency(), decide, evolve)
