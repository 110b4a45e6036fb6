"""What a deployment decides about payments: JSON in its parameter `Payments`."""

from functools import lru_cache

from pydantic import Field

from chalicelib import runtime
from chalicelib.agency_code import CanonicalCode
from chalicelib.contexts.payments.domain.commands import Limits
from chalicelib.contexts.payments.domain.events import TaxOutcome
from chalicelib.kernel import Value


class TaxRegister(Value):
    """How the tax register is asked, and in which words it answers.

    `url` takes the question; the money is booked as owed to `agency`. Who asks waits `patience_s`
    for an answer; after that the register is asked again without them. `asks` are the question's
    fixed fields, `code_field` and `identity_field` what it says the dossier's code and the person's
    number in; `rows_field` and `total_field` are where the answer has its rows and their sum.
    Rule: TRAN_CODE 05011, TYPE 00110, TRANGTHAI 01; [R] all the rest.
    """

    url: str
    agency: CanonicalCode
    patience_s: float = Field(default=8, gt=0, le=20)
    asks: dict[str, str] = Field(default_factory=lambda: {"TRAN_CODE": "05010", "TYPE": "00109"})
    code_field: str = "MA_HS"
    identity_field: str = "SO_CMT"
    tran_code: str = "05011"
    type: str = "00110"
    rows_field: str = "DS_SO_THUE"
    total_field: str = "TONG_SO_CON_PHAI_NOP"
    statuses: dict[str, TaxOutcome] = Field(
        default_factory=lambda: dict[str, TaxOutcome](
            {"01": "owed", "02": "nothing_owed", "03": "not_found"}
        )
    )


class Configuration(Value):
    """All of it, with its defaults.

    `receipt_check_url` is what stands before the path of a receipt's check in the QR code on paper.
    `settlement_columns` says, by provider, what its settlement file calls the columns that it names
    otherwise than we do: `{"vnpay": {"amount": "so_tien"}}`. Without a `tax_register` nobody asks
    what is owed to the tax authority.
    """

    limits: Limits = Limits()
    receipt_check_url: str = ""
    settlement_columns: dict[str, dict[str, str]] = Field(default_factory=dict)
    tax_register: TaxRegister | None = None


def configuration() -> Configuration:
    """What the deployment has decided."""
    return _read(runtime.configured("PAYMENTS"))


def limits() -> Limits:
    """What the rules leave to configuration."""
    return configuration().limits


@lru_cache(maxsize=4)
def _read(text: str) -> Configuration:
    return Configuration.model_validate_json(text)
