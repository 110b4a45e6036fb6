"""The interface described for programs: which routes there are, and what they take and answer."""

from pathlib import Path

from chalice.app import Response

import chalicelib
from chalicelib.http.resource import JSON, PUBLIC, Resource

routes = Resource(__name__)
FRESH_S = 300
"""For how long (seconds) anybody may keep the description."""


@routes.get("/openapi.json", allow=PUBLIC, fresh_s=FRESH_S)
def describe_interface() -> Response:
    """This interface as an OpenAPI 3.1 document: routes, roles, bodies, answers and problems."""
    # Made when the package is built; nothing is looked up to serve it.
    made = Path(chalicelib.__path__[0]) / "openapi.json"
    return Response(made.read_text(encoding="utf-8"), {"Content-Type": JSON}, status_code=200)
