"""Who posted a webhook: proven by a signature under a key that the agency has registered."""

from base64 import b64decode
from collections.abc import Mapping

from chalicelib import runtime
from chalicelib.contexts.documents.projections import who_takes_part
from chalicelib.delivery.signatures import SignatureInvalid, secret_bytes, verify


def prove_sender(agency: str, headers: Mapping[str, str], body: bytes) -> None:
    """See that one of the agency's systems signed this, and lately. Unknown agencies have no keys.

    Raises:
        SignatureMissing, SignatureInvalid, TimestampOutsideWindow: nothing proves it.
    """
    row = runtime.views().row(who_takes_part.answer, f"agency-{agency}")
    systems = row.systems.values() if row else ()
    keys = [b64decode(key) for system in systems for key in system.public_keys]
    secrets = [
        secret_bytes(system.secret.open(runtime.vault().open))
        for system in systems
        if system.secret
    ]
    if not keys and not secrets:
        raise SignatureInvalid
    verify(headers, body, keys, secrets, runtime.now())
