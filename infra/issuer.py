"""An identity provider for development: it signs whatever token it is asked for.

It publishes its key as every OIDC issuer does, so that the same authorizer code runs here and in
production, where the issuer is the national one. Never use it beyond one machine.
"""

import argparse
import json
import sys
import threading
import time
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from infra.package import ROOT

Role = Literal["citizen", "officer", "system", "auditor", "administrator"]
FOLDER = ROOT / ".local" / "issuer"
AUDIENCE = "lien-thong"
ALGORITHM = "ES256"


class LocalIssuer:
    """Serves its key on 127.0.0.1 for the length of a `with` block, and signs tokens.

    Args:
        folder: where the private key and the address of the running issuer are kept.
        port: where it listens; any free port if 0.
    """

    def __init__(self, folder: Path = FOLDER, port: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = issuer.published().get(self.path)
                body = json.dumps(answer or {"error": "not found"}).encode()
                self.send_response(200 if answer else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: the terminal belongs to the story told there."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        (self._folder / "url").write_text(self.url)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def published(self) -> dict[str, dict[str, Any]]:
        """What anyone may read, by path."""
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks.json",
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
        ttl_seconds: int = 3600,
        acr: str = "2",
    ) -> str:
        """A signed token for `subject` in `role`, acting for `agency` (its code) if named.

        `unit` is the agency's unit that an officer acts for, `acr` how surely the subject is known,
        0 to 3.
        """
        more = {"unit": unit, "acr": acr}
        return sign(self._key, self.url, subject, role, agency, ttl_seconds=ttl_seconds, **more)

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


def sign(
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    subject: str,
    role: Role,
    agency: str | None,
    *,
    ttl_seconds: int,
    acr: str,
    unit: str = "",
) -> str:
    """The token: standard claims, and ours (`role`, `agency`, `unit`)."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": subject,
        "iat": now,
        "exp": now + ttl_seconds,
        "acr": acr,
        "role": role,
    }
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
    parser.add_argument("--ttl-seconds", type=int, default=3600)
    options = parser.parse_args()
    try:
        issuer = (FOLDER / "url").read_text()
    except FileNotFoundError:
        sys.exit("no local issuer has run here yet: start `make run` first")
    key = signing_key(FOLDER)
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
