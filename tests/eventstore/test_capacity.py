"""What a command costs, in DynamoDB's own units."""

import pytest
from ballot import COPY, VoteCast, origin
from shelves import DYNAMODB

from chalicelib.eventstore.store import Lost

pytestmark = pytest.mark.parametrize("rack", DYNAMODB, indirect=True)

EVENT_BYTES = 200


def event(number):
    """An event of 200 bytes as stored."""
    bare = VoteCast(voter=f"voter {number}")
    return bare.model_copy(update={"note": "n" * (EVENT_BYTES - len(bare.model_dump_json()))})


def item_bytes(item):
    """An item's size by AWS's rule ("DynamoDB item sizes and formats", Developer Guide).

    The UTF-8 names and the values: a string or bytes count their length, a number of up to 38
    digits about one byte for each two of them and one more.
    """
    sizes = {"S": lambda s: len(s.encode()), "B": len, "N": lambda n: (len(n) + 1) // 2 + 1}
    return sum(
        len(name.encode()) + sizes[kind](value)
        for name, typed in item.items()
        for kind, value in typed.items()
    )


def units(size):
    """Write units of an item: one for each KB begun."""
    return -(-size // 1024)


class Meter:
    """Asks every call what it consumed and keeps the answers."""

    def __init__(self, rack):
        self.reported = []
        rack.listen("before-parameter-build.dynamodb.PutItem", self._ask)
        rack.listen("after-call.dynamodb.PutItem", self._note)

    def _ask(self, params, **_):
        params["ReturnConsumedCapacity"] = "TOTAL"

    def _note(self, parsed, **_):
        if "ConsumedCapacity" in parsed:
            self.reported.append(parsed["ConsumedCapacity"]["CapacityUnits"])


@pytest.fixture
def meter(rack):
    return Meter(rack)


def kind(request):
    return request.node.callspec.params["rack"]


@pytest.mark.parametrize(("events", "budget"), [(1, 1), (5, 2)], ids=["one event", "five events"])
def test_a_commit_costs_the_same_however_long_the_stream(
    request, capsys, rack, store, meter, events, budget
):
    costs, last = {}, None
    for number in range(1, 401):
        rack.calls.clear()
        batch = [event(index) for index in range(events)]
        last = store.append(COPY, last, batch, origin(f"command {number}"))
        assert rack.calls == ["PutItem"]
        if number in {1, 10, 400}:
            size = item_bytes(rack.item(last.place))
            costs[number] = (units(size), size, meter.reported[-1])

    with capsys.disabled():
        for number, (computed, size, reported) in costs.items():
            print(  # noqa: T201 -- the figures are what this test is asked for.
                f"\n  {events} event(s) of {EVENT_BYTES} B, commit {number}: {computed} write "
                f"unit(s) for {size} B ({kind(request)} reports {reported:g})",
                end="",
            )
    assert {computed for computed, _, _ in costs.values()} == {budget}
    if kind(request) == "ministack":
        # moto reports one unit for every write, whatever its size; the emulator computes it.
        assert {reported for _, _, reported in costs.values()} == {budget}


@pytest.mark.parametrize("length", [10, 400])
def test_a_conflict_costs_no_read(request, capsys, rack, store, length):
    last = before = None
    for number in range(1, length + 1):
        before, last = last, store.append(COPY, last, [event(1)], origin(f"command {number}"))
    rack.calls.clear()

    with pytest.raises(Lost) as lost:
        store.append(COPY, before, [event(2)], origin("too late"))

    assert rack.calls == ["PutItem"]
    assert lost.value.winner == last
    with capsys.disabled():
        print(  # noqa: T201 -- the same.
            f"\n  conflict at commit {length}: 0 reads, calls {rack.calls} ({kind(request)})",
            end="",
        )
