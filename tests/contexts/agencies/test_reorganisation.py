from datetime import UTC, date, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest
from deployed import on_moto
from gateway import Gateway, caller
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError
from specification import Given

from app import app
from chalicelib import registry, runtime, workers
from chalicelib.contexts.agencies import reactions
from chalicelib.contexts.agencies.domain.agency import Agency, agency, decide
from chalicelib.contexts.agencies.domain.events import (
    AgencyDissolved,
    AgencyRegistered,
    ReorganisationOrdered,
    Step,
)
from chalicelib.contexts.agencies.domain.reorganisation import (
    OrderReorganisation,
    ReorganisationInConflict,
    WantedStep,
    rehearse,
    reorganisation,
)
from chalicelib.kernel import Origin

# Demo data: no agency is called so.
ORIGIN = Origin(
    command_id="c1",
    digest="d1",
    actor="administrator:1",
    method="jwt",
    at=datetime(2026, 1, 2, tzinfo=UTC),
)
JULY = date(2026, 7, 1)


def step(act, code, **fields):
    return Step(act=act, code=code, **fields)


def order(*steps):
    return ReorganisationOrdered(
        reorganisation="r1", effective_on=JULY, source="demo data", steps=steps
    )


def wish(*steps, **fields):
    said = order(*steps).model_dump(exclude={"type"})
    return OrderReorganisation(origin=ORIGIN, **(said | fields))


RENAME = step("rename", "Z01", name="New name")


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], wish(RENAME), [order(RENAME)], id="it is ordered"),
        pytest.param([order(RENAME)], wish(RENAME), [], id="ordering twice changes nothing"),
        pytest.param(
            [],
            wish(RENAME, conflicts=("step 1: agency-ended",)),
            ReorganisationInConflict,
            id="whole or not at all",
        ),
    ],
)
def test_ordering(given, when, then):
    Given(reorganisation, *given).when(when).then(then)


def registered(code, parent=None):
    entry = AgencyRegistered(code=code, given=code, name=code, parent=parent, source="demo data")
    return agency.fold([entry])


def register():
    """Z01 with two units, Z02, and Z09, which was dissolved."""
    gone = AgencyDissolved(code="Z09", effective_on=date(2025, 7, 1), source="demo data")
    found = {
        code: registered(code, parent)
        for code, parent in {"Z01": None, "Z01.05": "Z01", "Z01.06": "Z01", "Z02": None}.items()
    }
    return found | {"Z09": agency.fold([gone], registered("Z09"))}


def rehearsed(*steps):
    known = register()
    return rehearse(
        order(*steps),
        ORIGIN,
        lambda code: known.get(code, Agency()),
        lambda code: [one for one, state in known.items() if state.parent == code],
    )


AWAY = [step("move", f"Z01.0{n}", parent="Z02") for n in (5, 6)]


@pytest.mark.parametrize(
    ("steps", "outcomes"),
    [
        pytest.param([RENAME], ["change"], id="a change"),
        pytest.param([RENAME, RENAME], ["change", "so"], id="the same again"),
        pytest.param([step("rename", "Z07", name="X")], ["agency-not-registered"], id="of nobody"),
        pytest.param(
            [step("register", "Z03", name="Three"), step("rename", "Z03", name="Third")],
            ["change", "change"],
            id="a step rests on those before it",
        ),
        pytest.param(
            [step("rename", "Z03", name="Third"), step("register", "Z03", name="Three")],
            ["agency-not-registered", "change"],
            id="and not on those after it",
        ),
        pytest.param(
            [*AWAY, step("merge", "Z01", successor="Z02")], ["change"] * 3, id="a merger, in order"
        ),
        pytest.param(
            [AWAY[0], step("dissolve", "Z01")],
            ["change", "change", "units-left-behind"],
            id="a unit left behind",
        ),
        pytest.param(
            [*AWAY, step("move", "Z02", parent="Z01"), step("dissolve", "Z01")],
            ["change", "change", "change", "change", "units-left-behind"],
            id="one that came in the same batch too",
        ),
        pytest.param(
            [step("merge", "Z01", successor="Z02"), step("merge", "Z02", successor="Z01")],
            ["change", "succession-loops", "units-left-behind"],
            id="successors in a ring",
        ),
        pytest.param(
            [step("move", "Z01", parent="Z01.05")], ["hierarchy-loops"], id="under its own unit"
        ),
        pytest.param([step("move", "Z02", parent="Z09")], ["agency-ended"], id="under what ended"),
        pytest.param(
            [step("register", "Z03", name="Three", parent="Z02")], ["change"], id="a new unit"
        ),
        pytest.param(
            [step("register", "Z03", name="Three", parent="Z03")],
            ["hierarchy-loops"],
            id="a new one under itself",
        ),
        pytest.param(
            [step("register", "Z03", name="Three", parent="Z07")],
            ["parent-unknown"],
            id="a new one under nobody",
        ),
        pytest.param(
            [step("register", "Z03", name="Three", parent="Z09")],
            ["agency-ended"],
            id="a new one under what ended",
        ),
        pytest.param([step("move", "Z01.05")], ["change"], id="to the top"),
        pytest.param(
            [step("merge", "Z02", successor="Z09")], ["successor-dissolved"], id="into what ended"
        ),
        pytest.param(
            [step("merge", "Z02", successor="Z07")], ["successor-unknown"], id="into nobody"
        ),
    ],
)
def test_rehearsing(steps, outcomes):
    ready, report = rehearsed(*steps)
    assert [one.problem or one.outcome for one in report] == outcomes
    assert [one.step for one in report[: len(steps)]] == list(range(1, len(steps) + 1))
    assert all((one.outcome == "conflict") == (one.problem is not None) for one in report)
    assert [one.model_copy(update={"line": ()}) for one in ready.steps] == steps


def test_the_lines_are_those_of_the_step_in_its_turn():
    ready, _ = rehearsed(
        step("merge", "Z02", successor="Z01"), step("move", "Z01.05", parent="Z01.06")
    )
    assert [one.line for one in ready.steps] == [("Z01",), ("Z01.06", "Z01")]


def test_each_step_is_a_command_of_its_own_and_of_the_same_id_each_time():
    event = order(RENAME, step("dissolve", "Z01"), step("register", "Z03", name="Three"))
    ids = [command.origin.command_id for _, _, command in reactions.react(event, ORIGIN)]
    later = ORIGIN.model_copy(update={"command_id": "c2"})
    assert len(set(ids)) == 3
    assert [c.origin.command_id for _, _, c in reactions.react(event, later)] == ids


@pytest.mark.parametrize(
    "fields",
    [
        {"act": "rename", "code": "Z01"},
        {"act": "register", "code": "Z01", "name": " "},
        {"act": "merge", "code": "Z01"},
        {"act": "vanish", "code": "Z01"},
        {"act": "dissolve", "code": "Z01", "line": ["Z02"]},
    ],
)
def test_steps_that_do_not_fit(fields):
    with pytest.raises(ValidationError):
        WantedStep(**fields)


CODES = ["Z01", "Z01.05", "Z01.06", "Z02", "Z03", "Z09"]
STEPS = st.builds(
    step,
    st.sampled_from(["register", "rename", "move", "merge", "dissolve"]),
    st.sampled_from(CODES),
    name=st.sampled_from(["One", "Two"]),
    parent=st.none() | st.sampled_from(CODES),
    successor=st.sampled_from(CODES),
)


class ReorganisationLife(RuleBasedStateMachine):
    """A batch that was rehearsed without conflict is carried out without one, twice over."""

    def __init__(self):
        super().__init__()
        self.known = register()

    @rule(steps=st.lists(STEPS, min_size=1, max_size=4))
    def reorganise(self, steps):
        ready, report = rehearse(order(*steps), ORIGIN, self.find, self.units)
        if any(one.outcome == "conflict" for one in report):
            return
        changed = []
        for _, code, command in reactions.react(ready, ORIGIN):
            events = decide(command, self.find(code))
            changed.append("change" if events else "so")
            self.known[code] = agency.fold(events, self.find(code))
        assert changed == [one.outcome for one in report]

    def find(self, code):
        return self.known.get(code, Agency())

    def units(self, code):
        return [one for one, state in self.known.items() if state.parent == code]

    @invariant()
    def nobody_is_lost(self):
        for state in self.known.values():
            above, heir = state, state
            for _ in self.known:
                above = self.find(above.parent) if above.parent else above
                heir = self.find(heir.successor) if heir.successor else heir
            # Whoever lives stands under those who live, and whoever merged has an heir.
            assert above.parent is None
            assert heir.successor is None
            assert state.ended or state.parent is None or not self.find(state.parent).ended


TestReorganisationLife = ReorganisationLife.TestCase
# Each step of a batch is a whole table of its own: a few of them go a long way.
TestReorganisationLife.settings = settings(max_examples=20, stateful_step_count=10)


administrator = Gateway(app, caller("administrator"))


@pytest.fixture
def deployment():
    with on_moto():
        for code, parent in (("Z01", None), ("Z01.05", "Z01"), ("Z02", None)):
            body = {"code": code, "name": code, "source": "demo data", "parent": parent}
            assert send("POST", "/agencies", body).status == 201
        follow()
        yield


def send(method, path, body=None, key=None):
    headers = {"idempotency-key": key or str(uuid4())}
    return administrator.call(method, path, body, headers)


def follow():
    runtime.sequencer().sweep()
    for projection in registry.PROJECTIONS:
        if "agency" in projection.categories:
            runtime.projector().follow(projection)


def carry_out():
    workers.react({}, SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000))


STEPS_ASKED = [
    {"act": "register", "code": "Z03", "name": "Demo agency three"},
    {"act": "move", "code": "Z01.05", "parent": "000.00.00.Z03"},
    {"act": "merge", "code": "Z01", "successor": "Z03"},
    {"act": "rename", "code": "Z02", "name": "Z02"},
]
ASKED = {"effective_on": "2026-07-01", "source": "demo data", "steps": STEPS_ASKED}


def test_a_reorganisation_is_rehearsed_ordered_and_followed(deployment):
    report = send("POST", "/reorganisations", ASKED)
    assert report.status == 200
    assert [one["outcome"] for one in report.json["steps"]] == ["change", "change", "change", "so"]
    assert report.json["conflicts"] == []
    assert runtime.event_store().load("agency-Z03") == []

    key = str(uuid4())
    ordered = [send("POST", "/reorganisations", ASKED | {"dry_run": False}, key) for _ in range(2)]
    assert [answer.status for answer in ordered] == [201, 201]
    path = ordered[0].headers["Location"]
    assert ordered[1].headers["Location"] == path
    waiting = administrator.call("GET", path).json
    assert (waiting["waiting"], {one["state"] for one in waiting["steps"]}) == (4, {"waiting"})

    follow()
    carry_out()
    runtime.checkpoints().dynamodb.delete_item(**runtime.checkpoints().place)
    carry_out()  # All of it again, as after lost checkpoints: nothing is done twice.
    done = administrator.call("GET", path).json
    assert [(one["state"], one["seen"]) for one in done["steps"]] == [
        ("done", "agency-Z03@1"),
        ("done", "agency-Z01.05@2"),
        ("done", "agency-Z01@2"),
        ("so", None),
    ]
    again = send("POST", "/reorganisations", ASKED | {"dry_run": False}, key)
    assert (again.status, again.headers["Location"]) == (201, path)
    follow()
    assert [one["code"] for one in send("GET", "/agencies/Z03/units").json["items"]] == ["Z01.05"]
    assert send("GET", "/agencies/Z01").json["heirs"] == ["Z03"]


def test_in_conflict_nothing_is_ordered(deployment):
    asked = ASKED | {"steps": [STEPS_ASKED[0], STEPS_ASKED[2]]}
    report = send("POST", "/reorganisations", asked).json
    assert [(one["step"], one["problem"], one["detail"]) for one in report["conflicts"]] == [
        (2, "units-left-behind", "Z01.05")
    ]
    refused = send("POST", "/reorganisations", asked | {"dry_run": False})
    assert (refused.status, refused.json["code"]) == (409, "reorganisation-in-conflict")
    assert runtime.event_store().load("agency-Z03") == []


def test_a_step_that_somebody_made_impossible_meanwhile_says_so(deployment):
    path = send("POST", "/reorganisations", ASKED | {"dry_run": False}).headers["Location"]
    end = {"effective_on": "2026-06-01", "source": "demo data"}
    assert send("PUT", "/agencies/Z01/dissolution", end).status == 202
    follow()
    carry_out()
    third = administrator.call("GET", path).json["steps"][2]
    assert (third["state"], third["problem"]) == ("refused", "agency-ended")


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"steps": []}, "invalid-request"),
        ({"steps": [{"act": "merge", "code": "Z01"}]}, "invalid-request"),
        ({"steps": [STEPS_ASKED[3]] * 201}, "invalid-request"),
        ({"source": ""}, "invalid-request"),
        ({"steps": [{"act": "dissolve", "code": "nobody"}]}, "agency-code-invalid"),
    ],
)
def test_a_reorganisation_that_does_not_fit(deployment, fields, refusal):
    assert send("POST", "/reorganisations", ASKED | fields).json["code"] == refusal


@pytest.mark.parametrize("name", ["0" * 26, "nobody", "Z01"])
def test_a_reorganisation_that_is_not_there(deployment, name):
    answer = administrator.call("GET", f"/reorganisations/{name}")
    assert (answer.status, answer.json["code"]) == (404, "reorganisation-unknown")


@pytest.mark.parametrize("role", ["citizen", "officer", "system", "auditor"])
def test_only_administrators_reorganise(role):
    other = Gateway(app, caller(role, agency="Z01"))
    assert other.call("POST", "/reorganisations", ASKED).json["code"] == "role-not-allowed"
