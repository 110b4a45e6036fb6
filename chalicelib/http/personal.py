"""What of a person's an answer may show."""

from collections.abc import Callable
from typing import Any

from chalicelib import runtime
from chalicelib.kernel import Value
from chalicelib.privacy.personal import Erased, Personal

Opened = Callable[[Personal[Any] | None], Any]
"""A personal value as plain data, or None if it may not or can no longer be read."""


def opened(personal: Personal[Any] | None) -> Any:
    """A personal value as plain data; None if there is none, or its person was forgotten."""
    if personal is None:
        return None
    try:
        value = personal.open(runtime.vault().open)
    except Erased:
        return None
    return value.model_dump(mode="json") if isinstance(value, Value) else value


def closed(_personal: Personal[Any] | None) -> None:
    """A personal value for who may not read it."""
