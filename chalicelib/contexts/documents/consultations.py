"""A document that asks other agencies about a dossier, sent for the agency that works on it. Pure.

Whoever answers it sends a document that names this one, as with every document.
"""

from typing import Any

from chalicelib.contexts.documents.domain.document import SendDocument, document
from chalicelib.contexts.documents.domain.events import OfficialDocument, Party
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.dossiers.domain.events import DossierConsultationRequested
from chalicelib.kernel import Decider, Origin

TYPE_NAME = "Công văn"


def asking(
    event: DossierConsultationRequested, origin: Origin
) -> tuple[Decider[Any, Any, Any], str, SendDocument] | None:
    """The document that asks; None if the event, an early one, does not name it."""
    identity = DocumentIdentity.parse(event.reference)
    if identity is None or identity.promulgated_on is None:
        return None

    def party(code: str) -> Party:
        return Party(code=code, as_given=code, name=event.names.get(code, ""))

    command = SendDocument(
        origin=origin,
        agency=identity.issuer,
        document=event.document,
        official=OfficialDocument(
            reference=event.reference,
            issuer=identity.issuer,
            number=identity.number,
            notation=identity.notation,
            promulgated_on=identity.promulgated_on,
            type_name=TYPE_NAME,
            subject=f"Lấy ý kiến về hồ sơ {event.code}",
            content=event.question,
        ),
        sender=party(identity.issuer),
        receivers=tuple(party(code) for code in event.asked),
    )
    return document, event.document, command
