"""Imports of whole catalogues: a table is handed over, a worker enters it row by row.

Rows that are in order are entered, the others are listed with the reason. An import is a row of a
table with a life of a month, not a fact: the facts are the procedures and the offers. Run again, it
does nothing new, as each row's command is the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import to_json
from typing_extensions import TypedDict

from chalicelib import files, runtime
from chalicelib.contexts.dossiers import publishing
from chalicelib.contexts.dossiers.domain.offer import CeaseOffering
from chalicelib.contexts.dossiers.domain.procedure import (
    AmendProcedure,
    PublishProcedure,
    RepealProcedure,
)
from chalicelib.contexts.dossiers.tables import (
    MAX_BYTES,
    WISHES,
    Amend,
    Cease,
    Enter,
    Format,
    Offer,
    Publish,
    Repeal,
    Row,
    TableTooLarge,
    Wish,
    rows,
)
from chalicelib.handle import Done, IdempotencyKeyReused
from chalicelib.http.problems import FieldError, Problem
from chalicelib.http.resource import faults
from chalicelib.kernel import Invalid, NotFound, Origin, Refused, Value
from chalicelib.projector.table import InvalidCursor
from chalicelib.text import b64url

OWNER = "procedures"
"""Whose the uploaded tables are."""
KEPT_S = 30 * 86_400
STUCK_S = 1_800
"""An import that got no further for so long is given to the worker again when it is asked for."""
BATCH = 100
"""Rows between two notes of how far it is."""
MAX_FAULTS = 10
"""Faults named of one row."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class NewTable(Value):
    """The body of `POST /procedures/imports/uploads`: the table's size in bytes and its digest."""

    media_type: Literal["text/csv", "application/json"]
    size: Annotated[int, Field(ge=1)]
    sha256: Digest


class Asked(Value):
    """The JSON body of `POST /procedures/imports`: a table, or which one was uploaded."""

    rows: list[Any] | None = None
    upload: Digest | None = None
    format: Format = "csv"

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.rows is None) == (self.upload is None):
            raise ValueError("either rows or upload")
        return self


class RefusedRow(Value):
    """A row that was not entered, and why. `line` is where it begins in a CSV file."""

    row: int
    line: int | None
    procedure: str
    code: str
    reason: str
    field: str = ""
    rule: str = ""
    errors: tuple[FieldError, ...] = ()


class RefusedRows(TypedDict):
    """Rows that were not entered, in their order; `next` leads to more, if there are any."""

    items: list[RefusedRow]
    next: str | None


class _Refused(Value):
    rows: list[RefusedRow]


Status = Literal["waiting", "running", "finished", "refused"]


class CatalogueImport(TypedDict):
    """How far an import is: `done` of its `rows` (None: not counted yet), and what became of them.

    `problem` says why the table could not be read.
    """

    id: str
    sha256: str
    format: Format
    status: Status
    rows: int | None
    done: int
    entered: int
    unchanged: int
    refused: int
    problem: Problem | None
    received_at: datetime
    moved_at: datetime


class Import(Value):
    """An import: `done` of its `rows`, and what became of them.

    `problem` says why the table could not be read. `faulty` are the batches with refused rows.
    """

    id: str
    digest: str
    sha256: str
    format: Format
    status: Status = "waiting"
    rows: int | None = None
    done: int = 0
    entered: int = 0
    unchanged: int = 0
    refused: int = 0
    faulty: tuple[int, ...] = ()
    problem: Problem | None = None
    received_at: AwareDatetime
    moved_at: AwareDatetime

    def shown(self) -> CatalogueImport:
        """What its sender may know of it."""
        return {
            "id": self.id,
            "sha256": self.sha256,
            "format": self.format,
            "status": self.status,
            "rows": self.rows,
            "done": self.done,
            "entered": self.entered,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "problem": self.problem,
            "received_at": self.received_at,
            "moved_at": self.moved_at,
        }


class Job(Value):
    """What the worker is asked: ids and digests only."""

    catalogue: str
    sha256: str
    format: Format
    origin: Origin


class ImportUnknown(NotFound):
    """There is no such import, or it is older than a month."""

    code = "import-unknown"


@dataclass(frozen=True)
class Imports:
    """Imports and their refused rows in table `submissions`."""

    dynamodb: Any
    table: str

    def get(self, id_: str) -> Import | None:
        """An import by its id."""
        data = self._get(f"import/{id_}")
        return Import.model_validate_json(data) if data else None

    def put(self, found: Import) -> None:
        """Keep how it stands."""
        self._put(f"import/{found.id}", found.model_dump_json(), found)

    def refused(self, found: Import, batch: int) -> list[RefusedRow]:
        """The refused rows of a batch."""
        data = self._get(f"import/{found.id}/{batch}")
        return _Refused.model_validate_json(data).rows if data else []

    def put_refused(self, found: Import, batch: int, refused: list[RefusedRow]) -> None:
        """Keep the refused rows of a batch."""
        self._put(f"import/{found.id}/{batch}", _Refused(rows=refused).model_dump_json(), found)

    def _get(self, key: str) -> str:
        answer = self.dynamodb.get_item(
            TableName=self.table, Key={"submission": {"S": key}}, ConsistentRead=True
        )
        return str(answer["Item"]["data"]["S"]) if "Item" in answer else ""

    def _put(self, key: str, data: str, found: Import) -> None:
        expires = int(found.received_at.timestamp()) + KEPT_S
        item = {"submission": {"S": key}, "data": {"S": data}, "expires": {"N": str(expires)}}
        self.dynamodb.put_item(TableName=self.table, Item=item)


def imports() -> Imports:
    """The table, from the environment."""
    return Imports(runtime.client("dynamodb"), runtime.table("submissions"))


def find(id_: str) -> Import:
    """An import by its id.

    Raises:
        ImportUnknown: there is none.
    """
    if found := imports().get(id_):
        return found
    raise ImportUnknown(field="import_id")


def refused_rows(id_: str, limit: int, cursor: str | None) -> RefusedRows:
    """A page of the rows that were refused so far.

    Raises:
        ImportUnknown, InvalidCursor: see there.
    """
    found = find(id_)
    if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 10):  # noqa: PLR2004 -- digits.
        raise InvalidCursor(field="cursor")
    after, page = int(cursor or 0), list[RefusedRow]()
    for batch in found.faulty:
        if (batch + 1) * BATCH <= after:
            continue
        page += [one for one in imports().refused(found, batch) if one.row > after]
        if len(page) > limit:
            break
    next_ = str(page[limit - 1].row) if len(page) > limit else None
    return {"items": page[:limit], "next": next_}


def submit_table(data: bytes, kind: Format, origin: Origin) -> Import:
    """Ask for a table to be entered that came with the request.

    Raises:
        TableUnreadable, TableTooLarge, IdempotencyKeyReused: as the names say.
    """
    count = len(rows(data, kind))
    digest = files.stage(OWNER, data)
    return _submit(digest, kind, origin, count)


def submit_upload(digest: str, kind: Format, origin: Origin) -> Import:
    """Ask for a table to be entered that was uploaded.

    Raises:
        AttachmentNotArrived, TableTooLarge, IdempotencyKeyReused: as the names say.
    """
    found = files.staged(OWNER, digest)
    if found is None:
        raise files.AttachmentNotArrived(field="upload")
    if found.size > MAX_BYTES:
        raise TableTooLarge(field="upload")
    return _submit(digest, kind, origin, None)


def _submit(digest: str, kind: Format, origin: Origin, count: int | None) -> Import:
    id_ = b64url(origin.command_id.encode())[:32]
    known = imports().get(id_)
    if known:
        if known.digest != origin.digest:
            raise IdempotencyKeyReused(field="Idempotency-Key")
        stuck = origin.at - known.moved_at > timedelta(seconds=STUCK_S)
        if known.status in {"finished", "refused"} or not stuck:
            return known
    found = known or Import(
        id=id_,
        digest=origin.digest,
        sha256=digest,
        format=kind,
        rows=count,
        received_at=origin.at,
        moved_at=origin.at,
    )
    imports().put(found)
    _ring(Job(catalogue=id_, sha256=digest, format=kind, origin=origin))
    return found


def _ring(job: Job) -> None:
    runtime.client("sqs").send_message(
        QueueUrl=runtime.queue_url("intake"), MessageBody=job.model_dump_json()
    )


# --- The worker's part ----------------------------------------------------------------------------


def run(job: Job, problem_of: Callable[[Refused], Problem], over: Callable[[], bool]) -> None:
    """Enter the rows that are not done yet; when the time is `over`, ask for another turn."""
    found = imports().get(job.catalogue)
    if found is None or found.status in {"finished", "refused"}:
        return
    try:
        table = rows(_staged(job), job.format)
    except Refused as refusal:
        told = {"status": "refused", "problem": problem_of(refusal), "moved_at": runtime.now()}
        imports().put(found.model_copy(update=told))
        return
    found = found.model_copy(update={"status": "running", "rows": len(table)})
    while found.done < len(table):
        if over():
            _ring(job)
            return
        found = _enter_batch(job, found, table[found.done : found.done + BATCH])
    imports().put(found.model_copy(update={"status": "finished"}))


def _staged(job: Job) -> bytes:
    if files.staged(OWNER, job.sha256) is None:
        raise files.AttachmentNotArrived(field="upload")
    data = files.open_staged(OWNER, job.sha256).read(MAX_BYTES + 1)
    if len(data) <= MAX_BYTES and sha256(data).hexdigest() != job.sha256:
        raise files.AttachmentDigestMismatch(field="upload")
    return data


def _enter_batch(job: Job, found: Import, batch: list[Row]) -> Import:
    refused: list[RefusedRow] = []
    entered = unchanged = 0
    for row in batch:
        outcome = _enter(job, row)
        if isinstance(outcome, RefusedRow):
            refused.append(outcome)
        elif outcome.commit:
            entered += 1
        else:
            unchanged += 1
    number = found.done // BATCH
    if refused:
        imports().put_refused(found, number, refused)
    found = found.model_copy(
        update={
            "done": found.done + len(batch),
            "entered": found.entered + entered,
            "unchanged": found.unchanged + unchanged,
            "refused": found.refused + len(refused),
            "faulty": (*found.faulty, number) if refused else found.faulty,
            "moved_at": runtime.now(),
        }
    )
    imports().put(found)
    return found


def _enter(job: Job, row: Row) -> Done | RefusedRow:
    code = row.said.get("code", "")
    about: dict[str, Any] = {
        "row": row.number,
        "line": row.line,
        # Shown so that a reader finds the row again; what is no code is left out.
        "procedure": code if isinstance(code, str) and len(code) <= 10 else "",  # noqa: PLR2004 -- a code has eight.
    }
    try:
        if row.misfit:
            raise Invalid(row.misfit)
        wish = WISHES.validate_python(row.said)
        return _carry_out(wish, _origin(job, row))
    except ValidationError as error:
        errors = tuple(_named(one) for one in faults(error)[:MAX_FAULTS])
        first = errors[0]
        return RefusedRow(
            **about, code=Invalid.code, reason=first["message"], field=first["field"], errors=errors
        )
    except Refused as refusal:
        return RefusedRow(
            **about,
            code=refusal.code,
            reason=str(refusal),
            field=f"/{refusal.field}" if refusal.field else "",
            rule=refusal.rule,
        )


def _named(fault: FieldError) -> FieldError:
    """The fault without the row's action, which the union of wishes puts before its fields."""
    _, _, field = fault["field"].removeprefix("/").partition("/")
    return {"field": f"/{field}" if field else "/action", "message": fault["message"]}


def _origin(job: Job, row: Row) -> Origin:
    """The origin of a row's command: the same whenever this import is run."""
    name = f"{job.catalogue}#{row.number}".encode()
    said = to_json(row.said)
    return job.origin.model_copy(
        update={
            "command_id": b64url(sha256(job.origin.command_id.encode() + name).digest()),
            "digest": b64url(sha256(job.origin.digest.encode() + name + said).digest()),
            "expected": None,
        }
    )


def _carry_out(wish: Wish, origin: Origin) -> Done:
    code = wish.code
    match wish:
        case Enter():
            return publishing.enter(PublishProcedure(origin=origin, code=code, terms=wish.terms))
        case Publish():
            return publishing.change(PublishProcedure(origin=origin, code=code, terms=wish.terms))
        case Amend():
            return publishing.change(AmendProcedure(origin=origin, code=code, terms=wish.terms))
        case Repeal():
            said = wish.model_dump(exclude={"action"})
            return publishing.change(RepealProcedure(origin=origin, **said))
        case Offer():
            return publishing.make_offer(
                origin,
                code,
                wish.agency,
                wish.effective_on,
                portal=wish.portal,
                register=publishing.register_on(wish.effective_on),
            )
        case Cease():
            return publishing.cease_offer(
                CeaseOffering(
                    origin=origin,
                    procedure=code,
                    agency=wish.agency,
                    effective_on=wish.effective_on,
                )
            )
