"""Who is asking: tokens of the OpenID Connect issuer, checked before a request reaches a view.

API Gateway keeps the verdict on a token for `VERDICT_S`, whatever the route it was first seen at.
So the authorizer lets a valid token in everywhere, and `resource` checks each route's roles.
"""

from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import jwt
import urllib3
from aws_lambda_powertools import Logger
from chalice.app import AuthRequest, AuthResponse, Blueprint
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from chalicelib import runtime
from chalicelib.agency_code import AgencyCodeInvalid, canonical
from chalicelib.kernel import Value

Role = Literal["citizen", "officer", "system", "auditor", "administrator"]
ROLES: frozenset[Role] = frozenset(get_args(Role))
_OF_AN_AGENCY = ("officer", "system")

ALGORITHMS = ("ES256", "EdDSA", "RS256")
"""Asymmetric only: with a shared secret, or none, readers of the key set could forge tokens."""
VERDICT_S = 300
"""How long API Gateway keeps a verdict: a token may outlive its `exp` by as much."""
LEEWAY_S = 60
TIMEOUT_S = 3.0
KEYS_S = 600
"""How long the issuer's keys are kept; a withdrawn key is trusted for as long."""
REFETCH_S = 30
"""An unknown key id makes us ask the issuer again, but not more often than this."""
_MAX_TOKEN_CHARS = 8_192

_log = Logger(service="lien-thong")


class Caller(Value):
    """Somebody the issuer vouches for.

    `subject` is opaque. `agency` (canonical code) is there for officers and systems, `unit` for an
    officer who acts for one of its units. `assurance` is the level of authentication, 0 to 3 (claim
    `acr`), `authenticated_at` when they last proved who they are (UTC), None if nobody says so.
    """

    subject: str = Field(pattern=r"^[\x21-\x7e]{1,128}$")
    role: Role
    agency: str | None = None
    unit: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?$")
    assurance: int = Field(default=0, ge=0, le=3)
    authenticated_at: AwareDatetime | None = None

    @property
    def actor(self) -> str:
        """The name commits know the caller by."""
        return f"{self.role}:{self.subject}"


class Unauthorized(Exception):  # noqa: N818 -- API Gateway answers 401 to exactly this text.
    """The token proves nothing. API Gateway turns an error that reads "Unauthorized" into a 401."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class IssuerUnavailable(Exception):  # noqa: N818 -- named as the fact it states.
    """The issuer could not be asked for its keys, or gave an answer that cannot be used."""


identity = Blueprint(__name__)


@identity.authorizer(name="authorize", ttl_seconds=VERDICT_S)
def authorize(request: AuthRequest) -> AuthResponse:
    """Let in whoever holds a valid token; their roles decide at each route.

    Raises:
        Unauthorized: the token is not valid, or the issuer cannot be asked.
    """
    settings = runtime.settings()
    caller = authenticate(request.token, settings.issuer, settings.audience)
    context = {"role": caller.role, "assurance": str(caller.assurance)}
    if caller.agency:
        context["agency"] = caller.agency
    if caller.unit:
        context["unit"] = caller.unit
    if caller.authenticated_at:
        # The moment, not its age: a verdict is kept for longer than a yes or no would be true.
        context["authenticated"] = str(int(caller.authenticated_at.timestamp()))
    return AuthResponse(routes=["*"], principal_id=caller.subject, context=context)


def authenticate(authorization: str, issuer: str, audience: str) -> Caller:
    """Who the header `Authorization: Bearer <JWT>` speaks for.

    The token must be signed by a key the issuer publishes, with one of `ALGORITHMS`, for our
    audience, be in force (give or take `LEEWAY_S`), and carry `sub`, `exp` and a known `role`,
    officers and systems `agency` too.

    Raises:
        Unauthorized: anything else. The log says which, the caller does not learn it.
    """
    try:
        return _caller(_claims(authorization, issuer, audience))
    except (jwt.PyJWTError, ValidationError, AgencyCodeInvalid) as error:
        _log.info("token refused", extra={"reason": type(error).__name__})
    except IssuerUnavailable as error:
        _log.exception("issuer unavailable", extra={"reason": str(error)})
    raise Unauthorized


def caller_of(context: dict[str, str]) -> Caller:
    """The caller as the authorizer described them (the gateway makes all values strings)."""
    return Caller(
        subject=context["principalId"],
        role=TypeAdapter(Role).validate_python(context["role"]),
        agency=context.get("agency"),
        unit=context.get("unit", ""),
        assurance=int(context["assurance"]),
        authenticated_at=_moment(context.get("authenticated")),
    )


def _claims(authorization: str, issuer: str, audience: str) -> dict[str, Any]:
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or len(token) > _MAX_TOKEN_CHARS:
        raise jwt.InvalidTokenError
    header = jwt.get_unverified_header(token)
    # Looked at before the issuer is asked: nonsense costs no request.
    if header.get("alg") not in ALGORITHMS or not isinstance(header.get("kid"), str):
        raise jwt.InvalidAlgorithmError
    try:
        key = _keys(issuer).get_signing_key(header["kid"])
    except (jwt.PyJWKClientConnectionError, OSError, ValueError) as error:
        raise IssuerUnavailable("the key set cannot be fetched") from error
    return jwt.decode(
        token,
        key,
        algorithms=list(ALGORITHMS),
        issuer=issuer,
        audience=audience,
        leeway=LEEWAY_S,
        options={"require": ["exp", "iss", "aud", "sub"]},
    )


def _caller(claims: dict[str, Any]) -> Caller:
    agency = claims.get("agency")
    if claims.get("role") in _OF_AN_AGENCY or agency is not None:
        agency = canonical(agency if isinstance(agency, str) else "")
    return Caller.model_validate(
        {
            "subject": claims["sub"],
            "role": claims.get("role"),
            "agency": agency,
            "unit": claims.get("unit", ""),
            "assurance": _assurance(claims.get("acr")),
            "authenticated_at": _authenticated_at(claims),
        }
    )


def _authenticated_at(claims: dict[str, Any]) -> datetime | None:
    """When a person last logged in; a system does so for each token (OAuth client credentials)."""
    said = claims.get("iat" if claims.get("role") == "system" else "auth_time")
    at = _moment(said) if type(said) in {int, float} else None
    # A login that is yet to come would stay recent for as long as its token lives.
    return at if at and at.timestamp() <= runtime.now().timestamp() + LEEWAY_S else None


def _moment(seconds: Any) -> datetime | None:
    """Seconds since 1970 as a moment (UTC), None if they are none."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (OverflowError, TypeError, ValueError, OSError):
        return None


def _assurance(acr: Any) -> int:
    """A level this service knows, or none: other issuers put URNs in `acr`."""
    return int(acr) if str(acr) in {"1", "2", "3"} else 0


@lru_cache(maxsize=4)
def _keys(issuer: str) -> jwt.PyJWKClient:
    """The issuer's key set, kept for `KEYS_S`; a failure to find it is not remembered."""
    _check_url(issuer)
    try:
        answer = urllib3.request(
            "GET",
            f"{issuer.rstrip('/')}/.well-known/openid-configuration",
            timeout=urllib3.Timeout(total=TIMEOUT_S),
            retries=False,
            redirect=False,
        )
        found = answer.json() if answer.status == 200 else {}  # noqa: PLR2004 -- OK.
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise IssuerUnavailable("the discovery document cannot be fetched") from error
    # Rule: OpenID Connect Discovery 1.0, section 4.3: the issuer must name itself.
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise IssuerUnavailable("the discovery document is not the issuer's")
    _check_url(str(found.get("jwks_uri")))
    return jwt.PyJWKClient(
        found["jwks_uri"], lifespan=KEYS_S, timeout=TIMEOUT_S, cooldown_duration=REFETCH_S
    )


def _check_url(url: str) -> None:
    """Keys come by HTTPS; by plain HTTP only from this machine, where a development issuer runs."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return
    try:
        loopback = parts.scheme == "http" and ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = parts.hostname == "localhost"
    if not loopback:
        raise IssuerUnavailable("the issuer must be reached by https")
