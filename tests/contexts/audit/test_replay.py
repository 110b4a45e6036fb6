"""An auditor reads history as it was: events, cases, states, differences, the export."""

import json
from base64 import b64decode
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from ballot import origin as ballot_origin
from contexts.dossiers.counter import (
    AUDITOR,
    CITIZEN,
    CLERK,
    Person,
    filed,
    follow,
    open_counter,
)
from contexts.dossiers.demo_dossiers import DESK
from deployed import on_moto

from chalicelib import registry, runtime
from chalicelib.contexts.audit import cloudevents, replay
from chalicelib.contexts.audit.cases import GENERATIONS
from chalicelib.contexts.audit.domain.events import AccessRead
from chalicelib.eventstore.store import Commit
from chalicelib.text import b64url
from infra import catalogue


@pytest.fixture(autouse=True, scope="module")
def counter():
    with on_moto():
        open_counter()
        yield


@pytest.fixture(scope="module")
def story(counter):
    """A dossier that is filed, accepted and forwarded, numbered and in the views."""
    path = filed()
    CLERK.do("PUT", f"{path}/acceptance", x_correlation_id="demo-case-1")
    CLERK.do("POST", f"{path}/forwardings", {"step": "receive", "to": "examine"})
    catch_up()
    return f"dossier-{path.rsplit('/', 1)[1]}"


def catch_up():
    follow()
    runtime.projector().follow(*registry.PROJECTIONS)


def search(**query):
    asked = "&".join(f"{name.rstrip('_')}={quote(str(value))}" for name, value in query.items())
    return AUDITOR.get(f"/history/events?{asked}")


def test_every_decider_folds_for_the_auditor():
    known = {id(decider) for decider in catalogue.deciders().values()}
    assert {id(decider) for decider in registry.DECIDERS} == known


def test_events_come_in_the_order_of_their_positions(story):
    seen, after = [], 0
    while after is not None:
        page = search(after=after, limit=2)
        seen += [event["id"] for event in page["items"]]
        after = page["next"]
    positions = [event["lienthongposition"] for event in search(limit=200)["items"]]
    assert positions == sorted(positions)
    assert seen[: len(positions)] == [event["id"] for event in search(limit=200)["items"]]
    assert len(seen) == len(set(seen))


def leaves(said):
    """Every value in it that is none of several."""
    if isinstance(said, dict | list):
        inner = said.values() if isinstance(said, dict) else said
        return [leaf for each in inner for leaf in leaves(each)]
    return [said]


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({"type": "dossier.submitted"}, lambda e: e["type"] == "dossier.submitted"),
        ({"actor": "citizen:demo-citizen-1"}, lambda e: e["lienthongactor"].endswith("-1")),
        ({"agency": DESK}, lambda e: DESK in leaves(e)),
        (
            {"type": "dossier.accepted", "agency": DESK, "actor": "officer:demo-clerk"},
            lambda e: (
                e["type"] == "dossier.accepted" and e["lienthongactor"] == "officer:demo-clerk"
            ),
        ),
    ],
)
def test_a_search_finds_exactly_what_was_asked_for(story, query, holds):
    found = search(limit=200, **query)["items"]
    everything = search(limit=200)["items"]
    assert found
    assert [event["id"] for event in found] == [event["id"] for event in everything if holds(event)]


def test_a_search_by_time_begins_and_ends_there(story):
    everything = search(limit=200, actor="operator:demo")["items"]
    first, last = everything[1]["time"], everything[-2]["time"]
    found = search(limit=200, actor="operator:demo", **{"from": first, "to": last})["items"]
    assert found == [event for event in everything if first <= event["time"] <= last]
    later = (runtime.now() + timedelta(days=1)).isoformat()
    assert search(**{"from": later})["items"] == []
    # Nobody escapes a plus sign, and no calendar has moments outside of these.
    ever = "from=0001-01-01T00:00:00+14:00&to=9999-12-31T23:59:59-14:00"
    assert (
        AUDITOR.get(f"/history/events?limit=200&actor=operator:demo&{ever}")["items"] == everything
    )


def test_a_search_finds_its_first_page_without_reading_all_before_it(story, monkeypatch):
    # What lies before the moment is passed over by halving.
    pages = list(runtime.history().pages(0))
    end = pages[-1].next - 1
    monkeypatch.setattr(replay, "SKEW", timedelta(0))
    for page in pages:
        at = replay._numbered_before(page.numbered_at, end)
        assert at == next(p for p in pages if p.numbered_at >= page.numbered_at).first - 1
    assert replay._numbered_before(pages[-1].numbered_at + timedelta(hours=1), end) == end


def test_one_request_works_within_bounds(story, monkeypatch):
    monkeypatch.setattr(replay, "EXAMINED", 3)
    page = search(actor="nobody")
    assert (page["items"], page["next"]) == ([], 3)
    monkeypatch.setattr(replay, "PASSED_OVER", 2)
    page = search(type="ballot.opened")
    assert (page["items"], page["next"]) == ([], 2)


def test_what_is_too_large_for_a_page_comes_without_its_data(story, monkeypatch):
    monkeypatch.setattr(replay, "ROOM_BYTES", 900)
    found = AUDITOR.get(f"/history/streams/{story}")
    [large] = found["items"]
    assert large["lienthongtoolarge"]
    assert "data" not in large
    assert found["next"] == 1
    assert search(after=0)["next"] is not None


def test_a_stream_is_read_whole(story):
    found = AUDITOR.get(f"/history/streams/{story}")
    assert [event["lienthongcommit"] for event in found["items"]] == sorted(
        event["lienthongcommit"] for event in found["items"]
    )
    assert found["items"][0]["type"] == "dossier.submitted"
    assert found["next"] is None
    part = AUDITOR.get(f"/history/streams/{story}?after=1&limit=1")
    assert part["items"][0]["lienthongcommit"] == 2
    assert part["next"] == 2


def test_nobodys_name_is_opened(story):
    for path in ("streams", "states", "differences"):
        said = json.dumps(AUDITOR.get(f"/history/{path}/{story}"))
        assert ("sealed" in said) == (path != "states"), "a decider remembers no names"
        assert "Demo Applicant" not in said


def test_a_state_is_what_it_was_then(story):
    events = AUDITOR.get(f"/history/streams/{story}")["items"]
    first, last = events[0], events[-1]
    now = AUDITOR.get(f"/history/states/{story}")
    assert now["commit"] == last["lienthongcommit"]
    assert now["hash"] == last["lienthonghash"]
    for moment in (first["lienthongposition"], quote(first["time"])):
        then = AUDITOR.get(f"/history/states/{story}?at={moment}")
        assert then["commit"] == 1
        assert then["position"] == first["lienthongposition"]
        assert then["state"]["stage"] != now["state"]["stage"]


def test_differences_name_the_events_and_the_fields(story):
    events = AUDITOR.get(f"/history/streams/{story}")["items"]
    place = events[0]["lienthongposition"]
    found = AUDITOR.get(f"/history/differences/{story}?from={place}")
    assert [event["id"] for event in found["events"]] == [event["id"] for event in events[1:]]
    changed = {one["field"]: one for one in found["changed"]}
    was = AUDITOR.get(f"/history/states/{story}?at={place}")["state"]
    now = AUDITOR.get(f"/history/states/{story}")["state"]
    assert changed["/stage"] == {
        "field": "/stage",
        "before": was["stage"],
        "after": now["stage"],
    }
    whole = AUDITOR.get(f"/history/differences/{story}")
    assert whole["from"]["commit"] == 0
    assert [event["id"] for event in whole["events"]] == [event["id"] for event in events]
    same = AUDITOR.get(f"/history/differences/{story}?from={place}&to={place}")
    assert (same["changed"], same["events"]) == ([], [])


def happen(stream, causation="", case="demo-case-2"):
    told = AccessRead(
        subject="", role="auditor", by_agency="Z01", route="demo", what="demo", purpose="",
        at=runtime.now(),
    )  # fmt: skip
    key = uuid4().hex
    asked = ballot_origin(key).model_copy(
        update={"command_id": key, "correlation": case or key, "causation": causation}
    )
    return runtime.event_store().append(f"demo-{stream}", None, [told], asked)


def test_a_case_is_a_tree_across_streams(story):
    root = happen("1").seen
    branch = happen("2", root).seen
    happen("3", root)
    happen("4", branch)
    happen("5", "demo-elsewhere@1")
    happen("6", "no commit")
    begun = happen("7", case="")
    happen("8", begun.seen, begun.command)
    alone = happen("9", case="")
    catch_up()
    found = AUDITOR.get("/history/cases/demo-case-2")
    assert [line.split("  access")[0] for line in found["drawn"]] == [
        "demo-1@1", "├─ demo-2@1", "│  └─ demo-4@1", "└─ demo-3@1", "demo-5@1", "demo-6@1",
    ]  # fmt: skip
    [first, lone, _] = found["tree"]
    assert [one["seen"] for one in first["follows"]] == ["demo-2@1", "demo-3@1"]
    assert first["position"] > 0
    assert lone["causation"] == "demo-elsewhere@1"
    # Whoever begins a case bears their own id, and is found by what followed.
    [first] = AUDITOR.get(f"/history/cases/{begun.command}")["tree"]
    assert (first["seen"], first["follows"][0]["seen"]) == ("demo-7@1", "demo-8@1")
    assert AUDITOR.refused("GET", f"/history/cases/{alone.command}") == (404, "case-unknown")
    [step] = AUDITOR.get("/history/cases/demo-case-1")["tree"]
    assert step["events"] == ["dossier.accepted"]


def test_a_case_too_deep_for_readers_of_json_goes_on_at_the_top(story):
    seen = ""
    for number in range(GENERATIONS + 2):
        seen = happen(f"deep-{number}", seen, "demo-case-3").seen
    catch_up()
    found = AUDITOR.get("/history/cases/demo-case-3")
    [whole, rest] = found["tree"]
    depth = 1
    while whole["follows"]:
        [whole] = whole["follows"]
        depth += 1
    assert depth == GENERATIONS
    assert rest["causation"] == whole["seen"]
    assert [one["seen"] for one in rest["follows"]] == [seen]
    assert len(found["drawn"]) == GENERATIONS + 2


def lines(chunk):
    key = chunk["url"].split("/staging/")[1].split("?")[0]
    made = runtime.client("s3").get_object(Bucket="staging", Key=key)["Body"].read()
    assert (len(made), sha256(made).hexdigest()) == (chunk["size"], chunk["sha256"])
    return [json.loads(line) for line in made.splitlines()]


def rebuilt(events):
    """The bodies of the commits that the events come from, by position."""
    bodies = {}
    for event in events:
        exact = (
            b64decode(event["data_base64"])
            if "data_base64" in event
            else json.dumps(event["data"], separators=(",", ":"), ensure_ascii=False).encode()
        )
        bodies.setdefault(event["lienthongposition"], []).append(exact)
    return {position: b"[" + b",".join(parts) + b"]" for position, parts in bodies.items()}


def test_the_export_gives_back_every_byte(story, monkeypatch):
    monkeypatch.setattr(replay, "CHUNK_POSITIONS", 4)
    end = replay.end()
    first, events = 1, []
    while first <= end:
        chunk = AUDITOR.get(f"/history/export/{first}")
        assert chunk["first"] == first
        assert chunk["complete"] == (chunk["last"] == first + 3)
        events += lines(chunk)
        first = chunk["next"]
    bodies = rebuilt(events)
    assert sorted(bodies) == list(range(1, first))
    for position, _, commit in replay.walk(0, lambda _stream: True):
        if position < first:
            assert b64url(sha256(bodies[position]).digest()) == commit.facts["body_hash"]
    again = AUDITOR.get("/history/export/1")
    assert again["complete"]
    assert lines(again) == events[: len(lines(again))], "a full chunk never changes"


def test_a_chunk_ends_with_the_commit_that_fills_it(story, monkeypatch):
    monkeypatch.setattr(replay, "CHUNK_BYTES", 1)
    chunk = AUDITOR.get("/history/export/3")
    assert (chunk["first"], chunk["last"], chunk["complete"]) == (3, 3, True)


def test_an_event_that_json_would_not_give_back_is_exported_byte_by_byte():
    exact = b'{"type":"ballot.opened","share":1E2,"title":"\\u0041"}'
    header = json.dumps(
        {
            "recorded_at": "2026-11-22T00:00:00+00:00", "events": ["ballot.opened/1"],
            "actor": "a", "method": "jwt", "assurance": 0, "correlation": "", "causation": "",
            "release": "demo",
        }
    ).encode()  # fmt: skip
    commit = Commit("ballot-1", 1, header, b"[" + exact + b"]")
    [event] = cloudevents.events(7, commit)
    assert "data" not in event
    assert rebuilt([event]) == {7: commit.body}
    assert "lienthongposition" not in next(cloudevents.events(None, commit))


UNKNOWN_ONES = [
    ("/history/streams/dossier-neverexisted", (404, "stream-unknown")),
    ("/history/streams/nonsense", (404, "stream-unknown")),
    ("/history/states/ballot-1", (404, "stream-unknown")),
    ("/history/differences/dossier-neverexisted", (404, "stream-unknown")),
    ("/history/cases/never-heard-of", (404, "case-unknown")),
    ("/history/events?after=999999", (404, "position-not-there-yet")),
    ("/history/export/999999", (404, "position-not-there-yet")),
    ("/history/export/0", (422, "invalid-request")),
    ("/history/export/first", (422, "invalid-request")),
    ("/history/events?limit=0", (422, "invalid-request")),
    ("/history/events?colour=blue", (422, "invalid-request")),
    ("/history/events?from=yesterday", (422, "invalid-request")),
    ("/history/events?from=1762000000", (422, "invalid-request")),
    ("/history/cases/demo-case-1?cursor=nonsense", (400, "invalid-cursor")),
    ("/history/differences/dossier-1?colour=blue", (422, "invalid-request")),
    ("/history/differences/dossier-1?from=" + "9" * 65, (422, "invalid-request")),
]


@pytest.mark.parametrize(("path", "answer"), UNKNOWN_ONES, ids=[path for path, _ in UNKNOWN_ONES])
def test_what_is_not_there_is_named(story, path, answer):
    assert AUDITOR.refused("GET", path) == answer


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        ("999999", (404, "position-not-there-yet")),
        ("1", (404, "stream-not-begun")),
        ("2020-01-01T00:00:00Z", (404, "stream-not-begun")),
        ("yesterday", (422, "invalid-moment")),
        ("2026-11-22T01:00:00", (422, "invalid-moment")),
        ("1762000000.5", (422, "invalid-moment")),
    ],
)
def test_a_moment_that_cannot_be_is_refused(story, at, answer):
    assert AUDITOR.refused("GET", f"/history/states/{story}?at={at}") == answer


def test_moments_come_in_order(story):
    last = AUDITOR.get(f"/history/states/{story}")["position"]
    first = AUDITOR.get(f"/history/streams/{story}")["items"][0]["lienthongposition"]
    path = f"/history/differences/{story}?from={last}&to={first}"
    assert AUDITOR.refused("GET", path) == (422, "invalid-moment")


def test_an_answer_that_no_function_can_give_is_refused(story, monkeypatch):
    monkeypatch.setattr("chalicelib.contexts.audit.routes.fits", lambda _body: False)
    assert AUDITOR.refused("GET", f"/history/states/{story}") == (422, "answer-too-large")


@pytest.mark.parametrize("reader", [CITIZEN, CLERK, Person("administrator", "demo-chief")])
def test_history_is_the_auditors(story, reader):
    for path in ("events", f"streams/{story}", "cases/1", f"states/{story}", "export/1"):
        assert reader.refused("GET", f"/history/{path}") == (403, "role-not-allowed")


def test_what_the_auditor_is_told_of_bounds_is_so():
    told = Path("docs/auditor.md").read_text(encoding="utf-8")
    assert f"reads up to {replay.EXAMINED:,} commits" in told
    assert f"passes over up to {replay.PASSED_OVER:,} positions" in told
    assert f"after {replay.CHUNK_POSITIONS:,} positions" in told
    assert f"reaches {replay.CHUNK_BYTES // 1024 // 1024} MiB" in told
