"""A letter is the same at every attempt, except that it forgets whom the axis has forgotten."""

from contexts.documents.edxml.demo_messages import read
from contexts.documents.mail import first_letter
from gateway import Gateway, caller
from journeys.journey import MARK, STAFF, edxml_document
from survival.world import world

from app import app
from chalicelib import runtime

PERSONAL = [STAFF["staff"].encode(), MARK.encode()]


def test_a_letter_that_was_kept_is_written_anew_once_its_clerk_is_forgotten():
    with world() as axis:
        sender, receiver = axis.join(settle=False), axis.join()
        gateway = Gateway(app, caller("system", f"system-{sender.code}", sender.code))
        key = {"idempotency-key": "00000000-0000-4000-8000-000000000000"}
        message = edxml_document(sender, [receiver], code_number="8101")
        typed = {"content-type": "application/xml", **key}
        assert gateway.call("POST", "/edxml", message, typed).status == 201
        axis.settle()
        before = first_letter(receiver)
        assert all(name in before for name in PERSONAL)
        assert first_letter(receiver) == before
        commit = runtime.event_store().load(
            runtime.outbox().message(f"{receiver.code}#normal", 1).stream
        )[0]
        [staff] = [data["staff"] for data in commit.data() if data.get("staff")]
        runtime.vault().keys.forget(staff["subject"])
        after = first_letter(receiver)
        assert not any(name in after for name in PERSONAL)
        assert read(after)[0].subject == read(before)[0].subject
        assert first_letter(receiver) == after
