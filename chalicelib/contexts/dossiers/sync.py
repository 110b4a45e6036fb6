"""What ministries and provinces tell us of dossiers that their own one-stop systems keep.

They tell it in batches, each dossier by itself: one that is wrong holds up no other. What decides
is the dossier's code and the moment of its state, so everything may be sent again.
"""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Any, Literal, NotRequired

from pydantic import Field, ValidationError, model_validator
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.agency_code import AgencyCodeInvalid, canonical
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.dossiers import codes
from chalicelib.contexts.dossiers.acting import carry_out
from chalicelib.contexts.dossiers.configured import terms
from chalicelib.contexts.dossiers.domain.commands import AdoptState
from chalicelib.contexts.dossiers.domain.events import (
    APPLICANT_KINDS,
    CHANNELS,
    COLLECTED,
    Applicant,
    Contact,
    DossierStateAdopted,
    SyncedFee,
    SyncedFile,
    SyncedPaper,
)
from chalicelib.contexts.dossiers.domain.refusals import DossierUnknown, KeptHere, NotYourDossier
from chalicelib.contexts.dossiers.portal_form import Charge, DossierMessage, Paper
from chalicelib.contexts.dossiers.projections import where_is_my_dossier
from chalicelib.contexts.dossiers.shown import Standing, standing
from chalicelib.handle import Stale
from chalicelib.http.problems import FieldError
from chalicelib.http.resource import Answer, Resource, faults, ok
from chalicelib.kernel import Invalid, Origin, Refused, Value
from chalicelib.text import b64url

routes = Resource(__name__)
MAX_STATES = 500
"""Dossiers' states in one request."""
WORKED_S = 20
"""For how long a request works: a gateway waits 29 seconds. What is left is to be sent again."""
MAX_FAULTS = 10
"""Faults named of one item."""
Outcome = Literal["accepted", "repeated", "late", "refused", "postponed"]
_KINDS = {number: kind for kind, number in APPLICANT_KINDS.items()}
_CHANNELS = {number: channel for channel, number in CHANNELS.items()}
_COLLECTED = {str(number): collected for collected, number in COLLECTED.items()}
_AMOUNT = re.compile(r"[0-9]{1,15}")


class Batch(Value):
    """States of dossiers; a message that stands alone is a batch of one."""

    states: tuple[Any, ...] = Field(min_length=1, max_length=MAX_STATES, alias="DanhSachHoSo")

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, given: Any) -> Any:
        if isinstance(given, dict) and "MaHoSo" in given:
            return {"DanhSachHoSo": [given]}
        return given


class Synced(TypedDict):
    """What came of one item: its dossier here as of version `seen`, or the reason of a refusal."""

    outcome: Outcome
    code: NotRequired[str]
    dossier: NotRequired[str]
    seen: NotRequired[str]
    refusal: NotRequired[str]
    reason: NotRequired[str]
    rule: NotRequired[str]
    field: NotRequired[str]
    errors: NotRequired[list[FieldError]]


class SyncedItem(Synced):
    """The same with the item's place in the request, from 0.

    `code` is its dossier's, missing where the item cannot be read.
    """

    index: int


class SyncReport(TypedDict):
    """What came of each item, in their order, and how many came to what."""

    accepted: int
    repeated: int
    late: int
    refused: int
    postponed: int
    items: list[SyncedItem]


@routes.post("/sync/dossiers", allow={"system"})
def sync_dossiers() -> Answer[SyncReport]:
    """Take over the states of dossiers that the caller's system keeps. 207, item by item.

    An item is `accepted`, `repeated` (known), `late` (a newer state is known), `refused` with a
    reason, or `postponed`: there was no time for it, send it again.
    """
    origin, asked = routes.origin(), routes.json(Batch)
    agency = routes.caller().agency or ""
    said: dict[int, Synced] = {}
    read: list[tuple[int, DossierMessage]] = []
    for index, given in enumerate(asked.states):
        try:
            read.append((index, DossierMessage.model_validate(given)))
        except ValidationError as error:
            said[index] = _unfit(error)
    # In the order in which it happened: what stands in disorder within a batch is not late.
    for index, message in sorted(read, key=lambda each: (each[1].state_at, each[0])):
        # The first is always tried: who sends the rest again gets on.
        late = runtime.now() >= origin.at + timedelta(seconds=WORKED_S)
        said[index] = (
            {"outcome": "postponed"}
            if late and said
            else _adopted(message, agency, _origin(origin, index))
        )
        said[index]["code"] = message.code
    counts = Counter(each["outcome"] for each in said.values())
    report: SyncReport = {
        "accepted": counts["accepted"],
        "repeated": counts["repeated"],
        "late": counts["late"],
        "refused": counts["refused"],
        "postponed": counts["postponed"],
        "items": [{"index": index, **said[index]} for index in sorted(said)],
    }
    response = ok(report)
    response.status_code = 207
    return response


def _adopted(message: DossierMessage, agency: str, origin: Origin) -> Synced:
    """What came of one item."""
    try:
        known = _known(message.code)
        if known is None:
            _check_first(message.code, agency, origin)
        done = carry_out(_wish(message, agency, known, origin))
    except Stale:
        return {"outcome": "postponed"}
    except Refused as refusal:
        return _refused(refusal)
    outcome: Outcome = "accepted"
    if done.commit is None:
        outcome = "repeated" if _was_said(message) else "late"
    return {"outcome": outcome, "dossier": codes.synced_id(message.code), "seen": done.seen}


def _known(code: str) -> Standing | None:
    try:
        return standing(codes.synced_id(code))
    except DossierUnknown:
        return None


def _check_first(code: str, agency: str, origin: Origin) -> None:
    """See that a dossier we first hear of is the agency's own: its code says whose it is.

    Raises:
        NotYourDossier: it is neither that of the agency, nor of one below it, nor of one whose
            place it took.
        KeptHere: it was filed here.
    """
    try:
        owner = canonical(code.split("-", 1)[0])
    except AgencyCodeInvalid:
        raise NotYourDossier("The code names no agency", field="MaHoSo") from None
    if owner != agency and not owner.startswith(f"{agency}."):
        heir = Register(origin.at).heir(owner)
        if heir is None or heir.code != agency:
            raise NotYourDossier(field="MaHoSo")
    if runtime.views().row(where_is_my_dossier.answer, code):
        raise KeptHere(field="MaHoSo")


def _was_said(message: DossierMessage) -> bool:
    """Whether this very state of the dossier is one that we were told of."""
    moments = {
        (event.portal, event.state_at)
        for event in standing(codes.synced_id(message.code)).events
        if isinstance(event, DossierStateAdopted)
    }
    return (message.portal, message.state_at) in moments


def _wish(
    message: DossierMessage, agency: str, known: Standing | None, origin: Origin
) -> AdoptState:
    id_, kind = codes.synced_id(message.code), _KINDS[message.kind]
    last = known.state.elsewhere if known else None
    same = {
        "code", "portal", "state_at", "procedure", "procedure_name", "field", "field_name",
        "summary", "note", "receipt", "received_at", "due_at", "ended_at", "returned_at", "unit",
    }  # fmt: skip
    return AdoptState(
        origin=origin,
        dossier=id_,
        **terms(),
        agency=agency,
        subject=(
            runtime.person_numbered(kind, message.identity_number)
            or runtime.subject("person", "of-dossier", id_)
        ),
        channel=_CHANNELS[message.channel],
        applicant_kind=kind,
        applicant=(
            Applicant(name=message.name, identity_number=message.identity_number)
            if message.name or message.identity_number
            else None
        ),
        contact=(
            Contact(email=message.email, phone=message.phone)
            if message.email or message.phone
            else None
        ),
        means="post" if message.means else "desk",
        # A later message may leave a list out; what was said once stays said.
        supplements=max(len(message.supplements), last.supplements if last else 0),
        papers=_papers(message.papers) if message.papers else (last.papers if last else ()),
        fees=tuple(map(_fee, message.charges)) or (last.fees if last else ()),
        issued=tuple(SyncedFile(code=one.code, id=one.id) for one in message.results)
        or (last.issued if last else ()),
        **{name: getattr(message, name) for name in same},
    )


def _papers(parts: Iterable[Paper]) -> tuple[SyncedPaper, ...]:
    """The papers that are there."""
    return tuple(
        SyncedPaper(
            code=part.code,
            id=part.id,
            digitised=_flag(part.digitised),
            reused=_flag(part.reused),
        )
        for part in parts
        if not _flag(part.deleted)
    )


def _flag(said: str | None) -> bool | None:
    """A flag; of what is said in other words than the standard's, nothing is guessed."""
    return {"0": False, "1": True}.get(said or "")


def _fee(charge: Charge) -> SyncedFee:
    """A charge; of what is said in other words than the standard's, nothing is guessed."""
    amount = int(charge.amount) if _AMOUNT.fullmatch(charge.amount) else None
    collected = _COLLECTED.get(charge.collected)
    return SyncedFee(code=charge.code, name=charge.name, amount=amount, collected=collected)


def _origin(origin: Origin, index: int) -> Origin:
    """The origin of an item's command: the same when the request is repeated."""
    name = f"{origin.command_id}#{index}".encode()
    return origin.model_copy(update={"command_id": b64url(sha256(name).digest()), "expected": None})


def _unfit(error: ValidationError) -> Synced:
    said = _refused(Invalid("The item has fields that do not fit"))
    said["errors"] = faults(error)[:MAX_FAULTS]
    return said


def _refused(refusal: Refused) -> Synced:
    said: Synced = {"outcome": "refused", "refusal": refusal.code, "reason": str(refusal)}
    if refusal.rule:
        said["rule"] = refusal.rule
    if refusal.field:
        said["field"] = refusal.field
    return said
