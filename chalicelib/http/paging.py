"""Lists: how many, from where, and how current."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.http.resource import Answer, ok
from chalicelib.kernel import Invalid, Value
from chalicelib.projector.projection import Projection

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
Item = TypeVar("Item")


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


class Listed(TypedDict):
    """What a list says of each row beside its own fields.

    `id` is its key in that list, `seen` the version it is true at, written down at `updated_at`.
    """

    id: str
    seen: str
    updated_at: datetime


class Page(TypedDict, Generic[Item]):
    """A page of a list, true up to history position `as_of`.

    `next` is the cursor of the page after it, None after the last. `stale`: what the caller has
    seen is not in it yet.
    """

    items: list[Item]
    next: str | None
    as_of: int
    stale: bool


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
    by: str | list[str],
    keep: Callable[[dict[str, Any]], bool] | None = None,
    newest_first: bool = False,
    show: Callable[[dict[str, Any]], dict[str, Any]] = lambda item: item,
) -> Answer[Page[Any]]:
    """The page that was asked for of the rows in groups `by`: those to `keep`, as `show` has them.

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


def listing(items: list[Item], next_: str | None, as_of: int, *, stale: bool) -> Answer[Page[Item]]:
    """A page of a list, true up to history position `as_of`."""
    return ok({"items": items, "next": next_, "as_of": as_of, "stale": stale})
