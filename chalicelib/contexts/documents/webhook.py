"""Who posted a webhook: proven by a signature under a key that the agency has registered."""

from base64 import b64decode
from collections.abc import Mapping, Sequence

from chalicelib import runtime
from chalicelib.contexts.documents.projections import who_takes_part
from chalicelib.delivery.signatures import SignatureInvalid, secret_bytes, verify
from chalicelib.kernel import Forbidden


class SystemLocked(Forbidden):
    """The system that signed this is locked: nothing is taken from it."""

    code = "system-locked"
    rule = "An administrator of the axis locks and unlocks systems"


def prove_sender(agency: str, headers: Mapping[str, str], body: bytes) -> None:
    """See that one of the agency's systems signed this, and lately. Unknown agencies have no keys.

    Raises:
        SignatureMissing, SignatureInvalid, TimestampOutsideWindow: nothing proves it.
        SystemLocked: a system signed it that may not send.
    """
    row = runtime.views().row(who_takes_part.answer, f"agency-{agency}")
    systems = list(row.systems.values()) if row else []
    try:
        _prove([system for system in systems if not system.locked], headers, body)
    except SignatureInvalid:
        _prove([system for system in systems if system.locked], headers, body)
        raise SystemLocked from None


def _prove(systems: Sequence[who_takes_part.Keys], headers: Mapping[str, str], body: bytes) -> None:
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
