"""A receiver is down for a while, and every wake-up for it is lost meanwhile."""

from concurrent.futures import ThreadPoolExecutor

from journeys.journey import id_of, until

from chalicelib.delivery.outbox import message_id

COUNT = 30
CLERKS = 4
"""Who sends at the same time."""


def test_a_receiver_that_was_down_gets_everything_in_order(journey, capsys):
    sender, down, up = journey.join(), journey.join(), journey.join()
    down.down()
    # The last one is sent when nobody listens for wake-ups, so that there is one to lose.
    receivers = [*[down, up] * (COUNT - 1), up]
    with ThreadPoolExecutor(CLERKS) as clerks:
        ids = list(clerks.map(lambda to: (id_of(journey.send(sender, [to])), to), receivers))
    until(f"{COUNT} documents at the other", lambda: len(up.received) >= COUNT)
    assert not down.received
    sqs = journey.client("sqs")
    queue = journey.name("DeliverQueue")
    with journey.deaf("Deliver"):
        ids.append((id_of(journey.send(sender, [down])), down))
        until("a wake-up", lambda: waiting(sqs, queue))
        lost = waiting(sqs, queue)
        sqs.purge_queue(QueueUrl=queue)
        assert waiting(sqs, queue) == 0
    down.up()

    def caught_up():
        journey.ring("Deliver")
        return len({message.id for message in down.received}) == COUNT

    until(f"{COUNT} documents at the one that was down", caught_up)
    positions = journey.history.positions([(f"document-{id_}", 1) for id_, _ in ids])
    for agency in (up, down):
        sent = [f"document-{id_}" for id_, to in ids if to is agency]
        in_order = sorted(sent, key=lambda stream: positions[stream, 1])
        first_seen = list(dict.fromkeys((m.sequence, m.id) for m in agency.received))
        assert first_seen == [
            (sequence, message_id(stream, 1, 0, agency.code))
            for sequence, stream in enumerate(in_order, start=1)
        ]
        assert not agency.rejected
    attempts = journey.api.get(f"/messages/{down.received[0].id}/attempts", role="auditor")
    failures = [a["reason"] for a in attempts["attempts"] if a["status"] != 200]
    assert failures
    with capsys.disabled():
        print(  # noqa: T201 -- the figures are what this test is asked for.
            f"\noutage: {len(up.received)} at once, {len(down.received)} afterwards, of {COUNT}"
            f" each; {len(failures)} failed attempts, {lost} wake-ups lost",
            end="",
        )


def waiting(sqs, queue):
    """Wake-ups that nobody has taken yet."""
    name = "ApproximateNumberOfMessages"
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
    return int(found["Attributes"][name])
