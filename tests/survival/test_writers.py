"""11: fifty writers on one stream, all of whom have seen the same state."""

from threading import Barrier, Thread, current_thread

import pytest
from ballot import ballot, cast
from survival import safeguards
from survival.world import Violated, must

from chalicelib import runtime
from chalicelib.handle import Stale, handle

WRITERS = 50
STREAM = "ballot-1"


def at_once(world):
    """Nobody writes before everybody has read."""
    everybody = Barrier(WRITERS, timeout=600)
    waited, done = set(), []

    def wait(params, **_):
        who = current_thread()
        if params["TableName"] == runtime.table("events") and who not in waited:
            waited.add(who)
            everybody.wait()

    def vote(voter):
        while True:
            try:
                done.append(handle(runtime.event_store(), ballot, "1", cast(voter)))
            except Stale:  # As the API answers: come back later.
                continue
            return

    threads = [Thread(target=vote, args=(f"voter-{n}",)) for n in range(WRITERS)]
    with world.listening("provide-client-params.dynamodb.PutItem", wait):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600)
            assert not thread.is_alive()
    commits = runtime.event_store().load(STREAM)
    voters = [data["voter"] for commit in commits for data in commit.data()]
    must(len(voters) == len(set(voters)) == WRITERS, "no writer's commit is lost")
    assert sorted(answer.number for answer in done) == list(range(1, WRITERS + 1))
    world.sequence(*world.unannounced())
    world.project()
    world.check()


def test_fifty_writers_are_fifty_commits(world):
    at_once(world)


def test_they_would_not_be_without_the_condition(world):
    with safeguards.no_conditions(world, "events"), pytest.raises(Violated, match="commit is lost"):
        at_once(world)
