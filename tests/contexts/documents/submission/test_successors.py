"""Documents to, from and on their way to agencies that are merged while nobody stops for it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from gateway import Gateway, caller
from journeys.journey import edxml_document, edxml_status
from survival.world import world

from app import app

HANOI = timedelta(hours=7)


@pytest.fixture(scope="module")
def axis():
    with world() as made:
        yield made


def enter(axis, number):
    """So many agencies, each with its system."""
    entered = [axis.join(settle=False) for _ in range(number)]
    axis.settle()
    return entered


def tomorrow(axis):
    return (axis.true_time() + HANOI + timedelta(days=1)).date().isoformat()


def merge(axis, *gone, into):
    """The agencies end by a reorganisation: rehearsed, ordered, carried out; a day goes by."""
    steps = [{"act": "merge", "code": one.code, "successor": into.code} for one in gone]
    asked = {"effective_on": tomorrow(axis), "source": "demo decision", "steps": steps}
    report = axis.try_("administrator", "", "POST", "/reorganisations", asked | {"dry_run": True})
    assert report.json["conflicts"] == []
    axis.administer("POST", "/reorganisations", asked | {"dry_run": False})
    axis.settle()
    axis.later(timedelta(days=1))


def post(axis, agency, path, body):
    return axis.try_("system", agency.code, "POST", path, body)


def see(axis, agency, path):
    return axis.try_("system", agency.code, "GET", path)


def got_by(system, *, lane_of):
    """What a system took, each message once, of the lane of one agency."""
    theirs = [g for g in system.got if g.data.get("for_predecessor", system.code) == lane_of.code]
    return list(dict.fromkeys((g.sequence, g.id) for g in theirs))


def test_a_reorganisation_loses_nothing_that_is_on_its_way(axis):
    sender, old, heir, other = enter(axis, 4)
    down = [True]
    old.policy = lambda _got: 503 if down[0] else 200
    arrived = axis.send(sender, old, other)
    down[0] = False
    axis.later(timedelta(hours=2))
    axis.settle()
    old.policy = lambda _got: 503
    waiting = [axis.send(sender, old, other) for _ in range(3)]
    axis.settle()
    path = f"/documents/{waiting[1]}/copies/{old.code}/statuses"
    assert post(axis, sender, path, {"code": "13"}).status == 202
    axis.settle()
    taken = [got.id for got in old.got]

    merge(axis, old, into=heir)
    late = axis.send(sender, old, other)
    for _ in range(3):
        axis.later(timedelta(hours=2))
        axis.settle()

    # The old agency's lane was served to its end: same ids, dense and in order, at its successor.
    lane = got_by(old, lane_of=old) + got_by(heir, lane_of=old)
    assert [sequence for sequence, _ in lane] == list(range(1, len(lane) + 1))
    assert len({id_ for _, id_ in lane}) == len(lane) > len(taken) == 1
    mine = [got for got in heir.got if got.data.get("for_predecessor") == old.code]
    assert {got.data["document"] for got in mine[:-1]} == set(waiting)
    assert (mine[-1].data["document"], mine[-1].data["code"]) == (waiting[1], "13")
    # No copy was lost: one for each receiver, arrived, under the code it was sent to.
    for id_ in (arrived, *waiting):
        copies = see(axis, sender, f"/documents/{id_}/copies").json["items"]
        assert {copy["receiver"] for copy in copies} == {old.code, other.code}
        assert all("01" in {step["code"] for step in copy["steps"]} for copy in copies)
        assert sender.codes(id_)[:2] == ["01", "01"]
    # The successor answers for all of them, and for what came later in its own name.
    assert post(axis, heir, path, {"code": "15"}).status == 202
    for id_, code in ((arrived, "03"), (waiting[0], "06")):
        path = f"/documents/{id_}/copies/{old.code}/statuses"
        assert post(axis, heir, path, {"code": code}).status == 202
    assert post(axis, heir, f"/documents/{late}/copies/{heir.code}/statuses", {"code": "03"})
    axis.settle()
    assert [sender.codes(id_)[-1] for id_ in (arrived, waiting[0], waiting[1])] == [
        "03",
        "06",
        "15",
    ]
    numbers = [
        see(axis, heir, f"/documents/{id_}/copies/{code}").json["arrival_number"]
        for id_, code in ((arrived, old.code), (late, heir.code))
    ]
    assert numbers == [1, 2]
    axis._check_views(axis._check_history())


def test_a_document_to_a_merged_agency_says_who_got_it(axis):
    sender, old, older, heir = enter(axis, 4)
    before = axis.document(old, heir)
    first = post(axis, sender, "/documents", before).json
    merge(axis, old, older, into=heir)

    answer = post(axis, sender, "/documents", axis.document(older, old, heir))
    assert answer.status == 201
    warnings = [f"receiver-succeeded {one.code} {heir.code}" for one in (older, old)]
    assert answer.json["warnings"] == warnings
    path = answer.headers["Location"]
    shown = see(axis, sender, path).json
    assert (shown["receivers"], shown["warnings"]) == ([heir.code], warnings)
    assert shown["in_place_of"] == {heir.code: [older.code, old.code]}
    axis.settle()
    assert [copy["receiver"] for copy in see(axis, sender, f"{path}/copies").json["items"]] == [
        heir.code
    ]
    # What was sent before the merger is the same document after it.
    again = post(axis, sender, "/documents", before)
    assert (again.status, again.json) == (200, first | {"duplicate": True})
    # Named by the old code, the successor is told, ordered and asked; it is added only once.
    assert post(axis, sender, f"{path}/amendments", {"add": [old.code]}).status == 202
    assert see(axis, sender, path).json["edition"] == 1
    revoked = post(axis, sender, f"{path}/revocations", {"reason": "demo", "receivers": [old.code]})
    assert revoked.status == 202
    assert see(axis, sender, path).json["revoked"] == [heir.code]


def test_edxml_to_a_merged_agency_is_answered_under_either_code(axis):
    sender, old, heir, stranger = enter(axis, 4)
    merge(axis, old, into=heir)
    sent = post_edxml(sender, edxml_document(sender, [old], code_number="7001"))
    assert (sent.status, sent.json["warnings"]) == (
        201,
        [f"receiver-succeeded {old.code} {heir.code}"],
    )
    axis.settle()
    id_ = sent.headers["Location"].rsplit("/", 1)[1]
    reference = f"{sender.code},2026/03/04,7001/CV-DEMO"
    for reporter, code in ((old, "03"), (heir, "05")):
        status = edxml_status(reporter, sender, reference, code)
        assert post_edxml(heir, status).status == 202
        refused = post_edxml(stranger, status)
        assert (refused.status, refused.json["code"]) == (422, "reporter-wrong")
    recall = edxml_status(sender, old, reference, "13")
    assert post_edxml(sender, recall).status == 202
    shown = see(axis, sender, f"/documents/{id_}/copies/{heir.code}")
    assert (shown.json["status"], shown.json["recall"]) == ("processing", "asked")


def post_edxml(agency, message):
    gateway = Gateway(app, caller("system", f"system-{agency.code}", agency.code))
    headers = {"content-type": "application/xml", "idempotency-key": str(uuid4())}
    return gateway.call("POST", "/edxml", message, headers)


def test_a_successor_sees_and_acts_for_what_its_predecessor_sent(axis):
    old, heir, receiver, stranger = enter(axis, 4)
    id_ = axis.send(old, receiver)
    axis.settle()
    merge(axis, old, into=heir)
    path = f"/documents/{id_}"
    assert see(axis, heir, path).status == 200
    assert see(axis, stranger, path).status == 404
    assert [c["receiver"] for c in see(axis, heir, f"{path}/copies").json["items"]] == [
        receiver.code
    ]
    listed = see(axis, heir, f"/documents?agency={old.code}").json["items"]
    assert [item["document"] for item in listed] == [id_]
    assert see(axis, stranger, f"/documents?agency={old.code}").status == 403
    assert see(axis, receiver, f"/copies?agency={old.code}").status == 403

    assert post(axis, heir, f"{path}/amendments", {"subject": "Put right"}).status == 202
    axis.settle()
    assert (
        post(axis, stranger, f"{path}/copies/{receiver.code}/statuses", {"code": "13"}).json["code"]
        == "not-your-copy"
    )
    statuses = f"{path}/copies/{receiver.code}/statuses"
    assert post(axis, heir, statuses, {"code": "13"}).status == 202
    assert post(axis, receiver, statuses, {"code": "16", "note": "needed"}).status == 202
    axis.settle()
    told = [got.data for got in heir.got if got.data.get("for_predecessor") == old.code]
    assert [data["code"] for data in told if "code" in data] == ["16", "16"]
    # The old agency's own name is no longer good for a new document.
    refused = post(axis, old, "/documents", axis.document(receiver))
    assert (refused.status, refused.json["code"]) == (422, "sender-unknown")


def test_a_status_of_who_was_never_a_receiver_is_refused_still(axis):
    sender, receiver, old, heir = enter(axis, 4)
    merge(axis, old, into=heir)
    id_ = axis.send(sender, receiver)
    axis.settle()
    for code in (heir.code, old.code):
        answer = post(axis, heir, f"/documents/{id_}/copies/{code}/statuses", {"code": "03"})
        assert (answer.status, answer.json["code"]) == (404, "copy-unknown")
    answer = post(axis, heir, f"/documents/{id_}/copies/{receiver.code}/statuses", {"code": "03"})
    assert (answer.status, answer.json["code"]) == (403, "not-your-copy")


def test_who_succeeded_several_says_whose_copy_it_means(axis):
    sender, one, two, heir = enter(axis, 4)
    id_ = axis.send(sender, one, two)
    axis.settle()
    merge(axis, one, two, into=heir)
    statuses = f"/documents/{id_}/copies/{{}}/statuses"
    unsaid = post(axis, heir, statuses.format(heir.code), {"code": "03"})
    assert (unsaid.status, unsaid.json["code"], unsaid.json["field"]) == (
        404,
        "copy-unknown",
        "receiver",
    )
    assert post(axis, heir, statuses.format(two.code), {"code": "03"}).status == 202


def test_nothing_is_sent_by_or_to_a_locked_system(axis):
    sender, receiver = enter(axis, 2)
    id_ = axis.send(sender, receiver)
    body = axis.document(receiver)
    lock = "/agencies/{}/systems/demo/lock"
    axis.administer("PUT", lock.format(receiver.code), {"reason": "demo"})
    axis.settle()
    refused = post(axis, sender, "/documents", body)
    assert (refused.status, refused.json["code"]) == (409, "receiver-locked")
    assert (refused.json["field"], refused.json["gateway_error"]) == ("receivers/0", 23)
    axis.administer("DELETE", lock.format(receiver.code))
    axis.administer("PUT", lock.format(sender.code), {"reason": "demo"})
    axis.settle()
    for path, asked in (
        ("/documents", body),
        (f"/documents/{id_}/revocations", {"reason": "demo"}),
        (f"/documents/{id_}/amendments", {"subject": "Demo"}),
    ):
        refused = post(axis, sender, path, asked)
        assert (refused.status, refused.json["code"]) == (403, "sender-locked")
        assert refused.json["gateway_error"] == 23
    axis.administer("DELETE", lock.format(sender.code))
    axis.settle()
    assert post(axis, sender, "/documents", body).status == 201
