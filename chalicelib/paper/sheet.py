"""A sheet of paper before it is printed: what stands on it, in order."""

import unicodedata
from datetime import datetime

from chalicelib.kernel import Value
from chalicelib.working_time import HANOI

BLANK = "—"
"""What stands where something is not known, not to be seen, or was erased."""


class Facts(Value):
    """What is filled in: a label and what it says, line by line."""

    rows: tuple[tuple[str, str], ...]


class Grid(Value):
    """A table; `widths` are the columns' shares of the page's width."""

    title: str
    head: tuple[str, ...]
    widths: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]


class Prose(Value):
    """A paragraph."""

    text: str


class Sheet(Value):
    """A filled-in form.

    `after` says whose form it follows. `issued_at` is when what it says happened. `tracking` is
    what its QR code says. Below it sign `signers`, left and right; nobody signs where both are
    empty. `stamp` stands across it: that it is only a draft, or no longer good.
    """

    title: str
    after: str
    agency: str
    code: str
    issued_at: datetime
    tracking: str
    parts: tuple[Facts | Grid | Prose, ...]
    signers: tuple[str, str]
    stamp: str = ""

    @property
    def day(self) -> str:
        """The day it was issued, as letters say it."""
        at = self.issued_at.astimezone(HANOI)
        return f"Ngày {at:%d} tháng {at:%m} năm {at:%Y}"


STATE = "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"
MOTTO = "Độc lập - Tự do - Hạnh phúc"
SIGN = "(Ký, ghi rõ họ tên)"
"""What stands on every letter of the state (Decree 30/2020/NĐ-CP) and under every signer."""


def clean(text: str | None) -> str:
    """Text as it can be printed: composed letters, nothing that acts on what is around it."""
    composed = unicodedata.normalize("NFC", text or "").replace("\r\n", "\n")
    spaced = (" " if c.isspace() and c != "\n" else c for c in composed)
    return "".join(c for c in spaced if c.isprintable() or c == "\n").strip() or BLANK


def moment(at: datetime | None) -> str:
    """A moment of Hanoi's clock."""
    return f"{at.astimezone(HANOI):%H:%M ngày %d/%m/%Y}" if at else BLANK
