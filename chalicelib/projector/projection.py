"""What a projection is: a question, answered by rows that are pure folds over events."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from chalicelib.eventstore.store import Commit
from chalicelib.kernel import Event, Value

Row = TypeVar("Row", bound=Value)


def event_types(union: Any) -> dict[str, type[Event]]:
    """The classes of an event union by their public type name (`copy.received`)."""
    if get_origin(union) is Annotated:
        union = get_args(union)[0]
    members = get_args(union) if get_origin(union) in {Union, UnionType} else (union,)
    return {member.model_fields["type"].default: member for member in members}


def _parts(kind: Any) -> Iterator[str]:
    """What a type is made of: the same words in every process, whatever it is called."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            yield name
            yield from _parts(field.annotation)
    elif get_origin(kind) is Annotated:
        yield from _parts(get_args(kind)[0])
    elif arguments := get_args(kind):
        yield repr(get_origin(kind))
        for part in arguments:
            yield from _parts(part)
    else:
        yield repr(kind)


@dataclass(frozen=True)
class Projection(Generic[Row]):
    """One reader's question.

    `evolve(row, event)` gives the row after the event, None to delete it; it refuses nothing.
    One row per stream unless `keys(event)` names others. Where an event says something else to each
    row, `parts(event)` gives by row key what `evolve` is handed in its place. Lists are grouped by
    the row's field `by` (its value may be None: in no list) and ordered by its field `sort`. The
    question's name is its module's.
    """

    row: type[Row]
    events: Any
    evolve: Callable[[Row | None, Any], Row | None]
    by: str
    sort: str
    keys: Callable[[Any], Iterable[str]] | None = None
    parts: Callable[[Any], Mapping[str, Any]] | None = None

    @cached_property
    def name(self) -> str:
        """The question."""
        return self.evolve.__module__.rsplit(".", 1)[-1]

    @cached_property
    def types(self) -> dict[str, type[Event]]:
        """The event types that bear on the question."""
        return event_types(self.events)

    @cached_property
    def categories(self) -> frozenset[str]:
        """The stream categories they stand in."""
        return frozenset(type_.split(".", 1)[0] for type_ in self.types)

    def wants(self, stream: str) -> bool:
        """Whether a stream can bear on the question."""
        return stream.split("-", 1)[0] in self.categories

    @cached_property
    def form(self) -> str:
        """What is read and what the rows are made of: another program's may be another.

        Whoever feeds a view with another form makes other rows. That a fold does something else
        with the same is not in it.
        """
        read = sorted(f"{type_}/{kind.version}" for type_, kind in self.types.items())
        return sha256("\n".join([*read, *_parts(self.row)]).encode()).hexdigest()[:12]

    def stored(self, data: str) -> Row:
        """A row as it was stored; a field that only a newer program's rows have is passed over."""
        return self.row.model_validate_json(data, extra="ignore")

    def read(self, commit: Commit) -> Iterable[tuple[str, Any]]:
        """The commit's events that bear on the question, with the key of each row they touch."""
        for data in commit.data():
            if kind := self.types.get(data["type"]):
                yield from self.touched(commit.stream, kind.model_validate(data, extra="ignore"))

    def touched(self, stream: str, event: Event) -> Iterable[tuple[str, Any]]:
        """The rows that an event of `stream` touches, with what `evolve` is handed for each."""
        if self.parts:
            return self.parts(event).items()
        return [(key, event) for key in (self.keys(event) if self.keys else (stream,))]
