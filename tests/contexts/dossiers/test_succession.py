"""Agencies that were merged or dissolved: who took their place works on what was theirs."""

from itertools import count
from uuid import uuid4

import pytest
from contexts.dossiers.counter import (
    CITIZEN,
    Person,
    dossier_of,
    filed,
    merge,
    open_counter,
    origin,
    upload,
)
from contexts.dossiers.demo_dossiers import TERMS
from deployed import on_moto
from gateway import Gateway, caller

from app import app
from chalicelib import runtime
from chalicelib.contexts.agencies import register as registers
from chalicelib.contexts.agencies.domain.agency import DissolveAgency, RegisterAgency, agency
from chalicelib.contexts.agencies.projections import which_agencies_did_it_succeed
from chalicelib.contexts.agencies.register import Register
from chalicelib.contexts.dossiers import catalogue
from chalicelib.contexts.dossiers.projections import (
    what_changed_in_the_catalogue,
    what_is_an_agency_called,
    what_waits_at_my_desk,
    which_agencies_offer_a_procedure,
    which_procedures_are_there,
    which_procedures_does_an_agency_offer,
)
from chalicelib.handle import handle
from chalicelib.working_time import HANOI

VIEWS = (
    which_agencies_did_it_succeed.answer,
    what_is_an_agency_called.answer,
    which_procedures_are_there.answer,
    what_changed_in_the_catalogue.answer,
    which_agencies_offer_a_procedure.answer,
    which_procedures_does_an_agency_offer.answer,
    what_waits_at_my_desk.answer,
)
_agencies, _procedures = count(10), count(800_000)
SOURCE = "demo data"
ON = {"step": "receive", "to": "examine"}


@pytest.fixture(autouse=True, scope="module")
def deployment():
    with on_moto():
        yield


def register(how_many=1):
    """Agencies that nobody else has, in the order of their codes."""
    found = [f"Z01.{next(_agencies)}" for _ in range(how_many)]
    for code in found:
        entry = RegisterAgency(
            origin=origin(), code=code, name=f"Demo agency {code}", source=SOURCE
        )
        handle(runtime.event_store(), agency, code, entry)
    return found


def offered(by, *others, terms=TERMS):
    """A procedure that these agencies offer; the first one also online, the others not."""
    code = f"1.{next(_procedures)}"
    open_counter(terms, desk=by, code=code)
    for other in others:
        offer(code, other, portal=False)
    return code


def offer(code, by, *, portal):
    said = {"effective_on": "2026-01-01", "portal": portal}
    Person("administrator", "demo").do("PUT", f"/procedures/{code}/offers/{by}", said)


def dissolve(code):
    today = runtime.now().astimezone(HANOI).date()
    command = DissolveAgency(origin=origin(), code=code, effective_on=today, source=SOURCE)
    handle(runtime.event_store(), agency, code, command)


def officer(code):
    return Person("officer", f"demo-{code}", code)


def settle():
    """Everything is numbered, and the views that are asked are brought up to now."""
    runtime.sequencer().sweep()
    runtime.projector().follow(*VIEWS)
    catalogue._held.cache_clear()


# --- Working on it --------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1], ids=["the first by code holds it", "the last does"])
def test_who_took_two_places_acts_in_the_one_that_has_the_step(first):
    *two, heir = register(3)
    holder, helper = two[first], two[1 - first]
    path = filed(procedure=offered(holder), receiver=holder)
    officer(holder).do("PUT", f"{path}/acceptance")
    officer(holder).do("POST", f"{path}/forwardings", ON | {"to_agency": helper})
    for gone in two:
        merge(gone, heir)
    new = officer(heir)
    line = {"code": "demo", "name": "Demo", "kind": "fee", "amount": 1}
    owed = new.do("POST", f"{path}/obligations", {"lines": [line]})["obligation"]
    new.do("PUT", f"{path}/obligations/{owed}/fulfilment", {"means": "waived"})
    file = upload(new, b"demo paper " + uuid4().bytes)
    new.do("POST", f"{path}/supplement-requests", {"components": ["KQ000003"], "reason": "Demo"})
    handed = {"code": "KQ000003", "kind": "electronic", "file": file}
    new.do("POST", f"{path}/supplements", {"components": [handed]})
    result = {"name": "Giấy thử nghiệm", "file": upload(new, b"demo result " + uuid4().bytes)}
    new.do("PUT", f"{path}/completion", {"results": [result]})
    assert new.get(path)["status"] == "processed"


def test_who_took_no_place_of_it_is_refused_and_loses_the_upload():
    holder, stranger = register(2)
    path = filed(procedure=offered(holder), receiver=holder)
    officer(holder).do("PUT", f"{path}/acceptance")
    file = upload(officer(stranger), b"demo stranger")
    said = {"results": [{"name": "Giấy thử nghiệm", "file": file}]}
    for _ in range(2):
        refused = officer(stranger).refused("PUT", f"{path}/completion", said)
        assert refused == (403, "not-your-step")
    listed = runtime.client("s3").list_objects_v2(Bucket="staging").get("Contents", [])
    assert not any(file["sha256"] in each["Key"] for each in listed)


def test_a_step_is_given_to_who_took_the_place():
    holder, gone, heir, ended = register(4)
    path = filed(procedure=offered(holder), receiver=holder)
    merge(gone, heir)
    dissolve(ended)
    clerk = officer(holder)
    clerk.do("PUT", f"{path}/acceptance")
    nobody = clerk.refused("POST", f"{path}/forwardings", ON | {"to_agency": ended})
    assert nobody == (422, "step-agency-unknown")
    clerk.do("POST", f"{path}/forwardings", ON | {"to_agency": gone})
    assert clerk.get(path)["step"]["agency"] == heir
    back = {"step": "examine", "to": "receive", "reason": "Demo", "to_agency": holder}
    officer(heir).do("POST", f"{path}/returns", back)
    clerk.do("PUT", f"{path}/assignment", {"to_agency": gone})
    assert clerk.get(path)["step"]["agency"] == heir


def test_so_is_a_step_that_the_procedure_gives_to_another_agency():
    holder, gone, heir, ended = register(4)
    first, second, third = TERMS.steps
    steps = (
        first,
        second.model_copy(update={"agency": gone}),
        third.model_copy(update={"agency": ended}),
    )
    terms = TERMS.model_copy(update={"steps": steps})
    path = filed(procedure=offered(holder, terms=terms), receiver=holder)
    officer(holder).do("PUT", f"{path}/acceptance")
    merge(gone, heir)
    dissolve(ended)
    nobody = officer(holder).refused("POST", f"{path}/forwardings", ON | {"to": "sign"})
    assert nobody == (422, "step-agency-unknown")
    officer(holder).do("POST", f"{path}/forwardings", ON)
    assert CITIZEN.get(path)["step"]["agency"] == heir


# --- At the desk ----------------------------------------------------------------------------------


def desk(code, query=""):
    """Whose dossiers wait at an agency's desk, read page by page."""
    found, cursor = [], ""
    while cursor is not None:
        page = officer(code).get(f"/desk?limit=2{query}{cursor}")
        found += page["items"]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert [row["due_at"] for row in found] == sorted(row["due_at"] for row in found)
    assert len({row["id"] for row in found}) == len(found)
    return [row["at"] for row in found]


def test_a_desk_has_what_waited_at_those_whose_place_it_took():
    first, second, heir, other = register(4)
    code = offered(first, second, heir, other)
    for receiver in (heir, first, second, first, heir, first):
        said = dossier_of(officer(receiver), procedure=code, receiver=receiver)
        officer(receiver).do("POST", "/dossiers", said)
    settle()
    assert desk(heir) == [heir] * 2
    merge(first, second)
    merge(second, heir)
    settle()
    assert sorted(desk(heir)) == [first] * 3 + [second] + [heir] * 2
    assert desk(heir, f"&agency={first}") == [first] * 3
    assert desk(heir, "&status=accepted") == []
    # Whose own place was taken has what it had: its officers may still hand it over.
    assert desk(second) == [second]
    assert officer(other).refused("GET", f"/desk?agency={first}") == (403, "not-your-dossier")


def test_so_many_places_and_no_more_are_looked_for(monkeypatch):
    *gone, heir = register(4)
    for code in gone:
        merge(code, heir)
    settle()
    today = Register(runtime.now())
    assert today.predecessors(heir) == gone
    monkeypatch.setattr(registers, "MAX_PREDECESSORS", 2)
    assert today.predecessors(heir) == gone[:2]


# --- Filing and looking up ------------------------------------------------------------------------


def test_what_is_for_a_merged_agency_is_filed_with_who_took_its_place():
    gone, other, heir = register(3)
    code = offered(gone)
    merge(gone, heir)
    # The view of who took whose place has not heard of it yet.
    said = CITIZEN.do("POST", "/dossiers", dossier_of(CITIZEN, procedure=code, receiver=gone))
    assert CITIZEN.get(f"/dossiers/{said['dossier']}")["agency"] == heir
    assert said["code"].startswith(f"{heir}-")
    settle()
    assert filed(procedure=code, receiver=heir)
    assert filed(officer(heir), procedure=code, receiver=gone)
    elsewhere = dossier_of(CITIZEN, procedure=code, receiver=other)
    assert CITIZEN.refused("POST", "/dossiers", elsewhere) == (409, "procedure-not-offered")


def test_its_own_offer_counts_before_those_whose_place_it_took():
    gone, heir = register(2)
    code = offered(gone, heir)
    merge(gone, heir)
    settle()
    for receiver in (gone, heir):
        online = dossier_of(CITIZEN, procedure=code, receiver=receiver)
        assert CITIZEN.refused("POST", "/dossiers", online) == (409, "procedure-not-offered")
    assert offering(code) == [(heir, False)]


def test_who_was_dissolved_takes_no_dossiers():
    [gone] = register()
    code = offered(gone)
    dissolve(gone)
    settle()
    asked = dossier_of(CITIZEN, procedure=code, receiver=gone)
    assert CITIZEN.refused("POST", "/dossiers", asked) == (409, "procedure-not-offered")
    assert offering(code) == []
    assert looked_up(gone) == []


def offering(code, limit=50):
    """Who takes dossiers for a procedure, and whether online, as anybody reads it."""
    found, cursor = [], ""
    while cursor is not None:
        path = f"/public/procedures/{code}/agencies?limit={limit}{cursor}"
        page = Gateway(app).call("GET", path).json
        found += [(item["agency"], item["online"]) for item in page["items"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    return found


def looked_up(by):
    return [
        item["code"]
        for item in Gateway(app).call("GET", f"/public/procedures?agency={by}").json["items"]
    ]


def test_anybody_reads_who_took_the_place_of_those_that_offer():
    first, second, heir, third = register(4)
    code = offered(first, second, third)
    settle()
    assert offering(code) == [(first, True), (second, False), (third, False)]
    for gone in (first, second):
        merge(gone, heir)
    settle()
    assert offering(code) == [(heir, True), (third, False)]
    [item, _] = Gateway(app).call("GET", f"/public/procedures/{code}").json["offered_by"]["items"]
    assert item == {"agency": heir, "name": f"Demo agency {heir}", "online": True, "until": None}
    for asked in (first, second, heir):
        assert looked_up(asked) == [code]
    offer(code, heir, portal=True)
    settle()
    # It stands by its own offer, once, however the pages fall.
    assert offering(code, limit=1) == [(heir, True), (third, False)]


def test_until_when_it_is_offered_is_the_last_day_of_the_offers():
    first, second, heir = register(3)
    code = offered(first, second)
    for gone, day in ((first, "2098-01-01"), (second, "2099-01-01")):
        merge(gone, heir)
        ends = {"effective_on": day}
        refused = Gateway(app, caller("officer", agency="Z99")).call(
            "PUT", f"/procedures/{code}/offers/{gone}/end", ends, {"idempotency-key": str(uuid4())}
        )
        assert refused.json["code"] == "not-your-offer"
        officer(heir).do("PUT", f"/procedures/{code}/offers/{gone}/end", ends)
    settle()
    [item] = Gateway(app).call("GET", f"/public/procedures/{code}").json["offered_by"]["items"]
    assert (item["agency"], item["until"]) == (heir, "2099-01-01")
