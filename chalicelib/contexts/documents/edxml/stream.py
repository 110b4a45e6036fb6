"""Takes in the bytes of a message: a small tree of its elements, its files into sinks.

The message is untrusted. There is no document type, hence no entities and nothing to fetch; lxml's
own limits stay on (no `huge_tree`); a file's text is decoded as it arrives and never held, so a
message of 100 MiB costs a few buffers.
"""

import re
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from lxml import etree

from chalicelib.contexts.documents.edxml.errors import (
    AttachmentInvalid,
    EdxmlForbiddenMarkup,
    EdxmlMalformed,
    EdxmlNotQcvn102,
    EdxmlTooDeep,
    EdxmlTooLarge,
    SecretMarking,
)
from chalicelib.contexts.documents.edxml.model import MAX_TEXT, NAMESPACE
from chalicelib.contexts.documents.edxml.tree import FOREIGN, Node
from chalicelib.contexts.documents.edxml.unpack import Sink, Unpacked, Unpacker
from chalicelib.kernel import Value
from chalicelib.secrecy import marks_a_secret, names_a_level

MAX_MESSAGE = 100 * 1024 * 1024
"""Bytes of a whole message."""
MAX_ATTACHMENTS = 50
MAX_EXPANDED_TOTAL = 200 * 1024 * 1024
"""Bytes of all files of a message, unpacked."""
MAX_DEPTH = 32
MAX_ELEMENTS = 20_000
MAX_TOTAL_TEXT = 4 * 1024 * 1024
"""Characters of all names, attributes and texts outside attachments."""
MAX_PIECE = 4 * 1024 * 1024
"""Bytes of one tag, comment or CDATA section: lxml holds each of them whole."""

FILES = "AttachmentEncoded"
_CONTENT = ["edXML", FILES, "Attachment", "ContentTransferEncoded"]
_CHUNK = 64 * 1024
_OURS, _XINCLUDE = f"{{{NAMESPACE}}}", "{http://www.w3.org/2001/XInclude}"
_SPELLINGS = {
    "Business": "Bussiness",
    "BusinessDocType": "BussinessDocType",
    "BusinessDocReason": "BussinessDocReason",
    "BusinessDocumentInfo": "BussinessDocumentInfo",
}
"""Real messages also write the standard's misspelt names as English does."""
_REPEATED = frozenset(
    (
        *("To", "ResponseFor", "TraceHeader", "ReplacementInfo", "ReceiverList", "Receiver"),
        *("Reference", "Attachment"),
    )
)
"""Of which there may be none: an empty one is a serializer's skeleton."""
_PROSE = frozenset(("Subject", "Content"))
_PEOPLE = frozenset(("From", "To", "SignerInfo", "StaffInfo", "Signature"))
_DECLARED = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']""")
_TAKEN_FOR_UTF8 = frozenset((b"utf-8", b"utf8", b"utf-16", b"us-ascii", b"ascii"))
"""What UTF-8 may call itself: programs declare the encoding of the string they wrote into."""


class AttachmentHeader(Value):
    """What a message has said of a file by the time its content begins.

    `index` counts the files from 0 and is the file's place in `DocumentMessage.attachments`.
    `content_id` and `name` are hints as the sender wrote them, "" where they follow the content;
    never make a path of `name`.
    """

    index: int
    content_id: str
    name: str


Keep = Callable[[AttachmentHeader], Sink]


class Carried(NamedTuple):
    """An Attachment element and what came out of it."""

    element: Node
    file: Unpacked


def take_in(stream: BinaryIO, keep: Keep) -> tuple[Node, list[Carried]]:
    """The root of the message's tree, and its files in the order in which they came.

    Raises:
        EdxmlError: the message breaks a limit, is marked secret, or is no edXML at all.
    """
    target = _Target(keep)
    parser = etree.XMLParser(
        target=target,
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
    )
    size = silent = 0
    try:
        while chunk := stream.read(_CHUNK):
            if not size:
                _require_utf8(chunk)
            size += len(chunk)
            if size > MAX_MESSAGE:
                raise EdxmlTooLarge(f"The message is larger than {MAX_MESSAGE} bytes.")
            target.moved = False
            parser.feed(chunk)
            # lxml bounds such a piece too, but only once it has read all of it.
            silent = 0 if target.moved else silent + len(chunk)
            if silent > MAX_PIECE:
                raise EdxmlTooLarge(
                    f"A tag, comment or CDATA section is longer than {MAX_PIECE} bytes.",
                    field=target.place,
                )
        parser.close()
    except etree.XMLSyntaxError as error:
        line, column = error.position
        # The reader's own words may quote the message, so only the place is told.
        detail = f"The message is not well-formed XML at line {line}, column {column}."
        raise EdxmlMalformed(detail) from error
    assert target.root is not None, "a well-formed message has a root"
    _drop_empty(target.root, {each.element for each in target.carried})
    return target.root, target.carried


def _require_utf8(start: bytes) -> None:
    declared = _DECLARED.search(start[:1024])
    if (
        start.startswith((b"\xff\xfe", b"\xfe\xff"))
        or b"\0" in start[:4]
        or (declared and declared[1].lower() not in _TAKEN_FOR_UTF8)
    ):
        raise EdxmlMalformed("The message must be written in UTF-8.")


class _Target:
    """What the XML reader calls as it goes."""

    def __init__(self, keep: Keep) -> None:
        self.root: Node | None = None
        self.carried: list[Carried] = []
        self.moved = False
        self._keep = keep
        self._open: list[Node] = []
        self._texts: list[list[str]] = []
        self._sizes: list[int] = []
        self._elements = self._text = self._expanded = 0
        self._unpacker: Unpacker | None = None
        self._signature: Node | None = None
        self._listed: dict[str, str] = {}

    @property
    def place(self) -> str | None:
        return self._open[-1].path if self._open else None

    def doctype(self, *_: object) -> None:
        raise EdxmlForbiddenMarkup("The message may not declare a document type.")

    def start(self, tag: str, attributes: dict[str, str], namespaces: dict[str, str]) -> None:
        self.moved = True
        parent = self._open[-1] if self._open else None
        if parent is None and tag != f"{_OURS}edXML":
            raise EdxmlNotQcvn102(f"The root must be edXML in {NAMESPACE}.", field="edXML")
        place = parent.path if parent and tag.startswith(_XINCLUDE) else None
        if place:
            raise EdxmlForbiddenMarkup("The message may not include others.", field=place)
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise EdxmlTooLarge(f"The message has more than {MAX_ELEMENTS} elements.")
        if parent and len(self._open) == MAX_DEPTH:
            detail = f"Elements stand more than {MAX_DEPTH} deep."
            raise EdxmlTooDeep(detail, field=parent.path)
        if parent and self._unpacker:
            detail = "A file's content may hold no elements."
            raise AttachmentInvalid(detail, field=parent.path)
        named = (*attributes.items(), *namespaces.items())
        self._charge(len(tag) + sum(len(key or "") + len(value) for key, value in named))
        ours = tag.startswith(_OURS)
        name = tag.rpartition("}")[2]
        node = Node(
            ("" if ours else FOREIGN) + _SPELLINGS.get(name, name),
            parent,
            linked=any(key.endswith("href") for key in attributes),
        )
        self.root = self.root or node
        if node.name == "Signature":
            self._signature = self._signature or node
        self._open.append(node)
        self._texts.append([])
        self._sizes.append(0)
        if len(self._open) == len(_CONTENT) and [each.tag for each in self._open] == _CONTENT:
            self._begin_file(node)

    def data(self, text: str) -> None:
        self.moved = True
        if self._unpacker:
            self._unpacker.feed(text)
            return
        self._charge(len(text))
        if self._signature:
            return  # It is examined elsewhere, over the message's own bytes.
        self._sizes[-1] += len(text)
        if self._sizes[-1] > MAX_TEXT:
            detail = f"A text is longer than {MAX_TEXT} characters."
            raise EdxmlTooLarge(detail, field=self._open[-1].path)
        self._texts[-1].append(text)

    def end(self, _: str) -> None:
        self.moved = True
        node = self._open.pop()
        node.text = "".join(self._texts.pop()).strip()
        self._sizes.pop()
        if node is self._signature:
            self._signature = None
        if self._unpacker and node.parent:
            self._end_file(self._unpacker, node.parent)
        elif len(self._open) == 1:
            # The envelope is whole: look for a marking before any file is asked for.
            _refuse_secrets(node)
            self._listed |= {
                content_id(each): each.text_at("AttachmentName") for each in listed(node)
            }

    def comment(self, _: str) -> None:
        self.moved = True

    def pi(self, *_: object) -> None:
        self.moved = True

    def close(self) -> None:
        """The reader wants one; everything has been said by then."""

    def _charge(self, characters: int) -> None:
        self._text += characters
        if self._text > MAX_TOTAL_TEXT:
            detail = f"Outside its files the message is longer than {MAX_TOTAL_TEXT} characters."
            raise EdxmlTooLarge(detail, field=self.place)

    def _spend(self, size: int) -> None:
        self._expanded += size
        if self._expanded > MAX_EXPANDED_TOTAL:
            detail = f"Unpacked, its files are larger than {MAX_EXPANDED_TOTAL} bytes."
            raise EdxmlTooLarge(detail, field=f"edXML/{FILES}")

    def _begin_file(self, content: Node) -> None:
        attachment = content.parent
        assert attachment is not None, "the content stands in an Attachment"
        if len(self.carried) == MAX_ATTACHMENTS:
            detail = f"The message has more than {MAX_ATTACHMENTS} files."
            raise EdxmlTooLarge(detail, field=attachment.path)
        attachment.child(content.tag)  # Refuses a second one.
        header = AttachmentHeader(
            index=len(self.carried),
            content_id=attachment.text_at("ContentId"),
            name=attachment.text_at("AttachmentName"),
        )
        name = self._listed.get(content_id(attachment)) or header.name
        self._unpacker = Unpacker(lambda: self._keep(header), content.path, self._spend, name)

    def _end_file(self, unpacker: Unpacker, attachment: Node) -> None:
        self._unpacker = None
        # Without a ContentId it may be a skeleton that holds no file.
        if attachment.text_at("ContentId") or not unpacker.blank:
            self.carried.append(Carried(attachment, unpacker.finish()))


def _refuse_secrets(top: Node) -> None:
    """Look at every element, but among names of people and agencies, for a marking."""
    for node in top.walk():
        if names_a_level(node.name, node.text) or (
            not node.within(_PEOPLE) and marks_a_secret(node.text, prose=node.name in _PROSE)
        ):
            raise SecretMarking(field=node.path)


def listed(envelope: Node) -> list[Node]:
    """The files in the manifest, which some call by a shorter name."""
    return [
        reference
        for name in ("edXMLManifest", "Manifest")
        for reference in envelope.all(f"edXMLBody/{name}/Reference")
    ]


def content_id(node: Node) -> str:
    """Of a file, as the message or the manifest has it: `cid:209`, `<209>` and `209` are the same.

    Raises:
        EdxmlElementInvalid: it has two.
    """
    return node.text_at("ContentId").strip("<>").removeprefix("cid:").strip()


def _drop_empty(node: Node, files: set[Node]) -> bool:
    """Forget the repeated elements below that say nothing; whether this one says something.

    It does with a text or a file, in itself or below, or with a reference to something.
    """
    says = [_drop_empty(each, files) for each in node.children]
    node.children = [
        each
        for each, something in zip(node.children, says, strict=True)
        if something or each.tag not in _REPEATED
    ]
    return any(says) or bool(node.text) or node.linked or node in files
