"""An agency that cannot be reached fetches what is for it; a refusal reaches the sender."""

from journeys.journey import id_of, until


def fetches(journey, agency):
    """From now on nothing is posted to the agency."""
    path = f"/agencies/{agency.code}/systems/demo"
    done = journey.api.call(
        "PUT", path, role="administrator", body={"endpoint": "", "profile": agency.profile}
    )
    path = f"/agencies?limit=1&seen={done.seen}"
    until("the register", lambda: not journey.get(agency, path)["stale"])


def fetched(journey, agency, number):
    """What waits in the agency's inbox, once there is enough of it."""

    def look():
        items = journey.get(agency, "/inbox")["items"]
        return items if len(items) == number else []

    return until(f"{number} messages for {agency.code}", look)


def test_messages_are_fetched_and_acknowledged(journey):
    sender, plain, legacy = journey.join(), journey.join(), journey.join("edxml")
    for agency in (plain, legacy):
        fetches(journey, agency)
    ids = [id_of(journey.send(sender, [plain, legacy], number=n)) for n in ("601", "602")]
    letters = [item["letter"] for item in fetched(journey, plain, 2)]
    assert [letter["data"]["document"] for letter in letters] == ids
    texts = [item["letter"] for item in fetched(journey, legacy, 2)]
    assert all("edXMLEnvelope" in text for text in texts)

    for agency in (plain, legacy):
        body = {"lane": "normal", "sequence": 2}
        done = journey.post(agency, "/inbox/acknowledgement", body)
        assert (done.status, done.body["acknowledged"], done.body["done"]) == (202, 2, True)
        assert journey.get(agency, "/inbox")["items"] == []
        assert agency.received == []
    for id_ in ids:
        journey.told(sender, id_, "01", "01")


def test_what_is_refused_and_then_given_up_is_told_to_its_sender(journey):
    sender, receiver = journey.join(), journey.join()
    receiver.take = lambda _headers, _body: 422
    id_ = id_of(journey.send(sender, [receiver], number="603"))

    def told():
        about = [m.data for m in sender.received if "undelivered" in m.data]
        return [data["reason"] for data in about if data["document"] == id_]

    until("the refusal", lambda: told() == ["422"])
    lanes = f"/lanes/{receiver.code}"
    path = f"{lanes}/parked"
    [waiting] = journey.api.get(path, role="administrator")["items"]
    path = f"{path}/{waiting['message']}/abandonment"
    body = {"reason": "demo"}
    assert journey.api.call("POST", path, role="administrator", body=body).status == 202
    until("the order", lambda: told() == ["422", "abandoned"])
    [row] = journey.get(sender, f"/documents/{id_}/copies")["items"]
    assert row["send_error"] == {"undelivered": "document", "reason": "abandoned"}
    until(
        "an empty parking",
        lambda: all(
            lane["parked"] == 0 for lane in journey.api.get(lanes, role="administrator")["items"]
        ),
    )


def test_what_was_refused_and_what_is_behind_it_are_fetched_once_released(journey):
    sender, receiver = journey.join(), journey.join()
    receiver.take = lambda _headers, _body: 422
    refused = id_of(journey.send(sender, [receiver]))
    path = f"/lanes/{receiver.code}/parked"
    [waiting] = until("the refusal", lambda: journey.api.get(path, role="administrator")["items"])
    fetches(journey, receiver)

    def acknowledge(item):
        body = {"lane": "normal", "sequence": item["sequence"]}
        assert journey.post(receiver, "/inbox/acknowledgement", body).body["done"]

    # Nobody but the inbox deals with the lane.
    with journey.deaf("Deliver"):
        order = {"reason": "Demo: issued in error", "receivers": [receiver.code]}
        journey.post(sender, f"/documents/{refused}/revocations", order)
        until("the order in the lane", lambda: journey.get(receiver, "/inbox")["head"] > 1)
        other = id_of(journey.send(sender, [receiver]))
        [shown] = fetched(journey, receiver, 1)
        assert shown["letter"]["data"]["document"] == other
        acknowledge(shown)
        release = f"{path}/{waiting['message']}/release"
        assert journey.api.call("POST", release, role="administrator").status == 202
        items = fetched(journey, receiver, 2)
        told = [item["type"] for item in items]
        assert told == ["document.sent", "copy.change_ordered"]
        acknowledge(items[-1])
        assert journey.get(receiver, "/inbox")["items"] == []
