"""Bytes as text: the one spelling of digests and ids that everything here uses."""

from base64 import urlsafe_b64decode, urlsafe_b64encode


def b64url(data: bytes) -> str:
    """Unpadded base64url (RFC 4648, section 5)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64url(text: str) -> bytes:
    """The bytes behind `b64url`.

    Raises:
        ValueError: the text is not base64url.
    """
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
