"""One agency as a payee: the accounts its money goes to."""

from typing import Annotated

from pydantic import StringConstraints

from chalicelib.contexts.payments.domain.events import (
    AccountUse,
    Line,
    Payee,
    PayeeAccountSet,
    PayeeEvent,
)
from chalicelib.kernel import Command, Decider, Value

TREASURY = frozenset({"fine", "tax"})
"""What is paid to the treasury and not to the agency (KhoBac, TaiKhoanThuNSNN)."""


class SetPayeeAccount(Command):
    """Have the money of an agency go to this account, as far as `use` says."""

    agency: str
    use: AccountUse = "agency"
    account: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.-]{4,40}$")]
    bank: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{2,20}$")]
    holder: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class PayeeAccounts(Value):
    """An agency's accounts, as far as they are known."""

    agency: Payee | None = None
    treasury: Payee | None = None

    def of(self, lines: tuple[Line, ...]) -> Payee | None:
        """Where the money for `lines` goes; None if nobody has said.

        One transaction has one account: what is the treasury's in part goes there as a whole, and
        is divided behind it.
        """
        due = any(line.kind in TREASURY for line in lines)
        return self.treasury if due else self.agency


def decide(command: SetPayeeAccount, state: PayeeAccounts) -> list[PayeeEvent]:
    """The events `command` causes; none if it has already had its effect."""
    said = command.model_dump(include={"agency", "account", "bank", "holder"})
    payee = Payee(**said)
    if payee == getattr(state, command.use):
        return []
    return [
        PayeeAccountSet(agency=command.agency, use=command.use, payee=payee, at=command.at),
    ]


def evolve(state: PayeeAccounts, event: PayeeEvent) -> PayeeAccounts:
    """The accounts after `event`."""
    return state.model_copy(update={event.use: event.payee})


payee = Decider("payee", PayeeEvent, PayeeAccounts(), decide, evolve)
