"""Procedures over HTTP, for those who publish and offer them."""

from datetime import date

from typing_extensions import TypedDict

from chalicelib import files, runtime
from chalicelib.agency_code import canonical
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.dossiers import catalogue_import, publishing
from chalicelib.contexts.dossiers.catalogue_import import CatalogueImport, RefusedRows
from chalicelib.contexts.dossiers.domain.events import ProcedureTerms
from chalicelib.contexts.dossiers.domain.offer import CeaseOffering
from chalicelib.contexts.dossiers.domain.procedure import (
    AmendProcedure,
    ProcedureUnknown,
    PublishProcedure,
    RepealProcedure,
)
from chalicelib.contexts.dossiers.tables import MAX_BYTES, TableTooLarge
from chalicelib.http.identity import ROLES
from chalicelib.http.paging import page_request
from chalicelib.http.resource import (
    JSON,
    Answer,
    Receipt,
    Resource,
    accepted,
    created,
    ok,
    ordered,
)
from chalicelib.kernel import Forbidden, NotFound, Value
from chalicelib.working_time import HANOI

routes = Resource(__name__)

CSV = "text/csv"


class NewOffer(Value):
    """The body of `PUT /procedures/{code}/offers/{agency}`."""

    effective_on: date
    portal: bool = True


class OfferEnd(Value):
    """The body of `PUT /procedures/{code}/offers/{agency}/end`: the first day without it."""

    effective_on: date


class ProcedureVersion(TypedDict):
    """A version of a procedure: the act that published it, and its first day."""

    number: int
    decision: str
    effective_on: date


class ProcedureRepeal(TypedDict):
    """The act that repealed a procedure, and the first day without it."""

    decision: str
    effective_on: date


class PublishedProcedure(TypedDict):
    """A procedure in its version `number`, and all its versions, the first one first.

    `in_force` is the number of the version in force today, None if there is none.
    """

    code: str
    number: int
    in_force: int | None
    terms: ProcedureTerms
    versions: list[ProcedureVersion]
    repealed: ProcedureRepeal | None


class NotYourOffer(Forbidden):
    """An officer or a system offers procedures for its own agency only."""

    code = "not-your-offer"


class VersionUnknown(NotFound):
    """The procedure has no such version."""

    code = "version-unknown"


@routes.post("/procedures", allow={"administrator"})
def publish_procedure() -> Answer[Receipt]:
    """Publish a procedure. 201, or 409 `procedure-already-published`."""
    command = routes.command(PublishProcedure)
    return created(publishing.change(command), f"/procedures/{command.code}")


@routes.post("/procedures/{code}/versions", allow={"administrator"})
def amend_procedure(code: str) -> Answer[Receipt]:
    """Give a procedure another version, whole. 202, 404, or 409 `versions-out-of-order`."""
    return accepted(publishing.change(routes.command(AmendProcedure, code=code)))


@routes.put("/procedures/{code}/repeal", allow={"administrator"})
def repeal_procedure(code: str) -> Answer[Receipt]:
    """End a procedure from a day on. 202, 404, or 409 `procedure-was-repealed`."""
    return accepted(publishing.change(routes.command(RepealProcedure, code=code)))


@routes.get("/procedures/{code}", allow=set(ROLES))
def read_procedure(code: str) -> Answer[PublishedProcedure]:
    """One procedure, always current: its last version, or `version`, and the days of them all."""
    state, commits = publishing.the_procedure(code)
    if not state.versions:
        raise ProcedureUnknown(field="code")
    asked = routes.query().get("version", str(len(state.versions)))
    if asked not in {str(number) for number in range(1, len(state.versions) + 1)}:
        raise VersionUnknown(field="version")
    repealed = state.repealed
    answer: PublishedProcedure = {
        "code": code,
        "number": int(asked),
        "in_force": state.number_on(runtime.now().astimezone(HANOI).date()),
        "terms": state.versions[int(asked) - 1],
        "versions": [
            {"number": number, "decision": terms.decision, "effective_on": terms.effective_on}
            for number, terms in enumerate(state.versions, start=1)
        ],
        "repealed": {"decision": repealed.decision, "effective_on": repealed.effective_on}
        if repealed
        else None,
    }
    return ok(answer, version=commits)


@routes.put("/procedures/{code}/offers/{agency}", allow={"administrator", "officer", "system"})
def offer_procedure(code: str, agency: str) -> Answer[Receipt]:
    """Have an agency take dossiers for a procedure from a day on. 202, 404, 409 or 422."""
    agency = _whose(agency)
    asked, origin = routes.json(NewOffer), routes.origin()
    done = publishing.make_offer(
        origin,
        code,
        agency,
        asked.effective_on,
        portal=asked.portal,
        register=publishing.register_on(asked.effective_on),
    )
    return accepted(done)


@routes.put("/procedures/{code}/offers/{agency}/end", allow={"administrator", "officer", "system"})
def cease_offering(code: str, agency: str) -> Answer[Receipt]:
    """Have an agency take no more dossiers for it from a day on. 202, 404 or 409."""
    agency = _whose(agency)
    asked = routes.json(OfferEnd)
    command = routes.build(
        CeaseOffering,
        origin=routes.origin(),
        procedure=code,
        agency=agency,
        effective_on=asked.effective_on,
    )
    return accepted(publishing.cease_offer(command))


@routes.post("/procedures/imports/uploads", allow={"administrator"})
def ask_for_import_upload() -> Answer[files.Upload]:
    """Ask for a link to upload a table over 4 MiB with. 422 `table-too-large` over 16 MiB.

    A link is not a change: no Idempotency-Key.
    """
    asked = routes.json(catalogue_import.NewTable)
    if asked.size > MAX_BYTES:
        raise TableTooLarge(field="size")
    return ok(files.upload(catalogue_import.OWNER, asked))


@routes.post(
    "/procedures/imports",
    allow={"administrator"},
    takes=frozenset({JSON, CSV}),
)
def import_procedures() -> Answer[CatalogueImport]:
    """Enter a table of procedures and offers, row by row. 202; `Location` tells how it goes.

    The body is the table: CSV, or JSON `{"rows": […]}`; or `{"upload": …, "format": …}` names one
    that was uploaded. A table that cannot be read is refused whole: 422 `table-unreadable`.
    """
    origin = routes.origin()
    if routes.media_type() == CSV:
        found = catalogue_import.submit_table(routes.body(), "csv", origin)
    else:
        asked = routes.json(catalogue_import.Asked)
        found = (
            catalogue_import.submit_upload(asked.upload, asked.format, origin)
            if asked.upload
            else catalogue_import.submit_table(routes.body(), "json", origin)
        )
    response = ordered(found.shown())
    response.headers["Location"] = f"/procedures/imports/{found.id}"
    return response


@routes.get("/procedures/imports/{import_id}", allow={"administrator", "auditor"})
def read_import(import_id: str) -> Answer[CatalogueImport]:
    """How an import stands: rows done, entered, unchanged, refused."""
    return ok(catalogue_import.find(import_id).shown())


@routes.get("/procedures/imports/{import_id}/refusals", allow={"administrator", "auditor"})
def list_refused_rows(import_id: str) -> Answer[RefusedRows]:
    """The rows that were refused, in their order, with the reasons. Query: `limit`, `cursor`."""
    asked = page_request(routes.query())
    return ok(catalogue_import.refused_rows(import_id, asked.limit, asked.cursor))


def _whose(agency: str) -> str:
    """The agency in its canonical form.

    Raises:
        NotYourOffer: the caller acts for another one, and has not taken its place.
    """
    code, caller = canonical(agency), routes.caller()
    own = caller.agency or ""
    if caller.role != "administrator" and not Register(runtime.now()).acts_for(own, code):
        raise NotYourOffer(field="agency")
    return code
