"""Lists: how many, from where, and how current."""

from collections.abc import Callable, Mapping
from typing import Any

from chalice.app import Response

from chalicelib import runtime
from chalicelib.http.resource import ok
from chalicelib.kernel import Invalid, Value
from chalicelib.projector.projection import Projection

DEFAULT_LIMIT, MAX_LIMIT = 50, 200


class InvalidLimit(Invalid):
    """`limit` must be a whole number from 1 to 200."""

    code = "invalid-limit"


class PageRequest(Value):
    """What the caller wants to see of a list.

    `cursor` is the `next` of the page before; `seen` a version, `stream@number`, that the list
    should already hold. Whoever keeps the list checks both.
    """

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None
    seen: str | None = None


def page_request(query: Mapping[str, str] | None) -> PageRequest:
    """Read `limit`, `cursor` and `seen` from the query.

    Raises:
        InvalidLimit: not a whole number from 1 to 200.
    """
    asked = query or {}
    limit = asked.get("limit", str(DEFAULT_LIMIT))
    # `isascii`: other scripts' digits are decimal too, and not what anybody means here.
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= len(str(MAX_LIMIT))):
        raise InvalidLimit(field="limit")
    if not 1 <= int(limit) <= MAX_LIMIT:
        raise InvalidLimit(field="limit")
    return PageRequest(limit=int(limit), cursor=asked.get("cursor"), seen=asked.get("seen"))


def page_of(
    question: Projection[Any],
    asked: PageRequest,
    *,
    by: str,
    keep: Callable[[dict[str, Any]], bool] | None = None,
    newest_first: bool = False,
    show: Callable[[dict[str, Any]], dict[str, Any]] = lambda item: item,
) -> Response:
    """The page that was asked for of the rows in group `by`: those to `keep`, as `show` has them.

    Raises:
        InvalidCursor, InvalidSeen: see `Views.page`.
    """
    found = runtime.views().page(
        question,
        by=by,
        limit=asked.limit,
        cursor=asked.cursor,
        seen=asked.seen,
        keep=keep,
        newest_first=newest_first,
    )
    items = [show(item) for item in found.items]
    return listing(items, found.next, found.as_of, stale=found.stale)


def listing(items: list[dict[str, Any]], next_: str | None, as_of: int, *, stale: bool) -> Response:
    """A page of a list, true up to history position `as_of`.

    `stale`: what the caller has seen is not in it yet.
    """
    return ok({"items": items, "next": next_, "as_of": as_of, "stale": stale})
