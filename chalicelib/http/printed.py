"""A printed sheet over HTTP: a page to read or print, or a link to the same as PDF."""

from typing import Literal

from chalice.app import Response

from chalicelib import files
from chalicelib.http.resource import Answer, ok
from chalicelib.kernel import Value
from chalicelib.paper.as_html import page
from chalicelib.paper.sheet import Sheet

HTML = "text/html; charset=utf-8"
# What a person wrote is escaped; should that ever fail, a browser still runs and fetches nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


class Wanted(Value):
    """In which shape a sheet is wanted."""

    format: Literal["html", "pdf"] = "html"


def printed(
    sheet: Sheet, wanted: Wanted, folder: str, name: str
) -> Answer[files.DownloadLink] | Response:
    """The sheet as it is wanted; a PDF lies in `folder`, named `name`.pdf, and is gone in a day."""
    if wanted.format == "html":
        headers: dict[str, str | list[str]] = {
            "Content-Type": HTML,
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
        }
        return Response(body=page(sheet), headers=headers)
    # Imported when something is first printed: see there.
    from chalicelib.paper.as_pdf import pdf  # noqa: PLC0415

    return ok(files.lend(pdf(sheet), "application/pdf", folder, f"{name}.pdf"))
