"""Forms over HTTP: a page to read or print, or a link to the same as PDF."""

from typing import Literal

from chalice.app import Response

from chalicelib import files, runtime
from chalicelib.contexts.dossiers.acting import seen_by
from chalicelib.contexts.dossiers.codes import check_word
from chalicelib.contexts.dossiers.configured import configuration
from chalicelib.contexts.dossiers.domain.refusals import KeptElsewhere
from chalicelib.contexts.dossiers.forms.as_html import page
from chalicelib.contexts.dossiers.forms.qr import tracking_link
from chalicelib.contexts.dossiers.forms.wording import Story, sheet
from chalicelib.contexts.dossiers.register import Register
from chalicelib.contexts.dossiers.shown import closed, opened
from chalicelib.http.resource import Resource, ok
from chalicelib.kernel import Value

routes = Resource(__name__)

HTML = "text/html; charset=utf-8"
# What a person wrote is escaped; should that ever fail, a browser still runs and fetches nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


class Wanted(Value):
    """In which shape a form is wanted."""

    format: Literal["html", "pdf"] = "html"


@routes.get(
    "/dossiers/{dossier_id}/forms/{form}", allow={"citizen", "officer", "system", "auditor"}
)
def see_form(dossier_id: str, form: str) -> Response:
    """Form 01 to 06 of a dossier: a page of HTML, or with `format=pdf` a link to a PDF.

    Rendered as the dossier stands; who may see the dossier may see its forms, an auditor without
    what is personal. Refuses `form-unknown`, `form-not-issued`, and `dossier-kept-elsewhere` where
    another system keeps the dossier. The PDF is gone after a day.
    """
    wanted, caller = routes.build(Wanted, **routes.query()), routes.caller()
    found = seen_by(caller, dossier_id)
    if found.state.elsewhere:
        raise KeptElsewhere
    reads = caller.role != "auditor"
    register = Register(runtime.now())

    def name(code: str) -> str:
        agency = register.heir(code)
        return agency.name if agency else code

    story = Story(
        events=found.events,
        name=name,
        open=opened if reads else closed,
        tracking=tracking_link(configuration().tracking_url, found.state.code),
        word=check_word(found.state.dossier) if reads else "",
    )
    made = sheet(form, story)
    if wanted.format == "html":
        headers: dict[str, str | list[str]] = {
            "Content-Type": HTML,
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
        }
        return Response(body=page(made), headers=headers)
    # Imported when a form is first printed: see there.
    from chalicelib.contexts.dossiers.forms.as_pdf import pdf  # noqa: PLC0415

    # Some mail programs and shells stumble over other letters.
    file_name = f"{form}-{made.code}.pdf"
    return ok(files.lend(pdf(made), "application/pdf", f"forms/{dossier_id}", file_name))
