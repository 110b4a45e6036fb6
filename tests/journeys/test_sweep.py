"""A commit that no stream announced is found by the sweep."""

from journeys.journey import id_of, until


def test_the_sweep_finds_what_nobody_announced(journey):
    sender, receiver = journey.join(), journey.join()
    settled = journey.settled()
    with journey.deaf("Events"):
        sent = journey.send(sender, [receiver])
        place = (f"document-{id_of(sent)}", 1)
        # The doorbell of the schedule numbers nothing by itself.
        journey.stack.ring("schedule", "Sequence")
        assert journey.get(sender, f"/documents?seen={sent.seen}")["stale"]
        assert journey.history.positions([place]) == {}
        journey.stack.ring("sweep", "Sequence")
        until("a position", lambda: journey.history.positions([place]))
        assert journey.history.positions([place]) == {place: len(settled) + 1}
    journey.told(sender, id_of(sent), "01")
    assert [message.data["document"] for message in receiver.received] == [id_of(sent)]
    journey.settled()
