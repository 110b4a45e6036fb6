"""A proof as the text of a QR code, so that a citizen holds it on paper.

It is the proof file (C2SP tlog-proof, with its entry), deflated (RFC 1951) and written in digits:
17 for every seven bytes. A QR code holds digits almost as tightly as bytes, every scanner gives
them back as they were, and they can be read out, typed, or stand behind the `#` of an address.
"""

import zlib

from chalicelib.history.note import MAX_NOTE_BYTES
from chalicelib.history.proof import Bundle

MAX_DIGITS = 7_089
"""What the largest QR code holds (ISO/IEC 18004: version 40, level L)."""
_BLOCK = 7
_DIGITS = tuple(len(str(256**count - 1)) for count in range(_BLOCK + 1))
"""How many digits so many bytes are written with."""


def encode_code(bundle: Bundle) -> str:
    """The digits of a proof; more than `MAX_DIGITS` fit into no QR code."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(str(bundle).encode()) + packer.flush()
    blocks = (packed[at : at + _BLOCK] for at in range(0, len(packed), _BLOCK))
    return "".join(f"{int.from_bytes(one):0{_DIGITS[len(one)]}}" for one in blocks)


def decode_code(written: str) -> Bundle:
    """The proof in such digits; what stands up to a `#` is passed over, and so is white space.

    Raises:
        ValueError: it is none.
    """
    digits = "".join(written.rpartition("#")[2].split())
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= MAX_DIGITS):
        raise ValueError("not the text of a proof's QR code: it has only digits")
    full = _DIGITS[_BLOCK]
    try:
        packed = b"".join(
            int(one).to_bytes(_DIGITS.index(len(one)) if len(one) < full else _BLOCK)
            for one in (digits[at : at + full] for at in range(0, len(digits), full))
        )
        unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        text = unpacker.decompress(packed, MAX_NOTE_BYTES)
    except (ValueError, OverflowError, zlib.error):
        raise ValueError("not the text of a proof's QR code: a digit is wrong or missing") from None
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("not the text of a proof's QR code: it was cut off, or is too long")
    return Bundle.parse(text)
