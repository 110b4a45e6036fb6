"""8, 9, 15: receivers that are down for days, whose answers get lost, whose keys change."""

from base64 import b64encode
from datetime import timedelta

import pytest
from survival import safeguards
from survival.world import Violated, must, public

DAYS = timedelta(hours=72)


def down(world):
    """A receiver is down for 72 hours while documents keep coming; every retry is made.

    It asks for three hours each time, so that there are fewer of them to make here.
    """
    sender, ours, other = world.join(), world.join(), world.join()
    ours.policy, ours.headers = lambda _got: 503, {"retry-after": "10800"}
    begun, sent, tried = world.true_time(), 0, 0
    while (gone := world.true_time() - begun) < DAYS:
        if gone >= sent * DAYS / 4:
            world.send(sender, ours, other)
            sent += 1
            world.settle()
            must(len(other.acted) == sent, "others are not affected")
        tried += len(world.due())
        world.deliver(*world.due())
        world.later(world.until_next_retry(timedelta(hours=6)))
    ours.policy = lambda _got: 200
    world.later(timedelta(hours=3))
    world.settle()
    world.check()
    return tried


def test_a_receiver_that_is_down_for_days_gets_everything_in_order(world):
    assert down(world) > 15


def test_it_would_not_if_we_gave_up_after_ten_tries(world):
    with safeguards.ten_tries(world), pytest.raises(Violated, match="lost"):
        down(world)


def deaf(world):
    """A receiver takes every message, and its answer is lost the first time."""
    sender, ours = world.join(), world.join()
    heard = set()

    def take(got):
        if got.data["document"] in heard:
            return 200
        heard.add(got.data["document"])
        ours.keep(got)
        return 503

    ours.policy = take
    documents = [world.send(sender, ours) for _ in range(3)]
    world.settle()
    while world.lanes_wait():
        world.later(timedelta(minutes=1))
        world.deliver(*world.due())
    world.settle()
    assert len(ours.got) == 2 * len(documents)
    must(len(ours.acted) == len(documents), "a receiver acts once on each message")


def test_a_lost_answer_leads_to_a_repeat_with_the_same_id(world):
    deaf(world)
    world.check()


def test_it_would_be_acted_upon_twice_under_a_fresh_id(world):
    with safeguards.fresh_ids(world), pytest.raises(Violated, match="acts once"):
        deaf(world)


def rotating(world):
    """An agency's secret and key change while messages are under way in both directions."""
    old, new = b"an old secret of demo agencies..", b"a new secret of demo agencies..."
    sender, ours = world.join(), world.join(secret=old)
    ours.policy = lambda _got: 503
    documents = [world.send(sender, ours) for _ in range(3)]
    world.settle()
    secret = {"endpoint": ours.url, "signature": "v1", "webhook_secret": whsec(new)}
    world.administer("PUT", f"/agencies/{ours.code}/systems/demo", secret)
    ours.secrets.append(new)
    for _ in range(2):  # Before and after the axis's own views know of it.
        world.later(timedelta(hours=1))
        world.deliver(*world.due())
        world.settle()
    ours.secrets.remove(old)
    ours.policy = lambda _got: 200
    world.later(timedelta(hours=1))
    world.settle()
    must(not ours.refused, "every attempt verifies")
    return documents


def test_every_attempt_verifies_while_a_secret_changes(world):
    rotating(world)
    world.check()


def test_it_would_not_if_we_kept_the_address_of_before(world):
    with safeguards.addresses_kept(world), pytest.raises(Violated, match="every attempt verifies"):
        rotating(world)


def in_flight(world):
    """An agency rotates its key; what it signed before arrives after."""
    sender, ours = world.join(), world.join()
    first, second = (world.send(sender, ours) for _ in range(2))
    world.settle()
    old, ours.seed = ours.seed, bytes(range(32))
    path = f"/agencies/{ours.code}/systems/demo/keys"
    world.administer("PUT", path, {"public_key": public(ours.seed), "overlap_days": 2})
    world.settle()
    now = world.true_time()
    late = world.webhook(ours, first, "03", now, seed=old)
    must(late.status == 202, "what was signed with the old key is taken")
    assert world.webhook(ours, second, "03", now).status == 202
    world.later(timedelta(days=3))
    world.settle()
    now = world.true_time()
    assert world.webhook(ours, first, "05", now, seed=old).json["code"] == "signature-invalid"
    assert world.webhook(ours, first, "05", now).status == 202
    world.settle()
    world.check()


def test_what_is_under_way_while_a_key_rotates_is_taken(world):
    in_flight(world)


def test_it_would_not_be_without_the_overlap(world):
    with safeguards.newest_key_only(world), pytest.raises(Violated, match="old key"):
        in_flight(world)


def whsec(secret):
    return f"whsec_{b64encode(secret).decode()}"
