"""Messages that others have published, beside the project where at hand: not ours to copy."""

from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[4] / ".." / "shared" / "data" / "edxml"
at_hand = pytest.mark.skipif(not SAMPLES.exists(), reason="the published messages are not here")
