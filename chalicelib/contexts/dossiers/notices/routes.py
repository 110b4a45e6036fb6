"""What applicants were told, over HTTP."""

from datetime import datetime

from typing_extensions import TypedDict

from chalicelib.contexts.dossiers.acting import seen_by
from chalicelib.contexts.dossiers.notices.ledger import State, Way, ledger
from chalicelib.http.resource import Answer, Resource, ok

routes = Resource(__name__)


class DossierNotice(TypedDict):
    """What was told of the event `type`, how, and what became of it.

    The event happened at `at`. `tries` counts how often it was sent in vain, `changed_at` is when
    `state` changed, `reason` why it failed, as one word.
    """

    type: str
    at: datetime
    way: Way
    state: State
    tries: int
    reason: str
    changed_at: datetime


class DossierNotices(TypedDict):
    """All that the applicant of a dossier was told, in the order it happened."""

    items: list[DossierNotice]


@routes.get("/dossiers/{dossier_id}/notices", allow={"citizen", "officer", "system", "auditor"})
def see_notices(dossier_id: str) -> Answer[DossierNotices]:
    """What the applicant was told of a dossier: of which event, how, and what became of it.

    In the order it happened; who chose to hear nothing was told nothing.
    """
    found = seen_by(routes.caller(), dossier_id)
    items: list[DossierNotice] = [
        {
            "type": notice.type,
            "at": notice.at,
            "way": notice.way,
            "state": notice.state,
            "tries": notice.tries,
            "reason": notice.reason,
            "changed_at": notice.changed_at,
        }
        for notice in ledger().about(f"dossier-{found.state.dossier}")
    ]
    return ok({"items": items})
