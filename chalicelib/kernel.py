"""The shared vocabulary: values, events, commands, refusals and deciders.

A command asks, a decider answers with events, everything else is a fold. Nothing here does I/O.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter


class Value(BaseModel):
    """Something that is only its fields: frozen, compared by content, closed to unknown fields."""

    # Validators are built when first used, as a cold start pays only for what it does. An error
    # never quotes what it was given: that may be personal data.
    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True
    )


class Event(Value):
    """A fact that happened. Subclasses name themselves `type: Literal["category.fact"]`.

    Unknown fields are ignored, so that an old reader survives a newer writer; `version` rises when
    the shape of `data` gains a field.
    """

    model_config = ConfigDict(extra="ignore")
    version: ClassVar[int] = 1
    type: str


Method = Literal["jwt", "webhook", "reaction", "operator"]
"""How it was known who asks."""


class Origin(Value):
    """Who asks, when, how surely we know them, and what their wish follows from.

    `command_id` is SHA-256(client id, Idempotency-Key) and `digest` an HMAC of the request under
    the deployment's secret, both in unpadded base64url. `actor` is an opaque identifier, never a
    name. `assurance` is the level of authentication, 0 (none) to 3. `expected` is the commit number
    the caller saw (`If-Match`).
    """

    command_id: str
    digest: str
    actor: str
    method: Method
    assurance: int = 0
    correlation: str = ""
    causation: str = ""
    at: AwareDatetime
    expected: int | None = None


def same_person(one: str, other: str) -> bool:
    """Whether two actors (`role:subject`) are one human, whatever role each acts in."""
    return one.partition(":")[2] == other.partition(":")[2]


class Command(Value):
    """A wish. Its `origin` brings the time, the actor and the ids a pure decider may not make."""

    origin: Origin

    @property
    def at(self) -> AwareDatetime:
        """The moment the wish was received (UTC)."""
        return self.origin.at


class Refused(Exception):  # noqa: N818 -- a refusal is a lawful answer, not an error.
    """A wish the rules do not grant. Nothing happened.

    `code` is the stable public name, `rule` the law, standard or limit behind it, `field` the
    place in the request at fault, if there is one, `gateway_error` the number document gateways
    give for the same fault.
    """

    code: ClassVar[str] = "refused"
    rule: ClassVar[str] = ""
    gateway_error: ClassVar[int | None] = None

    def __init__(self, detail: str = "", *, field: str | None = None) -> None:
        """Say what is wrong in one sentence, and where."""
        super().__init__(detail or (type(self).__doc__ or "").strip().split("\n")[0])
        self.field = field


class Invalid(Refused):
    """The request itself is wrong, whatever the state."""

    code = "invalid-request"


class NotFound(Refused):
    """There is no such thing, or none that the caller may know of."""

    code = "not-found"


class Forbidden(Refused):
    """The caller may not do this."""

    code = "forbidden"


class Conflict(Refused):
    """The wish does not fit the present state."""

    code = "conflict"


C_contra = TypeVar("C_contra", bound=Command, contravariant=True)
S = TypeVar("S", bound=Value)
E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Decider(Generic[C_contra, S, E]):
    """One stream category: its events, its empty state, its two functions.

    `category` is also the first half of every event type it writes (`copy` → `copy.received`);
    `events` is their union, discriminated by `type`.
    """

    category: str
    events: Any
    initial: S
    decide: Callable[[C_contra, S], list[E]]
    evolve: Callable[[S, E], S]

    @cached_property
    def codec(self) -> TypeAdapter[list[E]]:
        """Reads a commit's body: a JSON array of events."""
        return TypeAdapter(list[self.events])  # type: ignore[name-defined]  # The type is a value.

    def fold(self, events: Iterable[E], state: S | None = None) -> S:
        """The state after `events`, from `state` or from nothing."""
        return reduce(self.evolve, events, self.initial if state is None else state)
