"""A sheet as a page of HTML that prints on A4: whole in itself, without scripts."""

from html import escape

from chalicelib.paper.qr import modules, svg
from chalicelib.paper.sheet import (
    MOTTO,
    SIGN,
    STATE,
    Facts,
    Grid,
    Prose,
    Sheet,
)

_STYLE = """
@page{size:A4;margin:20mm 15mm 20mm 25mm}
body{font:11pt/1.4 "Times New Roman","Noto Serif",serif;max-width:170mm;margin:0 auto;color:#000}
header{display:flex;justify-content:space-between;text-align:center}
header div{max-width:50%}
h1{text-align:center;font-size:14pt;text-transform:uppercase;margin:6mm 0 0}
h2{font-size:11pt;margin:4mm 0 1mm}.after,.stamp{text-align:center;font-style:italic;margin:0 0 5mm}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:1mm 2mm;
white-space:pre-line;overflow-wrap:anywhere}.grid th,.grid td{border:1px solid #000}
.grid{margin-bottom:2mm}
.facts th{font-weight:normal;width:38%}tr{break-inside:avoid}
footer{display:flex;justify-content:space-between;margin-top:8mm;break-inside:avoid}
footer div{width:45%;text-align:center;min-height:35mm}svg{width:28mm;height:28mm}
"""


def page(sheet: Sheet) -> str:
    """The page."""
    title = escape(sheet.title)
    stamp = f'<p class="stamp"><strong>{escape(sheet.stamp)}</strong></p>' if sheet.stamp else ""
    return (
        '<!doctype html><html lang="vi"><head><meta charset="utf-8">'
        f"<title>{title} - {escape(sheet.code)}</title><style>{_STYLE}</style></head><body>"
        f"<header><div><strong>{escape(sheet.agency)}</strong><br>{svg(modules(sheet.tracking))}</div>"
        f"<div><strong>{STATE}</strong><br><strong>{MOTTO}</strong>"
        f"<p><em>{sheet.day}</em></p></div></header>"
        f'<h1>{title}</h1><p class="after">({escape(sheet.after)})</p>{stamp}'
        f"{''.join(_part(part) for part in sheet.parts)}"
        f"<footer>{''.join(map(_signer, sheet.signers))}</footer></body></html>"
    )


def _part(part: Facts | Grid | Prose) -> str:
    match part:
        case Facts():
            rows = "".join(
                f'<tr><th scope="row">{escape(label)}:</th><td>{escape(said)}</td></tr>'
                for label, said in part.rows
            )
            return f'<table class="facts">{rows}</table>'
        case Grid():
            shares = "".join(f'<col style="width:{share}%">' for share in part.widths)
            head = "".join(f'<th scope="col">{escape(name)}</th>' for name in part.head)
            rows = "".join(
                f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
                for row in part.rows
            )
            return (
                f'<h2>{escape(part.title)}</h2><table class="grid"><colgroup>{shares}</colgroup>'
                f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            )
        case Prose():
            return f"<p>{escape(part.text)}</p>"


def _signer(name: str) -> str:
    said = f"<strong>{escape(name)}</strong><br><em>{SIGN}</em>" if name else ""
    return f"<div>{said}</div>"
