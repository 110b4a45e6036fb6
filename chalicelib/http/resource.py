"""Routes that name who may call them, and views that answer every refusal with a problem document.

Chalice turns a view's exception into its own 500 before any middleware sees it, so `Resource` wraps
the view itself. A view parses, hands over and answers; this module holds what all of them share.
"""

import json
import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import wraps
from hashlib import sha256
from typing import Any, ClassVar, Generic, NamedTuple, NoReturn, NotRequired, TypeVar
from uuid import uuid4

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError
from chalice.app import Blueprint, CORSConfig, Request, Response
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.delivery.signatures import Unauthenticated
from chalicelib.handle import Done, Stale
from chalicelib.http.identity import ROLES, Caller, Role, authorize, caller_of
from chalicelib.http.problems import FieldError, StepUpRequired, blame, problem, refused
from chalicelib.kernel import Command, Forbidden, Invalid, NotFound, Origin, Refused, Value
from chalicelib.privacy.opened import watched
from chalicelib.text import b64url

JSON = "application/json"
XML = frozenset({"application/xml", "text/xml", "application/edxml+xml"})
"""Media types under which edXML arrives; the view gets the bytes as they came."""

MAX_BODY_BYTES = 4 * 1024 * 1024
"""A Lambda takes 6 MB in all, base64 and headers included."""
MAX_ANSWER_BYTES = 5 * 1024 * 1024
"""A Lambda answers 6 MB in all."""
MAX_DEPTH = 32
STEP_UP_LEVEL = 2
"""How surely (`acr`) a person must be known where `step_up` is asked for."""
RETRY_AFTER_S = 1
OUTAGE_S = 86_400
"""For how long (seconds) an answer that anybody may keep may stand in for us when we fail."""

_ONCE = frozenset(
    {
        *("authorization", "content-type", "idempotency-key", "if-match", "purpose"),
        *("webhook-id", "webhook-signature", "webhook-timestamp", "x-correlation-id"),
    }
)
"""Headers of which two readers could believe a different one if they stood twice."""
# Of which identifiers are made: a name with white space, # or @ would be another stream's address.
_NAME = re.compile(r'[!"$-?A-~]{1,128}')
_TOKEN = re.compile(r"[A-Za-z0-9._:\-]{1,64}")
_PURPOSE = re.compile(r"[A-Za-z0-9._:/-]{0,64}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
_VERSION = re.compile(r'"?(?:[^\s"#@]{1,230}@)?([0-9]{1,9})"?')
_THROTTLED = {
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
# What pydantic says of a tag quotes the tag; a value is never repeated to the caller.
_QUOTING = {"union_tag_invalid": "Input does not name a known kind"}

_log = Logger(service="lien-thong")
M = TypeVar("M", bound=Value)
C = TypeVar("C", bound=Command)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
View = Callable[..., Response]


class Answer(Response, Generic[T_co]):
    """An answer whose JSON has the shape of a `T_co`: the document of the interface says so.

    A view that answers `-> Answer[Dossier]` promises the fields of `Dossier`, a TypedDict or a
    value; tests hold each answer they get against it.
    """


class Receipt(TypedDict):
    """What a write led to; `seen` is the version to ask lists for.

    `duplicate`: the same had been said before, and nothing happened now.
    """

    seen: str
    version: int
    duplicate: NotRequired[bool]


class Door(Enum):
    """Routes without a token."""

    PUBLIC = "public"
    SIGNED = "signed"


PUBLIC = Door.PUBLIC
"""Anybody may ask."""
SIGNED = Door.SIGNED
"""A webhook; the view verifies its signature before anything else."""

ANY_PAGE = CORSConfig(
    allow_headers=["If-None-Match", "X-Correlation-Id"],
    expose_headers=["ETag", "X-Correlation-Id"],
    max_age=86_400,
)
"""Any web page may read what is public: nothing there depends on who asks."""


class Route(NamedTuple):
    """A line of a resource's table."""

    method: str
    path: str
    allow: frozenset[Role] | Door
    view: View
    step_up: bool = False
    takes: frozenset[str] = frozenset()
    fresh_s: int = 0


class Reading(NamedTuple):
    """An answer that shows what is about these `subjects`: who gets it, and what they asked for.

    `route` is the line of the table, `path` and `query` what was asked, `purpose` the caller's.
    """

    caller: Caller
    subjects: frozenset[str]
    route: str
    path: str
    query: str
    purpose: str


class RoleNotAllowed(Forbidden):
    """The caller's role may not do this."""

    code = "role-not-allowed"


class InvalidJSON(Invalid):
    """The body is not JSON as we read it: UTF-8, no field twice, at most 32 levels deep."""

    code = "invalid-json"
    rule = "RFC 8259; RFC 7493 (I-JSON)"


class BodyTooLarge(Invalid):
    """The body is larger than this road carries: 4 MiB."""

    code = "body-too-large"


class UnsupportedMediaType(Invalid):
    """This resource does not read bodies of that Content-Type."""

    code = "unsupported-media-type"


class IdempotencyKeyMissing(Invalid):
    """A write needs an Idempotency-Key, so that repeating it changes nothing."""

    code = "idempotency-key-missing"
    rule = "draft-ietf-httpapi-idempotency-key-header, section 2.7"


class IdempotencyKeyInvalid(Invalid):
    """The Idempotency-Key must be a UUID."""

    code = "idempotency-key-invalid"


class HeaderTwice(Invalid):
    """A header that may stand once stands twice."""

    code = "header-twice"
    rule = "RFC 9110, section 5.3"


class PathUnknown(NotFound):
    """Nothing is called so: a name in the path has letters, or a length, that none has."""

    code = "path-unknown"


class IfMatchInvalid(Invalid):
    """If-Match must be a version this service gave out: "n" or "stream@n"."""

    code = "if-match-invalid"
    rule = "RFC 9110, section 13.1.1"


class PurposeInvalid(Invalid):
    """Purpose is a reference of at most 64 letters, digits and . _ : / -, and names nobody."""

    code = "purpose-invalid"


class _Unfit(Exception):  # noqa: N818 -- becomes an `invalid-request` with its list of faults.
    """The request's fields do not fit."""

    def __init__(self, error: ValidationError) -> None:
        super().__init__()
        self.errors = faults(error)


class Resource:
    """One context's routes: `routes = Resource(__name__)`, `@routes.get(path, allow={...})`.

    `told` writes down who reads about whom; what it raises withholds the answer. A route with
    `step_up` wants a caller who has only just proved who they are: what it does cannot be undone.
    """

    told: ClassVar[Callable[[Reading], None]] = staticmethod(lambda _reading: None)

    def __init__(self, import_name: str) -> None:
        self.blueprint = Blueprint(import_name)
        self.table: list[Route] = []

    def get(
        self, path: str, *, allow: set[Role] | Door, fresh_s: int = 0, step_up: bool = False
    ) -> Callable[[View], View]:
        """A view that changes nothing. For `fresh_s` seconds anybody may keep its answer."""
        if fresh_s and allow is not PUBLIC:
            raise ValueError(f"{path}: only what is public may be kept by anybody")
        return self._route("GET", path, allow, frozenset(), fresh_s, step_up=step_up)

    def post(
        self,
        path: str,
        *,
        allow: set[Role] | Door,
        takes: frozenset[str] = frozenset({JSON}),
        step_up: bool = False,
    ) -> Callable[[View], View]:
        """A view that adds something; `takes` are the media types of its body."""
        return self._route("POST", path, allow, takes, step_up=step_up)

    def put(
        self,
        path: str,
        *,
        allow: set[Role] | Door,
        takes: frozenset[str] = frozenset({JSON}),
        step_up: bool = False,
    ) -> Callable[[View], View]:
        """A view that makes something so, however often it is asked."""
        return self._route("PUT", path, allow, takes, step_up=step_up)

    def delete(
        self, path: str, *, allow: set[Role] | Door, step_up: bool = False
    ) -> Callable[[View], View]:
        """A view that ends something."""
        return self._route("DELETE", path, allow, frozenset({JSON}), step_up=step_up)

    def _route(
        self,
        method: str,
        path: str,
        allow: set[Role] | Door,
        takes: frozenset[str],
        fresh_s: int = 0,
        *,
        step_up: bool,
    ) -> Callable[[View], View]:
        if not isinstance(allow, Door) and not (allow and allow <= ROLES):
            raise ValueError(f"{method} {path} must name the roles that may call it")
        if step_up and isinstance(allow, Door):
            raise ValueError(f"{method} {path}: who is not known cannot be asked to log in again")
        roles = allow if isinstance(allow, Door) else frozenset(allow)

        def register(view: View) -> View:
            @wraps(view)
            def guarded(**params: str) -> Response:
                response = self._answer(view, params, roles, takes, step_up=step_up)
                if fresh_s and response.status_code == 200:  # noqa: PLR2004 -- OK.
                    return self._kept(response, fresh_s)
                if fresh_s and response.status_code == 307:  # noqa: PLR2004 -- Temporary Redirect.
                    # Not kept for longer than the link is good for, whatever happens here.
                    response.headers["Cache-Control"] = f"public, max-age={fresh_s}"
                return response

            self.table.append(Route(method, path, roles, view, step_up, takes, fresh_s))
            # Media types are checked in `_answer`: Chalice's own refusal is not a problem document.
            self.blueprint.route(
                path,
                methods=[method],
                content_types=[],
                authorizer=None if isinstance(roles, Door) else authorize,
                cors=ANY_PAGE if roles is PUBLIC else False,
            )(guarded)
            return view

        return register

    # What a view asks about the request.

    @property
    def request(self) -> Request:
        """The request being answered."""
        return self.blueprint.current_request

    def caller(self) -> Caller:
        """Who asks.

        Raises:
            Unauthenticated: the route is open to all, or the gateway let nobody in.
        """
        context = self.request.context.get("authorizer")
        if not context:
            raise Unauthenticated
        return caller_of(context)

    def body(self) -> bytes:
        """The body as it was sent.

        Raises:
            BodyTooLarge: more than `MAX_BODY_BYTES`.
        """
        body = self.request.raw_body
        assert isinstance(body, bytes)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        return body

    def media_type(self) -> str:
        """The body's Content-Type without parameters; JSON if none is given."""
        return str(self.request.headers.get("content-type", JSON)).split(";")[0].strip().lower()

    def query(self) -> dict[str, str]:
        """The query, each name with its last value."""
        given = self.request.query_params
        return {name: str(given[name]) for name in given} if given else {}

    def json(self, model: type[M]) -> M:
        """The body as a `model`."""
        return self.build(model, **self._object())

    def command(self, kind: type[C], **fields: Any) -> C:
        """The command in the body, with `fields` and origin added; the body may name neither."""
        given = self._object()
        mine = {**fields, "origin": self.origin()}
        if taken := given.keys() & mine.keys():
            field = min(taken)
            raise Invalid("This field is not the body's to say", field=_pointer((field,)))
        return self.build(kind, **given, **mine)

    def build(self, model: type[M], /, **fields: Any) -> M:
        """A value made of what the caller said; what does not fit is answered field by field."""
        try:
            return model.model_validate(fields)
        except ValidationError as error:
            raise _Unfit(error) from None

    def origin(self) -> Origin:
        """Who asks for this change, and which one it is.

        Raises:
            IdempotencyKeyMissing, IdempotencyKeyInvalid, IfMatchInvalid: as the names say.
        """
        caller = self.caller()
        key = self.request.headers.get("idempotency-key")
        if key is None:
            raise IdempotencyKeyMissing(field="Idempotency-Key")
        return self._origin(caller.actor, _uuid(key), "jwt", caller.assurance)

    def signed_origin(self, sender: str) -> Origin:
        """The same for a webhook whose signature has been verified: its `webhook-id` is the key.

        `sender` names the agency or system whose key verified it.
        """
        return self._origin(f"system:{sender}", self.request.headers["webhook-id"], "webhook", 0)

    def _origin(self, client: str, key: str, method: Any, assurance: int) -> Origin:
        request = self.request
        path = request.path.format(**request.uri_params or {})
        line = f"{request.method} {path}\0".encode()
        command_id = _command_id(client, key)
        return Origin(
            command_id=command_id,
            digest=runtime.fingerprint(line + self.body()),
            actor=client,
            method=method,
            assurance=assurance,
            correlation=self._given_correlation() or command_id,
            at=runtime.now(),
            expected=_version(request.headers.get("if-match")),
        )

    def _object(self) -> dict[str, Any]:
        body = self.body()
        if not body:
            return {}
        found = read_json(body)
        if not isinstance(found, dict):
            raise InvalidJSON
        return found

    # What comes back.

    def _answer(
        self,
        view: View,
        params: Mapping[str, str],
        allow: frozenset[Role] | Door,
        takes: frozenset[str],
        *,
        step_up: bool,
    ) -> Response:
        try:
            self._admit(allow, takes)
            if step_up:
                self._step_up()
            with watched() as subjects:
                response = _checked(view(**params))
            if subjects and not isinstance(allow, Door):
                self._tell(frozenset(subjects))
        except Refused as refusal:
            response = refused(refusal)
        except _Unfit as unfit:
            response = refused(Invalid("The request has fields that do not fit"), unfit.errors)
        except Stale:
            response = _busy()
        except Exception as error:  # noqa: BLE001 -- Chalice's own 500 logs messages, with their data.
            response = _busy() if _throttled(error) else self._broken(error)
        response.headers["X-Correlation-Id"] = self._correlation()
        response.headers["Cache-Control"] = "no-store"
        return response

    def _kept(self, response: Response, fresh_s: int) -> Response:
        """The answer with its name, so that who has it need not be sent it again."""
        tag = response.headers.get("ETag")
        if tag is None:
            tag = f'"{b64url(sha256(response.body.encode()).digest()[:16])}"'
        known = self.request.headers.get("if-none-match", "")
        # Rule: RFC 9110, section 13.1.2: compared weakly, as proxies that compress weaken tags.
        if known.strip() == "*" or tag in [
            one.strip().removeprefix("W/") for one in known.split(",")
        ]:
            response = Response("", {"X-Correlation-Id": self._correlation()}, 304)
        response.headers["ETag"] = tag
        response.headers["Cache-Control"] = (
            f"public, max-age={fresh_s}, stale-while-revalidate={fresh_s}, "
            f"stale-if-error={OUTAGE_S}"
        )
        return response

    def _admit(self, allow: frozenset[Role] | Door, takes: frozenset[str]) -> None:
        given = self.request.to_original_event().get("multiValueHeaders") or {}
        names = [name.lower() for name, values in given.items() for _ in values]
        if twice := sorted(name for name in _ONCE if names.count(name) > 1):
            raise HeaderTwice(field=twice[0])
        if not all(map(_NAME.fullmatch, (self.request.uri_params or {}).values())):
            raise PathUnknown
        if not isinstance(allow, Door) and self.caller().role not in allow:
            raise RoleNotAllowed
        if self.body() and takes and self.media_type() not in takes:
            raise UnsupportedMediaType(field="Content-Type")
        if not _PURPOSE.fullmatch(self._purpose()):
            raise PurposeInvalid(field="Purpose")

    def _step_up(self) -> None:
        caller, most = self.caller(), runtime.settings().step_up_max_age_s
        since = caller.authenticated_at
        # A system's level is not said: it proves itself by its credentials, for each token.
        known = caller.role == "system" or caller.assurance >= STEP_UP_LEVEL
        if not known or since is None or (runtime.now() - since).total_seconds() > most:
            raise StepUpRequired(most, STEP_UP_LEVEL)

    def _tell(self, subjects: frozenset[str]) -> None:
        request = self.request
        type(self).told(
            Reading(
                caller=self.caller(),
                subjects=subjects,
                route=f"{request.method} {request.path}",
                path=request.path.format(**request.uri_params or {}),
                query="&".join(f"{name}={value}" for name, value in sorted(self.query().items())),
                purpose=self._purpose(),
            )
        )

    def _purpose(self) -> str:
        return str(self.request.headers.get("purpose", ""))

    def _broken(self, error: BaseException) -> Response:
        _log.error(
            "a view failed",
            extra={
                "correlation_id": self._correlation(),
                "route": f"{self.request.method} {self.request.path}",
                **blame(error),
            },
        )
        return problem(500, "internal-error", "Something broke here; nothing you sent is at fault.")

    def _given_correlation(self) -> str | None:
        given = self.request.headers.get("x-correlation-id", "")
        return given if _TOKEN.fullmatch(given) else None

    def _correlation(self) -> str:
        """The caller's own id, else the command's, else the gateway's."""
        headers = self.request.headers
        if given := self._given_correlation():
            return given
        if (key := headers.get("idempotency-key")) and self.request.context.get("authorizer"):
            try:
                return _command_id(self.caller().actor, _uuid(key))
            except IdempotencyKeyInvalid:
                pass
        return str(self.request.context.get("requestId") or uuid4())


def ok(data: T, *, version: int | None = None) -> Answer[T]:
    """200 with `data`; `version` is the commit number it is true at."""
    return _json(200, data, version)


def created(done: Done, location: str, **more: Any) -> Answer[Any]:
    """201: the thing is at `location`; 200 if it was there.

    `more` is what else there is to say: a view that says more answers a `Receipt` of its own.
    """
    response = _json(200 if done.duplicate else 201, {**_receipt(done), **more}, done.number)
    response.headers["Location"] = location
    return response


def accepted(done: Done) -> Answer[Receipt]:
    """202: it is so, and lists will show it soon; `seen` is the version to ask them for."""
    return _json(202, _receipt(done), done.number)


def ordered(data: T) -> Answer[T]:
    """202 with `data`: it is under way, or written where no version counts it."""
    return _json(202, data, None)


def _receipt(done: Done) -> Receipt:
    receipt: Receipt = {"seen": done.seen, "version": done.number}
    return {**receipt, "duplicate": True} if done.duplicate else receipt


def _json(status: int, data: Any, version: int | None) -> Answer[Any]:
    headers: dict[str, str | list[str]] = {"Content-Type": JSON}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    return Answer(body=_written(data).decode(), status_code=status, headers=headers)


def _written(data: Any) -> bytes:
    try:
        return to_json(data)
    except PydanticSerializationError:
        # What makes JSON of a value is built when first used, and pydantic does not do so for one
        # that was only ever read as part of another.
        _build_writers(data)
        return to_json(data)


def _build_writers(data: Any) -> None:
    if isinstance(data, Value):
        type(data).model_rebuild()
    elif isinstance(data, Mapping):
        _build_writers([*data.values()])
    elif isinstance(data, list | tuple):
        for one in data:
            _build_writers(one)


def fits(body: str) -> bool:
    """Whether this can be an answer's body: Lambda wraps it in JSON, each character up to six."""
    return len(body) * 6 <= MAX_ANSWER_BYTES or len(json.dumps(body)) <= MAX_ANSWER_BYTES


def _checked(response: Response) -> Response:
    if not fits(response.body):
        raise RuntimeError("the answer is larger than a Lambda may give")
    return response


def _busy() -> Response:
    response = problem(503, "try-again", "Others are asking at the same time; nothing happened.")
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _throttled(error: BaseException | None) -> bool:
    """Whether AWS asked us to slow down, here or underneath a library's own exception."""
    while error is not None:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in _THROTTLED:
            return True
        error = error.__cause__ or error.__context__
    return False


def _command_id(client: str, key: str) -> str:
    return b64url(sha256(f"{client}\0{key}".encode()).digest())


def _uuid(text: str) -> str:
    """The key in its one spelling, so that the same UUID is the same key."""
    if not _UUID.fullmatch(text):
        raise IdempotencyKeyInvalid(field="Idempotency-Key")
    return text.lower()


def _version(if_match: str | None) -> int | None:
    if if_match is None:
        return None
    found = _VERSION.fullmatch(if_match.strip())
    if found is None or if_match.strip().count('"') not in {0, 2}:
        raise IfMatchInvalid(field="If-Match")
    return int(found[1])


def read_json(body: bytes) -> Any:
    """What the body says in JSON.

    Raises:
        InvalidJSON: it says nothing, or nothing that can be kept.
    """
    try:
        found = json.loads(
            body.decode(), object_pairs_hook=_no_field_twice, parse_constant=_no_constant
        )
        if _HALF_CHARACTER.search(body):
            # Halves that found no partner cannot be encoded; whole pairs can.
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise InvalidJSON from None
    if _deeper_than(found, MAX_DEPTH):
        raise InvalidJSON
    return found


def faults(error: ValidationError) -> list[FieldError]:
    """What does not fit, field by field; never the value itself."""
    return [
        {"field": _pointer(fault["loc"]), "message": _QUOTING.get(fault["type"], fault["msg"])}
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _pointer(loc: tuple[int | str, ...]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1")[:64] for part in loc)
    return "".join(f"/{part}" for part in parts)


def _no_field_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands twice")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _deeper_than(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(item, levels - 1) for item in inner)
