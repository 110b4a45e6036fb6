import base64
import hmac
import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from threading import Thread
from time import time

import jwt
import pytest
from chalice.app import Chalice
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from chalicelib import runtime
from chalicelib.http import identity
from chalicelib.http.identity import Caller, Unauthorized, authenticate, caller_of

AUDIENCE = "lien-thong-test"
EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED = Ed25519PrivateKey.generate()
LATER = ec.generate_private_key(ec.SECP256R1())
SHARED = "c" * 43


def jwk(algorithm, key, kid):
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}


class Issuer:
    """An OpenID Connect issuer on loopback that counts what it is asked."""

    def __init__(self):
        self.keys = [
            jwk(ECAlgorithm, EC, "ec"),
            jwk(RSAAlgorithm, RSA, "rsa"),
            jwk(OKPAlgorithm, ED, "ed"),
            {"kty": "oct", "k": SHARED, "kid": "shared", "alg": "HS256", "use": "sig"},
        ]
        self.asked = []
        self.failing = ""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                body = json.dumps(issuer.answer(self.path)).encode()
                self.send_response(500 if self.path == issuer.failing else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.jwks_uri = f"{self.url}/jwks"
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,))

    def answer(self, path):
        if path == "/jwks":
            return {"keys": self.keys}
        return {"issuer": self.name, "jwks_uri": self.jwks_uri}

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def issuer():
    identity._keys.cache_clear()
    with Issuer() as running:
        yield running
    identity._keys.cache_clear()


def token(issuer, key=EC, algorithm="ES256", kid="ec", drop=(), **claims):
    now = int(time())
    payload = {
        "iss": issuer.url,
        "aud": AUDIENCE,
        "sub": "7d0f",
        "iat": now,
        "exp": now + 300,
        "role": "officer",
        "agency": "000.00.00.G22",
        "acr": 2,
    } | claims
    payload = {name: value for name, value in payload.items() if name not in drop}
    return "Bearer " + jwt.encode(payload, key, algorithm, {"kid": kid} if kid else {})


def ask(issuer, authorization):
    return authenticate(authorization, issuer.url, AUDIENCE)


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [(EC, "ES256", "ec"), (RSA, "RS256", "rsa"), (ED, "EdDSA", "ed")],
)
def test_a_good_token(issuer, key, algorithm, kid):
    expected = Caller(subject="7d0f", role="officer", agency="G22", assurance=2)
    assert ask(issuer, token(issuer, key, algorithm, kid)) == expected
    assert expected.actor == "officer:7d0f"


@pytest.mark.parametrize(
    ("claims", "assurance"),
    [({"acr": "3"}, 3), ({"acr": "urn:high"}, 0), ({"acr": 4}, 0), ({"acr": -1}, 0)],
)
def test_assurance(issuer, claims, assurance):
    assert ask(issuer, token(issuer, **claims)).assurance == assurance


def test_an_officers_unit_travels_with_the_verdict(issuer):
    assert ask(issuer, token(issuer, unit="mot-cua")).unit == "mot-cua"
    said = {"principalId": "7d0f", "role": "officer", "assurance": "2", "agency": "G22"}
    assert caller_of(said | {"unit": "mot-cua"}).unit == "mot-cua"
    assert caller_of(said).unit == ""


@pytest.mark.parametrize("role", ["citizen", "auditor", "administrator"])
def test_who_belongs_to_no_agency(issuer, role):
    assert ask(issuer, token(issuer, role=role, drop=("agency", "acr"))).agency is None


NOW = int(time())
ARN = "arn:aws:execute-api:ap-southeast-1:123456789012:api/stage/GET/agencies/G22"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"exp": NOW - 3600}, id="expired"),
        pytest.param({"nbf": NOW + 3600}, id="not yet in force"),
        pytest.param({"iat": NOW + 3600}, id="made in the future"),
        pytest.param({"aud": "another"}, id="another audience"),
        pytest.param({"iss": "https://another.example"}, id="another issuer"),
        pytest.param({"role": "king"}, id="unknown role"),
        pytest.param({"role": ["officer"]}, id="a list of roles"),
        pytest.param({"agency": "Văn phòng"}, id="no agency code"),
        pytest.param({"agency": 22}, id="a number for an agency"),
        pytest.param({"unit": "Phòng Một cửa"}, id="a name for a unit"),
        pytest.param({"sub": "Nguyễn Văn A"}, id="a name for a subject"),
        pytest.param({"sub": ""}, id="an empty subject"),
        *(
            pytest.param({"drop": (claim,)}, id=f"no {claim}")
            for claim in ("exp", "iss", "aud", "sub", "role", "agency")
        ),
        pytest.param({"role": "system", "drop": ("agency",)}, id="a system of nobody"),
        pytest.param({"key": LATER}, id="another key under a known id"),
        pytest.param({"kid": "unknown"}, id="unknown key id"),
        pytest.param({"kid": "rsa"}, id="key of another algorithm"),
        pytest.param({"key": SHARED, "algorithm": "HS256", "kid": "shared"}, id="shared secret"),
        pytest.param({"key": None, "algorithm": "none"}, id="unsigned"),
    ],
)
def test_a_bad_token(issuer, wrong):
    with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
        ask(issuer, token(issuer, **wrong))


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic dTpw", "Bearer " + "x" * 9_000],
)
def test_nonsense_costs_the_issuer_nothing(issuer, authorization):
    with pytest.raises(Unauthorized):
        ask(issuer, authorization)
    assert issuer.asked == []


@pytest.mark.parametrize(
    "wrong",
    [{"key": SHARED, "algorithm": "HS256"}, {"key": None, "algorithm": "none"}, {"kid": None}],
)
def test_tokens_that_no_key_could_make_good_cost_the_issuer_nothing(issuer, wrong):
    with pytest.raises(Unauthorized):
        ask(issuer, token(issuer, **wrong))
    assert issuer.asked == []


def by_hand(header, claims, sign):
    """A token that a library would refuse to make."""
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (header, claims)
    )
    signature = base64.urlsafe_b64encode(sign(head + b"." + body)).rstrip(b"=")
    return "Bearer " + b".".join([head, body, signature]).decode()


def whole(issuer):
    return jwt.decode(token(issuer).split()[1], options={"verify_signature": False})


@pytest.mark.parametrize("form", ["PEM", "DER"])
@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_the_public_key_is_nobodys_secret(issuer, algorithm, form):
    public = RSA.public_key().public_bytes(
        getattr(serialization.Encoding, form), serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = f"sha{algorithm[2:]}"
    forged = by_hand(
        {"alg": algorithm, "kid": "rsa"},
        whole(issuer),
        lambda said: hmac.new(public, said, digest).digest(),
    )
    with pytest.raises(Unauthorized):
        ask(issuer, forged)
    assert issuer.asked == []


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "", None, ["ES256"], 256])
def test_no_spelling_of_no_algorithm_is_one(issuer, algorithm):
    with pytest.raises(Unauthorized):
        ask(issuer, by_hand({"alg": algorithm, "kid": "ec"}, whole(issuer), lambda _said: b""))
    assert issuer.asked == []


def test_a_token_does_not_bring_its_own_key(issuer):
    own = jwk(ECAlgorithm, LATER, "ec")
    with Issuer() as thief:
        thief.keys = [own]
        for said in ({"jwk": own}, {"jku": thief.jwks_uri}, {"x5u": thief.jwks_uri}):
            head = {"kid": "ec", **said}
            forged = jwt.encode(whole(issuer), LATER, "ES256", head)
            with pytest.raises(Unauthorized):
                ask(issuer, f"Bearer {forged}")
        assert thief.asked == []


def test_what_a_token_calls_critical_is_not_passed_over(issuer):
    with pytest.raises(Unauthorized):
        ask(issuer, "Bearer " + jwt.encode(whole(issuer), EC, "ES256", {
            "kid": "ec", "crit": ["demo"], "demo": 1,
        }))  # fmt: skip


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"aud": ["another", "lien-thong"]}, id="a list of other audiences"),
        pytest.param({"exp": "tomorrow"}, id="an end that is no number"),
        pytest.param({"exp": 1e400}, id="an end that is never"),
        pytest.param({"nbf": [1]}, id="a beginning that is no number"),
        pytest.param({"sub": {"a": 1}}, id="a subject that is no text"),
        pytest.param({"iat": "yesterday"}, id="made at no time"),
    ],
)
def test_a_signed_token_that_makes_no_sense(issuer, claims):
    def sign(said):
        return ECAlgorithm(ECAlgorithm.SHA256).sign(said, EC)

    with pytest.raises(Unauthorized):
        ask(issuer, by_hand({"alg": "ES256", "kid": "ec"}, whole(issuer) | claims, sign))


def test_a_withdrawn_key_is_soon_trusted_no_more(issuer):
    assert ask(issuer, token(issuer)).subject == "7d0f"
    issuer.keys = [jwk(ECAlgorithm, LATER, "later")]
    identity._keys(issuer.url).jwk_set_cache.jwk_set_with_timestamp.timestamp -= identity.KEYS_S + 1
    with pytest.raises(Unauthorized):
        ask(issuer, token(issuer))
    assert ask(issuer, token(issuer, LATER, kid="later")).subject == "7d0f"


@pytest.mark.parametrize(("late_s", "let_in"), [(30, True), (90, False)])
def test_clocks_may_differ_by_a_minute(issuer, late_s, let_in):
    now = int(time())
    for claims in ({"exp": now - late_s}, {"iat": now + late_s}, {"nbf": now + late_s}):
        if let_in:
            assert ask(issuer, token(issuer, **claims)).subject == "7d0f"
        else:
            with pytest.raises(Unauthorized):
                ask(issuer, token(issuer, **claims))


@pytest.mark.parametrize(
    ("claims", "at"),
    [
        pytest.param({"auth_time": NOW - 600}, NOW - 600, id="a person says when"),
        pytest.param({"auth_time": NOW - 600.5}, NOW - 601, id="to the fraction of a second"),
        pytest.param({}, None, id="a person who does not say"),
        pytest.param({"auth_time": NOW + 3_600}, None, id="a login that is yet to come"),
        pytest.param({"auth_time": str(NOW)}, None, id="no number"),
        pytest.param({"auth_time": True}, None, id="neither is this"),
        pytest.param({"auth_time": 1e300}, None, id="no moment"),
        pytest.param({"role": "system", "iat": NOW - 60}, NOW - 60, id="a system: by its token"),
        pytest.param({"role": "system", "drop": ("iat",)}, None, id="which may not say"),
    ],
)
def test_when_the_caller_logged_in(issuer, monkeypatch, claims, at):
    caller = ask(issuer, token(issuer, **claims))
    monkeypatch.setattr(identity, "authenticate", lambda *_: caller)
    monkeypatch.setattr(
        identity.runtime, "settings", lambda: type("S", (), {"issuer": "", "audience": ""})
    )
    event = {"type": "TOKEN", "authorizationToken": "", "methodArn": ARN}
    verdict = identity.authorize(event, None)
    travelled = caller_of(verdict["context"] | {"principalId": "7d0f"}).authenticated_at
    assert travelled == (None if at is None else datetime.fromtimestamp(at, UTC))


def test_a_token_altered_on_the_way(issuer):
    head, _, signature = token(issuer).split(".")
    _, body, _ = token(issuer, role="administrator").split(".")
    with pytest.raises(Unauthorized):
        ask(issuer, f"{head}.{body}.{signature}")


def test_a_little_clock_skew_is_forgiven(issuer):
    now = int(time())
    assert ask(issuer, token(issuer, exp=now - 30, nbf=now - 60)).subject == "7d0f"
    assert ask(issuer, token(issuer, iat=now + 30, nbf=now + 30)).subject == "7d0f"


def test_the_issuer_is_asked_once_and_for_new_keys_again(issuer):
    for _ in range(3):
        ask(issuer, token(issuer))
    assert issuer.asked == ["/.well-known/openid-configuration", "/jwks"]
    issuer.keys.append(jwk(ECAlgorithm, LATER, "later"))
    for _ in range(3):
        with pytest.raises(Unauthorized):
            ask(issuer, token(issuer, LATER, kid="later"))
    assert issuer.asked.count("/jwks") == 1
    identity._keys(issuer.url).cooldown_duration = 0
    assert ask(issuer, token(issuer, LATER, kid="later")).subject == "7d0f"
    assert issuer.asked.count("/jwks") == 2


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
def test_an_issuer_that_fails_lets_nobody_in_and_then_recovers(issuer, path):
    issuer.failing = path
    with pytest.raises(Unauthorized):
        ask(issuer, token(issuer))
    issuer.failing = ""
    assert ask(issuer, token(issuer)).subject == "7d0f"


def test_an_issuer_that_does_not_answer(issuer):
    gone = socket()
    gone.bind(("127.0.0.1", 0))
    # Bound but not listening: a connection is refused at once.
    with gone, pytest.raises(Unauthorized):
        authenticate(token(issuer), f"http://127.0.0.1:{gone.getsockname()[1]}", AUDIENCE)


def test_a_development_issuer_may_be_called_localhost(issuer):
    port = issuer.server.server_port
    issuer.url = issuer.name = f"http://localhost:{port}"
    issuer.jwks_uri = f"http://localhost:{port}/jwks"
    assert ask(issuer, token(issuer)).subject == "7d0f"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        pytest.param("name", "https://another.example", id="names another issuer"),
        pytest.param("jwks_uri", "http://keys.example/jwks", id="keys by plain HTTP"),
        pytest.param("jwks_uri", "file:///etc/passwd", id="keys from a file"),
        pytest.param("jwks_uri", None, id="no keys"),
    ],
)
def test_a_discovery_document_that_is_wrong(issuer, attribute, value):
    setattr(issuer, attribute, value)
    with pytest.raises(Unauthorized):
        ask(issuer, token(issuer))
    assert "/jwks" not in issuer.asked


def test_an_issuer_by_plain_http_elsewhere_is_not_asked(issuer):
    good = token(issuer)
    with pytest.raises(Unauthorized):
        authenticate(good, "http://issuer.example", AUDIENCE)


def test_the_verdict_is_not_bound_to_the_route_it_was_asked_at(issuer, monkeypatch):
    app = Chalice("who")
    app.register_blueprint(identity.identity)
    assert [handler.name for handler in app.builtin_auth_handlers] == ["authorize"]
    monkeypatch.setenv("ISSUER", issuer.url)
    monkeypatch.setenv("AUDIENCE", AUDIENCE)
    monkeypatch.setenv("STAGE", "test")
    runtime.settings.cache_clear()
    event = {"type": "TOKEN", "authorizationToken": token(issuer), "methodArn": ARN}
    verdict = identity.authorize(event, None)
    runtime.settings.cache_clear()
    (statement,) = verdict["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Resource"] == [ARN.removesuffix("/GET/agencies/G22") + "/*/*"]
    expected = Caller(subject="7d0f", role="officer", agency="G22", assurance=2)
    assert caller_of(verdict["context"] | {"principalId": verdict["principalId"]}) == expected
    assert all(isinstance(value, str) for value in verdict["context"].values())
