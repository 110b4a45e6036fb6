"""Finding procedures by the words people use, with or without Vietnamese marks. Pure.

A look-up goes through all procedures in memory: each is one search for a text within a text, so ten
thousand of them take a few thousandths of a second, and no index has to be kept in step.
"""

import re
import unicodedata
from typing import NamedTuple

from chalicelib.contexts.dossiers.projections.which_procedures_are_there import Version
from chalicelib.kernel import Invalid, Value

MAX_CHARS = 200
"""A query is no longer."""
MAX_WORDS = 12
_WORD = re.compile(r"\w+")

Rank = tuple[int, int, int, str, str]
"""Where a procedure stands among those found; the best is the least. It ends with the code."""


class Sought(Value):
    """What is looked for. The empty text, and None, exclude nothing."""

    words: tuple[str, ...] = ()
    spoken: str = ""
    field: str | None = None
    life_event: str | None = None


class Found(NamedTuple):
    """A procedure as it is searched: `text` and `spoken` are words between single blanks."""

    code: str
    version: Version
    text: str
    spoken: str


def sought(text: str, field: str | None = None, life_event: str | None = None) -> Sought:
    """What a caller looks for.

    Raises:
        Invalid: the text is longer than anybody's question.
    """
    if len(text) > MAX_CHARS or len(words := plain(text).split()) > MAX_WORDS:
        raise Invalid(f"at most {MAX_WORDS} words and {MAX_CHARS} characters", field="q")
    return Sought(words=tuple(words), spoken=_spoken(text), field=field, life_event=life_event)


def searchable(code: str, version: Version) -> Found:
    """A procedure, ready to be searched."""
    said = f"{version.name} {version.field_name} {code}"
    return Found(code, version, f" {plain(said)} ", f" {_spoken(version.name)} ")


def rank(one: Found, wanted: Sought) -> Rank | None:
    """Where it stands among those found; None if it is not what is looked for.

    Every word must begin a word of it. Those come first that have the words together and as they
    were written, marks included; then whose name begins with them; then the shorter name.
    """
    if wanted.field is not None and one.version.field != wanted.field:
        return None
    if wanted.life_event is not None and wanted.life_event not in one.version.life_events:
        return None
    if not all(f" {word}" in one.text for word in wanted.words):
        return None
    if not wanted.words:
        return 0, 0, 0, one.text, one.code
    together = one.text.find(f" {' '.join(wanted.words)}")
    as_spoken = f" {wanted.spoken}" in one.spoken
    apart = 0 if together >= 0 and as_spoken else 1 if together >= 0 else 2
    return apart, int(together != 0), len(one.text), one.text, one.code


def plain(text: str) -> str:
    """The words of a text without marks and capitals: "Giấy khai sinh", "đất" → "giay …", "dat"."""
    decomposed = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(_WORD.findall(bare))


def _spoken(text: str) -> str:
    return " ".join(_WORD.findall(unicodedata.normalize("NFC", text).casefold()))
