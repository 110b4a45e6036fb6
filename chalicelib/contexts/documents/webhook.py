"""Who posted a webhook: proven by a signature under a key that the agency has registered."""

from base64 import b64decode
from collections.abc import Mapping, Sequence

from chalicelib import runtime
from chalicelib.contexts.documents.projections.who_takes_part import Keys, Participant
from chalicelib.contexts.documents.register import as_recorded, as_viewed
from chalicelib.delivery.signatures import SignatureInvalid, secret_bytes, verify
from chalicelib.kernel import Forbidden


class SystemLocked(Forbidden):
    """The system that signed this is locked: nothing is taken from it."""

    code = "system-locked"
    rule = "An administrator of the axis locks and unlocks systems"


def prove_sender(agency: str, headers: Mapping[str, str], body: bytes) -> None:
    """See that one of the agency's systems signed this, and lately. Unknown agencies have no keys.

    A key is good as soon as it is registered: what the view cannot prove is held against the
    agency's own stream.

    Raises:
        SignatureMissing, SignatureInvalid, TimestampOutsideWindow: nothing proves it.
        SystemLocked: a system signed it that may not send.
    """
    try:
        _prove_by_one(as_viewed(agency), headers, body)
    except (SignatureInvalid, SystemLocked):
        _prove_by_one(as_recorded(agency), headers, body)


def _prove_by_one(row: Participant | None, headers: Mapping[str, str], body: bytes) -> None:
    systems = list(row.systems.values()) if row else []
    try:
        _prove([system for system in systems if not system.locked], headers, body)
    except SignatureInvalid:
        _prove([system for system in systems if system.locked], headers, body)
        raise SystemLocked from None


def _prove(systems: Sequence[Keys], headers: Mapping[str, str], body: bytes) -> None:
    now = runtime.now()
    keys = [b64decode(key) for system in systems for key in system.keys_at(now)]
    secrets = [
        secret_bytes(system.secret.open(runtime.vault().open))
        for system in systems
        if system.secret
    ]
    if not keys and not secrets:
        raise SignatureInvalid
    verify(headers, body, keys, secrets, now)
