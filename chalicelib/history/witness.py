"""Asks somebody outside to sign what they saw of us: they remember, so we cannot take it back.

A witness signs a tree only if it begins with the one it signed before. One that does not answer
delays proof, never traffic; one that disagrees has been shown another history than ours.

Rule: C2SP tlog-witness (`add-checkpoint`), tlog-cosignature.
"""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple, Protocol

from chalicelib.history.merkle import Unproven
from chalicelib.history.note import Note, Signature
from chalicelib.history.policy import Witness
from chalicelib.history.proof import encode_proof

_SIZE = re.compile(rb"(0|[1-9]\d{0,18})\n?")
_AHEAD_S = 600


class Reply(Protocol):
    """What somebody answered; `status` 0 if nobody did."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def body(self) -> bytes:
        """The answer's body."""


Post = Callable[[str, Mapping[str, str], bytes], Reply]
"""Posts a body to an address with headers."""
Prove = Callable[[int], list[bytes]]
"""The proof that our tree begins with the one of so many leaves."""


class Said(NamedTuple):
    """What came of asking a witness: its signature, or what went wrong.

    `disagrees`: it did answer, and what it says does not fit our history. `saw` is the size of the
    tree that it says it saw, if that is larger than ours.
    """

    signature: Signature | None
    fault: str = ""
    disagrees: bool = False
    saw: int = 0


def ask(
    post: Post, witness: Witness, size: int, note: Note, seen: int, prove: Prove, now: float
) -> Said:
    """Show a witness our checkpoint of `size`; `seen` is the size we think it saw last.

    Nothing that it says is believed but a signature that verifies with its key. `now` is the time
    in seconds since 1970.
    """
    reply = _post(post, witness, note, min(seen, size), prove)
    if reply.status == HTTPStatus.CONFLICT:
        found = _SIZE.fullmatch(reply.body)
        told = int(found[1]) if found else size
        if told > size:
            return Said(None, f"saw {told} commits, we have {size}", disagrees=True, saw=told)
        if told == min(seen, size):
            return Said(None, f"saw another tree of {told}", disagrees=True)
        reply = _post(post, witness, note, told, prove)
    match reply.status:
        case HTTPStatus.OK:
            return _verified(witness, note, reply.body, now)
        case HTTPStatus.CONFLICT | HTTPStatus.UNPROCESSABLE_ENTITY:
            return Said(None, "does not accept that our tree grew out of its own", disagrees=True)
        case status:
            return Said(None, not_well(status))


def not_well(status: int) -> str:
    """What to say of an answer that is none."""
    return f"answered {status}" if status else "did not answer"


def request(note: Note, old: int, proof: list[bytes]) -> bytes:
    """The body of an `add-checkpoint`."""
    return f"old {old}\n{encode_proof(proof)}\n{note}".encode()


def _post(post: Post, witness: Witness, note: Note, old: int, prove: Prove) -> Reply:
    body = request(note, old, prove(old))
    url = f"{witness.url.rstrip('/')}/add-checkpoint"
    return post(url, {"content-type": "text/plain; charset=utf-8"}, body)


def _verified(witness: Witness, note: Note, answer: bytes, now: float) -> Said:
    try:
        lines = answer.decode().splitlines()
        mine = [
            one
            for one in map(Signature.parse, lines)
            if (one.name, one.id) == (witness.key.name, witness.key.id)
        ]
        seen = Note(note.text, tuple(mine)).signed_by([witness.key])
    except ValueError:
        return Said(None, "answered with what is no signature")
    except Unproven:
        # It signed something else than what we showed: a fork.
        return Said(None, "signed something else than it was shown", disagrees=True)
    at = seen.get(witness.key)
    if at is None:
        return Said(None, "answered without its signature")
    if at > now + _AHEAD_S:
        return Said(None, "signed in the future")
    return Said(mine[0])
