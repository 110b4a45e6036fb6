"""What applicants were told, over HTTP."""

from chalice.app import Response

from chalicelib.contexts.dossiers.acting import seen_by
from chalicelib.contexts.dossiers.notices.ledger import ledger
from chalicelib.http.resource import Resource, ok

routes = Resource(__name__)


@routes.get("/dossiers/{dossier_id}/notices", allow={"citizen", "officer", "system", "auditor"})
def see_notices(dossier_id: str) -> Response:
    """What the applicant was told of a dossier: of which event, how, and what became of it.

    In the order it happened; who chose to hear nothing was told nothing.
    """
    found = seen_by(routes.caller(), dossier_id)
    told = ledger().about(f"dossier-{found.state.dossier}")
    shown = {"type", "at", "way", "state", "tries", "reason", "changed_at"}
    return ok({"items": [notice.model_dump(mode="json", include=shown) for notice in told]})
