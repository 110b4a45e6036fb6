"""Who answers for an agency's code on a day: the agency, or who took its place. Pure."""

from collections.abc import Callable
from datetime import date
from typing import Protocol


class Lasting(Protocol):
    """An agency as far as its days go: both are within, None is not known to be bounded."""

    @property
    def valid_from(self) -> date | None:
        """Its first day."""

    @property
    def valid_to(self) -> date | None:
        """Its last day."""

    @property
    def successor(self) -> str | None:
        """Who takes its place after that."""


def active(agency: Lasting, on: date) -> bool:
    """Whether the agency's code is good on that day."""
    began = agency.valid_from is None or agency.valid_from <= on
    return began and (agency.valid_to is None or on <= agency.valid_to)


def heir_of(code: str, find: Callable[[str], Lasting | None], on: date) -> str | None:
    """The agency that answers for `code` on that day: itself, or its successor's successor.

    `find` gives the agency with a canonical code. None: nobody does, as it is not registered, not
    yet or no longer valid and without successor, or as successors form a ring.
    """
    walked = set[str]()
    while code not in walked:
        walked.add(code)
        found = find(code)
        if found is None or active(found, on):
            return code if found else None
        if found.successor is None or found.valid_to is None or on <= found.valid_to:
            return None
        code = found.successor
    return None
