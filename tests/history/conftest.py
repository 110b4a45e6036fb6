import pytest
from axis import Axis, ledger_in_memory
from shelves import EVERY, dynamo_rack, moto_rack


@pytest.fixture(params=EVERY)
def ledger(request):
    """Streams and their history."""
    match request.param:
        case "memory":
            yield ledger_in_memory()
        case "moto":
            with moto_rack() as rack:
                yield Axis(rack)
        case "ministack":
            with dynamo_rack(request.getfixturevalue("emulator_client")) as rack:
                yield Axis(rack)
