"""A receiver takes its time to answer: the others do not wait for it."""

from threading import Event


def test_a_slow_receiver_holds_up_nobody_else(world):
    sender, slow, quick = world.join(), world.join(), world.join()
    world.send(sender, slow, quick)
    world.settle(deliver=False)
    came = Event()

    def say_so(_got):
        came.set()
        return 200

    quick.policy = say_so
    # It answers when the other one has its message; were they served in turn, that is never.
    slow.policy = lambda _got: 200 if came.wait(600) else 503
    assert world.deliver(f"{slow.code}#normal", f"{quick.code}#normal") == []
    assert len(slow.got) == len(quick.got) == 1
