"""What follows from a reorganisation that was ordered: each of its steps is carried out. Pure."""

from collections.abc import Iterable
from typing import Any

from chalicelib.contexts.agencies.domain.agency import AgencyCommand, agency
from chalicelib.contexts.agencies.domain.events import ReorganisationOrdered
from chalicelib.contexts.agencies.domain.reorganisation import command_of
from chalicelib.kernel import Decider, Origin

EVENTS = ReorganisationOrdered


def react(
    event: ReorganisationOrdered, origin: Origin
) -> Iterable[tuple[Decider[Any, Any, Any], str, AgencyCommand]]:
    """Change the agencies one after the other."""
    for number, step in enumerate(event.steps, start=1):
        yield agency, step.code, command_of(event, number, origin)
