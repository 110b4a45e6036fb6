"""The electronic identifier of an agency, in both of its lawful forms.

The old form (QCVN 102:2016/BTTTT) is written from the unit up to the top, `L4.L3.L2.L1`, and padded
with zeros: `000.00.32.H19`. The new form (QĐ 20/2020/QĐ-TTg, amended by QĐ 09/2025/QĐ-TTg) is
written from the top down: `H19.32`. Dossier codes also carry a shorter old form, `28.22.H17`. Pure.
"""

import re
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator

from chalicelib.kernel import Invalid, Value

_TOP = re.compile(r"[A-Z][0-9]{2}")
_SEGMENT = re.compile(r"[0-9A-Z]{2,3}")
_OLD_LEVELS = 4
_OLD_LEVEL_CHARS = 2
_MAX_SEGMENTS = 8
"""More levels than any published list has; keeps a hostile code short."""


class AgencyCodeInvalid(Invalid):
    """This is not the electronic identifier of an agency."""

    code = "agency-code-invalid"
    rule = "QCVN 102:2016/BTTTT; QĐ 20/2020/QĐ-TTg"


class AgencyCode(Value):
    """An identifier as somebody wrote it: nothing of the text is lost.

    `segments` run from the top down whatever the form, zeros and widths kept.
    """

    form: Literal["old", "new"]
    segments: tuple[str, ...]

    @property
    def text(self) -> str:
        """The identifier exactly as it was given."""
        return ".".join(self.segments if self.form == "new" else reversed(self.segments))

    @property
    def canonical(self) -> str:
        """The new form without levels that name nothing: the one name the agency has here.

        Rule: split at the dots, reverse an old code, drop trailing all-zero segments.
        """
        kept = list(self.segments)
        while len(kept) > 1 and not kept[-1].strip("0"):
            kept.pop()
        return ".".join(kept)

    def to_old(self, width: int = 3) -> str | None:
        """The old form, or None for a code it cannot express.

        `width` is that of the first segment where it has to be filled with zeros, 2 or 3: a code in
        the new form does not tell. A code given in the old form comes back as it was given.
        """
        if self.form == "old":
            return self.text
        top, *units = self.segments
        if len(units) >= _OLD_LEVELS or any(len(u) != _OLD_LEVEL_CHARS for u in units[:2]):
            return None
        padded = [*units, *["0" * _OLD_LEVEL_CHARS] * (2 - len(units))]
        if len(padded) == 2:  # noqa: PLR2004 -- levels 2 and 3; level 4 is the one of varying width.
            padded.append("0" * width)
        return ".".join(reversed([top, *padded]))


@lru_cache(maxsize=4096)
def parse(text: str) -> AgencyCode:
    """Read an identifier in either form.

    A code that begins with a top-level identifier (`G22`) is read as the new form, the one in
    force, even if it also ends with one; so reading a canonical code again gives that code.

    Raises:
        AgencyCodeInvalid: neither form.
    """
    segments = tuple(text.split("."))
    if len(segments) <= _MAX_SEGMENTS and all(map(_SEGMENT.fullmatch, segments)):
        if _TOP.fullmatch(segments[0]):
            return AgencyCode(form="new", segments=segments)
        upper = segments[1:-1]
        if (
            1 < len(segments) <= _OLD_LEVELS
            and _TOP.fullmatch(segments[-1])
            and all(len(segment) == _OLD_LEVEL_CHARS for segment in upper)
        ):
            return AgencyCode(form="old", segments=segments[::-1])
    raise AgencyCodeInvalid


def canonical(text: str) -> str:
    """The one name an agency has here, from either form of its identifier.

    Raises:
        AgencyCodeInvalid: neither form.
    """
    return parse(text).canonical


CanonicalCode = Annotated[str, AfterValidator(canonical)]
"""A field that takes either form and holds the canonical one."""
