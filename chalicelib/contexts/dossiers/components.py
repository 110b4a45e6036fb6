"""Papers that are digitised once and used again, over HTTP."""

from datetime import date

from typing_extensions import TypedDict

from chalicelib import files, runtime
from chalicelib.contexts.dossiers import codes, filing
from chalicelib.contexts.dossiers.acting import seen_by
from chalicelib.contexts.dossiers.asked import Digitised, Reason
from chalicelib.contexts.dossiers.domain.component import (
    ComponentNotKept,
    DigitiseComponent,
    WithdrawComponent,
    component,
)
from chalicelib.contexts.dossiers.domain.events import FileRef
from chalicelib.contexts.dossiers.domain.refusals import KeptElsewhere
from chalicelib.handle import handle
from chalicelib.http.resource import Answer, Receipt, Resource, accepted, created, ok
from chalicelib.privacy.opened import note
from chalicelib.working_time import HANOI

routes = Resource(__name__)


class ComponentReceipt(Receipt):
    """What keeping a digitised paper led to: its id `component`, by which it is used again."""

    component: str


class DigitisedComponent(TypedDict):
    """A paper that `agency` digitised, and the dossiers it was used in; `usable` today.

    `expires_on` is the first day on which it no longer proves anything, None if none is known.
    """

    component: str
    code: str
    agency: str
    expires_on: date | None
    usable: bool
    used_in: tuple[str, ...]
    file: files.FileLink


@routes.post("/dossiers/{dossier_id}/digitised-components", allow={"officer", "system"})
def digitise_component(dossier_id: str) -> Answer[ComponentReceipt]:
    """Keep a paper of the dossier's applicant, digitised, for their later dossiers. 201.

    Refuses `dossier-kept-elsewhere` where another system keeps the dossier.
    """
    asked, origin, caller = routes.json(Digitised), routes.origin(), routes.caller()
    found, desk = seen_by(caller, dossier_id), filing.desk_of(caller)
    if found.state.elsewhere:
        raise KeptElsewhere
    id_, file = codes.new_id("component", origin), FileRef(**asked.file.model_dump())
    command = DigitiseComponent(
        origin=origin,
        component=id_,
        code=asked.code,
        subject=found.subject,
        agency=desk,
        dossier=dossier_id,
        file=file,
        expires_on=asked.expires_on,
    )
    with filing.arriving(desk, found.subject, [("file", file)], component, id_, command):
        done = handle(runtime.event_store(), component, id_, command)
    return created(done, f"/components/{id_}", component=id_)


@routes.get("/components/{component_id}", allow={"citizen", "officer", "system"})
def see_component(component_id: str) -> Answer[DigitisedComponent]:
    """A digitised paper with a link to its file: for its owner, and who digitised it."""
    paper, caller = filing.kept(component_id), routes.caller()
    said = paper.digitised
    mine = said and filing.uploader(caller) in {said.agency, said.subject}
    if said is None or not mine:
        raise ComponentNotKept
    note(said.subject)
    day = runtime.now().astimezone(HANOI).date()
    return ok(
        {
            "component": said.component,
            "code": said.code,
            "agency": said.agency,
            "expires_on": said.expires_on,
            "usable": paper.usable_on(day),
            "used_in": paper.reused,
            "file": files.file_link(said.file, filing.folder(said.subject), said.code),
        }
    )


@routes.put("/components/{component_id}/withdrawal", allow={"citizen", "officer", "system"})
def withdraw_component(component_id: str) -> Answer[Receipt]:
    """Have a digitised paper used no more: by its owner, or who digitised it. 202."""
    caller = routes.caller()
    command = WithdrawComponent(
        origin=routes.origin(),
        subject="" if filing.desk_of(caller) else filing.person(caller.subject),
        agency=filing.desk_of(caller),
        reason=routes.json(Reason).reason,
    )
    if not component_id.isalnum():
        raise ComponentNotKept
    return accepted(handle(runtime.event_store(), component, component_id, command))
