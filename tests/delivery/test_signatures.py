import hashlib
import hmac
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.delivery.signatures import (
    SignatureInvalid,
    SignatureMissing,
    TimestampOutsideWindow,
    secret_bytes,
    sign_ed25519,
    sign_hmac,
    verify,
)

# The worked example that the Standard Webhooks libraries all test themselves against.
KNOWN_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KNOWN = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
KNOWN_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

SEED = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(b"\7" * 32).public_key().public_bytes_raw()
SECRET = b"s" * 32
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AT = int(NOW.timestamp())
BODY = '{"tên": "Nguyễn"}'.encode()


def headers(signature, id_="msg_1", at=AT):
    return {
        "Webhook-Id": id_,
        "webhook-timestamp": str(at),
        "WEBHOOK-SIGNATURE": signature,
    }


GOOD = sign_ed25519(SEED, "msg_1", AT, BODY)


def test_the_known_example():
    secret = secret_bytes(KNOWN_SECRET)
    assert sign_hmac(secret, *KNOWN) == KNOWN_SIGNATURE
    id_, at, body = KNOWN
    now = datetime.fromtimestamp(at, UTC)
    verify(headers(KNOWN_SIGNATURE, id_, at), body, [], [secret], now)


def test_hmac_is_over_id_timestamp_and_body():
    content = b"msg_1." + str(AT).encode() + b"." + BODY
    made = hmac.new(SECRET, content, hashlib.sha256).digest()
    assert sign_hmac(SECRET, "msg_1", AT, BODY) == "v1," + b64encode(made).decode()


def test_ed25519_is_over_id_timestamp_and_body():
    content = b"msg_1." + str(AT).encode() + b"." + BODY
    assert "v1a," + b64encode(KEY.sign(content)).decode() == GOOD


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(GOOD, id="Ed25519"),
        pytest.param(sign_hmac(SECRET, "msg_1", AT, BODY), id="HMAC"),
        pytest.param(f"v1,AAAA v2,zzz x {GOOD}", id="one good one among others"),
    ],
)
def test_proof(signature):
    verify(headers(signature), BODY, [OTHER, PUBLIC], [b"o" * 32, SECRET], NOW)


@pytest.mark.parametrize(
    ("given", "body", "keys", "secrets"),
    [
        pytest.param(headers(GOOD), BODY + b" ", [PUBLIC], [], id="another body"),
        pytest.param(headers(GOOD, "msg_2"), BODY, [PUBLIC], [], id="another id"),
        pytest.param(headers(GOOD, at=AT + 1), BODY, [PUBLIC], [], id="another time"),
        pytest.param(headers(GOOD), BODY, [OTHER], [], id="another key"),
        pytest.param(headers(GOOD), BODY, [], [SECRET], id="no key"),
        pytest.param(headers(GOOD), BODY, [b"short"], [], id="a broken key"),
        pytest.param(headers(GOOD.replace("v1a", "v1")), BODY, [PUBLIC], [PUBLIC], id="downgraded"),
        pytest.param(headers("v1a,%%%"), BODY, [PUBLIC], [], id="not base64"),
        pytest.param(headers("v1,"), BODY, [PUBLIC], [SECRET], id="empty"),
        pytest.param(headers(""), BODY, [PUBLIC], [SECRET], id="none"),
        pytest.param(headers("v1,é"), BODY, [PUBLIC], [SECRET], id="not ASCII"),
        pytest.param(headers("x " * 8 + GOOD), BODY, [PUBLIC], [], id="behind too many"),
        pytest.param(headers(GOOD, at=f"0x{AT:x}"), BODY, [PUBLIC], [], id="not a number"),
    ],
)
def test_no_proof(given, body, keys, secrets):
    with pytest.raises(SignatureInvalid):
        verify(given, body, keys, secrets, NOW)


@pytest.mark.parametrize("missing", ["Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE"])
def test_each_header_is_needed(missing):
    given = headers(GOOD)
    del given[missing]
    with pytest.raises(SignatureMissing):
        verify(given, BODY, [PUBLIC], [], NOW)


@pytest.mark.parametrize("off_s", [-301, 301])
def test_outside_the_window(off_s):
    with pytest.raises(TimestampOutsideWindow):
        verify(headers(GOOD), BODY, [PUBLIC], [], NOW + timedelta(seconds=off_s))


@pytest.mark.parametrize("off_s", [-300, 300])
def test_the_edge_of_the_window(off_s):
    verify(headers(GOOD), BODY, [PUBLIC], [], NOW + timedelta(seconds=off_s))


def test_a_dot_in_an_id_could_move_the_borders():
    with pytest.raises(ValueError, match="webhook id"):
        sign_hmac(SECRET, "msg.1", AT, BODY)
    # `a` + 1 + `2.x` and `a.1` + 2 + `x` would be the same signed content.
    signature = sign_hmac(SECRET, "a", AT, f"{AT}.x".encode())
    with pytest.raises(SignatureInvalid):
        verify(headers(signature, f"a.{AT}"), b"x", [], [SECRET], NOW)


@pytest.mark.parametrize("text", ["whsec_c2hvcnQ=", "whsec_%%", "", "whsec_" + "A" * 92])
def test_secrets_that_are_none(text):
    with pytest.raises(ValueError, match=r"."):
        secret_bytes(text)
