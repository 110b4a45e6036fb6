"""What happened to an agency."""

from datetime import date, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from chalicelib.kernel import Event, Value
from chalicelib.privacy.personal import Personal

DOCUMENTS = "documents"
"""The kind of system that takes an agency's documents."""


class AgencyRegistered(Event):
    """An agency takes part, under a code and a name with their source.

    `code` is canonical, `given` the code as it was written. A validity of None is not known to be
    bounded. `parent` is the agency it belongs to.
    Rule: QĐ 20/2020/QĐ-TTg, amended by QĐ 09/2025/QĐ-TTg.
    """

    type: Literal["agency.registered"] = "agency.registered"
    code: str
    given: str
    name: str
    name_english: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    parent: str | None = None
    source: str
    note: str = ""


class AgencySystemRegistered(Event):
    """An agency's system can be reached from now on, in place of what was known of it before.

    Without an `endpoint` nothing is posted to it: it fetches what is for it.
    `at` is when it was said (None: before this was noted). A key that was known before keeps its
    time of validity. `public_keys` are raw Ed25519 keys in base64. The shared `secret` is sealed
    under a key of its own; `secret_print` (an HMAC under the deployment's secret) tells whether
    another is the same.
    Rule: QCVN 102:2016/BTTTT for profile `edxml`; Standard Webhooks 1.0.0 for keys and secret.
    """

    version: ClassVar[int] = 2
    type: Literal["agency.system_registered"] = "agency.system_registered"
    code: str
    system: str
    kind: str
    endpoint: str
    profile: Literal["cloudevents", "edxml"]
    public_keys: tuple[str, ...] = ()
    signature: Literal["v1a", "v1"] = "v1a"
    secret: Personal[str] | None = None
    secret_print: str = ""
    at: AwareDatetime | None = None


class KeyWindow(Value):
    """A public key (Ed25519, raw, base64) and when it is good: from `not_before` to `not_after`.

    The first moment is within, the last is not; None is not bounded.
    """

    key: str
    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None


class AgencySystemKeysRotated(Event):
    """A system of an agency signs with a new key; the old ones are good for a while yet.

    `keys` are all its keys from now on, the new one last.
    Rule: Standard Webhooks 1.0.0, key rotation without downtime.
    """

    type: Literal["agency.system_keys_rotated"] = "agency.system_keys_rotated"
    code: str
    system: str
    keys: tuple[KeyWindow, ...]
    at: AwareDatetime


class AgencySystemLocked(Event):
    """A system of an agency may neither send nor receive until it is unlocked.

    Rule: Gateway error 23: receiver locked.
    """

    type: Literal["agency.system_locked"] = "agency.system_locked"
    code: str
    system: str
    reason: str
    at: AwareDatetime


class AgencySystemUnlocked(Event):
    """A system of an agency may send and receive again.

    Rule: Gateway error 23: receiver locked.
    """

    type: Literal["agency.system_unlocked"] = "agency.system_unlocked"
    code: str
    system: str
    at: AwareDatetime


class AgencyRenamed(Event):
    """An agency bears another name from a day on; the name before it stays in the register.

    `effective_on` is the first day of the new name, `source` the decision behind it.
    Rule: QĐ 20/2020/QĐ-TTg, amended by QĐ 09/2025/QĐ-TTg: the code stays, the name may change.
    """

    type: Literal["agency.renamed"] = "agency.renamed"
    code: str
    name: str
    name_english: str = ""
    effective_on: date
    source: str
    note: str = ""


class AgencyMoved(Event):
    """An agency belongs to another agency from a day on, or to none.

    `parent` is canonical; None: it stands at the top. `effective_on` is the first such day.
    Rule: QĐ 20/2020/QĐ-TTg, amended by QĐ 09/2025/QĐ-TTg.
    """

    type: Literal["agency.moved"] = "agency.moved"
    code: str
    parent: str | None
    effective_on: date
    source: str
    note: str = ""


class AgencyValidityCorrected(Event):
    """The days between which an agency's code is good were not known well, and now are.

    Both days are within the validity; None is not known to be bounded.
    Rule: QĐ 20/2020/QĐ-TTg, amended by QĐ 09/2025/QĐ-TTg.
    """

    type: Literal["agency.validity_corrected"] = "agency.validity_corrected"
    code: str
    valid_from: date | None
    valid_to: date | None
    source: str
    note: str = ""


class AgencyDissolved(Event):
    """An agency ends and nobody takes its place. `effective_on` is the first day without it.

    Rule: QĐ 20/2020/QĐ-TTg, amended by QĐ 09/2025/QĐ-TTg.
    """

    type: Literal["agency.dissolved"] = "agency.dissolved"
    code: str
    effective_on: date
    source: str
    note: str = ""

    @property
    def last_day(self) -> date:
        """The last day on which the agency's code is good."""
        return self.effective_on - timedelta(days=1)


class AgencyMerged(Event):
    """An agency ends, and another one takes its place: what is sent to the one goes to the other.

    `successor` is canonical; it may have a successor itself. `effective_on` is its first day.
    Rule: QĐ 20/2020/QĐ-TTg, amended by QĐ 09/2025/QĐ-TTg; mergers of 2025 keep old codes readable.
    """

    type: Literal["agency.merged"] = "agency.merged"
    code: str
    successor: str
    effective_on: date
    source: str
    note: str = ""

    @property
    def last_day(self) -> date:
        """The last day on which the agency's own code is good."""
        return self.effective_on - timedelta(days=1)


Act = Literal["register", "rename", "move", "merge", "dissolve"]
"""What a reorganisation does to an agency."""


class Step(Value):
    """One change to one agency within a reorganisation; what `act` does not need is empty.

    `line` is what was found when it was ordered: for a move the new parent and those above it, for
    a merger the successor and its own successors.
    """

    act: Act
    code: str
    name: str | None = None
    name_english: str = ""
    parent: str | None = None
    successor: str | None = None
    note: str = ""
    line: tuple[str, ...] = ()


class ReorganisationOrdered(Event):
    """Many agencies change by one decision; each step follows as a change of its own agency.

    `effective_on` is the first day of all of it, `source` the decision, `steps` are in order.
    Rule: QĐ 20/2020/QĐ-TTg, amended by QĐ 09/2025/QĐ-TTg; the reorganisation of 1/7/2025.
    """

    type: Literal["reorganisation.ordered"] = "reorganisation.ordered"
    reorganisation: str
    effective_on: date
    source: str
    steps: tuple[Step, ...]


AgencyEvent = Annotated[
    AgencyRegistered
    | AgencySystemRegistered
    | AgencySystemKeysRotated
    | AgencySystemLocked
    | AgencySystemUnlocked
    | AgencyRenamed
    | AgencyMoved
    | AgencyValidityCorrected
    | AgencyDissolved
    | AgencyMerged,
    Field(discriminator="type"),
]
