"""The QR code on a form: it leads to where the dossier can be tracked.

It holds the dossier's code and nothing else of it, least of all the check word.
"""

from urllib.parse import quote


def tracking_link(prefix: str, code: str) -> str:
    """Where a dossier is tracked; without a `prefix` the code alone, which a portal's app reads."""
    return prefix + quote(code, safe=".-") if prefix else code


def modules(text: str) -> list[list[bool]]:
    """The code's dark squares, row by row."""
    # Not needed by most requests: what imports it late pays late.
    import segno  # noqa: PLC0415

    return [[bool(dark) for dark in row] for row in segno.make_qr(text, error="m").matrix]
