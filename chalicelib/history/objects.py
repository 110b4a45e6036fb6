"""Where the log's files stand: tiles, checkpoints, time stamps; each is written once.

What is final (full tiles, checkpoints, time stamps) is locked: nobody, the owner of the account
included, can overwrite or delete it before its time. A partial tile is superseded by the next one.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Protocol

from botocore.exceptions import ClientError

from chalicelib.eventstore.store import Corrupt
from chalicelib.history.merkle import HASH_BYTES
from chalicelib.history.tiles import ENTRIES, WIDTH, Tile, decode_entries, encode_entries

CHECKPOINTS, TIMESTAMPS, STAGING = "checkpoints", "timestamps", "staging"
IMMUTABLE = "public, max-age=31536000, immutable"
_WRITERS, _TRIES, _DIGITS = 8, 3, 12
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_STANDS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


def checkpoint_name(size: int) -> str:
    """Where the checkpoint of a size is kept; names sort as sizes do."""
    return f"{CHECKPOINTS}/{size:0{_DIGITS}d}"


def timestamp_name(size: int) -> str:
    """Where the time stamp of a size is kept."""
    return f"{TIMESTAMPS}/{size:0{_DIGITS}d}.tsr"


class Objects(Protocol):
    """Files by name. A file is added whole or not at all."""

    def add(self, files: Mapping[str, bytes]) -> None:
        """Add files, in any order; one that is there already must be the same.

        Raises:
            Corrupt: a file with another content stands there.
        """

    def keep(self, name: str, content: bytes) -> bytes:
        """Add a file unless there is one; the content that now stands there."""

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is none."""

    def remove(self, prefix: str) -> None:
        """Remove what is not final: partial tiles that are superseded, what was staged."""

    def names(self, prefix: str, after: str, limit: int) -> list[str]:
        """The names below `prefix` that sort after `after`, in order, `limit` at the most."""


@dataclass(frozen=True)
class S3Objects:
    """Files in a bucket with Object Lock; `lock_days` is how long what is final cannot go away."""

    s3: Any
    bucket: str
    lock_days: int

    def add(self, files: Mapping[str, bytes]) -> None:
        """Each put only if it is absent, side by side; see `Objects.add`."""
        with ThreadPoolExecutor(_WRITERS) as writers:
            list(writers.map(self._add, files.keys(), files.values()))

    def _add(self, name: str, content: bytes) -> None:
        if self.keep(name, content) != content:
            raise Corrupt(f"{name} was written before, and otherwise")

    def keep(self, name: str, content: bytes) -> bytes:
        """Add a file unless there is one; see `Objects.keep`."""
        for _ in range(_TRIES):
            try:
                self.s3.put_object(
                    Bucket=self.bucket,
                    Key=name,
                    Body=content,
                    IfNoneMatch="*",
                    CacheControl=IMMUTABLE,
                    ContentType="application/octet-stream",
                    **self._lock(name),
                )
            except ClientError as error:
                # The second one: somebody puts it at this very moment.
                if error.response["Error"]["Code"] not in _STANDS:
                    raise
                refused = error
            else:
                return content
            if (found := self.read(name)) is not None:
                return found
        raise refused

    def _lock(self, name: str) -> dict[str, Any]:
        if not self.lock_days or not final(name):
            return {}
        until = datetime.now(UTC) + timedelta(days=self.lock_days)
        return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is none."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=name)
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return None
            raise
        return bytes(answer["Body"].read())

    def remove(self, prefix: str) -> None:
        """Remove what is not final."""
        for name in self._listed(prefix, ""):
            if not final(name):
                self.s3.delete_object(Bucket=self.bucket, Key=name)

    def names(self, prefix: str, after: str, limit: int) -> list[str]:
        """The names below `prefix` after `after`, in order."""
        return list(islice(self._listed(prefix, after), limit))

    def link(self, name: str, seconds: int) -> str | None:
        """A link to a file, good for so many seconds; None if there is no such file."""
        try:
            self.s3.head_object(Bucket=self.bucket, Key=name)
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return None
            raise
        asked = {"Bucket": self.bucket, "Key": name}
        return str(self.s3.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds))

    def _listed(self, prefix: str, after: str) -> Iterator[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, **({"StartAfter": after} if after else {})
        )
        return (found["Key"] for page in pages for found in page.get("Contents", []))


class MemoryObjects:
    """Files in a dictionary, for unit tests."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def add(self, files: Mapping[str, bytes]) -> None:
        """Add files; see `Objects.add`."""
        for name, content in files.items():
            if self.keep(name, content) != content:
                raise Corrupt(f"{name} was written before, and otherwise")

    def keep(self, name: str, content: bytes) -> bytes:
        """Add a file unless there is one; `setdefault` is atomic under the interpreter's lock."""
        return self.files.setdefault(name, content)

    def read(self, name: str) -> bytes | None:
        """A file's content."""
        return self.files.get(name)

    def remove(self, prefix: str) -> None:
        """Remove what is not final."""
        for name in [n for n in self.files if n.startswith(prefix) and not final(n)]:
            self.files.pop(name, None)

    def names(self, prefix: str, after: str, limit: int) -> list[str]:
        """The names below `prefix` after `after`, in order."""
        found = sorted(name for name in self.files if name.startswith(prefix) and name > after)
        return found[:limit]


def final(name: str) -> bool:
    """Whether nothing will ever supersede a file of this name."""
    return ".p/" not in name and not name.startswith(f"{STAGING}/")


def tile_reader(objects: Objects) -> Callable[[Tile], bytes]:
    """Reads tiles and bundles; a part that has been superseded is cut out of the whole.

    Raises (what it returns):
        Corrupt: the tile is gone.
    """

    def read(tile: Tile) -> bytes:
        content = objects.read(tile.path)
        if content is not None:
            return content
        whole = tile._replace(width=WIDTH)
        content = None if tile.full else objects.read(whole.path)
        if content is None:
            raise Corrupt(f"{tile.path} is gone")
        if tile.level == ENTRIES:
            return encode_entries(decode_entries(whole, content)[: tile.width])
        return content[: tile.width * HASH_BYTES]

    return read
