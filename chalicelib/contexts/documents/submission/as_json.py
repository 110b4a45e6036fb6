"""A sender's acts as JSON: send a document, revoke it, amend it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from chalicelib import runtime
from chalicelib.contexts.documents import files
from chalicelib.contexts.documents.domain.document import (
    AmendDocument,
    SecretDocument,
    SendDocument,
    document,
)
from chalicelib.contexts.documents.domain.events import (
    Answered,
    Attachment,
    OfficialDocument,
    Party,
)
from chalicelib.contexts.documents.edxml.identity import DocumentIdentity
from chalicelib.contexts.documents.register import Register
from chalicelib.contexts.documents.submission.asked import (
    Amendment,
    NewDocument,
    Relay,
    Revocation,
)
from chalicelib.contexts.documents.submission.examined import Act, examined_uploads
from chalicelib.contexts.documents.submission.identities import (
    ReferenceUnreadable,
    id_named,
    id_of,
    replacing,
)
from chalicelib.contexts.documents.submission.orders import (
    authority,
    receipt,
    relay_document,
    revoke_document,
    standing,
)
from chalicelib.contexts.documents.submission.parties import code_of, codes_of, sealed_staff
from chalicelib.handle import Done, check, handle
from chalicelib.kernel import Origin, Refused
from chalicelib.secrecy import marks_a_secret

_AMENDABLE = OfficialDocument.model_fields.keys() & Amendment.model_fields.keys()


def send_json(asked: NewDocument, agency: str, origin: Origin) -> tuple[Done, str]:
    """Accept a document whose files were uploaded; what it led to, and the document's id.

    The staging area is emptied when the document is refused, and when it is accepted.

    Raises:
        Refused: see `document.decide`, `files.check_arrived`.
    """
    attachments = tuple(Attachment(**part.model_dump()) for part in asked.attachments)
    with _uploads(agency, attachments):
        command = _json_command(asked, attachments, agency, origin)
        if check(runtime.event_store(), document, command.document, command, claim=True):
            command = _adopted(command, agency, attachments)
        done = handle(runtime.event_store(), document, command.document, command, claim=True)
    return receipt(done, "document.sent"), command.document


def amend(asked: Amendment, id_: str, agency: str, origin: Origin) -> Done:
    """Change a document or its receivers. Files that it has already need no upload.

    Raises:
        Refused: see `document.decide`, `files.check_arrived`.
    """
    if marks_a_secret(asked.subject, prose=True) or marks_a_secret(asked.content, prose=True):
        raise SecretDocument(field="subject")
    store = runtime.event_store()
    now = standing(id_).now
    # Who names a file again, by its digest, need not describe it again.
    kept = {each.sha256: each.description for each in now.attachments} if now else {}
    attachments = tuple(
        Attachment(**part.model_dump(), description=kept.get(part.sha256, ""))
        for part in asked.attachments or ()
    )
    register = Register(origin.at, [agency, *codes_of(asked.add, "add")])
    added = _receivers(asked.add, "add", register)
    command = AmendDocument(
        origin=origin,
        document=id_,
        **authority(agency, now, register) | register.standing([agency, *(p.code for p in added)]),
        fields=asked.model_dump(include=set(_AMENDABLE), exclude_unset=True),
        attachments=None if asked.attachments is None else attachments,
        added=added,
        dropped=codes_of(asked.drop, "drop"),
        concerned=codes_of(asked.receivers, "receivers") or None,
        reason=asked.reason,
        staff=sealed_staff(agency, asked.staff),
        secrecy=asked.secrecy,
    )
    new = [attachment for attachment in attachments if attachment.sha256 not in kept]
    with _uploads(agency, new):
        if check(store, document, id_, command):
            command = _adopted(command, agency, new)
        return receipt(handle(store, document, id_, command), "document.amended")


def revoke(asked: Revocation, id_: str, agency: str, origin: Origin) -> Done:
    """Order a document back from receivers, or from all of them; see `revoke_document`.

    Raises:
        Refused: see `document.decide`.
    """
    receivers, staff = codes_of(asked.receivers, "receivers"), sealed_staff(agency, asked.staff)
    return revoke_document(
        id_, receivers, agency, origin, reason=asked.reason, staff=staff, claim=False
    )


def relay(asked: Relay, id_: str, agency: str, origin: Origin) -> Done:
    """Pass a document on to units below the agency. Doing so again is silent.

    Raises:
        Refused: see `document.decide`.
    """
    register = Register(origin.at)
    receivers = _receivers(asked.receivers, "receivers", register)
    return relay_document(id_, receivers, agency, origin, register)


@contextmanager
def _uploads(agency: str, attachments: Iterable[Attachment]) -> Iterator[None]:
    """The uploads that a command needs are gone from staging afterwards."""
    attachments = list(attachments)
    try:
        yield
    except files.AttachmentNotArrived:
        # The others may stay: the caller will bring the missing one and ask again.
        raise
    except Refused:
        files.discard(agency, [attachment.sha256 for attachment in attachments])
        raise
    files.discard(agency, [attachment.sha256 for attachment in attachments])


def _adopted(command: Act, agency: str, attachments: Iterable[Attachment]) -> Act:
    """Keep the uploads for good; the command, with what was found of them."""
    attachments = list(attachments)
    files.check_arrived(agency, attachments)
    command = examined_uploads(command, agency, attachments)
    files.adopt(agency, attachments)
    return command


def _json_command(
    asked: NewDocument, attachments: tuple[Attachment, ...], agency: str, origin: Origin
) -> SendDocument:
    if marks_a_secret(asked.subject, prose=True) or marks_a_secret(asked.content, prose=True):
        raise SecretDocument(field="subject")
    given = asked.sender or agency
    sender, issuer = code_of(given, "sender"), asked.issuer or given
    register = Register(origin.at, [agency, sender, *codes_of(asked.receivers, "receivers")])
    receivers = _receivers(asked.receivers, "receivers", register)
    codes = [party.code for party in receivers]
    identity = DocumentIdentity(
        issuer=issuer,
        promulgated_on=asked.promulgated_on,
        raw_date=asked.promulgated_on.isoformat().replace("-", "/"),
        number=asked.number,
        notation=asked.notation,
    )
    own = asked.model_dump(
        exclude={
            *("issuer", "receivers", "attachments", "paper_follows", "staff", "secrecy"),
            *("replaces", "answers", "sender"),
        }
    )
    official = OfficialDocument(
        reference=identity.format(),
        issuer=code_of(issuer, "issuer"),
        answers=tuple(_answered(each, f"answers/{i}") for i, each in enumerate(asked.answers)),
        **own,
    )
    replaces = replacing(
        (
            (
                each.document or id_named(each.reference, f"replaces/{i}/reference"),
                each.reference,
                codes_of(each.receivers, f"replaces/{i}/receivers") or codes,
            )
            for i, each in enumerate(asked.replaces)
        ),
        register,
    )
    return SendDocument(
        origin=origin,
        agency=agency,
        acts_for=register.acts_for(agency, sender, *(each.sender for each in replaces)),
        document=id_of(identity),
        official=official,
        sender=Party(code=sender, as_given=given, name=register.name(sender)),
        receivers=receivers,
        attachments=attachments,
        paper_follows=asked.paper_follows,
        replaces=replaces,
        staff=sealed_staff(agency, asked.staff),
        secrecy=asked.secrecy,
        **register.standing([agency, sender, *codes]),
    )


def _receivers(given: tuple[str, ...], field: str, register: Register) -> tuple[Party, ...]:
    """Those who are named, or who took their place."""
    codes = codes_of(given, field)
    register.fetch(codes)
    return tuple(register.party(code, text) for code, text in zip(codes, given, strict=True))


def _answered(reference: str, field: str) -> Answered:
    identity = DocumentIdentity.parse(reference)
    if identity is None:
        raise ReferenceUnreadable(field=field)
    return Answered(
        agency=identity.issuer,
        code=f"{identity.number}/{identity.notation}".rstrip("/"),
        promulgated_on=identity.promulgated_on,
        reference=reference,
        document=id_of(identity),
    )
