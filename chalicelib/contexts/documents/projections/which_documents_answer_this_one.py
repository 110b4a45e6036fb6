"""Which documents answer this one?"""

from typing import Any

from pydantic import AwareDatetime

from chalicelib.contexts.documents.domain.events import DocumentSent
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection


class Replies(Value):
    """A document, whose id is the row's key, and those that answer it, as they were sent."""

    documents: tuple[str, ...] = ()
    last_at: AwareDatetime
    listed: None = None


def keys(event: DocumentSent) -> list[str]:
    """The document's own row, and that of each document that it says it answers."""
    answered = (each.document for each in event.official.answers if each.document)
    return list(dict.fromkeys([event.document, *answered]))


def evolve(row: Replies | None, event: DocumentSent) -> Replies | None:
    """The row after the document itself, or another answer to it."""
    before = row.documents if row else ()
    return Replies(documents=(*before, event.document), last_at=event.at)


answer: Projection[Any] = Projection(
    Replies, DocumentSent, evolve, by="listed", sort="last_at", keys=keys
)
