"""Which rights are taken away, and with which journey each is tried."""

import pytest

from infra.grants import GRANTS
from infra.package import ROOT
from infra.permissions import BATCH, BY_TEST, TRIES, Plan, Right, rights, thing_of

ONE, OTHER = (
    Right("React", f"dynamodb:{action}", "EventsTable") for action in ("Query", "PutItem")
)
TOOK = {"long": 100.0, "short": 5.0, "shorter": 4.0}


def test_no_right_is_granted_twice():
    for granted in GRANTS.values():
        named = [
            (action, thing_of(resource))
            for statement in granted
            for action in statement["Action"]
            for resource in statement["Resource"]
        ]
        assert len(set(named)) == len(named)


def test_rights_are_named_as_the_template_names_things():
    every = rights()
    for right in (
        Right("Seal", "kms:Sign", "LogKey"),
        Right("Pay", "dynamodb:Query", "ViewsTable/index/by_sort"),
        Right("Intake", "s3:PutObject", "ContentBucket/bodies/*"),
        Right("Notify", "ses:SendEmail", "*"),
    ):
        assert every.count(right) == 1


@pytest.mark.parametrize(
    ("right", "asks"),
    [
        pytest.param(("sqs:ReceiveMessage", "SealQueue"), True, id="reads a queue"),
        pytest.param(("sqs:SendMessage", "StreamFailuresQueue"), True, id="gives records up"),
        pytest.param(("sqs:SendMessage", "DeliverQueue"), False, id="we ring ourselves"),
        pytest.param(("dynamodb:GetRecords", "EventsTable/stream/*"), True, id="reads a stream"),
        pytest.param(("dynamodb:Query", "EventsTable"), False, id="we load ourselves"),
        pytest.param(("s3:ListBucket", "ContentBucket"), True, id="sees what is missing"),
        pytest.param(("s3:GetObject", "LogBucket/tile/*"), False, id="we read ourselves"),
    ],
)
def test_what_aws_alone_asks_for(right, asks):
    assert bool(Right("Seal", *right).by_aws) is asks


@pytest.mark.parametrize("right", BY_TEST, ids=str)
def test_what_no_journey_waits_for_has_a_test_that_asks(right):
    assert right in rights()
    path, _, name = BY_TEST[right].rpartition(": ")[2].partition("::")
    assert f"def {name}(" in (ROOT / path).read_text()


def test_a_workers_right_is_not_tried_with_a_journey_that_is_over_too_soon():
    took = TOOK | {"at once": 0.1}
    api = Right("APIHandler", "dynamodb:Query", "EventsTable")
    tried = {}
    plan = Plan({right: ["at once", "short"] for right in (ONE, api)}, took)
    while batch := plan.next():
        tried |= batch.rights
    assert tried == {ONE: ["short"], api: ["at once", "short"]}
    assert Plan({ONE: ["at once"]}, took).next() == ("at once", {ONE: ["at once"]}, False)


def test_rights_that_a_cheap_journey_asks_for_go_together():
    plan = Plan({ONE: ["long", "shorter", "short"], OTHER: ["short", "long"]}, TOOK)
    assert plan.next() == (
        "short",
        {ONE: ["shorter", "short", "long"], OTHER: ["short", "long"]},
        False,
    )
    assert plan.next() is None


def test_a_right_is_tried_again_with_what_is_left():
    plan = Plan({ONE: ["long", "short"]}, TOOK)
    assert plan.next().journey == "short"
    assert plan.again(ONE, ["long"])
    assert plan.next() == ("long", {ONE: ["long"]}, False)
    assert not plan.again(ONE, [])
    assert plan.next() is None


def test_what_is_done_but_once_is_tried_where_nothing_has_run():
    plan = Plan({ONE: ["short"], OTHER: ["short"]}, TOOK)
    assert not plan.next().fresh
    plan.again(OTHER, ["short"])
    plan.again(ONE, ["short"], fresh=True)
    assert plan.next() == ("short", {ONE: ["short"]}, True)
    assert plan.next() == ("short", {OTHER: ["short"]}, False)


def test_a_plan_bounds_what_it_costs():
    many = [Right("React", f"demo:{number}", "Thing") for number in range(BATCH + 1)]
    names = [f"journey {number}" for number in range(TRIES + 1)]
    plan = Plan(dict.fromkeys(many, names), dict.fromkeys(names, 1.0))
    first, second = plan.next(), plan.next()
    assert (len(first.rights), len(second.rights)) == (BATCH, 1)
    assert {len(journeys) for journeys in first.rights.values()} == {TRIES}
