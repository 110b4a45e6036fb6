"""What either road asks of a document that is known: to have it back, to pass it on."""

from collections.abc import Iterable
from typing import Any

from chalicelib import runtime
from chalicelib.contexts.documents.domain.copy import ENDED, REASON_CHARS, copy
from chalicelib.contexts.documents.domain.document import (
    Document,
    RelayDocument,
    RevokeDocument,
    document,
)
from chalicelib.contexts.documents.domain.events import DocumentSent, Hop, Party
from chalicelib.contexts.documents.edxml.errors import EdxmlElementInvalid
from chalicelib.contexts.documents.reactions import copy_id
from chalicelib.contexts.documents.register import Register
from chalicelib.handle import Done, fold, handle
from chalicelib.kernel import Origin


def standing(id_: str) -> Document:
    """The document as it stands."""
    return fold(document, runtime.event_store().load(f"document-{id_}"))


def authority(agency: str, now: DocumentSent | None, register: Register) -> dict[str, Any]:
    """In whose name the agency may ask about the document, and whether its system is locked."""
    return {
        "agency": agency,
        "acts_for": register.acts_for(agency, now.sender.code) if now else (),
        "locked": register.standing([agency])["locked"],
    }


def revoke_document(
    id_: str, receivers: tuple[str, ...], agency: str, origin: Origin, **said: Any
) -> Done:
    """Order a document back. Who refused to give it back is ordered again; else it is silent.

    Raises:
        Refused: see `document.decide`.
    """
    state = standing(id_)
    command = RevokeDocument(
        origin=origin,
        document=id_,
        receivers=receivers,
        kept_by=_kept_by(id_, state),
        **authority(agency, state.now, Register(origin.at)),
        reason=said["reason"],
        staff=said["staff"],
    )
    done = handle(runtime.event_store(), document, id_, command, claim=said["claim"])
    return receipt(done, "document.revoked")


def relay_document(
    id_: str,
    receivers: tuple[Party, ...],
    agency: str,
    origin: Origin,
    register: Register,
    *,
    hops: tuple[Hop, ...] = (),
    claim: bool = False,
) -> Done:
    """Pass a document on to units below the agency, which has it. Doing so again is silent.

    Raises:
        Refused: see `document.decide`.
    """
    now = standing(id_).now
    codes = [party.code for party in receivers]
    command = RelayDocument(
        origin=origin,
        agency=agency,
        document=id_,
        acts_for=register.succeeded(agency, (p.code for p in now.receivers)) if now else (),
        receivers=receivers,
        below=register.below(agency, codes),
        hops=hops,
        **register.standing([agency, *codes]),
    )
    done = handle(runtime.event_store(), document, id_, command, claim=claim)
    return receipt(done, "document.relayed")


def has_copy(now: DocumentSent, agency: str, register: Register) -> bool:
    """Whether the agency is a receiver of the document, or took the place of one."""
    codes = [party.code for party in now.receivers]
    return agency in codes or bool(register.succeeded(agency, codes))


def receipt(done: Done, *types: str) -> Done:
    """The receipt of what was said before: of the last commit with an event of one of `types`.

    What is new, or was never said, keeps its own.
    """
    if done.commit is not None:
        return done
    for commit in reversed(runtime.event_store().load(done.stream)):
        if not set(types).isdisjoint(kind.split("/")[0] for kind in commit.facts["events"]):
            return Done(done.stream, commit.number, duplicate=True)
    return done


def whole(reason: str, field: str) -> str:
    """The reason that an edXML message gives in `field`, if all of it can be kept.

    Raises:
        EdxmlElementInvalid: over `REASON_CHARS`; cut off, nobody would know the rest.
    """
    if len(reason) > REASON_CHARS:
        detail = f"It has {len(reason)} characters; {REASON_CHARS} are kept."
        raise EdxmlElementInvalid(detail, field=field)
    return reason


def _kept_by(id_: str, state: Document) -> tuple[str, ...]:
    return tuple(_refusing(id_, state.revoked))


def _refusing(id_: str, receivers: Iterable[str]) -> Iterable[str]:
    """Those who were ordered to give the document back and answered that they do not."""
    for receiver in receivers:
        copy_state = fold(copy, runtime.event_store().load(f"copy-{copy_id(id_, receiver)}"))
        refused = copy_state.settled == "refused" and copy_state.change is None
        if refused and copy_state.status not in ENDED:
            yield receiver
