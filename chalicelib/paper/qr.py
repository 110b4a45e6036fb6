"""The QR code on a paper: it leads to where what is printed can be looked up."""

from collections.abc import Sequence
from itertools import groupby
from urllib.parse import quote

QUIET = 4
"""Light modules around a QR code (ISO/IEC 18004)."""


def lookup_link(prefix: str, code: str) -> str:
    """Where a thing is looked up; without a `prefix` the code alone, which a portal's app reads."""
    return prefix + quote(code, safe=".-") if prefix else code


def modules(text: str) -> list[list[bool]]:
    """The code's dark squares, row by row."""
    # Not needed by most requests: what imports it late pays late.
    import segno  # noqa: PLC0415

    return [[bool(dark) for dark in row] for row in segno.make_qr(text, error="m").matrix]


def modules_of_digits(digits: str) -> list[list[bool]]:
    """The same of many digits, as dense as can be: it corrects more only where that is free.

    Raises:
        ValueError: they are more than a code can hold.
    """
    import segno  # noqa: PLC0415 -- as above.

    code = segno.make_qr(digits, error="l", mode="numeric")
    return [[bool(dark) for dark in row] for row in code.matrix]


def svg(dark: Sequence[Sequence[bool]]) -> str:
    """A code as a picture, with its quiet zone; how large it is shown, others say."""
    side = len(dark) + 2 * QUIET
    path = []
    for y, row in enumerate(dark, start=QUIET):
        x = QUIET
        for one, run in groupby(row):
            width = len(list(run))
            if one:
                path.append(f"M{x} {y}h{width}v1h-{width}z")
            x += width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" role="img" '
        'aria-label="QR" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d="{"".join(path)}"/></svg>'
    )
