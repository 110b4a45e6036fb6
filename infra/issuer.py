"""An identity provider for development: it signs whatever token it is asked for.

It publishes its key as every OIDC issuer does, so that the same authorizer code runs here and in
production, where the issuer is the national one. Never use it beyond one machine.
"""

import argparse
import base64
import binascii
import hmac
import json
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qs, unquote_plus

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from infra.package import ROOT
from infra.serving import Handler, Serving

Role = Literal["citizen", "officer", "system", "auditor", "administrator"]
FOLDER = ROOT / ".local" / "issuer"
AUDIENCE = "lien-thong"
ALGORITHM = "ES256"
TOKEN_S = 3600
_MAX_FORM_BYTES = 4_096


class LocalIssuer(Serving):
    """Serves its key on 127.0.0.1 for the length of a `with` block, and signs tokens.

    Args:
        folder: where the private key and the address of the running issuer are kept.
        port: where it listens; any free port if 0.
    """

    def __init__(self, folder: Path = FOLDER, port: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        issuer = self

        class Desk(Handler):
            def do_GET(self) -> None:  # noqa: N802 -- `http.server` names it.
                answer = issuer.published().get(self.path)
                self._say(200 if answer else 404, answer or {"error": "not found"})

            def do_POST(self) -> None:  # noqa: N802 -- `http.server` names it.
                length = self.headers.get("Content-Length", "")
                short = length.isdecimal() and int(length) <= _MAX_FORM_BYTES
                form = self.rfile.read(int(length)).decode(errors="replace") if short else ""
                if self.path == "/token":
                    self._say(*issuer.granted(self.headers.get("Authorization", ""), form))
                else:
                    self._say(404, {"error": "not found"})

            def _say(self, status: int, answer: dict[str, Any]) -> None:
                more = {"Cache-Control": "no-store"}
                if status == 401:  # noqa: PLR2004 -- RFC 6749, section 5.2: it names a scheme.
                    more["WWW-Authenticate"] = "Basic"
                self.give(status, json.dumps(answer).encode(), "application/json", more)

        super().__init__(Desk, port)

    def __enter__(self) -> Self:
        (self._folder / "url").write_text(self.url)
        return super().__enter__()

    def published(self) -> dict[str, dict[str, Any]]:
        """What anyone may read, by path."""
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks.json",
                "token_endpoint": f"{self.url}/token",
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "grant_types_supported": ["client_credentials"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
            },
            "/jwks.json": {"keys": [key | {"kid": "local", "alg": ALGORITHM, "use": "sig"}]},
        }

    def token(
        self,
        subject: str,
        role: Role,
        agency: str | None = None,
        *,
        unit: str = "",
        ttl_seconds: int = TOKEN_S,
        acr: str = "2",
        login_age_seconds: int = 0,
    ) -> str:
        """A signed token for `subject` in `role`, acting for `agency` (its code) if named.

        `unit` is the agency's unit that an officer acts for, `acr` how surely the subject is known,
        0 to 3, `login_age_seconds` how long ago a person logged in.
        """
        return sign(
            self._key,
            self.url,
            subject,
            role,
            agency,
            ttl_seconds=ttl_seconds,
            acr=acr,
            unit=unit,
            login_age_seconds=login_age_seconds,
        )

    def credentials(self, system: str, agency: str) -> tuple[str, str]:
        """The client id and secret with which a system of `agency` fetches tokens for itself."""
        return credentials(self._key, system, agency)

    def granted(self, authorization: str, form: str) -> tuple[int, dict[str, Any]]:
        """The answer to a system that asks for a token: status and body.

        Rule: RFC 6749, sections 2.3.1 (HTTP Basic), 4.4 (client credentials) and 5.
        """
        client, secret = _basic(authorization)
        # The agency's code holds no hyphen, a system's name may.
        system, _, agency = client.rpartition("-")
        due = self.credentials(system, agency)[1]
        if not system or not hmac.compare_digest(secret.encode(), due.encode()):
            return 401, {"error": "invalid_client"}
        if parse_qs(form).get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        token = self.token(client, "system", agency, acr="")
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_S}

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return signing_key(self._folder)


def signing_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    """The private key kept in `folder`, made there when it is first asked for."""
    path = folder / "key.pem"
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.touch(mode=0o600)
        path.write_bytes(made)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def credentials(key: ec.EllipticCurvePrivateKey, system: str, agency: str) -> tuple[str, str]:
    """Made from the issuer's own key, so that none is stored."""
    client = f"{system}-{agency}"
    number = key.private_numbers().private_value.to_bytes(32, "big")
    return client, hmac.new(number, b"client\0" + client.encode(), "sha256").hexdigest()


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        plain = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    client, _, secret = plain.partition(":")
    return (unquote_plus(client), unquote_plus(secret)) if scheme == "Basic" else ("", "")


def sign(  # noqa: PLR0913 -- each is something that a token says.
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    subject: str,
    role: Role,
    agency: str | None,
    *,
    ttl_seconds: int,
    acr: str,
    unit: str = "",
    login_age_seconds: int = 0,
) -> str:
    """The token: standard claims, and ours (`role`, `agency`, `unit`).

    A system does not log in: its token does not say when somebody did.
    """
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": subject,
        "iat": now,
        "exp": now + ttl_seconds,
        "role": role,
    }
    if acr:
        claims["acr"] = acr
    if role != "system":
        claims["auth_time"] = now - login_age_seconds
    if agency is not None:
        claims["agency"] = agency
    if unit:
        claims["unit"] = unit
    return jwt.encode(claims, key, ALGORITHM, headers={"kid": "local"})


def main() -> None:
    """Print a token that the running local stack accepts."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("subject")
    parser.add_argument("role", choices=Role.__args__)  # type: ignore[attr-defined]  # typing hides it.
    parser.add_argument("agency", nargs="?", help="the agency's code")
    parser.add_argument("--unit", default="", help="the unit of it that an officer acts for")
    parser.add_argument("--ttl-seconds", type=int, default=TOKEN_S)
    parser.add_argument(
        "--credentials",
        action="store_true",
        help="print the address, client id and secret with which a system fetches tokens instead",
    )
    options = parser.parse_args()
    try:
        issuer = (FOLDER / "url").read_text()
    except FileNotFoundError:
        sys.exit("no local issuer has run here yet: start `make run` first")
    key = signing_key(FOLDER)
    if options.credentials:
        if options.role != "system" or not options.agency:
            sys.exit("only a system of an agency has credentials; persons log in")
        print(f"{issuer}/token", *credentials(key, options.subject, options.agency), sep="\n")
        return
    print(
        sign(
            key,
            issuer,
            options.subject,
            options.role,
            options.agency,
            ttl_seconds=options.ttl_seconds,
            acr="2",
            unit=options.unit,
        )
    )


if __name__ == "__main__":
    main()
