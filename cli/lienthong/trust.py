"""Whom the auditor believes: the log's keys, the witnesses' quorum, the time-stamping authority."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates

from chalicelib.history.checkpoint import Opened, open_checkpoint
from chalicelib.history.note import LOG, VerifierKey
from chalicelib.history.policy import Policy
from lienthong.folder import CannotCheck, Folder


@dataclass(frozen=True)
class Trust:
    """What a checkpoint must show to be believed.

    `own_keys` is false if the log's key came with the folder: then whoever made the folder may
    have made the key as well. `authority` are the certificates (PEM) by which time stamps are
    believed.
    """

    logs: tuple[VerifierKey, ...]
    policy: Policy
    authority: tuple[str, ...]
    own_keys: bool

    @classmethod
    def read(
        cls,
        folder: Folder | None,
        keys: Path | None = None,
        policy: Path | None = None,
        authority: Path | None = None,
    ) -> "Trust":
        """Trust as stated in files: keys, a policy (C2SP tlog-policy), certificates (PEM).

        Without keys of one's own those in the folder are taken, if there is one.

        Raises:
            CannotCheck: a file is missing or malformed, or nowhere is a key of the log.
        """
        try:
            stated = Policy.parse(policy.read_text(encoding="utf-8")) if policy else Policy()
            own = (*stated.logs, *(_keys(keys.read_text(encoding="utf-8")) if keys else ()))
            logs = own or (_keys(folder.read("keys").decode()) if folder else ())
            given = (authority.read_text(encoding="utf-8"),) if authority else ()
            for certificates in given:
                load_pem_x509_certificates(certificates.encode())
        except (OSError, ValueError) as error:
            raise CannotCheck(f"no keys, policy or certificates to check with: {error}") from None
        if not logs or any(key.kind != LOG for key in logs):
            raise CannotCheck("a log's key is needed, and only logs' keys")
        return cls(logs, stated, given, bool(own))

    def open(self, written: bytes) -> Opened:
        """A checkpoint, if a trusted log signed it.

        Raises:
            Unproven: none did, or a signature by a known key is wrong.
            ValueError: it is no checkpoint.
        """
        return open_checkpoint(written, self.logs, [one.key for one in self.policy.witnesses])


def _keys(text: str) -> tuple[VerifierKey, ...]:
    lines = (line.strip() for line in text.splitlines())
    return tuple(VerifierKey.parse(line) for line in lines if line and not line.startswith("#"))
