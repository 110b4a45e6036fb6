"""How a copy that its receiver has not taken is sent again."""

from hashlib import sha256

from chalicelib import runtime
from chalicelib.contexts.documents.domain.copy import OrderChange, ResendCopy, copy
from chalicelib.contexts.documents.domain.document import document
from chalicelib.contexts.documents.domain.events import DocumentAmended, DocumentRevoked
from chalicelib.contexts.documents.reactions import copy_id, react
from chalicelib.contexts.documents.register import Register
from chalicelib.contexts.documents.submission.orders import authority, receipt
from chalicelib.eventstore.store import Commit
from chalicelib.handle import Done, fold, handle
from chalicelib.kernel import Origin
from chalicelib.text import b64url


def resend(id_: str, receiver: str, agency: str, origin: Origin) -> Done:
    """Send the receiver the document as it stands. What was sent again already is silent.

    Raises:
        Refused: see `copy.decide`.
    """
    store = runtime.event_store()
    commits = store.load(f"document-{id_}")
    state, register = fold(document, commits), Register(origin.at)
    now, heir = state.now, register.heir(receiver)
    assert now is not None, "nobody sees what was not sent"
    known = authority(agency, now, register)
    if heir and register.standing([heir])["locked"]:
        known["locked"] += (receiver,)
    command = ResendCopy(
        origin=origin,
        document=id_,
        **known,
        strangers=() if heir else (receiver,),
        about=commits[-1].seen,
        edition=state.edition,
        subject=now.official.subject,
        dropped=receiver not in {party.code for party in now.receivers},
        revoked=receiver in state.revoked,
    )
    done = handle(store, copy, copy_id(id_, receiver), command)
    if done.commit:
        _catch_up(id_, receiver, done.commit, origin)
    return receipt(done, "copy.resent")


def _catch_up(id_: str, receiver: str, resent: Commit, origin: Origin) -> None:
    """Give the copy the orders about the document that came while it was being sent again.

    They may have found it refused still, when they are passed over.
    """
    store, copied = runtime.event_store(), copy_id(id_, receiver)
    sent_as = int(resent.data()[0]["about"].rpartition("@")[2])
    given = {commit.facts["causation"] for commit in store.load(f"copy-{copied}")}
    for commit in store.load(f"document-{id_}")[sent_as:]:
        # A command of its own, as if it followed from the order.
        name = f"{origin.command_id}#{commit.seen}"
        own = {"command_id": b64url(sha256(name.encode()).digest()), "causation": commit.seen}
        follows = origin.model_copy(update=own | {"expected": None})
        for event in document.codec.validate_json(commit.body, extra="ignore"):
            if isinstance(event, DocumentAmended | DocumentRevoked) and commit.seen not in given:
                for _, to, command in react(event, follows):
                    if to == copied and isinstance(command, OrderChange):
                        handle(store, copy, to, command)
