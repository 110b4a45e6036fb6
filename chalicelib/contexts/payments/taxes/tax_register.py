"""Asking the tax register what is owed: the question, and what its answer comes to.

Rule: TRAN_CODE 05011, TYPE 00110 (trả lời truy vấn sổ thuế nhà đất).
"""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from chalicelib import runtime
from chalicelib.contexts.payments.configured import TaxRegister, limits
from chalicelib.contexts.payments.domain.events import (
    Dong,
    TaxDebt,
    TaxOutcome,
    TaxParticular,
    TaxParticulars,
)
from chalicelib.contexts.payments.domain.tax_enquiry import (
    NoteTaxAnswer,
    NoteTaxAnswerBad,
    NoteTaxRegisterSilent,
    Why,
)
from chalicelib.delivery.send import Sender
from chalicelib.http.resource import InvalidJSON, read_json
from chalicelib.kernel import Origin, Value

MAX_ROWS = 100
_OK = 200
_DAYS = ("%d/%m/%Y", "%Y-%m-%d", "%Y%m%d")
"""How registers write a day."""

Heard = NoteTaxAnswer | NoteTaxAnswerBad | NoteTaxRegisterSilent


class _Row(Value):
    """A row as it is written; what it holds besides is passed over."""

    model_config = ConfigDict(extra="ignore")

    MA_SO_THUE: Annotated[str, Field(max_length=40)]
    SO_QUYET_DINH: Annotated[str, Field(min_length=1, max_length=60)]
    NGAY_QUYET_DINH: str = ""
    MA_CHUONG: Annotated[str, Field(pattern=r"^[0-9]{3}$")]
    MA_TMUC: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    LOAI_TK_NSNN: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    MA_CQUAN_THU: Annotated[str, Field(max_length=20)]
    SHKB: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    SO_CON_PHAI_NOP: Dong
    HAN_NOP: str = ""
    SO_TO_BAN_DO: Annotated[str, Field(max_length=40)] = ""
    SO_THUA_DAT: Annotated[str, Field(max_length=40)] = ""


_ROWS: TypeAdapter[tuple[_Row, ...]] = TypeAdapter(
    Annotated[tuple[_Row, ...], Field(max_length=MAX_ROWS)]
)
_TOTAL = TypeAdapter(Dong)


class _Bad(Exception):  # noqa: N818 -- becomes the fact that the answer was bad.
    """The answer cannot be used."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


def ask(
    register: TaxRegister, enquiry: str, code: str, number: str, origin: Origin, sender: Sender
) -> Heard:
    """What the register says is owed for the dossier `code` by the person with this number."""
    said = register.asks | {register.code_field: code, register.identity_field: number}
    body = json.dumps(said, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    reply = sender.ask(register.url, headers, body)
    if reply.status != _OK:
        why = reply.reason or f"http-{reply.status}"
        return NoteTaxRegisterSilent(origin=origin, enquiry=enquiry, why=why, limits=limits())
    return read(register, enquiry, reply.body, origin)


def read(
    register: TaxRegister, enquiry: str, body: bytes, origin: Origin
) -> NoteTaxAnswer | NoteTaxAnswerBad:
    """What the answer comes to, or what is wrong with it."""
    known_by = runtime.fingerprint(b"tax-answer\0" + body)
    try:
        said = _message(register, body)
        outcome = _outcome(register, said)
        debts, particulars = _debts(said.get(register.rows_field) or [])
        total = _total(said.get(register.total_field, 0))
    except _Bad as bad:
        return NoteTaxAnswerBad(origin=origin, enquiry=enquiry, why=bad.why, known_by=known_by)
    return NoteTaxAnswer(
        origin=origin,
        enquiry=enquiry,
        agency=register.agency,
        outcome=outcome,
        rows=debts,
        total=total,
        particulars=TaxParticulars(rows=particulars),
        known_by=known_by,
    )


def _message(register: TaxRegister, body: bytes) -> Mapping[str, Any]:
    try:
        said = read_json(body)
    except InvalidJSON:
        raise _Bad("unreadable") from None
    if not isinstance(said, dict):
        raise _Bad("unreadable")
    if (said.get("TRAN_CODE"), said.get("TYPE")) != (register.tran_code, register.type):
        raise _Bad("other_message")
    return said


def _outcome(register: TaxRegister, said: Mapping[str, Any]) -> TaxOutcome:
    outcome = register.statuses.get(str(said.get("TRANGTHAI")))
    if outcome is None:
        raise _Bad("unknown_status")
    return outcome


def _debts(given: Any) -> tuple[tuple[TaxDebt, ...], tuple[TaxParticular, ...]]:
    try:
        rows = _ROWS.validate_python(given)
        debts = tuple(_debt(row) for row in rows)
    except (ValidationError, ValueError):
        raise _Bad("wrong_row") from None
    about = (
        TaxParticular(tax_account=row.MA_SO_THUE, sheet=row.SO_TO_BAN_DO, parcel=row.SO_THUA_DAT)
        for row in rows
    )
    return debts, tuple(about)


def _debt(row: _Row) -> TaxDebt:
    # What is owed names it too: when it has changed, it is another debt to pay.
    named = (row.MA_SO_THUE, row.SO_QUYET_DINH, row.MA_TMUC, row.SHKB, str(row.SO_CON_PHAI_NOP))
    return TaxDebt(
        debt=runtime.fingerprint("\0".join(("tax-debt", *named)).encode()),
        decision=row.SO_QUYET_DINH,
        decided_on=_day(row.NGAY_QUYET_DINH),
        chapter=row.MA_CHUONG,
        subsection=row.MA_TMUC,
        account=row.LOAI_TK_NSNN,
        collector=row.MA_CQUAN_THU,
        treasury=row.SHKB,
        amount=row.SO_CON_PHAI_NOP,
        due_on=_day(row.HAN_NOP),
    )


def _total(given: Any) -> int:
    try:
        return _TOTAL.validate_python(given)
    except ValidationError:
        raise _Bad("wrong_sum") from None


def _day(text: str) -> date | None:
    if not text:
        return None
    for form in _DAYS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 -- a day has no zone.
        except ValueError:
            continue
    raise ValueError(text)
