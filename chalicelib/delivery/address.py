"""Where and how a message reaches an agency."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from chalicelib.kernel import Value
from chalicelib.privacy.personal import Personal


class Window(Value):
    """When a key is good: the first moment is within, the last is not; None is not bounded."""

    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether that moment is within."""
        began = self.not_before is None or self.not_before <= at
        return began and (self.not_after is None or at < self.not_after)


class Address(Value):
    """An agency's mailbox: the endpoint of the system that takes its documents.

    Without an endpoint the system fetches them itself. `public_keys` (Ed25519, raw, base64) verify
    what the agency sends; `windows` bound in time those that were rotated, by system and key.
    `signature` is how it wants our messages signed: `v1a` Ed25519, `v1` HMAC under `secret`.
    `locks` names the agency's systems that are locked.
    """

    agency: str
    system: str
    endpoint: str
    profile: Literal["cloudevents", "edxml"]
    public_keys: tuple[str, ...] = ()
    windows: dict[str, dict[str, Window]] = Field(default_factory=dict)
    signature: Literal["v1a", "v1"] = "v1a"
    secret: Personal[str] | None = None
    locks: tuple[str, ...] = ()
    listed: Literal["all"] = "all"

    def keys_at(self, at: datetime) -> list[str]:
        """The public keys that are good at that moment."""
        windows, always = self.windows.get(self.system, {}), Window()
        return [key for key in self.public_keys if windows.get(key, always).holds(at)]

    @property
    def pulls(self) -> bool:
        """Whether the agency fetches its messages: nothing is posted to it."""
        return not self.endpoint

    @property
    def locked(self) -> bool:
        """Whether this mailbox is locked: nothing may be sent to it, or taken from it."""
        return self.system in self.locks
