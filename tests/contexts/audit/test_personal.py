"""A person sees who read about them; two persons can have them forgotten; none can undo it."""

import json
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from contexts.dossiers.counter import (
    AUDITOR,
    CLERK,
    STRANGER,
    Context,
    Person,
    dossier_of,
    filed,
    follow,
    open_counter,
    upload,
)
from deployed import on_moto

from chalicelib import registry, runtime
from chalicelib.contexts.audit import access_log
from chalicelib.contexts.audit.domain.subject import subject as subjects
from chalicelib.contexts.dossiers.shown import standing
from chalicelib.handle import Stale
from chalicelib.http.identity import Caller
from chalicelib.http.resource import Reading, Resource
from chalicelib.privacy.opened import note, watched
from chalicelib.workers import erase

REGISTER = "/dossiers"
CHIEF = Person("administrator", "demo-chief")
DEPUTY = Person("administrator", "demo-deputy")
DONE = {"batchItemFailures": []}
RING = {"Records": [{"body": '{"ring": "schedule"}'}]}


@pytest.fixture(autouse=True, scope="module")
def counter():
    with on_moto():
        open_counter()
        s3 = runtime.client("s3")
        s3.put_bucket_versioning(Bucket="content", VersioningConfiguration={"Status": "Enabled"})
        yield


@pytest.fixture
def citizen():
    """Somebody whom no other test knows."""
    return Person("citizen", f"demo-{uuid4()}")


@pytest.fixture
def stranger():
    """Somebody else."""
    return Person("citizen", f"demo-{uuid4()}")


def name_of(person):
    return runtime.subject("person", person.subject)


def accesses(person, query=""):
    return person.get(f"/my/accesses{query}")["items"]


def catch_up():
    follow()
    runtime.projector().follow(*registry.PROJECTIONS)


def commits():
    return len(list(runtime.event_store().shelf.every_place()))


# Who read my data.


def test_a_person_sees_who_read_their_dossier_and_why(citizen, stranger):
    path = filed(citizen)
    assert accesses(citizen) == []
    before = CLERK.ask("GET", path, purpose="demo/inspection-7")
    assert before.status == 200
    CLERK.get(path)
    citizen.get(path)
    AUDITOR.get(path)
    catch_up()
    [first, second] = accesses(citizen)
    assert first.items() >= {
        "number": 1, "reader": "officer:demo-clerk", "role": "officer", "by_agency": "Z01",
        "route": "GET /dossiers/{dossier_id}", "what": path, "purpose": "demo/inspection-7",
    }.items()  # fmt: skip
    assert (second["number"], second["purpose"]) == (2, "")
    found = citizen.get("/my/accesses")
    assert first["seen"] == f"{found['stream']}@1"
    assert first["proof"] == f"/proof/{found['stream']}/1"
    assert first["position"] < second["position"]
    assert accesses(stranger) == []


def test_the_log_tells_nobody_whose_it_is(citizen):
    path = filed(citizen)
    CLERK.get(path)
    found = citizen.get("/my/accesses")
    assert name_of(citizen).partition(":")[2] not in found["stream"]
    assert access_log.reads(name_of(citizen), runtime.now() + timedelta(days=40))[1] == []
    assert accesses(citizen, query=f"?month={runtime.now():%Y-%m}") == found["items"]
    assert accesses(citizen, query="?month=2020-01") == []
    for month in ("11/2026", "2026-13", "0000-01", "2026-1"):
        refused = citizen.refused("GET", f"/my/accesses?month={month}")
        assert refused == (422, "invalid-month")


def test_nothing_public_links_it_to_the_dossier(citizen):
    path = filed(citizen)
    CLERK.do("PUT", f"{path}/acceptance", x_correlation_id="demo-ticket-7")
    CLERK.ask("GET", path, x_correlation_id="demo-ticket-7")
    stream = citizen.get("/my/accesses")["stream"]
    [read] = runtime.event_store().load(stream)
    assert b"demo-ticket-7" not in read.header


def test_a_file_is_read_when_its_link_is_given(citizen):
    form = upload(citizen, b"demo form")
    path = filed(citizen, components=dossier_of(citizen, form)["components"])
    CLERK.get(f"{path}/files/{form['sha256']}")
    [told] = accesses(citizen)
    assert told["route"] == "GET /dossiers/{dossier_id}/files/{sha256}"


def test_a_list_tells_each_person_in_it(citizen, stranger):
    for person in (citizen, stranger):
        CLERK.do("PUT", f"{filed(person=person)}/acceptance")
    catch_up()
    assert CLERK.ask("GET", REGISTER).text.count("Demo Applicant") >= 2
    assert [len(accesses(person)) for person in (citizen, stranger)] == [1, 1]


def test_many_persons_at_once_are_each_told():
    names = [f"person:{n:022}" for n in range(20)]
    reading = reading_about(names)
    access_log.write(reading)
    for name in names:
        _stream, [told] = access_log.reads(name, runtime.now())
        assert told["what"] == "/demo"


def reading_about(names):
    caller = Caller(subject="demo-clerk", role="officer", agency="Z01")
    return Reading(caller, frozenset(names), "GET /demo", "/demo", "", "")


def test_neither_clerks_nor_systems_are_told():
    before = commits()
    access_log.write(reading_about(["staff:demo", "system:Z01:demo", "message:demo"]))
    assert commits() == before


def test_what_cannot_be_written_down_is_not_shown(monkeypatch, citizen):
    path = filed(citizen)

    def full(_reading):
        raise Stale

    monkeypatch.setattr(Resource, "told", full)
    answer = CLERK.ask("GET", path)
    assert answer.status == 503
    assert "Demo Applicant" not in answer.text

    def broken(_reading):
        raise ClientError({"Error": {"Code": "InternalServerError"}}, "PutItem")

    monkeypatch.setattr(Resource, "told", broken)
    answer = CLERK.ask("GET", path)
    assert answer.status == 500
    assert "Demo Applicant" not in answer.text


def test_a_refused_question_is_no_reading(citizen, stranger):
    path = filed(citizen)
    before = commits()
    assert stranger.ask("GET", path).status == 404
    assert commits() == before


@pytest.mark.parametrize("purpose", ["Demo Person", "x" * 65, "#"])
def test_a_purpose_is_a_reference(purpose):
    answer = CLERK.ask("GET", "/dossiers/unknown", purpose=purpose)
    assert (answer.status, answer.json["code"]) == (422, "purpose-invalid")


def test_auditors_are_audited():
    reader = Person("auditor", f"demo-{uuid4()}")
    reader.ask("GET", "/history/events?limit=3&actor=nobody", purpose="demo/audit-1")
    catch_up()
    [told] = AUDITOR.get(f"/history/events?type=access.read&actor=auditor:{reader.subject}")[
        "items"
    ]
    assert told["data"].items() >= {
        "subject": "", "role": "auditor", "what": "/history/events?actor=nobody&limit=3",
        "purpose": "demo/audit-1",
    }.items()  # fmt: skip


def test_only_what_is_read_while_somebody_watches_is_told():
    note("person:before")
    with watched() as seen:
        note("person:within")
    note("person:after")
    assert seen == {"person:within"}


# Erasure.


def ask_for(person):
    person.do("PUT", "/my/erasure", {"reason": "demo reason"})
    return f"/subjects/{name_of(person)}"


def carry_out():
    catch_up()
    assert erase(RING, Context) == DONE
    catch_up()


def versions(prefix):
    found = runtime.client("s3").list_object_versions(Bucket="content", Prefix=prefix)
    return found.get("Versions", []) + found.get("DeleteMarkers", [])


def test_a_person_is_forgotten_when_two_agree(citizen, stranger):
    boto = runtime.client("s3")
    path = filed(citizen)
    folder = f"components/{name_of(citizen)}/"
    [kept] = versions(folder)
    # A version that was overwritten, and a marker, are files of theirs as well.
    boto.put_object(Bucket="content", Key=kept["Key"], Body=b"demo")
    boto.delete_object(Bucket="content", Key=kept["Key"])
    others = filed(person=stranger)
    where = ask_for(citizen)
    assert citizen.get("/my/erasure")["status"] == "requested"
    assert CHIEF.get(f"{where}/erasure")["reason"] == "demo reason"
    assert AUDITOR.get(f"{where}/erasure")["reason"] is None
    CHIEF.do("PUT", f"{where}/erasure/approval")
    carry_out()

    assert versions(folder) == []
    assert versions(f"components/{name_of(stranger)}/") != []
    found = CLERK.get(path)
    assert found["applicant"] is None
    assert CLERK.get(others)["applicant"]["name"] == "Demo Applicant"
    standing = CHIEF.get(f"{where}/erasure")
    assert (standing["status"], standing["reason"]) == ("erased", None)
    events = AUDITOR.get(f"/history/streams/subject-{name_of(citizen)}")["items"]
    erased = events[-1]
    assert erased["type"] == "subject.erased"
    assert erased["data"].items() >= {"subject": name_of(citizen), "files": 3}.items()
    assert erased["lienthongcausation"] == f"subject-{name_of(citizen)}@2"

    assert "demo reason" not in json.dumps(events)

    # Done again it does nothing, and every hash still holds.
    before = commits()
    carry_out()
    assert commits() == before
    for stream in {stream for stream, _ in runtime.event_store().shelf.every_place()}:
        assert runtime.event_store().load(stream)
    assert AUDITOR.get("/history/export/1")["last"] >= before


def test_whoever_comes_back_gets_a_new_key_and_nothing_of_before(citizen):
    old = filed(citizen)
    where = ask_for(citizen)
    CHIEF.do("PUT", f"{where}/erasure/approval")
    carry_out()
    new = filed(citizen)
    assert CLERK.get(new)["applicant"]["name"] == "Demo Applicant"
    assert CLERK.get(old)["applicant"] is None
    assert citizen.get("/my/erasure")["status"] == "erased"
    citizen.do("PUT", "/my/erasure", {"reason": "again"})
    assert citizen.get("/my/erasure")["status"] == "requested"


@contextmanager
def failing(code):
    """S3 answers this to whoever lists versions."""

    def fail(**_event):
        raise ClientError({"Error": {"Code": code}}, "ListObjectVersions")

    events, call = runtime.client("s3").meta.events, "before-call.s3.ListObjectVersions"
    events.register(call, fail)
    yield
    events.unregister(call, fail)


def test_an_erasure_that_died_half_way_is_finished(citizen):
    filed(citizen)
    where = ask_for(citizen)
    CHIEF.do("PUT", f"{where}/erasure/approval")
    catch_up()
    with failing("SlowDown"), pytest.raises(ClientError):
        erase(RING, Context)
    # What only a person can mend is told, and holds up nobody else.
    with failing("ValidationException"):
        assert erase(RING, Context) == DONE
    assert CHIEF.get(f"{where}/erasure")["status"] == "approved"
    carry_out()
    assert CHIEF.get(f"{where}/erasure")["status"] == "erased"
    assert versions(f"components/{name_of(citizen)}/") == []


def test_what_there_is_no_time_for_waits(citizen):
    filed(citizen)
    where = ask_for(citizen)
    CHIEF.do("PUT", f"{where}/erasure/approval")
    catch_up()

    class Short(Context):
        @staticmethod
        def get_remaining_time_in_millis():
            return 1_000

    assert erase({"Records": []}, Short) == DONE
    assert CHIEF.get(f"{where}/erasure")["status"] == "approved"


def test_a_hold_stands_in_the_way_until_it_is_lifted(citizen):
    filed(citizen)
    where = ask_for(citizen)
    CHIEF.do("PUT", f"{where}/holds/demo-1")
    assert CHIEF.get(f"{where}/erasure")["holds"] == ["demo-1"]
    approval = f"{where}/erasure/approval"
    assert DEPUTY.refused("PUT", approval) == (409, "held-by-law")
    CHIEF.do("DELETE", f"{where}/holds/demo-1")
    DEPUTY.do("PUT", approval)
    assert CHIEF.refused("PUT", f"{where}/holds/demo-2") == (409, "hold-too-late")
    assert CHIEF.refused("PUT", f"{where}/holds/-") == (422, "invalid-request")


@pytest.mark.parametrize(
    "way",
    [
        {"account": "theirs"},
        {"subject": "theirs"},
        {"identity_number": "DEMO-1", "applicant_kind": "citizen"},
    ],
    ids=lambda way: next(iter(way)),
)
def test_an_officer_asks_for_somebody_and_another_approves(way, citizen):
    name = name_of(citizen)
    if "identity_number" in way:
        name = runtime.person_numbered("citizen", "DEMO-1")
        filed(person=CLERK, channel="direct", access="desk")
    else:
        filed(citizen)
    if "subject" in way:
        way = {"subject": name}
    if "account" in way:
        way = {"account": citizen.subject}
    answer = CHIEF.ask("POST", "/erasures", {**way, "reason": "asked at the desk"})
    assert answer.status == 202, answer.text
    assert answer.headers["Location"] == f"/subjects/{name}/erasure"
    assert answer.json["seen"] == f"{subjects.category}-{name}@1"
    approval = f"/subjects/{name}/erasure/approval"
    assert CHIEF.refused("PUT", approval) == (403, "second-person-needed")
    DEPUTY.do("PUT", approval)


def test_a_number_is_the_same_however_it_is_written():
    applicant = {"name": "Demo Applicant", "identity_number": "079 200.000-01a"}
    path = filed(person=CLERK, channel="direct", access="desk", applicant=applicant)
    asked = {"identity_number": "07920000001A", "reason": "asked at the desk"}
    where = CHIEF.ask("POST", "/erasures", asked).headers["Location"]
    DEPUTY.do("PUT", f"{where}/approval")
    carry_out()
    assert CLERK.get(path)["applicant"] is None


def test_who_has_no_number_is_not_who_has_none_either():
    applicant = {"name": "Demo Applicant", "identity_number": " - "}
    paths = [filed(CLERK, channel="direct", access="desk", applicant=applicant) for _ in "ab"]
    ids = [path.rsplit("/", 1)[1] for path in paths]
    assert standing(ids[0]).subject != standing(ids[1]).subject
    asked = {"identity_number": "-", "reason": "demo"}
    assert CHIEF.refused("POST", "/erasures", asked) == (404, "subject-unknown")


@pytest.mark.parametrize(
    "named",
    [{}, {"account": "a", "identity_number": "b"}, {"subject": "a", "account": "b"}],
    ids=["nobody", "two", "two more"],
)
def test_somebody_is_named_in_one_way(named):
    answer = (422, "subject-unclear")
    assert CHIEF.refused("POST", "/erasures", {**named, "reason": "demo"}) == answer


@pytest.mark.parametrize("name", [f"person:{'x' * 22}", "person:short", "staff:demo", "nonsense"])
def test_nobody_unknown_is_erased(name):
    assert CHIEF.refused("PUT", f"/subjects/{name}/erasure/approval") == (404, "subject-unknown")
    assert CHIEF.refused("GET", f"/subjects/{name}/erasure") == (404, "subject-unknown")
    assert CHIEF.refused("POST", "/erasures", {"subject": name, "reason": "demo"})[0] == 404


def test_nobody_who_asked_for_nothing_is_erased(citizen):
    filed(citizen)
    approval = f"/subjects/{name_of(citizen)}/erasure/approval"
    assert CHIEF.refused("PUT", approval) == (409, "erasure-not-requested")


@pytest.mark.parametrize("reader", [STRANGER, CLERK, AUDITOR])
def test_only_administrators_approve_and_hold(reader, citizen):
    for path in ("erasure/approval", "holds/demo-1"):
        answer = (403, "role-not-allowed")
        assert reader.refused("PUT", f"/subjects/{name_of(citizen)}/{path}") == answer


def test_asking_twice_under_one_key_is_asking_once(citizen):
    filed(citizen)
    key = str(uuid4())
    first = citizen.do("PUT", "/my/erasure", {"reason": "demo"}, key=key)
    assert citizen.do("PUT", "/my/erasure", {"reason": "demo"}, key=key) == first
