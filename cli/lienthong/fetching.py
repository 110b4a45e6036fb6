"""Brings a history into a folder over HTTPS; what is there already is not fetched again."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import urllib3
from pydantic import BaseModel, PositiveInt, ValidationError

from chalicelib.history.checkpoint import Checkpoint
from chalicelib.history.merkle import HASH_BYTES, Unproven
from chalicelib.history.note import Note
from chalicelib.history.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    all_tiles,
    decode_entries,
    encode_entries,
)
from lienthong.folder import UNFINISHED, CannotCheck, Folder, Wrong, read_line

AT_ONCE = 8
"""Requests under way at the same time."""
TIMEOUT_S = 60
_OK, _NOT_FOUND = 200, 404
_PRIVATE = "history/"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

W = TypeVar("W")
M = TypeVar("M", bound=BaseModel)
Progress = Callable[[str, int, int], None]
"""(what, how many are done, of how many)"""


class Listed(BaseModel):
    """What a log answers of its checkpoints: the sizes of some, and whether there are `more`."""

    sizes: list[PositiveInt]
    more: bool


class Chunk(BaseModel):
    """What the export announces: positions `first` to `last`, behind a link; then comes `next`."""

    first: PositiveInt
    last: PositiveInt
    next: PositiveInt
    url: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """A deployment's address, the auditor's token for what is not public, and why they read.

    `purpose` is written into the log of those who read: the reference of an inspection, say.
    """

    url: str
    token: str = field(default="", repr=False)
    purpose: str = ""

    def __post_init__(self) -> None:
        """Refuse to send a token where others can read it."""
        _address(self.url, "")

    def get(self, path: str) -> bytes | None:
        """What stands at a path below the address, or at another address; None if nothing does.

        Raises:
            CannotCheck: the server does not answer, or refuses, or a link leads to an open road.
        """
        url = _address(f"{self.url.rstrip('/')}/", path)
        headers = {}
        # Everything else is public, and a store that a link leads to must not see the token.
        if path.startswith(_PRIVATE) and self.token:
            headers["Authorization"] = f"Bearer {self.token}"
            if self.purpose:
                headers["Purpose"] = self.purpose
        try:
            answer = self._pool.request("GET", url, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise CannotCheck(f"{_plain(url)}: {error.__class__.__name__}") from None
        if answer.status == _NOT_FOUND:
            return None
        if answer.status != _OK:
            said = answer.data[:300].decode(errors="replace")
            raise CannotCheck(f"{_plain(url)} answers {answer.status}: {said}")
        return answer.data

    def need(self, path: str) -> bytes:
        """The same; it must be there.

        Raises:
            CannotCheck: see `get`, or nothing is there.
        """
        found = self.get(path)
        if found is None:
            raise CannotCheck(f"{self.url} has no {path}")
        return found

    def json(self, path: str, model: type[M]) -> M:
        """What is said at a path in JSON.

        Raises:
            CannotCheck: see `need`, or it says something else.
        """
        return _said(path, self.need(path), model)

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        retry = urllib3.Retry(
            8,
            connect=2,
            backoff_factor=0.3,
            status_forcelist=(429, 502, 503, 504),
            raise_on_status=False,
        )
        return urllib3.PoolManager(maxsize=AT_ONCE, retries=retry, timeout=TIMEOUT_S)


def fetch(source: Source, folder: Folder, progress: Progress = lambda _what, _n, _of: None) -> int:
    """Fetch up to the log's newest checkpoint, or what of that is missing; its size.

    While it runs the folder is marked as unfinished. It may be stopped and started again. What is
    there only grows: of a log that now serves another history nothing takes the place of what it
    served before.

    Raises:
        CannotCheck: the server lacks a piece, or gives something else than it says.
        Wrong: what it serves is not what is there, grown. Its checkpoint is kept beside ours.
    """
    fetching = _Fetching(source, folder, progress, source.need("checkpoint"))
    size, broken_off = fetching.signed.size, (folder.root / UNFINISHED).exists()
    fetching.same_checkpoint()
    keys = fetching.keys()
    fetching.write(UNFINISHED, fetching.written)
    try:
        fetching.write("keys", keys)
        fetching.tiles(size)
        outgrown = fetching.outgrown(size)
        fetching.events(size)
    except Forked:
        # What was complete still is, and nothing of the other history is mixed with it.
        for path in fetching.new_tiles:
            path.unlink()
        if not broken_off:
            (folder.root / UNFINISHED).unlink()
        raise
    fetching.saved_checkpoints()
    fetching.write("checkpoint", fetching.written)
    for path in outgrown:
        path.unlink()
    (folder.root / UNFINISHED).unlink()
    return size


class Forked(Wrong):
    """The log served something else before."""


@dataclass(frozen=True)
class _Fetching:
    source: Source
    folder: Folder
    progress: Progress
    written: bytes
    """The checkpoint that is served."""
    new_tiles: list[Path] = field(default_factory=list)

    @cached_property
    def signed(self) -> Checkpoint:
        """What it states."""
        return _checkpoint("what is served as the checkpoint", self.written)

    def same_checkpoint(self) -> None:
        """The log has not shrunk, and has the root that it had.

        Raises:
            Forked: it has not.
        """
        newest, size = self.folder.root / "checkpoint", self.signed.size
        later = [path for at, path in self.folder.checkpoints.items() if at >= size]
        for path in [newest, *later] if newest.exists() else later:
            known = _checkpoint(str(path), path.read_bytes())
            if known.size > size:
                raise Forked(size + 1, f"the log is now of {size}, but {path} of {known.size}")
            if known.size == size and known != self.signed:
                raise self.forked(size, f"the checkpoint of {size} is not the one in {path}")

    def keys(self) -> bytes:
        """The log's keys. More may come, but those that were there stay.

        Raises:
            Forked: one is gone.
        """
        served, path = self.source.need("log/keys"), self.folder.root / "keys"
        known = path.read_bytes().splitlines() if path.exists() else []
        if not {*known} <= {*served.splitlines()}:
            raise self.forked(None, f"a key that stands in {path} is not served any more")
        return served

    def forked(self, position: int | None, detail: str) -> Forked:
        """What is served contradicts what is there: its checkpoint is kept, for whoever asks."""
        name = f"checkpoints/{self.signed.size}.fork"
        # What was kept before is signed perhaps, and this is not.
        if not (self.folder.root / name).exists():
            self.write(name, self.written)
        return Forked(position, f"{detail}; the checkpoint that was served with it is in {name}")

    def write(self, name: str, content: bytes) -> None:
        """Put a piece in its place, whole or not at all."""
        path = self.folder.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(content)
        part.replace(path)

    def saved_checkpoints(self) -> None:
        """The checkpoints the log kept, and their time stamps."""
        known = [*self.folder.checkpoints]
        # The newest one's stamp may have come after it.
        after = known[-2] if len(known) > 1 else 0
        sizes: list[int] = []
        while True:
            answer = self.source.get(f"log/checkpoints?after={after}")
            if answer is None:
                break
            page = _said("log/checkpoints", answer, Listed)
            sizes += page.sizes
            if not page.more:
                break
            if max(page.sizes, default=0) <= after:
                raise CannotCheck("log/checkpoints goes on, and leads nowhere")
            after = max(page.sizes)
        names = [
            name
            for size in sizes
            # One that came meanwhile waits for what it covers.
            if size <= self.signed.size
            for name in (f"checkpoints/{size}", f"timestamps/{size}.tsr")
        ]
        self._all("checkpoints", names, self._saved)
        if not (self.folder.root / f"checkpoints/{self.signed.size}").exists():
            self.write(f"checkpoints/{self.signed.size}", self.written)

    def tiles(self, size: int) -> None:
        """The entries and the tree, as tiles."""
        self._all("tiles", list(all_tiles(size)), self._tile)

    def events(self, size: int) -> None:
        """The events, chunk by chunk; the last chunk there was may have grown.

        Raises:
            Forked: it does not begin as it did.
        """
        stretches = self.folder.stretches(size)
        first = stretches[-1].first if stretches else 1
        while first <= size:
            chunk = self.source.json(f"history/export/{first}", Chunk)
            content = self.source.need(chunk.url)
            if chunk.first != first or chunk.next <= first:
                raise CannotCheck(f"the export from position {first} is of {chunk.first}")
            if sha256(content).hexdigest() != chunk.sha256:
                raise CannotCheck(f"the export from position {first} is not what was announced")
            if chunk.last > size:
                content = _up_to(content, size)
            name = f"events/{first:012d}.jsonl"
            self._compare(name, content)
            self.write(name, content)
            first = chunk.next
            self.progress("events", min(first - 1, size), size)

    def outgrown(self, size: int) -> list[Path]:
        """The partial tiles that larger ones have replaced.

        Raises:
            Forked: a larger one does not begin as they did.
        """
        found = []
        # The hashes first: they say which entry differs.
        for tile in sorted(all_tiles(size), key=lambda tile: tile.level == ENTRIES):
            parts = f"{self.folder.root / tile._replace(width=WIDTH).path}.p"
            for path in Path(parts).glob("*"):
                part, content = path.read_bytes(), (self.folder.root / tile.path).read_bytes()
                pairs = enumerate(zip(part, content, strict=False))
                differs = next((at for at, (old, new) in pairs if old != new), None)
                if differs is not None:
                    hashes = 0 if tile.level == ENTRIES else differs // HASH_BYTES
                    position = (tile.start + hashes) * WIDTH ** max(tile.level, 0) + 1
                    detail = f"{tile.path} does not begin as {parts}/{path.name}, from the same log"
                    raise self.forked(position, detail)
                if len(part) < len(content):
                    found.append(path)
        return found

    def _compare(self, name: str, content: bytes) -> None:
        """A file of events begins as it did."""
        path = self.folder.root / name
        held = path.read_bytes() if path.exists() else b""
        if content.startswith(held):
            return
        lines = zip_longest(held.split(b"\n"), content.split(b"\n"))
        try:
            position = read_line(next(old for old, new in lines if old != new)).position
        except Wrong:
            position = None
        # A fetch that broke off may have known a larger checkpoint.
        if position is None or position <= self.signed.size:
            raise self.forked(position, f"{name} does not begin as it did")

    def _saved(self, name: str) -> None:
        if not (self.folder.root / name).exists() and (found := self.source.get(name)) is not None:
            self.write(name, found)

    def _tile(self, tile: Tile) -> None:
        if (self.folder.root / tile.path).exists():
            return
        found = self.source.get(tile.path)
        if found is None and not tile.full:
            # History went on meanwhile: a whole tile stands in place of its part.
            found = _part(tile, self.source.need(tile._replace(width=WIDTH).path))
        if found is None:
            raise CannotCheck(f"{self.source.url} has no {tile.path}")
        self.write(tile.path, found)
        self.new_tiles.append(self.folder.root / tile.path)

    def _all(self, what: str, wanted: Sequence[W], one: Callable[[W], None]) -> None:
        """Fetch several pieces at a time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done, _ in enumerate(pool.map(one, wanted), start=1):
                self.progress(what, done, len(wanted))


def _part(tile: Tile, whole: bytes) -> bytes:
    """The beginning of a whole tile."""
    if tile.level == ENTRIES:
        try:
            return encode_entries(decode_entries(tile._replace(width=WIDTH), whole)[: tile.width])
        except Unproven as error:
            raise CannotCheck(str(error)) from None
    return whole[: tile.width * HASH_BYTES]


def _address(base: str, path: str) -> str:
    """Where a path below an address leads to, or a link: https, or this machine."""
    try:
        url = urljoin(base, path)
        parts = urlsplit(url)
    except ValueError:
        raise CannotCheck(f"{path or base} is no address") from None
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise CannotCheck(f"{_plain(url)}: only https, or this machine")
    return url


def _said(path: str, content: bytes, model: type[M]) -> M:
    """What the server says in JSON: it is what is being checked, so its word is not taken."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"])) or "it"
        raise CannotCheck(f"what is served as {path}: {where}: {fault['msg']}") from None


def _checkpoint(what: str, written: bytes) -> Checkpoint:
    try:
        return Checkpoint.parse(Note.parse(written).text)
    except ValueError as error:
        raise CannotCheck(f"{what} is none: {error}") from None


def _up_to(content: bytes, size: int) -> bytes:
    """The events that the checkpoint covers; later ones come with the next checkpoint."""
    lines = content.splitlines(keepends=True)
    return b"".join(line for line in lines if read_line(line.rstrip(b"\n")).position <= size)


def _plain(url: str) -> str:
    """An address without its query: a link's signature does not belong on a screen."""
    return urlsplit(url)._replace(query="").geturl()
