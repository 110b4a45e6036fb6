"""Proves a folder, offline: nothing altered, removed, inserted or back-dated, as far as it goes.

The entries are hashed up to the root that the log signed and the witnesses saw. On the way every
saved checkpoint must be met, every tile be what it should, every stream be contiguous and chained,
and every event be covered by its entry. Files of events are examined by several processes; what
needs the whole order is done here, in memory that grows with the number of streams alone.
"""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from chalicelib.history import timestamp
from chalicelib.history.checkpoint import Opened
from chalicelib.history.merkle import Frontier, Unproven, complete_root
from chalicelib.history.note import VerifierKey
from chalicelib.history.tiles import WIDTH, Tile, decode_hashes
from lienthong.examine import Erasure, Examined, Finding, Link, examine
from lienthong.folder import UNFINISHED, CannotCheck, Folder, Stretch
from lienthong.trust import Trust

LATE = timedelta(minutes=5)
"""How much earlier than the checkpoint before it a commit may say it was recorded: the time it
takes to number and seal it. One that the daily sweep found late is more, and is shown."""
EARLY = timedelta(minutes=5)
"""How much later than its checkpoint's time stamp, and how much earlier than the checkpoint before
it another clock may have seen one: clocks differ."""
LAST_YEAR = 9998
"""Times behind it are none: nothing can be added to them."""
MAX_FINDINGS = 20
"""How many findings are kept, as one fault may have many."""
_IN_PROCESS = 8
"""Files of events up to which no processes are started."""


@dataclass
class Report:
    """What was checked and what came of it; `size` and `root` are the checkpoint's.

    `bracketed` is up to which position recorded times were held against time stamps; `found`
    counts all that is wrong, of which `findings` has the first.
    """

    origin: str = ""
    size: int = 0
    root: bytes = b""
    commits: int = 0
    events: int = 0
    streams: int = 0
    checkpoints: int = 0
    witnesses: list[str] = field(default_factory=list)
    quorum: str = ""
    stamped: int = 0
    bracketed: int = 0
    erased: list[Erasure] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    found: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.findings


def verify(
    folder: Folder,
    trust: Trust,
    old: Path | None = None,
    *,
    jobs: int = 1,
    late: timedelta = LATE,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Report:
    """Check everything in a folder; `progress` hears how many commits of how many are done.

    Args:
        folder: what was fetched.
        trust: whom to believe.
        old: a checkpoint saved earlier, elsewhere: the history must still begin with it.
        jobs: processes.
        late: see `LATE`.
        progress: called as it goes.

    Raises:
        CannotCheck: there is no checkpoint, or no events at all.
    """
    checking = _Checking(folder, trust, late)
    report = checking.report
    if not checking.read_checkpoints(old):
        return report
    size = report.size
    if size and not folder.stretches(size):
        raise CannotCheck(f"{folder.root} holds no events: fetch them first")
    for examined in _examined(folder, size, jobs):
        checking.take(examined)
        progress(report.commits, size)
    checking.end()
    return report


class _Checking:
    """What needs all positions in their order."""

    def __init__(self, folder: Folder, trust: Trust, late: timedelta) -> None:
        self.folder = folder
        self.trust = trust
        self.report = Report()
        self._late = late
        self._tree = Frontier()
        self._known: dict[int, dict[bytes, str]] = {}
        self._proven = 0
        self._tiles: _Tiles | None = None
        self._times: list[tuple[int, datetime]] = []
        # When each witness last saw a checkpoint.
        self._saw: dict[VerifierKey, datetime] = {}
        self._bracket: tuple[str, str] = ("", "")
        self._seen: tuple[datetime | None, datetime | None] = (None, None)
        self._next_time = 0
        # The last commit of every stream: number, hash and time, as one text to save memory.
        self._last: dict[str, str] = {}
        self._stopped = False

    def wrong(self, kind: str, position: int | None, detail: str) -> None:
        """Note a finding."""
        self.report.found += 1
        if len(self.report.findings) < MAX_FINDINGS:
            self.report.findings.append(Finding(kind, position, detail))

    # Checkpoints: who signed them, when they were seen.

    def read_checkpoints(self, old: Path | None) -> bool:
        """The newest checkpoint, those saved with it, and the one the auditor kept.

        False if the newest is not to be believed: then there is nothing to measure by.
        """
        report, folder = self.report, self.folder
        if (folder.root / UNFINISHED).exists():
            raise CannotCheck(f"{folder.root} was not fetched to its end: fetch it again")
        written = folder.read("checkpoint")
        newest = self._open("the checkpoint", written)
        if newest is None:
            return False
        signed = newest.checkpoint
        report.origin, report.size, report.root = signed.origin, signed.size, signed.root
        self._quorum(newest)
        if not self.trust.own_keys:
            report.notes.append(
                "the log's key came with the folder: --key or --policy checks with one of your own"
            )
        opened = {signed.size: [newest]}
        for size, path in folder.checkpoints.items():
            one = self._open(f"checkpoints/{path.name}", path.read_bytes())
            if one and one.checkpoint.size != size:
                self.wrong("checkpoint", size, f"checkpoints/{size} is of another size")
            elif one:
                opened.setdefault(size, []).append(one)
                report.checkpoints += 1
        if old and (kept := self._kept(old)):
            opened.setdefault(kept.checkpoint.size, []).append(kept)
        for size, roots in self._known.items():
            if len(roots) > 1:
                names = " and ".join(roots.values())
                self.wrong("fork", size, f"two roots were signed for size {size}: {names}")
            if size > report.size:
                detail = f"a checkpoint of {size} was signed, but the log now says {report.size}"
                self.wrong("shrunk", report.size + 1, detail)
        self._tiles = _Tiles(folder, report.size, self.wrong)
        for size in sorted(opened):
            self._time(size, opened[size])
        self._note_times()
        return True

    def _note_times(self) -> None:
        """Say which times were not there to check recorded times with."""
        notes = self.report.notes
        if self.trust.authority and not self.report.stamped:
            notes.append("no checkpoint has a time stamp that --tsa could check")
        if not self._times:
            notes.append("no time stamps to check recorded times with: see --tsa, --policy")
        elif len(self._times) == 1:
            notes.append(
                "no earlier checkpoint has a time, so back-dating was not looked for: see --from"
            )

    def _kept(self, old: Path) -> Opened | None:
        """The checkpoint that the auditor kept: from then on nothing may differ."""
        try:
            return self._open(str(old), old.read_bytes())
        except OSError as error:
            raise CannotCheck(f"{old} cannot be read: {error.strerror}") from None

    def _open(self, name: str, written: bytes) -> Opened | None:
        try:
            opened = self.trust.open(written)
        except (Unproven, ValueError) as error:
            self.wrong("checkpoint", _claimed(written), f"{name}: {error}")
            return None
        found = opened.checkpoint
        if self.report.origin not in {"", found.origin}:
            self.wrong("checkpoint", found.size, f"{name} is of another log, {found.origin}")
            return None
        self._known.setdefault(found.size, {}).setdefault(found.root, name)
        return opened

    def _quorum(self, newest: Opened) -> None:
        policy, report = self.trust.policy, self.report
        names = {one.key: one.name for one in policy.witnesses}
        report.witnesses = sorted(names[key] for key in newest.seen)
        report.quorum = policy.quorum
        if not policy.satisfied(newest.seen.keys()):
            detail = f"the witnesses' quorum is not met: {', '.join(report.witnesses) or 'none'}"
            self.wrong("quorum", report.size, f"{detail} cosigned")

    def _time(self, size: int, opened: list[Opened]) -> None:
        """When a checkpoint surely existed: the earliest of its stamps and cosignatures."""
        told = [(key, _moment(second)) for one in opened for key, second in one.seen.items()]
        seen = [(key, at) for key, at in told if at]
        times = [at for _, at in seen]
        if len(seen) < len(told):
            detail = f"a witness says that it saw the checkpoint of {size} after year {LAST_YEAR}"
            self.wrong("time-stamp", size, detail)
        stamp = self.folder.root / "timestamps" / f"{size}.tsr"
        if self.trust.authority and stamp.exists():
            try:
                stamped, text = stamp.read_bytes(), opened[0].note.text
                times.append(timestamp.check(stamped, text, self.trust.authority))
                self.report.stamped += 1
            except Unproven as error:
                self.wrong("time-stamp", size, f"timestamps/{stamp.name}: {error}")
        if not times:
            return
        # A witness has one clock; between two of them some minutes are nobody's fault.
        back = any(at < self._saw.get(key, at) for key, at in seen)
        if self._times and (back or min(times) + EARLY < self._times[-1][1]):
            detail = f"the checkpoint of {size} was seen before that of {self._times[-1][0]}"
            self.wrong("time-stamp", size, detail)
        for key, at in seen:
            self._saw[key] = max(at, self._saw.get(key, at))
        self._times.append((size, min(times)))

    # Commits, in their order.

    def take(self, examined: Examined) -> None:
        """The next stretch."""
        report = self.report
        for finding in examined.findings:
            self.wrong(finding.kind, finding.position, finding.detail)
        report.erased += examined.erased
        report.events += examined.events
        if self._stopped:
            return
        if examined.first != self._tree.size + 1:
            last, first = self._tree.size, examined.first
            detail = f"the events of positions {last + 1} to {first - 1} are missing"
            self.wrong("missing", last + 1, detail)
            self._stopped = True
            return
        for leaf, link in zip(examined.leaves, examined.links, strict=True):
            position = self._tree.size + 1
            if position >= self._next_time:
                self._move_bracket(position)
            if link:
                self._follow(position, link)
            self._tree.add(leaf)
            if self._tiles:
                self._tiles.add(leaf)
            if position in self._known:
                self._meet(position)
        report.commits = self._tree.size
        self._stopped = examined.unread

    def _follow(self, position: int, link: Link) -> None:
        stream, number, previous, hash_, at = link
        last = self._last.get(stream)
        # The three parts of `last` are of fixed length but for the number, which stands last.
        last_hash, last_at, last_number = (
            (last[:43], last[43:75], int(last[75:])) if last else ("", "", 0)
        )
        if number != last_number + 1:
            detail = f"{stream}@{number} stands where commit {last_number + 1} belongs"
            self.wrong("chain", position, detail)
        elif previous != last_hash:
            detail = f"{stream}@{number} does not follow the commit before it"
            self.wrong("chain", position, detail)
        elif at < last_at:
            detail = f"{stream}@{number} was recorded at {at}, before the commit it follows"
            self.wrong("clock", position, detail)
        self._last[stream] = f"{hash_}{at}{number}"
        earliest, latest = self._bracket
        if at < earliest:
            detail = f"{stream}@{number} says {at}, but was not yet in the checkpoint seen at"
            self.wrong("back-dated", position, f"{detail} {_written(self._seen[0])}")
        elif latest and at > latest:
            detail = f"{stream}@{number} says {at}, but was already in the checkpoint seen at"
            self.wrong("post-dated", position, f"{detail} {_written(self._seen[1])}")

    def _move_bracket(self, position: int) -> None:
        """The times between which the commit at this position was sealed."""
        index = bisect_left(self._times, position, key=lambda time: time[0])
        before = self._times[index - 1][1] if index else None
        after = self._times[index][1] if index < len(self._times) else None
        self._seen = (before, after)
        self._bracket = (
            _written(before and before - self._late),
            _written(after and after + EARLY),
        )
        # The next move is due behind the checkpoint that ends this bracket.
        self._next_time = self._times[index][0] + 1 if index < len(self._times) else 1 << 62

    def _meet(self, size: int) -> None:
        if self._tree.root() in self._known[size]:
            self._proven = size
            return
        since = self._proven + 1
        detail = f"the entries do not have the root that was signed for {size}"
        self.wrong("root", since, f"{detail}: what differs is at positions {since} to {size}")

    def end(self) -> None:
        """Whether the end was reached, and what stands behind it."""
        report = self.report
        report.streams = len(self._last)
        report.bracketed = max((size for size, _ in self._times), default=0)
        if self._tiles and self._tree.size == report.size:
            self._tiles.end()
        elif not self._stopped:
            detail = f"entries end at {self._tree.size}, the checkpoint is of {report.size}"
            self.wrong("missing", self._tree.size + 1, detail)
        if report.size == 0 and Frontier().root() != report.root:
            self.wrong("root", None, "an empty log with a root that is not that of nothing")
        report.findings.sort(key=lambda one: one.position or 0)


class _Tiles:
    """The hash tiles, recomputed from the entries as they come, and compared."""

    def __init__(
        self, folder: Folder, size: int, wrong: Callable[[str, int | None, str], None]
    ) -> None:
        self._folder = folder
        self._size = size
        self._wrong = wrong
        self._rows: list[list[bytes]] = [[]]
        self._done: list[int] = [0]

    def add(self, leaf: bytes) -> None:
        row = self._rows[0]
        row.append(leaf)
        if len(row) == WIDTH:
            self._close(0)

    def _close(self, level: int) -> None:
        hashes = self._rows[level]
        self._compare(Tile(level, self._done[level], len(hashes)), hashes)
        self._rows[level] = []
        self._done[level] += 1
        if len(hashes) < WIDTH:
            return
        if level + 1 == len(self._rows):
            self._rows.append([])
            self._done.append(0)
        self._rows[level + 1].append(complete_root(hashes))
        if len(self._rows[level + 1]) == WIDTH:
            self._close(level + 1)

    def end(self) -> None:
        """The partial tiles at the right edge."""
        for level in range(len(self._rows)):
            if self._rows[level]:
                self._close(level)

    def _compare(self, tile: Tile, hashes: list[bytes]) -> None:
        first = tile.start * WIDTH**tile.level + 1
        try:
            held = decode_hashes(tile, (self._folder.root / tile.path).read_bytes())
        except OSError:
            self._wrong("tile", first, f"{tile.path} is missing")
            return
        except Unproven as unproven:
            self._wrong("tile", first, str(unproven))
            return
        for offset, (one, other) in enumerate(zip(held, hashes, strict=True)):
            if one != other:
                position = (tile.start + offset) * WIDTH**tile.level + 1
                detail = f"{tile.path} does not hold the hash of what is at position {position}"
                self._wrong("tile", position, detail)
                return


def _examined(folder: Folder, size: int, jobs: int) -> Iterator[Examined]:
    """The stretches of a folder in order, examined by `jobs` processes."""
    stretches = folder.stretches(size)
    if jobs < 2 or len(stretches) <= _IN_PROCESS:  # noqa: PLR2004 -- one process is this one.
        for stretch in stretches:
            yield examine(folder.root, stretch, size)
        return
    # Spawned, not forked: whoever runs this may have threads, as a progress bar has.
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        running: deque[Future[Examined]] = deque()
        waiting: deque[Stretch] = deque(stretches)
        while running or waiting:
            while waiting and len(running) < 4 * jobs:
                running.append(pool.submit(examine, folder.root, waiting.popleft(), size))
            yield running.popleft().result()


def _claimed(written: bytes) -> int | None:
    """The size that a checkpoint states, whoever wrote it."""
    found = re.match(rb"[^\n]*\n([0-9]{1,19})(?![0-9])", written)
    return int(found[1]) if found else None


def _moment(second: int) -> datetime | None:
    """A witness's time; None if there is no such time."""
    try:
        at = datetime.fromtimestamp(second, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.year <= LAST_YEAR else None


def _written(at: datetime | None) -> str:
    """A moment as headers write it, so that texts compare as moments do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at else ""
