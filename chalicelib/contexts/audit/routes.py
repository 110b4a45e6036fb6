"""The auditor's replay over HTTP: the events, what stood when, what changed, and the export.

Every answer of it is written into the reader's own log: auditors are audited.
"""

from typing import TypeVar
from urllib.parse import unquote

from pydantic import Field

from chalicelib.contexts.audit import replay
from chalicelib.contexts.audit.access_log import HISTORY
from chalicelib.contexts.audit.cases import CaseTree, case
from chalicelib.http.paging import DEFAULT_LIMIT, MAX_LIMIT
from chalicelib.http.resource import Answer, Resource, fits, ok
from chalicelib.kernel import Value
from chalicelib.privacy.opened import note

T = TypeVar("T")


class StreamRequest(Value):
    """The query of `GET /history/streams/{stream}`: `after` is a commit number."""

    after: int = Field(default=0, ge=0, lt=replay.MAX_POSITION)
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)


class StateRequest(Value):
    """The query of `GET /history/states/{stream}`: a position or a time; now if none is given."""

    at: str | None = Field(default=None, max_length=64)


class DifferencesRequest(Value):
    """The query of `GET /history/differences/{stream}`: from the beginning to now, if left out."""

    before: str = Field(default="0", alias="from", max_length=64)
    after: str | None = Field(default=None, alias="to", max_length=64)


class CaseRequest(Value):
    """The query of `GET /history/cases/{correlation}`."""

    cursor: str | None = None
    seen: str | None = None


class ChunkRequest(Value):
    """The path of `GET /history/export/{first}`."""

    first: int = Field(ge=1, lt=replay.MAX_POSITION)


def resource(deciders: replay.Deciders) -> Resource:
    """The routes; `deciders` by the category of stream that each decides."""
    routes = Resource(__name__)

    @routes.get("/history/events", allow={"auditor"})
    def search_history() -> Answer[replay.HistoryPage]:
        """Events in order of their positions: by actor, agency, type, time.

        404 `position-not-there-yet`.
        """
        return _told(replay.search(routes.build(replay.Search, **routes.query())))

    @routes.get("/history/streams/{stream}", allow={"auditor"})
    def see_stream(stream: str) -> Answer[replay.HistoryPage]:
        """A stream's events, the chain of its commits verified. 404 `stream-unknown`."""
        asked = routes.build(StreamRequest, **routes.query())
        return _told(replay.stream_page(unquote(stream), asked.after, asked.limit))

    @routes.get("/history/cases/{correlation}", allow={"auditor"})
    def see_case(correlation: str) -> Answer[CaseTree]:
        """A case across streams: a tree of what followed from what. 404 `case-unknown`."""
        asked = routes.build(CaseRequest, **routes.query())
        return _told(case(unquote(correlation), asked.cursor, asked.seen))

    @routes.get("/history/states/{stream}", allow={"auditor"})
    def see_state(stream: str) -> Answer[replay.StreamState]:
        """What stood at a position or a time: folded as its decider folds it.

        404 `stream-unknown`, `stream-not-begun`, `position-not-there-yet`.
        """
        asked = routes.build(StateRequest, **routes.query())
        return _told(replay.state(deciders, unquote(stream), asked.at))

    @routes.get("/history/differences/{stream}", allow={"auditor"})
    def see_differences(stream: str) -> Answer[replay.StreamDifferences]:
        """What changed between `from` and `to`: the events between, and the fields that differ."""
        asked = routes.build(DifferencesRequest, **routes.query())
        return _told(replay.differences(deciders, unquote(stream), asked.before, asked.after))

    @routes.get("/history/export/{first}", allow={"auditor"}, step_up=True)
    def export(first: str) -> Answer[replay.ExportChunk]:
        """A link to a chunk of all events from this position on, one CloudEvent a line.

        404 `position-not-there-yet`.
        """
        return _told(replay.export(routes.build(ChunkRequest, first=first).first))

    return routes


def _told(data: T) -> Answer[T]:
    """The answer, noted as a reading of history."""
    note(HISTORY)
    response = ok(data)
    if not fits(response.body):
        raise replay.AnswerTooLarge
    return response
