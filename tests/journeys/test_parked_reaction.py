"""What was set aside because a reaction failed is seen by the operator, and released."""

from datetime import UTC, datetime

from journeys.journey import id_of, until

from chalicelib.projector.aside import ParkedCommit, SetAside


def test_a_released_case_is_carried_out_and_is_gone(journey):
    sender, receiver = journey.join(), journey.join()
    sent = journey.send(sender, [receiver])
    journey.told(sender, id_of(sent), "01")
    # As if opening the copy had failed: that it was opened does no harm.
    aside = SetAside(journey.client("dynamodb"), journey.name("ParkedTable"))
    stream = f"document-{id_of(sent)}"
    one = ParkedCommit(
        stream=stream,
        commit=1,
        position=journey.history.positions([(stream, 1)])[stream, 1],
        reaction="open-copies",
        error="DemoError",
        since=datetime.now(UTC),
    )
    aside.put(one)

    def listed():
        items = journey.api.get("/reactions/parked", role="auditor")["items"]
        return [item for item in items if item["stream"] == stream]

    assert [(item["error"], item["released"]) for item in listed()] == [("DemoError", False)]
    assert journey.api.get("/status", role="auditor")["reactions"]["parked"] >= 1

    # What comes in the same case waits behind it, in its order.
    order = {"reason": "Demo: issued in error", "receivers": [receiver.code]}
    journey.post(sender, f"/documents/{id_of(sent)}/revocations", order)
    until("the revocation to wait", lambda: len(listed()) > 1)
    assert journey.get(receiver, f"/documents/{id_of(sent)}")["revoked"] == [receiver.code]
    assert [message.data["type"] for message in receiver.received] == ["document.sent"]

    path = f"/reactions/parked/{stream}/release"
    assert journey.api.call("POST", path, role="administrator").status == 202
    until("the case to be carried out", lambda: not listed())
    until("the revocation", lambda: len(receiver.received) > 1)
    assert receiver.received[1].data["type"] == "copy.change_ordered"
    journey.refused(
        404, "reaction-not-parked", journey.api.call, "POST", path, role="administrator"
    )
    journey.told(sender, id_of(sent), "01")
