"""Ministries' and provinces' hubs: they send for their units, and pass on to them what came."""

import pytest
from contexts.documents.edxml.demo_messages import read
from contexts.documents.mail import first_letter
from gateway import Gateway, caller
from journeys.journey import edxml_document, edxml_status
from survival.world import world

from app import app

KEY = "-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def axis():
    with world() as made:
        yield made


@pytest.fixture(scope="module")
def ministry(axis):
    """A sender, a hub with two units and one below the first, and somebody else."""
    entered = [axis.join(settle=False) for _ in range(6)]
    sender, hub, unit, other_unit, below, stranger = entered
    for child, parent in ((unit, hub), (other_unit, hub), (below, unit)):
        place = {"parent": parent.code, "effective_on": "2026-01-01", "source": "demo"}
        axis.administer("PUT", f"/agencies/{child.code}/parent", place)
    axis.settle()
    return sender, hub, unit, other_unit, below, stranger


def post(axis, agency, path, body):
    return axis.try_("system", agency.code, "POST", path, body)


def see(axis, agency, path):
    return axis.try_("system", agency.code, "GET", path).json


def post_edxml(agency, message, key):
    gateway = Gateway(app, caller("system", f"system-{agency.code}", agency.code))
    headers = {"content-type": "application/xml", "idempotency-key": key}
    return gateway.call("POST", "/edxml", message, headers)


def rendered(unit):
    """The first message in a unit's lane, as edXML."""
    return read(first_letter(unit))[0]


def test_a_hub_passes_a_document_on_to_its_own_units(axis, ministry):
    sender, hub, unit, _, below, stranger = ministry
    id_ = axis.send(sender, hub)
    axis.settle()
    path = f"/documents/{id_}"
    relayed = post(axis, hub, f"{path}/relays", {"receivers": [unit.code]})
    assert relayed.status == 202
    again = post(axis, hub, f"{path}/relays", {"receivers": [unit.code]})
    assert (again.status, again.json) == (202, relayed.json | {"duplicate": True})
    assert post(axis, unit, f"{path}/relays", {"receivers": [below.code]}).status == 202
    for by, to, status, code in (
        (hub, stranger, 403, "unit-not-below"),
        (hub, hub, 409, "message-loops"),
        (stranger, unit, 404, "document-unknown"),
        (sender, unit, 403, "relayer-has-no-copy"),
    ):
        refused = post(axis, by, f"{path}/relays", {"receivers": [to.code]})
        assert (refused.status, refused.json["code"]) == (status, code)
    axis.settle()

    # Each unit has it, with all that it passed; the first sender hears of each, the hub of none.
    hops = [hop["agency"] for hop in below.got[-1].data["hops"]]
    assert hops == [sender.code, hub.code, unit.code]
    assert [t.organ_id for t in rendered(below).traces] == hops
    assert [p.organ_id for p in rendered(below).to] == [below.code]
    assert rendered(below).from_.organ_id == sender.code
    statuses = f"{path}/copies/{below.code}/statuses"
    assert post(axis, below, statuses, {"code": "06"}).status == 202
    axis.settle()
    assert sender.codes(id_) == ["01", "01", "01", "06"]
    assert hub.codes(id_) == unit.codes(id_) == []
    hubs_copy = see(axis, hub, f"{path}/copies/{hub.code}")
    assert (hubs_copy["status"], hubs_copy["code"]) == ("arrived", "01")
    seen = {copy["receiver"] for copy in see(axis, hub, f"{path}/copies")["items"]}
    assert seen == {hub.code, unit.code}
    # To revoke the document reaches the units too.
    assert post(axis, sender, f"{path}/revocations", {"reason": "demo"}).status == 202
    axis.settle()
    assert below.got[-1].data["change"] == "revocation"
    axis._check_views(axis._check_history())


def test_a_hub_passes_edxml_on_under_the_senders_name(axis, ministry):
    sender, hub, _, other_unit, _, stranger = ministry
    number = "8001"
    axis.settle()
    sent = post_edxml(sender, edxml_document(sender, [hub], code_number=number), "0" * 8 + KEY)
    assert sent.status == 201
    id_ = sent.headers["Location"].rsplit("/", 1)[1]
    axis.settle()
    message = edxml_document(sender, [other_unit], code_number=number)
    assert post_edxml(stranger, message, "1" * 8 + KEY).json["code"] == "not-the-sender"
    relayed = post_edxml(hub, message, "2" * 8 + KEY)
    assert (relayed.status, relayed.json["seen"]) == (202, f"document-{id_}@2")
    repeated = post_edxml(hub, message, "3" * 8 + KEY)
    assert (repeated.status, repeated.json) == (202, relayed.json | {"duplicate": True})
    axis.settle()
    assert [t.organ_id for t in rendered(other_unit).traces] == [sender.code, hub.code]
    reference = f"{sender.code},2026/03/04,{number}/CV-DEMO"
    status = edxml_status(other_unit, sender, reference, "03")
    # A unit's status may come by its hub's system, and no other.
    assert post_edxml(stranger, status, "4" * 8 + KEY).json["code"] == "reporter-wrong"
    assert post_edxml(hub, status, "5" * 8 + KEY).status == 202
    axis.settle()
    assert sender.codes(id_) == ["01", "01", "03"]


def test_a_hub_sends_for_its_units_and_for_nobody_else(axis, ministry):
    _, hub, unit, _, below, stranger = ministry
    body = axis.document(stranger, sender=below.code)
    sent = post(axis, hub, "/documents", body)
    assert sent.status == 201
    path = sent.headers["Location"]
    shown = see(axis, hub, path)
    assert shown["sender"]["code"] == below.code
    assert [hop["agency"] for hop in shown["hops"]] == [below.code, hub.code]
    # The unit itself sends the same document again: it is known.
    again = post(axis, below, "/documents", {k: v for k, v in body.items() if k != "sender"})
    assert (again.status, again.json) == (200, sent.json | {"duplicate": True})
    for by, of in ((hub, stranger), (below, unit), (stranger, hub)):
        refused = post(axis, by, "/documents", axis.document(stranger, sender=of.code))
        assert (refused.status, refused.json["code"]) == (403, "not-the-sender")
    assert post(axis, hub, f"{path}/revocations", {"reason": "demo"}).status == 202
    axis.settle()
    statuses = f"{path}/copies/{stranger.code}/statuses"
    assert post(axis, stranger, statuses, {"code": "15"}).status == 202
    axis.settle()
    assert below.codes(path.rsplit("/", 1)[1])[-1] == "15"
