"""Positions: moved together, forward only, whoever else moves them."""

from threading import Thread

import pytest
from axis import once
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shelves import DYNAMODB

from chalicelib.projector.checkpoints import Run, positions

both = pytest.mark.parametrize("axis", DYNAMODB, indirect=True)


def now(axis):
    return positions(axis.checkpoints.item())


@both
def test_all_are_moved_in_one_write(axis):
    assert axis.checkpoints.get("a") == 0
    axis.rack.calls.clear()
    axis.checkpoints.advance({"a": 3, "view/of-an-odd.name~1": 4})
    assert axis.rack.calls == ["UpdateItem"]
    assert now(axis) == {"a": 3, "view/of-an-odd.name~1": 4}
    axis.checkpoints.advance({})
    assert axis.rack.calls[1:] == ["GetItem"]


@both
def test_who_is_further_stays_there_and_the_others_are_moved(axis):
    axis.checkpoints.advance({"a": 9, "b": 2, "c": 5})
    axis.checkpoints.advance({"a": 5, "b": 5, "c": 5, "d": 5})
    assert now(axis) == {"a": 9, "b": 5, "c": 5, "d": 5}


@both
def test_another_run_moves_some_of_them_at_the_same_moment(axis):
    axis.checkpoints.advance({"a": 1, "b": 1, "c": 1})
    moves = [{"a": 9, "b": 3}, {"b": 9}]
    for other in moves:
        axis.listen(
            "before-call.dynamodb.UpdateItem",
            once(lambda other=other: axis.checkpoints.advance(other)),
        )
    axis.checkpoints.advance({"a": 5, "b": 5, "c": 5})
    assert now(axis) == {"a": 9, "b": 9, "c": 5}


def test_more_than_one_update_holds(axis):
    axis.rack.calls.clear()
    axis.checkpoints.advance({f"a-question-with-a-long-name-{n}~1": 7 for n in range(120)})
    assert axis.rack.calls == ["UpdateItem"] * 3
    assert set(now(axis).values()) == {7}
    assert len(now(axis)) == 120


def test_whatever_several_runs_do_each_follower_is_where_the_furthest_brought_it(axis):
    names = st.sampled_from("abcd")
    runs = st.lists(st.dictionaries(names, st.integers(1, 30), min_size=1), max_size=6)

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(runs)
    def check(moves):
        axis.dynamodb.delete_item(**axis.checkpoints.place)
        threads = [Thread(target=axis.checkpoints.advance, args=(move,)) for move in moves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = {}
        for move in moves:
            expected |= {name: max(at, expected.get(name, 0)) for name, at in move.items()}
        assert now(axis) == expected

    check()


def test_a_run_writes_what_it_has_reached_once(axis):
    axis.checkpoints.advance({"a": 2})
    run = Run(axis.checkpoints)
    axis.rack.calls.clear()
    run.reach(["a", "b"], 4)
    run.reach(["b"], 6)
    assert (run.at("a"), run.at("b"), run.at("c"), run.foremost) == (4, 6, 0, 6)
    assert axis.rack.calls == []
    run.write()
    run.write()
    assert axis.rack.calls == ["UpdateItem"]
    assert now(axis) == {"a": 4, "b": 6}
