"""A sheet as PDF on A4, with its own font: Vietnamese letters look the same wherever it is printed.

The libraries are imported when the first form is printed; most requests never pay for them. The
same sheet makes the same bytes.
"""

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from chalicelib.paper.qr import QUIET, modules
from chalicelib.paper.sheet import (
    MOTTO,
    SIGN,
    STATE,
    Facts,
    Grid,
    Prose,
    Sheet,
)

_FONTS = {"Form": "BeVietnamPro-Regular.ttf", "Form-Bold": "BeVietnamPro-Bold.ttf"}
_MM = 72 / 25.4
_WIDTH, _HEIGHT = 210 * _MM, 297 * _MM
_LEFT, _RIGHT, _EDGE = 25 * _MM, 15 * _MM, 20 * _MM
_FRAME = 6
"""Points that the library keeps free inside the margins."""
_ROOM = _WIDTH - _LEFT - _RIGHT - 2 * _FRAME
_QR = 28 * _MM
_LABELS = 0.38
"""The labels' share of the page's width."""


def pdf(sheet: Sheet) -> bytes:
    """The file."""
    from reportlab.platypus import SimpleDocTemplate  # noqa: PLC0415 -- see the module's docstring.

    _load_fonts()
    whole = BytesIO()
    document = SimpleDocTemplate(
        whole,
        pagesize=(_WIDTH, _HEIGHT),
        leftMargin=_LEFT,
        rightMargin=_RIGHT,
        topMargin=_EDGE,
        bottomMargin=_EDGE,
        title=f"{sheet.title} - {sheet.code}",
        author=sheet.agency,
        lang="vi-VN",
        invariant=1,
    )
    document.build(list(_story(sheet)), onFirstPage=_foot(sheet), onLaterPages=_foot(sheet))
    return whole.getvalue()


def _story(sheet: Sheet) -> Any:
    from reportlab.platypus import KeepTogether, Spacer  # noqa: PLC0415 -- as above.

    state = [_text(STATE, "strong"), _text(MOTTO, "strong"), _text(sheet.day, "middle")]
    agency = [_text(sheet.agency, "strong"), _square(sheet.tracking)]
    yield _table([[agency, state]], (45, 55))
    yield _text(sheet.title.upper(), "title")
    yield _text(f"({sheet.after})", "middle")
    if sheet.stamp:
        yield _text(sheet.stamp, "strong")
    yield Spacer(0, 4 * _MM)
    for part in sheet.parts:
        yield from _part(part)
    signers = [[_text(n, "strong"), _text(SIGN, "middle")] if n else "" for n in sheet.signers]
    yield KeepTogether([Spacer(0, 8 * _MM), _table([signers], (50, 50)), Spacer(0, 25 * _MM)])


def _part(part: Facts | Grid | Prose) -> Any:
    match part:
        case Facts():
            rows = [[_text(f"{label}:"), _text(said)] for label, said in part.rows]
            yield _table(rows, (_LABELS * 100, 100 - _LABELS * 100))
        case Grid():
            yield _text(part.title, "heading")
            head = [[_text(name, "head") for name in part.head]]
            rows = [[_text(cell, "cell") for cell in row] for row in part.rows]
            yield _table(head + rows, part.widths, grid=True)
        case Prose():
            yield _text(part.text, "prose")


def _table(rows: Any, widths: tuple[float, ...], *, grid: bool = False) -> Any:
    from reportlab.platypus import LongTable  # noqa: PLC0415 -- as above.

    style: list[Any] = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 3)]
    style += [("RIGHTPADDING", (0, 0), (-1, -1), 3), ("TOPPADDING", (0, 0), (-1, -1), 1)]
    if grid:
        style.append(("GRID", (0, 0), (-1, -1), 0.5, "black"))
    return LongTable(
        rows,
        colWidths=[_ROOM * share / 100 for share in widths],
        style=style,
        repeatRows=1 if grid else 0,
        spaceAfter=2 * _MM if grid else 0,
        splitInRow=1,
    )


def _text(text: str, style: str = "body") -> Any:
    from reportlab.platypus import Paragraph  # noqa: PLC0415 -- as above.

    return Paragraph(escape(text).replace("\n", "<br/>"), _styles()[style])


@cache
def _styles() -> dict[str, Any]:
    from reportlab.lib.styles import ParagraphStyle  # noqa: PLC0415 -- as above.

    body = ParagraphStyle("body", fontName="Form", fontSize=10.5, leading=15)
    bold = {"parent": body, "fontName": "Form-Bold"}
    return {
        "body": body,
        "cell": ParagraphStyle("cell", parent=body, fontSize=9, leading=12.5),
        "head": ParagraphStyle("head", **bold, fontSize=9, leading=12.5),
        "heading": ParagraphStyle("heading", **bold, spaceBefore=10, spaceAfter=4),
        "middle": ParagraphStyle("middle", parent=body, alignment=1),
        "prose": ParagraphStyle("prose", parent=body, spaceBefore=6, spaceAfter=6),
        "strong": ParagraphStyle("strong", **bold, alignment=1),
        "title": ParagraphStyle(
            "title", **bold, alignment=1, fontSize=14, leading=20, spaceBefore=14
        ),
    }


@cache
def _load_fonts() -> None:
    from reportlab.pdfbase.pdfmetrics import registerFont  # noqa: PLC0415 -- as above.
    from reportlab.pdfbase.ttfonts import TTFont  # noqa: PLC0415 -- as above.

    for name, file in _FONTS.items():
        registerFont(TTFont(name, Path(__file__).with_name("fonts") / file))


def _square(text: str) -> Any:
    from reportlab.platypus import Flowable  # noqa: PLC0415 -- as above.

    class Square(Flowable):  # type: ignore[misc]  # The library is not typed.
        """A QR code, in the middle of its column."""

        def wrap(self, width: float, _height: float) -> tuple[float, float]:
            self.indent = (width - _QR) / 2
            return width, _QR

        def draw(self) -> None:
            dark = modules(text)
            size = _QR / (len(dark) + 2 * QUIET)
            for y, row in enumerate(dark):
                for x, one in enumerate(row):
                    if one:
                        left = self.indent + (x + QUIET) * size
                        self.canv.rect(left, _QR - (y + QUIET + 1) * size, size, size, 0, 1)

    return Square()


def _foot(sheet: Sheet) -> Any:
    def draw(canvas: Any, document: Any) -> None:
        canvas.setFont("Form", 8)
        canvas.drawString(_LEFT, 12 * _MM, sheet.code)
        canvas.drawRightString(_WIDTH - _RIGHT, 12 * _MM, f"Trang {document.page}")

    return draw
