"""Tokens of the development issuer pass the checks that the real issuer's tokens pass."""

import json
import stat
import urllib.error
import urllib.request

import jwt
import pytest

from infra.issuer import AUDIENCE, LocalIssuer


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


def test_nothing_else_is_served(issuer):
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        fetch(f"{issuer.url}/key.pem")
    caught.value.close()
