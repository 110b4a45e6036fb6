"""How other agencies are asked about a dossier: by a document on the axis, named in advance."""

from datetime import datetime

from chalicelib import runtime
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.documents.domain.events import document_id
from chalicelib.contexts.dossiers import codes
from chalicelib.contexts.dossiers.acting import command
from chalicelib.contexts.dossiers.asked import Consultation
from chalicelib.contexts.dossiers.domain.commands import ConsultAgencies
from chalicelib.contexts.dossiers.domain.consultation import NoteAnswer, consultation
from chalicelib.contexts.dossiers.filing import desk_of
from chalicelib.handle import fold
from chalicelib.http.resource import Resource
from chalicelib.kernel import Command, Conflict, Invalid
from chalicelib.secrecy import marks_a_secret


class AskedAgencyUnknown(Invalid):
    """An agency to be asked is not registered, or ended and has no successor."""

    code = "asked-agency-unknown"


class AsksItself(Invalid):
    """An agency asks others for their opinion, not itself."""

    code = "asks-itself"


class AskerUnknown(Conflict):
    """The asking agency is not in the register, so nobody could answer it."""

    code = "asker-unknown"


class QuestionSecret(Invalid):
    """A question marked as a state secret does not travel on the axis."""

    code = "question-secret"
    rule = "Decision 28/2018/QĐ-TTg, art. 2; Law 117/2025/QH15 on the Protection of State Secrets"


def ask(routes: Resource, dossier_id: str, asked: Consultation) -> ConsultAgencies:
    """The command to ask, with the name of the document that will.

    Agencies that were merged are asked through their successors.

    Raises:
        AskedAgencyUnknown, AsksItself, AskerUnknown, QuestionSecret: nobody is asked.
    """
    if marks_a_secret(asked.question, prose=True):
        raise QuestionSecret(field="question")
    now = runtime.now()
    register = Register(now)
    agency = desk_of(routes.caller())
    asker = register.heir(agency)
    if asker is None or asker.code != agency:
        raise AskerUnknown
    names = {agency: asker.name}
    for index, code in enumerate(asked.asked):
        heir = register.heir(code)
        if heir is None:
            raise AskedAgencyUnknown(f"no agency {code}", field=f"asked/{index}")
        if heir.code == agency:
            raise AsksItself(field=f"asked/{index}")
        names[heir.code] = heir.name
    name = codes.consulting_document(agency, now)
    return command(
        routes,
        ConsultAgencies,
        dossier_id,
        document=document_id(*name),
        reference=name.reference,
        names=names,
        asked=tuple(code for code in names if code != agency),
        question=asked.question,
    )


def for_predecessors(command: Command, at: datetime) -> Command:
    """An answer with those whose place its agency had taken at that moment, of those asked."""
    if not isinstance(command, NoteAnswer):
        return command
    commits = runtime.event_store().load(f"consultation-{command.document}")
    opened, register = fold(consultation, commits).opened, Register(at)
    asked = opened.asked if opened else ()
    before = tuple(code for code in asked if register.acts_for(command.answerer, code))
    return command.model_copy(update={"in_place_of": before})
