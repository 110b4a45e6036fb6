"""6: something that cannot be dealt with: only its own case stalls, and is set aside."""

import pytest
from survival import safeguards
from survival.world import Violated, must

from chalicelib import registry
from chalicelib.contexts.documents.domain.events import DocumentRevoked
from chalicelib.contexts.documents.projections import where_is_my_document
from chalicelib.projector.projection import event_types


def refused(world):
    """A receiver's system refuses one document for good, and takes all others."""
    sender, ours = world.join(), world.join()
    bad = world.send(sender, ours)
    world.sequence(*world.unannounced())
    good = world.send(sender, ours)
    ours.policy = lambda got: 422 if got.data["document"] == bad else 200
    world.settle()
    world.revoke(sender, bad)
    world.settle()
    must(ours.acted, "other cases go on")
    assert {got.data["document"] for got in ours.got} == {good}
    lane = world.ask("auditor", "", "GET", f"/lanes/{ours.code}/parked").json["items"]
    assert [one["reason"] for one in lane] == ["422", "behind"]
    world.check(cases=True)
    ours.policy = lambda _got: 200
    world.order("POST", f"/lanes/{ours.code}/parked/{lane[0]['message']}/release")
    world.settle()
    world.check(cases=True)
    told = [got.data.get("change", "document") for got in ours.got if got.data["document"] == bad]
    assert told == ["document", "revocation"]


def test_a_refused_message_holds_up_its_own_case(world):
    refused(world)


def test_it_would_hold_up_all_others_if_it_were_tried_again_and_again(world):
    with safeguards.nothing_final(world), pytest.raises(Violated, match="other cases go on"):
        refused(world)


class Poison:
    """A reaction to revocations that fails for one document until it is mended."""

    def __init__(self):
        self.victim = ""

    def react(self, event, _origin):
        if event.document == self.victim:
            raise ZeroDivisionError
        return ()

    def reaction(self):
        return registry.Reaction("poison", event_types(DocumentRevoked), self.react)


def poisoned(world, poison):
    """What should follow from one document's revocation cannot be done, by a fault of ours."""
    sender, ours = world.join(), world.join()
    bad, good = world.send(sender, ours), world.send(sender, ours)
    world.settle()
    poison.victim = bad
    for document in (bad, good):
        world.revoke(sender, document)
    world.sequence(*world.unannounced())
    world.project()
    try:
        world.react()
    except ZeroDivisionError:
        must(False, "other cases go on")
    world.settle()
    assert [d["document"] for d in world.events("copy.change_ordered")] == [good]
    (aside,) = world.ask("auditor", "", "GET", "/reactions/parked").json["items"]
    assert (aside["stream"], aside["reaction"], aside["error"]) == (
        f"document-{bad}",
        "poison",
        "ZeroDivisionError",
    )
    poison.victim = ""
    world.order("POST", f"/reactions/parked/document-{bad}/release")
    world.settle()
    world.check()


@pytest.fixture
def poison(monkeypatch):
    poison = Poison()
    monkeypatch.setattr(registry, "REACTIONS", [poison.reaction(), *registry.REACTIONS])
    return poison


def test_a_reaction_that_fails_holds_up_its_own_case(world, poison):
    poisoned(world, poison)


def test_it_would_hold_up_all_others_if_it_were_not_set_aside(world, poison):
    with safeguards.everything_may_pass(world), pytest.raises(Violated, match="other cases go on"):
        poisoned(world, poison)


def unfoldable(world, monkeypatch):
    """One view's fold fails from some event on; then it is mended."""
    victim = where_is_my_document.answer
    evolve, broken = victim.evolve, [True]

    def fold(row, event):
        if broken:
            raise ZeroDivisionError
        return evolve(row, event)

    sender, ours = world.join(), world.join()
    assert victim.name  # It is the name of the fold's module, and is kept.
    monkeypatch.setitem(victim.__dict__, "evolve", fold)
    document = world.send(sender, ours)
    try:
        world.settle()
    except ZeroDivisionError:
        must(False, "other views go on")
    assert ours.codes(document) == []
    assert sender.codes(document) == ["01"]
    broken.clear()
    with pytest.raises(Violated, match=victim.name):
        world.check()
    world.settle()
    world.check()


def test_a_view_that_fails_stalls_itself(world, monkeypatch):
    unfoldable(world, monkeypatch)


def test_it_would_stall_all_others_without_its_guard(world, monkeypatch):
    with safeguards.everything_may_pass(world), pytest.raises(Violated, match="other views go on"):
        unfoldable(world, monkeypatch)
