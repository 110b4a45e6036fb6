"""Given what happened, when somebody asks, then this is the answer: how deciders are tested."""

from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.kernel import Command, Decider, Event, Refused


class Given:
    """What has happened in one stream so far."""

    def __init__(self, decider: Decider[Any, Any, Any], *events: Event) -> None:
        self._decider = decider
        self._state = decider.fold(events)

    def when(self, command: Command) -> "When":
        """Somebody asks."""
        return When(self._decider, self._state, command)


@dataclass(frozen=True)
class When:
    """A wish, waiting for its answer."""

    decider: Decider[Any, Any, Any]
    state: Any
    command: Command

    def then(self, answer: list[Event] | type[Refused], *, repeatable: bool = True) -> None:
        """The decider answers with exactly these events, or refuses with exactly this refusal.

        Asked again once granted, it must stay quiet; `repeatable=False` for a wish that is meant to
        have its effect each time.
        """
        if isinstance(answer, type):
            with pytest.raises(Refused) as refusal:
                self.decider.decide(self.command, self.state)
            assert type(refusal.value) is answer
            return
        events = self.decider.decide(self.command, self.state)
        assert events == answer
        assert {event.type.split(".")[0] for event in events} <= {self.decider.category}
        if repeatable:
            after = self.decider.fold(events, self.state)
            assert self.decider.decide(self.command, after) == []
