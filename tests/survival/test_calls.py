"""5, 7: calls to AWS that are refused, answered in part, or answered with half of an answer."""

from uuid import uuid4

import pytest
from survival import safeguards
from survival.calls import Throttle, cut_short, in_part
from survival.world import AFTER_A_DEATH, Violated, must

from chalicelib import runtime, workers


def send(world, throttle, sender, ours):
    """Hand a document over as clients do: what was refused with 503 is asked again."""
    body, key = world.document(ours), str(uuid4())
    for _ in range(100):
        with throttle():
            answer = world.try_("system", sender.code, "POST", "/documents", body, key)
        if answer.status == 201:
            world.accepted.append(answer.json["seen"])
            return
        must(answer.status == 503, "a caller is told to come back")
    raise Violated("a patient caller is heard")


def work(world, throttle):
    """One round of all workers; what fails is woken again later. How many failed."""
    places, lanes = world.unannounced(), world.due()
    failed = 0
    for worker in (
        lambda: world.sequence(*places),
        world.project,
        world.react,
        lambda: world.deliver(*lanes),
    ):
        try:
            with throttle():
                worker()
        except Exception:  # noqa: BLE001 -- as Lambda sees it: whatever it was, it comes again.
            failed += 1
            world.forget(*places)
    return failed


def storm(world):
    """Calls are throttled, three in ten, then all, then none."""
    sender, ours = world.join(), world.join()
    some, all_ = Throttle(world, 0.3), Throttle(world, 1)
    for _ in range(4):
        send(world, some, sender, ours)
        work(world, some)
    with all_():
        answer = world.try_("system", sender.code, "POST", "/documents", world.document(ours))
    must(answer.status == 503, "nothing is accepted that is not stored")
    failed = work(world, all_)
    must(failed, "nothing is acknowledged that is not done")
    assert some.refused > 20
    world.later(AFTER_A_DEATH)
    world.settle()


def test_nothing_is_lost_while_aws_throttles(world):
    storm(world)
    world.check()


def test_it_would_be_if_refusals_were_passed_over(world):
    with safeguards.refusals_passed_over(world), pytest.raises(Violated, match="stored"):
        storm(world)


def partly(world):
    """Whoever asks for several items gets half of them, and is told which are left."""
    sender, ours = world.join(), world.join()
    with in_part(world) as parts:
        documents = [world.send(sender, ours) for _ in range(3)]
        world.settle()
        for document in documents:
            world.revoke(sender, document)
        world.settle()
    assert {runtime.table("events"), runtime.table("views")} <= set(parts)
    world.check()


def test_what_a_batch_left_is_asked_for_again(world):
    partly(world)


def test_it_would_be_missing_if_nobody_asked(world):
    with safeguards.leftovers_dropped(world), pytest.raises(Violated, match="clean fold"):
        partly(world)


def halved(world):
    """Every fifth answer of DynamoDB comes as half of its bytes."""
    sender, ours = world.join(), world.join()
    with cut_short(world, every=5) as halves:
        for _ in range(3):
            body = world.document(ours)
            answer = world.try_("system", sender.code, "POST", "/documents", body)
            must(answer.status == 201, "nobody notices")
        world.settle()
    assert len(halves) > 10
    world.check()


def test_half_an_answer_is_no_answer(world):
    halved(world)


def test_it_would_be_taken_for_one_without_checksums(world):
    with safeguards.no_checksums(world), pytest.raises(Violated, match="nobody notices"):
        halved(world)


def held(world):
    """One of three lanes that are rung together is held by another runner."""
    sender, receivers = world.join(), [world.join() for _ in range(3)]
    world.send(sender, *receivers)
    world.sequence(*world.unannounced())
    world.project()
    lanes = [f"{each.code}#normal" for each in receivers]
    runtime.lanes().lease(lanes[1], "another runner", world.now())
    failed = world.deliver(*lanes)
    for lane, each in zip(lanes, receivers, strict=True):
        must(lane in failed or len(each.acted) == 1, "what is acknowledged is done")
    assert failed == lanes[1:2]
    world.later(AFTER_A_DEATH)
    world.deliver(*failed)
    world.settle()
    world.check()


def test_a_batch_is_acknowledged_in_part(world):
    held(world)


def test_it_would_not_be_if_a_held_lane_counted_as_served(world):
    with safeguards.everything_acknowledged(world), pytest.raises(Violated, match="is done"):
        held(world)


@pytest.mark.parametrize("body", ["", "not JSON", "[]", '{"lane": 7}', '{"lane": "no lane"}'])
def test_a_malformed_record_acknowledges_nothing_it_has_not_done(world, body):
    """Either the reply names what failed, or the whole batch fails and comes again."""
    sender, ours = world.join(), world.join()
    world.send(sender, ours)
    world.sequence(*world.unannounced())
    world.project()
    good = f'{{"lane": "{ours.code}#normal"}}'
    records = [{"messageId": "1", "body": body}, {"messageId": "2", "body": good}]
    try:
        reply = workers.deliver({"Records": records}, world._process())
    except Exception:  # noqa: BLE001 -- Lambda's own view: nothing is acknowledged.
        reply = {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}]}
    failed = {failure["itemIdentifier"] for failure in reply["batchItemFailures"]}
    must("2" in failed or len(ours.acted) == 1, "what is acknowledged is done")
    world.settle()
    world.check()
