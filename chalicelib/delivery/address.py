"""Where and how a message reaches an agency."""

from typing import Literal

from chalicelib.kernel import Value
from chalicelib.privacy.personal import Personal


class Address(Value):
    """An agency's mailbox: the endpoint of the system that takes its documents.

    Without an endpoint the system fetches them itself. `public_keys` (Ed25519, raw, base64) verify
    what the agency sends; `signature` is how it wants our messages signed: `v1a` Ed25519, `v1` HMAC
    under `secret`. `locks` names the agency's systems that are locked.
    """

    agency: str
    system: str
    endpoint: str
    profile: Literal["cloudevents", "edxml"]
    public_keys: tuple[str, ...] = ()
    signature: Literal["v1a", "v1"] = "v1a"
    secret: Personal[str] | None = None
    locks: tuple[str, ...] = ()
    listed: Literal["all"] = "all"

    @property
    def pulls(self) -> bool:
        """Whether the agency fetches its messages: nothing is posted to it."""
        return not self.endpoint

    @property
    def locked(self) -> bool:
        """Whether this mailbox is locked: nothing may be sent to it, or taken from it."""
        return self.system in self.locks
