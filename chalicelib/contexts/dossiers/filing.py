"""How dossiers come in, and what is handed in to them: looked up, checked, kept, decided."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from typing import Any, NamedTuple, TypeVar

from chalicelib import files, runtime
from chalicelib.content_types import HEAD_BYTES, refuse_another_type
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.dossiers import codes
from chalicelib.contexts.dossiers.asked import Handed, NewDossier, NewResult, Supplement
from chalicelib.contexts.dossiers.configured import terms
from chalicelib.contexts.dossiers.domain.commands import (
    Held,
    ReceiveSupplement,
    SubmitDossier,
    Version,
)
from chalicelib.contexts.dossiers.domain.component import Component, component
from chalicelib.contexts.dossiers.domain.dossier import dossier
from chalicelib.contexts.dossiers.domain.events import (
    Answers,
    Applicant,
    Contact,
    FileRef,
    HandedIn,
    Result,
)
from chalicelib.contexts.dossiers.domain.offer import Offer, offer, offer_id
from chalicelib.contexts.dossiers.domain.procedure import procedure
from chalicelib.contexts.dossiers.domain.state import Dossier
from chalicelib.handle import Done, check, fold, handle
from chalicelib.http.identity import Caller
from chalicelib.kernel import Command, Decider, Invalid, Origin, Refused, Value
from chalicelib.working_time import HANOI

MAX_COMPONENT_BYTES = 20 * 1024 * 1024
"""A file of a dossier."""
C = TypeVar("C", bound=Command)
V = TypeVar("V", bound=Value)


class ComponentTooLarge(Invalid):
    """A file of a dossier is larger than dossiers carry."""

    code = "component-too-large"
    rule = f"At most {MAX_COMPONENT_BYTES // 1024 // 1024} MiB a file"


class ReceiverNeeded(Invalid):
    """An applicant must say which agency the dossier is for."""

    code = "receiver-needed"


class Filed(NamedTuple):
    """A dossier that was filed: what the command led to, its id and code, its check word."""

    done: Done
    dossier: str
    code: str
    word: str


def person(account: str) -> str:
    """The opaque name of whoever signs in with this account."""
    return runtime.subject("person", account)


def desk_of(caller: Caller) -> str:
    """The agency for whose desk the caller acts, "" for an applicant, whatever else they are."""
    return (caller.agency or "") if caller.role in {"officer", "system"} else ""


def uploader(caller: Caller) -> str:
    """Whose a caller's uploads are: an applicant's own, or the agency's."""
    return desk_of(caller) or person(caller.subject)


def folder(subject: str) -> str:
    """Where the files of a person are kept: together, so that they can be erased together."""
    return f"components/{subject}"


def file_dossier(asked: NewDossier, caller: Caller, origin: Origin) -> Filed:
    """File a dossier; the same request again finds the same one.

    What is for an agency that was merged is filed with who took its place.

    Raises:
        Refused: see `dossier.decide`, `files.check_arrived`; ReceiverNeeded, ComponentTooLarge.
        Invalid: an applicant names an account.
    """
    id_ = codes.new_id("dossier", origin)
    word = codes.check_word(id_)
    desk = desk_of(caller)
    receiver = asked.receiver or desk
    if not receiver:
        raise ReceiverNeeded(field="receiver")
    if asked.account and not desk:
        raise Invalid("Applicants file for themselves", field="account")
    register = Register(origin.at)
    heir = register.heir(receiver)
    named, receiver = receiver, heir.code if heir else receiver
    subject = _subject(asked, caller, id_)
    handed, held = _handed(asked.components, origin)
    command = SubmitDossier(
        origin=origin,
        dossier=id_,
        **terms(),
        subject=subject,
        agency=desk,
        unit=caller.unit,
        code="",
        receiver=receiver,
        procedure=asked.procedure,
        channel=asked.channel or ("direct" if desk else "online"),
        access=asked.access or ("desk" if desk else "browser"),
        applicant_kind=asked.applicant_kind,
        applicant=Applicant(**asked.applicant.model_dump()),
        contact=Contact(**asked.contact.model_dump()),
        answers=Answers(**asked.answers.model_dump()),
        components=handed,
        held=held,
        consents=asked.consents,
        wanted=asked.wanted,
        language=asked.language,
        check=codes.check_digest(id_, word),
        **_in_force(asked.procedure, register.on),
        offered=heir is not None
        and _offered(asked.procedure, named, receiver, register, online=not desk),
    )
    new = _new_files(asked.components)
    with arriving(uploader(caller), subject, new, dossier, id_, command) as needed:
        if needed:
            # Taken last: what is refused needs no code.
            code = codes.dossier_code(receiver, origin.at)
            command = command.model_copy(update={"code": code})
        done = handle(runtime.event_store(), dossier, id_, command)
    assert done.commit
    return Filed(done, id_, done.commit.data()[0]["code"], word)


def supplement(
    asked: Supplement, caller: Caller, state: Dossier, origin: Origin
) -> ReceiveSupplement:
    """The command to hand in what was asked for, of the applicant or of the desk for them."""
    handed, held = _handed(asked.components, origin)
    desk = desk_of(caller)
    return ReceiveSupplement(
        origin=origin,
        dossier=state.dossier,
        **terms(),
        subject="" if desk else person(caller.subject),
        agency=desk,
        unit=caller.unit,
        components=handed,
        answers=Answers(**asked.answers.model_dump()) if asked.answers else None,
        held=held,
        consents=asked.consents,
    )


def hand_in(command: ReceiveSupplement, asked: Supplement, caller: Caller, state: Dossier) -> Done:
    """Keep the files of a supplement, and have it decided.

    Raises:
        Refused: see `dossier.decide`, `files.check_arrived`; ComponentTooLarge.
    """
    new = _new_files(asked.components)
    with arriving(uploader(caller), state.subject, new, dossier, state.dossier, command):
        return handle(runtime.event_store(), dossier, state.dossier, command)


def results(
    asked: Sequence[NewResult], agency: str, before: Sequence[Result]
) -> tuple[Result, ...]:
    """Results with their codes; those that the dossier has already keep theirs."""
    known = {(each.name, each.file): each.code for each in before}
    found = []
    for each in asked:
        file = FileRef(**each.file.model_dump()) if each.file else None
        code = each.code or known.get((each.name, file)) or codes.result_code(agency)
        found.append(Result(code=code, name=each.name, file=file))
    return tuple(found)


@contextmanager
def arriving(
    owner: str,
    subject: str,
    new: Sequence[tuple[str, FileRef]],
    decider: Decider[C, V, Any],
    id_: str,
    command: C,
) -> Iterator[bool]:
    """Whether the command will have an effect; then its files, by field, are kept for `subject`.

    The uploads are gone afterwards, unless one of them was missing.

    Raises:
        ComponentTooLarge, AttachmentNotArrived, AttachmentDigestMismatch, AttachmentTypeWrong:
            nothing is kept.
    """
    uploads = [file for _, file in new]
    try:
        for field, file in new:
            if file.size > MAX_COMPONENT_BYTES:
                raise ComponentTooLarge(field=f"{field}/size")
        needed = check(runtime.event_store(), decider, id_, command)
        if needed:
            files.check_arrived(owner, uploads, [field for field, _ in new])
            for field, file in new:
                with closing(files.open_staged(owner, file.sha256)) as content:
                    refuse_another_type("", file.media_type, content.read(HEAD_BYTES), field)
            files.adopt(owner, uploads, folder(subject))
        yield needed
    except files.AttachmentNotArrived:
        # The others may stay: the caller will bring the missing one and ask again.
        raise
    except Refused:
        files.discard(owner, [file.sha256 for file in uploads])
        raise
    files.discard(owner, [file.sha256 for file in uploads])


def kept(id_: str) -> Component:
    """A digitised paper."""
    return fold(component, runtime.event_store().load(f"component-{id_}"))


def _subject(asked: NewDossier, caller: Caller, id_: str) -> str:
    """Whose the dossier is.

    A desk that knows no account names the person by their number, the same each time; one without
    a number is nobody we would know again.
    """
    if not desk_of(caller):
        return person(caller.subject)
    if asked.account:
        return person(asked.account)
    number = asked.applicant.identity_number
    return runtime.person_numbered(asked.applicant_kind, number) or runtime.subject(
        "person", "of-dossier", id_
    )


def _in_force(code: str, on: date) -> dict[str, Any]:
    """The version in force on that day."""
    published = fold(procedure, runtime.event_store().load(f"procedure-{code}"))
    number = published.number_on(on)
    version = None
    if number:
        version = Version(number=number, terms=published.versions[number - 1])
    return {"version": version, "repealed": published.ended_on(on)}


def _offered(code: str, named: str, receiver: str, register: Register, *, online: bool) -> bool:
    """Whether the receiver takes dossiers for a procedure, by the offer that it made itself.

    If it makes none, those count that are still made by those whose place it took, as `named` was.
    """

    def made(agency: str) -> Offer:
        return fold(offer, runtime.event_store().load(f"offer-{offer_id(code, agency)}"))

    own = made(receiver)
    if own.stands_on(register.on):
        return own.stands_on(register.on, online=online)
    # Named here, as the view of who took whose place may not know it yet.
    others = map(made, {named, *register.predecessors(receiver)} - {receiver})
    return any(each.stands_on(register.on, online=online) for each in others)


def _handed(
    asked: Iterable[Handed], origin: Origin
) -> tuple[tuple[HandedIn, ...], tuple[Held, ...]]:
    """The components as they are handed in; what is known of those digitised before."""
    on = origin.at.astimezone(HANOI).date()
    handed, held = [], []
    for each in asked:
        file = FileRef(**each.file.model_dump()) if each.file else None
        if each.digitised:
            paper = kept(each.digitised)
            if said := paper.digitised:
                file = said.file
                held.append(
                    Held(
                        component=said.component,
                        code=said.code,
                        subject=said.subject,
                        usable=paper.usable_on(on),
                    )
                )
        handed.append(
            HandedIn(code=each.code, kind=each.kind, file=file, digitised=each.digitised or "")
        )
    return tuple(handed), tuple(held)


def _new_files(asked: Iterable[Handed]) -> list[tuple[str, FileRef]]:
    """The files that were uploaded for this, each with its place in the request."""
    return [
        (f"components/{index}/file", FileRef(**each.file.model_dump()))
        for index, each in enumerate(asked)
        if each.file and not each.digitised
    ]
