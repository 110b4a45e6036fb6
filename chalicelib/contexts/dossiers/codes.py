"""Codes that are given out: of dossiers, results, consulting documents; ids; the check word.

Numbers come from counters in blocks: they may skip, and none is given twice.
"""

from base64 import b32encode
from datetime import date, datetime
from hashlib import sha256
from typing import NamedTuple

from chalicelib import runtime
from chalicelib.agency_code import parse
from chalicelib.contexts.dossiers.configured import configuration
from chalicelib.kernel import Origin
from chalicelib.text import from_b64url
from chalicelib.working_time import HANOI

_WORD_CHARS = 8


def dossier_code(agency: str, at: datetime) -> str:
    """A new dossier's code, in the form of its agency.

    The short form counts the day's dossiers, the long one the year's. The width of the number is a
    least one: `9999` is followed by `10000`.
    """
    day = at.astimezone(HANOI)
    chosen = configuration()
    if chosen.codes_of.get(agency, chosen.codes) == "short":
        number = runtime.numbers().take(f"dossier/{agency}/{day:%Y%m%d}")
        return f"{parse(agency).to_old() or agency}-{day:%y%m%d}-{number:04}"
    number = runtime.numbers().take(f"dossier/{agency}/{day:%Y}")
    return f"{agency}-{day:%Y%m%d}-{number:07}"


def result_code(agency: str) -> str:
    """A new result's code."""
    return f"KQ.{agency}.{runtime.numbers().take(f'result/{agency}'):06}"


class DocumentName(NamedTuple):
    """What names a document: who issued it, when, its number and notation."""

    issuer: str
    promulgated_on: date
    number: str
    notation: str

    @property
    def reference(self) -> str:
        """Its DocumentId.

        Rule: QCVN 102:2016/BTTTT, DocumentId: OrganId,yyyy/MM/dd,Number/Notation.
        """
        return f"{self.issuer},{self.promulgated_on:%Y/%m/%d},{self.number}/{self.notation}"


def consulting_document(agency: str, at: datetime) -> DocumentName:
    """The name of a new document by which the agency consults others."""
    on = at.astimezone(HANOI).date()
    number = runtime.numbers().take(f"consultation/{agency}/{on:%Y}")
    return DocumentName(agency, on, str(number), configuration().notation)


def new_id(kind: str, origin: Origin) -> str:
    """The id of what a command creates: 26 letters and digits, the same when it is repeated."""
    return _letters(kind, origin.command_id)


def synced_id(code: str) -> str:
    """The id of a dossier that another system keeps, from its code."""
    return _letters("code", code)


def check_word(dossier: str) -> str:
    """The word that, with its code, opens a dossier's public look-up; handed out at filing."""
    made = from_b64url(runtime.fingerprint(f"check-word\0{dossier}".encode()))
    return b32encode(made).decode().lower()[:_WORD_CHARS]


def check_digest(dossier: str, word: str) -> str:
    """What the dossier keeps of the word."""
    return runtime.fingerprint(f"check-digest\0{dossier}\0{word.strip().lower()}".encode())


def _letters(kind: str, text: str) -> str:
    digest = sha256(f"{kind}\0{text}".encode()).digest()[:16]
    return b32encode(digest).decode().rstrip("=").lower()
