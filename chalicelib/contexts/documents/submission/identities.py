"""Which documents a message names: by DocumentId, and what is known of those it replaces."""

from collections.abc import Iterable
from datetime import date

from chalicelib import runtime
from chalicelib.agency_code import AgencyCodeInvalid, canonical
from chalicelib.contexts.documents.domain.document import Replacing, document
from chalicelib.contexts.documents.domain.events import Replaced, document_id
from chalicelib.contexts.documents.edxml.dates import write_date
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.register import Register
from chalicelib.handle import fold
from chalicelib.kernel import Invalid

MAX_REPLACED = 50
"""Documents that one replaces."""


class ReferenceUnreadable(Invalid):
    """The status names no document that can be recognised."""

    code = "reference-unreadable"
    rule = "QCVN 102:2016/BTTTT, DocumentId: OrganId,yyyy/MM/dd,Number/Notation"


def named_by(issuer: str, day: date | None, code: str) -> DocumentIdentity | None:
    """The name of a document whose DocumentId is unreadable: from its header, or a status's.

    `code` is number and notation, as one text.
    """
    return DocumentIdentity.parse(f"{issuer},{write_date(day)},{code}") if day else None


def id_of_reference(reference: str) -> str:
    """The document that a DocumentId names.

    Raises:
        ReferenceUnreadable: it is not of the standard's form.
    """
    return id_named(reference, "DocumentId")


def id_named(reference: str, field: str) -> str:
    """The document that the DocumentId in `field` names.

    Raises:
        ReferenceUnreadable: it is not of the standard's form.
    """
    identity = DocumentIdentity.parse(reference)
    if identity is None:
        raise ReferenceUnreadable(field=field)
    return id_of(identity)


def id_of(identity: DocumentIdentity) -> str:
    """The id of the document that is so named."""
    return document_id(
        issuer_of(identity.issuer),
        identity.promulgated_on or identity.raw_date,
        identity.number,
        identity.notation,
    )


def issuer_of(text: str) -> str:
    """The canonical code where the text is one: real DocumentIds also hold others."""
    try:
        return canonical(text)
    except AgencyCodeInvalid:
        return text


def replacing(
    named: Iterable[tuple[str, str, Iterable[str]]], register: Register
) -> tuple[Replacing, ...]:
    """What is known of the documents to replace: id, DocumentId, receivers; each once.

    Receivers are those who answer today for the ones that are named, and for those that have it.
    """
    found: dict[str, Replacing] = {}
    for id_, reference, codes in named:
        now = fold(document, runtime.event_store().load(f"document-{id_}")).now
        before = found[id_].replaced.receivers if id_ in found else ()
        found[id_] = Replacing(
            replaced=Replaced(
                document=id_,
                reference=now.official.reference if now else reference or id_,
                receivers=tuple(dict.fromkeys([*before, *_today(codes, register)])),
            ),
            sender=now.sender.code if now else "",
            holders=_today((p.code for p in now.receivers), register) if now else (),
        )
    return tuple(found.values())


def _today(codes: Iterable[str], register: Register) -> tuple[str, ...]:
    register.fetch(codes := list(codes))
    return tuple(register.heir(code) or code for code in codes)
