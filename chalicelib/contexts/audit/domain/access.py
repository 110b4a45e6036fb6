"""The log of who read about whom: a stream for each person and month, or each reader and month."""

from chalicelib.contexts.audit.domain.events import AccessRead, Purpose
from chalicelib.kernel import Command, Decider, Invalid, Value


class NoteRead(Command):
    """Write down that something is about to be shown; see `AccessRead`."""

    subject: str
    role: str
    by_agency: str
    route: str
    what: str
    purpose: Purpose


class Access(Value):
    """How often something was read."""

    reads: int = 0


class ReadUnnamed(Invalid):
    """A read names what was read."""

    code = "read-unnamed"
    rule = "Law 91/2025/QH15 on Personal Data Protection"


def decide(command: NoteRead, _state: Access) -> list[AccessRead]:
    """Every read is written down, the same one as often as it happens.

    Raises:
        ReadUnnamed: it says neither about whom nor what.
    """
    if not command.what:
        raise ReadUnnamed
    said = command.model_dump(exclude={"origin"})
    return [AccessRead(**said, at=command.at)]


def evolve(state: Access, _event: AccessRead) -> Access:
    """One more."""
    return Access(reads=state.reads + 1)


access = Decider("access", AccessRead, Access(), decide, evolve)
