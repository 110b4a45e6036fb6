"""Which procedures are there? A thousandth of the catalogue a row: all of it is soon read."""

from datetime import date
from typing import Any

from pydantic import Field

from chalicelib.contexts.dossiers.domain.events import (
    ApplicantKind,
    Level,
    ProcedureAmended,
    ProcedureEvent,
    ProcedurePublished,
    ProcedureRepealed,
    WorkingLimit,
)
from chalicelib.kernel import Value
from chalicelib.projector.projection import Projection
from chalicelib.working_time import HANOI


class Version(Value):
    """What a list says of one version of a procedure."""

    number: int
    effective_on: date
    name: str
    field: str
    field_name: str
    level: Level
    limit: WorkingLimit
    applicants: tuple[ApplicantKind, ...]
    life_events: tuple[str, ...]


class Listed(Value):
    """A procedure: its version that was in force when it last changed, and those to come.

    `ends_on` is the first day without it, None if none is known.
    """

    versions: tuple[Version, ...]
    ends_on: date | None = None

    def on(self, day: date) -> Version | None:
        """The version in force on `day`, None if there is none."""
        if self.ends_on and day >= self.ends_on:
            return None
        return next((v for v in reversed(self.versions) if v.effective_on <= day), None)


class Part(Value):
    """A thousandth of the catalogue by the procedures' codes, and how many changes have made it."""

    procedures: dict[str, Listed] = Field(default_factory=dict)
    changes: int = 0
    listed: None = None


def keys(event: ProcedureEvent) -> list[str]:
    """The part that the procedure stands in."""
    return [part_of(event.code)]


def part_of(code: str) -> str:
    """The part that a procedure stands in: the last three digits of its code."""
    return code[-3:]


def evolve(row: Part | None, event: ProcedureEvent) -> Part | None:
    """The part after `event`; what is over by then is no longer in it."""
    row = row or Part()
    procedures = dict(row.procedures)
    today = event.at.astimezone(HANOI).date()
    match event:
        case ProcedurePublished() | ProcedureAmended():
            before = procedures.get(event.code)
            versions = (*(before.versions if before else ()), _version(event))
            kept = [n for n, v in enumerate(versions) if v.effective_on <= today][-1:] or [0]
            procedures[event.code] = Listed(versions=versions[kept[0] :])
        case ProcedureRepealed() if event.effective_on <= today:
            procedures.pop(event.code, None)
        case ProcedureRepealed() if event.code in procedures:
            ending = {"ends_on": event.effective_on}
            procedures[event.code] = procedures[event.code].model_copy(update=ending)
    return Part(procedures=procedures, changes=row.changes + 1)


def _version(event: ProcedurePublished | ProcedureAmended) -> Version:
    fields = set(Version.model_fields) - {"number"}
    return Version(number=event.number, **event.terms.model_dump(include=fields))


answer: Projection[Any] = Projection(
    Part, ProcedureEvent, evolve, by="listed", sort="listed", keys=keys
)
