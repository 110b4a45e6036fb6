"""Refusals as people and programs read them: problem details with a stable code and their law.

Rule: RFC 9457. Extension members: `code`, `rule`, `field`, `errors` and `gateway_error` (the number
that the document gateways' `sendEdoc` gives for the same fault).
"""

import traceback
from collections.abc import Sequence
from typing import Any, NotRequired

from chalice.app import Response
from pydantic_core import to_json
from typing_extensions import TypedDict

from chalicelib.delivery.signatures import Unauthenticated
from chalicelib.kernel import Conflict, Forbidden, Invalid, NotFound, Refused

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:lienthong:problem:"
_MAX_ERRORS = 50
"""Faults named in one answer; who sends more mends these first."""


class StepUpRequired(Unauthenticated):
    """This needs a recent and strong authentication: log in again, then ask with the new token."""

    code = "step-up-required"
    rule = "RFC 9470"

    def __init__(self, max_age_s: int = 0, level: int = 0) -> None:
        super().__init__()
        self.wanted = {"max_age": max_age_s, "acr_values": str(level)}


_STATUS_OF_KIND: tuple[tuple[type[Refused], int], ...] = (
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 422),
)
_STATUS_OF_CODE = {
    "header-twice": 400,
    "idempotency-key-invalid": 400,
    "idempotency-key-missing": 400,
    "if-match-invalid": 400,
    "invalid-cursor": 400,
    "invalid-json": 400,
    "invalid-limit": 400,
    "invalid-seen": 400,
    "original-erased": 410,
    "precondition-failed": 412,
    "provider-unavailable": 502,
    "body-too-large": 413,
    "original-too-large": 413,
    "unsupported-media-type": 415,
}
"""Where HTTP has a more exact word than the refusal's kind."""


class FieldError(TypedDict):
    """One fault of a request: where (JSON pointer, RFC 6901) and what, never the value itself."""

    field: str
    message: str


class Problem(TypedDict):
    """A refusal (RFC 9457): `code` is its stable name, `rule` the law behind it.

    `gateway_error` is the number that the document gateways give for the same fault; `max_age`
    (seconds) and `acr_values` say which authentication is wanted (RFC 9470).
    """

    type: str
    title: str
    code: str
    status: NotRequired[int]
    detail: NotRequired[str]
    field: NotRequired[str]
    rule: NotRequired[str]
    gateway_error: NotRequired[int]
    errors: NotRequired[list[FieldError]]
    max_age: NotRequired[int]
    acr_values: NotRequired[str]


def status_of(refusal: Refused) -> int:
    """The HTTP status that says what kind of refusal this is."""
    if status := _STATUS_OF_CODE.get(refusal.code):
        return status
    return next((status for kind, status in _STATUS_OF_KIND if isinstance(refusal, kind)), 400)


def refused(refusal: Refused, errors: Sequence[FieldError] = ()) -> Response:
    """The problem document of a refusal."""
    status = status_of(refusal)
    extra: dict[str, Any] = {}
    if refusal.field:
        extra["field"] = refusal.field
    if refusal.rule:
        extra["rule"] = refusal.rule
    if refusal.gateway_error is not None:
        extra["gateway_error"] = refusal.gateway_error
    if errors:
        extra["errors"] = errors[:_MAX_ERRORS]
    challenge = "Bearer"
    if isinstance(refusal, StepUpRequired):
        # In the body too, as API Gateway gives this header another name.
        extra |= refusal.wanted
        said = "".join(f', {name}="{value}"' for name, value in refusal.wanted.items())
        challenge = f'Bearer error="insufficient_user_authentication"{said}'
    answer = problem(status, refusal.code, _title(type(refusal)), str(refusal), **extra)
    if status == 401:  # noqa: PLR2004 -- RFC 9110, section 15.5.2: a 401 names a scheme.
        answer.headers["WWW-Authenticate"] = challenge
    return answer


def problem(status: int, code: str, title: str, detail: str = "", **extra: Any) -> Response:
    """A problem document. `code` is its stable public name."""
    body = {"type": _TYPE + code, "title": title, "status": status, "code": code}
    if detail and detail != title:
        body["detail"] = detail
    return Response(
        body=to_json(body | extra).decode(),
        status_code=status,
        headers={"Content-Type": MEDIA_TYPE},
    )


def _title(kind: type[Refused]) -> str:
    """What refusals of this class have in common: their first line."""
    return (kind.__doc__ or kind.code).strip().split("\n")[0]


def blame(error: BaseException) -> dict[str, Any]:
    """What a log may say of an error: its class, and where it came from.

    Its text may quote what somebody sent.
    """
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "at": [f"{f.filename}:{f.lineno} {f.name}" for f in frames[-8:]],
    }
