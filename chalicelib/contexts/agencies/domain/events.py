"""What happened to an agency."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from chalicelib.kernel import Event
from chalicelib.privacy.personal import Personal


class AgencyRegistered(Event):
    """An agency takes part, under a code and a name with their source.

    `code` is canonical, `given` the code as it was written. A validity of None is not known to be
    bounded. `parent` is the agency it belongs to.
    Rule: QĐ 20/2020/QĐ-TTg, amended by QĐ 09/2025/QĐ-TTg.
    """

    type: Literal["agency.registered"] = "agency.registered"
    code: str
    given: str
    name: str
    name_english: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    parent: str | None = None
    source: str
    note: str = ""


class AgencySystemRegistered(Event):
    """An agency's system can be reached from now on, in place of what was known of it before.

    `public_keys` are raw Ed25519 keys in base64. The shared `secret` is sealed under a key of its
    own; `secret_print` (an HMAC under the deployment's secret) tells whether another is the same.
    Rule: QCVN 102:2016/BTTTT for profile `edxml`; Standard Webhooks 1.0.0 for keys and secret.
    """

    type: Literal["agency.system_registered"] = "agency.system_registered"
    code: str
    system: str
    kind: str
    endpoint: str
    profile: Literal["cloudevents", "edxml"]
    public_keys: tuple[str, ...] = ()
    signature: Literal["v1a", "v1"] = "v1a"
    secret: Personal[str] | None = None
    secret_print: str = ""


AgencyEvent = Annotated[AgencyRegistered | AgencySystemRegistered, Field(discriminator="type")]
