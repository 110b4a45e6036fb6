"""Dossiers over HTTP, for applicants and for the desks that enter for them."""

from chalicelib import files
from chalicelib.contexts.dossiers import filing
from chalicelib.contexts.dossiers.acting import acting, carry_out, command, seen_by
from chalicelib.contexts.dossiers.asked import NewDossier, NewFile, Reason, Supplement
from chalicelib.contexts.dossiers.domain.commands import RequestWithdrawal
from chalicelib.contexts.dossiers.domain.refusals import DossierUnknown, KeptElsewhere
from chalicelib.contexts.dossiers.shown import FiledDossier, SyncedDossier, files_of, shown
from chalicelib.http.personal import closed, opened
from chalicelib.http.resource import Answer, Receipt, Resource, accepted, created, ok
from chalicelib.privacy.opened import note

routes = Resource(__name__)


class DossierReceipt(Receipt):
    """What filing a dossier led to.

    With `code` and `check_word` the applicant finds it in the public look-up.
    """

    dossier: str
    code: str
    check_word: str


@routes.post("/components/uploads", allow={"citizen", "officer", "system"})
def ask_for_component_upload() -> Answer[files.Upload]:
    """Ask for a link to upload a file of a dossier with, up to 20 MiB.

    PUT the file to `url` with exactly these `headers` before `expires_at`. Refuses
    `component-too-large`. A link is not a change: no Idempotency-Key.
    """
    asked = routes.json(NewFile)
    if asked.size > filing.MAX_COMPONENT_BYTES:
        raise filing.ComponentTooLarge(field="size")
    return ok(files.upload(filing.uploader(routes.caller()), asked))


@routes.post("/dossiers", allow={"citizen", "officer", "system"})
def file_dossier() -> Answer[DossierReceipt]:
    """File a dossier: 201 with its `code` and the `check_word` for the public look-up.

    A citizen files online for themselves, a desk for whoever stands before it.
    """
    origin = routes.origin()
    done, id_, code, word = filing.file_dossier(routes.json(NewDossier), routes.caller(), origin)
    return created(done, f"/dossiers/{id_}", dossier=id_, code=code, check_word=word)


@routes.get("/dossiers/{dossier_id}", allow={"citizen", "officer", "system", "auditor"})
def see_dossier(dossier_id: str) -> Answer[FiledDossier | SyncedDossier]:
    """One dossier, always current: for its applicant and the agencies that have or had it.

    An auditor sees it without what is personal.
    """
    caller = routes.caller()
    found = seen_by(caller, dossier_id)
    read = closed if caller.role == "auditor" else opened
    return ok(shown(found, read), version=found.version)


@routes.get("/dossiers/{dossier_id}/files/{sha256}", allow={"citizen", "officer", "system"})
def fetch_component(dossier_id: str, sha256: str) -> Answer[files.FileLink]:
    """A short-lived link to one of the dossier's files, under the code of what it is."""
    found = seen_by(routes.caller(), dossier_id)
    name, file = files_of(found).get(sha256, ("", None))
    if file is None:
        raise DossierUnknown("The dossier has no such file", field="sha256")
    note(found.subject)
    return ok(files.file_link(file, filing.folder(found.subject), name))


@routes.post("/dossiers/{dossier_id}/supplements", allow={"citizen", "officer", "system"})
def hand_in_supplement(dossier_id: str) -> Answer[Receipt]:
    """Hand in what was asked for. 202; refuses `supplement-too-late`, `component-missing`."""
    origin, caller, asked = routes.origin(), routes.caller(), routes.json(Supplement)
    state = seen_by(caller, dossier_id).state
    # In whose name is settled first: what is refused loses its uploads.
    wish = acting(filing.supplement(asked, caller, state, origin))
    return accepted(filing.hand_in(wish, asked, caller, state))


@routes.put("/dossiers/{dossier_id}/withdrawal", allow={"citizen", "officer", "system"})
def ask_for_withdrawal(dossier_id: str) -> Answer[Receipt]:
    """Ask for the dossier back. 202; refuses `withdrawal-too-late` once it was processed."""
    asked = routes.json(Reason)
    wish = command(routes, RequestWithdrawal, dossier_id, reason=asked.reason)
    try:
        return accepted(carry_out(wish))
    except KeptElsewhere:
        seen_by(routes.caller(), dossier_id)  # Whose it is not learns nothing of it.
        raise
