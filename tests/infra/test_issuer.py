"""Tokens of the development issuer pass the checks that the real issuer's tokens pass."""

import base64
import json
import stat
import time
import urllib.error
import urllib.request
from urllib.parse import urlencode

import jwt
import pytest
import urllib3

from chalicelib.http.identity import authenticate
from infra import issuer as program
from infra.issuer import AUDIENCE, LocalIssuer, signing_key


@pytest.fixture
def issuer(tmp_path):
    with LocalIssuer(tmp_path) as running:
        yield running


def fetch(url):
    return urllib.request.urlopen(url, timeout=5)  # noqa: S310 -- loopback.


def read(running, token, **expected):
    with fetch(f"{running.url}/.well-known/openid-configuration") as found:
        keys = jwt.PyJWKClient(json.load(found)["jwks_uri"])
    key = keys.get_signing_key_from_jwt(token)
    required = {"audience": AUDIENCE, "issuer": running.url} | expected
    return jwt.decode(token, key, algorithms=["ES256"], **required)


def test_a_token_says_who_acts_for_whom(issuer):
    claims = read(issuer, issuer.token("officer-7", "officer", "H01.01"))
    assert (claims["sub"], claims["role"], claims["agency"]) == ("officer-7", "officer", "H01.01")
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["acr"] == "2"


def test_a_citizen_acts_for_no_agency(issuer):
    assert "agency" not in read(issuer, issuer.token("citizen-1", "citizen"))


@pytest.mark.parametrize(
    ("made", "expected", "refusal"),
    [
        pytest.param({"ttl_seconds": -1}, {}, jwt.ExpiredSignatureError, id="expired"),
        pytest.param(
            {}, {"audience": "other"}, jwt.InvalidAudienceError, id="for another audience"
        ),
        pytest.param({}, {"issuer": "http://x"}, jwt.InvalidIssuerError, id="of another issuer"),
    ],
)
def test_a_token_does_not_pass_where_it_should_not(issuer, made, expected, refusal):
    with pytest.raises(refusal):
        read(issuer, issuer.token("citizen-1", "citizen", **made), **expected)


def test_a_token_of_another_key_is_refused(issuer, tmp_path):
    with LocalIssuer(tmp_path / "other") as other:
        token = other.token("citizen-1", "citizen")
    with pytest.raises(jwt.InvalidSignatureError):
        read(issuer, token)


def test_the_key_survives_a_restart_and_is_ours_alone(tmp_path):
    with LocalIssuer(tmp_path) as first:
        published = first.published()["/jwks.json"]
    with LocalIssuer(tmp_path) as second:
        assert second.published()["/jwks.json"] == published
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_a_token_says_when_a_person_logged_in(issuer):
    made = issuer.token("citizen-1", "citizen", login_age_seconds=1_000)
    assert time.time() - read(issuer, made)["auth_time"] == pytest.approx(1_000, abs=5)
    assert "auth_time" not in read(issuer, issuer.token("system-1", "system", "Z01"))


def ask_for_token(issuer, client, secret, grant="client_credentials", path="/token"):
    headers = {
        "authorization": "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode(),
        "content-type": "application/x-www-form-urlencoded",
    }
    body = urlencode({"grant_type": grant})
    return urllib3.request("POST", issuer.url + path, body=body, headers=headers)


def test_a_system_fetches_a_token_with_its_credentials(issuer):
    answer = ask_for_token(issuer, *issuer.credentials("demo-one", "Z01"))
    said = answer.json()
    assert (answer.status, said["token_type"], said["expires_in"]) == (200, "Bearer", 3600)
    assert answer.headers["cache-control"] == "no-store"
    caller = authenticate(f"Bearer {said['access_token']}", issuer.url, AUDIENCE)
    assert (caller.role, caller.agency, caller.subject) == ("system", "Z01", "demo-one-Z01")
    assert caller.assurance == 0
    assert abs(caller.authenticated_at.timestamp() - time.time()) < 5


@pytest.mark.parametrize(
    ("asked", "status", "error"),
    [
        pytest.param({"secret": "guess"}, 401, "invalid_client", id="a wrong secret"),
        pytest.param({"secret": "bí mật"}, 401, "invalid_client", id="a secret beyond ASCII"),
        pytest.param({"client": "demo-one-Z02"}, 401, "invalid_client", id="for another agency"),
        pytest.param({"client": "Z01"}, 401, "invalid_client", id="no system"),
        pytest.param({"grant": "password"}, 400, "unsupported_grant_type", id="another grant"),
        pytest.param({"path": "/tokens"}, 404, "not found", id="another path"),
    ],
)
def test_a_system_gets_no_token(issuer, asked, status, error):
    client, secret = issuer.credentials("demo-one", "Z01")
    answer = ask_for_token(issuer, **{"client": client, "secret": secret} | asked)
    assert (answer.status, answer.json()) == (status, {"error": error})
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize("header", ["", "Basic ?", "Basic /w==", "Bearer ZDpk"])
def test_nonsense_for_credentials(issuer, header):
    assert issuer.granted(header, "grant_type=client_credentials")[0] == 401


def test_credentials_are_printed_for_systems_alone(issuer, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(program, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["issuer", "demo", "system", "Z01", "--credentials"])
    program.main()
    shown = capsys.readouterr().out.split()
    assert shown == [f"{issuer.url}/token", *issuer.credentials("demo", "Z01")]
    assert shown[2] == program.credentials(signing_key(tmp_path), "demo", "Z01")[1]
    monkeypatch.setattr("sys.argv", ["issuer", "demo", "citizen", "--credentials"])
    with pytest.raises(SystemExit, match="persons log in"):
        program.main()


def test_nothing_else_is_served(issuer):
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        fetch(f"{issuer.url}/key.pem")
    caught.value.close()
