"""Reads an edXML message: what it says, and its files into the caller's sinks.

Real messages vary. What can be understood is read, and what is odd is noted in `warnings`; what is
missing or contradicts the standard is refused by the path of the element at fault.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from io import BytesIO
from typing import Any, BinaryIO, TypeVar

from pydantic import ValidationError

from chalicelib.content_types import type_of
from chalicelib.contexts.documents.edxml.dates import read_date, read_moment
from chalicelib.contexts.documents.edxml.errors import (
    AttachmentInvalid,
    AttachmentMissing,
    EdxmlElementInvalid,
    EdxmlElementMissing,
    EdxmlNotQcvn102,
)
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.edxml.model import (
    HEADER_ELEMENTS,
    PART_ELEMENTS,
    PARTS,
    REFERENCE_ELEMENTS,
    STATUS_ELEMENTS,
    TRACE_LIST_ELEMENTS,
    AttachmentPart,
    DocumentMessage,
    Elements,
    Party,
    Reference,
    Replacement,
    Signer,
    StaffContact,
    StatusMessage,
    Trace,
    UpdateInfo,
    UpdateReceiver,
)
from chalicelib.contexts.documents.edxml.stream import (
    FILES,
    Carried,
    Keep,
    content_id,
    listed,
    take_in,
)
from chalicelib.contexts.documents.edxml.tree import Node
from chalicelib.contexts.documents.edxml.unpack import Unpacked
from chalicelib.kernel import Value

MAX_WARNINGS = 100

_ORGAN_ID = re.compile(
    r"[0-9A-Z]{2,3}\.[0-9A-Z]{2}\.[0-9A-Z]{2}\.[A-Z]\d{2}|[A-Z]\d{2}(?:\.[0-9A-Z]{2,3})*"
)

V = TypeVar("V", bound=Value)
_Row = tuple[Node | None, tuple[str, str]]
_Known = dict[str, "_Known | None"]


def _known(rows: Elements) -> _Known:
    """The elements that are read, each with those in it; None for one that is a text."""
    known: _Known = {}
    for path, _ in rows:
        *outer, last = path.split("/")
        inner = known
        for name in outer:
            found = inner.setdefault(name, {})
            assert found is not None, "an element is a text or holds others"
            inner = found
        part = PARTS.get(last)
        inner[last] = _known(PART_ELEMENTS[part]) if part else None
    return known


_REFERENCES: _Known = {"Reference": _known(REFERENCE_ELEMENTS)}
_READ: _Known = {
    "edXMLEnvelope": {
        "edXMLHeader": {
            "MessageHeader": _known(HEADER_ELEMENTS),
            "TraceHeaderList": _known(TRACE_LIST_ELEMENTS),
        },
        "edXMLBody": {"edXMLManifest": _REFERENCES, "Manifest": _REFERENCES},
    },
    FILES: {"Attachment": _known(REFERENCE_ELEMENTS) | {"ContentTransferEncoded": None}},
}
"""The elements of a document message."""
_ALSO: dict[str, _Known] = {
    "Code": {"CodeNumber": None, "CodeNotation": None},
    "ReceiverList": _known(PART_ELEMENTS[UpdateReceiver]),
}
"""What else is read in an element, as messages vary."""
_TEXTS_TOO = frozenset(("Code", "Appendixes", "ToPlaces"))
"""Elements that may hold a text instead of others."""


def parse(source: BinaryIO | bytes, keep: Keep) -> DocumentMessage | StatusMessage:
    """Read one message. `keep` is asked for a sink as each file's content begins.

    The header stands before the files in every message seen, and is then checked for a secret
    marking before the first `keep`. When anything is refused, sinks may have been written, and the
    one in progress is left unclosed: whoever keeps them must then discard them all.

    Raises:
        EdxmlError: the subclass says what is wrong; nothing of the message may be kept.
    """
    root, carried = take_in(BytesIO(source) if isinstance(source, bytes) else source, keep)
    _refuse_misplaced_files(root)
    return _Reading().message(root, carried)


class _Reading:
    """One message being understood, and the oddities met on the way."""

    def __init__(self) -> None:
        self._warnings: list[str] = []

    def message(self, root: Node, carried: list[Carried]) -> DocumentMessage | StatusMessage:
        envelope = _required(root, "edXMLEnvelope")
        # Some status messages put their Header right under the envelope.
        bare = envelope.child("Header") is not None and envelope.child("edXMLHeader") is None
        outer = envelope if bare else _required(envelope, "edXMLHeader")
        header = _required(outer, "MessageHeader", "Header")
        if header.tag == "Header" or header.child("StatusCode"):
            if carried:
                detail = "A status message carries no files."
                raise AttachmentInvalid(detail, field=carried[0].element.path)
            return self._status(header)
        document = self._document(root, outer, self._attachments(root, envelope, carried))
        signed = any(node.name == "Signature" for node in root.walk())
        return document.model_copy(update={"signed": signed})

    def _document(
        self, root: Node, outer: Node, attachments: tuple[AttachmentPart, ...]
    ) -> DocumentMessage:
        header = _required(outer, "MessageHeader")
        traces = outer.child("TraceHeaderList")
        business = traces and traces.child("Bussiness")
        _refuse_misplaced_operation(root, business)
        code_number, code_notation = _code(header.child("Code"))
        if business:
            self._identity(business.child("DocumentId"))
        rows: list[_Row] = [(header, row) for row in HEADER_ELEMENTS]
        message = _build(
            DocumentMessage,
            rows + [(traces, row) for row in TRACE_LIST_ELEMENTS],
            from_=self._part(Party, _mandatory(header, "From")),
            to=tuple(self._part(Party, to) for to in header.all("To")),
            identity=self._identity(header.child("DocumentId")),
            code_number=code_number,
            code_notation=code_notation,
            promulgation_date=_mandatory_date(header, "PromulgationInfo/PromulgationDate"),
            signer=self._optional(Signer, header.child("SignerInfo")),
            due_date=self._date(header.child("DueDate")),
            priority=_number(header, "OtherInfo/Priority"),
            appendixes=_list(header, "OtherInfo/Appendixes", "Appendix"),
            response_for=tuple(self._reference(each) for each in header.all("ResponseFor")),
            to_places=_list(header, "ToPlaces", "Place"),
            traces=tuple(self._trace(each) for each in traces.all("TraceHeader")) if traces else (),
            operation=_number(business, "BussinessDocType") if business else 0,
            update=self._update(business.child("BussinessDocumentInfo")) if business else None,
            replacements=self._replacements(business) if business else (),
            staff=self._optional(StaffContact, business.child("StaffInfo")) if business else None,
            attachments=attachments,
        )
        if not business:
            self._warn("bussiness-missing", outer, "TraceHeaderList/Bussiness")
        elif not business.text_at("BussinessDocType"):
            self._warn("bussiness-missing", business, "BussinessDocType")
        for oddity, place in _contradictions(message):
            self._warn(oddity, header, place)
        for node in _unread(root, _READ):
            self._warn("element-not-read", node)
        return message.model_copy(update={"warnings": tuple(self._warnings)})

    def _status(self, header: Node) -> StatusMessage:
        code = _mandatory(header, "StatusCode").text
        if len(code) == 1:
            code = f"0{code}"
            self._warn("status-code-padded", header, "StatusCode")
        moment = _mandatory(header, "Timestamp")
        timestamp = read_moment(moment.text)
        if timestamp is None:
            detail = "The moment must be written yyyy/MM/dd HH:mm:ss."
            raise EdxmlElementInvalid(detail, field=moment.path)
        answered = _mandatory(header, "ResponseFor")
        self._identity(answered.child("DocumentId"))
        message = _build(
            StatusMessage,
            ((header, row) for row in STATUS_ELEMENTS),
            from_=self._part(Party, _mandatory(header, "From")),
            response_for=self._reference(answered),
            staff=self._optional(StaffContact, header.child("StaffInfo")),
            status_code=code,
            timestamp=timestamp,
        )
        return message.model_copy(update={"warnings": tuple(self._warnings)})

    def _warn(self, code: str, node: Node, below: str = "") -> None:
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(f"{code} {node.path}" + (f"/{below}" if below else ""))

    def _part(self, model: type[V], node: Node, **given: Any) -> V:
        part = _build(model, ((node, row) for row in PART_ELEMENTS[model]), **given)
        organ_id = getattr(part, "organ_id", "")
        if organ_id and not _ORGAN_ID.fullmatch(organ_id):
            self._warn("organ-id-irregular", node, "OrganId")
        return part

    def _optional(self, model: type[V], node: Node | None) -> V | None:
        return self._part(model, node) if node else None

    def _reference(self, node: Node) -> Reference:
        number, notation = _code(node.child("Code"))
        return self._part(
            Reference,
            node,
            code=f"{number}/{notation}" if notation else number,
            promulgation_date=self._date(node.child("PromulgationDate")),
        )

    def _trace(self, node: Node) -> Trace:
        written = node.child("Timestamp")
        moment = read_moment(written.text) if written else None
        if written and written.text and not moment:
            self._warn("date-unreadable", written)
        return self._part(Trace, node, timestamp=moment)

    def _update(self, node: Node | None) -> UpdateInfo | None:
        if not node:
            return None
        # Receivers stand in one list, or each is a list of its own.
        own = [each for each in node.all("ReceiverList") if each.child("OrganId")]
        receivers = own or node.all("ReceiverList/Receiver")
        return self._part(
            UpdateInfo,
            node,
            receivers=tuple(self._part(UpdateReceiver, each) for each in receivers),
        )

    def _replacements(self, business: Node) -> tuple[Replacement, ...]:
        return tuple(
            self._part(Replacement, each, organ_ids=_texts(each, "OrganIdList/OrganId"))
            for each in business.all("ReplacementInfoList/ReplacementInfo")
        )

    def _date(self, node: Node | None) -> date | None:
        day = read_date(node.text) if node else None
        if node and node.text and not day:
            self._warn("date-unreadable", node)
        return day

    def _identity(self, node: Node | None) -> DocumentIdentity | None:
        identity = DocumentIdentity.parse(node.text) if node else None
        if node and node.text and not identity:
            self._warn("document-id-irregular", node)
        if node and identity and not identity.promulgated_on:
            self._warn("document-id-date-impossible", node)
        return identity

    def _attachments(
        self, root: Node, envelope: Node, carried: list[Carried]
    ) -> tuple[AttachmentPart, ...]:
        """Tie every file to its entry in the manifest, in the order in which the files came."""
        references = _by_content_id(listed(envelope))
        attachments = _by_content_id(root.all(f"{FILES}/Attachment"))
        for id_, reference in references.items():
            if id_ not in attachments:
                detail = f"The manifest lists {id_[:64]}, but no Attachment has this id."
                raise AttachmentMissing(detail, field=f"{reference.path}/ContentId")
        unpacked = {each.element for each in carried}
        for id_, attachment in attachments.items():
            if attachment not in unpacked:
                detail = f"The Attachment {id_[:64]} has no content."
                raise AttachmentMissing(detail, field=f"{attachment.path}/ContentTransferEncoded")
            if id_ not in references:
                detail = f"The manifest does not list the Attachment {id_[:64]}."
                raise AttachmentInvalid(detail, field=f"{attachment.path}/ContentId")
        return tuple(
            self._attachment(references[content_id(element)], element, file)
            for element, file in carried
        )

    def _attachment(self, reference: Node, attachment: Node, file: Unpacked) -> AttachmentPart:
        written = reference.text_at("AttachmentName") or attachment.text_at("AttachmentName")
        # It is the name of one file, and never a path.
        name = " ".join(re.sub(r"[/\\]", "-", written).split())
        if name != written:
            self._warn("attachment-name-mended", reference, "AttachmentName")
        return _build(
            AttachmentPart,
            ((reference, row) for row in REFERENCE_ELEMENTS),
            name="" if name in {".", ".."} else name,
            description=reference.text_at("Description") or attachment.text_at("Description"),
            media_type=type_of(name) or "application/octet-stream",
            size=file.size,
            sha256=file.sha256,
        )


def _required(parent: Node, *names: str) -> Node:
    """The part of the message without which it is none of the standard's."""
    for name in names:
        if found := parent.child(name):
            return found
    detail = f"The message has no {names[0]}."
    raise EdxmlNotQcvn102(detail, field=f"{parent.path}/{names[0]}")


def _mandatory(parent: Node, path: str) -> Node:
    node = parent.child(path)
    if not node or not (node.text or node.children):
        detail = f"{path} is missing or empty."
        raise EdxmlElementMissing(detail, field=f"{parent.path}/{path}")
    return node


def _mandatory_date(parent: Node, path: str) -> date:
    node = _mandatory(parent, path)
    day = read_date(node.text)
    if day is None:
        raise EdxmlElementInvalid("This is no day of the calendar.", field=node.path)
    return day


def _build(model: type[V], rows: Iterable[_Row], **given: Any) -> V:
    """A value from the texts of its elements and what is `given`, or the element at fault."""
    places: dict[str, _Row] = {}
    values = dict(given)
    for parent, row in rows:
        path, field = row
        places[field] = (parent, row)
        if field not in given:
            values[field] = parent.text_at(path) if parent else ""
    try:
        return model(**values)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        parent, (path, _) = places[str(fault["loc"][0])]
        place = f"{parent.path}/{path}" if parent else path
        if fault["type"] in {"string_too_short", "too_short"}:
            raise EdxmlElementMissing(f"{path} is missing or empty.", field=place) from None
        raise EdxmlElementInvalid(f"{path}: {fault['msg']}.", field=place) from None


def _code(node: Node | None) -> tuple[str, str]:
    """Number and notation, written in two elements or as one text `number/notation`."""
    if not node:
        return "", ""
    if node.children:
        return node.text_at("CodeNumber"), node.text_at("CodeNotation")
    number, _, notation = (part.strip() for part in node.text.partition("/"))
    return number, notation


def _list(parent: Node, path: str, each: str) -> tuple[str, ...]:
    """The texts of `each`, after one that stands in the list itself."""
    return _texts(parent, path) + _texts(parent, f"{path}/{each}")


def _texts(parent: Node, path: str) -> tuple[str, ...]:
    return tuple(node.text for node in parent.all(path) if node.text)


def _number(parent: Node, path: str) -> int:
    """A code from 0 to 3; 0, the ordinary case, where the element is absent."""
    text = parent.text_at(path) or "0"
    if not re.fullmatch(r"0*[0-3]", text):
        detail = "This element must be a number from 0 to 3."
        raise EdxmlElementInvalid(detail, field=f"{parent.path}/{path}")
    return int(text)


def _refuse_misplaced_files(root: Node) -> None:
    for node in root.walk():
        # Where it belongs, its text has gone into a sink.
        if node.name == "ContentTransferEncoded" and node.text:
            detail = f"A file must stand in {FILES}/Attachment, in the standard's namespace."
            raise AttachmentInvalid(detail, field=node.path)


def _refuse_misplaced_operation(root: Node, business: Node | None) -> None:
    """An order must not be taken for a new document because it stands elsewhere."""
    for node in root.walk():
        known = node.tag == "BussinessDocType" and node.parent is business
        if node.name == "BussinessDocType" and not known and node.text.strip("0"):
            detail = "The operation must stand in TraceHeaderList/Bussiness."
            raise EdxmlElementInvalid(detail, field=node.path)


def _unread(node: Node, known: _Known) -> Iterator[Node]:
    """The topmost elements below this one that say something which is not read."""
    for child in node.children:
        if child.name == "Signature":
            continue  # It is examined elsewhere.
        if child.tag not in known:
            if any(below.text for below in child.walk()):
                yield child
            continue
        inner = (known[child.tag] or {}) | _ALSO.get(child.tag, {})
        if inner and child.text and child.tag not in _TEXTS_TOO:
            yield child
        yield from _unread(child, inner)


def _contradictions(message: DocumentMessage) -> Iterator[tuple[str, str]]:
    """Where the message says two things without being unreadable."""
    identity = message.identity
    if not identity:
        return
    if identity.issuer != message.from_.organ_id:
        yield "issuer-not-sender", "DocumentId"
    if (identity.number, identity.notation) != (message.code_number, message.code_notation):
        yield "code-differs-from-document-id", "Code"
    if identity.promulgated_on not in {None, message.promulgation_date}:
        yield "date-differs-from-document-id", "PromulgationInfo/PromulgationDate"


def _by_content_id(nodes: list[Node]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for node in nodes:
        id_, place = content_id(node), f"{node.path}/ContentId"
        if not id_:
            raise EdxmlElementMissing("A file has no ContentId.", field=place)
        if id_ in found:
            detail = f"Two files have the ContentId {id_[:64]}."
            raise AttachmentInvalid(detail, field=place)
        found[id_] = node
    return found
