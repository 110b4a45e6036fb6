"""What a commit costs with its page and its marker, in DynamoDB's own units."""

import pytest
from ballot import COPY, VoteCast
from shelves import MINISTACK

from chalicelib.history.sequencer import Sequencer

# moto reports one unit for every write, whatever its size; the emulator computes it.
pytestmark = pytest.mark.parametrize("axis", [MINISTACK], indirect=True)


def test_a_lone_commit_with_page_and_marker(axis, capsys):
    reported = []
    axis.listen(
        "before-parameter-build.dynamodb.PutItem",
        lambda params, **_: params.update(ReturnConsumedCapacity="TOTAL"),
    )
    axis.listen(
        "after-call.dynamodb.PutItem",
        lambda parsed, **_: reported.append(parsed["ConsumedCapacity"]["CapacityUnits"]),
    )
    sequencer = Sequencer(axis.store, axis.history)
    costs = []
    for number in range(30):
        reported.clear()
        commit = axis.append(COPY, VoteCast(voter=f"voter {number}", note="n" * 150))
        axis.rack.calls.clear()
        assert sequencer.number([commit.place]) == 1
        writes = [call for call in axis.rack.calls if call == "PutItem"]
        assert writes == ["PutItem", "PutItem"]
        costs.append(sum(reported))
    with capsys.disabled():
        print(  # noqa: T201 -- the figure is what this test is asked for.
            f"\n  commit, page and marker: {max(costs):g} write units (ministack reports)", end=""
        )
    assert 3 <= max(costs) <= 3.2
