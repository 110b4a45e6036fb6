import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.http.paging import InvalidLimit, PageRequest, listing, page_request


def test_without_a_wish_fifty_from_the_start():
    assert page_request(None) == page_request({}) == PageRequest(limit=50)


def test_a_wish():
    asked = page_request({"limit": "200", "cursor": "abc", "seen": "agency-G22@3", "q": "x"})
    assert asked == PageRequest(limit=200, cursor="abc", seen="agency-G22@3")


@pytest.mark.parametrize("limit", ["", "0", "201", "-1", "1.5", "x", "٣", "9" * 5_000, " 1"])
def test_a_limit_that_is_none(limit):
    with pytest.raises(InvalidLimit):
        page_request({"limit": limit})


@given(st.text())
def test_any_limit_is_read_or_refused(limit):
    with suppress(InvalidLimit):
        assert 1 <= page_request({"limit": limit}).limit <= 200


def test_a_listing_says_how_current_it_is():
    answer = listing([{"a": 1}], None, 7, stale=True)
    assert json.loads(answer.body) == {
        "items": [{"a": 1}],
        "next": None,
        "as_of": 7,
        "stale": True,
    }
