"""What a deployment decides about dossiers: JSON in its parameter `Dossiers`."""

from functools import lru_cache
from typing import Any, Literal

from pydantic import Field

from chalicelib import runtime
from chalicelib.agency_code import CanonicalCode
from chalicelib.contexts.dossiers.domain.commands import Limits
from chalicelib.kernel import Value

CodeForm = Literal["short", "long"]
"""How an agency's dossiers are coded: `000.17.22.H56-210531-0001` or `G09.20-20260609-0092637`."""


class Configuration(Value):
    """All of it, with its defaults.

    `codes` is the form of every agency's dossier codes, `codes_of` that of some. `notation` is what
    documents that consult other agencies bear after their number. `tracking_url` is what stands
    before a dossier's code in links for its applicant. `portal` is the agency as which the national
    portal takes part: it is told of every state; without one, nobody is. `email_from` is the sender
    that SES knows, `sms_gateway` where short messages are posted; without one, nobody is told that
    way.
    """

    limits: Limits = Limits()
    codes: CodeForm = "long"
    codes_of: dict[CanonicalCode, CodeForm] = Field(default_factory=dict)
    notation: str = Field(default="TVLK", pattern=r"^[^\s,/][^\s,]{0,30}$")
    tracking_url: str = ""
    portal: CanonicalCode | Literal[""] = ""
    email_from: str = ""
    sms_gateway: str = ""


def configuration() -> Configuration:
    """What the deployment has decided."""
    return _read(runtime.configured("DOSSIERS"))


def limits() -> Limits:
    """What the rules leave to configuration."""
    return configuration().limits


def terms() -> dict[str, Any]:
    """The same with the calendar: what every command is built with."""
    return {"calendar": runtime.calendar(), "limits": limits()}


@lru_cache(maxsize=4)
def _read(text: str) -> Configuration:
    return Configuration.model_validate_json(text)
