"""The name by which every agency knows one document (mã định danh văn bản)."""

from datetime import date
from typing import Self

from chalicelib.contexts.documents.edxml.dates import read_date
from chalicelib.kernel import Value


class DocumentIdentity(Value):
    """Who issued the document, when, and under which number and notation.

    Written `OrganId,yyyy/MM/dd,Number/Notation`, for instance
    `000.00.00.G22,2015/09/30,7816/VPCP-TTĐT`. The number may hold letters, the notation more
    slashes. `promulgated_on` is None where `raw_date`, kept as written, is no day of the calendar
    (real ids hold 30 February).

    Rule: QCVN 102:2016/BTTTT, DocumentId.
    """

    issuer: str
    promulgated_on: date | None
    raw_date: str
    number: str
    notation: str = ""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The identity in `text`, or None if it is not of the three parts."""
        parts = [part.strip() for part in text.split(",", 2)]
        if len(parts) != 3 or not all(parts):  # noqa: PLR2004 -- issuer, date, code.
            return None
        issuer, raw_date, code = parts
        number, _, notation = (part.strip() for part in code.partition("/"))
        if not number:
            return None
        return cls(
            issuer=issuer,
            promulgated_on=read_date(raw_date),
            raw_date=raw_date,
            number=number,
            notation=notation,
        )

    def format(self) -> str:
        """The identity as the standard writes it."""
        code = f"{self.number}/{self.notation}" if self.notation else self.number
        return f"{self.issuer},{self.raw_date},{code}"
