"""What the protocols have in common: JSON questions and answers, moments and amounts as text."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from chalicelib import runtime
from chalicelib.delivery.send import Reply
from chalicelib.delivery.signatures import SignatureInvalid
from chalicelib.http.resource import InvalidJSON, read_json
from chalicelib.working_time import HANOI

_OK = range(200, 300)
_STAMP = "%Y%m%d%H%M%S"
_DONG_DIGITS = 15


def asked(url: str, question: bytes, headers: Mapping[str, str] | None = None) -> Reply | None:
    """The answer to a JSON question; None if there was none, or no good one."""
    json = {"content-type": "application/json", "accept": "application/json"}
    reply = runtime.sender().ask(url, json | dict(headers or {}), question) if url else None
    return reply if reply and reply.status in _OK else None


def ask_json(url: str, question: Mapping[str, Any]) -> dict[str, str] | None:
    """The fields of the answer to a JSON question, as text; None if there was no such answer."""
    reply = asked(url, to_json(question))
    return fields(reply.body) if reply else None


def fields(body: bytes) -> dict[str, str] | None:
    """What a JSON object says, as text; its inner objects are left out, None if it is none."""
    try:
        found = read_json(body)
    except InvalidJSON:
        return None
    if not isinstance(found, dict):
        return None
    return {name: text for name, value in found.items() if (text := _text(value)) is not None}


def _text(value: object) -> str | None:
    if value is None:
        return ""
    # A fraction has more than one spelling, and a yes or no is none of these protocols' values.
    return str(value) if isinstance(value, str) or type(value) is int else None


def joined(said: Mapping[str, str], names: Iterable[str]) -> str:
    """The values of `names`, joined by `|`; a missing one is empty.

    Raises:
        SignatureInvalid: a value holds the joint itself, so that two messages would read the same.
    """
    values = [said.get(name, "") for name in names]
    if any("|" in value for value in values):
        raise SignatureInvalid
    return "|".join(values)


def stamp(at: datetime) -> str:
    """A moment as Vietnamese gateways write it: yyyyMMddHHmmss, in GMT+7."""
    return at.astimezone(HANOI).strftime(_STAMP)


def moment(text: str) -> datetime:
    """The same, read.

    Raises:
        ValueError: it is no such moment.
    """
    if not (text.isascii() and text.isdecimal() and len(text) == len("yyyyMMddHHmmss")):
        raise ValueError("not a moment")
    return datetime.strptime(text, _STAMP).replace(tzinfo=HANOI)


def dong(text: str, unit: int = 1) -> int:
    """A whole number of đồng, written in `unit`ths of one.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= _DONG_DIGITS + len(str(unit)) - 1):
        raise ValueError("not an amount")
    whole, rest = divmod(int(text), unit)
    if rest:
        raise ValueError("đồng has no smaller unit")
    return whole
