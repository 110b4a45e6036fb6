"""Requests as API Gateway hands them to the application, once its authorizer has let them in."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import contract
from chalice.app import Chalice
from chalice.local import RouteMatcher


@dataclass(frozen=True)
class Answer:
    """What the application gives back to the gateway."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Gateway:
    """An API of `app`; `caller` is the authorizer's context, None for a route without token."""

    app: Chalice
    caller: Mapping[str, str] | None = None

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        binary: bool = False,
        params: Mapping[str, str] | None = None,
        twice: Mapping[str, list[str]] | None = None,
    ) -> Answer:
        """Send one request; a body that is not bytes goes as JSON.

        `params` fill the names in a `path` as routes are written, `twice` are headers with all
        their values.
        """
        path, _, query = path.partition("?")
        route = RouteMatcher(list(self.app.routes)).match_route(path)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            data = base64.b64encode(data).decode() if binary else data.decode()
        context = {
            "httpMethod": method,
            "resourcePath": route.route,
            "requestId": "gateway-request-1",
            "identity": {},
        }
        if self.caller is not None:
            context["authorizer"] = dict(self.caller)
        event = {
            "requestContext": context,
            "headers": {"content-type": "application/json"} | dict(headers or {}),
            "multiValueHeaders": dict(twice or {}),
            "pathParameters": route.captured if params is None else dict(params),
            "multiValueQueryStringParameters": parse_qs(query, keep_blank_values=True) or None,
            "stageVariables": None,
            "body": data,
            "isBase64Encoded": binary,
        }
        given = self.app(event, None)
        contract.check(
            method, route.route, given["statusCode"], given["headers"], given["body"] or ""
        )
        return Answer(given["statusCode"], given["headers"], given["body"])


def caller(
    role: str, subject: str = "subject-1", agency: str = "", assurance: int = 2, unit: str = ""
):
    """The context the authorizer gives for a token."""
    context = {"principalId": subject, "role": role, "assurance": str(assurance)}
    # Just now, whatever a test's clock says.
    context["authenticated"] = "9999999999"
    return context | ({"agency": agency} if agency else {}) | ({"unit": unit} if unit else {})
