"""Forms over HTTP: a page to read or print, or a link to the same as PDF."""

from chalice.app import Response

from chalicelib import files, runtime
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.dossiers.acting import seen_by
from chalicelib.contexts.dossiers.codes import check_word
from chalicelib.contexts.dossiers.configured import configuration
from chalicelib.contexts.dossiers.domain.refusals import KeptElsewhere
from chalicelib.contexts.dossiers.forms.wording import Story, sheet
from chalicelib.http.personal import closed, opened
from chalicelib.http.printed import Wanted, printed
from chalicelib.http.resource import Answer, Resource
from chalicelib.paper.qr import lookup_link

routes = Resource(__name__)


@routes.get(
    "/dossiers/{dossier_id}/forms/{form}", allow={"citizen", "officer", "system", "auditor"}
)
def see_form(dossier_id: str, form: str) -> Answer[files.DownloadLink] | Response:
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
        tracking=lookup_link(configuration().tracking_url, found.state.code),
        word=check_word(found.state.dossier) if reads else "",
    )
    made = sheet(form, story)
    # The code's letters: some mail programs and shells stumble over others.
    return printed(made, wanted, f"forms/{dossier_id}", f"{form}-{made.code}")
