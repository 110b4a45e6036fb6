"""The elements of a message but for its files: bare names, texts, and where each stands."""

from collections.abc import Iterator

from chalicelib.contexts.documents.edxml.errors import EdxmlElementInvalid

FOREIGN = "foreign."


class Node:
    """One element. `tag` has no namespace; one from elsewhere is called `foreign.<name>`.

    `linked`: it has an attribute that refers to something. No XML library's element, which would
    refuse the odd names that hostile messages hold.
    """

    __slots__ = ("children", "linked", "parent", "tag", "text")

    def __init__(self, tag: str, parent: "Node | None" = None, *, linked: bool = False) -> None:
        self.tag, self.parent, self.text, self.linked = tag, parent, "", linked
        self.children: list[Node] = []
        if parent is not None:
            parent.children.append(self)

    @property
    def path(self) -> str:
        """`edXML/…/To[2]/OrganId`: numbered only where several of one name stand together."""
        steps: list[str] = []
        node: Node | None = self
        while node is not None:
            above, name = node.parent, node.tag[:64]
            likes = above.all(node.tag) if above else []
            steps.append(f"{name}[{likes.index(node) + 1}]" if len(likes) > 1 else name)
            node = above
        return "/".join(reversed(steps))

    def all(self, path: str) -> list["Node"]:
        """Every element at `path`, in the order in which they stand."""
        found = [self]
        for name in path.split("/"):
            found = [child for node in found for child in node.children if child.tag == name]
        return found

    def child(self, path: str) -> "Node | None":
        """The one element at `path`, if it is there.

        Raises:
            EdxmlElementInvalid: there are two; other readers might take the other one.
        """
        node = self
        for name in path.split("/"):
            found = node.all(name)
            if len(found) > 1:
                detail = "This element may stand only once."
                raise EdxmlElementInvalid(detail, field=found[1].path)
            if not found:
                return None
            node = found[0]
        return node

    def text_at(self, path: str) -> str:
        """The text of the one element at `path`, "" if it is not there."""
        node = self.child(path)
        return node.text if node else ""

    @property
    def name(self) -> str:
        """What it is called, whatever its namespace."""
        return self.tag.removeprefix(FOREIGN)

    def walk(self) -> Iterator["Node"]:
        """This element and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def within(self, names: frozenset[str]) -> bool:
        """Whether this element or one around it has one of the names."""
        node: Node | None = self
        while node is not None and node.tag not in names:
            node = node.parent
        return node is not None
