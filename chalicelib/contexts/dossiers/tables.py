"""Tables of procedures and offers, as CSV or JSON, row by row. Pure.

In CSV a procedure is one line of a spreadsheet: what it has several of stands in one cell, an item
a line, the parts of an item between `|`.
"""

import csv
from collections.abc import Iterator, Mapping
from datetime import date
from io import StringIO
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, TypeAdapter

from chalicelib.agency_code import CanonicalCode
from chalicelib.contexts.dossiers.domain.events import Line, ProcedureTerms
from chalicelib.contexts.dossiers.domain.procedure import Code
from chalicelib.http.resource import InvalidJSON, read_json
from chalicelib.kernel import Invalid, Value

Format = Literal["csv", "json"]
MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 20_000
SEPARATORS = ",;\t"
_CELL = 100_000
"""Characters of a cell, at most."""


class Enter(Value):
    """Publish a procedure, or amend it if it is published. A row without `action` asks this."""

    action: Literal["enter"]
    code: Code
    terms: ProcedureTerms


class Publish(Value):
    """Publish a procedure."""

    action: Literal["publish"]
    code: Code
    terms: ProcedureTerms


class Amend(Value):
    """Amend a procedure."""

    action: Literal["amend"]
    code: Code
    terms: ProcedureTerms


class Repeal(Value):
    """Repeal a procedure."""

    action: Literal["repeal"]
    code: Code
    decision: Line
    effective_on: date


class Offer(Value):
    """Have an agency offer a procedure."""

    action: Literal["offer"]
    code: Code
    agency: CanonicalCode
    effective_on: date
    portal: bool = True


class Cease(Value):
    """Have an agency offer it no longer."""

    action: Literal["cease"]
    code: Code
    agency: CanonicalCode
    effective_on: date


Wish = Annotated[Enter | Publish | Amend | Repeal | Offer | Cease, Field(discriminator="action")]
WISHES: TypeAdapter[Wish] = TypeAdapter(Wish)
"""Reads a row."""


class TableUnreadable(Invalid):
    """The table cannot be read, so none of its rows was entered."""

    code = "table-unreadable"
    rule = "UTF-8; RFC 4180 with a header, separated by comma, semicolon or tab; or JSON rows"


class TableTooLarge(Invalid):
    """The table is larger than one import takes."""

    code = "table-too-large"
    rule = f"At most {MAX_BYTES // 1024 // 1024} MiB and {MAX_ROWS:,} rows"


class Row(NamedTuple):
    """A row as it was given. `line` is where it begins in a CSV file, None in JSON.

    `misfit` says why it is no row of this table, if it is none.
    """

    number: int
    line: int | None
    said: dict[str, Any]
    misfit: str = ""


def rows(data: bytes, kind: Format) -> list[Row]:
    """The table's rows, numbered from 1.

    Raises:
        TableUnreadable: saying at which byte or line it cannot be read.
        TableTooLarge: over `MAX_BYTES` or `MAX_ROWS`.
    """
    if len(data) > MAX_BYTES:
        raise TableTooLarge
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise TableUnreadable(f"byte {error.start} is not UTF-8") from None
    # A gateway puts this character for what it cannot read; what stands before it is as it was.
    if "\ufffd" in text:
        at = len(text.partition("\ufffd")[0].encode())
        raise TableUnreadable(f"byte {at} is not UTF-8")
    text = text.removeprefix("\ufeff")
    found = list(_of_csv(text) if kind == "csv" else _of_json(text))
    if not found:
        raise TableUnreadable("there is no row")
    return found


def _of_json(text: str) -> Iterator[Row]:
    try:
        given = read_json(text.encode())
    except InvalidJSON as error:
        raise TableUnreadable(str(error)) from None
    given = given.get("rows") if isinstance(given, dict) else given
    if not isinstance(given, list):
        raise TableUnreadable("there is no list of rows")
    if len(given) > MAX_ROWS:
        raise TableTooLarge
    for number, said in enumerate(given, start=1):
        if isinstance(said, dict):
            yield Row(number, None, {"action": "enter"} | said)
        else:
            yield Row(number, None, {}, "A row is an object")


# --- CSV ------------------------------------------------------------------------------------------

_ONE = {
    **{name: (name,) for name in ("action", "code", "agency", "portal", "effective_on")},
    "decision": ("decision",),
    **{name: ("terms", name) for name in ("name", "field", "field_name", "level", "old_level")},
}
_LISTS = ("applicants", "results", "life_events", "legal_basis")
_ITEMS: dict[str, tuple[str, ...]] = {
    "components": ("code", "name", "kinds", "required", "form"),
    "fees": ("code", "name", "kind", "amount", "collected"),
    "steps": ("code", "name", "unit", "share", "agency"),
    "forms": ("name", "url"),
}
COLUMNS = (*_ONE, "limit", *_LISTS, *_ITEMS)
"""Every column there can be; `code` must be there."""
_TERMS = {"enter", "publish", "amend"}


def _of_csv(text: str) -> Iterator[Row]:
    csv.field_size_limit(_CELL)
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    number = begins = 0
    header: list[str] = []
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise TableUnreadable(f"line {begins}: {error}") from None
        if cells is None:
            return
        if not header:
            header = _header(cells)
        elif any(cell.strip() for cell in cells):
            number += 1
            if number > MAX_ROWS:
                raise TableTooLarge
            yield _row(number, begins, header, cells)


def _header(cells: list[str]) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    for index, name in enumerate(header, start=1):
        if name not in COLUMNS:
            raise TableUnreadable(f"column {index} has no name that is known", field="header")
        if name in header[: index - 1]:
            raise TableUnreadable(f"column {name} stands twice", field="header")
    if "code" not in header:
        raise TableUnreadable("there is no column code", field="header")
    return header


def _row(number: int, line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        return Row(number, line, {}, f"There are {len(cells)} cells under {len(header)} columns")
    given = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
    said: dict[str, Any] = {"action": "enter"}
    terms: dict[str, Any] = {}
    for name, cell in given.items():
        match _ONE.get(name):
            case ("terms", _):
                terms[name] = cell
            case (_,):
                said[name] = cell
            case _ if name == "limit":
                terms[name] = _parts(cell.replace(" ", "|", 1), ("amount", "unit"))
            case _ if name in _LISTS:
                terms[name] = [one.strip() for one in cell.replace("|", "\n").splitlines()]
            case _:
                terms[name] = [_item(name, one) for one in cell.splitlines() if one.strip()]
    if said["action"] in _TERMS:
        terms |= {name: said.pop(name) for name in ("decision", "effective_on") if name in said}
        said["terms"] = terms
    elif terms:
        # What does not belong to such a row is refused, not dropped.
        said["terms"] = terms
    return Row(number, line, said)


def _item(column: str, text: str) -> Mapping[str, Any]:
    said: dict[str, Any] = dict(_parts(text, _ITEMS[column]))
    if column == "components":
        if "kinds" in said:
            said["kinds"] = [kind.strip() for kind in said["kinds"].split(",")]
        if said.get("required") in {"required", "optional"}:
            said["required"] = said["required"] == "required"
    return said


def _parts(text: str, names: tuple[str, ...]) -> dict[str, Any]:
    """The parts of an item by name, the empty ones left out, those too many under a wrong name."""
    parts = [part.strip() for part in text.split("|")]
    return {
        (names[index] if index < len(names) else f"part {index + 1}"): part
        for index, part in enumerate(parts)
        if part
    }
