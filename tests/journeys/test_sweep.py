"""A commit that no stream announced is found by the sweep; a view can be filled anew."""

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


def test_a_view_is_filled_anew_beside_the_one_that_is_read(journey):
    sender, receiver = journey.join(), journey.join()
    id_ = id_of(journey.send(sender, [receiver]))
    journey.told(sender, id_, "01")
    path = "/views/which_documents_did_my_agency_send/rebuild"
    assert journey.api.call("POST", path, role="administrator").status == 202
    journey.stack.ring("schedule", "Project")
    until("the view", lambda: not journey.api.get("/status", role="auditor")["rebuilds"])
    assert [row["document"] for row in journey.get(sender, "/documents")["items"]] == [id_]
