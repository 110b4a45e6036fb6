"""History as a transparency log: what anybody may fetch to check us, with nobody's leave.

The leaf of a commit is its header, in which no personal data stands. Files are fetched by a link
that is good for a quarter of an hour.

Rule: C2SP tlog-tiles, tlog-checkpoint, tlog-proof.
"""

from typing import Any, Literal
from urllib.parse import unquote

from chalice.app import Response
from pydantic import Field
from typing_extensions import TypedDict

from chalicelib import runtime
from chalicelib.files import LINK_S
from chalicelib.history.code import MAX_DIGITS, encode_code
from chalicelib.history.heads import Head
from chalicelib.history.objects import CHECKPOINTS, checkpoint_name, tile_reader, timestamp_name
from chalicelib.history.proof import Bundle, Tree, encode_proof
from chalicelib.history.tiles import parse_path
from chalicelib.http.paging import MAX_LIMIT
from chalicelib.http.resource import PUBLIC, Answer, Resource, ok
from chalicelib.kernel import Invalid, NotFound, Value
from chalicelib.paper.qr import modules_of_digits, svg

routes = Resource(__name__)

CHECKPOINT_S, FILE_S = 2, 300
"""For how long (seconds) the newest checkpoint may be kept, and where a file is to be found."""
_MAX_SIZE = 10**12
_TEXT, _SVG = "text/plain; charset=utf-8", "image/svg+xml"
_PARTS = ("level", "a", "b", "c", "d")


class NotInLog(NotFound):
    """There is no such commit."""

    code = "not-in-log"


class NotSealedYet(NotFound):
    """No published checkpoint covers that yet; ask again in a moment."""

    code = "not-sealed-yet"


class LogFileUnknown(NotFound):
    """The log has no such file."""

    code = "log-file-unknown"
    rule = "C2SP tlog-tiles"


class ProofTooLong(Invalid):
    """The proof is longer than a QR code can hold: fetch it as a file."""

    code = "proof-too-long"
    rule = "ISO/IEC 18004: version 40"


class CommitRequest(Value):
    """A commit's number in a path."""

    commit: int = Field(ge=1, lt=_MAX_SIZE)


class ProofRequest(Value):
    """The query of `GET /proof/{stream}/{commit}`."""

    entry: bool = False


class CodeRequest(Value):
    """The query of `GET /proof/{stream}/{commit}/code`."""

    format: Literal["svg", "text"] = "svg"


class ConsistencyRequest(Value):
    """The query of `GET /consistency`: two sizes of the log, the smaller one first."""

    old: int = Field(alias="from", ge=0, lt=_MAX_SIZE)
    new: int | None = Field(default=None, alias="to", ge=0, lt=_MAX_SIZE)


class SizeRequest(Value):
    """A size in a path."""

    size: int = Field(ge=0, lt=_MAX_SIZE)


class CheckpointsRequest(Value):
    """The query of `GET /log/checkpoints`: those above this size."""

    after: int = Field(default=0, ge=0, lt=_MAX_SIZE)


class PublishedCheckpoints(TypedDict):
    """The sizes of published checkpoints, in order; `more`: there are larger ones."""

    sizes: list[int]
    more: bool


@routes.get("/checkpoint", allow=PUBLIC, fresh_s=CHECKPOINT_S)
def see_checkpoint() -> Response:
    """The newest checkpoint: how many commits history holds, their root, and who signed it.

    404 `not-sealed-yet` while there is none.
    """
    return _text(_published().note)


@routes.get("/log/keys", allow=PUBLIC, fresh_s=FILE_S)
def see_keys() -> Response:
    """The key that checkpoints are signed with, in the form that verifiers take, one a line."""
    return _text(f"{runtime.log_signer().key}\n")


@routes.get("/log/checkpoints", allow=PUBLIC, fresh_s=CHECKPOINT_S)
def list_checkpoints() -> Answer[PublishedCheckpoints]:
    """The sizes of the checkpoints that were published, above the size in `after`, in order."""
    after = routes.build(CheckpointsRequest, **routes.query()).after
    names = runtime.log_objects().names(f"{CHECKPOINTS}/", checkpoint_name(after), MAX_LIMIT + 1)
    sizes = [int(name.removeprefix(f"{CHECKPOINTS}/")) for name in names]
    return ok({"sizes": sizes[:MAX_LIMIT], "more": len(sizes) > MAX_LIMIT})


@routes.get("/checkpoints/{size}", allow=PUBLIC, fresh_s=FILE_S)
def see_old_checkpoint(size: str) -> Response:
    """A checkpoint that was published, as it was first shown. 404 `log-file-unknown`."""
    asked = routes.build(SizeRequest, size=size)
    kept = runtime.log_objects().read(checkpoint_name(asked.size))
    if kept is None:
        raise LogFileUnknown(field="size")
    return _text(kept.decode())


@routes.get("/timestamps/{file}", allow=PUBLIC, fresh_s=FILE_S)
def fetch_timestamp(file: str) -> Response:
    """The time stamp of a checkpoint, `<size>.tsr`: over SHA-256 of the checkpoint's text.

    Answers with a link (307). 404 `log-file-unknown`.
    """
    asked = routes.build(SizeRequest, size=file.removesuffix(".tsr"))
    return _file(timestamp_name(asked.size))


@routes.get("/tile/{level}/{a}", allow=PUBLIC, fresh_s=FILE_S)
@routes.get("/tile/{level}/{a}/{b}", allow=PUBLIC, fresh_s=FILE_S)
@routes.get("/tile/{level}/{a}/{b}/{c}", allow=PUBLIC, fresh_s=FILE_S)
@routes.get("/tile/{level}/{a}/{b}/{c}/{d}", allow=PUBLIC, fresh_s=FILE_S)
def fetch_tile(**parts: str) -> Response:
    """A tile of hashes, or a bundle of entries: answers with a link (307) to the file itself.

    404 `log-file-unknown`: also for a part of a tile that a whole one has superseded.
    """
    path = "/".join(["tile", *(parts[name] for name in _PARTS if name in parts)])
    try:
        return _file(parse_path(path).path)
    except ValueError:
        raise LogFileUnknown(field="path") from None


@routes.get("/proof/{stream}/{commit}", allow=PUBLIC, fresh_s=FILE_S)
def prove_commit(stream: str, commit: str) -> Response:
    """The proof that a commit stands in history: a file that is checked offline.

    With `entry=true` it holds the commit's header too, and so all that checking takes. 404
    `not-in-log`; `not-sealed-yet` for the first second or so.
    """
    asked = routes.build(ProofRequest, **routes.query())
    return _text(str(_proven(stream, commit, entry=asked.entry)))


@routes.get("/proof/{stream}/{commit}/code", allow=PUBLIC, fresh_s=FILE_S)
def print_proof(stream: str, commit: str) -> Response:
    """The proof of a commit as a QR code, to be printed and checked offline by whoever holds it.

    A picture (SVG), or with `format=text` the digits that stand in it. 404 as the proof itself;
    422 `proof-too-long`.
    """
    asked = routes.build(CodeRequest, **routes.query())
    digits = encode_code(_proven(stream, commit, entry=True))
    if len(digits) > MAX_DIGITS:
        raise ProofTooLong
    if asked.format == "text":
        return _text(f"{digits}\n")
    return Response(svg(modules_of_digits(digits)), headers={"Content-Type": _SVG})


@routes.get("/consistency", allow=PUBLIC, fresh_s=FILE_S)
def prove_consistency() -> Response:
    """The proof that history at size `to` (or now) begins with history at size `from`.

    404 `not-sealed-yet`: history is not that long. A line for each hash, in base64.
    """
    asked = routes.build(ConsistencyRequest, **routes.query())
    head = _published()
    new = head.size if asked.new is None else asked.new
    if not asked.old <= new <= head.size:
        raise NotSealedYet(field="to" if asked.old <= new else "from")
    tree = Tree(head.size, tile_reader(runtime.log_objects()), head.peaks)
    return _text(encode_proof(tree.consistency(asked.old, new)))


def _proven(stream: str, commit: str, *, entry: bool) -> Bundle:
    place = (unquote(stream), routes.build(CommitRequest, commit=commit).commit)
    position = runtime.history().positions([place]).get(place)
    header = b""
    if entry or position is None:
        header = runtime.event_store().shelf.headers([place]).get(place, b"")
        if not header:
            raise NotInLog
    head = _published()
    if position is None or position > head.size:
        raise NotSealedYet
    index = position - 1
    proof = Tree(head.size, tile_reader(runtime.log_objects()), head.peaks).inclusion(index)
    return Bundle(index, tuple(proof), head.note, header if entry else b"")


def _published() -> Head:
    head = runtime.log_heads().published()
    if head is None:
        raise NotSealedYet
    return head


def _text(body: str) -> Response:
    return Response(body, headers={"Content-Type": _TEXT})


def _file(name: str) -> Response:
    link = runtime.log_objects().link(name, LINK_S)
    if link is None:
        raise LogFileUnknown(field="path")
    headers: dict[str, Any] = {"Location": link, "Content-Type": _TEXT}
    return Response("", headers=headers, status_code=307)
